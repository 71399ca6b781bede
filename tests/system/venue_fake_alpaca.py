"""The fake of Alpaca, tried by a plain client: hours, brackets, replacements, binary frames."""

import json
from decimal import Decimal

from venue_client import Fake, Stream


def run(tap):
    with Fake("alpaca") as fake:
        key, secret = fake.keys().split()
        headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret, "Content-Type": "application/json"}

        def call(method, path, body=None, **others):
            return fake.send(method, path, None if body is None else json.dumps(body), {**headers, **others})

        def order(**values):
            return call("POST", "/v2/orders", {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day",
                                               **values})

        def refuses(what, answer, status, violates=True):
            found = fake.state()["violations"]
            fake.control("forget violations")
            tap.check(f"Alpaca refuses {what}", answer[0] == status and bool(found) == violates, answer, found)

        refuses("a wrong key", call("GET", "/v2/account", **{"APCA-API-SECRET-KEY": "x"}), 401)
        refuses("a price off the tick", order(type="limit", qty="1", limit_price="199.001"), 422)
        refuses("a fraction that lasts", order(type="limit", qty="0.5", limit_price="199", time_in_force="gtc"), 422)
        refuses("an unknown member", order(qty="1", colour="red"), 422)
        refuses("a number that is not text", order(qty=1), 422)
        refuses("a repeated parameter", call("GET", "/v2/orders?limit=5&limit=6"), 422)
        refuses("more than there is", order(qty="1000"), 403, False)
        refuses("a short", order(side="sell", qty="1"), 403, False)

        user = Stream(fake.port, "/stream")
        user.send({"action": "auth", "key": key, "secret": secret})
        tap.check("logged in", user.read()["data"]["status"] == "authorized")
        tap.check("in binary frames", user.kind == 2, user.kind)
        user.send({"action": "listen", "data": {"streams": ["trade_updates"]}})
        user.read()
        answer = order(qty="2.5", client_order_id="nd-1")
        tap.check("a market order of a fraction", answer[2]["status"] == "filled" and answer[2]["filled_qty"] == "2.5", answer)
        found = [user.read()["data"] for _ in range(2)]
        tap.check("events", [e["event"] for e in found] == ["new", "fill"] and found[1]["position_qty"] == "2.5", found)
        answer = order(qty="1", client_order_id="nd-1")
        tap.check("a client id is used once, for ever", answer[0] == 422 and "unique" in answer[2]["message"], answer)
        row = call("GET", "/v2/positions")[2][0]
        tap.check("the position", (row["symbol"], row["qty"], Decimal(row["avg_entry_price"])) == ("AAPL", "2.5", 200), row)
        tap.check("the cash", Decimal(call("GET", "/v2/account")[2]["cash"]) == 9500)
        tap.check("no fields of day trading", "pattern_day_trader" not in call("GET", "/v2/account")[2])
        one = order(type="limit", qty="1", limit_price="190", time_in_force="gtc", client_order_id="nd-2")[2]
        answer = call("PATCH", f"/v2/orders/{one['id']}", {"limit_price": "191", "client_order_id": "nd-3"})[2]
        tap.check("a replacement has a new id", answer["id"] != one["id"] and answer["replaces"] == one["id"], answer)
        old = call("GET", f"/v2/orders/{one['id']}")[2]["status"]
        tap.check("which takes a moment", old == "pending_replace", old)
        two = call("PATCH", f"/v2/orders/{one['id']}", {"limit_price": "192"})
        tap.check("in which there is no other", two[0] == 422 and "pending_replace" in two[2]["message"], two)
        fake.control("advance 1")
        old = call("GET", f"/v2/orders/{one['id']}")[2]
        tap.check("the old one is replaced", (old["status"], old["replaced_by"]) == ("replaced", answer["id"]), old)
        same = call("PATCH", f"/v2/orders/{answer['id']}", {"limit_price": "191"})
        tap.check("not without a change", same[0] == 403 and "not changed" in same[2]["message"], same)
        fake.control("refuse-replace 1")
        lost = call("PATCH", f"/v2/orders/{answer['id']}", {"limit_price": "192"})[2]
        fake.control("advance 1")
        states = [call("GET", f"/v2/orders/{o['id']}")[2]["status"] for o in (answer, lost)]
        tap.check("a replacement may be taken and then rejected", states == ["new", "rejected"], states)
        tap.check("cancelled without a body", call("DELETE", f"/v2/orders/{answer['id']}")[0] == 204)
        answer = call("GET", "/v2/orders:by_client_order_id?client_order_id=nd-3")[2]
        tap.check("found by its client id", answer["status"] == "canceled", answer)
        fake.control("session closed")
        answer = order(qty="1", client_order_id="nd-4")
        tap.check("while the market is closed an order waits", answer[2]["status"] == "accepted", answer)
        fake.control("session open")
        row = call("GET", "/v2/orders:by_client_order_id?client_order_id=nd-4")[2]
        tap.check("and fills when it opens", row["status"] == "filled", row)
        bracket = {"qty": "2", "order_class": "bracket", "take_profit": {"limit_price": "210"},
                   "stop_loss": {"stop_price": "195"}}
        order(client_order_id="nd-5", **bracket)
        legs = call("GET", "/v2/orders?status=open")[2]
        tap.check("a bracket has two legs after its entry", sorted(o["type"] for o in legs) == ["limit", "stop"], legs)
        tap.check("that hold the coins once", call("GET", "/v2/positions")[2][0]["qty_available"] == "3.500000000"
                  or Decimal(call("GET", "/v2/positions")[2][0]["qty_available"]) == Decimal("3.5"))
        fake.control("price AAPL-USD 194.5")
        legs = call("GET", "/v2/orders?status=all")[2][:2]
        tap.check("the stop ends the other one", sorted(o["status"] for o in legs) == ["canceled", "filled"], legs)
        fake.control("price AAPL-USD 200", "refuse-leg 1")
        order(client_order_id="nd-6", **bracket)
        legs = call("GET", "/v2/orders?status=all")[2][:2]
        tap.check("a leg is rejected after the entry filled", "rejected" in [o["status"] for o in legs], legs)
        fills = call("GET", "/v2/account/activities/FILL?page_size=2")[2]
        more = call("GET", f"/v2/account/activities/FILL?page_size=100&page_token={fills[-1]['id']}")[2]
        tap.check("fills by pages", len(fills) == 2 and len(more) == len(fake.state()["fills"]) - 2, fills)
        answer = call("POST", "/v2/orders", {"symbol": "BTC/USD", "side": "buy", "type": "limit", "time_in_force": "gtc",
                                             "qty": "0.01", "limit_price": "60010"})
        tap.check("crypto at any hour", answer[2]["status"] == "filled", answer)
        clock = call("GET", "/v2/clock")[2]
        tap.check("the clock of the market", clock["is_open"] is True and clock["next_open"] > clock["timestamp"][:10], clock)
        fake.control("session extended")
        refuses("a market order in extended hours", order(qty="1", extended_hours=True), 422)
        limit = {"type": "limit", "qty": "1", "limit_price": "201"}
        answer = order(**limit)
        tap.check("a limit does not take part by itself", answer[2]["filled_qty"] == "0", answer)
        call("DELETE", f"/v2/orders/{answer[2]['id']}")
        answer = order(extended_hours=True, **limit)
        tap.check("but when it asks for it", answer[2]["status"] == "filled", answer)
        fake.control("session auto")
        date = call("GET", "/v2/clock")[2]["next_open"][:10]
        fake.control(f"closes-early {date}")
        row = call("GET", f"/v2/calendar?start={date}&end={date}")[2][0]
        tap.check("a day that closes early", (row["close"], row["session_close"]) == ("13:00", "1700"), row)
        fake.control(f"holiday {date}")
        tap.check("a holiday", call("GET", "/v2/clock")[2]["next_open"][:10] > date
                  and call("GET", f"/v2/calendar?start={date}&end={date}")[2] == [])
        fake.control("session open", "price AAPL-USD 200")
        charged = call("GET", "/v2/account/activities?activity_types=FEE,CFEE")[2]
        cash = Decimal(call("GET", "/v2/account")[2]["cash"])
        accrued = Decimal(call("GET", "/v2/account")[2]["accrued_fees"])
        fake.control("end-day")
        rows = call("GET", "/v2/account/activities?activity_types=FEE,CFEE&direction=asc")[2]
        kinds = sorted(row["activity_type"] for row in rows)
        tap.check("fees come at the end of the day", charged == [] and kinds == ["CFEE", "FEE"], rows)
        tap.check("as many as were accrued", accrued > 0 and cash - Decimal(call("GET", "/v2/account")[2]["cash"])
                  == accrued == -sum(Decimal(row["net_amount"]) for row in rows), (accrued, rows))
        rows = call("GET", "/v2/stocks/bars?symbols=AAPL&timeframe=1Min&limit=5&start=2026-11-27T15:00:00Z")[2]
        tap.check("bars, with a next page", len(rows["bars"]["AAPL"]) == 5 and rows["next_page_token"], rows)
        data = Stream(fake.port, "/v1beta3/crypto/us")
        data.send({"action": "auth", "key": key, "secret": secret})
        data.send({"action": "subscribe", "quotes": ["BTC/USD"], "bars": ["BTC/USD"]})
        tap.check("subscribed", data.until(lambda m: m[0]["T"] == "subscription"))
        fake.control("price BTC-USD 60100", "advance 61")
        wanted, seen = {"q", "b"}, set()
        while not seen >= wanted and (message := data.read(5)) is not None:
            seen |= {row["T"] for row in message}
        tap.check("quotes and closed bars", seen >= wanted, seen)
        tap.check("no violation", fake.state()["violations"] == [], fake.state()["violations"])
        second = Stream(fake.port, "/v1beta3/crypto/us")
        second.send({"action": "auth", "key": key, "secret": secret})
        answer = second.until(lambda m: m[0]["T"] == "error")
        tap.check("one connection for a key", answer and answer[0]["code"] == 406, answer)

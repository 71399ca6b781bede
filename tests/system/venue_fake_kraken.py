"""The fake of Kraken spot, tried by a plain client: nonces, errors at status 200, sequences, checksums."""

import json
import time
import zlib
from decimal import Decimal

from venue_client import Fake, KrakenClient, Stream


def checksum(asks, bids):
    rows = [(p, asks[p]) for p in sorted(asks, key=Decimal)]
    rows += [(p, bids[p]) for p in sorted(bids, key=Decimal, reverse=True)]
    return zlib.crc32("".join(word.replace(".", "").lstrip("0") for row in rows for word in row).encode())


class Book:
    """Kept as the documents say, ten levels deep."""

    def __init__(self):
        self.sides = {"bids": {}, "asks": {}}

    def apply(self, row):
        for name, turned in (("bids", True), ("asks", False)):
            side = self.sides[name]
            for level in row[name]:
                if Decimal(level["qty"]):
                    side[level["price"]] = level["qty"]
                else:
                    side.pop(level["price"], None)
            best = sorted(side, key=Decimal, reverse=turned)[:10]
            self.sides[name] = {price: side[price] for price in best}
        return checksum(self.sides["asks"], self.sides["bids"]) == int(row["checksum"])


def run(tap):
    with Fake("kraken") as fake:
        key, secret = fake.keys().split()
        client = KrakenClient(fake, key, secret)
        order = {"ordertype": "limit", "pair": "XBTUSD", "type": "buy", "volume": "0.01", "price": "59000.0"}

        def refuses(what, text, answer, violates=True):
            found = fake.state()["violations"]
            fake.control("forget violations", "unlimited")
            tap.check(f"Kraken refuses {what}", answer["error"] and answer["error"][0].startswith(text)
                      and bool(found) == violates, answer, found)

        refuses("a wrong signature", "EAPI:Invalid signature", client.call("BalanceEx", spoil="&x=1"))
        client.call("BalanceEx")
        refuses("a used nonce", "EAPI:Invalid nonce", client.call("BalanceEx", nonce=1))
        refuses("two ids of one order", "EGeneral:Invalid arguments", client.call("CancelOrder", txid="x", cl_ord_id="y"))
        refuses("a repeated parameter", "EGeneral:Invalid arguments", client.call("BalanceEx", again="&nonce=5"))
        refuses("an unknown parameter", "EGeneral:Invalid arguments", client.call("AddOrder", **order, colour="red"))
        refuses("a price off the tick", "EOrder:Invalid price", client.call("AddOrder", **{**order, "price": "59000.05"}))
        refuses("too small an order", "EGeneral:Invalid arguments:volume", client.call(
            "AddOrder", **{**order, "volume": "0.00001"}))
        refuses("more than there is", "EOrder:Insufficient funds", client.call("AddOrder", **{**order, "volume": "1"}), False)
        refuses("a late order", "EService:Deadline elapsed", client.call(
            "AddOrder", **order, deadline="2026-01-01T00:00:00Z"), False)
        tap.check("no order was accepted", fake.state()["orders"] == [])

        token = client.call("GetWebSocketsToken")["result"]["token"]
        user = Stream(fake.port, "/v2")
        user.send({"method": "subscribe", "req_id": 1, "params": {
            "channel": "executions", "token": token, "snap_orders": True, "snap_trades": True}})
        answer = user.until(lambda m: m.get("method") == "subscribe")
        tap.check("executions are subscribed", answer and answer["success"], answer)
        answer = client.call("AddOrder", ordertype="market", pair="XBTUSD", type="buy", volume="0.01", cl_ord_id="nd-1")
        tap.check("a market order is accepted", not answer["error"] and len(answer["result"]["txid"]) == 1, answer)
        kinds, numbers = [], []
        while (message := user.until(lambda m: m.get("channel") == "executions", 0.3)) is not None:
            kinds += [row["exec_type"] for row in message["data"]]
            numbers.append(message["sequence"])
        tap.check("events in order", kinds == ["pending_new", "new", "trade", "filled"], kinds)
        tap.check("sequences without a gap", numbers == list(range(1, len(numbers) + 1)), numbers)
        held = client.call("BalanceEx")["result"]
        tap.check("the fee is in dollars", held["XXBT"]["balance"] == "0.0100000000"
                  and held["ZUSD"]["balance"] == "9397.6000000000", held)
        client.call("AddOrder", **order, cl_ord_id="nd-2")
        answer = client.call("AddOrder", **order, cl_ord_id="nd-2")
        tap.check("a client id of an open order is refused", "Duplicate" in answer["error"][0], answer)
        answer = client.call("OpenOrders", cl_ord_id="nd-2")["result"]["open"]
        tap.check("found by its client id", len(answer) == 1 and list(answer.values())[0]["descr"]["pair"] == "XBTUSD", answer)
        tap.check("cancelled", client.call("CancelOrder", cl_ord_id="nd-2")["result"] == {"count": 1})
        row = list(client.call("ClosedOrders", cl_ord_id="nd-2")["result"]["closed"].values())[0]
        tap.check("and closed", row["status"] == "canceled" and row["reason"] == "User requested", row)
        fake.control("unlimited")
        trades = client.call("TradesHistory")["result"]
        tap.check("one trade in the history", [t["cost"] for t in trades["trades"].values()] == ["600.00000"], trades)
        client.call("AddOrder", **order, cl_ord_id="nd-3")
        client.call("CancelAllOrdersAfter", timeout=60)
        fake.control("unlimited", "advance 61")
        tap.check("the dead man's switch", client.call("OpenOrders")["result"]["open"] == {})
        fake.control("fault place 1 unknown-after")
        answer = client.call("AddOrder", **order, cl_ord_id="nd-4")
        tap.check("a time-out after acceptance", answer["error"] == ["EService:Timeout"] and "nd-4" in fake.state()["ids"])
        fake.control("unlimited")
        stop = {"ordertype": "stop-loss", "pair": "XBTUSD", "type": "sell", "volume": "0.01", "price": "50000"}
        client.call("AddOrder", **stop, cl_ord_id="nd-5")
        while user.until(lambda m: m.get("channel") == "executions", 0.3) is not None:
            pass
        answer = client.call("AmendOrder", cl_ord_id="nd-5", trigger_price="51000.1")
        tap.check("a stop is amended", not answer["error"] and list(answer["result"]) == ["amend_id"], answer)
        row = list(client.call("OpenOrders", cl_ord_id="nd-5")["result"]["open"].values())[0]
        tap.check("in place", (row["stopprice"], row["misc"], row["vol"]) == ("51000.10000", "amended", "0.01000000"), row)
        rows = user.until(lambda m: m.get("channel") == "executions")["data"]
        tap.check("its event has the new price", [(r["exec_type"], r["triggers"]["actual_price"], r["cl_ord_id"]) for r in rows]
                  == [("amended", "51000.1", "nd-5")], rows)
        refuses("a stop through the market", "EOrder:Invalid price", client.call(
            "AmendOrder", cl_ord_id="nd-5", trigger_price="61000"), False)
        refuses("a limit price of a stop", "EGeneral:Invalid arguments", client.call(
            "AmendOrder", cl_ord_id="nd-5", limit_price="51000"))
        refuses("an amendment of nothing", "EGeneral:Invalid arguments", client.call("AmendOrder", cl_ord_id="nd-5"))
        refuses("an amendment off the tick", "EOrder:Invalid price", client.call(
            "AmendOrder", cl_ord_id="nd-5", trigger_price="51000.05"))
        refuses("a late amendment", "EService:Deadline elapsed", client.call(
            "AmendOrder", cl_ord_id="nd-5", trigger_price="52000", deadline="2026-01-01T00:00:00Z"), False)
        client.call("CancelOrder", cl_ord_id="nd-5")
        refuses("an amendment of what has ended", "EOrder:Unknown order", client.call(
            "AmendOrder", cl_ord_id="nd-5", trigger_price="52000"), False)
        row = list(client.call("ClosedOrders", cl_ord_id="nd-5")["result"]["closed"].values())[0]
        tap.check("what was refused changed nothing", row["stopprice"] == "51000.10000", row)
        tap.check("the key may not withdraw", "withdraw-funds" not in client.call("GetApiKeyInfo")["result"]["permissions"])
        fake.control("permit withdraw on")
        tap.check("or it may", "withdraw-funds" in client.call("GetApiKeyInfo")["result"]["permissions"])

        public = Stream(fake.port, "/v2")
        public.send({"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}, "req_id": 2})
        public.send({"method": "subscribe", "params": {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 1}})
        book, good, count, channels = Book(), True, 0, set()
        for price in ("60000.3", "59999.9", "60100", "60100.4"):
            fake.control(f"price BTC-USD {price}")
        end = time.monotonic() + 0.5
        while (message := public.read(max(0.01, end - time.monotonic()))) is not None:
            channels.add(message.get("channel"))
            if message.get("channel") == "book":
                good, count = good and book.apply(message["data"][0]), count + 1
        tap.check("checksums of the book agree", good and count >= 5, count)
        tap.check("the best bid", max(book.sides["bids"], key=Decimal) == "60100.3", book.sides["bids"])
        tap.check("candles too", "ohlc" in channels, channels)
        fake.control("checksum 1", "price BTC-USD 60200")
        message = public.until(lambda m: m.get("channel") == "book")
        tap.check("a wrong checksum is seen", message and not book.apply(message["data"][0]))
        rows = fake.send("GET", "/0/public/OHLC?pair=XBTUSD&interval=1")[2]["result"]["XXBTZUSD"]
        tap.check("720 candles", len(rows) == 720 and rows[1][0] - rows[0][0] == 60, len(rows))
        tap.check("no violation", fake.state()["violations"] == [], json.dumps(fake.state()["violations"]))

"""The fake of Binance spot, tried by a plain client: it must be right, and as strict as the venue."""

import base64
import http.client
import time
import urllib.parse
from decimal import Decimal

from venue_client import BinanceClient, Fake, Stream, by_openssl

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER = "/api/v3/order"
tap = None


def limit(**more):
    return {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001",
            "price": "59000", **more}


def market(**more):
    return {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", **more}


def refuses(fake, what, code, answer, violates=True):
    """The fake answered with this code, and remembers it (or not)."""
    found = fake.state()["violations"]
    fake.control("forget violations")
    good = answer[0] >= 400 and answer[2]["code"] == code and bool(found) == violates
    tap.check(f"refused: {what}", good, answer, found)


def check_refusals(fake, client):
    good = client.payload(limit())
    refuses(fake, "a wrong signature", -1022, client.raw("POST", ORDER, good, "0" * 64))
    refuses(fake, "a signature of other bytes", -1022,
            client.raw("POST", ORDER, good.replace("59000", "59000.0"), client.signature(good)))
    refuses(fake, "a stale timestamp", -1021, client.raw("POST", ORDER, client.payload(limit(), -5.5)))
    refuses(fake, "a timestamp from the future", -1021, client.raw("POST", ORDER, client.payload(limit(), 1.5)))
    refuses(fake, "a window of more than a minute", -1131, client.call("POST", ORDER, **limit(recvWindow=60001)))
    refuses(fake, "a price off the tick", -1013, client.call("POST", ORDER, **limit(price="59000.001")))
    refuses(fake, "a quantity off the step", -1013, client.call("POST", ORDER, **limit(quantity="0.000011")))
    refuses(fake, "less than the minimum notional", -1013, client.call("POST", ORDER, **limit(quantity="0.00001")))
    refuses(fake, "an exponent", -1100, client.call("POST", ORDER, **limit(quantity="1e-3")))
    refuses(fake, "too many digits", -1111, client.call("POST", ORDER, **limit(quantity="0.001000001")))
    refuses(fake, "a repeated parameter", -1101, client.raw("POST", ORDER, client.payload(limit()) + "&side=BUY"))
    refuses(fake, "an unknown parameter", -1104, client.call("POST", ORDER, **limit(colour="red")))
    refuses(fake, "a missing parameter", -1102, client.call("POST", ORDER, symbol="BTCUSDT", side="BUY"))
    refuses(fake, "a price of a market order", -1106, client.call("POST", ORDER, **market(price="59000")))
    refuses(fake, "no such symbol", -1121, client.call("POST", ORDER, **limit(symbol="BTCUSD")))
    refuses(fake, "a client id that is too long", -1100, client.call("POST", ORDER, **limit(newClientOrderId="a" * 37)))
    refuses(fake, "an unknown key", -2015, BinanceClient(fake, "x" * 64, SECRET).call("GET", "/api/v3/account"))
    refuses(fake, "more than there is", -2010, client.call("POST", ORDER, **market(quantity="1")), False)
    refuses(fake, "no such order", -2013, client.call("GET", ORDER, symbol="BTCUSDT", orderId=7), False)
    fake.control("permit trade off")
    refuses(fake, "a key that may not trade", -2015, client.call("POST", ORDER, **limit()), False)
    fake.control("permit trade on")
    tap.check("none of these orders was accepted", fake.state()["orders"] == [])
    status = fake.send("POST", "/api/v3/userDataStream", headers={"X-MBX-APIKEY": KEY})[0]
    tap.check("listen keys are gone", status == 410, status)
    fake.control("forget violations")


def check_ed25519(fake, printed):
    """Signed by OpenSSL, checked by the fake's own code."""
    key, pem = printed.split("\n\n")[1].split("\n", 1)
    client = BinanceClient(fake, key, "")
    payload = client.payload({})
    made = by_openssl(pem, payload.encode(), "pkeyutl", "-sign", "-inkey")
    for signature, expected in ((made, 200), (made[:-1] + bytes([made[-1] ^ 1]), 400)):
        text = urllib.parse.quote(base64.b64encode(signature).decode(), safe="")
        status = client.raw("GET", "/api/v3/account", payload, text)[0]
        tap.check(f"a signature of Ed25519 by OpenSSL: {expected}", status == expected, status)
    fake.control("forget violations")


def subscribe(fake, client):
    stream = Stream(fake.port, "/ws-api/v3")
    at = int(time.time() * 1000)
    stream.send({"id": 1, "method": "userDataStream.subscribe.signature", "params": {
        "apiKey": KEY, "timestamp": at, "signature": client.signature(f"apiKey={KEY}&timestamp={at}")}})
    answer = stream.read()
    tap.check("the stream of the account opens", answer and answer["status"] == 200, answer)
    return stream


def report(stream):
    found = stream.until(lambda m: m.get("event", {}).get("e") == "executionReport")
    return found["event"] if found else {}


def balances(fake):
    return {name: Decimal(row["total"]) for name, row in fake.state()["balances"].items()}


def check_trading(fake, client):
    stream = subscribe(fake, client)
    status, headers, answer = client.call("POST", ORDER, **market(newClientOrderId="nd-1"))
    tap.check("a market order fills at the set price", status == 200 and answer["status"] == "FILLED"
              and answer["fills"][0]["price"] == "60000.00000000", answer)
    tap.check("its fee is taken in the bought coin", answer["fills"][0]["commission"] == "0.00001000", answer)
    tap.check("headers of the limits", headers.get("x-mbx-order-count-10s") is not None
              and int(headers["x-mbx-used-weight-1m"]) > 0, headers)
    first, second = report(stream), report(stream)
    tap.check("events: NEW, then TRADE", (first.get("x"), second.get("x")) == ("NEW", "TRADE"), first, second)
    tap.check("balances to the last unit", balances(fake)["BTC"] == Decimal("0.00999")
              and balances(fake)["USDT"] == Decimal("9400"), balances(fake))
    answer = client.call("POST", ORDER, **limit(side="SELL", price="61000", quantity="0.005", newClientOrderId="nd-2"))
    tap.check("a limit rests", answer[2]["status"] == "NEW", answer)
    account = client.call("GET", "/api/v3/account")[2]
    tap.check("and holds its coins", {"asset": "BTC", "free": "0.00499000", "locked": "0.00500000"}
              in account["balances"], account)
    answer = client.call("POST", ORDER, **limit(side="SELL", price="62000", newClientOrderId="nd-2"))
    tap.check("its client id is taken while it is open", answer[2]["msg"] == "Duplicate order sent.", answer)
    report(stream)
    fake.control("price BTC-USDT 61000.50")
    event = report(stream)
    tap.check("it fills when the price passes, as the maker", (event.get("x"), event.get("L"), event.get("m"), event.get("C"))
              == ("TRADE", "61000.00000000", True, ""), event)
    tap.check("its fee is in quote currency", event.get("n") == "0.30500000" and event.get("N") == "USDT", event)
    client.call("POST", ORDER, **limit(newClientOrderId="nd-3"))
    answer = client.call("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="nd-3")
    tap.check("cancelled", answer[2]["status"] == "CANCELED" and answer[2]["origClientOrderId"] == "nd-3", answer)
    report(stream)
    event = report(stream)
    tap.check("the event has the id in C", (event.get("x"), event.get("C")) == ("CANCELED", "nd-3"), event)
    answer = client.call("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="nd-3")
    tap.check("not twice", answer[2]["code"] == -2011, answer)
    client.call("POST", ORDER, symbol="BTCUSDT", side="SELL", type="STOP_LOSS", quantity="0.004", stopPrice="60500")
    report(stream)
    fake.control("parts BTC-USDT 2", "price BTC-USDT 60400")
    first, second = report(stream), report(stream)
    tap.check("a stop triggers, in two parts", (first.get("X"), second.get("X"), second.get("L"))
              == ("PARTIALLY_FILLED", "FILLED", "60400.00000000"), first, second)
    trades = client.call("GET", "/api/v3/myTrades", symbol="BTCUSDT")[2]
    tap.check("REST lists the four fills", [t["qty"] for t in trades]
              == ["0.01000000", "0.00500000", "0.00200000", "0.00200000"], trades)
    fake.control("parts BTC-USDT 1")
    return stream


def lost(client, **order):
    try:
        return client.call("POST", ORDER, **order)
    except (OSError, http.client.HTTPException):
        return None


def check_faults(fake, client, stream):
    fake.control("fault place 1 lost-after", "fault place 2 lost-before")
    for number in ("1", "2"):
        tap.check(f"no answer {number}", lost(client, **limit(newClientOrderId=f"lost-{number}")) is None)
    ids = fake.state()["ids"]
    tap.check("one was accepted, one not", ids.get("lost-1") == 1 and "lost-2" not in ids, ids)
    fake.control("fault place 1 unknown-after", "fault place 2 html", "fault place 3 limited 1")
    answer = client.call("POST", ORDER, **limit(newClientOrderId="unknown"))
    tap.check("an outcome that is not known", answer[2]["code"] == -1007 and "unknown" in fake.state()["ids"], answer)
    answer = client.call("POST", ORDER, **limit(newClientOrderId="html"))
    tap.check("HTML", answer[0] == 502 and "<html>" in answer[2], answer)
    answer = client.call("POST", ORDER, **limit(newClientOrderId="limited"))
    tap.check("429 with Retry-After", answer[0] == 429 and answer[1]["retry-after"] == "1", answer)
    refuses(fake, "a request in that second", -1003, client.call("GET", "/api/v3/account"))
    fake.control("unlimited", "clock 2")
    tap.check("the clock is off", client.call("GET", "/api/v3/account", recvWindow=1000)[2]["code"] == -1021)
    fake.control("clock 0", "lag 1", "forget violations")
    client.call("POST", ORDER, **limit(newClientOrderId="slow"))
    answer = client.call("GET", ORDER, symbol="BTCUSDT", origClientOrderId="slow")
    tap.check("REST does not know a new order yet", answer[2].get("code") == -2013, answer)
    fake.control("advance 1", "lag 0")
    answer = client.call("GET", ORDER, symbol="BTCUSDT", origClientOrderId="slow")
    tap.check("but a second later", answer[2].get("status") == "NEW", answer)
    for _ in client.call("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")[2]:
        stream.until(lambda m: m["event"].get("X") == "CANCELED")
    fake.control("fault place 1 dup-fill", "fault place 2 reorder", "fault place 3 partial-cancel 0.5",
                 "fault place 4 silent")
    seen = []
    for _ in range(3):
        client.call("POST", ORDER, **market(quantity="0.001"))
    while len(seen) < 8 and (event := stream.until(lambda m: m["event"]["e"] == "executionReport")):
        seen.append((event["event"]["x"], event["event"]["t"]))
    tap.check("a fill twice, events turned round, a part then expired", [x for x, _ in seen] == [
        "NEW", "TRADE", "TRADE", "TRADE", "NEW", "NEW", "TRADE", "EXPIRED"] and seen[1] == seen[2], seen)
    client.call("POST", ORDER, **market(quantity="0.001"))
    tap.check("silent after the answer", stream.until(
        lambda m: m["event"]["e"] == "executionReport", 0.2) is None)
    fake.control("market BTC-USDT delisted")
    answer = client.call("POST", ORDER, **limit())
    tap.check("a delisted market is closed", answer[2]["msg"] == "Market is closed.", answer)
    info = fake.send("GET", "/api/v3/exchangeInfo?symbol=BTCUSDT")[2]
    tap.check("and says so", info["symbols"][0]["status"] == "BREAK", info)
    fake.control("market BTC-USDT trading", "fault coins 1 replace free 1e5", "fault coins 2 missing asset",
                 "fault coins 3 extra")
    one, two, three = (client.call("GET", "/api/v3/account")[2] for _ in range(3))
    tap.check("answers with other values, fewer members, more members", one["balances"][0]["free"] == "1e5"
              and "asset" not in two["balances"][0] and "locked" in two["balances"][0]
              and three["balances"][1]["asset"] == "BTC" and "addedByTheVenue" in three, one, two, three)


def check_lists(fake, client):
    fake.control("price BTC-USDT 60000", "balance BTC 0.01", "balance USDT 10000")
    exits = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER", "abovePrice": "61000",
             "belowType": "STOP_LOSS", "belowStopPrice": "59000"}
    answer = client.call("POST", "/api/v3/orderList/oco", **exits)
    tap.check("OCO: two orders, one hold", answer[0] == 200 and len(answer[2]["orderReports"]) == 2
              and fake.state()["balances"]["BTC"]["locked"] == "0.01", answer, fake.state()["balances"])
    fake.control("price BTC-USDT 58990")
    row = client.call("GET", "/api/v3/orderList", orderListId=answer[2]["orderListId"])[2]
    states = [o["state"] for o in fake.state()["orders"][-2:]]
    tap.check("the stop fills, the limit expires, the list is done", row["listOrderStatus"] == "ALL_DONE"
              and sorted(states) == ["expired", "filled"], row, states)
    fake.control("price BTC-USDT 60000", "liquidity BTC-USDT 0.004")
    entry = {"symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "59900",
             "workingQuantity": "0.01", "workingTimeInForce": "GTC", "pendingSide": "SELL", "pendingQuantity": "0.009",
             "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "61000", "pendingBelowType": "STOP_LOSS",
             "pendingBelowStopPrice": "59000"}
    answer = client.call("POST", "/api/v3/orderList/otoco", **entry)
    tap.check("OTOCO: exits wait", [o["status"] for o in answer[2]["orderReports"]]
              == ["NEW", "PENDING_NEW", "PENDING_NEW"], answer)
    fake.control("price BTC-USDT 59900")
    states = [o["state"] for o in fake.state()["orders"][-3:]]
    tap.check("still after a part", states == ["partial", "waiting", "waiting"], states)
    fake.control("liquidity BTC-USDT all", "price BTC-USDT 59890", "refuse-leg 0")
    states = [o["state"] for o in fake.state()["orders"][-3:]]
    tap.check("they work after the whole", states == ["filled", "new", "new"], states)
    answer = client.call("DELETE", "/api/v3/orderList", symbol="BTCUSDT", orderListId=answer[2]["orderListId"])
    tap.check("cancelled together", [o["status"] for o in answer[2]["orderReports"]]
              == ["FILLED", "CANCELED", "CANCELED"], answer)
    fake.control("refuse-leg 1", "balance BTC 0")
    client.call("POST", "/api/v3/orderList/otoco", **{**entry, "workingPrice": "59895"})
    states = [o["state"] for o in fake.state()["orders"][-3:]]
    tap.check("a leg is refused after the entry filled", states == ["filled", "new", "rejected"], states)
    client.call("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    old = client.call("POST", ORDER, **limit(newClientOrderId="old"))[2]["orderId"]
    replace = {**limit(price="59100", newClientOrderId="new"), "cancelOrderId": old, "cancelReplaceMode": "STOP_ON_FAILURE"}
    answer = client.call("POST", "/api/v3/order/cancelReplace", **replace)
    tap.check("cancelled and replaced", answer[0] == 200 and answer[2]["newOrderResult"] == "SUCCESS", answer)
    answer = client.call("POST", "/api/v3/order/cancelReplace", **{
        **replace, "newClientOrderId": "newer", "cancelReplaceMode": "ALLOW_FAILURE"})
    tap.check("half done: 409", answer[0] == 409 and answer[2]["code"] == -2021, answer)


def check_public(fake):
    candles = fake.send("GET", "/api/v3/klines?symbol=ETHUSDT&interval=1m&limit=3")[2]
    tap.check("candles follow each other", len(candles) == 3 and candles[0][0] + 60000 == candles[1][0], candles)
    stream = Stream(fake.port, "/stream?streams=ethusdt@bookTicker/ethusdt@depth@100ms")
    stream.send({"method": "SUBSCRIBE", "params": ["ethusdt@kline_1m"], "id": 7})
    tap.check("subscribed", stream.until(lambda m: m.get("id") == 7) == {"result": None, "id": 7})
    book = fake.send("GET", "/api/v3/depth?symbol=ETHUSDT&limit=5000")[2]
    fake.control("price ETH-USDT 3100")
    names, last = set(), book["lastUpdateId"]
    while names < {"kline", "depthUpdate", "ticker"}:
        data = (stream.read() or {"data": {"e": "nothing"}})["data"]
        names.add(data.get("e", "ticker"))
        if data.get("e") == "depthUpdate" and data["U"] > book["lastUpdateId"]:
            tap.check("updates of the book have no gap", data["U"] == last + 1, data, last)
            last = data["u"]
        if data.get("e") == "nothing":
            break
        if "b" in data and "e" not in data and data["b"].startswith("3099"):
            tap.check("the best bid follows the price", data["b"] == "3099.99000000", data)
    tap.check("candles, book and best prices", names == {"kline", "depthUpdate", "ticker"}, names)
    fake.control("spoil public replace A null", "price ETH-USDT 3101")
    tap.check("a spoilt message", stream.until(lambda m: m.get("data", {}).get("A", 0) is None) is not None)
    fake.control("pings 0.1 0.3")
    pinged = False
    while (found := stream.read(pongs=False)) is not None:
        pinged = pinged or found == 9
    tap.check("cut without a pong", pinged and fake.state()["violations"][0]["why"] == "no pong came")
    fake.control("pings 20 60", "forget violations")  # the other streams are not read any more either


def run(results):
    global tap
    tap = results
    with Fake("binance", "--seed", "7") as fake:
        client = BinanceClient(fake, KEY, SECRET)
        check_refusals(fake, client)
        check_ed25519(fake, fake.keys())
        stream = check_trading(fake, client)
        tap.check("no violation by right requests", fake.state()["violations"] == [], fake.state()["violations"])
        check_faults(fake, client, stream)
        check_lists(fake, client)
        check_public(fake)
        tap.check("no violation", fake.state()["violations"] == [], fake.state()["violations"])

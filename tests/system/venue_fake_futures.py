"""The fake of Binance USD-M futures, tried by a plain client: margin, routed streams, conditional orders."""

from decimal import Decimal

from venue_client import BinanceClient, Fake, Stream

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"


def event(stream, kind):
    return stream.until(lambda message: message.get("e") == kind) or {}


def run(tap):
    with Fake("binance_futures") as fake:
        client = BinanceClient(fake, KEY, SECRET)

        def order(**values):
            return client.call("POST", ORDER, symbol="BTCUSDT", newOrderRespType="RESULT", **values)

        key = fake.send("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY})[2]["listenKey"]
        user = Stream(fake.port, f"/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE")
        market = Stream(fake.port, "/market/stream?streams=btcusdt@kline_1m/btcusdt@markPrice@1s")
        wrong = Stream(fake.port, "/ws")
        wrong.send({"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 3})
        tap.check("USD-M: a subscription without a route is acknowledged", wrong.read() == {"result": None, "id": 3})
        tap.check("but it says nothing, and is remembered", len(fake.state()["violations"]) == 1)
        fake.control("forget violations")
        client.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=5)
        answer = order(side="BUY", type="MARKET", quantity="0.5", newClientOrderId="nd-1")
        tap.check("a long of 0.5 is filled", answer[2]["status"] == "FILLED" and answer[2]["avgPrice"] == "60000.00000", answer)
        tap.check("with headers", "x-mbx-order-count-10s" in answer[1] and "x-mbx-used-weight-1m" in answer[1], answer[1])
        found = [event(user, "ORDER_TRADE_UPDATE")["o"]["x"], event(user, "ACCOUNT_UPDATE")["a"]["P"][0]["pa"],
                 event(user, "ORDER_TRADE_UPDATE")["o"]["n"]]
        tap.check("events: new, position, fill with its fee", found == ["NEW", "0.500", "15.00000000"], found)
        row = client.call("GET", "/fapi/v3/positionRisk")[2][0]
        tap.check("the position", (row["positionAmt"], row["initialMargin"]) == ("0.500", "6000.00000000")
                  and Decimal(row["entryPrice"]) == 60000, row)
        answer = order(side="BUY", type="MARKET", quantity="0.5")
        tap.check("no margin for another", answer[2]["code"] == -2019, answer)
        answer = order(side="BUY", type="LIMIT", quantity="0.1", price="59000", timeInForce="GTC", reduceOnly="true")
        tap.check("reduce-only does not add", answer[2]["code"] == -2022, answer)
        fake.control("forget violations")
        answer = order(side="SELL", type="STOP_MARKET", quantity="0.5", stopPrice="58000")
        tap.check("conditional orders are elsewhere", answer[2]["code"] == -4120, answer)
        answer = order(side="SELL", type="LIMIT", quantity="0.1", price="61000.05", timeInForce="GTC")
        tap.check("a price off the tick", answer[2]["code"] == -4014, answer)
        found = [row["kind"] for row in fake.state()["violations"]]
        tap.check("both are violations", found == ["place", "place"], fake.state()["violations"])
        fake.control("forget violations")
        stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET",
                "triggerPrice": "58000", "closePosition": "true", "clientAlgoId": "nd-2"}
        answer = client.call("POST", ALGO, **stop)
        tap.check("a stop is accepted apart", answer[2].get("algoStatus") == "NEW", answer)
        tap.check("and listed apart", len(client.call("GET", "/fapi/v1/openAlgoOrders")[2]) == 1
                  and client.call("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")[2] == [])
        fake.control("funding BTC-USDT 0.0001")
        paid = event(user, "ACCOUNT_UPDATE")
        tap.check("funding is paid", paid["a"]["m"] == "FUNDING_FEE" and paid["a"]["B"][0]["bc"] == "-3.00000000", paid)
        rows = client.call("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")[2]
        tap.check("and in the income", [r["income"] for r in rows] == ["-3.00000000"], rows)
        fake.control("price BTC-USDT 57990")
        states = [event(user, "ALGO_UPDATE")["o"]["X"] for _ in range(3)]
        tap.check("the stop triggers", states[-1] == "TRIGGERED" or "FINISHED" in states, states)
        state = fake.state()
        wallet = Decimal(10000) - 15 - 3 + Decimal("0.5") * (57990 - 60000) - Decimal("0.5") * 57990 * Decimal("0.0005")
        tap.check("the position is closed, and the wallet exact", state["positions"] == []
                  and Decimal(state["balances"]["USDT"]["total"]) == wallet, state["balances"], wallet)
        client.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=20)
        order(side="SELL", type="MARKET", quantity="2")
        fake.control("price BTC-USDT 63000")
        forced = user.until(lambda m: m.get("e") == "ORDER_TRADE_UPDATE" and m["o"]["x"] == "CALCULATED")
        tap.check("a short against the market is liquidated", forced and forced["o"]["c"].startswith("autoclose-"), forced)
        rows = client.call("GET", "/fapi/v1/forceOrders")[2]
        tap.check("and listed", [r["orderId"] for r in rows] == [forced["o"]["i"]], rows)
        trades = client.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", orderId=rows[0]["orderId"])[2]
        tap.check("its fill has the same id there", [t["id"] for t in trades] == [forced["o"]["t"]], trades)
        fake.control("balance USDT 10000", "foreign BTC-USDT buy 0.01", "deleverage BTC-USDT",
                     "foreign BTC-USDT buy 0.01", "settle BTC-USDT")
        kinds = [[r["clientOrderId"].split("-")[0] for r in client.call("GET", "/fapi/v1/forceOrders", **more)[2]]
                 for more in ({}, {"autoCloseType": "ADL"}, {"symbol": "ETHUSDT"}, {"symbol": "BTCUSDT", "limit": 1})]
        tap.check("deleveraging is listed too, a settlement among all orders only",
                  kinds == [["autoclose", "adl_autoclose"], ["adl_autoclose"], [], ["autoclose"]]
                  and [r["clientOrderId"].split("-")[0] for r in client.call("GET", "/fapi/v1/allOrders", symbol="BTCUSDT")[2]
                       ][-1] == "settlement_autoclose", kinds)
        used = [int(client.call("GET", "/fapi/v1/forceOrders", **more)[1]["x-mbx-used-weight-1m"])
                for more in ({}, {"symbol": "BTCUSDT"}, {})]
        tap.check("it costs 20 with a symbol, 50 without", [used[1] - used[0], used[2] - used[1]] == [20, 50], used)
        codes = [client.call("GET", "/fapi/v1/forceOrders", **more)[2]["code"]
                 for more in ({"limit": 101}, {"autoCloseType": "STOP"}, {"page": 1})]
        tap.check("and takes no other parameters", codes[:2] == [-1130, -1130] and codes[2] < 0, codes)
        now = rows[0]["time"]
        tap.check("by time too", client.call("GET", "/fapi/v1/forceOrders", endTime=now - 1)[2] == []
                  and len(client.call("GET", "/fapi/v1/forceOrders", startTime=now, endTime=now + 10**6)[2]) == 2)
        answer = client.call("GET", "/fapi/v1/forceOrders", startTime=now - 700_000_000, endTime=now)
        tap.check("at most a week at a time", answer[2]["code"] == -4165, answer)
        fake.control("forget violations")
        fake.control("balance USDT 10000", "hedge on")
        answer = order(side="BUY", type="MARKET", quantity="0.01")
        tap.check("hedge mode wants a side", answer[2]["code"] == -4061, answer)
        fake.control("hedge off")
        order(side="BUY", type="LIMIT", quantity="0.01", price="62000", timeInForce="GTX")
        client.call("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=2000)
        fake.control("advance 2.1")
        tap.check("the dead man's switch cancels", client.call("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")[2] == [])
        fake.control("expire")
        tap.check("the listen key expires, E is text", isinstance(event(user, "listenKeyExpired").get("E"), str))
        order(side="BUY", type="MARKET", quantity="0.01")
        tap.check("and the stream is silent, but open", user.read(0.1) is None and user.kind is None)
        seen = {market.read()["data"]["e"] for _ in range(6)}
        tap.check("routed streams speak", seen >= {"kline", "markPriceUpdate"}, seen)
        tap.check("a stream without a route does not", wrong.read(0.1) is None)
        tap.check("no violation", fake.state()["violations"] == [], fake.state()["violations"])

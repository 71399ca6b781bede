"""The fake of Coinbase Advanced Trade, tried by a plain client: tokens, repeated orders, cumulative events."""

import base64
import os
import sys
import uuid
from decimal import Decimal

from venue_client import FAKE, CoinbaseClient, Fake, Stream, by_openssl, raw_of_der

sys.path.append(os.path.abspath(FAKE))


def run(tap):
    from curves import ed25519_sign

    with Fake("coinbase") as fake:
        first, second = fake.keys().split("\n\n")
        (es_name, pem), (ed_name, pair) = first.split("\n", 1), second.split()
        seed = base64.b64decode(pair)[:32]
        es = CoinbaseClient(
            fake, es_name, "ES256", lambda text: raw_of_der(by_openssl(pem, text, "dgst", "-sha256", "-sign")))
        client = CoinbaseClient(fake, ed_name, "EdDSA", lambda text: ed25519_sign(seed, text))
        answer = es.call("GET", "key_permissions")
        tap.check("Coinbase: ES256 by OpenSSL", answer[0] == 200 and answer[2]["can_transfer"] is False, answer)
        answer = client.call("GET", "accounts?limit=250")
        tap.check("EdDSA", answer[0] == 200 and answer[2]["accounts"][0]["available_balance"]["value"] == "10000", answer)
        tap.check("no violation so far", fake.state()["violations"] == [], fake.state()["violations"])

        def refuses(what, answer, status=401):
            found = fake.state()["violations"]
            fake.control("forget violations")
            tap.check(f"refused: {what}", answer[0] == status and found, answer, found)

        flipped = CoinbaseClient(fake, ed_name, "EdDSA", lambda text: ed25519_sign(seed, text + b"x"))
        refuses("a wrong signature", flipped.call("GET", "accounts"))
        refuses("a uri with the query", client.call(
            "GET", "accounts?limit=9", uri=f"GET 127.0.0.1:{fake.port}/api/v3/brokerage/accounts?limit=9"))
        refuses("a token of an hour", client.call("GET", "accounts", exp=int(2**31)))
        refuses("an expired token", client.call("GET", "accounts", nbf=1700000000, exp=1700000120))
        token = client.token(f"GET 127.0.0.1:{fake.port}/api/v3/brokerage/accounts")
        client.call("GET", "accounts", token=token)
        refuses("a token again", client.call("GET", "accounts", token=token))

        user = Stream(fake.port, "/")
        user.send({"type": "subscribe", "channel": "user", "product_ids": ["BTC-USD"], "jwt": client.token(None)})
        user.send({"type": "subscribe", "channel": "heartbeats"})
        number = str(uuid.uuid4())

        def order(name, client_id=number, **values):
            return {"client_order_id": client_id, "product_id": "BTC-USD", "side": "BUY",
                    "order_configuration": {name: values}}

        refuses("an unknown member", client.call(
            "POST", "orders", {**order("market_market_ioc", base_size="0.01"), "colour": "red"}), 400)
        refuses("a size that is a number", client.call("POST", "orders", order("market_market_ioc", base_size=0.01)), 400)
        answer = client.call("POST", "orders", order("limit_limit_gtc", base_size="0.01", limit_price="59000.001"))
        refuses("a price off the tick, at status 200", answer, 200)
        tap.check("and success is false", answer[2]["success"] is False, answer)
        body = order("market_market_ioc", base_size="0.01")
        answer = client.call("POST", "orders", body)
        tap.check("a market order", answer[2]["success"] is True, answer)
        again = client.call("POST", "orders", body)
        tap.check("the same order again is the same one", again[2] == answer[2] and fake.state()["ids"] == {number: 1}, again)
        name = answer[2]["success_response"]["order_id"]
        row = client.call("GET", f"orders/historical/{name}")[2]["order"]
        tap.check("filled, with its fee", (row["status"], row["filled_value"], Decimal(row["total_fees"]))
                  == ("FILLED", "600.00000000", Decimal("3.6")), row)
        fills = client.call("GET", f"orders/historical/fills?order_ids={name}")[2]["fills"]
        tap.check("its fill", [(f["size"], f["price"]) for f in fills] == [("0.01", "60000.00")], fills)
        event = user.until(lambda m: m["channel"] == "user" and m["events"][0]["orders"]
                           and m["events"][0]["orders"][0]["status"] == "FILLED")
        tap.check("the stream is cumulative", event and event["events"][0]["orders"][0]["cumulative_quantity"] == "0.01"
                  and event["events"][0]["orders"][0]["leaves_quantity"] == "0", event)
        money = Decimal(fake.state()["balances"]["USD"]["total"])
        tap.check("the balance to the last unit", money == Decimal("9396.4"), money)
        other = str(uuid.uuid4())
        answer = client.call("POST", "orders", order(
            "limit_limit_gtc", other, base_size="0.01", limit_price="59000", post_only=True))
        name = answer[2]["success_response"]["order_id"]
        fake.control("fault cancel 1 fill-first")
        answer = client.call("POST", "orders/batch_cancel", {"order_ids": [name]})
        row = client.call("GET", f"orders/historical/{name}")[2]["order"]
        tap.check("a cancellation is acknowledged, and the order filled", answer[2]["results"][0]["success"]
                  and row["status"] == "FILLED", answer, row)
        answer = client.call("POST", "orders", order(
            "limit_limit_gtc", str(uuid.uuid4()), base_size="0.01", limit_price="61000", post_only=True))
        tap.check("post-only that would take", answer[2]["error_response"]["error"] == "INVALID_LIMIT_PRICE_POST_ONLY", answer)
        fake.control("fault coins 1 status 401")
        tap.check("401 at random", client.call("GET", "accounts")[0] == 401)
        numbers, last = [], None
        public = Stream(fake.port, "/")
        public.send({"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"]})
        for price in ("60001", "60002", "60003"):
            fake.control(f"price BTC-USD {price}")
        while len(numbers) < 5 and (last := public.read()):
            numbers.append(last["sequence_num"])
        tap.check("sequence numbers of a connection", numbers == [0, 1, 2, 3, 4], numbers)
        fake.control("gap public 1", "price BTC-USD 60004", "price BTC-USD 60005")
        last = public.read()
        tap.check("a gap is seen", last and last["sequence_num"] > 5, last)
        rows = fake.send("GET", "/api/v3/brokerage/market/products/BTC-USD/candles?start=1767225600&end=1767229200"
                         "&granularity=ONE_MINUTE")[2]["candles"]
        tap.check("candles, newest first", len(rows) == 61 and int(rows[0]["start"]) - int(rows[1]["start"]) == 60, len(rows))
        tap.check("no violation", fake.state()["violations"] == [], fake.state()["violations"])

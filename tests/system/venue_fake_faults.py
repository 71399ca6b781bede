"""What the fakes have for tests of whole days: stops that are refused, faults of kinds of orders, what was met, speed."""

import base64
import os
import sys
import time
import uuid

from venue_client import FAKE, BinanceClient, CoinbaseClient, Fake, KrakenClient

sys.path.append(os.path.abspath(FAKE))

REFUSALS = {"binance": -2010, "binance_futures": -2021, "kraken": "EOrder:Invalid price", "coinbase": "INVALID_STOP_PRICE"}


def stops_of(fake):
    """(sends a stop below the price, sends a market order); both return what the venue says of a refusal, or None."""
    if fake.name == "kraken":
        client = KrakenClient(fake, *fake.keys().split())
        order = {"pair": "XBTUSD", "volume": "0.01"}

        def send(**more):
            return (client.call("AddOrder", **order, **more)["error"] or [None])[0]

        return (lambda: send(ordertype="stop-loss", type="sell", price="50000.0"),
                lambda: send(ordertype="market", type="buy"))
    if fake.name == "coinbase":
        from curves import ed25519_sign

        key, pair = fake.keys().split("\n\n")[1].split()
        seed = base64.b64decode(pair)[:32]
        client = CoinbaseClient(fake, key, "EdDSA", lambda text: ed25519_sign(seed, text))

        def place(side, name, **values):
            answer = client.call("POST", "orders", {
                "client_order_id": str(uuid.uuid4()), "product_id": "BTC-USD", "side": side,
                "order_configuration": {name: {"base_size": "0.01", **values}}})[2]
            return answer.get("error_response", answer).get("error")

        return (lambda: place("SELL", "stop_limit_stop_limit_gtc", limit_price="49000", stop_price="50000",
                              stop_direction="STOP_DIRECTION_STOP_DOWN"),
                lambda: place("BUY", "market_market_ioc"))
    client = BinanceClient(fake, *fake.keys().split()[:2])
    order, more = {"symbol": "BTCUSDT", "quantity": "0.01"}, {"symbol": "BTCUSDT", "quantity": "0.02"}  # and its fee
    if fake.name == "binance":
        return (lambda: client.call("POST", "/api/v3/order", **order, side="SELL", type="STOP_LOSS",
                                    stopPrice="50000")[2].get("code"),
                lambda: client.call("POST", "/api/v3/order", **more, side="BUY", type="MARKET")[2].get("code"))
    return (lambda: client.call("POST", "/fapi/v1/algoOrder", **order, algoType="CONDITIONAL", side="SELL",
                                type="STOP_MARKET", triggerPrice="50000")[2].get("code"),
            lambda: client.call("POST", "/fapi/v1/order", **order, side="BUY", type="MARKET")[2].get("code"))


def run(tap):
    for name, words in REFUSALS.items():
        with Fake(name) as fake:
            stop, market = stops_of(fake)
            fake.control("refuse-leg 1")
            tap.check(f"{name}: a market order is not refused", market() is None)
            said = stop()
            tap.check(f"{name}: a stop is, as if the price had passed it", said == words, said)
            tap.check(f"{name}: the next one rests", stop() is None)
            met = fake.send("GET", "/fake/met")[2]
            symbol = "BTC-USDT" if name.startswith("binance") else "BTC-USD"
            tap.check(f"{name}: both are counted", met == {"refuse-leg": 1, f"fill {symbol}": 1}, met)
            fake.control("fault stop 1 limited 1", "fault market 1 dup-fill")
            tap.check(f"{name}: a market order passes a fault of stops", market() is None)
            said = stop()
            tap.check(f"{name}: a stop meets it", said is not None, said)
            tap.check(f"{name}: no violation", fake.state()["violations"] == [], fake.state()["violations"])
    with Fake("kraken") as fake:
        client = KrakenClient(fake, *fake.keys().split())
        client.call("BalanceEx")
        fake.control("nonce +60000000")
        tap.check("a nonce that is now too low", client.call("BalanceEx")["error"] == ["EAPI:Invalid nonce"])
    since = int(time.time())
    with Fake("coinbase", "--speed", "100", str(since)) as fake:
        began, shown = time.time(), float(fake.state()["now"])
        tap.check("fast time began with the real one", shown - since > 50 * (began - since), shown - since)
        fake.control("fault time 1 delay-after 30")
        fake.send("GET", "/api/v3/brokerage/time")
        took = float(fake.state()["now"]) - shown
        tap.check("and its waits are as long, by its clock", took >= 30, took)

"""A strict Binance and Kraken on loopback, for public market data. Prints its port.

It refuses unknown, missing, repeated and malformed parameters, keeps the venues' limits, and does not
have the candles of HOLE. The file FAULTS has one fault a line, which is used up by one request for
candles: 429, 418, 500, html, cut, drop, or body TEXT. Every request is written to LOG.
"""

import http.server
import json
import os
import sys
import time
import urllib.parse

FOLDER = sys.argv[1]
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "1h": 60}
HOLE = (1767225600 + 3600, 1767225600 + 3600 + 3 * 300)  # 2026-01-01 01:00, three candles of 5m
BORN = 1767225600 - 86400


def candles(first, end, step):
    first = max(first, BORN)
    first += -first % step
    for at in range(first, end, step):
        if not HOLE[0] <= at < HOLE[1]:
            price = 100 + at // step % 50
            yield at, f"{price}.00000000", f"{price + 2}.50000000", f"{price - 1}.25", f"{price + 1}.1", "12.00000001"


class Refused(Exception):
    pass


class Venue(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def take(self, query, needed, optional=()):
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        got = dict(pairs)
        if len(got) != len(pairs) or set(got) - set(needed) - set(optional) or set(needed) - set(got):
            raise Refused(f"parameters {query}")
        return got

    def answer(self, status, body, **headers):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def fault(self):
        """True if a fault was the answer."""
        path = os.path.join(FOLDER, "faults")
        lines = open(path).read().splitlines() if os.path.exists(path) else []
        if not lines:
            return False
        open(path, "w").write("".join(line + "\n" for line in lines[1:]))
        fault = lines[0]
        if fault == "429":
            self.answer(429, {"code": -1003, "msg": "Too many requests."}, Retry_After="1")
        elif fault == "418":
            self.answer(418, {"code": -1003, "msg": "Banned."}, Retry_After="180")
        elif fault == "500":
            self.answer(500, {"code": -1000, "msg": "unknown"})
        elif fault == "html":
            self.answer(502, b"<html>Bad gateway</html>")
        elif fault == "cut":
            self.answer(200, b'[[1767225600000,"1')
        elif fault == "drop":
            self.close_connection = True
            self.connection.close()
        elif fault.startswith("body "):
            self.answer(200, fault[5:].encode())
        else:
            raise SystemExit(fault)
        return True

    def do_GET(self):
        path, _, query = self.path.partition("?")
        with open(os.path.join(FOLDER, "log"), "a") as log:
            log.write(self.path + "\n")
        now = time.time()
        try:
            if path == "/api/v3/time":
                self.take(query, ())
                self.answer(200, {"serverTime": int(now * 1000)})
            elif path == "/api/v3/exchangeInfo":
                self.binance_market(self.take(query, ("symbol",))["symbol"])
            elif path == "/api/v3/klines":
                if not self.fault():
                    self.binance_candles(self.take(query, ("symbol", "interval", "startTime", "endTime", "limit")), now)
            elif path == "/0/public/Time":
                self.take(query, ())
                self.kraken({"unixtime": int(now), "rfc1123": ""})
            elif path == "/0/public/AssetPairs":
                self.kraken_market(self.take(query, ("pair",))["pair"])
            elif path == "/0/public/OHLC":
                if not self.fault():
                    self.kraken_candles(self.take(query, ("pair", "interval", "since")), now)
            else:
                self.answer(404, b"<html>not found</html>")
        except (Refused, ValueError, KeyError) as why:
            if path.startswith("/0/"):
                self.kraken(None, "EGeneral:Invalid arguments:" + str(why))
            else:
                self.answer(400, {"code": -1100, "msg": str(why)})

    def binance_market(self, symbol):
        if symbol != "BTCUSDT":
            self.answer(400, {"code": -1121, "msg": "Invalid symbol."})
            return
        market = {"symbol": symbol, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "new": {}}
        self.answer(200, {"timezone": "UTC", "symbols": [market]})

    def binance_candles(self, ask, now):
        minutes, first, last = MINUTES[ask["interval"]], int(ask["startTime"]), int(ask["endTime"])
        if ask["symbol"] != "BTCUSDT" or not 1 <= int(ask["limit"]) <= 1000 or first > last or first < 10**12:
            raise Refused("values")
        rows = []
        for at, *prices in candles(-(-first // 1000), min(last // 1000 + 1, int(now) + 1), minutes * 60):
            rows.append([at * 1000, *prices, (at + minutes * 60) * 1000 - 1, "1.0", 7, "1.0", "1.0", "0"])
            if len(rows) == int(ask["limit"]):
                break
        self.answer(200, rows, X_MBX_USED_WEIGHT_1M="2")

    def kraken(self, result, *errors):
        self.answer(200, {"error": list(errors), "result": result})

    def kraken_market(self, pair):
        if pair != "XBTUSD":
            self.kraken(None, "EQuery:Unknown asset pair")
            return
        self.kraken({"XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "status": "online"}})

    def kraken_candles(self, ask, now):
        if ask["pair"] != "XXBTZUSD" or int(ask["interval"]) not in MINUTES.values():
            raise Refused("values")
        step = int(ask["interval"]) * 60
        first = max(int(ask["since"]) + 1, int(now) // step * step - 719 * step)
        rows = [
            [at, o, h, low, c, "1.5", volume, 7]
            for at, o, h, low, c, volume in candles(first, int(now) + 1, step)
        ]
        self.kraken({"XXBTZUSD": rows, "last": rows[-1][0] if rows else 0})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Venue)
print(server.server_port, flush=True)
server.serve_forever()

"""What Binance's spot and futures have in common: keys, signatures, parameters, weights, errors, streams."""

import base64
import hashlib
import hmac
import json
import re
from decimal import Decimal

import curves
from server import Answer, page
from venue import Refused, Venue, decimal, pairs_of

# The published examples: of the payload the signature is known (see VECTORS).
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
VECTORS = (
    (
        SECRET,
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
        "&timestamp=1591702613943",
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
    ),
)
# A second key, of Ed25519; this seed is only in tests.
ED_KEY = "nightdeskTestKeyOfEd25519nightdeskTestKeyOfEd25519nightdeskTest0"
ED_SEED = hashlib.sha256(b"nightdesk test key").digest()
DECIMAL = re.compile(r"^[0-9]{1,20}(\.[0-9]{1,20})?$")
CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
INTERVALS = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480,
    "12h": 720, "1d": 1440,
}


def hmac_of(secret, payload):
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def pem(seed):
    """The private key as a client reads it (PKCS #8)."""
    body = base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + seed).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


def amount(number):
    return f"{number:.8f}"


class Binance(Venue):
    weight_limit, order_limit_10s, order_limit_day = 6000, 100, 200000
    order_window_name = "10S"

    def __init__(self, seed, clock):
        for secret, payload, signature in VECTORS:
            assert hmac_of(secret, payload) == signature
        super().__init__(seed, clock)
        self.ed_public = curves.ed25519_public(ED_SEED)
        self.used = {}
        self.orders_counted = {"10S": {}, "1D": {}, "1M": {}}
        self.limited_until, self.banned_until, self.ignored = 0.0, 0.0, 0
        self.routes = self.make_routes()
        self.name_of = {m.symbol.replace("-", ""): m for m in self.book.markets.values()}

    def make_routes(self):
        raise NotImplementedError

    def route(self, request):
        return self.routes.get((request.method, request.path))

    # ---------------------------------------------------------------- errors

    def error(self, code, text, status=400, headers=None):
        return Answer(status, {"code": code, "msg": text}, headers)

    def refuse(self, code, text, status=400, violation=True):
        return Refused(self.error(code, text, status), f"{code} {text}", violation)

    def failure(self, status, headers):
        if status in (418, 429):
            text = (
                f"Way too much request weight used; IP banned until {self.clock.ms() + 120000}. Please use "
                "WebSocket Streams for live updates to avoid bans."
                if status == 418
                else f"Too much request weight used; current limit is {self.weight_limit} request weight per 1 MINUTE. "
                "Please use WebSocket Streams for live updates to avoid polling the API."
            )
            wait = float(headers.get("Retry-After", 0))
            if status == 418:
                self.banned_until = self.clock.now() + wait
            else:
                self.limited_until = self.clock.now() + wait
            return self.error(-1003, text, status, headers)
        if status == 403:
            return page(403, "403 Forbidden")
        if status == 503:
            return self.error(-1001, "Internal error; unable to process your request. Please try again.", 503, headers)
        return self.error(-1000, "An unknown error occurred while processing the request.", status, headers)

    def unclear(self):
        return self.error(
            -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
            504,
        )

    def overloaded(self):
        return self.error(
            -1008, "Server is currently overloaded with other requests. Please try again in a few minutes.", 503
        )

    # ---------------------------------------------------------------- limits

    def charge(self, weight):
        minute = int(self.clock.now() // 60)
        self.used = {minute: self.used.get(minute, 0) + weight}
        return self.used[minute]

    def weight_used(self):
        return self.used.get(int(self.clock.now() // 60), 0)

    def check_limits(self, weight):
        now = self.clock.now()
        if now < self.banned_until:
            answer = self.failure(418, {"Retry-After": str(int(self.banned_until - now) + 1)})
            raise Refused(answer, "a request while banned")
        if now < self.limited_until:
            self.ignored += 1
            if self.ignored >= 3:
                raise Refused(self.failure(418, {"Retry-After": "120"}), "requests while limited: banned")
            left = str(int(self.limited_until - now) + 1)
            raise Refused(self.failure(429, {"Retry-After": left}), "a request while limited")
        self.ignored = 0
        if self.charge(weight) > self.weight_limit:
            left = 60 - int(now) % 60
            raise Refused(self.failure(429, {"Retry-After": str(left)}), "too much weight")

    def count_order(self, by=1):
        now = self.clock.now()
        for name, seconds in (("10S", 10), ("1M", 60), ("1D", 86400)):
            window = int(now // seconds)
            self.orders_counted[name] = {window: max(0, self.orders_counted[name].get(window, 0) + by)}

    def orders_in(self, name):
        return sum(self.orders_counted[name].values())

    def check_order_limit(self):
        self.count_order(0)
        if self.orders_in("10S") >= self.order_limit_10s:
            text = f"Too many new orders; current limit is {self.order_limit_10s} orders per 10 SECOND."
            raise Refused(self.error(-1015, text, 429, {"Retry-After": "10"}), text)
        self.count_order()

    # ---------------------------------------------------------------- keys, signatures, parameters

    def check_key(self, key, trades):
        if not key or len(key) != 64 or not key.isalnum():
            raise self.refuse(-2014, "API-key format invalid.", 401)
        refused = self.refuse(-2015, "Invalid API-key, IP, or permissions for action.", 401, key not in (KEY, ED_KEY))
        if key not in (KEY, ED_KEY) or not self.permissions["trade" if trades else "read"]:
            raise refused

    def signature_good(self, key, payload, signature):
        if key == KEY:
            return hmac.compare_digest(hmac_of(SECRET, payload), signature)
        try:
            raw = base64.b64decode(signature, validate=True)
        except ValueError:
            return False
        return curves.ed25519_good(self.ed_public, payload.encode(), raw)

    def check_time(self, given):
        """recvWindow on both sides."""
        if "timestamp" not in given:
            raise self.refuse(-1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
        if not given["timestamp"].isdigit():
            raise self.refuse(-1100, "Illegal characters found in parameter 'timestamp'; legal range is '^[0-9]{1,20}$'.")
        window = given.get("recvWindow", "5000")
        if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", window) or float(window) > 60000:
            raise self.refuse(-1131, "recvWindow must be less than 60000")
        at, now = float(given["timestamp"]), self.clock.shown() * 1000
        at = at / 1000 if at > 1e15 else at
        if at >= now + 1000:
            raise self.refuse(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - at > float(window):
            raise self.refuse(-1021, "Timestamp for this request is outside of the recvWindow.")

    def parameters(self, pairs, route):
        given = {}
        for name, value in pairs:
            if name in given:
                raise self.refuse(-1101, f"Duplicate values for parameter '{name}' detected.")
            given[name] = value
        known = set(route.needed) | set(route.optional)
        if route.signed:
            known |= {"timestamp", "recvWindow", "signature"}
        for name in route.needed:
            if not given.get(name):
                raise self.refuse(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        unknown = [name for name in given if name not in known]
        if unknown:
            raise self.refuse(
                -1104,
                f"Not all sent parameters were read; read '{len(given) - len(unknown)}' parameter(s) but was sent "
                f"'{len(given)}'.",
            )
        empty = [name for name, value in given.items() if value == ""]
        if empty:
            raise self.refuse(-1105, f"Parameter '{empty[0]}' was empty.")
        return given

    def act(self, request, route):
        self.check_limits(route.weight)
        body = request.body.decode("latin-1")
        if body and request.header("content-type") != "application/x-www-form-urlencoded":
            raise self.refuse(-1102, "body is no form")
        try:
            pairs = pairs_of(request.query) + pairs_of(body)
        except ValueError as why:
            raise self.refuse(-1100, f"Illegal characters found in a parameter. ({why})") from None
        given = self.parameters(pairs, route)
        trades = route.kind in ("place", "cancel", "amend", "guard", "settings") and route.signed
        if route.signed or route.more.get("keyed"):
            self.check_key(request.header("x-mbx-apikey"), trades)
        if route.signed:
            self.check_signed(request, body, given)
        answer = route.act(given)
        for name in ("X-MBX-USED-WEIGHT-1M", "X-MBX-USED-WEIGHT"):
            answer.headers[name] = self.weight_used()
        if route.kind == "place":
            answer.headers["X-MBX-ORDER-COUNT-" + self.order_window_name] = self.orders_in("10S")
            answer.headers["X-MBX-ORDER-COUNT-1D"] = self.orders_in("1D")
        return answer

    def check_signed(self, request, body, given):
        """The signature is of the query and the body as they came, one after the other."""
        if "signature" not in given:
            raise self.refuse(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
        whole = request.query + body
        payload, mark, signature = whole.rpartition("&signature=")
        if not mark:
            payload, mark, signature = whole.rpartition("signature=")
        if not mark or "&" in signature or payload.endswith("&"):
            raise self.refuse(-1022, "Signature for this request is not valid.")
        if not self.signature_good(request.header("x-mbx-apikey"), payload, given["signature"]):
            raise self.refuse(-1022, "Signature for this request is not valid.")
        self.check_time(given)

    def number(self, given, name):
        text = given.get(name)
        if text is None:
            return Decimal(0)
        if not DECIMAL.match(text):
            raise self.refuse(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'."
            )
        number = decimal(text)
        if "." in text and len(text.partition(".")[2].rstrip("0")) > 8:
            raise self.refuse(-1111, f"Parameter '{name}' has too much precision.")
        return number

    def integer(self, given, name, usual, low, high):
        text = given.get(name)
        if text is None:
            return usual
        if not re.fullmatch(r"[0-9]{1,19}", text):
            raise self.refuse(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
        if not low <= int(text) <= high:
            raise self.refuse(-1130, f"Data sent for parameter '{name}' is not valid.")
        return int(text)

    def market(self, given):
        market = self.name_of.get(given.get("symbol", ""))
        if market is None:
            raise self.refuse(-1121, "Invalid symbol.")
        return market

    # ---------------------------------------------------------------- public requests

    def get_time(self, _):
        return Answer(200, {"serverTime": self.clock.ms()})

    def kline(self, market, at, minutes):
        """The row of a candle that opens at this second; None: there is none."""
        candle = market.path.candle(at, minutes)
        if candle is None:
            return None
        o, h, low, c, volume = candle
        tick = market.tick
        size = Decimal(volume) / 100
        return [
            at * 1000, amount(o * tick), amount(h * tick), amount(low * tick), amount(c * tick), amount(size),
            (at + minutes * 60) * 1000 - 1, amount(size * c * tick), volume, amount(size / 2), amount(size / 2 * c * tick),
            "0",
        ]

    def get_klines(self, given, most=1000):
        market = self.market(given)
        if given["interval"] not in INTERVALS:
            raise self.refuse(-1120, "Invalid interval.")
        minutes = INTERVALS[given["interval"]]
        step = minutes * 60
        limit = self.integer(given, "limit", 500, 1, most)
        now = int(self.clock.now())
        first = self.integer(given, "startTime", None, 0, 10**15)
        last = self.integer(given, "endTime", now * 1000, 0, 10**15)
        for value in (first, last):
            if value is not None and value < 10**11:
                raise self.refuse(-1130, "a time that is not in milliseconds")
        last = min(last // 1000, now) // step * step
        if first is None:
            first = (last - (limit - 1) * step) * 1000
        at = max(-(-first // 1000), market.path.born)
        at += -at % step
        rows = []
        while at <= last and len(rows) < limit:
            row = self.kline(market, at, minutes)
            if row:
                rows.append(row)
            at += step
        return Answer(200, rows)

    def get_depth(self, given, limits):
        market = self.market(given)
        limit = self.integer(given, "limit", limits[0][0], 1, limits[-1][0])
        self.charge(next(weight for most, weight in limits if limit <= most) - limits[0][1])
        return Answer(200, self.depth(market, limit))

    def depth(self, market, limit):
        book = market.book
        return {
            "lastUpdateId": book.last,
            "bids": [[amount(p), amount(book.bids[p])] for p in sorted(book.bids, reverse=True)[:limit]],
            "asks": [[amount(p), amount(book.asks[p])] for p in sorted(book.asks)[:limit]],
        }

    # ---------------------------------------------------------------- public streams

    def public_connect(self, socket, request):
        """/ws, /ws/NAME and /stream?streams=A/B. An answer that refuses, or None."""
        socket.wrapped = request.path.endswith("/stream")
        names = []
        if socket.wrapped:
            names = request.query.removeprefix("streams=").split("/") if request.query else []
        elif not request.path.endswith("/ws"):
            names = request.path.rpartition("/ws/")[2].split("/")
        wrong = [name for name in names if not self.stream_known(name)]
        if wrong:
            self.violation("connect", f"no stream {wrong}")
            return page(404, "404 Not Found")
        socket.subscribed.update(names)
        return None

    def stream_known(self, name):
        symbol, _, what = name.partition("@")
        known = re.fullmatch(
            r"kline_(1m|5m|15m|1h|4h|1d)|bookTicker|depth(5|10|20)?(@(100|250|500|1000)ms)?|trade|aggTrade"
            r"|markPrice(@1s)?", what
        )
        return symbol == symbol.lower() and symbol.upper() in self.name_of and known

    def public_message(self, socket, text):
        """SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        self.current = f"stream {socket.path}"
        recent = [at for at in socket.received if at > self.clock.now() - 1]
        socket.received = recent
        if len(recent) > self.messages_a_second:
            self.violation("stream", f"more than {self.messages_a_second} messages a second")
            socket.close(1008, "Too many requests")
            return
        try:
            ask = json.loads(text)
            method, params = ask["method"], ask.get("params", [])
            number = ask["id"]
        except (ValueError, KeyError, TypeError):
            self.violation("stream", f"no request: {text}")
            socket.send('{"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}}')
            return
        if set(ask) - {"method", "params", "id"} or method not in ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS"):
            self.violation("stream", f"unknown request: {text}")
            socket.send(json.dumps({"error": {"code": 2, "msg": "Invalid request: unknown variant"}, "id": number}))
            return
        wrong = [name for name in params if not self.stream_known(name)]
        if wrong or len(socket.subscribed | set(params)) > 1024:
            self.violation("stream", f"unknown or too many streams: {text}")
        if method == "SUBSCRIBE":
            socket.subscribed.update(params)
        elif method == "UNSUBSCRIBE":
            socket.subscribed.difference_update(params)
        result = sorted(socket.subscribed) if method == "LIST_SUBSCRIPTIONS" else None
        socket.send(json.dumps({"result": result, "id": number}))
        self.current = ""

    def to_public(self, name, data):
        listeners = [s for s in self.sockets if name in s.subscribed and not s.frozen and self.routed(s, name)]
        if not listeners or self.public_gap():
            return
        plain = json.dumps(data, separators=(",", ":"))
        for socket in listeners:
            socket.send(f'{{"stream":"{name}","data":{plain}}}' if socket.wrapped else plain)

    def routed(self, socket, name):
        return True

    def publish(self, market, what, **values):
        name, now = market.symbol.replace("-", "").lower(), self.clock.ms()
        if what == "candle":
            minute = int(self.clock.now()) // 60 * 60 - (60 if values["closed"] else 0)
            self.publish_kline(market, name, minute, values["closed"], now)
            if values["closed"]:
                self.publish_kline(market, name, minute + 60, False, now)
        elif what == "book":
            self.publish_book(market, name, values["change"], now)
        elif what == "trade":
            market.trades = getattr(market, "trades", 100) + 1
            self.to_public(f"{name}@trade", {
                "e": "trade", "E": now, "s": name.upper(), "t": market.trades, "p": amount(market.price),
                "q": amount(values["qty"]), "T": now, "m": not values["rises"], "M": True,
            })

    def publish_kline(self, market, name, at, closed, now):
        row = self.kline(market, at, 1)
        if row:
            self.to_public(f"{name}@kline_1m", {
                "e": "kline", "E": now, "s": name.upper(),
                "k": {
                    "t": row[0], "T": row[6], "s": name.upper(), "i": "1m", "f": 100, "L": 200, "o": row[1],
                    "c": row[4], "h": row[2], "l": row[3], "v": row[5], "n": row[8], "x": closed, "q": row[7],
                    "V": row[9], "Q": row[10], "B": "0",
                },
            })

    def publish_book(self, market, name, change, now):
        first, last, bids, asks = change
        update = {
            "e": "depthUpdate", "E": now, "s": name.upper(), "U": first, "u": last,
            "b": [[amount(p), amount(q)] for p, q in bids.items()],
            "a": [[amount(p), amount(q)] for p, q in asks.items()],
        }
        self.finish_update(market, update, now)
        for end in ("", "@100ms"):
            self.to_public(f"{name}@depth{end}", update)
            for levels in (5, 10, 20):
                if any(f"{name}@depth{levels}{end}" in s.subscribed for s in self.sockets):
                    self.to_public(f"{name}@depth{levels}{end}", self.depth(market, levels))
        bid, bid_qty, ask, ask_qty = market.book.best()
        ticker = {"u": last, "s": name.upper(), "b": amount(bid), "B": amount(bid_qty), "a": amount(ask),
                  "A": amount(ask_qty)}
        self.finish_ticker(ticker, now)
        self.to_public(f"{name}@bookTicker", ticker)

    def finish_update(self, market, update, now):
        pass

    def finish_ticker(self, ticker, now):
        pass

    def control(self, word, words):
        if word == "weight" and len(words) == 1:
            self.charge(int(words[0]))
        elif word == "unlimited" and not words:
            self.limited_until, self.banned_until, self.ignored, self.used = 0.0, 0.0, 0, {}
        elif word == "limits" and len(words) == 2:
            self.weight_limit, self.order_limit_10s = int(words[0]), int(words[1])
        else:
            return None
        return True

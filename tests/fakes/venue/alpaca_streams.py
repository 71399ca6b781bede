"""Alpaca's data and streams: bars and quotes by REST, updates of the account in binary frames, data as text."""

import json
from datetime import datetime, timezone
from decimal import Decimal

from server import Answer, page
from venue import number, plain, short

EVENTS = {"new": "new", "cancelled": "canceled", "expired": "expired", "rejected": "rejected", "replaced": "replaced"}
FRAMES = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "1hour": 60, "4hour": 240, "1day": 1440}
DATA = ("bars", "updatedBars", "dailyBars", "quotes", "trades", "orderbooks", "statuses", "lulds", "corrections",
        "cancelErrors")


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_iso(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Streams:
    """Part of the venue Alpaca."""

    def bar(self, market, at, minutes):
        candle = market.path.candle(at, minutes)
        if candle is None:
            return None
        o, h, low, c = (number(short(ticks * market.tick)) for ticks in candle[:4])
        size = Decimal(candle[4]) if market.stock else Decimal(candle[4]) / 100
        return {"t": iso(at)[:19] + "Z", "o": o, "h": h, "l": low, "c": c, "v": number(short(size)), "n": candle[4], "vw": c}

    def get_bars(self, given):
        markets = [self.market(name) for name in given["symbols"].split(",")]
        minutes = FRAMES.get(given["timeframe"].lower())
        if minutes is None:
            raise self.wrong("timeframe")
        step, now = minutes * 60, int(self.clock.now())
        limit = self.integer(given, "limit", 1000, 1, 10000)
        first = int(self.time(given, "start", now // 86400 * 86400))
        last = min(int(self.time(given, "end", now)), now)
        token = given.get("page_token", "0")
        if not token.isdigit():
            raise self.wrong("page_token")
        at = max(-(-max(first, int(token)) // step) * step, min(m.path.born for m in markets))
        bars, count = {m.shown: [] for m in markets}, 0
        while at <= last and count + len(markets) <= limit:
            for market in markets:
                row = self.bar(market, at, minutes)
                if row:
                    bars[market.shown].append(row)
                    count += 1
            at += step
        more = str(at) if at <= last else None
        return Answer(200, plain({"bars": bars, "next_page_token": more}))

    def quote(self, market):
        bid, bid_qty, ask, ask_qty = market.book.best()
        found = {"ap": number(short(ask)), "as": number(short(ask_qty)), "bp": number(short(bid)),
                 "bs": number(short(bid_qty)), "t": iso(self.clock.shown())}
        if market.stock:
            found.update({"ax": "V", "bx": "V", "c": ["R"], "z": "C", "as": 1 + int(ask_qty), "bs": 1 + int(bid_qty)})
        return found

    def get_quotes(self, given):
        markets = [self.market(name) for name in given["symbols"].split(",")]
        return Answer(200, plain({"quotes": {m.shown: self.quote(m) for m in markets}}))

    def levels(self, bids, asks):
        return {side: [{"p": number(short(p)), "s": number(short(q))} for p, q in rows.items()]
                for side, rows in (("b", bids), ("a", asks))}

    def get_books(self, given):
        markets = [self.market(name) for name in given["symbols"].split(",")]
        now = iso(self.clock.shown())
        return Answer(200, plain({"orderbooks": {
            m.shown: {**self.levels(m.book.bids, m.book.asks), "t": now} for m in markets}}))

    # ---------------------------------------------------------------- streams

    def connect(self, socket, request):
        kind = {"/stream": "account", "/v2/iex": "stocks", "/v2/sip": "stocks", "/v2/delayed_sip": "stocks",
                "/v2/test": "stocks", "/v1beta3/crypto/us": "crypto"}.get(request.path)
        if kind is None:
            self.violation("connect", f"no such path {request.path}")
            return page(404, "404 Not Found")
        socket.kind = kind
        socket.binary = kind == "account"
        socket.known = False
        socket.lists = {name: set() for name in DATA}
        return None

    def connected(self, socket):
        if socket.kind != "account":
            self.tell(socket, [{"T": "success", "msg": "connected"}])

    def tell(self, socket, value):
        socket.send(plain(value))

    def message(self, socket, text):
        self.current = f"stream {socket.path}"
        try:
            ask = json.loads(text)
            action = ask["action"]
        except (ValueError, KeyError, TypeError):
            self.violation("stream", f"no request: {text}")
            self.tell(socket, [{"T": "error", "code": 400, "msg": "invalid syntax"}])
            return
        if action == "auth":
            self.log_in(socket, ask)
        elif not socket.known:
            self.violation("stream", "a request before the log-in")
            self.tell(socket, [{"T": "error", "code": 401, "msg": "not authenticated"}])
        elif socket.kind == "account":
            self.listen(socket, ask)
        else:
            self.subscribe(socket, ask)
        self.current = ""

    def log_in(self, socket, ask):
        good = self.knows(ask.get("key"), ask.get("secret")) and set(ask) == {"action", "key", "secret"}
        if not good:
            self.violation("stream", "a wrong key")
        good = good and not self.keys_reset
        if socket.kind == "account":
            status = "authorized" if good else "unauthorized"
            self.tell(socket, {"stream": "authorization", "data": {"status": status, "action": "authenticate"}})
        elif socket.known:
            self.violation("stream", "a second log-in")
            self.tell(socket, [{"T": "error", "code": 403, "msg": "already authenticated"}])
        elif not good:
            self.tell(socket, [{"T": "error", "code": 402, "msg": "auth failed"}])
        elif any(s.known and s.kind == socket.kind and not s.frozen for s in self.sockets if s is not socket):
            self.violation("stream", "a second connection with one key")
            self.tell(socket, [{"T": "error", "code": 406, "msg": "connection limit exceeded"}])
            return
        else:
            self.tell(socket, [{"T": "success", "msg": "authenticated"}])
        socket.known = good

    def listen(self, socket, ask):
        streams = (ask.get("data") or {}).get("streams")
        if ask["action"] != "listen" or streams not in ([], ["trade_updates"]):
            self.violation("stream", f"unknown request {ask}")
            return
        socket.user = 0 if streams else None
        self.silent = False
        self.tell(socket, {"stream": "listening", "data": {"streams": streams}})

    def subscribe(self, socket, ask):
        if ask["action"] not in ("subscribe", "unsubscribe") or set(ask) - {"action", *DATA}:
            self.violation("stream", f"unknown request {ask}")
            self.tell(socket, [{"T": "error", "code": 400, "msg": "invalid syntax"}])
            return
        for name in DATA:
            wanted = set(ask.get(name, []))
            if any(n != "*" and (n not in self.names or self.names[n].stock != (socket.kind == "stocks")) for n in wanted):
                self.violation("stream", f"unknown symbol {wanted}")
            if ask["action"] == "subscribe":
                socket.lists[name] |= wanted
            else:
                socket.lists[name] -= wanted
        if sum(len(socket.lists[name]) for name in ("trades", "quotes")) > 30 and socket.kind == "stocks":
            self.violation("stream", "more than 30 symbols")
            self.tell(socket, [{"T": "error", "code": 405, "msg": "symbol limit exceeded"}])
        self.tell(socket, [{"T": "subscription", **{name: sorted(names) for name, names in socket.lists.items()}}])
        for name in socket.lists["orderbooks"] & set(ask.get("orderbooks", [])):
            book = self.names[name].book
            self.tell(socket, [{"T": "o", "S": name, "t": iso(self.clock.shown()), **self.levels(book.bids, book.asks),
                                "r": True}])

    def to_public(self, channel, market, row):
        listeners = [s for s in self.sockets if s.user is None and s.kind != "account"
                     and s.lists[channel] & {market.shown, "*"} and (s.kind == "stocks") == market.stock]
        if listeners and not self.public_gap():
            for socket in listeners:
                self.tell(socket, [row])

    def publish(self, market, what, **values):
        if not self.sockets or not self.book.trades(market):
            return
        if what == "candle" and values["closed"]:
            row = self.bar(market, int(self.clock.now()) // 60 * 60 - 60, 1)
            if row:
                self.to_public("bars", market, {"T": "b", "S": market.shown, **row})
        elif what == "book":
            self.to_public("quotes", market, {"T": "q", "S": market.shown, **self.quote(market)})
            _, _, bids, asks = values["change"]
            self.to_public("orderbooks", market, {"T": "o", "S": market.shown, "t": iso(self.clock.shown()),
                                                  **self.levels(bids, asks)})
        elif what == "trade":
            market.trades = getattr(market, "trades", 100) + 1
            self.to_public("trades", market, {
                "T": "t", "S": market.shown, "i": market.trades, "p": number(short(market.price)),
                "s": number(short(values['qty'])), "t": iso(self.clock.shown())})

    def events(self, what, order, fill):
        body = {"event": EVENTS.get(what, "new"), "execution_id": self.id_of(f"event {len(self.book.fills)} {what} {order.id}"),
                "timestamp": iso(order.updated), "order": self.row(order)}
        if fill:
            body.update(
                event="fill" if order.state == "filled" else "partial_fill", execution_id=self.id_of(f"fill {fill.id}"),
                price=short(fill.price), qty=short(fill.qty), position_qty=short(self.book.total(order.market.base)))
        return [{"stream": "trade_updates", "data": body}]

    def emit(self, what, order, fill):
        super().emit(what, order, fill)
        if fill and order.state == "filled" and order.venue.get("legs"):
            self.activate(order)

    def send_user(self, event):
        for socket in self.sockets:
            if socket.user is not None:
                self.tell(socket, event)

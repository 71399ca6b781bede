"""What every personality has: requests that are counted and judged, streams, and events in their order."""

import json
import random
import re
from decimal import Decimal, InvalidOperation
from urllib.parse import unquote

from faults import Faults
from matching import Market
from server import Answer, page

PERCENT = re.compile(r"%(?![0-9A-F]{2})")
# In a request that places an order which waits for its price, whatever the venue.
WAITS = re.compile(b"stop|algoOrder|orderList", re.IGNORECASE)
MARK = "\ue000"


class Refused(Exception):
    """Not done. violation: a client that keeps the rules does not send this."""

    def __init__(self, answer, why, violation=True):
        super().__init__(why)
        self.answer, self.why, self.violation = answer, why, violation


class Route:
    def __init__(self, kind, act, weight=1, needed=(), optional=(), signed=False, **more):
        self.kind, self.act, self.weight = kind, act, weight
        self.needed, self.optional, self.signed = tuple(needed), tuple(optional), signed
        self.more = more


def pairs_of(text):
    """[(name, value)] of a query or form, in its order; ValueError if it is malformed."""
    found = []
    for piece in text.split("&") if text else []:
        name, equals, value = piece.partition("=")
        if not name or not equals or PERCENT.search(piece) or re.search(r"[^!-~]", piece):
            raise ValueError(f"malformed parameter {piece}")
        found.append((unquote(name), unquote(value.replace("+", " "))))
    return found


def decimal(text):
    try:
        number = Decimal(text)
    except (InvalidOperation, TypeError):
        raise ValueError(f"no number: {text}") from None
    if not number.is_finite():
        raise ValueError(f"no number: {text}")
    return number


def number(text):
    """A JSON number with just these digits, in what plain() writes."""
    return f"{MARK}{text}{MARK}"


def short(value):
    """Without zeros at its end."""
    return f"{value.normalize():f}" if value else "0"


def plain(value):
    return re.sub(f'"{MARK}([^{MARK}]*){MARK}"', r"\1", json.dumps(value, ensure_ascii=False, separators=(",", ":")))


class Venue:
    name = ""
    matching = None  # the class
    markets = ()  # (symbol, price, tick, step, minimum, notional)
    coins = ()  # (currency, amount)
    ping_every, pong_within, stream_age = 20.0, 60.0, 86400.0

    def __init__(self, seed, clock):
        self.seed = seed
        self.random = random.Random(seed)
        self.clock = clock
        self.met = {}  # what went wrong, by name: how often it has taken effect
        self.faults = Faults(self.meet)
        self.book = self.matching(self.clock, self.emit)
        self.book.meet = self.meet
        self.sockets = []
        self.violations, self.refused, self.log, self.requests = [], [], [], {}
        self.carried = []  # the kinds of requests that each connection has carried
        self.marks = {}  # of the fault of the request that is done now
        self.pending = []  # events of the account that wait for the answer to be written
        self.permissions = {"read": True, "trade": True, "withdraw": False, "transfer": False, "bound": True}
        self.under_maintenance = False
        self.silent = False
        self.gaps = {"public": 0, "user": 0}
        self.replay = False
        self.wrong_checksums = 0
        self.current = ""
        for n, (symbol, *rules) in enumerate(self.markets):
            self.book.markets[symbol] = Market(symbol, *rules, seed + n, self.clock.now())
        for currency, amount in self.coins:
            self.book.balances[currency] = Decimal(amount)
        self.clock.every(60, self.minute)
        self.clock.every(1, self.second)

    # ---------------------------------------------------------------- to be given by each venue

    def route(self, request):
        raise NotImplementedError

    def events(self, what, order, fill):
        """The messages of the account's stream."""
        raise NotImplementedError

    def connect(self, socket, request):
        """An answer that refuses it, or None."""
        raise NotImplementedError

    def connected(self, socket):
        pass

    def message(self, socket, text):
        raise NotImplementedError

    def publish(self, market, what, **values):
        """Sends it to the public streams: trade, book, candle."""

    def send_user(self, event):
        raise NotImplementedError

    # ---------------------------------------------------------------- requests

    def violation(self, kind, why):
        self.violations.append({"kind": kind, "why": why, "request": self.current})

    def meet(self, name):
        self.met[name] = self.met.get(name, 0) + 1

    def met_user(self, name, socket):
        if socket.user is not None:
            self.meet(name)

    def kinds(self, request, route):
        """By which faults find a request."""
        if route is None or route.kind != "place":
            return (route.kind if route else "unknown",)
        waits = WAITS.search(request.target.encode() + b" " + request.body)
        return ("place", "stop" if waits else "market")

    def note(self, request):
        self.log.append(f"{request.method} {request.target} {request.body.decode('latin-1')}".rstrip())
        del self.log[:-5000]

    def handle(self, request, route):
        self.current = f"{request.method} {request.path}"
        try:
            if request.repeated:
                raise Refused(page(400, "400 Bad Request"), f"repeated headers {sorted(request.repeated)}")
            if self.under_maintenance and (not route or route.kind not in ("time",)):
                self.meet("maintenance")
                return self.closed()
            if route is None:
                raise Refused(self.unknown_path(), f"no such request: {self.current}")
            self.requests[route.kind] = self.requests.get(route.kind, 0) + 1
            if self.clock.skew and route.kind != "time":
                self.meet("clock")
            return self.act(request, route)
        except Refused as why:
            self.refused.append({"request": self.current, "why": why.why})
            if why.violation:
                self.violation(route.kind if route else "unknown", why.why)
            return why.answer
        finally:
            self.current = ""

    def act(self, request, route):
        raise NotImplementedError

    def unknown_path(self):
        return page(404, "404 Not Found")

    def failure(self, status, headers):
        return Answer(status, {}, headers)

    def gateway(self, status):
        return page(status, f"{status} Bad Gateway")

    def text(self, status, body):
        return Answer(status, body)

    def unclear(self):
        return Answer(504, {})

    def overloaded(self):
        return self.failure(503, {})

    def closed(self):
        return page(503, "Service under maintenance")

    # ---------------------------------------------------------------- the stream of the account

    def emit(self, what, order, fill):
        if "no-event" in order.marks:
            self.meet("no-event")
            return
        if fill is not None and "late-fill" in order.marks:
            self.meet("late-fill")
        for event in self.events(what, order, fill):
            twice = fill is not None and "dup-fill" in order.marks
            if twice:
                self.meet("dup-fill")
            for _ in range(2 if twice else 1):
                if fill is not None and "late-fill" in order.marks:
                    self.clock.after(order.marks["late-fill"], lambda event=event: self.send(event))
                else:
                    self.pending.append((order, event))

    def send(self, event):
        if self.gaps["user"] > 0:
            self.gaps["user"] -= 1
            self.meet("gap")
            self.skip_user(event)
        elif self.silent:
            self.meet("silent")
        else:
            self.send_user(event)

    def skip_user(self, event):
        """An event is lost: where messages are numbered, its number is missing."""

    def flush(self):
        pending, self.pending = self.pending, []
        turned = [pair for pair in pending if "reorder" in pair[0].marks]
        if len(turned) > 1:
            self.meet("reorder")
        for pair in pending:
            self.send((turned.pop() if "reorder" in pair[0].marks else pair)[1])

    def silence(self):
        self.silent = True

    def race(self, order):
        """The order fills before its cancellation or amendment arrives."""
        if self.marks.pop("fill-first", None):
            self.meet("fill-first")
            self.book.match(order, maker=order.limited)

    def public_gap(self):
        """Whether this public message is lost."""
        if self.gaps["public"] > 0:
            self.gaps["public"] -= 1
            return True
        return False

    # ---------------------------------------------------------------- time

    def set_price(self, market, price):
        before = market.price
        self.book.set_price(market, price)
        if not self.has_listeners():
            market.book.follow(market.price)
            return
        change = market.book.move(market.price)
        self.publish(market, "trade", qty=market.step * 100, rises=market.price >= before)
        self.publish(market, "book", change=change)
        self.publish(market, "candle", closed=False)

    def has_listeners(self):
        """To what is public."""
        return any(socket.user is None for socket in self.sockets)

    def second(self):
        for market in self.book.markets.values():
            if market.status != "delisted" and self.has_listeners():
                self.publish(market, "book", change=market.book.move(market.price))
                self.publish(market, "candle", closed=False)
            elif market.status != "delisted":
                market.book.follow(market.price)

    def minute(self):
        for market in self.book.markets.values():
            if market.status != "delisted":
                market.path.roll(self.clock.now())
                self.publish(market, "candle", closed=True)

    def keep_streams(self):
        """Pings in real time, also while a test lets the time of the venue jump; the age is in the venue's time."""
        now = self.clock.steady()
        for socket in list(self.sockets):
            if socket.frozen or socket.closed:
                continue
            if self.clock.now() - socket.opened > self.stream_age:
                socket.close(1000, "connection is too old")
            elif socket.pinged is not None and now - socket.pinged > self.pong_within:
                self.violation("stream", "no pong came")
                socket.cut()
            elif now - socket.asked >= self.ping_every:
                socket.ping(str(self.clock.ms()).encode())

    # ---------------------------------------------------------------- for tests

    def control(self, word, words):
        """A control word of this venue only; None: it has none of this name."""

    def state(self):
        found = self.book.state()
        found.update(
            venue=self.name, now=self.clock.shown(), violations=self.violations, refused=self.refused,
            requests=self.requests, carried=[sorted(kinds) for kinds in self.carried if kinds],
            sockets=[s.path for s in self.sockets], faults_left=len(self.faults.rows), met=self.met,
        )
        return found

"""The control path /fake: a line a command, and the state as JSON. See README.md beside this file."""

import json
from decimal import Decimal

import websocket
from faults import spoil
from matching import Order
from server import Answer


class Control:
    def __init__(self, venue):
        self.venue = venue

    def answer(self, request):
        if request.path == "/fake/state":
            return Answer(200, json.dumps(self.venue.state(), default=str))
        if request.path == "/fake/met":
            return Answer(200, self.venue.met)
        if request.path == "/fake/log":
            return Answer(200, "".join(line + "\n" for line in self.venue.log), kind="text/plain")
        if request.path != "/fake" or request.method != "POST":
            return Answer(404, "POST commands to /fake, GET /fake/state, /fake/met or /fake/log\n", kind="text/plain")
        for line in request.body.decode().splitlines():
            words = line.split("#")[0].split()
            try:
                if words:
                    self.run(*words)
                self.venue.flush()
            except (ValueError, TypeError, KeyError, ArithmeticError) as why:
                return Answer(400, f"{line}: {why}\n", kind="text/plain")
        return Answer(200, "ok\n", kind="text/plain")

    def run(self, word, *words):
        act = getattr(self, "do_" + word.replace("-", "_"), None)
        if act:
            act(*words)
        elif not self.venue.control(word, words):
            raise ValueError("no such command")

    def market(self, symbol):
        return self.venue.book.markets[symbol]

    def chosen(self, which):
        return [s for s in self.venue.sockets if which == "all" or (s.user is not None) == (which == "user")]

    # ---------------------------------------------------------------- prices and time

    def do_price(self, symbol, price):
        self.venue.set_price(self.market(symbol), Decimal(price))

    def do_path(self, symbol, every, *prices):
        for n, price in enumerate(prices):
            self.venue.clock.after(float(every) * n, lambda price=price: self.do_price(symbol, price))

    def do_walk(self, symbol, every, points="0"):
        """A random step of at most so many basis points, so often; `off` ends it."""
        market, venue = self.market(symbol), self.venue
        market.walk = walk = None if every == "off" else object()
        low, high = market.price / 2, market.price * 2

        def step():
            if market.walk is walk:
                by = Decimal(venue.random.randint(-1000, 1000)) * Decimal(points) / 10_000_000
                price = min(high, max(low, market.price * (1 + by)))
                venue.set_price(market, price.quantize(market.tick))
                venue.clock.after(float(every), step)

        if walk:
            venue.clock.after(float(every), step)

    def do_advance(self, seconds):
        self.venue.clock.advance(float(seconds))

    def do_close_in(self, seconds, minutes="5"):
        """Goes to so many seconds before candles of this length close; those before are the same in each run."""
        clock, step = self.venue.clock, int(minutes) * 60
        end = (clock.now() + float(seconds)) // step * step + step
        clock.advance(end - float(seconds) - clock.now())
        for market in self.venue.book.markets.values():
            market.path.begin(int(end // 60))

    def do_clock(self, seconds):
        """The venue's clock is off by so much from now on."""
        self.venue.clock.skew = float(seconds)

    def do_market(self, symbol, status):
        if status not in ("trading", "halted", "delisted", "cancel_only", "post_only"):
            raise ValueError("no such status")
        self.market(symbol).status = status

    def do_parts(self, symbol, count, ticks="0"):
        self.market(symbol).parts, self.market(symbol).part_ticks = int(count), int(ticks)

    def do_liquidity(self, symbol, qty):
        market = self.market(symbol)
        market.liquidity = market.liquidity_each = None if qty == "all" else Decimal(qty)

    def do_hole(self, symbol, first, end):
        self.market(symbol).path.holes.append((int(first), int(end)))

    def do_born(self, symbol, at):
        self.market(symbol).path.born = int(at)

    # ---------------------------------------------------------------- the account

    def do_balance(self, currency, total):
        self.venue.book.balances[currency] = Decimal(total)

    def do_take(self, currency, amount):
        self.venue.book.add(currency, -Decimal(amount))

    def do_fees(self, maker, taker, currency=None):
        book = self.venue.book
        book.maker_rate, book.taker_rate, book.fee_currency = Decimal(maker), Decimal(taker), currency

    def do_permit(self, name, value):
        if name not in self.venue.permissions:
            raise ValueError(f"no permission {name}")
        self.venue.permissions[name] = {"on": True, "off": False}[value]

    def do_foreign(self, symbol, side, qty, price="0"):
        """An order that somebody else placed with this account."""
        kind = "limit" if Decimal(price) else "market"
        order = Order(
            self.market(symbol), {"buy": True, "sell": False}[side], kind, Decimal(qty), price=Decimal(price),
            client_id=f"web_{self.venue.random.randrange(10**12)}",
        )
        self.venue.book.place(order)

    def do_cancel(self, client_id):
        """By the venue, or by a person at its page."""
        self.venue.book.cancel(self.venue.book.by_client[client_id])

    def do_lag(self, seconds):
        self.venue.book.lag = float(seconds)

    # ---------------------------------------------------------------- faults

    def do_fault(self, kind, number, name, *words):
        self.venue.faults.add(kind, number, name, words)

    def do_forget(self, what):
        lists = {"violations": self.venue.violations, "refused": self.venue.refused, "log": self.venue.log,
                 "faults": self.venue.faults.rows}
        lists[what].clear()

    def do_maintenance(self, value):
        self.venue.under_maintenance = {"on": True, "off": False}[value]

    def do_silent(self, value):
        self.venue.silent = {"on": True, "off": False}[value]

    def do_refuse_leg(self, count):
        self.venue.book.legs_refused += int(count)

    def do_gap(self, which, count):
        self.venue.gaps[which] += int(count)

    def do_checksum(self, count):
        self.venue.wrong_checksums += int(count)

    def do_spoil(self, which, name, *words):
        """The next message that has this member is changed: replace NAME VALUE, missing NAME, extra NAME."""
        if name not in ("replace", "missing", "extra"):
            raise ValueError("no such change")

        def change(text):
            self.venue.meet("spoil")
            return spoil(text, name, words)

        for socket in self.chosen(which):
            socket.spoils.append((words[0], change))

    def do_bytes(self, which, text):
        """A message of just these bytes (hexadecimal), whether they are UTF-8 and JSON or not."""
        for socket in self.chosen(which):
            socket.write(websocket.TEXT, bytes.fromhex(text))
            self.venue.meet("bytes")

    def do_half(self, which):
        """Half of a frame, then the end of the connection."""
        for socket in self.chosen(which):
            socket.writer.write(websocket.frame(websocket.TEXT, b"{" + b" " * 400)[:200])
            socket.closed = True
            socket.writer.close()
            self.venue.meet("half")

    def do_freeze(self, which):
        for socket in self.chosen(which):
            socket.frozen = True
            self.venue.meet("freeze")

    def do_cut(self, which):
        for socket in self.chosen(which):
            socket.cut()
            self.venue.meet("cut")

    def do_replay(self):
        self.venue.replay = True

    def do_pings(self, every, within):
        self.venue.ping_every, self.venue.pong_within = float(every), float(within)

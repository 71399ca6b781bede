"""Orders, fills and balances of one account: what every spot venue does alike. All amounts are Decimal.

Market orders fill at the price that the test set. Limits rest, and fill when the price reaches them, as
the maker and at their own price; one that could fill when it arrives does so as the taker, at the
market's price. Stops and targets wait without resting until the price passes theirs.
"""

from decimal import ROUND_DOWN, Decimal

from prices import Book, Path

ZERO = Decimal(0)
OPEN = ("new", "partial")


class Refusal(Exception):
    """An order that the venue does not take. kind: see the personalities, which say it in their words."""

    def __init__(self, kind, detail=""):
        super().__init__(kind)
        self.kind, self.detail = kind, detail


class Market:
    def __init__(self, symbol, price, tick, step, minimum, notional, seed, now):
        self.symbol = symbol
        self.base, self.quote = symbol.split("-")
        self.tick, self.step = Decimal(tick), Decimal(step)
        self.minimum, self.notional = Decimal(minimum), Decimal(notional)
        self.maximum = Decimal(9000)
        self.status = "trading"  # or halted, delisted, cancel_only, post_only
        self.path = Path(self.tick, Decimal(price), seed, now)
        self.book = Book(self.tick, self.step, Decimal(price), seed)
        self.parts, self.part_ticks = 1, 0
        self.liquidity = None  # what can be filled until the price is set again; None: all
        self.walk = None

    @property
    def price(self):
        return self.path.price()


class Fill:
    def __init__(self, number, order, qty, price, fee, fee_currency, maker, at):
        self.id, self.order, self.qty, self.price = number, order, qty, price
        self.fee, self.fee_currency, self.maker, self.at = fee, fee_currency, maker, at
        self.cost = qty * price
        self.realised = ZERO
        self.venue_id = None


class Order:
    def __init__(self, market, buys, kind, qty, **options):
        self.market, self.buys, self.kind, self.qty = market, buys, kind, qty  # market, limit, stop, target
        self.price = options.get("price", ZERO)  # of a limit
        self.stop_price = options.get("stop_price", ZERO)
        self.quote_qty = options.get("quote_qty", ZERO)  # of a market order for an amount of money
        self.limited = bool(self.price)  # once it is triggered it is a limit
        self.client_id = options.get("client_id", "")
        self.time_in_force = options.get("time_in_force", "GTC")
        self.post_only = options.get("post_only", False)
        self.reduce_only = options.get("reduce_only", False)
        self.close_all = options.get("close_all", False)
        self.venue = options.get("venue", {})  # what the personality wants to keep
        self.marks = {}  # faults
        self.id = 0
        self.state = "new"  # waiting, partial, filled, cancelled, expired, rejected
        self.reason = ""
        self.triggered = kind in ("market", "limit")
        self.amended = False
        self.filled, self.cost = ZERO, ZERO
        self.fills = []
        self.created = self.updated = self.worked = 0.0
        self.hidden_until = 0.0  # by REST
        self.held = ZERO
        self.held_currency = None
        self.siblings = []  # of one list: a fill of one cancels the others

    @property
    def left(self):
        return self.qty - self.filled

    @property
    def open(self):
        return self.state in OPEN


class Matching:
    fee_in = "received"  # or "quote"
    fee_step = Decimal("0.00000001")
    cost_step = Decimal("0.00000001")
    sibling_ends = "expired"

    def __init__(self, clock, emit):
        self.clock, self.emit = clock, emit  # emit(what, order, fill)
        self.meet = lambda name: None
        self.legs_refused = 0  # so many of the next stops
        self.markets = {}
        self.balances = {}
        self.orders = {}
        self.working = {}  # those that are open
        self.ids = {}  # client id: how many orders were accepted with it
        self.by_client = {}  # the newest order with an id
        self.fills = []
        self.last_order, self.last_fill = 1000, 5000
        self.maker_rate, self.taker_rate = Decimal("0.001"), Decimal("0.001")
        self.fee_currency = None  # such as BNB: fees are taken in it
        self.lag = 0.0
        self.guards = {}

    # ---------------------------------------------------------------- balances

    def total(self, currency):
        return self.balances.get(currency, ZERO)

    def locked(self, currency):
        return sum((o.held for o in self.working.values() if o.held_currency == currency), ZERO)

    def free(self, currency):
        return self.total(currency) - self.locked(currency)

    def add(self, currency, amount):
        self.balances[currency] = self.total(currency) + amount

    def hold(self, order):
        """What an open order keeps from others: the coins that it gives, with the fee if that is in them."""
        market = order.market
        if order.buys:
            price = order.price or order.stop_price or market.price
            order.held_currency = market.quote
            order.held = (order.left * price).quantize(self.cost_step)
            if self.fee_in == "quote":
                order.held += (order.held * self.taker_rate).quantize(self.fee_step)
        else:
            order.held_currency, order.held = market.base, order.left
        if any(o.id and o.open and o.held and (not order.id or o.id < order.id) for o in order.siblings):
            order.held = ZERO  # of one list only one can fill: the first holds for both

    def check_funds(self, order):
        self.hold(order)
        if order.held > self.total(order.held_currency) - self.locked(order.held_currency):
            raise Refusal("insufficient", order.held_currency)

    # ---------------------------------------------------------------- orders

    def place(self, order):
        """Accepts the order, or raises Refusal and leaves nothing behind."""
        market = order.market
        if market.status in ("halted", "delisted", "cancel_only") or market.status == "post_only" and not order.post_only:
            self.meet(market.status)
            raise Refusal("closed", market.status)
        if order.quote_qty:
            order.qty = (order.quote_qty / market.price / market.step).to_integral_value(ROUND_DOWN) * market.step
        twin = self.by_client.get(order.client_id)
        if order.client_id and twin and twin.open:
            raise Refusal("duplicate")
        takes = order.kind == "limit" and self.reached(order)
        if order.post_only and takes:
            raise Refusal("would_take")
        self.check_trigger(order)
        self.check_funds(order)
        if order.time_in_force == "FOK" and not (takes and self.enough(order)):
            order.marks["killed"] = True
        self.accept(order)
        if order.triggered:
            self.work(order, maker=False)
        return order

    def check_trigger(self, order):
        """A stop or target that the price has passed is refused, and so is one of which a test says so."""
        refused = order.kind == "stop" and self.legs_refused > 0
        if refused:
            self.legs_refused -= 1
            self.meet("refuse-leg")
        if refused or order.kind in ("stop", "target") and self.passed(order):
            raise Refusal("would_trigger")

    def accept(self, order):
        self.number(order)
        order.state = "new"
        order.worked = self.clock.shown()
        order.hidden_until = self.clock.now() + self.lag if self.lag else 0.0
        self.working[order.id] = order
        self.emit("new", order, None)

    def wait(self, order):
        """Accepts an order that goes to work later, with accept or place."""
        self.number(order)
        order.state = "waiting"
        self.emit("new", order, None)

    def number(self, order):
        if order.id:
            return
        self.last_order += 1
        order.id = self.last_order
        order.created = order.updated = self.clock.shown()
        self.orders[order.id] = order
        if order.client_id:
            self.ids[order.client_id] = self.ids.get(order.client_id, 0) + 1
            self.by_client[order.client_id] = order

    def enough(self, order):
        return order.market.liquidity is None or order.market.liquidity >= order.qty

    def reached(self, order):
        price = order.market.price
        return order.price >= price if order.buys else order.price <= price

    def passed(self, order):
        """A stop is behind the market, a target before it."""
        above = order.market.price >= order.stop_price
        below = order.market.price <= order.stop_price
        return above if order.buys == (order.kind == "stop") else below

    def work(self, order, maker):
        """Fills what can be filled now, and ends orders that may not wait."""
        if not order.marks.get("killed") and (not order.limited or self.reached(order)):
            self.match(order, maker)
        if order.open and (not order.limited or order.time_in_force in ("IOC", "FOK")):
            self.finish(order, "expired")

    def match(self, order, maker):
        market = order.market
        part = order.marks.pop("partial", None)
        qty = order.left
        if part:
            self.meet("partial-cancel")
            qty = max(market.step, (qty * part / market.step).to_integral_value(ROUND_DOWN) * market.step)
        if market.liquidity is not None:
            if market.liquidity < qty:
                self.meet("liquidity")
            qty = min(qty, market.liquidity)
            market.liquidity -= qty
        base = order.price if maker else market.price
        sizes = self.split(qty, market)
        if len(sizes) > 1:
            self.meet("parts")
        for n, size in enumerate(sizes):
            slip = n * market.part_ticks * market.tick * (0 if maker else 1 if order.buys else -1)
            price = base + slip
            if order.limited:
                price = min(price, order.price) if order.buys else max(price, order.price)
            self.fill(order, size, price, maker)
        if part and order.open:
            self.finish(order, "expired" if part < 1 else "cancelled", "partly filled, then ended by the venue")

    @staticmethod
    def split(qty, market):
        """Into parts of whole steps."""
        parts = []
        for left in range(market.parts, 0, -1):
            size = (qty / left / market.step).to_integral_value(ROUND_DOWN) * market.step if left > 1 else qty
            if size > 0:
                parts.append(size)
            qty -= size
        return parts

    def fee(self, order, qty, price, maker):
        """(amount, currency)."""
        rate = self.maker_rate if maker else self.taker_rate
        currency = order.market.base if self.fee_in == "received" and order.buys else order.market.quote
        amount = qty if currency == order.market.base else qty * price
        if self.fee_currency and self.free(self.fee_currency) > 0:
            other = self.markets.get(f"{self.fee_currency}-{order.market.quote}")
            if other:
                currency, amount = self.fee_currency, qty * price / other.price
        return (amount * rate).quantize(self.fee_step, ROUND_DOWN), currency

    def fill(self, order, qty, price, maker):
        fee, currency = self.fee(order, qty, price, maker)
        self.last_fill += 1
        made = Fill(self.last_fill, order, qty, price, fee, currency, maker, self.clock.shown())
        made.cost = made.cost.quantize(self.cost_step)
        order.filled += qty
        order.cost += made.cost
        order.fills.append(made)
        self.fills.append(made)
        order.state = "filled" if order.left <= 0 else "partial"
        order.updated = made.at
        self.meet(f"fill {order.market.symbol}")
        self.settle(order, made)
        if order.open:
            self.hold(order)
        else:
            self.working.pop(order.id)
        self.emit("fill", order, made)
        for sibling in order.siblings:
            if sibling.open or sibling.state == "waiting":
                self.finish(sibling, self.sibling_ends)

    def settle(self, order, made):
        sign = 1 if order.buys else -1
        self.add(order.market.base, sign * made.qty)
        self.add(order.market.quote, -sign * made.cost)
        self.add(made.fee_currency, -made.fee)

    def finish(self, order, state, reason=""):
        order.state, order.reason = state, reason
        order.updated = self.clock.shown()
        self.working.pop(order.id, None)
        self.emit(state, order, None)

    def cancel(self, order):
        self.finish(order, "cancelled")
        for sibling in order.siblings:
            if sibling.open:
                self.finish(sibling, "cancelled")

    def amend(self, order, price, stop_price):
        """New prices for an open order, in place; or raises Refusal, and it rests as before."""
        before = order.price, order.stop_price
        order.price, order.stop_price = price, stop_price
        self.hold(order)
        why = "insufficient" if self.free(order.held_currency) < 0 else None
        why = "would_trigger" if not order.triggered and self.passed(order) else why
        if why or order.kind != "limit" and order.triggered:
            order.price, order.stop_price = before
            self.hold(order)
            raise Refusal(why or "would_trigger")
        order.updated = self.clock.shown()
        order.amended = True
        self.emit("amended", order, None)
        if order.triggered and self.reached(order):
            self.work(order, maker=False)

    def visible(self, order):
        """Whether REST knows it already."""
        hidden = self.clock.now() < order.hidden_until
        if hidden:
            self.meet("lag")
        return not hidden

    def open_orders(self, market=None):
        return [o for o in self.working.values() if market is None or o.market is market]

    # ---------------------------------------------------------------- prices

    def set_price(self, market, price):
        """The market trades at this price now: stops first, then what rests."""
        market.path.set(price, self.clock.now())
        if market.liquidity is not None:
            market.liquidity = market.liquidity_each
        for order in self.open_orders(market):
            if order.open and not order.triggered and self.passed(order):
                self.trigger(order)
            elif order.open and order.triggered and order.limited and self.reached(order):
                self.work(order, maker=True)

    def trigger(self, order):
        order.triggered = True
        order.worked = self.clock.shown()
        self.work(order, maker=False)

    # ---------------------------------------------------------------- dead man's switch

    def guard(self, market, seconds):
        """Cancels the open orders of the market (None: all) unless it is called again in time."""
        key = market.symbol if market else None
        self.guards[key] = token = object()
        if not seconds:
            self.guards.pop(key)
            return

        def fall():
            if self.guards.get(key) is token:
                self.guards.pop(key)
                for order in self.open_orders(market):
                    self.finish(order, "cancelled", "dead man's switch")

        self.clock.after(seconds, fall)

    # ---------------------------------------------------------------- the whole state

    def state(self):
        return {
            "orders": [
                {
                    "id": o.id, "client_id": o.client_id, "symbol": o.market.symbol,
                    "side": "buy" if o.buys else "sell", "type": o.kind, "qty": f"{o.qty:f}", "price": f"{o.price:f}",
                    "stop_price": f"{o.stop_price:f}", "filled": f"{o.filled:f}", "cost": f"{o.cost:f}",
                    "state": o.state, "reason": o.reason, "reduce_only": o.reduce_only,
                }
                for o in self.orders.values()
            ],
            "ids": self.ids,
            "fills": [
                {
                    "id": f.id, "order": f.order.id, "client_id": f.order.client_id,
                    "symbol": f.order.market.symbol, "side": "buy" if f.order.buys else "sell", "qty": f"{f.qty:f}",
                    "price": f"{f.price:f}", "fee": f"{f.fee:f}", "fee_currency": f.fee_currency, "maker": f.maker,
                    "at": f.at,
                }
                for f in self.fills
            ],
            "balances": {
                name: {"total": f"{total:f}", "locked": f"{self.locked(name):f}"}
                for name, total in self.balances.items()
            },
            "rules": {
                m.symbol: {"step": f"{m.step:f}", "minimum": f"{m.minimum:f}", "notional": f"{m.notional:f}"}
                for m in self.markets.values()
            },
            "prices": {m.symbol: f"{m.price:f}" for m in self.markets.values()},
            "guards": [key or "all" for key in self.guards],
            "positions": [],
        }

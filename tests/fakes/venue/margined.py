"""Perpetual futures of one account: positions in one-way mode, margin, funding, liquidation."""

from decimal import ROUND_DOWN, Decimal

from matching import ZERO, Fill, Matching, Order, Refusal

MAINTENANCE = Decimal("0.004")
CENT = Decimal("0.00000001")


class Position:
    def __init__(self):
        self.qty, self.entry = ZERO, ZERO
        self.leverage, self.isolated = 20, False
        self.updated = 0.0


class Margined(Matching):
    fee_in = "quote"

    def __init__(self, clock, emit):
        super().__init__(clock, emit)
        self.maker_rate, self.taker_rate = Decimal("0.0002"), Decimal("0.0005")
        self.positions = {}
        self.income = []  # {symbol, kind, amount, at, id, trade}

    def position(self, market):
        return self.positions.setdefault(market, Position())

    def profit(self, market):
        position = self.position(market)
        return position.qty * (market.price - position.entry)

    def profits(self, currency):
        return sum((self.profit(m) for m in self.positions if m.quote == currency), ZERO)

    def margin(self, market):
        position = self.position(market)
        return abs(position.qty) * market.price / position.leverage

    def maintenance(self, market):
        return abs(self.position(market).qty) * market.price * MAINTENANCE

    def used(self, currency):
        return sum((self.margin(m) for m in self.positions if m.quote == currency), ZERO)

    def free(self, currency):
        return self.total(currency) + self.profits(currency) - self.used(currency) - self.locked(currency)

    def closing(self, order):
        """How much of the order would close the position."""
        qty = self.position(order.market).qty
        return min(order.left, abs(qty)) if qty and (qty > 0) != order.buys else ZERO

    def hold(self, order):
        price = order.price or order.market.price
        opening = ZERO if order.reduce_only else order.left - self.closing(order)
        order.held_currency = order.market.quote
        order.held = (opening * price / self.position(order.market).leverage).quantize(CENT)

    def check_funds(self, order):
        if order.reduce_only and not self.closing(order):
            raise Refusal("reduce_only")
        self.hold(order)
        fee = order.held and order.left * (order.price or order.market.price) * self.taker_rate
        if order.held + fee > self.free(order.held_currency):
            raise Refusal("insufficient", order.held_currency)

    def match(self, order, maker):
        if order.reduce_only:
            most = self.closing(order)
            if most < order.left:
                if not most:
                    self.finish(order, "expired", "nothing to reduce")
                    return
                order.qty = order.filled + most
        super().match(order, maker)

    def fee(self, order, qty, price, maker):
        rate = self.maker_rate if maker else self.taker_rate
        return (qty * price * rate).quantize(CENT, ROUND_DOWN), order.market.quote

    def settle(self, order, made):
        position = self.position(order.market)
        signed = made.qty if order.buys else -made.qty
        closed = min(made.qty, abs(position.qty)) if position.qty * signed < 0 else ZERO
        if closed:
            direction = 1 if position.qty > 0 else -1
            made.realised = (closed * (made.price - position.entry) * direction).quantize(CENT, ROUND_DOWN)
        after = position.qty + signed
        if position.qty * after <= 0:
            position.entry = made.price if after else ZERO
        elif abs(after) > abs(position.qty):
            position.entry = (position.entry * abs(position.qty) + made.price * made.qty) / abs(after)
        position.qty, position.updated = after, made.at
        self.add(order.market.quote, made.realised - made.fee)
        if made.realised:
            self.note(order.market, "REALIZED_PNL", made.realised, made.id)
        self.note(order.market, "COMMISSION", -made.fee, made.id)

    def note(self, market, kind, number, trade=None):
        self.income.append({
            "market": market, "kind": kind, "amount": number, "at": self.clock.shown(),
            "id": 9000 + len(self.income), "trade": trade,
        })

    def fund(self, market, rate):
        """What a long pays for a positive rate; returns it, negative when it was paid to us."""
        payment = (self.position(market).qty * market.price * rate).quantize(CENT)
        if payment:
            self.add(market.quote, -payment)
            self.note(market, "FUNDING_FEE", -payment)
        return payment

    def liquidation_price(self, market):
        """Of a position under cross margin, others at their prices."""
        position = self.position(market)
        if not position.qty:
            return ZERO
        others = sum((self.profit(m) for m in self.positions if m is not market), ZERO)
        need = sum((self.maintenance(m) for m in self.positions if m is not market), ZERO)
        wallet = self.total(market.quote) + others - need
        rate = MAINTENANCE if position.qty > 0 else -MAINTENANCE
        price = (position.entry * position.qty - wallet) / (position.qty * (1 - rate))
        return max(ZERO, price)

    def under_water(self, currency):
        need = sum((self.maintenance(m) for m in self.positions if m.quote == currency), ZERO)
        return need > 0 and self.total(currency) + self.profits(currency) < need

    def close_by_force(self, market, name):
        """Closes a position without an order of the account: liquidation or deleveraging."""
        position = self.position(market)
        order = Order(market, position.qty < 0, "market", abs(position.qty), client_id=name, reduce_only=True,
                      venue={"type": "LIMIT", "forced": True})
        self.accept(order)
        fee = (order.qty * market.price * self.taker_rate).quantize(CENT, ROUND_DOWN)
        self.last_fill += 1
        made = Fill(self.last_fill, order, order.qty, market.price, fee, market.quote, False, self.clock.shown())
        order.filled, order.cost, order.state = order.qty, made.cost, "filled"
        order.fills.append(made)
        self.fills.append(made)
        self.working.pop(order.id)
        self.settle(order, made)
        self.emit("forced", order, made)

    def liquidate(self, currency):
        for order in self.open_orders():
            self.finish(order, "expired", "liquidation")
        for market, position in list(self.positions.items()):
            if position.qty and market.quote == currency:
                self.close_by_force(market, f"autoclose-{int(self.clock.shown() * 1000)}{self.last_order}")
        lost = -self.total(currency)
        if lost > 0:  # more than there was: the venue's fund pays it
            self.add(currency, lost)
            self.note(next(m for m in self.positions if m.quote == currency), "INSURANCE_CLEAR", lost)

    def state(self):
        found = super().state()
        found["positions"] = [
            {"symbol": m.symbol, "qty": str(p.qty), "entry": str(p.entry), "leverage": p.leverage,
             "isolated": p.isolated, "liquidation": str(self.liquidation_price(m))}
            for m, p in self.positions.items() if p.qty
        ]
        found["income"] = [
            {"id": row["id"], "symbol": row["market"].symbol, "kind": row["kind"], "amount": str(row["amount"])}
            for row in self.income
        ]
        return found

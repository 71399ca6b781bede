"""The books of the fakes, in the same process: whatever is traded, they add up to the last unit."""

import os
import random
import sys
from decimal import Decimal

from venue_client import FAKE

sys.path.append(os.path.abspath(FAKE))
ZERO = Decimal(0)


def trade(book, market, chance, count):
    """Random orders, cancellations and prices; yields after each."""
    from matching import Order, Refusal

    most = int(Decimal("0.3") / market.step)
    for number in range(count):
        what = chance.random()
        mine = book.open_orders(market)
        if what < 0.2:
            steps = Decimal(chance.randint(-300, 300))
            book.set_price(market, max(market.tick, market.price + steps * market.tick * 5))
        elif what < 0.3 and mine:
            book.cancel(chance.choice(mine))
        else:
            buys = chance.random() < 0.5
            kind = chance.choice(["market", "limit", "limit", "stop", "target"])
            away = Decimal(chance.randint(-400, 400)) * market.tick
            order = Order(
                market, buys, kind, market.step * chance.randint(1, most), client_id=f"n-{number}",
                price=market.price + away if kind == "limit" else ZERO,
                stop_price=market.price + away if kind in ("stop", "target") else ZERO,
                time_in_force=chance.choice(["GTC", "IOC", "FOK"]) if kind == "limit" else "GTC",
                post_only=chance.random() < 0.2 and kind == "limit", reduce_only=chance.random() < 0.2,
            )
            try:
                book.place(order)
            except Refusal:
                pass
        yield


def sums_of_spot(book, market, start):
    """What the balances must be after these fills."""
    base, quote = start[market.base], start[market.quote]
    for fill in book.fills:
        sign = 1 if fill.order.buys else -1
        base += sign * fill.qty
        quote -= sign * fill.cost
        if fill.fee_currency == market.base:
            base -= fill.fee
        else:
            quote -= fill.fee
    return {market.base: base, market.quote: quote}


def check_spot(tap, venue, seed):
    book = venue.book
    market = next(iter(book.markets.values()))
    market.parts = 3
    start = {market.base: Decimal(5), market.quote: Decimal(100000)}
    book.balances.update(start)
    good, most = True, 0
    for _ in trade(book, market, random.Random(seed), 1000):
        good = good and all(book.free(name) >= 0 for name in start)
        most = max(most, len(book.working))
    due = sums_of_spot(book, market, start)
    tap.check(f"{venue.name}: nothing is spent twice", good and most > 3, most)
    tap.check(f"{venue.name}: balances are the sum of {len(book.fills)} fills",
              all(book.total(name) == due[name] for name in due) and len(book.fills) > 100, due, book.balances)
    tap.check(f"{venue.name}: orders have what their fills say", all(
        o.filled == sum((f.qty for f in o.fills), ZERO) and o.cost == sum((f.cost for f in o.fills), ZERO)
        and (o.filled == o.qty) == (o.state == "filled") and (o.id in book.working) == o.open for o in book.orders.values()))


def check_futures(tap, venue, seed):
    book = venue.book
    market = next(iter(book.markets.values()))
    book.balances["USDT"] = Decimal(10**7)
    for _ in trade(book, market, random.Random(seed), 1000):
        pass
    signed = sum((f.qty if f.order.buys else -f.qty for f in book.fills), ZERO)
    paid = sum((f.cost if f.order.buys else -f.cost for f in book.fills), ZERO)
    fees = sum((f.fee for f in book.fills), ZERO)
    position = book.position(market)
    worth = Decimal(10**7) - paid - fees + signed * market.price
    tap.check(f"{venue.name}: the position is the sum of {len(book.fills)} fills",
              position.qty == signed and len(book.fills) > 100, position.qty, signed)
    tap.check(f"{venue.name}: wallet and profit are what was paid and is held",
              abs(book.total("USDT") + book.profit(market) - worth) < Decimal("0.001"), worth)
    booked = sum((row["amount"] for row in book.income), ZERO)
    tap.check(f"{venue.name}: the income is the change of the wallet", book.total("USDT") - 10**7 == booked, booked)


def run(tap):
    import alpaca
    import binance
    import binance_futures
    import coinbase
    import kraken
    from clock import Clock

    for module in (binance, kraken, coinbase, alpaca):
        check_spot(tap, module.VENUE(5, Clock()), 11)
    check_futures(tap, binance_futures.VENUE(5, Clock()), 12)

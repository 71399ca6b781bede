"""The price of a market through time, its candles, and its book: all from one path and one seed."""

import math
from decimal import Decimal

LEVELS = 25


def noise(seed, number):
    """0 to 1, the same for the same two numbers."""
    x = (number * 0x9E3779B97F4A7C15 ^ seed * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    x = (x ^ x >> 27) * 0x94D049BB133111EB & (2**64 - 1)
    return (x ^ x >> 31) / 2**64


class Path:
    """Prices in ticks. Minutes before the start are computed, those after it were set."""

    def __init__(self, tick, price, seed, now):
        self.tick, self.seed = tick, seed
        self.start = self.now = int(price / tick)
        self.holes = []
        self.born = 0
        self.wave_now = self.wave(0)
        self.begin(int(now // 60))
        self.roll(now)

    def begin(self, minute):
        """Everything before this minute is computed: the same prices so long before it, whenever that is."""
        self.first, self.newest = minute, minute - 1
        self.live, self.old = {}, {}

    def wave(self, minute):
        return (
            0.008 * math.sin(minute / 173 + self.seed)
            + 0.03 * math.sin(minute / 4021 + 2 * self.seed)
            + 0.08 * math.sin(minute / 60013 + 3 * self.seed)
            + 0.0012 * noise(self.seed, minute)
        )

    def opening(self, minute):
        return max(10, round(self.start * math.exp(self.wave(minute - self.first) - self.wave_now)))

    def roll(self, now):
        """Adds the minutes that have begun since, flat."""
        for minute in range(self.newest + 1, int(now // 60) + 1):
            self.live[minute] = [self.now, self.now, self.now, self.now, 1 + int(noise(self.seed, minute - self.first) * 1000)]
            self.newest = minute

    def set(self, price, now):
        self.roll(now)
        ticks = int(price / self.tick)
        candle = self.live.get(self.newest)
        if candle:
            candle[1], candle[2], candle[3] = max(candle[1], ticks), min(candle[2], ticks), ticks
            candle[4] += 1 + int(noise(self.seed, candle[4]) * 100)
        self.now = ticks

    def minute(self, minute):
        """(open, high, low, close, volume) in ticks and hundredths; None: there is none."""
        if minute > self.newest or minute * 60 < self.born:
            return None
        if any(first <= minute * 60 < end for first, end in self.holes):
            return None
        if minute >= self.first:
            return tuple(self.live[minute])
        o, c = self.opening(minute), self.opening(minute + 1)
        ago = minute - self.first
        up, down = noise(self.seed + 1, ago), noise(self.seed + 2, ago)
        spread = max(2.0, o * 0.0004)
        return (
            o, max(o, c) + int(spread * up), max(1, min(o, c) - int(spread * down)), c,
            1 + int(noise(self.seed + 3, ago) * 100000),
        )

    def candle(self, at, minutes):
        """Of this length, which opens at this second. The newest one may be open still."""
        first = at // 60
        whole = first + minutes <= self.first
        if (at, minutes) in self.old and whole:
            return self.old[at, minutes]
        rows = [row for row in map(self.minute, range(first, min(first + minutes, self.newest + 1))) if row]
        found = None
        if rows:
            found = (
                rows[0][0], max(r[1] for r in rows), min(r[2] for r in rows), rows[-1][3], sum(r[4] for r in rows),
            )
        if whole and minutes > 5:
            self.old[at, minutes] = found
        return found

    def price(self):
        return self.now * self.tick


class Book:
    """Levels around the price, a tick apart, which are made when they are looked at. Changes are numbered without
    gaps."""

    def __init__(self, tick, step, price, seed):
        self.tick, self.step, self.seed = tick, step, seed
        self.last = 1000
        self.count = 0
        self.price, self.sides = price, None

    @property
    def bids(self):
        return self.both()[0]

    @property
    def asks(self):
        return self.both()[1]

    def both(self):
        if self.sides is None:
            self.sides = self.levels(self.price)
        return self.sides

    def follow(self, price):
        """Nobody listens to the change."""
        self.count += 1
        self.last += 1
        self.price, self.sides = price, None

    def levels(self, price):
        bids, asks = {}, {}
        for n in range(1, LEVELS + 1):
            for side, level in ((bids, price - n * self.tick), (asks, price + n * self.tick)):
                if level > 0:
                    size = 1 + int(noise(self.seed, int(level / self.tick) + self.count // 3) * 50000)
                    side[level] = size * self.step
        return bids, asks

    def move(self, price):
        """(first, last number, bids, asks) of the change; a quantity of zero removes a level."""
        before = self.both()
        self.count += 1
        self.price, self.sides = price, self.levels(price)
        changes = []
        for old, new in zip(before, self.sides):
            changed = {level: Decimal(0) for level in old if level not in new}
            changed.update((level, qty) for level, qty in new.items() if old.get(level) != qty)
            changes.append(changed)
        first = self.last + 1
        self.last += max(1, len(changes[0]) + len(changes[1]))
        return first, self.last, changes[0], changes[1]

    def best(self):
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]

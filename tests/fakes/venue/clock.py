"""The time of the venue, and what happens at times."""

import heapq
import time


class Clock:
    """Real time plus an offset, so that a test can be hours later at once; or so many times as fast, since a moment
    at which both were the same."""

    def __init__(self, speed=1, since=0.0):
        self.speed, self.since = speed, since
        self.offset = 0.0
        self.skew = 0.0  # the venue's clock is off: it shows another time than it acts by
        self.timers = []
        self.count = 0

    def now(self):
        return self.since + (time.time() - self.since) * self.speed + self.offset

    def steady(self):
        """For how long something has lasted, also while the time is advanced."""
        return time.monotonic() * self.speed

    def real(self, seconds):
        """How long that is for the machine."""
        return seconds / self.speed

    def shown(self):
        return self.now() + self.skew

    def ms(self):
        return int(self.shown() * 1000)

    def at(self, when, act):
        self.count += 1
        heapq.heappush(self.timers, (when, self.count, act))

    def after(self, seconds, act):
        self.at(self.now() + seconds, act)

    def every(self, seconds, act):
        """At whole multiples of this many seconds."""

        def run():
            act()
            self.at((self.now() // seconds + 1) * seconds, run)

        self.at((self.now() // seconds + 1) * seconds, run)

    def run_due(self):
        while self.timers and self.timers[0][0] <= self.now():
            heapq.heappop(self.timers)[2]()

    def wait(self):
        """Seconds until the next timer."""
        return max(0.0, self.timers[0][0] - self.now()) if self.timers else 1.0

    def advance(self, seconds):
        """Time goes on at once; what is due in between happens in its order and at its time."""
        until = self.now() + seconds
        while self.timers and self.timers[0][0] <= until:
            self.offset += max(0.0, self.timers[0][0] - self.now())
            self.run_due()
        self.offset += max(0.0, until - self.now())

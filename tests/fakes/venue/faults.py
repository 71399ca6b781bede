"""Faults by script: which request of which kind meets which fault. Each is used up by the request it met.

    fault place 1 lost-after            the next order is accepted, and its answer lost
    fault place 2 status 503            the second one from now
    fault any * delay-before 0.5        every request, until `forget faults`
"""

import re
from decimal import Decimal

KINDS = (
    "any", "time", "rules", "klines", "book", "ticker", "check", "coins", "positions", "place", "query", "cancel",
    "open", "orders", "forced", "fills", "funding", "settings", "stream", "guard", "connect", "amend", "other",
    "market", "stop",  # of those that place: orders that are done at once, and those that wait for their price
)
# Of the bytes and the connection; of the venue's answer; of what becomes of the order.
NAMES = {
    "lost-before": 0, "lost-after": 0, "reset": 0, "hang": 0, "truncated": 0, "delay-before": 1, "delay-after": 1,
    "status": 3, "html": 1, "body": 1, "json": 1, "unknown-after": 0, "unknown-before": 0, "limited": 1, "banned": 1,
    "maintenance": 0, "overloaded": 0, "event-before-ack": 1, "silent": 0, "no-event": 0, "dup-fill": 0,
    "reorder": 0, "late-fill": 1, "partial-cancel": 1, "fill-first": 0,
    "replace": 99, "missing": 1, "extra": 0,
}


def member(name):
    """A member of this name in JSON text, with a value that is no object or array."""
    return rf'"{re.escape(name)}":("(?:[^"\\]|\\.)*"|[^,\[{{}}\]]+)'


def spoil(text, name, words):
    """JSON text with members replaced, removed, or added: what a parser must bear, or refuse whole."""
    if name == "replace":
        value = " ".join(words[1:])
        return re.sub(member(words[0]), lambda _: f'"{words[0]}":{value}', text)
    if name == "missing":
        return re.sub(f",{member(words[0])}", "", re.sub(f"{member(words[0])},", "", text))
    return re.sub(r'\{(?=")', '{"addedByTheVenue":{"a":[1,null,"\u00fc"]},', text)


class Fault:
    def __init__(self, name, words):
        self.name, self.words = name, words

    def number(self, usual):
        return float(self.words[0]) if self.words else usual

    def instead(self, venue):
        """The answer in place of the venue's; nothing is done then. None: the request is done."""
        if self.name == "status":
            headers = {"Retry-After": self.words[1]} if len(self.words) > 1 else {}
            return venue.failure(int(self.words[0]), headers)
        if self.name == "limited":
            return venue.failure(429, {"Retry-After": self.words[0]} if self.words else {})
        if self.name == "banned":
            return venue.failure(418, {"Retry-After": self.words[0]} if self.words else {})
        if self.name == "html":
            return venue.gateway(int(self.words[0]) if self.words else 502)
        if self.name in ("body", "json"):
            return venue.text(200, " ".join(self.words))
        if self.name == "unknown-before":
            return venue.unclear()
        if self.name == "overloaded":
            return venue.overloaded()
        if self.name == "maintenance":
            return venue.closed()
        return None

    def afterwards(self, venue, answer):
        if self.name in ("replace", "missing", "extra"):
            answer.body = spoil(answer.body.decode(), self.name, self.words).encode()
        return venue.unclear() if self.name == "unknown-after" else answer

    def marks(self):
        """For the order that the request places."""
        if self.name in ("silent", "no-event", "dup-fill", "reorder", "fill-first"):
            return {self.name: True}
        if self.name == "late-fill":
            return {self.name: self.number(1.0)}
        if self.name == "partial-cancel":
            return {"partial": Decimal(self.words[0] if self.words else "0.5")}
        return {}


class Faults:
    def __init__(self, meet):
        self.meet = meet
        self.rows = []
        self.counts = {}

    def add(self, kind, number, name, words):
        if kind not in KINDS or name not in NAMES or len(words) > NAMES[name] and name not in ("body", "json"):
            raise ValueError(f"no fault {name} of {kind}, or too many words")
        first = None if number == "*" else self.counts.get(kind, 0) + int(number)
        self.rows.append((kind, first, Fault(name, words)))

    def take(self, *kinds):
        """Of the request of these kinds that comes now."""
        kinds = (*kinds, "any")
        for name in kinds:
            self.counts[name] = self.counts.get(name, 0) + 1
        for row in self.rows:
            name, first, fault = row
            if name in kinds and first in (None, self.counts[name]):
                if first is not None:
                    self.rows.remove(row)
                if not fault.marks():  # those are met when the order meets them
                    self.meet(fault.name)
                return fault
        return Fault("none", ())

    def again(self, kind, fault):
        """It has had no effect: the next request of this kind meets it."""
        self.rows.append((kind, self.counts[kind] + 1, fault))

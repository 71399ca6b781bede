"""Runs the tests of all fakes of venues; prints TAP."""

import venue_fake_binance
from venue_client import Tap

tap = Tap()
for test in (venue_fake_binance,):
    test.run(tap)
tap.end()

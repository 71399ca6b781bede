"""Runs the tests of all fakes of venues; prints TAP."""

import venue_fake_alpaca
import venue_fake_binance
import venue_fake_books
import venue_fake_coinbase
import venue_fake_faults
import venue_fake_kraken
import venue_fake_futures
from venue_client import Tap

tap = Tap()
for test in (venue_fake_books, venue_fake_binance, venue_fake_futures, venue_fake_kraken, venue_fake_coinbase,
             venue_fake_alpaca, venue_fake_faults):
    test.run(tap)
tap.end()

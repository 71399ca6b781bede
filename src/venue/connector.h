/*
 * connector.h: a real venue as the engine sees it: struct venue on the engine's thread, and the
 * gateway (gateway.h) on the feed's.
 *
 *     struct venue *venue = connector_new(setup);      // venue.h says how to use it
 *
 * Always true: calls and reports cross between the threads in rings; neither side waits. A call
 * that does not fit is lost, as on a network: the engine asks again. Reports wait on the feed's
 * side. Until the engine has opened the venue, and named its symbols, nothing connects. trading.db
 * has the tag of our client ids, and the balance of the first listing, with what was paid in and
 * withdrawn since. That less the capital of the books is the cash that is not ours, and reports of
 * the account are without it: so the capital, which is on disk with the books, is there once.
 * Thread: the engine's.
 */
#pragma once

#include "venue/venue.h"

/* NULL: there is no such venue. setup->feed must not be started yet. */
struct venue *connector_new(const struct venue_setup *setup);

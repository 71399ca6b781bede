/*
 * fake_venue.h: a strict trading venue on 127.0.0.1, as a process of its own (tests/fakes/venue,
 * whose README.md has the commands and faults).
 *
 *     struct fake_venue *venue = NULL;
 *     if (!fake_venue_available()) skip();
 *     assert_int_equal(fake_venue_start("binance", &venue), 0);
 *     fake_venue_do(venue, "price BTC-USDT 61000\nfault place 1 lost-after\n");
 *     ... let the program trade at fake_venue_url(venue) ...
 *     struct json_object *state = fake_venue_state(venue);      // json_object_put when done
 *     fake_venue_stop(venue);
 *
 * Always true: it ends with the process that started it. Start it before any thread exists.
 * Thread: one at a time.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>
#include <stdint.h>

struct fake_venue;

/* False without python3: the test is skipped. */
bool fake_venue_available(void);
/* name: of its personality. The current folder is that of the sources. Below 0: it did not start.
 */
int fake_venue_start(const char *name, struct fake_venue **ret);
/* The same with TLS: https and wss. The files are PEM, NULL: without; commands need none. */
int fake_venue_start_tls(const char *name, const char *certificate, const char *key,
                         struct fake_venue **ret);
/* The same without, and all of its times pass so many times as fast since this moment of 1970. */
int fake_venue_start_fast(const char *name, int64_t times, int64_t since_s,
                          struct fake_venue **ret);
void fake_venue_stop(struct fake_venue *venue); /* accepts NULL */
/* "http://127.0.0.1:PORT" and "ws://127.0.0.1:PORT", or https and wss. As long as the fake. */
const char *fake_venue_url(const struct fake_venue *venue);
const char *fake_venue_stream_url(const struct fake_venue *venue);
/* The key that it knows, and its secret: at most two lines of text, or a PEM with all its lines. */
const char *fake_venue_key(const struct fake_venue *venue);
const char *fake_venue_secret(const struct fake_venue *venue);
/* Commands, one a line. NULL: all were done; else the line and the reason, valid until the next. */
const char *fake_venue_do(struct fake_venue *venue, const char *lines);
/* The whole state; NULL: it does not answer. The caller's. */
struct json_object *fake_venue_state(struct fake_venue *venue);
/* How often each fault has taken effect, by its name. The caller's; NULL: it does not answer. */
struct json_object *fake_venue_met(struct fake_venue *venue);

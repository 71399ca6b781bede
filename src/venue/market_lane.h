/*
 * market_lane.h: one connection of a stream of prices, kept open: subscribed, watched for silence,
 * replaced before the venue ends it, and opened again after a pause when it is lost.
 *
 *     lane = market_lane_new(&options);
 *     on_up: its markets are complete from now on;  on_message: what it brings;  on_down
 *
 * Always true: on_up and on_down alternate, beginning with on_up. A replacement takes over without
 * a gap: the old connection is used until the new one has its subscriptions; a venue that keeps one
 * connection a key (stream_api.alone) is left and connected to again. A connection that
 * answers pings but brings no data is lost too. Pauses grow from a quarter of a second to half a
 * minute, and differ at random.
 * Thread: the loop's.
 */
#pragma once

#include "base/err.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/secret.h"
#include "venue/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct market_lane;

/* A message of such a stream. ERR_VENUE_DATA: it is refused; its first event may name a market. */
int market_lane_read(const struct stream_api *api, struct str text, struct stream_message *ret,
                     struct err *err);

struct market_lane_message {
    const struct stream_message *message;
    uint64_t connection; /* a number of its own for each */
    bool in_use;         /* false: of the replacement, which has not taken over */
};

struct market_lane_options {
    struct loop *loop;
    struct http *http;
    const struct stream_api *api;
    const char *url;                       /* not copied */
    const struct exchange_market *markets; /* not copied; at most api->markets_max */
    int count;
    int depth;           /* as in struct stream_ask */
    const char *ca_file; /* as in struct http_request; not copied */
    /* For api->add_login; borrowed. NULL: none. */
    const struct secret *key_id, *key_secret;
    struct stream_message *message; /* room for one; shared by the lanes of a loop */
    void (*on_up)(struct market_lane *lane, void *userdata);
    void (*on_down)(struct market_lane *lane, const char *why, void *userdata);
    /* err: of a REFUSED event. The owner may not free or reopen the lane here. */
    void (*on_message)(struct market_lane *lane, const struct market_lane_message *message,
                       const struct err *err, void *userdata);
    /* A message that cannot be used; its first event may name a market. */
    void (*on_refused)(struct market_lane *lane, const struct market_lane_message *message,
                       const struct err *err, void *userdata);
    void *userdata;
};

struct market_lane *market_lane_new(const struct market_lane_options *options);
void market_lane_free(struct market_lane *lane); /* without on_down; accepts NULL */
/* Closes and opens it at once. */
void market_lane_reopen(struct market_lane *lane, const char *why);
/* Opens the next connection beside it, which takes its place. */
void market_lane_replace(struct market_lane *lane);
bool market_lane_is_up(const struct market_lane *lane);
/* Since when it has not been up (monotonic), and why; 0 while it is. */
int64_t market_lane_down_us(const struct market_lane *lane);
const char *market_lane_reason(const struct market_lane *lane);
int64_t market_lane_heard_us(const struct market_lane *lane); /* monotonic: the newest data */
uint64_t market_lane_opened(const struct market_lane *lane);  /* connections so far */

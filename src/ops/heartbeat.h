/*
 * heartbeat.h: sends heartbeats to an outside service while nightdesk trades. The service notices
 * when they stop, even if nightdesk cannot raise an alert itself: a dead machine, a network outage,
 * a crash loop.
 *
 *     struct heartbeat *heartbeat = heartbeat_new(&(struct heartbeat_options){.loop = loop,
 *         .http = http, .alerts = alerts, .url = url, .interval_us = USEC_PER_MIN,
 *         .alert_after_us = 10 * USEC_PER_MIN, .alive = alive, .userdata = ops});
 *     heartbeat_start(heartbeat);
 *
 * Always true: a heartbeat is a GET of the URL, sent only while alive() returns true, one at a
 * time. The URL is a secret and appears in no log line and no alert. A failed heartbeat is counted
 * and not repeated before the next interval. Failures for alert_after_us raise an alert; the next
 * success resolves it. Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>
#include <stdint.h>

#define HEARTBEAT_ALERT "heartbeat:undelivered" /* fingerprint */

struct alerts;
struct heartbeat;
struct http;
struct loop;

struct heartbeat_options {
    struct loop *loop;
    struct http *http;
    struct alerts *alerts;
    const char *url; /* "": heartbeat_new returns NULL */
    int64_t interval_us;
    int64_t alert_after_us;
    bool (*alive)(void *userdata);
    void *userdata;
};

struct heartbeat *heartbeat_new(const struct heartbeat_options *options);
void heartbeat_start(struct heartbeat *heartbeat); /* NULL does nothing */
void heartbeat_free(struct heartbeat *heartbeat);
/* The same URL at another place, where it stays valid from now on; NULL does nothing. */
void heartbeat_move(struct heartbeat *heartbeat, const char *url);
/* A desk_status_fn: adds a line to /status while heartbeats fail. */
void heartbeat_status(struct buf *out, struct json_object *data, void *heartbeat);

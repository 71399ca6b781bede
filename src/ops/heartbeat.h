/*
 * heartbeat.h: tells an outside service, at intervals, that nightdesk lives and trades, so that its
 * silence is noticed when nothing here can tell any more: a dead machine, a cut line, a crash loop.
 *
 *     struct heartbeat *heartbeat = heartbeat_new(&(struct heartbeat_options){.loop = loop,
 *         .http = http, .alerts = alerts, .url = url, .interval_us = USEC_PER_MIN,
 *         .alert_after_us = 10 * USEC_PER_MIN, .alive = alive, .userdata = ops});
 *     heartbeat_start(heartbeat);
 *
 * Always true: a GET of the URL leaves only when alive() says so at that moment, one at a time; the
 * URL stands in no log line and no alert, as it is the secret of the service. A failed one is
 * counted and not repeated before the next interval; failing for alert_after_us is an alert, which
 * the next success resolves.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>
#include <stdint.h>

struct alerts;
struct heartbeat;
struct http;
struct loop;

struct heartbeat_options {
    struct loop *loop;
    struct http *http;
    struct alerts *alerts;
    const char *url; /* "": heartbeat_new answers NULL */
    int64_t interval_us;
    int64_t alert_after_us;
    bool (*alive)(void *userdata);
    void *userdata;
};

struct heartbeat *heartbeat_new(const struct heartbeat_options *options);
void heartbeat_start(struct heartbeat *heartbeat); /* NULL: nothing happens */
void heartbeat_free(struct heartbeat *heartbeat);
/* A piece of /status while it does not arrive, for desk_add_status_line. */
void heartbeat_status(struct buf *out, struct json_object *data, void *heartbeat);

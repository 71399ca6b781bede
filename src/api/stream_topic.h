/*
 * stream_topic.h: what a client of the stream can subscribe to, and which events of it it gets.
 *
 *     rc = stream_topics_read(str_c("orders,fills"), role, &filter.topics, err);
 *     if (stream_filter_takes(&filter, &event->about)) send(event);
 *
 * Thread: any.
 */
#pragma once

#include "access/access.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "model/alert.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

enum stream_topic {
    STREAM_DECISIONS,
    STREAM_ORDERS,
    STREAM_FILLS,
    STREAM_TRADES,
    STREAM_EQUITY,
    STREAM_STATE,
    STREAM_ALERTS,
    STREAM_FINDINGS,
    STREAM_RUNS,
    STREAM_SERVICES,
    STREAM_LOGS,
    STREAM_TOPICS
};

const char *stream_topic_name(enum stream_topic topic); /* "decisions" … */

/* What the filters look at. */
struct stream_about {
    enum stream_topic topic;
    struct symbol symbol;   /* "": of none */
    enum severity severity; /* alerts and findings */
    enum log_level level;   /* logs */
};

struct stream_filter {
    uint32_t topics;        /* bits 1u << enum stream_topic */
    struct symbol symbol;   /* events of another symbol are left out; "": none is */
    enum severity severity; /* of alerts and findings, the least */
    enum log_level level;   /* of logs, the least: the largest number */
};

bool stream_filter_takes(const struct stream_filter *filter, const struct stream_about *about);

/* "orders,fills"; NULL: all that the role may read. Errors: API_QUERY (names the nearest topic),
 * ACCESS_DENIED. */
int stream_topics_read(const char *names, enum role role, uint32_t *ret, struct err *err);
/* The topics that this role may read. */
uint32_t stream_topics_of(enum role role);

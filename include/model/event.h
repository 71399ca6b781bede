/*
 * event.h: the events that the engine publishes, 64 bytes each, through base/bus.h.
 *
 * Events are notifications; the facts are in the databases and the snapshot. A reader that missed
 * events resynchronises from those. The layout is fixed: the topic is first, as bus.h requires.
 * Thread: any (plain values).
 */
#pragma once

#include "base/bus.h"
#include "base/dec.h"
#include "model/symbol.h"

#include <stdint.h>

enum topic {
    TOPIC_ORDER = 1 << 0,    /* an order changed state */
    TOPIC_FILL = 1 << 1,     /* a fill was booked */
    TOPIC_TRADE = 1 << 2,    /* a position was closed */
    TOPIC_DECISION = 1 << 3, /* a decision was stored */
    TOPIC_STATE = 1 << 4,    /* trading state changed: pause, halt, breaker */
    TOPIC_REPLY = 1 << 5,    /* the answer to a request from ops */
    TOPIC_FAULT = 1 << 6,    /* an error in the engine: code is its err id */
    TOPIC_ALL = (1 << 7) - 1
};

struct event {
    uint32_t topic;
    uint32_t code; /* order_state, side, trading_state or err id, depending on the topic */
    int64_t at_us; /* market time */
    int64_t id;    /* request id, decision id or trade id, depending on the topic; order, fill: the
                    * run id of the order */
    struct symbol symbol;
    struct dec qty;   /* fill, order */
    struct dec price; /* fill: price; trade: exit price */
    struct dec value; /* trade: pnl; fill: fee */
};

_Static_assert(sizeof(struct event) == BUS_EVENT_SIZE, "an event is one bus slot");

/*
 * request.h: what ops may ask of the engine, through base/ring.h, and how the answer comes back.
 *
 * A request has an id that ops made and stored before pushing. The engine commits the effect and
 * the id in one transaction (table engine_requests), then publishes TOPIC_REPLY with the same id
 * and code 0 or the err id. A request seen twice takes effect once: so after a crash ops looks the
 * id up in trading.db and knows whether it happened.
 * Thread: any (plain values).
 */
#pragma once

#include "model/symbol.h"

#include <stdint.h>

enum request_kind {
    REQUEST_PAUSE,          /* no new entries; open positions stay protected */
    REQUEST_RESUME,         /* also after the breaker; not after an emergency stop */
    REQUEST_CLOSE,          /* close one symbol, or all when symbol is empty */
    REQUEST_EMERGENCY_STOP, /* halt, cancel, close everything, verify flat with the venue */
    REQUEST_CLEAR_EMERGENCY /* the deliberate way back: to paused */
};

const char *request_kind_name(enum request_kind kind); /* "pause" "resume" "close" … */

struct request {
    int64_t id; /* > 0, unique for all time in one ops database */
    enum request_kind kind;
    struct symbol symbol; /* empty: all */
    char by[32];          /* who asked, for the record: "alice", "console" */
};

/*
 * request.h: a request from ops to the engine, sent through base/ring.h, and its answer.
 *
 * Ops creates the id of a request and stores it before pushing. The engine commits the effect and
 * the id in one transaction (table engine_requests), then publishes TOPIC_REPLY with the same id
 * and code 0 or the err id. A request received twice takes effect once. After a crash ops looks up
 * the id in trading.db to find out whether the request took effect.
 * A request has a deadline on the monotonic clock, which both threads read (it never jumps, and
 * like the ring it does not outlive the process). After the deadline the engine refuses the
 * request with ENGINE_EXPIRED and stores nothing. Requests that stop or pause trading have no
 * deadline: late is better than never.
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "base/trace.h"
#include "model/symbol.h"

#include <stdint.h>

enum request_kind {
    REQUEST_PAUSE,           /* no new entries; open positions stay protected */
    REQUEST_RESUME,          /* also after the breaker; not after an emergency stop */
    REQUEST_CLOSE,           /* close one symbol, or all if symbol is empty */
    REQUEST_EMERGENCY_STOP,  /* halt, cancel and close everything, verify that the venue is flat */
    REQUEST_CLEAR_EMERGENCY, /* ends an emergency stop; trading is then paused */
    REQUEST_MAINTENANCE,     /* as pause, but for work on the bot or the venue; resume ends it */
    REQUEST_CANCEL,          /* cancel resting entries of one symbol, or all if symbol is empty */
    REQUEST_AMEND,           /* new stop and/or target of the position in symbol */
    REQUEST_RULE_ADD,        /* a trading rule, status testing: text is rule_write() (rule.h) */
    REQUEST_RULE_STATUS, /* sets rule `number` to the status in text: testing, active, retired */
    REQUEST_COOLDOWN, /* no entries in symbol for `number` µs of market time; a cooldown that lasts
                       * longer stays. 0: lifts that of symbol, or all if symbol is empty */
    REQUEST_RECONNECT, /* the source of the candles is opened again (market/source.h) before the
                        * step that gets the request; if that fails, no step gets it */
    REQUEST_GO_LIVE, /* a person allows the first orders with real money (venue_allow), the same */
    REQUEST_CAPITAL  /* the capital of a real venue's books becomes `number` units of 1e-8, and the
                      * cash with it (venue_set_capital), the same */
};
#define REQUEST_KIND_LAST       REQUEST_CAPITAL

#define REQUEST_TEXT_SIZE       512
#define REQUEST_COOLDOWN_MAX_US (7 * INT64_C(86400000000)) /* as risk.cooldown */

const char *request_kind_name(enum request_kind kind); /* "pause" "resume" "close" … */

struct request {
    int64_t id; /* > 0: never reused in one ops.db; < 0: a request of the engine's own driver */
    enum request_kind kind;
    struct symbol symbol; /* empty: all */
    char by[32];          /* the requester, for the records: "alice", "console" */
    struct dec stop;      /* AMEND: zero keeps the current one */
    struct dec target;    /* AMEND: the same */
    /* RULE_STATUS: which rule. COOLDOWN: how long. CAPITAL: how much. PAUSE, MAINTENANCE: the run
     * that pauses only until its RESUME with the same number; 0: until anybody resumes */
    int64_t number;
    int64_t deadline_mono_us;     /* 0: none */
    int64_t run_id;               /* of the command, in ops.db; 0: none, or not stored */
    struct trace_work work;       /* what asked for it; neither stored nor recorded */
    char text[REQUEST_TEXT_SIZE]; /* RULE_ADD, RULE_STATUS */
};

/*
 * request.h: what ops may ask of the engine, through base/ring.h, and how the answer comes back.
 *
 * A request has an id that ops made and stored before pushing. The engine commits the effect and
 * the id in one transaction (table engine_requests), then publishes TOPIC_REPLY with the same id
 * and code 0 or the err id. A request seen twice takes effect once: so after a crash ops looks the
 * id up in trading.db and knows whether it happened.
 * A request has a deadline, by the monotonic clock that both threads read (it never jumps, and ends
 * with the process, as the ring does): the engine refuses one that it takes up later with
 * ENGINE_EXPIRED, and nothing of it is stored. What stops or pauses has none: late is better than
 * never.
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/symbol.h"

#include <stdint.h>

enum request_kind {
    REQUEST_PAUSE,           /* no new entries; open positions stay protected */
    REQUEST_RESUME,          /* also after the breaker; not after an emergency stop */
    REQUEST_CLOSE,           /* close one symbol, or all when symbol is empty */
    REQUEST_EMERGENCY_STOP,  /* halt, cancel, close everything, verify flat with the venue */
    REQUEST_CLEAR_EMERGENCY, /* the deliberate way back: to paused */
    REQUEST_MAINTENANCE,     /* as pause, but for work on the bot or the venue; resume ends it */
    REQUEST_CANCEL,          /* cancel resting entries of one symbol, or all when it is empty */
    REQUEST_AMEND,           /* new stop and/or target of the position in symbol */
    REQUEST_RULE_ADD,        /* a trading rule, status testing: text is rule_write() (rule.h) */
    REQUEST_RULE_STATUS      /* rule `number` becomes what text says: testing, active, retired */
};

#define REQUEST_TEXT_SIZE 512

const char *request_kind_name(enum request_kind kind); /* "pause" "resume" "close" … */

struct request {
    int64_t
        id; /* > 0, unique for all time in one ops database; < 0: asked by the engine's driver */
    enum request_kind kind;
    struct symbol symbol;         /* empty: all */
    char by[32];                  /* who asked, for the record: "alice", "console" */
    struct dec stop;              /* AMEND: zero leaves it as it is */
    struct dec target;            /* AMEND: the same */
    int64_t number;               /* RULE_STATUS: which rule */
    int64_t deadline_mono_us;     /* 0: none */
    char text[REQUEST_TEXT_SIZE]; /* RULE_ADD, RULE_STATUS */
};

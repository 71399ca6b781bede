/*
 * desk.h: how the trading actions ask the engine, and wait. Private to this room.
 *
 *     return desk_ask(desk, call, REQUEST_PAUSE, symbol, answered, err);     // ACTION_PENDING
 *
 * answered is called once the engine has taken the request, and then every DESK_LOOK_US until it
 * returns true: it looks whether the effect can be seen (positions closed) and finishes the call.
 * Thread: ops.
 */
#pragma once

#include "command/trading.h"

#define DESK_PENDING_MAX 64
#define DESK_LOOK_US     (200 * USEC_PER_MSEC)

struct desk_status_line {
    desk_status_fn fn;
    void *userdata;
};

struct pending;
typedef bool (*desk_answered_fn)(struct desk *desk, struct pending *pending);

/* A request that was pushed. */
struct pending {
    bool used;
    bool answered; /* the engine took it; waiting to see the effect */
    int64_t id;
    enum request_kind kind;
    struct symbol symbol;
    struct action_call *call;
    desk_answered_fn fn;
    uint64_t version;  /* of the snapshot when it was pushed: older ones show the past */
    int64_t market_us; /* the market's clock then */
    int64_t since_mono_us;
};

struct desk {
    struct desk_options o;
    struct desk_status_line lines[DESK_STATUS_LINES_MAX];
    size_t line_count;
    struct pending pending[DESK_PENDING_MAX];
    struct loop_source *look;
};

int desk_ask(struct desk *desk, struct action_call *call, enum request_kind kind,
             struct symbol symbol, desk_answered_fn fn, struct err *err);
/* For an action's cancel(). */
void desk_drop(struct desk *desk, const struct action_call *call);
/* For an action's recover(). */
int desk_recover(struct desk *desk, struct action_call *call, bool *ret_happened, struct err *err);
void desk_finish(struct pending *pending, const struct err *err);
int64_t desk_waited_us(const struct desk *desk, const struct pending *pending);
/* The market's clock, when it is not ours. */
void desk_market_line(struct reply *r, const struct snapshot *s);
/* ERR_ENGINE_SILENT while there is no trading.db to read. */
int desk_need_store(const struct desk *desk, struct err *err);

extern const struct action action_risk_rows[];
extern const struct action action_why_rows[];
extern const struct action action_decisions_rows[];
extern const struct action action_steer_rows[];

/*
 * desk.h: how the trading actions ask the engine, and wait. Private to this room.
 *
 *     const struct request draft = {.kind = REQUEST_CLOSE, .symbol = symbol};
 *     return desk_ask(desk, call, &draft, answered, err);     // ACTION_PENDING
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

/* Whether what was asked for can be seen done. */
typedef bool (*desk_done_fn)(struct desk *desk, const struct pending *pending);

/* A request that was pushed. */
struct pending {
    bool used;
    bool late;      /* its call has ended, as failed: late.c watches on for what becomes of it */
    bool recovered; /* asked for by a run that a crash interrupted */
    bool answered;  /* the engine took it; waiting to see the effect */
    struct request asked;
    struct action_call *call;
    desk_answered_fn fn;
    desk_done_fn done;                 /* NULL: it is done once the engine has taken it */
    const struct action_call *running; /* late: of a run that has not ended yet; NULL: it has, */
    int64_t run_id;                    /* as this one; 0: without a record */
    int failed_as;                     /* late: what the person was told, an err id */
    struct err refused; /* late: and what became of it; ERR_NONE: nothing yet, or it was done */
    bool known;         /* late: that is known, and only waits to be told */
    int64_t took_us;    /* late: until it was known */
    unsigned notified;  /* late: enum desk_late_part, those that were told */
    bool logged;        /* late */
    uint64_t version;   /* of the snapshot when it was pushed: older ones show the past */
    int64_t market_us;  /* the market's clock then */
    int64_t since_mono_us;
};

struct desk {
    struct desk_options o;
    struct desk_status_line lines[DESK_STATUS_LINES_MAX];
    size_t line_count;
    struct pending pending[DESK_PENDING_MAX];
    struct loop_source *look;
    struct loop_source *late; /* timer */
    int64_t last_id;          /* of a request */

    struct stop_file *stop_file; /* NULL: none */
    struct loop_source *save;    /* timer: what could not be written to it */
    struct pool_job *sync;       /* the wait for its disk; NULL: none */
    bool sync_again;             /* it was written since that began */
    bool stop_wanted;            /* what it should say */
    bool stop_written;           /* it says so, if not yet on disk */
    int64_t stop_at_us;          /* of the last stop, as the id of a request */
    char stop_by[32];
    struct err stop_err; /* why it is not on disk; ERR_NONE: it is, or will be */
};

/* Sets the kill switch, then the file that keeps it over a restart. */
void desk_halt(struct desk *desk, const char *by);
/* Of the file: the engine has cleared its own at this request. A stop given after the request
 * stands. */
void desk_clear_stop(struct desk *desk, int64_t request_id);
/* The draft says what is asked for; its id and who asks are filled in here. */
int desk_ask(struct desk *desk, struct action_call *call, const struct request *draft,
             desk_answered_fn fn, struct err *err);
/* An action's cancel() and recover(), where it does nothing but ask. */
void desk_cancel(struct action_call *call);
int desk_recover(struct action_call *call, bool *ret_happened, struct err *err);
/* "all", which is the empty symbol, or one of the configured symbols. */
int desk_read_scope(struct desk *desk, const char *text, struct symbol *ret, struct err *err);
bool desk_in_scope(struct symbol scope, struct symbol symbol);
void desk_finish(struct pending *pending, const struct err *err);
/* Ends the call as failed because its effect cannot be seen in time, and watches on for it. */
void desk_give_up(struct desk *desk, struct pending *pending, const struct err *err);
/* How /close and /emergency_stop, /amend and /cancel_orders know. */
bool desk_is_closed(struct desk *desk, const struct pending *p);
bool desk_is_stopped(struct desk *desk, const struct pending *p);
bool desk_is_amended(struct desk *desk, const struct pending *p);
bool desk_is_cancelled(struct desk *desk, const struct pending *p);

void desk_refusal(enum request_kind kind, uint32_t code, struct err *ret);

/* late.c */
/* The call of p is over and its outcome is not: keeps p, which has no call any more. */
void desk_watch_late(struct desk *desk, struct pending *p, int failed_as);
/* The engine's word on a late one. */
void desk_late_answer(struct desk *desk, struct pending *p, uint32_t code);
void desk_on_late(void *desk);
int64_t desk_waited_us(const struct desk *desk, const struct pending *pending);
/* The market's clock, when it is not ours. */
/* "disk failed: DB_FULL"; nothing while the disk is well. */
void desk_disk_line(struct buf *out, const struct snapshot *s);
void desk_market_line(struct reply *r, const struct snapshot *s);
/* For a reply from trading.db: ERR_ENGINE_SILENT while there is none to read. */
int desk_need_store(struct desk *desk, struct reply *r, struct err *err);

extern const struct action action_risk_rows[];
extern const struct action action_why_rows[];
extern const struct action action_decisions_rows[];
extern const struct action action_steer_rows[];
extern const struct action action_orders_rows[];
extern const struct action action_rules_rows[];

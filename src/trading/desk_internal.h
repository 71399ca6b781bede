/*
 * desk_internal.h: how the trading actions send requests to the engine and wait for their effect.
 * Private to this module.
 *
 *     const struct request draft = {.kind = REQUEST_CLOSE, .symbol = symbol};
 *     return desk_ask(desk, call, &draft, answered, err);     // ACTION_PENDING
 *
 * answered() is called when the engine has accepted the request, and then every DESK_LOOK_US until
 * it returns true: it checks whether the effect is visible (for example, positions closed) and
 * finishes the call. If the engine refuses, the call fails without it.
 * Thread: ops.
 */
#pragma once

#include "io/zone.h"
#include "trading/desk.h"

#define DESK_PENDING_MAX 64
#define DESK_LOOK_US     (200 * USEC_PER_MSEC)
/* When a request expires; as waits_us of an action it keeps the timeouts of steps above it, so that
 * a request has expired when its step times out. */
#define DESK_REQUEST_US (10 * USEC_PER_SEC)
/* Of a request for other capital, which waits until the account is known: see CAPITAL_WAIT_US. */
#define DESK_CAPITAL_US (30 * USEC_PER_SEC)

struct desk_status_line {
    desk_status_fn fn;
    void *userdata;
};

struct live;
struct pending;
typedef bool (*desk_answered_fn)(struct desk *desk, struct pending *pending);

/* Whether the effect of the request is visible. */
typedef bool (*desk_done_fn)(struct desk *desk, const struct pending *pending);

/* A request that was pushed. The call waits for it, or has given up ("late"). */
struct pending {
    bool used;
    bool late;      /* the call has ended as failed; late.c watches for the outcome */
    bool recovered; /* late: sent by the process before this one, which crashed */
    bool answered;  /* the engine has accepted it; its effect is not visible yet */
    struct request asked;
    struct action_call *call; /* NULL when late */
    desk_answered_fn fn;
    uint64_t version;  /* of the snapshot at the push; only a newer one can show the effect */
    int64_t market_us; /* the market's clock at the push */
    int64_t since_mono_us;

    /* The rest is for late requests only. */
    desk_done_fn done;                 /* NULL: the engine's acceptance is the whole effect */
    const struct action_call *running; /* identifies its run, which has not ended; NULL: ended */
    int64_t run_id;                    /* of the ended run; 0: it has no row */
    int failed_as;                     /* the error (err id) that was reported for the call */
    struct err refused;                /* the engine's refusal; ERR_NONE: none so far */
    bool known;                        /* the outcome is known, but not reported everywhere */
    int64_t took_us;                   /* from the push until the outcome was known */
    unsigned notified;                 /* enum desk_late_part: where it was reported */
    bool logged;
};

/* The request that lifts the pause of a run; its outcome is not waited for by a call. */
struct lift {
    int64_t run_id;     /* 0: none was pushed */
    int64_t request_id; /* 0: it was answered */
    int64_t deadline_mono_us;
    bool done; /* the engine has accepted it */
};

struct desk {
    struct desk_options o;
    struct desk_status_line lines[DESK_STATUS_LINES_MAX];
    size_t line_count;
    desk_system_fn system; /* NULL: nothing is measured here */
    void (*system_cancel)(struct action_call *call);
    void *system_userdata;
    struct desk_learnt learnt;
    desk_explain_fn explain; /* NULL: there are no questions */
    void *explain_userdata;
    struct pending pending[DESK_PENDING_MAX];
    struct loop_source *look;
    struct loop_source *late; /* timer */
    int64_t last_id;          /* of a request */
    struct lift lift;
    struct zone *zone;  /* of the days of reports; NULL: UTC */
    char zone_name[64]; /* "": that of this machine */

    struct live *live; /* live.h */

    struct stop_file *stop_file; /* emergency.stop; NULL: not open */
    struct loop_source *save;    /* timer: retries a failed write or sync of the file */
    struct pool_job *sync;       /* the sync under way; NULL: none */
    bool sync_again;             /* the file was written after the sync began */
    bool stop_wanted;            /* whether the file must hold a stop */
    bool stop_written;           /* the file was written so, but may not be synced */
    int64_t stop_at_us;          /* of the last stop; comparable with ids of requests */
    char stop_by[32];
    int64_t stop_run_id; /* of the command; 0: it was not stored yet, or by an earlier version */
    struct err stop_err; /* why the stop is not on disk; ERR_NONE: it is, or no error so far */
};

/* Sets the kill switch, then writes emergency.stop, which preserves it over a restart. */
void desk_halt(struct desk *desk, const char *by);
/* Clears emergency.stop after the engine has accepted this clear request, unless a stop was given
 * after the request. */
void desk_clear_stop(struct desk *desk, int64_t request_id);
/* The run whose pause ends with it: the number for pause, maintenance and resume in a command that
 * does both. 0: the command only pauses, or only resumes. */
int64_t desk_pausing_run(const struct action_call *call);
/* Sends a request. The draft holds everything but its id, author and deadline. */
int desk_ask(struct desk *desk, struct action_call *call, const struct request *draft,
             desk_answered_fn fn, struct err *err);
/* cancel() and recover() of actions that only send one request. */
void desk_cancel(struct action_call *call);
int desk_recover(struct action_call *call, bool *ret_happened, struct err *err);
/* The step of the symbol's prices near this one at the venue; invalid: it has none, or none is
 * known. */
struct dec desk_tick(struct desk *desk, struct symbol symbol, struct dec price);
/* Whether the engine has not published for so long that its figures must not be used. */
bool desk_is_silent(const struct desk *desk, const struct snapshot *s);
bool desk_in_scope(struct symbol scope, struct symbol symbol);
void desk_finish(struct pending *pending, const struct err *err);
/* Ends the call as failed, because the effect was not visible in time, and goes on watching the
 * request as a late one. */
void desk_give_up(struct desk *desk, struct pending *pending, const struct err *err);
/* Whether the effect of /close, /emergency_stop, /amend, /cancel_orders is visible. */
bool desk_is_closed(struct desk *desk, const struct pending *p);
bool desk_is_stopped(struct desk *desk, const struct pending *p);
bool desk_is_amended(struct desk *desk, const struct pending *p);
bool desk_is_cancelled(struct desk *desk, const struct pending *p);

/* The engine's refusal of a request as an error. */
void desk_refusal(enum request_kind kind, uint32_t code, struct err *ret);
/* The time since the request was pushed. */
int64_t desk_waited_us(const struct desk *desk, const struct pending *pending);
/* Appends "disk failed: DB_FULL"; nothing while the disk works. */
void desk_disk_line(struct buf *out, const struct snapshot *s);
/* Adds the market's time to the reply, unless the market runs in real time. */
void desk_market_line(struct reply *r, const struct snapshot *s);
/* The market's clock; before the engine has reported, this machine's. */
int64_t desk_market_us(struct desk *desk);
/* When the last so many days began, today included, in the time zone of reports. */
int64_t desk_days_ago_us(struct desk *desk, int64_t days);
/* Adds the time zone of these days to the reply and its data. */
void desk_zone_line(struct desk *desk, struct reply *r);
/* For actions that read trading.db: ERR_ENGINE_SILENT if it cannot be read yet. Also adds the age
 * of the snapshot to the reply (desk_read). */
int desk_need_store(struct desk *desk, struct reply *r, struct err *err);
/* What desk_read adds to the data of a reply, for .data of actions. */
#define DESK_AGE "snapshot.published_at snapshot.age_ms snapshot.stale"

/* late.c */
/* Detaches p from its failed call and watches for its outcome. */
void desk_watch_late(struct desk *desk, struct pending *p, int failed_as);
/* Handles the engine's answer to a late request. */
void desk_late_answer(struct desk *desk, struct pending *p, uint32_t code);
/* The timer of late requests. */
void desk_on_late(void *desk);

/* domain.c: what this module knows about values: symbols, positions, orders, current prices. */
void domain_register(struct desk *desk, struct action_table *table);

/* Equity, cash, capital and profit, as the member `key` of the data. */
void desk_account_json(struct reply *r, const char *key, const struct snapshot *s);
extern const struct action action_profit_rows[];
extern const struct action action_performance_rows[];
extern const struct action action_cooldown_rows[];
extern const struct action action_feed_rows[];
extern const struct action action_risk_rows[];
extern const struct action action_why_rows[];
extern const struct action action_decisions_rows[];
extern const struct action action_steer_rows[];
extern const struct action action_orders_rows[];
extern const struct action action_order_list_rows[];
extern const struct action action_rules_rows[];
extern const struct action action_chart_rows[];
extern const struct action action_export_rows[];

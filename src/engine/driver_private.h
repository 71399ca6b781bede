/*
 * driver_private.h: the inside of struct driver, shared by its files.
 *
 * driver.c runs the rounds; driver_disk.c tracks what is on disk and decides what may happen while
 * writes fail; driver_open.c prepares the rounds: database, market, books, venue, model, recorder,
 * and the state of an earlier run; driver_guard.c checks that trading.db is the right file.
 * Thread: one at a time per driver.
 */
#pragma once

#include "backlog.h"
#include "engine/driver.h"
#include "engine/recorder.h"
#include "engine/reserve.h"
#include "engine/state_file.h"
#include "market/csv_source.h"
#include "market/simulated.h"
#include "percentile.h"
#include "venue/feed.h"
#include "venue/live_market.h"
#include "venue_clock.h"

struct driver {
    struct driver_options options;
    char *state_dir;
    struct settings settings;
    struct shared *shared;
    struct clock *clock;

    struct trading_store *store; /* NULL: not open */
    bool owns_store;
    struct engine *engine; /* NULL: not recovered yet */
    struct simulated market;
    struct csv_source files;
    struct market_history *history; /* of a live market, for the warm-up; NULL: none */
    struct source *own; /* one of the two above, or that of options.market; NULL: none yet */
    struct source *source;
    bool ended;                  /* the source has no more candles; reported */
    struct predictor *predictor; /* NULL: none, or it does not fit */
    bool model_tried;            /* loading was attempted */
    int model_err;               /* why the configured model is not used; 0: it is used */
    int symbol_count;
    struct symbol symbols[SYMBOLS_LIMIT];
    struct venue *own_venue; /* owned; NULL: none yet */
    struct feed *feed;       /* of a real venue; NULL: none */
    struct venue *venue;     /* the same, or what wrap_venue made of it */

    /* Market time against the monotonic clock. */
    int64_t anchor_mono_us;
    int64_t anchor_market_us;
    int64_t market_us;

    bool request_pending; /* `request` was popped from the ring but not passed to a step yet */
    bool has_waiting;     /* a request for other capital, until the account's cash is known */
    struct request waiting;
    int64_t waits_until_us; /* monotonic clock */
    bool minute_pending;    /* inputs.bars were read from the source but not passed to a step yet */
    int64_t minute_us;      /* its open, as announced by the source */
    bool uncommitted;       /* the outputs are not settled: retried before the next step */
    struct recorder *recorder; /* NULL: there is no state folder */

    struct reserve *reserve; /* NULL: none could be made */
    bool owns_reserve;
    bool reserve_stale;         /* its notes are in trading.db but could not be cleared */
    int64_t reserve_mono_us;    /* when making one was last attempted; 0: never */
    struct reserve_note *notes; /* of the current step */
    struct backlog *backlog;    /* rows that are not in trading.db */
    bool deferred;              /* outputs are in the backlog */
    bool behind;                /* writes fail; steps continue, nothing is opened */
    bool reserved;              /* behind: the notes of this step are in the reserve */
    int64_t failing_mono_us;    /* since when writing fails; 0: it works */
    int64_t failing_wall_us;    /* the same, wall clock */
    int64_t tried_mono_us;      /* the last attempt */
    int failing_err;            /* its cause, an err id */
    int64_t commit_us;          /* duration of the last commit */
    int64_t committed_mono_us;  /* its end; 0: none yet */
    int64_t slow_commit_us;     /* duration of the last slow commit */
    int64_t slow_mono_us;       /* its end; 0: none recently */
    int64_t slow_wall_us;       /* end of the first slow commit in a row */
    enum trading_state state;   /* on disk or in the reserve */
    char state_reason[64];
    struct state_file exported; /* the contents of .trading_state.json */
    bool export_failed;
    uint64_t halt_seen; /* generation of the kill switch before the step */
    struct engine_now now;
    struct engine_inputs inputs;
    struct request request;
    struct engine_outputs outputs;

    /* trading.db as a file, and doubts about it at a start: see driver_guard.c. */
    int64_t checked_mono_us;
    bool file_lost; /* it was deleted or replaced, and could not be restored yet */
    int64_t file_logged_mono_us;
    int guard_err;        /* err id that lasts until a person resumes; 0: none */
    bool guard_pending;   /* `guard` still has to be passed to a step */
    struct request guard; /* a pause or emergency stop by the guard */

    int fault; /* err id that lasts; 0: none */
    int64_t fault_reported_mono_us;
    int64_t reminded_mono_us; /* of lasting faults that stop nothing; 0: not yet */
    int64_t retry_mono_us;
    struct percentile durations;
    int64_t minute_read_ns;        /* monotonic: when inputs.bars were read */
    int64_t step_ns;               /* monotonic: when the step began */
    struct trace_work minute_work; /* of those bars */
    struct trace_work work;        /* of the step: that of its request, or of its bars */
    bool work_is_request;
    struct venue_clock venue_clock;
    struct snapshot *snapshot; /* the newest one published, or being prepared */
};

/* driver.c */
void driver_beat(struct driver *d); /* this thread makes progress */
void driver_publish_events(struct driver *d, const struct event *events, int count);
void driver_publish_snapshot(struct driver *d);
/* Reports a lasting fault: an event when it begins and every minute, a log line when it begins. */
void driver_fault(struct driver *d, enum err_id id, const struct err *cause);
void driver_fault_over(struct driver *d);

int64_t driver_nanoseconds(void); /* monotonic, real: for durations that are only reported */

/* driver_trace.c */
void driver_trace_minute(struct driver *d); /* bars were read */
void driver_trace_step(struct driver *d, int64_t from_ns, int64_t to_ns);
void driver_trace_shipped(struct driver *d); /* the outputs of the step */
void driver_trace_reported(struct driver *d, const struct venue_report *report);

/* driver_guard.c */
/* Opens nothing until a person resumes; reported now and every minute until then. by: up to 20
 * bytes. */
void driver_guard_raise(struct driver *d, enum err_id id, enum request_kind kind, const char *by,
                        const struct err *cause);
/* True: d->request is one that the guard raised. */
bool driver_guard_request(struct driver *d);
/* Call each round; once a second it checks that trading.db is still the open file. */
void driver_guard_check(struct driver *d);
/* Before the engine starts: whether the recorder's journals are ahead of trading.db.
 * *ret_newest_run: the highest run number that has a journal. memory: of a later start. */
int driver_guard_start(struct driver *d, struct engine_memory *memory, bool first,
                       int64_t *ret_newest_run, struct err *err);
/* Whether the state file of an earlier run is ahead of trading.db. memory NULL: a first start. */
void driver_guard_state_file(struct driver *d, const struct state_file *file,
                             const struct engine_memory *memory);

void driver_notify(struct driver *d, enum err_id id,
                   const struct err *cause); /* for a fault that stops nothing */

/* driver_disk.c */
/* Records the step that was just made. */
void driver_record(struct driver *d);
/* Writes everything that is not on disk: records, the venue's book, the backlog or the outputs. */
bool driver_write(struct driver *d);
/* While behind: calls driver_write at intervals. */
void driver_catch_up(struct driver *d);
/* Whether a slow disk allows the outputs of this step to be committed later: nobody waits for them.
 */
bool driver_may_defer(const struct driver *d);
/* Moves the outputs into the backlog; at most once per step. */
void driver_defer(struct driver *d);
/* Call when driver_write failed. False: it is retried before the next step. True: steps continue,
 * and the outputs that close something may be shipped if `reserved` is set. */
bool driver_continue(struct driver *d);
enum engine_disk driver_disk(const struct driver *d);  /* for the inputs of the next step */
void driver_disk_failing(struct driver *d, int cause); /* an err id */
void driver_disk_snapshot(struct driver *d);
/* Notes that the current trading state is on disk. */
void driver_remember_state(struct driver *d);
/* Loads the reserve of an earlier run into memory and the backlog. memory NULL: a first start. */
int driver_load_reserve(struct driver *d, struct engine_memory *memory, struct err *err);
void driver_open_reserve(struct driver *d);
/* Whether such a request is accepted, and answered, while trading.db cannot be written. */
bool driver_request_works_behind(enum request_kind kind);

/* driver_open.c */
/* Opens everything that a round needs. False: it failed, and the fault is reported. Tries at most
 * once per second. */
bool driver_open_try(struct driver *d);
void driver_open_undo(struct driver *d); /* safe at any moment */
int driver_open_files(const struct settings *settings, struct csv_source *ret, struct err *err);

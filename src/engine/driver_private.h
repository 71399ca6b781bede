/*
 * driver_private.h: the inside of struct driver, shared by its files.
 *
 * driver.c is its rounds; driver_disk.c is what of them is on disk, and what may be done when it is
 * not; driver_open.c is how it gets ready for them: database, market, books, venue, model,
 * recorder, whatever an earlier run left; driver_guard.c watches over trading.db.
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
    struct source *own; /* one of those above; NULL: none could be made */
    struct source *source;
    bool ended;                  /* the source has no more candles, and that has been said */
    struct predictor *predictor; /* NULL: none, or it did not fit */
    bool asked_model;            /* it was tried to load it */
    int model_err;               /* why the one that is configured is not used; 0: it is */
    int symbol_count;
    struct symbol symbols[SYMBOLS_MAX];
    struct paper paper;
    struct venue *venue;

    /* The market's clock against ours. */
    int64_t anchor_mono_us;
    int64_t anchor_market_us;
    int64_t market_us;

    bool holds_request;        /* in request: taken from the ring, not stepped yet */
    bool holds_minute;         /* in inputs.bars: taken from the source, not stepped yet */
    int64_t minute_us;         /* its open, as the source promised it */
    bool notified;             /* the venue was told anything: its answer may be there already */
    bool uncommitted;          /* outputs wait for the disk, for a moment */
    struct recorder *recorder; /* NULL: none without a state folder */

    struct reserve *reserve; /* NULL: none could be made */
    bool owns_reserve;
    bool reserve_stale;      /* its notes are in trading.db, and could not be cleared */
    int64_t reserve_mono_us; /* when it was tried to make one; 0: not yet */
    struct reserve_note notes[ENGINE_ORDERS_MAX + 2]; /* of the step under way */
    struct backlog *backlog;                          /* of steps that are not in trading.db */
    bool held;                                        /* outputs are in the backlog */
    bool behind;                                      /* steps go on even so; nothing is opened */
    bool kept;                 /* behind: what must not be forgotten of outputs is in the reserve */
    int64_t failing_mono_us;   /* since when writing has failed; 0: it does not */
    int64_t failing_wall_us;   /* the same for people */
    int64_t tried_mono_us;     /* the last try */
    int failing_err;           /* its cause */
    int64_t commit_us;         /* how long the last commit took */
    int64_t committed_mono_us; /* its end; 0: none yet */
    int64_t slow_commit_us;    /* of the last slow one */
    int64_t slow_mono_us;      /* its end; 0: none lately */
    int64_t slow_wall_us;      /* end of the first one of a row */
    enum trading_state state;  /* as on disk, or in the reserve */
    char state_reason[64];
    struct state_file exported; /* as .trading_state.json says now */
    bool export_failed;
    uint64_t halt_seen; /* generation of the kill switch before the step */
    struct engine_now now;
    struct engine_inputs inputs;
    struct request request;
    struct engine_outputs outputs;

    /* Of trading.db as a file, and what is found about it at a start: see driver_guard.c. */
    int64_t looked_mono_us;
    bool file_lost; /* it was deleted or replaced, and could not be put back yet */
    int64_t file_logged_mono_us;
    int guard_err;        /* err id that stands until a person resumes; 0 none */
    bool guard_asks;      /* guard is still to be done */
    struct request guard; /* a pause or an emergency stop of our own */

    int fault; /* err id that stands; 0 none */
    int64_t fault_notified_mono_us;
    int64_t reminded_mono_us; /* of what lasts and stops nothing; 0: not yet */
    int64_t retry_mono_us;
    struct percentile durations;
    struct snapshot snapshot;
};

/* driver.c */
void driver_publish_events(struct driver *d, const struct event *events, int count);
void driver_publish_snapshot(struct driver *d);
/* Something that lasts: said when it begins and each minute, logged when it begins. */
void driver_fault(struct driver *d, enum err_id id, const struct err *cause);
void driver_fault_over(struct driver *d);

/* driver_guard.c */
/* Nothing opens until a person resumes; told now and each minute until then. by: up to 20 bytes. */
void driver_guard_raise(struct driver *d, enum err_id id, enum request_kind kind, const char *by,
                        const struct err *cause);
/* True: d->request is one that was raised. */
bool driver_guard_request(struct driver *d);
/* Each round; once a second it looks whether trading.db still is the file that is open. */
void driver_guard_look(struct driver *d);
/* Before the engine starts: does the journal know more than trading.db? *ret_newest_run: the
 * highest number that a journal has. memory: of a later start. */
int driver_guard_start(struct driver *d, struct engine_memory *memory, bool first,
                       int64_t *ret_newest_run, struct err *err);
/* Does the state file that an earlier run left know more? memory NULL: a first start. */
void driver_guard_state_file(struct driver *d, const struct state_file *file,
                             const struct engine_memory *memory);

void driver_notify(struct driver *d, enum err_id id, const struct err *cause); /* stops nothing */

/* driver_disk.c */
/* The step that was just made, into the recorder. */
void driver_record(struct driver *d);
/* All that is not on disk yet: records, the venue's book, the backlog or else the outputs. */
bool driver_write(struct driver *d);
/* Behind: driver_write, once in a while. */
void driver_catch_up(struct driver *d);
/* The disk takes seconds, and nobody waits for what this step answered: a later commit has it. */
bool driver_may_defer(const struct driver *d);
/* The outputs into the backlog; once a step. */
void driver_hold(struct driver *d);
/* driver_write has failed: false, it is tried again before the next step; true, the steps go on,
 * and what the outputs close may leave when `kept` says so. */
bool driver_go_on(struct driver *d);
enum engine_disk driver_disk(const struct driver *d);  /* as the next step is told */
void driver_disk_failing(struct driver *d, int cause); /* an err id */
void driver_disk_snapshot(struct driver *d);
/* The trading state is on disk as it stands. */
void driver_remember_state(struct driver *d);
/* What an earlier run kept in its reserve, into memory and the backlog; NULL: a first start. */
int driver_load_reserve(struct driver *d, struct engine_memory *memory, struct err *err);
void driver_open_reserve(struct driver *d);
/* May be asked for, and answered, while trading.db cannot be written. */
bool driver_request_keeps(enum request_kind kind);

/* driver_open.c */
/* Everything that a round needs; false: not now, and people have been told why. At most once in a
 * second it really tries. */
bool driver_open_try(struct driver *d);
void driver_open_undo(struct driver *d); /* at any moment */
int driver_open_files(const struct settings *settings, struct csv_source *ret, struct err *err);

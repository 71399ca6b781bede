/*
 * driver_private.h: the inside of struct driver, shared by its three files.
 *
 * driver.c is its rounds; driver_open.c is how it gets ready for them: database, market, books,
 * venue, model, recorder, whatever an earlier run left; driver_guard.c watches over trading.db.
 * Thread: one at a time per driver.
 */
#pragma once

#include "engine/driver.h"
#include "engine/recorder.h"
#include "engine/statefile.h"
#include "market/csv_source.h"
#include "market/simulated.h"
#include "percentile.h"

struct driver {
    struct driver_options options;
    char *state_dir;
    struct settings settings;
    struct crossing *crossing;
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
    bool told;                 /* the venue was told anything: its answer may be there already */
    bool uncommitted;          /* outputs wait for the disk */
    struct recorder *recorder; /* NULL: none without a state folder */
    bool recorded;             /* the step whose outputs these are */
    struct statefile exported; /* as .trading_state.json says now */
    bool export_failed;
    uint64_t halt_seen; /* generation of the kill switch before the step */
    struct engine_now now;
    struct engine_inputs inputs;
    struct request request;
    struct engine_outputs outputs;

    /* Of trading.db as a file, and what is found about it at a start: see driver_guard.c. */
    int64_t looked_mono_us;
    bool file_lost; /* it was deleted or replaced, and could not be put back yet */
    int64_t file_said_mono_us;
    int guard_err;        /* err id that stands until a person resumes; 0 none */
    bool guard_asks;      /* guard is still to be done */
    struct request guard; /* a pause or an emergency stop of our own */

    int trouble; /* err id that stands; 0 none */
    int64_t trouble_said_mono_us;
    int64_t reminded_mono_us; /* of what lasts and stops nothing; 0: not yet */
    int64_t retry_mono_us;
    struct percentile durations;
    struct snapshot snapshot;
};

/* driver.c */
void driver_publish_events(struct driver *d, const struct event *events, int count);
void driver_publish_snapshot(struct driver *d);
/* Something that lasts: said when it begins and each minute, logged when it begins. */
void driver_trouble(struct driver *d, enum err_id id, const struct err *cause);
void driver_trouble_over(struct driver *d);

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
void driver_guard_statefile(struct driver *d, const struct statefile *file,
                            const struct engine_memory *memory);

/* driver_open.c */
/* Everything that a round needs; false: not now, and people have been told why. At most once in a
 * second it really tries. */
bool driver_open_try(struct driver *d);
void driver_open_undo(struct driver *d); /* at any moment */
int driver_open_files(const struct settings *settings, struct csv_source *ret, struct err *err);

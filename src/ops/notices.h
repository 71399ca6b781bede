/*
 * notices.h: the notifications of a trading day: entries, exits, vetoes of note, pauses, start and
 * stop, the daily report, the weekly digest of the auditor. Private to this module.
 *
 *     notices_init(&notices, &(struct notices_options){.store = store, .trading = trading, ...});
 *     for each event of the engine: notices_event(&notices, &event);
 *     once a second: notices_tick(&notices, snapshot);
 *     at a stop: id = notices_stopping(&notices, snapshot, "SIGTERM");
 *
 * An event only says that something is to be looked at; the facts are the snapshot and trading.db.
 * What was reported last (the ids of the trade and the decision, the open positions, the trading
 * state, the days of the reports) is stored in ops.db in the transaction that adds the messages, so
 * that nothing is reported twice or left out across kill -9, a lapped reader or a restart. The
 * first start tells no history. More than BATCH_MAX entries and exits at a time become one message,
 * and while alerts.storm messages went out in the last minute, the next ones wait and become one.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "model/event.h"
#include "model/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

struct alerts;
struct config;
struct ops_store;
struct trading_store;
struct zone;

#define NOTICES_VETOES_MAX 64

struct notices_options {
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct trading_store *trading;
    struct alerts *alerts;
    const char *state_dir; /* its file "alive" shows when the last process ended, "last_end" how */
};

struct notices_veto {
    struct symbol symbol;
    char code[32];
    int64_t at_us; /* wall */
};

/* Stored in ops.db. */
struct notices_vetoes {
    int64_t decision_id; /* of the newest decision that was looked at; -1: none yet */
    struct notices_veto list[NOTICES_VETOES_MAX]; /* told last */
};

struct notices {
    struct notices_options o;
    struct zone *zone;
    bool begun;           /* it is stored that this process runs */
    int64_t last_running; /* what the last process left */
    bool started;         /* the start was reported */
    int64_t begun_mono_us;
    int64_t last_alive_us; /* of the last process; 0: unknown */
    char last_end[96];     /* "signal killed KILL", as systemd saw it; "": unknown */
    int64_t alive_mono_us; /* the file was touched */
    int64_t retry_mono_us; /* nothing is stored before: each attempt on a locked database blocks */
    bool look;             /* something may be new */
    uint64_t trades;       /* of the snapshot when it was last looked at */
    bool state_known;
    enum trading_state state; /* told last */
    int64_t sent_mono_us[8];  /* of the last messages about trades */
    uint64_t sent_count;
    bool vetoes_known; /* read from ops.db */
    struct notices_vetoes vetoes;
    bool look_vetoes;    /* more than one page was new */
    uint64_t veto_count; /* of the snapshot when they were last looked at */
    int64_t vetoes_saved_mono_us;
};

void notices_init(struct notices *notices, const struct notices_options *options);
void notices_release(struct notices *notices);
void notices_apply(struct notices *notices, const struct config *config);
void notices_event(struct notices *notices, const struct event *event);
void notices_tick(struct notices *notices, const struct snapshot *snapshot);
/* Stores that this is a clean end, and tells it. Returns the id of the last row that it added to
 * the outbox; 0: none. */
int64_t notices_stopping(struct notices *notices, const struct snapshot *snapshot, const char *why);

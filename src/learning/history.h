/*
 * history.h: reads closed trades, with their decisions and candles, for reflections and studies.
 *
 *     struct history_look look = {.after_id = 17, .after_closed_us = closed};
 *     rc = history_look(trading, &look, err);            // the next trades, oldest first
 *     rc = history_read_cases(trading, &cases, err);     // all, for a study; free(cases.items)
 *
 * The cases of a study are the trades as they were: entries that the engine really decided, with
 * the figures that it decided on (bit for bit as stored), and what became of them at the venue. A
 * condition is evaluated on them by the function that the engine evaluates rules with. A run of the
 * engine over old candles would be another history: other fills, no restarts, no commands of
 * people, and candles are stored for two weeks only.
 * Left out are trades whose decision is not stored. Unknown, so that no condition on them holds:
 * indicators that a decision does not give as a reason.
 * Private to this module. Thread: that of the connection.
 */
#pragma once

#include "reflect.h"
#include "store/reflection_table.h"
#include "store/trading.h"
#include "study.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_BATCH 8

struct history_row {
    struct reflection reflection;
    bool has_case;
    struct study_case entry;
};

struct history_look {
    int64_t after_id;        /* 0: from the newest REFLECTIONS_KEPT on */
    int64_t after_closed_us; /* when the trade after_id was closed, to know it again */
    int64_t studied_id;      /* the newest trade that a study has seen */
    /* From here on filled in. */
    bool replaced; /* there is no such trade: trading.db is another one */
    bool more;
    int64_t unstudied; /* trades after studied_id */
    int count;
    struct history_row rows[HISTORY_BATCH];
};

int history_look(struct trading_store *trading, struct history_look *look, struct err *err);

struct history_cases {
    struct study_case *items; /* owned by the caller */
    size_t count;             /* at most STUDY_CASES_MAX, oldest first */
    int64_t trades;           /* all that are closed */
    int64_t last_trade_id;
};

int history_read_cases(struct trading_store *trading, struct history_cases *ret, struct err *err);

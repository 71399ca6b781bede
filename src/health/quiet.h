/*
 * quiet.h: the hours of the week in which trading is quietest, for work on the machine.
 *
 *     struct quiet q = {.zone = zone};
 *     rc = quiet_read(&q, trading, now_us, err);
 *     if (q.found) say("Sun 04:00 to 06:00", q.begins);
 *
 * Counted are the trades that began or ended in each hour of the week of QUIET_WEEKS weeks, or the
 * decisions that wanted one where trades are too few. An hour in which nightdesk made no decision
 * at all was not quiet: nobody looked. Hours are those of the zone. Always true: a window is found
 * only if at least QUIET_EXPECTED of them would be in it by chance, and it has fewer than half of
 * that.
 * Thread: any; quiet_read takes as long as the database does.
 */
#pragma once

#include "base/err.h"
#include "store/figure_table.h"

#include <stdbool.h>
#include <stdint.h>

#define QUIET_WEEKS      4
#define QUIET_HOURS      2 /* length of the window */
#define QUIET_WEEK_HOURS 168
#define QUIET_EXPECTED   3.0
#define QUIET_SYMBOLS    300

struct trading_store;
struct zone;

struct quiet {
    const struct zone *zone; /* NULL: UTC */

    bool found;
    bool by_trades;  /* else by decisions that wanted one */
    int begins;      /* hour of the week, from 0: Monday 00:00 */
    int64_t in, all; /* of what was counted: in the window, in the week */
    double expected; /* in the window by chance */
    int64_t covered; /* hours of the week in which decisions were made, in most weeks */
    int symbol_count;
    char symbols[QUIET_SYMBOLS][32]; /* with data */

    int64_t seen[QUIET_WEEK_HOURS][QUIET_WEEKS]; /* decisions, by hour and week */
    int64_t trades[QUIET_WEEK_HOURS], wanted[QUIET_WEEK_HOURS];
    int64_t now_us;
};

int quiet_read(struct quiet *quiet, struct trading_store *trading, int64_t now_us, struct err *err);
/* The hour of the week, in the zone. */
int quiet_hour(const struct zone *zone, int64_t at_us);
bool quiet_has(const struct quiet *quiet, const char *symbol);

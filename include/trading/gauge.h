/*
 * gauge.h: the limits of the risk manager with their use now.
 *
 *     struct gauge gauges[GAUGES_MAX];
 *     int count = gauge_list(snapshot, gauges);
 *     double used_pct = gauge_used_pct(&gauges[0]);
 *
 * Thread: any.
 */
#pragma once

#include "command/cell.h"
#include "io/json_out.h"
#include "model/snapshot.h"

#include <stdbool.h>

#define GAUGES_MAX (1 + TIERS + SYMBOLS_LIMIT + 10)

enum gauge_unit { GAUGE_PERCENT, GAUGE_TIMES, GAUGE_PLAIN, GAUGE_COUNT };

/* One limit and its current use. */
struct gauge {
    char key[24];       /* for programs: must not change */
    char label[24];     /* for people */
    const char *option; /* that sets the limit; "": none */
    double use;
    double limit;
    enum gauge_unit unit;
    bool at_least;  /* the limit is a minimum; else a maximum */
    bool unused;    /* no use to show, for example because no position is open */
    bool is_symbol; /* the exposure of one symbol */
};

/* Exposures first. ret has GAUGES_MAX places. */
int gauge_list(const struct snapshot *s, struct gauge *ret);
struct cell gauge_use(const struct gauge *g);
/* places: CELL_PLACES_SHORT for as few digits as show it. */
struct cell gauge_limit(const struct gauge *g, int places);
/* 100 at the limit, more beyond it; NaN if it is unused or the limit is zero. */
double gauge_used_pct(const struct gauge *g);
/* Members of the open object. */
void gauge_json(struct json_out *data, const struct gauge *g);

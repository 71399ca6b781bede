#include "quiet.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include "forecast.h"
#include "io/zone.h"

#include <string.h>

#define WEEK_US (7 * USEC_PER_DAY)

int quiet_hour(const struct zone *zone, int64_t at_us)
{
    struct zone_time local = zone_local(zone, at_us);
    return forecast_weekday(local.day) * 24 + local.minute_of_day / 60;
}

bool quiet_has(const struct quiet *q, const char *symbol)
{
    for (int i = 0; i < q->symbol_count; i++) {
        if (strcmp(q->symbols[i], symbol) == 0) {
            return true;
        }
    }
    return false;
}

static void take_hour(const struct figure_hour *hour, void *userdata)
{
    struct quiet *q = userdata;
    int at = quiet_hour(q->zone, hour->at_us);
    int64_t week = (q->now_us - hour->at_us) / WEEK_US;
    q->trades[at] += hour->trades;
    q->wanted[at] += hour->wanted;
    if (week >= 0 && week < QUIET_WEEKS) {
        q->seen[at][week] += hour->decisions;
    }
    if (!quiet_has(q, hour->symbol) && q->symbol_count < QUIET_SYMBOLS) {
        (void)str_copy(str_c(hour->symbol), q->symbols[q->symbol_count++], sizeof(q->symbols[0]));
    }
}

static bool is_covered(const struct quiet *q, int hour)
{
    int weeks = 0;
    for (int w = 0; w < QUIET_WEEKS; w++) {
        weeks += q->seen[hour][w] > 0;
    }
    return weeks > QUIET_WEEKS / 2;
}

/* How many are from `before` hours before the window to so many after it; -1: it is not covered. */
static int64_t around(const struct quiet *q, const int64_t counts[QUIET_WEEK_HOURS], int begins,
                      int more)
{
    int64_t sum = 0;
    for (int i = -more; i < QUIET_HOURS + more; i++) {
        int hour = (begins + i + QUIET_WEEK_HOURS) % QUIET_WEEK_HOURS;
        if (i >= 0 && i < QUIET_HOURS && !is_covered(q, hour)) {
            return -1;
        }
        sum += counts[hour];
    }
    return sum;
}

/* The window with the fewest; of several, the one with the fewest around it. */
static void find(struct quiet *q, const int64_t counts[QUIET_WEEK_HOURS])
{
    int64_t fewest_around = 0;
    q->all = q->covered = 0;
    q->in = -1;
    for (int hour = 0; hour < QUIET_WEEK_HOURS; hour++) {
        q->all += is_covered(q, hour) ? counts[hour] : 0;
        q->covered += is_covered(q, hour);
    }
    q->expected = q->covered > 0 ? (double)q->all * QUIET_HOURS / (double)q->covered : 0;
    for (int begins = 0; begins < QUIET_WEEK_HOURS; begins++) {
        int64_t in = around(q, counts, begins, 0);
        int64_t wider = around(q, counts, begins, 3);
        if (in >= 0 && (q->in < 0 || in < q->in || (in == q->in && wider < fewest_around))) {
            q->begins = begins;
            q->in = in;
            fewest_around = wider;
        }
    }
    q->found = q->in >= 0 && q->expected >= QUIET_EXPECTED && (double)q->in < q->expected / 2;
}

int quiet_read(struct quiet *q, struct trading_store *trading, int64_t now_us, struct err *err)
{
    q->now_us = now_us;
    int rc = figure_table_hours(trading, now_us - QUIET_WEEKS * WEEK_US, take_hour, q, err);
    if (rc < 0) {
        return rc;
    }
    q->by_trades = true;
    find(q, q->trades);
    if (q->expected < QUIET_EXPECTED) {
        q->by_trades = false;
        find(q, q->wanted);
    }
    return 0;
}

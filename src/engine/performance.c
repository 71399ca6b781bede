#include "engine/performance.h"

#include "base/check.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>

#define DAYS_A_YEAR  365.0
#define HOURS_A_YEAR (24 * DAYS_A_YEAR)

/* ---------------------------------------------------------------- returns */

static void returns_init(struct performance_returns *r, int64_t period_us, int64_t start_us)
{
    *r = (struct performance_returns){
        .period_us = period_us, .from_us = (start_us + period_us - 1) / period_us * period_us};
}

static void add_return(struct performance_returns *r, double equity)
{
    double value = r->start > 0 ? equity / r->start - 1 : 0;
    r->count++;
    double distance = value - r->mean;
    r->mean += distance / (double)r->count;
    r->square += distance * (value - r->mean);
    r->downside += value < 0 ? value * value : 0;
    r->start = equity;
}

/* before: equity at the previous mark. A mark on a boundary belongs to the period that it ends; a
 * mark after one ends the period with the equity of the previous mark. */
static void returns_mark(struct performance_returns *r, int64_t at_us, double before, double now)
{
    if (at_us <= r->from_us) {
        return;
    }
    if (r->end_us == 0) {
        r->start = before;
    } else if (at_us > r->end_us) {
        add_return(r, before);
    }
    if (r->end_us == 0 || at_us > r->end_us) {
        int64_t behind_us = at_us % r->period_us;
        r->end_us = behind_us == 0 ? at_us : at_us - behind_us + r->period_us;
    }
    if (at_us == r->end_us) {
        add_return(r, now);
        r->end_us = 0;
    }
}

static double deviation(const struct performance_returns *r)
{
    return r->count > 1 ? sqrt(r->square / (double)(r->count - 1)) : 0;
}

/* ---------------------------------------------------------------- marks */

void performance_init(struct performance *p, struct dec equity, int64_t start_us)
{
    memset(p, 0, sizeof(*p));
    p->initial = equity;
    p->equity = equity;
    p->peak = equity;
    p->start_us = start_us;
    p->last_us = start_us;
    p->peak_us = start_us;
    returns_init(&p->hours, USEC_PER_HOUR, start_us);
    returns_init(&p->days, USEC_PER_DAY, start_us);
    for (int i = 0; i < 24; i++) {
        (void)snprintf(p->hours_of_entry[i].name, sizeof(p->hours_of_entry[i].name), "%02d", i);
    }
    for (int i = 0; i < 3; i++) {
        (void)str_copy(str_c(regime_name((enum regime)i)), p->regimes[i].name,
                       sizeof(p->regimes[i].name));
    }
    for (int i = 0; i < 2; i++) {
        (void)str_copy(str_c(side_name((enum side)i)), p->sides[i].name, sizeof(p->sides[i].name));
    }
    (void)str_copy(STR_LIT("all"), p->all.name, sizeof(p->all.name));
}

void performance_begin_after(struct performance *p, const struct performance *before)
{
    performance_init(p, before->equity, before->last_us);
    p->exposed = before->exposed;
    memcpy(p->entries, before->entries, sizeof(p->entries));
    for (int i = 0; i < VOTES_MAX; i++) { /* entries refer to agents by index */
        memcpy(p->agents[i].name, before->agents[i].name, sizeof(p->agents[i].name));
    }
}

static void mark_drawdown(struct performance *p, int64_t at_us, struct dec equity)
{
    if (equity.e8 >= p->peak.e8) {
        int64_t under_us = p->last_us > p->peak_us ? at_us - p->peak_us : 0;
        p->under_water_us = under_us > p->under_water_us ? under_us : p->under_water_us;
        p->peak = equity;
        p->peak_us = at_us;
        return;
    }
    double drawdown = p->peak.e8 > 0 ? (double)(p->peak.e8 - equity.e8) / (double)p->peak.e8 : 0;
    if (drawdown > p->drawdown) {
        p->drawdown = drawdown;
        p->drawdown_from_us = p->peak_us;
        p->drawdown_low_us = at_us;
    }
}

void performance_mark(struct performance *p, int64_t at_us, struct dec equity, bool exposed)
{
    ASSERT(dec_is_valid(equity));
    if (p->exposed) {
        p->exposed_us += at_us - p->last_us;
    }
    mark_drawdown(p, at_us, equity);
    double before = (double)p->equity.e8;
    returns_mark(&p->hours, at_us, before, (double)equity.e8);
    returns_mark(&p->days, at_us, before, (double)equity.e8);
    p->equity = equity;
    p->exposed = exposed;
    p->last_us = at_us;
}

/* ---------------------------------------------------------------- trades */

static void add_trade(struct performance_group *g, const struct trade *t)
{
    g->trades++;
    g->wins += t->pnl.e8 > 0;
    g->pnl = dec_add(g->pnl, t->pnl);
    if (t->pnl.e8 > 0) {
        g->profit = dec_add(g->profit, t->pnl);
    } else {
        g->loss = dec_sub(g->loss, t->pnl);
    }
}

/* The group of that name, a new one, or the last one if all are used. */
static struct performance_group *find_group(struct performance_group *groups, int max,
                                            const char *name)
{
    for (int i = 0; i < max; i++) {
        if (groups[i].name[0] == '\0') {
            (void)str_copy(i == max - 1 ? STR_LIT("other") : str_c(name), groups[i].name,
                           sizeof(groups[i].name));
            return &groups[i];
        }
        if (strcmp(groups[i].name, name) == 0) {
            return &groups[i];
        }
    }
    return &groups[max - 1];
}

/* The entry of a symbol; a new one if there is none. */
static struct performance_entry *find_entry(struct performance *p, struct symbol symbol)
{
    int i = 0;
    while (p->entries[i].decision_id != 0 && !symbol_equal(p->entries[i].symbol, symbol)) {
        i++;
        ASSERT(i < SYMBOLS_LIMIT);
    }
    return &p->entries[i];
}

void performance_entry(struct performance *p, const struct decision *d)
{
    struct performance_entry *e = find_entry(p, d->symbol);
    *e = (struct performance_entry){.symbol = d->symbol, .decision_id = d->id, .regime = d->regime};
    for (int i = 0; i < d->vote_count && i < VOTES_MAX; i++) {
        if (d->votes[i].direction != d->direction) {
            continue;
        }
        for (int j = 0; j < VOTES_MAX; j++) {
            struct performance_group *g = &p->agents[j];
            if (g->name[0] == '\0') {
                (void)str_copy(str_c(d->votes[i].agent), g->name, sizeof(g->name));
            }
            if (strcmp(g->name, d->votes[i].agent) == 0) {
                e->agreed |= 1u << j;
                break;
            }
        }
    }
}

void performance_trade(struct performance *p, const struct trade *t)
{
    p->best = p->all.trades == 0 ? t->pnl : dec_max(p->best, t->pnl);
    p->worst = p->all.trades == 0 ? t->pnl : dec_min(p->worst, t->pnl);
    p->fees = dec_add(p->fees, t->fees);
    p->held_us += t->closed_us - t->opened_us;
    add_trade(&p->all, t);
    add_trade(&p->sides[t->side], t);
    add_trade(find_group(p->symbols, SYMBOLS_LIMIT, t->symbol.name), t);
    add_trade(find_group(p->reasons, PERFORMANCE_REASONS_MAX, t->exit_reason), t);
    add_trade(&p->hours_of_entry[t->opened_us / USEC_PER_HOUR % 24], t);
    const struct performance_entry *e = find_entry(p, t->symbol);
    if (e->decision_id == 0 || e->decision_id != t->decision_id) {
        return; /* the position was not opened by a decision of this run */
    }
    add_trade(&p->regimes[e->regime], t);
    for (int i = 0; i < VOTES_MAX; i++) {
        if ((e->agreed & 1u << i) != 0) {
            add_trade(&p->agents[i], t);
        }
    }
}

/* ---------------------------------------------------------------- results */

double performance_win_rate_pct(const struct performance_group *g)
{
    return g->trades > 0 ? 100.0 * (double)g->wins / (double)g->trades : (double)NAN;
}

double performance_profit_factor(const struct performance_group *g)
{
    return g->loss.e8 > 0 ? (double)g->profit.e8 / (double)g->loss.e8 : (double)NAN;
}

void performance_summary(const struct performance *p, struct performance_summary *ret)
{
    bool daily = p->days.count >= PERFORMANCE_DAYS_MIN;
    const struct performance_returns *r = daily ? &p->days : &p->hours;
    double year = sqrt(daily ? DAYS_A_YEAR : HOURS_A_YEAR);
    double spread = deviation(r);
    double downside = r->count > 0 ? sqrt(r->downside / (double)r->count) : 0;
    int64_t under_us = p->last_us - p->peak_us;
    int64_t passed_us = p->last_us - p->start_us;
    double trades = (double)p->all.trades;
    *ret = (struct performance_summary){
        .return_pct = p->initial.e8 > 0 ? 100 * ((double)p->equity.e8 / (double)p->initial.e8 - 1)
                                        : (double)NAN,
        .max_drawdown_pct = 100 * p->drawdown,
        .max_drawdown_us = under_us > p->under_water_us ? under_us : p->under_water_us,
        .sharpe = spread > 0 ? r->mean / spread * year : (double)NAN,
        .sortino = downside > 0 ? r->mean / downside * year : (double)NAN,
        .daily = daily,
        .periods = r->count,
        .profit_factor = performance_profit_factor(&p->all),
        .win_rate_pct = performance_win_rate_pct(&p->all),
        .expectancy = trades > 0 ? dec_to_double(p->all.pnl) / trades : (double)NAN,
        .exposure_pct =
            passed_us > 0 ? 100.0 * (double)p->exposed_us / (double)passed_us : (double)NAN,
        .mean_held_us = p->all.trades > 0 ? p->held_us / p->all.trades : 0,
    };
}

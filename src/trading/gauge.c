#include "trading/gauge.h"

#include "base/check.h"
#include "base/str.h"

#include <math.h>

static struct cell amount(double value, enum gauge_unit unit, int places)
{
    switch (unit) {
    case GAUGE_PERCENT:
        return cell_pct(value, places == 0 ? 1 : places);
    case GAUGE_TIMES:
        return cell_times(value);
    case GAUGE_PLAIN:
        return cell_number(value, 2);
    case GAUGE_COUNT:
        return cell_count((int64_t)value);
    }
    return cell_none();
}

struct cell gauge_use(const struct gauge *g)
{
    return g->unused ? cell_none() : amount(g->use, g->unit, 0);
}

struct cell gauge_limit(const struct gauge *g, int places)
{
    return amount(g->limit, g->unit, places);
}

double gauge_used_pct(const struct gauge *g)
{
    double part = g->at_least ? g->limit : g->use;
    double whole = g->at_least ? g->use : g->limit;
    return g->unused || whole <= 0 ? (double)NAN : 100 * part / whole;
}

void gauge_json(struct json_out *data, const struct gauge *g)
{
    json_out_text(data, "name", g->key);
    json_out_rounded(data, "use", g->unused ? (double)NAN : g->use, 6);
    json_out_rounded(data, "limit", g->limit, 6);
    json_out_bool(data, "at_least", g->at_least);
    json_out_rounded(data, "used_pct", gauge_used_pct(g), 6);
    json_out_text(data, "option", g->option);
}

static void add(struct gauge *ret, int *count, const char *name, const struct gauge *g)
{
    ret[*count] = *g;
    (void)str_copy(str_c(name), ret[*count].key, sizeof(ret->key));
    (void)str_copy(str_c(name), ret[*count].label, sizeof(ret->label));
    (*count)++;
}

static void add_exposures(const struct snapshot_risk *k, struct gauge *ret, int *count)
{
    static const char *const tier_options[] = {
        "tiers.tier1_max_exposure", "tiers.tier2_max_exposure", "tiers.tier3_max_exposure"};
    static const char *const symbol_options[] = {
        "tiers.tier1_max_position", "tiers.tier2_max_position", "tiers.tier3_max_position"};
    _Static_assert(TIERS == COUNT_OF(tier_options), "an option for each tier");
    add(ret, count, "exposure",
        &(struct gauge){
            .use = k->exposure_pct, .limit = k->max_exposure_pct, .option = "risk.max_exposure"});
    for (int t = 0; t < TIERS; t++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "tier %d", t + 1);
        add(ret, count, name,
            &(struct gauge){.use = k->tiers[t].exposure_pct,
                            .limit = k->tiers[t].max_exposure_pct,
                            .option = tier_options[t]});
    }
    for (int i = 0; i < k->symbol_count && i < SYMBOLS_LIMIT; i++) {
        const struct snapshot_symbol *s = &k->symbols[i];
        double of_tier = k->tiers[s->tier].max_position_pct;
        bool tier = of_tier < k->max_position_pct;
        add(ret, count, s->symbol.name,
            &(struct gauge){.use = s->exposure_pct,
                            .limit = tier ? of_tier : k->max_position_pct,
                            .option = tier ? symbol_options[s->tier] : "risk.max_position",
                            .is_symbol = true});
    }
}

/* What the position would lose at its stop, as it was when it was opened. */
static double largest_loss_pct(const struct snapshot *s)
{
    double largest = 0;
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        struct dec away = dec_sub(p->entry_price, p->stop);
        struct dec loss = dec_mul(p->qty, p->side == SIDE_LONG ? away : dec_neg(away));
        double pct = cell_ratio_pct(loss, s->equity);
        largest = pct > largest ? pct : largest;
    }
    return largest;
}

int gauge_list(const struct snapshot *s, struct gauge *ret)
{
    const struct snapshot_risk *k = &s->risk;
    bool flat = s->position_count == 0;
    const struct gauge gauges[] = {
        {"risk_per_trade", "per trade", "risk.risk_per_trade", largest_loss_pct(s),
         k->risk_per_trade_pct, GAUGE_PERCENT, false, flat, false},
        {"leverage", "leverage", "risk.max_leverage", k->leverage, k->max_leverage, GAUGE_TIMES,
         false, false, false},
        {"initial_margin", "margin", "risk.max_leverage", k->initial_margin_pct, 100, GAUGE_PERCENT,
         false, false, false},
        {"liquidation_distance", "liquidation", "risk.min_liquidation_distance",
         s->liquidation_distance_pct, k->min_liquidation_distance_pct, GAUGE_PERCENT, true, flat,
         false},
        {"correlation", "correlation", "risk.max_correlation", k->correlation, k->max_correlation,
         GAUGE_PLAIN, false, s->position_count < 2, false},
        {"drawdown", "drawdown", "risk.max_drawdown", s->drawdown_pct, s->max_drawdown_pct,
         GAUGE_PERCENT, false, false, false},
        {"daily_loss", "daily loss", "risk.max_daily_loss",
         s->daily_loss_pct > 0 ? s->daily_loss_pct : 0, s->max_daily_loss_pct, GAUGE_PERCENT, false,
         false, false},
        {"losses_in_a_row", "loss streak", "risk.max_consecutive_losses",
         (double)k->losses_in_a_row, (double)k->max_consecutive_losses, GAUGE_COUNT, false, false,
         false},
        {"positions", "positions", "risk.max_positions", s->position_count, s->max_positions,
         GAUGE_COUNT, false, false, false},
        {"orders_per_minute", "entries/min", "risk.max_orders_per_minute", (double)k->orders_lately,
         (double)k->max_orders_per_minute, GAUGE_COUNT, false, false, false},
    };
    int count = 0;
    add_exposures(k, ret, &count);
    for (size_t i = 0; i < COUNT_OF(gauges); i++) {
        ret[count++] = gauges[i];
    }
    return count;
}

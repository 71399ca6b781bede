#include "base/check.h"
#include "desk_internal.h"
#include "model/model_json.h"
#include "model/risk_rule.h"
#include "trading/gauge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FAR_PCT  100.0 /* no price falls by more, and few double: no action is needed */
#define NEAR_PCT 80.0  /* of a limit */

static void show_gauges(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    struct gauge gauges[GAUGES_MAX];
    int count = gauge_list(s, gauges);
    json_out_array(data, "limits");
    reply_columns(r, "", "now", "limit");
    for (int i = 0; i < count; i++) {
        const struct gauge *g = &gauges[i];
        reply_cells(r, cell_text(g->label), gauge_use(g),
                    cell_limit(gauge_limit(g, 0), g->at_least));
        json_out_object(data, NULL);
        gauge_json(data, g);
        json_out_end(data);
    }
    json_out_end(data);
}

/* The distance of each position to liquidation, and the thresholds of the liquidation guard. */
static void show_distances(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    json_out_object(data, "liquidation_distances_pct");
    for (int i = 0; i < s->risk.symbol_count; i++) {
        const struct snapshot_symbol *symbol = &s->risk.symbols[i];
        bool held = false;
        for (int j = 0; j < s->position_count; j++) {
            held = held || symbol_equal(s->positions[j].symbol, symbol->symbol);
        }
        if (!held) {
            continue;
        }
        double away_pct = symbol->liquidation_distance_pct;
        const char *mark = away_pct < RISK_WARN_PCT ? "⚠ " : "";
        if (away_pct < FAR_PCT) {
            reply_para(r, "{}{}: liquidation is {} away", cell_text(mark),
                       cell_symbol(symbol->symbol.name), cell_pct(away_pct, 1));
        } else {
            reply_para(r, "{}{}: liquidation is out of reach", cell_text(mark),
                       cell_symbol(symbol->symbol.name));
        }
        model_json_pct(data, symbol->symbol.name, symbol->liquidation_distance_pct);
    }
    json_out_end(data);
    if (s->position_count > 0) {
        reply_para(r,
                   "Liquidation guard: warns below {}, halves the position below {}, closes it "
                   "below {}.",
                   cell_pct(RISK_WARN_PCT, 0), cell_pct(RISK_HALVE_PCT, 0),
                   cell_pct(RISK_CLOSE_PCT, 0));
    }
}

static void show_cooldowns(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    json_out_object(data, "cooldowns");
    int count = 0;
    for (int i = 0; i < s->risk.symbol_count; i++) {
        const struct snapshot_symbol *symbol = &s->risk.symbols[i];
        if (symbol->cooldown_until_us == 0) {
            continue;
        }
        reply_para(r, "{}: cooldown, no entries for {}", cell_symbol(symbol->symbol.name),
                   cell_duration(symbol->cooldown_until_us - s->market_us));
        json_out_time(data, symbol->symbol.name, symbol->cooldown_until_us);
        count++;
    }
    json_out_end(data);
    if (count == 0) {
        reply_para(r, "No symbol is in cooldown. A cooldown lasts {} after a trade.",
                   cell_duration(s->risk.cooldown_us));
    }
}

static void show_foreign(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    for (int i = 0; i < s->foreign_count; i++) {
        const struct snapshot_foreign *f = &s->foreign[i];
        reply_para(r,
                   "⚠ The venue holds {} {} {}, not opened by the bot: no entries in this symbol.",
                   cell_symbol(f->symbol.name), cell_text(side_name(f->side)),
                   cell_qty(f->qty, f->symbol.name));
    }
    model_json_foreign(data, "foreign_positions", s);
}

static void write_rules(struct json_out *data)
{
    json_out_array(data, "risk_rules");
    const struct risk_rule_info *info;
    for (int i = 0; (info = risk_rule(i)) != NULL; i++) {
        json_out_object(data, NULL);
        json_out_text(data, "code", info->code);
        json_out_text(data, "option", info->option);
        json_out_text(data, "help", info->help);
        json_out_end(data);
    }
    json_out_end(data);
}

static void show_state(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    const char *why = s->books_balance ? s->state_reason : "the books do not balance";
    switch (s->risk_state) {
    case RISK_ACTIVE:
        reply_title(r, TONE_GOOD, "Risk: ACTIVE");
        reply_line(r, "Entries are allowed within the limits (%s).", why);
        break;
    case RISK_REDUCING:
        reply_title(r, TONE_WARN, "Risk: REDUCING");
        reply_line(r,
                   "No new positions are opened (%s: %s). Closing, reducing and cancelling are "
                   "allowed.",
                   trading_state_name(s->state), why);
        break;
    case RISK_HALTED:
        reply_title(r, TONE_BAD, "Risk: HALTED");
        reply_line(r, "Trading is halted (%s). Closing, reducing and cancelling are allowed.", why);
        break;
    }
    json_out_text(data, "risk_state", risk_state_name(s->risk_state));
    json_out_text(data, "state", trading_state_name(s->state));
    json_out_text(data, "reason", why);
}

static int show_risk(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_read(desk, action_reply(call));
    struct reply *r = action_reply(call);
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "risk");
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    show_state(r, &data, s);
    show_gauges(r, &data, s);
    show_distances(r, &data, s);
    show_cooldowns(r, &data, s);
    show_foreign(r, &data, s);
    write_rules(&data);
    desk_market_line(r, s);
    reply_button(r, "Positions", "/positions", BUTTON_PLAIN);
    if (s->state == TRADING_PAUSED || s->state == TRADING_BREAKER ||
        s->state == TRADING_MAINTENANCE) {
        reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    }
    reply_protect(r);
    return ACTION_DONE;
}

/* ------------------------------------------------------------------------------------- limits */

/* What is not used comes last. */
static double rank(const struct gauge *g)
{
    double used = gauge_used_pct(g);
    return isnan(used) ? -1 : used;
}

static int by_use(const void *a, const void *b)
{
    double x = rank(a), y = rank(b);
    if (x != y) {
        return x < y ? 1 : -1;
    }
    return strcmp(((const struct gauge *)a)->label, ((const struct gauge *)b)->label);
}

static int show_limits(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct snapshot *s = desk_read(desk, r);
    struct gauge gauges[GAUGES_MAX];
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "limits");
    }
    int count = gauge_list(s, gauges);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "limits");
    for (int i = 0; i < count; i++) {
        json_out_object(&data, NULL);
        gauge_json(&data, &gauges[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
    qsort(gauges, (size_t)count, sizeof(gauges[0]), by_use);
    double most = rank(&gauges[0]);
    if (most >= 100) {
        reply_title(r, TONE_BAD, "Limits: %s is at its limit", gauges[0].label);
    } else if (most >= NEAR_PCT) {
        reply_title(r, TONE_WARN, "Limits: %s is near its limit", gauges[0].label);
    } else {
        reply_title(r, TONE_GOOD, "Limits");
    }
    reply_columns(r, "", "now", "limit", "used");
    for (int i = 0; i < count; i++) {
        const struct gauge *g = &gauges[i];
        double used = gauge_used_pct(g);
        struct cell limit = gauge_limit(g, CELL_PLACES_SHORT);
        if (g->is_symbol && g->use <= 0) {
            continue; /* there may be hundreds */
        }
        bool far = g->at_least && g->use >= FAR_PCT;
        reply_cells(r, cell_text(g->label), far ? cell_none() : gauge_use(g),
                    g->at_least ? cell_limit(limit, true) : limit,
                    isnan(used) ? cell_none() : cell_pct(used, 0));
    }
    reply_line(r, "Closest to its limit first. The options risk.* and tiers.* set them.");
    desk_market_line(r, s);
    reply_button(r, "Risk", "/risk", BUTTON_PLAIN);
    reply_button(r, "Cooldowns", "/cooldown", BUTTON_PLAIN);
    reply_protect(r);
    return ACTION_DONE;
}

/* The gauge of an option that is used most; of several kinds the first. */
static bool find_gauge(const struct snapshot *s, const char *option, double limit,
                       struct gauge *ret)
{
    struct gauge gauges[GAUGES_MAX];
    bool found = false;
    int count = gauge_list(s, gauges);
    for (int i = 0; i < count; i++) {
        gauges[i].limit = limit;
        if (strcmp(gauges[i].option, option) == 0 &&
            (!found || (gauges[i].is_symbol && rank(&gauges[i]) > rank(ret)))) {
            *ret = gauges[i];
            found = true;
        }
    }
    return found;
}

void desk_show_limit_use(struct desk *desk, const char *option, double limit, struct reply *r)
{
    const struct snapshot *s = desk_read(desk, r);
    struct gauge g;
    if (s->version == 0 || !find_gauge(s, option, limit, &g) || isnan(gauge_used_pct(&g))) {
        return;
    }
    double used = gauge_used_pct(&g);
    if (used >= 100) {
        reply_para(r, "⚠ It is {} now: at or beyond the new limit, so it counts at once.",
                   gauge_use(&g));
    } else {
        reply_para(r, "It is {} now: {} of the new limit.", gauge_use(&g), cell_pct(used, 0));
    }
}

const struct action action_risk_rows[] = {
    {.name = "trading.limits",
     .summary = "Each risk limit with its use, the closest first",
     .data = DESK_AGE " limits",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .run = show_limits},
    {.name = "trading.risk",
     .summary = "Risk limits with their current use, cooldowns, and what is still allowed",
     .data = DESK_AGE " state reason risk_state limits risk_rules cooldowns "
                      "liquidation_distances_pct foreign_positions",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .run = show_risk},
    {0},
};

#include "base/check.h"
#include "desk_internal.h"
#include "io/json_out.h"
#include "store/request_table.h"
#include "store/trade_table.h"

#include <string.h>

#define RECENT_MAX 500 /* trades and requests to look for the causes in */

/* Why a symbol is in cooldown: its last trade, or somebody who set it after that. */
struct causes {
    int trade_count;
    int set_count;
    struct trade trades[RECENT_MAX];      /* newest first */
    struct request_done sets[RECENT_MAX]; /* newest first */
};

static struct causes *read_causes(struct desk *desk, int64_t now_us)
{
    struct causes *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    struct err err = {0}; /* without the causes the cooldowns are shown nevertheless */
    struct trade_query query = {.since_us = now_us - 2 * REQUEST_COOLDOWN_MAX_US};
    if (desk->o.trading == NULL) {
        return c;
    }
    int trades = trade_table_list(desk->o.trading, &query, c->trades, RECENT_MAX, &err);
    int sets =
        request_table_newest_done(desk->o.trading, REQUEST_COOLDOWN, c->sets, RECENT_MAX, &err);
    c->trade_count = trades < 0 ? 0 : trades;
    c->set_count = sets < 0 ? 0 : sets;
    return c;
}

static const struct trade *last_trade(const struct causes *c, struct symbol symbol)
{
    for (int i = 0; i < c->trade_count; i++) {
        if (symbol_equal(c->trades[i].symbol, symbol)) {
            return &c->trades[i];
        }
    }
    return NULL;
}

static const struct request_done *last_set(const struct causes *c, struct symbol symbol)
{
    for (int i = 0; i < c->set_count; i++) {
        if (symbol_equal(c->sets[i].symbol, symbol)) {
            return &c->sets[i];
        }
    }
    return NULL;
}

/* cooldown_us: how long a trade's cooldown is; what lasts longer was set by a person. */
static void show_cause(struct reply *r, struct json_out *data, const struct causes *c,
                       const struct snapshot_symbol *s, int64_t cooldown_us)
{
    const struct trade *trade = last_trade(c, s->symbol);
    const struct request_done *set = last_set(c, s->symbol);
    bool by_trade = trade != NULL && (set == NULL || set->at_us < trade->closed_us) &&
                    s->cooldown_until_us <= trade->closed_us + cooldown_us;
    if (set != NULL && !by_trade) {
        reply_more(r, "\n  set by {} at {}", cell_text(set->by), cell_time(set->at_us, 0));
        json_out_text(data, "cause", "person");
        json_out_text(data, "by", set->by);
    } else if (trade != NULL) {
        const char *word = trade->pnl.e8 < 0 ? "loss" : trade->pnl.e8 > 0 ? "win" : "trade";
        reply_more(r, "\n  after a {} of {} ({}) at {}", cell_text(word),
                   cell_money_signed(trade->pnl), cell_text(trade->exit_reason),
                   cell_time(trade->closed_us, 0));
        json_out_text(data, "cause", "trade");
        json_out_i64(data, "trade_id", trade->id);
        json_out_dec(data, "pnl", trade->pnl);
        json_out_text(data, "exit_reason", trade->exit_reason);
    }
}

static int show_cooldowns(struct desk *desk, struct reply *r, struct symbol scope)
{
    const struct snapshot *s = desk_read(desk, r);
    AUTO_FREE struct causes *causes = read_causes(desk, s->market_us);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    int count = 0;
    json_out_array(&data, "cooldown_list");
    for (int i = 0; i < s->risk.symbol_count; i++) {
        const struct snapshot_symbol *symbol = &s->risk.symbols[i];
        if (symbol->cooldown_until_us <= s->market_us || !desk_in_scope(scope, symbol->symbol)) {
            continue;
        }
        reply_para(r, "{} no entries for {}, until {}", cell_symbol(symbol->symbol.name),
                   cell_duration(symbol->cooldown_until_us - s->market_us),
                   cell_time(symbol->cooldown_until_us, 0));
        json_out_object(&data, NULL);
        json_out_text(&data, "symbol", symbol->symbol.name);
        json_out_time(&data, "until", symbol->cooldown_until_us);
        show_cause(r, &data, causes, symbol, s->risk.cooldown_us);
        json_out_end(&data);
        count++;
    }
    json_out_end(&data);
    if (s->risk.cooldown_us > 0) {
        reply_para(r, "After each trade its symbol rests for {} (risk.cooldown).",
                   cell_duration(s->risk.cooldown_us));
    } else {
        reply_line(r, "risk.cooldown is 0: no cooldown follows a trade.");
    }
    desk_market_line(r, s);
    return count;
}

static int cooldowns(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct symbol scope = action_symbol(call, "symbol");
    if (desk_read(desk, r)->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "cooldown");
    }
    int count = show_cooldowns(desk, r, scope);
    if (count > 0) {
        reply_title(r, TONE_PLAIN, "%d symbol%s in cooldown", count, count == 1 ? "" : "s");
        reply_button(r, "Risk", "/risk", BUTTON_PLAIN);
    } else {
        reply_title(r, TONE_PLAIN,
                    scope.name[0] == '\0' ? "No symbol is in cooldown"
                                          : "This symbol is not in cooldown");
    }
    return ACTION_DONE;
}

/* ------------------------------------------------------------------------------ set and lift */

static bool set_done(struct desk *desk, struct pending *p)
{
    struct reply *r = action_reply(p->call);
    const struct snapshot *s = desk_read(desk, r);
    if (s->version <= p->version) {
        return false; /* of a step before the request */
    }
    reply_title(r, TONE_GOOD, "%s: no entries", p->asked.symbol.name);
    (void)show_cooldowns(desk, r, p->asked.symbol);
    desk_finish(p, NULL);
    return true;
}

static int set_cooldown(struct action_call *call, struct err *err)
{
    const struct request draft = {.kind = REQUEST_COOLDOWN,
                                  .symbol = action_symbol(call, "symbol"),
                                  .number = action_duration_us(call, "for")};
    return desk_ask(action_userdata(call), call, &draft, set_done, err);
}

static bool lift_done(struct desk *desk, struct pending *p)
{
    struct reply *r = action_reply(p->call);
    bool all = p->asked.symbol.name[0] == '\0';
    (void)desk_read(desk, r);
    reply_title(r, TONE_GOOD, "%s may be entered again",
                all ? "All symbols" : p->asked.symbol.name);
    reply_line(r, "The other limits are in force: /limits");
    desk_finish(p, NULL);
    return true;
}

static int lift_cooldown(struct action_call *call, struct err *err)
{
    const struct request draft = {.kind = REQUEST_COOLDOWN,
                                  .symbol = action_symbol(call, "symbol")};
    return desk_ask(action_userdata(call), call, &draft, lift_done, err);
}

static int preview_lift(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct symbol scope = action_symbol(call, "symbol");
    const struct snapshot *s = desk_read(desk, r);
    int count = 0;
    for (int i = 0; i < s->risk.symbol_count; i++) {
        const struct snapshot_symbol *symbol = &s->risk.symbols[i];
        if (symbol->cooldown_until_us > s->market_us && desk_in_scope(scope, symbol->symbol)) {
            reply_para(r, "{} would rest for {} more", cell_symbol(symbol->symbol.name),
                       cell_duration(symbol->cooldown_until_us - s->market_us));
            count++;
        }
    }
    return count > 0 ? 0
                     : err_set(err, ERR_ENGINE_NO_COOLDOWN, "%s",
                               scope.name[0] == '\0' ? "all symbols" : scope.name);
}

const struct action action_cooldown_rows[] = {
    {.name = "trading.cooldowns",
     .summary = "Symbols in cooldown: why, and until when",
     .data = DESK_AGE " cooldown_list",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params =
         ACTION_PARAMS({.name = "symbol", .type = PARAM_SYMBOL_OR_ALL, .help = "a symbol, or all"}),
     .run = cooldowns},
    {.name = "trading.cooldown_set",
     .summary = "No entries in a symbol for a while; a cooldown that lasts longer stays",
     .data = DESK_AGE " cooldown_list",
     .effect = ACTION_CHANGES,
     .waits_us = DESK_REQUEST_US,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS(
         {.name = "symbol", .type = PARAM_SYMBOL, .required = true, .help = "which symbol"},
         {.name = "for",
          .type = PARAM_DURATION,
          .required = true,
          .minimum = "1m",
          .maximum = "7d",
          .help = "how long, in market time"}),
     .run = set_cooldown,
     .cancel = desk_cancel,
     .recover = desk_recover},
    {.name = "trading.cooldown_lift",
     .summary = "End the cooldown of a symbol, or of all",
     .data = DESK_AGE,
     .effect = ACTION_CHANGES,
     .waits_us = DESK_REQUEST_US,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "symbol",
                              .type = PARAM_SYMBOL_OR_ALL,
                              .required = true,
                              .help = "a symbol, or all"}),
     .run = lift_cooldown,
     .cancel = desk_cancel,
     .recover = desk_recover,
     .preview = preview_lift},
    {0},
};

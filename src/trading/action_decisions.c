#include "base/check.h"
#include "desk_internal.h"
#include "model/model_json.h"
#include "store/decision_table.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_MAX   50
#define BUTTONS_MAX 6

static const char *market_word(enum regime regime)
{
    switch (regime) {
    case REGIME_NEUTRAL:
        return "–";
    case REGIME_TRENDING:
        return "trend";
    case REGIME_CHOPPY:
        return "chop";
    }
    return "–";
}

static const char *outcome_word(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_HOLD:
        return "hold";
    case OUTCOME_VETOED:
        return "veto";
    case OUTCOME_ORDER:
        return "order";
    }
    return "–";
}

/* Six short columns, so that a phone does not wrap them; a new day starts with a row of its own. */
static void add_rows(struct reply *r, const struct decision *list, int count)
{
    int64_t day = -1;
    reply_columns(r, "UTC", "symbol", "mkt", "score", "need", "end");
    for (int i = 0; i < count; i++) {
        const struct decision *d = &list[i];
        if (day >= 0 && d->at_us / USEC_PER_DAY != day) {
            reply_cells(r, cell_day(d->at_us), cell_text(""), cell_text(""), cell_text(""),
                        cell_text(""), cell_text(""));
        }
        day = d->at_us / USEC_PER_DAY;
        reply_cells(r, cell_clock(d->at_us), cell_symbol(d->symbol.name),
                    cell_text(market_word(d->regime)), cell_number_signed(d->score, 2),
                    cell_number(d->threshold, 2), cell_text(outcome_word(d->outcome)));
    }
}

/* The count of each veto code, in a line: the codes are too long for a column. */
static void add_vetoes(struct reply *r, const struct decision *list, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++) {
        int same = 0;
        bool skip = list[i].outcome != OUTCOME_VETOED; /* or its code was added before */
        for (int k = 0; k < count && !skip; k++) {
            bool is_same = strcmp(list[k].veto_code, list[i].veto_code) == 0;
            skip = is_same && k < i;
            same += is_same;
        }
        if (!skip && !any) {
            reply_line(r, "Vetoes: ");
        }
        if (!skip) {
            reply_more(r, "{}{} × {}", cell_text(any ? ", " : ""), cell_count(same),
                       cell_text(list[i].veto_code));
            any = true;
        }
    }
}

/* Buttons to the decisions that were not "hold"; if there are none, to the newest decision. */
static void add_buttons(struct reply *r, const struct decision *list, int count)
{
    int added = 0;
    for (int i = 0; i < count && added < BUTTONS_MAX; i++) {
        const struct decision *d = &list[i];
        if (d->outcome == OUTCOME_HOLD) {
            continue;
        }
        AUTO_BUF struct buf text = BUF_INIT(64);
        AUTO_BUF struct buf command = BUF_INIT(64);
        cell_add_text(&text, cell_clock(d->at_us));
        buf_addf(&text, " %s", d->symbol.name);
        buf_addf(&command, "/why d%lld", (long long)d->id);
        view_button(r, added++, text.data, command.data);
    }
    if (added == 0) {
        reply_button(r, "Why", "/why", BUTTON_PLAIN);
    }
}

/* Arguments: a symbol, a count, or both in this order. */
static void read_args(const struct action_call *call, struct decision_query *ret_query,
                      int64_t *ret_count)
{
    const struct arg_value *what = action_value(call, "what");
    *ret_count = action_int(call, "count");
    if (what != NULL && what->type == PARAM_INT) {
        *ret_count = what->number;
    } else if (what != NULL) {
        ret_query->symbol = value_symbol(what);
    }
}

static int show_decisions(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    struct decision_query query = {0};
    int64_t count;
    int rc = desk_need_store(desk, action_reply(call), err);
    if (rc < 0) {
        return rc;
    }
    read_args(call, &query, &count);
    AUTO_FREE struct decision *list = calloc((size_t)count, sizeof(*list));
    ASSERT(list != NULL);
    int n = decision_table_list(desk->o.trading, &query, list, (size_t)count, err);
    if (n < 0) {
        return n;
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "decisions");
    for (int i = 0; i < n; i++) {
        json_out_object(&data, NULL);
        model_json_decision(&data, &list[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
    if (n == 0) {
        reply_title(r, TONE_PLAIN, "No decisions yet%s%s",
                    query.symbol.name[0] != '\0' ? " for " : "", query.symbol.name);
        return ACTION_DONE;
    }
    reply_title(r, TONE_PLAIN, n == 1 ? "Last decision" : "Last %d decisions", n);
    add_rows(r, list, n);
    add_vetoes(r, list, n);
    add_buttons(r, list, n);
    desk_market_line(r, desk_read(desk, r));
    return ACTION_DONE;
}

/* Also one that is not traded any more. */
static const struct action_param any_symbol = {.type = PARAM_SYMBOL, .unlisted = true};

const struct action action_decisions_rows[] = {
    {.name = "trading.decisions",
     .summary = "Newest decisions and their outcomes, for all symbols or one",
     .data = DESK_AGE " decisions",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .maximum = PARAM_BOUND(COUNT_MAX),
                              .otherwise = &any_symbol,
                              .noun = "a symbol or the number of decisions",
                              .help = "a symbol, or how many"},
                             {.name = "count",
                              .type = PARAM_INT,
                              .default_text = "10",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(COUNT_MAX),
                              .help = "how many"}),
     .run = show_decisions},
    {0},
};

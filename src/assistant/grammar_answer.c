/* From a question that is understood to the command that answers it, or to what is still open. */
#include "base/check.h"
#include "base/clock.h"
#include "grammar_internal.h"
#include "io/json_out.h"

#include <stdio.h>
#include <string.h>

#define TRADES_SHOWN 10
#define TRADES_MOST  50 /* of trading.trades */
#define PREDICT      2  /* in grammar_agents */

/* ------------------------------------------------------------------ the answer */

static void add_scope(const struct lexemes *l, const struct query *q, struct buf *out)
{
    const struct grammar_context *c = l->context;
    static const char *const groups[GROUPS] = {
        "",       "by coin",  "by exit reason", "by side",   "by hour of the day",
        "by day", "by agent", "by regime",      "by reason", "by service"};
    for (int i = 0; i < q->symbol_count; i++) {
        buf_addf(out, "%s%s", i > 0 ? " and " : " of ", c->symbols[q->symbols[i]].name);
    }
    if (q->agent >= 0) {
        buf_addf(out, " of %s", grammar_agents[q->agent]);
    }
    if (q->service >= 0) {
        buf_addf(out, " of %s", c->services[q->service]);
    }
    if (q->side != 0) {
        buf_add_c(out, q->side > 0 ? ", long trades" : ", short trades");
    }
    if (q->by != GROUP_NONE) {
        buf_addf(out, ", %s", groups[q->by]);
    }
}

static void set_understood(const struct lexemes *l, const struct query *q, const char *title,
                           struct grammar_reading *ret)
{
    AUTO_BUF struct buf out = BUF_INIT(GRAMMAR_TEXT_SIZE - 1);
    AUTO_BUF struct buf mended = BUF_INIT(160);
    buf_addf(&out, "%s%s", q->why && !q->shown ? "what made up " : "", title);
    add_scope(l, q, &out);
    if (q->span.given) {
        buf_add_c(&out, ", ");
        period_describe(l->context, &q->span, &out);
    } else if (q->measure != MEASURE_NONE) {
        buf_add_c(&out, ", now");
    }
    if (q->versus.given) {
        buf_add_c(&out, ", compared with ");
        period_describe(l->context, &q->versus, &out);
    }
    lexemes_mended(l, &mended);
    if (mended.len > 0) {
        buf_addf(&out, "; read %s", mended.data);
    }
    (void)str_copy(buf_str(&out), ret->understood, sizeof(ret->understood));
}

static void add_span(struct json_out *out, const char *from, const char *to,
                     const struct grammar_span *span)
{
    if (span->given && span->trades == 0) {
        json_out_time(out, from, span->all ? ALL_FROM_US : span->from_us);
        json_out_time(out, to, span->to_us);
    }
}

static const char *group_word(enum group group)
{
    static const char *const words[GROUPS] = {"none", "symbol", "exit",   "side", "hour",
                                              "day",  "agent",  "regime", "code", "service"};
    return words[group];
}

static enum grammar_kind answer(struct grammar_reading *ret, const char *command, struct buf *args)
{
    ret->kind = GRAMMAR_ANSWER;
    (void)str_copy(str_c(command), ret->command, sizeof(ret->command));
    ASSERT(str_copy(buf_str(args), ret->args, sizeof(ret->args)));
    return ret->kind;
}

static enum grammar_kind answer_measure(const struct lexemes *l, const struct query *q,
                                        struct grammar_reading *ret)
{
    const struct measure_info *info = measure_info(q->measure);
    const struct grammar_context *c = l->context;
    AUTO_BUF struct buf args = BUF_INIT(GRAMMAR_ARGS_SIZE - 1);
    struct json_out out = JSON_OUT(&args);
    json_out_object(&out, NULL);
    json_out_text(&out, "measure", info->word);
    if (q->symbol_count > 0) {
        json_out_text(&out, "symbol", c->symbols[q->symbols[0]].name);
    }
    if (q->symbol_count > 1) {
        json_out_text(&out, "versus_symbol", c->symbols[q->symbols[1]].name);
    }
    if (info->services && q->service >= 0) {
        json_out_text(&out, "service", c->services[q->service]);
    }
    if (q->agent >= 0) {
        json_out_text(&out, "agent", grammar_agents[q->agent]);
    }
    if (q->side != 0) {
        json_out_text(&out, "side", q->side > 0 ? "long" : "short");
    }
    add_span(&out, "from", "to", &q->span);
    if (q->span.trades > 0) {
        json_out_i64(&out, "last", q->span.trades);
    }
    add_span(&out, "versus_from", "versus_to", &q->versus);
    if (q->by != GROUP_NONE) {
        json_out_text(&out, "by", group_word(q->by));
    }
    if (q->rank != 0) {
        json_out_text(&out, "order", q->rank > 0 ? "best" : "worst");
    }
    if (q->why) {
        json_out_text(&out, "why", "yes");
    }
    if (q->premise[0] != '\0' && !info->wall) {
        json_out_text(&out, "premise", q->premise);
    }
    json_out_end(&out);
    set_understood(l, q, info->title, ret);
    return answer(ret, info->wall ? "measure_ops" : "measure", &args);
}

/* A command with at most one argument. */
static enum grammar_kind answer_show(const struct lexemes *l, const struct query *q,
                                     const char *command, const char *title, const char *param,
                                     const char *text, int64_t number, struct grammar_reading *ret)
{
    AUTO_BUF struct buf args = BUF_INIT(GRAMMAR_ARGS_SIZE - 1);
    struct json_out out = JSON_OUT(&args);
    json_out_object(&out, NULL);
    if (param != NULL && text != NULL) {
        json_out_text(&out, param, text);
    } else if (param != NULL) {
        json_out_i64(&out, param, number);
    }
    json_out_end(&out);
    set_understood(l, q, title, ret);
    return answer(ret, command, &args);
}

static const struct {
    const char *command;
    const char *title;
} shows[SHOWS] = {[SHOW_POSITIONS] = {"positions", "open positions"},
                  [SHOW_BALANCE] = {"balance", "balance"},
                  [SHOW_ORDERS] = {"orders", "orders"},
                  [SHOW_STATUS] = {"status", "status"},
                  [SHOW_SERVICES] = {"services", "services"},
                  [SHOW_ALERTS] = {"alerts", "open alerts"},
                  [SHOW_FINDINGS] = {"findings", "findings"},
                  [SHOW_RISK] = {"risk", "risk"},
                  [SHOW_LIMITS] = {"limits", "limits"},
                  [SHOW_COOLDOWNS] = {"cooldown", "cooldowns"},
                  [SHOW_RULES] = {"rules", "trading rules"},
                  [SHOW_INCIDENTS] = {"incidents", "incidents"},
                  [SHOW_RUNS] = {"runs", "commands"},
                  [SHOW_VERSION] = {"version", "version"},
                  [SHOW_LOGS] = {"logs", "log"},
                  [SHOW_WHY] = {"why", "reasons"}};

/* ------------------------------------------------------------------ clarifying */

static enum grammar_kind ask_period(const struct lexemes *l, struct grammar_reading *ret)
{
    ret->kind = GRAMMAR_CLARIFY;
    (void)str_copy(STR_LIT("For which period?"), ret->message, sizeof(ret->message));
    grammar_reword(l, -1, "today", "Today", ret);
    grammar_reword(l, -1, "yesterday", "Yesterday", ret);
    grammar_reword(l, -1, "in the last 7 days", "Last 7 days", ret);
    grammar_reword(l, -1, "in the last 30 days", "Last 30 days", ret);
    grammar_reword(l, -1, "of all time", "All time", ret);
    return ret->kind;
}

/* ------------------------------------------------------------------ deciding */

static enum grammar_kind decide_show(const struct lexemes *l, const struct query *q,
                                     struct grammar_reading *ret)
{
    const char *command = shows[q->show].command, *title = shows[q->show].title;
    const char *service = q->service >= 0 ? l->context->services[q->service] : NULL;
    const char *symbol = q->symbol_count > 0 ? l->context->symbols[q->symbols[0]].name : NULL;
    bool of_symbol = q->show == SHOW_WHY || q->show == SHOW_COOLDOWNS;
    bool of_service = q->show == SHOW_SERVICES || q->show == SHOW_LOGS;
    /* "Which coins are in cooldown": each has a row. */
    bool by_rows = q->by == GROUP_SYMBOL && q->rank == 0 &&
                   (q->show == SHOW_COOLDOWNS || q->show == SHOW_POSITIONS);
    bool odd = q->span.given || q->versus.given || q->side != 0 || q->agent >= 0 ||
               (q->by != GROUP_NONE && !by_rows) || q->rank != 0 || q->symbol_count > 1 ||
               (q->symbol_count > 0 && !of_symbol && q->show != SHOW_POSITIONS) ||
               (service != NULL && !of_service);
    if (q->show == SHOW_WHY && q->row > 0 && !odd) {
        return answer_show(l, q, command, title, "what", NULL, q->row, ret);
    }
    if (odd || (q->show == SHOW_WHY && (symbol == NULL || !q->why)) ||
        (q->why && q->show != SHOW_WHY) || (q->show == SHOW_LOGS && service == NULL)) {
        return grammar_unknown(q, l, "That cannot be answered from the data as it was asked.", ret);
    }
    if (q->show == SHOW_WHY) {
        return answer_show(l, q, command, title, "what", symbol, 0, ret);
    }
    if (q->show == SHOW_COOLDOWNS && symbol != NULL) {
        return answer_show(l, q, command, title, "symbol", symbol, 0, ret);
    }
    return answer_show(l, q, command, title, service != NULL ? "service" : NULL, service, 0, ret);
}

static bool fits(const struct query *q, const struct measure_info *info)
{
    return (info->symbols || q->symbol_count == 0) && (info->sides || q->side == 0) &&
           (info->agents || q->agent < 0) && (info->services || q->service < 0) &&
           (info->trades || q->span.trades == 0) &&
           (q->by == GROUP_NONE || (info->groups & 1u << q->by) != 0) &&
           (q->rank == 0 || (info->ranks && q->by != GROUP_NONE)) &&
           !(q->versus.given && q->by != GROUP_NONE) &&
           !(q->symbol_count > 1 && (q->by != GROUP_NONE || q->why));
}

/* What is known without a period, as it is now. */
static bool decide_now(const struct lexemes *l, const struct query *q, struct grammar_reading *ret)
{
    static const struct {
        enum measure measure;
        enum show show;
    } present[] = {{MEASURE_EQUITY, SHOW_BALANCE},
                   {MEASURE_EXPOSURE, SHOW_RISK},
                   {MEASURE_ALERTS, SHOW_ALERTS},
                   {MEASURE_FINDINGS, SHOW_FINDINGS},
                   {MEASURE_INCIDENTS, SHOW_INCIDENTS}};
    bool plain = !q->span.given && q->symbol_count == 0 && q->by == GROUP_NONE && !q->why &&
                 q->service < 0 && q->side == 0 && q->agent < 0 && q->rank == 0;
    for (size_t i = 0; i < COUNT_OF(present); i++) {
        if (q->measure == present[i].measure && plain) {
            struct query show = *q;
            show.measure = MEASURE_NONE;
            (void)answer_show(l, &show, shows[present[i].show].command,
                              shows[present[i].show].title, NULL, NULL, 0, ret);
            return true;
        }
    }
    return false;
}

static enum grammar_kind decide_measure(const struct lexemes *l, struct query *q,
                                        struct grammar_reading *ret)
{
    if (decide_now(l, q, ret)) {
        return ret->kind;
    }
    if (q->measure == MEASURE_EXPOSURE) {
        return grammar_unknown(
            q, l, "Exposure is known as it is now, not over time: ask \"exposure\".", ret);
    }
    const struct measure_info *info = measure_info(q->measure);
    /* The highest of what is itself the extreme of a period. */
    if (q->by == GROUP_NONE && q->rank == 2 &&
        (q->measure == MEASURE_DRAWDOWN || q->measure == MEASURE_STREAK ||
         q->measure == MEASURE_SLIPPAGE || q->measure == MEASURE_EXTREMES)) {
        q->rank = 0;
    }
    bool listed = q->measure == MEASURE_TRADES && q->measure_at < 0 && q->symbol_count == 0 &&
                  q->side == 0 && q->agent < 0 && q->by == GROUP_NONE && !q->versus.given &&
                  !q->why;
    if (listed && (!q->span.given || (q->span.trades > 0 && q->span.trades <= TRADES_MOST))) {
        return answer_show(l, q, "trades", "trades", "count", NULL,
                           q->span.given ? q->span.trades : TRADES_SHOWN, ret);
    }
    if (!fits(q, info)) {
        char message[GRAMMAR_TEXT_SIZE];
        (void)snprintf(message, sizeof(message), "The %s cannot be told apart like that.",
                       info->title);
        return grammar_unknown(q, l, message, ret);
    }
    if (q->why && q->measure != MEASURE_PROFIT && q->measure != MEASURE_DRAWDOWN &&
        q->measure != MEASURE_SUMMARY && q->measure != MEASURE_EQUITY &&
        q->measure != MEASURE_FEES) {
        return grammar_unknown(q, l, "The figures cannot say why. Ask for them without \"why\".",
                               ret);
    }
    if (q->why && (q->measure == MEASURE_SUMMARY || q->measure == MEASURE_EQUITY)) {
        q->measure = MEASURE_PROFIT;
    }
    if (!q->span.given && !(info->now && q->by == GROUP_NONE)) {
        return ask_period(l, ret);
    }
    return answer_measure(l, q, ret);
}

enum grammar_kind grammar_answer(const struct lexemes *l, struct query *q,
                                 struct grammar_reading *ret)
{
    if (q->shown) {
        return decide_show(l, q, ret);
    }
    if (q->measure == MEASURE_ACCURACY && q->agent < 0 && q->by == GROUP_NONE) {
        q->agent = PREDICT;
    }
    return decide_measure(l, q, ret);
}

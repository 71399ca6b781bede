/* One question, from its words to what answers it. */
#include "assistant/grammar.h"

#include "base/check.h"
#include "base/clock.h"
#include "grammar_internal.h"
#include "io/json_out.h"
#include "io/zone.h"
#include "model/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ context and reading */

void grammar_context_fill(struct grammar_context *ret, const struct grammar_sources *sources)
{
    const struct config *config = sources->config;
    const struct snapshot *s = sources->snapshot;
    const char *zone = config->alerts_timezone;
    *ret =
        (struct grammar_context){.wall_us = clock_wall_us(sources->clock), .zone = sources->zone};
    ret->market_us = s != NULL && s->version > 0 ? s->market_us : ret->wall_us;
    zone_label(sources->zone, zone == NULL ? "" : zone, ret->wall_us, ret->zone_name);
    if (sources->zone == NULL) {
        (void)str_copy(STR_LIT("UTC"), ret->zone_name, sizeof(ret->zone_name));
    }
    for (int i = 0; i < config->market_symbols.count && i < SYMBOLS_LIMIT; i++) {
        ret->symbols[ret->symbol_count++] = config->market_symbols.items[i];
    }
    for (int i = 0; i < config->service_count && i < CONFIG_SERVICES_MAX; i++) {
        ret->services[ret->service_count++] = config->services[i].name;
    }
}

struct grammar_reading *grammar_reading_new(void)
{
    struct grammar_reading *reading = calloc(1, sizeof(*reading));
    NEED_MEMORY(reading != NULL);
    return reading;
}

void grammar_reading_free(struct grammar_reading *reading)
{
    free(reading);
}

void grammar_choice(struct grammar_reading *reading, const char *label, const char *question)
{
    if (reading->choice_count < GRAMMAR_CHOICES_MAX) {
        struct grammar_choice *choice = &reading->choices[reading->choice_count++];
        str_cut(str_c(label), choice->label, sizeof(choice->label));
        str_cut(str_c(question), choice->question, sizeof(choice->question));
    }
}

/* ------------------------------------------------------------------ rewording */

/* The question without one of its lexemes, or with other words in its place. */
static void reworded(const struct lexemes *l, int without, const char *instead, struct buf *out)
{
    for (int i = 0; i < l->count; i++) {
        const struct lexeme *lexeme = &l->items[i];
        if (i == without) {
            buf_addf(out, "%s%s", out->len > 0 && instead[0] != '\0' ? " " : "", instead);
            continue;
        }
        for (int w = lexeme->first; w <= lexeme->last; w++) {
            buf_addf(out, "%s%s", out->len > 0 ? " " : "", l->words.items[w].text);
        }
    }
}

void grammar_reword(const struct lexemes *l, int without, const char *words, const char *label,
                    struct grammar_reading *ret)
{
    AUTO_BUF struct buf out = BUF_INIT(GRAMMAR_CHOICE_SIZE - 1);
    reworded(l, without, words, &out);
    if (without < 0) {
        buf_addf(&out, " %s", words);
    }
    if (!buf_failed(&out)) {
        grammar_choice(ret, label, out.data);
    }
}

/* ------------------------------------------------------------------ not understood */

static void suggest(const struct query *q, const struct lexemes *l, struct grammar_reading *ret)
{
    char question[GRAMMAR_CHOICE_SIZE];
    if (q->measure != MEASURE_NONE && q->measure != MEASURE_EXPOSURE) {
        const struct measure_info *info = measure_info(q->measure);
        bool symbol = info->symbols && q->symbol_count > 0;
        const char *name = symbol ? l->context->symbols[q->symbols[0]].name : "";
        (void)snprintf(question, sizeof(question), "%s%s%s today", info->ask, symbol ? " of " : "",
                       name);
        grammar_choice(ret, question, question);
        (void)snprintf(question, sizeof(question), "%s%s%s in the last 7 days", info->ask,
                       symbol ? " of " : "", name);
        grammar_choice(ret, question, question);
        return;
    }
    grammar_choice(ret, "Profit today", "profit today");
    grammar_choice(ret, "Win rate, 7 days", "win rate in the last 7 days");
    grammar_choice(ret, "Open positions", "open positions");
    grammar_choice(ret, "Services", "services");
}

enum grammar_kind grammar_unknown(const struct query *q, const struct lexemes *l,
                                  const char *message, struct grammar_reading *ret)
{
    ret->kind = GRAMMAR_UNKNOWN;
    str_cut(str_c(message), ret->message, sizeof(ret->message));
    suggest(q, l, ret);
    return ret->kind;
}

static enum grammar_kind unknown_words(const struct query *q, const struct lexemes *l,
                                       struct grammar_reading *ret)
{
    AUTO_BUF struct buf left = BUF_INIT(200);
    AUTO_BUF struct buf message = BUF_INIT(GRAMMAR_TEXT_SIZE - 1);
    if (lexemes_left(l, &left) > 0 && left.len > 0) {
        buf_addf(&message, "Not understood: %s.", left.data);
    } else {
        buf_add_c(&message, "Not understood.");
    }
    return grammar_unknown(q, l, message.data, ret);
}

/* ------------------------------------------------------------------ what is asked for */

/* Whether a lexeme of this kind is there, used or not. */
static bool has_any(const struct lexemes *l, enum lex lex)
{
    for (int i = 0; i < l->count; i++) {
        if (l->items[i].lex == lex) {
            return true;
        }
    }
    return false;
}

static void drop(struct lexemes *l, enum measure measure)
{
    for (int i = 0; i < l->count; i++) {
        if (l->items[i].lex == LEX_MEASURE && l->items[i].value == (int64_t)measure) {
            l->items[i].used = true;
        }
    }
}

/* Words that mean something on their own, and nothing beside another measure: "how did it do" and
 * "what did we lose" beside "win rate". */
static void drop_weaker(struct lexemes *l)
{
    bool seen[MEASURES] = {false};
    int kinds = 0;
    for (int i = 0; i < l->count; i++) {
        if (l->items[i].lex == LEX_MEASURE && !seen[l->items[i].value]) {
            seen[l->items[i].value] = true;
            kinds++;
        }
    }
    if (kinds > 1 && seen[MEASURE_SUMMARY]) {
        drop(l, MEASURE_SUMMARY);
    }
    if (seen[MEASURE_VETOES]) {
        drop(l, MEASURE_TRADES); /* "how many trades were vetoed" */
    }
    /* "How many trades did we make", "lose". */
    for (int i = 0; i < l->count && seen[MEASURE_TRADES]; i++) {
        static const char *const verbs[] = {"make", "made",   "making", "lose",
                                            "lost", "losing", "win",    "won"};
        struct lexeme *lexeme = &l->items[i];
        for (size_t k = 0; k < COUNT_OF(verbs); k++) {
            lexeme->used |= lexeme->lex == LEX_MEASURE && lexeme->value == MEASURE_PROFIT &&
                            strcmp(l->words.items[lexeme->first].text, verbs[k]) == 0;
        }
    }
}

/* "On average" is a part of some measures, and makes another one of the profit. */
static void take_mean(struct lexemes *l, struct query *q)
{
    bool part = q->measure == MEASURE_HELD || q->measure == MEASURE_SLIPPAGE ||
                q->measure == MEASURE_AVERAGE || q->measure == MEASURE_WIN_RATE ||
                q->measure == MEASURE_ACCURACY;
    if ((part || q->measure == MEASURE_PROFIT) && lexemes_take(l, LEX_MEAN, NULL)) {
        q->measure = q->measure == MEASURE_PROFIT ? MEASURE_AVERAGE : q->measure;
    }
}

/* Takes the measure. False: there are two, which is answered in ret. */
static bool take_measure(struct lexemes *l, struct query *q, struct grammar_reading *ret)
{
    drop_weaker(l);
    for (int i = 0; i < l->count; i++) {
        struct lexeme *lexeme = &l->items[i];
        if (lexeme->lex != LEX_MEASURE || lexeme->used) {
            continue;
        }
        if (q->measure == MEASURE_NONE || q->measure == (enum measure)lexeme->value) {
            lexeme->used = true;
            q->measure_at = q->measure == MEASURE_NONE ? i : q->measure_at;
            q->measure = (enum measure)lexeme->value;
            continue;
        }
        ret->kind = GRAMMAR_CLARIFY;
        (void)snprintf(ret->message, sizeof(ret->message), "One thing at a time: which first?");
        const char *second = lexeme->value == MEASURE_EXPOSURE
                                 ? "exposure"
                                 : measure_info((enum measure)lexeme->value)->ask;
        const char *first =
            q->measure == MEASURE_EXPOSURE ? "exposure" : measure_info(q->measure)->ask;
        grammar_reword(l, i, "", first, ret);
        grammar_reword(l, q->measure_at, "", second, ret);
        return false;
    }
    return true;
}

static void take_show(struct lexemes *l, struct query *q)
{
    for (int i = 0; i < l->count; i++) {
        struct lexeme *lexeme = &l->items[i];
        if (lexeme->lex != LEX_SHOW || lexeme->used) {
            continue;
        }
        bool of_services = lexeme->value == SHOW_SERVICES &&
                           (q->measure == MEASURE_UPTIME || q->measure == MEASURE_OUTAGES);
        if (of_services) {
            q->by = GROUP_SERVICE;
            lexeme->used = true;
        } else if (q->measure == MEASURE_NONE && (!q->shown || q->show == lexeme->value)) {
            q->shown = true;
            q->show = (enum show)lexeme->value;
            lexeme->used = true;
        }
    }
}

static enum group group_of_unit(int64_t unit)
{
    return unit == UNIT_HOUR ? GROUP_HOUR : unit == UNIT_DAY ? GROUP_DAY : GROUP_NONE;
}

/* "by coin", "which coin", "best hour", "per day", "daily". */
static void take_groups(struct lexemes *l, struct query *q)
{
    int64_t value = 0;
    bool ranked = lexemes_take(l, LEX_RANK, &q->rank);
    if (lexemes_take(l, LEX_GROUP, &value)) {
        q->by = (enum group)value;
        (void)lexemes_take(l, LEX_BY, NULL);
        return;
    }
    for (int i = 0; i + 1 < l->count; i++) {
        struct lexeme *lead = &l->items[i], *unit = &l->items[i + 1];
        bool leads = lead->lex == LEX_BY || lead->lex == LEX_WHICH || lead->lex == LEX_RANK;
        if (leads && unit->lex == LEX_UNIT && !unit->used &&
            group_of_unit(unit->value) != GROUP_NONE) {
            q->by = group_of_unit(unit->value);
            lead->used = true;
            unit->used = true;
            return;
        }
        /* "by service" */
        if (lead->lex == LEX_BY && unit->lex == LEX_SHOW && unit->value == SHOW_SERVICES) {
            q->by = GROUP_SERVICE;
            lead->used = true;
            unit->used = true;
            return;
        }
    }
    (void)ranked;
}

static void take_symbols(struct lexemes *l, struct query *q)
{
    for (int i = 0; i < l->count; i++) {
        struct lexeme *lexeme = &l->items[i];
        if (lexeme->lex != LEX_SYMBOL || lexeme->used) {
            continue;
        }
        lexeme->used = true;
        bool again = q->symbol_count > 0 && q->symbols[0] == lexeme->value;
        if (again) {
            continue;
        }
        if (q->symbol_count == 2) {
            q->many_symbols = true;
            continue;
        }
        q->symbols[q->symbol_count++] = lexeme->value;
    }
    if (q->many_symbols) {
        q->symbol_count = 0;
        q->by = GROUP_SYMBOL;
    }
}

static void take_sides(struct lexemes *l, struct query *q)
{
    int64_t side = 0;
    while (lexemes_take(l, LEX_SIDE, &side)) {
        if (q->side != 0 && q->side != side) {
            q->side = 0;
            q->by = GROUP_SIDE;
            while (lexemes_take(l, LEX_SIDE, NULL)) {}
            return;
        }
        q->side = side;
    }
}

/* The place of "than" or "versus"; -1: none. *ret_prefix: "compare A and B". */
static int versus_at(struct lexemes *l, bool *ret_prefix)
{
    *ret_prefix = false;
    int at = -1;
    for (int i = 0; i < l->count; i++) {
        if (l->items[i].lex == LEX_VERSUS) {
            l->items[i].used = true;
            *ret_prefix |= l->items[i].value == 1;
            at = at < 0 || !*ret_prefix ? i : at;
        }
    }
    return at;
}

static int64_t now_of(const struct lexemes *l, const struct query *q)
{
    bool wall = q->measure != MEASURE_NONE && q->measure != MEASURE_EXPOSURE &&
                measure_info(q->measure)->wall;
    return wall ? l->context->wall_us : l->context->market_us;
}

static void take_periods(struct lexemes *l, struct query *q)
{
    bool prefix = false;
    int64_t now_us = now_of(l, q);
    int versus = versus_at(l, &prefix);
    int middle = versus < 0 || prefix ? l->count : versus;
    struct grammar_span right = {0};
    period_take(l, 0, middle, now_us, &q->span);
    period_take(l, middle < l->count ? middle : 0, l->count, now_us, &right);
    bool before = lexemes_take(l, LEX_BEFORE, NULL);
    q->span.unclear |= right.unclear;
    if (q->span.all && right.given && versus < 0) {
        q->span = right; /* "the total profit of this week" */
        right.given = false;
    }
    if (!q->span.given && right.given) {
        bool others = q->symbol_count > 1 || q->by != GROUP_NONE;
        if (versus < 0 || others || prefix) {
            q->span = right; /* "BTC vs ETH last week" */
        } else if (period_current(l->context, &right, now_us, &q->span)) {
            q->versus = right; /* "better than last week": this week */
        } else {
            q->span.unclear = true;
        }
    } else if (right.given) {
        q->versus = right;
    }
    q->before = before && q->span.given && q->span.trades == 0 && !q->span.all;
    q->span.unclear |= before && !q->before;
    if (versus >= 0 && !q->versus.given && !q->before && q->symbol_count < 2 &&
        q->by == GROUP_NONE) {
        q->span.unclear = true; /* compared with what? */
    }
    while (prefix && lexemes_take(l, LEX_TO, NULL)) {}
}

/* "is profit up this week?" is a comparison with the period before. */
static void take_trends(struct lexemes *l, struct query *q)
{
    bool compared = q->versus.given || q->before || q->symbol_count > 1 || q->by != GROUP_NONE;
    for (int i = 0; i < l->count; i++) {
        struct lexeme *lexeme = &l->items[i];
        if (lexeme->lex != LEX_TREND || lexeme->used || q->measure == MEASURE_NONE) {
            continue;
        }
        bool change = lexeme->value == 1 || lexeme->value == -1;
        bool down = lexeme->value < 0;
        if (q->why && change) {
            q->premise = down ? "down" : "up";
            /* "Why is profit down this week": from the week before. */
            q->before |= q->measure == MEASURE_PROFIT && q->measure_at >= 0 && !compared &&
                         q->span.given && q->span.trades == 0 && !q->span.all;
        }
        if (q->why || (change && compared)) {
            lexeme->used = true;
        } else if (change && q->measure_at >= 0 && q->span.given && q->span.trades == 0 &&
                   !q->span.all) {
            lexeme->used = true;
            q->before = true;
            compared = true;
        }
    }
    if (q->before && !q->versus.given) {
        period_before(l->context, &q->span, &q->versus);
    }
}

/* ------------------------------------------------------------------ what is implied */

/* "is prediction up?", "was prediction down yesterday?" */
static void imply_service(struct lexemes *l, struct query *q)
{
    struct lexeme *trend = lexemes_find(l, LEX_TREND);
    if (q->measure != MEASURE_NONE || q->service < 0 || q->why) {
        return;
    }
    if (trend != NULL && (trend->value == 1 || trend->value == -1)) {
        trend->used = true;
        q->shown = true;
        q->show = SHOW_SERVICES;
    }
}

/* "How much BTC do we have?" */
static bool asks_what_is_held(const struct lexemes *l)
{
    for (int i = 0; i < l->count; i++) {
        if (l->items[i].lex == LEX_NOW && l->items[i].value == 1) {
            return true;
        }
    }
    return false;
}

static void imply_measure(const struct lexemes *l, struct query *q)
{
    if (q->measure != MEASURE_NONE || q->shown) {
        return;
    }
    if (q->symbol_count > 0 && !q->span.given && asks_what_is_held(l)) {
        q->shown = true;
        q->show = SHOW_POSITIONS;
        return;
    }
    if (q->rank != 0 && q->by != GROUP_NONE) {
        q->measure = q->by == GROUP_AGENT ? MEASURE_ACCURACY : MEASURE_PROFIT;
    } else if (has_any(l, LEX_TRADES) && q->row == 0) {
        q->measure = MEASURE_TRADES;
    } else if ((q->symbol_count > 0 || q->span.given || q->agent >= 0 || q->side != 0 ||
                q->by != GROUP_NONE) &&
               q->service < 0) {
        q->measure = MEASURE_SUMMARY;
    }
}

/* Beside a measure these words only say what it is of. */
static void take_idle(struct lexemes *l, const struct query *q)
{
    while (lexemes_take(l, LEX_NOW, NULL)) {}
    while (lexemes_take(l, LEX_AND, NULL)) {}
    while (q->measure != MEASURE_NONE && !measure_info(q->measure)->wall &&
           lexemes_take(l, LEX_TRADES, NULL)) {}
    while (q->measure != MEASURE_NONE && q->by != GROUP_NONE && lexemes_take(l, LEX_BY, NULL)) {}
}

/* ------------------------------------------------------------------ one question */

static enum grammar_kind ask_symbol(const struct lexemes *l, struct grammar_reading *ret)
{
    ret->kind = GRAMMAR_CLARIFY;
    (void)str_copy(STR_LIT("Which symbol?"), ret->message, sizeof(ret->message));
    for (int i = 0; i < l->unclear_count; i++) {
        grammar_reword(l, l->unclear, l->unclear_symbols[i].name, l->unclear_symbols[i].name, ret);
    }
    return ret->kind;
}

static enum grammar_kind ask_what(struct grammar_reading *ret, const char *message)
{
    ret->kind = GRAMMAR_CLARIFY;
    (void)str_copy(str_c(message), ret->message, sizeof(ret->message));
    grammar_choice(ret, "Profit today", "profit today");
    grammar_choice(ret, "Last 7 days", "performance in the last 7 days");
    grammar_choice(ret, "Open positions", "open positions");
    grammar_choice(ret, "Drawdown", "drawdown");
    grammar_choice(ret, "Services", "services");
    grammar_choice(ret, "Open alerts", "open alerts");
    return ret->kind;
}

/* "Why did we lose" and "did we lose" take a loss for granted. */
static void take_premise(const struct lexemes *l, struct query *q)
{
    static const char *const losses[] = {"lose", "lost", "losing", "loses", "loss"};
    static const char *const gains[] = {"make",   "made",  "earn", "earned",     "gain",
                                        "gained", "makes", "win",  "profitable", "won"};
    if (q->measure != MEASURE_PROFIT || q->measure_at < 0) {
        return;
    }
    const char *word = l->words.items[l->items[q->measure_at].first].text;
    for (size_t i = 0; i < COUNT_OF(losses); i++) {
        q->premise = strcmp(word, losses[i]) == 0 ? "loss" : q->premise;
    }
    for (size_t i = 0; i < COUNT_OF(gains) && q->why; i++) {
        q->premise = strcmp(word, gains[i]) == 0 ? "gain" : q->premise;
    }
}

/* "why did trade 12 lose", "show trade 12" */
static void take_row(struct lexemes *l, struct query *q)
{
    for (int i = 0; i + 1 < l->count; i++) {
        if (l->items[i].lex == LEX_TRADES && l->items[i].first == l->items[i].last &&
            strcmp(l->words.items[l->items[i].first].text, "trade") == 0 &&
            l->items[i + 1].lex == LEX_NUMBER && l->items[i + 1].value > 0) {
            q->row = l->items[i + 1].value;
            l->items[i].used = true;
            l->items[i + 1].used = true;
            if (q->measure == MEASURE_PROFIT || q->measure == MEASURE_NONE) {
                q->measure = MEASURE_NONE;
                q->shown = true;
                q->show = SHOW_WHY;
            }
            return;
        }
    }
}

/* Words that nothing can make understood; what is near still has the measure and the coin. */
static enum grammar_kind unknown_at_once(struct query *q, struct lexemes *l,
                                         struct grammar_reading *ret)
{
    for (int i = 0; i < l->count; i++) {
        struct lexeme *lexeme = &l->items[i];
        if (lexeme->lex == LEX_MEASURE && q->measure == MEASURE_NONE) {
            q->measure = (enum measure)lexeme->value;
        }
        if (lexeme->lex == LEX_SYMBOL && q->symbol_count == 0) {
            q->symbols[q->symbol_count++] = lexeme->value;
        }
        lexeme->used = lexeme->lex != LEX_UNKNOWN && lexeme->lex != LEX_NOT;
    }
    return unknown_words(q, l, ret);
}

static enum grammar_kind read_question(struct lexemes *l, struct grammar_reading *ret)
{
    struct query q = {.measure_at = -1, .agent = -1, .service = -1, .premise = ""};
    bool vague = lexemes_take(l, LEX_VAGUE, NULL);
    if (lexemes_take(l, LEX_HELP, NULL) && lexemes_left(l, &(struct buf)BUF_INIT(0)) == 0) {
        return ask_what(ret, "Ask about profit, win rate, drawdown, fees, trades, predictions, "
                             "services, alerts, audits or costs, of a coin and of a period.");
    }
    if (l->unclear_count > 1) {
        return ask_symbol(l, ret);
    }
    if (has_any(l, LEX_UNKNOWN) || has_any(l, LEX_NOT)) {
        return unknown_at_once(&q, l, ret);
    }
    q.why = lexemes_take(l, LEX_WHY, NULL);
    if (!take_measure(l, &q, ret)) {
        return ret->kind;
    }
    take_premise(l, &q);
    take_mean(l, &q);
    take_row(l, &q);
    take_show(l, &q);
    (void)lexemes_take(l, LEX_AGENT, &q.agent);
    (void)lexemes_take(l, LEX_SERVICE, &q.service);
    take_groups(l, &q);
    take_symbols(l, &q);
    take_sides(l, &q);
    imply_service(l, &q);
    take_periods(l, &q);
    if (q.shown && q.show == SHOW_SERVICES && q.span.given) {
        q.shown = false; /* "was prediction down yesterday?" */
        q.measure = MEASURE_OUTAGES;
        q.by = q.service < 0 ? GROUP_SERVICE : q.by;
        /* Its times are wall time. */
        int64_t shift = l->context->wall_us - l->context->market_us;
        if (shift != 0) {
            return grammar_unknown(&q, l, "Ask for outages of a service in so many hours or days.",
                                   ret);
        }
    }
    imply_measure(l, &q);
    take_trends(l, &q);
    take_idle(l, &q);
    if (vague && !q.span.given && q.symbol_count == 0 && q.measure == MEASURE_NONE && !q.shown) {
        AUTO_BUF struct buf left = BUF_INIT(200);
        return lexemes_left(l, &left) > 0 ? unknown_words(&q, l, ret)
                                          : ask_what(ret, "What do you want to know?");
    }
    AUTO_BUF struct buf left = BUF_INIT(200);
    if (lexemes_left(l, &left) > 0 || (q.measure == MEASURE_NONE && !q.shown)) {
        return unknown_words(&q, l, ret);
    }
    if (q.span.unclear || q.versus.unclear) {
        return grammar_unknown(&q, l, "The period is not clear.", ret);
    }
    return grammar_answer(l, &q, ret);
}

enum grammar_kind grammar_read(const struct grammar_context *context, struct str question,
                               struct grammar_reading *ret)
{
    *ret = (struct grammar_reading){.kind = GRAMMAR_UNKNOWN};
    struct lexemes *l = calloc(1, sizeof(*l));
    NEED_MEMORY(l != NULL);
    struct query none = {.agent = -1, .service = -1, .premise = ""};
    lexemes_read(context, question, l);
    if (question.len > GRAMMAR_QUESTION_MAX || l->words.too_long || !str_is_utf8(question)) {
        (void)grammar_unknown(&none, l, "The question is too long to be read without a model.",
                              ret);
    } else if (!grammar_change(l, ret)) {
        for (int i = 0; i < l->count; i++) {
            l->items[i].used = false;
        }
        (void)read_question(l, ret);
    }
    free(l);
    return ret->kind;
}

#include "agents/execution.h"
#include "base/check.h"
#include "engine_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct rule_book *engine_rule_book(const struct engine *engine)
{
    return &engine->rules.book;
}

static void changed(struct engine *engine)
{
    engine->out->rules_changed = true;
    engine->out->write = true;
}

void engine_rules_restore(struct engine *engine, const struct rule_book *book)
{
    ASSERT(book->rule_count >= 0 && book->rule_count <= RULES_MAX && book->shadow_count >= 0 &&
           book->shadow_count <= SHADOWS_MAX);
    engine->rules.book = *book;
    for (int i = 0; i < book->rule_count; i++) {
        int rc =
            condition_compile(str_c(book->rules[i].condition), &engine->rules.programs[i], NULL);
        ASSERT(rc == 0);
    }
}

/* Not in the step that retires a rule, since its row has to be written first. */
void engine_rules_begin(struct engine *engine)
{
    struct engine_rules *rules = &engine->rules;
    int kept = 0;
    for (int i = 0; i < rules->book.rule_count; i++) {
        if (rules->book.rules[i].status == RULE_RETIRED) {
            continue;
        }
        if (kept != i) {
            rules->book.rules[kept] = rules->book.rules[i];
            rules->programs[kept] = rules->programs[i];
        }
        kept++;
    }
    rules->book.rule_count = kept;
}

static struct rule *find_rule(struct engine *engine, int64_t id)
{
    struct rule_book *book = &engine->rules.book;
    for (int i = 0; i < book->rule_count; i++) {
        if (book->rules[i].id == id && book->rules[i].status != RULE_RETIRED) {
            return &book->rules[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- shadows */

static void drop_shadow(struct rule_book *book, int index)
{
    book->shadow_count--;
    memmove(&book->shadows[index], &book->shadows[index + 1],
            (size_t)(book->shadow_count - index) * sizeof(book->shadows[0]));
}

enum touch { TOUCH_NONE, TOUCH_STOP, TOUCH_TARGET };

/* Whether a bar reached the stop or the target. If both, the stop, unless the bar opened beyond the
 * target; the paper venue does the same. */
static enum touch touch_of(const struct rule_shadow *s, const struct candle *bar)
{
    bool is_long = s->side == SIDE_LONG;
    if (is_long ? dec_cmp(bar->open, s->target) >= 0 : dec_cmp(bar->open, s->target) <= 0) {
        return TOUCH_TARGET;
    }
    if (is_long ? dec_cmp(bar->low, s->stop) <= 0 : dec_cmp(bar->high, s->stop) >= 0) {
        return TOUCH_STOP;
    }
    bool target = is_long ? dec_cmp(bar->high, s->target) >= 0 : dec_cmp(bar->low, s->target) <= 0;
    return target ? TOUCH_TARGET : TOUCH_NONE;
}

void engine_rules_bar(struct engine *engine, struct symbol symbol, const struct candle *bar)
{
    struct rule_book *book = &engine->rules.book;
    for (int i = 0; i < book->shadow_count;) {
        const struct rule_shadow *s = &book->shadows[i];
        enum touch touch = symbol_equal(s->symbol, symbol) ? touch_of(s, bar) : TOUCH_NONE;
        if (touch == TOUCH_NONE) {
            i++;
            continue;
        }
        struct rule *rule = find_rule(engine, s->rule_id);
        if (rule != NULL) {
            enum touch hoped = rule->effect == RULE_FAVOUR ? TOUCH_TARGET : TOUCH_STOP;
            rule->success_count += touch == hoped;
            rule->failure_count += touch != hoped;
        }
        drop_shadow(book, i);
        changed(engine);
    }
}

static bool is_followed(const struct rule_book *book, int64_t rule_id, const struct decision *d,
                        enum side side)
{
    for (int i = 0; i < book->shadow_count; i++) {
        const struct rule_shadow *s = &book->shadows[i];
        if (s->rule_id == rule_id && s->side == side && symbol_equal(s->symbol, d->symbol)) {
            return true;
        }
    }
    return false;
}

static void open_shadow(struct engine *engine, const struct rule *rule, const struct decision *d,
                        enum side side)
{
    struct rule_book *book = &engine->rules.book;
    struct bracket bracket = execution_bracket(&engine->settings, side, d->price);
    if (is_followed(book, rule->id, d, side) || !dec_is_valid(bracket.stop) ||
        !dec_is_valid(bracket.target)) {
        return;
    }
    if (book->shadow_count == SHADOWS_MAX) {
        drop_shadow(book, 0); /* the oldest, since ids ascend */
    }
    book->shadows[book->shadow_count++] = (struct rule_shadow){.id = ++book->last_shadow_id,
                                                               .rule_id = rule->id,
                                                               .decision_id = d->id,
                                                               .symbol = d->symbol,
                                                               .side = side,
                                                               .entry = d->price,
                                                               .stop = bracket.stop,
                                                               .target = bracket.target,
                                                               .at_us = d->at_us};
    changed(engine);
}

/* ---------------------------------------------------------------- the values of a condition */

static void fill_frame(const struct frame *f, double ret[CONDITION_FRAMED_COUNT])
{
    bool macd = macd_ready(&f->macd);
    bool bands = moments_ready(&f->bands);
    struct series_bands b = series_bands(f);
    ret[CONDITION_RSI14] = rsi_ready(&f->rsi) ? rsi_value(&f->rsi) : NAN;
    ret[CONDITION_MACD] = macd ? macd_value(&f->macd) : NAN;
    ret[CONDITION_MACD_SIGNAL] = macd ? macd_signal(&f->macd) : NAN;
    ret[CONDITION_MACD_HIST] = macd ? macd_histogram(&f->macd) : NAN;
    ret[CONDITION_BB_UPPER] = bands ? b.upper : NAN;
    ret[CONDITION_BB_MIDDLE] = bands ? b.middle : NAN;
    ret[CONDITION_BB_LOWER] = bands ? b.lower : NAN;
    ret[CONDITION_BB_WIDTH] = bands ? b.width_pct : NAN;
    ret[CONDITION_ATR14] = atr_ready(&f->atr) ? atr_value(&f->atr) : NAN;
}

static void fill_account(const struct engine *engine, double plain[CONDITION_PLAIN_COUNT])
{
    const struct engine_state *s = &engine->state;
    struct risk_account account = {.equity = engine_equity(engine),
                                   .equity_peak = s->equity_peak,
                                   .day_start_equity = s->day_start_equity};
    plain[CONDITION_DRAWDOWN] = risk_drawdown_pct(&account);
    plain[CONDITION_DAILY_LOSS] = risk_daily_loss_pct(&account);
    plain[CONDITION_LOSSES_IN_A_ROW] = (double)s->consecutive_losses;
    plain[CONDITION_POSITIONS] = engine->position_count;
}

/* The Unix epoch was a Thursday; weeks begin on Monday here. */
#define EPOCH_WEEKDAY 3

static void fill_values(const struct engine *engine, const struct decision_context *context,
                        enum side side, struct condition_values *ret)
{
    const struct series *series = context->series;
    const struct decision *d = context->decision;
    for (int i = 0; i < CONDITION_FRAMED_COUNT; i++) {
        ret->framed[1 + TF_1M][i] = NAN; /* one-minute bars are not kept */
    }
    for (int tf = TF_5M; tf < TF_COUNT; tf++) {
        fill_frame(series_frame(series, (enum timeframe)tf), ret->framed[1 + tf]);
    }
    memcpy(ret->framed[0], ret->framed[1 + series_decision_tf(series)], sizeof(ret->framed[0]));
    bool has_day = window_count(series_window(series, TF_1H)) >= 24;
    double *plain = ret->plain;
    plain[CONDITION_PRICE] = dec_to_double(d->price);
    plain[CONDITION_CHANGE_24H] = has_day ? dec_to_double(series_change_24h_pct(series)) : NAN;
    plain[CONDITION_REGIME] = (double)d->regime;
    plain[CONDITION_SIDE] = (double)side;
    plain[CONDITION_SYMBOL] = NAN; /* compared by name, not by value */
    plain[CONDITION_TIER] = 1 + risk_tier(&engine->settings, d->symbol);
    plain[CONDITION_HOUR] = (double)(context->now_us / USEC_PER_HOUR % 24);
    plain[CONDITION_WEEKDAY] = (double)((context->now_us / USEC_PER_DAY + EPOCH_WEEKDAY) % 7);
    plain[CONDITION_SCORE] = d->score;
    plain[CONDITION_CONFIDENCE] = fabs(d->score);
    plain[CONDITION_SENTIMENT] = engine_sentiment(engine, d->symbol);
    fill_account(engine, plain);
    ret->symbol = d->symbol;
}

/* ---------------------------------------------------------------- a decision */

static void note(struct decision *d, int64_t rule_id)
{
    if (d->rule_count < DECISION_RULES_MAX) {
        d->rule_ids[d->rule_count++] = rule_id;
    }
}

static void act(struct decision *d, const struct rule *rule)
{
    if (rule->effect == RULE_AVOID && d->veto_code[0] == '\0') {
        (void)str_copy(str_c(err_info(ERR_RISK_TRADING_RULE)->code), d->veto_code,
                       sizeof(d->veto_code));
        char text[sizeof(rule->help) + 32];
        (void)snprintf(text, sizeof(text), "rule %lld: %s", (long long)rule->id, rule->help);
        struct str cut = str_n(text, strlen(text));
        while (cut.len >= sizeof(d->veto_text) || !str_is_utf8(cut)) {
            cut.len--;
        }
        (void)str_copy(cut, d->veto_text, sizeof(d->veto_text));
    }
}

void engine_rules_judge(void *userdata, struct decision_context *context)
{
    struct engine *engine = userdata;
    const struct rule_book *book = &engine->rules.book;
    struct decision *d = context->decision;
    if (book->rule_count == 0 || context->flaw != FLAW_NONE) {
        return;
    }
    enum side side = d->score > 0 ? SIDE_LONG : SIDE_SHORT;
    struct condition_values values;
    fill_values(engine, context, side, &values);
    bool matched[RULES_MAX];
    double bonus = 0;
    for (int i = 0; i < book->rule_count; i++) {
        const struct rule *rule = &book->rules[i];
        matched[i] =
            rule->status != RULE_RETIRED && condition_holds(&engine->rules.programs[i], &values);
        if (matched[i] && rule->status == RULE_ACTIVE && rule->effect == RULE_FAVOUR) {
            bonus += RULE_FAVOUR_BONUS;
        }
    }
    bonus = bonus > RULE_FAVOUR_MAX ? RULE_FAVOUR_MAX : bonus;
    if (fabs(d->score) + bonus < d->threshold) {
        return; /* no entry is wanted: nothing to avoid, and the bonus cannot reach the threshold */
    }
    context->bias = side == SIDE_LONG ? bonus : -bonus;
    /* Active rules first, since a decision keeps only DECISION_RULES_MAX of them. */
    for (int status = RULE_ACTIVE; status >= RULE_TESTING; status--) {
        for (int i = 0; i < book->rule_count; i++) {
            const struct rule *rule = &book->rules[i];
            if (!matched[i] || (int)rule->status != status) {
                continue;
            }
            note(d, rule->id);
            if (status == RULE_ACTIVE) {
                act(d, rule);
            }
            open_shadow(engine, rule, d, side);
        }
    }
}

/* ---------------------------------------------------------------- requests */

int engine_rules_add(struct engine *engine, const struct request *request)
{
    struct engine_rules *rules = &engine->rules;
    struct rule_book *book = &rules->book;
    struct rule rule;
    struct condition program;
    int rc = rule_read(str_c(request->text), &rule, &program, NULL);
    if (rc < 0) {
        return -rc;
    }
    for (int i = 0; i < book->rule_count; i++) {
        const struct rule *other = &book->rules[i];
        if (other->status != RULE_RETIRED && other->effect == rule.effect &&
            strcmp(other->condition, rule.condition) == 0) {
            return ERR_RULE_DUPLICATE;
        }
    }
    if (book->rule_count == RULES_MAX) {
        return ERR_RULE_TABLE_FULL;
    }
    rule.id = ++book->last_rule_id;
    rule.status = RULE_TESTING;
    rule.created_us = engine->market_us;
    rule.updated_us = engine->market_us;
    (void)str_copy(str_c(request->by), rule.created_by, sizeof(rule.created_by));
    rules->programs[book->rule_count] = program;
    book->rules[book->rule_count++] = rule;
    changed(engine);
    return ERR_NONE;
}

int engine_rules_set(struct engine *engine, const struct request *request)
{
    struct rule_book *book = &engine->rules.book;
    struct rule *rule = find_rule(engine, request->number);
    enum rule_status status;
    if (rule == NULL) {
        return ERR_RULE_UNKNOWN;
    }
    if (!rule_status_parse(str_c(request->text), &status)) {
        return ERR_RULE_TEXT;
    }
    if (rule->status == status) {
        return ERR_NONE;
    }
    rule->status = status;
    rule->updated_us = engine->market_us;
    for (int i = 0; status == RULE_RETIRED && i < book->shadow_count;) {
        if (book->shadows[i].rule_id == rule->id) {
            drop_shadow(book, i);
        } else {
            i++;
        }
    }
    changed(engine);
    return ERR_NONE;
}

#include "base/auto.h"
#include "base/check.h"
#include "config/config.h"
#include "learner_internal.h"
#include "report/rate.h"
#include "store/ops.h"
#include "store/trade_table.h"
#include "trading/desk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE 8

static const char *mark_of(enum learning_outcome outcome)
{
    static const char *const marks[] = {
        [LEARNING_OBSERVED] = "👁", [LEARNING_WAITING] = "⏳",    [LEARNING_REFUTED] = "❌",
        [LEARNING_CONFIRMED] = "💡",   [LEARNING_TESTING] = "🧪", [LEARNING_ACTIVE] = "✅",
        [LEARNING_RETIRING] = "⚪",    [LEARNING_RETIRED] = "⚪",
    };
    return marks[outcome];
}

static const char *meaning_of(enum learning_outcome outcome)
{
    static const char *const meanings[] = {
        [LEARNING_OBSERVED] = "Counted only: no study has found more than chance in it.",
        [LEARNING_WAITING] = "Found in the forming part; the held-out part has too few cases yet.",
        [LEARNING_REFUTED] = "Found in the forming part, but the held-out part does not show it: "
                             "chance.",
        [LEARNING_CONFIRMED] = "Both parts show it: a rule is being proposed.",
        [LEARNING_TESTING] = "Its rule is counted and changes nothing.",
        [LEARNING_ACTIVE] = "Its rule is active.",
        [LEARNING_RETIRING] = "Its rule is being retired.",
        [LEARNING_RETIRED] = "Its rule is retired, and is not proposed again.",
    };
    return meanings[outcome];
}

/* ------------------------------------------------------------------ data */

static void add_part_json(struct json_out *out, const char *key, const struct learning_part *part)
{
    json_out_object(out, key);
    rate_add(out, "win_rate", part->wins, part->cases);
    rate_add(out, "win_rate_of_others", part->all_wins - part->wins, part->all_cases - part->cases);
    json_out_rounded(out, "return_pct", part->return_pct, 4);
    json_out_double(out, "p", part->p);
    json_out_end(out);
}

void learner_write(struct json_out *out, const struct learning *l)
{
    json_out_i64(out, "id", l->id);
    json_out_text(out, "outcome", learning_outcome_name(l->outcome));
    json_out_text(out, "effect", rule_effect_name(l->effect));
    json_out_text(out, "pattern", l->pattern);
    json_out_text(out, "text", l->text);
    json_out_rounded(out, "confidence", l->confidence, 4);
    rate_add(out, "win_rate", l->wins, l->cases);
    json_out_rounded(out, "return_pct", l->return_pct, 4);
    json_out_i64(out, "duplicates", l->duplicates);
    json_out_i64(out, "study", l->review_id);
    if (l->review_id != 0) {
        add_part_json(out, "formed", &l->formed);
        add_part_json(out, "held_out", &l->held);
    }
    json_out_i64(out, "rule", l->rule_id);
    json_out_text(out, "note", l->note);
    json_out_array(out, "trades");
    for (int i = 0; i < l->evidence_count; i++) {
        json_out_i64(out, NULL, l->evidence[i]);
    }
    json_out_end(out);
    json_out_time(out, "created_at", l->created_us);
    json_out_time(out, "updated_at", l->updated_us);
}

static void add_learning_json(struct json_out *out, const char *key, const struct learning *l)
{
    json_out_object(out, key);
    learner_write(out, l);
    json_out_end(out);
}

static void add_study_json(struct json_out *out, const struct learning_review *review)
{
    json_out_object(out, "study");
    json_out_i64(out, "id", review->id);
    json_out_time(out, "at", review->at_us);
    json_out_i64(out, "trades", review->trades);
    json_out_i64(out, "formed", review->formed);
    json_out_i64(out, "held_out", review->held);
    json_out_i64(out, "tried", review->tried);
    json_out_i64(out, "survivors", review->survivors);
    json_out_i64(out, "confirmed", review->confirmed);
    json_out_double(out, "level", review->level);
    json_out_end(out);
}

/* ------------------------------------------------------------------ words */

static double pct(int64_t k, int64_t n)
{
    return n > 0 ? 100 * (double)k / (double)n : (double)NAN;
}

/* "3 of 41 won (7 %, interval 3 % to 19 %); of the others 55 %" */
static void add_rate(struct reply *r, int64_t wins, int64_t cases)
{
    double low = 0;
    double high = 0;
    if (cases == 0) {
        reply_more(r, "{} cases", cell_count(0));
        return;
    }
    rate_wilson(wins, cases, &low, &high);
    reply_more(r, "{} of {} won ({}, 95 % interval {} to {})", cell_count(wins), cell_count(cases),
               cell_pct(pct(wins, cases), 0), cell_pct(100 * low, 0), cell_pct(100 * high, 0));
}

static void add_part(struct reply *r, const char *name, const struct learning_part *part)
{
    reply_para(r, "{}: ", cell_text(name));
    add_rate(r, part->wins, part->cases);
    reply_more(r, "; of the others {}; p {} corrected",
               cell_pct(pct(part->all_wins - part->wins, part->all_cases - part->cases), 0),
               cell_number_auto(part->p, false));
}

/* What a study found, as a prompt about its rule and /learning show it. */
static void add_figures(const struct learner *learner, struct reply *r, const struct learning *l)
{
    struct learning_review review;
    struct err err = {0};
    if (l->review_id == 0) {
        return;
    }
    add_part(r, "Formed on", &l->formed);
    add_part(r, "Held out", &l->held);
    if (learning_table_get_review(learner->o.store, l->review_id, &review, &err) == 0) {
        reply_para(r, "Study {}: {} tests tried, {} survived p {}; held out p {} was needed",
                   cell_count(review.id), cell_count(review.tried), cell_count(review.survivors),
                   cell_number_auto(STUDY_FORMED_LEVEL, false),
                   cell_number_auto(review.level, false));
    }
}

void learning_show_rule(struct reply *r, int64_t rule_id, bool full, void *userdata)
{
    const struct learner *learner = userdata;
    struct learning l;
    struct err err = {0};
    if (learning_table_of_rule(learner->o.store, rule_id, &l, &err) < 0) {
        return; /* a person's rule */
    }
    AUTO_BUF struct buf command = BUF_INIT(64);
    buf_addf(&command, "/learning %lld", (long long)l.id);
    reply_para(r, "   from {}", cell_code(command.data));
    if (full) {
        add_figures(learner, r, &l);
        struct json_out data = JSON_OUT_TREE(reply_data(r));
        add_learning_json(&data, "learning", &l);
    }
}

static void add_agents(struct reply *r, const struct reflection *reflection)
{
    bool right = reflection->right[0] != '\0';
    bool wrong = reflection->wrong[0] != '\0';
    if (right) {
        reply_line(r, "Right: %s", reflection->right);
    }
    if (wrong) {
        reply_line(r, "Wrong: %s", reflection->wrong);
    }
}

static void add_excursion(struct reply *r, const struct reflection *reflection)
{
    if (isnan(reflection->best_pct)) {
        reply_line(r, "How far it went in between is unknown: %s.", reflection->unknown);
        return;
    }
    reply_para(r, "On the way {} at best, {} at worst", cell_pct_signed(reflection->best_pct, 2),
               cell_pct_signed(-reflection->worst_pct, 2));
    if (reflection->captured_pct >= 0) {
        reply_more(r, "; the exit ({}) kept {} of the best", cell_text(reflection->exit_reason),
                   cell_pct(reflection->captured_pct, 0));
    } else if (reflection->captured_pct < 0) {
        reply_more(r, "; the exit ({}) kept none of it", cell_text(reflection->exit_reason));
    }
}

void learning_add_reflection(struct json_out *out, const struct reflection *reflection)
{
    json_out_i64(out, "trade", reflection->trade_id);
    json_out_text(out, "symbol", reflection->symbol.name);
    json_out_text(out, "side", side_name(reflection->side));
    json_out_dec(out, "pnl", reflection->pnl);
    json_out_rounded(out, "return_pct", reflection->return_pct, 4);
    json_out_text(out, "exit_reason", reflection->exit_reason);
    json_out_double(out, "score", reflection->score);
    json_out_double(out, "threshold", reflection->threshold);
    json_out_double(out, "p_up", reflection->p_up);
    json_out_text(out, "right", reflection->right);
    json_out_text(out, "wrong", reflection->wrong);
    json_out_rounded(out, "best_pct", reflection->best_pct, 4);
    json_out_rounded(out, "worst_pct", reflection->worst_pct, 4);
    json_out_rounded(out, "captured_pct", reflection->captured_pct, 2);
    json_out_text(out, "unknown", reflection->unknown);
    json_out_time(out, "at", reflection->at_us);
}

void learning_show_trade(struct reply *r, int64_t trade_id, void *userdata)
{
    const struct learner *learner = userdata;
    struct reflection reflection;
    struct err err = {0};
    if (reflection_table_get(learner->o.store, trade_id, &reflection, &err) < 0) {
        return; /* older than those that are kept, or closed a moment ago */
    }
    reply_heading(r, "Looking back");
    add_excursion(r, &reflection);
    add_agents(r, &reflection);
    if (!isnan(reflection.p_up)) {
        reply_para(r, "The model gave a rise {}", cell_pct(100 * reflection.p_up, 0));
    }
    if (reflection.words[0] != '\0') {
        reply_quote(r, str_c(reflection.words));
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "reflection");
    learning_add_reflection(&data, &reflection);
    json_out_text(&data, "words", reflection.words);
    json_out_end(&data);
}

/* ------------------------------------------------------------------ /learnings */

static void add_row(struct reply *r, const struct learning *l)
{
    AUTO_BUF struct buf command = BUF_INIT(64);
    buf_addf(&command, "/learning %lld", (long long)l->id);
    reply_para(r, "{} {} · {}", cell_text(mark_of(l->outcome)), cell_code(command.data),
               cell_text(learning_outcome_name(l->outcome)));
    if (l->review_id != 0) { /* before, it is no advice */
        reply_more(r, " · {}", cell_text(rule_effect_name(l->effect)));
    }
    if (l->rule_id != 0) {
        reply_more(r, " · rule {}", cell_count(l->rule_id));
    }
    if (l->pattern[0] == '\0') {
        reply_line(r, "   %s", l->text);
        return;
    }
    reply_line(r, "   %s", l->pattern);
    reply_para(r, "   {} of {} won ({})", cell_count(l->wins), cell_count(l->cases),
               cell_pct(pct(l->wins, l->cases), 0));
}

static int add_studies(const struct learner *learner, struct reply *r, struct json_out *data,
                       struct err *err)
{
    struct learning_review last;
    int64_t trades = 0;
    int rc = learning_table_last_review(learner->o.store, &last, err);
    if (rc < 0) {
        return rc;
    }
    if (last.id != 0) {
        reply_para(r, "Study {}, {}: {} trades, {} tests, {} confirmed", cell_count(last.id),
                   cell_time(last.at_us, clock_wall_us(learner->o.clock)), cell_count(last.trades),
                   cell_count(last.tried), cell_count(last.confirmed));
        add_study_json(data, &last);
    }
    if (learner->o.trading != NULL) {
        rc = trade_table_count_after(learner->o.trading, last.last_trade_id, &trades, err);
    }
    int64_t next = learner_next_study(learner, &last);
    reply_para(r, "The next study is made at {} closed trades; there are {}", cell_count(next),
               cell_count(last.trades + trades));
    json_out_i64(data, "next_study_at_trades", next);
    json_out_i64(data, "closed_trades", last.trades + trades);
    return rc;
}

static void add_pages(struct reply *r, int64_t page, bool more)
{
    char before[48] = "";
    char after[48] = "";
    if (page > 1) {
        (void)snprintf(before, sizeof(before), "/learnings page=%lld", (long long)page - 1);
    }
    if (more) {
        (void)snprintf(after, sizeof(after), "/learnings page=%lld", (long long)page + 1);
    }
    reply_page(r, before, after);
}

static int list_learnings(struct action_call *call, struct err *err)
{
    const struct learner *learner = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t page = action_int(call, "page");
    AUTO_FREE struct learning *rows = calloc(PAGE_SIZE + 1, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    const struct learning_query query = {.offset = (size_t)(page - 1) * PAGE_SIZE};
    int n = learning_table_list(learner->o.store, &query, rows, PAGE_SIZE + 1, err);
    if (n < 0) {
        return n;
    }
    bool more = n > PAGE_SIZE;
    n = more ? PAGE_SIZE : n;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    reply_title(r, TONE_PLAIN, "%s",
                n > 0      ? "What was learnt from trades"
                : page > 1 ? "No more learnings"
                           : "No learnings yet");
    int rc = add_studies(learner, r, &data, err);
    json_out_array(&data, "learnings");
    for (int i = 0; i < n; i++) {
        reply_gap(r);
        add_row(r, &rows[i]);
        add_learning_json(&data, NULL, &rows[i]);
    }
    json_out_end(&data);
    if (!learner->o.config->learning_enabled) {
        reply_line(r, "Learning is off (learning.enabled).");
    }
    reply_button(r, "Rules", "/rules", BUTTON_PLAIN);
    reply_button(r, "Of findings", "/learnings findings", BUTTON_PLAIN);
    add_pages(r, page, more);
    return rc < 0 ? rc : ACTION_DONE;
}

/* ------------------------------------------------------------------ /learning N */

static void add_evidence(struct reply *r, const struct learning *l)
{
    if (l->evidence_count == 0) {
        return;
    }
    reply_line(r, "Newest of its trades: ");
    for (int i = l->evidence_count - 1; i >= 0; i--) {
        AUTO_BUF struct buf command = BUF_INIT(64);
        buf_addf(&command, "/why %lld", (long long)l->evidence[i]);
        reply_more(r, i > 0 ? "{}, " : "{}", cell_code(command.data));
    }
}

static void add_counts(struct reply *r, const struct learning *l)
{
    bool avoid = l->effect == RULE_AVOID;
    const char *advice = l->review_id == 0 ? "" : avoid ? "avoid " : "favour ";
    reply_line(r, "%s%s", advice, l->pattern);
    reply_line(r, "All trades so far: ");
    add_rate(r, l->wins, l->cases);
    reply_more(r, ", {} in sum", cell_pct_signed(l->return_pct, 2));
    reply_para(r, "Confidence {}: {} in {} of {}, at the low end of its interval",
               cell_pct(100 * l->confidence, 0), cell_text(avoid ? "no win" : "a win"),
               cell_count(avoid ? l->cases - l->wins : l->wins), cell_count(l->cases));
}

static int show_learning(struct action_call *call, struct err *err)
{
    const struct learner *learner = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t id = action_int(call, "learning");
    struct learning l;
    int rc = learning_table_get(learner->o.store, id, &l, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        return err_set(err, ERR_LEARNING_UNKNOWN, "learning %lld", (long long)id);
    }
    if (rc < 0) {
        return rc;
    }
    reply_title(r, TONE_PLAIN, "Learning %lld: %s", (long long)l.id,
                learning_outcome_name(l.outcome));
    if (l.pattern[0] == '\0') {
        reply_quote(r, str_c(l.text));
        reply_line(r, "A model put it into words; no condition is counted for it.");
    } else {
        add_counts(r, &l);
        add_figures(learner, r, &l);
        reply_line(r, "%s", meaning_of(l.outcome));
    }
    if (l.note[0] != '\0') {
        reply_line(r, "Note: %s.", l.note);
    }
    if (l.duplicates > 0) {
        reply_para(r, "Learnt again {} time{}", cell_count(l.duplicates),
                   cell_text(l.duplicates == 1 ? "" : "s"));
    }
    add_evidence(r, &l);
    char line[48];
    if (l.rule_id != 0) {
        (void)snprintf(line, sizeof(line), "/rules %lld", (long long)l.rule_id);
        reply_button(r, "Rule", line, BUTTON_PLAIN);
    }
    if (l.outcome == LEARNING_TESTING) {
        (void)snprintf(line, sizeof(line), "/rule_activate %lld", (long long)l.rule_id);
        reply_button(r, "Activate", line, BUTTON_PLAIN);
    }
    reply_button(r, "Learnings", "/learnings", BUTTON_PLAIN);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    add_learning_json(&data, "learning", &l);
    return ACTION_DONE;
}

static const struct action actions[] = {
    {.name = "learning.list",
     .summary = "What was learnt from closed trades, and the rules that were proposed",
     .data = "learnings closed_trades next_study_at_trades study",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "page",
                              .type = PARAM_INT,
                              .default_text = "1",
                              .minimum = "1",
                              .maximum = "100000",
                              .help = "page of the list"}),
     .run = list_learnings},
    {.name = "learning.show",
     .summary = "One learning with its figures and the trades behind it",
     .data = "learning",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "learning",
                              .type = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "number of the learning"}),
     .run = show_learning},
    {0},
};

void learner_actions(struct learner *learner, struct action_table *table)
{
    action_table_add(table, actions, learner);
}

#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "learner_internal.h"
#include "report/rate.h"
#include "store/ops.h"

#include <stdio.h>
#include <string.h>

#define MARK_ID     "learning_trade_id"
#define MARK_CLOSED "learning_trade_closed_us"

static int64_t now_us(const struct learner *l)
{
    return clock_wall_us(l->o.clock);
}

int learner_mark(struct learner *l, int64_t *ret_id, int64_t *ret_closed_us, struct err *err)
{
    int rc = ops_store_get_i64(l->o.store, MARK_ID, 0, ret_id, err);
    return rc < 0 ? rc : ops_store_get_i64(l->o.store, MARK_CLOSED, 0, ret_closed_us, err);
}

static int set_mark(struct learner *l, int64_t id, int64_t closed_us, struct err *err)
{
    int rc = ops_store_write_i64(l->o.store, MARK_ID, id, err);
    return rc < 0 ? rc : ops_store_write_i64(l->o.store, MARK_CLOSED, closed_us, err);
}

/* Runs fn in one transaction. */
struct change {
    struct learner *learner;
    const struct history_look *look;
    const struct study *study;
    const struct history_cases *cases;
};

static int in_one(struct change *change, int (*fn)(struct change *, struct err *), struct err *err)
{
    struct ops_store *store = change->learner->o.store;
    int rc = ops_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    rc = fn(change, err);
    if (rc < 0) {
        ops_store_rollback(store);
        return rc;
    }
    return ops_store_commit(store, err);
}

/* ------------------------------------------------------------------ the words of a learning */

/* How often what it says was right: losses for something to avoid, wins for something to favour. */
static int64_t right_of(const struct learning *l)
{
    return l->effect == RULE_AVOID ? l->cases - l->wins : l->wins;
}

static void describe(struct learning *l)
{
    double high = 0;
    l->confidence = 0;
    if (l->cases > 0) {
        rate_wilson(right_of(l), l->cases, &l->confidence, &high);
    }
    const char *than = l->review_id == 0         ? ""
                       : l->effect == RULE_AVOID ? "less often than the others: "
                                                 : "more often than the others: ";
    AUTO_BUF struct buf text = BUF_INIT(LEARNING_TEXT_SIZE + 64);
    buf_addf(&text, "Trades with %s win %s%lld of %lld", l->pattern, than, (long long)l->wins,
             (long long)l->cases);
    if (l->review_id != 0 && l->formed.all_cases > l->formed.cases) {
        int64_t others = l->formed.all_cases - l->formed.cases;
        buf_addf(&text, "; of the others %.0f %%",
                 100.0 * (double)(l->formed.all_wins - l->formed.wins) / (double)others);
    }
    (void)str_copy(buf_str(&text), l->text, sizeof(l->text));
}

static void add_evidence(struct learning *l, int64_t trade_id)
{
    if (l->evidence_count == LEARNING_EVIDENCE_MAX) {
        memmove(&l->evidence[0], &l->evidence[1],
                (LEARNING_EVIDENCE_MAX - 1) * sizeof(l->evidence[0]));
        l->evidence_count--;
    }
    l->evidence[l->evidence_count++] = trade_id;
}

/* ------------------------------------------------------------------ reflections */

struct matching {
    const struct condition_values *values;
    int count;
    int64_t ids[LEARNINGS_MAX];
};

static int match(int64_t id, const char *pattern, void *userdata, struct err *err)
{
    struct matching *m = userdata;
    struct condition program;
    int rc = condition_compile(str_c(pattern), &program, err);
    if (rc == 0 && m->count < LEARNINGS_MAX && condition_holds(&program, m->values)) {
        m->ids[m->count++] = id;
    }
    return rc;
}

/* The symbol and side of each trade is a learning of its own, even before anything is studied. */
static int ensure_own(struct learner *l, const struct study_case *c, struct err *err)
{
    struct learning own = {.outcome = LEARNING_OBSERVED, .created_us = now_us(l)};
    (void)snprintf(own.pattern, sizeof(own.pattern), "symbol == %s and side == %s", c->symbol.name,
                   side_name(c->side));
    struct learning known;
    int rc = learning_table_of_pattern(l->o.store, own.pattern, &known, err);
    bool room = false;
    if (rc != -ERR_STORE_NOT_FOUND) {
        return rc;
    }
    err_clear(err);
    rc = learning_table_is_room(l->o.store, &room, err);
    if (rc < 0 || !room) {
        return rc;
    }
    int64_t id = 0;
    bool is_new = false;
    describe(&own);
    return learning_table_merge(l->o.store, &own, &id, &is_new, err);
}

static int count_case(struct learner *l, int64_t id, const struct study_case *c, struct err *err)
{
    struct learning learning;
    int rc = learning_table_get(l->o.store, id, &learning, err);
    if (rc < 0) {
        return rc;
    }
    learning.cases++;
    learning.wins += c->won;
    learning.return_pct += c->return_pct;
    learning.updated_us = now_us(l);
    add_evidence(&learning, c->trade_id);
    if (learning.review_id == 0) { /* no study has given it a direction */
        learning.effect = 2 * learning.wins < learning.cases ? RULE_AVOID : RULE_FAVOUR;
    }
    describe(&learning);
    return learning_table_save(l->o.store, &learning, err);
}

static int count_row(struct learner *l, const struct history_row *row, struct err *err)
{
    struct condition_values values;
    struct matching matching = {.values = &values};
    int rc = ensure_own(l, &row->entry, err);
    if (rc < 0) {
        return rc;
    }
    study_values(&row->entry, &values);
    rc = learning_table_each(l->o.store, match, &matching, err);
    for (int i = 0; rc >= 0 && i < matching.count; i++) {
        rc = count_case(l, matching.ids[i], &row->entry, err);
    }
    return rc;
}

static int take_rows(struct change *change, struct err *err)
{
    struct learner *l = change->learner;
    int rc = 0;
    for (int i = 0; rc >= 0 && i < change->look->count; i++) {
        const struct history_row *row = &change->look->rows[i];
        struct reflection reflection = row->reflection;
        bool added = false;
        reflection.at_us = now_us(l);
        rc = reflection_table_add(l->o.store, &reflection, &added, err);
        if (rc >= 0 && added && row->has_case) {
            rc = count_row(l, row, err);
        }
        rc = rc < 0 ? rc : set_mark(l, reflection.trade_id, reflection.closed_us, err);
    }
    return rc;
}

int learner_take_rows(struct learner *l, const struct history_look *look, struct err *err)
{
    struct change change = {.learner = l, .look = look};
    return look->count == 0 ? 0 : in_one(&change, take_rows, err);
}

static int forget(struct change *change, struct err *err)
{
    struct ops_store *store = change->learner->o.store;
    int rc = reflection_table_clear(store, err);
    rc = rc < 0 ? rc : learning_table_clear(store, err);
    return rc < 0 ? rc : set_mark(change->learner, 0, 0, err);
}

int learner_forget(struct learner *l, struct err *err)
{
    struct change change = {.learner = l};
    return in_one(&change, forget, err);
}

/* ------------------------------------------------------------------ studies */

int64_t learner_next_study(const struct learner *l, const struct learning_review *last)
{
    int64_t least = l->o.config->learning_min_trades;
    if (last->id == 0) {
        return least;
    }
    int64_t half = last->trades / 2 > least / 2 ? last->trades / 2 : least / 2;
    return last->trades + half;
}

static struct learning_part part_of(const struct study_tally *t)
{
    return (struct learning_part){.cases = t->cases,
                                  .wins = t->wins,
                                  .all_cases = t->all_cases,
                                  .all_wins = t->all_wins,
                                  .return_pct = t->return_pct,
                                  .p = t->p};
}

static enum learning_outcome outcome_of(enum study_end end)
{
    switch (end) {
    case STUDY_WEAK_CHANCE:
        return LEARNING_OBSERVED;
    case STUDY_WAITING:
        return LEARNING_WAITING;
    case STUDY_REFUTED:
        return LEARNING_REFUTED;
    case STUDY_CONFIRMED:
        return LEARNING_CONFIRMED;
    }
    return LEARNING_OBSERVED;
}

/* A learning with a rule keeps the figures with which it was proposed. */
static bool is_settled(const struct learning *l)
{
    return l->rule_id != 0 || l->outcome >= LEARNING_CONFIRMED;
}

static int take_finding(struct learner *l, const struct study_finding *f, int64_t review_id,
                        struct err *err)
{
    struct learning learning = {.effect = f->effect,
                                .outcome = outcome_of(f->end),
                                .review_id = review_id,
                                .formed = part_of(&f->formed),
                                .held = part_of(&f->held),
                                .cases = f->formed.cases + f->held.cases,
                                .wins = f->formed.wins + f->held.wins,
                                .return_pct = f->formed.return_pct + f->held.return_pct,
                                .evidence_count = f->evidence_count,
                                .created_us = now_us(l)};
    _Static_assert(STUDY_EVIDENCE_MAX <= LEARNING_EVIDENCE_MAX, "evidence of a study fits");
    memcpy(learning.evidence, f->evidence, sizeof(f->evidence));
    (void)str_copy(str_c(f->condition), learning.pattern, sizeof(learning.pattern));
    describe(&learning);
    bool is_new = false;
    int rc = learning_table_merge(l->o.store, &learning, &learning.id, &is_new, err);
    if (rc < 0 || is_new) {
        return rc;
    }
    struct learning known;
    rc = learning_table_get(l->o.store, learning.id, &known, err);
    if (rc < 0 || is_settled(&known)) {
        return rc;
    }
    learning.duplicates = known.duplicates;
    learning.created_us = known.created_us;
    learning.updated_us = now_us(l);
    return learning_table_save(l->o.store, &learning, err);
}

static int take_study(struct change *change, struct err *err)
{
    struct learner *l = change->learner;
    const struct study *study = change->study;
    struct learning_review last;
    int rc = learning_table_last_review(l->o.store, &last, err);
    if (rc < 0) {
        return rc;
    }
    struct learning_review review = {.id = last.id + 1,
                                     .at_us = now_us(l),
                                     .last_trade_id = change->cases->last_trade_id,
                                     .trades = change->cases->trades,
                                     .formed = study->formed,
                                     .held = study->held,
                                     .tried = study->tried,
                                     .survivors = study->survivors,
                                     .level = study->level};
    for (int i = 0; rc >= 0 && i < study->count; i++) {
        review.confirmed += study->findings[i].end == STUDY_CONFIRMED;
        rc = take_finding(l, &study->findings[i], review.id, err);
    }
    rc = rc < 0 ? rc : learning_table_add_review(l->o.store, &review, err);
    return rc < 0 ? rc : learning_table_end_waiting(l->o.store, review.id, now_us(l), err);
}

int learner_take_study(struct learner *l, const struct study *study,
                       const struct history_cases *cases, struct err *err)
{
    struct change change = {.learner = l, .study = study, .cases = cases};
    return in_one(&change, take_study, err);
}

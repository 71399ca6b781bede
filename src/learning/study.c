#include "study.h"

#include "base/auto.h"
#include "base/check.h"
#include "candidate.h"
#include "exact.h"
#include "model/capacity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL         0.05
#define SAME_TRADES   0.5 /* of the smaller group: two findings are then one */
#define PART_COUNT    2
#define EFFECT_COUNT  2
#define TESTS_MAX     (CANDIDATES_MAX * EFFECT_COUNT)
#define BITS_PER_BYTE 8

enum part { FORMED, HELD };

struct sum {
    int64_t cases;
    int64_t wins;
    double return_pct;
};

struct test {
    int candidate;
    enum rule_effect effect;
    double p; /* of the forming part, not corrected */
    double corrected;
};

struct work {
    const struct study_case *cases;
    size_t count;
    const struct study_options *o;
    struct candidate *candidates;
    int candidate_count;
    uint8_t *matches; /* a row of bits for each candidate, a bit for each case */
    size_t row_size;
    struct sum all[PART_COUNT];
    struct sum (*sums)[PART_COUNT]; /* of each candidate */
    struct test *tests;
    int test_count;
    int kept[STUDY_SURVIVORS]; /* indices of tests */
    int kept_count;
};

double study_level(int64_t review)
{
    ASSERT(review >= 1);
    double r = M_PI * (double)review;
    return LEVEL * 6 / (r * r);
}

void study_values(const struct study_case *c, struct condition_values *ret)
{
    for (int f = 0; f < CONDITION_FRAMES; f++) {
        for (int i = 0; i < CONDITION_FRAMED_COUNT; i++) {
            ret->framed[f][i] = (double)NAN;
        }
    }
    for (int i = 0; i < CONDITION_PLAIN_COUNT; i++) {
        ret->plain[i] = (double)NAN;
    }
    ret->framed[0][CONDITION_RSI14] = c->rsi14;
    ret->framed[0][CONDITION_MACD] = c->macd;
    ret->framed[0][CONDITION_MACD_SIGNAL] = c->macd_signal;
    ret->framed[0][CONDITION_MACD_HIST] = c->macd - c->macd_signal;
    ret->framed[1 + TF_1H][CONDITION_BB_WIDTH] = c->bb_width_1h;
    ret->plain[CONDITION_PRICE] = c->price;
    ret->plain[CONDITION_REGIME] = (double)c->regime;
    ret->plain[CONDITION_SIDE] = (double)c->side;
    ret->plain[CONDITION_HOUR] = c->hour;
    ret->plain[CONDITION_WEEKDAY] = c->weekday;
    ret->plain[CONDITION_SCORE] = c->score;
    ret->plain[CONDITION_CONFIDENCE] = fabs(c->score);
    ret->symbol = c->symbol;
}

/* ------------------------------------------------------------------ counting */

static void add_case(struct sum *sum, const struct study_case *c)
{
    sum->cases++;
    sum->wins += c->won;
    sum->return_pct += c->return_pct;
}

static bool matches(const struct work *w, int candidate, size_t at)
{
    return (w->matches[(size_t)candidate * w->row_size + at / BITS_PER_BYTE] >>
            (at % BITS_PER_BYTE)) &
           1;
}

/* The symbols with the most cases in the forming part. */
static int pick_symbols(const struct work *w, struct symbol ret[CANDIDATE_SYMBOLS_MAX])
{
    struct seen {
        struct symbol symbol;
        int64_t cases;
    } seen[SYMBOLS_LIMIT];
    int count = 0;
    for (size_t i = 0; i < w->o->held_from; i++) {
        int at = 0;
        while (at < count && !symbol_equal(seen[at].symbol, w->cases[i].symbol)) {
            at++;
        }
        if (at == SYMBOLS_LIMIT) {
            continue; /* more than are ever traded at once: old ones are left out */
        }
        if (at == count) {
            seen[count++] = (struct seen){.symbol = w->cases[i].symbol};
        }
        seen[at].cases++;
    }
    int picked = 0;
    for (; picked < count && picked < CANDIDATE_SYMBOLS_MAX; picked++) {
        int best = picked;
        for (int i = picked + 1; i < count; i++) {
            best = seen[i].cases > seen[best].cases ? i : best;
        }
        struct seen taken = seen[best];
        seen[best] = seen[picked];
        seen[picked] = taken;
        ret[picked] = taken.symbol;
    }
    return picked;
}

static void count_matches(struct work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct study_case *c = &w->cases[i];
        enum part part = i < w->o->held_from ? FORMED : HELD;
        struct condition_values values;
        study_values(c, &values);
        add_case(&w->all[part], c);
        for (int k = 0; k < w->candidate_count; k++) {
            if (condition_holds(&w->candidates[k].program, &values)) {
                add_case(&w->sums[k][part], c);
                w->matches[(size_t)k * w->row_size + i / BITS_PER_BYTE] |=
                    (uint8_t)(1U << (i % BITS_PER_BYTE));
            }
        }
    }
}

/* ------------------------------------------------------------------ the forming part */

static double p_of(const struct sum *sum, const struct sum *all, enum rule_effect effect)
{
    const struct exact e = {
        .k = sum->wins, .n = sum->cases, .all_k = all->wins, .all_n = all->cases};
    return exact_p(&e, effect == RULE_AVOID ? EXACT_LESS : EXACT_MORE);
}

/* A group that loses less often than others, but loses, is nothing to favour. */
static bool pays(const struct sum *sum, enum rule_effect effect)
{
    return effect == RULE_AVOID ? sum->return_pct < 0 : sum->return_pct > 0;
}

static int by_p(const void *a, const void *b)
{
    const struct test *x = a, *y = b;
    return x->p < y->p   ? -1
           : x->p > y->p ? 1
                         : (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static void test_all(struct work *w)
{
    for (int k = 0; k < w->candidate_count; k++) {
        const struct sum *sum = &w->sums[k][FORMED];
        if (sum->cases < w->o->min_formed || w->all[FORMED].cases - sum->cases < w->o->min_formed) {
            continue;
        }
        for (int effect = RULE_AVOID; effect <= RULE_FAVOUR; effect++) {
            w->tests[w->test_count++] =
                (struct test){.candidate = k,
                              .effect = (enum rule_effect)effect,
                              .p = p_of(sum, &w->all[FORMED], (enum rule_effect)effect)};
        }
    }
    if (w->test_count == 0) {
        return;
    }
    qsort(w->tests, (size_t)w->test_count, sizeof(w->tests[0]), by_p);
    double p[TESTS_MAX];
    for (int i = 0; i < w->test_count; i++) {
        p[i] = w->tests[i].p;
    }
    exact_holm(p, w->test_count, w->test_count);
    for (int i = 0; i < w->test_count; i++) {
        w->tests[i].corrected = p[i];
    }
}

/* Whether the two are mostly the same trades of the forming part. */
static bool overlap(const struct work *w, int a, int b)
{
    int64_t both = 0;
    for (size_t i = 0; i < w->o->held_from; i++) {
        both += matches(w, a, i) && matches(w, b, i);
    }
    int64_t smaller = w->sums[a][FORMED].cases < w->sums[b][FORMED].cases
                          ? w->sums[a][FORMED].cases
                          : w->sums[b][FORMED].cases;
    return (double)both > SAME_TRADES * (double)smaller;
}

static bool is_new(const struct work *w, const struct test *test)
{
    for (int i = 0; i < w->kept_count; i++) {
        const struct test *kept = &w->tests[w->kept[i]];
        if (kept->effect == test->effect && overlap(w, kept->candidate, test->candidate)) {
            return false;
        }
    }
    return true;
}

static void keep_survivors(struct work *w)
{
    for (int i = 0; i < w->test_count && w->kept_count < STUDY_SURVIVORS; i++) {
        const struct test *test = &w->tests[i];
        if (test->corrected > w->o->level) {
            return;
        }
        if (pays(&w->sums[test->candidate][FORMED], test->effect) && is_new(w, test)) {
            w->kept[w->kept_count++] = i;
        }
    }
}

/* ------------------------------------------------------------------ the held-out part */

/* The p-values of the survivors on the held-out part, corrected, in the order of w->kept. */
static void confirm(const struct work *w, double ret[STUDY_SURVIVORS])
{
    int order[STUDY_SURVIVORS];
    double p[STUDY_SURVIVORS];
    for (int i = 0; i < w->kept_count; i++) {
        const struct test *test = &w->tests[w->kept[i]];
        double own = p_of(&w->sums[test->candidate][HELD], &w->all[HELD], test->effect);
        int at = i;
        for (; at > 0 && p[at - 1] > own; at--) {
            p[at] = p[at - 1];
            order[at] = order[at - 1];
        }
        p[at] = own;
        order[at] = i;
    }
    exact_holm(p, w->kept_count, w->kept_count);
    for (int i = 0; i < w->kept_count; i++) {
        ret[order[i]] = p[i];
    }
}

static struct study_tally tally(const struct work *w, int candidate, enum part part, double p)
{
    const struct sum *sum = &w->sums[candidate][part];
    return (struct study_tally){.cases = sum->cases,
                                .wins = sum->wins,
                                .all_cases = w->all[part].cases,
                                .all_wins = w->all[part].wins,
                                .return_pct = sum->return_pct,
                                .p = p};
}

static void add_evidence(const struct work *w, int candidate, struct study_finding *f)
{
    size_t first = w->count;
    for (int left = STUDY_EVIDENCE_MAX; first > 0 && left > 0; first--) {
        left -= matches(w, candidate, first - 1);
    }
    for (size_t i = first; i < w->count; i++) {
        if (matches(w, candidate, i)) {
            f->evidence[f->evidence_count++] = w->cases[i].trade_id;
        }
    }
}

static struct study_finding *add_finding(const struct work *w, const struct test *test,
                                         double formed_p, double held_p, struct study *study)
{
    struct study_finding *f = &study->findings[study->count++];
    (void)str_copy(str_c(w->candidates[test->candidate].text), f->condition, sizeof(f->condition));
    f->effect = test->effect;
    f->formed = tally(w, test->candidate, FORMED, formed_p);
    f->held = tally(w, test->candidate, HELD, held_p);
    add_evidence(w, test->candidate, f);
    return f;
}

static void report(const struct work *w, struct study *study)
{
    double held_p[STUDY_SURVIVORS];
    confirm(w, held_p);
    for (int i = 0; i < w->kept_count; i++) {
        const struct test *test = &w->tests[w->kept[i]];
        struct study_finding *f = add_finding(w, test, test->corrected, held_p[i], study);
        f->end = f->held.cases < w->o->min_held ? STUDY_WAITING
                 : held_p[i] <= w->o->level && pays(&w->sums[test->candidate][HELD], test->effect)
                     ? STUDY_CONFIRMED
                     : STUDY_REFUTED;
    }
    int weak = 0;
    for (int i = 0; i < w->test_count && weak < STUDY_WEAK; i++) {
        const struct test *test = &w->tests[i];
        bool chance = test->corrected > w->o->level && test->p <= STUDY_WEAK_P;
        if (chance && pays(&w->sums[test->candidate][FORMED], test->effect) && is_new(w, test)) {
            struct study_finding *f = add_finding(
                w, test, test->corrected,
                p_of(&w->sums[test->candidate][HELD], &w->all[HELD], test->effect), study);
            f->end = STUDY_WEAK_CHANCE;
            weak++;
        }
    }
}

/* ------------------------------------------------------------------ all of it */

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    NEED_MEMORY(memory != NULL);
    return memory;
}

struct study *study_new(const struct study_case *cases, size_t count,
                        const struct study_options *options)
{
    ASSERT(count <= STUDY_CASES_MAX && options->held_from <= count);
    struct study *study = zeroed(1, sizeof(*study));
    struct work w = {
        .cases = cases, .count = count, .o = options, .row_size = count / BITS_PER_BYTE + 1};
    w.candidates = zeroed(CANDIDATES_MAX, sizeof(*w.candidates));
    w.matches = zeroed(CANDIDATES_MAX, w.row_size);
    w.sums = zeroed(CANDIDATES_MAX, sizeof(*w.sums));
    w.tests = zeroed(TESTS_MAX, sizeof(*w.tests));
    struct symbol symbols[CANDIDATE_SYMBOLS_MAX];
    w.candidate_count = candidate_make(symbols, pick_symbols(&w, symbols), w.candidates);
    count_matches(&w);
    test_all(&w);
    keep_survivors(&w);
    study->formed = w.all[FORMED].cases;
    study->held = w.all[HELD].cases;
    study->tried = w.test_count;
    study->survivors = w.kept_count;
    study->level = options->level;
    report(&w, study);
    free(w.candidates);
    free(w.matches);
    free(w.sums);
    free(w.tests);
    return study;
}

void study_free(struct study *study)
{
    free(study);
}

#include "study.h"

#include "base/auto.h"
#include "base/check.h"
#include "candidate.h"
#include "model/capacity.h"
#include "report/exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL         0.05
#define SAME_TRADES   0.5 /* of the smaller group: two findings are then one */
#define PART_COUNT    2
#define EFFECT_COUNT  2
#define SHIFTS_MAX    499
#define TAIL_PART     20   /* one of so many shifts, those that differ most, are left out */
#define WITHOUT_TAIL  1.32 /* the variance of a normal distribution by that without this tail */
#define LEAST_P       1e-300
#define KEY           1e6
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
    double p;    /* of the forming part, not corrected */
    int64_t key; /* of its order of magnitude, so that equal tests are equal */
    double corrected;
};

struct work {
    const struct study_case *cases;
    size_t count;
    const struct study_options *o;
    struct candidate *candidates;
    int candidate_count;
    bool *known;       /* of each case: a rule that was proposed before explains it */
    uint8_t *matching; /* scratch of a part: whether each case matches, and whether it won */
    uint8_t *winning;
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
    return LEVEL / ((double)review * (double)(review + 1));
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

static void mark_known(struct work *w)
{
    const struct study_known *known = w->o->known;
    for (int k = 0; known != NULL && k < known->count; k++) {
        struct condition program;
        if (condition_compile(str_c(known->patterns[k]), &program, NULL) < 0) {
            continue; /* of a later version of the language */
        }
        for (size_t i = 0; i < w->count; i++) {
            struct condition_values values;
            study_values(&w->cases[i], &values);
            w->known[i] = w->known[i] || condition_holds(&program, &values);
        }
    }
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

/* To avoid something and to favour all the rest are one test: avoiding comes first, since it can
 * only make fewer trades. */
static int by_p(const void *a, const void *b)
{
    const struct test *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    if (x->effect != y->effect) {
        return x->effect == RULE_AVOID ? -1 : 1;
    }
    return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static void test_all(struct work *w)
{
    for (int k = 0; k < w->candidate_count; k++) {
        const struct sum *sum = &w->sums[k][FORMED];
        if (sum->cases < w->o->min_formed || w->all[FORMED].cases - sum->cases < w->o->min_formed) {
            continue;
        }
        for (int effect = RULE_AVOID; effect <= RULE_FAVOUR; effect++) {
            double p = p_of(sum, &w->all[FORMED], (enum rule_effect)effect);
            w->tests[w->test_count++] =
                (struct test){.candidate = k,
                              .effect = (enum rule_effect)effect,
                              .p = p,
                              .key = (int64_t)(log(fmax(p, LEAST_P)) * KEY)};
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

static bool is_explained(const struct work *w, int kept_count, size_t at)
{
    for (int i = 0; i < kept_count; i++) {
        if (matches(w, w->tests[w->kept[i]].candidate, at)) {
            return true;
        }
    }
    return w->known[at];
}

/* A part without the cases that the first kept_count survivors match: those that match the
 * candidate, and all. So what is only the same trades again, or only all the others, is left with
 * nothing to show. */
static void sum_apart(const struct work *w, int candidate, enum part part, int kept_count,
                      struct sum *ret, struct sum *ret_all)
{
    *ret = (struct sum){0};
    *ret_all = (struct sum){0};
    size_t end = part == FORMED ? w->o->held_from : w->count;
    for (size_t i = part == FORMED ? 0 : w->o->held_from; i < end; i++) {
        if (is_explained(w, kept_count, i)) {
            continue;
        }
        add_case(ret_all, &w->cases[i]);
        if (matches(w, candidate, i)) {
            add_case(ret, &w->cases[i]);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The design effect (Kish 1965, "Survey sampling"): by how much the number of wins among matching
 * trades varies more than if each trade were drawn alone. Wins that come in clusters, as those of
 * correlated symbols do, count as fewer trades then. The variance is that over shifts of the wins
 * against the matches, which keep the clusters of both; without its tail, so that the few shifts
 * onto the same hour of another day, which show what is to be found, do not count. At least 1. */
static double design_effect(const struct work *w, int candidate, enum part part, int kept_count)
{
    size_t n = 0;
    double matching = 0;
    double wins = 0;
    size_t end = part == FORMED ? w->o->held_from : w->count;
    for (size_t i = part == FORMED ? 0 : w->o->held_from; i < end; i++) {
        if (!is_explained(w, kept_count, i)) {
            w->matching[n] = matches(w, candidate, i);
            w->winning[n] = w->cases[i].won;
            matching += w->matching[n];
            wins += w->winning[n++];
        }
    }
    if (n < 2) {
        return 1;
    }
    size_t shifts = n - 1 < SHIFTS_MAX ? n - 1 : SHIFTS_MAX;
    double total = (double)n;
    double apart[SHIFTS_MAX];
    for (size_t s = 0; s < shifts; s++) {
        size_t by = (s + 1) * n / (shifts + 1);
        int both = 0;
        for (size_t i = 0; i < n; i++) {
            both += w->matching[i] & w->winning[i + by < n ? i + by : i + by - n];
        }
        apart[s] = fabs(both - matching * wins / total);
    }
    qsort(apart, shifts, sizeof(apart[0]), by_value);
    size_t kept = shifts - shifts / TAIL_PART;
    double variance = 0;
    for (size_t s = 0; s < kept; s++) {
        variance += WITHOUT_TAIL * apart[s] * apart[s] / (double)kept;
    }
    double alone = matching * (total - matching) * wins * (total - wins) /
                   (total * total * (total - 1)); /* of the hypergeometric distribution */
    return alone > 0 ? fmax(1, variance / alone) : 1;
}

/* The p-value of the test on a part, with as many trades as count after the design effect. Rounding
 * is against the finding. */
static double p_clustered(const struct work *w, const struct test *test, enum part part,
                          int kept_count)
{
    struct sum sum;
    struct sum all;
    sum_apart(w, test->candidate, part, kept_count, &sum, &all);
    double effect = design_effect(w, test->candidate, part, kept_count);
    bool less = test->effect == RULE_AVOID;
    double k = (double)sum.wins / effect;
    double others_k = (double)(all.wins - sum.wins) / effect;
    struct sum fewer = {.cases = (int64_t)((double)sum.cases / effect)};
    struct sum others = {.cases = (int64_t)((double)(all.cases - sum.cases) / effect)};
    fewer.wins = (int64_t)(less ? ceil(k) : floor(k));
    others.wins = (int64_t)(less ? floor(others_k) : ceil(others_k));
    fewer.wins = fewer.wins < fewer.cases ? fewer.wins : fewer.cases;
    others.wins = others.wins < others.cases ? others.wins : others.cases;
    const struct sum total = {.cases = fewer.cases + others.cases,
                              .wins = fewer.wins + others.wins};
    return p_of(&fewer, &total, test->effect);
}

/* Whether it stands without the survivors so far. */
static bool is_new(const struct work *w, const struct test *test, double limit)
{
    struct sum sum;
    struct sum all;
    sum_apart(w, test->candidate, FORMED, w->kept_count, &sum, &all);
    return sum.cases >= w->o->min_formed && all.cases - sum.cases >= w->o->min_formed &&
           pays(&sum, test->effect) && p_of(&sum, &all, test->effect) <= limit;
}

static void keep_survivors(struct work *w)
{
    for (int i = 0; i < w->test_count && w->kept_count < STUDY_SURVIVORS; i++) {
        struct test *test = &w->tests[i];
        if (test->corrected > STUDY_FORMED_LEVEL) {
            return;
        }
        if (!is_new(w, test, STUDY_FORMED_LEVEL)) {
            continue;
        }
        /* With other trades, or fewer, than the test that Holm's correction ranked, it is
         * Bonferroni's, which is stricter. */
        double p = p_clustered(w, test, FORMED, w->kept_count) * w->test_count;
        if (p <= STUDY_FORMED_LEVEL) {
            test->corrected = fmax(test->corrected, p);
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
        double own = p_clustered(w, test, HELD, i);
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

static struct study_tally tally(const struct work *w, const struct test *test, enum part part,
                                int kept_count, double p)
{
    struct sum sum;
    struct sum all;
    sum_apart(w, test->candidate, part, kept_count, &sum, &all);
    return (struct study_tally){.cases = sum.cases,
                                .wins = sum.wins,
                                .all_cases = all.cases,
                                .all_wins = all.wins,
                                .return_pct = sum.return_pct,
                                .p = isnan(p) ? p_of(&sum, &all, test->effect) : p};
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

/* Apart from the first kept_count survivors. held_p NaN: not corrected. */
static struct study_finding *add_finding(const struct work *w, const struct test *test,
                                         int kept_count, double held_p, struct study *study)
{
    struct study_finding *f = &study->findings[study->count++];
    (void)str_copy(str_c(w->candidates[test->candidate].text), f->condition, sizeof(f->condition));
    f->effect = test->effect;
    f->formed = tally(w, test, FORMED, kept_count, test->corrected);
    f->held = tally(w, test, HELD, kept_count, held_p);
    add_evidence(w, test->candidate, f);
    return f;
}

static bool is_confirmed(const struct work *w, const struct study_finding *f)
{
    const struct sum sum = {.return_pct = f->held.return_pct};
    return f->held.p <= w->o->level && pays(&sum, f->effect);
}

static void report(const struct work *w, struct study *study)
{
    double held_p[STUDY_SURVIVORS];
    confirm(w, held_p);
    for (int i = 0; i < w->kept_count; i++) {
        struct study_finding *f = add_finding(w, &w->tests[w->kept[i]], i, held_p[i], study);
        f->end = f->held.cases < w->o->min_held ? STUDY_WAITING
                 : is_confirmed(w, f)           ? STUDY_CONFIRMED
                                                : STUDY_REFUTED;
    }
    int weak = 0;
    for (int i = 0; i < w->test_count && weak < STUDY_WEAK; i++) {
        const struct test *test = &w->tests[i];
        if (test->corrected > STUDY_FORMED_LEVEL && is_new(w, test, STUDY_WEAK_P)) {
            struct study_finding *f = add_finding(w, test, w->kept_count, (double)NAN, study);
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
    w.known = zeroed(count + 1, sizeof(*w.known));
    w.matching = zeroed(count + 1, sizeof(*w.matching));
    w.winning = zeroed(count + 1, sizeof(*w.winning));
    w.candidates = zeroed(CANDIDATES_MAX, sizeof(*w.candidates));
    w.matches = zeroed(CANDIDATES_MAX, w.row_size);
    w.sums = zeroed(CANDIDATES_MAX, sizeof(*w.sums));
    w.tests = zeroed(TESTS_MAX, sizeof(*w.tests));
    struct symbol symbols[CANDIDATE_SYMBOLS_MAX];
    w.candidate_count = candidate_make(symbols, pick_symbols(&w, symbols), w.candidates);
    mark_known(&w);
    count_matches(&w);
    test_all(&w);
    keep_survivors(&w);
    study->formed = w.all[FORMED].cases;
    study->held = w.all[HELD].cases;
    study->tried = w.test_count;
    study->survivors = w.kept_count;
    study->level = options->level;
    report(&w, study);
    free(w.matching);
    free(w.winning);
    free(w.known);
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

/* exact.h, candidate.h, study.h: the statistics, without any database. */
#include "../../../src/learning/candidate.h"
#include "../../../src/learning/study.h"
#include "base/check.h"
#include "report/exact.h"
#include "rigs/market_rig.h"
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>

/* Fisher's tea: 4 cups of 8, all four told right: 1 of 70 ways. R 4.2, phyper() and fisher.test().
 */
static void the_exact_test_is_exact(void **state)
{
    (void)state;
    static const struct {
        struct exact e;
        enum exact_side side;
        double p;
    } known[] = {
        {{4, 4, 4, 8}, EXACT_MORE, 1.0 / 70},
        {{3, 4, 4, 8}, EXACT_MORE, 17.0 / 70},
        {{3, 4, 4, 8}, EXACT_LESS, 69.0 / 70},
        {{4, 4, 4, 8}, EXACT_LESS, 1},
        {{0, 4, 4, 8}, EXACT_LESS, 1.0 / 70},
        {{0, 4, 4, 8}, EXACT_MORE, 1},
        {{0, 0, 4, 8}, EXACT_LESS, 1},
        {{0, 3, 0, 8}, EXACT_LESS, 1},
        {{3, 3, 8, 8}, EXACT_MORE, 1},
        /* 1 - phyper(2, 5, 5, 5) */
        {{3, 5, 5, 10}, EXACT_MORE, 0.5},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        double p = exact_p(&known[i].e, known[i].side);
        if (fabs(p - known[i].p) > 1e-12) {
            fail_msg("row %zu: %.17g instead of %.17g", i, p, known[i].p);
        }
    }
}

/* Both tails of every possible table of a small and a large group, against the sum of its terms. */
static void the_tails_add_up(void **state)
{
    (void)state;
    for (int64_t k = 0; k <= 40; k++) {
        const struct exact e = {.k = k, .n = 40, .all_k = 900, .all_n = 2000};
        double less = exact_p(&e, EXACT_LESS);
        double more = exact_p(&e, EXACT_MORE);
        assert_true(less >= 0 && less <= 1 && more >= 0 && more <= 1);
        if (k < 40) { /* P(X <= k) + P(X >= k + 1) = 1 */
            struct exact next = e;
            next.k++;
            assert_true(fabs(less + exact_p(&next, EXACT_MORE) - 1) < 1e-9);
        }
    }
}

static void holm_steps_down(void **state)
{
    (void)state;
    double p[] = {0.005, 0.01, 0.03, 0.04};
    exact_holm(p, 4, 4); /* 4 x .005, 3 x .01, 2 x .03, and never below the one before */
    assert_true(fabs(p[0] - 0.02) < 1e-12 && fabs(p[1] - 0.03) < 1e-12);
    assert_true(fabs(p[2] - 0.06) < 1e-12 && fabs(p[3] - 0.06) < 1e-12);
    double most[] = {0.3};
    exact_holm(most, 1, 100);
    assert_true(most[0] >= 1 && most[0] <= 1);
}

static void candidates_are_normal_and_differ(void **state)
{
    (void)state;
    struct symbol symbols[CANDIDATE_SYMBOLS_MAX];
    for (int i = 0; i < CANDIDATE_SYMBOLS_MAX; i++) {
        char name[SYMBOL_SIZE];
        (void)snprintf(name, sizeof(name), "C%d-USD", i);
        assert_true(symbol_parse(str_c(name), &symbols[i]));
    }
    struct candidate *c = calloc(CANDIDATES_MAX, sizeof(*c));
    int n = candidate_make(symbols, CANDIDATE_SYMBOLS_MAX, c);
    assert_true(n > 100 && n <= CANDIDATES_MAX);
    for (int i = 0; i < n; i++) {
        struct condition again;
        char text[CONDITION_TEXT_SIZE];
        assert_int_equal(condition_compile(str_c(c[i].text), &again, NULL), 0);
        assert_string_equal(condition_print(&again, text), c[i].text);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(c[i].text, c[k].text);
        }
    }
    free(c);
}

/* Sums to 5 % over all studies there can ever be, so that repeating them proves nothing. */
static void levels_of_all_studies_sum_to_five_per_cent(void **state)
{
    (void)state;
    double sum = 0;
    for (int64_t r = 1; r <= 100000; r++) {
        sum += study_level(r);
    }
    assert_true(sum < 0.05 && sum > 0.0499);
    assert_true(fabs(study_level(1) - 0.025) < 1e-12);
}

#define CASES 900

static struct study *study_of(const struct market *market, size_t count)
{
    struct study_case *cases = calloc(count, sizeof(*cases));
    market_cases(market, cases, count);
    struct study *study = study_new(
        cases, count,
        &(struct study_options){
            .held_from = count * 2 / 3, .level = study_level(1), .min_formed = 20, .min_held = 10});
    free(cases);
    return study;
}

static const struct study_finding *find(const struct study *study, enum study_end end)
{
    for (int i = 0; i < study->count; i++) {
        if (study->findings[i].end == end) {
            return &study->findings[i];
        }
    }
    return NULL;
}

static void noise_is_not_confirmed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const struct market market = {.seed = seed,
                                      .kind = (enum market_kind)(seed % MARKET_NOISE)};
        AUTO_STUDY struct study *study = study_of(&market, CASES);
        assert_null(find(study, STUDY_CONFIRMED));
        assert_int_equal(study->formed, 600);
        assert_int_equal(study->held, 300);
        assert_true(study->tried > 60);
    }
}

static void a_planted_rule_is_confirmed(void **state)
{
    (void)state;
    for (int kind = 0; kind < PLANTED_COUNT; kind++) {
        const struct market market = {
            .seed = 40 + (uint64_t)kind, .planted = true, .plant = (enum plant)kind};
        AUTO_STUDY struct study *study = study_of(&market, 3 * CASES);
        const struct study_finding *f = find(study, STUDY_CONFIRMED);
        assert_non_null(f);
        assert_string_equal(f->condition, market_planted(&market));
        assert_int_equal(f->effect, RULE_AVOID);
        assert_true(f->formed.p <= STUDY_FORMED_LEVEL && f->held.p <= study->level);
        assert_true(f->evidence_count == STUDY_EVIDENCE_MAX &&
                    f->evidence[0] < f->evidence[STUDY_EVIDENCE_MAX - 1]);
    }
}

/* What ends before the held-out part begins is found in the forming part and refuted after it. */
static void a_rule_that_ends_is_refuted(void **state)
{
    (void)state;
    const struct market market = {
        .seed = 5, .planted = true, .plant = PLANTED_SIDE, .ends_after = 2 * CASES};
    AUTO_STUDY struct study *study = study_of(&market, 3 * CASES);
    assert_null(find(study, STUDY_CONFIRMED));
    const struct study_finding *f = find(study, STUDY_REFUTED);
    assert_non_null(f);
    assert_string_equal(f->condition, market_planted(&market));
}

/* The same trades in the other order of parts: without held-out cases nothing is confirmed. */
static void too_few_held_out_cases_wait(void **state)
{
    (void)state;
    const struct market market = {.seed = 5, .planted = true, .plant = PLANTED_SIDE};
    struct study_case *cases = calloc(3 * CASES, sizeof(*cases));
    market_cases(&market, cases, 3 * CASES);
    AUTO_STUDY struct study *study = study_new(
        cases, 3 * CASES,
        &(struct study_options){
            .held_from = 3 * CASES - 3, .level = study_level(1), .min_formed = 20, .min_held = 10});
    free(cases);
    assert_null(find(study, STUDY_CONFIRMED));
    assert_non_null(find(study, STUDY_WAITING));
}

static void nothing_to_study_is_no_crash(void **state)
{
    (void)state;
    const struct study_options options = {
        .level = study_level(1), .min_formed = 20, .min_held = 10};
    AUTO_STUDY struct study *none = study_new(NULL, 0, &options);
    assert_int_equal(none->count, 0);
    assert_int_equal(none->tried, 0);
}

UNIT_GROUP(study, cmocka_unit_test(the_exact_test_is_exact), cmocka_unit_test(the_tails_add_up),
           cmocka_unit_test(holm_steps_down), cmocka_unit_test(candidates_are_normal_and_differ),
           cmocka_unit_test(levels_of_all_studies_sum_to_five_per_cent),
           cmocka_unit_test(noise_is_not_confirmed), cmocka_unit_test(a_planted_rule_is_confirmed),
           cmocka_unit_test(a_rule_that_ends_is_refuted),
           cmocka_unit_test(too_few_held_out_cases_wait),
           cmocka_unit_test(nothing_to_study_is_no_crash))

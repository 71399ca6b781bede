/*
 * study.h: looks for conditions under which trades lose, or win, more often than the others, and
 * keeps apart what is a pattern from what is chance.
 *
 *     struct study *study = study_new(cases, count, &(struct study_options){.held_from = from,
 *                                     .level = study_level(1), .min_formed = 20, .min_held = 10});
 *     for (int i = 0; i < study->count; i++) use(&study->findings[i]);
 *     study_free(study);
 *
 * Method:
 *   1. The cases before held_from form the findings; those from it on are held out.
 *   2. Every condition of the grammar (candidate.h), as something to avoid and as something to
 *      favour, is tested on the forming part: Fisher's exact test of its wins against all others.
 *      Holm's correction covers all of them. One survives if its corrected p-value is at most
 *      STUDY_FORMED_LEVEL and its trades lost money (favour: made money) in sum. A further survivor
 * has to stand without the trades of those before it: the same trades again, or simply all others,
 *      are no second finding. Its figures are those without these trades. The same holds for the
 *      patterns of rules that were proposed before.
 *   3. The survivors are tested the same way on the held-out part, which had no say in choosing
 *      them; Holm's correction covers all survivors. Those that reach `level` are confirmed.
 * So both parts must show it, each after its correction. Holm and not Benjamini-Hochberg: a rule of
 * noise costs trades for ever, so the chance of even one is bounded, not the share of them. Holm
 * needs no assumption about how the tests depend on each other, and these overlap.
 * A study is repeated while trades come in. study_level gives the r-th one 1 / (r (r + 1)) of 5 %,
 * and these sum to 5 %: looking again and again does not add up to a find (alpha spending; Lan and
 * DeMets 1983). The held-out part of each study are trades that no earlier one has seen, so the
 * chance that anything is ever proposed in a market of noise is at most 5 %, and about a hundredth
 * of that since the forming part has to show it as well.
 * Wins that come in clusters (trades of one hour that end alike) prove less than as many trades
 * drawn alone: what survives is tested with the counts divided by the design effect, which is
 * measured by shifting the wins against the matches.
 * Limits: what is the same over months, such as a long rising market, still looks like a property
 * of trades; a pattern may end the day after it was confirmed, so rules are followed by shadow.
 * Private to this module. Thread: any (pure; allocates).
 */
#pragma once

#include "model/condition.h"
#include "model/decision.h"
#include "model/rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUDY_CASES_MAX    20000 /* the newest are studied */
#define STUDY_SURVIVORS    6
#define STUDY_WEAK         4 /* shown, though the correction says that they may be chance */
#define STUDY_FORMED_LEVEL 0.01
#define STUDY_KNOWN_MAX    64
#define STUDY_WEAK_P       0.01 /* without correction */
#define STUDY_EVIDENCE_MAX 12

/* A closed trade and what was known when it was decided; an indicator may be NaN (unknown). */
struct study_case {
    int64_t trade_id;
    struct symbol symbol;
    enum side side;
    enum regime regime;
    int hour;    /* UTC, of market time */
    int weekday; /* 0 is Monday */
    bool won;
    double return_pct; /* after fees, of the notional at entry */
    double price;
    double score; /* before rules changed it */
    double rsi14;
    double macd;
    double macd_signal;
    double bb_width_1h;
};

/* The values as the engine had them for a rule; what a decision does not store is NaN. */
void study_values(const struct study_case *c, struct condition_values *ret);

/* Patterns that a rule was proposed for: their trades are explained, and say nothing new. */
struct study_known {
    int count;
    char patterns[STUDY_KNOWN_MAX][CONDITION_TEXT_SIZE];
};

struct study_options {
    const struct study_known *known; /* NULL: none */
    size_t held_from;                /* index of the first held-out case */
    double level;                    /* of the held-out part */
    int64_t min_formed; /* matching cases needed to be tried at all, and as many others */
    int64_t min_held;   /* matching cases needed to be confirmed */
};

double study_level(int64_t review); /* from 1 */

struct study_tally {
    int64_t cases;
    int64_t wins;
    int64_t all_cases;
    int64_t all_wins;
    double return_pct; /* sum over the cases */
    double p;          /* corrected; not that of the held-out part of a weak finding */
};

enum study_end {
    STUDY_WEAK_CHANCE, /* in the forming part, but chance explains it after the correction */
    STUDY_WAITING,     /* survived; too few held-out cases to tell */
    STUDY_REFUTED,     /* survived, but the held-out part does not show it */
    STUDY_CONFIRMED
};

struct study_finding {
    char condition[CONDITION_TEXT_SIZE]; /* in normal form */
    enum rule_effect effect;
    enum study_end end;
    struct study_tally formed;
    struct study_tally held;
    int evidence_count;
    int64_t evidence[STUDY_EVIDENCE_MAX]; /* newest matching trades, oldest first */
};

struct study {
    int64_t formed;
    int64_t held;
    int64_t tried; /* tests on the forming part: conditions and effects */
    int64_t survivors;
    double level;
    int count;
    struct study_finding findings[STUDY_SURVIVORS + STUDY_WEAK]; /* survivors first */
};

/* Cases in the order in which they closed. The caller frees it; never NULL. */
struct study *study_new(const struct study_case *cases, size_t count,
                        const struct study_options *options);
void study_free(struct study *study);
static inline void study_cleanup(struct study **slot)
{
    study_free(*slot);
}
#define AUTO_STUDY AUTO(study_cleanup)

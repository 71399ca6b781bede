/*
 * score.h: how good probabilities were, held against what happened.
 *
 *     struct score score;
 *     score_of(predicted, happened, count, &score);
 *     if (!score_beats_coin(&score, horizon)) say so;
 *
 * AUC: the share of all pairs of a row that happened and one that did not in which the first had
 * the larger prediction, ties counting half (Mann-Whitney); NaN unless both kinds are there. Log
 * loss: mean of -ln(probability given to what happened), with probabilities cut to [1e-15,
 * 1 - 1e-15]. A coin flip has .5 and ln 2 = .6931; who only knows the base rate q has AUC .5 and
 * the log loss -q ln q - (1 - q) ln(1 - q).
 * Sources: J. A. Hanley and B. J. McNeil, The Meaning and Use of the Area under a ROC Curve, 1982.
 * Invariants: pure. Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SCORE_BINS     10
#define SCORE_COIN_AUC 0.5

struct score_bin {
    size_t count;
    double predicted; /* mean of the predictions in it; NaN when it is empty */
    double observed;  /* share that happened; NaN when it is empty */
};

struct score {
    size_t count;
    size_t happened;
    double auc;
    double log_loss;                   /* NaN without rows */
    double base_rate;                  /* share that happened; NaN without rows */
    double base_rate_log_loss;         /* of always saying the base rate */
    struct score_bin bins[SCORE_BINS]; /* by prediction: [0, .1), … [.9, 1] */
};

/* happened: 0 or 1. predicted: 0..1. */
void score_of(const float *predicted, const float *happened, size_t count, struct score *ret);

/* Hanley and McNeil's standard error of the AUC when only one row in `overlap` is independent of
 * the others: labels that look `overlap` bars ahead share most of their future. NaN as the AUC. */
double score_auc_error(const struct score *score, double overlap);
/* The AUC is two standard errors above a coin's, and the log loss below the coin's and the base
 * rate's. */
bool score_beats_coin(const struct score *score, double overlap);

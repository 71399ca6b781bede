/*
 * score.h: how well predicted probabilities match the outcomes.
 *
 *     struct score score;
 *     score_of(predicted, happened, count, &score);
 *     if (!score_beats_coin(&score, horizon)) warn;
 *
 * AUC: among all pairs of a row that happened and one that did not, the share in which the first
 * has the larger prediction; ties count half (Mann-Whitney). NaN unless both kinds are present. Log
 * loss: the mean of -ln(probability given to the outcome), with probabilities clamped to [1e-15,
 * 1 - 1e-15]. A coin flip has AUC .5 and log loss ln 2 = .6931; always predicting the base rate q
 * has AUC .5 and log loss -q ln q - (1 - q) ln(1 - q).
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
    double base_rate_log_loss;         /* of always predicting the base rate */
    struct score_bin bins[SCORE_BINS]; /* by prediction: [0, .1), … [.9, 1] */
};

/* happened: 0 or 1. predicted: 0..1. */
void score_of(const float *predicted, const float *happened, size_t count, struct score *ret);

/* Hanley and McNeil's standard error of the AUC, with one independent row in `overlap`: labels that
 * look `overlap` bars ahead share most of their future. NaN when the AUC is NaN. */
double score_auc_error(const struct score *score, double overlap);
/* The AUC is two standard errors above a coin's, and the log loss below the coin's and the base
 * rate's. */
bool score_beats_coin(const struct score *score, double overlap);

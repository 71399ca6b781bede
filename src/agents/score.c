#include "agents/score.h"

#include "base/auto.h"
#include "base/check.h"

#include <math.h>
#include <stdlib.h>

#define CUT 1e-15

struct ranked {
    float predicted;
    bool happened;
};

static int by_prediction(const void *a, const void *b)
{
    float x = ((const struct ranked *)a)->predicted, y = ((const struct ranked *)b)->predicted;
    return (x > y) - (x < y);
}

/* Each row that happened counts every row below it that did not; ties count half. */
static double auc_of(const float *predicted, const float *happened, size_t count, size_t positives)
{
    size_t negatives = count - positives;
    if (positives == 0 || negatives == 0) {
        return (double)NAN;
    }
    AUTO_FREE struct ranked *rows = calloc(count, sizeof(*rows));
    ASSERT(rows != NULL);
    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct ranked){predicted[i], happened[i] > 0.5F};
    }
    qsort(rows, count, sizeof(*rows), by_prediction);
    double won = 0, below = 0;
    for (size_t i = 0; i < count;) {
        double here[2] = {0, 0};
        size_t j = i;
        for (; j < count && by_prediction(&rows[i], &rows[j]) == 0; j++) {
            here[rows[j].happened] += 1;
        }
        won += here[1] * (below + here[0] / 2);
        below += here[0];
        i = j;
    }
    return won / ((double)positives * (double)negatives);
}

static double loss_of(double probability, bool happened)
{
    double given = happened ? probability : 1 - probability;
    given = given < CUT ? CUT : given > 1 - CUT ? 1 - CUT : given;
    return -log(given);
}

static void calibrate(const float *predicted, const float *happened, size_t count,
                      struct score_bin bins[SCORE_BINS])
{
    for (int b = 0; b < SCORE_BINS; b++) {
        bins[b] = (struct score_bin){0};
    }
    for (size_t i = 0; i < count; i++) {
        double p = (double)predicted[i];
        int b = p > 0 ? (int)(p * SCORE_BINS) : 0;
        struct score_bin *bin = &bins[b < SCORE_BINS ? b : SCORE_BINS - 1];
        bin->count++;
        bin->predicted += p;
        bin->observed += (double)happened[i];
    }
    for (int b = 0; b < SCORE_BINS; b++) {
        double n = (double)bins[b].count;
        bins[b].predicted = bins[b].count > 0 ? bins[b].predicted / n : (double)NAN;
        bins[b].observed = bins[b].count > 0 ? bins[b].observed / n : (double)NAN;
    }
}

void score_of(const float *predicted, const float *happened, size_t count, struct score *ret)
{
    *ret = (struct score){.count = count};
    double loss = 0;
    for (size_t i = 0; i < count; i++) {
        bool yes = happened[i] > 0.5F;
        ret->happened += yes;
        loss += loss_of((double)predicted[i], yes);
    }
    double n = (double)count;
    double q = count > 0 ? (double)ret->happened / n : (double)NAN;
    ret->base_rate = q;
    ret->log_loss = count > 0 ? loss / n : (double)NAN;
    ret->base_rate_log_loss = q * loss_of(q, true) + (1 - q) * loss_of(q, false);
    ret->auc = auc_of(predicted, happened, count, ret->happened);
    calibrate(predicted, happened, count, ret->bins);
}

double score_auc_error(const struct score *score, double overlap)
{
    double a = score->auc;
    double yes = (double)score->happened / overlap;
    double no = (double)(score->count - score->happened) / overlap;
    yes = yes > 1 ? yes : 1;
    no = no > 1 ? no : 1;
    double q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
    double variance =
        (a * (1 - a) + (yes - 1) * (q1 - a * a) + (no - 1) * (q2 - a * a)) / (yes * no);
    return sqrt(variance > 0 ? variance : 0);
}

bool score_beats_coin(const struct score *score, double overlap)
{
    return score->auc - 2 * score_auc_error(score, overlap) > SCORE_COIN_AUC &&
           score->log_loss < M_LN2 && score->log_loss < score->base_rate_log_loss;
}

/*
 * trade_health.h: whether trades do worse while a service is down, or while checks are slow or the
 * machine is busy.
 *
 *     trade_health_fault(&t, FAULT_DOWN, from_us, to_us);    // for each time of fault
 *     trade_health_trade(&t, &trade);                            // then for each trade
 *     trade_health_compare(&t, FAULT_DOWN, &difference);
 *
 * A trade belongs to a kind of fault if it was open at a time of it (the worse kind first), else
 * to none. Its result is its profit after fees, in percent of its size. Two groups are compared by
 * the difference of their means with a 95 % interval (B. L. Welch, "The generalization of
 * 'Student's' problem when several different population variances are involved", Biometrika 34,
 * 1947; the quantile of t from Abramowitz and Stegun 26.7.5). It says what went together, not why.
 * Always true: at most FAULTS_MAX times of each kind are kept, the first ones; with fewer than
 * TRADES_MIN trades on either side nothing is compared.
 * Thread: any.
 */
#pragma once

#include "model/position.h"

#include <stdbool.h>
#include <stdint.h>

#define FAULTS_MAX 2048
#define TRADES_MIN 10

enum fault { FAULT_DOWN, FAULT_SLOW, FAULT_NONE, FAULTS };

struct trade_group_result {
    int64_t trades;
    int64_t wins;
    double mean_pct; /* 0 without trades */
    double square;   /* sum of the squared distances from the mean */
};

struct fault_time {
    int64_t from_us, to_us;
};

struct trade_health {
    int count[FAULT_NONE];
    struct fault_time times[FAULT_NONE][FAULTS_MAX];
    struct trade_group_result groups[FAULTS];
};

struct trade_difference {
    bool enough; /* else the rest is not set */
    double points, lower, upper;
};

/* In the order of from_us; times that meet become one. */
void trade_health_fault(struct trade_health *t, enum fault kind, int64_t from_us, int64_t to_us);
void trade_health_trade(struct trade_health *t, const struct trade *trade);
/* Of the group less FAULT_NONE. */
void trade_health_compare(const struct trade_health *t, enum fault kind,
                          struct trade_difference *ret);

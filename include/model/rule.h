/*
 * rule.h: a trading rule: when an entry should be avoided or favoured, and how well it predicted.
 *
 *     struct rule rule;
 *     rc = rule_read(str_c("avoid\nrsi14 > 80 and side == long\nno chasing"), &rule, &p, err);
 *     rule_write(&rule, request.text);
 *
 * Effect of an active rule on an entry that the agents want: `avoid` refuses it with
 * RISK_TRADING_RULE; `favour` adds RULE_FAVOUR_BONUS to |score|, at most RULE_FAVOUR_MAX for all
 * rules together and never above |score| 1, which makes the entry larger within the limits of risk.
 * A testing rule has no effect.
 * Counts of active and testing rules: a match opens a shadow (a hypothetical trade) with the
 * entry's price, stop and target. It is followed bar by bar until the price reaches one of the
 * two (the stop, if one bar reaches both). `favour` succeeds if the target is reached first,
 * `avoid` if the stop is. A rule has at most one shadow for each symbol and side; further
 * matches meanwhile count as the same case.
 * `retired` is final: the rule stays in the database with its counts, but not in the engine.
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "model/condition.h"
#include "model/order.h"
#include "model/request.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

#define RULES_MAX         32 /* testing or active */
#define SHADOWS_MAX       64 /* of all rules; beyond that the oldest is dropped and not counted */
#define RULE_HELP_SIZE    160

#define RULE_FAVOUR_BONUS 0.1
#define RULE_FAVOUR_MAX   0.2

enum rule_status { RULE_TESTING, RULE_ACTIVE, RULE_RETIRED };
enum rule_effect { RULE_AVOID, RULE_FAVOUR };

const char *rule_status_name(enum rule_status s); /* "testing" "active" "retired" */
const char *rule_effect_name(enum rule_effect e); /* "avoid" "favour" */
bool rule_status_parse(struct str s, enum rule_status *ret);
bool rule_effect_parse(struct str s, enum rule_effect *ret);

struct rule {
    int64_t id; /* > 0 */
    enum rule_status status;
    enum rule_effect effect;
    char condition[CONDITION_TEXT_SIZE]; /* in normal form */
    char help[RULE_HELP_SIZE];           /* the reason, for people */
    int64_t success_count;
    int64_t failure_count;
    int64_t created_us; /* market time, like updated_us */
    char created_by[32];
    int64_t updated_us; /* of the status */
};

/* A hypothetical trade from an entry that matched a rule. */
struct rule_shadow {
    int64_t id; /* increasing: the smallest is the oldest */
    int64_t rule_id;
    int64_t decision_id;
    struct symbol symbol;
    enum side side;
    struct dec entry;
    struct dec stop;
    struct dec target;
    int64_t at_us; /* market time */
};

/* The rules in the engine (testing or active) and their shadows. */
struct rule_book {
    int rule_count;
    struct rule rules[RULES_MAX];
    int shadow_count;
    struct rule_shadow shadows[SHADOWS_MAX];
    int64_t last_rule_id;   /* the largest id ever used, including retired rules */
    int64_t last_shadow_id; /* of the open shadows */
};

/* The text of REQUEST_RULE_ADD: effect, condition and help, one line each. rule_read checks all
 * three (ERR_RULE_TEXT, ERR_RULE_CONDITION), stores the condition in normal form and its program in
 * *ret_program; the other fields of *ret are zero. */
int rule_read(struct str text, struct rule *ret, struct condition *ret_program, struct err *err);
void rule_write(const struct rule *rule, char dst[REQUEST_TEXT_SIZE]);

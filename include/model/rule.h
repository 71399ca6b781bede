/*
 * rule.h: a trading rule: when an entry should be avoided or favoured, and how it did.
 *
 *     struct rule rule;
 *     rc = rule_read(str_c("avoid\nrsi14 > 80 and side == long\nno chasing"), &rule, &program,
 * err); rule_write(&rule, request.text);
 *
 * Effects, of rules that are active, on an entry that the agents want: `avoid` refuses it with
 * RISK_TRADING_RULE; `favour` adds RULE_FAVOUR_BONUS to |score|, all of them together at most
 * RULE_FAVOUR_MAX, and |score| stays at or under 1: so the entry is larger, within the limits of
 * risk. Rules that are testing change nothing.
 * Counting, of both: a match opens a shadow with the entry's price, stop and target, which is
 * followed bar by bar until one of the two is touched (the stop, when one bar touches both).
 * `favour` succeeded when the target came first, `avoid` when the stop did. A rule has at most one
 * shadow a symbol and side at a time: matches meanwhile are the same case.
 * `retired` is final: the rule stays in the table with its counts, the engine forgets it.
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
#define SHADOWS_MAX       64 /* of all rules; the oldest gives way, and counts as neither */
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
    char help[RULE_HELP_SIZE];           /* for people: why */
    int64_t success_count;
    int64_t failure_count;
    int64_t created_us; /* market time, like updated_us */
    char created_by[32];
    int64_t updated_us; /* of the status */
};

/* An entry that a rule spoke of. */
struct rule_shadow {
    int64_t id; /* rising: the smallest is the oldest */
    int64_t rule_id;
    int64_t decision_id;
    struct symbol symbol;
    enum side side;
    struct dec entry;
    struct dec stop;
    struct dec target;
    int64_t at_us; /* market time */
};

/* All that the engine keeps of rules: those that live, and their shadows. */
struct rule_book {
    int rule_count;
    struct rule rules[RULES_MAX];
    int shadow_count;
    struct rule_shadow shadows[SHADOWS_MAX];
    int64_t last_rule_id;   /* of those that ever were */
    int64_t last_shadow_id; /* of those that live */
};

/* The text of REQUEST_RULE_ADD: effect, condition and help, a line each. read checks all three
 * (ERR_RULE_TEXT, ERR_RULE_CONDITION), puts the condition into normal form and the program into
 * *ret_program; the rest of *ret is zero. */
int rule_read(struct str text, struct rule *ret, struct condition *ret_program, struct err *err);
void rule_write(const struct rule *rule, char dst[REQUEST_TEXT_SIZE]);

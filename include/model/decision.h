/*
 * decision.h: the votes of the agents on one closed candle and the outcome. It is stored whole, so
 * that /why can explain it at any later time.
 *
 * Units: confidence, weight and score are 0..1 (score is signed: positive is long).
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/order.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

#define VOTES_MAX          8
#define REASONS_MAX        8
#define DECISION_RULES_MAX 8

enum direction { DIRECTION_NONE, DIRECTION_LONG, DIRECTION_SHORT };
enum regime { REGIME_NEUTRAL, REGIME_TRENDING, REGIME_CHOPPY };
enum outcome {
    OUTCOME_HOLD,   /* the score is below the threshold, or veto_text gives the reason */
    OUTCOME_VETOED, /* risk refused; veto_code names the rule */
    OUTCOME_ORDER   /* an order intent was created: client_id */
};

const char *direction_name(enum direction d); /* "none" "long" "short" */
const char *regime_name(enum regime r);       /* "neutral" "trending" "choppy" */
const char *outcome_name(enum outcome o);     /* "hold" "vetoed" "order" */
bool direction_parse(struct str s, enum direction *ret);
bool regime_parse(struct str s, enum regime *ret);
bool outcome_parse(struct str s, enum outcome *ret);

struct reason {
    char indicator[16]; /* "rsi14" */
    double value;
    double threshold;
    double points; /* contribution to the confidence */
};

struct vote {
    char agent[16];
    enum direction direction;
    double confidence;
    double weight; /* given by the decision core in this regime */
    int reason_count;
    struct reason reasons[REASONS_MAX];
};

struct decision {
    int64_t id;
    struct symbol symbol;
    int64_t at_us; /* market time: the close of the candle */
    struct dec price;
    enum regime regime;
    int vote_count;
    struct vote votes[VOTES_MAX];
    double score; /* weighted sum, long minus short */
    double threshold;
    enum direction direction;
    enum outcome outcome;
    char veto_code[32];      /* "RISK_…" or empty */
    char veto_text[96];      /* with figures: "3 of 3 positions open"; also set for a hold */
    struct dec veto_max_qty; /* largest allowed size; zero if none */
    struct dec qty;          /* of the wanted order; zero if none */
    struct dec stop;
    struct dec target;
    int rule_count;
    int64_t rule_ids[DECISION_RULES_MAX]; /* trading rules that matched, active and testing */
    char client_id[CLIENT_ID_SIZE];       /* of the resulting order */
};

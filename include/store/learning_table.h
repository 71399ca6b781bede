/*
 * learning_table.h: what was learnt from trades, and the studies that looked for it, in ops.db.
 *
 *     struct learning learning = {.pattern = "side == short and symbol == SOL-USD", ...};
 *     learning_table_merge(store, &learning, &id, &is_new, err);
 *     learning_table_get(store, id, &learning, err); ... learning_table_save(store, &learning,
 * err);
 *
 * Always true: no two rows have the same pattern, and no two without a pattern say the same once
 * letter case, punctuation and figures are left out (the wording); learning_table_merge adds to the
 * row that is there instead, and counts that. At most LEARNINGS_MAX rows: those without a rule
 * of and that changed longest ago are deleted first.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/condition.h"
#include "model/rule.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEARNINGS_MAX         128
#define LEARNING_OBSERVED_MAX 64 /* learning_table_is_room: leaves room for what studies find */
#define LEARNING_TEXT_SIZE    320
#define LEARNING_EVIDENCE_MAX 12
#define LEARNING_REVIEWS_KEPT 200

enum learning_outcome {
    LEARNING_OBSERVED,  /* counted; no study has found more than chance in it */
    LEARNING_WAITING,   /* found, but the held-out part has too few cases to tell */
    LEARNING_REFUTED,   /* found, but the held-out part does not show it */
    LEARNING_CONFIRMED, /* the held-out part shows it too: a rule is being proposed */
    LEARNING_TESTING,   /* its rule is counted and changes nothing */
    LEARNING_ACTIVE,    /* a person has activated its rule */
    LEARNING_RETIRING,  /* its rule turned out useless; the engine is being asked to retire it */
    LEARNING_RETIRED
};

const char *learning_outcome_name(enum learning_outcome o); /* "observed" "waiting" … */
bool learning_outcome_parse(struct str s, enum learning_outcome *ret);

/* The matching trades of one part of a study, against all of that part. */
struct learning_part {
    int64_t cases;
    int64_t wins;
    int64_t all_cases;
    int64_t all_wins;
    double return_pct; /* sum, in per cent of the notional at entry */
    double p;
};

struct learning {
    int64_t id;
    char pattern[CONDITION_TEXT_SIZE]; /* a condition in normal form; "": words only */
    enum rule_effect effect;
    char text[LEARNING_TEXT_SIZE];
    double confidence; /* 0..1: the low end of the 95 % interval of how often it was right */
    enum learning_outcome outcome;
    int64_t cases; /* all trades that matched, so far */
    int64_t wins;
    double return_pct;
    int evidence_count;
    int64_t evidence[LEARNING_EVIDENCE_MAX]; /* ids of the newest matching trades */
    int64_t duplicates;                      /* how often it was learnt again */
    /* Of the study that found it; all zero: none has. */
    int64_t review_id;
    struct learning_part formed;
    struct learning_part held;
    int64_t rule_id;    /* 0: none was proposed */
    char note[160];     /* why it was retired or could not be proposed */
    int64_t created_us; /* wall time */
    int64_t updated_us;
};

struct learning_query {
    bool has_outcome;
    enum learning_outcome outcome;
    size_t offset;
};

/* Adds it, or merges it into the row with its pattern or wording: that row gets the evidence, and
 * counts one duplicate more; nothing else of it changes. */
int learning_table_merge(struct ops_store *store, const struct learning *learning, int64_t *ret_id,
                         bool *ret_new, struct err *err);
int learning_table_save(struct ops_store *store, const struct learning *learning, struct err *err);
int learning_table_get(struct ops_store *store, int64_t id, struct learning *ret, struct err *err);
/* ERR_STORE_NOT_FOUND. */
int learning_table_of_pattern(struct ops_store *store, const char *pattern, struct learning *ret,
                              struct err *err);
int learning_table_of_rule(struct ops_store *store, int64_t rule_id, struct learning *ret,
                           struct err *err);
/* What came farthest first, then the newest; returns the number. */
int learning_table_list(struct ops_store *store, const struct learning_query *query,
                        struct learning *ret, size_t max, struct err *err);
/* Calls fn with each pattern. A negative result of fn ends it and is returned. */
typedef int (*learning_pattern_fn)(int64_t id, const char *pattern, void *userdata,
                                   struct err *err);
int learning_table_each(struct ops_store *store, learning_pattern_fn fn, void *userdata,
                        struct err *err);
/* The ids of those whose rule is wanted or in use: confirmed, testing, active, retiring. Returns
 * the number. */
int learning_table_live(struct ops_store *store, int64_t *ret_ids, size_t max, struct err *err);
/* The patterns of those whose rule was proposed, or will be; returns the number. */
int learning_table_settled(struct ops_store *store, char (*ret)[CONDITION_TEXT_SIZE], size_t max,
                           struct err *err);
/* Those that wait for more cases although this study, a later one, has not found them again are
 * only observed from now on. */
int learning_table_end_waiting(struct ops_store *store, int64_t review_id, int64_t now_us,
                               struct err *err);
/* Whether another one that is only observed may be added. */
int learning_table_is_room(struct ops_store *store, bool *ret, struct err *err);

/* One study of the history. */
struct learning_review {
    int64_t id; /* 1, 2, … */
    int64_t at_us;
    int64_t last_trade_id; /* the newest trade that it has seen */
    int64_t trades;        /* all that were closed by then */
    int64_t formed;
    int64_t held;
    int64_t tried;
    int64_t survivors;
    int64_t confirmed;
    double level;
};

int learning_table_add_review(struct ops_store *store, const struct learning_review *review,
                              struct err *err);
int learning_table_get_review(struct ops_store *store, int64_t id, struct learning_review *ret,
                              struct err *err);
/* All zero if there was none. */
int learning_table_last_review(struct ops_store *store, struct learning_review *ret,
                               struct err *err);
/* Deletes all learnings and reviews: of another trading.db. */
int learning_table_clear(struct ops_store *store, struct err *err);

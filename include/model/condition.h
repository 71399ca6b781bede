/*
 * condition.h: compiles the condition of a trading rule to a small program and evaluates it.
 *
 *     struct condition program;
 *     if ((rc = condition_compile(str_c("rsi14@1h > 70 and side == long"), &program, err)) < 0)
 *         return rc;                              // "column 1: found rsi41, expected …"
 *     if (condition_holds(&program, &values)) veto();
 *     condition_print(&program, text);            // in normal form
 *
 * Language: comparisons (< <= > >= == !=, `x between a and b`, both ends included), and, or, not,
 * parentheses, numbers, and words for variables whose values are words (regime, side, weekday,
 * symbol). An indicator may name its timeframe: rsi14@1h; without one it has the timeframe of the
 * decision. `between` wraps around for hour and weekday: hour between 22 and 5 includes midnight.
 * Why it is in this module: the engine evaluates it and an operator's command checks it, and the
 * two share no higher module.
 * Invariants: nothing here allocates. Evaluation needs no recursion and takes at most one step
 * for each operation; no program is longer than CONDITION_OPS_MAX. A comparison with an unknown
 * value (NaN, from an indicator that is still warming up) is unknown, and so is `not` of it; a
 * condition holds only if it is true. The normal form of a condition holds for the same values,
 * and its own normal form is itself.
 * Thread: any (pure).
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "model/candle.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

#define CONDITION_TEXT_SIZE 240 /* with the terminator; also the limit of the normal form */
#define CONDITION_OPS_MAX   48
#define CONDITION_DEPTH_MAX 8 /* nesting of parentheses and `not` */

/* Indicators: one value for each timeframe, and one for the timeframe of the decision. */
enum condition_framed {
    CONDITION_RSI14,
    CONDITION_MACD,
    CONDITION_MACD_SIGNAL,
    CONDITION_MACD_HIST,
    CONDITION_BB_UPPER,
    CONDITION_BB_MIDDLE,
    CONDITION_BB_LOWER,
    CONDITION_BB_WIDTH, /* per cent of the middle band */
    CONDITION_ATR14,
    CONDITION_FRAMED_COUNT
};

enum condition_plain {
    CONDITION_PRICE,
    CONDITION_CHANGE_24H, /* per cent */
    CONDITION_REGIME,     /* enum regime */
    CONDITION_SIDE,       /* enum side, of the wanted entry */
    CONDITION_SYMBOL,     /* its value is in condition_values.symbol */
    CONDITION_TIER,       /* 1..3 */
    CONDITION_HOUR,       /* 0..23, UTC, market time */
    CONDITION_WEEKDAY,    /* 0 is Monday */
    CONDITION_SCORE,      /* -1..1, positive is long */
    CONDITION_CONFIDENCE, /* 0..1 */
    CONDITION_DRAWDOWN,   /* per cent below the peak */
    CONDITION_DAILY_LOSS, /* per cent; > 0 is a loss */
    CONDITION_LOSSES_IN_A_ROW,
    CONDITION_POSITIONS, /* open */
    CONDITION_SENTIMENT, /* -1..1, of the symbol */
    CONDITION_PLAIN_COUNT
};

/* framed[0] is for the decision's timeframe, framed[1 + tf] for timeframe tf. */
#define CONDITION_FRAMES (1 + TF_COUNT)

/* The values that a condition is evaluated with; NaN means unknown. */
struct condition_values {
    double framed[CONDITION_FRAMES][CONDITION_FRAMED_COUNT];
    double plain[CONDITION_PLAIN_COUNT];
    struct symbol symbol;
};

enum condition_kind {
    CONDITION_COMPARE,  /* left <cmp> low */
    CONDITION_VARIABLE, /* left <cmp> right */
    CONDITION_IS_SYMBOL,
    CONDITION_BETWEEN,
    CONDITION_NOT,
    CONDITION_AND,
    CONDITION_OR
};

struct condition_op {
    uint8_t kind;    /* enum condition_kind */
    uint8_t compare; /* 0..5 */
    uint8_t left;    /* index of the variable in the table of names */
    uint8_t left_frame;
    uint8_t right;
    uint8_t right_frame;
    uint8_t size; /* operations in this subtree, including this one */
    union {
        struct {
            double low;
            double high;
        };
        struct symbol symbol;
    };
};

/* Postfix order; unused bytes are zero, so that programs can be compared with memcmp. */
struct condition {
    int count;
    struct condition_op ops[CONDITION_OPS_MAX];
};

/* 0, or -ERR_RULE_CONDITION: the context gives the column (from 1, in characters), what was found
 * there and what was expected; *ret must not be used then. */
int condition_compile(struct str text, struct condition *ret, struct err *err);
bool condition_holds(const struct condition *condition, const struct condition_values *values);
/* Writes the normal form (one blank between words, no redundant parentheses); returns dst. */
const char *condition_print(const struct condition *condition, char dst[CONDITION_TEXT_SIZE]);
/* Stores the symbols named in the condition, each once, at most max; returns their number. */
int condition_symbols(const struct condition *condition, struct symbol *ret, int max);
/* The variables and their meanings, for help; the last entry has a NULL name. */
struct condition_word {
    const char *name;
    const char *help;
};
const struct condition_word *condition_words(void);

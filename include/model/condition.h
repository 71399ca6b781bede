/*
 * condition.h: the condition of a trading rule: from text to a small program, and whether it holds.
 *
 *     struct condition program;
 *     if ((rc = condition_compile(str_c("rsi14@1h > 70 and side == long"), &program, err)) < 0)
 *         return rc;                              // "column 1: found rsi41, expected …"
 *     if (condition_holds(&program, &values)) veto();
 *     condition_print(&program, text);            // its normal form
 *
 * Language: comparisons (< <= > >= == !=, `x between a and b`, both ends included), and, or, not,
 * parentheses, numbers, and words where a variable has words (regime, side, weekday, symbol). An
 * indicator may name its timeframe: rsi14@1h; without one it is that of the decision. `between`
 * over hour and weekday goes round midnight and Sunday: hour between 22 and 5.
 * Why in this room: the engine evaluates it and an operator's command checks it, and they share
 * nothing above.
 * Invariants: nothing here allocates. A compiled program evaluates within its own size: no
 * recursion, and no input can make it longer than CONDITION_OPS_MAX. What is not known (an
 * indicator that is not warm: NaN) makes a comparison neither true nor false, and so `not` of it; a
 * condition holds only when it is true. The normal form holds for the same values and prints as
 * itself. Thread: any (pure).
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "model/candle.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

#define CONDITION_TEXT_SIZE 240 /* with the terminator, as given and in normal form */
#define CONDITION_OPS_MAX   48
#define CONDITION_DEPTH_MAX 8 /* parentheses and `not` within each other */

/* Those of an indicator: one value a timeframe, and one of the decision's own. */
enum condition_framed {
    CONDITION_RSI14,
    CONDITION_MACD,
    CONDITION_MACD_SIGNAL,
    CONDITION_MACD_HIST,
    CONDITION_BB_UPPER,
    CONDITION_BB_MIDDLE,
    CONDITION_BB_LOWER,
    CONDITION_BB_WIDTH, /* per cent of the middle */
    CONDITION_ATR14,
    CONDITION_FRAMED_COUNT
};

enum condition_plain {
    CONDITION_PRICE,
    CONDITION_CHANGE_24H, /* per cent */
    CONDITION_REGIME,     /* enum regime */
    CONDITION_SIDE,       /* enum side, of the entry that is wanted */
    CONDITION_SYMBOL,     /* its value stands in condition_values.symbol */
    CONDITION_TIER,       /* 1..3 */
    CONDITION_HOUR,       /* 0..23, UTC, market time */
    CONDITION_WEEKDAY,    /* 0 is Monday */
    CONDITION_SCORE,      /* -1..1, positive is long */
    CONDITION_CONFIDENCE, /* 0..1 */
    CONDITION_DRAWDOWN,   /* per cent from the peak */
    CONDITION_DAILY_LOSS, /* per cent, > 0 is a loss */
    CONDITION_LOSSES_IN_A_ROW,
    CONDITION_POSITIONS, /* open */
    CONDITION_PLAIN_COUNT
};

/* framed[0] is the decision's own timeframe, framed[1 + tf] that of tf. */
#define CONDITION_FRAMES (1 + TF_COUNT)

/* What a condition is held against; NaN is "not known". */
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
    uint8_t left;    /* variable, by its place in the table of names */
    uint8_t left_frame;
    uint8_t right;
    uint8_t right_frame;
    uint8_t size; /* operations of this subtree, this one too */
    union {
        struct {
            double low;
            double high;
        };
        struct symbol symbol;
    };
};

/* Postfix; what is not in use is zero, so that programs compare with memcmp. */
struct condition {
    int count;
    struct condition_op ops[CONDITION_OPS_MAX];
};

/* 0, or -ERR_RULE_CONDITION: the context names the column (from 1, in characters), what stands
 * there and what was expected. *ret is then not to be used. */
int condition_compile(struct str text, struct condition *ret, struct err *err);
bool condition_holds(const struct condition *condition, const struct condition_values *values);
/* The normal form: one blank between words, no needless parentheses; returns dst. */
const char *condition_print(const struct condition *condition, char dst[CONDITION_TEXT_SIZE]);
/* The symbols that it names, each once; at most max of them. Returns how many. */
int condition_symbols(const struct condition *condition, struct symbol *ret, int max);
/* The variables with what they mean, one line each, for help; ends with a NULL name. */
struct condition_word {
    const char *name;
    const char *help;
};
const struct condition_word *condition_words(void);

#include "model/condition.h"

#include "base/check.h"
#include "model/decision.h"
#include "model/order.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EDITS_MAX 2  /* maximum edit distance for "did you mean" */
#define SHOWN_MAX 24 /* maximum bytes of the quoted text in an error */

/* ---------------------------------------------------------------- vocabulary */

static const char *const regime_words[] = {"neutral", "trending", "choppy", NULL};
static const char *const side_words[] = {"long", "short", NULL};
static const char *const weekday_words[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

_Static_assert((int)REGIME_NEUTRAL == 0 && (int)REGIME_TRENDING == 1 && (int)REGIME_CHOPPY == 2,
               "regime_words are in the order of the enum");
_Static_assert((int)SIDE_LONG == 0 && (int)SIDE_SHORT == 1,
               "side_words are in the order of the enum");

struct variable {
    const char *name;
    bool framed;
    int slot; /* enum condition_framed or condition_plain */
    bool symbol;
    bool wraps;               /* between may wrap around: hour, weekday */
    const char *const *words; /* NULL: a number */
    double low;               /* range of a number */
    double high;
};

#define ANY -HUGE_VAL, HUGE_VAL

static const struct variable variables[] = {
    {"rsi14", true, CONDITION_RSI14, false, false, NULL, 0, 100},
    {"macd", true, CONDITION_MACD, false, false, NULL, ANY},
    {"macd_signal", true, CONDITION_MACD_SIGNAL, false, false, NULL, ANY},
    {"macd_hist", true, CONDITION_MACD_HIST, false, false, NULL, ANY},
    {"bb_upper", true, CONDITION_BB_UPPER, false, false, NULL, ANY},
    {"bb_middle", true, CONDITION_BB_MIDDLE, false, false, NULL, ANY},
    {"bb_lower", true, CONDITION_BB_LOWER, false, false, NULL, ANY},
    {"bb_width", true, CONDITION_BB_WIDTH, false, false, NULL, 0, HUGE_VAL},
    {"atr14", true, CONDITION_ATR14, false, false, NULL, 0, HUGE_VAL},
    {"price", false, CONDITION_PRICE, false, false, NULL, 0, HUGE_VAL},
    {"change_24h", false, CONDITION_CHANGE_24H, false, false, NULL, ANY},
    {"regime", false, CONDITION_REGIME, false, false, regime_words, ANY},
    {"side", false, CONDITION_SIDE, false, false, side_words, ANY},
    {"symbol", false, CONDITION_SYMBOL, true, false, NULL, ANY},
    {"tier", false, CONDITION_TIER, false, false, NULL, 1, 3},
    {"hour", false, CONDITION_HOUR, false, true, NULL, 0, 23},
    {"weekday", false, CONDITION_WEEKDAY, false, true, weekday_words, ANY},
    {"score", false, CONDITION_SCORE, false, false, NULL, -1, 1},
    {"confidence", false, CONDITION_CONFIDENCE, false, false, NULL, 0, 1},
    {"drawdown", false, CONDITION_DRAWDOWN, false, false, NULL, 0, 100},
    {"daily_loss", false, CONDITION_DAILY_LOSS, false, false, NULL, -100, 100},
    {"losses_in_a_row", false, CONDITION_LOSSES_IN_A_ROW, false, false, NULL, 0, HUGE_VAL},
    {"positions", false, CONDITION_POSITIONS, false, false, NULL, 0, HUGE_VAL},
    {"sentiment", false, CONDITION_SENTIMENT, false, false, NULL, -1, 1},
};

_Static_assert(COUNT_OF(variables) == CONDITION_FRAMED_COUNT + (size_t)CONDITION_PLAIN_COUNT,
               "every value has a name");

static const struct condition_word words[] = {
    {"rsi14", "relative strength, 0 to 100"},
    {"macd macd_signal macd_hist", "MACD 12, 26, 9"},
    {"bb_upper bb_middle bb_lower", "Bollinger Bands, 20 bars, 2 deviations"},
    {"bb_width", "upper minus lower band, % of the middle band"},
    {"atr14", "average true range"},
    {"@5m @15m @1h", "after any of the above: its timeframe, as in rsi14@1h"},
    {"price", "latest close"},
    {"change_24h", "% in 24 hours"},
    {"regime", "trending, choppy or neutral"},
    {"side", "long or short, of the wanted entry"},
    {"symbol", "for example symbol == BTC-USD"},
    {"tier", "1 to 3"},
    {"hour", "0 to 23, UTC"},
    {"weekday", "mon tue wed thu fri sat sun"},
    {"score", "score of the agents, -1 to 1, positive is long"},
    {"confidence", "0 to 1, determines the size"},
    {"drawdown", "% from the peak of equity"},
    {"daily_loss", "% since the start of the market day, above 0 is a loss"},
    {"losses_in_a_row", "in this market day"},
    {"positions", "number of open positions"},
    {"sentiment", "of news and indices about the symbol, -1 to 1"},
    {NULL, NULL},
};

const struct condition_word *condition_words(void)
{
    return words;
}

static const char *const compare_signs[] = {"<", "<=", ">", ">=", "==", "!="};
enum { LESS, LESS_EQUAL, MORE, MORE_EQUAL, EQUAL, NOT_EQUAL };
/* The sign for swapped operands: a < b is b > a. */
static const uint8_t mirrored[] = {MORE, MORE_EQUAL, LESS, LESS_EQUAL, EQUAL, NOT_EQUAL};

/* Text in an array of fixed size: the engine also compiles in a step, which must not allocate. */
struct out {
    char *text;
    size_t size;
    size_t len;
    bool full;
};

__attribute__((format(printf, 2, 3))) static void append(struct out *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(out->text + out->len, out->size - out->len, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= out->size - out->len) {
        out->full = true; /* the part that fits is kept */
        out->len = out->size - 1;
    } else {
        out->len += (size_t)size;
    }
}

/* ---------------------------------------------------------------- tokens */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NUMBER, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMPARE };

struct token {
    enum token_kind kind;
    struct str text;
    int column; /* from 1, in characters */
    double number;
    uint8_t compare;
};

struct reader {
    struct str all;
    size_t at; /* position after `next` */
    struct token next;
    int depth;
    struct condition *out;
    struct err *err;
};

static int column_of(const struct reader *r, size_t at)
{
    int column = 1;
    for (size_t i = 0; i < at; i++) {
        column += ((unsigned char)r->all.ptr[i] & 0xC0) != 0x80;
    }
    return column;
}

/* Reports an error at this token; the text says what is wrong or was expected. */
__attribute__((format(printf, 3, 4))) static int
refuse(const struct reader *r, const struct token *t, const char *format, ...)
{
    char what[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (t->kind == TOKEN_END) {
        return err_set(r->err, ERR_RULE_CONDITION, "column %d: the text ends, but %s", t->column,
                       what);
    }
    struct str shown = t->text;
    while (shown.len > SHOWN_MAX || (shown.len > 0 && !str_is_utf8(shown))) {
        shown.len--;
    }
    return err_set(r->err, ERR_RULE_CONDITION, "column %d: found %.*s%s, but %s", t->column,
                   STR_ARG(shown), shown.len < t->text.len ? "…" : "", what);
}

static bool in_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '@';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Words, numbers and symbols use the same characters: 1e-5 and BTC-USD are one token each. */
static size_t word_size(struct str rest)
{
    size_t size = 1;
    bool number = is_digit(rest.ptr[0]) || rest.ptr[0] == '-' || rest.ptr[0] == '.';
    while (size < rest.len && (in_word(rest.ptr[size]) ||
                               (number && rest.ptr[size] == '+' &&
                                (rest.ptr[size - 1] == 'e' || rest.ptr[size - 1] == 'E')))) {
        size++;
    }
    return size;
}

static int read_compare(struct reader *r, struct str rest, struct token *t)
{
    t->kind = TOKEN_COMPARE;
    for (size_t pass = 2; pass >= 1; pass--) { /* <= before < */
        for (size_t i = 0; i < COUNT_OF(compare_signs); i++) {
            if (strlen(compare_signs[i]) == pass && str_starts(rest, compare_signs[i])) {
                t->compare = (uint8_t)i;
                t->text = str_n(rest.ptr, pass);
                return 0;
            }
        }
    }
    t->text = str_n(rest.ptr, rest.len > 1 && (rest.ptr[1] == '&' || rest.ptr[1] == '|') ? 2 : 1);
    switch (rest.ptr[0]) {
    case '=':
        return refuse(r, t, "equality is written ==");
    case '!':
        return refuse(r, t, "inequality is written != and negation is written not");
    case '&':
        return refuse(r, t, "the operator is written and");
    case '|':
        return refuse(r, t, "the operator is written or");
    default:
        break;
    }
    size_t size = str_utf8_size(rest);
    t->text = str_n(rest.ptr, size > 0 ? size : 1);
    return refuse(r, t, "a condition cannot contain it");
}

static int advance(struct reader *r)
{
    struct str all = r->all;
    while (r->at < all.len && strchr(" \t\r\n", all.ptr[r->at]) != NULL && all.ptr[r->at] != '\0') {
        r->at++;
    }
    struct token *t = &r->next;
    *t = (struct token){.kind = TOKEN_END, .text = STR_LIT(""), .column = column_of(r, r->at)};
    if (r->at == all.len) {
        return 0;
    }
    struct str rest = str_n(all.ptr + r->at, all.len - r->at);
    int rc = 0;
    if (rest.ptr[0] == '(' || rest.ptr[0] == ')') {
        t->kind = rest.ptr[0] == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
        t->text = str_n(rest.ptr, 1);
    } else if (in_word(rest.ptr[0])) {
        t->text = str_n(rest.ptr, word_size(rest));
        t->kind = str_to_double(t->text, &t->number) ? TOKEN_NUMBER : TOKEN_WORD;
        t->number += 0.0; /* "-0" is 0 */
    } else {
        rc = read_compare(r, rest, t);
    }
    r->at += t->text.len;
    return rc;
}

static bool next_is(const struct reader *r, const char *word)
{
    return r->next.kind == TOKEN_WORD && str_equal_nocase(r->next.text, word);
}

/* The nearest name, for "did you mean"; NULL if none is near enough. */
struct nearest {
    struct str word;
    const char *name;
    int distance;
};

static void consider(struct nearest *n, const char *name)
{
    int distance = str_distance(n->word, str_c(name));
    if (distance < n->distance && (size_t)distance < n->word.len) {
        n->distance = distance;
        n->name = name;
    }
}

/* ---------------------------------------------------------------- grammar */

static int read_any(struct reader *r);

static int emit(struct reader *r, const struct token *at, struct condition_op op)
{
    if (r->out->count == CONDITION_OPS_MAX) {
        return refuse(r, at, "a condition has at most %d parts; split it into two rules",
                      CONDITION_OPS_MAX);
    }
    r->out->ops[r->out->count++] = op;
    return 0;
}

static int unknown_variable(struct reader *r, const struct token *t, struct str name)
{
    struct nearest n = {.word = name, .distance = EDITS_MAX + 1};
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        consider(&n, variables[i].name);
    }
    if (n.name != NULL) {
        return refuse(r, t, "there is no such variable; did you mean %s?", n.name);
    }
    return refuse(r, t, "a variable was expected, such as rsi14, price, regime, side or hour");
}

/* name, or name@timeframe. */
static int find_variable(struct reader *r, const struct token *t, uint8_t *ret_index,
                         uint8_t *ret_frame)
{
    struct str frame = t->text;
    struct str name = t->text;
    bool has_frame = memchr(frame.ptr, '@', frame.len) != NULL;
    (void)str_split(&frame, '@', &name);
    *ret_frame = 0;
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        if (!str_equal_nocase(name, variables[i].name)) {
            continue;
        }
        *ret_index = (uint8_t)i;
        if (!has_frame) {
            return 0;
        }
        struct token suffix = *t;
        suffix.text = frame.len > 0 ? frame : t->text;
        suffix.column += (int)name.len + 1;
        if (!variables[i].framed) {
            return refuse(r, &suffix, "%s has no timeframe: remove the @ and what follows",
                          variables[i].name);
        }
        for (int tf = TF_5M; tf < TF_COUNT; tf++) {
            if (str_equal_nocase(frame, timeframe_name((enum timeframe)tf))) {
                *ret_frame = (uint8_t)(1 + tf);
                return 0;
            }
        }
        return refuse(r, &suffix, "the timeframes are 5m, 15m and 1h");
    }
    return unknown_variable(r, t, name);
}

static int read_word(struct reader *r, const struct variable *v, const struct token *t, double *ret)
{
    struct nearest n = {.word = t->text, .distance = EDITS_MAX + 1};
    char list[64];
    struct out all = {.text = list, .size = sizeof(list)};
    for (int i = 0; v->words[i] != NULL; i++) {
        if (t->kind == TOKEN_WORD && str_equal_nocase(t->text, v->words[i])) {
            *ret = i;
            return 0;
        }
        consider(&n, v->words[i]);
        append(&all, "%s%s", i == 0 ? "" : ", ", v->words[i]);
    }
    if (t->kind == TOKEN_WORD && n.name != NULL) {
        return refuse(r, t, "%s is one of %s; did you mean %s?", v->name, list, n.name);
    }
    return refuse(r, t, "%s is one of %s", v->name, list);
}

/* Reads the constant that a variable is compared with: a number, one of its words, or a symbol. */
static int read_constant(struct reader *r, const struct variable *v, const struct token *t,
                         struct condition_op *op, double *ret)
{
    if (v->symbol) {
        bool is_name = t->kind == TOKEN_WORD || t->kind == TOKEN_NUMBER;
        return is_name && symbol_parse(t->text, &op->symbol)
                   ? 0
                   : refuse(r, t, "a symbol was expected, such as BTC-USD");
    }
    if (v->words != NULL) {
        return read_word(r, v, t, ret);
    }
    if (t->kind != TOKEN_NUMBER) {
        return refuse(r, t, "a number was expected");
    }
    if (t->number < v->low || t->number > v->high) {
        /* The comparison would always or never be true: a mistake, such as 60 for .6. */
        return isinf(v->high) ? refuse(r, t, "%s is at least %g", v->name, v->low)
                              : refuse(r, t, "%s ranges from %g to %g", v->name, v->low, v->high);
    }
    *ret = t->number;
    return 0;
}

static bool is_variable(const struct token *t)
{
    struct str frame = t->text;
    struct str name = t->text;
    (void)str_split(&frame, '@', &name);
    for (size_t i = 0; t->kind == TOKEN_WORD && i < COUNT_OF(variables); i++) {
        if (str_equal_nocase(name, variables[i].name)) {
            return true;
        }
    }
    return false;
}

static int read_between(struct reader *r, struct condition_op op)
{
    const struct variable *v = &variables[op.left];
    op.kind = CONDITION_BETWEEN;
    struct token between = r->next;
    int rc = v->symbol || (v->words != NULL && !v->wraps)
                 ? refuse(r, &between, "%s has no order; compare it with == or !=", v->name)
                 : advance(r);
    if (rc == 0) {
        rc = read_constant(r, v, &r->next, &op, &op.low);
    }
    if (rc == 0) {
        rc = advance(r);
    }
    if (rc == 0 && !next_is(r, "and")) {
        rc = refuse(r, &r->next, "between needs two bounds: between 20 and 30");
    }
    if (rc == 0) {
        rc = advance(r);
    }
    if (rc == 0) {
        rc = read_constant(r, v, &r->next, &op, &op.high);
    }
    if (rc == 0 && op.low > op.high && !v->wraps) {
        rc = refuse(r, &r->next, "the second bound must be the larger one");
    }
    if (rc == 0) {
        rc = emit(r, &between, op);
    }
    return rc < 0 ? rc : advance(r);
}

/* variable <sign> variable. */
static int read_pair(struct reader *r, const struct token *sign, struct condition_op op)
{
    const struct variable *left = &variables[op.left];
    int rc = find_variable(r, &r->next, &op.right, &op.right_frame);
    if (rc < 0) {
        return rc;
    }
    const struct variable *right = &variables[op.right];
    if (left->symbol || left->words != NULL || right->symbol || right->words != NULL) {
        return refuse(r, &r->next, "%s and %s cannot be compared with each other", left->name,
                      right->name);
    }
    op.kind = CONDITION_VARIABLE;
    rc = emit(r, sign, op);
    return rc < 0 ? rc : advance(r);
}

static int check_sign(struct reader *r, const struct variable *v, const struct token *sign)
{
    bool ordered = !v->symbol && v->words == NULL;
    return ordered || sign->compare == EQUAL || sign->compare == NOT_EQUAL
               ? 0
               : refuse(r, sign, "%s has no order; compare it with == or !=", v->name);
}

static int read_behind_variable(struct reader *r)
{
    struct condition_op op = {.size = 1};
    int rc = find_variable(r, &r->next, &op.left, &op.left_frame);
    if (rc == 0) {
        rc = advance(r);
    }
    if (rc < 0) {
        return rc;
    }
    if (next_is(r, "between")) {
        return read_between(r, op);
    }
    struct token sign = r->next;
    const struct variable *v = &variables[op.left];
    if (sign.kind != TOKEN_COMPARE) {
        return refuse(r, &sign, "a comparison was expected: < <= > >= == != or between");
    }
    op.compare = sign.compare;
    if ((rc = check_sign(r, v, &sign)) < 0 || (rc = advance(r)) < 0) {
        return rc;
    }
    if (is_variable(&r->next)) {
        return read_pair(r, &sign, op);
    }
    op.kind = v->symbol ? CONDITION_IS_SYMBOL : CONDITION_COMPARE;
    rc = read_constant(r, v, &r->next, &op, &op.low);
    if (rc == 0) {
        rc = emit(r, &sign, op);
    }
    return rc < 0 ? rc : advance(r);
}

/* 30 > rsi14 is rsi14 < 30. Only a number may come first: a word could be a misspelt variable. */
static int read_behind_number(struct reader *r)
{
    struct token number = r->next;
    int rc = advance(r);
    if (rc < 0) {
        return rc;
    }
    struct token sign = r->next;
    if (sign.kind != TOKEN_COMPARE) {
        return refuse(r, &sign, "a comparison was expected: < <= > >= == or !=");
    }
    struct condition_op op = {.size = 1, .compare = mirrored[sign.compare]};
    if ((rc = advance(r)) < 0) {
        return rc;
    }
    if (r->next.kind != TOKEN_WORD) {
        return refuse(r, &r->next, "a number can only be compared with a variable");
    }
    if ((rc = find_variable(r, &r->next, &op.left, &op.left_frame)) < 0) {
        return rc;
    }
    const struct variable *v = &variables[op.left];
    op.kind = v->symbol ? CONDITION_IS_SYMBOL : CONDITION_COMPARE;
    rc = check_sign(r, v, &sign);
    if (rc == 0) {
        rc = read_constant(r, v, &number, &op, &op.low);
    }
    if (rc == 0) {
        rc = emit(r, &sign, op);
    }
    return rc < 0 ? rc : advance(r);
}

static int read_group(struct reader *r)
{
    struct token open = r->next;
    int rc = advance(r);
    if (rc == 0) {
        rc = read_any(r);
    }
    if (rc == 0 && r->next.kind != TOKEN_CLOSE) {
        rc = refuse(r, &r->next, "the parenthesis at column %d is not closed", open.column);
    }
    return rc < 0 ? rc : advance(r);
}

static int read_not(struct reader *r)
{
    struct token word = r->next;
    int rc = advance(r);
    if (rc < 0) {
        return rc;
    }
    if (++r->depth > CONDITION_DEPTH_MAX) {
        return refuse(r, &word, "parentheses and not can be nested at most %d deep",
                      CONDITION_DEPTH_MAX);
    }
    if (next_is(r, "not")) {
        rc = read_not(r);
    } else if (r->next.kind == TOKEN_OPEN) {
        rc = read_group(r);
    } else if (r->next.kind == TOKEN_NUMBER) {
        rc = read_behind_number(r);
    } else {
        rc = read_behind_variable(r);
    }
    r->depth--;
    if (rc < 0) {
        return rc;
    }
    const struct condition_op *inner = &r->out->ops[r->out->count - 1];
    return emit(r, &word,
                (struct condition_op){.kind = CONDITION_NOT, .size = (uint8_t)(inner->size + 1)});
}

static int read_one(struct reader *r)
{
    if (next_is(r, "not")) {
        return read_not(r);
    }
    if (r->next.kind == TOKEN_NUMBER) {
        return read_behind_number(r);
    }
    if (r->next.kind == TOKEN_WORD) {
        return read_behind_variable(r);
    }
    if (r->next.kind != TOKEN_OPEN) {
        return refuse(r, &r->next,
                      "a variable was expected, such as rsi14, price, regime, side or hour");
    }
    if (++r->depth > CONDITION_DEPTH_MAX) {
        return refuse(r, &r->next, "parentheses and not can be nested at most %d deep",
                      CONDITION_DEPTH_MAX);
    }
    int rc = read_group(r);
    r->depth--;
    return rc;
}

/* A sequence with one operator: a and b and c, or a or b or c. */
static int read_row(struct reader *r, const char *word, enum condition_kind kind,
                    int (*part)(struct reader *))
{
    int rc = part(r);
    while (rc == 0 && next_is(r, word)) {
        struct token joint = r->next;
        int left = r->out->ops[r->out->count - 1].size;
        rc = advance(r);
        if (rc == 0) {
            rc = part(r);
        }
        if (rc == 0) {
            int size = left + r->out->ops[r->out->count - 1].size + 1;
            rc = emit(r, &joint,
                      (struct condition_op){.kind = (uint8_t)kind, .size = (uint8_t)size});
        }
    }
    return rc;
}

static int read_all(struct reader *r)
{
    return read_row(r, "and", CONDITION_AND, read_one);
}

static int read_any(struct reader *r)
{
    return read_row(r, "or", CONDITION_OR, read_all);
}

/* ---------------------------------------------------------------- normal form */

enum { BIND_OR, BIND_AND, BIND_NOT };

static void print_number(struct out *out, double value)
{
    char text[32];
    double back = 0;
    (void)snprintf(text, sizeof(text), "%.15g", value);
    if (!str_to_double(str_c(text), &back) || memcmp(&back, &value, sizeof(back)) != 0) {
        (void)snprintf(text, sizeof(text), "%.17g", value);
    }
    append(out, "%s", text);
}

static void print_variable(struct out *out, uint8_t index, uint8_t frame)
{
    append(out, "%s", variables[index].name);
    if (frame > 0) {
        append(out, "@%s", timeframe_name((enum timeframe)(frame - 1)));
    }
}

static void print_constant(struct out *out, const struct variable *v, double value)
{
    if (v->words != NULL) {
        append(out, "%s", v->words[(int)value]);
    } else {
        print_number(out, value);
    }
}

/* Prints the operation at `at` with its operands; recurses at most CONDITION_OPS_MAX deep. */
static void print_op(const struct condition *c, int at, int outer, struct out *out)
{
    const struct condition_op *op = &c->ops[at];
    switch ((enum condition_kind)op->kind) {
    case CONDITION_COMPARE:
        print_variable(out, op->left, op->left_frame);
        append(out, " %s ", compare_signs[op->compare]);
        print_constant(out, &variables[op->left], op->low);
        break;
    case CONDITION_VARIABLE:
        print_variable(out, op->left, op->left_frame);
        append(out, " %s ", compare_signs[op->compare]);
        print_variable(out, op->right, op->right_frame);
        break;
    case CONDITION_IS_SYMBOL:
        append(out, "symbol %s %s", compare_signs[op->compare], op->symbol.name);
        break;
    case CONDITION_BETWEEN:
        print_variable(out, op->left, op->left_frame);
        append(out, "%s", " between ");
        print_constant(out, &variables[op->left], op->low);
        append(out, "%s", " and ");
        print_constant(out, &variables[op->left], op->high);
        break;
    case CONDITION_NOT:
        append(out, "%s", "not ");
        print_op(c, at - 1, BIND_NOT, out);
        break;
    case CONDITION_AND:
    case CONDITION_OR: {
        int bind = op->kind == CONDITION_AND ? BIND_AND : BIND_OR;
        append(out, "%s", outer > bind ? "(" : "");
        print_op(c, at - 1 - c->ops[at - 1].size, bind, out);
        append(out, "%s", bind == BIND_AND ? " and " : " or ");
        print_op(c, at - 1, bind, out);
        append(out, "%s", outer > bind ? ")" : "");
        break;
    }
    }
}

static bool print_into(const struct condition *condition, char dst[CONDITION_TEXT_SIZE])
{
    struct out out = {.text = dst, .size = CONDITION_TEXT_SIZE};
    print_op(condition, condition->count - 1, BIND_OR, &out);
    return !out.full;
}

const char *condition_print(const struct condition *condition, char dst[CONDITION_TEXT_SIZE])
{
    ASSERT(condition->count > 0);
    bool fits = print_into(condition, dst);
    ASSERT(fits); /* checked by condition_compile */
    return dst;
}

int condition_compile(struct str text, struct condition *ret, struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    if (text.len >= CONDITION_TEXT_SIZE) {
        return err_set(err, ERR_RULE_CONDITION, "column %d: the condition is longer than %d bytes",
                       CONDITION_TEXT_SIZE, CONDITION_TEXT_SIZE - 1);
    }
    struct reader r = {.all = text, .out = ret, .err = err};
    int rc = advance(&r);
    if (rc == 0) {
        rc = read_any(&r);
    }
    if (rc == 0 && r.next.kind != TOKEN_END) {
        rc = refuse(&r, &r.next, "and, or, or the end of the text was expected");
    }
    char printed[CONDITION_TEXT_SIZE];
    if (rc == 0 && !print_into(ret, printed)) {
        rc = err_set(err, ERR_RULE_CONDITION, "column %d: the normal form is longer than %d bytes",
                     r.next.column, CONDITION_TEXT_SIZE - 1);
    }
    return rc;
}

/* ---------------------------------------------------------------- evaluation */

/* Kleene's three-valued logic: `and` is the minimum, `or` the maximum. */
enum truth { TRUTH_FALSE, TRUTH_UNKNOWN, TRUTH_TRUE };

static double value_of(const struct condition_values *values, uint8_t index, uint8_t frame)
{
    const struct variable *v = &variables[index];
    return v->framed ? values->framed[frame][v->slot] : values->plain[v->slot];
}

static bool compare(double a, uint8_t sign, double b)
{
    switch (sign) {
    case LESS:
        return a < b;
    case LESS_EQUAL:
        return a <= b;
    case MORE:
        return a > b;
    case MORE_EQUAL:
        return a >= b;
    case EQUAL:
        return a <= b && a >= b;
    default:
        return a < b || a > b;
    }
}

static uint8_t truth_of(bool unknown, bool yes)
{
    return unknown ? TRUTH_UNKNOWN : (uint8_t)(yes ? TRUTH_TRUE : TRUTH_FALSE);
}

static uint8_t evaluate(const struct condition_op *op, const struct condition_values *values)
{
    if (op->kind == CONDITION_IS_SYMBOL) {
        return truth_of(false, symbol_equal(op->symbol, values->symbol) == (op->compare == EQUAL));
    }
    double left = value_of(values, op->left, op->left_frame);
    if (op->kind == CONDITION_BETWEEN) {
        bool over = left >= op->low;
        bool under = left <= op->high;
        return truth_of(isnan(left), op->low <= op->high ? over && under : over || under);
    }
    double right =
        op->kind == CONDITION_VARIABLE ? value_of(values, op->right, op->right_frame) : op->low;
    return truth_of(isnan(left) || isnan(right), compare(left, op->compare, right));
}

bool condition_holds(const struct condition *condition, const struct condition_values *values)
{
    uint8_t stack[CONDITION_OPS_MAX];
    int top = -1;
    for (int i = 0; i < condition->count; i++) {
        const struct condition_op *op = &condition->ops[i];
        switch ((enum condition_kind)op->kind) {
        case CONDITION_COMPARE:
        case CONDITION_VARIABLE:
        case CONDITION_IS_SYMBOL:
        case CONDITION_BETWEEN:
            stack[++top] = evaluate(op, values);
            break;
        case CONDITION_NOT:
            stack[top] = (uint8_t)(TRUTH_TRUE - stack[top]);
            break;
        case CONDITION_AND:
            top--;
            stack[top] = stack[top] < stack[top + 1] ? stack[top] : stack[top + 1];
            break;
        case CONDITION_OR:
            top--;
            stack[top] = stack[top] > stack[top + 1] ? stack[top] : stack[top + 1];
            break;
        }
    }
    return top == 0 && stack[0] == TRUTH_TRUE;
}

int condition_symbols(const struct condition *condition, struct symbol *ret, int max)
{
    int found = 0;
    for (int i = 0; i < condition->count && found < max; i++) {
        bool is_new = condition->ops[i].kind == CONDITION_IS_SYMBOL;
        for (int j = 0; is_new && j < found; j++) {
            is_new = !symbol_equal(ret[j], condition->ops[i].symbol);
        }
        if (is_new) {
            ret[found++] = condition->ops[i].symbol;
        }
    }
    return found;
}

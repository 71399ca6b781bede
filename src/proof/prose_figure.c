/* From tokens to figures: numbers with their units, and number words. */
#include "base/check.h"
#include "proof/prose.h"

#include <string.h>

static const struct prose_token none = {.kind = PROSE_MARK, .text = {"", 0}, .sentence = -1};

static const struct prose_token *token(const struct prose *p, int at)
{
    return at >= 0 && at < p->token_count ? &p->tokens[at] : &none;
}

static bool is(const struct prose *p, int at, const char *text)
{
    return str_equal_nocase(token(p, at)->text, text);
}

static bool is_any(const struct prose *p, int at, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (is(p, at, *words)) {
            return true;
        }
    }
    return false;
}

/* Whether nothing is between a token and the next one. */
static bool touches(const struct prose *p, int at)
{
    struct str text = token(p, at)->text;
    return at + 1 < p->token_count && text.ptr + text.len == token(p, at + 1)->text.ptr;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_at(struct str s, size_t at)
{
    size_t len = 0;
    while (at + len < s.len && is_digit(s.ptr[at + len])) {
        len++;
    }
    return len;
}

/* The whole number of `len` digits at `at`. */
static int whole_at(struct str s, size_t at, size_t len)
{
    int value = 0;
    for (size_t i = at; i < at + len && i < s.len; i++) {
        value = 10 * value + (s.ptr[i] - '0');
    }
    return value;
}

static bool has_digit(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_digit(s.ptr[i])) {
            return true;
        }
    }
    return false;
}

static struct str after(struct str s, size_t len)
{
    return str_n(s.ptr + len, s.len - len);
}

/* ------------------------------------------------------------------ what is counted */

/* "trades" for "trades" and "losing trades". */
static bool is_noun(struct str word)
{
    static const char *const nouns[] = {
        "alert",    "answer",    "attempt", "audit",    "bar",          "candle",  "change",
        "coin",     "cycle",     "day",     "decision", "entry",        "error",   "exit",
        "failure",  "fill",      "finding", "gap",      "hold",         "intent",  "learning",
        "loss",     "loser",     "market",  "message",  "order",        "pair",    "payment",
        "position", "row",       "rule",    "run",      "sample",       "service", "signal",
        "step",     "stop",      "symbol",  "trade",    "transaction",  "veto",    "vote",
        "win",      "winner",    "restart", "agent",    "confirmation", "slot",    "request",
        "call",     "duplicate", "refusal", "streak",   "event",        "instance"};
    for (size_t i = 0; i < COUNT_OF(nouns); i++) {
        size_t len = strlen(nouns[i]);
        bool entry = str_equal_nocase(word, "entries") && strcmp(nouns[i], "entry") == 0;
        if (entry || (word.len >= len && word.len <= len + 2 &&
                      str_equal_nocase(str_n(word.ptr, len), nouns[i]) &&
                      (word.len == len || strchr("seES", word.ptr[len]) != NULL))) {
            return true;
        }
    }
    return false;
}

static void read_noun(const struct prose *p, struct prose_figure *f)
{
    int at = f->last + 1;
    if (f->shown.unit.dimension != DIMENSION_NONE) {
        return;
    }
    int sentence = token(p, f->last)->sentence;
    for (int i = 0; i < 2; i++) {
        const struct prose_token *t = token(p, at + i);
        if (t->kind != PROSE_WORD || t->sentence != sentence) {
            return;
        }
        if (is_noun(t->text)) {
            const char *from = token(p, at)->text.ptr;
            f->noun = str_n(from, (size_t)(t->text.ptr + t->text.len - from));
            f->shown.unit.dimension = DIMENSION_COUNT;
            return;
        }
    }
}

/* ------------------------------------------------------------------ units */

static bool read_multiplier(struct str word, double *ret)
{
    static const struct {
        const char *word;
        double factor;
    } multipliers[] = {
        {"thousand", 1e3}, {"million", 1e6}, {"billion", 1e9}, {"bn", 1e9}, {"mn", 1e6}};
    for (size_t i = 0; i < COUNT_OF(multipliers); i++) {
        if (str_equal_nocase(word, multipliers[i].word)) {
            *ret = multipliers[i].factor;
            return true;
        }
    }
    bool kilo = str_equal_c(word, "k") || str_equal_c(word, "K");
    if (kilo || str_equal_c(word, "M")) {
        *ret = kilo ? 1e3 : 1e6;
        return true;
    }
    return false;
}

static void multiply(struct prose_figure *f, double factor)
{
    f->shown.value *= factor;
    f->shown.half *= factor;
}

/* The unit behind the figure, which then ends with it. */
static void read_unit(const struct prose *p, struct prose_figure *f)
{
    double factor = 0;
    struct unit unit;
    int at = f->last + 1;
    if (token(p, at)->sentence != token(p, f->last)->sentence) {
        return;
    }
    bool product = is(p, at, "x") || is(p, at, "×") || is(p, at, "times");
    if (product && token(p, at + 1)->kind == PROSE_DIGITS) {
        return; /* "12 x 3" */
    }
    if (read_multiplier(token(p, at)->text, &factor)) {
        multiply(f, factor);
        f->last = at++;
    }
    if (is(p, at, "-") && touches(p, at - 1) && touches(p, at) &&
        unit_read(token(p, at + 1)->text, &unit)) {
        at++; /* "two-hour" */
    }
    if (is(p, at, "per") && is(p, at + 1, "cent")) {
        unit = (struct unit){.dimension = DIMENSION_PCT};
        at++;
    } else if (!unit_read(token(p, at)->text, &unit)) {
        return;
    }
    if (is(p, at, "percentage")) {
        at += is(p, at + 1, "points") || is(p, at + 1, "point") ? 1 : 0;
    }
    /* "$12 m" would be two units; the currency in front is the better known one. */
    if (f->shown.unit.dimension == DIMENSION_NONE || f->shown.unit.dimension == unit.dimension) {
        f->shown.unit = unit;
        f->last = at;
    }
}

/* The sign and the currency in front of a number. */
static void read_front(const struct prose *p, struct prose_figure *f)
{
    static const char *const minus[] = {"-", "−", "minus", "negative", NULL};
    static const char *const signs[] = {"-", "−", "+", NULL};
    static const char *const closing[] = {")", "]", "%", NULL};
    struct unit unit = {.dimension = DIMENSION_NONE};
    for (int i = 0; i < 3; i++) {
        int at = f->first - 1;
        const struct prose_token *t = token(p, at);
        bool word = t->kind == PROSE_WORD;
        /* An operator has a space behind it: "7 - 4". */
        bool follows = touches(p, at - 1) &&
                       (token(p, at - 1)->kind != PROSE_MARK || is_any(p, at - 1, closing));
        bool free = word || (touches(p, at) && !follows);
        if (f->sign == 0 && free && is_any(p, at, minus)) {
            f->sign = -1;
            f->first = at;
        } else if (f->sign == 0 && free && is(p, at, "+")) {
            f->sign = 1;
            f->first = at;
        } else if (unit.dimension == DIMENSION_NONE && (word || touches(p, at)) &&
                   unit_read(t->text, &unit) && unit.dimension == DIMENSION_MONEY) {
            f->shown.unit = unit;
            f->first = at;
        } else if (f->sign != 0 && touches(p, at) && is_any(p, at, signs)) {
            f->kind = PROSE_UNREADABLE; /* "-$-3" */
            return;
        } else {
            return;
        }
    }
}

/* ------------------------------------------------------------------ numbers in digits */

/* Reads the number at the front of s, with commas or apostrophes between thousands. Returns its
 * length; 0: there is none. */
static size_t read_number(struct str s, double *ret_value, double *ret_half)
{
    char plain[48];
    size_t len = 0;
    size_t at = digits_at(s, 0);
    bool grouped = false;
    if (at > 30 || (at == 0 && (s.len < 2 || s.ptr[0] != '.' || !is_digit(s.ptr[1])))) {
        return 0;
    }
    memcpy(plain, s.ptr, at);
    len = at;
    while (at < s.len && len < 30 && len > 0 && (s.ptr[at] == ',' || s.ptr[at] == '\'') &&
           digits_at(s, at + 1) == 3) {
        memcpy(plain + len, s.ptr + at + 1, 3);
        len += 3;
        at += 4;
        grouped = true;
    }
    bool comma = at < s.len && s.ptr[at] == ',' && !grouped && digits_at(s, at + 1) > 0;
    if (at + 1 < s.len && (s.ptr[at] == '.' || comma) && is_digit(s.ptr[at + 1])) {
        size_t decimals = digits_at(s, at + 1);
        if (decimals > 15) {
            return 0;
        }
        if (len == 0) {
            plain[len++] = '0';
        }
        plain[len++] = '.';
        memcpy(plain + len, s.ptr + at + 1, decimals);
        len += decimals;
        at += 1 + decimals;
    }
    return quantity_read(str_n(plain, len), ret_value, ret_half) ? at : 0;
}

static bool read_date(struct str s, struct prose_figure *f)
{
    if (s.len < 10 || digits_at(s, 0) != 4 || s.ptr[4] != '-' || digits_at(s, 5) != 2 ||
        s.ptr[7] != '-' || digits_at(s, 8) != 2) {
        return false;
    }
    f->kind = PROSE_DATE;
    f->year = whole_at(s, 0, 4);
    f->month = whole_at(s, 5, 2);
    f->day = whole_at(s, 8, 2);
    return true;
}

/* Reads "14:05" or "14:05:33" at the front of s; its length, or 0. */
static size_t read_hour(struct str s, struct prose_figure *f)
{
    size_t hours = digits_at(s, 0);
    if (hours < 1 || hours > 2 || hours + 3 > s.len || s.ptr[hours] != ':' ||
        digits_at(s, hours + 1) != 2 || whole_at(s, 0, hours) > 24 ||
        whole_at(s, hours + 1, 2) > 59) {
        return 0;
    }
    size_t len = hours + 3;
    f->kind = PROSE_HOUR;
    f->minute = 60 * whole_at(s, 0, hours) + whole_at(s, hours + 1, 2);
    f->second = -1;
    if (len + 3 <= s.len && s.ptr[len] == ':' && digits_at(s, len + 1) == 2) {
        f->second = whole_at(s, len + 1, 2);
        len += 3;
    }
    return len;
}

static int month_of(struct str word)
{
    static const char *const months[] = {"january",   "february", "march",    "april",
                                         "may",       "june",     "july",     "august",
                                         "september", "october",  "november", "december"};
    for (int i = 0; i < 12; i++) {
        if (str_equal_nocase(word, months[i]) ||
            (word.len == 3 &&
             str_equal_nocase(word, (char[]){months[i][0], months[i][1], months[i][2], '\0'}))) {
            /* "may" is also a verb. */
            return i == 4 && word.ptr[0] == 'm' ? 0 : i + 1;
        }
    }
    return 0;
}

/* "21 November 2026", "Nov 21". */
static bool read_day(const struct prose *p, struct prose_figure *f)
{
    int behind = month_of(token(p, f->last + 1)->text);
    int before = month_of(token(p, f->first - 1)->text);
    if ((behind == 0 && before == 0) || f->shown.value > 31) {
        return false;
    }
    f->kind = PROSE_DATE;
    f->day = (int)f->shown.value;
    f->month = behind != 0 ? behind : before;
    f->first -= behind != 0 ? 0 : 1;
    f->last += behind != 0 ? 1 : 0;
    int at = is(p, f->last + 1, ",") ? f->last + 2 : f->last + 1;
    if (token(p, at)->text.len == 4 && digits_at(token(p, at)->text, 0) == 4) {
        f->year = whole_at(token(p, at)->text, 0, 4);
        f->last = at;
    }
    return true;
}

static bool is_ordinal_end(struct str s)
{
    return str_equal_nocase(s, "st") || str_equal_nocase(s, "nd") || str_equal_nocase(s, "rd") ||
           str_equal_nocase(s, "th");
}

static struct prose_figure *add(struct prose *p, struct prose_figure f)
{
    if (p->figure_count == PROSE_FIGURES_MAX) {
        return NULL;
    }
    p->figures[p->figure_count] = f;
    return &p->figures[p->figure_count++];
}

/* What is joined to a number: a unit, thousands, an ordinal's ending. False: it is a name. */
static bool read_joined(struct prose *p, struct str rest, struct prose_figure *f)
{
    double factor = 0;
    struct unit unit;
    if (is_ordinal_end(rest)) {
        return true;
    }
    bool dash = rest.ptr[0] == '-';
    struct str word = dash ? after(rest, 1) : rest;
    if (!dash && read_multiplier(word, &factor)) {
        multiply(f, factor);
        return true;
    }
    if (unit_read(word, &unit)) {
        f->shown.unit = unit;
        return true;
    }
    /* "4/7", "3-5", "14:00-15:00": the second figure follows. */
    if ((dash || rest.ptr[0] == '/') && rest.len > 1 && is_digit(rest.ptr[1])) {
        struct prose_figure second = {.text = after(rest, 1), .first = f->first, .last = f->last};
        size_t len = read_number(second.text, &second.shown.value, &second.shown.half);
        struct prose_figure *first = len > 0 && len == second.text.len ? add(p, *f) : NULL;
        if (first != NULL) {
            first->text = str_n(first->text.ptr, (size_t)(rest.ptr - first->text.ptr));
            *f = second;
            return true;
        }
    }
    return false;
}

/* "12 345": figures of three digits that follow after one space. */
static void read_groups(const struct prose *p, struct prose_figure *f)
{
    size_t len = f->text.len;
    while (len <= 3 && digits_at(f->text, 0) == len) {
        struct str next = token(p, f->last + 1)->text;
        struct str here = token(p, f->last)->text;
        if (next.len != 3 || digits_at(next, 0) != 3 || next.ptr - (here.ptr + here.len) > 3 ||
            f->shown.value == 0) {
            return;
        }
        multiply(f, 1000);
        f->shown.half = 0.5;
        f->shown.value += 100 * (next.ptr[0] - '0') + 10 * (next.ptr[1] - '0') + next.ptr[2] - '0';
        f->last++;
    }
}

static bool is_item(const struct prose *p, const struct prose_figure *f)
{
    static const char *const starts[] = {"", "\n", ":", ".", ";", NULL};
    int items = 0;
    for (int i = 0; i < p->figure_count; i++) {
        items += p->figures[i].is_item ? 1 : 0;
    }
    return f->shown.value == items + 1 && is_any(p, f->first - 1, starts) &&
           (is(p, f->last + 1, ".") || is(p, f->last + 1, ")")) && f->last + 2 < p->token_count &&
           digits_at(f->text, 0) == f->text.len;
}

/* Merges "3 h 5 min" into one figure. */
static bool joins_duration(const struct prose *p, const struct prose_figure *f)
{
    if (p->figure_count == 0) {
        return false;
    }
    const struct prose_figure *last = &p->figures[p->figure_count - 1];
    double scale = f->shown.unit.scale;
    return last->kind == PROSE_NUMBER && last->shown.unit.dimension == DIMENSION_TIME &&
           f->shown.unit.dimension == DIMENSION_TIME && last->last + 1 == f->first &&
           f->shown.value * scale < last->shown.unit.scale && f->sign == 0;
}

static bool add_number(struct prose *p, struct prose_figure *f)
{
    if (joins_duration(p, f)) {
        struct prose_figure *last = &p->figures[p->figure_count - 1];
        double scale = f->shown.unit.scale;
        last->shown.value = last->shown.value * last->shown.unit.scale + f->shown.value * scale;
        last->shown.half = f->shown.half * scale;
        last->shown.unit.scale = 1;
        last->last = f->last;
        return true;
    }
    read_noun(p, f);
    return add(p, *f) != NULL;
}

/* A time of day, or two: "14:00-15:00". Anything else behind it makes it a name. */
static bool read_hours(struct prose *p, struct str text, size_t len, struct prose_figure f)
{
    struct str rest = after(text, len);
    struct prose_figure second = f;
    if (rest.len > 1 && rest.ptr[0] == '-') {
        second.text = after(rest, 1);
        f.text = str_n(text.ptr, len);
        if (read_hour(second.text, &second) == second.text.len) {
            return add(p, f) != NULL && add(p, second) != NULL;
        }
    }
    if (rest.len > 0 && !str_equal_nocase(rest, "z")) {
        f.kind = PROSE_NAME;
    }
    return add(p, f) != NULL;
}

/* Reads the figure at the token; *ret_next is the token behind it. False: too many figures. */
static bool read_digits(struct prose *p, int at, int *ret_next)
{
    struct str text = token(p, at)->text;
    struct prose_figure f = {.text = text, .first = at, .last = at};
    *ret_next = at + 1;
    size_t len = read_number(text, &f.shown.value, &f.shown.half);
    if (!has_digit(text)) {
        f.kind = PROSE_UNREADABLE;
        return add(p, f) != NULL;
    }
    if (read_date(text, &f)) {
        return add(p, f) != NULL;
    }
    size_t hour = read_hour(text, &f);
    if (hour > 0) {
        return read_hours(p, text, hour, f);
    }
    struct str rest = after(text, len);
    if (len == 0 || (rest.len > 0 && !read_joined(p, rest, &f))) {
        f.kind = PROSE_NAME;
        return add(p, f) != NULL;
    }
    f.text = rest.len > 0 && f.text.ptr == text.ptr ? str_n(text.ptr, len) : f.text;
    if (rest.len == 0) {
        read_groups(p, &f);
        f.is_item = is_item(p, &f);
    }
    if (rest.len == 0 || f.text.ptr != text.ptr || is_ordinal_end(rest) ||
        f.shown.unit.dimension == DIMENSION_NONE) {
        if (read_day(p, &f)) {
            *ret_next = f.last + 1;
            read_front(p, &f);
            f.kind = f.sign != 0 ? PROSE_UNREADABLE : f.kind;
            return add(p, f) != NULL;
        }
        read_unit(p, &f);
    }
    read_front(p, &f);
    *ret_next = f.last + 1;
    return add_number(p, &f);
}

/* ------------------------------------------------------------------ number words */

static bool read_small(struct str word, double *ret)
{
    static const char *const small[] = {"zero",    "one",     "two",       "three",    "four",
                                        "five",    "six",     "seven",     "eight",    "nine",
                                        "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                        "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    static const char *const tens[] = {"twenty", "thirty",  "forty",  "fifty",
                                       "sixty",  "seventy", "eighty", "ninety"};
    for (size_t i = 0; i < COUNT_OF(small); i++) {
        if (str_equal_nocase(word, small[i])) {
            *ret = (double)i;
            return true;
        }
    }
    for (size_t i = 0; i < COUNT_OF(tens); i++) {
        if (str_equal_nocase(word, tens[i])) {
            *ret = (double)(20 + 10 * i);
            return true;
        }
    }
    return false;
}

static bool read_big(struct str word, double *ret)
{
    if (str_equal_nocase(word, "hundred") || str_equal_nocase(word, "dozen")) {
        *ret = str_equal_nocase(word, "hundred") ? 100 : 12;
        return true;
    }
    return word.len > 1 && read_multiplier(word, ret);
}

/* The denominator of "third", "thirds", "quarter", …; *ret_ordinal: the word is one as well. */
static bool read_part(struct str word, double *ret, bool *ret_ordinal)
{
    static const char *const parts[] = {"half",    "third",  "quarter", "fifth", "sixth",
                                        "seventh", "eighth", "ninth",   "tenth", "eleventh",
                                        "twelfth", "halves", "fourth"};
    static const double values[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 2, 4};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        size_t len = strlen(parts[i]);
        if (word.len >= len && word.len <= len + 1 &&
            str_equal_nocase(str_n(word.ptr, len), parts[i]) &&
            (word.len == len || word.ptr[len] == 's')) {
            *ret = values[i];
            *ret_ordinal = word.len == len && values[i] != 2 && parts[i][0] != 'q';
            return true;
        }
    }
    return false;
}

/* "doubled", "twice", "threefold". */
static bool read_factor(struct str word, double *ret)
{
    static const struct {
        const char *word;
        double factor;
    } factors[] = {{"double", 2},    {"doubles", 2},    {"doubled", 2},    {"doubling", 2},
                   {"twice", 2},     {"twofold", 2},    {"triple", 3},     {"triples", 3},
                   {"tripled", 3},   {"tripling", 3},   {"thrice", 3},     {"trebled", 3},
                   {"quadruple", 4}, {"quadrupled", 4}, {"quintupled", 5}, {"halved", 0.5},
                   {"halves", 0.5},  {"halving", 0.5},  {"halve", 0.5}};
    for (size_t i = 0; i < COUNT_OF(factors); i++) {
        if (str_equal_nocase(word, factors[i].word)) {
            *ret = factors[i].factor;
            return true;
        }
    }
    return word.len > 4 && str_equal_nocase(after(word, word.len - 4), "fold") &&
           read_small(str_n(word.ptr, word.len - 4), ret);
}

/* "one" that stands for a thing named before or after, or is not about what is counted: "one
 * cause".
 */
static bool is_pronoun(const struct prose *p, int at)
{
    static const char *const behind[] = {"of", "or", "by", "another", "that", "which", "in", NULL};
    static const char *const before[] = {"no",    "each",  "this",    "that", "any",
                                         "every", "which", "another", "the",  "same",
                                         "last",  "next",  "first",   NULL};
    static const char *const numbers[] = {"hundred", "thousand", "million", "billion",
                                          "third",   "quarter",  "fifth",   "half",
                                          "tenth",   "and",      NULL};
    struct unit unit;
    int next = is(p, at + 1, "-") ? at + 2 : at + 1; /* "one-hour", but not "one-sided" */
    bool counted = is_any(p, next, numbers) || unit_read(token(p, next)->text, &unit) ||
                   is_noun(token(p, next)->text) ||
                   (token(p, next)->kind == PROSE_WORD && is_noun(token(p, next + 1)->text));
    return is(p, at, "one") && (!counted || is_any(p, at + 1, behind) || is_any(p, at - 1, before));
}

/* Words that look like figures: "third-party", "double-check", "the second half". */
static bool is_figure_of_speech(const struct prose *p, int at)
{
    static const char *const doubled[] = {"check",   "checks",  "checked",  "checking", "count",
                                          "counts",  "counted", "counting", "entry",    "entries",
                                          "booking", "booked",  "spend",    "fill",     "filled",
                                          "fills",   "counter", NULL};
    static const char *const halves[] = {"first", "second", "other", "latter", "last", NULL};
    int next = is(p, at + 1, "-") ? at + 2 : at + 1;
    return (is(p, at, "third") && is(p, next, "party")) ||
           (is(p, at, "double") && is_any(p, next, doubled)) ||
           (is(p, at, "half") && is_any(p, at - 1, halves));
}

/* "none", "never", "no trades", "not a single win": a claim of zero. "No answer" is none. */
static bool is_zero(const struct prose *p, int at)
{
    static const char *const words[] = {"none", "never", "nothing", "nil", NULL};
    static const char *const nouns[] = {"trade",  "trades",  "order",     "orders",    "fill",
                                        "fills",  "win",     "wins",      "loss",      "losses",
                                        "vote",   "votes",   "decision",  "decisions", "position",
                                        "entry",  "entries", "positions", "exits",     "candles",
                                        "errors", "vetoes",  "alerts",    "learnings", NULL};
    if (is_any(p, at, words)) {
        return true;
    }
    if (is(p, at, "not")) {
        return (is(p, at + 1, "a") && is(p, at + 2, "single")) ||
               (is(p, at + 1, "one") && is_any(p, at + 2, nouns));
    }
    if (!is(p, at, "no")) {
        return false;
    }
    return is_any(p, at + 1, nouns) ||
           (token(p, at + 1)->kind == PROSE_WORD && is_any(p, at + 2, nouns));
}

/* Reads "twenty-three", "two hundred and five", "a dozen" from the token on; the number of tokens,
 * or 0. */
static int read_cardinal(const struct prose *p, int at, double *ret)
{
    double total = 0, part = 0, value = 0;
    int used = 0;
    bool any = false;
    if ((is(p, at, "a") || is(p, at, "an")) && read_big(token(p, at + 1)->text, &value)) {
        part = 1;
        used = 1;
    }
    for (;;) {
        int next = at + used;
        bool linked = any && (is(p, next, "-") || is(p, next, "and"));
        int skip = linked ? 1 : 0;
        struct str word = token(p, next + skip)->text;
        if (read_small(word, &value) && (!any || (part >= 20 && part < 100 && value < 10) ||
                                         (part >= 100 && value < 100) || (part == 0 && any))) {
            part += value;
        } else if (!linked && (any || used > 0) && read_big(word, &value)) {
            part = (part == 0 ? 1 : part) * value;
            if (value >= 1000) {
                total += part;
                part = 0;
            }
        } else {
            break;
        }
        used += 1 + skip;
        any = true;
    }
    *ret = total + part;
    return any ? used : 0;
}

/* "all trades", "every order", "always": a claim about the whole, unless it only says what a figure
 * is of ("of all trades"), or how often something is done ("every day"). */
static bool is_all(const struct prose *p, int at)
{
    static const char *const of[] = {"of",   "across", "over", "among", "in",  "for",
                                     "from", "with",   "on",   "by",    "per", "between",
                                     "than", "to",     "not",  "at",    NULL};
    static const char *const whole[] = {"all", "every", NULL};
    static const char *const often[] = {"day",   "audit", "run",  "cycle",  "candle", "bar", "step",
                                        "day's", "days",  "runs", "cycles", "row",    NULL};
    if (is(p, at, "always")) {
        return true;
    }
    if (!is_any(p, at, whole) || is_any(p, at - 1, of)) {
        return false;
    }
    for (int next = at + 1; next <= at + 3; next++) {
        if (is_any(p, next, often) || token(p, next)->kind == PROSE_MARK) {
            return false;
        }
        if (is_noun(token(p, next)->text)) {
            return true;
        }
    }
    return false;
}

/* "half" may be off by a twentieth; "more than half" is more, but not far more. */
static void read_bounds(const struct prose *p, int at, struct prose_figure *f)
{
    static const char *const over[] = {"more", "over", "above", "least", NULL};
    static const char *const under[] = {"less", "under", "below", "fewer", "most", NULL};
    static const char *const nearly[] = {"almost", "nearly", NULL};
    int word = is(p, at - 1, "than") ? at - 2 : at - 1;
    bool is_over = is_any(p, word, over), is_under = is_any(p, word, under);
    bool is_nearly = is_any(p, word, nearly);
    f->low = is_over ? 1 : is_under ? 0.5 : is_nearly ? 0.9 : 0.95;
    f->high = is_over ? 2 : is_under || is_nearly ? 1 : 1.05;
}

static bool read_word(struct prose *p, int at, int *ret_next)
{
    static const char *const vague[] = {"dozens",   "hundreds", "thousands", "millions",
                                        "billions", "scores",   NULL};
    static const char *const articles[] = {"a", "an", NULL};
    struct prose_figure f = {.text = token(p, at)->text, .first = at, .last = at, .is_word = true};
    double part = 0;
    bool ordinal = false;
    *ret_next = at + 1;
    if (is_pronoun(p, at) || is_figure_of_speech(p, at)) {
        return true;
    }
    if (is(p, at, "couple") && is(p, at + 1, "of")) {
        f.kind = PROSE_UNREADABLE;
        return add(p, f) != NULL;
    }
    if (is_any(p, at, vague) || prose_is_foreign_number(f.text)) {
        f.kind = PROSE_UNREADABLE;
        return add(p, f) != NULL;
    }
    if (is_all(p, at)) {
        f.kind = PROSE_ALL;
        return add(p, f) != NULL;
    }
    read_bounds(p, at, &f);
    if (read_factor(f.text, &f.shown.value)) {
        f.kind = PROSE_FACTOR;
        return add(p, f) != NULL;
    }
    if (is_zero(p, at)) {
        read_noun(p, &f);
        f.shown.unit.dimension = DIMENSION_NONE;
        return add(p, f) != NULL;
    }
    int used = read_cardinal(p, at, &f.shown.value);
    if (used == 0 && is_any(p, at, articles) &&
        read_part(token(p, at + 1)->text, &part, &ordinal)) {
        f.shown.value = 1; /* "a third" */
        used = 1;
    }
    int dash = used > 0 && is(p, at + used, "-") ? 1 : 0;
    if (read_part(token(p, at + used + dash)->text, &part, &ordinal) &&
        (used > 0 || part == 2 || ordinal)) {
        bool fraction = used > 0 || part == 2;
        f.kind = fraction ? PROSE_FRACTION : PROSE_NUMBER;
        f.shown.value = fraction ? (used > 0 ? f.shown.value : 1) / part : part;
        f.last = at + used + dash;
        *ret_next = f.last + 1;
        return add(p, f) != NULL;
    }
    if (used == 0) {
        return true;
    }
    f.last = at + used - 1;
    f.shown.half = 0.5;
    if (is(p, f.last + 1, "and") && is(p, f.last + 2, "a") && is(p, f.last + 3, "half")) {
        f.shown.value += 0.5;
        f.shown.half = 0.05;
        f.last += 3;
    }
    struct str end = token(p, f.last)->text;
    f.text = str_n(f.text.ptr, (size_t)(end.ptr + end.len - f.text.ptr));
    read_unit(p, &f);
    read_front(p, &f);
    *ret_next = f.last + 1;
    return add_number(p, &f);
}

/* A sign without a figure in digits: "lO %", where the figure is in letters. */
static bool is_stray_sign(const struct prose *p, int at)
{
    static const char *const harmless[] = {"the", "a", "in", "of", "as", "and", "or", NULL};
    bool sign = is(p, at, "%") || is(p, at, "‰");
    return sign && token(p, at - 1)->kind == PROSE_WORD && !is_any(p, at - 1, harmless);
}

bool prose_figures(struct prose *prose)
{
    int next = 0;
    for (int at = 0; at < prose->token_count; at = next) {
        next = at + 1;
        enum prose_token_kind kind = prose->tokens[at].kind;
        struct prose_figure stray = {.kind = PROSE_UNREADABLE,
                                     .text = prose->tokens[at].text,
                                     .first = at > 0 ? at - 1 : 0,
                                     .last = at};
        if (kind == PROSE_MARK && is_stray_sign(prose, at) && add(prose, stray) == NULL) {
            return false;
        }
        if ((kind == PROSE_DIGITS && !read_digits(prose, at, &next)) ||
            (kind == PROSE_WORD && !read_word(prose, at, &next))) {
            return false;
        }
    }
    return true;
}

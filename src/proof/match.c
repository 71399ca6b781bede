#include "proof/match.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define WORDS_NEAR 6
#define ROW_SIZE   64

/* ------------------------------------------------------------------ signs */

static const char *const loss_words[] = {
    "loss",     "losses",   "lost",    "lose",      "loses",     "losing", "down",  "drawdown",
    "negative", "minus",    "deficit", "fell",      "fall",      "falls",  "drop",  "drops",
    "dropped",  "cost",     "costs",   "decrease",  "decreased", "short",  "below", "behind",
    "under",    "declined", "paid",    "shortfall", NULL};

static bool has_any(const char *text, const char *const *parts)
{
    for (; *parts != NULL; parts++) {
        if (strstr(text, *parts) != NULL) {
            return true;
        }
    }
    return false;
}

/* Whether the figure can be of a value with this sign: the value is what it is compared with. */
bool match_signed(const struct prose *p, int i, const struct proof_value *v)
{
    static const char *const lost[] = {"lost", "lose", "loses", "losing", "loss", NULL};
    static const char *const costs[] = {"loss",    "fee",      "cost",       "drawdown",
                                        "funding", "slippage", "difference", NULL};
    const struct prose_figure *f = &p->figures[i];
    struct quantity shown = f->shown;
    if (v->value < 0 && f->sign == 0) {
        return prose_is_near(p, i, (struct prose_near){5, 3}, loss_words) &&
               quantity_is(-v->value, v->unit, &shown);
    }
    if (v->value > 0 && v->unit.dimension == DIMENSION_MONEY && f->sign == 0 &&
        !has_any(v->pointer, costs) && prose_is_near(p, i, (struct prose_near){2, 0}, lost)) {
        return false;
    }
    shown.value *= f->sign < 0 ? -1 : 1;
    return quantity_is(v->value, v->unit, &shown);
}

/* ------------------------------------------------------------------ what is counted */

/* Whether a word ("losing") and a part of a key ("losses") have the same stem. */
static bool same_stem(struct str word, struct str part)
{
    size_t len = word.len < 4 ? word.len : 4;
    if (word.len < 3 || part.len < 3) {
        return false;
    }
    if (str_equal_nocase(word, "won")) {
        word = STR_LIT("win");
    }
    if (str_equal_nocase(str_n(word.ptr, 3), "los") ||
        str_equal_nocase(str_n(word.ptr, 3), "win")) {
        len = 3;
    }
    char stem[8];
    (void)str_copy(str_n(word.ptr, len), stem, sizeof(stem));
    return part.len >= len && str_equal_nocase(str_n(part.ptr, len), stem);
}

bool match_key_has(struct str step, struct str word)
{
    struct str part;
    while (str_split(&step, '_', &part)) {
        if (same_stem(word, part)) {
            return true;
        }
    }
    return false;
}

bool match_names(const struct proof_value *v, struct str word)
{
    struct str rest = str_c(v->pointer), step, asset;
    char name[ROW_SIZE];
    struct unit unit;
    if (word.len < 3 || unit_read(word, &unit) || !str_copy(word, name, sizeof(name))) {
        return false;
    }
    while (str_split(&rest, '/', &step)) {
        struct str row = step;
        if (match_key_has(step, word) || str_equal_nocase(step, name) ||
            (str_split(&row, '-', &asset) && str_equal_nocase(asset, name))) {
            return true;
        }
    }
    return false;
}

/* Whether the value counts what the word names: by its key, or the key above a mere "count". */
static bool counts(const struct proof_value *v, struct str word)
{
    static const char *const mere[] = {"/count", "/n",     "/k",     "/number",   "/all",
                                       "/total", "/table", "/state", "/snapshot", NULL};
    const char *last = strrchr(v->pointer, '/');
    if (last == NULL || match_key_has(str_c(last + 1), word)) {
        return last != NULL;
    }
    if (strcmp(last, "/n") == 0 && same_stem(word, STR_LIT("samples"))) {
        return true;
    }
    for (const char *const *m = mere; *m != NULL; m++) {
        if (strcmp(last, *m) == 0) {
            const char *from = last;
            while (from > v->pointer && from[-1] != '/') {
                from--;
            }
            return match_key_has(str_n(from, (size_t)(last - from)), word);
        }
    }
    return false;
}

/* Whether a word of the noun, or one of the two behind it, names what the value counts. */
bool match_is_named(const struct prose *p, int i, const struct proof_value *v)
{
    const struct prose_figure *f = &p->figures[i];
    struct str noun = f->noun, word;
    while (str_word(&noun, &word)) {
        if (counts(v, word)) {
            return true;
        }
    }
    struct str end = {f->noun.ptr + f->noun.len, 0};
    int seen = 0;
    for (int t = f->last + 1; t < p->token_count && seen < 2; t++) {
        if (p->tokens[t].text.ptr < end.ptr) {
            continue;
        }
        if (p->tokens[t].kind != PROSE_WORD) {
            break;
        }
        if (counts(v, p->tokens[t].text)) {
            return true;
        }
        seen++;
    }
    return false;
}

/* ------------------------------------------------------------------ direct */

static bool ends_with(const struct proof_value *v, const char *step)
{
    return strcmp(strrchr(v->pointer, '/') + 1, step) == 0;
}

static bool is_rate_part(const struct proof_value *v)
{
    return ends_with(v, "k") || ends_with(v, "n") || ends_with(v, "pct") ||
           ends_with(v, "low_pct") || ends_with(v, "high_pct");
}

bool match_is_limited(const struct prose *p, int i)
{
    static const char *const most[][2] = {{"at", "most"}, {"up", "to"}, {"a", "maximum"}};
    int last = p->figures[i].last;
    if (i + 1 >= p->figure_count || p->figures[i + 1].first < last + 4 ||
        p->figures[i + 1].first > last + 5 || !str_equal_nocase(p->tokens[last + 1].text, "of")) {
        return false;
    }
    for (size_t k = 0; k < COUNT_OF(most); k++) {
        if (str_equal_nocase(p->tokens[last + 2].text, most[k][0]) &&
            str_equal_nocase(p->tokens[last + 3].text, most[k][1])) {
            return true;
        }
    }
    return false;
}

/* "4 of 7" and "4 out of 7": the figure is a part of the one behind it. */
bool match_is_part(const struct prose *p, int i)
{
    if (i + 1 >= p->figure_count) {
        return false;
    }
    const struct prose_figure *f = &p->figures[i];
    const struct prose_figure *next = &p->figures[i + 1];
    struct str between = p->tokens[f->last + 1].text;
    bool of = next->first == f->last + 2 && str_equal_nocase(between, "of");
    bool of_the = next->first == f->last + 3 &&
                  (str_equal_nocase(between, "out") || str_equal_nocase(between, "of"));
    return (of || of_the || match_is_limited(p, i)) && f->kind == PROSE_NUMBER &&
           next->kind == PROSE_NUMBER && f->shown.unit.dimension != DIMENSION_PCT;
}

/* Whether "n =" is in front of the figure. */
static bool is_equated(const struct prose *p, int i, const char *letter)
{
    int first = p->figures[i].first;
    return first >= 2 && str_equal_c(p->tokens[first - 1].text, "=") &&
           str_equal_c(p->tokens[first - 2].text, letter);
}

static bool is_other_bound(const struct proof *proof, const struct prose *p, int i,
                           const struct proof_value *bound)
{
    size_t len = (size_t)(strrchr(bound->pointer, '/') - bound->pointer);
    const char *other = ends_with(bound, "low_pct") ? "high_pct" : "low_pct";
    for (int k = 0; k < proof->count && i >= 0 && i < p->figure_count; k++) {
        const struct proof_value *v = &proof->values[k];
        if (ends_with(v, other) && strncmp(v->pointer, bound->pointer, len) == 0 &&
            match_signed(p, i, v)) {
            return true;
        }
    }
    return false;
}

/* Whether the evidence has a bound of the rate, and nothing else of it: "it is 98.96 %" does not
 * state that. */
static bool is_cited_by_bound(const struct proof *proof, const struct proof_value *pct)
{
    size_t len = (size_t)(strrchr(pct->pointer, '/') - pct->pointer);
    for (int k = 0; k < proof->evidence_count; k++) {
        const struct proof_value *v = &proof->values[k];
        if (strncmp(v->pointer, pct->pointer, len + 1) == 0 &&
            strchr(v->pointer + len + 1, '/') == NULL && !ends_with(v, "low_pct") &&
            !ends_with(v, "high_pct")) {
            return false;
        }
    }
    return true;
}

/* The other parts of a cited rate are its own only where the words say so: "4 of 7", "n = 7", "over
 * 7 trades", "(95 % interval 64 to 81 %)". */
static bool is_said_part(const struct proof *proof, const struct prose *p, int i,
                         const struct proof_value *v)
{
    static const char *const interval[] = {"interval", "intervals", "confidence",
                                           "bounds",   "bound",     NULL};
    static const char *const size[] = {"of", "over", "out", "among", NULL};
    if (ends_with(v, "low_pct") || ends_with(v, "high_pct")) {
        int other = ends_with(v, "low_pct") ? i + 1 : i - 1;
        return prose_is_near(p, i, (struct prose_near){3, 0}, interval) ||
               (prose_in_sentence(p, i, interval) && is_other_bound(proof, p, other, v));
    }
    if (ends_with(v, "k")) {
        return match_is_part(p, i) || is_equated(p, i, "k");
    }
    if (ends_with(v, "pct")) {
        return p->figures[i].shown.unit.dimension == DIMENSION_PCT &&
               (prose_in_sentence(p, i, interval) || !is_cited_by_bound(proof, v));
    }
    return is_equated(p, i, "n") || prose_is_near(p, i, (struct prose_near){2, 0}, size) ||
           (i > 0 && match_is_part(p, i - 1));
}

bool match_is_in_points(const struct prose *p, int i)
{
    static const char *const words[] = {"points", "point", "pp"};
    int last = p->figures[i].last;
    for (int t = last; t <= last + 1 && t < p->token_count; t++) {
        for (size_t k = 0; k < COUNT_OF(words); k++) {
            if (str_equal_nocase(p->tokens[t].text, words[k])) {
                return true;
            }
        }
    }
    return false;
}

/* ------------------------------------------------------------------ of which row */

/* Whether the sentence has the row, by its whole name, or "trade 17" for "trade-17". */
bool match_mentions(struct str sentence, struct str row)
{
    char spaced[ROW_SIZE];
    const char *dash = memchr(row.ptr, '-', row.len);
    if (proof_has_word(sentence, row)) {
        return true;
    }
    if (dash == NULL || !str_copy(row, spaced, sizeof(spaced))) {
        return false;
    }
    spaced[dash - row.ptr] = ' ';
    return proof_has_word(sentence, str_c(spaced));
}

/* Whether the value is of a row of a table ("BTC-USD"), and the sentence is about another row of
 * that table ("ETH-USD lost …") without naming this one. */
static bool is_of_other_row(const struct proof *proof, const struct prose *p, int i,
                            const struct proof_value *v)
{
    struct str sentence = prose_sentence(p, i);
    struct str rest = str_c(v->pointer), step;
    while (str_split(&rest, '/', &step)) {
        struct json_object *table = NULL;
        struct str path = str_n(v->pointer, (size_t)(step.ptr - v->pointer));
        path.len -= path.len > 0 ? 1 : 0;
        if (!proof_is_row(step) || match_mentions(sentence, step) ||
            !json_pointer(proof->report, path, &table) || !json_is_object(table)) {
            continue;
        }
        json_object_object_foreach(table, key, row)
        {
            (void)row;
            struct str other = str_c(key);
            if (!str_equal(other, step) && proof_is_row(other) && match_mentions(sentence, other)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the words from a token on, up to the next figure or mark, name one value and not the
 * other. */
static bool words_name(const struct prose *p, int i, int step, const struct proof_value *v,
                       const struct proof_value *other)
{
    static const char *const ends[] = {"and", "but", "while", "against", "vs", "than",
                                       "or",  "as",  ",",     ";",       ":",  NULL};
    const struct prose_figure *f = &p->figures[i];
    int sentence = p->tokens[f->first].sentence;
    int at = step < 0 ? f->first - 1 : f->last + 1;
    for (int n = 0; n < WORDS_NEAR && at >= 0 && at < p->token_count; n++, at += step) {
        const struct prose_token *t = &p->tokens[at];
        bool end = t->sentence != sentence || t->kind == PROSE_DIGITS;
        for (const char *const *word = ends; *word != NULL; word++) {
            end |= str_equal_nocase(t->text, *word);
        }
        if (end) {
            return false;
        }
        if (match_names(v, t->text) && !match_names(other, t->text)) {
            return true;
        }
    }
    return false;
}

static bool has_part(const struct proof_value *v, const char *const *parts)
{
    struct str rest = str_c(v->pointer), step, part;
    while (str_split(&rest, '/', &step)) {
        while (str_split(&step, '_', &part)) {
            for (const char *const *p = parts; *p != NULL; p++) {
                if (str_equal_nocase(part, *p)) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* "a gap of 33": a figure that is the difference of others, so no value, unless that is one. */
static bool is_difference(const struct prose *p, int i, const struct proof_value *v)
{
    static const char *const words[] = {"gap", "difference", "spread", "distance", NULL};
    static const char *const parts[] = {"gap",  "difference", "spread", "distance",
                                        "diff", "slippage",   NULL};
    int first = p->figures[i].first;
    if (first < 2 || !str_equal_nocase(p->tokens[first - 1].text, "of")) {
        return false;
    }
    for (const char *const *word = words; *word != NULL; word++) {
        if (str_equal_nocase(p->tokens[first - 2].text, *word)) {
            return !has_part(v, parts);
        }
    }
    return false;
}

/* "98.70 USD per trade", while the number of trades is cited: an average, so no total. */
static bool is_average_of(const struct proof *proof, const struct prose *p, int i,
                          const struct proof_value *v)
{
    static const char *const parts[] = {"average", "mean", "per",  "rate",     "median",
                                        "typical", "avg",  "size", "expected", NULL};
    int last = p->figures[i].last;
    if (last + 2 >= p->token_count || !str_equal_nocase(p->tokens[last + 1].text, "per") ||
        has_part(v, parts)) {
        return false;
    }
    for (int k = 0; k < proof->evidence_count; k++) {
        const struct proof_value *number = &proof->values[k];
        if (number != v && number->unit.dimension == DIMENSION_NONE && number->value > 1 &&
            counts(number, p->tokens[last + 2].text)) {
            return true;
        }
    }
    return false;
}

/* "88.40 USD on 2026-11-21", of a value that is in the row of another day. */
static bool is_of_other_day(const struct prose *p, int i, const struct proof_value *v)
{
    const struct prose_figure *f = &p->figures[i], *next = &p->figures[i + 1];
    struct str rest = str_c(v->pointer), step;
    int64_t us = 0;
    if (i + 1 >= p->figure_count || next->kind != PROSE_DATE || next->first != f->last + 2 ||
        !str_equal_nocase(p->tokens[f->last + 1].text, "on")) {
        return false;
    }
    while (str_split(&rest, '/', &step)) {
        if (step.len == 10 && clock_parse_iso(step, &us)) {
            return !match_is_time(step, next);
        }
    }
    return false;
}

/* Whether both are parts of one rate. */
static bool same_rate(const struct proof_value *a, const struct proof_value *b)
{
    size_t len = (size_t)(strrchr(a->pointer, '/') - a->pointer);
    return is_rate_part(a) && is_rate_part(b) && strncmp(a->pointer, b->pointer, len) == 0 &&
           b->pointer[len] == '/' && strchr(b->pointer + len + 1, '/') == NULL;
}

/* Whether the words beside the figure name another cited value that it could be of, and none names
 * this one: "the veto rate is 65 %" is not /win_loss/win_rate. */
static bool is_called_other(const struct proof *proof, const struct prose *p, int i,
                            const struct proof_value *v)
{
    static const char *const from[] = {"from", NULL};
    bool was = prose_is_near(p, i, (struct prose_near){1, 0}, from); /* "equity rose from 9" */
    bool counted = p->figures[i].noun.len > 0 && match_is_named(p, i, v);
    for (int k = 0; k < proof->evidence_count && !was && !counted; k++) {
        const struct proof_value *other = &proof->values[k];
        if (other != v && !same_rate(v, other) && other->unit.dimension == v->unit.dimension &&
            (words_name(p, i, -1, other, v) || words_name(p, i, 1, other, v)) &&
            !words_name(p, i, -1, v, other) && !words_name(p, i, 1, v, other)) {
            return true;
        }
    }
    return false;
}

/* The index of the value that the figure states, from `from` on; -1: none. */
static int find_value(const struct proof *proof, const struct prose *p, int i, int from)
{
    const struct prose_figure *f = &p->figures[i];
    bool named = false;
    for (int k = 0; k < proof->count && f->noun.len > 0; k++) {
        named |= match_is_named(p, i, &proof->values[k]);
    }
    for (int k = from; k < proof->count; k++) {
        const struct proof_value *v = &proof->values[k];
        bool open = k < proof->evidence_count || is_said_part(proof, p, i, v);
        if ((is_equated(p, i, "n") && !ends_with(v, "n")) ||
            (is_equated(p, i, "k") && !ends_with(v, "k"))) {
            continue;
        }
        if (open && (!named || match_is_named(p, i, v)) && match_signed(p, i, v) &&
            !is_of_other_row(proof, p, i, v) && !is_called_other(proof, p, i, v) &&
            !is_difference(p, i, v) && !is_average_of(proof, p, i, v) &&
            !is_of_other_day(p, i, v)) {
            return k;
        }
    }
    return -1;
}

/* The figure must be another value than the one that it is a part of. */
bool match_is_direct(const struct proof *proof, const struct prose *p, int i)
{
    int found = find_value(proof, p, i, 0);
    if (found < 0 || !match_is_part(p, i)) {
        return found >= 0;
    }
    int whole = find_value(proof, p, i + 1, 0);
    if (whole == found) {
        int other = find_value(proof, p, i, found + 1);
        return other >= 0 || find_value(proof, p, i + 1, whole + 1) >= 0;
    }
    return p->figures[i].shown.value <= p->figures[i + 1].shown.value;
}

/* "half", "two thirds": a percentage, or a part of the same rate. */
bool match_is_share(const struct proof *proof, const struct prose_figure *f)
{
    for (int k = 0; k < proof->count; k++) {
        const struct proof_value *v = &proof->values[k];
        if (v->unit.dimension == DIMENSION_PCT && !ends_with(v, "low_pct") &&
            !ends_with(v, "high_pct") && v->value >= 100 * f->low * f->shown.value &&
            v->value <= 100 * f->high * f->shown.value) {
            return true;
        }
    }
    return false;
}

/* "all trades", "always": the evidence has a share of all or of nothing, a zero, or one count
 * twice. */
bool match_is_whole(const struct proof *proof)
{
    for (int k = 0; k < proof->count; k++) {
        const struct proof_value *v = &proof->values[k];
        bool bound = ends_with(v, "low_pct") || ends_with(v, "high_pct");
        if (!bound && (v->value == 0 || (v->unit.dimension == DIMENSION_PCT && v->value == 100))) {
            return true;
        }
        for (int m = 0; m < k; m++) {
            const struct proof_value *other = &proof->values[m];
            if (v->unit.dimension == DIMENSION_NONE && other->unit.dimension == DIMENSION_NONE &&
                v->value == other->value && !bound) {
                return true;
            }
        }
    }
    return false;
}

/* ------------------------------------------------------------------ times */

bool match_is_time(struct str text, const struct prose_figure *f)
{
    int64_t us = 0;
    if (text.len < 10 || !clock_parse_iso(text, &us)) {
        return false;
    }
    AUTO_BUF struct buf iso = BUF_INIT(64);
    clock_add_iso(&iso, us, false);
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (sscanf(iso.data, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) !=
        6) {
        return false;
    }
    if (f->kind == PROSE_HOUR) {
        return text.len > 10 && f->minute == 60 * hour + minute &&
               (f->second < 0 || f->second == second);
    }
    if (f->text.len > 10 && f->year != 0 && memchr(f->text.ptr, ':', f->text.len) != NULL) {
        /* With a time, which must be the same as far as it is written. */
        size_t len = f->text.len < 19 ? f->text.len : 19;
        return strncmp(iso.data, f->text.ptr, 10) == 0 && iso.len >= len &&
               strncmp(iso.data + 11, f->text.ptr + 11, len - 11) == 0;
    }
    return f->day == day && f->month == month && (f->year == 0 || f->year == year);
}

#include "proof/text_proof.h"

#include "base/check.h"
#include "facts.h"
#include "proof/arithmetic.h"
#include "proof/compare.h"
#include "proof/match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEAR_DIGITS 3  /* a figure with as many is not met by chance */
#define BIG_COUNT    20 /* so is a count, even if no key names what it counts */
#define OPERANDS_MAX PROOF_VALUES_MAX
#define FEW_OPERANDS 3
#define TEXT_WORD    4
#define NOT_FOUND    (-1)

const char *text_standing_name(enum text_standing standing)
{
    switch (standing) {
    case TEXT_FOUND:
        return "found";
    case TEXT_DERIVED:
        return "derived";
    case TEXT_UNVERIFIED:
        return "unverified";
    }
    return "";
}

struct text_proof *text_proof_new(void)
{
    struct text_proof *proof = calloc(1, sizeof(*proof));
    NEED_MEMORY(proof != NULL);
    proof->facts = facts_new();
    return proof;
}

void text_proof_free(struct text_proof *proof)
{
    if (proof == NULL) {
        return;
    }
    facts_free(proof->facts);
    free(proof);
}

void text_proof_add(struct text_proof *proof, const char *source, struct json_object *document)
{
    facts_add(proof->facts, source, document);
}

void text_proof_add_text(struct text_proof *proof, const char *source, struct str text)
{
    facts_add_text(proof->facts, source, text);
}

/* ------------------------------------------------------------------ context */

/* Words that name the same thing as a key does. */
static const struct {
    const char *word;
    const char *key;
} synonyms[] = {
    {"profit", "net"},     {"profit", "pnl"},     {"profit", "result"},    {"made", "net"},
    {"made", "pnl"},       {"made", "profit"},    {"made", "result"},      {"earned", "net"},
    {"earned", "pnl"},     {"gain", "net"},       {"gained", "net"},       {"lost", "net"},
    {"lost", "pnl"},       {"lost", "result"},    {"loss", "net"},         {"loss", "pnl"},
    {"loss", "result"},    {"pnl", "net"},        {"result", "net"},       {"result", "pnl"},
    {"hit", "accuracy"},   {"right", "accuracy"}, {"correct", "accuracy"}, {"account", "equity"},
    {"balance", "equity"}, {"spent", "cost"},     {"commission", "fees"},  {"bid", "price"},
    {"trades", "count"},   {"trades", "n"},       {"samples", "n"},        {"cases", "n"},
    {"interval", "low"},   {"interval", "high"},
};

static bool names_key(struct str word, struct str key)
{
    if (match_key_has(key, word)) {
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(synonyms); i++) {
        struct str part, rest = key;
        while (str_equal_nocase(word, synonyms[i].word) && str_split(&rest, '_', &part)) {
            if (str_equal_nocase(part, synonyms[i].key)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether a word names a step of the fact's pointer, or stands in the text that the fact is from.
 */
static bool names_fact(struct str word, const struct fact *fact)
{
    struct str rest = str_c(fact->value.pointer), step;
    while (str_split(&rest, '/', &step)) {
        if (names_key(word, step)) {
            return true;
        }
    }
    return fact->text.len > 0 && word.len >= TEXT_WORD && proof_has_word(fact->text, word);
}

/* Whether a word of the figure's sentence, but the figure itself, names the fact. */
static bool in_context(const struct prose *p, int i, const struct fact *fact)
{
    int sentence = p->tokens[p->figures[i].first].sentence;
    for (int t = 0; t < p->token_count; t++) {
        bool own = t >= p->figures[i].first && t <= p->figures[i].last;
        if (p->tokens[t].sentence == sentence && p->tokens[t].kind == PROSE_WORD && !own &&
            names_fact(p->tokens[t].text, fact)) {
            return true;
        }
    }
    return false;
}

/* How many digits of the figure say something: 0.050 has two, 1200 has four. */
static int digits_of(const struct prose_figure *f)
{
    int count = 0;
    for (size_t i = 0; i < f->text.len && !f->is_word; i++) {
        char c = f->text.ptr[i];
        count += c >= '0' && c <= '9' && (count > 0 || c != '0') ? 1 : 0;
    }
    return count;
}

/* ------------------------------------------------------------------ rows */

/* Whether a sentence names the row, or its asset: "BTC" for "BTC-USD". */
static bool mentions(struct str sentence, const char *row)
{
    const char *dash = strchr(row, '-');
    return match_mentions(sentence, str_c(row)) ||
           (dash != NULL && dash - row >= 2 && strchr("0123456789", dash[1]) == NULL &&
            proof_has_word(sentence, str_n(row, (size_t)(dash - row))));
}

static bool has_row(const struct fact *fact, const struct fact_row *row)
{
    size_t table = strlen(row->table), name = strlen(row->name);
    const char *pointer = fact->value.pointer;
    return strncmp(pointer, row->table, table) == 0 && pointer[table] == '/' &&
           strncmp(pointer + table + 1, row->name, name) == 0 &&
           (pointer[table + 1 + name] == '/' || pointer[table + 1 + name] == '\0');
}

/* Whether the fact is of a row, and the sentence names another row of its table instead. */
static bool is_of_other_row(const struct facts *facts, const struct fact *fact, struct str sentence)
{
    for (int i = 0; i < facts->row_count; i++) {
        const struct fact_row *row = &facts->rows[i];
        if (!has_row(fact, row) || mentions(sentence, row->name)) {
            continue;
        }
        for (int k = 0; k < facts->row_count; k++) {
            if (k != i && strcmp(facts->rows[k].table, row->table) == 0 &&
                mentions(sentence, facts->rows[k].name)) {
                return true;
            }
        }
    }
    return false;
}

/* ------------------------------------------------------------------ found */

/* Whether some value counts what the figure's noun names. */
static bool is_noun_known(const struct facts *facts, const struct prose *p, int i)
{
    for (int k = 0; k < facts->count && p->figures[i].noun.len > 0; k++) {
        if (match_is_named(p, i, &facts->items[k].value)) {
            return true;
        }
    }
    return false;
}

/* Whether the key of a mere count can be of the noun: "14 trades" of /count. */
static bool counts(struct str noun, const struct fact *fact)
{
    const char *last = strrchr(fact->value.pointer, '/');
    struct str word;
    while (last != NULL && str_word(&noun, &word)) {
        if (names_key(word, str_c(last + 1))) {
            return true;
        }
    }
    return false;
}

/* Whether a value in percent is one of which people say "points". */
static bool is_change(const struct fact *fact)
{
    static const char *const parts[] = {"change", "diff",  "difference", "delta",  "points",
                                        "slope",  "trend", "gap",        "growth", "gain",
                                        "drop",   "rise",  "spread",     "excess", "edge",
                                        "lift",   "day",   "more",       "less",   "pp"};
    const char *last = strrchr(fact->value.pointer, '/');
    struct str rest = str_c(last == NULL ? "" : last + 1), part;
    while (str_split(&rest, '_', &part)) {
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
            if (str_equal_nocase(part, parts[i])) {
                return true;
            }
        }
    }
    return fact->text.len > 0 || fact->value.unit.dimension != DIMENSION_PCT;
}

/* The index of the fact that the figure states; NOT_FOUND. */
static int find(const struct facts *facts, const struct prose *p, int i)
{
    const struct prose_figure *f = &p->figures[i];
    struct str sentence = prose_sentence(p, i);
    bool known = is_noun_known(facts, p, i);
    bool clear = digits_of(f) >= CLEAR_DIGITS;
    bool points = match_is_in_points(p, i);
    for (int k = 0; k < facts->count; k++) {
        const struct fact *fact = &facts->items[k];
        if (!match_signed(p, i, &fact->value) || is_of_other_row(facts, fact, sentence) ||
            (points && !is_change(fact))) {
            continue;
        }
        bool fits = clear || in_context(p, i, fact);
        if (f->noun.len > 0) {
            fits = known ? match_is_named(p, i, &fact->value)
                         : counts(f->noun, fact) || (fits && fabs(fact->value.value) >= BIG_COUNT);
            fits = fits || (fact->text.len > 0 && proof_has_word(fact->text, f->noun));
        }
        if (fits) {
            return k;
        }
    }
    return NOT_FOUND;
}

/* "trade 17": a row that is named so. Anything else that is 17 is not it. */
static bool is_row_number(const struct prose *p, int i, struct str *ret_word)
{
    static const char *const rows[] = {"trade", "order",   "rule",     "decision", "position",
                                       "run",   "finding", "learning", "alert",    NULL};
    const struct prose_figure *f = &p->figures[i];
    int at = f->first - 1;
    if (at >= 0 && str_equal_c(p->tokens[at].text, "#")) {
        at--;
    }
    for (const char *const *row = rows; at >= 0 && *row != NULL; row++) {
        if (str_equal_nocase(p->tokens[at].text, *row) && !f->is_word && f->sign == 0 &&
            f->shown.unit.dimension == DIMENSION_NONE) {
            *ret_word = str_c(*row);
            return true;
        }
    }
    return false;
}

static bool is_row_known(const struct facts *facts, const struct prose_figure *f, struct str word)
{
    char name[FACTS_NAME_SIZE];
    (void)snprintf(name, sizeof(name), "%.*s-%.*s", STR_ARG(word), STR_ARG(f->text));
    if (proof_knows_name(&facts->names, str_c(name))) {
        return true;
    }
    for (int k = 0; k < facts->count; k++) {
        const struct fact *fact = &facts->items[k];
        const char *last = strrchr(fact->value.pointer, '/');
        bool id = last != NULL && (strcmp(last, "/id") == 0 || strcmp(last, "/number") == 0 ||
                                   strcmp(last, "/#") == 0 || str_equal_c(word, last + 1));
        if (id && fact->value.value == f->shown.value) {
            return true;
        }
    }
    return false;
}

static bool is_time_known(const struct facts *facts, const struct prose_figure *f)
{
    struct str rest = buf_str(&facts->times), line;
    while (str_split(&rest, '\n', &line)) {
        if (match_is_time(line, f) || str_equal(line, f->text)) {
            return true;
        }
    }
    return false;
}

/* "95 %" of an interval is the level that all of them have. */
static bool is_level(const struct prose *p, int i)
{
    static const char *const words[] = {"interval", "intervals", "confidence", "CI", NULL};
    const struct prose_figure *f = &p->figures[i];
    return f->shown.unit.dimension == DIMENSION_PCT && f->shown.value == 95 &&
           prose_in_sentence(p, i, words);
}

/* ------------------------------------------------------------------ derived */

static void add_operand(struct proof *operands, const struct fact *fact)
{
    for (int i = 0; i < operands->count; i++) {
        if (strcmp(operands->values[i].pointer, fact->value.pointer) == 0 &&
            operands->values[i].value == fact->value.value) {
            return;
        }
    }
    if (operands->count < OPERANDS_MAX) {
        operands->values[operands->count++] = fact->value;
        operands->evidence_count = operands->count;
    }
}

/* The values that the figures of this sentence and of the one before it state. */
static void collect_stated(const struct facts *facts, const struct prose *p, const int *found,
                           int i, struct proof *ret)
{
    int sentence = p->tokens[p->figures[i].first].sentence;
    ret->count = 0;
    ret->evidence_count = 0;
    for (int k = 0; k < p->figure_count; k++) {
        int of = p->tokens[p->figures[k].first].sentence;
        if (k != i && found[k] >= 0 && (of == sentence || of + 1 == sentence)) {
            add_operand(ret, &facts->items[found[k]]);
        }
    }
}

static bool mentions_a_row(const struct facts *facts, struct str sentence)
{
    for (int i = 0; i < facts->row_count; i++) {
        if (mentions(sentence, facts->rows[i].name)) {
            return true;
        }
    }
    return false;
}

/* Whether the last step of the pointer, what the value is, is named in the sentence, and so is each
 * row that it is in. A sentence about rows does not mean a value of none. */
static bool is_meant(const struct facts *facts, const struct prose *p, int i,
                     const struct fact *fact, struct str sentence)
{
    bool in_row = false;
    for (int r = 0; r < facts->row_count; r++) {
        bool here = has_row(fact, &facts->rows[r]);
        if (here && !mentions(sentence, facts->rows[r].name)) {
            return false;
        }
        in_row |= here;
    }
    if (!in_row && mentions_a_row(facts, sentence)) {
        return false;
    }
    const char *last = strrchr(fact->value.pointer, '/');
    int number = p->tokens[p->figures[i].first].sentence;
    for (int t = 0; last != NULL && t < p->token_count; t++) {
        if (p->tokens[t].sentence == number && p->tokens[t].kind == PROSE_WORD &&
            names_key(p->tokens[t].text, str_c(last + 1))) {
            return true;
        }
    }
    return false;
}

/* The values that the sentence means without stating them: "BTC made $12 more than ETH". None if
 * they are not few. */
static void collect_meant(const struct facts *facts, const struct prose *p, int i,
                          struct proof *ret)
{
    struct str sentence = prose_sentence(p, i);
    ret->count = 0;
    ret->evidence_count = 0;
    for (int k = 0; k < facts->count && ret->count <= FEW_OPERANDS; k++) {
        const struct fact *fact = &facts->items[k];
        if (fact->text.len == 0 && is_meant(facts, p, i, fact, sentence)) {
            add_operand(ret, fact);
        }
    }
    if (ret->count > FEW_OPERANDS) {
        ret->count = 0;
        ret->evidence_count = 0;
    }
}

static bool is_computed(const struct proof *operands, const struct prose *p, int i,
                        struct arithmetic *ret)
{
    const struct prose_figure *f = &p->figures[i];
    if (f->kind == PROSE_FRACTION && match_is_share(operands, f)) {
        ret->how = "share";
        return true;
    }
    if (f->kind == PROSE_ALL) {
        ret->how = "share";
        return match_is_whole(operands);
    }
    if (f->kind == PROSE_NUMBER &&
        (arithmetic_is_written_out(operands, p, i, ret) || arithmetic_operand(operands, p, i))) {
        ret->how = "written out";
        return true;
    }
    return arithmetic_is_related(operands, p, i, ret);
}

/* ------------------------------------------------------------------ one figure */

static void set(struct text_figure *figure, enum text_standing standing, const char *where)
{
    figure->standing = standing;
    str_cut(str_c(where), figure->where, sizeof(figure->where));
}

static void set_found(const struct facts *facts, int found, struct text_figure *figure)
{
    char where[TEXT_PROOF_WHERE_SIZE + FACTS_NAME_SIZE];
    const struct fact *fact = &facts->items[found];
    (void)snprintf(where, sizeof(where), "%s %s", facts->sources[fact->source],
                   fact->value.pointer);
    set(figure, TEXT_FOUND, where);
}

static void set_derived(const struct arithmetic *result, struct text_figure *figure)
{
    char where[2 * TEXT_PROOF_WHERE_SIZE];
    if (result->a != NULL && result->b != NULL) {
        (void)snprintf(where, sizeof(where), "%s of %s and %s", result->how, result->a->pointer,
                       result->b->pointer);
    } else {
        (void)snprintf(where, sizeof(where), "%s", result->how == NULL ? "" : result->how);
    }
    set(figure, TEXT_DERIVED, where);
}

static void derive(const struct facts *facts, const struct prose *p, const int *found, int i,
                   struct proof *scratch, struct text_figure *figure)
{
    struct arithmetic result = {0};
    collect_stated(facts, p, found, i, scratch);
    bool computed = is_computed(scratch, p, i, &result);
    if (!computed) {
        collect_meant(facts, p, i, scratch);
        computed = scratch->count > 0 && is_computed(scratch, p, i, &result);
    }
    if (computed) {
        set_derived(&result, figure);
    }
}

/* What is found as it stands; false: it may still be computed. */
static bool look_up(const struct facts *facts, const struct prose *p, int i, int *ret_found,
                    struct text_figure *figure)
{
    const struct prose_figure *f = &p->figures[i];
    struct str word;
    switch (f->kind) {
    case PROSE_NUMBER:
        if (is_row_number(p, i, &word)) {
            if (is_row_known(facts, f, word)) {
                set(figure, TEXT_FOUND, "a row of this number");
            }
            return true;
        }
        *ret_found = find(facts, p, i);
        if (*ret_found >= 0) {
            set_found(facts, *ret_found, figure);
        } else if (is_level(p, i)) {
            set(figure, TEXT_FOUND, "the level of the interval");
        }
        return figure->standing == TEXT_FOUND;
    case PROSE_DATE:
    case PROSE_HOUR:
        if (is_time_known(facts, f)) {
            set(figure, TEXT_FOUND, "a time");
        }
        return true;
    case PROSE_NAME:
        if (proof_knows_name(&facts->names, f->text)) {
            set(figure, TEXT_FOUND, "a name");
        }
        return true;
    case PROSE_FRACTION:
    case PROSE_FACTOR:
    case PROSE_ALL:
        return false;
    case PROSE_UNREADABLE:
        return true;
    }
    return true;
}

static void count(struct text_proof *proof, enum text_standing standing)
{
    proof->found += standing == TEXT_FOUND ? 1 : 0;
    proof->derived += standing == TEXT_DERIVED ? 1 : 0;
    proof->unverified += standing == TEXT_UNVERIFIED ? 1 : 0;
}

/* The number of a list's item, and "nothing" or "never" without what is counted. */
static bool is_no_figure(const struct prose_figure *f)
{
    return f->is_item ||
           (f->kind == PROSE_NUMBER && f->is_word && f->shown.value == 0 && f->noun.len == 0);
}

static void place(const struct prose *p, int i, struct str text, struct text_figure *ret)
{
    const struct prose_figure *f = &p->figures[i];
    struct str last = p->tokens[f->last].text;
    ret->from = (size_t)(p->tokens[f->first].text.ptr - text.ptr);
    ret->len = (size_t)(last.ptr + last.len - text.ptr) - ret->from;
    ret->standing = TEXT_UNVERIFIED;
    ret->where[0] = '\0';
}

bool text_proof_check(struct text_proof *proof, struct str text)
{
    struct prose *p = prose_new();
    struct proof *scratch = calloc(1, sizeof(*scratch));
    NEED_MEMORY(scratch != NULL);
    struct text_figure figures[PROSE_FIGURES_MAX];
    int found[PROSE_FIGURES_MAX];
    bool open[PROSE_FIGURES_MAX];
    proof->text = text;
    proof->count = proof->found = proof->derived = proof->unverified = 0;
    bool read = prose_read(p, text);
    for (int i = 0; read && i < p->figure_count; i++) {
        found[i] = NOT_FOUND;
        place(p, i, text, &figures[i]);
        open[i] = !look_up(proof->facts, p, i, &found[i], &figures[i]);
    }
    for (int i = 0; read && i < p->figure_count; i++) {
        if (is_no_figure(&p->figures[i])) {
            continue;
        }
        if (open[i]) {
            derive(proof->facts, p, found, i, scratch, &figures[i]);
        }
        /* "6 is above 8", "40 - 26 = 12": what it says is not so */
        if (compare_is_wrong(p, i) || arithmetic_is_wrong(p, i)) {
            set(&figures[i], TEXT_UNVERIFIED, "");
        }
        proof->figures[proof->count++] = figures[i];
        count(proof, figures[i].standing);
    }
    free(scratch);
    prose_free(p);
    return read;
}

void text_proof_mark(const struct text_proof *proof, const char *mark, struct buf *out)
{
    size_t at = 0;
    for (int i = 0; i < proof->count; i++) {
        const struct text_figure *figure = &proof->figures[i];
        size_t end = figure->from + figure->len;
        if (figure->standing == TEXT_UNVERIFIED && end >= at) {
            buf_add_str(out, str_n(proof->text.ptr + at, end - at));
            buf_add_c(out, mark);
            at = end;
        }
    }
    buf_add_str(out, str_n(proof->text.ptr + at, proof->text.len - at));
}

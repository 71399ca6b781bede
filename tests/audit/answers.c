/*
 * What the auditor makes of scripted answers of a model: how many wrong figures get through, and
 * how many right ones are refused.
 *
 *     answers [--quick | --verbose] [REPORT.json…]
 *
 * Three sources: the tables of answer_cases.c; each right one of them with every digit, number word
 * and unit changed, and with the slips of a writer (digits swapped, lost, doubled, the point
 * moved); and findings that are made of the figures of each report, right ones and with every digit
 * changed. A changed figure that is another of the same finding's figures is a swap and counted
 * apart, and so are two figures of a text that change places. A change that leaves the text true,
 * by a reckoning of the bench's own, is left out of both: the same value in another form or rounded
 * to fewer digits, the operands of a sum, a product or a list, a date, another pointer. Exit 1 if a
 * wrong figure gets through, more than 2 % of the right findings are refused, or an answer of the
 * second table is not read as it says.
 */
#include "answers.h"

#include "../../src/auditor/answer.h"
#include "../../src/auditor/ground.h"
#include "base/auto.h"
#include "base/check.h"
#include "io/file.h"
#include "io/json_out.h"
#include "proof/proof.h"
#include "proof/quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORT       "tests/audit/reports/night.json"
#define SIMULATED    "tests/audit/reports/simulated.json" /* of a run with the simulated market */
#define REFUSED_MOST 0.02

struct tally {
    int cases;
    int right;
    int right_refused;
    int wrong;
    int wrong_passed;
    int swaps;
    int swaps_passed;
    int exchanges;
    int exchanges_passed;
    int still_true; /* left out of both */
    int texts;
    int texts_wrong;
};

struct bench {
    struct json_object *report;
    struct proof_names names; /* of the report */
    struct tally tally;
    int step; /* tries every n-th change */
    int tick;
    bool verbose; /* lists the swaps that pass */
};

/* ------------------------------------------------------------------ findings */

static void add_evidence(struct finding *f, struct str pointer, struct str value)
{
    AUTO_JSON struct json_object *parsed = NULL;
    struct finding_evidence *evidence = &f->evidence[f->evidence_count++];
    (void)str_copy(pointer, evidence->pointer, sizeof(evidence->pointer));
    if (json_parse(value, &JSON_LIMITS_DEFAULT, &parsed, NULL) == 0 && json_is_text(parsed)) {
        evidence->cited.is_text = true;
        value = json_value_str(parsed);
    }
    (void)str_copy(value, evidence->cited.text, sizeof(evidence->cited.text));
}

static struct finding *make(const struct answer_case *c)
{
    struct finding *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    f->type = ALERT_PATTERN;
    f->severity = SEVERITY_LOW;
    (void)str_copy(str_c(c->subject), f->subject, sizeof(f->subject));
    (void)str_copy(str_c(c->title), f->title, sizeof(f->title));
    (void)str_copy(str_c(c->description), f->description, sizeof(f->description));
    (void)str_copy(str_c(c->recommendation != NULL ? c->recommendation : "Look at it."),
                   f->recommendation, sizeof(f->recommendation));
    struct str rest = str_c(c->evidence);
    while (rest.len > 0) {
        const char *mark = strstr(rest.ptr, "; /");
        size_t len = mark != NULL ? (size_t)(mark - rest.ptr) : rest.len;
        struct str item = str_n(rest.ptr, len), pointer;
        rest = mark != NULL ? str_n(mark + 2, rest.len - len - 2) : str_n(rest.ptr + len, 0);
        (void)str_split(&item, '=', &pointer);
        add_evidence(f, pointer, item);
    }
    return f;
}

/* The finding as an answer, read again, so that the bench takes the whole way. */
static bool passes(const struct bench *bench, const struct finding *made, char *ret_reason)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 * 1024);
    struct json_out out = JSON_OUT(&text);
    json_out_object(&out, NULL);
    json_out_array(&out, "findings");
    json_out_object(&out, NULL);
    json_out_text(&out, "type", alert_type_name(made->type));
    json_out_text(&out, "severity", severity_name(made->severity));
    json_out_text(&out, "subject", made->subject);
    json_out_text(&out, "title", made->title);
    json_out_text(&out, "description", made->description);
    json_out_text(&out, "recommendation", made->recommendation);
    json_out_array(&out, "evidence");
    for (int i = 0; i < made->evidence_count; i++) {
        json_out_object(&out, NULL);
        json_out_text(&out, "pointer", made->evidence[i].pointer);
        if (made->evidence[i].cited.is_text) {
            json_out_text(&out, "value", made->evidence[i].cited.text);
        } else {
            json_out_number(&out, "value", made->evidence[i].cited.text);
        }
        json_out_end(&out);
    }
    json_out_end(&out);
    json_out_end(&out);
    json_out_end(&out);
    json_out_end(&out);
    struct finding_list *list = finding_list_new();
    struct answer_counts counts;
    bool passed = false;
    (void)str_copy(STR_LIT("not read"), ret_reason, FINDING_REASON_SIZE);
    if (answer_read(buf_str(&text), list, &counts, NULL) == 0 && list->count == 1) {
        ground_findings(bench->report, list, 0);
        passed = !list->items[0].rejected;
        (void)str_copy(str_c(list->items[0].reason), ret_reason, FINDING_REASON_SIZE);
    }
    finding_list_free(list);
    return passed;
}

static void judge_right(struct bench *bench, const char *name, const struct finding *f)
{
    char reason[FINDING_REASON_SIZE];
    bench->tally.right++;
    if (!passes(bench, f, reason)) {
        bench->tally.right_refused++;
        printf("right but refused: %s: %s\n", name, reason);
    }
}

static void judge_wrong(struct bench *bench, const char *name, const struct finding *f)
{
    char reason[FINDING_REASON_SIZE];
    bench->tally.wrong++;
    if (passes(bench, f, reason)) {
        bench->tally.wrong_passed++;
        printf("wrong but passed: %s: %s | %s\n", name, f->title, f->description);
    }
}

/* ------------------------------------------------------------------ changes */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The figure of digits, commas and points around `at`. */
static struct str figure_at(const char *text, size_t at)
{
    size_t from = at, to = at + 1;
    while (from > 0 &&
           (is_digit(text[from - 1]) ||
            (from > 1 && strchr(".,", text[from - 1]) != NULL && is_digit(text[from - 2])))) {
        from--;
    }
    while (text[to] != '\0' &&
           (is_digit(text[to]) || (strchr(".,", text[to]) != NULL && is_digit(text[to + 1])))) {
        to++;
    }
    return str_n(text + from, to - from);
}

/* Whether the digit is in a name or a pointer that the report has as well. */
static bool is_other_name(const struct bench *bench, const char *text, size_t at)
{
    size_t from = at, to = at;
    while (from > 0 && strchr(" (\"\n", text[from - 1]) == NULL) {
        from--;
    }
    while (strchr(" ),\"", text[to]) == NULL) {
        to++;
    }
    struct json_object *value = NULL;
    struct str word = str_n(text + from, to - from);
    return (word.ptr[0] == '/' && json_pointer(bench->report, word, &value)) ||
           (strpbrk(text + from, "abcdefghijklmnopqrstuvwxyz-") < text + to &&
            memchr(word.ptr, '-', word.len) != NULL && proof_knows_name(&bench->names, word) &&
            !is_digit(word.ptr[0]));
}

/* Whether the changed figure is another figure of the finding. */
static bool is_swap(const struct finding *original, struct str figure)
{
    double changed = 0, other = 0;
    AUTO_BUF struct buf all = BUF_INIT((size_t)16 * 1024);
    for (int i = 0; i < original->evidence_count; i++) {
        buf_addf(&all, " %s ", original->evidence[i].cited.text);
    }
    buf_addf(&all, " %s %s ", original->title, original->description);
    if (!str_to_double(figure, &changed)) {
        return false;
    }
    for (size_t at = 0; at < all.len; at++) {
        if (is_digit(all.data[at]) && (at == 0 || !is_digit(all.data[at - 1]))) {
            if (str_to_double(figure_at(all.data, at), &other) &&
                fabs(other - changed) <= fmin(0.5, 0.01 * changed)) {
                return true;
            }
        }
    }
    return false;
}

/* A figure as it is written, with half a unit of its last digit. */
static bool read_written(struct str figure, double *ret, double *ret_half)
{
    char digits[64];
    size_t len = 0;
    for (size_t i = 0; i < figure.len && len < sizeof(digits); i++) {
        if (figure.ptr[i] != ',') {
            digits[len++] = figure.ptr[i];
        }
    }
    const char *point = memchr(digits, '.', len);
    int decimals = point != NULL ? (int)(digits + len - point) - 1 : 0;
    *ret_half = 0.5 * pow(10, -decimals);
    return str_to_double(str_n(digits, len), ret);
}

static bool is_rounded(double value, double shown, double half)
{
    return fabs(fabs(value) - shown) <= half * (1 + 1e-9);
}

/* Whether both figures are one value: the same, one rounded from the other, or both rounded from a
 * value that is cited. */
static bool is_same_value(const struct finding *original, struct str a, struct str b)
{
    double first = 0, second = 0, first_half = 0, second_half = 0;
    if (!read_written(a, &first, &first_half) || !read_written(b, &second, &second_half)) {
        return false;
    }
    if (first == second) {
        return true;
    }
    bool decimals = first_half < second_half
                        ? is_rounded(first, second, second_half)
                        : first_half > second_half && is_rounded(second, first, first_half);
    for (int i = 0; i < original->evidence_count; i++) {
        double cited = 0;
        if (str_to_double(str_c(original->evidence[i].cited.text), &cited) &&
            is_rounded(cited, first, first_half) && is_rounded(cited, second, second_half) &&
            (decimals || first_half == second_half)) {
            return true;
        }
    }
    return false;
}

/* Whether the text is as true with the two figures exchanged: "3 + 4", "3 and 4 orders", "between 3
 * and 4", "21 November 2026". */
static bool commutes(const struct finding *original, struct str a, struct str b)
{
    static const char *const between[] = {" + ", " x ", " and ", " plus ", " November "};
    struct str gap = str_n(a.ptr + a.len, (size_t)(b.ptr - a.ptr) - a.len);
    for (size_t i = 0; i < COUNT_OF(between); i++) {
        if (str_equal_c(gap, between[i])) {
            return true;
        }
    }
    return is_same_value(original, a, b);
}

/* Whether the changed digit is in a pointer, which states no figure. */
static bool is_in_pointer(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != ' ') {
        at--;
    }
    return text[at] == '/';
}

static void try_text(struct bench *bench, const char *name, const struct finding *original,
                     struct finding *changed, char *text)
{
    for (size_t at = 0; text[at] != '\0'; at++) {
        char before = text[at], old[64];
        (void)str_copy(is_digit(before) ? figure_at(text, at) : STR_LIT(""), old, sizeof(old));
        for (int d = 1; d < 10 && is_digit(before); d++) {
            if (++bench->tick % bench->step != 0) {
                continue;
            }
            text[at] = (char)('0' + (before - '0' + d) % 10);
            if (is_swap(original, figure_at(text, at)) || is_other_name(bench, text, at)) {
                char reason[FINDING_REASON_SIZE];
                if (is_in_pointer(text, at) ||
                    is_same_value(original, str_c(old), figure_at(text, at))) {
                    bench->tally.still_true++;
                    continue;
                }
                bool passed = passes(bench, changed, reason);
                bench->tally.swaps++;
                bench->tally.swaps_passed += passed ? 1 : 0;
                if (passed && bench->verbose) {
                    printf("another figure passed: %s: %s | %s\n", name, changed->title,
                           changed->description);
                }
            } else {
                judge_wrong(bench, name, changed);
            }
        }
        text[at] = before;
    }
}

/* Judges the text with its figure at `at` replaced, unless that only rounds it, or is another
 * figure of the finding. */
static void try_figure(struct bench *bench, const char *name, const struct finding *original,
                       struct finding *changed, size_t at, const char *figure)
{
    char before[FINDING_TEXT_SIZE];
    double was = 0, is = 0, half = 0;
    (void)str_copy(str_c(changed->description), before, sizeof(before));
    struct str old = figure_at(before, at);
    bool number = str_to_double(old, &was) && quantity_read(str_c(figure), &is, &half);
    if (++bench->tick % bench->step != 0 || !number || quantity_rounds(was, is, half) ||
        is_swap(original, str_c(figure))) {
        return;
    }
    for (int i = 0; i < original->evidence_count; i++) {
        double cited = 0;
        if (str_to_double(str_c(original->evidence[i].cited.text), &cited) &&
            quantity_rounds(cited, is, half)) {
            return; /* "lost -3" */
        }
    }
    size_t from = (size_t)(old.ptr - before);
    (void)snprintf(changed->description, sizeof(changed->description), "%.*s%s%s", (int)from,
                   before, figure, before + from + old.len);
    if (!is_other_name(bench, changed->description, from)) {
        judge_wrong(bench, name, changed);
    }
    (void)str_copy(str_c(before), changed->description, sizeof(changed->description));
}

/* Slips of a writer: two digits swapped, one lost, one doubled, the point moved, thousands. */
static void try_slips(struct bench *bench, const char *name, const struct finding *original,
                      struct finding *changed)
{
    for (size_t at = 0; original->description[at] != '\0'; at++) {
        struct str old = figure_at(original->description, at);
        bool name_before = at > 0 && strchr("-/:", original->description[at - 1]) != NULL;
        if (!is_digit(original->description[at]) || old.ptr != original->description + at ||
            old.len > 30 || name_before || is_letter(old.ptr[old.len]) ||
            strchr("-/:", old.ptr[old.len]) != NULL) {
            continue;
        }
        char figure[64];
        for (size_t i = 0; i < old.len; i++) {
            if (i + 1 < old.len && is_digit(old.ptr[i]) && is_digit(old.ptr[i + 1])) {
                (void)snprintf(figure, sizeof(figure), "%.*s%c%c%.*s", (int)i, old.ptr,
                               old.ptr[i + 1], old.ptr[i], (int)(old.len - i - 2), old.ptr + i + 2);
                try_figure(bench, name, original, changed, at, figure);
            }
            (void)snprintf(figure, sizeof(figure), "%.*s%c%.*s", (int)(i + 1), old.ptr, old.ptr[i],
                           (int)(old.len - i - 1), old.ptr + i + 1);
            try_figure(bench, name, original, changed, at, figure);
            (void)snprintf(figure, sizeof(figure), "%.*s%.*s", (int)i, old.ptr,
                           (int)(old.len - i - 1), old.ptr + i + 1);
            try_figure(bench, name, original, changed, at, figure);
        }
        static const double factors[] = {10, 0.1, 100, 0.01, 1000, 60, -1, 2};
        double value = 0;
        for (size_t k = 0; k < COUNT_OF(factors) && str_to_double(old, &value); k++) {
            (void)snprintf(figure, sizeof(figure), "%.10g", value * factors[k]);
            if (strchr(figure, 'e') == NULL && value != 0) {
                try_figure(bench, name, original, changed, at, figure);
            }
        }
        (void)snprintf(figure, sizeof(figure), "%.10g", value + 1);
        try_figure(bench, name, original, changed, at, figure);
    }
}

/* Exchanges each two numbers of the description. */
static void try_exchanges(struct bench *bench, const char *name, const struct finding *original,
                          struct finding *changed)
{
    const char *text = original->description;
    for (size_t a = 0; text[a] != '\0'; a++) {
        struct str first = figure_at(text, a);
        if (!is_digit(text[a]) || first.ptr != text + a) {
            continue;
        }
        for (size_t b = a + first.len; text[b] != '\0'; b++) {
            struct str second = figure_at(text, b);
            char reason[FINDING_REASON_SIZE];
            if (!is_digit(text[b]) || second.ptr != text + b || str_equal(first, second) ||
                is_other_name(bench, text, a) || is_other_name(bench, text, b)) {
                continue;
            }
            if (commutes(original, first, second)) {
                bench->tally.still_true++;
                continue;
            }
            (void)snprintf(changed->description, sizeof(changed->description), "%.*s%.*s%.*s%.*s%s",
                           (int)a, text, STR_ARG(second), (int)(b - a - first.len),
                           text + a + first.len, STR_ARG(first), text + b + second.len);
            bool passed = passes(bench, changed, reason);
            bench->tally.exchanges++;
            bench->tally.exchanges_passed += passed ? 1 : 0;
            if (passed && bench->verbose) {
                printf("exchanged but passed: %s: %s\n", name, changed->description);
            }
        }
    }
    (void)str_copy(str_c(text), changed->description, sizeof(changed->description));
}

/* Replaces each of these words by the next one. */
static void try_words(struct bench *bench, const char *name, struct finding *changed,
                      const char *const *words, size_t count)
{
    char original[FINDING_TEXT_SIZE];
    (void)str_copy(str_c(changed->description), original, sizeof(original));
    for (size_t w = 0; w < count; w++) {
        size_t len = strlen(words[w]);
        for (const char *at = strstr(original, words[w]); at != NULL;
             at = strstr(at + 1, words[w])) {
            bool starts = at == original || strchr(" (,.$€0123456789-", at[-1]) != NULL;
            bool ends = at[len] == '\0' || strchr(" ,.-):;", at[len]) != NULL;
            if (!starts || !ends) {
                continue;
            }
            const char *other = words[(w + 1) % count];
            (void)snprintf(changed->description, sizeof(changed->description), "%.*s%s%s",
                           (int)(at - original), original, other, at + len);
            judge_wrong(bench, name, changed);
        }
    }
    (void)str_copy(str_c(original), changed->description, sizeof(changed->description));
}

static void try_changes(struct bench *bench, const char *name, const struct finding *original)
{
    static const char *const numbers[] = {"two",    "three",   "six",     "seven",
                                          "nine",   "twelve",  "fifteen", "twenty",
                                          "Twelve", "Fifteen", "Twenty",  "thirty"};
    static const char *const parts[] = {"half", "third", "quarter"};
    static const char *const factors[] = {"twice", "thrice"};
    static const char *const units[] = {"%", "s", "hours", "minutes", "ms", "µs", "GiB", "MiB"};
    struct finding *changed = calloc(1, sizeof(*changed));
    ASSERT(changed != NULL);
    *changed = *original;
    try_text(bench, name, original, changed, changed->title);
    try_text(bench, name, original, changed, changed->description);
    try_text(bench, name, original, changed, changed->recommendation);
    for (int i = 0; i < changed->evidence_count; i++) {
        try_text(bench, name, &(struct finding){0}, changed, changed->evidence[i].cited.text);
    }
    try_slips(bench, name, original, changed);
    try_exchanges(bench, name, original, changed);
    try_words(bench, name, changed, numbers, COUNT_OF(numbers));
    try_words(bench, name, changed, parts, COUNT_OF(parts));
    try_words(bench, name, changed, factors, COUNT_OF(factors));
    double value = 1;
    if (!str_to_double(str_c(changed->evidence[0].cited.text), &value) || value != 0) {
        try_words(bench, name, changed, units, COUNT_OF(units)); /* 0 s are 0 h */
    }
    free(changed);
}

/* ------------------------------------------------------------------ the tables */

static void run_cases(struct bench *bench)
{
    for (size_t i = 0; i < answer_case_count; i++) {
        const struct answer_case *c = &answer_cases[i];
        struct finding *f = make(c);
        bench->tally.cases++;
        if (c->right) {
            judge_right(bench, c->name, f);
        } else {
            judge_wrong(bench, c->name, f);
        }
        free(f);
    }
    for (size_t i = 0; i < answer_case_count; i++) {
        struct finding *f = make(&answer_cases[i]);
        char reason[FINDING_REASON_SIZE];
        if (answer_cases[i].right && passes(bench, f, reason)) {
            try_changes(bench, answer_cases[i].name, f);
        }
        free(f);
    }
}

static const char right_one[] =
    "{\"type\":\"pattern\",\"severity\":\"medium\",\"subject\":\"bot\",\"title\":\"%s\","
    "\"description\":\"The net is 157.25 USD.\",\"recommendation\":\"Look.\",\"evidence\":["
    "{\"pointer\":\"/trades/net_usd\",\"value\":157.25}%s]%s}";

static void add_one(struct buf *out, const char *title, const char *evidence, const char *more)
{
    buf_addf(out, right_one, title, evidence, more);
}

static void add_text(struct buf *out, const struct answer_text *t)
{
    for (const char *c = t->text; c != NULL && *c != '\0'; c++) {
        if (*c == '@') {
            add_one(out, "a small net", "", "");
        } else if (*c == '#') {
            add_one(out, "a small net of 999", "", "");
        } else {
            buf_add_char(out, *c);
        }
    }
    if (t->text != NULL) {
        return;
    }
    buf_add_c(out, "{\"findings\":[");
    if (strcmp(t->name, "a long title") == 0) {
        AUTO_BUF struct buf title = BUF_INIT(1000);
        while (title.len < 300) {
            buf_add_c(&title, "a long title ");
        }
        add_one(out, title.data, "", "");
    } else if (strcmp(t->name, "nine figures") == 0) {
        AUTO_BUF struct buf more = BUF_INIT(4000);
        for (int i = 0; i < 8; i++) {
            buf_add_c(&more, ",{\"pointer\":\"/trades/count\",\"value\":40}");
        }
        add_one(out, "a net", more.data, "");
    } else if (strcmp(t->name, "an unknown member") == 0) {
        add_one(out, "a net", "", ",\"confidence\":0.9");
    } else {
        int count = strcmp(t->name, "thousands") == 0 ? 1000 : 8000;
        for (int i = 0; i < count; i++) {
            buf_add_c(out, i > 0 ? "," : "");
            add_one(out, "one of very many", "", "");
        }
    }
    buf_add_c(out, "]}");
}

static void run_texts(struct bench *bench)
{
    for (size_t i = 0; i < answer_text_count; i++) {
        const struct answer_text *t = &answer_texts[i];
        AUTO_BUF struct buf text = BUF_INIT((size_t)8 << 20);
        struct finding_list *list = finding_list_new();
        struct answer_counts counts = {0};
        struct err err = {0};
        add_text(&text, t);
        int verdict = answer_read(buf_str(&text), list, &counts, &err) < 0 ? 1 : 0;
        int passed = 0;
        ground_findings(bench->report, list, 0);
        for (int k = 0; k < list->count; k++) {
            passed += list->items[k].rejected ? 0 : 1;
        }
        bench->tally.texts++;
        if (verdict != t->verdict || list->count != t->kept || counts.dropped != t->dropped ||
            counts.cut != t->cut || passed != t->passed ||
            (verdict == 1 && (err.id != ERR_AUDIT_ANSWER || err.context[0] == '\0'))) {
            bench->tally.texts_wrong++;
            printf("read wrongly: %s: verdict %d, kept %d, dropped %d, cut %d, passed %d (%s)\n",
                   t->name, verdict, list->count, counts.dropped, counts.cut, passed, err.context);
        }
        finding_list_free(list);
    }
}

/* ------------------------------------------------------------------ findings made of a report */

static const char *unit_word(struct unit unit)
{
    switch (unit.dimension) {
    case DIMENSION_PCT:
        return unit.scale == 0.01 ? " bps" : " %";
    case DIMENSION_MONEY:
        return " USD";
    case DIMENSION_TIME:
        return unit.scale == 60     ? " min"
               : unit.scale == 3600 ? " h"
               : unit.scale == 1    ? " s"
               : unit.scale == 1e-3 ? " ms"
               : unit.scale == 1e-6 ? " µs"
                                    : " days";
    case DIMENSION_BYTES:
        return unit.scale == 1048576 ? " MiB" : unit.scale == 1024 ? " KiB" : " bytes";
    case DIMENSION_NONE:
    case DIMENSION_COUNT:
    case DIMENSION_TIMES:
        return "";
    }
    return "";
}

static void try_leaf(struct bench *bench, const char *pointer, struct json_object *value)
{
    double number = json_object_get_double(value);
    struct unit unit = unit_of_pointer(pointer);
    const char *digits = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    struct finding *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    if (strlen(pointer) >= FINDING_POINTER_SIZE || strpbrk(digits, "eE") != NULL) {
        free(f);
        return;
    }
    f->severity = SEVERITY_LOW;
    (void)str_copy(STR_LIT("a figure stands out"), f->title, sizeof(f->title));
    (void)str_copy(STR_LIT("Look at it."), f->recommendation, sizeof(f->recommendation));
    add_evidence(f, str_c(pointer), str_c(digits));
    (void)snprintf(f->description, sizeof(f->description), "It is %s%s.", digits, unit_word(unit));
    judge_right(bench, pointer, f);
    try_changes(bench, pointer, f);
    int decimals = fabs(number) >= 100 ? 0 : fabs(number) >= 10 ? 1 : 2;
    (void)snprintf(f->description, sizeof(f->description),
                   "It was found to be %.*f%s, which is odd.", decimals, number, unit_word(unit));
    if (fabs(number) >= 0.1) {
        judge_right(bench, pointer, f);
        try_changes(bench, pointer, f);
    }
    free(f);
}

static void walk(struct bench *bench, const char *path, struct json_object *value)
{
    char pointer[512];
    if (json_is_number(value)) {
        try_leaf(bench, path, value);
        return;
    }
    for (size_t i = 0; i < json_len(value); i++) {
        (void)snprintf(pointer, sizeof(pointer), "%.400s/%zu", path, i);
        walk(bench, pointer, json_item(value, i));
    }
    if (json_is_object(value)) {
        json_object_object_foreach(value, key, member)
        {
            (void)snprintf(pointer, sizeof(pointer), "%.400s/%.80s", path, key);
            if (strcmp(path, "") != 0 || strcmp(key, "untrusted") != 0) {
                walk(bench, pointer, member);
            }
        }
    }
}

/* ------------------------------------------------------------------ */

static bool load(struct bench *bench, const char *path)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)4 << 20);
    struct err err = {0};
    if (file_read(path, &text, &err) < 0 ||
        json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &bench->report, &err) < 0) {
        fprintf(stderr, "%s: %s\n", path, err.context);
        return false;
    }
    proof_names_release(&bench->names);
    proof_names_init(&bench->names, bench->report);
    return true;
}

int main(int argc, char **argv)
{
    struct bench bench = {.step = 1, .names = {.text = BUF_INIT(0)}};
    int first = 1;
    if (argc > 1 && strcmp(argv[1], "--quick") == 0) {
        bench.step = 7;
        first = 2;
    } else if (argc > 1 && strcmp(argv[1], "--verbose") == 0) {
        bench.verbose = true;
        first = 2;
    }
    if (!load(&bench, REPORT)) {
        return 2;
    }
    run_cases(&bench);
    run_texts(&bench);
    walk(&bench, "", bench.report);
    for (int i = first - 1; i < argc; i++) {
        (void)json_object_put(bench.report);
        if (!load(&bench, i < first ? SIMULATED : argv[i])) {
            return 2;
        }
        walk(&bench, "", bench.report);
    }
    (void)json_object_put(bench.report);
    proof_names_release(&bench.names);
    const struct tally *t = &bench.tally;
    const struct {
        bool good;
        const char *name;
    } rows[] = {{t->texts_wrong == 0, "whole answers are read as they should"},
                {t->wrong_passed == 0, "no wrong figure passes"},
                {t->swaps_passed + t->exchanges_passed == 0, "no figure passes in another's place"},
                {t->right_refused <= REFUSED_MOST * t->right, "right findings are accepted"}};
    bool good = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        good = good && rows[i].good;
        printf("%s %zu - answers: %s\n", rows[i].good ? "ok" : "not ok", i + 1, rows[i].name);
    }
    printf("1..%zu\n", COUNT_OF(rows));
    printf("# scripted findings %d, answers %d (%d read wrongly)\n", t->cases, t->texts,
           t->texts_wrong);
    printf("# wrong figures passed %d of %d\n", t->wrong_passed, t->wrong);
    printf("# right findings refused %d of %d (%.2f %%)\n", t->right_refused, t->right,
           100.0 * t->right_refused / t->right);
    printf("# another figure of the same finding in its place: passed %d of %d\n", t->swaps_passed,
           t->swaps);
    printf("# two figures of a text exchanged: passed %d of %d\n", t->exchanges_passed,
           t->exchanges);
    printf("# left out of both, since the text is as true as before: %d\n", t->still_true);
    return good ? 0 : 1;
}

#include "claim.h"

#include "base/check.h"
#include "base/clock.h"
#include "claim_arithmetic.h"
#include "pointer.h"
#include "report/rate.h"
#include "subject.h"

#include <stdio.h>
#include <string.h>

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
static bool compare_signed(const struct prose *p, int i, const struct proof_value *v)
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

static bool step_has(struct str step, struct str word)
{
    struct str part;
    while (str_split(&step, '_', &part)) {
        if (same_stem(word, part)) {
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
    if (last == NULL || step_has(str_c(last + 1), word)) {
        return last != NULL;
    }
    for (const char *const *m = mere; *m != NULL; m++) {
        if (strcmp(last, *m) == 0) {
            const char *from = last;
            while (from > v->pointer && from[-1] != '/') {
                from--;
            }
            return step_has(str_n(from, (size_t)(last - from)), word);
        }
    }
    return false;
}

/* Whether a word of the noun, or one of the two behind it, names what the value counts. */
static bool is_named(const struct prose *p, int i, const struct proof_value *v)
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

/* "4 of 7" and "4 out of 7": the figure is a part of the one behind it. */
static bool is_part_of_next(const struct prose *p, int i)
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
    return (of || of_the) && f->kind == PROSE_NUMBER && next->kind == PROSE_NUMBER &&
           f->shown.unit.dimension != DIMENSION_PCT;
}

/* Whether "n =" is in front of the figure. */
static bool is_equated(const struct prose *p, int i, const char *letter)
{
    int first = p->figures[i].first;
    return first >= 2 && str_equal_c(p->tokens[first - 1].text, "=") &&
           str_equal_c(p->tokens[first - 2].text, letter);
}

/* The other parts of a cited rate are its own only where the words say so: "4 of 7", "n = 7", "over
 * 7 trades", "(95 % interval 64 to 81 %)". */
static bool is_said_part(const struct prose *p, int i, const struct proof_value *v)
{
    static const char *const interval[] = {"interval", "intervals", "confidence",
                                           "bounds",   "bound",     NULL};
    static const char *const size[] = {"of", "over", "out", "among", NULL};
    if (ends_with(v, "low_pct") || ends_with(v, "high_pct")) {
        return prose_in_sentence(p, i, interval);
    }
    if (ends_with(v, "k")) {
        return is_part_of_next(p, i) || is_equated(p, i, "k");
    }
    if (ends_with(v, "pct")) {
        return p->figures[i].shown.unit.dimension == DIMENSION_PCT;
    }
    return is_equated(p, i, "n") || prose_is_near(p, i, (struct prose_near){2, 0}, size) ||
           (i > 0 && is_part_of_next(p, i - 1));
}

/* ------------------------------------------------------------------ of which row */

/* The text of the figure's sentence. */
static struct str sentence_of(const struct prose *p, int i)
{
    int sentence = p->tokens[p->figures[i].first].sentence;
    int from = p->figures[i].first, to = p->figures[i].last;
    while (from > 0 && p->tokens[from - 1].sentence == sentence) {
        from--;
    }
    while (to + 1 < p->token_count && p->tokens[to + 1].sentence == sentence) {
        to++;
    }
    const char *begin = p->tokens[from].text.ptr;
    struct str last = p->tokens[to].text;
    return str_n(begin, (size_t)(last.ptr + last.len - begin));
}

/* Whether the sentence has the row, by its whole name, or "trade 17" for "trade-17". */
static bool mentions(struct str sentence, struct str row)
{
    char spaced[FINDING_SUBJECT_SIZE];
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
    struct str sentence = sentence_of(p, i);
    struct str rest = str_c(v->pointer), step;
    while (str_split(&rest, '/', &step)) {
        struct json_object *table = NULL;
        struct str path = str_n(v->pointer, (size_t)(step.ptr - v->pointer));
        path.len -= path.len > 0 ? 1 : 0;
        if (!subject_is_row(step) || mentions(sentence, step) ||
            !json_pointer(proof->report, path, &table) || !json_is_object(table)) {
            continue;
        }
        json_object_object_foreach(table, key, row)
        {
            (void)row;
            struct str other = str_c(key);
            if (!str_equal(other, step) && subject_is_row(other) && mentions(sentence, other)) {
                return true;
            }
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
        named |= is_named(p, i, &proof->values[k]);
    }
    for (int k = from; k < proof->count; k++) {
        const struct proof_value *v = &proof->values[k];
        bool open = k < proof->evidence_count || is_said_part(p, i, v);
        if ((is_equated(p, i, "n") && !ends_with(v, "n")) ||
            (is_equated(p, i, "k") && !ends_with(v, "k"))) {
            continue;
        }
        if (open && (!named || is_named(p, i, v)) && compare_signed(p, i, v) &&
            !is_of_other_row(proof, p, i, v)) {
            return k;
        }
    }
    return -1;
}

/* The figure must be another value than the one that it is a part of. */
static bool is_direct(const struct proof *proof, const struct prose *p, int i)
{
    int found = find_value(proof, p, i, 0);
    if (found < 0 || !is_part_of_next(p, i)) {
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
static bool is_share(const struct proof *proof, const struct prose_figure *f)
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
static bool is_whole(const struct proof *proof)
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

/* ------------------------------------------------------------------ times and texts */

static bool is_iso(struct str text, const struct prose_figure *f)
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

/* The value of an hour's row: ".../14/pnl" or ".../hour-14/pnl". */
static bool has_hour_step(const char *pointer, int hour)
{
    struct str rest = str_c(pointer), step;
    while (str_split(&rest, '/', &step)) {
        int64_t value = -1;
        if (str_starts(step, "hour-")) {
            step = str_n(step.ptr + 5, step.len - 5);
        }
        if (step.len <= 2 && str_to_i64(step, &value) && value == hour) {
            return true;
        }
    }
    return false;
}

static bool is_cited_time(const struct proof *proof, const struct prose *p, int figure)
{
    static const char *const limits[] = {"since", "from",   "between", "until", "to",
                                         "and",   "period", "window",  NULL};
    const struct prose_figure *f = &p->figures[figure];
    static const char *const period[] = {"/meta/generated_at", "/meta/market_time",
                                         "/meta/market_since"};
    const struct finding *finding = proof->finding;
    for (size_t i = 0; i < COUNT_OF(period); i++) {
        if (prose_is_near(p, figure, (struct prose_near){2, 0}, limits) &&
            is_iso(json_value_str(json_at(proof->report, period[i])), f)) {
            return true;
        }
    }
    for (int i = 0; i < finding->evidence_count; i++) {
        const struct finding_evidence *evidence = &finding->evidence[i];
        if (!evidence->verified) {
            continue;
        }
        if (evidence->cited.is_text && is_iso(str_c(evidence->cited.text), f)) {
            return true;
        }
        struct str rest = str_c(evidence->pointer), step;
        while (f->kind == PROSE_DATE && str_split(&rest, '/', &step)) {
            if (is_iso(step, f)) {
                return true;
            }
        }
        static const char *const ends[] = {"-", "–", "—", "to", "and", "until", "till", NULL};
        bool is_end = prose_is_near(p, figure, (struct prose_near){1, 0}, ends) ||
                      (figure > 0 && p->figures[figure - 1].first == f->first);
        int hour = f->minute / 60;
        if (f->kind == PROSE_HOUR && f->minute % 60 == 0 && f->second <= 0 &&
            (has_hour_step(evidence->pointer, hour) ||
             (is_end && has_hour_step(evidence->pointer, hour - 1)))) {
            return true;
        }
    }
    return false;
}

/* A figure inside a text that the finding cites, such as an error code. */
static bool is_in_cited_text(const struct proof *proof, struct str word)
{
    const struct finding *finding = proof->finding;
    for (int i = 0; i < finding->evidence_count; i++) {
        const struct finding_evidence *evidence = &finding->evidence[i];
        struct json_object *value = NULL;
        if (evidence->verified && pointer_find(proof->report, evidence->pointer, &value) &&
            json_is_text(value) && !str_starts(str_c(evidence->pointer), "/untrusted") &&
            proof_has_word(str_c(evidence->cited.text), word)) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ harmless */

/* Whether a subject or a step of a pointer is "<word>-<number>". */
static bool is_numbered(const struct proof *proof, struct str word, struct str number)
{
    char name[FINDING_SUBJECT_SIZE];
    (void)snprintf(name, sizeof(name), "%.*s-%.*s", STR_ARG(word), STR_ARG(number));
    const struct finding *finding = proof->finding;
    if (str_equal_nocase(str_c(finding->subject), name)) {
        return true;
    }
    for (int i = 0; i < finding->evidence_count; i++) {
        struct str rest = str_c(finding->evidence[i].pointer), step;
        while (finding->evidence[i].verified && str_split(&rest, '/', &step)) {
            if (str_equal_nocase(step, name)) {
                return true;
            }
        }
    }
    return false;
}

/* "trade 17", "hour 14", "rule #3". */
static bool is_name_number(const struct proof *proof, const struct prose *p,
                           const struct prose_figure *f)
{
    int at = f->first - 1;
    if (at >= 0 &&
        (str_equal_c(p->tokens[at].text, "#") || str_equal_nocase(p->tokens[at].text, "number"))) {
        at--;
    }
    if (at < 0 || p->tokens[at].kind != PROSE_WORD || f->is_word || f->sign != 0) {
        return false;
    }
    struct str word = p->tokens[at].text;
    if (is_numbered(proof, word, f->text)) {
        return true;
    }
    if (str_equal_nocase(word, "hour") && f->shown.value < 24) {
        for (int i = 0; i < proof->finding->evidence_count; i++) {
            if (proof->finding->evidence[i].verified &&
                has_hour_step(proof->finding->evidence[i].pointer, (int)f->shown.value)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the figure stands where the number of a row does: "trade 17". */
static bool is_row_number(const struct prose *p, const struct prose_figure *f)
{
    static const char *const rows[] = {"trade", "order", "rule",    "decision", "position", "hour",
                                       "run",   "alert", "finding", "learning", NULL};
    int at = f->first - 1;
    for (const char *const *row = rows; at >= 0 && *row != NULL; row++) {
        if (str_equal_nocase(p->tokens[at].text, *row)) {
            return f->shown.unit.dimension == DIMENSION_NONE && !f->is_word;
        }
    }
    return false;
}

/* Whether a word of the setting's name is in the figure's sentence. */
static bool is_named_setting(const struct prose *p, int i, const struct proof_value *setting)
{
    int sentence = p->tokens[p->figures[i].first].sentence;
    const char *last = strrchr(setting->pointer, '/') + 1;
    for (int t = 0; t < p->token_count; t++) {
        if (p->tokens[t].sentence == sentence && p->tokens[t].kind == PROSE_WORD &&
            p->tokens[t].text.len >= 4 && step_has(str_c(last), p->tokens[t].text)) {
            return true;
        }
    }
    return false;
}

/* "the position limit of 5", if that is a setting of the report. */
static bool is_setting(const struct proof *proof, const struct prose *p, int i)
{
    for (int k = 0; k < proof->setting_count; k++) {
        if (compare_signed(p, i, &proof->settings[k]) &&
            is_named_setting(p, i, &proof->settings[k])) {
            return true;
        }
    }
    return false;
}

/* Whether the words before the figure speak of a limit, or name a setting by its key. */
static bool is_limit(const struct proof *proof, const struct prose *p, int i)
{
    static const char *const limits[] = {"maximum", "max",        "limit",   "threshold", "minimum",
                                         "min",     "configured", "allowed", NULL};
    int first = p->figures[i].first;
    for (int t = first - 1; t >= 0 && t >= first - 4; t--) {
        for (int k = 0; k < proof->setting_count; k++) {
            if (str_equal_c(p->tokens[t].text, strrchr(proof->settings[k].pointer, '/') + 1)) {
                return true;
            }
        }
    }
    return prose_is_near(p, i, (struct prose_near){4, 0}, limits);
}

/* "a maximum drawdown of 6 %" while the setting is 8 %: the limit is misstated, even if the
 * drawdown itself is 6 %. */
static bool misstates_setting(const struct proof *proof, const struct prose *p, int i)
{
    static const char *const links[] = {"of", "is", "at", "=", NULL};
    const struct prose_figure *f = &p->figures[i];
    if (!prose_is_near(p, i, (struct prose_near){1, 0}, links) || !is_limit(proof, p, i) ||
        is_setting(proof, p, i)) {
        return false;
    }
    for (int k = 0; k < proof->setting_count; k++) {
        const struct proof_value *v = &proof->settings[k];
        if (v->unit.dimension == f->shown.unit.dimension && is_named_setting(p, i, v)) {
            return true;
        }
    }
    return false;
}

static bool is_harmless(const struct proof *proof, const struct prose *p, int i)
{
    static const char *const interval[] = {"interval", "intervals", "confidence", "CI", NULL};
    const struct prose_figure *f = &p->figures[i];
    double hours = (double)json_i64(json_at(proof->report, "/meta"), "hours", 0);
    double scale = f->shown.unit.scale;
    if (f->is_item) {
        return true;
    }
    if (f->sign != 0) {
        return is_setting(proof, p, i);
    }
    static const char *const window[] = {"window", "period", "report", "audit", NULL};
    static const char *const period[] = {"last", "past",   "previous", "in",
                                         "over", "within", "during",   NULL};
    if (f->shown.unit.dimension == DIMENSION_TIME && hours > 0 &&
        (prose_is_near(p, i, (struct prose_near){3, 0}, period) ||
         prose_is_near(p, i, (struct prose_near){0, 1}, window)) &&
        f->shown.value * scale == hours * 3600) {
        return true;
    }
    if (f->shown.unit.dimension == DIMENSION_PCT && f->shown.value == 95 &&
        prose_in_sentence(p, i, interval)) {
        return true;
    }
    bool few = f->first >= 2 && str_equal_c(p->tokens[f->first - 1].text, "<") &&
               str_equal_nocase(p->tokens[f->first - 2].text, "n");
    if (f->shown.value == RATE_FEW_SAMPLES && (few || str_starts(f->noun, "sample"))) {
        return true;
    }
    return is_name_number(proof, p, f) || is_setting(proof, p, i);
}

/* "p99": a percentile, which must be the one that is cited. */
static bool is_percentile(struct str word)
{
    bool digits = word.len > 1 && word.len <= 4;
    for (size_t i = 1; i < word.len; i++) {
        digits &= word.ptr[i] >= '0' && word.ptr[i] <= '9';
    }
    return digits && (word.ptr[0] == 'p' || word.ptr[0] == 'P');
}

static bool is_name(const struct proof *proof, struct str word)
{
    for (int i = 0; is_percentile(word); i++) {
        if (i == proof->finding->evidence_count) {
            return false;
        }
        if (proof_has_word(str_c(proof->finding->evidence[i].pointer), word)) {
            return true;
        }
    }
    if (word.len > 2 && (str_equal_c(str_n(word.ptr + word.len - 2, 2), "'s"))) {
        word = str_n(word.ptr, word.len - 2);
    }
    if (word.ptr[0] == '/') {
        char pointer[FINDING_POINTER_SIZE];
        struct json_object *value = NULL;
        return str_copy(word, pointer, sizeof(pointer)) &&
               pointer_find(proof->report, pointer, &value);
    }
    return proof_has_word(str_c(proof->finding->subject), word) ||
           proof_knows_name(proof->names, word);
}

/* ------------------------------------------------------------------ all figures */

static bool token_is(const struct prose *p, int at, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_equal_c(p->tokens[at].text, *words)) {
            return true;
        }
    }
    return false;
}

static bool is_one_subject(const struct proof *proof, const struct prose_figure *f)
{
    const char *subject = proof->finding->subject;
    return f->is_word && f->shown.value == 1 && subject[0] != '\0' && strcmp(subject, "bot") != 0;
}

/* Whether two pointers differ in one step only, as those of rows of one table do. */
static bool are_rows(const char *a, const char *b)
{
    struct str left = str_c(a), right = str_c(b), x, y;
    int different = 0;
    while (str_split(&left, '/', &x)) {
        if (!str_split(&right, '/', &y)) {
            return false;
        }
        different += str_equal(x, y) ? 0 : 1;
    }
    return right.len == 0 && different == 1;
}

/* "the two codes", if two rows of one table are cited. */
static bool is_number_of_rows(const struct proof *proof, const struct prose_figure *f)
{
    const struct finding *finding = proof->finding;
    for (int i = 0; i < finding->evidence_count && f->is_word && f->shown.value >= 2; i++) {
        int rows = 1;
        for (int k = 0; k < finding->evidence_count; k++) {
            rows += are_rows(finding->evidence[i].pointer, finding->evidence[k].pointer) ? 1 : 0;
        }
        if (rows == f->shown.value) {
            return true;
        }
    }
    return false;
}

/* A count that the evidence has by its name is not computed from other counts: with 14 losses in
 * the evidence, 26 wins less 14 losses are no "12 losses". */
static bool is_computed(const struct proof *proof, const struct prose *p, int i, bool *ret_few)
{
    if (claim_is_written_out(proof, p, i, ret_few)) {
        return true;
    }
    for (int k = 0; k < proof->evidence_count && p->figures[i].noun.len > 0; k++) {
        if (is_named(p, i, &proof->values[k])) {
            return false;
        }
    }
    return claim_is_related(proof, p, i, ret_few);
}

static bool is_proven(const struct proof *proof, const struct prose *p, int i,
                      struct claim_verdict *ret)
{
    const struct prose_figure *f = &p->figures[i];
    switch (f->kind) {
    case PROSE_NUMBER:
        if (is_row_number(p, f)) {
            return is_name_number(proof, p, f);
        }
        if (misstates_setting(proof, p, i)) {
            return false;
        }
        return is_direct(proof, p, i) || claim_operand(proof, p, i) || is_harmless(proof, p, i) ||
               (!f->is_word && f->sign == 0 && is_in_cited_text(proof, f->text)) ||
               is_one_subject(proof, f) || is_number_of_rows(proof, f) ||
               is_computed(proof, p, i, &ret->few);
    case PROSE_FRACTION:
        return is_share(proof, f) || claim_is_related(proof, p, i, &ret->few);
    case PROSE_FACTOR:
        return (f->shown.value >= 2 && is_direct(proof, p, i)) || /* "failed twice" */
               claim_is_related(proof, p, i, &ret->few);
    case PROSE_DATE:
    case PROSE_HOUR:
        return is_cited_time(proof, p, i);
    case PROSE_ALL:
        return is_whole(proof);
    case PROSE_NAME:
        return is_name(proof, f->text) || is_in_cited_text(proof, f->text);
    case PROSE_UNREADABLE:
        return false;
    }
    return false;
}

/* Whether the figure is in a quotation that the report has word for word: a rule's text, a reason.
 */
static bool is_quoted(const struct proof *proof, const struct prose *p, int i)
{
    static const char *const marks[] = {"\"", "“", "”", NULL};
    int first = p->figures[i].first, last = p->figures[i].last;
    int from = first, to = last;
    while (from >= 0 && !token_is(p, from, marks)) {
        from--;
    }
    while (to < p->token_count && !token_is(p, to, marks)) {
        to++;
    }
    if (from < 0 || to == p->token_count) {
        return false;
    }
    const char *begin = p->tokens[from].text.ptr + p->tokens[from].text.len;
    return proof_knows_name(proof->names,
                            str_trim(str_n(begin, (size_t)(p->tokens[to].text.ptr - begin))));
}

static bool check_text(const struct proof *proof, struct prose *p, const char *text,
                       const char *where, struct claim_verdict *ret)
{
    if (!prose_read(p, str_c(text))) {
        (void)snprintf(ret->reason, sizeof(ret->reason),
                       "the %s is too long, or not in Latin letters, to check its figures", where);
        return false;
    }
    for (int i = 0; i < p->figure_count; i++) {
        const struct prose_figure *f = &p->figures[i];
        /* "Never restart it then" advises, and claims nothing. */
        bool advice = f->is_word && f->shown.value == 0 &&
                      (f->kind == PROSE_NUMBER || f->kind == PROSE_ALL) &&
                      strcmp(where, "recommendation") == 0;
        if (!advice && !is_proven(proof, p, i, ret) && !is_quoted(proof, p, i)) {
            struct str last = p->tokens[f->last].text;
            const char *from = p->tokens[f->first].text.ptr;
            char shown[64];
            str_cut(str_n(from, (size_t)(last.ptr + last.len - from)), shown, sizeof(shown));
            (void)snprintf(ret->reason, sizeof(ret->reason),
                           "\"%s\" in the %s is not among its evidence", shown, where);
            return false;
        }
    }
    return true;
}

bool claim_check(struct json_object *report, const struct proof_names *names,
                 const struct finding *finding, struct claim_verdict *ret)
{
    struct proof *proof = proof_new(report, names, finding);
    struct prose *p = prose_new();
    bool proven = check_text(proof, p, finding->title, "title", ret) &&
                  check_text(proof, p, finding->description, "description", ret) &&
                  check_text(proof, p, finding->recommendation, "recommendation", ret);
    prose_free(p);
    proof_free(proof);
    return proven;
}

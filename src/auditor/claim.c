#include "claim.h"

#include "base/check.h"
#include "proof/arithmetic.h"
#include "proof/compare.h"
#include "proof/match.h"
#include "proof/pointer.h"
#include "report/rate.h"

#include <stdio.h>
#include <string.h>

struct claim {
    const struct proof *proof;
    const struct finding *finding;
};

/* ------------------------------------------------------------------ times and texts */

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

static bool is_cited_time(const struct claim *c, const struct prose *p, int figure)
{
    static const char *const limits[] = {"since", "from",   "between", "until", "to",
                                         "and",   "period", "window",  NULL};
    const struct prose_figure *f = &p->figures[figure];
    static const char *const period[] = {"/meta/generated_at", "/meta/market_time",
                                         "/meta/market_since"};
    const struct finding *finding = c->finding;
    for (size_t i = 0; i < COUNT_OF(period); i++) {
        if (prose_is_near(p, figure, (struct prose_near){2, 0}, limits) &&
            match_is_time(json_value_str(json_at(c->proof->report, period[i])), f)) {
            return true;
        }
    }
    for (int i = 0; i < finding->evidence_count; i++) {
        const struct finding_evidence *evidence = &finding->evidence[i];
        if (!evidence->verified) {
            continue;
        }
        if (evidence->cited.is_text && match_is_time(str_c(evidence->cited.text), f)) {
            return true;
        }
        struct str rest = str_c(evidence->pointer), step;
        while (f->kind == PROSE_DATE && str_split(&rest, '/', &step)) {
            if (match_is_time(step, f)) {
                return true;
            }
        }
        static const char *const ends[] = {"-", "–", "—", "to", "and", "until", "till", NULL};
        bool is_end = prose_is_near(p, figure, (struct prose_near){1, 0}, ends) ||
                      (figure > 0 && p->figures[figure - 1].first == f->first);
        int hour = f->minute / 60;
        bool empty = is_end && figure > 0 && p->figures[figure - 1].kind == PROSE_HOUR &&
                     p->figures[figure - 1].minute == f->minute; /* "14:00-14:00" */
        if (f->kind == PROSE_HOUR && !empty && f->minute % 60 == 0 && f->second <= 0 &&
            (has_hour_step(evidence->pointer, hour) ||
             (is_end && has_hour_step(evidence->pointer, hour - 1)))) {
            return true;
        }
    }
    return false;
}

/* A figure inside a text that the finding cites, such as an error code. */
static bool is_in_cited_text(const struct claim *c, struct str word)
{
    const struct finding *finding = c->finding;
    for (int i = 0; i < finding->evidence_count; i++) {
        const struct finding_evidence *evidence = &finding->evidence[i];
        struct json_object *value = NULL;
        if (evidence->verified && pointer_find(c->proof->report, evidence->pointer, &value) &&
            json_is_text(value) && !str_starts(str_c(evidence->pointer), "/untrusted") &&
            proof_has_word(str_c(evidence->cited.text), word)) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ harmless */

/* Whether a subject or a step of a pointer is "<word>-<number>". */
static bool is_numbered(const struct claim *c, struct str word, struct str number)
{
    char name[FINDING_SUBJECT_SIZE];
    (void)snprintf(name, sizeof(name), "%.*s-%.*s", STR_ARG(word), STR_ARG(number));
    const struct finding *finding = c->finding;
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
static bool is_name_number(const struct claim *c, const struct prose *p,
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
    if (is_numbered(c, word, f->text)) {
        return true;
    }
    if (str_equal_nocase(word, "hour") && f->shown.value < 24) {
        for (int i = 0; i < c->finding->evidence_count; i++) {
            if (c->finding->evidence[i].verified &&
                has_hour_step(c->finding->evidence[i].pointer, (int)f->shown.value)) {
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
            p->tokens[t].text.len >= 4 && match_key_has(str_c(last), p->tokens[t].text)) {
            return true;
        }
    }
    return false;
}

/* "the position limit of 5", if that is a setting of the report. */
static bool is_setting(const struct claim *c, const struct prose *p, int i)
{
    if (match_is_limited(p, i)) {
        return false; /* "5 of at most 5 positions": how many there are, and no limit */
    }
    for (int k = 0; k < c->proof->setting_count; k++) {
        if (match_signed(p, i, &c->proof->settings[k]) &&
            is_named_setting(p, i, &c->proof->settings[k])) {
            return true;
        }
    }
    return false;
}

/* Whether the words before the figure speak of a limit, or name a setting by its key. */
static bool is_limit(const struct claim *c, const struct prose *p, int i)
{
    static const char *const limits[] = {"maximum", "max",        "limit",   "threshold", "minimum",
                                         "min",     "configured", "allowed", NULL};
    int first = p->figures[i].first;
    for (int t = first - 1; t >= 0 && t >= first - 4; t--) {
        for (int k = 0; k < c->proof->setting_count; k++) {
            if (str_equal_c(p->tokens[t].text, strrchr(c->proof->settings[k].pointer, '/') + 1)) {
                return true;
            }
        }
    }
    return prose_is_near(p, i, (struct prose_near){4, 0}, limits);
}

/* Whether the words before the figure are the setting's key: "max positions 5". */
static bool is_behind_key(const struct prose *p, int i, const struct proof_value *setting)
{
    struct str rest = str_c(strrchr(setting->pointer, '/') + 1), part;
    int words = 0;
    for (const char *c = rest.ptr; *c != '\0'; c++) {
        words += *c == '_' ? 1 : 0;
    }
    int at = p->figures[i].first - words - 1;
    bool same = at >= 0;
    while (same && str_split(&rest, '_', &part)) {
        same = str_equal(p->tokens[at++].text, part);
    }
    return same;
}

static bool is_same_kind(struct unit a, struct unit b)
{
    bool counts = a.dimension <= DIMENSION_COUNT && b.dimension <= DIMENSION_COUNT;
    return a.dimension == b.dimension || counts;
}

/* "a maximum drawdown of 6 %" while the setting is 8 %: the limit is misstated, even if the
 * drawdown itself is 6 %. */
static bool misstates_setting(const struct claim *c, const struct prose *p, int i)
{
    static const char *const links[] = {"of", "is", "at", "=", NULL};
    const struct prose_figure *f = &p->figures[i];
    bool linked = prose_is_near(p, i, (struct prose_near){1, 0}, links) && is_limit(c, p, i);
    bool most = i > 0 && match_is_limited(p, i - 1);
    if (is_setting(c, p, i)) {
        return false;
    }
    for (int k = 0; k < c->proof->setting_count; k++) {
        const struct proof_value *v = &c->proof->settings[k];
        if (is_same_kind(v->unit, f->shown.unit) && is_named_setting(p, i, v) &&
            (linked || most || is_behind_key(p, i, v))) {
            return true;
        }
    }
    return false;
}

/* "a drawdown of 6 % is above its limit" while the limit is 8 %. */
static bool misses_limit(const struct claim *c, const struct prose *p, int i)
{
    static const char *const limits[] = {"limit", "maximum", "max", "threshold", "minimum", NULL};
    static const char *const above[] = {"above", "over", "exceeds", "exceeded", "beyond", NULL};
    static const char *const below[] = {"below", "under", NULL};
    static const char *const negations[] = {"not", "never", "no", NULL};
    const struct prose_figure *f = &p->figures[i];
    const struct prose_near near = {0, 6};
    bool up = prose_is_near(p, i, near, above), down = prose_is_near(p, i, near, below);
    bool any = false, fits = false;
    if (f->kind != PROSE_NUMBER || up == down || !prose_is_near(p, i, near, limits) ||
        prose_is_near(p, i, near, negations)) {
        return false;
    }
    double shown = (f->sign < 0 ? -1 : 1) * f->shown.value *
                   (f->shown.unit.scale == 0 ? 1 : f->shown.unit.scale);
    for (int k = 0; k < c->proof->setting_count; k++) {
        const struct proof_value *v = &c->proof->settings[k];
        if (v->unit.dimension == f->shown.unit.dimension && is_named_setting(p, i, v)) {
            double limit = v->value * (v->unit.scale == 0 ? 1 : v->unit.scale);
            any = true;
            fits |= up ? shown > limit : shown < limit;
        }
    }
    return any && !fits;
}

static bool is_harmless(const struct claim *c, const struct prose *p, int i)
{
    static const char *const interval[] = {"interval", "intervals", "confidence", "CI", NULL};
    const struct prose_figure *f = &p->figures[i];
    double hours = (double)json_i64(json_at(c->proof->report, "/meta"), "hours", 0);
    double scale = f->shown.unit.scale;
    if (f->is_item) {
        return true;
    }
    if (f->sign != 0) {
        return is_setting(c, p, i);
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
        prose_is_near(p, i, (struct prose_near){3, 2}, interval)) {
        return true;
    }
    bool few = f->first >= 2 && str_equal_c(p->tokens[f->first - 1].text, "<") &&
               str_equal_nocase(p->tokens[f->first - 2].text, "n");
    if (f->shown.value == RATE_FEW_SAMPLES && (few || str_starts(f->noun, "sample"))) {
        return true;
    }
    return is_name_number(c, p, f) || is_setting(c, p, i);
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

static bool is_name(const struct claim *c, struct str word)
{
    for (int i = 0; is_percentile(word); i++) {
        if (i == c->finding->evidence_count) {
            return false;
        }
        if (proof_has_word(str_c(c->finding->evidence[i].pointer), word)) {
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
               pointer_find(c->proof->report, pointer, &value);
    }
    return proof_has_word(str_c(c->finding->subject), word) ||
           proof_knows_name(c->proof->names, word);
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

static bool is_one_subject(const struct claim *c, const struct prose_figure *f)
{
    const char *subject = c->finding->subject;
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
static bool is_number_of_rows(const struct claim *c, const struct prose_figure *f)
{
    const struct finding *finding = c->finding;
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
static bool is_computed(const struct claim *c, const struct prose *p, int i, struct arithmetic *ret)
{
    if (arithmetic_is_written_out(c->proof, p, i, ret)) {
        return true;
    }
    for (int k = 0; k < c->proof->evidence_count && p->figures[i].noun.len > 0; k++) {
        if (match_is_named(p, i, &c->proof->values[k])) {
            return false;
        }
    }
    return arithmetic_is_related(c->proof, p, i, ret);
}

/* "65 % CI", "all 0 trades": what no text says of its figures. */
static bool is_misused(const struct prose *p, int i)
{
    static const char *const links[] = {"to", "and", "-", "–", NULL};
    const struct prose_figure *f = &p->figures[i];
    bool level =
        f->shown.unit.dimension == DIMENSION_PCT && f->last + 1 < p->token_count &&
        (str_equal_c(p->tokens[f->last + 1].text, "CI") ||
         (str_equal_c(p->tokens[f->last + 1].text, "confidence") && f->last + 2 < p->token_count &&
          str_starts(p->tokens[f->last + 2].text, "interval")));
    return (level && f->shown.value != 95 &&
            !prose_is_near(p, i, (struct prose_near){1, 0}, links)) ||
           (f->shown.value == 0 && f->first > 0 &&
            str_equal_nocase(p->tokens[f->first - 1].text, "all"));
}

static bool is_proven(const struct claim *c, const struct prose *p, int i, struct arithmetic *ret)
{
    const struct prose_figure *f = &p->figures[i];
    switch (f->kind) {
    case PROSE_NUMBER:
        if (is_row_number(p, f)) {
            return is_name_number(c, p, f);
        }
        if (misstates_setting(c, p, i) || is_misused(p, i)) {
            return false;
        }
        return match_is_direct(c->proof, p, i) || arithmetic_operand(c->proof, p, i) ||
               is_harmless(c, p, i) ||
               (!f->is_word && f->sign == 0 && is_in_cited_text(c, f->text)) ||
               is_one_subject(c, f) || is_number_of_rows(c, f) || is_computed(c, p, i, ret);
    case PROSE_FRACTION:
        return match_is_share(c->proof, f) || arithmetic_is_related(c->proof, p, i, ret);
    case PROSE_FACTOR:
        return (f->shown.value >= 2 && match_is_direct(c->proof, p, i)) || /* "failed twice" */
               arithmetic_is_related(c->proof, p, i, ret);
    case PROSE_DATE:
    case PROSE_HOUR:
        return is_cited_time(c, p, i);
    case PROSE_ALL:
        return match_is_whole(c->proof);
    case PROSE_NAME:
        return is_name(c, f->text) || is_in_cited_text(c, f->text);
    case PROSE_UNREADABLE:
        return false;
    }
    return false;
}

/* Whether the figure is in a quotation that the report has word for word: a rule's text, a reason.
 */
static bool is_quoted(const struct claim *c, const struct prose *p, int i)
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
    return proof_knows_name(c->proof->names,
                            str_trim(str_n(begin, (size_t)(p->tokens[to].text.ptr - begin))));
}

static bool check_text(const struct claim *c, struct prose *p, const char *text, const char *where,
                       struct claim_verdict *ret)
{
    if (!prose_read(p, str_c(text))) {
        (void)snprintf(ret->reason, sizeof(ret->reason),
                       "the %s is too long, or not in Latin letters, to check its figures", where);
        return false;
    }
    if (!prose_is_english(p)) {
        (void)snprintf(ret->reason, sizeof(ret->reason),
                       "the %s is not in English: its number words cannot be checked", where);
        return false;
    }
    struct arithmetic result = {0};
    for (int i = 0; i < p->figure_count; i++) {
        const struct prose_figure *f = &p->figures[i];
        /* "Never restart it then" advises, and claims nothing. */
        bool advice = f->is_word && f->shown.value == 0 &&
                      (f->kind == PROSE_NUMBER || f->kind == PROSE_ALL) &&
                      strcmp(where, "recommendation") == 0;
        bool wrong =
            compare_is_wrong(p, i) || compare_runs_back(c->proof, p, i) || misses_limit(c, p, i);
        bool reckoned = !arithmetic_is_wrong(p, i);
        if (!advice && (wrong || !reckoned || !is_proven(c, p, i, &result)) &&
            !is_quoted(c, p, i)) {
            struct str last = p->tokens[f->last].text;
            const char *from = p->tokens[f->first].text.ptr;
            char shown[64];
            str_cut(str_n(from, (size_t)(last.ptr + last.len - from)), shown, sizeof(shown));
            (void)snprintf(ret->reason, sizeof(ret->reason),
                           wrong       ? "\"%s\" in the %s is compared the wrong way round"
                           : !reckoned ? "\"%s\" in the %s is reckoned wrongly"
                                       : "\"%s\" in the %s is not among its evidence",
                           shown, where);
            return false;
        }
        ret->few |= result.few;
    }
    return true;
}

bool claim_check(struct json_object *report, const struct proof_names *names,
                 const struct finding *finding, struct claim_verdict *ret)
{
    struct proof *proof = proof_new(report, names, finding->evidence, finding->evidence_count);
    struct claim claim = {.proof = proof, .finding = finding};
    struct prose *p = prose_new();
    bool proven = check_text(&claim, p, finding->title, "title", ret) &&
                  check_text(&claim, p, finding->description, "description", ret) &&
                  check_text(&claim, p, finding->recommendation, "recommendation", ret);
    prose_free(p);
    proof_free(proof);
    return proven;
}

#include "proof/compare.h"

#include "proof/match.h"

#include <string.h>

#define BETWEEN_MAX 10 /* words between two figures that are compared */

static const char *const up_words[] = {
    "more",   "higher", "up",     "increase", "increased", "rose",   "grew",     "larger",
    "longer", "above",  "rise",   "greater",  "exceeds",   "exceed", "exceeded", "climbed",
    "risen",  "grown",  "gained", "doubled",  "tripled",   "bigger", "rises",    NULL};
static const char *const down_words[] = {"less",   "fewer",     "lower",    "down",    "decrease",
                                         "fell",   "dropped",   "smaller",  "shorter", "below",
                                         "drop",   "decreased", "declined", "fallen",  "shrank",
                                         "halved", "sank",      "under",    "falls",   NULL};
/* Words of a change from one time to another. */
static const char *const change_words[] = {
    "rose",     "risen",    "rise",       "grew",   "grown",  "increased", "increase", "climbed",
    "doubled",  "tripled",  "quadrupled", "fell",   "fallen", "dropped",   "drop",     "decreased",
    "decrease", "declined", "shrank",     "halved", "sank",   "up",        "down",     NULL};

static bool is_any(struct str word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_equal_nocase(word, *words)) {
            return true;
        }
    }
    return false;
}

enum compare_direction compare_direction(const struct prose *p, int i, struct prose_near near)
{
    bool up = prose_is_near(p, i, near, up_words);
    bool down = prose_is_near(p, i, near, down_words);
    return up == down ? COMPARE_NONE : up ? COMPARE_UP : COMPARE_DOWN;
}

/* ------------------------------------------------------------------ two figures */

static double value_of(const struct prose_figure *f)
{
    double scale = f->shown.unit.scale == 0 ? 1 : f->shown.unit.scale;
    return (f->sign < 0 ? -f->shown.value : f->shown.value) * scale;
}

static bool same_kind(enum dimension a, enum dimension b)
{
    bool counts = a <= DIMENSION_COUNT && b <= DIMENSION_COUNT; /* or without a unit */
    return a == b || counts;
}

static bool comparable(const struct prose *p, int i, int next)
{
    const struct prose_figure *f = &p->figures[i], *g = &p->figures[next];
    return f->kind == PROSE_NUMBER && g->kind == PROSE_NUMBER &&
           same_kind(f->shown.unit.dimension, g->shown.unit.dimension) && f->last < g->first &&
           g->first - f->last <= BETWEEN_MAX &&
           p->tokens[f->first].sentence == p->tokens[g->first].sentence;
}

/* The word that compares the two figures: "is above the limit of", "down from"; NULL: none. One
 * directly behind the figure makes it a difference: "5 more than 3". */
static const struct prose_token *comparing(const struct prose *p, int i, bool *ret_not)
{
    static const char *const exceeds[] = {"exceeds", "exceed", "exceeded", NULL};
    static const char *const places[] = {"above", "below", "under", NULL};
    static const char *const links[] = {"than", "from", NULL};
    static const char *const negations[] = {"not", "never", "no", NULL};
    int first = p->figures[i].last + 1, end = p->figures[i + 1].first;
    const struct prose_token *found = NULL;
    *ret_not = false;
    for (int t = first; t < end; t++) {
        const struct prose_token *token = &p->tokens[t];
        bool verb = is_any(token->text, exceeds);
        bool word = is_any(token->text, up_words) || is_any(token->text, down_words);
        bool linked = t + 1 < end && is_any(p->tokens[t + 1].text, links);
        bool from = linked && str_equal_nocase(p->tokens[t + 1].text, "from");
        *ret_not |= is_any(token->text, negations);
        if (word && (verb || from || (t > first && (linked || is_any(token->text, places))))) {
            found = found == NULL ? token : found;
        }
    }
    return found;
}

/* "rose from 40 to 30". */
static enum compare_direction changes(const struct prose *p, int i)
{
    const struct prose_figure *f = &p->figures[i], *next = &p->figures[i + 1];
    bool from = f->first > 0 && str_equal_nocase(p->tokens[f->first - 1].text, "from");
    bool to = str_equal_nocase(p->tokens[f->last + 1].text, "to") && next->first - f->last <= 3;
    return from && to && prose_is_near(p, i, (struct prose_near){6, 0}, change_words)
               ? compare_direction(p, i, (struct prose_near){6, 0})
               : COMPARE_NONE;
}

/* Whether an arrow leads from the figure to the next one: "→", "->". */
static bool is_arrow(const struct prose *p, int i)
{
    const struct prose_figure *f = &p->figures[i], *next = &p->figures[i + 1];
    struct str first = p->tokens[f->last + 1].text;
    return (next->first == f->last + 2 && (str_equal_c(first, "→") || str_equal_c(first, "->"))) ||
           (next->first == f->last + 3 && str_equal_c(first, "-") &&
            str_equal_c(p->tokens[f->last + 2].text, ">"));
}

/* "9 → 7 (+2)". */
static bool changes_back(const struct prose *p, int i)
{
    if (i + 2 >= p->figure_count || !is_arrow(p, i)) {
        return false;
    }
    const struct prose_figure *next = &p->figures[i + 1], *change = &p->figures[i + 2];
    double by = value_of(next) - value_of(&p->figures[i]);
    return change->sign != 0 && change->kind == PROSE_NUMBER && change->first - next->last <= 2 &&
           same_kind(next->shown.unit.dimension, change->shown.unit.dimension) &&
           by * change->sign < 0;
}

static bool fits(double first, double second, bool up, bool negated)
{
    return negated ? (up ? first <= second : first >= second)
                   : (up ? first > second : first < second);
}

bool compare_is_wrong(const struct prose *p, int i)
{
    if (i + 1 >= p->figure_count || !comparable(p, i, i + 1)) {
        return false;
    }
    double first = value_of(&p->figures[i]), second = value_of(&p->figures[i + 1]);
    if ((match_is_part(p, i) && first > second && second >= 0) || changes_back(p, i)) {
        return true;
    }
    enum compare_direction change = changes(p, i);
    if (change != COMPARE_NONE) {
        return !fits(second, first, change == COMPARE_UP, false);
    }
    bool negated = false;
    const struct prose_token *word = comparing(p, i, &negated);
    if (word == NULL) {
        return false;
    }
    bool up = is_any(word->text, up_words);
    /* "12 of 40 trades, fewer than the 20 of before": either may be meant. */
    bool part =
        i > 0 && match_is_part(p, i - 1) && fits(value_of(&p->figures[i - 1]), second, up, negated);
    return !part && !fits(first, second, up, negated);
}

/* ------------------------------------------------------------------ a figure of two values */

static bool is_earlier(const struct proof_value *v)
{
    static const char *const words[] = {"earlier",  "before",  "start", "first",
                                        "previous", "initial", NULL};
    struct str rest = str_c(v->pointer), step, part;
    while (str_split(&rest, '/', &step)) {
        while (str_split(&step, '_', &part)) {
            if (is_any(part, words)) {
                return true;
            }
        }
    }
    return false;
}

/* The first value that the figure states; NULL: none. */
static const struct proof_value *stated(const struct proof *proof, const struct prose *p, int i)
{
    for (int k = 0; k < proof->count; k++) {
        if (match_signed(p, i, &proof->values[k])) {
            return &proof->values[k];
        }
    }
    return NULL;
}

bool compare_runs_back(const struct proof *proof, const struct prose *p, int i)
{
    if (i + 1 >= p->figure_count || p->figures[i].kind != PROSE_NUMBER ||
        p->figures[i + 1].kind != PROSE_NUMBER) {
        return false;
    }
    const struct prose_figure *f = &p->figures[i], *next = &p->figures[i + 1];
    bool from = f->first > 0 && str_equal_nocase(p->tokens[f->first - 1].text, "from") &&
                next->first == f->last + 2 && str_equal_c(p->tokens[f->last + 1].text, "to");
    const struct proof_value *a = stated(proof, p, i), *b = stated(proof, p, i + 1);
    return (from || is_arrow(p, i)) && a != NULL && b != NULL && is_earlier(b) && !is_earlier(a);
}

/* -1: words or figures that are of the value and not of the other are in front of the figure; 1:
 * they are behind it; 0: neither, or both. */
static int side_of(const struct prose *p, int i, const struct proof_value *v,
                   const struct proof_value *other)
{
    const struct prose_figure *f = &p->figures[i];
    int sentence = p->tokens[f->first].sentence;
    bool before = false, behind = false;
    for (int t = 0; t < p->token_count; t++) {
        struct str word = p->tokens[t].text;
        if (p->tokens[t].sentence == sentence && match_names(v, word) &&
            !match_names(other, word)) {
            before |= t < f->first;
            behind |= t > f->last;
        }
    }
    for (int m = 0; m < p->figure_count; m++) {
        if (m != i && p->tokens[p->figures[m].first].sentence == sentence &&
            match_signed(p, m, v) && !match_signed(p, m, other)) {
            before |= m < i;
            behind |= m > i;
        }
    }
    return before == behind ? 0 : before ? -1 : 1;
}

bool compare_is_reversed(const struct prose *p, int i, const struct proof_value *a,
                         const struct proof_value *b)
{
    bool change = prose_in_sentence(p, i, change_words);
    if (change && is_earlier(a) != is_earlier(b)) {
        return is_earlier(a);
    }
    return side_of(p, i, a, b) == 1 && side_of(p, i, b, a) == -1;
}

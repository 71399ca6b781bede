#include "proof/arithmetic.h"

#include "base/check.h"
#include "proof/compare.h"
#include "proof/match.h"
#include "report/rate.h"

#include <math.h>
#include <string.h>

#define OPERANDS_MAX 4
#define USED_MAX     12

static double base_of(const struct proof_value *v)
{
    return v->unit.scale == 0 ? v->value : v->value * v->unit.scale;
}

static double scale_of(const struct prose_figure *f)
{
    return f->shown.unit.scale == 0 ? 1 : f->shown.unit.scale;
}

/* Whether the figure shows this result, in base units; a sign that is not written is free. */
static bool shows(const struct prose_figure *f, double result)
{
    double scale = scale_of(f);
    double shown = f->sign < 0 ? -f->shown.value : f->shown.value;
    return quantity_rounds(result / scale, shown, f->shown.half) ||
           (f->sign == 0 && quantity_rounds(-result / scale, shown, f->shown.half));
}

/* The value that a figure states; a figure without a sign may be of a negative one. NULL: none. */
static const struct proof_value *stated(const struct proof *proof, const struct prose_figure *f)
{
    for (int k = 0; k < proof->count; k++) {
        const struct proof_value *v = &proof->values[k];
        double value = f->sign < 0 ? -v->value : v->value;
        if (f->kind == PROSE_NUMBER &&
            (quantity_is(value, v->unit, &f->shown) ||
             (f->sign == 0 && quantity_is(-value, v->unit, &f->shown)))) {
            return v;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------ written out */

/* The operator between a figure and the next one; 0: none. */
static char operator_behind(const struct prose *p, int i)
{
    static const struct {
        const char *text;
        char op;
    } operators[] = {{"+", '+'}, {"plus", '+'}, {"-", '-'}, {"−", '-'}, {"–", '-'}, {"minus", '-'},
                     {"*", '*'}, {"x", '*'},    {"×", '*'}, {"·", '*'}, {"/", '/'}, {"÷", '/'}};
    if (i + 1 >= p->figure_count) {
        return '\0';
    }
    const struct prose_figure *f = &p->figures[i];
    const struct prose_figure *next = &p->figures[i + 1];
    if (f->last == next->first && f->text.ptr != next->text.ptr) {
        return next->text.ptr[-1] == '/' ? '/' : '\0'; /* "4/7" */
    }
    for (size_t k = 0; next->first == f->last + 2 && k < COUNT_OF(operators); k++) {
        if (str_equal_nocase(p->tokens[f->last + 1].text, operators[k].text)) {
            return operators[k].op;
        }
    }
    return '\0';
}

struct term {
    double value;
    enum dimension dimension;
    bool is_constant;
    bool is_hundredfold; /* 100 is a factor of it: a share in per cent */
};

/* A figure as an operand, with the exact value that it states. */
static bool read_operand(const struct proof *proof, const struct prose_figure *f, struct term *ret)
{
    static const double constants[] = {100, 60, 24, 1000};
    const struct proof_value *v = stated(proof, f);
    if (v != NULL) {
        bool negated = f->sign == 0 && v->value < 0;
        *ret = (struct term){.value = negated ? -base_of(v) : base_of(v),
                             .dimension = v->unit.dimension};
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(constants); i++) {
        if (f->kind == PROSE_NUMBER && f->shown.value == constants[i] && !f->is_word &&
            f->sign == 0 && f->shown.unit.dimension == DIMENSION_NONE) {
            *ret = (struct term){.value = constants[i],
                                 .dimension = DIMENSION_NONE,
                                 .is_constant = true,
                                 .is_hundredfold = constants[i] == 100};
            return true;
        }
    }
    return false;
}

static enum dimension dimension_of(struct term a, char op, struct term b)
{
    if (op == '+' || op == '-' || b.is_constant) {
        return a.dimension;
    }
    if (op == '/' && a.dimension == b.dimension) {
        return DIMENSION_TIMES; /* a share or a factor */
    }
    return a.dimension != DIMENSION_NONE ? a.dimension : b.dimension;
}

static bool apply(struct term *a, char op, struct term b)
{
    if ((op == '+' || op == '-') && a->dimension != b.dimension) {
        return false;
    }
    if (op == '/' && b.value == 0) {
        return false;
    }
    enum dimension dimension = dimension_of(*a, op, b);
    a->value = op == '+'   ? a->value + b.value
               : op == '-' ? a->value - b.value
               : op == '*' ? a->value * b.value
                           : a->value / b.value;
    a->dimension = dimension;
    a->is_constant &= b.is_constant;
    a->is_hundredfold |= b.is_hundredfold && op == '*';
    return true;
}

/* Evaluates the expression that begins at figure i, products first. *ret_last is its last figure,
 * *ret_whole the denominator of a quotient of counts. False: it is none. */
static bool evaluate(const struct proof *proof, const struct prose *p, int i, struct term *ret,
                     int *ret_last, double *ret_whole)
{
    struct term sum = {0}, product;
    char pending = '+';
    bool any = false, first = true;
    *ret_whole = 0;
    if (!read_operand(proof, &p->figures[i], &product)) {
        return false;
    }
    for (int n = 1; n <= OPERANDS_MAX; n++, i++) {
        char op = operator_behind(p, i);
        struct term next;
        if (op == '\0' || n == OPERANDS_MAX || !read_operand(proof, &p->figures[i + 1], &next)) {
            break;
        }
        any = true;
        if (op == '*' || op == '/') {
            *ret_whole = op == '/' && next.dimension == DIMENSION_NONE ? next.value : *ret_whole;
            if (!apply(&product, op, next)) {
                return false;
            }
            continue;
        }
        if (first) {
            sum = product;
        } else if (!apply(&sum, pending, product)) {
            return false;
        }
        first = false;
        pending = op;
        product = next;
    }
    if (first) {
        sum = product;
    } else if (!apply(&sum, pending, product)) {
        return false;
    }
    *ret = sum;
    *ret_last = i;
    return any && !sum.is_constant;
}

/* Whether a result of this dimension can be shown as the figure is. A count is never negative. */
static bool shows_term(const struct prose_figure *f, struct term term)
{
    if (term.dimension == DIMENSION_NONE && term.value < 0 && f->sign >= 0) {
        return false;
    }
    switch (f->shown.unit.dimension) {
    case DIMENSION_NONE:
        return shows(f, term.value);
    case DIMENSION_COUNT:
        return term.dimension == DIMENSION_NONE && shows(f, term.value);
    case DIMENSION_TIMES:
        return term.dimension == DIMENSION_TIMES && shows(f, term.value);
    case DIMENSION_PCT:
        return (term.dimension == DIMENSION_TIMES &&
                shows(f, term.is_hundredfold ? term.value : 100 * term.value)) ||
               (term.dimension == DIMENSION_PCT && shows(f, term.value));
    case DIMENSION_MONEY:
    case DIMENSION_TIME:
    case DIMENSION_BYTES:
        return term.dimension == f->shown.unit.dimension && shows(f, term.value);
    }
    return false;
}

static bool token_is(const struct prose *p, int at, const char *text)
{
    return at >= 0 && at < p->token_count && str_equal_c(p->tokens[at].text, text);
}

/* "3 losses (7 - 4)", "7 - 4 = 3", "3 = 7 - 4". */
bool arithmetic_is_written_out(const struct proof *proof, const struct prose *p, int i,
                               struct arithmetic *ret)
{
    const struct prose_figure *f = &p->figures[i];
    struct term term;
    int last = 0;
    double whole = 0;
    bool proven = false;
    for (int k = i - 2; k >= 0 && k >= i - OPERANDS_MAX && !proven; k--) {
        proven = token_is(p, f->first - 1, "=") && evaluate(proof, p, k, &term, &last, &whole) &&
                 last == i - 1 && p->figures[last].last + 2 == f->first && shows_term(f, term);
    }
    if (!proven && i + 2 < p->figure_count) {
        const struct prose_figure *next = &p->figures[i + 1];
        bool opens = token_is(p, next->first - 1, "(") && next->first - f->last <= 5;
        bool equals = next->first == f->last + 2 &&
                      (token_is(p, next->first - 1, "=") || token_is(p, next->first - 1, ",") ||
                       token_is(p, next->first - 1, ":"));
        proven = (opens || equals) && evaluate(proof, p, i + 1, &term, &last, &whole) &&
                 (equals || token_is(p, p->figures[last].last + 1, ")")) && shows_term(f, term);
    }
    if (proven) {
        ret->how = "written out";
        ret->few |=
            whole > 0 && whole < RATE_FEW_SAMPLES && f->shown.unit.dimension == DIMENSION_PCT;
    }
    return proven;
}

/* ------------------------------------------------------------------ contradicted by the text */

/* Every value that a figure may stand for, since it is rounded. */
struct range {
    double low, high;
};

static bool has_plain_unit(const struct prose_figure *f)
{
    return f->kind == PROSE_NUMBER && scale_of(f) == 1;
}

static struct range range_of(const struct prose_figure *f)
{
    double value = f->sign < 0 ? -f->shown.value : f->shown.value;
    return (struct range){value - f->shown.half, value + f->shown.half};
}

static struct range combine(struct range a, char op, struct range b)
{
    if (op == '+') {
        return (struct range){a.low + b.low, a.high + b.high};
    }
    if (op == '-') {
        return (struct range){a.low - b.high, a.high - b.low};
    }
    if (op == '/') {
        b = (struct range){1 / b.high, 1 / b.low};
    }
    double ends[] = {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high};
    return (struct range){fmin(fmin(ends[0], ends[1]), fmin(ends[2], ends[3])),
                          fmax(fmax(ends[0], ends[1]), fmax(ends[2], ends[3]))};
}

static bool meets(struct range a, struct range b)
{
    double error = 1e-9 * fmax(fabs(a.high), fabs(b.high));
    return a.low <= b.high + error && b.low <= a.high + error;
}

/* A whole number of things, which is exact. */
static bool is_whole(const struct prose_figure *f)
{
    return f->shown.unit.dimension <= DIMENSION_COUNT && f->shown.value == floor(f->shown.value);
}

static struct range exactly(struct range r)
{
    return (struct range){(r.low + r.high) / 2, (r.low + r.high) / 2};
}

/* Whether the figure can be the result. Only an amount may be shown without its minus. */
static bool can_show(const struct prose_figure *f, struct range result)
{
    bool exact = result.low == result.high && is_whole(f);
    struct range shown = exact ? exactly(range_of(f)) : range_of(f);
    struct range part = {result.low * 100, result.high * 100};
    struct range negative = {-result.high, -result.low};
    bool amount = f->shown.unit.dimension >= DIMENSION_PCT && f->sign == 0;
    return meets(shown, result) || (amount && meets(shown, negative)) ||
           (f->shown.unit.dimension == DIMENSION_PCT && meets(shown, part));
}

/* The value of the expression from figure i on, products first, and its last figure. False: it is
 * none that can be judged, such as one of different units, or "64 - 81 %". */
static bool reckon(const struct prose *p, int i, struct range *ret, int *ret_last)
{
    struct range sum = {0, 0}, product = range_of(&p->figures[i]);
    char pending = '+', op;
    int last = i;
    bool plain = has_plain_unit(&p->figures[i]), whole = is_whole(&p->figures[i]);
    for (; (op = operator_behind(p, last)) != '\0' && plain; last++) {
        const struct prose_figure *next = &p->figures[last + 1];
        struct range operand = range_of(next);
        plain = has_plain_unit(next) && (op != '/' || operand.low > 0 || operand.high < 0);
        bool span = op == '-' && next->shown.unit.dimension != DIMENSION_NONE &&
                    p->figures[last].shown.unit.dimension == DIMENSION_NONE &&
                    next->shown.value > p->figures[last].shown.value;
        plain &= !span;
        whole &= is_whole(next);
        if (op == '*' || op == '/') {
            whole = false;
            product = combine(product, op, operand);
            continue;
        }
        sum = combine(sum, pending, product);
        pending = op;
        product = operand;
    }
    sum = combine(sum, pending, product);
    *ret = whole ? exactly(sum) : sum;
    *ret_last = last;
    return plain && last > i;
}

/* Whether a figure in front of the expression, in its sentence, has the result; or may have it,
 * being a loose one ("half"), or there is none. */
static bool has_result(const struct prose *p, int i, struct range result)
{
    int first = p->figures[i].first;
    bool goes_on = first >= 2 && token_is(p, first - 1, ";"); /* "61 % (176 of 288; 176 / 288)" */
    int sentence = p->tokens[goes_on ? first - 2 : first].sentence;
    bool any = false;
    for (int k = 0; k < i; k++) {
        const struct prose_figure *f = &p->figures[k];
        if (p->tokens[f->first].sentence != sentence) {
            continue;
        }
        any |= f->kind == PROSE_NUMBER;
        bool loose = f->kind == PROSE_FRACTION || f->kind == PROSE_FACTOR;
        if ((loose && k == i - 1) ||
            (f->kind == PROSE_NUMBER && (!has_plain_unit(f) || can_show(f, result)))) {
            return true;
        }
    }
    return !any;
}

static bool is_wrongly_reckoned(const struct prose *p, int i)
{
    struct range result;
    int last = i;
    if ((i > 0 && operator_behind(p, i - 1) != '\0') || !reckon(p, i, &result, &last)) {
        return false;
    }
    const struct prose_figure *f = &p->figures[i], *end = &p->figures[last];
    if (token_is(p, end->last + 1, "=") && last + 1 < p->figure_count &&
        p->figures[last + 1].first == end->last + 2) {
        const struct prose_figure *next = &p->figures[last + 1];
        return has_plain_unit(next) && operator_behind(p, last + 1) == '\0' &&
               !can_show(next, result);
    }
    bool opens = token_is(p, f->first - 1, "(") || token_is(p, f->first - 1, ";") ||
                 token_is(p, f->first - 1, ",");
    bool share = last == i + 1 && f->last == end->first && f->shown.value <= end->shown.value;
    return opens && !share && token_is(p, end->last + 1, ")") && !has_result(p, i, result);
}

/* "61 and 21 entries, 83 together". */
static bool is_wrongly_added(const struct prose *p, int i)
{
    static const char *const added[] = {"together", "altogether", "combined", NULL};
    struct range sum = range_of(&p->figures[i]);
    int last = i;
    bool whole = is_whole(&p->figures[i]);
    bool listed = i > 0 && p->figures[i].first == p->figures[i - 1].last + 2 &&
                  token_is(p, p->figures[i].first - 1, ",");
    for (bool ended = listed; !ended && last + 1 < p->figure_count; last++) {
        const struct prose_figure *f = &p->figures[last], *next = &p->figures[last + 1];
        ended = token_is(p, f->last + 1, "and");
        if (next->first != f->last + 2 || (!ended && !token_is(p, f->last + 1, ",")) ||
            !has_plain_unit(f) || !has_plain_unit(next)) {
            return false;
        }
        sum = combine(sum, '+', range_of(next));
        whole &= is_whole(next);
    }
    if (last == i || last + 1 >= p->figure_count) {
        return false;
    }
    const struct prose_figure *end = &p->figures[last], *total = &p->figures[last + 1];
    bool amounts = end->shown.unit.dimension == DIMENSION_COUNT ||
                   (end->shown.unit.dimension >= DIMENSION_PCT &&
                    end->shown.unit.dimension == total->shown.unit.dimension);
    return amounts && has_plain_unit(total) &&
           p->tokens[total->first].sentence == p->tokens[end->first].sentence &&
           prose_is_near(p, last + 1, (struct prose_near){0, 2}, added) &&
           !can_show(total, whole ? exactly(sum) : sum);
}

bool arithmetic_is_wrong(const struct prose *p, int i)
{
    return is_wrongly_reckoned(p, i) || is_wrongly_added(p, i);
}

/* ------------------------------------------------------------------ with a word that says which */

/* The values that the figure can be computed from: those that other figures of its sentence state,
 * and all that are cited if they are few. */
static int operands_of(const struct proof *proof, const struct prose *p, int i,
                       const struct proof_value *ret[USED_MAX])
{
    int count = 0;
    int sentence = p->tokens[p->figures[i].first].sentence;
    for (int k = 0; k < proof->count && count < USED_MAX; k++) {
        const struct proof_value *v = &proof->values[k];
        bool use = k < proof->evidence_count && proof->evidence_count <= 3;
        for (int m = 0; m < p->figure_count && !use; m++) {
            use = m != i && p->tokens[p->figures[m].first].sentence == sentence &&
                  stated(proof, &p->figures[m]) == v;
        }
        if (use) {
            ret[count++] = v;
        }
    }
    return count;
}

static bool same_kind(const struct proof_value *a, const struct proof_value *b)
{
    return unit_fits(a->unit, b->unit) && unit_fits(b->unit, a->unit);
}

enum relation {
    RELATION_SUM,
    RELATION_DIFFERENCE,
    RELATION_SHARE,
    RELATION_RISE,
    RELATION_FALL,
    RELATION_FACTOR,
    RELATION_PER
};

static const char *relation_name(enum relation relation)
{
    switch (relation) {
    case RELATION_SUM:
        return "sum";
    case RELATION_DIFFERENCE:
        return "difference";
    case RELATION_SHARE:
        return "share";
    case RELATION_RISE:
        return "rise";
    case RELATION_FALL:
        return "fall";
    case RELATION_FACTOR:
        return "ratio";
    case RELATION_PER:
        return "average";
    }
    return "";
}

static bool relates(const struct prose_figure *f, enum relation relation,
                    const struct proof_value *a, const struct proof_value *b)
{
    double x = base_of(a), y = base_of(b);
    enum dimension shown = f->shown.unit.dimension;
    bool plain = shown == DIMENSION_NONE || unit_fits(a->unit, f->shown.unit);
    switch (relation) {
    case RELATION_SUM:
        return same_kind(a, b) && plain && shows(f, x + y);
    case RELATION_DIFFERENCE:
        return same_kind(a, b) && plain && shows(f, x - y);
    case RELATION_SHARE:
        return same_kind(a, b) && a->unit.dimension != DIMENSION_PCT && y != 0 &&
               fabs(x) <= fabs(y) && shows(f, 100 * x / y);
    case RELATION_RISE:
        return same_kind(a, b) && y != 0 && x > y && shows(f, 100 * (x - y) / fabs(y));
    case RELATION_FALL:
        return same_kind(a, b) && y != 0 && x < y && shows(f, 100 * (x - y) / fabs(y));
    case RELATION_FACTOR:
        return same_kind(a, b) && y != 0 &&
               (f->kind == PROSE_NUMBER ? shows(f, x / y)
                                        : fabs(x / y) >= f->low * f->shown.value &&
                                              fabs(x / y) <= f->high * f->shown.value);
    case RELATION_PER:
        return !same_kind(a, b) && y != 0 && b->unit.dimension != DIMENSION_PCT &&
               b->unit.dimension != DIMENSION_MONEY &&
               (shown == DIMENSION_NONE || shown == DIMENSION_COUNT ||
                unit_fits(a->unit, f->shown.unit)) &&
               (shows(f, x / y) ||
                (b->unit.dimension == DIMENSION_TIME &&
                 (shows(f, 60 * x / y) || shows(f, 3600 * x / y) || shows(f, 86400 * x / y))));
    }
    return false;
}

/* The relations that the words beside the figure name, as bits. */
static unsigned relations_of(const struct prose *p, int i)
{
    static const char *const sum[] = {"total",      "totals", "together", "combined",
                                      "altogether", "sum",    NULL};
    static const char *const difference[] = {
        "difference", "more",   "less",    "fewer",   "gap",    "missing",    "remaining", "remain",
        "rest",       "lost",   "losses",  "losing",  "other",  "others",     "extra",     "excess",
        "higher",     "lower",  "longer",  "shorter", "apart",  "off",        "short",     "beyond",
        "exceeds",    "larger", "smaller", "than",    "failed", "unanswered", NULL};
    static const char *const rise[] = {"more", "higher", "up",     "increase", "increased", "rose",
                                       "grew", "larger", "longer", "above",    "rise",      NULL};
    static const char *const fall[] = {"less", "fewer",     "lower",   "down",    "decrease",
                                       "fell", "dropped",   "smaller", "shorter", "below",
                                       "drop", "decreased", NULL};
    static const char *const share[] = {"of", "share", "proportion", "part", NULL};
    static const char *const per[] = {"average", "mean", "per", "each", "hourly", "daily", NULL};
    const struct prose_figure *f = &p->figures[i];
    bool points = match_is_in_points(p, i);
    unsigned found = 0;
    if (f->kind == PROSE_FRACTION) {
        return 1u << RELATION_FACTOR; /* "half of": a quotient that is below one */
    }
    if (f->kind == PROSE_FACTOR || f->shown.unit.dimension == DIMENSION_TIMES) {
        return 1u << RELATION_FACTOR;
    }
    if (f->shown.unit.dimension == DIMENSION_PCT || points) {
        found |= prose_is_near(p, i, (struct prose_near){0, 1}, share) ? 1u << RELATION_SHARE : 0;
        found |= prose_is_near(p, i, (struct prose_near){3, 3}, rise) ? 1u << RELATION_RISE : 0;
        found |= prose_is_near(p, i, (struct prose_near){3, 3}, fall) ? 1u << RELATION_FALL : 0;
        found |= prose_is_near(p, i, (struct prose_near){3, 3}, difference)
                     ? 1u << RELATION_DIFFERENCE
                     : 0;
        if (points) {
            return found == 0 ? 0 : 1u << RELATION_DIFFERENCE;
        }
        /* 51 % is 7 points higher than 44 %, and 16 % higher. */
        bool relative = (found & (1u << RELATION_RISE | 1u << RELATION_FALL)) != 0;
        return relative ? found & ~(1u << RELATION_DIFFERENCE) : found;
    }
    found |= prose_is_near(p, i, (struct prose_near){4, 3}, sum) ? 1u << RELATION_SUM : 0;
    found |=
        prose_is_near(p, i, (struct prose_near){3, 2}, difference) ? 1u << RELATION_DIFFERENCE : 0;
    found |= prose_is_near(p, i, (struct prose_near){4, 2}, per) ? 1u << RELATION_PER : 0;
    return found;
}

/* Whether words such as "higher" or "halved" fit the order of the operands. */
static bool is_in_order(const struct prose *p, int i, enum relation relation,
                        const struct proof_value *a, const struct proof_value *b)
{
    double x = base_of(a), y = base_of(b);
    enum compare_direction direction = COMPARE_NONE;
    switch (relation) {
    case RELATION_SUM:
    case RELATION_SHARE:
    case RELATION_PER:
        return true;
    case RELATION_DIFFERENCE:
        direction = compare_direction(p, i, (struct prose_near){3, 2});
        return direction == COMPARE_NONE ||
               ((direction == COMPARE_UP ? x >= y : x <= y) && !compare_is_reversed(p, i, a, b));
    case RELATION_RISE:
    case RELATION_FALL:
    case RELATION_FACTOR:
        return !compare_is_reversed(p, i, a, b);
    }
    return true;
}

bool arithmetic_is_related(const struct proof *proof, const struct prose *p, int i,
                           struct arithmetic *ret)
{
    const struct prose_figure *f = &p->figures[i];
    const struct proof_value *values[USED_MAX];
    unsigned relations = relations_of(p, i);
    int count = relations == 0 ? 0 : operands_of(proof, p, i, values);
    for (int a = 0; a < count; a++) {
        for (int b = 0; b < count; b++) {
            for (int r = RELATION_SUM; r <= RELATION_PER; r++) {
                bool signed_so = f->sign == 0 || r == (f->sign < 0 ? RELATION_FALL : RELATION_RISE);
                if (a == b || (relations & 1u << r) == 0 || !signed_so ||
                    !relates(f, (enum relation)r, values[a], values[b]) ||
                    !is_in_order(p, i, (enum relation)r, values[a], values[b])) {
                    continue;
                }
                ret->how = relation_name((enum relation)r);
                ret->a = values[a];
                ret->b = values[b];
                ret->few |= r == RELATION_SHARE && values[b]->unit.dimension == DIMENSION_NONE &&
                            values[b]->value < RATE_FEW_SAMPLES;
                return true;
            }
        }
    }
    double sum = 0;
    bool alike = count > 2;
    for (int a = 0; a < count; a++) {
        sum += base_of(values[a]);
        alike &= same_kind(values[0], values[a]);
    }
    bool summed = alike && (relations & 1u << RELATION_SUM) != 0 &&
                  unit_fits(values[0]->unit, f->shown.unit) && shows(f, sum);
    if (summed) {
        ret->how = relation_name(RELATION_SUM);
    }
    return summed;
}

bool arithmetic_operand(const struct proof *proof, const struct prose *p, int figure)
{
    char before = figure > 0 ? operator_behind(p, figure - 1) : '\0';
    char behind = operator_behind(p, figure);
    struct term term;
    if ((before == '\0' && behind == '\0') || !read_operand(proof, &p->figures[figure], &term)) {
        return false;
    }
    struct arithmetic result = {0};
    bool shown = false; /* "x 100" and "/ 24" only if the result is there, and right */
    for (int r = figure - OPERANDS_MAX; r <= figure + OPERANDS_MAX && term.is_constant; r++) {
        shown |= r >= 0 && r < p->figure_count && r != figure &&
                 arithmetic_is_written_out(proof, p, r, &result);
    }
    if (term.is_constant) {
        return shown && (before == '*' || before == '/');
    }
    return stated(proof, &p->figures[figure]) < proof->values + proof->evidence_count;
}

#include "when.h"

#include "base/dec.h"

#include <string.h>

#define DEPTH_MAX  16
#define VALUE_SIZE 2048

/* Recursive descent over the text. While checking, names is set and values is NULL; every branch is
 * visited in both cases, so a text that was checked can be evaluated. */
struct parser {
    struct str text;
    size_t at;
    const struct when_names *names;
    const struct when_values *values;
    struct buf space[2]; /* the values of the names in a comparison */
    int used;
    int depth;
    int rc;
    struct err *err;
};

static bool parse_or(struct parser *p);

static bool complain(struct parser *p, const char *what)
{
    if (p->rc == 0) {
        p->rc = err_set(p->err, ERR_MANIFEST_FORMAT, "%s", what);
    }
    return false;
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->text.len && (p->text.ptr[p->at] == ' ' || p->text.ptr[p->at] == '\n')) {
        p->at++;
    }
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_-.:%+", c) != NULL);
}

/* The length of the word at the current place. */
static size_t word_size(const struct parser *p)
{
    size_t size = 0;
    while (p->at + size < p->text.len && is_word_char(p->text.ptr[p->at + size])) {
        size++;
    }
    return size;
}

/* Consumes the keyword or operator if it is next. */
static bool take(struct parser *p, const char *token)
{
    skip_blanks(p);
    size_t size = strlen(token);
    struct str rest = str_n(p->text.ptr + p->at, p->text.len - p->at);
    bool word = is_word_char(token[0]);
    if (!str_starts(rest, token) || (word && word_size(p) != size)) {
        return false;
    }
    p->at += size;
    return true;
}

static struct str take_name(struct parser *p)
{
    size_t from = ++p->at; /* after $ */
    p->at += word_size(p);
    struct str name = str_n(p->text.ptr + from, p->at - from);
    struct err why = {0};
    if (p->names != NULL && !p->names->known(p->names->userdata, name, &why)) {
        p->at = from - 1;
        (void)complain(p, why.context);
    }
    if (p->values == NULL) {
        return str_c("");
    }
    struct buf *out = &p->space[p->used++ % 2];
    buf_clear(out);
    (void)p->values->value(p->values->userdata, name, out);
    return buf_str(out);
}

static struct str take_quoted(struct parser *p)
{
    char mark = p->text.ptr[p->at];
    size_t from = p->at + 1;
    const char *end = memchr(p->text.ptr + from, mark, p->text.len - from);
    if (end == NULL) {
        (void)complain(p, "the quotation mark is not closed");
        return str_c("");
    }
    p->at = (size_t)(end - p->text.ptr) + 1;
    return str_n(p->text.ptr + from, p->at - 1 - from);
}

static struct str parse_operand(struct parser *p)
{
    skip_blanks(p);
    char c = p->at < p->text.len ? p->text.ptr[p->at] : '\0';
    if (c == '$') {
        return take_name(p);
    }
    if (c == '"' || c == '\'') {
        return take_quoted(p);
    }
    size_t size = word_size(p);
    struct str word = str_n(p->text.ptr + p->at, size);
    if (size == 0 || str_equal_c(word, "and") || str_equal_c(word, "or") ||
        str_equal_c(word, "not")) {
        (void)complain(p, "expected a value: $name, a number, a word or text in quotation marks");
        return str_c("");
    }
    p->at += size;
    return word;
}

static bool is_true(struct str value)
{
    return value.len > 0 && !str_equal_c(value, "0") && !str_equal_c(value, "false") &&
           !str_equal_c(value, "no");
}

/* -1, 0 or 1; *ret_valid is false if one of them is missing or, while evaluating, no number. */
static int compare(struct parser *p, struct str a, struct str b, bool *ret_valid)
{
    struct dec x, y;
    *ret_valid = a.len > 0 && b.len > 0;
    if (p->values == NULL || !*ret_valid) {
        return 0;
    }
    bool numbers = dec_parse(a, &x) && dec_parse(b, &y);
    if (!numbers && p->rc == 0) {
        struct str bad = dec_parse(a, &x) ? b : a;
        p->rc = err_set(p->err, ERR_COMMAND_ARG_INVALID, "when: %.*s is not a number",
                        (int)(bad.len < 60 ? bad.len : 60), bad.ptr);
    }
    *ret_valid = numbers;
    return numbers ? dec_cmp(x, y) : 0;
}

static bool is_equal(struct str a, struct str b)
{
    struct dec x, y;
    return dec_parse(a, &x) && dec_parse(b, &y) ? dec_cmp(x, y) == 0 : str_equal(a, b);
}

static bool parse_comparison(struct parser *p)
{
    struct str a = parse_operand(p);
    bool valid = false;
    if (take(p, "==")) {
        return is_equal(a, parse_operand(p));
    }
    if (take(p, "!=")) {
        return !is_equal(a, parse_operand(p));
    }
    if (take(p, "<=")) {
        int order = compare(p, a, parse_operand(p), &valid);
        return valid && order <= 0;
    }
    if (take(p, ">=")) {
        int order = compare(p, a, parse_operand(p), &valid);
        return valid && order >= 0;
    }
    if (take(p, "<")) {
        int order = compare(p, a, parse_operand(p), &valid);
        return valid && order < 0;
    }
    if (take(p, ">")) {
        int order = compare(p, a, parse_operand(p), &valid);
        return valid && order > 0;
    }
    return is_true(a);
}

static bool parse_primary(struct parser *p)
{
    if (p->rc < 0) {
        return false;
    }
    if (++p->depth > DEPTH_MAX) {
        return complain(p, "nested too deeply");
    }
    bool holds = false;
    if (take(p, "not")) {
        holds = !parse_primary(p);
    } else if (take(p, "(")) {
        holds = parse_or(p);
        if (!take(p, ")")) {
            (void)complain(p, "expected )");
        }
    } else {
        holds = parse_comparison(p);
    }
    p->depth--;
    return holds;
}

static bool parse_and(struct parser *p)
{
    bool holds = parse_primary(p);
    while (p->rc == 0 && take(p, "and")) {
        bool right = parse_primary(p);
        holds = holds && right;
    }
    return holds;
}

static bool parse_or(struct parser *p)
{
    bool holds = parse_and(p);
    while (p->rc == 0 && take(p, "or")) {
        bool right = parse_and(p);
        holds = holds || right;
    }
    return holds;
}

static bool parse(struct parser *p)
{
    bool holds = parse_or(p);
    skip_blanks(p);
    if (p->rc == 0 && p->at < p->text.len) {
        (void)complain(p, "expected and, or, a comparison, or the end");
    }
    return holds;
}

int when_check(struct str text, const struct when_names *names, size_t *ret_offset, struct err *err)
{
    struct parser p = {.text = text, .names = names, .err = err};
    (void)parse(&p);
    *ret_offset = p.at;
    return p.rc;
}

int when_eval(struct str text, const struct when_values *values, bool *ret_holds, struct err *err)
{
    struct parser p = {.text = text,
                       .values = values,
                       .space = {BUF_INIT(VALUE_SIZE), BUF_INIT(VALUE_SIZE)},
                       .err = err};
    *ret_holds = parse(&p);
    buf_release(&p.space[0]);
    buf_release(&p.space[1]);
    return p.rc;
}

#include "proof/prose.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

struct prose *prose_new(void)
{
    struct prose *prose = calloc(1, sizeof(*prose));
    ASSERT(prose != NULL);
    return prose;
}

void prose_free(struct prose *prose)
{
    free(prose);
}

/* ------------------------------------------------------------------ tokens */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_letter(c);
}

static uint32_t code_of(struct str s, size_t size)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    uint32_t code = size == 1 ? p[0] : p[0] & (0xFFU >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        code = code << 6 | (p[i] & 0x3F);
    }
    return code;
}

/* What a character outside ASCII is to the reader of figures. */
enum other { OTHER_MARK, OTHER_LETTER, OTHER_FIGURE, OTHER_SPACE, OTHER_SCRIPT };

static enum other other_of(uint32_t code)
{
    static const struct {
        uint32_t first;
        uint32_t last;
        enum other other;
    } ranges[] = {
        {0xA0, 0xA0, OTHER_SPACE},        {0xB2, 0xB3, OTHER_FIGURE},
        {0xB9, 0xB9, OTHER_FIGURE},       {0xBC, 0xBE, OTHER_FIGURE}, /* ¼ ½ ¾ */
        {0xB5, 0xB5, OTHER_LETTER},       {0xAA, 0xAA, OTHER_LETTER},
        {0xA1, 0xBF, OTHER_MARK},         {0xD7, 0xD7, OTHER_MARK},
        {0xF7, 0xF7, OTHER_MARK},         {0xC0, 0x24F, OTHER_LETTER},
        {0x300, 0x36F, OTHER_MARK},       {0x3BC, 0x3BC, OTHER_LETTER}, /* μ */
        {0x2000, 0x200A, OTHER_SPACE},    {0x202F, 0x202F, OTHER_SPACE},
        {0x2070, 0x209C, OTHER_FIGURE},   {0x20E3, 0x20E3, OTHER_FIGURE}, /* keycap */
        {0x2150, 0x218B, OTHER_FIGURE},   {0x2000, 0x245F, OTHER_MARK},
        {0x2460, 0x249B, OTHER_FIGURE},   {0x24EA, 0x24FF, OTHER_FIGURE},
        {0x2776, 0x2793, OTHER_FIGURE},   {0x2500, 0x2BFF, OTHER_MARK},
        {0x3007, 0x3007, OTHER_FIGURE},   {0x3020, 0x3029, OTHER_FIGURE},
        {0x3038, 0x303A, OTHER_FIGURE},   {0xFE0E, 0xFE0F, OTHER_MARK},
        {0xFF10, 0xFF19, OTHER_FIGURE},   {0x1D7CE, 0x1D7FF, OTHER_FIGURE},
        {0x1F100, 0x1F10C, OTHER_FIGURE}, {0x1F300, 0x1FAFF, OTHER_MARK},
    };
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return ranges[i].other;
        }
    }
    return OTHER_SCRIPT;
}

struct reader {
    struct prose *prose;
    struct str rest;
    char before; /* the byte in front of the rest; 0: none */
    int sentence;
    bool failed;
};

static void add_token(struct reader *r, enum prose_token_kind kind, size_t len)
{
    struct prose *prose = r->prose;
    if (prose->token_count == PROSE_TOKENS_MAX) {
        r->failed = true;
    } else {
        prose->tokens[prose->token_count++] = (struct prose_token){
            .kind = kind, .text = str_n(r->rest.ptr, len), .sentence = r->sentence};
    }
    r->before = r->rest.ptr[len - 1];
    r->rest = str_n(r->rest.ptr + len, r->rest.len - len);
}

/* The length of the letter at i, which may be one of two bytes; 0: it is none. */
static size_t letter_at(struct str s, size_t i)
{
    if (i >= s.len) {
        return 0;
    }
    if (is_alnum(s.ptr[i])) {
        return 1;
    }
    struct str rest = str_n(s.ptr + i, s.len - i);
    size_t size = str_utf8_size(rest);
    return size == 2 && other_of(code_of(rest, size)) == OTHER_LETTER ? size : 0;
}

/* The length of the word in front; *ret_plain: without what is joined to it by - / : . and so on;
 * *ret_digits: it has a digit. */
static size_t word_size(struct str s, size_t *ret_plain, bool *ret_digits)
{
    size_t len = 0;
    *ret_plain = 0;
    *ret_digits = false;
    for (;;) {
        size_t size = letter_at(s, len);
        if (size == 0) {
            bool joins = len > 0 && len < s.len && strchr(".,:/-'~@#", s.ptr[len]) != NULL &&
                         letter_at(s, len + 1) > 0;
            /* A comma joins digits only. */
            joins = joins &&
                    (s.ptr[len] != ',' || (is_digit(s.ptr[len - 1]) && is_digit(s.ptr[len + 1])));
            if (!joins) {
                break;
            }
            *ret_plain = *ret_plain == 0 ? len : *ret_plain;
            size = 1;
        }
        *ret_digits |= is_digit(s.ptr[len]);
        len += size;
    }
    *ret_plain = *ret_plain == 0 ? len : *ret_plain;
    return len;
}

/* A JSON Pointer or a command: "/trades/recent". */
static size_t path_size(const struct reader *r)
{
    struct str s = r->rest;
    if (s.ptr[0] != '/' || is_alnum(r->before) || letter_at(s, 1) == 0) {
        return 0;
    }
    size_t len = 1;
    while (len < s.len && (is_alnum(s.ptr[len]) || strchr("/~.:-", s.ptr[len]) != NULL)) {
        len++;
    }
    while (len > 1 && strchr(".:-/", s.ptr[len - 1]) != NULL) {
        len--;
    }
    return len;
}

static void read_mark(struct reader *r)
{
    size_t size = str_utf8_size(r->rest);
    char c = r->rest.ptr[0];
    bool ends = strchr(".;!?\n", c) != NULL &&
                (r->rest.len == 1 || strchr(" \n\t)\"'", r->rest.ptr[1]) != NULL || c == '\n');
    if (size == 0) {
        r->failed = true;
        return;
    }
    if (size > 1) {
        enum other other = other_of(code_of(r->rest, size));
        if (other == OTHER_SPACE) {
            r->before = ' ';
            r->rest = str_n(r->rest.ptr + size, r->rest.len - size);
            return;
        }
        r->failed |= other == OTHER_SCRIPT;
        add_token(r, other == OTHER_FIGURE ? PROSE_DIGITS : PROSE_MARK, size);
        return;
    }
    add_token(r, PROSE_MARK, 1);
    r->sentence += ends ? 1 : 0;
}

static void read_token(struct reader *r)
{
    char c = r->rest.ptr[0];
    if (c == ' ' || c == '\t' || c == '\r') {
        r->before = c;
        r->rest = str_n(r->rest.ptr + 1, r->rest.len - 1);
        return;
    }
    size_t plain = 0;
    bool digits = false;
    size_t path = path_size(r);
    if (path > 0) {
        for (size_t i = 0; i < path; i++) {
            digits |= is_digit(r->rest.ptr[i]);
        }
        add_token(r, digits ? PROSE_DIGITS : PROSE_WORD, path);
        return;
    }
    bool decimal = c == '.' && r->rest.len > 1 && is_digit(r->rest.ptr[1]) && !is_alnum(r->before);
    if (decimal) {
        size_t len = 1 + word_size(str_n(r->rest.ptr + 1, r->rest.len - 1), &plain, &digits);
        add_token(r, PROSE_DIGITS, len);
        return;
    }
    size_t len = word_size(r->rest, &plain, &digits);
    if (len == 0) {
        read_mark(r);
    } else {
        add_token(r, digits ? PROSE_DIGITS : PROSE_WORD, digits ? len : plain);
    }
}

static bool read_tokens(struct prose *prose, struct str text)
{
    struct reader r = {.prose = prose, .rest = text};
    prose->token_count = 0;
    while (r.rest.len > 0 && !r.failed) {
        read_token(&r);
    }
    return !r.failed;
}

/* ------------------------------------------------------------------ neighbours */

static bool is_one_of(struct str word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_equal_nocase(word, *words)) {
            return true;
        }
    }
    return false;
}

static bool is_in_figure(const struct prose *prose, int token)
{
    for (int i = 0; i < prose->figure_count; i++) {
        if (token >= prose->figures[i].first && token <= prose->figures[i].last) {
            return true;
        }
    }
    return false;
}

/* Looks at up to `count` tokens in one direction. */
static bool look(const struct prose *prose, int from, int step, int count, const char *const *words)
{
    for (int i = 1; i <= count; i++) {
        int at = from + i * step;
        if (at < 0 || at >= prose->token_count ||
            prose->tokens[at].sentence != prose->tokens[from].sentence || is_in_figure(prose, at) ||
            strchr(".;", prose->tokens[at].text.ptr[0]) != NULL) {
            return false;
        }
        if (is_one_of(prose->tokens[at].text, words)) {
            return true;
        }
    }
    return false;
}

bool prose_is_near(const struct prose *prose, int figure, struct prose_near near,
                   const char *const *words)
{
    const struct prose_figure *f = &prose->figures[figure];
    return look(prose, f->first, -1, near.before, words) ||
           look(prose, f->last, 1, near.after, words);
}

bool prose_in_sentence(const struct prose *prose, int figure, const char *const *words)
{
    int sentence = prose->tokens[prose->figures[figure].first].sentence;
    for (int i = 0; i < prose->token_count; i++) {
        if (prose->tokens[i].sentence == sentence && is_one_of(prose->tokens[i].text, words)) {
            return true;
        }
    }
    return false;
}

struct str prose_sentence(const struct prose *p, int i)
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

/* ------------------------------------------------------------------ figures */

bool prose_read(struct prose *prose, struct str text)
{
    prose->figure_count = 0;
    return read_tokens(prose, text) && prose_figures(prose);
}

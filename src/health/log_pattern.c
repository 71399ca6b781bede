#include "log_pattern.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS   (4 * LOG_PATTERNS_MAX)
#define ID_MIN  8  /* characters of a mix of letters and digits that is an id */
#define HEX_MIN 12 /* hexadecimal digits without a decimal one, which could be a word */

struct log_patterns {
    int64_t recent_us;
    struct log_pattern *items; /* owned */
    size_t count;
    int64_t other;
    uint16_t slots[SLOTS]; /* index + 1 by hash, linear probing; 0: free */
};

struct log_patterns *log_patterns_new(int64_t recent_us)
{
    struct log_patterns *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    p->recent_us = recent_us;
    return p;
}

void log_patterns_free(struct log_patterns *p)
{
    if (p != NULL) {
        free(p->items);
        free(p);
    }
}

/* ------------------------------------------------------------------------------------ mask ---- */

static bool is_token(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || c == ':' || c == '+';
}

static bool is_time(struct str token)
{
    int64_t ignored = 0;
    struct str clock = token;
    bool of_day = token.len >= 5 && token.len <= 15 && isdigit((unsigned char)token.ptr[0]) &&
                  (token.ptr[1] == ':' || token.ptr[2] == ':');
    for (size_t i = 0; of_day && i < clock.len; i++) {
        of_day = isdigit((unsigned char)clock.ptr[i]) || clock.ptr[i] == ':' || clock.ptr[i] == '.';
    }
    return of_day || clock_parse_iso(token, &ignored);
}

/* A mix such as 7f3a91c0, 3fb0c7e2-0c1d-4e55-9d3b-6a4c0d1e2f3a or 0x7ffd12: changes each time. */
static bool is_id(struct str token)
{
    size_t digits = 0, letters = 0, hex = 0, changes = 0;
    for (size_t i = 0; i < token.len; i++) {
        unsigned char c = (unsigned char)token.ptr[i];
        digits += isdigit(c) ? 1 : 0;
        letters += isalpha(c) ? 1 : 0;
        hex += isxdigit(c) ? 1 : 0;
        changes += i > 0 && isalnum(c) && isalnum((unsigned char)token.ptr[i - 1]) &&
                           (isdigit(c) != 0) != (isdigit((unsigned char)token.ptr[i - 1]) != 0)
                       ? 1
                       : 0;
        if (!isalnum(c) && c != '-') {
            return false;
        }
    }
    bool prefixed = token.len > 2 && token.ptr[0] == '0' && tolower(token.ptr[1]) == 'x';
    bool all_hex = letters + digits == hex && letters > 0 && digits > 0 && hex >= ID_MIN;
    bool long_hex = letters + digits == hex && hex >= HEX_MIN;
    return prefixed || all_hex || long_hex || (token.len >= ID_MIN && changes >= 3);
}

/* Each number, with its fraction, is one #. */
static void add_numbers_masked(struct buf *out, struct str token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (!isdigit((unsigned char)token.ptr[i])) {
            buf_add_char(out, token.ptr[i]);
            continue;
        }
        buf_add_char(out, '#');
        while (i + 1 < token.len && (isdigit((unsigned char)token.ptr[i + 1]) ||
                                     (token.ptr[i + 1] == '.' && i + 2 < token.len &&
                                      isdigit((unsigned char)token.ptr[i + 2])))) {
            i++;
        }
    }
}

static void add_token(struct buf *out, struct str token)
{
    struct str end = str_c("");
    while (token.len > 0 && strchr(".:", token.ptr[token.len - 1]) != NULL) {
        token.len--; /* punctuation of the sentence */
        end = str_n(token.ptr + token.len, end.len + 1);
    }
    if (is_time(token)) {
        buf_add_c(out, "<time>");
    } else if (is_id(token)) {
        buf_add_c(out, "<id>");
    } else {
        add_numbers_masked(out, token);
    }
    buf_add_str(out, end);
}

/* The size of a quoted text at i, its marks included; 0: none begins there. */
static size_t quoted_size(struct str line, size_t i)
{
    char mark = line.ptr[i];
    if ((mark != '"' && mark != '\'') || (i > 0 && isalnum((unsigned char)line.ptr[i - 1]))) {
        return 0;
    }
    const char *end = memchr(line.ptr + i + 1, mark, line.len - i - 1);
    return end == NULL ? 0 : (size_t)(end - line.ptr) - i + 1;
}

void log_pattern_mask(struct str line, char ret[LOG_PATTERN_SIZE])
{
    AUTO_BUF struct buf out = BUF_INIT((size_t)16 * 1024);
    line.len = line.len > 4096 ? 4096 : line.len;
    for (size_t i = 0; i < line.len;) {
        size_t size = quoted_size(line, i);
        if (size > 0) {
            buf_add_c(&out, "\"…\"");
            i += size;
            continue;
        }
        while (i + size < line.len && is_token(line.ptr[i + size])) {
            size++;
        }
        if (size > 0) {
            add_token(&out, str_n(line.ptr + i, size));
            i += size;
        } else {
            buf_add_char(&out, line.ptr[i++]);
        }
    }
    str_cut(buf_str(&out), ret, LOG_PATTERN_SIZE);
}

/* ------------------------------------------------------------------------------------- add ---- */

static uint64_t hash_of(const char *text)
{
    return hash_add(HASH_BEGIN, text, strlen(text));
}

/* The pattern with this text, made if there is room; NULL: none is left. */
static struct log_pattern *find(struct log_patterns *p, const char *text)
{
    size_t slot = (size_t)(hash_of(text) % SLOTS);
    while (p->slots[slot] != 0) {
        struct log_pattern *item = &p->items[p->slots[slot] - 1];
        if (strcmp(item->text, text) == 0) {
            return item;
        }
        slot = (slot + 1) % SLOTS;
    }
    if (p->count == LOG_PATTERNS_MAX) {
        return NULL;
    }
    if ((p->count & (p->count - 1)) == 0) { /* a power of two: double */
        p->items = reallocarray(p->items, p->count == 0 ? 1 : 2 * p->count, sizeof(p->items[0]));
        NEED_MEMORY(p->items);
    }
    struct log_pattern *item = &p->items[p->count++];
    *item = (struct log_pattern){0};
    (void)str_copy(str_c(text), item->text, sizeof(item->text));
    p->slots[slot] = (uint16_t)p->count;
    return item;
}

void log_patterns_add(struct log_patterns *p, struct str line, int64_t at_us)
{
    char text[LOG_PATTERN_SIZE];
    log_pattern_mask(line, text);
    struct log_pattern *item = find(p, text);
    if (item == NULL) {
        p->other++;
        return;
    }
    item->first_us = item->count == 0 ? at_us : item->first_us;
    item->last_us = at_us;
    item->count++;
    item->recent += at_us >= p->recent_us ? 1 : 0;
    str_cut(line, item->example, sizeof(item->example));
}

static int compare(const void *a, const void *b)
{
    const struct log_pattern *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->text, y->text);
}

void log_patterns_sort(struct log_patterns *p, bool only_new)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (!only_new || p->items[i].recent == p->items[i].count) {
            p->items[kept++] = p->items[i];
        }
    }
    p->count = kept;
    if (kept > 0) {
        qsort(p->items, kept, sizeof(p->items[0]), compare);
    }
}

size_t log_patterns_count(const struct log_patterns *p)
{
    return p->count;
}

const struct log_pattern *log_patterns_at(const struct log_patterns *p, size_t index)
{
    return &p->items[index];
}

int64_t log_patterns_other(const struct log_patterns *p)
{
    return p->other;
}

#include "base/str.h"

#include "base/check.h"

#include <math.h>

struct str str_n(const char *ptr, size_t len)
{
    if (len == 0 || ptr == NULL) {
        return STR_LIT("");
    }
    return (struct str){.ptr = ptr, .len = len};
}

struct str str_c(const char *text)
{
    return text == NULL ? STR_LIT("") : str_n(text, strlen(text));
}

bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

bool str_equal_c(struct str a, const char *b)
{
    return str_equal(a, str_c(b));
}

/* ASCII only, since it compares names and keywords, whose meaning must not depend on the locale. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_equal_nocase(struct str a, const char *b)
{
    struct str other = str_c(b);
    if (a.len != other.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(other.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool str_starts(struct str s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && memcmp(s.ptr, prefix, len) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s = str_n(s.ptr + 1, s.len - 1);
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return str_n(s.ptr, s.len);
}

bool str_word(struct str *rest, struct str *ret_word)
{
    struct str s = str_trim(*rest);
    size_t len = 0;
    while (len < s.len && !is_blank(s.ptr[len])) {
        len++;
    }
    *rest = str_n(s.ptr + len, s.len - len);
    if (len == 0) {
        return false;
    }
    *ret_word = str_n(s.ptr, len);
    return true;
}

bool str_split(struct str *rest, char separator, struct str *ret_part)
{
    if (rest->len == 0) {
        return false;
    }
    const char *found = memchr(rest->ptr, separator, rest->len);
    if (found == NULL) {
        *ret_part = *rest;
        *rest = STR_LIT("");
        return true;
    }
    size_t len = (size_t)(found - rest->ptr);
    *ret_part = str_n(rest->ptr, len);
    *rest = str_n(found + 1, rest->len - len - 1);
    return true;
}

bool str_to_i64(struct str s, int64_t *ret)
{
    size_t at = 0;
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (negative || (s.len > 0 && s.ptr[0] == '+')) {
        at = 1;
    }
    if (at == s.len) {
        return false;
    }
    /* Accumulates the negative value, because INT64_MIN has no positive counterpart. */
    int64_t value = 0;
    for (; at < s.len; at++) {
        if (!is_digit(s.ptr[at]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, s.ptr[at] - '0', &value)) {
            return false;
        }
    }
    if (!negative && __builtin_sub_overflow(0, value, &value)) {
        return false;
    }
    *ret = value;
    return true;
}

bool str_to_double(struct str s, double *ret)
{
    char text[64];
    if (s.len == 0 || !str_copy(s, text, sizeof(text))) {
        return false;
    }
    /* strtod also accepts spaces, hex, "inf" and "nan", which are not allowed here. */
    for (size_t i = 0; i < s.len; i++) {
        char c = text[i];
        if (!is_digit(c) && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E') {
            return false;
        }
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (end != text + s.len || !isfinite(value)) {
        return false;
    }
    *ret = value;
    return true;
}

bool str_copy(struct str s, char *dst, size_t dst_size)
{
    ASSERT(dst_size > 0);
    size_t len = s.len < dst_size ? s.len : dst_size - 1;
    memcpy(dst, s.ptr, len);
    dst[len] = '\0';
    return len == s.len;
}

void str_cut(struct str s, char *dst, size_t dst_size)
{
    size_t len = 0;
    while (len < s.len) {
        size_t size = str_utf8_size(str_n(s.ptr + len, s.len - len));
        size = size == 0 ? 1 : size;
        if (len + size >= dst_size) {
            break;
        }
        len += size;
    }
    (void)str_copy(str_n(s.ptr, len), dst, dst_size);
}

size_t str_utf8_size(struct str s)
{
    if (s.len == 0) {
        return 0;
    }
    const unsigned char *p = (const unsigned char *)s.ptr;
    if (p[0] < 0x80) {
        return 1;
    }
    /* The range of the second byte excludes overlong forms, surrogates and > U+10FFFF (RFC 3629,
     * section 4). */
    size_t size;
    unsigned char low = 0x80, high = 0xBF;
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        size = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        size = 3;
        low = p[0] == 0xE0 ? 0xA0 : low;
        high = p[0] == 0xED ? 0x9F : high;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        size = 4;
        low = p[0] == 0xF0 ? 0x90 : low;
        high = p[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (s.len < size || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF) {
            return 0;
        }
    }
    return size;
}

bool str_is_utf8(struct str s)
{
    while (s.len > 0) {
        size_t size = str_utf8_size(s);
        if (size == 0) {
            return false;
        }
        s = str_n(s.ptr + size, s.len - size);
    }
    return true;
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

bool str_is_unsafe(struct str s, size_t size)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } ranges[] = {
        {0x00, 0x1F},       {0x7F, 0x9F},     /* control characters */
        {0x61C, 0x61C},     {0x200E, 0x200F}, /* direction marks */
        {0x200B, 0x200B},                     /* zero width space */
        {0x2028, 0x2029},                     /* line and paragraph separators */
        {0x202A, 0x202E},   {0x2066, 0x2069}, /* embeddings, overrides, isolates */
        {0x2060, 0x2064},   {0xFEFF, 0xFEFF}, /* invisible joiners and operators */
        {0xFFF9, 0xFFFB},                     /* annotations */
        {0xE0000, 0xE007F},                   /* tags */
    };
    uint32_t code = code_of(s, size);
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

void str_make_safe(char *text)
{
    for (char *at = text; *at != '\0';) {
        struct str rest = str_c(at);
        size_t size = str_utf8_size(rest);
        bool kept = size > 0 && (*at == '\n' || *at == '\t' || !str_is_unsafe(rest, size));
        size = size > 0 ? size : 1;
        if (!kept) {
            memset(at, '?', size);
        }
        at += size;
    }
}

size_t str_utf16_len(struct str s)
{
    /* One unit for each sequence, two beyond the basic plane (lead byte F0..F4). */
    size_t units = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x80 || c >= 0xC0) {
            units += c >= 0xF0 ? 2 : 1;
        }
    }
    return units;
}

#define DISTANCE_CAP 8

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Only cells within DISTANCE_CAP of the diagonal can stay below the cap, so three rows of a band of
 * 17 cells are enough for any lengths. Cell k of row i is column i + k - CAP. */
int str_distance(struct str a, struct str b)
{
    size_t apart = a.len > b.len ? a.len - b.len : b.len - a.len;
    if (apart >= DISTANCE_CAP) {
        return DISTANCE_CAP;
    }
    enum { BAND = 2 * DISTANCE_CAP + 1 };
    int rows[3][BAND + 1];
    for (size_t i = 0; i <= a.len; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3];
        const int *above2 = rows[(i + 1) % 3];
        row[BAND] = DISTANCE_CAP; /* read as "right of the band" by the next row */
        for (size_t k = 0; k < BAND; k++) {
            row[k] = DISTANCE_CAP;
            if (i + k < DISTANCE_CAP || i + k - DISTANCE_CAP > b.len) {
                continue;
            }
            size_t j = i + k - DISTANCE_CAP;
            int best = DISTANCE_CAP;
            if (i == 0) {
                best = min_int(best, (int)k - DISTANCE_CAP);
            } else {
                best = min_int(best, above[k + 1] + 1);
            }
            if (j > 0 && k > 0) {
                best = min_int(best, row[k - 1] + 1);
            }
            if (i > 0 && j > 0) {
                best = min_int(best, above[k] + (a.ptr[i - 1] != b.ptr[j - 1]));
            }
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1]) {
                best = min_int(best, above2[k] + 1);
            }
            row[k] = best;
        }
    }
    return rows[a.len % 3][b.len + DISTANCE_CAP - a.len];
}

/* ------------------------------------------------------------------------------- secrets ---- */

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '+' || c == '=';
}

/* "123456:AAE…": the digits of the bot, a colon, 35 characters. */
static bool begins_bot_token(struct str s)
{
    size_t digits = 0, rest = 0;
    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9') {
        digits++;
    }
    if (digits < 5 || digits >= s.len || s.ptr[digits] != ':') {
        return false;
    }
    for (size_t i = digits + 1; i < s.len && (is_token_char(s.ptr[i]) || s.ptr[i] == '-'); i++) {
        rest++;
    }
    return rest >= 16;
}

/* "://user:password@" */
static bool begins_password(struct str s)
{
    if (!str_starts(s, "://")) {
        return false;
    }
    bool colon = false;
    for (size_t i = 3; i < s.len && s.ptr[i] != '/' && s.ptr[i] != ' '; i++) {
        if (s.ptr[i] == '@') {
            return colon;
        }
        colon = colon || s.ptr[i] == ':';
    }
    return false;
}

bool str_looks_secret(struct str s)
{
    size_t run = 0, digits = 0, letters = 0;
    for (size_t i = 0; i < s.len; i++) {
        struct str rest = str_n(s.ptr + i, s.len - i);
        if (begins_bot_token(rest) || begins_password(rest) || str_starts(rest, "sk-ant-") ||
            str_starts(rest, "xoxb-") || str_starts(rest, "ghp_")) {
            return true;
        }
        bool is_digit = s.ptr[i] >= '0' && s.ptr[i] <= '9';
        if (!is_token_char(s.ptr[i])) {
            run = digits = letters = 0;
            continue;
        }
        run++;
        digits += is_digit ? 1 : 0;
        letters += is_digit ? 0 : 1;
        if (run >= 20 && digits >= 2 && letters >= 2) {
            return true;
        }
    }
    return false;
}

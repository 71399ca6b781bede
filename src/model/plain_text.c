#include "model/plain_text.h"

#include "base/buf.h"
#include "base/check.h"

#include <string.h>

#define COMBINING_MAX 2
#define PHONE_DIGITS  7

static uint32_t code_of(struct str s, size_t size)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    uint32_t code = size == 1 ? p[0] : p[0] & (0xFFU >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        code = code << 6 | (p[i] & 0x3F);
    }
    return code;
}

/* Characters without a picture that str_is_unsafe leaves alone, since names of people need them. */
static bool is_invisible(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0xAD, 0xAD},     {0x34F, 0x34F},     {0x115F, 0x1160},  {0x17B4, 0x17B5}, {0x180B, 0x180F},
        {0x200B, 0x200F}, {0x2060, 0x206F},   {0x3164, 0x3164},  {0xFE00, 0xFE0F}, {0xFFA0, 0xFFA0},
        {0xFFF0, 0xFFFB}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

static bool is_combining(uint32_t code)
{
    return (code >= 0x300 && code <= 0x36F) || (code >= 0x1AB0 && code <= 0x1AFF) ||
           (code >= 0x1DC0 && code <= 0x1DFF) || (code >= 0x20D0 && code <= 0x20FF);
}

static void strip(struct str text, enum plain_form form, struct buf *out)
{
    int combining = 0;
    while (text.len > 0) {
        size_t size = str_utf8_size(text);
        char c = text.ptr[0];
        if (c == '\t' || (c == '\n' && form == PLAIN_LINE)) {
            buf_add_char(out, ' ');
        } else if (c == '\n') {
            buf_add_char(out, c);
        } else if (size > 0 && !str_is_unsafe(text, size)) {
            uint32_t code = code_of(text, size);
            combining = is_combining(code) ? combining + 1 : 0;
            if (combining <= COMBINING_MAX && !is_invisible(code)) {
                buf_add(out, text.ptr, size);
            }
        }
        size = size == 0 ? 1 : size;
        text = str_n(text.ptr + size, text.len - size);
    }
}

/* ------------------------------------------------------------------ what a phone makes tappable */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_letter(char c)
{
    return is_word(c) && c != '_' && (c < '0' || c > '9');
}

/* The number of word characters at the front. */
static size_t word_at(struct str s, size_t at)
{
    size_t len = 0;
    while (at + len < s.len && is_word(s.ptr[at + len])) {
        len++;
    }
    return len;
}

static bool is_command(struct str s, size_t at)
{
    size_t len = word_at(s, at + 1);
    size_t end = at + 1 + len;
    return len > 0 && (end == s.len || s.ptr[end] != '/');
}

static bool is_tag(struct str s, size_t at)
{
    size_t len = word_at(s, at + 1);
    for (size_t i = 0; i < len; i++) {
        if (s.ptr[at + 1 + i] < '0' || s.ptr[at + 1 + i] > '9') {
            return true;
        }
    }
    return false;
}

static bool is_phone(struct str s, size_t at)
{
    int digits = 0;
    for (size_t i = at + 1; i < s.len && strchr("0123456789 -().", s.ptr[i]) != NULL; i++) {
        digits += s.ptr[i] >= '0' && s.ptr[i] <= '9' ? 1 : 0;
    }
    return at + 1 < s.len && s.ptr[at + 1] >= '0' && s.ptr[at + 1] <= '9' && digits >= PHONE_DIGITS;
}

/* A dot between two labels of a host name: "evil.com". */
static bool is_host_dot(struct str s, size_t at)
{
    size_t len = word_at(s, at + 1);
    if (at == 0 || !is_word(s.ptr[at - 1]) || len < 2 || !is_letter(s.ptr[at + 1]) ||
        memchr(s.ptr + at + 1, '_', len) != NULL) {
        return false;
    }
    return true;
}

static void defuse(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool joined = i > 0 && is_word(s.ptr[i - 1]);
        bool upper = i + 1 < s.len && s.ptr[i + 1] >= 'A' && s.ptr[i + 1] <= 'Z';
        if (c == '.' && is_host_dot(s, i)) {
            buf_add_c(out, "[.]");
            continue;
        }
        buf_add_char(out, c);
        bool scheme = c == ':' && i > 0 && joined && i + 2 < s.len && s.ptr[i + 1] == '/' &&
                      s.ptr[i + 2] == '/';
        bool command = c == '/' && !joined && (i == 0 || s.ptr[i - 1] != '/') && is_command(s, i);
        bool name = c == '@' && !joined && word_at(s, i + 1) > 0;
        bool tag = c == '#' && !joined && is_tag(s, i);
        bool ticker = c == '$' && !joined && upper;
        if (scheme || command || name || tag || ticker || (c == '+' && is_phone(s, i))) {
            buf_add_char(out, ' ');
        }
    }
}

/* ------------------------------------------------------------------ */

void plain_strip(struct str text, enum plain_form form, char *dst, size_t dst_size)
{
    AUTO_BUF struct buf stripped = BUF_INIT(text.len);
    strip(text, form, &stripped);
    str_cut(buf_str(&stripped), dst, dst_size);
}

void plain_text(struct str text, enum plain_form form, char *dst, size_t dst_size)
{
    AUTO_BUF struct buf stripped = BUF_INIT(text.len);
    AUTO_BUF struct buf defused = BUF_INIT(3 * text.len);
    strip(text, form, &stripped);
    defuse(buf_str(&stripped), &defused);
    str_cut(buf_str(&defused), dst, dst_size);
}

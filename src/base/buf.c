#include "base/buf.h"

#include "base/check.h"

#include <stdint.h>

char buf_empty[1] = "";

#define BUF_FIRST_SIZE 128

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf)BUF_INIT(max_bytes);
}

void buf_release(struct buf *b)
{
    if (b == NULL) {
        return;
    }
    if (b->cap > 0) {
        free(b->data);
    }
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    buf_truncate(b, 0);
    b->failed = false;
}

void buf_truncate(struct buf *b, size_t len)
{
    ASSERT(len <= b->len);
    b->len = len;
    /* buf_empty is shared between threads and must never be written. */
    if (b->cap > 0) {
        b->data[len] = '\0';
    }
}

/* Ensures capacity for `more` bytes and a terminator, or marks the buffer failed. */
static bool reserve(struct buf *b, size_t more)
{
    if (b->failed) {
        return false;
    }
    if (more > b->max - b->len || b->max == SIZE_MAX) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap) {
        return true;
    }
    size_t cap = b->cap == 0 ? BUF_FIRST_SIZE : b->cap;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    if (cap > b->max + 1) {
        cap = b->max + 1;
    }
    /* The maximum bounds the size. A text without its middle would be worse than no text. */
    char *data = realloc(b->cap > 0 ? b->data : NULL, cap);
    NEED_MEMORY(data != NULL);
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_reserve(struct buf *b, size_t len)
{
    if (len > b->len) {
        (void)reserve(b, len - b->len);
    }
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !reserve(b, len)) {
        return;
    }
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_add_c(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_addv(b, format, args);
    va_end(args);
}

void buf_addv(struct buf *b, const char *format, va_list args)
{
    if (b->failed) {
        return;
    }
    va_list again;
    va_copy(again, args);
    size_t space = b->cap - b->len;
    int len = vsnprintf(b->cap > 0 ? b->data + b->len : NULL, b->cap > 0 ? space : 0, format, args);
    if (len < 0) {
        b->failed = true;
    } else if ((size_t)len < space) {
        b->len += (size_t)len;
    } else if (reserve(b, (size_t)len)) {
        (void)vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
    /* A failed append keeps the previous content and drops the part that did fit. */
    buf_truncate(b, b->len);
}

/* The number of leading bytes that are printable ASCII and need no escape. */
static size_t plain_run(struct str s)
{
    size_t len = 0;
    while (len < s.len && s.ptr[len] >= 0x20 && s.ptr[len] < 0x7F && s.ptr[len] != '"' &&
           s.ptr[len] != '\\') {
        len++;
    }
    return len;
}

void buf_add_json(struct buf *b, struct str s)
{
    while (s.len > 0 && !b->failed) {
        size_t run = plain_run(s);
        if (run > 0) {
            buf_add(b, s.ptr, run);
            s = str_n(s.ptr + run, s.len - run);
            continue;
        }
        size_t size = str_utf8_size(s);
        unsigned char c = (unsigned char)s.ptr[0];
        if (size == 0) {
            buf_add_c(b, "\xEF\xBF\xBD");
            size = 1;
        } else if (c == '"' || c == '\\') {
            buf_addf(b, "\\%c", c);
        } else if (c == '\n') {
            buf_add_c(b, "\\n");
        } else if (c == '\r') {
            buf_add_c(b, "\\r");
        } else if (c == '\t') {
            buf_add_c(b, "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            buf_addf(b, "\\u%04x", c);
        } else {
            buf_add(b, s.ptr, size);
        }
        s = str_n(s.ptr + size, s.len - size);
    }
}

void buf_add_html(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.len && !b->failed; i++) {
        switch (s.ptr[i]) {
        case '&':
            buf_add_c(b, "&amp;");
            break;
        case '<':
            buf_add_c(b, "&lt;");
            break;
        case '>':
            buf_add_c(b, "&gt;");
            break;
        case '"':
            buf_add_c(b, "&quot;");
            break;
        default:
            buf_add_char(b, s.ptr[i]);
            break;
        }
    }
}

bool buf_failed(const struct buf *b)
{
    return b->failed;
}

struct str buf_str(const struct buf *b)
{
    return str_n(b->data, b->len);
}

char *buf_detach(struct buf *b)
{
    if (b->failed) {
        buf_release(b);
        return NULL;
    }
    char *text = b->cap > 0 ? b->data : strdup("");
    buf_init(b, b->max);
    return text;
}

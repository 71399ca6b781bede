/*
 * buf.h: a growing text buffer with a maximum size.
 *
 *     AUTO_BUF struct buf b = BUF_INIT(4096);
 *     buf_add_c(&b, "Equity ");
 *     buf_addf(&b, "%s", money);
 *     if (buf_failed(&b)) return err_set(err, ERR_BUF_FULL, "status reply");
 *
 * Invariants: data is never NULL and always NUL-terminated; len <= max. After an append that does
 * not fit, `failed` stays set, further appends do nothing, and the existing content is kept, so a
 * chain of appends is checked once, at its end. An append aborts when memory runs out
 * (NEED_MEMORY). Ownership: the buffer owns its bytes; buf_detach transfers them. Thread: any, one
 * at a time per buffer.
 */
#pragma once

#include "base/auto.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len;
    size_t cap; /* bytes allocated; 0 while data points at the shared empty string */
    size_t max; /* most bytes it may hold, excluding the terminator */
    bool failed;
};

extern char buf_empty[1]; /* always "" */

#define BUF_INIT(max_bytes)                                       \
    {                                                             \
        .data = buf_empty, .len = 0, .cap = 0, .max = (max_bytes) \
    }
#define AUTO_BUF AUTO(buf_release)

void buf_init(struct buf *b, size_t max_bytes);
void buf_release(struct buf *b); /* leaves an empty buffer with the same maximum */
void buf_clear(struct buf *b);   /* keeps the memory; clears `failed` */

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_c(struct buf *b, const char *text);
void buf_add_str(struct buf *b, struct str s);
void buf_add_char(struct buf *b, char c);
__attribute__((format(printf, 2, 3))) void buf_addf(struct buf *b, const char *format, ...);
__attribute__((format(printf, 2, 0))) void buf_addv(struct buf *b, const char *format,
                                                    va_list args);

/* Text escaped for a JSON string, without the quotes; invalid UTF-8 becomes U+FFFD. */
void buf_add_json(struct buf *b, struct str s);
/* Text escaped for Telegram HTML: & < > ". */
void buf_add_html(struct buf *b, struct str s);

/* Makes room for len bytes in all, so that adding them moves nothing. */
void buf_reserve(struct buf *b, size_t len);

/* Truncates to len bytes (len <= b->len). */
void buf_truncate(struct buf *b, size_t len);

bool buf_failed(const struct buf *b);
struct str buf_str(const struct buf *b);

/* Returns the bytes as a heap string that the caller frees, and leaves the buffer empty. NULL if
 * the buffer has failed. */
char *buf_detach(struct buf *b);

/*
 * request_headers.h: the headers of a signed request, from lines to what io/http takes. Private to
 * this module.
 *
 *     request_headers_split(&lines, headers);
 *
 * Thread: any.
 */
#pragma once

#include "base/buf.h"

#include <string.h>

#define REQUEST_HEADERS_MAX  8
#define REQUEST_HEADERS_SIZE ((size_t)8 << 10)

/* Splits lines "Name: value\n" in place; the last entry is NULL. */
static inline void request_headers_split(struct buf *lines,
                                         const char *ret[REQUEST_HEADERS_MAX + 1])
{
    int count = 0;
    char *at = lines->len > 0 ? lines->data : NULL;
    while (at != NULL && *at != '\0' && count < REQUEST_HEADERS_MAX) {
        ret[count++] = at;
        char *end = strchr(at, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        at = end;
    }
    ret[count] = NULL;
}

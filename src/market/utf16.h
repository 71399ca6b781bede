/*
 * utf16.h: UTF-16 to UTF-8, in pieces (private to market).
 *
 *     struct utf16 decoder = {.big_endian = true};
 *     n = utf16_decode(&decoder, raw, raw_size, dst);          // dst: utf16_room(raw_size) bytes
 *     n = utf16_end(&decoder, dst);                            // half a character at the end
 *
 * What is not UTF-16 becomes U+FFFD.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct utf16 {
    bool big_endian;
    bool has_byte; /* the first half of a unit is waiting */
    unsigned char byte;
    uint16_t surrogate; /* the first half of a pair is waiting; 0: none */
};

static inline size_t utf16_room(size_t raw_size)
{
    return (raw_size / 2 + 2) * 3;
}

size_t utf16_decode(struct utf16 *utf16, const unsigned char *raw, size_t raw_size, char *dst);
size_t utf16_end(struct utf16 *utf16, char *dst); /* at most 3 bytes */

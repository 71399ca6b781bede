/*
 * hash.h: FNV-1a, 64 bits, of bytes that come in parts. To tell texts apart and to spread them; not
 * where somebody gains by a collision (see io/secret.h).
 *
 *     uint64_t hash = hash_add(HASH_BEGIN, bytes, len);
 *     hash = hash_add(hash, more, more_len);
 *
 * The same on every machine, so it may be stored. Fowler, Noll, Vo:
 * http://www.isthe.com/chongo/tech/comp/fnv/. Thread: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_BEGIN UINT64_C(14695981039346656037)

static inline uint64_t hash_add(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ from[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

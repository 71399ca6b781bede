/*
 * pack.h: converts plain values to bytes and back. One function per value handles both directions,
 * so that writing and reading cannot diverge.
 *
 *     struct pack p = PACK_WRITE(bytes, size);      // or PACK_READ(bytes, size)
 *     pack_i64(&p, &order->created_us);
 *     pack_count(&p, &order_count, ORDERS_LIMIT);
 *     if (p.failed) ...
 *
 * Integers are LEB128, signed ones with the sign in the lowest bit (zigzag), so small values are
 * short; doubles are their eight bytes, little endian; texts are a length and bytes.
 * Invariants: writing changes no value. After a failure (no space left, or invalid bytes) the pack
 * stays failed and every value read is zero, so one check at the end is enough. Reading never
 * passes the end.
 * Thread: one at a time per pack.
 */
#pragma once

#include "model/candle.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pack {
    uint8_t *bytes;
    size_t size; /* capacity when writing, length when reading */
    size_t at;
    int version; /* of the layout, for values whose layout has changed; set by the owner */
    bool reading;
    bool failed;
};

#define PACK_WRITE(dst, dst_size) ((struct pack){.bytes = (dst), .size = (dst_size)})
/* The bytes are not changed. */
#define PACK_READ(src, src_size) \
    ((struct pack){.bytes = (uint8_t *)(uintptr_t)(src), .size = (src_size), .reading = true})

void pack_bytes(struct pack *p, void *bytes, size_t size);
void pack_u64(struct pack *p, uint64_t *value);
void pack_i64(struct pack *p, int64_t *value);
/* Packs the difference from `base`, with wraparound: any two values are allowed. */
void pack_near(struct pack *p, int64_t *value, int64_t base);
void pack_u32(struct pack *p, uint32_t *value); /* four bytes, little endian */
void pack_bool(struct pack *p, bool *value);
void pack_double(struct pack *p, double *value);
/* 0..max; any other value fails. */
void pack_count(struct pack *p, int *value, int max);
void pack_dec(struct pack *p, struct dec *value);
/* A NUL-terminated array. Reading zero-fills the rest of the array. */
void pack_text(struct pack *p, char *text, size_t size);
void pack_symbol(struct pack *p, struct symbol *symbol);
void pack_candle(struct pack *p, struct candle *candle, int64_t near_us);

/* Packs an enum of 0..last. */
#define PACK_ENUM(p, field, last)                 \
    do {                                          \
        int pack_value_ = (int)(field);           \
        pack_count((p), &pack_value_, last);      \
        (field) = (__typeof__(field))pack_value_; \
    } while (0)

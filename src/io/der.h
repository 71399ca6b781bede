/*
 * der.h: reads ASN.1 values in DER (X.690), as far as keys and signatures need it: definite lengths
 * of at most 65,535 bytes. Private to io.
 *
 *     struct der all = der_of(bytes, size), sequence, number;
 *     if (der_take(&all, DER_SEQUENCE, &sequence) && der_take(&sequence, DER_INTEGER, &number)) …
 *
 * Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DER_INTEGER      0x02
#define DER_BIT_STRING   0x03
#define DER_OCTET_STRING 0x04
#define DER_OID          0x06
#define DER_SEQUENCE     0x30
#define DER_CONTEXT_0    0xA0 /* [0], constructed */

struct der {
    const uint8_t *at;
    size_t left;
};

static inline struct der der_of(const void *bytes, size_t size)
{
    return (struct der){bytes, size};
}

/* Takes the value at the front, whose contents become *ret. False, with *d unchanged, if it has
 * another tag or is not whole, or its length is not the shortest form. */
bool der_take(struct der *d, uint8_t tag, struct der *ret);
bool der_is(const struct der *d, const void *bytes, size_t size);
/* Writes an INTEGER that is not negative to size bytes, big-endian, with zeros in front. False if
 * it is negative or does not fit. */
bool der_number(const struct der *integer, uint8_t *ret, size_t size);

#include "pack.h"

#include <string.h>

static void write_bytes(struct pack *p, const void *bytes, size_t size)
{
    if (p->failed || p->size - p->at < size) {
        p->failed = true;
        return;
    }
    memcpy(p->bytes + p->at, bytes, size);
    p->at += size;
}

static void read_bytes(struct pack *p, void *bytes, size_t size)
{
    if (p->failed || p->size - p->at < size) {
        p->failed = true;
        memset(bytes, 0, size);
        return;
    }
    memcpy(bytes, p->bytes + p->at, size);
    p->at += size;
}

void pack_bytes(struct pack *p, void *bytes, size_t size)
{
    if (p->reading) {
        read_bytes(p, bytes, size);
    } else {
        write_bytes(p, bytes, size);
    }
}

static void write_u64(struct pack *p, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (uint8_t)(v & 0x7f);
        v >>= 7;
        bytes[n++] |= v != 0 ? 0x80 : 0;
    } while (v != 0);
    write_bytes(p, bytes, n);
}

static uint64_t read_u64(struct pack *p)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = 0;
        read_bytes(p, &byte, 1);
        /* The tenth byte holds only the last bit. */
        if (p->failed || (shift == 63 && byte > 1)) {
            break;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return v;
        }
    }
    p->failed = true;
    return 0;
}

void pack_u64(struct pack *p, uint64_t *value)
{
    if (p->reading) {
        *value = read_u64(p);
    } else {
        write_u64(p, *value);
    }
}

static int64_t as_signed(uint64_t v)
{
    int64_t s;
    memcpy(&s, &v, sizeof(s));
    return s;
}

void pack_near(struct pack *p, int64_t *value, int64_t base)
{
    if (p->reading) {
        uint64_t v = read_u64(p);
        uint64_t difference = (v >> 1) ^ (0 - (v & 1));
        *value = p->failed ? 0 : as_signed((uint64_t)base + difference);
        return;
    }
    uint64_t difference = (uint64_t)*value - (uint64_t)base;
    write_u64(p, (difference << 1) ^ (0 - (difference >> 63)));
}

void pack_i64(struct pack *p, int64_t *value)
{
    pack_near(p, value, 0);
}

void pack_u32(struct pack *p, uint32_t *value)
{
    uint8_t b[4] = {(uint8_t)*value, (uint8_t)(*value >> 8), (uint8_t)(*value >> 16),
                    (uint8_t)(*value >> 24)};
    pack_bytes(p, b, sizeof(b));
    if (p->reading) {
        *value = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    }
}

void pack_bool(struct pack *p, bool *value)
{
    uint8_t byte = *value ? 1 : 0;
    pack_bytes(p, &byte, 1);
    if (p->reading) {
        p->failed = p->failed || byte > 1;
        *value = byte == 1;
    }
}

void pack_double(struct pack *p, double *value)
{
    uint64_t bits = 0;
    uint8_t b[8];
    memcpy(&bits, value, sizeof(bits));
    for (unsigned i = 0; i < 8; i++) {
        b[i] = (uint8_t)(bits >> (8 * i));
    }
    pack_bytes(p, b, sizeof(b));
    if (p->reading) {
        bits = 0;
        for (unsigned i = 0; i < 8; i++) {
            bits |= (uint64_t)b[i] << (8 * i);
        }
        memcpy(value, &bits, sizeof(*value));
    }
}

void pack_count(struct pack *p, int *value, int max)
{
    if (p->reading) {
        uint64_t v = read_u64(p);
        p->failed = p->failed || v > (uint64_t)max;
        *value = p->failed ? 0 : (int)v;
        return;
    }
    p->failed = p->failed || *value < 0 || *value > max;
    write_u64(p, p->failed ? 0 : (uint64_t)*value);
}

void pack_dec(struct pack *p, struct dec *value)
{
    pack_i64(p, &value->e8);
}

void pack_text(struct pack *p, char *text, size_t size)
{
    int len = p->reading ? 0 : (int)strnlen(text, size - 1);
    pack_count(p, &len, (int)size - 1);
    if (p->reading) {
        memset(text, 0, size);
    }
    pack_bytes(p, text, (size_t)len);
    /* A NUL within the length would be written back as a shorter text. */
    if (p->reading && strlen(text) != (size_t)len) {
        p->failed = true;
    }
}

void pack_symbol(struct pack *p, struct symbol *symbol)
{
    pack_text(p, symbol->name, sizeof(symbol->name));
}

void pack_candle(struct pack *p, struct candle *candle, int64_t near_us)
{
    pack_near(p, &candle->open_us, near_us);
    pack_dec(p, &candle->open);
    pack_near(p, &candle->high.e8, candle->open.e8);
    pack_near(p, &candle->low.e8, candle->open.e8);
    pack_near(p, &candle->close.e8, candle->open.e8);
    pack_dec(p, &candle->volume);
}

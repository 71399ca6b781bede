#include "utf16.h"

#define REPLACEMENT 0xfffdu

static size_t put(char *dst, uint32_t c)
{
    if (c < 0x80) {
        dst[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        dst[0] = (char)(0xc0 | c >> 6);
        dst[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        dst[0] = (char)(0xe0 | c >> 12);
        dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
        dst[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    dst[0] = (char)(0xf0 | c >> 18);
    dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
    dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
    dst[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static size_t put_unit(struct utf16 *u, uint16_t unit, char *dst)
{
    size_t n = 0;
    bool second = unit >= 0xdc00 && unit <= 0xdfff;
    if (u->surrogate != 0 && second) {
        n = put(dst, 0x10000u + ((uint32_t)(u->surrogate - 0xd800) << 10) + (unit - 0xdc00u));
        u->surrogate = 0;
        return n;
    }
    if (u->surrogate != 0) {
        n = put(dst, REPLACEMENT);
        u->surrogate = 0;
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
        u->surrogate = unit;
        return n;
    }
    return n + put(dst + n, second ? REPLACEMENT : unit);
}

size_t utf16_decode(struct utf16 *u, const unsigned char *raw, size_t raw_size, char *dst)
{
    size_t n = 0;
    for (size_t i = 0; i < raw_size; i++) {
        if (!u->has_byte) {
            u->byte = raw[i];
            u->has_byte = true;
            continue;
        }
        unsigned first = u->big_endian ? u->byte : raw[i];
        unsigned second = u->big_endian ? raw[i] : u->byte;
        u->has_byte = false;
        n += put_unit(u, (uint16_t)(first << 8 | second), dst + n);
    }
    return n;
}

size_t utf16_end(struct utf16 *u, char *dst)
{
    bool cut = u->has_byte || u->surrogate != 0;
    u->has_byte = false;
    u->surrogate = 0;
    return cut ? put(dst, REPLACEMENT) : 0;
}

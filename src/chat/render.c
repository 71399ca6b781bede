#include "chat/render.h"

#include "base/check.h"

#include <stdint.h>

void render_parts_release(struct render_parts *parts)
{
    if (parts == NULL) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(parts->part); i++) {
        if (parts->part[i].data != NULL) {
            buf_release(&parts->part[i]);
        }
    }
    parts->count = 0;
    parts->overflow = false;
}

static uint32_t decode(const char *bytes, size_t size)
{
    const unsigned char *p = (const unsigned char *)bytes;
    switch (size) {
    case 1:
        return p[0];
    case 2:
        return ((uint32_t)(p[0] & 0x1f) << 6) | (p[1] & 0x3f);
    case 3:
        return ((uint32_t)(p[0] & 0x0f) << 12) | ((uint32_t)(p[1] & 0x3f) << 6) | (p[2] & 0x3f);
    default:
        return ((uint32_t)(p[0] & 0x07) << 18) | ((uint32_t)(p[1] & 0x3f) << 12) |
               ((uint32_t)(p[2] & 0x3f) << 6) | (p[3] & 0x3f);
    }
}

void render_clean(struct str text, bool keep_lines, struct buf *out)
{
    size_t i = 0;
    while (i < text.len) {
        const char *at = text.ptr + i;
        size_t size = str_utf8_size(str_n(at, text.len - i));
        if (size == 0) {
            buf_add_c(out, "\xef\xbf\xbd");
            i++;
            continue;
        }
        i += size;
        char c = *at;
        if (c == '\n') {
            buf_add_char(out, keep_lines ? '\n' : ' ');
        } else if (c == '\t') {
            buf_add_c(out, "    ");
        } else if (c == '\r' && i < text.len && text.ptr[i] == '\n') {
            continue;
        } else if (str_is_unsafe(str_n(at, size), size)) {
            buf_add_c(out, "\xef\xbf\xbd");
        } else {
            buf_add(out, at, size);
        }
    }
}

struct range {
    uint32_t first;
    uint32_t last;
};

/* Common nonspacing marks and format characters: Unicode 16's general categories Mn, Me and Cf.
 * Approximate for scripts that need shaping. Sorted. */
static const struct range zero_wide[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},   {0x0610, 0x061a},   {0x064b, 0x065f},
    {0x06d6, 0x06dc}, {0x0900, 0x0902}, {0x0941, 0x0948},   {0x094d, 0x094d},   {0x0e31, 0x0e31},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},   {0x1dc0, 0x1dff},   {0x200b, 0x200f},
    {0x2060, 0x2064}, {0x20d0, 0x20ff}, {0x302a, 0x302d},   {0x3099, 0x309a},   {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0100, 0xe01ef},
};

/* East Asian Width W and F of Unicode 16; adjacent blocks are merged. Sorted. */
static const struct range double_wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x23f0, 0x23f0},   {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},
    {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x26ce, 0x26ce},
    {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},
    {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27b0, 0x27b0},   {0x27bf, 0x27bf},
    {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},
    {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97c},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},
    {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
    {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335},
    {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3},
    {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440},
    {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567},
    {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f},
    {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6d7},
    {0x1f6dc, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7eb},
    {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff},
    {0x20000, 0x3fffd},
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c > ranges[middle].last) {
            low = middle + 1;
        } else if (c < ranges[middle].first) {
            high = middle;
        } else {
            return true;
        }
    }
    return false;
}

size_t render_width(struct str text)
{
    size_t columns = 0;
    bool narrow_before = false;
    for (size_t i = 0; i < text.len;) {
        size_t size = str_utf8_size(str_n(text.ptr + i, text.len - i));
        if (size == 0) {
            columns++;
            i++;
            continue;
        }
        uint32_t c = decode(text.ptr + i, size);
        i += size;
        if (c == 0xfe0f) {
            /* Variation selector 16 makes a narrow symbol a two-column emoji. */
            columns += narrow_before ? 1 : 0;
            narrow_before = false;
        } else if (in_ranges(c, zero_wide, COUNT_OF(zero_wide))) {
            continue;
        } else if (in_ranges(c, double_wide, COUNT_OF(double_wide))) {
            columns += 2;
            narrow_before = false;
        } else {
            columns++;
            narrow_before = true;
        }
    }
    return columns;
}

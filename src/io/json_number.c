#include "json_number.h"

#include "base/check.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_53 9007199254740992.0 /* up to here every integer has an exact double */

__extension__ typedef unsigned __int128 wide;

static const uint64_t powers[] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

size_t json_number_u64(uint64_t value, char *dst)
{
    char reversed[24];
    size_t len = 0;
    do {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < len; i++) {
        dst[i] = reversed[len - 1 - i];
    }
    dst[len] = '\0';
    return len;
}

size_t json_number_i64(int64_t value, char *dst)
{
    if (value >= 0) {
        return json_number_u64((uint64_t)value, dst);
    }
    dst[0] = '-';
    return 1 + json_number_u64(0 - (uint64_t)value, dst + 1);
}

/* digits / 10^scale in plain notation, without trailing zeros. */
static size_t plain(uint64_t digits, int scale, char *dst)
{
    while (scale > 0 && digits % 10 == 0) {
        digits /= 10;
        scale--;
    }
    char all[JSON_NUMBER_SIZE];
    size_t len = json_number_u64(digits, all);
    size_t fraction = (size_t)scale;
    size_t whole = len > fraction ? len - fraction : 0;
    size_t at = 0;
    if (whole == 0) {
        dst[at++] = '0';
    }
    memcpy(dst + at, all, whole);
    at += whole;
    if (fraction > 0) {
        dst[at++] = '.';
        for (size_t i = len; i < fraction; i++) {
            dst[at++] = '0';
        }
        memcpy(dst + at, all + whole, len - whole);
        at += len - whole;
    }
    dst[at] = '\0';
    return at;
}

/*
 * For 1e-4 <= value < 1e15: value = m * 2^-s. All is scaled by 10^k, so that the value has 17
 * digits before the point, and by 4 * 2^s, so that the bounds of the interval that rounds to the
 * value are whole. 4m < 2^55 and 10^k <= 10^20 < 2^67, so 128 bits are enough. Of 15, 16 and 17
 * digits the fewest whose nearest decimal lies between the bounds are taken: the same as trying
 * "%.15g",
 * "%.16g" and "%.17g" until one parses to the value, without printing and parsing.
 */
static size_t shortest(double value, char *dst)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint64_t m = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52; /* it is normal */
    int exponent = (int)(bits >> 52) - 1023;                             /* of 2, rounded down */
    int shift = 52 - exponent + 2;
    /* log10(2) is about 1233 / 4096; off by one at most. */
    int k = 16 - (exponent * 1233 >> 12);
    wide power = k < 20 ? powers[k] : (wide)powers[19] * powers[k - 19];
    if ((4 * (wide)m * power) >> shift >= powers[17]) {
        k--;
        power /= 10;
    } else if ((4 * (wide)m * power) >> shift < powers[16]) {
        k++;
        power *= 10;
    }
    wide exact = 4 * (wide)m * power;
    wide low = (4 * (wide)m - (m == UINT64_C(1) << 52 ? 1 : 2)) * power;
    wide high = (4 * (wide)m + 2) * power;
    uint64_t whole = (uint64_t)(exact >> shift);
    bool has_rest = (exact & (((wide)1 << shift) - 1)) != 0;
    bool rest_is_half = (exact & (((wide)1 << shift) - 1)) == (wide)1 << (shift - 1);
    bool rest_is_more = (exact & (((wide)1 << shift) - 1)) > (wide)1 << (shift - 1);
    for (int drop = 2; drop >= 0; drop--) {
        uint64_t unit = powers[drop];
        uint64_t below = whole / unit * unit;
        uint64_t over = whole - below;
        bool odd = below / unit % 2 == 1;
        bool up = drop == 0 ? rest_is_more || (rest_is_half && odd)
                            : over > unit / 2 || (over == unit / 2 && (has_rest || odd));
        uint64_t nearest = below + (up ? unit : 0);
        if (drop == 0 || ((wide)nearest << shift > low && (wide)nearest << shift < high)) {
            return plain(nearest, k, dst);
        }
    }
    return 0;
}

/* Very small and very large values, which are rare. */
static size_t slow(double value, char *dst)
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(dst, JSON_NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(dst, NULL) >= value && strtod(dst, NULL) <= value) {
            break;
        }
    }
    /* The locale decides how printf writes the point. */
    size_t len = 0;
    for (const char *p = dst; *p != '\0'; p++) {
        if (strchr("0123456789eE+-", *p) != NULL) {
            dst[len++] = *p;
        } else if (len == 0 || dst[len - 1] != '.') {
            dst[len++] = '.';
        }
    }
    dst[len] = '\0';
    return len;
}

size_t json_number_double(double value, char *dst)
{
    ASSERT(isfinite(value));
    double size = fabs(value);
    if (size <= TWO_53 && value >= (double)(int64_t)value && value <= (double)(int64_t)value) {
        return json_number_i64((int64_t)value, dst);
    }
    if (size < 1e-4 || size >= 1e15) {
        return slow(value, dst);
    }
    /* Most figures have up to four decimals. Division and parser both round to nearest, so if they
     * are equal here, the text parses to the same double. */
    uint64_t short_digits = (uint64_t)llrint(size * 1e4);
    if (short_digits < powers[15] &&
        memcmp(&(double){(double)short_digits / 1e4}, &size, sizeof(size)) == 0) {
        dst[0] = '-';
        return value < 0 ? 1 + plain(short_digits, 4, dst + 1) : plain(short_digits, 4, dst);
    }
    dst[0] = '-';
    return value < 0 ? 1 + shortest(size, dst + 1) : shortest(size, dst);
}

size_t json_number_rounded(double value, int decimals, char *dst)
{
    ASSERT(isfinite(value) && decimals >= 0 && decimals <= 9);
    double scaled = fabs(value) * (double)powers[decimals];
    if (scaled >= TWO_53) {
        return json_number_double(value, dst); /* it has no more places than that */
    }
    uint64_t digits = (uint64_t)llround(scaled);
    dst[0] = '-';
    return value < 0 && digits > 0 ? 1 + plain(digits, decimals, dst + 1)
                                   : plain(digits, decimals, dst);
}

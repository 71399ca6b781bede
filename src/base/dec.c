#include "base/dec.h"

#include "base/check.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Holds the product of any two values, and the sum of half of one product and half of another. */
__extension__ typedef __int128 wide;

static struct dec from_wide(wide value)
{
    if (value > INT64_MAX || value < -(wide)INT64_MAX) {
        return DEC_INVALID;
    }
    return (struct dec){(int64_t)value};
}

/* Rounds half away from zero. |numerator| <= 2^126, 0 < |denominator| < 2^63. */
static wide divide_rounded(wide numerator, wide denominator)
{
    wide quotient = numerator / denominator;
    wide rest = numerator % denominator;
    wide rest_size = rest < 0 ? -rest : rest;
    wide size = denominator < 0 ? -denominator : denominator;
    if (2 * rest_size >= size) {
        quotient += (numerator < 0) == (denominator < 0) ? 1 : -1;
    }
    return quotient;
}

struct dec dec_from_int(int64_t whole)
{
    return from_wide((wide)whole * DEC_ONE);
}

/* Integer arithmetic on the 53-bit mantissa: a floating-point multiplication would round twice, and
 * differently on machines with another long double. The bits are read as they are (IEEE 754), since
 * frexp and ldexp take most of the time of reading a candle. */
struct dec dec_from_double(double value)
{
    _Static_assert(sizeof(value) == sizeof(uint64_t), "a double is binary64");
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    int biased = (int)(bits >> 52 & 0x7FF);
    if (biased == 0x7FF) {
        return DEC_INVALID; /* infinite or not a number */
    }
    if (biased == 0) {
        return DEC_ZERO; /* zero, or below 2^-1022 */
    }
    int64_t mantissa = (int64_t)((bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52);
    int exponent = biased - 1075;
    wide size = (wide)mantissa * DEC_ONE; /* below 2^80 */
    if (exponent > 40) {
        return DEC_INVALID;
    }
    if (exponent < -100) {
        return DEC_ZERO;
    }
    size = exponent >= 0 ? size << exponent : (size + ((wide)1 << (-exponent - 1))) >> -exponent;
    return from_wide(bits >> 63 != 0 ? -size : size);
}

double dec_to_double(struct dec a)
{
    return dec_is_valid(a) ? (double)a.e8 / (double)DEC_ONE : NAN;
}

struct dec dec_add(struct dec a, struct dec b)
{
    if (!dec_is_valid(a) || !dec_is_valid(b)) {
        return DEC_INVALID;
    }
    struct dec sum;
    return __builtin_add_overflow(a.e8, b.e8, &sum.e8) ? DEC_INVALID : sum;
}

struct dec dec_sub(struct dec a, struct dec b)
{
    return dec_add(a, dec_neg(b));
}

struct dec dec_neg(struct dec a)
{
    return dec_is_valid(a) ? (struct dec){-a.e8} : DEC_INVALID;
}

struct dec dec_abs(struct dec a)
{
    return a.e8 < 0 ? dec_neg(a) : a;
}

struct dec dec_mul(struct dec a, struct dec b)
{
    if (!dec_is_valid(a) || !dec_is_valid(b)) {
        return DEC_INVALID;
    }
    int64_t product;
    if (!__builtin_mul_overflow(a.e8, b.e8, &product)) {
        /* The common case: a 64-bit division is several times cheaper. */
        int64_t quotient = product / DEC_ONE;
        int64_t rest = product % DEC_ONE;
        if (rest >= DEC_ONE / 2) {
            quotient++;
        } else if (rest <= -DEC_ONE / 2) {
            quotient--;
        }
        return (struct dec){quotient};
    }
    return from_wide(divide_rounded((wide)a.e8 * b.e8, DEC_ONE));
}

struct dec dec_div(struct dec a, struct dec b)
{
    return dec_mul_div(a, (struct dec){DEC_ONE}, b);
}

struct dec dec_mul_div(struct dec a, struct dec numerator, struct dec denominator)
{
    if (!dec_is_valid(a) || !dec_is_valid(numerator) || !dec_is_valid(denominator) ||
        denominator.e8 == 0) {
        return DEC_INVALID;
    }
    return from_wide(divide_rounded((wide)a.e8 * numerator.e8, denominator.e8));
}

struct dec dec_floor_to(struct dec a, struct dec step)
{
    if (!dec_is_valid(a) || step.e8 <= 0) {
        return DEC_INVALID;
    }
    return (struct dec){a.e8 - a.e8 % step.e8};
}

struct dec dec_ceil_to(struct dec a, struct dec step)
{
    struct dec floor = dec_floor_to(a, step);
    if (floor.e8 == a.e8) {
        return floor;
    }
    return dec_add(floor, a.e8 < 0 ? dec_neg(step) : step);
}

struct dec dec_round_to(struct dec a, struct dec step)
{
    struct dec floor = dec_floor_to(a, step);
    if (!dec_is_valid(floor)) {
        return DEC_INVALID;
    }
    int64_t rest = a.e8 < 0 ? floor.e8 - a.e8 : a.e8 - floor.e8;
    return rest >= step.e8 - rest ? dec_ceil_to(a, step) : floor;
}

struct dec dec_digit_step(struct dec a, int digits)
{
    if (!dec_is_valid(a) || digits < 1) {
        return DEC_INVALID;
    }
    int64_t limit = 1;
    for (int i = 0; i < digits && i < 18; i++) {
        limit *= 10;
    }
    int64_t step = 1;
    for (int64_t rest = a.e8 < 0 ? -a.e8 : a.e8; rest >= limit; rest /= 10) {
        step *= 10;
    }
    return (struct dec){step};
}

int dec_cmp(struct dec a, struct dec b)
{
    ASSERT(dec_is_valid(a) && dec_is_valid(b));
    return (a.e8 > b.e8) - (a.e8 < b.e8);
}

struct dec dec_min(struct dec a, struct dec b)
{
    if (!dec_is_valid(a) || !dec_is_valid(b)) {
        return DEC_INVALID;
    }
    return a.e8 < b.e8 ? a : b;
}

struct dec dec_max(struct dec a, struct dec b)
{
    if (!dec_is_valid(a) || !dec_is_valid(b)) {
        return DEC_INVALID;
    }
    return a.e8 > b.e8 ? a : b;
}

bool dec_parse(struct str s, struct dec *ret)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    int64_t value = 0;
    size_t whole_digits = 0, fraction_digits = 0;
    bool point = false;
    for (size_t i = negative ? 1 : 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '.' && !point && whole_digits > 0) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || fraction_digits == 8 ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, c - '0', &value)) {
            return false;
        }
        if (point) {
            fraction_digits++;
        } else {
            whole_digits = 1;
        }
    }
    if (whole_digits == 0 || (point && fraction_digits == 0)) {
        return false;
    }
    for (; fraction_digits < 8; fraction_digits++) {
        if (__builtin_mul_overflow(value, 10, &value)) {
            return false;
        }
    }
    ret->e8 = negative ? -value : value;
    return true;
}

static uint64_t magnitude(struct dec a)
{
    return a.e8 < 0 ? (uint64_t)-a.e8 : (uint64_t)a.e8;
}

/* Without printf: every figure of an API answer passes here. */
const char *dec_text(struct dec a, char dst[DEC_TEXT_SIZE])
{
    if (!dec_is_valid(a)) {
        (void)str_copy(STR_LIT("invalid"), dst, DEC_TEXT_SIZE);
        return dst;
    }
    char reversed[DEC_TEXT_SIZE];
    size_t len = 0;
    uint64_t rest = magnitude(a);
    for (int i = 0; i < 8; i++, rest /= 10) {
        if (rest % 10 != 0 || len > 0) { /* no trailing zeros */
            reversed[len++] = (char)('0' + rest % 10);
        }
    }
    if (len > 0) {
        reversed[len++] = '.';
    }
    do {
        reversed[len++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (a.e8 < 0) {
        reversed[len++] = '-';
    }
    for (size_t i = 0; i < len; i++) {
        dst[i] = reversed[len - 1 - i];
    }
    dst[len] = '\0';
    return dst;
}

void dec_add_text(struct buf *out, struct dec a)
{
    char text[DEC_TEXT_SIZE];
    buf_add_c(out, dec_text(a, text));
}

void dec_add_grouped(struct buf *out, struct dec a, int decimals)
{
    ASSERT(decimals >= 0 && decimals <= 8);
    if (!dec_is_valid(a)) {
        buf_add_c(out, "invalid");
        return;
    }
    uint64_t unit = 1; /* 1e-8 units in the last place shown */
    for (int i = decimals; i < 8; i++) {
        unit *= 10;
    }
    uint64_t shown = (magnitude(a) + unit / 2) / unit;
    uint64_t per_one = (uint64_t)DEC_ONE / unit;
    /* A value that rounds to zero has no sign. */
    if (a.e8 < 0 && shown > 0) {
        buf_add_char(out, '-');
    }
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)(shown / per_one));
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            buf_add_char(out, ',');
        }
        buf_add_char(out, digits[i]);
    }
    if (decimals > 0) {
        buf_addf(out, ".%0*llu", decimals, (unsigned long long)(shown % per_one));
    }
}

void dec_add_amount(struct buf *out, struct dec a, int decimals)
{
    ASSERT(decimals >= 0 && decimals <= 8);
    uint64_t unit = 1;
    for (int i = decimals; i < 8; i++) {
        unit *= 10;
    }
    /* Only for an amount that would be shown as zero. */
    if (dec_is_valid(a) && a.e8 != 0 && magnitude(a) < (unit + 1) / 2) {
        while (decimals < 8 && magnitude(a) < 10 * unit) {
            unit /= 10;
            decimals++;
        }
    }
    dec_add_grouped(out, a, decimals);
}

#include "proof/quantity.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RELATIVE_ERROR 1e-14 /* of the arithmetic, not of the figures */
#define HALF_ERROR     1e-9  /* a half is rounded either way */
#define MOST_OFF       0.1   /* of the value */

#define SECONDS(n)                                \
    {                                             \
        .dimension = DIMENSION_TIME, .scale = (n) \
    }
#define BYTES(n)                                   \
    {                                              \
        .dimension = DIMENSION_BYTES, .scale = (n) \
    }
#define MONEY(code)                                    \
    {                                                  \
        .dimension = DIMENSION_MONEY, .currency = code \
    }
#define PCT(n)                                   \
    {                                            \
        .dimension = DIMENSION_PCT, .scale = (n) \
    }

/* Endings of the report's keys, and whole keys of amounts without one. */
static const struct {
    const char *name;
    struct unit unit;
} keys[] = {
    {"pct", PCT(1)},
    {"_bps", PCT(0.01)},
    {"_bp", PCT(0.01)},
    {"_usd", MONEY("usd")},
    {"_usdt", MONEY("usdt")},
    {"_usdc", MONEY("usdc")},
    {"_eur", MONEY("eur")},
    {"_gbp", MONEY("gbp")},
    {"_microusd", {.dimension = DIMENSION_MONEY, .scale = 1e-6, .currency = "usd"}},
    {"_days", SECONDS(86400)},
    {"_h", SECONDS(3600)},
    {"_hours", SECONDS(3600)},
    {"_min", SECONDS(60)},
    {"_s", SECONDS(1)},
    {"_ms", SECONDS(1e-3)},
    {"_us", SECONDS(1e-6)},
    {"_ns", SECONDS(1e-9)},
    {"_bytes", BYTES(1)},
    {"_kib", BYTES(1024)},
    {"_mib", BYTES(1048576)},
    {"_gib", BYTES(1073741824)},
    {"pnl", MONEY("")},
    {"price", MONEY("")},
    {"cash", MONEY("")},
    {"equity", MONEY("")},
    {"fees", MONEY("")},
    {"net", MONEY("")},
    {"gross_profit", MONEY("")},
    {"gross_loss", MONEY("")},
    {"average_win", MONEY("")},
    {"equity_peak", MONEY("")},
    {"funding", MONEY("")},
    {"balance", MONEY("")},
    {"average_size", MONEY("")},
    {"average_loss", MONEY("")},
    {"difference", MONEY("")},
    {"hours", SECONDS(3600)},
};

/* Units as people write them. */
static const struct {
    const char *word;
    struct unit unit;
} words[] = {
    {"%", PCT(1)},
    {"percent", PCT(1)},
    {"percentage", PCT(1)},
    {"pct", PCT(1)},
    {"pp", PCT(1)},
    {"‰", PCT(0.1)},
    {"bps", PCT(0.01)},
    {"bp", PCT(0.01)},
    {"$", MONEY("usd")},
    {"€", MONEY("eur")},
    {"£", MONEY("gbp")},
    {"usd", MONEY("usd")},
    {"usdt", MONEY("usdt")},
    {"usdc", MONEY("usdc")},
    {"eur", MONEY("eur")},
    {"euro", MONEY("eur")},
    {"euros", MONEY("eur")},
    {"gbp", MONEY("gbp")},
    {"pounds", MONEY("gbp")},
    {"dollar", MONEY("usd")},
    {"dollars", MONEY("usd")},
    {"cents", {.dimension = DIMENSION_MONEY, .scale = 0.01, .currency = "usd"}},
    {"cent", {.dimension = DIMENSION_MONEY, .scale = 0.01, .currency = "usd"}},
    {"ns", SECONDS(1e-9)},
    {"nanoseconds", SECONDS(1e-9)},
    {"us", SECONDS(1e-6)},
    {"µs", SECONDS(1e-6)},
    {"μs", SECONDS(1e-6)},
    {"microsecond", SECONDS(1e-6)},
    {"microseconds", SECONDS(1e-6)},
    {"ms", SECONDS(1e-3)},
    {"millisecond", SECONDS(1e-3)},
    {"milliseconds", SECONDS(1e-3)},
    {"s", SECONDS(1)},
    {"sec", SECONDS(1)},
    {"secs", SECONDS(1)},
    {"second", SECONDS(1)},
    {"seconds", SECONDS(1)},
    {"m", SECONDS(60)},
    {"min", SECONDS(60)},
    {"mins", SECONDS(60)},
    {"minute", SECONDS(60)},
    {"minutes", SECONDS(60)},
    {"h", SECONDS(3600)},
    {"hr", SECONDS(3600)},
    {"hrs", SECONDS(3600)},
    {"hour", SECONDS(3600)},
    {"hours", SECONDS(3600)},
    {"d", SECONDS(86400)},
    {"day", SECONDS(86400)},
    {"days", SECONDS(86400)},
    {"week", SECONDS(604800)},
    {"weeks", SECONDS(604800)},
    {"month", SECONDS(2592000)},
    {"months", SECONDS(2592000)},
    {"year", SECONDS(31536000)},
    {"years", SECONDS(31536000)},
    {"b", BYTES(1)},
    {"byte", BYTES(1)},
    {"bytes", BYTES(1)},
    {"kb", BYTES(1000)},
    {"kib", BYTES(1024)},
    {"mb", BYTES(1000000)},
    {"mib", BYTES(1048576)},
    {"gb", BYTES(1000000000)},
    {"gib", BYTES(1073741824)},
    {"x", {.dimension = DIMENSION_TIMES}},
    {"×", {.dimension = DIMENSION_TIMES}},
    {"times", {.dimension = DIMENSION_TIMES}},
    {"fold", {.dimension = DIMENSION_TIMES}},
};

struct unit unit_of_pointer(const char *pointer)
{
    const char *step = strrchr(pointer, '/');
    step = step == NULL ? pointer : step + 1;
    size_t len = strlen(step);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const char *name = keys[i].name;
        size_t size = strlen(name);
        bool ends = len >= size && strcmp(step + len - size, name) == 0;
        /* A whole key, or behind an underscore: "price" and "entry_price". */
        if (ends && (name[0] == '_' || len == size || step[len - size - 1] == '_')) {
            return keys[i].unit;
        }
    }
    return (struct unit){.dimension = DIMENSION_NONE};
}

bool unit_read(struct str word, struct unit *ret)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_equal_nocase(word, words[i].word)) {
            *ret = words[i].unit;
            return true;
        }
    }
    return false;
}

static bool is_dollar(const char *currency)
{
    return currency[0] == '\0' || strncmp(currency, "usd", 3) == 0;
}

bool unit_fits(struct unit value, struct unit shown)
{
    switch (shown.dimension) {
    case DIMENSION_NONE:
        return true;
    case DIMENSION_COUNT:
    case DIMENSION_TIMES:
        return value.dimension == DIMENSION_NONE;
    case DIMENSION_MONEY:
        return value.dimension == DIMENSION_MONEY &&
               ((is_dollar(value.currency) && is_dollar(shown.currency)) ||
                strcmp(value.currency, shown.currency) == 0);
    case DIMENSION_PCT:
    case DIMENSION_TIME:
    case DIMENSION_BYTES:
        return value.dimension == shown.dimension;
    }
    return false;
}

bool quantity_rounds(double value, double shown, double half)
{
    if (!isfinite(value) || !isfinite(shown)) {
        return false;
    }
    double off = fabs(value - shown);
    if (off <= RELATIVE_ERROR * fmax(fabs(value), fabs(shown))) {
        return true;
    }
    return off <= half * (1 + HALF_ERROR) && off <= MOST_OFF * fabs(value);
}

static double scale_of(struct unit unit)
{
    return unit.scale == 0 ? 1 : unit.scale;
}

bool quantity_is(double value, struct unit unit, const struct quantity *shown)
{
    if (!unit_fits(unit, shown->unit)) {
        return false;
    }
    double from =
        shown->unit.dimension == DIMENSION_NONE ? 1 : scale_of(unit) / scale_of(shown->unit);
    return quantity_rounds(value * from, shown->value, shown->half);
}

bool quantity_read(struct str text, double *ret_value, double *ret_half)
{
    if (!str_to_double(text, ret_value)) {
        return false;
    }
    *ret_half = 0.5;
    const char *point = memchr(text.ptr, '.', text.len);
    if (memchr(text.ptr, 'e', text.len) != NULL || memchr(text.ptr, 'E', text.len) != NULL) {
        *ret_half = 0;
    } else if (point != NULL) {
        *ret_half = 0.5 * pow(10, -(double)(text.len - (size_t)(point - text.ptr) - 1));
    }
    return true;
}

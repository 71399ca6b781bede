#include "market/returns.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Above the return of any two prices that struct dec can hold; its square fits a double easily. */
#define RETURN_MAX 1e20

_Static_assert(RETURNS_WINDOW <= 64, "known has a bit for each hour");

void returns_init(struct returns *returns, int symbols)
{
    *returns = (struct returns){.capacity = symbols};
    returns->rows = calloc((size_t)symbols, sizeof(*returns->rows));
    ASSERT(returns->rows != NULL);
}

void returns_release(struct returns *returns)
{
    free(returns->rows);
    *returns = (struct returns){0};
}

int returns_find(const struct returns *returns, struct symbol symbol)
{
    for (int i = 0; i < returns->count; i++) {
        if (symbol_equal(returns->rows[i].symbol, symbol)) {
            return i;
        }
    }
    return -1;
}

static int slot_of(int64_t hour)
{
    return (int)(hour % RETURNS_WINDOW);
}

void returns_push(struct returns *returns, struct symbol symbol, int64_t hour, struct dec close)
{
    if (hour < 0 || close.e8 <= 0) {
        return;
    }
    double price = dec_to_double(close);
    int index = returns_find(returns, symbol);
    if (index < 0) {
        returns_restore(returns,
                        &(struct returns_row){.symbol = symbol, .hour = hour, .close = price});
        return;
    }
    struct returns_row *row = &returns->rows[index];
    if (hour <= row->hour) {
        return;
    }
    /* Clear the slots of the skipped hours: they hold returns of one window ago. */
    for (int64_t h = row->hour + 1; h <= hour && h <= row->hour + RETURNS_WINDOW; h++) {
        row->known &= ~(UINT64_C(1) << slot_of(h));
    }
    if (hour == row->hour + 1) {
        row->values[slot_of(hour)] = price / row->close - 1;
        row->known |= UINT64_C(1) << slot_of(hour);
    }
    row->hour = hour;
    row->close = price;
}

/* The hours with a return, as bits, in the window that ends with this hour. */
static uint64_t known_until(const struct returns_row *row, int64_t hour)
{
    uint64_t known = row->known;
    if (hour - row->hour >= RETURNS_WINDOW) {
        return 0;
    }
    for (int64_t h = row->hour + 1; h <= hour; h++) {
        known &= ~(UINT64_C(1) << slot_of(h));
    }
    return known;
}

bool returns_correlation(const struct returns *returns, struct symbol a, struct symbol b,
                         double *ret)
{
    return returns_correlation_of(returns, returns_find(returns, a), returns_find(returns, b), ret);
}

bool returns_correlation_of(const struct returns *returns, int a, int b, double *ret)
{
    *ret = 0;
    if (a < 0 || b < 0) {
        return false;
    }
    const struct returns_row *x = &returns->rows[a];
    const struct returns_row *y = &returns->rows[b];
    int64_t newest = x->hour > y->hour ? x->hour : y->hour;
    uint64_t both = known_until(x, newest) & known_until(y, newest);
    int count = __builtin_popcountll(both);
    if (count < RETURNS_MIN) {
        return false;
    }
    double mean_x = 0, mean_y = 0;
    for (uint64_t left = both; left != 0; left &= left - 1) {
        int i = __builtin_ctzll(left);
        mean_x += x->values[i];
        mean_y += y->values[i];
    }
    mean_x /= count;
    mean_y /= count;
    double xx = 0, yy = 0, xy = 0;
    for (uint64_t left = both; left != 0; left &= left - 1) {
        int i = __builtin_ctzll(left);
        double dx = x->values[i] - mean_x;
        double dy = y->values[i] - mean_y;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    double spread = sqrt(xx) * sqrt(yy);
    if (!(spread > 0)) {
        return false;
    }
    double r = xy / spread;
    *ret = r > 1 ? 1 : r < -1 ? -1 : r;
    return true;
}

bool returns_row_is_sane(const struct returns_row *row)
{
    bool sane = memchr(row->symbol.name, '\0', SYMBOL_SIZE) != NULL && row->hour >= 0 &&
                row->hour < INT64_MAX / 2 && row->known >> RETURNS_WINDOW == 0 && row->close > 0 &&
                isfinite(row->close);
    for (int h = 0; h < RETURNS_WINDOW; h++) {
        sane = sane && row->values[h] >= -1 && row->values[h] <= RETURN_MAX;
    }
    return sane;
}

void returns_restore(struct returns *returns, const struct returns_row *row)
{
    int index = returns_find(returns, row->symbol);
    if (index < 0 && returns->count == returns->capacity) {
        return;
    }
    returns->rows[index < 0 ? returns->count++ : index] = *row;
}

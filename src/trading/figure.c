#include "figure.h"

#include <math.h>

#define MINUS "−"

static void add_sign(struct buf *out, int sign, bool with_sign)
{
    if (sign < 0) {
        buf_add_c(out, MINUS);
    } else if (with_sign) {
        buf_add_char(out, '+');
    }
}

void figure_signed(struct buf *out, double value, int decimals)
{
    add_sign(out, signbit(value) ? -1 : 1, true);
    buf_addf(out, "%.*f", decimals, fabs(value));
}

void figure_money(struct buf *out, struct dec amount, bool with_sign)
{
    if (!dec_is_valid(amount)) {
        buf_add_c(out, "?");
        return;
    }
    add_sign(out, dec_cmp(amount, DEC_ZERO), with_sign);
    buf_add_char(out, '$');
    dec_add_amount(out, dec_abs(amount), 2);
}

void figure_price(struct buf *out, struct dec price)
{
    if (!dec_is_valid(price)) {
        buf_add_c(out, "?");
        return;
    }
    int64_t size = dec_abs(price).e8;
    int decimals = size >= 1000 * DEC_ONE ? 1 : size >= 10 * DEC_ONE ? 2 : size >= DEC_ONE ? 4 : 6;
    /* Exact below 0.01: such prices differ only in the last places. */
    decimals = size >= DEC_ONE / 100 || size % 100 == 0 ? decimals : size % 10 == 0 ? 7 : 8;
    dec_add_grouped(out, price, decimals);
}

void figure_number(struct buf *out, double value)
{
    struct dec rounded = dec_from_double(value);
    if (!dec_is_valid(rounded)) {
        buf_add_c(out, "?");
        return;
    }
    double size = fabs(value);
    if (size > 0 && rounded.e8 == 0) {
        buf_addf(out, "%.2g", value);
        return;
    }
    dec_add_amount(out, rounded, size >= 1000 ? 1 : size >= 10 ? 2 : 4);
}

void figure_pct(struct buf *out, double pct, int decimals, bool with_sign)
{
    if (!isfinite(pct)) {
        buf_add_c(out, "? %");
        return;
    }
    double unit = pow(10, decimals);
    double shown = round(fabs(pct) * unit) / unit;
    /* A loss that rounds to zero keeps its sign: −0.00 %. */
    add_sign(out, pct < 0 ? -1 : 1, with_sign);
    buf_addf(out, "%.*f %%", decimals, shown);
}

double figure_ratio_pct(struct dec part, struct dec whole)
{
    double denominator = dec_to_double(whole);
    double ratio = 100 * dec_to_double(part) / denominator;
    return denominator == 0 || !isfinite(ratio) ? 0 : ratio;
}

static struct dec entry_value(const struct position *p)
{
    return dec_mul(p->qty, p->entry_price);
}

void figure_bracket(struct buf *out, struct dec stop, struct dec target)
{
    if (dec_is_valid(stop) && stop.e8 > 0) {
        buf_add_c(out, "  SL ");
        figure_price(out, stop);
    }
    if (dec_is_valid(target) && target.e8 > 0) {
        buf_add_c(out, " TP ");
        figure_price(out, target);
    }
}

void figure_position(struct buf *out, const struct position *p)
{
    char qty[DEC_TEXT_SIZE];
    buf_addf(out, "%s  %s %s @ ", p->symbol.name, side_name(p->side), dec_text(p->qty, qty));
    figure_price(out, p->entry_price);
    buf_add_c(out, "   ");
    figure_money(out, p->unrealised, true);
    buf_add_c(out, " (");
    figure_pct(out, figure_ratio_pct(p->unrealised, entry_value(p)), 1, true);
    buf_add_c(out, ")  SL ");
    figure_price(out, p->stop);
    buf_add_c(out, " TP ");
    figure_price(out, p->target);
}

void figure_foreign(struct buf *out, const struct snapshot_foreign *f)
{
    char qty[DEC_TEXT_SIZE];
    buf_addf(out, "%s  %s %s @ ", f->symbol.name, side_name(f->side), dec_text(f->qty, qty));
    figure_price(out, f->entry_price);
    buf_add_c(out, "   not opened by the bot");
}

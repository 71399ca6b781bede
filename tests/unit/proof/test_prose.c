#include "base/buf.h"
#include "base/check.h"
#include "proof/prose.h"
#include "unit/unit.h"

#include <math.h>
#include <string.h>

/* The figures of a text, as "kind value dimension" each; W: a word, N: a name, D: a date, H: an
 * hour. */
static void describe(const char *text, struct buf *out)
{
    struct prose *prose = prose_new();
    static const char kinds[] = "#/xDHAN?";
    static const char *const dimensions[] = {"", "count", "times", "pct", "money", "time", "bytes"};
    buf_clear(out);
    if (!prose_read(prose, str_c(text))) {
        buf_add_c(out, "unread");
    }
    for (int i = 0; i < prose->figure_count; i++) {
        const struct prose_figure *f = &prose->figures[i];
        buf_addf(out, "%s%c", i > 0 ? " " : "", kinds[f->kind]);
        if (f->kind <= PROSE_FACTOR) {
            double scale = f->shown.unit.scale == 0 ? 1 : f->shown.unit.scale;
            buf_addf(out, "%s%.10g%s",
                     f->sign < 0   ? "-"
                     : f->sign > 0 ? "+"
                                   : "",
                     f->shown.value * scale, dimensions[f->shown.unit.dimension]);
        } else if (f->kind == PROSE_DATE) {
            buf_addf(out, "%d-%d-%d", f->year, f->month, f->day);
        } else if (f->kind == PROSE_HOUR) {
            buf_addf(out, "%d", f->minute);
        } else {
            buf_add_str(out, f->text);
        }
        buf_add_c(out, f->is_item ? "item" : "");
    }
    prose_free(prose);
}

static void figures_are_found(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"no figures here", ""},
        {"65 % and 65% and 65 percent", "#65pct #65pct #65pct"},
        {"$12.50, 12.50 USD, USD 12.50, €3", "#12.5money #12.5money #12.5money #3money"},
        {"-12, −12, minus 12, +5, -$3, $-3", "#-12 #-12 #-12 #+5 #-3money #-3money"},
        {"1,234.5 and 1 234 and 1'234", "#1234.5 #1234 #1234"},
        {"1.2k, 3M, 2 million, 5 thousand", "#1200 #3000000 #2000000 #5000"},
        {"90 s, 90s, 24-hour, 3 h 5 min, 2 days",
         "#90time #90time #86400time #11100time #172800time"},
        {"12 trades, 7 losing trades, 3 of them", "#12count #7count #3"},
        {"twelve, twenty-three trades, one hundred and five", "#12 #23count #105"},
        {"a dozen, two million, zero", "#12 #2000000 #0"},
        {"half, a third of, two thirds, three quarters", "/0.5 /0.3333333333 /0.6666666667 /0.75"},
        {"doubled, twice, threefold, halved", "x2 x2 x3 x0.5"},
        {"never, none, no trades, not a single win", "#0 #0 #0 #0"},
        {"all trades lost, every open order, always", "Aall Aevery Aalways"},
        {"of all trades, every day, all of it, over all orders", ""},
        {"no longer, no answer, no one, one of them, this one", ""},
        {"the 3rd and the third loss", "#3 #3"},
        {"14:05, 14:00-15:00, 02:36:58Z", "H845 H840 H900 H156"},
        {"2026-11-21, 21 November, Nov 21, 2026", "D2026-11-21 D0-11-21 D2026-11-21"},
        {"1INCH-USD, trade-17, p99, /trades/recent/trade-17/pnl", "N1INCH-USD Ntrade-17 Np99 "
                                                                  "N/trades/recent/trade-17/pnl"},
        {"3-5 %, 4/7", "#3 #5pct #4 #7"},
        {"7 - 4", "#7 #4"},
        {"²", "?²"},
        {"½ of １２", "?½ ?１ ?２"},
        {"dozens of times", "?dozens"},
        {"zwei Trades, siebenundzwanzig, la mitad, deux", "?zwei ?siebenundzwanzig ?mitad ?deux"},
        {"DOS, tiers, a seized account", ""},
        {"1. look\n2. act", "#1item #2item"},
        {"十二", "unread"},
        {"99:99 and 12:60", "N99:99 N12:60"},
    };
    AUTO_BUF struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        describe(rows[i][0], &out);
        assert_string_equal(out.data, rows[i][1]);
    }
}

static void a_text_with_too_many_figures_is_not_read(void **state)
{
    (void)state;
    struct prose *prose = prose_new();
    AUTO_BUF struct buf text = BUF_INIT(8192);
    for (int i = 0; i < PROSE_FIGURES_MAX; i++) {
        buf_addf(&text, "%d, ", i);
    }
    assert_true(prose_read(prose, buf_str(&text)));
    buf_add_c(&text, "7");
    assert_false(prose_read(prose, buf_str(&text)));
    buf_clear(&text);
    for (int i = 0; i <= PROSE_TOKENS_MAX; i++) {
        buf_add_c(&text, "a ");
    }
    assert_false(prose_read(prose, buf_str(&text)));
    prose_free(prose);
}

static void units_are_compared_by_kind(void **state)
{
    (void)state;
    static const struct {
        const char *pointer;
        double value;
        const char *unit;
        double shown, half;
        bool same;
    } rows[] = {
        {"/a/win_pct", 57.14, "%", 57.14, 0, true},   {"/a/win_pct", 57.14, "%", 57, 0.5, true},
        {"/a/win_pct", 57.14, "s", 57.14, 0, false},  {"/a/win_pct", 57.14, "%", 0.5714, 0, false},
        {"/a/ratio", 0.57, "%", 57, 0, false},        {"/a/held_min", 90, "h", 1.5, 0.05, true},
        {"/a/held_min", 90, "min", 1.5, 0.05, false}, {"/a/net_usd", 12.5, "$", 12.5, 0, true},
        {"/a/net_usd", 12.5, "EUR", 12.5, 0, false},  {"/a/pnl", 12.5, "usdt", 12.5, 0, true},
        {"/a/slip_bps", 7.3, "bps", 7.3, 0, true},    {"/a/slip_bps", 7.3, "%", 0.073, 0, true},
        {"/a/size_mib", 20480, "gib", 20, 0.5, true}, {"/a/price", 0.5733, "$", 1, 0.5, false},
        {"/a/price", 0.5733, "$", 0.6, 0.05, true},   {"/a/price", 0.5733, "$", 0.57, 0.005, true},
        {"/a/price", 1.4, "$", 1, 0.5, false},        {"/a/price", 9.6, "$", 10, 0.5, true},
        {"/a/net_usd", 0.004, "$", 0, 0.005, false},  {"/a/net_usd", 0, "$", 0, 0.5, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct quantity shown = {.value = rows[i].shown, .half = rows[i].half};
        assert_true(unit_read(str_c(rows[i].unit), &shown.unit));
        assert_int_equal(quantity_is(rows[i].value, unit_of_pointer(rows[i].pointer), &shown),
                         rows[i].same);
    }
}

UNIT_GROUP(prose, cmocka_unit_test(figures_are_found),
           cmocka_unit_test(a_text_with_too_many_figures_is_not_read),
           cmocka_unit_test(units_are_compared_by_kind))

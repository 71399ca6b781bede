#include "../../../src/trading/figure.h"
#include "unit/unit.h"

static void assert_figure(void (*figure)(struct buf *out, struct dec value), const char *value,
                          const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(64);
    struct dec d;
    assert_true(dec_parse(str_c(value), &d));
    figure(&out, d);
    assert_string_equal(out.data, text);
}

static void money(struct buf *out, struct dec value)
{
    figure_money(out, value, true);
}

static void number(struct buf *out, struct dec value)
{
    figure_number(out, dec_to_double(value));
}

static void a_small_amount_is_not_rounded_to_zero(void **state)
{
    (void)state;
    assert_figure(figure_price, "0.00000012", "0.00000012");
    assert_figure(figure_price, "0.0000123", "0.0000123");
    assert_figure(figure_price, "0.001234", "0.001234");
    assert_figure(figure_price, "0.5", "0.500000");
    assert_figure(figure_price, "64120.5", "64,120.5");
    assert_figure(figure_price, "0", "0.000000");
    assert_figure(money, "0.00012", "+$0.00012");
    assert_figure(money, "-0.0049", "−$0.0049");
    assert_figure(money, "-0.00000001", "−$0.00000001");
    assert_figure(money, "-4.1", "−$4.10");
    assert_figure(money, "0", "+$0.00");
    assert_figure(number, "0.00000012", "0.00000012");
    assert_figure(number, "0.25", "0.2500");
}

UNIT_GROUP(figure, cmocka_unit_test(a_small_amount_is_not_rounded_to_zero))

#include "../../../src/command/basis.h"
#include "unit/unit.h"

static int compare(const struct basis *before, const struct basis *now, struct buf *lines)
{
    buf_clear(lines);
    return basis_compare(buf_str(&before->text), buf_str(&now->text), 1.0, lines);
}

static void a_price_may_move_within_the_band_and_a_fact_may_not(void **state)
{
    (void)state;
    struct basis before = BASIS_INIT, near = BASIS_INIT, far = BASIS_INIT;
    AUTO_BUF struct buf lines = BUF_INIT(4096);
    basis_add_price(&before, "BTC-USD", dec_from_int(10000));
    basis_add_fact(&before, "position BTC-USD", "long 1");
    basis_add_price(&near, "BTC-USD", dec_from_int(10100));
    basis_add_fact(&near, "position BTC-USD", "long 1");
    basis_add_price(&far, "BTC-USD", dec_from_int(9899));
    basis_add_fact(&far, "position BTC-USD", "long 2");
    assert_int_equal(compare(&before, &near, &lines), 0);
    assert_int_equal(lines.len, 0);
    assert_int_equal(compare(&before, &far, &lines), 2);
    assert_has(lines.data, "BTC-USD: ");
    assert_has(lines.data, "(-1.0 %)");
    assert_has(lines.data, "position BTC-USD: long 1 → long 2\n");
    buf_release(&before.text);
    buf_release(&near.text);
    buf_release(&far.text);
}

static void an_entry_that_is_new_or_gone_counts(void **state)
{
    (void)state;
    struct basis empty = BASIS_INIT, one = BASIS_INIT;
    AUTO_BUF struct buf lines = BUF_INIT(4096);
    basis_add_price(&one, "ETH-USD", dec_from_int(3000));
    basis_add_fact(&one, "position ETH-USD", "long\t1\n2");
    assert_int_equal(compare(&empty, &one, &lines), 2);
    assert_string_equal(lines.data, "position ETH-USD: new, long 1 2\n");
    assert_int_equal(compare(&one, &empty, &lines), 2);
    assert_string_equal(lines.data, "position ETH-USD: gone\n");
    assert_int_equal(compare(&one, &one, &lines), 0);
    buf_release(&empty.text);
    buf_release(&one.text);
}

UNIT_GROUP(basis, cmocka_unit_test(a_price_may_move_within_the_band_and_a_fact_may_not),
           cmocka_unit_test(an_entry_that_is_new_or_gone_counts))

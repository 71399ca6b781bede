#include "../../../src/venue/order_memory.h"
#include "base/check.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

/* What a venue says about an order, in any order and repeated, and what the engine gets of it. */

static struct order_memory *memory;
static struct known_order *order;
static const struct order_terms spot = {
    .symbol = {"BTC-USDT"}, .step = {DEC_ONE / 100000}, .takes_coins = true};
static const struct order_terms futures = {.symbol = {"BTC-USDT"}, .step = {DEC_ONE / 1000}};

static struct dec dec(const char *text)
{
    struct dec ret = DEC_INVALID;
    assert_true(dec_parse(str_c(text), &ret));
    return ret;
}

static void set_up_order(void)
{
    order_memory_free(memory);
    memory = order_memory_new();
    order = order_memory_add(memory, "nd-1-2", "ndK7QF-1-2", 0, 1);
    order->kind = ORDER_ENTRY;
    order->side = SIDE_LONG;
}

static bool state(enum order_state s, const char *filled)
{
    const struct account_order what = {
        .id = "77", .state = s, .qty = dec("1"), .filled_qty = dec(filled), .buys = true};
    return known_order_update(order, &what);
}

static bool fill(const char *id, int64_t at_us, const char *qty, const char *price, const char *fee,
                 const char *currency)
{
    struct account_fill f = {.buys = true, .qty = dec(qty), .price = dec(price), .at_us = at_us};
    f.fee = dec(fee);
    (void)str_copy(str_c(id), f.id, sizeof(f.id));
    (void)str_copy(str_c(currency), f.fee_currency, sizeof(f.fee_currency));
    return known_order_fill(order, &f);
}

static struct venue_report report(const struct order_terms *terms, const char *after)
{
    struct venue_report r;
    known_order_report(order, terms, after, false, &r);
    return r;
}

static void states_and_fills_never_go_back(void **unused)
{
    (void)unused;
    set_up_order();
    assert_true(state(ORDER_PARTIAL, "0.4"));
    assert_false(state(ORDER_ACKED, "0"));
    assert_true(state(ORDER_CANCELLED, "0.5"));
    assert_false(state(ORDER_PARTIAL, "0.4"));
    assert_true(fill("10", 5, "0.4", "100", "0.04", "USDT"));
    assert_false(fill("10", 5, "0.4", "100", "0.04", "USDT"));
    assert_false(known_order_is_whole(order));
    /* A fill is missing: none is reported, since it may belong before others. */
    struct venue_report r = report(&futures, "");
    assert_int_equal(r.state, ORDER_CANCELLED);
    assert_int_equal(r.fill_count, 0);
    assert_true(r.more);
    /* It happened before the first, and 9 is before 10. */
    assert_true(fill("9", 5, "0.1", "101", "0.01", "USDT"));
    assert_true(known_order_is_whole(order));
    r = report(&futures, "");
    assert_int_equal(r.fill_count, 2);
    assert_string_equal(r.fills[0].venue_fill_id, "9");
    assert_string_equal(r.fills[1].venue_fill_id, "10");
    assert_string_equal(r.client_id, "nd-1-2");
    assert_int_equal(r.filled_qty.e8, DEC_ONE / 2);
    assert_false(r.more);
    r = report(&futures, "9");
    assert_int_equal(r.fill_count, 1);
    assert_string_equal(r.fills_after, "9");
    assert_string_equal(r.fills[0].venue_fill_id, "10");
}

static void name(const char *id, const char *before)
{
    struct account_order what = {0};
    (void)str_copy(str_c(id), what.id, sizeof(what.id));
    (void)str_copy(str_c(before), what.before, sizeof(what.before));
    known_order_name(order, &what);
}

/* A stop at Binance's futures gets its number when it triggers. */
static void a_number_replaces_a_makeshift_id(void **unused)
{
    (void)unused;
    set_up_order();
    name("", "");
    name("algo:5", "");
    assert_string_equal(order->id, "algo:5");
    name("algo:6", "");
    assert_string_equal(order->id, "algo:5");
    assert_true(state(ORDER_ACKED, "0"));
    assert_string_equal(order->id, "77");
    assert_ptr_equal(order_memory_find_id(memory, "77"), order);
    name("algo:5", "");
    name("78", "");
    assert_string_equal(order->id, "77");
}

/* An amendment at Alpaca makes another order; the first one may be reported late. */
static void the_next_id_follows_the_one_before(void **unused)
{
    (void)unused;
    set_up_order();
    assert_true(state(ORDER_ACKED, "0"));
    name("79", "78");
    assert_string_equal(order->id, "77");
    assert_false(order->replaced);
    name("78", "77");
    name("79", "78");
    name("78", "77");
    assert_string_equal(order->id, "79");
    assert_true(order->replaced);
}

/* What was paid is cost plus fees, and what was got can be sold, to the last unit. */

static void coins_and_cash_are_the_accounts(void **unused)
{
    (void)unused;
    static const struct {
        const char *qty, *price, *fee;
    } parts[] = {{"0.00020", "60000", "0.0000002"},
                 {"0.00001", "60001.5", "0.00000001"},
                 {"0.00079", "60002", "0.00000079"}};
    set_up_order();
    struct dec paid = DEC_ZERO, got = DEC_ZERO;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "%zu", i + 1);
        assert_true(fill(id, (int64_t)i, parts[i].qty, parts[i].price, parts[i].fee, "BTC"));
        paid = dec_add(paid, dec_mul(dec(parts[i].qty), dec(parts[i].price)));
        got = dec_add(got, dec_sub(dec(parts[i].qty), dec(parts[i].fee)));
    }
    assert_true(state(ORDER_FILLED, "0.001"));
    struct venue_report r = report(&spot, "");
    struct dec cost = DEC_ZERO, qty = DEC_ZERO;
    for (int i = 0; i < r.fill_count; i++) {
        assert_string_equal(r.fills[i].fee_currency, "");
        qty = dec_add(qty, r.fills[i].qty);
        cost = dec_add(cost, dec_add(dec_mul(r.fills[i].price, r.fills[i].qty), r.fills[i].fee));
    }
    assert_int_equal(cost.e8, paid.e8);
    assert_int_equal(qty.e8, dec_floor_to(got, spot.step).e8);
    assert_int_equal(r.filled_qty.e8, qty.e8);
    assert_int_equal(r.fill_count, 3);
    /* The second adds no whole step to the first: its cost is a fee of no quantity. */
    assert_int_equal(r.fills[1].qty.e8, dec("0.00001").e8);
}

/* Two steps, less a little: one step remains. The next step of the same order adds none. */
static void a_fill_without_a_step_is_only_a_cost(void **unused)
{
    (void)unused;
    set_up_order();
    assert_true(fill("1", 1, "0.00002", "60000", "0.00000002", "BTC"));
    assert_true(fill("2", 2, "0.00001", "60000", "0.00000999", "BTC"));
    assert_true(state(ORDER_FILLED, "0.00003"));
    struct venue_report r = report(&spot, "");
    assert_int_equal(r.fill_count, 2);
    assert_int_equal(r.fills[0].qty.e8, 1000);
    assert_int_equal(r.fills[0].fee.e8, dec("0.6").e8);
    assert_int_equal(r.fills[1].qty.e8, 0);
    assert_int_equal(r.fills[1].fee.e8, dec("0.6").e8);
}

/* One step, of which the fee takes a part: nothing can be sold. Until the order is over, another
 * fill may make a whole step of it. */
static void an_order_may_be_only_a_cost(void **unused)
{
    (void)unused;
    set_up_order();
    assert_true(fill("1", 1, "0.00001", "60000", "0.00000001", "BTC"));
    assert_true(state(ORDER_PARTIAL, "0.00001"));
    struct venue_report r = report(&spot, "");
    assert_int_equal(r.fill_count, 0);
    assert_true(state(ORDER_CANCELLED, "0.00001"));
    r = report(&spot, "");
    assert_int_equal(r.filled_qty.e8, 0);
    assert_int_equal(r.fill_count, 1);
    assert_int_equal(r.fills[0].qty.e8, 0);
    assert_int_equal(r.fills[0].fee.e8, dec("0.6").e8);
    assert_string_equal(r.fills[0].fee_currency, "");
    /* It is not reported again to whom it was. */
    assert_int_equal(report(&spot, "1").fill_count, 0);
}

static void other_fees_stay(void **unused)
{
    (void)unused;
    set_up_order();
    assert_true(fill("1", 1, "0.5", "100", "0.01", "BNB"));
    assert_true(fill("2", 2, "0.5", "100", "0.05", "USDT"));
    assert_true(state(ORDER_FILLED, "1"));
    struct venue_report r = report(&spot, "");
    assert_int_equal(r.filled_qty.e8, DEC_ONE);
    assert_string_equal(r.fills[0].fee_currency, "BNB");
    assert_int_equal(r.fills[0].fee.e8, dec("0.01").e8);
    assert_int_equal(r.fills[1].fee.e8, dec("0.05").e8);
}

/* A venue that rounds what an order costs: the difference is a fee, also of a fill that is sold. */
static void a_rounded_cost_counts(void **unused)
{
    (void)unused;
    static const struct {
        bool buys;
        const char *fee;
    } cases[] = {{true, "0.05000499"}, {false, "0.04999501"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        set_up_order();
        order->kind = cases[i].buys ? ORDER_ENTRY : ORDER_CLOSE;
        struct account_fill f = {.id = "1",
                                 .buys = cases[i].buys,
                                 .qty = dec("0.5"),
                                 .price = dec("100.00000002"),
                                 .cost = dec("50.00000500"),
                                 .fee = dec("0.05"),
                                 .fee_currency = "USDT",
                                 .at_us = 1};
        assert_true(known_order_fill(order, &f));
        assert_true(state(ORDER_PARTIAL, "0.5"));
        struct venue_report r = report(&spot, "");
        assert_int_equal(r.fill_count, 1);
        assert_int_equal(r.fills[0].fee.e8, dec(cases[i].fee).e8);
        assert_int_equal(r.fills[0].qty.e8, dec("0.5").e8);
    }
}

static void long_orders_come_in_pages(void **unused)
{
    (void)unused;
    set_up_order();
    for (int i = 1; i <= 20; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "%d", i);
        assert_true(fill(id, i, "0.05", "100", "0", "USDT"));
    }
    assert_true(state(ORDER_FILLED, "1"));
    char after[FILL_ID_SIZE] = "";
    int seen = 0;
    struct venue_report r;
    do {
        r = report(&futures, after);
        assert_string_equal(r.fills_after, after);
        for (int i = 0; i < r.fill_count; i++) {
            assert_int_equal(fill_id_to_number(r.fills[i].venue_fill_id), ++seen);
        }
        memcpy(after, r.fills[r.fill_count - 1].venue_fill_id, sizeof(after));
    } while (r.more);
    assert_int_equal(seen, 20);
    known_order_report(order, &futures, "", true, &r); /* the newest */
    assert_string_equal(r.fills_after, "12");
    assert_int_equal(r.fill_count, VENUE_FILLS_MAX);
    /* An id that is not known: from the first on. */
    r = report(&futures, "nothing");
    assert_string_equal(r.fills_after, "");
    assert_string_equal(r.fills[0].venue_fill_id, "1");
}

static void the_oldest_final_order_is_forgotten(void **unused)
{
    (void)unused;
    set_up_order();
    for (int i = 1; i < ORDER_MEMORY_MAX + 2; i++) {
        char id[CLIENT_ID_SIZE];
        (void)snprintf(id, sizeof(id), "nd-2-%d", i);
        struct known_order *o = order_memory_add(memory, id, id, 0, i + 1);
        o->has_state = i == 7;
        o->state = i == 7 ? ORDER_FILLED : ORDER_PREPARED;
    }
    assert_int_equal(order_memory_count(memory), ORDER_MEMORY_MAX);
    assert_null(order_memory_find(memory, "nd-2-7"));
    assert_null(order_memory_find(memory, "nd-1-2"));
    assert_non_null(order_memory_find_theirs(memory, "nd-2-8"));
    order_memory_free(memory);
    memory = NULL;
}

UNIT_GROUP(order_memory, cmocka_unit_test(states_and_fills_never_go_back),
           cmocka_unit_test(a_number_replaces_a_makeshift_id),
           cmocka_unit_test(the_next_id_follows_the_one_before),
           cmocka_unit_test(coins_and_cash_are_the_accounts),
           cmocka_unit_test(a_fill_without_a_step_is_only_a_cost),
           cmocka_unit_test(an_order_may_be_only_a_cost), cmocka_unit_test(other_fees_stay),
           cmocka_unit_test(a_rounded_cost_counts), cmocka_unit_test(long_orders_come_in_pages),
           cmocka_unit_test(the_oldest_final_order_is_forgotten))

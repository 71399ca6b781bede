#include "../../../src/venue/payment_memory.h"
#include "base/check.h"
#include "unit/unit.h"

#include <string.h>

/* Payments that a venue lists again and again are reported once, as a chain. */

#define NOW_US (INT64_C(1796000000) * USEC_PER_SEC)

static void add(struct payment_memory *m, const char *id, int64_t at_us)
{
    struct venue_report r = {
        .kind = VENUE_FUNDING, .event = VENUE_EVENT_FEE, .payment = {DEC_ONE}, .at_us = at_us};
    (void)str_copy(str_c(id), r.fills_after, sizeof(r.fills_after));
    payment_memory_add(m, &r);
}

/* The ids are the first characters of the letters. */
static void list(struct payment_memory *m, const char *letters, int64_t after)
{
    for (const char *c = letters; *c != '\0'; c++) {
        const char id[] = {*c, '\0'};
        add(m, id, NOW_US);
    }
    payment_memory_close(m, after, NOW_US);
}

static void expect(struct payment_memory *m, int64_t number, int64_t previous)
{
    struct venue_report r;
    assert_true(payment_memory_pop(m, &r));
    assert_int_equal(r.kind, VENUE_FUNDING);
    assert_int_equal(r.event, VENUE_EVENT_FEE);
    assert_int_equal(r.funding_id, number);
    assert_int_equal(r.prev_funding_id, previous);
    assert_int_equal(r.payment.e8, DEC_ONE);
}

static void expect_none(struct payment_memory *m, int64_t newest)
{
    struct venue_report r;
    assert_false(payment_memory_waits(m));
    assert_false(payment_memory_pop(m, &r));
    assert_int_equal(payment_memory_newest(m), newest);
}

static void each_fee_is_reported_once(void **state)
{
    (void)state;
    struct trading_store *store = NULL;
    struct payment_memory *m = payment_memory_new();
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    int64_t since_us = payment_memory_since_us(m, NOW_US);
    assert_true(since_us < NOW_US - 3 * USEC_PER_DAY && since_us > NOW_US - 7 * USEC_PER_DAY);
    list(m, "ab", 0); /* charged before the books began */
    expect_none(m, 0);
    list(m, "abdc", 0);
    expect(m, 1, 0);
    expect(m, 2, 1);
    expect_none(m, 2);
    list(m, "cdab", 1); /* only the first was booked */
    expect(m, 2, 1);
    expect_none(m, 2);
    /* A kill between the number and the books. */
    list(m, "e", 2);
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    list(m, "fecdab", 2);
    expect(m, 3, 2); /* e, as before */
    expect(m, 4, 3);
    expect_none(m, 4);
    list(m, "", 4); /* a listing without any */
    expect_none(m, 4);
    list(m, "c", 4);
    expect_none(m, 4);
    payment_memory_free(m);
    trading_store_free(store);
}

/* Fees are kept for longer than a venue is asked for them; their numbers never begin again. */
static void old_fees_are_forgotten(void **state)
{
    (void)state;
    struct trading_store *store = NULL;
    struct payment_memory *m = payment_memory_new();
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    list(m, "", 0);
    add(m, "old", NOW_US - 40 * USEC_PER_DAY);
    list(m, "n", 0);
    expect(m, 1, 0);
    expect(m, 2, 1);
    list(m, "o", 2);
    expect(m, 3, 2);
    assert_int_equal(payment_memory_open(m, store, NULL), 0); /* "old" is not there any more */
    add(m, "old", NOW_US);
    list(m, "", 3);
    expect(m, 4, 3);
    expect_none(m, 4);
    payment_memory_free(m);
    trading_store_free(store);
}

/* An event that is heard, or listed seldom: id and time. */
static struct venue_report forced(const char *id, int64_t at_us)
{
    struct venue_report r = {.kind = VENUE_FUNDING,
                             .event = VENUE_EVENT_LIQUIDATION,
                             .payment = {DEC_ONE},
                             .at_us = at_us};
    (void)str_copy(str_c(id), r.fills_after, sizeof(r.fills_after));
    return r;
}

static void expect_forced(struct payment_memory *m, int64_t number, int64_t previous)
{
    struct venue_report r;
    assert_true(payment_memory_pop(m, &r));
    assert_int_equal(r.event, VENUE_EVENT_LIQUIDATION);
    assert_int_equal(r.funding_id, number);
    assert_int_equal(r.prev_funding_id, previous);
}

static void a_liquidation_that_was_listed_once_is_kept_until_it_is_booked(void **state)
{
    (void)state;
    struct trading_store *store = NULL;
    struct payment_memory *m = payment_memory_new();
    struct venue_report one = forced("x-1", NOW_US + 2), two = forced("x-2", NOW_US + 4);
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    list(m, "", 0);
    payment_memory_add(m, &one);
    add(m, "late", NOW_US + 3);
    add(m, "early", NOW_US + 1);
    payment_memory_close(m, 0, NOW_US);
    expect(m, 1, 0);
    expect_forced(m, 2, 1);
    expect(m, 3, 2);
    expect_none(m, 3);
    /* The payments are listed again, the liquidation is not. */
    add(m, "late", NOW_US + 3);
    add(m, "early", NOW_US + 1);
    payment_memory_close(m, 1, NOW_US);
    expect_forced(m, 2, 1);
    expect(m, 3, 2);
    expect_none(m, 3);
    /* Listed twice, heard and listed: once. */
    payment_memory_tell(m, &two);
    expect_forced(m, 4, 3);
    payment_memory_add(m, &one);
    payment_memory_add(m, &one);
    payment_memory_add(m, &two);
    payment_memory_close(m, 1, NOW_US);
    expect_forced(m, 2, 1);
    expect_forced(m, 4, 2);
    expect_none(m, 4);
    /* Killed before it is booked. */
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    payment_memory_add(m, &one);
    payment_memory_add(m, &two);
    payment_memory_close(m, 3, NOW_US);
    expect_forced(m, 4, 3);
    expect_none(m, 4);
    payment_memory_free(m);
    trading_store_free(store);
}

/* Its order is listed only after later payments were booked. */
static void what_was_numbered_before_a_kill_is_booked_after_later_ones(void **state)
{
    (void)state;
    struct trading_store *store = NULL;
    struct payment_memory *m = payment_memory_new();
    struct venue_report one = forced("x-1", NOW_US + 2), two = forced("x-2", NOW_US + 3);
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    list(m, "", 0);
    payment_memory_tell(m, &one);
    expect_forced(m, 1, 0);
    assert_int_equal(payment_memory_open(m, store, NULL), 0); /* killed before it is booked */
    payment_memory_tell(m, &two);                             /* heard before the first listing */
    expect_none(m, 0);
    list(m, "f", 0);
    expect(m, 2, 0);
    expect_forced(m, 3, 2);
    list(m, "f", 3);
    expect_none(m, 3);
    assert_int_equal(payment_memory_open(m, store, NULL), 0); /* and once more */
    list(m, "f", 3);
    expect_none(m, 3);
    payment_memory_add(m, &one);
    payment_memory_add(m, &two);
    list(m, "f", 3);
    expect_forced(m, 4, 3);
    expect_none(m, 4);
    payment_memory_add(m, &one);
    list(m, "f", 4);
    expect_none(m, 4);
    payment_memory_free(m);
    trading_store_free(store);
}

/* The books have 1, whose row is forgotten, and 2 was not booked before a kill. */
static void numbers_of_the_books_are_not_given_again(void **state)
{
    (void)state;
    struct trading_store *store = NULL;
    struct payment_memory *m = payment_memory_new();
    struct venue_report one = forced("x-1", NOW_US + 2), two = forced("x-2", NOW_US + 3);
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    list(m, "", 0);
    add(m, "old", NOW_US - 40 * USEC_PER_DAY);
    list(m, "", 0);
    expect(m, 1, 0);
    payment_memory_tell(m, &one);
    list(m, "", 1);
    expect_forced(m, 2, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(payment_memory_open(m, store, NULL), 0);
        if (i == 1) {
            payment_memory_tell(m, &two);
        }
        list(m, "", 1);
    }
    expect_forced(m, 2, 1);
    expect_none(m, 2);
    payment_memory_free(m);
    trading_store_free(store);
}

static void what_came_before_the_first_look_is_not_asked_for(void **state)
{
    (void)state;
    struct trading_store *store = NULL;
    struct payment_memory *m = payment_memory_new();
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    list(m, "a", 0); /* books of an earlier version, which has not looked */
    assert_int_equal(payment_memory_forced_since_us(m, NOW_US + 5), NOW_US + 5);
    assert_int_equal(payment_memory_forced_since_us(m, NOW_US + 7), NOW_US + 5);
    assert_int_equal(payment_memory_open(m, store, NULL), 0);
    assert_int_equal(payment_memory_forced_since_us(m, NOW_US + 9), NOW_US + 5);
    payment_memory_free(m);
    trading_store_free(store);
}

static void without_a_store_the_same(void **state)
{
    (void)state;
    struct payment_memory *m = payment_memory_new();
    assert_int_equal(payment_memory_open(m, NULL, NULL), 0);
    list(m, "a", 0);
    expect_none(m, 0);
    list(m, "ab", 0);
    expect(m, 1, 0);
    expect_none(m, 1);
    payment_memory_free(m);
    payment_memory_free(NULL);
}

UNIT_GROUP(payments, cmocka_unit_test(each_fee_is_reported_once),
           cmocka_unit_test(old_fees_are_forgotten),
           cmocka_unit_test(a_liquidation_that_was_listed_once_is_kept_until_it_is_booked),
           cmocka_unit_test(what_was_numbered_before_a_kill_is_booked_after_later_ones),
           cmocka_unit_test(numbers_of_the_books_are_not_given_again),
           cmocka_unit_test(what_came_before_the_first_look_is_not_asked_for),
           cmocka_unit_test(without_a_store_the_same))

#include "unit/unit.h"
#include "venue/book.h"

/* Order books from a stream: sequences, checksums, and what makes them unknown. */

static struct book book;
static struct stream_level levels[16], bid, ask;
static struct stream_event event;
static uint32_t wanted;

static uint32_t checksum(const struct stream_level *bids, int bid_count,
                         const struct stream_level *asks, int ask_count, int price_digits,
                         int qty_digits)
{
    (void)bids;
    (void)asks;
    return (uint32_t)(bid_count * 1000 + ask_count * 100 + price_digits * 10 + qty_digits);
}

static int read_book(const struct json_object *root, struct stream_message *ret, struct err *err)
{
    (void)root;
    (void)ret;
    (void)err;
    return 0;
}

static const struct stream_api counts = {.name = "counts", .read_book = read_book};
static const struct stream_api sums = {.name = "sums", .checksum = checksum};

static struct stream_level level(int64_t price, int64_t qty)
{
    return (struct stream_level){{price * DEC_ONE}, {qty * DEC_ONE}};
}

/* An event with one level of each side. */
static void make(bool whole, int64_t first, int64_t last, struct stream_level b,
                 struct stream_level a)
{
    event = (struct stream_event){.kind = STREAM_BOOK,
                                  .whole = whole,
                                  .first = first,
                                  .last = last,
                                  .bid_count = 1,
                                  .ask_from = 1,
                                  .ask_count = 1};
    levels[0] = b;
    levels[1] = a;
}

static enum book_result change(int64_t first, int64_t last, int64_t b, int64_t a)
{
    make(false, first, last, level(b, 1), level(a, 1));
    return book_apply(&book, &counts, &event, levels, 1);
}

static enum book_result whole(int64_t last, int64_t b, int64_t a)
{
    make(true, 0, last, level(b, 1), level(a, 1));
    return book_apply(&book, &counts, &event, levels, 0);
}

static void assert_top(int64_t b, int64_t a)
{
    assert_true(book_top(&book, &bid, &ask));
    assert_int_equal(bid.price.e8, b * DEC_ONE);
    assert_int_equal(ask.price.e8, a * DEC_ONE);
}

static int setup(void **state)
{
    (void)state;
    book_init(&book, 10);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    book_release(&book);
    return 0;
}

/* Binance: changes are kept until the whole book comes by REST. */
static void changes_before_the_whole_are_kept(void **state)
{
    (void)state;
    assert_int_equal(change(98, 99, 90, 110), BOOK_LOST); /* asks for the whole */
    assert_int_equal(change(100, 103, 95, 105), BOOK_WAITING);
    assert_int_equal(change(104, 104, 96, 104), BOOK_WAITING);
    assert_false(book_top(&book, &bid, &ask));
    assert_int_equal(whole(101, 94, 106), BOOK_GOOD);
    assert_top(96, 104);
    assert_int_equal(book.bids.count, 3); /* 94, 95, 96; 90 is older */
    assert_int_equal(change(105, 106, 97, 103), BOOK_GOOD);
    assert_top(97, 103);
    assert_int_equal(book.lost, 0);
}

static void a_missing_change_makes_it_unknown(void **state)
{
    (void)state;
    assert_int_equal(change(1, 1, 90, 110), BOOK_LOST);
    assert_int_equal(whole(1, 90, 110), BOOK_GOOD);
    assert_int_equal(change(2, 2, 91, 109), BOOK_GOOD);
    assert_int_equal(change(4, 4, 92, 108), BOOK_LOST);
    assert_false(book_top(&book, &bid, &ask));
    assert_int_equal(book.lost, 1);
    assert_string_equal(book.why, "a change is missing");
    /* A whole book that is older than what was kept is no use. */
    assert_int_equal(whole(2, 91, 109), BOOK_LOST);
    assert_int_equal(change(5, 5, 93, 107), BOOK_LOST);
    assert_int_equal(whole(5, 93, 107), BOOK_GOOD);
    assert_top(93, 107);
}

static void futures_name_the_change_before(void **state)
{
    (void)state;
    assert_int_equal(change(1, 3, 90, 110), BOOK_LOST);
    assert_int_equal(whole(5, 90, 110), BOOK_GOOD);
    make(false, 9, 12, level(91, 1), level(109, 1)); /* the first is the one after the whole */
    event.previous = 5;
    assert_int_equal(book_apply(&book, &counts, &event, levels, 1), BOOK_GOOD);
    make(false, 20, 22, level(92, 1), level(108, 1));
    event.previous = 12;
    assert_int_equal(book_apply(&book, &counts, &event, levels, 1), BOOK_GOOD);
    make(false, 23, 25, level(93, 1), level(107, 1));
    event.previous = 21;
    assert_int_equal(book_apply(&book, &counts, &event, levels, 1), BOOK_LOST);
}

static void levels_are_set_moved_and_removed(void **state)
{
    (void)state;
    (void)change(1, 1, 90, 110);
    assert_int_equal(whole(1, 90, 110), BOOK_GOOD);
    assert_int_equal(change(2, 2, 92, 108), BOOK_GOOD);
    assert_int_equal(change(3, 3, 91, 109), BOOK_GOOD);
    assert_int_equal(book.bids.count, 3);
    assert_int_equal(book.asks.levels[1].price.e8, 109 * DEC_ONE);
    make(false, 4, 4, level(92, 0), level(108, 7));
    assert_int_equal(book_apply(&book, &counts, &event, levels, 1), BOOK_GOOD);
    assert_top(91, 108);
    assert_int_equal(ask.qty.e8, 7 * DEC_ONE);
    make(false, 5, 5, level(50, 0), level(200, 0)); /* they are not there */
    assert_int_equal(book_apply(&book, &counts, &event, levels, 1), BOOK_GOOD);
    assert_int_equal(change(6, 6, 108, 111), BOOK_LOST);
    assert_string_equal(book.why, "it is crossed");
}

/* Kraken: the stream sends the whole, and a checksum with each change. */
static void a_wrong_checksum_makes_it_unknown(void **state)
{
    (void)state;
    make(true, 0, 0, level(90, 1), level(110, 1));
    event.has_checksum = true;
    event.price_digits = 1;
    event.qty_digits = 8;
    wanted = 1000 + 100 + 10 + 8;
    event.checksum = wanted;
    assert_int_equal(book_apply(&book, &sums, &event, levels, 3), BOOK_GOOD);
    make(false, 0, 0, level(91, 1), level(109, 1));
    event.has_checksum = true;
    event.price_digits = event.qty_digits = -1; /* as before */
    event.checksum = wanted + 1100;
    assert_int_equal(book_apply(&book, &sums, &event, levels, 3), BOOK_GOOD);
    assert_top(91, 109);
    event.checksum = 1;
    assert_int_equal(book_apply(&book, &sums, &event, levels, 3), BOOK_LOST);
    assert_string_equal(book.why, "its checksum is wrong");
    assert_int_equal(book_apply(&book, &sums, &event, levels, 3), BOOK_WAITING);
    assert_false(book_top(&book, &bid, &ask));
}

static void a_newer_connection_takes_over(void **state)
{
    (void)state;
    make(true, 0, 0, level(90, 1), level(110, 1));
    assert_int_equal(book_apply(&book, &sums, &event, levels, 3), BOOK_GOOD);
    make(true, 0, 0, level(91, 1), level(109, 1));
    assert_int_equal(book_apply(&book, &sums, &event, levels, 4), BOOK_GOOD);
    make(false, 0, 0, level(99, 1), level(101, 1)); /* of the old one */
    assert_int_equal(book_apply(&book, &sums, &event, levels, 3), BOOK_GOOD);
    assert_top(91, 109);
    make(true, 0, 0, level(99, 1), level(101, 1));
    assert_int_equal(book_apply(&book, &sums, &event, levels, 3), BOOK_GOOD);
    assert_top(91, 109);
    book_forget(&book);
    assert_false(book_top(&book, &bid, &ask));
}

static void the_end_of_what_is_known_is_noticed(void **state)
{
    struct stream_level many[20];
    (void)state;
    for (int i = 0; i < 10; i++) {
        many[i] = level(100 - i, 1);
        many[10 + i] = level(101 + i, 1);
    }
    (void)change(1, 1, 90, 110);
    event = (struct stream_event){.kind = STREAM_BOOK,
                                  .whole = true,
                                  .last = 1,
                                  .bid_count = 10,
                                  .ask_from = 10,
                                  .ask_count = 10};
    assert_int_equal(book_apply(&book, &counts, &event, many, 0), BOOK_GOOD);
    make(false, 2, 2, level(100, 0), level(101, 2));
    assert_int_equal(book_apply(&book, &counts, &event, levels, 1), BOOK_LOST);
    assert_string_equal(book.why, "its end is reached");
}

UNIT_GROUP(book,
           cmocka_unit_test_setup_teardown(changes_before_the_whole_are_kept, setup, teardown),
           cmocka_unit_test_setup_teardown(a_missing_change_makes_it_unknown, setup, teardown),
           cmocka_unit_test_setup_teardown(futures_name_the_change_before, setup, teardown),
           cmocka_unit_test_setup_teardown(levels_are_set_moved_and_removed, setup, teardown),
           cmocka_unit_test_setup_teardown(a_wrong_checksum_makes_it_unknown, setup, teardown),
           cmocka_unit_test_setup_teardown(a_newer_connection_takes_over, setup, teardown),
           cmocka_unit_test_setup_teardown(the_end_of_what_is_known_is_noticed, setup, teardown))

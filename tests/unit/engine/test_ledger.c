#include "../../../src/engine/ledger.h"
#include "base/check.h"
#include "base/rng.h"
#include "unit/unit.h"

#include <string.h>

struct books {
    struct engine_state state;
    int count;
    struct position positions[POSITIONS_LIMIT];
    struct ledger ledger;
};

static const struct symbol btc = {"BTC-USD"};

static void books_open(struct books *b)
{
    memset(b, 0, sizeof(*b));
    b->state.initial_cash = dec_from_int(10000);
    b->state.cash = dec_from_int(10000);
    b->ledger = (struct ledger){&b->state, b->positions, &b->count, CAPACITY_MIN};
}

static const struct order order = {.client_id = "nd-1-1",
                                   .symbol = {"BTC-USD"},
                                   .kind = ORDER_ENTRY,
                                   .stop = {1},
                                   .target = {2},
                                   .decision_id = 7};

static struct fill fill(enum order_kind kind, enum side side, double qty, double price, double fee)
{
    return (struct fill){.client_id = "nd-1-1",
                         .symbol = btc,
                         .kind = kind,
                         .side = side,
                         .qty = dec_from_double(qty),
                         .price = dec_from_double(price),
                         .fee = dec_from_double(fee),
                         .at_us = 5};
}

static struct trade book(struct books *b, struct fill f, enum ledger_result expected)
{
    struct trade t;
    memset(&t, 0, sizeof(t));
    assert_int_equal(ledger_book(&b->ledger, &f, &order, &t), expected);
    assert_true(ledger_balances(&b->ledger));
    return t;
}

static void a_long_is_opened_and_closed(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 2, 100, 1), LEDGER_BOOKED);
    assert_int_equal(b.state.cash.e8, dec_from_int(9799).e8);
    assert_int_equal(b.positions[0].decision_id, 7);
    struct trade t = book(&b, fill(ORDER_TARGET, SIDE_LONG, 2, 110, 1.5), LEDGER_CLOSED);
    assert_int_equal(t.pnl.e8, dec_from_double(17.5).e8);
    assert_int_equal(t.fees.e8, dec_from_double(2.5).e8);
    assert_string_equal(t.client_id, "nd-1-1");
    assert_int_equal(b.state.realised.e8, t.pnl.e8);
    assert_int_equal(b.state.cash.e8, dec_from_double(10017.5).e8);
    assert_int_equal(b.count, 0);
}

static void a_short_in_two_parts(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_SHORT, 3, 100, 3), LEDGER_BOOKED);
    assert_int_equal(b.state.cash.e8, dec_from_int(10297).e8);
    b.positions[0].mark_price = dec_from_int(90);
    ledger_mark(&b.ledger);
    assert_int_equal(ledger_equity(b.state.cash, b.positions, b.count).e8, dec_from_int(10027).e8);
    assert_int_equal(b.positions[0].unrealised.e8, dec_from_int(30).e8);
    struct trade t = book(&b, fill(ORDER_CLOSE, SIDE_SHORT, 1, 90, 0.5), LEDGER_CLOSED);
    assert_int_equal(t.pnl.e8, dec_from_double(8.5).e8); /* 10 - 1 of the entry's fee - .5 */
    assert_int_equal(b.positions[0].fees.e8, dec_from_int(2).e8);
    t = book(&b, fill(ORDER_STOP, SIDE_SHORT, 2, 110, 0), LEDGER_CLOSED);
    assert_int_equal(t.pnl.e8, dec_from_int(-22).e8);
    assert_int_equal(b.state.realised.e8, dec_from_double(-13.5).e8);
}

static void a_misfit_changes_nothing(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    (void)book(&b, fill(ORDER_STOP, SIDE_LONG, 1, 100, 0), LEDGER_MISFIT);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 2, 100, 1), LEDGER_BOOKED);
    struct books before = b;
    (void)book(&b, fill(ORDER_STOP, SIDE_LONG, 2.5, 100, 0), LEDGER_MISFIT);
    (void)book(&b, fill(ORDER_STOP, SIDE_SHORT, 1, 100, 0), LEDGER_MISFIT);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_SHORT, 1, 100, 0), LEDGER_MISFIT);
    (void)book(&b, fill(ORDER_CLOSE, SIDE_LONG, 0, 100, 0), LEDGER_MISFIT);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_SHORT, 0, 100, 0), LEDGER_MISFIT);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 1, -100, 0), LEDGER_MISFIT);
    struct fill huge = fill(ORDER_ENTRY, SIDE_LONG, 1, 100, 0);
    huge.qty.e8 = INT64_MAX;
    (void)book(&b, huge, LEDGER_OVERFLOW);
    assert_memory_equal(&b.state, &before.state, sizeof(b.state));
    assert_memory_equal(b.positions, before.positions, sizeof(b.positions));
}

/* A part of an entry of which the venue took all the coins as fee. */
static void a_fill_may_be_only_a_cost(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    (void)book(&b, fill(ORDER_CLOSE, SIDE_LONG, 0, 100, 3), LEDGER_MISFIT);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 0, 100, 5), LEDGER_BOOKED);
    assert_int_equal(b.count, 0); /* a whole entry */
    assert_int_equal(b.state.realised.e8, dec_from_int(-5).e8);
    assert_int_equal(b.state.fees.e8, dec_from_int(5).e8);
    assert_true(ledger_balances(&b.ledger));
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 2, 100, 1), LEDGER_BOOKED);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 0, 120, 3), LEDGER_BOOKED);
    assert_int_equal(b.state.cash.e8, dec_from_int(10000 - 5 - 200 - 1 - 3).e8);
    assert_int_equal(b.positions[0].qty.e8, dec_from_int(2).e8);
    assert_int_equal(b.positions[0].entry_price.e8, dec_from_int(100).e8);
    struct trade t = book(&b, fill(ORDER_CLOSE, SIDE_LONG, 2, 110, 1), LEDGER_CLOSED);
    assert_int_equal(t.pnl.e8, dec_from_int(20 - 5).e8);
}

/* Prices and sizes that do not divide evenly: not one unit is missing after thousands of fills. */
static void balances_to_the_last_unit(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    struct rng rng;
    rng_init(&rng, 1);
    struct dec pnl = DEC_ZERO;
    struct dec left_over = DEC_ZERO;
    for (int i = 0; i < 5000; i++) {
        enum side side = rng_chance(&rng, 0.5) ? SIDE_LONG : SIDE_SHORT;
        struct fill f = fill(ORDER_ENTRY, side, 0, 0, 0);
        for (int part = 0; part < 3; part++) {
            f.qty.e8 = 1 + (int64_t)rng_below(&rng, 300000000);
            f.price.e8 = 1 + (int64_t)rng_below(&rng, 100000000000);
            f.fee.e8 = (int64_t)rng_below(&rng, 1000);
            struct dec before = b.state.realised;
            (void)book(&b, f, LEDGER_BOOKED);
            struct dec residue = dec_add(dec_sub(b.state.realised, before), f.fee);
            /* An average price is exact to half a unit per coin. */
            assert_true(dec_abs(residue).e8 <= b.positions[0].qty.e8 / DEC_ONE + 2);
            left_over = dec_add(left_over, residue);
        }
        while (b.count > 0) {
            f.kind = ORDER_CLOSE;
            f.price.e8 = 1 + (int64_t)rng_below(&rng, 100000000000);
            f.qty = b.positions[0].qty;
            if (f.qty.e8 > 1 && rng_chance(&rng, 0.5)) {
                f.qty.e8 = 1 + (int64_t)rng_below(&rng, (uint64_t)f.qty.e8);
            }
            pnl = dec_add(pnl, book(&b, f, LEDGER_CLOSED).pnl);
        }
        assert_int_equal(dec_add(pnl, left_over).e8, b.state.realised.e8);
        assert_int_equal(dec_add(b.state.initial_cash, b.state.realised).e8, b.state.cash.e8);
    }
}

static void an_adopted_position_balances_too(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    struct position p = {.symbol = btc,
                         .side = SIDE_SHORT,
                         .qty = dec_from_int(1),
                         .entry_price = dec_from_int(50),
                         .mark_price = dec_from_int(50)};
    assert_true(ledger_adopt(&b.ledger, &p));
    assert_false(ledger_adopt(&b.ledger, &p));
    assert_true(ledger_balances(&b.ledger));
    struct trade t = book(&b, fill(ORDER_CLOSE, SIDE_SHORT, 1, 60, 0), LEDGER_CLOSED);
    assert_int_equal(t.pnl.e8, dec_from_int(-10).e8);
}

/* As if it had never been adopted, even if part of it was closed meanwhile. */
static void a_disowned_position_leaves_no_trace(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    struct position p = {.symbol = btc,
                         .side = SIDE_SHORT,
                         .qty = dec_from_double(2.00000001),
                         .entry_price = dec_from_double(33.33333333)};
    assert_true(ledger_adopt(&b.ledger, &p));
    assert_true(ledger_disown(&b.ledger, 0));
    assert_int_equal(b.count, 0);
    assert_int_equal(b.state.cash.e8, dec_from_int(10000).e8);
    assert_true(ledger_adopt(&b.ledger, &p));
    struct trade t = book(&b, fill(ORDER_CLOSE, SIDE_SHORT, 1, 30, 0.5), LEDGER_CLOSED);
    assert_true(ledger_disown(&b.ledger, 0));
    assert_true(ledger_balances(&b.ledger));
    assert_int_equal(b.state.cash.e8, dec_add(dec_from_int(10000), t.pnl).e8);
}

static void funding_is_paid_out_of_cash(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 2, 100, 1), LEDGER_BOOKED);
    assert_true(ledger_pay(&b.ledger, dec_from_double(2.5)));
    assert_true(ledger_pay(&b.ledger, dec_from_double(-1)));
    assert_true(ledger_balances(&b.ledger));
    assert_int_equal(b.state.funding.e8, dec_from_double(1.5).e8);
    assert_int_equal(b.state.realised.e8, dec_from_double(-2.5).e8); /* a fee of 1, too */
    assert_int_equal(b.state.fees.e8, dec_from_int(1).e8);
    struct engine_state before = b.state;
    assert_false(ledger_pay(&b.ledger, DEC_INVALID));
    assert_false(ledger_pay(&b.ledger, (struct dec){-INT64_MAX}));
    assert_memory_equal(&b.state, &before, sizeof(before));
    /* It does not count in a trade. */
    struct trade t = book(&b, fill(ORDER_CLOSE, SIDE_LONG, 2, 100, 0), LEDGER_CLOSED);
    assert_int_equal(t.pnl.e8, dec_from_int(-1).e8);
}

static struct position long_of(const char *symbol, double qty, double price)
{
    struct position p = {.side = SIDE_LONG,
                         .qty = dec_from_double(qty),
                         .entry_price = dec_from_double(price),
                         .mark_price = dec_from_double(price)};
    (void)symbol_parse(str_c(symbol), &p.symbol);
    return p;
}

/* The array has room for exactly these three, and the one that closes leaves no gap. */
static void positions_of_several_symbols_stay_in_order(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    struct position *three = calloc(3, sizeof(*three));
    assert_non_null(three);
    b.ledger = (struct ledger){&b.state, three, &b.count, 3};
    const struct position first = long_of("ADA-USD", 10, 2);
    const struct position middle = long_of("BTC-USD", 2, 100);
    const struct position last = long_of("ETH-USD", 3, 50);
    const struct position fourth = long_of("SOL-USD", 1, 1);
    assert_true(ledger_adopt(&b.ledger, &first));
    assert_true(ledger_adopt(&b.ledger, &middle));
    assert_int_equal(ledger_find(&b.ledger, last.symbol), -1);
    /* A place beyond the count is not part of any sum. */
    three[2] = fourth;
    assert_int_equal(ledger_exposure(three, b.count).e8, dec_from_int(220).e8);
    assert_int_equal(ledger_equity(b.state.cash, three, b.count).e8, dec_from_int(10000).e8);
    assert_true(ledger_balances(&b.ledger));
    assert_true(ledger_adopt(&b.ledger, &last));
    assert_false(ledger_adopt(&b.ledger, &fourth));
    assert_int_equal(ledger_find(&b.ledger, last.symbol), 2);
    assert_int_equal(ledger_exposure(three, b.count).e8, dec_from_int(370).e8);

    struct trade t = book(&b, fill(ORDER_CLOSE, SIDE_LONG, 2, 101, 0), LEDGER_CLOSED);
    assert_int_equal(t.pnl.e8, dec_from_int(2).e8);
    assert_int_equal(b.count, 2);
    assert_int_equal(ledger_find(&b.ledger, first.symbol), 0);
    assert_int_equal(ledger_find(&b.ledger, middle.symbol), -1);
    assert_int_equal(ledger_find(&b.ledger, last.symbol), 1);
    assert_int_equal(three[1].qty.e8, dec_from_int(3).e8);
    assert_int_equal(ledger_exposure(three, b.count).e8, dec_from_int(170).e8);
    assert_true(ledger_disown(&b.ledger, 0));
    assert_int_equal(ledger_find(&b.ledger, last.symbol), 0);
    free(three);
}

/* Each of the three sums can overflow alone; then none of them changes. */
static void each_sum_is_checked(void **state)
{
    (void)state;
    struct trade t;
    for (int which = 0; which < 4; which++) {
        struct books b;
        books_open(&b);
        struct fill f = fill(ORDER_ENTRY, SIDE_LONG, 1, 100, 1);
        enum ledger_result expected = LEDGER_OVERFLOW;
        if (which == 0) {
            b.state.cash.e8 = -INT64_MAX;
        } else if (which == 1) {
            b.state.fees.e8 = INT64_MAX;
        } else if (which == 2) {
            b.state.realised.e8 = -INT64_MAX;
        } else {
            f.fee = DEC_INVALID;
            expected = LEDGER_MISFIT;
        }
        struct books before = b;
        assert_int_equal(ledger_book(&b.ledger, &f, &order, &t), expected);
        assert_memory_equal(&b.state, &before.state, sizeof(b.state));
        assert_int_equal(b.count, 0);
    }
}

/* An amount out of range changes nothing, wherever it occurs. */
static void overflow_changes_nothing(void **state)
{
    (void)state;
    struct books b;
    struct trade t;
    const struct dec most = {INT64_MAX};
    static const struct {
        double qty;
        double price;
        double fee;
    } huge[] = {{1e9, 1e9, 0}, {9e10, 1, 0}, {1, 9e10, 0}, {1, 1, 9.2e10}, {1, 1, -9.2e10}};
    for (size_t i = 0; i < COUNT_OF(huge); i++) {
        for (int side = SIDE_LONG; side <= SIDE_SHORT; side++) {
            for (int held = 0; held < 2; held++) {
                books_open(&b);
                b.state.cash = side == SIDE_LONG ? dec_neg(most) : most;
                b.state.realised = b.state.cash;
                b.state.fees = huge[i].fee < 0 ? dec_neg(most) : most;
                b.count = held;
                b.positions[0] = (struct position){.symbol = btc,
                                                   .side = (enum side)side,
                                                   .qty = dec_from_double(huge[i].qty),
                                                   .entry_price = dec_from_int(1),
                                                   .client_id = "nd-1-1"};
                struct books before = b;
                struct fill f =
                    fill(ORDER_ENTRY, (enum side)side, huge[i].qty, huge[i].price, huge[i].fee);
                assert_int_equal(ledger_book(&b.ledger, &f, &order, &t), LEDGER_OVERFLOW);
                f.kind = ORDER_CLOSE;
                if (held == 1) {
                    /* A close moves cash the opposite way, so it starts from the opposite bound. */
                    b.state.cash = dec_neg(b.state.cash);
                    before = b;
                    assert_int_equal(ledger_book(&b.ledger, &f, NULL, &t), LEDGER_OVERFLOW);
                }
                assert_memory_equal(&b, &before, sizeof(b));
            }
        }
    }
    books_open(&b);
    struct position p = {.symbol = btc, .qty = dec_from_int(1), .entry_price = most};
    b.state.cash = dec_neg(most);
    assert_false(ledger_adopt(&b.ledger, &p));
    b.positions[0] = p;
    b.count = 1;
    b.state.cash = most;
    assert_false(ledger_disown(&b.ledger, 0));
    assert_false(ledger_balances(&b.ledger));
    b.positions[0].mark_price = dec_neg(most);
    b.positions[0].unrealised = dec_from_int(7);
    ledger_mark(&b.ledger);
    assert_int_equal(b.positions[0].unrealised.e8, dec_from_int(7).e8);
    b.state.realised = dec_neg(most);
    assert_false(ledger_pay(&b.ledger, dec_from_int(1)));
    b.state.realised = DEC_ZERO;
    b.state.funding = most;
    assert_false(ledger_pay(&b.ledger, dec_from_int(1)));
    b.state.initial_cash = most;
    b.state.realised = most;
    assert_false(ledger_balances(&b.ledger));
}

static void the_number_of_positions_is_limited(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    struct fill f = fill(ORDER_ENTRY, SIDE_LONG, 1, 1, 0);
    struct trade t;
    for (int i = 0; i <= CAPACITY_MIN; i++) {
        f.symbol.name[0] = (char)('A' + i);
        assert_int_equal(ledger_book(&b.ledger, &f, &order, &t),
                         i < CAPACITY_MIN ? LEDGER_BOOKED : LEDGER_MISFIT);
    }
    struct position p = {
        .symbol = f.symbol, .qty = dec_from_int(1), .entry_price = dec_from_int(1)};
    assert_false(ledger_adopt(&b.ledger, &p));
    /* One more of a held symbol, but from another order. */
    struct order other = order;
    other.client_id[3] = '7';
    f.symbol.name[0] = 'A';
    assert_int_equal(ledger_book(&b.ledger, &f, &other, &t), LEDGER_MISFIT);
    assert_int_equal(ledger_book(&b.ledger, &f, &order, &t), LEDGER_BOOKED); /* no new place */
    f.price = DEC_INVALID;
    assert_int_equal(ledger_book(&b.ledger, &f, &order, &t), LEDGER_MISFIT);
    f.price = dec_from_int(1);
    f.fee = DEC_INVALID;
    assert_int_equal(ledger_book(&b.ledger, &f, &order, &t), LEDGER_MISFIT);
    assert_int_equal(b.count, CAPACITY_MIN);
}

/* The smallest fill is booked, and the smallest rest of a position stays in the books. */
static void one_unit_is_not_lost(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    struct fill f = fill(ORDER_ENTRY, SIDE_LONG, 1, 1, 0);
    f.price = DEC_ZERO;
    (void)book(&b, f, LEDGER_MISFIT);
    f.price.e8 = 1;
    f.qty.e8 = 1;
    (void)book(&b, f, LEDGER_BOOKED);
    f.qty = dec_from_int(1);
    (void)book(&b, f, LEDGER_BOOKED);
    assert_int_equal(b.positions[0].qty.e8, DEC_ONE + 1);
    f.kind = ORDER_CLOSE;
    (void)book(&b, f, LEDGER_CLOSED);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.positions[0].qty.e8, 1);
    f.qty.e8 = 1;
    (void)book(&b, f, LEDGER_CLOSED);
    assert_int_equal(b.count, 0);
}

/* The fees of the position overflow, while those of the account do not. */
static void the_fees_of_a_position_are_checked(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 1, 100, 0), LEDGER_BOOKED);
    b.positions[0].fees.e8 = INT64_MAX;
    struct books before = b;
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 1, 100, 1), LEDGER_OVERFLOW);
    (void)book(&b, fill(ORDER_CLOSE, SIDE_LONG, 1, 100, 1), LEDGER_OVERFLOW);
    assert_memory_equal(&b, &before, sizeof(b));
}

static void only_open_positions_are_marked(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 2, 100, 0), LEDGER_BOOKED);
    b.positions[1] = long_of("ETH-USD", 1, 50); /* beyond the count */
    b.positions[0].mark_price = dec_from_int(101);
    b.positions[1].mark_price = dec_from_int(51);
    ledger_mark(&b.ledger);
    assert_int_equal(b.positions[0].unrealised.e8, dec_from_int(2).e8);
    assert_int_equal(b.positions[1].unrealised.e8, 0);
}

/* Money that leaves or arrives moves four sums, and is neither profit nor loss. */
static void a_transfer_moves_capital(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    b.state.equity_peak = dec_from_int(12000);
    b.state.day_start_equity = dec_from_int(11000);
    assert_true(ledger_transfer(&b.ledger, dec_from_int(500)));
    assert_int_equal(b.state.cash.e8, dec_from_int(9500).e8);
    assert_int_equal(b.state.initial_cash.e8, dec_from_int(9500).e8);
    assert_int_equal(b.state.equity_peak.e8, dec_from_int(11500).e8);
    assert_int_equal(b.state.day_start_equity.e8, dec_from_int(10500).e8);
    assert_int_equal(b.state.realised.e8, 0);
    assert_true(ledger_balances(&b.ledger));
    assert_true(ledger_transfer(&b.ledger, dec_from_int(-500)));
    assert_int_equal(b.state.initial_cash.e8, dec_from_int(10000).e8);
    assert_int_equal(b.state.equity_peak.e8, dec_from_int(12000).e8);
}

/* It is money that is there, so refusing it would stop the account's events for ever. */
static void profits_can_be_withdrawn(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    assert_true(ledger_pay(&b.ledger, dec_from_int(-5000)));
    assert_true(ledger_transfer(&b.ledger, dec_from_int(12000)));
    assert_int_equal(b.state.initial_cash.e8, dec_from_int(-2000).e8);
    assert_int_equal(b.state.cash.e8, dec_from_int(3000).e8);
    assert_int_equal(b.state.realised.e8, dec_from_int(5000).e8);
    assert_true(ledger_balances(&b.ledger));
}

static void a_transfer_that_overflows_changes_nothing(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    struct engine_state before = b.state;
    assert_false(ledger_transfer(&b.ledger, DEC_INVALID));
    assert_memory_equal(&b.state, &before, sizeof(before));
    struct dec *const sums[] = {&b.state.cash, &b.state.initial_cash, &b.state.equity_peak,
                                &b.state.day_start_equity};
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        books_open(&b);
        sums[i]->e8 = INT64_MAX;
        before = b.state;
        assert_false(ledger_transfer(&b.ledger, dec_from_int(-1)));
        assert_memory_equal(&b.state, &before, sizeof(before));
    }
}

static void a_missing_unit_is_detected(void **state)
{
    (void)state;
    struct books b;
    books_open(&b);
    (void)book(&b, fill(ORDER_ENTRY, SIDE_LONG, 2, 100, 1), LEDGER_BOOKED);
    b.state.cash.e8++;
    assert_false(ledger_balances(&b.ledger));
}

UNIT_GROUP(ledger, cmocka_unit_test(a_long_is_opened_and_closed),
           cmocka_unit_test(a_short_in_two_parts), cmocka_unit_test(a_misfit_changes_nothing),
           cmocka_unit_test(a_fill_may_be_only_a_cost), cmocka_unit_test(balances_to_the_last_unit),
           cmocka_unit_test(an_adopted_position_balances_too),
           cmocka_unit_test(a_disowned_position_leaves_no_trace),
           cmocka_unit_test(funding_is_paid_out_of_cash),
           cmocka_unit_test(positions_of_several_symbols_stay_in_order),
           cmocka_unit_test(each_sum_is_checked), cmocka_unit_test(overflow_changes_nothing),
           cmocka_unit_test(the_number_of_positions_is_limited),
           cmocka_unit_test(one_unit_is_not_lost),
           cmocka_unit_test(the_fees_of_a_position_are_checked),
           cmocka_unit_test(only_open_positions_are_marked),
           cmocka_unit_test(a_transfer_moves_capital), cmocka_unit_test(profits_can_be_withdrawn),
           cmocka_unit_test(a_transfer_that_overflows_changes_nothing),
           cmocka_unit_test(a_missing_unit_is_detected))

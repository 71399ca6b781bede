/*
 * The lifecycle of orders in the step, with a venue that sends any report in any order.
 */
#include "base/check.h"
#include "report_rig.h"
#include "unit/unit.h"

#include <string.h>

/* ---------------------------------------------------------------- partial fills */

/* Twenty fills, eight per report: none is lost, none counts twice. */
static void many_fills_are_paged_through(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_open(&l);
    l.memory->orders[0].qty = report_rig_whole(20);
    report_rig_start(&l);
    report_rig_step(&l);
    assert_int_equal(fill_id_to_number(l.out->queries[0].after_fill_id), 0);

    /* The venue sends the newest fills; the earlier ones are missing here. */
    struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 20);
    fill_id_of_number(12, r->fills_after);
    for (int id = 13; id <= 20; id++) {
        report_rig_add_fill(r, id, ORDER_ENTRY, 1, 100);
    }
    struct venue_report newest = *r;
    report_rig_step_after(&l, 3 * USEC_PER_SEC);
    assert_int_equal(l.out->fill_count, 0);
    assert_int_equal(l.out->query_count, 1);
    assert_string_equal(l.out->queries[0].client_id, REPORT_RIG_ID);
    assert_int_equal(fill_id_to_number(l.out->queries[0].after_fill_id), 0);

    int64_t after = 0;
    for (int page = 0; page < 3; page++) {
        r = report_rig_add_order(&l, ORDER_FILLED, 20);
        fill_id_of_number(after, r->fills_after);
        r->more = page < 2;
        for (int i = 0; i < (page < 2 ? 8 : 4); i++) {
            report_rig_add_fill(r, ++after, ORDER_ENTRY, 1, 100);
        }
        struct venue_report again = *r;
        report_rig_step(&l);
        assert_int_equal(l.out->fill_count, page < 2 ? 8 : 4);
        assert_int_equal(l.out->query_count, page < 2); /* the next page, at once */
        if (page < 2) {
            assert_int_equal(fill_id_to_number(l.out->queries[0].after_fill_id), after);
            assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->state, ORDER_ACKED);
        }
        *report_rig_add(&l, VENUE_ORDER, REPORT_RIG_ID) = again; /* the same report again */
        report_rig_step(&l);
        assert_int_equal(l.out->fill_count, 0);
    }
    *report_rig_add(&l, VENUE_ORDER, REPORT_RIG_ID) = newest;
    report_rig_step(&l);
    assert_int_equal(l.out->fill_count, 0);
    int count;
    const struct position *p = engine_positions(l.engine, &count);
    assert_int_equal(count, 1);
    assert_int_equal(p->qty.e8, report_rig_whole(20).e8);
    assert_int_equal(engine_state(l.engine)->fills, 20);
    assert_int_equal(l.snapshot->open_orders, 0);

    /* A restart continues after the booked fills. */
    report_rig_booked(&l, 20);
    struct order entry = l.memory->orders[0];
    entry.state = ORDER_FILLED;
    entry.filled_qty = report_rig_whole(20);
    report_rig_restart(&l, &entry);
    report_rig_step(&l);
    assert_int_equal(fill_id_to_number(l.out->queries[0].after_fill_id), 20);
    *report_rig_add(&l, VENUE_ORDER, REPORT_RIG_ID) = newest;
    report_rig_step(&l);
    assert_int_equal(l.out->fill_count, 0);
    report_rig_close(&l);
}

/* A start loads only the newest ids of an order with many fills; a report that was on its way, with
 * older fills, books none of them again. */
static void a_late_report_after_a_start_books_nothing_twice(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_open(&l);
    for (int from = 1; from <= 9; from += 8) {
        struct venue_report *r = report_rig_add_order(&l, ORDER_PARTIAL, from == 1 ? 8 : 9);
        fill_id_of_number(from - 1, r->fills_after);
        for (int id = from; id < from + 8 && id <= 9; id++) {
            report_rig_add_fill(r, id, ORDER_ENTRY, 1, 100);
        }
        report_rig_step(&l);
    }
    assert_int_equal(engine_state(l.engine)->fills, 9);
    struct order entry = l.memory->orders[0];
    entry.state = ORDER_PARTIAL;
    entry.filled_qty = report_rig_whole(9);
    l.memory->booked_count = 1;
    l.memory->booked[0].order = 0;
    fill_id_of_number(9, l.memory->booked[0].venue_fill_id);
    report_rig_restart(&l, &entry);
    struct venue_report *r = report_rig_add_order(&l, ORDER_PARTIAL, 8);
    for (int id = 1; id <= 8; id++) {
        report_rig_add_fill(r, id, ORDER_ENTRY, 1, 100);
    }
    report_rig_step(&l);
    assert_int_equal(engine_state(l.engine)->fills, 9);
    r = report_rig_add_order(&l, ORDER_FILLED, 10);
    fill_id_of_number(9, r->fills_after);
    report_rig_add_fill(r, 10, ORDER_ENTRY, 1, 100);
    report_rig_step(&l);
    assert_int_equal(engine_state(l.engine)->fills, 10);
    report_rig_close(&l);
}

static void set_id(struct venue_report *r, int fill, const char *id)
{
    (void)str_copy(str_c(id), r->fills[fill].venue_fill_id, FILL_ID_SIZE);
}

/* Ids are texts without an order: a late report with older fills books nothing again. */
static void fill_ids_are_compared_for_equality_only(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_open(&l);
    struct venue_report *r = report_rig_add_order(&l, ORDER_PARTIAL, 3);
    static const char *const ids[] = {"TZ-9", "TA-1", "TM-5"};
    for (int i = 0; i < 3; i++) {
        report_rig_add_fill(r, 1, ORDER_ENTRY, 1, 100);
        set_id(r, i, ids[i]);
    }
    struct venue_report late = *r;
    report_rig_step(&l);
    assert_int_equal(l.out->fill_count, 3);
    r = report_rig_add_order(&l, ORDER_PARTIAL, 4);
    (void)str_copy(STR_LIT("TM-5"), r->fills_after, sizeof(r->fills_after));
    report_rig_add_fill(r, 1, ORDER_ENTRY, 1, 100);
    set_id(r, 0, "TB-2");
    report_rig_step(&l);
    assert_int_equal(l.out->fill_count, 1);
    late.fill_count = 2;
    *report_rig_add(&l, VENUE_ORDER, REPORT_RIG_ID) = late;
    report_rig_step(&l);
    assert_int_equal(l.out->fill_count, 0);
    /* What follows a fill that we do not have is not booked: there is a gap. */
    r = report_rig_add_order(&l, ORDER_PARTIAL, 6);
    (void)str_copy(STR_LIT("TC-3"), r->fills_after, sizeof(r->fills_after));
    report_rig_add_fill(r, 1, ORDER_ENTRY, 1, 100);
    set_id(r, 0, "TD-4");
    report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->fill_count, 0);
    assert_int_equal(l.out->query_count, 1);
    assert_string_equal(l.out->queries[0].after_fill_id, "TB-2");
    report_rig_close(&l);
}

/* Of 2 USD, 0.02 BTC, 0.04 ETH at a price of 50, and 7 of a currency without a price. */
static void a_fee_is_booked_in_quote_currency(void **state)
{
    (void)state;
    static const struct {
        const char *currency;
        double fee;
        int64_t booked;
    } fees[] = {{"", 2, 2}, {"USD", 2, 2}, {"BTC", 0.02, 2}, {"ETH", 0.04, 2}, {"BNB", 7, 0}};
    for (size_t i = 0; i < COUNT_OF(fees); i++) {
        struct report_rig l;
        report_rig_open(&l);
        struct dec fifty = report_rig_whole(50);
        l.in->bars[l.in->bar_count++] = (struct source_bar){
            report_rig_eth,
            {l.now.market_us / USEC_PER_MIN * USEC_PER_MIN, fifty, fifty, fifty, fifty, fifty}};
        report_rig_bar(&l, 100);
        struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
        report_rig_add_fill(r, 1, ORDER_ENTRY, 10, 100);
        r->fills[0].fee = dec_from_double(fees[i].fee);
        (void)str_copy(str_c(fees[i].currency), r->fills[0].fee_currency, CURRENCY_SIZE);
        report_rig_step(&l);
        assert_int_equal(l.out->fill_count, 1);
        assert_int_equal(l.out->fills[0].fee.e8, report_rig_whole(fees[i].booked).e8);
        assert_int_equal(l.out->fills[0].fee_charged.e8, dec_from_double(fees[i].fee).e8);
        assert_string_equal(l.out->fills[0].fee_currency, fees[i].currency);
        assert_int_equal(engine_state(l.engine)->fees.e8, report_rig_whole(fees[i].booked).e8);
        assert_int_equal(report_rig_is_fault(&l, ERR_VENUE_FEE), fees[i].booked == 0);
        report_rig_close(&l);
    }
}

static void an_order_is_over_once_its_fills_are_booked(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_open(&l);
    struct venue_report *r = report_rig_add_order(&l, ORDER_PARTIAL, 4);
    report_rig_add_fill(r, 1, ORDER_ENTRY, 4, 100);
    report_rig_step(&l);
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->state, ORDER_PARTIAL);
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->filled_qty.e8, report_rig_whole(4).e8);
    assert_int_equal(l.snapshot->open_orders, 1);

    r = report_rig_add_order(&l, ORDER_FILLED, 10); /* its second fill was lost */
    report_rig_add_fill(r, 1, ORDER_ENTRY, 4, 100);
    report_rig_step_after(&l, 3 * USEC_PER_SEC);
    assert_int_equal(l.snapshot->open_orders, 1);
    assert_int_equal(l.out->query_count, 1);
    r = report_rig_add_order(&l, ORDER_FILLED, 10);
    report_rig_add_fill(r, 1, ORDER_ENTRY, 4, 100);
    report_rig_add_fill(r, 2, ORDER_ENTRY, 6, 110);
    report_rig_step(&l);
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->state, ORDER_FILLED);
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->average_price.e8,
                     report_rig_whole(106).e8);
    (void)report_rig_add_order(&l, ORDER_ACKED, 0); /* an old report changes nothing */
    report_rig_step(&l);
    assert_int_equal(l.snapshot->open_orders, 0);

    r = report_rig_add(&l, VENUE_ORDER,
                       REPORT_RIG_ID); /* the bracket's fills have the entry's id */
    r->state = ORDER_FILLED;
    r->filled_qty = report_rig_whole(10);
    fill_id_of_number(2, r->fills_after);
    report_rig_add_fill(r, 3, ORDER_STOP, 7, 90);
    report_rig_add_fill(r, 4, ORDER_STOP, 3, 89);
    report_rig_step(&l);
    assert_int_equal(l.out->trade_count, 2);
    assert_string_equal(l.out->trades[1].exit_reason, "stop");
    assert_int_equal(l.snapshot->position_count, 0);
    report_rig_close(&l);
}

static void impossible_reports_are_not_booked(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_open(&l);
    static const int64_t sizes[] = {0, -DEC_ONE, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct venue_report *r = report_rig_add_order(&l, ORDER_PARTIAL, 1);
        report_rig_add_fill(r, 10 + (int64_t)i, ORDER_ENTRY, 1, 100);
        r->fills[0].qty.e8 = sizes[i];
        report_rig_step(&l);
        assert_true(report_rig_is_fault(&l, ERR_ENGINE_STRAY_FILL));
        assert_int_equal(l.out->fill_count, 0);
        r = report_rig_add_order(&l, ORDER_PARTIAL, 1);
        report_rig_add_fill(r, 10 + (int64_t)i, ORDER_ENTRY, 2, 100);
        r->fills[0].price.e8 = sizes[i]; /* the largest value, twice, is out of range */
        r->filled_qty.e8 = sizes[i];
        report_rig_step(&l);
        assert_int_equal(l.out->fill_count, 0);
    }
    struct venue_report *r = report_rig_add_order(&l, ORDER_PARTIAL, 1);
    report_rig_add_fill(r, 20, ORDER_ENTRY, 1, 100);
    (void)symbol_parse(STR_LIT("NEVER-SEEN"), &r->fills[0].symbol);
    report_rig_step(&l);
    assert_int_equal(l.out->fill_count, 0);
    r = report_rig_add_order(&l, ORDER_PARTIAL, 1);
    report_rig_add_fill(r, 20, ORDER_ENTRY, 1, 100);
    r->fills[0].client_id[3]++; /* of another order */
    report_rig_step(&l);
    assert_int_equal(l.out->fill_count, 0);
    r = report_rig_add_order(&l, ORDER_PARTIAL, 1);
    r->filled_qty = DEC_INVALID;
    r->stop = report_rig_whole(80); /* half a bracket is ignored */
    r = report_rig_add(&l, VENUE_REFUSED, REPORT_RIG_ID);
    r->stop = report_rig_whole(90); /* of the time before there was a position */
    r->target = report_rig_whole(120);
    report_rig_step(&l);
    assert_false(report_rig_is_fault(&l, ERR_VENUE_AMEND));
    r = report_rig_add_order(&l, ORDER_PARTIAL, 1);
    report_rig_add_fill(r, 21, ORDER_STOP, 1, 90); /* closes a position that does not exist */
    report_rig_step(&l);
    assert_int_equal(l.out->fill_count, 0);
    (void)report_rig_add(&l, VENUE_ORDER, "nd-77-77"); /* a report on an unknown order */
    (void)report_rig_add(&l, VENUE_NOT_FOUND, "nd-77-77");
    (void)report_rig_add(&l, VENUE_REFUSED, "nd-77-77");
    report_rig_step(&l);
    assert_int_equal(engine_state(l.engine)->cash.e8, report_rig_whole(10000).e8);
    assert_int_equal(l.snapshot->position_count, 0);
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- silence */

static void an_unanswered_order_is_unknown_until_the_venue_reports(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    assert_int_equal(
        report_rig_ask(&l, (struct request){.kind = REQUEST_CLOSE, .symbol = report_rig_btc}),
        ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    const struct order sent = l.out->orders[l.out->sends[0]];
    assert_int_equal(sent.state, ORDER_PREPARED);
    assert_int_equal(sent.decision_id, 0);
    assert_int_equal(sent.qty.e8, report_rig_whole(10).e8);
    report_rig_step(&l);
    assert_int_equal(report_rig_written(&l, sent.client_id)->state, ORDER_SENT);
    report_rig_step_after(&l, ENGINE_ANSWER_US + USEC_PER_SEC);
    assert_int_equal(report_rig_written(&l, sent.client_id)->state, ORDER_UNKNOWN);
    assert_int_equal(l.snapshot->unknown_orders, 1);
    for (int i = 0; i < 20; i++) {
        report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
        assert_int_equal(l.out->send_count, 0); /* queried, never sent again */
        assert_int_equal(l.out->query_count, 1);
    }
    struct venue_report *r = report_rig_add(&l, VENUE_NOT_FOUND, sent.client_id);
    report_rig_step(&l);
    assert_int_equal(report_rig_written(&l, sent.client_id)->state, ORDER_CANCELLED);
    assert_int_equal(l.snapshot->unknown_orders, 0);
    assert_int_equal(l.out->send_count,
                     1); /* another order, now that this one cannot arrive any more */
    assert_string_not_equal(l.out->orders[l.out->sends[0]].client_id, sent.client_id);
    (void)report_rig_add(&l, VENUE_NOT_FOUND, REPORT_RIG_ID); /* a final state is final */
    r = report_rig_add(&l, VENUE_NO_ANSWER, REPORT_RIG_ID);
    r->asked = VENUE_CALL_QUERY;
    r = report_rig_add(&l, VENUE_NO_ANSWER, "nd-77-77");
    r->asked = VENUE_CALL_CANCEL;
    report_rig_step(&l);
    assert_int_equal(l.snapshot->open_orders, 1);
    assert_int_equal(l.snapshot->position_count, 1);
    report_rig_close(&l);
}

/* The venue still holds the ten, and a failed close is over, until another is sent. */
static void await_close(struct report_rig *l)
{
    for (int i = 0; l->out->send_count == 0; i++) {
        assert_true(i < 20);
        if (l->out->list) {
            report_rig_hold(report_rig_add_listing(l), report_rig_btc, 10, 100);
        }
        for (int q = 0; q < l->out->query_count; q++) {
            const char *id = l->out->queries[q].client_id;
            struct venue_report *r = report_rig_add(l, VENUE_ORDER, id);
            r->state = strcmp(id, REPORT_RIG_ID) == 0 ? ORDER_FILLED : ORDER_CANCELLED;
            r->filled_qty = strcmp(id, REPORT_RIG_ID) == 0 ? report_rig_whole(10) : DEC_ZERO;
        }
        report_rig_step_after(l, USEC_PER_SEC);
    }
}

/* A second close request covers only what the first one does not. */
static void a_close_covers_what_is_not_being_closed(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    struct request close = {.kind = REQUEST_CLOSE, .symbol = report_rig_btc};
    assert_int_equal(report_rig_ask(&l, close), ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    struct order sent = l.out->orders[l.out->sends[0]];
    assert_int_equal(report_rig_ask(&l, close), ERR_NONE);
    assert_int_equal(l.out->send_count, 0);

    struct venue_report *r = report_rig_add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_CANCELLED; /* expired half-way */
    r->filled_qty = report_rig_whole(4);
    report_rig_add_fill(r, 2, ORDER_CLOSE, 4, 101);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->positions[0].qty.e8, report_rig_whole(6).e8);
    assert_int_equal(report_rig_ask(&l, close), ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    sent = l.out->orders[l.out->sends[0]];
    assert_int_equal(sent.qty.e8, report_rig_whole(6).e8);

    /* After the close, the venue is asked for confirmation. */
    report_rig_step_after(&l, 3 * USEC_PER_SEC);
    assert_true(l.out->list);
    r = report_rig_add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_FILLED;
    r->filled_qty = report_rig_whole(6);
    report_rig_add_fill(r, 3, ORDER_CLOSE, 6, 101);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->position_count, 0);
    report_rig_step_after(&l, 3 * USEC_PER_SEC);
    assert_true(l.out->list);
    report_rig_close(&l);
}

/* A cancellation can get lost, and an entry can fill before it arrives: the position is closed. */
static void fills_during_cancellation_are_closed(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_open(&l);
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_CLOSE}), ERR_NONE);
    assert_int_equal(l.out->cancel_count, 1);
    report_rig_step_after(&l, 3 * USEC_PER_SEC);
    assert_int_equal(l.out->cancel_count, 1);
    assert_string_equal(l.out->cancels[0], REPORT_RIG_ID);
    struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
    r->stop = report_rig_whole(90);
    r->target = report_rig_whole(120);
    report_rig_add_fill(r, 1, ORDER_ENTRY, 10, 100);
    report_rig_step(&l);
    assert_int_equal(l.out->send_count, 1);
    struct order sent = l.out->orders[l.out->sends[0]];
    assert_int_equal(sent.kind, ORDER_CLOSE);
    assert_int_equal(sent.qty.e8, report_rig_whole(10).e8);
    assert_int_equal(sent.decision_id, 0);
    assert_string_equal(sent.reason, "operator");

    /* Refused: a listing first, then another attempt. */
    r = report_rig_add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_REJECTED;
    report_rig_step(&l);
    assert_int_equal(l.out->send_count, 0);
    await_close(&l);
    sent = l.out->orders[l.out->sends[0]];
    r = report_rig_add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_FILLED;
    r->filled_qty = report_rig_whole(10);
    report_rig_add_fill(r, 2, ORDER_CLOSE, 10, 101);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->position_count, 0);
    report_rig_step_after(&l, 3 * USEC_PER_SEC);
    assert_int_equal(l.out->send_count + l.out->cancel_count, 0);
    report_rig_close(&l);
}

/* A close from a decision rests until the next bar; an emergency stop does not wait for it. */
static void an_emergency_cancels_a_resting_close(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    struct order entry = l.memory->orders[0];
    entry.state = ORDER_FILLED;
    entry.filled_qty = report_rig_whole(10);
    report_rig_booked(&l, 1);
    l.memory->order_count = 2;
    l.memory->orders[1] = entry;
    struct order *close = &l.memory->orders[1];
    (void)str_copy(STR_LIT("nd-1-2"), close->client_id, sizeof(close->client_id));
    close->kind = ORDER_CLOSE;
    close->state = ORDER_ACKED;
    close->filled_qty = DEC_ZERO;
    close->decision_id = 9;
    report_rig_restart(&l, &entry);
    assert_int_equal(
        report_rig_ask(&l, (struct request){.kind = REQUEST_CLOSE, .symbol = report_rig_btc}),
        ERR_NONE);
    assert_int_equal(l.out->cancel_count, 0); /* it is under way */
    assert_int_equal(l.out->send_count, 0);
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}),
                     ERR_NONE);
    assert_int_equal(l.out->cancel_count, 1);
    assert_string_equal(l.out->cancels[0], "nd-1-2");
    assert_int_equal(l.out->send_count, 0);
    report_rig_step(&l);
    assert_int_equal(l.out->cancel_count, 0); /* not in every step */
    fill_id_of_number(1, report_rig_add_order(&l, ORDER_FILLED, 10)->fills_after);
    struct venue_report *r = report_rig_add(&l, VENUE_ORDER, "nd-1-2");
    r->state = ORDER_CANCELLED;
    report_rig_step(&l);
    await_close(&l);
    assert_int_equal(l.out->orders[l.out->sends[0]].decision_id, 0);
    assert_int_equal(l.out->orders[l.out->sends[0]].qty.e8, report_rig_whole(10).e8);
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- funding */

static void add_payment(struct report_rig *l, int64_t id, int64_t prev, int64_t payment)
{
    struct venue_report *r = report_rig_add(l, VENUE_FUNDING, "");
    r->funding_id = id;
    r->prev_funding_id = prev;
    r->symbol = report_rig_btc;
    r->payment = report_rig_whole(payment);
}

static void funding_is_booked_once_and_in_order(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    struct dec cash = engine_state(l.engine)->cash;
    struct dec realised = engine_state(l.engine)->realised;
    add_payment(&l, 5, 0, 3);
    add_payment(&l, 5, 0, 3);
    report_rig_step(&l);
    assert_int_equal(l.out->payment_count, 1);
    assert_true(l.out->write);
    assert_int_equal(engine_state(l.engine)->cash.e8, dec_sub(cash, report_rig_whole(3)).e8);
    assert_int_equal(engine_state(l.engine)->realised.e8,
                     dec_sub(realised, report_rig_whole(3)).e8);
    assert_int_equal(l.snapshot->funding.e8, report_rig_whole(3).e8);

    /* One payment is missing: nothing is booked out of order, and listings from the last booked one
     * are requested. */
    add_payment(&l, 9, 7, 1);
    for (int i = 0; i == 0 || !l.out->list; i++) {
        assert_true(i < 100);
        report_rig_step_after(&l, USEC_PER_SEC);
        assert_int_equal(l.out->payment_count, 0);
    }
    assert_int_equal(l.out->list_after_funding_id, 5);
    struct venue_report *r = report_rig_add_listing(&l);
    report_rig_hold(r, report_rig_btc, 10, 100);
    r->funding_id = 9;
    add_payment(&l, 7, 5, -2); /* received, not paid */
    add_payment(&l, 9, 7, 1);
    report_rig_step(&l);
    assert_int_equal(l.out->payment_count, 2);
    assert_int_equal(engine_state(l.engine)->last_funding_id, 9);
    assert_int_equal(engine_state(l.engine)->funding.e8, report_rig_whole(2).e8);
    assert_int_equal(l.out->trade_count, 0); /* not part of a trade's profit */

    add_payment(&l, 10, 9, 0);
    l.in->reports[0].payment = DEC_INVALID;
    add_payment(&l, 10, 9, 0);
    l.in->reports[1].payment.e8 = -INT64_MAX;
    report_rig_step(&l);
    assert_int_equal(l.out->payment_count, 0);
    assert_int_equal(engine_state(l.engine)->last_funding_id, 9);
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- foreign positions */

static void foreign_positions_block_their_symbol(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    struct venue_report *r = report_rig_await_listing(&l);
    report_rig_hold(r, report_rig_btc, 10, 100);
    report_rig_hold(r, report_rig_eth, 3, 50);
    (void)str_copy(STR_LIT("by-hand"), r->open[r->open_count++], CLIENT_ID_SIZE);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->foreign_count, 1); /* blocked at once, reported once confirmed */
    assert_false(report_rig_is_fault(&l, ERR_ENGINE_FOREIGN));
    r = report_rig_await_listing(&l);
    report_rig_hold(r, report_rig_btc, 10, 100);
    report_rig_hold(r, report_rig_eth, 3, 50);
    report_rig_step(&l);
    assert_true(report_rig_is_fault(&l, ERR_ENGINE_FOREIGN));
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l.snapshot->foreign_count, 1);
    assert_string_equal(l.snapshot->foreign[0].symbol.name, "ETH-USD");
    assert_int_equal(l.snapshot->foreign[0].qty.e8, report_rig_whole(3).e8);
    assert_int_equal(l.snapshot->position_count, 1);
    r = report_rig_await_listing(&l);
    report_rig_hold(r, report_rig_btc, 10, 100);
    report_rig_hold(r, report_rig_eth, 4, 50);
    report_rig_step(&l);
    assert_false(report_rig_is_fault(&l, ERR_ENGINE_FOREIGN)); /* reported once */
    assert_int_equal(l.snapshot->foreign[0].qty.e8, report_rig_whole(4).e8);
    report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->foreign_count, 0);
    report_rig_close(&l);
}

/* The venue's positions lag behind its orders: a position that we closed is not a foreign one. */
static void a_lagging_listing_raises_no_fault(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
    fill_id_of_number(1, r->fills_after);
    report_rig_add_fill(r, 2, ORDER_STOP, 10, 90);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->position_count, 0);
    report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->foreign_count, 1);
    assert_false(report_rig_is_fault(&l, ERR_ENGINE_FOREIGN));
    /* Nor does an emergency stop at this moment close it again. */
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}),
                     ERR_NONE);
    report_rig_hold(report_rig_await_listing(&l), report_rig_eth, 1,
                    50); /* another one, seen for the first time */
    report_rig_step(&l);
    assert_int_equal(l.out->send_count, 0);
    report_rig_await_listing(&l);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->foreign_count, 0);
    assert_true(l.snapshot->verified_flat);
    report_rig_close(&l);
}

static void a_close_includes_foreign_positions(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    struct venue_report *r = report_rig_await_listing(&l);
    report_rig_hold(r, report_rig_btc, 10, 100);
    report_rig_hold(r, report_rig_eth, 3, 50);
    report_rig_step(&l);
    struct dec cash = engine_state(l.engine)->cash;
    struct request close = {.kind = REQUEST_CLOSE, .symbol = report_rig_eth};
    assert_int_equal(report_rig_ask(&l, close), ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    struct order sent = l.out->orders[l.out->sends[0]];
    assert_string_equal(sent.symbol.name, "ETH-USD");
    assert_int_equal(sent.qty.e8, report_rig_whole(3).e8);
    assert_int_equal(l.snapshot->foreign_count, 0);
    assert_int_equal(l.snapshot->position_count, 2);
    assert_int_equal(engine_state(l.engine)->cash.e8, dec_sub(cash, report_rig_whole(150)).e8);

    /* It was already closed: it leaves the books as it came, and nothing halts. */
    r = report_rig_add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_REJECTED;
    (void)str_copy(STR_LIT("nothing to reduce"), r->reason, sizeof(r->reason));
    report_rig_step(&l);
    report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->position_count, 1);
    assert_int_equal(engine_state(l.engine)->cash.e8, cash.e8);
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l.out->trade_count, 0);

    /* This time it exists. */
    r = report_rig_await_listing(&l);
    report_rig_hold(r, report_rig_btc, 10, 100);
    report_rig_hold(r, report_rig_eth, 3, 50);
    report_rig_step(&l);
    assert_int_equal(report_rig_ask(&l, close), ERR_NONE);
    sent = l.out->orders[l.out->sends[0]];
    r = report_rig_add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_FILLED;
    r->filled_qty = report_rig_whole(3);
    report_rig_add_fill(r, 1, ORDER_CLOSE, 3, 60);
    r->fills[0].symbol = report_rig_eth;
    report_rig_step(&l);
    assert_int_equal(l.out->trade_count, 1);
    assert_int_equal(l.out->trades[0].pnl.e8, report_rig_whole(30).e8);
    assert_int_equal(engine_state(l.engine)->cash.e8, dec_add(cash, report_rig_whole(30)).e8);
    report_rig_close(&l);
}

static void a_difference_in_our_positions_halts(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
        report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 9, 100);
        report_rig_step(&l);
    }
    assert_int_equal(l.snapshot->state, TRADING_STARTING);
    assert_non_null(strstr(l.snapshot->state_reason, "we hold 10, the venue 9"));
    assert_true(report_rig_is_fault(&l, ERR_ENGINE_RECONCILE));
    report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10,
                    100); /* continues when they agree */
    report_rig_step(&l);
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);

    /* An unknown order with our prefix is a difference too. */
    for (int i = 0; i < 3; i++) {
        struct venue_report *r = report_rig_await_listing(&l);
        report_rig_hold(r, report_rig_btc, 10, 100);
        (void)str_copy(STR_LIT("nd-9-9"), r->open[r->open_count++], CLIENT_ID_SIZE);
        report_rig_step(&l);
    }
    assert_int_equal(l.snapshot->state, TRADING_STARTING);
    assert_non_null(strstr(l.snapshot->state_reason, "nd-9-9"));
    assert_true(report_rig_is_fault(&l, ERR_VENUE_SHARED)); /* a copy of our books trades */
    assert_int_equal(l.snapshot->foreign_orders, 1);
    report_rig_close(&l);
}

/* Orders of a person are counted, those of another nightdesk are an alert. Both stop nothing. */
static void orders_of_others_are_counted(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    for (int i = 0; i < 8; i++) {
        struct venue_report *r = report_rig_await_listing(&l);
        report_rig_hold(r, report_rig_btc, 10, 100);
        (void)str_copy(STR_LIT("#77"), r->open[r->open_count++], CLIENT_ID_SIZE);
        if (i >= 4) {
            (void)str_copy(STR_LIT("##78"), r->open[r->open_count++], CLIENT_ID_SIZE);
        }
        report_rig_step(&l);
        assert_int_equal(l.snapshot->foreign_orders, i >= 4 ? 2 : 1);
        assert_int_equal(report_rig_is_fault(&l, ERR_VENUE_SHARED), i >= 6);
        assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    }
    report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->foreign_orders, 0);
    assert_false(report_rig_is_fault(&l, ERR_VENUE_SHARED));
    report_rig_close(&l);
}

static void an_old_or_cut_listing_proves_nothing(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    for (int i = 0; i < 8; i++) {
        struct venue_report *r = report_rig_await_listing(&l);
        if (i % 2 == 0) {
            r->last = false;
        } else {
            r->ask_id = 0; /* from before the fill */
        }
        report_rig_hold(r, report_rig_eth, 5, 50);
        report_rig_step(&l);
        assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
        assert_int_equal(l.snapshot->foreign_count, 0);
    }
    report_rig_close(&l);
}

static struct venue_report *add_page(struct report_rig *l, int page, bool last)
{
    struct venue_report *r = report_rig_add(l, VENUE_LISTING, "");
    r->ask_id = l->out->list_id;
    r->page = page;
    r->last = last;
    return r;
}

/* Three pages in the wrong order, one of them twice: nothing is compared before all are there. */
static void a_listing_arrives_in_pages(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    (void)report_rig_await_listing(&l);
    l.in->report_count = 0;
    int64_t ask_id = l.out->list_id;
    report_rig_hold(add_page(&l, 2, true), report_rig_eth, 3, 50);
    (void)add_page(&l, 0, false);
    (void)add_page(&l, 0, false);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->foreign_count, 0);
    l.out->list_id = ask_id;
    report_rig_hold(add_page(&l, 1, false), report_rig_btc, 10, 100);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->foreign_count, 1);
    assert_true(l.snapshot->venue_agrees);
    report_rig_close(&l);
}

/* A listing that has more than can be compared is a difference, not a listing that agrees. */
static void a_listing_that_is_too_long_is_a_difference(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    for (int i = 0; i < 3; i++) {
        (void)report_rig_await_listing(&l);
        l.in->report_count = 0;
        int64_t ask_id = l.out->list_id;
        for (int page = 0; page < VENUE_PAGES_MAX - 1; page++) {
            struct venue_report *r = add_page(&l, page, page == VENUE_PAGES_MAX - 2);
            r->holding_count = VENUE_PAGE_HOLDINGS;
            r->open_count = VENUE_PAGE_OPEN;
            report_rig_step(&l);
            l.out->list_id = ask_id;
        }
    }
    assert_int_equal(l.snapshot->state, TRADING_STARTING);
    assert_non_null(strstr(l.snapshot->state_reason, "the venue lists more than"));
    report_rig_close(&l);
}

/* Until trading.db has our own close of the symbol, a crash would load that position again. */
static void a_stop_closes_a_foreign_position_once_our_own_close_is_saved(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    l.in->disk = ENGINE_DISK_BEHIND;
    struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
    fill_id_of_number(1, r->fills_after);
    report_rig_add_fill(r, 2, ORDER_STOP, 10, 90);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->position_count, 0);
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}),
                     ERR_NONE);
    for (int i = 0; i < 5; i++) {
        r = report_rig_await_listing(&l);
        report_rig_hold(r, report_rig_btc, 4, 95);
        report_rig_hold(r, report_rig_eth, 3, 50);
        report_rig_step(&l);
        for (int k = 0; k < l.out->send_count; k++) {
            assert_string_equal(l.out->orders[l.out->sends[k]].symbol.name, "ETH-USD");
        }
    }
    l.in->disk = ENGINE_DISK_OK;
    bool sent = false;
    for (int i = 0; i < 5 && !sent; i++) {
        r = report_rig_await_listing(&l);
        report_rig_hold(r, report_rig_btc, 4, 95);
        report_rig_step(&l);
        for (int k = 0; k < l.out->send_count; k++) {
            sent = sent || symbol_equal(l.out->orders[l.out->sends[k]].symbol, report_rig_btc);
        }
    }
    assert_true(sent);
    report_rig_close(&l);
}

UNIT_GROUP(orders, cmocka_unit_test(a_stop_closes_a_foreign_position_once_our_own_close_is_saved),
           cmocka_unit_test(many_fills_are_paged_through),
           cmocka_unit_test(a_late_report_after_a_start_books_nothing_twice),
           cmocka_unit_test(an_order_is_over_once_its_fills_are_booked),
           cmocka_unit_test(impossible_reports_are_not_booked),
           cmocka_unit_test(an_unanswered_order_is_unknown_until_the_venue_reports),
           cmocka_unit_test(a_close_covers_what_is_not_being_closed),
           cmocka_unit_test(fills_during_cancellation_are_closed),
           cmocka_unit_test(an_emergency_cancels_a_resting_close),
           cmocka_unit_test(funding_is_booked_once_and_in_order),
           cmocka_unit_test(foreign_positions_block_their_symbol),
           cmocka_unit_test(a_lagging_listing_raises_no_fault),
           cmocka_unit_test(a_close_includes_foreign_positions),
           cmocka_unit_test(a_difference_in_our_positions_halts),
           cmocka_unit_test(orders_of_others_are_counted),
           cmocka_unit_test(an_old_or_cut_listing_proves_nothing),
           cmocka_unit_test(fill_ids_are_compared_for_equality_only),
           cmocka_unit_test(a_fee_is_booked_in_quote_currency),
           cmocka_unit_test(a_listing_arrives_in_pages),
           cmocka_unit_test(a_listing_that_is_too_long_is_a_difference))

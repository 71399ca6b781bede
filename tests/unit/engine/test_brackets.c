/*
 * Stop and target of a position: amended, and measured from the fills; and limits that stop an
 * entry while it is filling.
 */
#include "base/check.h"
#include "lab.h"
#include "unit/unit.h"

#include <string.h>

/* ---------------------------------------------------------------- amendments */

static struct request amendment(int64_t stop, int64_t target)
{
    return (struct request){.kind = REQUEST_AMEND,
                            .symbol = lab_btc,
                            .stop = lab_whole(stop),
                            .target = lab_whole(target)};
}

static void an_invalid_amendment_is_refused(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    static const int64_t wrong[][2] = {{0, 0},  {100, 0},   {105, 0},  {0, 100}, {0, 95},
                                       {-1, 0}, {95, -100}, {101, 99}, {0, -120}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(lab_ask(&l, amendment(wrong[i][0], wrong[i][1])), ERR_ENGINE_AMEND);
        assert_int_equal(l.out->amend_count, 0);
    }
    struct request r = amendment(95, 0);
    r.stop = DEC_INVALID;
    assert_int_equal(lab_ask(&l, r), ERR_ENGINE_AMEND);
    r = amendment(95, 0);
    r.symbol = lab_eth;
    assert_int_equal(lab_ask(&l, r), ERR_ENGINE_NOTHING_OPEN);
    (void)symbol_parse(STR_LIT("NEVER-SEEN"), &r.symbol);
    assert_int_equal(lab_ask(&l, r), ERR_ENGINE_NOTHING_OPEN);
    assert_int_equal(lab_ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}), ERR_NONE);
    assert_int_equal(lab_ask(&l, amendment(95, 0)), ERR_ENGINE_STOPPED);
    assert_int_equal(l.snapshot->positions[0].stop.e8, lab_whole(90).e8);
    lab_close(&l);
}

static struct venue_report *bracket_at(struct lab *l, int64_t stop, int64_t target)
{
    struct venue_report *r = lab_add_order(l, ORDER_FILLED, 10);
    r->fills_after = 1;
    r->stop = lab_whole(stop);
    r->target = lab_whole(target);
    return r;
}

static void an_amendment_is_in_effect_once_the_venue_reports_it(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    assert_int_equal(lab_ask(&l, amendment(95, 0)), ERR_NONE);
    assert_int_equal(l.out->amend_count, 1);
    assert_string_equal(l.out->amends[0].client_id, LAB_ID);
    assert_int_equal(l.out->amends[0].stop.e8, lab_whole(95).e8);
    assert_int_equal(l.out->amends[0].target.e8, lab_whole(120).e8);
    /* The wanted bracket is on disk before it is sent; until then the old one is in effect. */
    struct order entry = *lab_written(&l, LAB_ID);
    assert_int_equal(entry.stop.e8, lab_whole(95).e8);
    assert_int_equal(l.snapshot->positions[0].stop.e8, lab_whole(90).e8);

    /* A lost amendment is sent again, but not at once; also after a crash. */
    lab_step(&l);
    assert_int_equal(l.out->amend_count, 0);
    lab_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 1);
    struct venue_report *r = lab_add(&l, VENUE_NO_ANSWER, LAB_ID);
    r->asked = VENUE_CALL_AMEND;
    lab_step(&l);
    lab_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 1);
    l.memory->last_fill_ids[0] = 1;
    lab_restart(&l, &entry);
    lab_step(&l);
    assert_int_equal(l.out->amend_count, 1);
    assert_int_equal(l.out->amends[0].stop.e8, lab_whole(95).e8);

    (void)bracket_at(&l, 95, 120);
    lab_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.snapshot->positions[0].stop.e8, lab_whole(95).e8);
    assert_true(l.out->positions_changed);
    assert_int_equal(l.out->amend_count, 0);

    /* A late report of the old bracket is adopted, and the amendment is sent again. */
    (void)bracket_at(&l, 90, 120);
    lab_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.snapshot->positions[0].stop.e8, lab_whole(90).e8);
    assert_int_equal(l.out->amend_count, 1);
    assert_int_equal(l.out->amends[0].stop.e8, lab_whole(95).e8);
    (void)bracket_at(&l, 95, 120);
    lab_step(&l);
    lab_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 0);
    lab_close(&l);
}

static void a_refused_amendment_is_given_up(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    assert_int_equal(lab_ask(&l, amendment(95, 130)), ERR_NONE);
    assert_int_equal(lab_ask(&l, amendment(96, 0)), ERR_NONE);
    assert_int_equal(l.out->amends[0].target.e8, lab_whole(130).e8); /* as in the first request */
    struct venue_report *r = lab_add(&l, VENUE_REFUSED, LAB_ID);
    r->stop = lab_whole(95); /* not the bracket that is wanted now */
    r->target = lab_whole(130);
    lab_step(&l);
    assert_false(lab_is_fault(&l, ERR_VENUE_AMEND));
    r = lab_add(&l, VENUE_REFUSED, LAB_ID);
    r->stop = lab_whole(96);
    r->target = lab_whole(130);
    struct venue_report again = *r;
    lab_step(&l);
    assert_true(lab_is_fault(&l, ERR_VENUE_AMEND));
    assert_int_equal(lab_written(&l, LAB_ID)->stop.e8, lab_whole(90).e8);
    *lab_add(&l, VENUE_REFUSED, LAB_ID) = again;
    lab_step_after(&l, 2 * ENGINE_ASK_EVERY_US);
    assert_false(lab_is_fault(&l, ERR_VENUE_AMEND));
    assert_int_equal(l.out->amend_count, 0);
    assert_int_equal(l.snapshot->positions[0].stop.e8, lab_whole(90).e8);
    lab_close(&l);
}

/* The venue accepted an amendment, its report was lost, and it refuses the next one: the bracket
 * that the refusal reports as in effect becomes the current and the wanted one. */
static void a_refusal_reports_the_bracket_in_effect(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    assert_int_equal(lab_ask(&l, amendment(95, 130)), ERR_NONE);
    assert_int_equal(lab_ask(&l, amendment(99, 130)), ERR_NONE);
    struct venue_report *r = lab_add(&l, VENUE_REFUSED, LAB_ID);
    r->stop = lab_whole(99);
    r->target = lab_whole(130);
    r->current_stop = lab_whole(95);
    r->current_target = lab_whole(130);
    lab_step(&l);
    assert_true(lab_is_fault(&l, ERR_VENUE_AMEND));
    assert_int_equal(l.snapshot->positions[0].stop.e8, lab_whole(95).e8);
    assert_int_equal(lab_written(&l, LAB_ID)->stop.e8, lab_whole(95).e8);
    lab_step_after(&l, 2 * ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 0);
    lab_close(&l);
}

/* ---------------------------------------------------------------- a bracket measured from the
 * fills */

/* An entry of ten, decided at 100, with stop and target 10 and 20 away. */
static void lab_following(struct lab *l)
{
    lab_open(l);
    l->memory->orders[0].stop_away = lab_whole(10);
    l->memory->orders[0].target_away = lab_whole(20);
    lab_start(l);
    lab_step(l);
}

/* More of the entry fills; the venue keeps the bracket at the prices of the order. */
static void fill_more(struct lab *l, int64_t id, int64_t qty, int64_t price, int64_t filled,
                      struct dec stop, struct dec target)
{
    struct venue_report *r = lab_add_order(l, filled == 10 ? ORDER_FILLED : ORDER_PARTIAL, filled);
    r->fills_after = id - 1;
    r->stop = stop;
    r->target = target;
    lab_add_fill(r, id, ORDER_ENTRY, qty, price);
    lab_step(l);
}

static void assert_amends(const struct lab *l, double stop, double target)
{
    assert_int_equal(l->out->amend_count, 1);
    assert_int_equal(l->out->amends[0].stop.e8, dec_from_double(stop).e8);
    assert_int_equal(l->out->amends[0].target.e8, dec_from_double(target).e8);
}

static void stop_and_target_are_measured_from_the_fills(void **state)
{
    (void)state;
    struct lab l;
    lab_following(&l);
    fill_more(&l, 1, 4, 101, 4, lab_whole(90), lab_whole(120));
    assert_amends(&l, 91, 121);
    assert_int_equal(lab_written(&l, LAB_ID)->stop.e8, lab_whole(91).e8);
    assert_int_equal(l.snapshot->positions[0].stop.e8, lab_whole(90).e8); /* in effect until then */
    /* Amended at once with each fill, measured from the average price of all fills. */
    fill_more(&l, 2, 4, 103, 8, lab_whole(91), lab_whole(121));
    assert_amends(&l, 92, 122);
    assert_int_equal(l.snapshot->positions[0].stop.e8, lab_whole(91).e8);
    /* Also after a crash. */
    struct order entry = *lab_written(&l, LAB_ID);
    l.memory->last_fill_ids[0] = 2;
    lab_restart(&l, &entry);
    lab_step(&l);
    assert_amends(&l, 92, 122);
    /* A price that a person sets stays; the other one still follows the fills. */
    lab_bar(&l, 103);
    assert_int_equal(lab_ask(&l, amendment(95, 0)), ERR_NONE);
    assert_amends(&l, 95, 122);
    fill_more(&l, 3, 2, 107, 10, lab_whole(95), lab_whole(122));
    assert_amends(&l, 95, 123);
    assert_int_equal(lab_written(&l, LAB_ID)->stop_away.e8, 0);
    lab_close(&l);
}

static void refuse(struct lab *l, int64_t stop, int64_t target)
{
    struct venue_report *r = lab_add(l, VENUE_REFUSED, LAB_ID);
    r->stop = lab_whole(stop);
    r->target = lab_whole(target);
    lab_step_after(l, ENGINE_ASK_EVERY_US);
}

/* The market passed the measured stop before the amendment: the allowed loss is reached already. */
static void a_measured_stop_that_is_too_late_closes(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct lab l;
        lab_following(&l);
        fill_more(&l, 1, 10, i == 0 ? 105 : 95, 10, lab_whole(90), lab_whole(120));
        lab_bar(&l, i == 0 ? 94 : 116); /* between the bracket of the order and the measured one */
        refuse(&l, i == 0 ? 95 : 85, i == 0 ? 125 : 115);
        assert_int_equal(l.out->send_count, 1);
        const struct order *o = &l.out->orders[l.out->sends[0]];
        assert_int_equal(o->kind, ORDER_CLOSE);
        assert_int_equal(o->qty.e8, lab_whole(10).e8);
        assert_string_equal(o->reason, "bracket passed");
        lab_close(&l);
    }
}

/* Refused although our price has not passed it: retried a few times, then the venue's bracket
 * stays. */
static void a_measured_bracket_is_given_up_after_some_refusals(void **state)
{
    (void)state;
    struct lab l;
    lab_following(&l);
    fill_more(&l, 1, 10, 105, 10, lab_whole(90), lab_whole(120));
    lab_bar(&l, 105);
    for (int i = 0; i < ENGINE_REFUSALS_MAX; i++) {
        refuse(&l, 95, 125);
        assert_amends(&l, 95, 125);
        assert_false(lab_is_fault(&l, ERR_VENUE_AMEND));
    }
    refuse(&l, 95, 125);
    assert_true(lab_is_fault(&l, ERR_VENUE_AMEND));
    assert_int_equal(l.out->amend_count, 0);
    assert_int_equal(lab_written(&l, LAB_ID)->stop.e8, lab_whole(90).e8);
    assert_int_equal(l.out->send_count, 0);
    lab_close(&l);
}

/* ---------------------------------------------------------------- limits at the fill */

/* Half of an entry has filled and the price rose: the other half would exceed the limit. */
static void an_entry_is_cancelled_beyond_the_exposure_limit(void **state)
{
    (void)state;
    for (int beyond = 0; beyond < 2; beyond++) {
        struct lab l;
        lab_open(&l);
        l.settings.max_exposure_pct = beyond ? 10.9 : 12;
        lab_start(&l);
        lab_step(&l);
        struct venue_report *r = lab_add_order(&l, ORDER_PARTIAL, 5);
        lab_add_fill(r, 1, ORDER_ENTRY, 5, 100);
        lab_step(&l);
        lab_add_listing(&l)->open_count = 1;
        lab_hold(&l.in->reports[0], lab_btc, 5, 100);
        memcpy(l.in->reports[0].open[0], LAB_ID, sizeof(LAB_ID));
        lab_bar(&l, 100);
        assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
        assert_int_equal(l.out->cancel_count, 0);
        lab_bar(&l, 110); /* 1100 of 10050 */
        assert_int_equal(l.out->cancel_count, beyond);
        assert_int_equal(l.out->send_count, 0); /* the position stays */
        lab_close(&l);
    }
}

UNIT_GROUP(brackets, cmocka_unit_test(an_invalid_amendment_is_refused),
           cmocka_unit_test(an_amendment_is_in_effect_once_the_venue_reports_it),
           cmocka_unit_test(a_refused_amendment_is_given_up),
           cmocka_unit_test(a_refusal_reports_the_bracket_in_effect),
           cmocka_unit_test(stop_and_target_are_measured_from_the_fills),
           cmocka_unit_test(a_measured_stop_that_is_too_late_closes),
           cmocka_unit_test(a_measured_bracket_is_given_up_after_some_refusals),
           cmocka_unit_test(an_entry_is_cancelled_beyond_the_exposure_limit))

/*
 * Stop and target of a position: amended, and measured from the fills; and limits that stop an
 * entry while it is filling.
 */
#include "base/check.h"
#include "report_rig.h"
#include "unit/unit.h"

#include <string.h>

/* ---------------------------------------------------------------- amendments */

static struct request amendment(int64_t stop, int64_t target)
{
    return (struct request){.kind = REQUEST_AMEND,
                            .symbol = report_rig_btc,
                            .stop = report_rig_whole(stop),
                            .target = report_rig_whole(target)};
}

static void an_invalid_amendment_is_refused(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    static const int64_t wrong[][2] = {{0, 0},  {100, 0},   {105, 0},  {0, 100}, {0, 95},
                                       {-1, 0}, {95, -100}, {101, 99}, {0, -120}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(report_rig_ask(&l, amendment(wrong[i][0], wrong[i][1])), ERR_ENGINE_AMEND);
        assert_int_equal(l.out->amend_count, 0);
    }
    struct request r = amendment(95, 0);
    r.stop = DEC_INVALID;
    assert_int_equal(report_rig_ask(&l, r), ERR_ENGINE_AMEND);
    r = amendment(95, 0);
    r.symbol = report_rig_eth;
    assert_int_equal(report_rig_ask(&l, r), ERR_ENGINE_NOTHING_OPEN);
    (void)symbol_parse(STR_LIT("NEVER-SEEN"), &r.symbol);
    assert_int_equal(report_rig_ask(&l, r), ERR_ENGINE_NOTHING_OPEN);
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}),
                     ERR_NONE);
    assert_int_equal(report_rig_ask(&l, amendment(95, 0)), ERR_ENGINE_STOPPED);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(90).e8);
    report_rig_close(&l);
}

static struct venue_report *bracket_at(struct report_rig *l, int64_t stop, int64_t target)
{
    struct venue_report *r = report_rig_add_order(l, ORDER_FILLED, 10);
    fill_id_of_number(1, r->fills_after);
    r->stop = report_rig_whole(stop);
    r->target = report_rig_whole(target);
    return r;
}

static void an_amendment_is_in_effect_once_the_venue_reports_it(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    assert_int_equal(report_rig_ask(&l, amendment(95, 0)), ERR_NONE);
    assert_int_equal(l.out->amend_count, 1);
    assert_string_equal(l.out->amends[0].client_id, REPORT_RIG_ID);
    assert_int_equal(l.out->amends[0].stop.e8, report_rig_whole(95).e8);
    assert_int_equal(l.out->amends[0].target.e8, report_rig_whole(120).e8);
    /* The wanted bracket is on disk before it is sent; until then the old one is in effect. */
    struct order entry = *report_rig_written(&l, REPORT_RIG_ID);
    assert_int_equal(entry.stop.e8, report_rig_whole(95).e8);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(90).e8);

    /* A lost amendment is sent again, but not at once; also after a crash. */
    report_rig_step(&l);
    assert_int_equal(l.out->amend_count, 0);
    report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 1);
    struct venue_report *r = report_rig_add(&l, VENUE_NO_ANSWER, REPORT_RIG_ID);
    r->asked = VENUE_CALL_AMEND;
    report_rig_step(&l);
    report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 1);
    report_rig_booked(&l, 1);
    report_rig_restart(&l, &entry);
    report_rig_step(&l);
    assert_int_equal(l.out->amend_count, 1);
    assert_int_equal(l.out->amends[0].stop.e8, report_rig_whole(95).e8);

    (void)bracket_at(&l, 95, 120);
    report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(95).e8);
    assert_true(l.out->positions_changed);
    assert_int_equal(l.out->amend_count, 0);

    /* A late report of the old bracket is adopted, and the amendment is sent again. */
    (void)bracket_at(&l, 90, 120);
    report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(90).e8);
    assert_int_equal(l.out->amend_count, 1);
    assert_int_equal(l.out->amends[0].stop.e8, report_rig_whole(95).e8);
    (void)bracket_at(&l, 95, 120);
    report_rig_step(&l);
    report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 0);
    report_rig_close(&l);
}

static void a_refused_amendment_is_given_up(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    assert_int_equal(report_rig_ask(&l, amendment(95, 130)), ERR_NONE);
    assert_int_equal(report_rig_ask(&l, amendment(96, 0)), ERR_NONE);
    assert_int_equal(l.out->amends[0].target.e8,
                     report_rig_whole(130).e8); /* as in the first request */
    struct venue_report *r = report_rig_add(&l, VENUE_REFUSED, REPORT_RIG_ID);
    r->stop = report_rig_whole(95); /* not the bracket that is wanted now */
    r->target = report_rig_whole(130);
    report_rig_step(&l);
    assert_false(report_rig_is_fault(&l, ERR_VENUE_AMEND));
    r = report_rig_add(&l, VENUE_REFUSED, REPORT_RIG_ID);
    r->stop = report_rig_whole(96);
    r->target = report_rig_whole(130);
    struct venue_report again = *r;
    report_rig_step(&l);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_AMEND));
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->stop.e8, report_rig_whole(90).e8);
    *report_rig_add(&l, VENUE_REFUSED, REPORT_RIG_ID) = again;
    report_rig_step_after(&l, 2 * ENGINE_ASK_EVERY_US);
    assert_false(report_rig_is_fault(&l, ERR_VENUE_AMEND));
    assert_int_equal(l.out->amend_count, 0);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(90).e8);
    report_rig_close(&l);
}

/* The venue accepted an amendment, its report was lost, and it refuses the next one: the bracket
 * that the refusal reports as in effect becomes the current and the wanted one. */
static void a_refusal_reports_the_bracket_in_effect(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    assert_int_equal(report_rig_ask(&l, amendment(95, 130)), ERR_NONE);
    assert_int_equal(report_rig_ask(&l, amendment(99, 130)), ERR_NONE);
    struct venue_report *r = report_rig_add(&l, VENUE_REFUSED, REPORT_RIG_ID);
    r->stop = report_rig_whole(99);
    r->target = report_rig_whole(130);
    r->current_stop = report_rig_whole(95);
    r->current_target = report_rig_whole(130);
    report_rig_step(&l);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_AMEND));
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(95).e8);
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->stop.e8, report_rig_whole(95).e8);
    report_rig_step_after(&l, 2 * ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 0);
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- a bracket measured from the
 * fills */

/* An entry of ten, decided at 100, with stop and target 10 and 20 away. */
static void report_rig_following(struct report_rig *l)
{
    report_rig_open(l);
    l->memory->orders[0].stop_away = report_rig_whole(10);
    l->memory->orders[0].target_away = report_rig_whole(20);
    report_rig_start(l);
    report_rig_step(l);
}

/* More of the entry fills; the venue keeps the bracket at the prices of the order. */
static void fill_more(struct report_rig *l, int64_t id, int64_t qty, int64_t price, int64_t filled,
                      struct dec stop, struct dec target)
{
    struct venue_report *r =
        report_rig_add_order(l, filled == 10 ? ORDER_FILLED : ORDER_PARTIAL, filled);
    fill_id_of_number(id - 1, r->fills_after);
    r->stop = stop;
    r->target = target;
    report_rig_add_fill(r, id, ORDER_ENTRY, qty, price);
    report_rig_step(l);
}

static void assert_amends(const struct report_rig *l, double stop, double target)
{
    assert_int_equal(l->out->amend_count, 1);
    assert_int_equal(l->out->amends[0].stop.e8, dec_from_double(stop).e8);
    assert_int_equal(l->out->amends[0].target.e8, dec_from_double(target).e8);
}

static void stop_and_target_are_measured_from_the_fills(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_following(&l);
    fill_more(&l, 1, 4, 101, 4, report_rig_whole(90), report_rig_whole(120));
    assert_amends(&l, 91, 121);
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->stop.e8, report_rig_whole(91).e8);
    assert_int_equal(l.snapshot->positions[0].stop.e8,
                     report_rig_whole(90).e8); /* in effect until then */
    /* Amended at once with each fill, measured from the average price of all fills. */
    fill_more(&l, 2, 4, 103, 8, report_rig_whole(91), report_rig_whole(121));
    assert_amends(&l, 92, 122);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(91).e8);
    /* Also after a crash. */
    struct order entry = *report_rig_written(&l, REPORT_RIG_ID);
    report_rig_booked(&l, 2);
    report_rig_restart(&l, &entry);
    report_rig_step(&l);
    assert_amends(&l, 92, 122);
    /* A price that a person sets stays; the other one still follows the fills. */
    report_rig_bar(&l, 103);
    assert_int_equal(report_rig_ask(&l, amendment(95, 0)), ERR_NONE);
    assert_amends(&l, 95, 122);
    fill_more(&l, 3, 2, 107, 10, report_rig_whole(95), report_rig_whole(122));
    assert_amends(&l, 95, 123);
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->stop_away.e8, 0);
    report_rig_close(&l);
}

static void refuse(struct report_rig *l, int64_t stop, int64_t target)
{
    struct venue_report *r = report_rig_add(l, VENUE_REFUSED, REPORT_RIG_ID);
    r->stop = report_rig_whole(stop);
    r->target = report_rig_whole(target);
    report_rig_step_after(l, ENGINE_ASK_EVERY_US);
}

/* The market passed the measured stop before the amendment: the allowed loss is reached already. */
static void a_measured_stop_that_is_too_late_closes(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct report_rig l;
        report_rig_following(&l);
        fill_more(&l, 1, 10, i == 0 ? 105 : 95, 10, report_rig_whole(90), report_rig_whole(120));
        report_rig_bar(
            &l, i == 0 ? 94 : 116); /* between the bracket of the order and the measured one */
        refuse(&l, i == 0 ? 95 : 85, i == 0 ? 125 : 115);
        assert_int_equal(l.out->send_count, 1);
        const struct order *o = &l.out->orders[l.out->sends[0]];
        assert_int_equal(o->kind, ORDER_CLOSE);
        assert_int_equal(o->qty.e8, report_rig_whole(10).e8);
        assert_string_equal(o->reason, "bracket passed");
        report_rig_close(&l);
    }
}

/* Refused although our price has not passed it: retried a few times, then the venue's bracket
 * stays. */
static void a_measured_bracket_is_given_up_after_some_refusals(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_following(&l);
    fill_more(&l, 1, 10, 105, 10, report_rig_whole(90), report_rig_whole(120));
    report_rig_bar(&l, 105);
    for (int i = 0; i < ENGINE_REFUSALS_MAX; i++) {
        refuse(&l, 95, 125);
        assert_amends(&l, 95, 125);
        assert_false(report_rig_is_fault(&l, ERR_VENUE_AMEND));
    }
    refuse(&l, 95, 125);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_AMEND));
    assert_int_equal(l.out->amend_count, 0);
    assert_int_equal(report_rig_written(&l, REPORT_RIG_ID)->stop.e8, report_rig_whole(90).e8);
    assert_int_equal(l.out->send_count, 0);
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- limits at the fill */

/* Half of an entry has filled and the price rose: the other half would exceed the limit. */
static void an_entry_is_cancelled_beyond_the_exposure_limit(void **state)
{
    (void)state;
    for (int beyond = 0; beyond < 2; beyond++) {
        struct report_rig l;
        report_rig_open(&l);
        l.settings.max_exposure_pct = beyond ? 10.9 : 12;
        report_rig_start(&l);
        report_rig_step(&l);
        struct venue_report *r = report_rig_add_order(&l, ORDER_PARTIAL, 5);
        report_rig_add_fill(r, 1, ORDER_ENTRY, 5, 100);
        report_rig_step(&l);
        report_rig_add_listing(&l)->open_count = 1;
        report_rig_hold(&l.in->reports[0], report_rig_btc, 5, 100);
        memcpy(l.in->reports[0].open[0], REPORT_RIG_ID, sizeof(REPORT_RIG_ID));
        report_rig_bar(&l, 100);
        assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
        assert_int_equal(l.out->cancel_count, 0);
        report_rig_bar(&l, 110); /* 1100 of 10050 */
        assert_int_equal(l.out->cancel_count, beyond);
        assert_int_equal(l.out->send_count, 0); /* the position stays */
        report_rig_close(&l);
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

/*
 * Stops and targets that rest at the venue as orders of their own: when they are placed, moved and
 * cancelled, and that nothing is sold twice.
 */
#include "base/check.h"
#include "engine_rig.h"
#include "report_rig.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

static int next_fill = 100;

static void open_at(struct report_rig *l, const struct venue_capabilities *can)
{
    report_rig_open(l);
    report_rig_start(l); /* again, since the venue is set before the first step */
    engine_set_venue(l->engine, can);
    report_rig_step(l);
    struct venue_report *r = report_rig_add_order(l, ORDER_FILLED, 10);
    report_rig_add_fill(r, 1, ORDER_ENTRY, 10, 100);
    report_rig_step(l);
    report_rig_hold(report_rig_await_listing(l), report_rig_btc, 10, 100);
    report_rig_step(l);
}

static void open_with(struct report_rig *l, enum venue_legs legs)
{
    open_at(l, &(struct venue_capabilities){VENUE_USUAL, .legs = legs});
}

/* The newest order of this kind among those sent in the last step. */
static const struct order *sent(const struct report_rig *l, enum order_kind kind)
{
    for (int i = l->out->send_count - 1; i >= 0; i--) {
        const struct order *o = &l->out->orders[l->out->sends[i]];
        if (o->kind == kind) {
            return o;
        }
    }
    return NULL;
}

static struct order need_sent(const struct report_rig *l, enum order_kind kind)
{
    const struct order *o = sent(l, kind);
    assert_non_null(o);
    return *o;
}

static struct venue_report *tell(struct report_rig *l, const struct order *o,
                                 enum order_state state)
{
    struct venue_report *r = report_rig_add(l, VENUE_ORDER, o->client_id);
    r->state = state;
    return r;
}

static void tell_filled(struct report_rig *l, const struct order *o, enum order_state state,
                        int64_t qty, int64_t price)
{
    struct venue_report *r = tell(l, o, state);
    r->filled_qty = report_rig_whole(qty);
    report_rig_add_fill(r, next_fill++, o->kind, qty, price);
}

struct legs {
    struct order stop, target;
};

/* Both rest, as far as the venue has both. */
static struct legs rest(struct report_rig *l)
{
    struct legs legs = {.stop = need_sent(l, ORDER_STOP)};
    const struct order *target = sent(l, ORDER_TARGET);
    (void)tell(l, &legs.stop, ORDER_ACKED);
    if (target != NULL) {
        legs.target = *target;
        (void)tell(l, &legs.target, ORDER_ACKED);
    }
    report_rig_step(l);
    return legs;
}

static bool is_cancelled(const struct report_rig *l, const struct order *o)
{
    for (int i = 0; i < l->out->cancel_count; i++) {
        if (strcmp(l->out->cancels[i], o->client_id) == 0) {
            return true;
        }
    }
    return false;
}

static void pass(struct report_rig *l, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        report_rig_step_after(l, USEC_PER_SEC);
    }
}

static int ask_close(struct report_rig *l)
{
    return report_rig_ask(l, (struct request){.kind = REQUEST_CLOSE, .symbol = report_rig_btc});
}

static void legs_follow_the_entry(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct order stop = need_sent(&l, ORDER_STOP), target = need_sent(&l, ORDER_TARGET);
    assert_int_equal(stop.type, ORDER_TYPE_STOP);
    assert_int_equal(stop.price.e8, report_rig_whole(90).e8);
    assert_int_equal(stop.qty.e8, report_rig_whole(10).e8);
    assert_int_equal(target.type, ORDER_TYPE_LIMIT);
    assert_int_equal(target.price.e8, report_rig_whole(120).e8);
    assert_true(stop.reduce_only && target.reduce_only);
    assert_false(l.snapshot->legs[0].stop_at_venue);
    (void)rest(&l);
    assert_true(l.snapshot->legs[0].stop_at_venue && l.snapshot->legs[0].target_at_venue);
    assert_string_equal(l.snapshot->legs[0].reason, "");
    pass(&l, 20);
    assert_int_equal(l.out->send_count, 0);
    report_rig_close(&l);
}

static void a_stop_alone_leaves_the_target_here(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_STOP);
    assert_null(sent(&l, ORDER_TARGET));
    const struct legs legs = rest(&l);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    assert_false(l.snapshot->legs[0].target_at_venue);
    report_rig_bar(&l, 120);
    assert_null(sent(&l, ORDER_CLOSE)); /* the stop is cancelled first */
    assert_true(is_cancelled(&l, &legs.stop));
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_string_equal(need_sent(&l, ORDER_CLOSE).reason, "target");
    report_rig_close(&l);
}

static void the_position_is_guarded_here_until_a_stop_rests(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct order stop = need_sent(&l, ORDER_STOP), target = need_sent(&l, ORDER_TARGET);
    report_rig_step(&l); /* both are under way */
    report_rig_bar(&l, 89);
    assert_null(sent(&l, ORDER_CLOSE)); /* they may rest already */
    (void)tell(&l, &stop, ORDER_CANCELLED);
    (void)tell(&l, &target, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_string_equal(need_sent(&l, ORDER_CLOSE).reason, "stop");
    report_rig_close(&l);
}

static void a_stop_that_does_not_act_is_replaced_by_a_close(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct legs legs = rest(&l);
    report_rig_bar(&l, 89);
    assert_int_equal(l.out->cancel_count, 0); /* it acts */
    pass(&l, 4);
    assert_int_equal(l.out->cancel_count, 0);
    pass(&l, 2);
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    (void)tell(&l, &legs.target, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_string_equal(need_sent(&l, ORDER_CLOSE).reason, "stop");
    report_rig_close(&l);
}

static void a_close_waits_for_the_end_of_the_legs(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct legs legs = rest(&l);
    assert_int_equal(ask_close(&l), ERR_NONE);
    assert_null(sent(&l, ORDER_CLOSE));
    assert_true(is_cancelled(&l, &legs.stop) && is_cancelled(&l, &legs.target));
    pass(&l, 1);
    (void)tell(&l, &legs.target, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_null(sent(&l, ORDER_CLOSE)); /* the stop may have filled */
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_int_equal(need_sent(&l, ORDER_CLOSE).qty.e8, report_rig_whole(10).e8);
    pass(&l, 5);
    assert_int_equal(l.out->send_count, 0); /* once, and no new legs */
    report_rig_close(&l);
}

static void a_leg_that_fills_before_its_cancellation_ends_the_close(void **state)
{
    (void)state;
    for (int part = 0; part < 2; part++) {
        struct report_rig l;
        open_with(&l, VENUE_LEGS_PAIR);
        const struct legs legs = rest(&l);
        assert_int_equal(ask_close(&l), ERR_NONE);
        (void)tell(&l, &legs.target, ORDER_CANCELLED);
        tell_filled(&l, &legs.stop, part ? ORDER_CANCELLED : ORDER_FILLED, part ? 4 : 10, 90);
        report_rig_step(&l);
        if (part) {
            assert_int_equal(need_sent(&l, ORDER_CLOSE).qty.e8, report_rig_whole(6).e8);
        } else {
            assert_null(sent(&l, ORDER_CLOSE));
            assert_int_equal(l.snapshot->position_count, 0);
            assert_int_equal(l.snapshot->open_orders, 0);
        }
        report_rig_close(&l);
    }
}

static int move_stop(struct report_rig *l, int64_t price)
{
    return report_rig_ask(l, (struct request){.kind = REQUEST_AMEND,
                                              .symbol = report_rig_btc,
                                              .stop = report_rig_whole(price)});
}

static void moved_prices_replace_the_legs(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct legs legs = rest(&l);
    assert_int_equal(move_stop(&l, 95), ERR_NONE);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(95).e8);
    assert_false(l.snapshot->legs[0].stop_at_venue); /* the one that rests is not this one */
    pass(&l, 1);
    assert_true(is_cancelled(&l, &legs.stop) && is_cancelled(&l, &legs.target));
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_int_equal(l.out->send_count, 0); /* the other one still holds the coins */
    (void)tell(&l, &legs.target, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_int_equal(need_sent(&l, ORDER_STOP).price.e8, report_rig_whole(95).e8);
    (void)rest(&l);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    report_rig_close(&l);
}

/* Legs that do not depend on each other are moved one by one. */
static void a_moved_stop_leaves_a_target_of_its_own_alone(void **state)
{
    (void)state;
    struct report_rig l;
    struct venue_capabilities can = {VENUE_USUAL, .legs = VENUE_LEGS_BOTH};
    can.amend = false;
    open_at(&l, &can);
    const struct legs legs = rest(&l);
    assert_int_equal(move_stop(&l, 95), ERR_NONE);
    pass(&l, 1);
    assert_true(is_cancelled(&l, &legs.stop));
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_int_equal(l.out->cancel_count, 0);
    assert_int_equal(l.out->send_count, 1);
    assert_int_equal(need_sent(&l, ORDER_STOP).price.e8, report_rig_whole(95).e8);
    assert_true(l.snapshot->legs[0].target_at_venue);
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- legs that the venue moves */

/* How many amendments of this leg the last step sends; each with this stop. */
static int amends(const struct report_rig *l, const struct order *leg, int64_t stop)
{
    int count = 0;
    for (int i = 0; i < l->out->amend_count; i++) {
        const struct engine_amend *a = &l->out->amends[i];
        assert_string_equal(a->client_id, leg->client_id);
        assert_int_equal(a->stop.e8, report_rig_whole(stop).e8);
        count++;
    }
    return count;
}

static void tell_price(struct report_rig *l, const struct order *leg, int64_t price)
{
    struct venue_report *r = tell(l, leg, ORDER_ACKED);
    *(leg->kind == ORDER_STOP ? &r->stop : &r->target) = report_rig_whole(price);
}

static void refuse_move(struct report_rig *l, const struct order *leg, int64_t price)
{
    struct venue_report *r = report_rig_add(l, VENUE_REFUSED, leg->client_id);
    r->stop = report_rig_whole(price);
    r->target = leg->target;
    r->current_stop = leg->price;
    (void)str_copy(STR_LIT("too late"), r->reason, sizeof(r->reason));
}

static void a_moved_stop_is_amended(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_STOP);
    const struct legs legs = rest(&l);
    assert_int_equal(move_stop(&l, 95), ERR_NONE);
    assert_int_equal(amends(&l, &legs.stop, 95), 1);
    /* The wish is on disk before it is sent, beside what rests. */
    const struct order *row = report_rig_written(&l, legs.stop.client_id);
    assert_int_equal(row->stop.e8, report_rig_whole(95).e8);
    assert_int_equal(row->price.e8, report_rig_whole(90).e8);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(95).e8);
    assert_false(l.snapshot->legs[0].stop_at_venue);
    assert_string_equal(l.snapshot->legs[0].reason, "it is being moved, the venue has 90");
    tell_price(&l, &legs.stop, 95);
    report_rig_step(&l);
    assert_int_equal(report_rig_written(&l, legs.stop.client_id)->price.e8,
                     report_rig_whole(95).e8);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    for (int i = 0; i < 20; i++) {
        report_rig_step_after(&l, USEC_PER_SEC);
        assert_int_equal(l.out->amend_count + l.out->cancel_count + l.out->send_count, 0);
    }
    report_rig_close(&l);
}

static void legs_that_stand_alone_are_amended_each(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_BOTH);
    const struct legs legs = rest(&l);
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_AMEND,
                                                         .symbol = report_rig_btc,
                                                         .target = report_rig_whole(130)}),
                     ERR_NONE);
    assert_int_equal(amends(&l, &legs.target, 90), 1);
    assert_int_equal(l.out->amends[0].target.e8, report_rig_whole(130).e8);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    assert_false(l.snapshot->legs[0].target_at_venue);
    tell_price(&l, &legs.target, 130);
    report_rig_step(&l);
    assert_true(l.snapshot->legs[0].target_at_venue);
    report_rig_close(&l);
}

/* Nothing is sent again before the venue has said what rests there. */
static void an_amendment_without_an_answer_is_asked_for(void **state)
{
    (void)state;
    for (int arrived = 0; arrived < 2; arrived++) {
        struct report_rig l;
        open_with(&l, VENUE_LEGS_STOP);
        const struct legs legs = rest(&l);
        assert_int_equal(move_stop(&l, 95), ERR_NONE);
        report_rig_add(&l, VENUE_NO_ANSWER, legs.stop.client_id)->asked = VENUE_CALL_AMEND;
        int asked = 0;
        for (int i = 0; i < 8; i++) {
            report_rig_step_after(&l, USEC_PER_SEC);
            assert_int_equal(l.out->amend_count, 0);
            for (int k = 0; k < l.out->query_count; k++) {
                asked += strcmp(l.out->queries[k].client_id, legs.stop.client_id) == 0;
            }
        }
        assert_in_range(asked, 3, 5);
        tell_price(&l, &legs.stop, arrived ? 95 : 90);
        report_rig_step(&l);
        assert_int_equal(amends(&l, &legs.stop, 95), arrived ? 0 : 1);
        assert_int_equal(l.snapshot->legs[0].stop_at_venue, arrived);
        report_rig_close(&l);
    }
}

/* Killed between the commit and the answer: the price at the venue is the judge. */
static void a_start_asks_what_became_of_an_amendment(void **state)
{
    (void)state;
    for (int arrived = 0; arrived < 2; arrived++) {
        struct report_rig l;
        open_with(&l, VENUE_LEGS_STOP);
        const struct legs legs = rest(&l);
        struct order entry = l.memory->orders[0];
        assert_int_equal(move_stop(&l, 95), ERR_NONE);
        l.memory->order_count = 2;
        l.memory->orders[1] = *report_rig_written(&l, legs.stop.client_id);
        entry.state = ORDER_FILLED;
        entry.filled_qty = entry.qty;
        entry.average_price = report_rig_whole(100);
        entry.stop = report_rig_whole(95);
        report_rig_booked(&l, 1);
        report_rig_restart(&l, &entry);
        engine_set_venue(l.engine,
                         &(struct venue_capabilities){VENUE_USUAL, .legs = VENUE_LEGS_STOP});
        pass(&l, 3);
        assert_int_equal(l.out->amend_count, 0); /* not before it is known */
        assert_false(l.snapshot->legs[0].stop_at_venue);
        tell_price(&l, &legs.stop, arrived ? 95 : 90);
        report_rig_step(&l);
        assert_int_equal(amends(&l, &legs.stop, 95), arrived ? 0 : 1);
        assert_int_equal(l.snapshot->legs[0].stop_at_venue, arrived);
        report_rig_close(&l);
    }
}

static void a_stop_that_the_venue_does_not_move_is_replaced(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_STOP);
    const struct legs legs = rest(&l);
    assert_int_equal(move_stop(&l, 95), ERR_NONE);
    refuse_move(&l, &legs.stop, 95);
    report_rig_step(&l);
    assert_int_equal(l.out->amend_count, 0);
    pass(&l, 1);
    assert_int_equal(l.out->amend_count, 0);
    assert_true(is_cancelled(&l, &legs.stop));
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    report_rig_step(&l);
    const struct order next = need_sent(&l, ORDER_STOP);
    assert_int_equal(next.price.e8, report_rig_whole(95).e8);
    (void)rest(&l);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    assert_int_equal(move_stop(&l, 96), ERR_NONE); /* the new one can be moved */
    assert_int_equal(amends(&l, &next, 96), 1);
    report_rig_close(&l);
}

static void a_refusal_of_an_older_wish_changes_nothing(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_STOP);
    const struct legs legs = rest(&l);
    assert_int_equal(move_stop(&l, 95), ERR_NONE);
    assert_int_equal(move_stop(&l, 97), ERR_NONE);
    assert_int_equal(amends(&l, &legs.stop, 97), 1); /* at once, and the newest wish */
    refuse_move(&l, &legs.stop, 95);
    report_rig_step(&l);
    pass(&l, 3);
    assert_false(is_cancelled(&l, &legs.stop));
    tell_price(&l, &legs.stop, 97);
    report_rig_step(&l);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    report_rig_close(&l);
}

/* The wanted stop is in effect here while the old one rests. */
static void a_stop_that_is_reached_while_it_moves_closes(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_STOP);
    const struct legs legs = rest(&l);
    assert_int_equal(move_stop(&l, 95), ERR_NONE);
    report_rig_bar(&l, 94);
    assert_int_equal(l.out->amend_count, 0);
    assert_true(is_cancelled(&l, &legs.stop));
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_string_equal(need_sent(&l, ORDER_CLOSE).reason, "stop");
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- the end */

static void the_other_leg_is_cancelled_when_one_has_filled(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_BOTH);
    const struct legs legs = rest(&l);
    tell_filled(&l, &legs.target, ORDER_FILLED, 10, 120);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->position_count, 0);
    pass(&l, 2);
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->open_orders, 0);
    report_rig_close(&l);
}

/* A part of the target has filled, which ends the stop of a pair: the rest gets a new one. */
static void what_is_left_gets_new_legs(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct legs legs = rest(&l);
    tell_filled(&l, &legs.target, ORDER_PARTIAL, 4, 120);
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_false(l.snapshot->legs[0].stop_at_venue);
    pass(&l, 2);
    struct venue_report *r = tell(&l, &legs.target, ORDER_CANCELLED);
    r->filled_qty = report_rig_whole(4);
    report_rig_step(&l);
    report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 6, 100);
    report_rig_step(&l);
    report_rig_bar(&l, 100);
    report_rig_close(&l);
}

static void a_refused_leg_closes_the_position(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct order stop = need_sent(&l, ORDER_STOP), target = need_sent(&l, ORDER_TARGET);
    (void)tell(&l, &target, ORDER_REJECTED);
    (void)tell(&l, &stop, ORDER_REJECTED);
    report_rig_step(&l);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_LEG));
    assert_string_equal(need_sent(&l, ORDER_CLOSE).reason, "stop refused");
    report_rig_close(&l);
}

/* What could not be done for now is tried again, and kept here in the meantime. */
static void legs_that_end_are_placed_again(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct order stop = need_sent(&l, ORDER_STOP), target = need_sent(&l, ORDER_TARGET);
    struct venue_report *r = tell(&l, &stop, ORDER_CANCELLED);
    (void)str_copy(STR_LIT("too many requests"), r->reason, sizeof(r->reason));
    (void)tell(&l, &target, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_int_equal(l.out->send_count, 0);
    int sends = 0;
    for (int i = 0; i < 12; i++) {
        report_rig_step_after(&l, USEC_PER_SEC);
        sends += l.out->send_count;
    }
    assert_int_equal(sends, 2);
    report_rig_close(&l);
}

/* Less and less often, since each time is two orders in the books. */
static void legs_in_vain_are_placed_ever_more_seldom(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_STOP);
    int sends = 0;
    for (int i = 0; i < 600; i++) {
        const struct order *stop = sent(&l, ORDER_STOP);
        if (stop != NULL) {
            sends++;
            (void)tell(&l, stop, ORDER_CANCELLED);
        }
        report_rig_step_after(&l, USEC_PER_SEC);
    }
    assert_in_range(sends, 5, 8);
    report_rig_close(&l);
}

/* After a crash before they were sent, legs are not found. That is not final for a while, but a
 * reached stop does not wait for it. */
static void missing_legs_do_not_hold_up_a_close(void **state)
{
    (void)state;
    for (int reduces = 0; reduces < 2; reduces++) {
        struct report_rig l;
        struct venue_capabilities can = {VENUE_USUAL, .legs = VENUE_LEGS_STOP,
                                         .not_found_us = 60 * USEC_PER_SEC};
        can.reduce_only = reduces == 1;
        open_at(&l, &can);
        const struct order stop = need_sent(&l, ORDER_STOP);
        report_rig_bar(&l, 89);
        int seconds = 0;
        while (sent(&l, ORDER_CLOSE) == NULL) {
            assert_true(++seconds < 30);
            (void)report_rig_add(&l, VENUE_NOT_FOUND, stop.client_id);
            report_rig_step_after(&l, USEC_PER_SEC);
        }
        report_rig_close(&l);
    }
}

/* ---------------------------------------------------------------- killed before it was sent */

/* Answers each question about this order by "not found". */
static void lose(struct report_rig *l, const struct order *o)
{
    for (int i = 0; i < l->out->query_count; i++) {
        if (strcmp(l->out->queries[i].client_id, o->client_id) == 0) {
            (void)report_rig_add(l, VENUE_NOT_FOUND, o->client_id);
        }
    }
}

/* A start with a leg that is on disk and was not sent, as far as the venue says; until another one
 * is sent. Returns the seconds that it took. */
static int start_without(struct report_rig *l, enum venue_legs legs, struct order *ret_lost)
{
    struct venue_capabilities can = {VENUE_USUAL, .legs = legs, .not_found_us = 60 * USEC_PER_SEC};
    can.reduce_only = false;
    open_at(l, &can);
    *ret_lost = need_sent(l, ORDER_STOP);
    struct order entry = l->memory->orders[0];
    entry.state = ORDER_FILLED;
    entry.filled_qty = entry.qty;
    entry.average_price = report_rig_whole(100);
    l->memory->order_count = 2;
    l->memory->orders[1] = *ret_lost;
    report_rig_booked(l, 1);
    report_rig_restart(l, &entry);
    engine_set_venue(l->engine, &can);
    int seconds = 0;
    report_rig_step(l);
    while (sent(l, ORDER_STOP) == NULL) {
        assert_true(++seconds < 40);
        lose(l, ret_lost);
        for (int i = 0; i < l->out->query_count; i++) {
            if (strcmp(l->out->queries[i].client_id, REPORT_RIG_ID) == 0) {
                fill_id_of_number(1, report_rig_add_order(l, ORDER_FILLED, 10)->fills_after);
            }
        }
        if (l->out->list) {
            report_rig_hold(report_rig_add_listing(l), report_rig_btc, 10, 100);
        }
        report_rig_step_after(l, USEC_PER_SEC);
    }
    return seconds;
}

static void a_leg_that_was_not_sent_is_placed_soon(void **state)
{
    (void)state;
    struct report_rig l;
    struct order lost;
    assert_in_range(start_without(&l, VENUE_LEGS_STOP, &lost), 10, 25);
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l.snapshot->unknown_orders, 1); /* it may exist */
    const struct order next = need_sent(&l, ORDER_STOP);
    assert_string_not_equal(next.client_id, lost.client_id);
    (void)tell(&l, &next, ORDER_ACKED);
    report_rig_step(&l);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    for (int i = 0; i < 70; i++) {
        lose(&l, &lost);
        report_rig_step_after(&l, USEC_PER_SEC);
        assert_int_equal(l.out->send_count + l.out->cancel_count, 0);
    }
    assert_int_equal(l.snapshot->unknown_orders, 0);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    report_rig_close(&l);
}

/* The venue was late: both rest, and the first one is cancelled. */
static void a_leg_that_is_found_late_is_cancelled(void **state)
{
    (void)state;
    struct report_rig l;
    struct order lost;
    (void)start_without(&l, VENUE_LEGS_STOP, &lost);
    const struct order next = need_sent(&l, ORDER_STOP);
    (void)tell(&l, &next, ORDER_ACKED);
    report_rig_step(&l);
    (void)tell(&l, &lost, ORDER_ACKED);
    report_rig_step(&l);
    assert_true(is_cancelled(&l, &lost));
    assert_false(is_cancelled(&l, &next));
    (void)tell(&l, &lost, ORDER_CANCELLED);
    report_rig_step(&l);
    pass(&l, 5);
    assert_int_equal(l.out->send_count + l.out->cancel_count, 0);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    report_rig_close(&l);
}

/* The first one holds the coins: that is no reason to close the position. */
static void a_second_leg_that_is_refused_closes_nothing(void **state)
{
    (void)state;
    struct report_rig l;
    struct order lost;
    (void)start_without(&l, VENUE_LEGS_STOP, &lost);
    const struct order next = need_sent(&l, ORDER_STOP);
    (void)tell(&l, &next, ORDER_REJECTED);
    report_rig_step(&l);
    assert_false(report_rig_is_fault(&l, ERR_VENUE_LEG));
    for (int i = 0; i < 5; i++) {
        lose(&l, &lost);
        report_rig_step_after(&l, USEC_PER_SEC);
        assert_null(sent(&l, ORDER_CLOSE));
        assert_null(sent(&l, ORDER_STOP)); /* not at once */
    }
    (void)tell(&l, &lost, ORDER_ACKED);
    report_rig_step(&l);
    pass(&l, 5);
    assert_int_equal(l.out->send_count + l.out->cancel_count, 0);
    assert_true(l.snapshot->legs[0].stop_at_venue);
    report_rig_close(&l);
}

/* A close that waits is not in the database: a start finds the position with its legs. */
static void a_close_that_waits_is_not_written(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct legs legs = rest(&l);
    assert_int_equal(ask_close(&l), ERR_NONE);
    for (int i = 0; i < l.out->order_count; i++) {
        assert_int_not_equal(l.out->orders[i].kind, ORDER_CLOSE);
    }
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    (void)tell(&l, &legs.target, ORDER_CANCELLED);
    report_rig_step(&l);
    const struct order close = need_sent(&l, ORDER_CLOSE);
    assert_string_equal(report_rig_written(&l, close.client_id)->reason, "operator");
    report_rig_close(&l);
}

static void an_emergency_stop_cancels_legs_first(void **state)
{
    (void)state;
    struct report_rig l;
    open_with(&l, VENUE_LEGS_PAIR);
    const struct legs legs = rest(&l);
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}),
                     ERR_NONE);
    assert_null(sent(&l, ORDER_CLOSE));
    assert_true(is_cancelled(&l, &legs.stop) && is_cancelled(&l, &legs.target));
    (void)tell(&l, &legs.stop, ORDER_CANCELLED);
    (void)tell(&l, &legs.target, ORDER_CANCELLED);
    report_rig_step(&l);
    assert_string_equal(need_sent(&l, ORDER_CLOSE).reason, "emergency");
    report_rig_close(&l);
}

/* Each refusal closes a position: after three in a row the venue is not asked for any. */
static void after_three_refused_stops_none_is_placed(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    struct snapshot *snapshot = snapshot_new(s->settings.symbol_count);
    engine_set_venue(s->engine, &(struct venue_capabilities){VENUE_USUAL, .legs = VENUE_LEGS_STOP});
    s->refuses_stops = true;
    int stops = 0, entries = 0, refused = 0, kept = 0;
    for (int minute = 0; minute < 4000 && entries < 8; minute++) {
        engine_rig_step(s, NULL);
        for (int i = 0; i < s->out.send_count; i++) {
            const struct order *o = &s->out.orders[s->out.sends[i]];
            stops += o->kind == ORDER_STOP;
            entries += o->kind == ORDER_ENTRY;
            refused += o->kind == ORDER_CLOSE && strcmp(o->reason, "stop refused") == 0;
        }
        engine_snapshot(s->engine, &s->now, snapshot);
        for (int i = 0; i < snapshot->position_count && stops == 3; i++) {
            kept += strcmp(snapshot->legs[i].reason, "the venue has refused the last ones") == 0;
        }
    }
    assert_int_equal(entries, 8);
    assert_int_equal(stops, 3);
    assert_int_equal(refused, 3);
    assert_true(kept > 0);
    free(snapshot);
    engine_rig_free(s);
}

UNIT_GROUP(legs, cmocka_unit_test(legs_follow_the_entry),
           cmocka_unit_test(a_stop_alone_leaves_the_target_here),
           cmocka_unit_test(the_position_is_guarded_here_until_a_stop_rests),
           cmocka_unit_test(a_stop_that_does_not_act_is_replaced_by_a_close),
           cmocka_unit_test(a_close_waits_for_the_end_of_the_legs),
           cmocka_unit_test(a_leg_that_fills_before_its_cancellation_ends_the_close),
           cmocka_unit_test(moved_prices_replace_the_legs),
           cmocka_unit_test(a_moved_stop_leaves_a_target_of_its_own_alone),
           cmocka_unit_test(a_moved_stop_is_amended),
           cmocka_unit_test(legs_that_stand_alone_are_amended_each),
           cmocka_unit_test(an_amendment_without_an_answer_is_asked_for),
           cmocka_unit_test(a_start_asks_what_became_of_an_amendment),
           cmocka_unit_test(a_stop_that_the_venue_does_not_move_is_replaced),
           cmocka_unit_test(a_refusal_of_an_older_wish_changes_nothing),
           cmocka_unit_test(a_stop_that_is_reached_while_it_moves_closes),
           cmocka_unit_test(the_other_leg_is_cancelled_when_one_has_filled),
           cmocka_unit_test(what_is_left_gets_new_legs),
           cmocka_unit_test(a_refused_leg_closes_the_position),
           cmocka_unit_test(after_three_refused_stops_none_is_placed),
           cmocka_unit_test(legs_that_end_are_placed_again),
           cmocka_unit_test(legs_in_vain_are_placed_ever_more_seldom),
           cmocka_unit_test(missing_legs_do_not_hold_up_a_close),
           cmocka_unit_test(a_leg_that_was_not_sent_is_placed_soon),
           cmocka_unit_test(a_leg_that_is_found_late_is_cancelled),
           cmocka_unit_test(a_second_leg_that_is_refused_closes_nothing),
           cmocka_unit_test(a_close_that_waits_is_not_written),
           cmocka_unit_test(an_emergency_stop_cancels_legs_first))

/*
 * What a venue reports about itself, and how the engine decides by it.
 */
#include "../../../src/engine/engine_private.h"
#include "base/check.h"
#include "report_rig.h"
#include "unit/unit.h"

#include <string.h>

#define GRACE_US (8 * USEC_PER_SEC)

/* A venue that may lag, with the entry of the rig filled. */
static void open_at(struct report_rig *l, const struct venue_capabilities *can)
{
    report_rig_open(l);
    report_rig_start(l);
    engine_set_venue(l->engine, can);
    l->now.mono_us += USEC_PER_SEC;
}

static const char *refusal(struct report_rig *l, struct symbol symbol)
{
    struct risk_account account;
    engine_account_fill(l->engine, symbol, SIDE_LONG, &account);
    return account.venue;
}

static void report_state(struct report_rig *l, enum venue_state state)
{
    report_rig_add(l, VENUE_CONNECTION, "")->venue_state = state;
}

/* ---------------------------------------------------------------- not found */

static const struct order *sent(const struct report_rig *l)
{
    return &l->engine->slots[0].order;
}

/* Not after one answer, not after three at once, not before the call can no longer arrive. */
static void not_found_is_judged_by_answers_over_time(void **state)
{
    (void)state;
    struct report_rig l;
    open_at(&l,
            &(struct venue_capabilities){VENUE_USUAL, .brackets = true, .not_found_us = GRACE_US});
    l.memory->orders[0].state = ORDER_SENT;
    report_rig_start(&l);
    engine_set_venue(l.engine, &(struct venue_capabilities){VENUE_USUAL, .brackets = true,
                                                            .not_found_us = GRACE_US});
    report_rig_step(&l);
    int64_t began_us = l.now.mono_us;
    int64_t counted_us = 0;
    while (sent(&l)->state != ORDER_CANCELLED) {
        for (int i = 0; i < 3; i++) {
            (void)report_rig_add(&l, VENUE_NOT_FOUND, REPORT_RIG_ID);
        }
        report_rig_step_after(&l, USEC_PER_SEC);
        if (l.now.mono_us - began_us < ENGINE_ANSWER_US + GRACE_US) {
            assert_int_equal(sent(&l)->state, ORDER_UNKNOWN);
            assert_int_equal(l.snapshot->unknown_orders, 1);
            struct risk_account account;
            engine_account_fill(l.engine, report_rig_btc, SIDE_LONG, &account);
            assert_true(account.symbol_busy);
        }
        counted_us = l.now.mono_us - began_us;
        assert_true(counted_us < 60 * USEC_PER_SEC);
    }
    assert_true(counted_us >= ENGINE_ANSWER_US + GRACE_US);
    assert_true(counted_us <= ENGINE_ANSWER_US + GRACE_US + 4 * USEC_PER_SEC);
    report_rig_close(&l);
}

/* One answer that finds it, and the count begins again. */
static void an_order_that_is_found_is_alive(void **state)
{
    (void)state;
    struct report_rig l;
    open_at(&l,
            &(struct venue_capabilities){VENUE_USUAL, .brackets = true, .not_found_us = GRACE_US});
    l.memory->orders[0].state = ORDER_SENT;
    report_rig_start(&l);
    engine_set_venue(l.engine, &(struct venue_capabilities){VENUE_USUAL, .brackets = true,
                                                            .not_found_us = GRACE_US});
    for (int i = 0; i < 40; i++) {
        if (i % 8 == 7) {
            (void)report_rig_add_order(&l, ORDER_ACKED, 0);
        } else {
            (void)report_rig_add(&l, VENUE_NOT_FOUND, REPORT_RIG_ID);
        }
        report_rig_step_after(&l, ENGINE_ASK_EVERY_US / 2);
        assert_int_not_equal(sent(&l)->state, ORDER_CANCELLED);
    }
    assert_int_equal(sent(&l)->state, ORDER_ACKED);
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- connection */

static void nothing_opens_before_the_venue_is_ready(void **state)
{
    (void)state;
    struct report_rig l;
    open_at(&l, &(struct venue_capabilities){VENUE_USUAL, .brackets = true, .connection = true});
    report_rig_step(&l);
    assert_string_equal(refusal(&l, report_rig_btc), "connecting");
    assert_int_equal(l.snapshot->venue.state, VENUE_CONNECTING);
    assert_false(report_rig_is_fault(&l, ERR_VENUE_NOT_READY));
    report_rig_step_after(&l, USEC_PER_MIN);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_NOT_READY)); /* only because it lasts */
    report_state(&l, VENUE_READY);
    report_rig_step(&l);
    assert_null(refusal(&l, report_rig_btc));
    report_rig_close(&l);
}

/* Down: an alert at once and every minute. Ready again: every order and the positions are asked for
 * before anything opens. Closing works throughout. */
static void a_lost_connection_is_caught_up_with(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    assert_null(refusal(&l, report_rig_eth));
    report_state(&l, VENUE_DOWN);
    (void)str_copy(STR_LIT("timed out"), l.in->reports[0].reason, sizeof(l.in->reports[0].reason));
    report_rig_step(&l);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_NOT_READY));
    assert_string_equal(refusal(&l, report_rig_eth), "down");
    assert_string_equal(l.snapshot->venue.reason, "timed out");
    assert_int_equal(l.snapshot->venue.since_wall_us, l.now.wall_us);
    report_rig_step_after(&l, USEC_PER_SEC);
    assert_false(report_rig_is_fault(&l, ERR_VENUE_NOT_READY));
    report_rig_step_after(&l, USEC_PER_MIN);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_NOT_READY));
    assert_int_equal(
        report_rig_ask(&l, (struct request){.kind = REQUEST_CLOSE, .symbol = report_rig_btc}),
        ERR_NONE);
    assert_int_equal(l.out->send_count, 1);

    report_rig_close(&l);
    report_rig_filled(&l);
    report_state(&l, VENUE_DOWN);
    report_rig_step(&l);
    report_state(&l, VENUE_READY);
    report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_non_null(refusal(&l, report_rig_eth));
    assert_true(l.snapshot->venue.catching_up);
    assert_int_equal(l.out->query_count, 1);
    report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
    report_rig_step(&l);
    assert_null(refusal(&l, report_rig_eth));
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- limits */

static void a_ban_holds_back_entries_and_questions(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    struct venue_report *r = report_rig_add(&l, VENUE_LIMIT, "");
    r->limit = (struct venue_limit){.used = 79, .most = 100, .reset_us = USEC_PER_MIN};
    report_rig_step(&l);
    assert_null(refusal(&l, report_rig_eth));
    r = report_rig_add(&l, VENUE_LIMIT, "");
    r->limit = (struct venue_limit){.used = 80, .most = 100, .reset_us = 5 * USEC_PER_SEC};
    report_rig_step(&l);
    assert_string_equal(refusal(&l, report_rig_eth), "limiting requests");
    assert_int_equal(l.snapshot->venue.limited_us, 5 * USEC_PER_SEC);
    report_rig_step_after(&l, 5 * USEC_PER_SEC);
    assert_null(refusal(&l, report_rig_eth));

    r = report_rig_add(&l, VENUE_LIMIT, "");
    r->limit = (struct venue_limit){.banned_us = 2 * USEC_PER_MIN};
    report_rig_step(&l);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_BANNED));
    assert_non_null(refusal(&l, report_rig_eth));
    for (int i = 0; i < 100; i++) {
        report_rig_step_after(&l, USEC_PER_SEC);
        assert_false(l.out->list);
        assert_int_equal(l.out->query_count, 0);
        assert_false(report_rig_is_fault(&l, ERR_VENUE_BANNED)); /* once */
    }
    assert_int_equal(
        report_rig_ask(&l, (struct request){.kind = REQUEST_CLOSE, .symbol = report_rig_btc}),
        ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    report_rig_step_after(&l, 21 * USEC_PER_SEC);
    assert_null(refusal(&l, report_rig_eth));
    assert_true(l.out->list);
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- instruments */

static void nothing_opens_without_the_rules_of_the_symbol(void **state)
{
    (void)state;
    static const struct {
        enum instrument_status status;
        const char *refusal;
    } cases[] = {{INSTRUMENT_TRADING, NULL},
                 {INSTRUMENT_CLOSE_ONLY, "closing only in the symbol"},
                 {INSTRUMENT_HALTED, "not trading the symbol"}};
    struct report_rig l;
    open_at(&l, &(struct venue_capabilities){VENUE_USUAL, .brackets = true, .instruments = true});
    report_rig_step(&l);
    assert_string_equal(refusal(&l, report_rig_btc), "still to give the rules of the symbol");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct venue_report *r = report_rig_add(&l, VENUE_INSTRUMENT, "");
        r->instrument = (struct instrument){.symbol = report_rig_btc, .status = cases[i].status};
        report_rig_step(&l);
        if (cases[i].refusal == NULL) {
            assert_null(refusal(&l, report_rig_btc));
        } else {
            assert_string_equal(refusal(&l, report_rig_btc), cases[i].refusal);
        }
        assert_non_null(refusal(&l, report_rig_eth)); /* its rules are not known */
    }
    struct venue_report *r = report_rig_add(&l, VENUE_INSTRUMENT, "");
    r->instrument = (struct instrument){.symbol = report_rig_btc, .step = DEC_INVALID};
    report_rig_step(&l);
    assert_non_null(refusal(&l, report_rig_btc));
    report_rig_close(&l);
}

/* ---------------------------------------------------------------- brackets */

/* The engine closes the position itself, once, and amends nothing. */
static void a_venue_without_brackets_is_guarded(void **state)
{
    (void)state;
    for (int target = 0; target < 2; target++) {
        struct report_rig l;
        open_at(&l, &(struct venue_capabilities){VENUE_USUAL});
        report_rig_step(&l);
        struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
        report_rig_add_fill(r, 1, ORDER_ENTRY, 10, 100);
        report_rig_step(&l);
        report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
        report_rig_step(&l);
        report_rig_bar(&l, target ? 119 : 91);
        assert_int_equal(l.out->send_count, 0);
        assert_int_equal(l.out->amend_count, 0);
        assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(90).e8);
        report_rig_bar(&l, target ? 120 : 90);
        assert_int_equal(l.out->send_count, 1);
        assert_string_equal(l.out->orders[l.out->sends[0]].reason, target ? "target" : "stop");
        report_rig_bar(&l, target ? 121 : 89);
        assert_int_equal(l.out->send_count, 0); /* it is under way */
        /* A person moves the stop: in effect at once. */
        assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_AMEND,
                                                             .symbol = report_rig_btc,
                                                             .stop = report_rig_whole(80),
                                                             .target = report_rig_whole(200)}),
                         ERR_NONE);
        assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(80).e8);
        assert_int_equal(l.out->amend_count, 0);
        report_rig_close(&l);
    }
}

/* ---------------------------------------------------------------- the account */

static void other_cash_at_the_venue_is_an_alert(void **state)
{
    (void)state;
    for (int off = 0; off < 2; off++) {
        struct report_rig l;
        report_rig_filled(&l);
        struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
        fill_id_of_number(1, r->fills_after);
        report_rig_add_fill(r, 2, ORDER_STOP, 10, 90);
        report_rig_step(&l);
        int faults = 0;
        for (int i = 0; i < 4; i++) {
            (void)report_rig_await_listing(&l);
            r = report_rig_add(&l, VENUE_ACCOUNT, "");
            r->ask_id = l.out->list_id;
            r->account.balance_count = 2;
            r->account.balances[0] = (struct venue_balance){"EUR", {1}, {1}, {0}};
            r->account.balances[1] = (struct venue_balance){
                "USD", report_rig_whole(off ? 9800 : 9900), DEC_ZERO, DEC_ZERO};
            r->account.leverage = 2;
            report_rig_step(&l);
            faults += report_rig_is_fault(&l, ERR_VENUE_BALANCE);
            assert_int_equal(l.snapshot->venue.account.balance_count, 2);
        }
        assert_int_equal(faults, off ? 2 : 0); /* the third and the fourth */
        struct risk_account account;
        engine_account_fill(l.engine, report_rig_btc, SIDE_LONG, &account);
        assert_true(account.max_leverage == 2); /* configured are 3 */
        report_rig_close(&l);
    }
}

/* Ten are held at 100, bought with 10,000. */
static int count_faults(enum venue_balances balances, struct dec total, struct dec accrued)
{
    struct report_rig l;
    int faults = 0;
    open_at(&l, &(struct venue_capabilities){VENUE_USUAL, .brackets = true, .balances = balances});
    report_rig_add_fill(report_rig_add_order(&l, ORDER_FILLED, 10), 1, ORDER_ENTRY, 10, 100);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->position_count, 1);
    for (int i = 0; i < 4; i++) {
        report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
        struct venue_report *r = report_rig_add(&l, VENUE_ACCOUNT, "");
        r->ask_id = l.out->list_id;
        r->account.balance_count = 1;
        r->account.balances[0] = (struct venue_balance){"USD", total, DEC_ZERO, accrued};
        report_rig_step(&l);
        faults += report_rig_is_fault(&l, ERR_VENUE_BALANCE);
    }
    report_rig_close(&l);
    return faults;
}

static int count_balance_faults(enum venue_balances balances, struct dec total)
{
    return count_faults(balances, total, DEC_ZERO);
}

/* Fees that the venue charges at the end of the day may be missing from the cash before. */
static void fees_that_come_later_explain_missing_cash(void **state)
{
    (void)state;
    const struct dec cash = report_rig_whole(9000);
    const struct dec accrued = {DEC_ONE / 20};
    const struct dec less = dec_sub(cash, accrued);
    assert_int_equal(count_faults(VENUE_BALANCES_CASH, cash, accrued), 0);
    assert_int_equal(count_faults(VENUE_BALANCES_CASH, less, accrued), 0);
    assert_int_equal(count_faults(VENUE_BALANCES_CASH, less, (struct dec){DEC_ONE / 100}), 2);
    assert_int_equal(count_faults(VENUE_BALANCES_CASH, dec_add(cash, accrued), accrued), 2);
}

/* Cash is without what the position cost, a wallet with it; three reports in a row are needed, and
 * one unit of rounding is allowed. */
static void cash_is_compared_while_a_position_is_open(void **state)
{
    (void)state;
    const struct dec cash = report_rig_whole(9000);
    const struct dec wallet = report_rig_whole(10000);
    assert_int_equal(count_balance_faults(VENUE_BALANCES_CASH, cash), 0);
    assert_int_equal(count_balance_faults(VENUE_BALANCES_CASH, wallet), 2);
    assert_int_equal(count_balance_faults(VENUE_BALANCES_WALLET, wallet), 0);
    assert_int_equal(count_balance_faults(VENUE_BALANCES_WALLET, cash), 2);
    assert_int_equal(count_balance_faults(VENUE_BALANCES_UNKNOWN, cash), 0);
    assert_int_equal(count_balance_faults(VENUE_BALANCES_UNKNOWN, wallet), 0);
    assert_int_equal(count_balance_faults(VENUE_BALANCES_CASH, (struct dec){cash.e8 + 1}), 0);
    assert_int_equal(count_balance_faults(VENUE_BALANCES_CASH, (struct dec){cash.e8 - 1000}), 2);
}

/* The venue requires 30 % of the notional: the guard acts although the configured rate is none. */
static void a_higher_maintenance_margin_counts(void **state)
{
    (void)state;
    for (int high = 0; high < 2; high++) {
        struct report_rig l;
        report_rig_filled(&l);
        report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
        struct venue_report *r = report_rig_add(&l, VENUE_ACCOUNT, "");
        r->ask_id = l.out->list_id;
        r->account.margin_maintenance = report_rig_whole(high ? 300 : 0);
        report_rig_step(&l);
        struct risk_account account;
        engine_account_fill(l.engine, report_rig_eth, SIDE_LONG, &account);
        assert_true(account.maintenance_pct == (high ? 30 : 0));
        assert_true(l.snapshot->risk.maintenance_margin_pct == (high ? 3 : 0)); /* of equity */
        double free = 10000 - (high ? 300 : 0);
        double distance = 100 * free / (high ? 700 : 1000);
        assert_true(l.snapshot->liquidation_distance_pct > distance - 1e-6 &&
                    l.snapshot->liquidation_distance_pct < distance + 1e-6);
        report_rig_close(&l);
    }
}

/* ---------------------------------------------------------------- events of the account */

static struct venue_report *add_event(struct report_rig *l, enum venue_event event, int64_t id)
{
    struct venue_report *r = report_rig_add(l, VENUE_FUNDING, "");
    r->event = event;
    r->funding_id = id;
    r->prev_funding_id = id - 1;
    r->symbol = report_rig_btc;
    r->at_us = l->now.market_us;
    return r;
}

/* Capital and the baselines of the limits move with a transfer: it is neither profit nor loss. */
static void a_transfer_is_not_a_loss(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    add_event(&l, VENUE_EVENT_TRANSFER, 1)->payment = report_rig_whole(4000);
    add_event(&l, VENUE_EVENT_TRANSFER, 1)->payment = report_rig_whole(4000); /* repeated */
    report_rig_step(&l);
    const struct engine_state *s = engine_state(l.engine);
    assert_int_equal(s->initial_cash.e8, report_rig_whole(6000).e8);
    assert_int_equal(s->equity_peak.e8, report_rig_whole(6000).e8);
    assert_int_equal(s->realised.e8, 0);
    assert_true(l.snapshot->drawdown_pct == 0 && l.snapshot->daily_loss_pct == 0);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_TRANSFER));
    assert_int_equal(l.out->payment_count, 0);
    add_event(&l, VENUE_EVENT_TRANSFER, 2)->payment = report_rig_whole(-1000);
    report_rig_step(&l);
    assert_int_equal(s->last_funding_id, 2);
    assert_int_equal(s->initial_cash.e8, report_rig_whole(7000).e8);
    report_rig_close(&l);
}

/* It lowers the profit, but of no trade. */
static void a_fee_of_the_account_is_booked_once(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    const struct engine_state *s = engine_state(l.engine);
    struct dec cash = s->cash, fees = s->fees;
    for (int i = 0; i < 2; i++) {
        struct venue_report *r = add_event(&l, VENUE_EVENT_FEE, 1);
        r->symbol = (struct symbol){0};
        r->payment = report_rig_whole(3);
        report_rig_step(&l);
        assert_int_equal(l.out->payment_count, i == 0);
    }
    assert_int_equal(s->last_funding_id, 1);
    assert_int_equal(s->cash.e8, dec_sub(cash, report_rig_whole(3)).e8);
    assert_int_equal(s->fees.e8, dec_add(fees, report_rig_whole(3)).e8);
    assert_int_equal(s->funding.e8, 0);
    assert_true(l.snapshot->books_balance);
    report_rig_close(&l);
}

/* A listing without positions, and the account with this total. */
static void report_account(struct report_rig *l, int64_t total)
{
    (void)report_rig_await_listing(l);
    struct venue_report *r = report_rig_add(l, VENUE_ACCOUNT, "");
    r->ask_id = l->out->list_id;
    r->account.balance_count = 1;
    r->account.balances[0] =
        (struct venue_balance){"USD", report_rig_whole(total), DEC_ZERO, DEC_ZERO};
    report_rig_step(l);
}

static int check_capital(struct report_rig *l, int64_t capital, int64_t *ret_surplus)
{
    struct dec surplus = DEC_ZERO;
    int why = engine_check_capital(l->engine, report_rig_whole(capital), &surplus);
    *ret_surplus = surplus.e8 / DEC_ONE;
    return why;
}

static int ask_capital(struct report_rig *l, int64_t capital)
{
    return report_rig_ask(
        l, (struct request){.kind = REQUEST_CAPITAL, .number = report_rig_whole(capital).e8});
}

/* Ten were bought at 100 and sold at 90: 9,900 of 10,000 are left. */
static void capital_is_changed_without_profit_or_loss(void **state)
{
    (void)state;
    struct report_rig l;
    int64_t surplus = 0;
    report_rig_filled(&l);
    struct settings tight = l.settings;
    tight.max_drawdown_pct = 50;
    l.in->settings = &tight;
    report_rig_step(&l);
    l.in->settings = NULL;
    assert_int_equal(check_capital(&l, 20000, &surplus), ERR_VENUE_CAPITAL); /* no account yet */
    struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
    fill_id_of_number(1, r->fills_after);
    report_rig_add_fill(r, 2, ORDER_STOP, 10, 90);
    report_rig_step(&l);
    report_account(&l, 9950);
    assert_int_equal(check_capital(&l, 20000, &surplus), ERR_NONE);
    assert_int_equal(surplus, 50); /* was paid in */
    /* A stop may rest; an entry or a close may fill. */
    struct engine_slot *slot = &l.engine->slots[l.engine->slot_end++];
    *slot = (struct engine_slot){.used = true, .order = {.state = ORDER_ACKED}};
    l.engine->venue.can.balances = VENUE_BALANCES_CASH;
    static const enum order_kind kinds[] = {ORDER_STOP, ORDER_TARGET, ORDER_ENTRY, ORDER_CLOSE};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        slot->order.kind = kinds[i];
        assert_int_equal(check_capital(&l, 20000, &surplus), i < 2 ? ERR_NONE : ERR_VENUE_CAPITAL);
    }
    slot->used = false;
    l.engine->venue.can.balances = VENUE_BALANCES_UNKNOWN;
    assert_int_equal(ask_capital(&l, 20000), ERR_NONE);
    const struct engine_state *s = engine_state(l.engine);
    assert_int_equal(s->initial_cash.e8, report_rig_whole(20000).e8);
    assert_int_equal(s->cash.e8, report_rig_whole(19900).e8);
    assert_int_equal(s->equity_peak.e8, report_rig_whole(20000).e8);
    assert_int_equal(s->day_start_equity.e8, report_rig_whole(20000).e8);
    assert_int_equal(s->realised.e8, report_rig_whole(-100).e8);
    assert_int_equal(l.out->transfer_count, 1);
    assert_int_equal(l.out->transfers[0].amount.e8, report_rig_whole(10000).e8);
    assert_int_equal(l.out->transfers[0].request_id, l.out->request.id);
    /* The newest report is of the capital before. */
    assert_int_equal(check_capital(&l, 100, &surplus), ERR_VENUE_CAPITAL);
    report_account(&l, 19900);
    assert_int_equal(check_capital(&l, 100, &surplus), ERR_VENUE_CAPITAL_USED); /* nothing left */
    assert_int_equal(check_capital(&l, 150, &surplus), ERR_VENUE_CAPITAL_USED); /* 66 % lost */
    assert_int_equal(check_capital(&l, 9000, &surplus), ERR_NONE);
    assert_int_equal(surplus, 0);
    assert_int_equal(ask_capital(&l, 9000), ERR_NONE);
    assert_int_equal(s->cash.e8, report_rig_whole(8900).e8);
    assert_int_equal(l.out->transfers[0].amount.e8, report_rig_whole(-11000).e8);
    assert_int_equal(s->state, TRADING_ACTIVE);
    report_rig_close(&l);
}

/* A part is closed by deleveraging, the rest liquidated: booked once each, at the venue's price. */
static void the_venue_closes_a_position(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    for (int i = 0; i < 2; i++) {
        struct venue_report *r = add_event(&l, VENUE_EVENT_DELEVERAGING, 1);
        r->qty = report_rig_whole(4);
        r->price = report_rig_whole(95);
        r->payment = report_rig_whole(1);
    }
    report_rig_step(&l);
    assert_int_equal(l.out->trade_count, 1);
    assert_string_equal(l.out->trades[0].exit_reason, "deleveraging");
    assert_int_equal(l.out->trades[0].pnl.e8, report_rig_whole(-21).e8);
    assert_int_equal(l.snapshot->positions[0].qty.e8, report_rig_whole(6).e8);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_CLOSED));
    assert_int_equal(engine_state(l.engine)->state, TRADING_ACTIVE);

    struct venue_report *r = add_event(&l, VENUE_EVENT_LIQUIDATION, 2);
    r->qty = report_rig_whole(7); /* more than the books hold: a fill is missing */
    r->price = report_rig_whole(91);
    report_rig_step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->trade_count, 0);
    assert_int_equal(engine_state(l.engine)->last_funding_id, 1);
    assert_int_equal(l.out->query_count, 1);
    r = add_event(&l, VENUE_EVENT_LIQUIDATION, 2);
    r->qty = report_rig_whole(6);
    r->price = report_rig_whole(91);
    report_rig_step(&l);
    assert_int_equal(l.out->trade_count, 1);
    assert_string_equal(l.out->trades[0].exit_reason, "liquidation");
    assert_int_equal(l.snapshot->position_count, 0);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_LIQUIDATION));
    assert_int_equal(engine_state(l.engine)->state, TRADING_PAUSED);
    report_rig_close(&l);
}

/* Of 1 USD, 0.01 BTC at 95, and 7 of a currency without a price. */
static void the_fee_of_a_close_by_the_venue_is_converted(void **state)
{
    (void)state;
    static const struct {
        const char *currency;
        double fee, pnl;
        bool unknown;
    } fees[] = {{"", 1, -21, false}, {"BTC", 0.01, -20.95, false}, {"BNB", 7, -20, true}};
    for (size_t i = 0; i < COUNT_OF(fees); i++) {
        struct report_rig l;
        report_rig_filled(&l);
        struct venue_report *r = add_event(&l, VENUE_EVENT_DELEVERAGING, 1);
        r->qty = report_rig_whole(4);
        r->price = report_rig_whole(95);
        r->payment = dec_from_double(fees[i].fee);
        (void)str_copy(str_c(fees[i].currency), r->fee_currency, sizeof(r->fee_currency));
        report_rig_step(&l);
        assert_int_equal(l.out->trade_count, 1);
        assert_int_equal(l.out->trades[0].pnl.e8, dec_from_double(fees[i].pnl).e8);
        assert_int_equal(report_rig_is_fault(&l, ERR_VENUE_FEE), fees[i].unknown);
        report_rig_close(&l);
    }
}

static void a_margin_call_pauses_trading(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    assert_int_equal(engine_state(l.engine)->state, TRADING_ACTIVE);
    (void)add_event(&l, VENUE_EVENT_MARGIN_CALL, 1);
    report_rig_step(&l);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_MARGIN_CALL));
    assert_int_equal(engine_state(l.engine)->last_funding_id, 1);
    assert_int_equal(engine_state(l.engine)->state, TRADING_PAUSED);
    assert_string_equal(engine_state(l.engine)->state_reason, "the venue called for margin");
    assert_int_equal(l.snapshot->position_count, 1);
    report_rig_close(&l);
}

static void add_liquidation(struct report_rig *l)
{
    struct venue_report *r = add_event(l, VENUE_EVENT_LIQUIDATION, 1);
    r->qty = report_rig_whole(10);
    r->price = report_rig_whole(91);
}

/* The entry is filled, closes find nothing to close, and no position is listed. */
static void answer_that_nothing_is_there(struct report_rig *l)
{
    for (int i = 0; i < l->out->query_count; i++) {
        const char *id = l->out->queries[i].client_id;
        if (strcmp(id, REPORT_RIG_ID) == 0) {
            fill_id_of_number(1, report_rig_add_order(l, ORDER_FILLED, 10)->fills_after);
        } else {
            report_rig_add(l, VENUE_ORDER, id)->state = ORDER_REJECTED;
        }
    }
    for (int i = 0; i < l->out->send_count; i++) {
        const char *id = l->out->orders[l->out->sends[i]].client_id;
        report_rig_add(l, VENUE_ORDER, id)->state = ORDER_REJECTED;
    }
    if (l->out->list) {
        (void)report_rig_add_listing(l);
    }
}

/* An emergency stop that sees for long that the position is gone writes it off. The event that says
 * why arrives later: it is reported, and does not hold up the events that follow. */
static void an_event_of_a_position_that_was_written_off(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}),
                     ERR_NONE);
    for (int i = 0; i < 100 && l.snapshot->position_count > 0; i++) {
        report_rig_step_after(&l, USEC_PER_SEC);
        answer_that_nothing_is_there(&l);
    }
    assert_int_equal(l.snapshot->position_count, 0);
    int64_t trades = engine_state(l.engine)->trades;
    add_liquidation(&l);
    report_rig_step(&l);
    assert_int_equal(engine_state(l.engine)->last_funding_id, 0);
    for (int i = 0; i < 5; i++) {
        report_rig_step_after(&l, USEC_PER_SEC);
        answer_that_nothing_is_there(&l);
    }
    add_liquidation(&l);
    report_rig_step(&l);
    assert_int_equal(engine_state(l.engine)->last_funding_id, 1);
    assert_int_equal(engine_state(l.engine)->trades, trades);
    assert_true(report_rig_is_fault(&l, ERR_VENUE_LIQUIDATION));
    report_rig_close(&l);
}

/* Its position was written off, and another one has been opened since. */
static void an_event_of_an_earlier_position(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    const int64_t opened_us = l.snapshot->positions[0].opened_us;
    for (int i = 0; i < 2; i++) {
        add_liquidation(&l);
        l.in->reports[l.in->report_count - 1].at_us = opened_us - 1;
        report_rig_step(&l);
        assert_int_equal(l.snapshot->position_count, 1);
        assert_int_equal(l.out->trade_count, 0);
        assert_int_equal(engine_state(l.engine)->last_funding_id, i);
        report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
        report_rig_step(&l);
    }
    add_liquidation(&l);
    l.in->reports[l.in->report_count - 1].funding_id = 2;
    l.in->reports[l.in->report_count - 1].prev_funding_id = 1;
    l.in->reports[l.in->report_count - 1].at_us = opened_us;
    report_rig_step(&l);
    assert_int_equal(l.snapshot->position_count, 0);
    assert_int_equal(engine_state(l.engine)->last_funding_id, 2);
    report_rig_close(&l);
}

/* The next listing says that the one before differed, until one agrees. */
static void a_difference_is_doubted(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    for (int i = 0; i < 2; i++) {
        struct venue_report *r = report_rig_await_listing(&l);
        assert_int_equal(l.out->list_doubts, i > 0);
        report_rig_hold(r, report_rig_btc, 6, 100);
        report_rig_step(&l);
    }
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    struct venue_report *r = report_rig_await_listing(&l);
    assert_true(l.out->list_doubts);
    report_rig_hold(r, report_rig_btc, 10, 100);
    report_rig_step(&l);
    (void)report_rig_await_listing(&l);
    assert_false(l.out->list_doubts);
    report_rig_close(&l);
}

static void hold_both(struct report_rig *l, int64_t btc, int64_t eth)
{
    for (int i = 0; i < 4; i++) {
        struct venue_report *r = report_rig_await_listing(l);
        report_rig_hold(r, report_rig_btc, btc, 100);
        report_rig_hold(r, report_rig_eth, eth, 50);
        report_rig_step(l);
    }
}

/* Of each fill less than a step may be left: a position must not be too large for ever, nor its
 * symbol blocked, once that is enough to be sold. In an emergency stop it is sold. */
static void what_our_fills_leave_is_not_foreign(void **state)
{
    (void)state;
    struct report_rig l;
    open_at(&l, &(struct venue_capabilities){VENUE_USUAL, .brackets = true, .instruments = true,
                                             .dust = true});
    const struct symbol symbols[] = {report_rig_btc, report_rig_eth};
    for (size_t i = 0; i < COUNT_OF(symbols); i++) {
        struct venue_report *r = report_rig_add(&l, VENUE_INSTRUMENT, "");
        r->instrument = (struct instrument){.symbol = symbols[i],
                                            .step = report_rig_whole(1),
                                            .min_notional = report_rig_whole(20)};
    }
    struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
    r->stop = report_rig_whole(90);
    r->target = report_rig_whole(120);
    report_rig_add_fill(r, 1, ORDER_ENTRY, 4, 100);
    report_rig_add_fill(r, 2, ORDER_ENTRY, 3, 100);
    report_rig_add_fill(r, 3, ORDER_ENTRY, 3, 100);
    report_rig_step(&l);
    report_rig_bar(&l, 100);
    hold_both(&l, 11, 3);
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l.snapshot->foreign_count, 0);
    assert_null(refusal(&l, report_rig_eth));
    hold_both(&l, 11, 4); /* more than three fills leave */
    assert_int_equal(l.snapshot->foreign_count, 1);
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    hold_both(&l, 14, 3); /* the same beside a position */
    assert_int_equal(l.snapshot->state, TRADING_STARTING);
    hold_both(&l, 10, 3);
    assert_int_equal(l.snapshot->foreign_count, 0);
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    struct request stop = {.kind = REQUEST_EMERGENCY_STOP};
    (void)str_copy(STR_LIT("alice"), stop.by, sizeof(stop.by));
    assert_int_equal(report_rig_ask(&l, stop), 0);
    r = report_rig_await_listing(&l);
    report_rig_hold(r, report_rig_btc, 10, 100);
    report_rig_hold(r, report_rig_eth, 3, 50);
    report_rig_step(&l);
    assert_int_equal(l.snapshot->foreign_count, 1);
    report_rig_close(&l);
}

UNIT_GROUP(engine_venue, cmocka_unit_test(what_our_fills_leave_is_not_foreign),
           cmocka_unit_test(cash_is_compared_while_a_position_is_open),
           cmocka_unit_test(fees_that_come_later_explain_missing_cash),
           cmocka_unit_test(a_higher_maintenance_margin_counts),
           cmocka_unit_test(a_transfer_is_not_a_loss),
           cmocka_unit_test(a_fee_of_the_account_is_booked_once),
           cmocka_unit_test(capital_is_changed_without_profit_or_loss),
           cmocka_unit_test(the_venue_closes_a_position),
           cmocka_unit_test(the_fee_of_a_close_by_the_venue_is_converted),
           cmocka_unit_test(a_margin_call_pauses_trading),
           cmocka_unit_test(an_event_of_a_position_that_was_written_off),
           cmocka_unit_test(an_event_of_an_earlier_position),
           cmocka_unit_test(a_difference_is_doubted),
           cmocka_unit_test(not_found_is_judged_by_answers_over_time),
           cmocka_unit_test(an_order_that_is_found_is_alive),
           cmocka_unit_test(nothing_opens_before_the_venue_is_ready),
           cmocka_unit_test(a_lost_connection_is_caught_up_with),
           cmocka_unit_test(a_ban_holds_back_entries_and_questions),
           cmocka_unit_test(nothing_opens_without_the_rules_of_the_symbol),
           cmocka_unit_test(a_venue_without_brackets_is_guarded),
           cmocka_unit_test(other_cash_at_the_venue_is_an_alert))

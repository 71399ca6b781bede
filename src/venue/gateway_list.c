#include "base/check.h"
#include "base/log.h"
#include "gateway_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is listed: holdings, open orders, what the venue closed by itself, and payments of the
 * account, read one after another. */
#define HOLDINGS_MAX (VENUE_PAGES_MAX * VENUE_PAGE_HOLDINGS)
#define OPEN_MAX     (VENUE_PAGES_MAX * VENUE_PAGE_OPEN)
/* Of those of four days and an outage (payment_memory.c) the oldest; the next listing begins where
 * these end. Twenty positions that pay each hour have 1,920 in four days. */
#define PAYMENTS_MAX 2000
/* Orders of the venue's own, in seven days; of more the oldest are left out. */
#define FORCED_MAX       200
#define FORCED_FILLS_MAX 2000
/* While the books keep differing for another reason: 100 of Binance's 2,400 a minute. */
#define FORCED_EVERY_US (30 * USEC_PER_SEC)

struct gateway_listing {
    int64_t ask_id;
    int64_t after_funding_id;
    int64_t payments_since_us;
    int64_t forced_since_us;
    bool doubts;
    bool forced_asked, forced_failed;
    char cursor[ACCOUNT_CURSOR_SIZE];
    int coin_count;
    struct account_coin coins[ACCOUNT_ROWS_MAX];
    int holding_count;
    struct venue_holding holdings[HOLDINGS_MAX];
    struct account_margin margin;
    int open_count;
    char (*open)[CLIENT_ID_SIZE];
    int forced_market; /* whose orders are looked through; -1: the list of all markets */
    int forced_count;
    int forced_left; /* whose fills are not read, the oldest; the newest are read first */
    struct account_order forced[FORCED_MAX];
    int fill_count;
    struct forced_fill {
        enum account_forced forced;
        struct account_fill fill;
    } * fills; /* FORCED_FILLS_MAX; NULL: none was read */
    int payment_count;
    struct account_payment *payments; /* PAYMENTS_MAX; NULL: none was read */
};

void gateway_list_free(struct gateway *g)
{
    struct gateway_listing *l = TAKE(g->listing);
    if (l != NULL) {
        free(l->open);
        free(l->fills);
        free(l->payments);
        free(l);
    }
}

/* A part of a listing is no listing. */
static void give_up(struct gateway *g, const struct err *why)
{
    struct venue_report r = {.kind = VENUE_NO_ANSWER, .asked = VENUE_CALL_LIST};
    log_err(LOG_LEVEL_WARNING, why, "cannot list orders and positions");
    g->forced_due = g->forced_due || g->listing->forced_asked;
    gateway_list_free(g);
    gateway_report(g, &r);
}

/* ---------------------------------------------------------------- the reports */

/* Their numbers are given where it is known which of them are booked. */
static void report_payments(struct gateway *g, const struct gateway_listing *l)
{
    for (int i = 0; i < l->payment_count; i++) {
        const struct account_payment *p = &l->payments[i];
        int market = gateway_find_market(g, p->market);
        struct venue_report r = {.kind = VENUE_FUNDING,
                                 .ask_id = l->ask_id,
                                 .event = g->options.api->late_fees ? VENUE_EVENT_FEE
                                                                    : VENUE_EVENT_FUNDING,
                                 .payment = p->payment,
                                 .at_us = p->at_us};
        if (market >= 0) {
            r.symbol = g->markets[market].market.symbol;
        }
        memcpy(r.fills_after, p->id, sizeof(r.fills_after));
        gateway_report(g, &r);
    }
}

static void report_forced(struct gateway *g, const struct gateway_listing *l)
{
    for (int i = 0; i < l->fill_count; i++) {
        gateway_report_forced(g, l->fills[i].forced, &l->fills[i].fill, l->ask_id);
    }
}

static void report_pages(struct gateway *g, const struct gateway_listing *l)
{
    int holdings = 0, open = 0, page = 0;
    do {
        struct venue_report r = {.kind = VENUE_LISTING,
                                 .ask_id = l->ask_id,
                                 .funding_id = l->after_funding_id,
                                 .page = page++};
        while (holdings < l->holding_count && r.holding_count < VENUE_PAGE_HOLDINGS) {
            r.holdings[r.holding_count++] = l->holdings[holdings++];
        }
        while (open < l->open_count && r.open_count < VENUE_PAGE_OPEN) {
            memcpy(r.open[r.open_count++], l->open[open++], CLIENT_ID_SIZE);
        }
        r.last = holdings == l->holding_count && open == l->open_count;
        gateway_report(g, &r);
    } while (holdings < l->holding_count || open < l->open_count);
}

static bool is_quote(const struct gateway *g, const char *currency)
{
    for (int i = 0; i < g->market_count; i++) {
        if (str_equal_c(symbol_quote(&g->markets[i].market.symbol), currency)) {
            return true;
        }
    }
    return false;
}

static void report_account(struct gateway *g, const struct gateway_listing *l)
{
    struct venue_report r = {
        .kind = VENUE_ACCOUNT, .ask_id = l->ask_id, .funding_id = l->after_funding_id};
    for (int i = 0; i < l->coin_count && r.account.balance_count < VENUE_BALANCES_MAX; i++) {
        if (is_quote(g, l->coins[i].currency)) {
            struct venue_balance *b = &r.account.balances[r.account.balance_count++];
            memcpy(b->currency, l->coins[i].currency, sizeof(b->currency));
            b->total = l->coins[i].total;
            b->available = l->coins[i].available;
            b->accrued = l->coins[i].accrued;
        }
    }
    r.account.margin_used = l->margin.used;
    r.account.margin_maintenance = l->margin.maintenance;
    r.account.leverage = g->options.api->can.leverage ? g->leverage : 0;
    gateway_report(g, &r);
}

static void finish(struct gateway *g)
{
    struct gateway_listing *l = g->listing;
    report_forced(g, l);
    report_payments(g, l);
    report_pages(g, l);
    report_account(g, l);
    gateway_list_free(g);
}

/* ---------------------------------------------------------------- payments */

static void on_funding(const struct calls_answer *answer, void *userdata);

static void page_of(const struct gateway *g, const struct gateway_listing *l, bool payments,
                    struct account_page *ret)
{
    *ret = (struct account_page){.order_id = "",
                                 .since_us = payments ? l->payments_since_us : 0,
                                 .until_us = calls_wall_us(g->calls),
                                 .cursor = l->cursor};
}

static void ask_funding(struct gateway *g)
{
    struct account_page page;
    if (g->options.api->add_funding == NULL) {
        finish(g);
        return;
    }
    page_of(g, g->listing, true, &page);
    g->options.api->add_funding(&page, calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_FUNDING, gateway_now(g) + GATEWAY_ANSWER_US, on_funding, g);
}

/* Without funding of positions that are not ours. */
static void keep_payments(const struct gateway *g, struct gateway_listing *l,
                          const struct account_payment *rows, int count)
{
    if (l->payments == NULL) {
        l->payments = calloc(PAYMENTS_MAX, sizeof(*l->payments));
        NEED_MEMORY(l->payments != NULL);
    }
    for (int i = 0; i < count && l->payment_count < PAYMENTS_MAX; i++) {
        if (g->options.api->late_fees || gateway_find_market(g, rows[i].market) >= 0) {
            l->payments[l->payment_count++] = rows[i];
        }
    }
}

static void on_funding(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    struct gateway_listing *l = g->listing;
    struct err err = {0};
    struct account_page page;
    page_of(g, l, true, &page);
    char next[ACCOUNT_CURSOR_SIZE] = "";
    struct account_payment *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? g->options.api->read_funding(&page, answer->root, rows, &count, next, &err)
                 : -answer->err->id;
    if (rc >= 0) {
        keep_payments(g, l, rows, count);
    }
    free(rows);
    if (rc < 0) {
        give_up(g, answer->err != NULL ? answer->err : &err);
    } else if (next[0] != '\0' && l->payment_count < PAYMENTS_MAX) {
        memcpy(l->cursor, next, sizeof(l->cursor));
        ask_funding(g);
    } else {
        finish(g);
    }
}

/* ---------------------------------------------------------------- closed by the venue */

static void ask_forced(struct gateway *g);
static void begin_forced_fills(struct gateway *g);
static void ask_forced_fills(struct gateway *g);

/* It costs half as much as all the rest of a listing, so it is read when it can matter only: in the
 * first listing, after an outage of the stream, and while the books differ from the listings. Three
 * that differ halt the engine, and the second reads this. It comes after the positions, so that
 * what they show is in it, and is booked before they are compared. */
static bool forced_is_due(struct gateway *g, const struct gateway_listing *l)
{
    int64_t now_us = gateway_now(g);
    g->forced_mono_us = l->doubts ? g->forced_mono_us : 0;
    bool doubts =
        l->doubts && (g->forced_mono_us == 0 || now_us - g->forced_mono_us >= FORCED_EVERY_US);
    g->forced_mono_us = doubts ? now_us : g->forced_mono_us;
    /* The first failure is repeated at once. */
    bool retries = g->forced_failures < 2 || now_us - g->forced_failed_mono_us >= FORCED_EVERY_US;
    return g->options.api->add_forced != NULL && ((g->forced_due && retries) || doubts);
}

static void forced_page(const struct gateway *g, const struct gateway_listing *l,
                        struct account_page *ret)
{
    *ret = (struct account_page){.order_id = "",
                                 .since_us = l->forced_since_us,
                                 .until_us = calls_wall_us(g->calls),
                                 .cursor = l->cursor};
    if (l->forced_market >= 0) {
        ret->market = &g->markets[l->forced_market].market;
    }
}

/* Two lists may have the same order. */
static void keep_forced(const struct gateway *g, struct gateway_listing *l,
                        const struct account_order *row)
{
    int i = 0;
    while (i < l->forced_count && strcmp(l->forced[i].id, row->id) != 0) {
        i++;
    }
    if (row->forced == ACCOUNT_FORCED_NOT || row->filled_qty.e8 <= 0 || i < l->forced_count ||
        gateway_find_market(g, row->market) < 0) {
        return;
    }
    if (l->forced_count == FORCED_MAX) { /* they are listed as they came */
        l->forced_count--;
        memmove(l->forced, l->forced + 1, (size_t)l->forced_count * sizeof(l->forced[0]));
    }
    l->forced[l->forced_count++] = *row;
}

/* A market that does not trade may have been settled, which the list of all markets leaves out. */
static bool next_forced_market(const struct gateway *g, struct gateway_listing *l)
{
    do {
        l->forced_market++;
    } while (l->forced_market < g->market_count &&
             (!g->markets[l->forced_market].known ||
              g->markets[l->forced_market].rules.status == INSTRUMENT_TRADING));
    return l->forced_market < g->market_count;
}

/* A sandbox may not have the list, nor fills of a market that is gone. Positions and orders are
 * still listed: what is missing shows as a difference of positions. */
static void forced_failed(struct gateway *g, const struct err *why)
{
    if (g->forced_failures == 0) {
        log_err(LOG_LEVEL_WARNING, why, "cannot read what the venue has closed by itself");
    }
    g->forced_failures += g->listing->forced_failed ? 0 : 1;
    g->forced_failed_mono_us = gateway_now(g);
    g->listing->forced_failed = true;
    g->forced_due = true;
}

/* Nothing else can be asked for then, either. */
static bool is_closed_to_us(enum account_verdict verdict)
{
    return verdict == ACCOUNT_LIMITED || verdict == ACCOUNT_BANNED;
}

static void on_forced(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    struct gateway_listing *l = g->listing;
    struct err err = {0};
    struct account_page page;
    forced_page(g, l, &page);
    char next[ACCOUNT_CURSOR_SIZE] = "";
    struct account_order *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? g->options.api->read_forced(&page, answer->root, rows, &count, next, &err)
                 : -answer->err->id;
    for (int i = 0; rc >= 0 && i < count; i++) {
        keep_forced(g, l, &rows[i]);
    }
    free(rows);
    memcpy(l->cursor, rc < 0 ? "" : next, rc < 0 ? 1 : sizeof(l->cursor));
    if (is_closed_to_us(answer->verdict)) {
        give_up(g, answer->err);
    } else if (rc < 0) {
        forced_failed(g, answer->err != NULL ? answer->err : &err);
        begin_forced_fills(g);
    } else if (next[0] != '\0' || next_forced_market(g, l)) {
        ask_forced(g);
    } else {
        begin_forced_fills(g);
    }
}

static void ask_forced(struct gateway *g)
{
    struct account_page page;
    forced_page(g, g->listing, &page);
    g->options.api->add_forced(&page, calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_OPEN, gateway_now(g) + GATEWAY_ANSWER_US, on_forced, g);
}

static void begin_forced(struct gateway *g)
{
    struct gateway_listing *l = g->listing;
    if (!forced_is_due(g, l)) {
        ask_funding(g);
        return;
    }
    g->forced_due = false;
    l->forced_asked = true;
    l->forced_market = -1;
    ask_forced(g);
}

/* Prices, fees and the ids that the stream gives them: an order has none of these. */
static void forced_fills_page(const struct gateway *g, const struct gateway_listing *l,
                              struct account_page *ret)
{
    const struct account_order *o = &l->forced[l->forced_left - 1];
    *ret = (struct account_page){.market = &g->markets[gateway_find_market(g, o->market)].market,
                                 .order_id = o->id,
                                 .until_us = calls_wall_us(g->calls),
                                 .cursor = l->cursor};
}

static void keep_forced_fill(struct gateway_listing *l, const struct account_fill *fill)
{
    const struct account_order *o = &l->forced[l->forced_left - 1];
    if (l->fills == NULL) {
        l->fills = calloc(FORCED_FILLS_MAX, sizeof(*l->fills));
        NEED_MEMORY(l->fills != NULL);
    }
    if (strcmp(fill->order_id, o->id) == 0 && l->fill_count < FORCED_FILLS_MAX) {
        l->fills[l->fill_count++] = (struct forced_fill){o->forced, *fill};
    }
}

static void on_forced_fills(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    struct gateway_listing *l = g->listing;
    struct err err = {0};
    struct account_page page;
    forced_fills_page(g, l, &page);
    char next[ACCOUNT_CURSOR_SIZE] = "";
    struct account_fill *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? g->options.api->read_fills(&page, answer->root, rows, &count, next, &err)
                 : -answer->err->id;
    for (int i = 0; rc >= 0 && i < count; i++) {
        keep_forced_fill(l, &rows[i]);
    }
    free(rows);
    memcpy(l->cursor, rc < 0 ? "" : next, rc < 0 ? 1 : sizeof(l->cursor));
    if (is_closed_to_us(answer->verdict)) {
        give_up(g, answer->err);
        return;
    }
    if (rc < 0) {
        forced_failed(g, answer->err != NULL ? answer->err : &err);
    }
    l->forced_left -= l->cursor[0] == '\0' ? 1 : 0;
    ask_forced_fills(g);
}

static void begin_forced_fills(struct gateway *g)
{
    g->listing->forced_left = g->listing->forced_count;
    ask_forced_fills(g);
}

static void ask_forced_fills(struct gateway *g)
{
    struct gateway_listing *l = g->listing;
    if (l->forced_left == 0) {
        g->forced_failures = l->forced_failed ? g->forced_failures : 0;
        ask_funding(g);
        return;
    }
    struct account_page page;
    forced_fills_page(g, l, &page);
    g->options.api->add_fills(&page, calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_FILLS, gateway_now(g) + GATEWAY_ANSWER_US, on_forced_fills, g);
}

/* ---------------------------------------------------------------- open orders */

static void on_open(const struct calls_answer *answer, void *userdata);

static void ask_open(struct gateway *g)
{
    struct account_page page;
    page_of(g, g->listing, false, &page);
    g->options.api->add_open(&page, calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_OPEN, gateway_now(g) + GATEWAY_ANSWER_US, on_open, g);
}

/* An order that we did not place can be cancelled by the name that the listing gives it. */
static void remember_foreign(struct gateway *g, const struct account_order *row, const char *name)
{
    int market = gateway_find_market(g, row->market);
    if (name[0] == '#') {
        int *others = market >= 0 ? &g->markets[market].foreign : &g->foreign_elsewhere;
        (*others)++;
    }
    if (name[0] == '#' && market >= 0 && order_memory_find(g->orders, name) == NULL) {
        struct known_order *o =
            order_memory_add(g->orders, name, row->client_id, market, gateway_now(g));
        o->type = row->type;
        memcpy(o->id, row->id, sizeof(o->id));
    }
}

static void forget_foreign(struct gateway *g)
{
    g->foreign_elsewhere = 0;
    for (int i = 0; i < g->market_count; i++) {
        g->markets[i].foreign = 0;
    }
}

static void on_open(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    struct gateway_listing *l = g->listing;
    struct err err = {0};
    struct account_page page;
    page_of(g, l, false, &page);
    char next[ACCOUNT_CURSOR_SIZE] = "";
    struct account_order *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? g->options.api->read_open(&page, answer->root, rows, &count, next, &err)
                 : -answer->err->id;
    if (l->cursor[0] == '\0') {
        forget_foreign(g);
    }
    for (int i = 0; rc >= 0 && i < count; i++) {
        if (l->open_count == OPEN_MAX) {
            rc = err_set(&err, ERR_VENUE_DATA, "%s: more than %d open orders", g->options.api->name,
                         OPEN_MAX);
            break;
        }
        gateway_name_order(g, &rows[i], l->open[l->open_count]);
        remember_foreign(g, &rows[i], l->open[l->open_count++]);
    }
    free(rows);
    if (rc < 0) {
        give_up(g, answer->err != NULL ? answer->err : &err);
    } else if (next[0] != '\0') {
        memcpy(l->cursor, next, sizeof(l->cursor));
        ask_open(g);
    } else {
        l->cursor[0] = '\0';
        begin_forced(g);
    }
}

/* ---------------------------------------------------------------- holdings */

/* What cannot be sold is no position. Without a price its value is not known. */
static bool is_dust(const struct gateway_market *m, struct dec qty)
{
    struct dec value = m->price.e8 > 0 ? dec_mul(qty, m->price) : m->rules.min_notional;
    return qty.e8 <= 0 || qty.e8 < m->rules.min_qty.e8 ||
           (dec_is_valid(value) && value.e8 < m->rules.min_notional.e8);
}

/* Spot: a coin of a watched symbol is a long position in it, beyond what is reserved. */
static void hold_coins(struct gateway *g, struct gateway_listing *l)
{
    for (int i = 0; i < l->coin_count; i++) {
        for (int k = 0; k < g->market_count; k++) {
            const struct gateway_market *m = &g->markets[k];
            if (!m->known || !str_equal_c(symbol_base(&m->market.symbol), l->coins[i].currency)) {
                continue;
            }
            struct dec qty = dec_sub(l->coins[i].total,
                                     reserved_amount(g->options.reserved, g->options.reserved_count,
                                                     l->coins[i].currency));
            qty = m->rules.step.e8 > 0 && qty.e8 > 0 ? dec_floor_to(qty, m->rules.step) : qty;
            if (!is_dust(m, qty) && l->holding_count < HOLDINGS_MAX) {
                l->holdings[l->holding_count++] =
                    (struct venue_holding){m->market.symbol, SIDE_LONG, qty, m->price};
            }
        }
    }
}

/* What fees in coins and rounding have left cannot be sold, and is no position. */
static void hold_position(const struct gateway *g, struct gateway_listing *l,
                          const struct gateway_market *m, const struct account_position *p)
{
    bool coins = gateway_takes_coins(g, m);
    struct dec qty = coins && m->rules.step.e8 > 0 ? dec_floor_to(p->qty, m->rules.step) : p->qty;
    if (qty.e8 > 0 && !(coins && is_dust(m, qty)) && l->holding_count < HOLDINGS_MAX) {
        l->holdings[l->holding_count++] =
            (struct venue_holding){m->market.symbol, p->side, qty, p->entry_price};
    }
}

static void on_positions(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    struct gateway_listing *l = g->listing;
    struct err err = {0};
    struct account_position *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? g->options.api->read_positions(answer->root, rows, &count, &l->margin, &err)
                 : -answer->err->id;
    for (int i = 0; rc >= 0 && i < count; i++) {
        int market = gateway_find_market(g, rows[i].market);
        if (rows[i].hedged) {
            rc = err_set(&err, ERR_VENUE_HEDGED, "%s: %s", g->options.api->name, rows[i].market);
        } else if (market >= 0) {
            hold_position(g, l, &g->markets[market], &rows[i]);
            gateway_session_leverage_is(g, &g->markets[market], rows[i].leverage);
        }
    }
    if (rc >= 0) {
        gateway_session_leverage_gone(g, rows, count);
    }
    free(rows);
    if (rc < 0) {
        give_up(g, answer->err != NULL ? answer->err : &err);
        return;
    }
    ask_open(g);
}

static void on_coins(const struct calls_answer *answer, void *userdata);

static void ask_coins(struct gateway *g)
{
    g->options.api->add_coins(g->listing->cursor, calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_COINS, gateway_now(g) + GATEWAY_ANSWER_US, on_coins, g);
}

static void on_coins(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    struct gateway_listing *l = g->listing;
    struct err err = {0};
    char next[ACCOUNT_CURSOR_SIZE] = "";
    struct account_coin *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    int count = 0;
    gateway_note_limit(g);
    int rc = answer->verdict == ACCOUNT_FINE
                 ? g->options.api->read_coins(answer->root, rows, &count, next, &err)
                 : -answer->err->id;
    if (rc >= 0 && l->coin_count + count > ACCOUNT_ROWS_MAX) {
        rc = err_set(&err, ERR_VENUE_DATA, "%s: more than %d coins", g->options.api->name,
                     ACCOUNT_ROWS_MAX);
    }
    if (rc >= 0) {
        memcpy(&l->coins[l->coin_count], rows, (size_t)count * sizeof(rows[0]));
        l->coin_count += count;
    }
    free(rows);
    if (rc < 0) {
        give_up(g, answer->err != NULL ? answer->err : &err);
    } else if (next[0] != '\0') {
        memcpy(l->cursor, next, sizeof(l->cursor));
        ask_coins(g);
    } else if (g->options.api->positions) {
        l->cursor[0] = '\0';
        g->options.api->add_positions(calls_begin(g->calls));
        calls_send(g->calls, ACCOUNT_POSITIONS, gateway_now(g) + GATEWAY_ANSWER_US, on_positions,
                   g);
    } else {
        l->cursor[0] = '\0';
        hold_coins(g, l);
        ask_open(g);
    }
}

/* One at a time: the engine repeats an ask that is not answered. */
void gateway_list(struct gateway *g, const struct gateway_call *call)
{
    if (g->listing != NULL || g->phase == GATEWAY_RULES) {
        return; /* without the rules it is not known which coin belongs to which symbol */
    }
    struct gateway_listing *l = calloc(1, sizeof(*l));
    NEED_MEMORY(l != NULL);
    l->ask_id = call->ask_id;
    l->after_funding_id = call->after_funding_id;
    l->payments_since_us = call->payments_since_us;
    l->forced_since_us = call->forced_since_us;
    l->doubts = call->doubts;
    l->open = calloc(OPEN_MAX, sizeof(*l->open));
    NEED_MEMORY(l->open != NULL);
    g->listing = l;
    ask_coins(g);
}

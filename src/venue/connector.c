#include "connector.h"

#include "ban_memory.h"
#include "base/check.h"
#include "base/log.h"
#include "base/ring.h"
#include "gateway.h"
#include "io/file.h"
#include "io/secret.h"
#include "payment_memory.h"
#include "store/order_table.h"
#include "store/venue_table.h"
#include "venue/feed.h"
#include "venue/live_market.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_KEPT   1024
#define REPORTS_KEPT 256
#define WAITING_MAX  4096
#define DRAIN_US     (5 * USEC_PER_MSEC)
#define URL_SIZE     512
#define TAG          "tag"     /* of client ids */
#define NAME         "venue"   /* to which the books belong */
#define ALLOWED      "allowed" /* a person has allowed orders with real money: on which machine */
#define BANNED       "banned"  /* see ban_memory.h: a restart must not ask */
#define PAID_IN      "paid_in" /* balance when the books began, and paid in since; units of 1e-8 */

struct connector {
    struct venue venue;
    const struct account_api *api;
    struct venue_capabilities can;
    struct feed *feed;
    struct live_market *market;  /* NULL: there are no live prices, so nothing is opened */
    struct trading_store *store; /* NULL: nothing is kept (every start is the first) */
    struct dec cash;             /* capital of the books */
    bool is_open;
    bool has_outside;
    struct dec outside; /* cash of the account that is not ours */
    bool lacks_funds;
    bool is_allowed;
    bool told_not_allowed;
    int64_t banned_boot_us;   /* on disk, since the machine has started; 0: not in this run */
    struct venue_report held; /* CONNECTION: waits until the funds are known */
    bool has_held;
    struct payment_memory *payments; /* NULL: the venue has none but those of fills */
    int64_t after_funding_id;        /* the books have the events up to it */
    bool doubts;                     /* they differ from the newest listing */
    struct venue_report *page; /* of a listing, which waits for the payments that belong to it */

    /* What the gateway gets when the feed starts. */
    char url[URL_SIZE];
    char stream_url[URL_SIZE];
    char ca_file[URL_SIZE];
    struct secret *key_id;
    struct secret *key_secret;
    struct gateway_options options;
    struct reserved_coin reserved[RESERVED_MAX];
    int symbol_count;
    struct symbol symbols[SYMBOLS_LIMIT];
    struct dec prices[SYMBOLS_LIMIT];
    bool halted[SYMBOLS_LIMIT]; /* as the gateway knows it */

    /* Between the threads. */
    struct ring *calls;
    struct ring *reports;
    _Atomic(struct loop_source *) wake; /* NULL: the feed does not run */

    /* The feed's. */
    int waiting_count; /* reports for which the ring has no room yet */
    int waiting_room;
    struct venue_report *waiting;
    struct loop_source *drain;
    struct http *http;
    struct gateway *gateway;
};

static struct connector *of(struct venue *venue)
{
    return (struct connector *)venue;
}

/* ---------------------------------------------------------------- on the feed's thread */

/* Moves what waits into the ring, as far as it has room. */
static void on_drain(void *userdata)
{
    struct connector *c = userdata;
    int moved = 0;
    while (moved < c->waiting_count && ring_push(c->reports, &c->waiting[moved])) {
        moved++;
    }
    c->waiting_count -= moved;
    memmove(c->waiting, &c->waiting[moved], (size_t)c->waiting_count * sizeof(c->waiting[0]));
    if (c->waiting_count > 0) {
        loop_timer_in(c->drain, DRAIN_US);
    } else {
        free(TAKE(c->waiting));
        c->waiting_room = 0;
    }
    feed_wake_engine(c->feed);
}

/* A start reports the rules of each symbol at once, and an engine that waits for its disk reads
 * nothing for a while: what the ring does not hold waits here, in its order. */
static void on_report(const struct venue_report *report, void *userdata)
{
    struct connector *c = userdata;
    if (c->waiting_count == 0 && ring_push(c->reports, report)) {
        feed_wake_engine(c->feed);
        return;
    }
    if (c->waiting_count == WAITING_MAX) {
        LOG(WARNING, "%s: a report was dropped, %d wait", c->api->name, WAITING_MAX);
        return;
    }
    if (c->waiting_count == c->waiting_room) {
        c->waiting_room = c->waiting_room == 0 ? 64 : 2 * c->waiting_room;
        c->waiting = realloc(c->waiting, (size_t)c->waiting_room * sizeof(c->waiting[0]));
        NEED_MEMORY(c->waiting != NULL);
    }
    c->waiting[c->waiting_count++] = *report;
    loop_timer_in(c->drain, DRAIN_US);
}

static void on_calls(void *userdata)
{
    struct connector *c = userdata;
    struct gateway_call call;
    while (ring_pop(c->calls, &call)) {
        gateway_do(c->gateway, &call);
    }
    gateway_flush(c->gateway);
}

static void start(struct feed *feed, void *userdata)
{
    struct connector *c = userdata;
    struct err err = {0};
    struct loop *loop = feed_loop(feed);
    struct loop_source *wake = loop_add_wake(loop, on_calls, c, &err);
    c->http = wake != NULL ? http_new(loop, &err) : NULL;
    if (c->http == NULL) {
        log_err(LOG_LEVEL_ERROR, &err, "cannot connect to the venue");
        loop_source_free(wake);
        return;
    }
    loop_source_name(wake, "venue calls of the engine");
    c->drain = loop_add_timer(loop, on_drain, c);
    loop_source_name(c->drain, "venue reports");
    c->options.loop = loop;
    c->options.http = c->http;
    c->options.symbols = c->symbols;
    c->options.symbol_count = c->symbol_count;
    c->gateway = gateway_new(&c->options);
    for (int i = 0; i < c->symbol_count; i++) {
        struct gateway_call call = {.kind = GATEWAY_PRICE, .price = c->prices[i]};
        call.question.symbol = c->symbols[i];
        gateway_do(c->gateway, &call);
    }
    gateway_start(c->gateway);
    atomic_store(&c->wake, wake);
    on_calls(c);
}

static void stop(void *userdata)
{
    struct connector *c = userdata;
    loop_source_free(atomic_exchange(&c->wake, NULL));
    gateway_free(TAKE(c->gateway));
    http_free(TAKE(c->http));
    loop_source_free(TAKE(c->drain));
    free(TAKE(c->waiting));
    c->waiting_count = 0;
    c->waiting_room = 0;
}

/* ---------------------------------------------------------------- calls of the engine */

static void call(struct connector *c, const struct gateway_call *what)
{
    if (!ring_push(c->calls, what)) {
        LOG(WARNING, "%s: a call of the engine was dropped, %d wait", c->api->name, CALLS_KEPT);
    }
    struct loop_source *wake = atomic_load(&c->wake);
    if (wake != NULL) {
        loop_wake(wake);
    }
}

static void connector_send(struct venue *venue, const struct order *order)
{
    const struct gateway_call what = {.kind = GATEWAY_SEND, .order = *order};
    call(of(venue), &what);
}

static void connector_cancel(struct venue *venue, const char *client_id)
{
    struct gateway_call what = {.kind = GATEWAY_CANCEL};
    (void)str_copy(str_c(client_id), what.question.client_id, sizeof(what.question.client_id));
    call(of(venue), &what);
}

static void connector_query(struct venue *venue, const struct venue_question *question)
{
    const struct gateway_call what = {.kind = GATEWAY_QUERY, .question = *question};
    call(of(venue), &what);
}

static void connector_list(struct venue *venue, int64_t ask_id, int64_t after_funding_id)
{
    struct connector *c = of(venue);
    struct gateway_call what = {
        .kind = GATEWAY_LIST, .ask_id = ask_id, .after_funding_id = after_funding_id};
    if (c->payments != NULL) {
        c->after_funding_id = after_funding_id;
        what.payments_since_us = payment_memory_since_us(c->payments, clock_wall_us(clock_real()));
        what.forced_since_us =
            payment_memory_forced_since_us(c->payments, clock_wall_us(clock_real()));
    }
    what.doubts = c->doubts;
    c->doubts = false;
    call(c, &what);
}

static void connector_doubt(struct venue *venue)
{
    of(venue)->doubts = true;
}

/* Of a leg: no bracket is at the venue, see the capabilities. */
static void connector_amend(struct venue *venue, const char *client_id, struct dec stop,
                            struct dec target)
{
    struct gateway_call what = {.kind = GATEWAY_AMEND, .stop = stop, .target = target};
    (void)str_copy(str_c(client_id), what.question.client_id, sizeof(what.question.client_id));
    call(of(venue), &what);
}

static void connector_set_leverage(struct venue *venue, double leverage)
{
    const struct gateway_call what = {.kind = GATEWAY_LEVERAGE, .leverage = leverage};
    call(of(venue), &what);
}

static bool connector_quote(const struct venue *venue, struct symbol symbol, struct quote *ret)
{
    const struct connector *c = (const struct connector *)venue;
    return c->market != NULL && live_market_quote(c->market, symbol, ret);
}

/* ---------------------------------------------------------------- reports */

static void report_funds(struct venue_report *r)
{
    *r = (struct venue_report){.kind = VENUE_CONNECTION, .venue_state = VENUE_DOWN};
    (void)snprintf(r->reason, sizeof(r->reason), "%s", err_info(ERR_VENUE_FUNDS)->message);
}

static int store_paid_in(struct connector *c, struct dec amount, struct err *err)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)amount.e8);
    return c->store == NULL ? 0 : venue_table_set(c->store, PAID_IN, text, err);
}

/* The cash that is not ours is what the account has beyond the capital when the books begin. It is
 * on disk before anything can be traded. */
static bool set_outside(struct connector *c, struct dec total)
{
    struct err err = {0};
    struct dec outside = dec_sub(total, c->cash);
    if (!dec_is_valid(outside) || outside.e8 < 0) {
        char has[DEC_TEXT_SIZE], needs[DEC_TEXT_SIZE];
        if (!c->lacks_funds) {
            (void)err_set(&err, ERR_VENUE_FUNDS, "%s: %s of %s", c->api->name, dec_text(total, has),
                          dec_text(c->cash, needs));
            log_err(LOG_LEVEL_ERROR, &err, "cannot begin to trade");
        }
        c->lacks_funds = true;
        return false;
    }
    if (store_paid_in(c, total, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "cannot begin to trade");
        return false;
    }
    c->outside = outside;
    c->has_outside = true;
    c->lacks_funds = false;
    return true;
}

/* Reports of the same ban differ by the time that they took. */
static void keep_ban(struct connector *c, int64_t banned_us)
{
    struct err err = {0};
    char text[BAN_TEXT_SIZE];
    struct ban_now now;
    ban_read_now(&now);
    int64_t until_us = now.boot_us + banned_us;
    if (c->store == NULL || until_us - c->banned_boot_us < USEC_PER_SEC) {
        return;
    }
    ban_print(&now, banned_us, text);
    if (venue_table_set(c->store, BANNED, text, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "cannot keep a ban of the venue");
        return;
    }
    c->banned_boot_us = until_us;
}

static int load_ban(struct connector *c, struct err *err)
{
    char text[BAN_TEXT_SIZE];
    struct ban_now now;
    ban_read_now(&now);
    c->banned_boot_us = 0;
    c->options.banned_us = 0;
    int rc = venue_table_get(c->store, BANNED, text, sizeof(text), err);
    if (rc >= 0 && text[0] != '\0' && ban_left(text, &now, &c->options.banned_us) < 0) {
        return err_set(err, ERR_STORE_DAMAGED, "venue_state " BANNED);
    }
    return rc;
}

static struct venue_balance *quote_of(struct connector *c, struct venue_account *account)
{
    for (int i = 0; i < account->balance_count && c->symbol_count > 0; i++) {
        if (str_equal_c(symbol_quote(&c->symbols[0]), account->balances[i].currency)) {
            return &account->balances[i];
        }
    }
    return NULL;
}

/* Without a balance in quote currency the account has none. */
static void leave_out_foreign_cash(struct connector *c, struct venue_account *account)
{
    struct venue_balance *b = quote_of(c, account);
    if (b == NULL && account->balance_count < VENUE_BALANCES_MAX && c->symbol_count > 0) {
        b = &account->balances[account->balance_count++];
        *b = (struct venue_balance){0};
        (void)str_copy(symbol_quote(&c->symbols[0]), b->currency, sizeof(b->currency));
    }
    if (b == NULL || (!c->has_outside && !set_outside(c, b->total))) {
        return;
    }
    b->total = dec_sub(b->total, c->outside);
    b->available = dec_sub(b->available, c->outside);
}

static bool begins_listing(const struct venue_report *r)
{
    return r->kind == VENUE_LISTING && r->page == 0;
}

/* The next of the ring. The payments of a listing are put in its front: each once, and with a
 * number that it keeps. */
static bool next_report(struct connector *c, struct venue_report *ret)
{
    if (c->payments == NULL) {
        return ring_pop(c->reports, ret);
    }
    if (payment_memory_pop(c->payments, ret)) {
        return true;
    }
    if (c->page != NULL) {
        *ret = *c->page;
        free(TAKE(c->page));
        ret->funding_id = payment_memory_newest(c->payments);
        return true;
    }
    while (ring_pop(c->reports, ret)) {
        if (ret->kind == VENUE_FUNDING && ret->ask_id != 0) { /* of a listing */
            payment_memory_add(c->payments, ret);
            continue;
        }
        if (ret->kind == VENUE_FUNDING) {
            payment_memory_tell(c->payments, ret);
            if (payment_memory_pop(c->payments, ret)) {
                return true;
            }
            continue;
        }
        if (begins_listing(ret)) {
            payment_memory_close(c->payments, c->after_funding_id, clock_wall_us(clock_real()));
        }
        if (begins_listing(ret) && payment_memory_waits(c->payments)) {
            c->page = malloc(sizeof(*c->page));
            NEED_MEMORY(c->page != NULL);
            *c->page = *ret;
            return payment_memory_pop(c->payments, ret);
        }
        if (ret->kind == VENUE_LISTING || ret->kind == VENUE_ACCOUNT) {
            ret->funding_id = payment_memory_newest(c->payments);
        }
        return true;
    }
    return false;
}

/* READY reaches the engine when the books and the account have the same cash to begin with, and a
 * person has allowed orders with real money. */
static bool poll_report(struct connector *c, struct venue_report *ret)
{
    if (c->has_held && c->has_outside && c->is_allowed) {
        *ret = c->held;
        c->has_held = false;
        return true;
    }
    if (c->has_held && c->has_outside && !c->told_not_allowed) {
        *ret = (struct venue_report){.kind = VENUE_CONNECTION, .venue_state = VENUE_DEGRADED};
        (void)snprintf(ret->reason, sizeof(ret->reason), "real money: waits for /golive");
        c->told_not_allowed = true;
        return true;
    }
    if (!next_report(c, ret)) {
        return false;
    }
    if (ret->kind == VENUE_LIMIT && ret->limit.banned_us > 0) {
        keep_ban(c, ret->limit.banned_us);
    }
    if (ret->kind == VENUE_CONNECTION) {
        c->has_held = false;
    }
    if (ret->kind == VENUE_CONNECTION && ret->venue_state == VENUE_READY &&
        !(c->has_outside && c->is_allowed)) {
        c->held = *ret;
        c->has_held = true;
        c->told_not_allowed = false;
        ret->venue_state = VENUE_CONNECTING;
        (void)snprintf(ret->reason, sizeof(ret->reason), "reading the account");
    } else if (ret->kind == VENUE_ACCOUNT) {
        leave_out_foreign_cash(c, &ret->account);
        if (c->lacks_funds) {
            report_funds(ret);
        }
    }
    return true;
}

/* Where markets can be halted, their prices say so. */
static void tell_halts(struct connector *c)
{
    for (int i = 0; c->api->has_hours != NULL && c->market != NULL && i < c->symbol_count; i++) {
        bool halted = live_market_halted(c->market, c->symbols[i]);
        if (halted != c->halted[i]) {
            struct gateway_call what = {.kind = GATEWAY_HALT, .halted = halted};
            what.question.symbol = c->symbols[i];
            c->halted[i] = halted;
            call(c, &what);
        }
    }
}

static bool connector_poll(struct venue *venue, struct venue_report *ret)
{
    struct connector *c = of(venue);
    if (!c->is_open) {
        return false;
    }
    tell_halts(c);
    return poll_report(c, ret);
}

static int connector_fd(const struct venue *venue)
{
    (void)venue;
    return -1; /* the feed wakes the engine */
}

static int64_t connector_due_us(const struct venue *venue)
{
    const struct connector *c = (const struct connector *)venue;
    bool held = c->has_held && c->has_outside && (c->is_allowed || !c->told_not_allowed);
    return ring_len(c->reports) > 0 || held || c->page != NULL ? 0 : INT64_MAX;
}

static const struct venue_capabilities *connector_capabilities(const struct venue *venue)
{
    return &((const struct connector *)venue)->can;
}

/* ---------------------------------------------------------------- for the driver */

/* Books that began with another venue hold positions that this one does not have. */
static int claim_books(struct connector *c, struct err *err)
{
    char name[24];
    int64_t orders = 0, open = 0, filled = 0;
    int rc = venue_table_get(c->store, NAME, name, sizeof(name), err);
    if (rc < 0 || strcmp(name, c->api->name) == 0) {
        return rc;
    }
    if (name[0] != '\0') {
        return err_set(err, ERR_VENUE_BOOKS, "it is %s, not %s", name, c->api->name);
    }
    rc = order_table_count(c->store, &orders, &open, &filled, err);
    if (rc >= 0 && orders > 0) {
        return err_set(err, ERR_VENUE_BOOKS, "it has %lld orders of the paper venue",
                       (long long)orders);
    }
    return rc < 0 ? rc : venue_table_set(c->store, NAME, c->api->name, err);
}

static int load_tag(struct connector *c, struct err *err)
{
    int rc = venue_table_get(c->store, TAG, c->options.tag, sizeof(c->options.tag), err);
    if (rc < 0 || c->options.tag[0] != '\0') {
        return rc;
    }
    secret_nonce(c->options.tag, sizeof(c->options.tag) - 1);
    return venue_table_set(c->store, TAG, c->options.tag, err);
}

static int load_outside(struct connector *c, struct err *err)
{
    char text[24];
    struct dec paid_in = DEC_ZERO;
    int rc = venue_table_get(c->store, PAID_IN, text, sizeof(text), err);
    if (rc >= 0 && text[0] != '\0') {
        c->has_outside = str_to_i64(str_c(text), &paid_in.e8);
        c->outside = dec_sub(paid_in, c->cash);
        if (!c->has_outside) {
            return err_set(err, ERR_STORE_DAMAGED, "venue_state " PAID_IN);
        }
    }
    return rc;
}

/* Where the machine has no id of its own (some containers), "yes": then copies are not told apart.
 */
#define ANY_MACHINE  "yes"
#define MACHINE_ID   "/etc/machine-id"
#define MACHINE_SIZE 17

/* Not the id itself, which others must not learn. */
static void name_machine(char ret[MACHINE_SIZE])
{
    AUTO_BUF struct buf id = BUF_INIT(256);
    char hex[SECRET_HASH_HEX_SIZE];
    str_cut(STR_LIT(ANY_MACHINE), ret, MACHINE_SIZE);
    if (file_read(MACHINE_ID, &id, NULL) >= 0 && str_trim(buf_str(&id)).len > 0) {
        struct secret_key key;
        secret_derive(&(struct secret_key){0}, "nightdesk machine", &key);
        secret_hash(&key, str_trim(buf_str(&id)), hex);
        str_cut(str_c(hex), ret, MACHINE_SIZE);
    }
}

/* A copy of the state folder on another machine must not trade beside this one: there a person says
 * it again. */
static int load_allowed(struct connector *c, struct err *err)
{
    char text[MACHINE_SIZE], ours[MACHINE_SIZE];
    int rc = venue_table_get(c->store, ALLOWED, text, sizeof(text), err);
    if (rc < 0 || text[0] == '\0' || c->is_allowed) {
        return rc;
    }
    name_machine(ours);
    c->is_allowed = strcmp(text, ours) == 0 || strcmp(text, ANY_MACHINE) == 0;
    if (!c->is_allowed) {
        LOG(WARNING, "orders with real money were allowed on another machine: if nightdesk still "
                     "runs there, end it before /golive");
    }
    return c->is_allowed ? venue_table_set(c->store, ALLOWED, ours, err) : 0;
}

static int connector_allow(struct venue *venue, struct err *err)
{
    struct connector *c = of(venue);
    if (c->is_allowed) {
        return err_set(err, ERR_VENUE_ALLOWED, "%s", c->api->name);
    }
    char ours[MACHINE_SIZE];
    name_machine(ours);
    int rc = c->store == NULL ? 0 : venue_table_set(c->store, ALLOWED, ours, err);
    c->is_allowed = rc >= 0;
    return rc;
}

static int connector_set_capital(struct venue *venue, struct dec capital, struct dec surplus,
                                 struct err *err)
{
    struct connector *c = of(venue);
    struct dec more = dec_sub(capital, c->cash);
    struct dec outside = dec_sub(dec_add(c->outside, surplus), more);
    if (!c->has_outside) {
        return err_set(err, ERR_VENUE_CAPITAL, "%s", c->api->name);
    }
    if (!dec_is_valid(outside) || outside.e8 < 0) {
        char has[DEC_TEXT_SIZE], needs[DEC_TEXT_SIZE];
        return err_set(err, ERR_VENUE_FUNDS, "%s: %s beyond the books, %s wanted", c->api->name,
                       dec_text(dec_add(c->outside, surplus), has), dec_text(more, needs));
    }
    int rc = store_paid_in(c, dec_add(outside, capital), err);
    if (rc >= 0) {
        c->cash = capital;
        c->outside = outside;
    }
    return rc;
}

static int connector_open(struct venue *venue, struct trading_store *store, struct err *err)
{
    struct connector *c = of(venue);
    struct venue_report dropped;
    while (ring_pop(c->reports, &dropped)) {}
    c->store = store;
    c->has_outside = false;
    c->has_held = false;
    free(TAKE(c->page));
    int rc = c->payments != NULL ? payment_memory_open(c->payments, store, err) : 0;
    if (store == NULL) {
        secret_nonce(c->options.tag, sizeof(c->options.tag) - 1);
    } else {
        rc = rc < 0 ? rc : claim_books(c, err);
        rc = rc < 0 ? rc : load_tag(c, err);
        rc = rc < 0 ? rc : load_outside(c, err);
        rc = rc < 0 ? rc : load_allowed(c, err);
        rc = rc < 0 ? rc : load_ban(c, err);
    }
    c->is_open = rc >= 0;
    return rc;
}

static void connector_watch(struct venue *venue, struct symbol symbol, struct dec price)
{
    struct connector *c = of(venue);
    ASSERT(atomic_load(&c->wake) == NULL && c->symbol_count < SYMBOLS_LIMIT);
    c->symbols[c->symbol_count] = symbol;
    c->prices[c->symbol_count++] = price;
}

static int connector_bars(struct venue *venue, const struct source_bar *bars, int count,
                          struct err *err)
{
    (void)err;
    for (int i = 0; i < count; i++) {
        struct gateway_call what = {.kind = GATEWAY_PRICE, .price = bars[i].candle.close};
        what.question.symbol = bars[i].symbol;
        call(of(venue), &what);
    }
    return 0;
}

static void connector_expect(struct venue *venue, struct symbol symbol)
{
    struct gateway_call what = {.kind = GATEWAY_EXPECT};
    what.question.symbol = symbol;
    if (ring_len(of(venue)->calls) < CALLS_KEPT / 2) { /* the rest is for what must arrive */
        call(of(venue), &what);
    }
}

static int connector_flush(struct venue *venue, struct err *err)
{
    (void)venue;
    (void)err;
    return 0;
}

static bool connector_is_behind(const struct venue *venue)
{
    (void)venue;
    return false;
}

static void connector_free(struct venue *venue)
{
    struct connector *c = of(venue);
    ASSERT(c->gateway == NULL); /* the feed has ended */
    ring_free(c->calls);
    ring_free(c->reports);
    secret_free(c->key_id);
    secret_free(c->key_secret);
    payment_memory_free(c->payments);
    free(c->page);
    free(c);
}

static const struct venue_ops connector_ops = {
    .name = "connector",
    .import = NULL,
    .capabilities = connector_capabilities,
    .send = connector_send,
    .cancel = connector_cancel,
    .query = connector_query,
    .list = connector_list,
    .doubt = connector_doubt,
    .amend = connector_amend,
    .quote = connector_quote,
    .poll = connector_poll,
    .fd = connector_fd,
    .due_us = connector_due_us,
    .set_leverage = connector_set_leverage,
    .open = connector_open,
    .watch = connector_watch,
    .bars = connector_bars,
    .expect = connector_expect,
    .flush = connector_flush,
    .is_behind = connector_is_behind,
    .allow = connector_allow,
    .set_capital = connector_set_capital,
    .free = connector_free,
};

static void copy_url(const char *configured, const char *own, char ret[URL_SIZE])
{
    const char *url = configured[0] != '\0' ? configured : own != NULL ? own : "";
    (void)str_copy(str_c(url), ret, URL_SIZE);
    size_t len = strlen(ret);
    if (len > 0 && ret[len - 1] == '/') {
        ret[len - 1] = '\0';
    }
}

struct venue *connector_new(const struct venue_setup *setup)
{
    const struct real_venue_settings *real = &setup->settings->real;
    const struct account_api *api = account_api_find(setup->settings->name);
    if (api == NULL) {
        return NULL;
    }
    ASSERT(setup->feed != NULL);
    struct connector *c = calloc(1, sizeof(*c));
    NEED_MEMORY(c != NULL);
    bool sandbox = real->mode == VENUE_SANDBOX;
    c->venue.ops = &connector_ops;
    c->api = api;
    c->can = api->can;
    c->can.dust = !api->positions || api->takes_coins != NULL;
    c->payments = api->add_funding != NULL ? payment_memory_new() : NULL;
    c->feed = setup->feed;
    c->market = setup->market;
    c->cash = setup->cash;
    c->is_allowed = real->mode != VENUE_LIVE;
    c->calls = ring_new(CALLS_KEPT, sizeof(struct gateway_call));
    c->reports = ring_new(REPORTS_KEPT, sizeof(struct venue_report));
    copy_url(real->url, sandbox ? api->sandbox_url : api->url, c->url);
    copy_url(real->stream_url, sandbox ? api->sandbox_stream_url : api->stream_url, c->stream_url);
    (void)str_copy(str_c(real->ca_file), c->ca_file, sizeof(c->ca_file));
    c->key_id = secret_new(str_c(real->key_id));
    c->key_secret = secret_new(str_c(real->key_secret));
    memcpy(c->reserved, real->reserved, sizeof(c->reserved));
    c->options = (struct gateway_options){
        .api = api,
        .exchange = exchange_find(api->name),
        .url = c->url,
        .stream_url = c->stream_url,
        .ca_file = c->ca_file[0] != '\0' ? c->ca_file : NULL,
        .key_id = c->key_id,
        .key_secret = c->key_secret,
        .sandbox = sandbox,
        .dry_run = real->mode == VENUE_DRY_RUN,
        .policy = {.accept_withdrawal = real->accept_withdrawal,
                   .accept_unknown_withdrawal = real->accept_unknown_withdrawal},
        .leverage = setup->leverage,
        .extended_hours = real->extended_hours,
        .reserved = c->reserved,
        .reserved_count = real->reserved_count,
        .report = on_report,
        .userdata = c};
    feed_add(setup->feed,
             &(struct feed_member){.name = "venue", .start = start, .stop = stop, .userdata = c});
    return &c->venue;
}

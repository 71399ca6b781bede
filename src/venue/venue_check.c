#include "venue/venue_check.h"

#include "base/check.h"
#include "calls.h"
#include "io/loop.h"
#include "venue/venue.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_US  (15 * USEC_PER_SEC)
#define WHOLE_US (60 * USEC_PER_SEC)
#define URL_SIZE 512
/* Each needs a request. */
#define SYMBOLS_ASKED 20
#define WINDOW_US     USEC_PER_SEC /* a clock that differs by more is worth a note */

struct checker {
    const struct venue_check *o;
    const struct account_api *api;
    struct loop *loop;
    struct calls *calls;
    bool bad;
    bool reached; /* it has answered something */
    bool hours;   /* a symbol has them */
    int next;     /* symbol */
    bool has_quote;
    struct dec quote; /* of the account, in total */
    int open;         /* orders on the pages so far */
    /* Of the list that is read. */
    int pages;
    char cursor[ACCOUNT_CURSOR_SIZE]; /* of the next page */
};

#define PAGES_MAX 20

__attribute__((format(printf, 4, 5))) static void
row(struct checker *c, enum venue_check_result result, const char *what, const char *format, ...)
{
    struct venue_check_row r = {.result = result};
    (void)str_copy(str_c(what), r.what, sizeof(r.what));
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r.text, sizeof(r.text), format, args);
    va_end(args);
    c->bad = c->bad || result == VENUE_CHECK_BAD;
    c->o->on_row(&r, c->o->userdata);
}

static void row_of_error(struct checker *c, const char *what, const struct err *err)
{
    row(c, VENUE_CHECK_BAD, what, "%s: %.150s", err_info(err->id)->message, err->context);
}

static int64_t deadline(const struct checker *c)
{
    return clock_mono_us(loop_clock(c->loop)) + STEP_US;
}

/* False: the list ends there, or is long enough. */
static bool turn_page(struct checker *c, const char *next)
{
    bool more = next[0] != '\0' && ++c->pages < PAGES_MAX;
    c->pages = more ? c->pages : 0;
    (void)str_copy(str_c(more ? next : ""), c->cursor, sizeof(c->cursor));
    return more;
}

/* ---------------------------------------------------------------- open orders: the last one */

static void ask_open(struct checker *c);

static void on_open(const struct calls_answer *answer, void *userdata)
{
    struct checker *c = userdata;
    struct err err = {0};
    const struct account_page page = {.order_id = "", .cursor = c->cursor};
    char next[ACCOUNT_CURSOR_SIZE] = "";
    struct account_order *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? c->api->read_open(&page, answer->root, rows, &count, next, &err)
                 : -answer->err->id;
    free(rows);
    c->open += rc >= 0 ? count : 0;
    if (rc >= 0 && turn_page(c, next)) {
        ask_open(c);
        return;
    }
    if (rc < 0) {
        row_of_error(c, "open orders", answer->err != NULL ? answer->err : &err);
    } else {
        row(c, c->open > 0 ? VENUE_CHECK_NOTE : VENUE_CHECK_FINE, "open orders", "%d%s", c->open,
            next[0] != '\0' ? " or more" : "");
    }
    struct venue_limit limit;
    calls_limit(c->calls, &limit);
    row(c, VENUE_CHECK_FINE, "limits", "%lld of %lld used after these questions",
        (long long)limit.used, (long long)limit.most);
    loop_exit(c->loop, 0);
}

static void ask_open(struct checker *c)
{
    const struct account_page page = {.order_id = "", .cursor = c->cursor};
    c->api->add_open(&page, calls_begin(c->calls));
    calls_send(c->calls, ACCOUNT_OPEN, deadline(c), on_open, c);
}

/* ---------------------------------------------------------------- the account */

static void show_own_coin(struct checker *c, const struct account_coin *coin)
{
    const struct real_venue_settings *real = &c->o->settings->real;
    struct dec reserved = reserved_amount(real->reserved, real->reserved_count, coin->currency);
    struct dec free = dec_sub(coin->total, reserved);
    char text[DEC_TEXT_SIZE];
    if (free.e8 > 0) {
        row(c, VENUE_CHECK_NOTE, coin->currency,
            "%s is held already: nothing is opened in it, and /emergency_stop sells it; "
            "venue.reserved keeps it",
            dec_text(free, text));
    } else {
        row(c, free.e8 == 0 ? VENUE_CHECK_FINE : VENUE_CHECK_NOTE, coin->currency,
            free.e8 == 0 ? "%s is held, and reserved: it is never sold"
                         : "%s less is held than venue.reserved keeps",
            dec_text(free.e8 == 0 ? coin->total : dec_neg(free), text));
    }
}

/* Spot: nightdesk takes them for positions of somebody else, which an emergency stop closes. */
static void show_own_coins(struct checker *c, const struct account_coin *coins, int count)
{
    for (int i = 0; i < count && !c->api->positions; i++) {
        for (int k = 0; k < c->o->count; k++) {
            if (coins[i].total.e8 > 0 &&
                str_equal_c(symbol_base(&c->o->symbols[k]), coins[i].currency)) {
                show_own_coin(c, &coins[i]);
                break;
            }
        }
    }
}

static void note_quote(struct checker *c, const struct account_coin *coins, int count)
{
    for (int i = 0; i < count; i++) {
        if (str_equal_c(symbol_quote(&c->o->symbols[0]), coins[i].currency)) {
            c->has_quote = true;
            c->quote = coins[i].total;
        }
    }
}

static void show_quote(struct checker *c)
{
    char name[24], has[DEC_TEXT_SIZE], needs[DEC_TEXT_SIZE];
    str_cut(symbol_quote(&c->o->symbols[0]), name, sizeof(name));
    if (!c->has_quote) {
        row(c, VENUE_CHECK_BAD, name, "the account has none");
        return;
    }
    bool enough = dec_cmp(c->quote, c->o->capital) >= 0;
    row(c, enough ? VENUE_CHECK_FINE : VENUE_CHECK_BAD, name, "%s; the books begin with %s of it",
        dec_text(c->quote, has), dec_text(c->o->capital, needs));
}

static void ask_coins(struct checker *c);

static void on_coins(const struct calls_answer *answer, void *userdata)
{
    struct checker *c = userdata;
    struct err err = {0};
    char next[ACCOUNT_CURSOR_SIZE] = "";
    struct account_coin *coins = calloc(ACCOUNT_ROWS_MAX, sizeof(*coins));
    NEED_MEMORY(coins != NULL);
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? c->api->read_coins(answer->root, coins, &count, next, &err)
                 : -answer->err->id;
    if (rc >= 0) {
        show_own_coins(c, coins, count);
        note_quote(c, coins, count);
    }
    free(coins);
    if (rc < 0) {
        row_of_error(c, "account", answer->err != NULL ? answer->err : &err);
        loop_exit(c->loop, 0);
        return;
    }
    if (turn_page(c, next)) {
        ask_coins(c);
        return;
    }
    show_quote(c);
    ask_open(c);
}

static void ask_coins(struct checker *c)
{
    c->api->add_coins(c->cursor, calls_begin(c->calls));
    calls_send(c->calls, ACCOUNT_COINS, deadline(c), on_coins, c);
}

/* ---------------------------------------------------------------- the key */

static void show_permissions(struct checker *c, const struct account_permissions *p)
{
    const struct real_venue_settings *real = &c->o->settings->real;
    const struct account_policy policy = {.accept_withdrawal = real->accept_withdrawal,
                                          .accept_unknown_withdrawal =
                                              real->accept_unknown_withdrawal};
    struct err err = {0};
    if (account_judge_permissions(p, &policy, c->api->name, &err) < 0) {
        row_of_error(c, "key", &err);
        return;
    }
    row(c, p->withdraws || p->withdraws_unknown ? VENUE_CHECK_NOTE : VENUE_CHECK_FINE, "key",
        "reads, trades%s",
        p->withdraws           ? ", and withdraws, as accepted"
        : p->withdraws_unknown ? "; whether it withdraws is not known, as accepted"
                               : "; cannot withdraw");
    row(c, p->bound ? VENUE_CHECK_FINE : VENUE_CHECK_NOTE, "address",
        p->bound ? "the key works from its addresses only" : "the key works from any address");
}

static void on_check(const struct calls_answer *answer, void *userdata)
{
    struct checker *c = userdata;
    struct account_permissions p = {0};
    struct err err = {0};
    int rc = answer->verdict == ACCOUNT_FINE ? c->api->read_check(answer->root, &p, &err)
                                             : -answer->err->id;
    if (rc < 0) {
        row_of_error(c, "key", answer->err != NULL ? answer->err : &err);
        loop_exit(c->loop, 0);
        return;
    }
    show_permissions(c, &p);
    ask_coins(c);
}

static void ask_check(struct checker *c)
{
    if (c->api->add_check == NULL) {
        const struct account_permissions p = {
            .reads = true, .trades = true, .withdraws_unknown = true};
        show_permissions(c, &p);
        ask_coins(c);
        return;
    }
    c->api->add_check(c->o->settings->real.mode == VENUE_SANDBOX, calls_begin(c->calls));
    calls_send(c->calls, ACCOUNT_CHECK, deadline(c), on_check, c);
}

/* ---------------------------------------------------------------- clock and symbols */

static void show_clock(struct checker *c)
{
    int64_t off_us = calls_clock_offset_us(c->calls);
    bool needed = c->api->window_us > 0 || c->api->nonce;
    if (!calls_has_clock(c->calls) && !needed) {
        row(c, VENUE_CHECK_FINE, "clock", "requests carry no time");
        return;
    }
    if (!calls_has_clock(c->calls)) {
        row(c, VENUE_CHECK_BAD, "clock", "the venue does not tell its time");
        return;
    }
    row(c, llabs(off_us) > WINDOW_US ? VENUE_CHECK_NOTE : VENUE_CHECK_FINE, "clock",
        "ours is %.3f s %s; requests use the venue's", (double)llabs(off_us) / (double)USEC_PER_SEC,
        off_us >= 0 ? "behind" : "ahead");
}

static void show_symbol(struct checker *c, const struct json_object *root,
                        const struct symbol *symbol)
{
    struct exchange_market market = {0};
    struct instrument rules = {0};
    struct err err = {0};
    if (c->api->read_rules(root, symbol, &market, &rules, &err) < 0) {
        row_of_error(c, symbol->name, &err);
        return;
    }
    c->hours = c->hours || (c->api->has_hours != NULL && c->api->has_hours(&market));
    char tick[DEC_TEXT_SIZE], step[DEC_TEXT_SIZE], least[DEC_TEXT_SIZE], value[DEC_TEXT_SIZE];
    row(c, rules.status == INSTRUMENT_TRADING ? VENUE_CHECK_FINE : VENUE_CHECK_NOTE, symbol->name,
        "%s, %s: tick %s, step %s, at least %s and %s %.*s", market.name,
        instrument_status_name(rules.status), dec_text(rules.tick, tick),
        dec_text(rules.step, step), dec_text(rules.min_qty, least),
        dec_text(rules.min_notional, value), STR_ARG(symbol_quote(symbol)));
}

static void on_calendar(const struct calls_answer *answer, void *userdata)
{
    struct checker *c = userdata;
    struct account_day days[ACCOUNT_DAYS_MAX];
    struct err err = {0};
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? c->api->read_calendar(answer->root, days, &count, &err)
                 : -answer->err->id;
    if (rc < 0) {
        row_of_error(c, "calendar", answer->err != NULL ? answer->err : &err);
    }
    for (int i = 0; i < count; i++) {
        if (days[i].closes_early) {
            row(c, VENUE_CHECK_NOTE, days[i].date, "closes early, at %s there", days[i].close);
        }
    }
    ask_check(c);
}

static void on_hours(const struct calls_answer *answer, void *userdata)
{
    struct checker *c = userdata;
    struct account_hours hours;
    struct err err = {0};
    int rc = answer->verdict == ACCOUNT_FINE ? c->api->read_hours(answer->root, &hours, &err)
                                             : -answer->err->id;
    if (rc < 0) {
        row_of_error(c, "hours", answer->err != NULL ? answer->err : &err);
    } else {
        AUTO_BUF struct buf until = BUF_INIT(64);
        clock_add_iso(&until, hours.changes_us, false);
        row(c, VENUE_CHECK_FINE, "hours", "stocks are %s until %s",
            hours.open ? "traded" : "not traded", until.data);
    }
    c->api->add_calendar(calls_wall_us(c->calls), calls_begin(c->calls));
    calls_send(c->calls, ACCOUNT_HOURS, deadline(c), on_calendar, c);
}

static void ask_rules(struct checker *c);

static void on_rules(const struct calls_answer *answer, void *userdata)
{
    struct checker *c = userdata;
    const struct symbol *symbol = &c->o->symbols[c->next];
    if (c->next == 0) {
        show_clock(c);
    }
    c->reached = c->reached || answer->verdict == ACCOUNT_FINE ||
                 answer->verdict == ACCOUNT_REFUSED || answer->verdict == ACCOUNT_KEY;
    if (answer->verdict == ACCOUNT_FINE) {
        show_symbol(c, answer->root, symbol);
    } else {
        row_of_error(c, symbol->name, answer->err);
    }
    c->next++;
    ask_rules(c);
}

/* One after another: an answer about several says nothing if one of them is unknown. */
static void ask_rules(struct checker *c)
{
    if (c->next < c->o->count && c->next < SYMBOLS_ASKED) {
        c->api->add_rules(&c->o->symbols[c->next], 1, calls_begin(c->calls));
        calls_send(c->calls, ACCOUNT_RULES, deadline(c), on_rules, c);
        return;
    }
    if (c->next < c->o->count) {
        row(c, VENUE_CHECK_NOTE, "symbols", "%d more were not asked for", c->o->count - c->next);
    }
    if (!c->reached) {
        loop_exit(c->loop, 0);
        return;
    }
    if (c->hours) {
        c->api->add_hours(calls_begin(c->calls));
        calls_send(c->calls, ACCOUNT_HOURS, deadline(c), on_hours, c);
        return;
    }
    ask_check(c);
}

static void on_late(void *userdata)
{
    struct checker *c = userdata;
    row(c, VENUE_CHECK_BAD, "venue", "it has not answered within %d s",
        (int)(WHOLE_US / USEC_PER_SEC));
    loop_exit(c->loop, 0);
}

int venue_check_run(const struct venue_check *check, struct err *err)
{
    const struct real_venue_settings *real = &check->settings->real;
    struct checker c = {.o = check, .api = account_api_find(check->settings->name)};
    if (c.api == NULL || check->count < 1) {
        return err_set(err, ERR_VENUE_MODE, "%s is no venue with an account",
                       check->settings->name);
    }
    const char *own = real->mode == VENUE_SANDBOX ? c.api->sandbox_url : c.api->url;
    char url[URL_SIZE];
    str_cut(str_c(real->url[0] != '\0' ? real->url : own), url, sizeof(url));
    AUTO_SECRET struct secret *id = secret_new(str_c(real->key_id));
    AUTO_SECRET struct secret *secret = secret_new(str_c(real->key_secret));
    c.loop = loop_new(err);
    struct http *http = c.loop != NULL ? http_new(c.loop, err) : NULL;
    if (http == NULL) {
        loop_free(c.loop);
        return -err->id;
    }
    c.calls = calls_new(
        &(struct calls_options){.loop = c.loop,
                                .http = http,
                                .api = c.api,
                                .exchange = exchange_find(c.api->name),
                                .url = url,
                                .ca_file = real->ca_file[0] != '\0' ? real->ca_file : NULL,
                                .key_id = id,
                                .key_secret = secret});
    struct loop_source *late = loop_add_timer(c.loop, on_late, &c);
    loop_timer_in(late, WHOLE_US);
    ask_rules(&c);
    (void)loop_run(c.loop);
    calls_free(c.calls);
    loop_source_free(late);
    http_free(http);
    loop_free(c.loop);
    return c.bad ? 1 : 0;
}

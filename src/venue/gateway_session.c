#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "gateway_private.h"
#include "gateway_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Attempts to connect are so far apart: the first, and the longest, with a random part. */
#define RETRY_US       USEC_PER_SEC
#define RETRY_MAX_US   USEC_PER_MIN
#define BRIEF_FAILURES 3
#define RULES_EVERY_US USEC_PER_DAY
/* The rules are read again after an order was refused, and while a symbol does not trade: nothing
 * else tells that it does again. Not more often than this, and with a part of the venue's limit of
 * requests: some want a request for each symbol. */
#define RULES_AGAIN_US USEC_PER_MIN
#define RULES_PART     10

static void go_on(struct gateway *g);

/* ---------------------------------------------------------------- the state that the engine sees
 */

void gateway_set_state(struct gateway *g, enum venue_state state, const char *reason)
{
    struct venue_report r = {.kind = VENUE_CONNECTION, .venue_state = state};
    str_cut(str_c(reason), r.reason, sizeof(r.reason));
    if (g->state == state && strcmp(g->reason, r.reason) == 0) {
        return;
    }
    if (g->state != state) {
        LOG(NOTICE, "%s is %s%s%s", g->options.api->name, venue_state_name(state),
            reason[0] != '\0' ? ": " : "", reason);
    }
    g->state = state;
    memcpy(g->reason, r.reason, sizeof(g->reason));
    gateway_report(g, &r);
}

/* The phase is repeated after a pause. */
static void failed(struct gateway *g, const struct err *why)
{
    char reason[48];
    (void)snprintf(reason, sizeof(reason), "%s", err_info(why->id)->message);
    gateway_note_limit(g); /* a ban, perhaps: the next process must know of it */
    if (g->failures == 0) {
        log_err(why->id == ERR_VENUE_STREAM ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, why,
                "cannot trade at the venue");
    }
    /* A stream that is opened again at once is no news for a person: venues end them every day. */
    bool brief = why->id == ERR_VENUE_STREAM && g->failures < BRIEF_FAILURES;
    gateway_set_state(g,
                      why->id == ERR_VENUE_MAINTENANCE ? VENUE_MAINTENANCE
                      : brief                          ? VENUE_DEGRADED
                                                       : VENUE_DOWN,
                      reason);
    int64_t pause_us = RETRY_US << (g->failures < 6 ? g->failures : 6);
    pause_us = pause_us < RETRY_MAX_US ? pause_us : RETRY_MAX_US;
    g->failures++;
    loop_timer_in(g->retry, pause_us / 2 + (int64_t)(secret_random_u64() % (uint64_t)pause_us) / 2);
}

/* ---------------------------------------------------------------- rules */

/* Spot: what was bought must be large enough to be sold after a fall and without its fee. */
#define SELLABLE(least) dec_mul_div(least, dec_from_int(3), dec_from_int(2))

static void report_rules(struct gateway *g, const struct gateway_market *m)
{
    struct venue_report r = {.kind = VENUE_INSTRUMENT, .instrument = m->rules};
    struct instrument *rules = &r.instrument;
    rules->symbol = m->market.symbol;
    if (gateway_takes_coins(g, m)) {
        rules->min_notional = SELLABLE(rules->min_notional);
        rules->min_qty = SELLABLE(rules->min_qty);
    }
    enum account_session session = gateway_hours_session(g, m, &rules->hours_change_wall_us);
    if (m->halted) {
        rules->status = INSTRUMENT_HALTED;
    }
    switch (session) {
    case ACCOUNT_CLOSED_SESSION:
        rules->status = rules->status == INSTRUMENT_HALTED ? INSTRUMENT_HALTED : INSTRUMENT_CLOSED;
        break;
    case ACCOUNT_EXTENDED_SESSION:
        rules->limits_only = true;
        if (m->market.whole_extended) {
            rules->step = dec_max(rules->step, dec_from_int(1));
            rules->min_qty = dec_max(rules->min_qty, rules->step);
        }
        break;
    case ACCOUNT_REGULAR_SESSION:
        break;
    }
    gateway_report(g, &r);
}

void gateway_session_halt(struct gateway *g, int market, bool halted)
{
    if (market >= 0 && g->markets[market].halted != halted) {
        g->markets[market].halted = halted;
        if (g->markets[market].reported) {
            report_rules(g, &g->markets[market]);
        }
    }
}

/* A symbol that the venue does not have (any more) is halted; the others go on. */
static void keep_rules(struct gateway *g, struct gateway_market *m,
                       const struct exchange_market *market, struct instrument *rules,
                       const struct err *unknown)
{
    if (unknown != NULL) {
        if (!m->reported || m->rules.status != INSTRUMENT_HALTED) {
            log_err(LOG_LEVEL_ERROR, unknown, "a symbol cannot be traded");
        }
        *rules = m->rules;
        rules->status = INSTRUMENT_HALTED;
    } else {
        const struct symbol symbol = m->market.symbol;
        m->known = true;
        m->market = *market;
        m->market.symbol = symbol;
    }
    rules->symbol = m->market.symbol;
    bool moved = memcmp(rules, &m->rules, sizeof(*rules)) != 0;
    m->rules = *rules;
    if (moved || !m->reported) {
        m->reported = true;
        report_rules(g, m);
    }
}

static int rules_count(const struct gateway *g)
{
    int most = g->rules_apart ? 1 : g->options.api->rules_max;
    int left = g->market_count - g->rules_from;
    return most > 0 && most < left ? most : left;
}

static int read_rules(struct gateway *g, const struct json_object *root, struct err *err)
{
    for (int i = g->rules_from; i < g->rules_from + rules_count(g); i++) {
        struct gateway_market *m = &g->markets[i];
        struct instrument rules = {0};
        struct exchange_market market = m->market;
        int rc = g->options.api->read_rules(root, &m->market.symbol, &market, &rules, err);
        if (rc < 0 && err->id != ERR_VENUE_SYMBOL) {
            return rc;
        }
        keep_rules(g, m, &market, &rules, rc < 0 ? err : NULL);
        err_clear(err);
    }
    return 0;
}

/* Their session has begun or ended, or ends at another time. */
void gateway_session_hours(struct gateway *g)
{
    for (int i = 0; i < g->market_count; i++) {
        if (g->markets[i].reported && gateway_has_hours(g, &g->markets[i])) {
            report_rules(g, &g->markets[i]);
        }
    }
}

bool gateway_session_hours_known(struct gateway *g, const struct err *why)
{
    if (g->phase != GATEWAY_RULES) {
        return false;
    }
    if (why != NULL) {
        failed(g, why);
        return true;
    }
    g->phase = GATEWAY_CHECK;
    go_on(g);
    return true;
}

static int64_t rules_pause_us(const struct gateway *g)
{
    int64_t pause_us = g->rules_weight * RULES_PART * USEC_PER_SEC / g->options.api->falls_per_s;
    return pause_us > RULES_AGAIN_US ? pause_us : RULES_AGAIN_US;
}

static void plan_rules(struct gateway *g)
{
    bool all_trade = true;
    for (int i = 0; i < g->market_count; i++) {
        all_trade = all_trade && g->markets[i].rules.status == INSTRUMENT_TRADING;
    }
    loop_timer_in(g->again, all_trade ? RULES_EVERY_US : rules_pause_us(g));
}

static void ask_rules(struct gateway *g);

/* Of an unknown market some venues refuse the whole request. Then each is asked for alone. */
static bool is_unknown(struct gateway *g, const struct calls_answer *answer)
{
    if (answer->verdict != ACCOUNT_REFUSED || answer->err->id != ERR_VENUE_SYMBOL) {
        return false;
    }
    if (rules_count(g) == 1) {
        struct instrument rules = {0};
        keep_rules(g, &g->markets[g->rules_from], NULL, &rules, answer->err);
        return true;
    }
    g->rules_apart = true;
    g->rules_from = -1;
    return true;
}

static void on_rules(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    struct err err = {0};
    int rc = is_unknown(g, answer)             ? 0
             : answer->verdict == ACCOUNT_FINE ? read_rules(g, answer->root, &err)
                                               : -answer->err->id;
    if (rc >= 0) {
        g->rules_from = g->rules_from < 0 ? 0 : g->rules_from + rules_count(g);
        if (g->rules_from < g->market_count) {
            ask_rules(g);
            return;
        }
    }
    g->rules_from = 0;
    g->rules_wanted = false;
    g->rules_mono_us = gateway_now(g);
    plan_rules(g);
    if (g->phase != GATEWAY_RULES) { /* a refresh: the old rules stay in use if it failed */
        if (rc < 0) {
            log_err(LOG_LEVEL_WARNING, answer->err != NULL ? answer->err : &err,
                    "cannot read the rules of the symbols again");
        }
        return;
    }
    if (rc < 0) {
        failed(g, answer->err != NULL ? answer->err : &err);
        return;
    }
    if (g->options.api->has_hours != NULL) {
        gateway_hours_ask(g);
        return;
    }
    g->phase = GATEWAY_CHECK;
    go_on(g);
}

static void ask_rules(struct gateway *g)
{
    int count = rules_count(g);
    struct symbol *symbols = calloc((size_t)count, sizeof(*symbols));
    NEED_MEMORY(symbols != NULL);
    for (int i = 0; i < count; i++) {
        symbols[i] = g->markets[g->rules_from + i].market.symbol;
    }
    struct account_request *request = calls_begin(g->calls);
    g->options.api->add_rules(symbols, count, request);
    free(symbols);
    g->rules_weight = request->weight + (g->rules_from > 0 ? g->rules_weight : 0);
    g->rules_wanted = true;
    calls_send(g->calls, ACCOUNT_RULES, gateway_now(g) + GATEWAY_START_US, on_rules, g);
}

void gateway_refresh_rules(struct gateway *g)
{
    if (!g->rules_wanted && g->phase == GATEWAY_CONNECTED &&
        gateway_now(g) - g->rules_mono_us >= rules_pause_us(g)) {
        ask_rules(g);
    }
}

static void on_again(void *userdata)
{
    struct gateway *g = userdata;
    loop_timer_in(g->again, rules_pause_us(g)); /* unless they are read before */
    gateway_refresh_rules(g);
}

/* ---------------------------------------------------------------- the key */

static void next_phase(struct gateway *g)
{
    g->step = 0;
    g->phase++;
    go_on(g);
}

static void on_check(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    struct account_permissions p = {0};
    struct err err = {0};
    int rc = answer->verdict == ACCOUNT_FINE ? g->options.api->read_check(answer->root, &p, &err)
                                             : -answer->err->id;
    rc =
        rc < 0 ? rc : account_judge_permissions(&p, &g->options.policy, g->options.api->name, &err);
    if (rc < 0) {
        failed(g, answer->err != NULL ? answer->err : &err);
        return;
    }
    next_phase(g);
}

static void ask_check(struct gateway *g)
{
    if (g->options.api->add_check == NULL) {
        const struct account_permissions p = {
            .reads = true, .trades = true, .withdraws_unknown = true};
        struct err err = {0};
        if (account_judge_permissions(&p, &g->options.policy, g->options.api->name, &err) < 0) {
            failed(g, &err);
            return;
        }
        next_phase(g);
        return;
    }
    g->options.api->add_check(g->options.sandbox, calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_CHECK, gateway_now(g) + GATEWAY_START_US, on_check, g);
}

/* ---------------------------------------------------------------- settings */

static void ask_setting(struct gateway *g);

static void forget_odd(struct gateway *g)
{
    for (int i = 0; i < g->market_count; i++) {
        g->markets[i].leverage_odd = 0;
    }
}

static void next_setting(struct gateway *g)
{
    g->step++;
    ask_setting(g);
}

/* Where trading goes on, the leverage stays what the venue has named before: the engine takes the
 * lower of that and the one that is wanted. What is refused for one market may be granted for the
 * others; without an answer the next listing that shows another leverage asks again. */
static void setting_failed(struct gateway *g, enum account_verdict verdict, const struct err *why)
{
    if (g->phase == GATEWAY_SETTINGS) {
        g->setting = false;
        failed(g, why);
        return;
    }
    log_err(LOG_LEVEL_ERROR, why, "the venue keeps another leverage");
    if (verdict == ACCOUNT_FINE || verdict == ACCOUNT_REFUSED) {
        g->setting_refused = true;
        next_setting(g);
    } else {
        g->setting = false;
        forget_odd(g);
    }
}

static void on_setting(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    const struct account_api *api = g->options.api;
    struct err err = {0};
    int named = 0;
    if (answer->verdict != ACCOUNT_FINE) {
        setting_failed(g, answer->verdict, answer->err);
        return;
    }
    if (api->read_leverage != NULL && api->read_leverage(answer->root, &named, &err) < 0) {
        setting_failed(g, answer->verdict, &err);
        return;
    }
    if (named > 0 && (g->leverage_seen == 0 || named < g->leverage_seen)) {
        g->leverage_seen = named;
    }
    next_setting(g);
}

static void begin_settings(struct gateway *g)
{
    g->setting = true;
    g->setting_again = false;
    g->leverage_seen = 0;
    g->setting_refused = false;
    g->step = 0;
    ask_setting(g);
}

static void end_settings(struct gateway *g)
{
    bool lower = g->leverage_seen > 0 && g->leverage_seen < g->leverage;
    g->setting = false;
    if (!g->setting_refused) {
        g->leverage = g->leverage_seen;
        forget_odd(g);
    } else if (lower) {
        g->leverage = g->leverage_seen;
    }
    if (g->setting_again) {
        begin_settings(g);
    } else if (g->phase == GATEWAY_SETTINGS) {
        next_phase(g);
    }
}

/* Venues take whole numbers. */
static int whole(double leverage)
{
    return leverage > 1 ? (int)leverage : 1;
}

void gateway_session_leverage(struct gateway *g, double leverage)
{
    bool moved = whole(leverage) != whole(g->options.leverage);
    g->options.leverage = leverage;
    if (!moved || g->options.api->read_leverage == NULL) {
        return;
    }
    if (g->setting) {
        g->setting_again = true;
    } else if (g->phase > GATEWAY_SETTINGS) {
        begin_settings(g);
    }
}

void gateway_session_leverage_is(struct gateway *g, struct gateway_market *m, double leverage)
{
    bool lower = leverage < g->leverage;
    bool higher = leverage > whole(g->options.leverage);
    bool known = leverage > 0 && g->leverage > 0 && g->phase > GATEWAY_SETTINGS && !g->setting;
    if (!known || !(lower || higher) || leverage == m->leverage_odd) {
        return;
    }
    LOG(WARNING, "%s: the position in %s has a leverage of %.0f, which was not set here",
        g->options.api->name, m->market.name, leverage);
    g->leverage = lower ? leverage : g->leverage;
    m->leverage_odd = leverage;
    begin_settings(g);
}

void gateway_session_leverage_gone(struct gateway *g, const struct account_position *rows,
                                   int count)
{
    bool gone = false;
    for (int k = 0; k < g->market_count && !g->setting; k++) {
        struct gateway_market *m = &g->markets[k];
        int i = 0;
        while (i < count && (rows[i].qty.e8 == 0 || gateway_find_market(g, rows[i].market) != k)) {
            i++;
        }
        if (m->leverage_odd > 0 && i == count) {
            m->leverage_odd = 0;
            gone = true;
        }
    }
    if (gone && g->phase > GATEWAY_SETTINGS) {
        begin_settings(g);
    }
}

/* The n-th step of the account (market NULL) or of a market; false: there is none. Sends it if it
 * is the one that is due, of which *step are before it. */
static bool try_setting(struct gateway *g, const struct exchange_market *market, int n, int *step,
                        bool *sent)
{
    int leverage = whole(g->options.leverage);
    const struct account_api *api = g->options.api;
    struct account_request *request = calls_begin(g->calls);
    bool exists = market != NULL ? api->add_setting(n, market, leverage, request)
                                 : api->add_account_setting(n, request);
    *sent = exists && (*step)-- == 0 && !g->options.dry_run;
    if (*sent) {
        calls_send(g->calls, ACCOUNT_SETTINGS, gateway_now(g) + GATEWAY_START_US, on_setting, g);
    } else {
        calls_drop(g->calls);
    }
    return exists;
}

/* Steps of the account and of all markets, one after another. */
static void ask_setting(struct gateway *g)
{
    const struct account_api *api = g->options.api;
    int step = g->step;
    bool sent = false;
    for (int n = 0; api->add_account_setting != NULL && try_setting(g, NULL, n, &step, &sent);
         n++) {
        if (sent) {
            return;
        }
    }
    for (int i = 0; api->add_setting != NULL && i < g->market_count; i++) {
        const struct gateway_market *m = &g->markets[i];
        for (int n = 0; m->known && try_setting(g, &m->market, n, &step, &sent); n++) {
            if (sent) {
                return;
            }
        }
    }
    end_settings(g);
}

/* ---------------------------------------------------------------- the stream */

/* From the stream: it is open, or it is lost. */
static void on_stream(bool open, const struct err *why, void *userdata)
{
    struct gateway *g = userdata;
    if (!open) {
        g->phase = GATEWAY_STREAM;
        failed(g, why);
        return;
    }
    g->phase = GATEWAY_CONNECTED;
    g->failures = 0;
    g->forced_due = true; /* nobody heard it during the outage */
    gateway_ask_all(g);   /* before READY, by which the engine asks for everything too */
    gateway_set_state(g, VENUE_READY, "");
}

static void on_event(const struct account_event *event, void *userdata)
{
    gateway_take_event(userdata, event);
}

static void open_stream(struct gateway *g)
{
    if (!gateway_stream_exists(g->options.api)) {
        on_stream(true, NULL, g);
        return;
    }
    if (g->stream == NULL) {
        g->stream =
            gateway_stream_new(&(struct gateway_stream_options){.loop = g->options.loop,
                                                                .http = g->options.http,
                                                                .calls = g->calls,
                                                                .api = g->options.api,
                                                                .url = g->options.stream_url,
                                                                .ca_file = g->options.ca_file,
                                                                .key_id = g->options.key_id,
                                                                .key_secret = g->options.key_secret,
                                                                .on_state = on_stream,
                                                                .on_event = on_event,
                                                                .userdata = g});
    }
    gateway_stream_open(g->stream);
}

/* ---------------------------------------------------------------- phases */

static void go_on(struct gateway *g)
{
    switch (g->phase) {
    case GATEWAY_RULES:
        ask_rules(g);
        break;
    case GATEWAY_CHECK:
        ask_check(g);
        break;
    case GATEWAY_SETTINGS:
        begin_settings(g);
        break;
    case GATEWAY_STREAM:
        open_stream(g);
        break;
    case GATEWAY_CONNECTED:
        break;
    }
}

static void on_retry(void *userdata)
{
    go_on(userdata);
}

void gateway_session_start(struct gateway *g)
{
    g->retry = loop_add_timer(g->options.loop, on_retry, g);
    g->again = loop_add_timer(g->options.loop, on_again, g);
    loop_source_name(g->retry, "venue connection");
    loop_source_name(g->again, "venue rules");
    gateway_hours_start(g);
    struct venue_report r = {.kind = VENUE_CONNECTION, .venue_state = VENUE_CONNECTING};
    gateway_report(g, &r);
    gateway_guard_start(g);
    go_on(g);
}

void gateway_session_free(struct gateway *g)
{
    gateway_stream_free(g->stream);
    loop_source_free(g->retry);
    loop_source_free(g->again);
    loop_source_free(g->guard);
    gateway_hours_free(g);
}

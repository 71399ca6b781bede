#include "collect.h"

#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "ground.h"
#include "store/alert_table.h"
#include "store/audit_chain.h"
#include "store/decision_table.h"
#include "store/fill_table.h"
#include "store/funding_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/sample_table.h"
#include "store/state_table.h"
#include "store/trade_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define RECENT_TRADES  20
#define OPEN_ORDERS    64
#define STUCK_SHOWN    10
#define SAMPLES_READ   512
#define ALERTS_SHOWN   15
#define STABLE_TRIES   3
#define USEC_PER_MIN_F 6e7
/* An order without an answer for ten minutes of market time is stuck. In an accelerated market the
 * venue still gets two minutes of real time. */
#define STUCK_MARKET_US (10 * USEC_PER_MIN)
#define STUCK_WALL_US   (2 * USEC_PER_MIN)

struct collect {
    const struct collect_input *in;
    const struct auditor_options *from;
    struct json_object *report;
    struct json_object *gaps;
    struct json_object *untrusted;
    const struct snapshot *snapshot; /* NULL: none */
    struct engine_state state;       /* the state row of trading.db */
    bool has_state;
    int64_t wall_us;
    int64_t market_us; /* 0: unknown */
    int64_t since_us;  /* market time */
};

/* ------------------------------------------------------------------ JSON helpers */

static void add(struct json_object *object, const char *key, struct json_object *value)
{
    json_object_object_add(object, key, value);
}

static struct json_object *add_object(struct json_object *object, const char *key)
{
    struct json_object *child = json_object_new_object();
    add(object, key, child);
    return child;
}

static void add_int(struct json_object *object, const char *key, int64_t value)
{
    add(object, key, json_object_new_int64(value));
}

static void add_text(struct json_object *object, const char *key, const char *value)
{
    add(object, key, json_object_new_string(str_is_utf8(str_c(value)) ? value : "(not text)"));
}

/* Writes value with the given number of decimals; omits it if it is not finite. */
static void add_number(struct json_object *object, const char *key, double value, int decimals)
{
    char text[64];
    if (isfinite(value) && fabs(value) < 1e15) {
        value = fabs(value) < 0.5 * pow(10, -decimals) ? 0 : value; /* never "-0.0" */
        (void)snprintf(text, sizeof(text), "%.*f", decimals, value);
        add(object, key, json_object_new_double_s(value, text));
    }
}

/* Four decimals; all decimals for a smaller amount. */
static void add_average(struct json_object *object, const char *key, struct dec sum, int64_t count)
{
    double value = dec_to_double(sum) / (double)count;
    add_number(object, key, value, fabs(value) < 0.001 ? 8 : 4);
}

static void add_dec(struct json_object *object, const char *key, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    if (dec_is_valid(value)) {
        add(object, key, json_object_new_double_s(dec_to_double(value), dec_text(value, text)));
    }
}

static void add_time(struct json_object *object, const char *key, int64_t wall_us)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, wall_us, false);
    add_text(object, key, text.data);
}

static void add_minutes(struct json_object *object, const char *key, int64_t us)
{
    add_number(object, key, (double)us / USEC_PER_MIN_F, 1);
}

static void add_seconds(struct json_object *object, const char *key, int64_t us)
{
    add_number(object, key, (double)us / 1e6, 1);
}

static void add_bool(struct json_object *object, const char *key, bool value)
{
    add(object, key, json_object_new_boolean(value));
}

/* If rc is an error, records it as the reason why a part is missing, and returns true. */
static bool gap(struct collect *c, const char *what, int rc)
{
    if (rc >= 0) {
        return false;
    }
    add_text(c->gaps, what, err_info(rc)->code);
    return true;
}

static void add_group(struct json_object *object, const struct trade_group *group)
{
    struct json_object *row = add_object(object, group->name);
    add_int(row, "count", group->count);
    add_dec(row, "pnl", group->pnl);
    add(row, "win_rate", ground_rate(group->wins, group->count));
}

/* ------------------------------------------------------------------ trade patterns */

static void add_recent(struct collect *c, struct json_object *trades)
{
    struct trade *rows = calloc(RECENT_TRADES, sizeof(*rows));
    ASSERT(rows != NULL);
    int count = trade_table_list(c->from->trading, &(struct trade_query){.since_us = c->since_us},
                                 rows, RECENT_TRADES, NULL);
    struct json_object *recent = json_object_new_array();
    for (int i = 0; !gap(c, "recent", count) && i < count; i++) {
        struct json_object *row = json_object_new_object();
        add_int(row, "id", rows[i].id);
        add_text(row, "symbol", rows[i].symbol.name);
        add_text(row, "side", side_name(rows[i].side));
        add_dec(row, "pnl", rows[i].pnl);
        add_dec(row, "fees", rows[i].fees);
        add_text(row, "exit_reason", rows[i].exit_reason);
        add_minutes(row, "held_min", rows[i].closed_us - rows[i].opened_us);
        add_time(row, "closed_at", rows[i].closed_us);
        json_object_array_add(recent, row);
    }
    add(trades, "recent", recent);
    free(rows);
}

static void add_trades(struct collect *c)
{
    struct trade_stats stats = {0};
    if (gap(c, "trades", trade_table_stats(c->from->trading, c->since_us, &stats, NULL))) {
        return;
    }
    struct json_object *trades = add_object(c->report, "trades");
    struct dec net = dec_add(stats.gross_profit, stats.gross_loss);
    add_int(trades, "count", stats.count);
    add_int(trades, "wins", stats.wins);
    add_int(trades, "losses", stats.losses);
    add(trades, "win_rate", ground_rate(stats.wins, stats.count));
    add_dec(trades, "gross_profit", stats.gross_profit);
    add_dec(trades, "gross_loss", stats.gross_loss);
    add_dec(trades, "net", net);
    add_dec(trades, "fees", stats.fees);
    if (stats.wins > 0) {
        add_average(trades, "average_win", stats.gross_profit, stats.wins);
    }
    if (stats.losses > 0) {
        add_average(trades, "average_loss", stats.gross_loss, stats.losses);
    }
    if (stats.gross_loss.e8 < 0) {
        add_number(trades, "profit_factor",
                   -dec_to_double(stats.gross_profit) / dec_to_double(stats.gross_loss), 3);
    }
    add_minutes(trades, "average_hold_min", stats.average_hold_us);
    add_minutes(trades, "longest_hold_min", stats.longest_hold_us);
    struct json_object *reasons = add_object(trades, "by_exit");
    for (int i = 0; i < stats.reason_count; i++) {
        add_group(reasons, &stats.reasons[i]);
    }
    struct json_object *symbols = add_object(trades, "by_symbol");
    for (int i = 0; i < stats.symbol_count; i++) {
        add_group(symbols, &stats.symbols[i]);
    }
    add_recent(c, trades);
}

static void add_decisions(struct collect *c)
{
    struct decision_counts *counts = calloc(1, sizeof(*counts));
    struct decision *last = calloc(1, sizeof(*last));
    ASSERT(counts != NULL && last != NULL);
    int rc = decision_table_counts(c->from->trading, c->since_us, counts, NULL);
    if (!gap(c, "decisions", rc)) {
        struct json_object *decisions = add_object(c->report, "decisions");
        int64_t wanted = counts->vetoed + counts->orders;
        add_int(decisions, "count", counts->holds + wanted);
        add_int(decisions, "holds", counts->holds);
        add_int(decisions, "vetoed", counts->vetoed);
        add_int(decisions, "orders", counts->orders);
        add_int(decisions, "entries_wanted", wanted);
        add(decisions, "veto_rate", ground_rate(counts->vetoed, wanted));
        struct json_object *codes = add_object(decisions, "vetoes");
        for (int i = 0; i < counts->code_count; i++) {
            add_int(codes, counts->codes[i].code, counts->codes[i].count);
        }
        if (decision_table_last(c->from->trading, (struct symbol){0}, last, NULL) == 0) {
            add_minutes(decisions, "minutes_since_last", c->market_us - last->at_us);
        }
    }
    free(counts);
    free(last);
}

static bool is_unanswered(enum order_state state)
{
    return state == ORDER_PREPARED || state == ORDER_SENT || state == ORDER_UNKNOWN;
}

static void add_orders(struct collect *c)
{
    int64_t all = 0;
    int64_t open = 0;
    int64_t unknown = 0;
    struct order *rows = calloc(OPEN_ORDERS, sizeof(*rows));
    ASSERT(rows != NULL);
    int rc = order_table_count(c->from->trading, &all, &open, &unknown, NULL);
    int count = rc < 0 ? rc : order_table_open(c->from->trading, rows, OPEN_ORDERS, NULL);
    if (!gap(c, "orders", count)) {
        int64_t speed = c->snapshot != NULL ? c->snapshot->market_speed : 1;
        int64_t limit_us = STUCK_WALL_US * (speed > 0 ? speed : 1);
        limit_us = limit_us > STUCK_MARKET_US ? limit_us : STUCK_MARKET_US;
        struct json_object *orders = add_object(c->report, "orders");
        struct json_object *shown = json_object_new_array();
        int64_t stuck = 0;
        int64_t oldest_us = 0;
        for (int i = 0; i < count; i++) {
            int64_t age_us = c->market_us - rows[i].created_us;
            if (!is_unanswered(rows[i].state) || age_us < limit_us) {
                continue;
            }
            stuck++;
            oldest_us = age_us > oldest_us ? age_us : oldest_us;
            if (json_len(shown) < STUCK_SHOWN) {
                struct json_object *row = json_object_new_object();
                add_text(row, "client_id", rows[i].client_id);
                add_text(row, "symbol", rows[i].symbol.name);
                add_text(row, "kind", order_kind_name(rows[i].kind));
                add_text(row, "state", order_state_name(rows[i].state));
                add_minutes(row, "age_min", age_us);
                json_object_array_add(shown, row);
            }
        }
        add_int(orders, "all", all);
        add_int(orders, "open", open);
        add_int(orders, "unknown", unknown);
        add_int(orders, "stuck", stuck);
        add_minutes(orders, "stuck_after_min", limit_us);
        add_minutes(orders, "oldest_stuck_min", oldest_us);
        add(orders, "stuck_orders", shown);
    }
    free(rows);
}

/* ------------------------------------------------------------------ account health */

struct counted {
    int64_t trades;
    int64_t fills;
    struct dec pnl; /* of all trades */
    struct dec fill_fees;
    struct dec funding; /* paid */
    struct position positions[SYMBOLS_MAX];
    int position_count;
};

static int count_tables(struct collect *c, struct engine_state *ret_before, struct counted *ret,
                        struct engine_state *ret_after)
{
    struct trading_store *store = c->from->trading;
    struct trade_stats stats = {0};
    int rc = state_table_load(store, ret_before, NULL);
    rc = rc < 0 ? rc : trade_table_stats(store, 0, &stats, NULL);
    rc = rc < 0 ? rc : fill_table_sum(store, &ret->fills, &ret->fill_fees, NULL);
    int64_t payments = 0;
    rc = rc < 0 ? rc : funding_table_sum(store, &payments, &ret->funding, NULL);
    rc = rc < 0 ? rc : position_table_list(store, ret->positions, SYMBOLS_MAX, NULL);
    if (rc < 0) {
        return rc;
    }
    ret->position_count = rc;
    ret->trades = stats.count;
    ret->pnl = dec_add(stats.gross_profit, stats.gross_loss);
    return state_table_load(store, ret_after, NULL);
}

static struct dec books_difference(struct dec initial, struct dec realised, struct dec cash,
                                   const struct position *positions, int count)
{
    struct dec have = cash;
    for (int i = 0; i < count; i++) {
        struct dec cost = dec_mul(positions[i].entry_price, positions[i].qty);
        have = dec_add(have, positions[i].side == SIDE_LONG ? cost : dec_neg(cost));
    }
    return dec_sub(have, dec_add(initial, realised));
}

static void add_counter(struct json_object *counters, const char *name, int64_t table,
                        int64_t state, const uint64_t *snapshot)
{
    struct json_object *row = add_object(counters, name);
    add_int(row, "table", table);
    add_int(row, "state", state);
    add_int(row, "table_minus_state", table - state);
    if (snapshot != NULL) {
        add_int(row, "snapshot", (int64_t)*snapshot);
        add_int(row, "snapshot_minus_state", (int64_t)*snapshot - state);
    }
}

/*
 * The tables, the state row and the snapshot count the same things three times. The engine writes
 * while we read, so the state row is read before and after: the tables are compared with it only if
 * it has not changed.
 */
static void add_counters(struct collect *c)
{
    struct engine_state after = {0};
    struct counted *counted = calloc(1, sizeof(*counted));
    ASSERT(counted != NULL);
    bool stable = false;
    int rc = 0;
    for (int i = 0; i < STABLE_TRIES && rc == 0 && !stable; i++) {
        *counted = (struct counted){0};
        rc = count_tables(c, &c->state, counted, &after);
        stable = rc == 0 && c->state.trades == after.trades && c->state.fills == after.fills &&
                 c->state.realised.e8 == after.realised.e8;
    }
    if (rc < 0 || !stable) {
        if (rc == -ERR_STORE_NOT_FOUND || rc == 0) {
            add_text(c->gaps, "counters", rc < 0 ? "not started yet" : "the engine was too busy");
        } else {
            (void)gap(c, "counters", rc);
        }
        free(counted);
        return;
    }
    c->has_state = true;
    const struct snapshot *s = c->snapshot;
    struct json_object *counters = add_object(c->report, "counters");
    add_counter(counters, "trades", counted->trades, c->state.trades, s ? &s->trades : NULL);
    add_counter(counters, "fills", counted->fills, c->state.fills, s ? &s->fills : NULL);
    struct dec entry_fees = DEC_ZERO;
    for (int i = 0; i < counted->position_count; i++) {
        entry_fees = dec_add(entry_fees, counted->positions[i].fees);
    }
    struct dec expected = dec_sub(dec_sub(counted->pnl, entry_fees), counted->funding);
    struct json_object *profit = add_object(counters, "realised");
    add_dec(profit, "state", c->state.realised);
    add_dec(profit, "trades_less_open_fees_and_funding", expected);
    add_dec(profit, "difference", dec_sub(c->state.realised, expected));
    struct json_object *fees = add_object(counters, "fees");
    add_dec(fees, "state", c->state.fees);
    add_dec(fees, "fills", counted->fill_fees);
    add_dec(fees, "difference", dec_sub(c->state.fees, counted->fill_fees));
    struct json_object *funding = add_object(counters, "funding");
    add_dec(funding, "state", c->state.funding);
    add_dec(funding, "payments", counted->funding);
    add_dec(funding, "difference", dec_sub(c->state.funding, counted->funding));
    struct json_object *books = add_object(c->report, "books");
    add_dec(books, "difference",
            books_difference(c->state.initial_cash, c->state.realised, c->state.cash,
                             counted->positions, counted->position_count));
    free(counted);
}

static void add_position(struct json_object *array, const struct position *p)
{
    struct json_object *row = json_object_new_object();
    add_text(row, "symbol", p->symbol.name);
    add_text(row, "side", side_name(p->side));
    add_dec(row, "qty", p->qty);
    add_dec(row, "entry", p->entry_price);
    add_dec(row, "mark", p->mark_price);
    add_dec(row, "stop", p->stop);
    add_dec(row, "target", p->target);
    add_dec(row, "unrealised", p->unrealised);
    json_object_array_add(array, row);
}

/* state_since_us is stored on disk as wall time; the clock may have been set back since. */
static int64_t in_state(const struct snapshot *s, int64_t wall_us)
{
    return wall_us > s->state_since_us ? wall_us - s->state_since_us : 0;
}

static void add_account(struct collect *c)
{
    struct json_object *account = add_object(c->report, "account");
    const struct snapshot *s = c->snapshot;
    if (s == NULL) {
        add_text(account, "source", "database");
        if (c->has_state) {
            add_text(account, "state", trading_state_name(c->state.state));
            add_dec(account, "initial_cash", c->state.initial_cash);
            add_dec(account, "cash", c->state.cash);
            add_dec(account, "realised", c->state.realised);
            add_dec(account, "fees", c->state.fees);
            add_text(c->untrusted, "state_reason", c->state.state_reason);
        }
        return;
    }
    add_text(account, "source", "snapshot");
    add_text(account, "state", trading_state_name(s->state));
    add_minutes(account, "in_state_min", in_state(s, c->wall_us));
    add_dec(account, "initial_cash", s->initial_cash);
    add_dec(account, "cash", s->cash);
    add_dec(account, "equity", s->equity);
    add_dec(account, "equity_peak", s->equity_peak);
    add_dec(account, "realised", s->realised);
    add_dec(account, "fees", s->fees);
    add_number(account, "drawdown_pct", s->drawdown_pct, 3);
    add_number(account, "max_drawdown_pct", s->max_drawdown_pct, 3);
    add_number(account, "exposure_pct", s->exposure_pct, 3);
    add_number(account, "daily_loss_pct", s->daily_loss_pct, 3);
    add_number(account, "max_daily_loss_pct", s->max_daily_loss_pct, 3);
    add_int(account, "max_positions", s->max_positions);
    add_bool(account, "books_balance", s->books_balance);
    struct json_object *positions = json_object_new_array();
    for (int i = 0; i < s->position_count; i++) {
        add_position(positions, &s->positions[i]);
    }
    add(account, "positions", positions);
    add_text(c->untrusted, "state_reason", s->state_reason);
}

/* ------------------------------------------------------------------ system metrics */

static void add_engine(struct collect *c, struct json_object *system)
{
    const struct snapshot *s = c->snapshot;
    if (s == NULL) {
        return;
    }
    int64_t up_us = s->published_mono_us - s->started_mono_us;
    struct json_object *engine = add_object(system, "engine");
    int64_t silent_us =
        shared_silent_us(c->from->shared, s, c->wall_us, clock_mono_us(c->from->clock));
    add_number(engine, "silent_s", (double)silent_us / 1e6, 3);
    add_int(engine, "market_speed", s->market_speed);
    add_minutes(engine, "uptime_min", up_us);
    /* How long the engine has been trading without a break, in market time; 0: not trading. */
    int64_t speed = s->market_speed > 0 ? s->market_speed : 1;
    int64_t in_state_us = in_state(s, s->published_wall_us);
    int64_t active_us = s->state != TRADING_ACTIVE ? 0 : in_state_us < up_us ? in_state_us : up_us;
    add_minutes(engine, "active_market_min", active_us > 0 ? active_us * speed : 0);
    add_int(engine, "candles", (int64_t)s->candles);
    add_int(engine, "decisions", (int64_t)s->decisions);
    add_int(engine, "steps", (int64_t)s->steps);
    add_number(engine, "step_p99_us", (double)s->step_p99_ns / 1e3, 1);
    add_text(engine, "last_error", s->last_err != 0 ? err_info(s->last_err)->code : "none");
    add_text(engine, "disk", disk_state_name(s->disk.state));
    struct json_object *feed = add_object(system, "feed");
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *market = &s->markets[i];
        struct json_object *row = add_object(feed, market->symbol.name);
        add_minutes(row, "lag_min", s->market_us - market->updated_us);
        add_int(row, "refused", (int64_t)market->refused);
        add_dec(row, "price", market->price);
        add_text(row, "regime", regime_name(market->regime));
    }
}

static void add_clock(struct collect *c, struct json_object *system)
{
    struct json_object *clock = add_object(system, "clock");
    int64_t offset_us = c->wall_us - clock_mono_us(c->from->clock);
    add_seconds(clock, "jumped_s", offset_us - c->in->wall_minus_mono_us);
    if (c->snapshot != NULL && c->snapshot->market_speed == 1) {
        add_seconds(clock, "market_minus_ours_s",
                    c->snapshot->market_us - c->snapshot->published_wall_us);
    }
}

static void add_process(struct collect *c, struct json_object *system)
{
    struct json_object *process = add_object(system, "process");
    add_minutes(process, "uptime_min", clock_mono_us(c->from->clock) - c->in->started_mono_us);
    AUTO_FILE FILE *statm = fopen("/proc/self/statm", "re");
    char line[128] = "";
    if (statm != NULL && fgets(line, sizeof(line), statm) != NULL) {
        struct str rest = str_c(line);
        struct str word = {0};
        int64_t pages = 0;
        if (str_word(&rest, &word) && str_word(&rest, &word) && str_to_i64(word, &pages)) {
            add_number(process, "rss_mib", (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576,
                       1);
        }
    }
    struct statvfs disk = {0};
    if (c->from->state_dir != NULL && statvfs(c->from->state_dir, &disk) == 0 &&
        disk.f_blocks > 0) {
        struct json_object *row = add_object(system, "disk");
        add_number(row, "free_mib", (double)disk.f_bavail * (double)disk.f_frsize / 1048576, 0);
        add_number(row, "free_pct", 100.0 * (double)disk.f_bavail / (double)disk.f_blocks, 1);
    }
}

static int changes_of(struct ops_store *store, const char *name, int64_t since_us,
                      struct service_sample *rows)
{
    int count = sample_table_list(store, name, 0, rows, SAMPLES_READ, NULL);
    int changes = 0;
    for (int i = 1; i < count && rows[i].at_us >= since_us; i++) {
        changes += rows[i].up != rows[i - 1].up ? 1 : 0;
    }
    return changes;
}

static void add_services(struct collect *c, struct json_object *system)
{
    const struct config *config = c->from->config;
    int64_t since_us = c->wall_us - c->in->hours * USEC_PER_HOUR;
    struct json_object *services = add_object(system, "services");
    struct service_sample *rows = calloc(SAMPLES_READ, sizeof(*rows));
    ASSERT(rows != NULL);
    for (int i = 0; i < config->service_count; i++) {
        const char *name = config->services[i].name;
        struct sample_stats stats = {0};
        if (gap(c, "services", sample_table_stats(c->from->store, name, since_us, &stats, NULL))) {
            continue;
        }
        struct json_object *row = add_object(services, name);
        add_int(row, "samples", stats.count);
        add(row, "up_rate", ground_rate(stats.up, stats.count));
        add_int(row, "changes", changes_of(c->from->store, name, since_us, rows));
        add_number(row, "average_ms", (double)stats.average_latency_us / 1e3, 1);
        add_number(row, "max_ms", (double)stats.max_latency_us / 1e3, 1);
    }
    free(rows);
}

/* A model may have written the titles, so they are untrusted. */
static void add_alerts(struct collect *c, struct json_object *system)
{
    int64_t counts[SEVERITY_CRITICAL + 1] = {0};
    struct alert *rows = calloc(ALERTS_SHOWN, sizeof(*rows));
    ASSERT(rows != NULL);
    struct alert_query query = {.statuses = 1u << ALERT_OPEN | 1u << ALERT_ACKNOWLEDGED};
    int rc = alert_table_counts(c->from->store, counts, NULL);
    int count = rc < 0 ? rc : alert_table_list(c->from->store, &query, rows, ALERTS_SHOWN, NULL);
    if (!gap(c, "alerts", count)) {
        struct json_object *alerts = add_object(system, "open_alerts");
        for (int i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++) {
            add_int(alerts, severity_name((enum severity)i), counts[i]);
        }
        struct json_object *titles = json_object_new_array();
        for (int i = 0; i < count; i++) {
            bool good = str_is_utf8(str_c(rows[i].title));
            json_object_array_add(titles,
                                  json_object_new_string(good ? rows[i].title : "(not text)"));
        }
        add(c->untrusted, "open_alert_titles", titles);
    }
    free(rows);
}

static void add_audit_log(struct collect *c, struct json_object *system)
{
    int64_t last_id = 0;
    struct audit_chain_result result = {0};
    int rc = audit_chain_verify_recent(c->from->store, &result, &last_id, NULL);
    if (rc == -ERR_SECRET_KEY) { /* `nightdesk audit` by a user who must not read the key */
        add_text(c->gaps, "audit_log", "its key cannot be read here");
    } else if (!gap(c, "audit_log", rc)) {
        struct json_object *log = add_object(system, "audit_log");
        add_int(log, "rows", last_id);
        add_int(log, "checked", result.rows);
        add_int(log, "bad_row", result.bad_id);
        add_text(log, "why", result.ok ? "intact" : result.why);
    }
}

/* ------------------------------------------------------------------ the report */

static void find_times(struct collect *c)
{
    const struct auditor_options *from = c->from;
    c->wall_us = clock_wall_us(from->clock);
    c->snapshot = from->snapshot != NULL ? from->snapshot(from->snapshot_userdata) : NULL;
    if (c->snapshot != NULL && c->snapshot->version == 0) {
        c->snapshot = NULL;
    }
    struct engine_state state = {0};
    if (c->snapshot != NULL) {
        c->market_us = c->snapshot->market_us;
    } else if (from->trading != NULL && state_table_load(from->trading, &state, NULL) == 0) {
        c->market_us = state.market_us;
    }
    c->since_us = c->market_us - c->in->hours * USEC_PER_HOUR;
}

/* Writes the report as text, redacts it and parses it again: all later steps use exactly these
 * figures, and no later step redacts them. */
static int freeze(struct collect *c, struct json_object **ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(AUDITOR_REPORT_MAX_BYTES);
    json_add_text(&text, c->report);
    if (buf_failed(&text)) {
        return err_set(err, ERR_BUF_FULL, "audit report over %zu bytes", text.max);
    }
    log_redact(text.data);
    return json_parse(str_c(text.data), &JSON_LIMITS_DEFAULT, ret, err);
}

int collect_report(const struct collect_input *in, struct json_object **ret, struct err *err)
{
    AUTO_JSON struct json_object *report = json_object_new_object();
    struct collect c = {.in = in, .from = in->sources, .report = report};
    struct json_object *meta = add_object(report, "meta");
    c.gaps = json_object_new_object();
    c.untrusted = json_object_new_object();
    find_times(&c);
    add_int(meta, "version", 1);
    add_int(meta, "hours", in->hours);
    add_time(meta, "generated_at", c.wall_us);
    add_time(meta, "market_at", c.market_us);
    add_time(meta, "market_since", c.since_us);
    add(meta, "gaps", c.gaps);
    if (in->sources->trading == NULL) {
        add_text(c.gaps, "trading", "no database yet");
    } else {
        add_trades(&c);
        add_decisions(&c);
        add_orders(&c);
        add_counters(&c);
    }
    add_account(&c);
    struct json_object *system = add_object(report, "system");
    add_engine(&c, system);
    add_clock(&c, system);
    add_process(&c, system);
    add_services(&c, system);
    add_alerts(&c, system);
    add_audit_log(&c, system);
    add(report, "untrusted", c.untrusted);
    return freeze(&c, ret, err);
}

void collect_text(struct json_object *report, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(AUDITOR_REPORT_MAX_BYTES);
    json_add_text(&text, report);
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.data[i];
        if (byte == '<' || byte == '>') {
            buf_addf(out, "\\u%04x", (unsigned)byte);
        } else {
            buf_add_char(out, byte);
        }
    }
}

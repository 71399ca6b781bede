#include "collect.h"

#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "ground.h"
#include "model/model_json.h"
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
    struct json_out out;             /* the report */
    struct json_out gaps;            /* /meta/gaps: the parts that are missing, and why */
    struct json_out untrusted;       /* texts that a model or a program outside may have written */
    const struct snapshot *snapshot; /* NULL: none */
    struct engine_state state;       /* the state row of trading.db */
    bool has_state;
    int64_t wall_us;
    int64_t market_us; /* 0: unknown */
    int64_t since_us;  /* market time */
};

/* Four decimals; all decimals for a smaller amount. */
static void add_average(struct json_out *out, const char *key, struct dec sum, int64_t count)
{
    double value = dec_to_double(sum) / (double)count;
    json_out_rounded(out, key, value, fabs(value) < 0.001 ? 8 : 4);
}

static void add_minutes(struct json_out *out, const char *key, int64_t us)
{
    json_out_rounded(out, key, (double)us / USEC_PER_MIN_F, 1);
}

static void add_seconds(struct json_out *out, const char *key, int64_t us)
{
    json_out_rounded(out, key, (double)us / 1e6, 1);
}

/* If rc is an error, records it as the reason why a part is missing, and returns true. */
static bool gap(struct collect *c, const char *what, int rc)
{
    if (rc >= 0) {
        return false;
    }
    json_out_text(&c->gaps, what, err_info(rc)->code);
    return true;
}

static void add_groups(struct json_out *out, const char *key, const struct trade_group *groups,
                       int count)
{
    json_out_object(out, key);
    for (int i = 0; i < count; i++) {
        json_out_object(out, groups[i].name);
        json_out_i64(out, "count", groups[i].count);
        json_out_dec(out, "pnl", groups[i].pnl);
        ground_rate(out, "win_rate", groups[i].wins, groups[i].count);
        json_out_end(out);
    }
    json_out_end(out);
}

/* ------------------------------------------------------------------ trade patterns */

static void add_recent(struct collect *c)
{
    struct json_out *out = &c->out;
    struct trade *rows = calloc(RECENT_TRADES, sizeof(*rows));
    ASSERT(rows != NULL);
    int count = trade_table_list(c->from->trading, &(struct trade_query){.since_us = c->since_us},
                                 rows, RECENT_TRADES, NULL);
    json_out_array(out, "recent");
    for (int i = 0; !gap(c, "recent", count) && i < count; i++) {
        json_out_object(out, NULL);
        model_json_trade(out, &rows[i]);
        add_minutes(out, "held_min", rows[i].closed_us - rows[i].opened_us);
        json_out_end(out);
    }
    json_out_end(out);
    free(rows);
}

static void add_trades(struct collect *c)
{
    struct json_out *out = &c->out;
    struct trade_stats stats = {0};
    if (gap(c, "trades", trade_table_stats(c->from->trading, c->since_us, &stats, NULL))) {
        return;
    }
    json_out_object(out, "trades");
    json_out_i64(out, "count", stats.count);
    json_out_i64(out, "wins", stats.wins);
    json_out_i64(out, "losses", stats.losses);
    ground_rate(out, "win_rate", stats.wins, stats.count);
    json_out_dec(out, "gross_profit", stats.gross_profit);
    json_out_dec(out, "gross_loss", stats.gross_loss);
    json_out_dec(out, "net", dec_add(stats.gross_profit, stats.gross_loss));
    json_out_dec(out, "fees", stats.fees);
    if (stats.wins > 0) {
        add_average(out, "average_win", stats.gross_profit, stats.wins);
    }
    if (stats.losses > 0) {
        add_average(out, "average_loss", stats.gross_loss, stats.losses);
    }
    if (stats.gross_loss.e8 < 0) {
        json_out_rounded(out, "profit_factor",
                         -dec_to_double(stats.gross_profit) / dec_to_double(stats.gross_loss), 3);
    }
    add_minutes(out, "average_hold_min", stats.average_hold_us);
    add_minutes(out, "longest_hold_min", stats.longest_hold_us);
    add_groups(out, "by_exit", stats.reasons, stats.reason_count);
    add_groups(out, "by_symbol", stats.symbols, stats.symbol_count);
    add_recent(c);
    json_out_end(out);
}

static void add_decisions(struct collect *c)
{
    struct decision_counts *counts = calloc(1, sizeof(*counts));
    struct decision *last = calloc(1, sizeof(*last));
    ASSERT(counts != NULL && last != NULL);
    int rc = decision_table_counts(c->from->trading, c->since_us, counts, NULL);
    if (!gap(c, "decisions", rc)) {
        struct json_out *out = &c->out;
        int64_t wanted = counts->vetoed + counts->orders;
        json_out_object(out, "decisions");
        json_out_i64(out, "count", counts->holds + wanted);
        json_out_i64(out, "holds", counts->holds);
        json_out_i64(out, "vetoed", counts->vetoed);
        json_out_i64(out, "orders", counts->orders);
        json_out_i64(out, "entries_wanted", wanted);
        ground_rate(out, "veto_rate", counts->vetoed, wanted);
        json_out_object(out, "vetoes");
        for (int i = 0; i < counts->code_count; i++) {
            json_out_i64(out, counts->codes[i].code, counts->codes[i].count);
        }
        json_out_end(out);
        if (decision_table_last(c->from->trading, (struct symbol){0}, last, NULL) == 0) {
            add_minutes(out, "since_last_min", c->market_us - last->at_us);
        }
        json_out_end(out);
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
        struct json_out *out = &c->out;
        int64_t stuck = 0;
        int64_t oldest_us = 0;
        json_out_object(out, "orders");
        json_out_array(out, "stuck_orders");
        for (int i = 0; i < count; i++) {
            int64_t age_us = c->market_us - rows[i].created_us;
            if (!is_unanswered(rows[i].state) || age_us < limit_us) {
                continue;
            }
            oldest_us = age_us > oldest_us ? age_us : oldest_us;
            if (stuck++ < STUCK_SHOWN) {
                json_out_object(out, NULL);
                model_json_order(out, &rows[i]);
                add_minutes(out, "age_min", age_us);
                json_out_end(out);
            }
        }
        json_out_end(out);
        json_out_i64(out, "all", all);
        json_out_i64(out, "open", open);
        json_out_i64(out, "unknown", unknown);
        json_out_i64(out, "stuck", stuck);
        add_minutes(out, "stuck_after_min", limit_us);
        add_minutes(out, "oldest_stuck_min", oldest_us);
        json_out_end(out);
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
    struct position positions[POSITIONS_LIMIT];
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
    rc = rc < 0 ? rc : position_table_list(store, ret->positions, POSITIONS_LIMIT, NULL);
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

static void add_counter(struct json_out *out, const char *name, int64_t table, int64_t state,
                        const uint64_t *snapshot)
{
    json_out_object(out, name);
    json_out_i64(out, "table", table);
    json_out_i64(out, "state", state);
    json_out_i64(out, "table_minus_state", table - state);
    if (snapshot != NULL) {
        json_out_u64(out, "snapshot", *snapshot);
        json_out_i64(out, "snapshot_minus_state", (int64_t)*snapshot - state);
    }
    json_out_end(out);
}

/* An amount of the state row, the same from the tables, and the difference. */
static void add_compared(struct json_out *out, const char *name, struct dec state,
                         const char *other_name, struct dec other)
{
    json_out_object(out, name);
    json_out_dec(out, "state", state);
    json_out_dec(out, other_name, other);
    json_out_dec(out, "difference", dec_sub(state, other));
    json_out_end(out);
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
            json_out_text(&c->gaps, "counters",
                          rc < 0 ? "not started yet" : "the engine was too busy");
        } else {
            (void)gap(c, "counters", rc);
        }
        free(counted);
        return;
    }
    c->has_state = true;
    const struct snapshot *s = c->snapshot;
    struct json_out *out = &c->out;
    struct dec entry_fees = DEC_ZERO;
    for (int i = 0; i < counted->position_count; i++) {
        entry_fees = dec_add(entry_fees, counted->positions[i].fees);
    }
    struct dec expected = dec_sub(dec_sub(counted->pnl, entry_fees), counted->funding);
    json_out_object(out, "counters");
    add_counter(out, "trades", counted->trades, c->state.trades, s ? &s->trades : NULL);
    add_counter(out, "fills", counted->fills, c->state.fills, s ? &s->fills : NULL);
    add_compared(out, "realised_pnl", c->state.realised, "trades_less_open_fees_and_funding",
                 expected);
    add_compared(out, "fees", c->state.fees, "fills", counted->fill_fees);
    add_compared(out, "funding", c->state.funding, "payments", counted->funding);
    json_out_end(out);
    json_out_object(out, "books");
    json_out_dec(out, "difference",
                 books_difference(c->state.initial_cash, c->state.realised, c->state.cash,
                                  counted->positions, counted->position_count));
    json_out_end(out);
    free(counted);
}

/* state_since_us is stored on disk as wall time; the clock may have been set back since. */
static int64_t in_state(const struct snapshot *s, int64_t wall_us)
{
    return wall_us > s->state_since_us ? wall_us - s->state_since_us : 0;
}

/* Without a snapshot only what the state row holds, under the names of an account. */
static void add_stored_account(struct collect *c)
{
    struct json_out *out = &c->out;
    json_out_text(out, "source", "database");
    if (c->has_state) {
        json_out_text(out, "state", trading_state_name(c->state.state));
        json_out_dec(out, "initial_cash", c->state.initial_cash);
        json_out_dec(out, "cash", c->state.cash);
        json_out_dec(out, "realised_pnl", c->state.realised);
        json_out_dec(out, "fees", c->state.fees);
        json_out_text(&c->untrusted, "state_reason", c->state.state_reason);
    }
}

static void add_account(struct collect *c)
{
    struct json_out *out = &c->out;
    const struct snapshot *s = c->snapshot;
    json_out_object(out, "account");
    if (s == NULL) {
        add_stored_account(c);
    } else {
        json_out_text(out, "source", "snapshot");
        json_out_text(out, "state", trading_state_name(s->state));
        add_minutes(out, "in_state_min", in_state(s, c->wall_us));
        model_json_account(out, s);
        json_out_i64(out, "max_positions", s->max_positions);
        model_json_positions(out, "positions", s);
        json_out_text(&c->untrusted, "state_reason", s->state_reason);
    }
    json_out_end(out);
}

/* ------------------------------------------------------------------ system metrics */

static void add_engine(struct collect *c)
{
    struct json_out *out = &c->out;
    const struct snapshot *s = c->snapshot;
    if (s == NULL) {
        return;
    }
    int64_t up_us = s->published_mono_us - s->started_mono_us;
    int64_t silent_us =
        shared_silent_us(c->from->shared, s, c->wall_us, clock_mono_us(c->from->clock));
    json_out_object(out, "engine");
    json_out_rounded(out, "silent_s", (double)silent_us / 1e6, 3);
    json_out_i64(out, "market_speed", s->market_speed);
    add_minutes(out, "uptime_min", up_us);
    /* How long the engine has been trading without a break, in market time; 0: not trading. */
    int64_t speed = s->market_speed > 0 ? s->market_speed : 1;
    int64_t in_state_us = in_state(s, s->published_wall_us);
    int64_t active_us = s->state != TRADING_ACTIVE ? 0 : in_state_us < up_us ? in_state_us : up_us;
    add_minutes(out, "active_market_min", active_us > 0 ? active_us * speed : 0);
    json_out_u64(out, "candles", s->candles);
    json_out_u64(out, "decisions", s->decisions);
    json_out_u64(out, "steps", s->steps);
    json_out_rounded(out, "step_p99_us", (double)s->step_p99_ns / 1e3, 1);
    json_out_text(out, "last_error_code", s->last_err != 0 ? err_info(s->last_err)->code : "none");
    json_out_text(out, "disk", disk_state_name(s->disk.state));
    json_out_end(out);
    json_out_object(out, "feed");
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *market = &s->markets[i];
        json_out_object(out, market->symbol.name);
        add_minutes(out, "lag_min", s->market_us - market->updated_us);
        json_out_u64(out, "refused_candles", market->refused);
        json_out_dec(out, "price", market->price);
        json_out_text(out, "regime", regime_name(market->regime));
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_clock(struct collect *c)
{
    struct json_out *out = &c->out;
    int64_t offset_us = c->wall_us - clock_mono_us(c->from->clock);
    json_out_object(out, "clock");
    add_seconds(out, "jumped_s", offset_us - c->in->wall_minus_mono_us);
    if (c->snapshot != NULL && c->snapshot->market_speed == 1) {
        add_seconds(out, "market_minus_ours_s",
                    c->snapshot->market_us - c->snapshot->published_wall_us);
    }
    json_out_end(out);
}

static void add_process(struct collect *c)
{
    struct json_out *out = &c->out;
    json_out_object(out, "process");
    add_minutes(out, "uptime_min", clock_mono_us(c->from->clock) - c->in->started_mono_us);
    AUTO_FILE FILE *statm = fopen("/proc/self/statm", "re");
    char line[128] = "";
    if (statm != NULL && fgets(line, sizeof(line), statm) != NULL) {
        struct str rest = str_c(line);
        struct str word = {0};
        int64_t pages = 0;
        if (str_word(&rest, &word) && str_word(&rest, &word) && str_to_i64(word, &pages)) {
            json_out_rounded(out, "rss_mib",
                             (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576, 1);
        }
    }
    json_out_end(out);
    struct statvfs disk = {0};
    if (c->from->state_dir != NULL && statvfs(c->from->state_dir, &disk) == 0 &&
        disk.f_blocks > 0) {
        json_out_object(out, "disk");
        json_out_rounded(out, "free_mib", (double)disk.f_bavail * (double)disk.f_frsize / 1048576,
                         0);
        json_out_rounded(out, "free_pct", 100.0 * (double)disk.f_bavail / (double)disk.f_blocks, 1);
        json_out_end(out);
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

static void add_services(struct collect *c)
{
    struct json_out *out = &c->out;
    const struct config *config = c->from->config;
    int64_t since_us = c->wall_us - c->in->hours * USEC_PER_HOUR;
    struct service_sample *rows = calloc(SAMPLES_READ, sizeof(*rows));
    ASSERT(rows != NULL);
    json_out_object(out, "services");
    for (int i = 0; i < config->service_count; i++) {
        const char *name = config->services[i].name;
        struct sample_stats stats = {0};
        if (gap(c, "services", sample_table_stats(c->from->store, name, since_us, &stats, NULL))) {
            continue;
        }
        json_out_object(out, name);
        json_out_i64(out, "samples", stats.count);
        ground_rate(out, "up_rate", stats.up, stats.count);
        json_out_i64(out, "changes", changes_of(c->from->store, name, since_us, rows));
        json_out_rounded(out, "average_ms", (double)stats.average_latency_us / 1e3, 1);
        json_out_rounded(out, "max_ms", (double)stats.max_latency_us / 1e3, 1);
        json_out_end(out);
    }
    json_out_end(out);
    free(rows);
}

/* A model may have written the titles, so they are untrusted. */
static void add_alerts(struct collect *c)
{
    struct json_out *out = &c->out;
    int64_t counts[SEVERITY_CRITICAL + 1] = {0};
    struct alert *rows = calloc(ALERTS_SHOWN, sizeof(*rows));
    ASSERT(rows != NULL);
    struct alert_query query = {.statuses = 1u << ALERT_OPEN | 1u << ALERT_ACKNOWLEDGED};
    int rc = alert_table_counts(c->from->store, counts, NULL);
    int count = rc < 0 ? rc : alert_table_list(c->from->store, &query, rows, ALERTS_SHOWN, NULL);
    if (!gap(c, "alerts", count)) {
        json_out_object(out, "open_alerts");
        for (int i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++) {
            json_out_i64(out, severity_name((enum severity)i), counts[i]);
        }
        json_out_end(out);
        json_out_array(&c->untrusted, "open_alert_titles");
        for (int i = 0; i < count; i++) {
            json_out_text(&c->untrusted, NULL, rows[i].title);
        }
        json_out_end(&c->untrusted);
    }
    free(rows);
}

static void add_audit_log(struct collect *c)
{
    struct json_out *out = &c->out;
    int64_t last_id = 0;
    struct audit_chain_result result = {0};
    int rc = audit_chain_verify_recent(c->from->store, &result, &last_id, NULL);
    if (rc == -ERR_SECRET_KEY) { /* `nightdesk audit` by a user who must not read the key */
        json_out_text(&c->gaps, "audit_log", "its key cannot be read here");
    } else if (!gap(c, "audit_log", rc)) {
        json_out_object(out, "audit_log");
        json_out_i64(out, "rows", last_id);
        json_out_i64(out, "checked", result.rows);
        json_out_i64(out, "bad_row", result.bad_id);
        json_out_text(out, "why", result.ok ? "intact" : result.why);
        json_out_end(out);
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
static int freeze(struct json_object *report, struct json_object **ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(AUDITOR_REPORT_MAX_BYTES);
    json_add_text(&text, report);
    if (buf_failed(&text)) {
        return err_set(err, ERR_BUF_FULL, "audit report over %zu bytes", text.max);
    }
    log_redact(text.data);
    return json_parse(str_c(text.data), &JSON_LIMITS_DEFAULT, ret, err);
}

int collect_report(const struct collect_input *in, struct json_object **ret, struct err *err)
{
    AUTO_JSON struct json_object *report = json_object_new_object();
    AUTO_JSON struct json_object *gaps = json_object_new_object();
    AUTO_JSON struct json_object *untrusted = json_object_new_object();
    struct collect c = {.in = in,
                        .from = in->sources,
                        .out = JSON_OUT_TREE(report),
                        .gaps = JSON_OUT_TREE(gaps),
                        .untrusted = JSON_OUT_TREE(untrusted)};
    find_times(&c);
    json_out_text(&c.out, "schema", "nightdesk.audit/2");
    json_out_object(&c.out, "meta");
    json_out_i64(&c.out, "hours", in->hours);
    json_out_time(&c.out, "generated_at", c.wall_us);
    json_out_time(&c.out, "market_time", c.market_us);
    json_out_time(&c.out, "market_since", c.since_us);
    json_out_end(&c.out);
    if (in->sources->trading == NULL) {
        json_out_text(&c.gaps, "trading", "no database yet");
    } else {
        add_trades(&c);
        add_decisions(&c);
        add_orders(&c);
        add_counters(&c);
    }
    add_account(&c);
    json_out_object(&c.out, "system");
    add_engine(&c);
    add_clock(&c);
    add_process(&c);
    add_services(&c);
    add_alerts(&c);
    add_audit_log(&c);
    json_out_end(&c.out);
    json_out_value(&c.out, "untrusted", untrusted);
    struct json_out meta = JSON_OUT_TREE(json_get(report, "meta"));
    json_out_value(&meta, "gaps", gaps);
    return freeze(report, ret, err);
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

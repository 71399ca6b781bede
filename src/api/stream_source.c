#include "stream_source.h"

#include "api_store.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log_tap.h"
#include "model/model_json.h"
#include "model/shared.h"
#include "store/alert_table.h"
#include "store/decision_table.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/run_table.h"
#include "store/trade_table.h"

#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_BATCH = 64,
    ROWS_BATCH = 8,     /* decisions are large */
    ORDERS_LOOK = 64,   /* the newest ones, in which a change is looked for */
    ORDERS_KNOWN = 256, /* of which the last state is remembered */
    SHOWN = 20,         /* rows of history in a snapshot */
    ALERTS_SHOWN = 50,
    STEPS_MAX = 64,
    LOGS_BATCH = 16
};

/* An order as it was emitted last, or found at the begin. */
struct known_order {
    char client_id[CLIENT_ID_SIZE];
    enum order_state state;
    struct dec filled_qty;
};

/* What an event about trading says. */
struct known_state {
    enum trading_state state;
    enum risk_state risk;
    enum disk_state disk;
    int64_t since_us;
    char reason[96];
};

struct stream_source {
    struct stream_source_options o;
    struct api_stores stores;
    int64_t failed_mono_us; /* when a failure was logged last */

    bool begun;
    int64_t last_decision;
    int64_t last_fill;
    int64_t last_trade;
    struct known_order orders[ORDERS_KNOWN];
    size_t order_count; /* all that were ever known: the next one is at this modulo ORDERS_KNOWN */
    struct dec equity, cash;
    struct known_state state;
    struct stream_services services;
};

/* ---------------------------------------------------------------- databases */

static void report(struct stream_source *source, const struct err *err)
{
    int64_t now = clock_mono_us(clock_real());
    if (source->failed_mono_us == 0 || now - source->failed_mono_us >= USEC_PER_MIN) {
        source->failed_mono_us = now;
        log_err(LOG_LEVEL_WARNING, err, "the stream could not read a database");
    }
}

/* ---------------------------------------------------------------- emitting */

static struct json_out *begin(const struct stream_source *source)
{
    return source->o.begin(source->o.userdata);
}

static void end(const struct stream_source *source, const struct stream_about *about)
{
    source->o.end(about, source->o.userdata);
}

static void write_orders(struct json_out *out, const struct order *orders, int count)
{
    for (int i = 0; i < count; i++) {
        json_out_object(out, NULL);
        model_json_order(out, &orders[i]);
        json_out_end(out);
    }
}

/* True if it is not as it was emitted last. */
static bool remember_order(struct stream_source *source, const struct order *order)
{
    size_t kept = source->order_count < ORDERS_KNOWN ? source->order_count : ORDERS_KNOWN;
    struct known_order *known = NULL;
    for (size_t i = 0; i < kept && known == NULL; i++) {
        known =
            strcmp(source->orders[i].client_id, order->client_id) == 0 ? &source->orders[i] : NULL;
    }
    if (known != NULL && known->state == order->state &&
        known->filled_qty.e8 == order->filled_qty.e8) {
        return false;
    }
    if (known == NULL) {
        known = &source->orders[source->order_count++ % ORDERS_KNOWN];
    }
    memcpy(known->client_id, order->client_id, sizeof(known->client_id));
    known->state = order->state;
    known->filled_qty = order->filled_qty;
    return true;
}

static void look_at_order(struct stream_source *source, const struct order *order)
{
    if (remember_order(source, order) && source->begun) {
        model_json_order(begin(source), order);
        end(source, &(struct stream_about){.topic = STREAM_ORDERS, .symbol = order->symbol});
    }
}

/* Those that were open when they were last seen: one of them may be older than those in the lists
 * and not open any more. */
static int look_at_known(struct stream_source *source, struct err *err)
{
    size_t kept = source->order_count < ORDERS_KNOWN ? source->order_count : ORDERS_KNOWN;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < kept; i++) {
        struct order order;
        if (!order_state_is_final(source->orders[i].state)) {
            rc = order_table_get(source->stores.trading, source->orders[i].client_id, &order, err);
            if (rc == 0) {
                look_at_order(source, &order);
            }
            rc = rc == -ERR_STORE_NOT_FOUND ? 0 : rc;
        }
    }
    return rc;
}

static int look_at_orders(struct stream_source *source, struct err *err)
{
    AUTO_FREE struct order *orders = calloc(ORDERS_LOOK, sizeof(*orders));
    ASSERT(orders != NULL);
    int n = source->begun ? 0 : order_table_open(source->stores.trading, orders, ORDERS_LOOK, err);
    for (int i = 0; i < n; i++) {
        look_at_order(source, &orders[i]);
    }
    int rc = n < 0 ? n : look_at_known(source, err);
    n = rc < 0 ? rc
               : order_table_list(source->stores.trading, &(struct order_query){0}, orders,
                                  ORDERS_LOOK, err);
    for (int i = n - 1; i >= 0; i--) { /* the oldest first */
        look_at_order(source, &orders[i]);
    }
    return n < 0 ? n : 0;
}

static int look_at_fills(struct stream_source *source, struct err *err)
{
    struct fill fills[ROWS_BATCH];
    int n;
    do {
        n = fill_table_after(source->stores.trading, source->last_fill, fills, ROWS_BATCH,
                             &source->last_fill, err);
        for (int i = 0; i < n; i++) {
            model_json_fill(begin(source), &fills[i]);
            end(source, &(struct stream_about){.topic = STREAM_FILLS, .symbol = fills[i].symbol});
        }
    } while (n == ROWS_BATCH);
    return n < 0 ? n : 0;
}

static int look_at_trades(struct stream_source *source, struct err *err)
{
    struct trade trades[ROWS_BATCH];
    int n;
    do {
        n = trade_table_after(source->stores.trading, source->last_trade, trades, ROWS_BATCH, err);
        for (int i = 0; i < n; i++) {
            source->last_trade = trades[i].id;
            model_json_trade(begin(source), &trades[i]);
            end(source, &(struct stream_about){.topic = STREAM_TRADES, .symbol = trades[i].symbol});
        }
    } while (n == ROWS_BATCH);
    return n < 0 ? n : 0;
}

static int look_at_decisions(struct stream_source *source, struct err *err)
{
    AUTO_FREE struct decision *decisions = calloc(ROWS_BATCH, sizeof(*decisions));
    ASSERT(decisions != NULL);
    int n;
    do {
        n = decision_table_after(source->stores.trading, source->last_decision, decisions,
                                 ROWS_BATCH, err);
        for (int i = 0; i < n; i++) {
            source->last_decision = decisions[i].id;
            model_json_decision(begin(source), &decisions[i]);
            end(source,
                &(struct stream_about){.topic = STREAM_DECISIONS, .symbol = decisions[i].symbol});
        }
    } while (n == ROWS_BATCH);
    return n < 0 ? n : 0;
}

/* ---------------------------------------------------------------- the engine */

static const struct snapshot *snapshot_of(const struct stream_source *source)
{
    return shared_reader_snapshot(source->o.reader);
}

static void write_state(struct json_out *out, const struct snapshot *s)
{
    json_out_text(out, "state", trading_state_name(s->state));
    json_out_text(out, "reason", s->state_reason);
    json_out_time(out, "since", s->state_since_us);
    json_out_text(out, "risk_state", risk_state_name(s->risk_state));
    json_out_text(out, "disk", disk_state_name(s->disk.state));
}

static struct known_state state_of(const struct snapshot *s)
{
    struct known_state state = {.state = s->state,
                                .risk = s->risk_state,
                                .disk = s->disk.state,
                                .since_us = s->state_since_us};
    memcpy(state.reason, s->state_reason, sizeof(state.reason));
    return state;
}

static bool state_equal(const struct known_state *a, const struct known_state *b)
{
    return a->state == b->state && a->risk == b->risk && a->disk == b->disk &&
           a->since_us == b->since_us && strcmp(a->reason, b->reason) == 0;
}

static void look_at_snapshot(struct stream_source *source)
{
    const struct snapshot *s = snapshot_of(source);
    struct known_state state = state_of(s);
    if (source->begun && !state_equal(&state, &source->state)) {
        write_state(begin(source), s);
        end(source, &(struct stream_about){.topic = STREAM_STATE});
    }
    if (source->begun && (s->equity.e8 != source->equity.e8 || s->cash.e8 != source->cash.e8)) {
        model_json_account(begin(source), s);
        end(source, &(struct stream_about){.topic = STREAM_EQUITY});
    }
    source->state = state;
    source->equity = s->equity;
    source->cash = s->cash;
}

/* The topics of what the engine has published since the last call. */
static uint32_t take_events(struct stream_source *source)
{
    struct event events[EVENTS_BATCH];
    uint32_t topics = 0;
    uint64_t missed = 0;
    size_t n;
    do {
        n = shared_reader_events(source->o.reader, events, EVENTS_BATCH, &missed);
        topics |= missed > 0 ? (uint32_t)TOPIC_ALL : 0;
        for (size_t i = 0; i < n; i++) {
            topics |= events[i].topic;
        }
    } while (n == EVENTS_BATCH);
    return topics;
}

void stream_source_engine(struct stream_source *source)
{
    struct err err = {0};
    if (!source->begun) {
        return; /* stream_source_begin reads all of it */
    }
    uint32_t topics = take_events(source);
    int rc = topics == 0 ? 0 : api_need_trading(&source->stores, &err);
    if (rc == 0 && (topics & TOPIC_DECISION) != 0) {
        rc = look_at_decisions(source, &err);
    }
    if (rc == 0 && (topics & (TOPIC_ORDER | TOPIC_FILL)) != 0) {
        rc = look_at_orders(source, &err);
        rc = rc < 0 ? rc : look_at_fills(source, &err);
    }
    if (rc == 0 && (topics & TOPIC_TRADE) != 0) {
        rc = look_at_trades(source, &err);
    }
    if (rc < 0) {
        report(source, &err);
    }
    look_at_snapshot(source);
}

static int find_last(struct stream_source *source, struct err *err)
{
    struct decision *decision = calloc(1, sizeof(*decision));
    struct trade trade;
    ASSERT(decision != NULL);
    int rc =
        decision_table_list(source->stores.trading, &(struct decision_query){0}, decision, 1, err);
    source->last_decision = rc == 1 ? decision->id : 0;
    free(decision);
    rc = rc < 0
             ? rc
             : trade_table_list(source->stores.trading, &(struct trade_query){0}, &trade, 1, err);
    source->last_trade = rc == 1 ? trade.id : 0;
    rc = rc < 0 ? rc : fill_table_last(source->stores.trading, &source->last_fill, err);
    return rc < 0 ? rc : look_at_orders(source, err);
}

bool stream_source_begin(struct stream_source *source)
{
    struct err err = {0};
    if (source->begun || snapshot_of(source)->version == 0) {
        return source->begun;
    }
    (void)take_events(source);
    if (api_need_trading(&source->stores, &err) < 0 || find_last(source, &err) < 0) {
        report(source, &err);
    }
    look_at_snapshot(source);
    source->begun = true;
    return true;
}

/* ---------------------------------------------------------------- ops */

static enum stream_topic topic_of(const struct alert *alert)
{
    return strcmp(alert->source, "auditor") == 0 ? STREAM_FINDINGS : STREAM_ALERTS;
}

void stream_source_alert(struct stream_source *source, int64_t id)
{
    struct err err = {0};
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    int rc = api_need_ops(&source->stores, &err);
    rc = rc < 0 ? rc : alert_table_get(source->stores.ops, id, alert, &err);
    if (rc == 0) {
        model_json_alert(begin(source), alert);
        end(source, &(struct stream_about){.topic = topic_of(alert), .severity = alert->severity});
    } else if (rc != -ERR_STORE_NOT_FOUND) { /* deleted, for its age */
        report(source, &err);
    }
}

static int write_run(struct stream_source *source, const struct run_row *run, struct json_out *out,
                     struct err *err)
{
    AUTO_FREE struct run_step *steps = calloc(STEPS_MAX, sizeof(*steps));
    ASSERT(steps != NULL);
    int n = run_table_steps(source->stores.ops, run->id, steps, STEPS_MAX, err);
    model_json_run(out, run);
    json_out_array(out, "steps");
    for (int i = 0; i < n; i++) {
        json_out_object(out, NULL);
        model_json_step(out, &steps[i]);
        json_out_end(out);
    }
    json_out_end(out);
    return n < 0 ? n : 0;
}

void stream_source_run(struct stream_source *source, int64_t id)
{
    struct err err = {0};
    AUTO_RUN_ROW struct run_row run = {0};
    int rc = api_need_ops(&source->stores, &err);
    rc = rc < 0 ? rc : run_table_get(source->stores.ops, id, &run, &err);
    if (rc == 0) {
        rc = write_run(source, &run, begin(source), &err);
        end(source, &(struct stream_about){.topic = STREAM_RUNS});
    }
    if (rc < 0 && rc != -ERR_STORE_NOT_FOUND) {
        report(source, &err);
    }
}

static void write_service(struct json_out *out, const struct health_service *s, const char *state)
{
    json_out_text(out, "name", s->name);
    json_out_text(out, "kind", s->kind);
    json_out_text(out, "state", state);
    json_out_time(out, "since", s->since_us);
    json_out_time(out, "checked_at", s->checked_us);
    json_out_i64(out, "latency_us", s->latency_us);
    json_out_i64(out, "failures", s->failures);
    json_out_text(out, "detail", s->detail);
}

static const struct health_service *find_service(const struct stream_services *services,
                                                 const char *name)
{
    for (size_t i = 0; i < services->count; i++) {
        if (strcmp(services->list[i].name, name) == 0) {
            return &services->list[i];
        }
    }
    return NULL;
}

static void emit_service(const struct stream_source *source, const struct health_service *s,
                         const char *state)
{
    write_service(begin(source), s, state);
    end(source, &(struct stream_about){.topic = STREAM_SERVICES});
}

void stream_source_services(struct stream_source *source, const struct stream_services *services)
{
    for (size_t i = 0; source->services.known && i < services->count; i++) {
        const struct health_service *s = &services->list[i];
        const struct health_service *before = find_service(&source->services, s->name);
        if (before == NULL || strcmp(before->state, s->state) != 0 ||
            before->since_us != s->since_us || strcmp(before->detail, s->detail) != 0) {
            emit_service(source, s, s->state);
        }
    }
    for (size_t i = 0; source->services.known && i < source->services.count; i++) {
        const struct health_service *before = &source->services.list[i];
        if (find_service(services, before->name) == NULL) {
            emit_service(source, before, "removed");
        }
    }
    source->services.known = true;
    source->services.count = services->count;
    memcpy(source->services.list, services->list, services->count * sizeof(services->list[0]));
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_NOTICE:
        return "notice";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    UNREACHABLE();
}

static void emit_log(const struct stream_source *source, const struct log_copy *line)
{
    struct json_out *out = begin(source);
    json_out_time(out, "at", line->at_us);
    json_out_text(out, "level", level_name(line->level));
    json_out_text(out, "message", line->message);
    json_out_text(out, "file", line->file);
    json_out_i64(out, "line", line->line);
    json_out_text(out, "error_code", line->error_code[0] != '\0' ? line->error_code : NULL);
    json_out_text(out, "run", line->run[0] != '\0' ? line->run : NULL);
    end(source, &(struct stream_about){.topic = STREAM_LOGS, .level = line->level});
}

void stream_source_logs(struct stream_source *source, uint64_t *ret_lost)
{
    AUTO_FREE struct log_copy *lines = calloc(LOGS_BATCH, sizeof(*lines));
    ASSERT(lines != NULL);
    size_t n;
    *ret_lost = 0;
    do {
        uint64_t lost = 0;
        n = log_tap_read(lines, LOGS_BATCH, &lost);
        *ret_lost += lost;
        for (size_t i = 0; i < n; i++) {
            emit_log(source, &lines[i]);
        }
    } while (n == LOGS_BATCH);
}

/* ---------------------------------------------------------------- snapshots */

static int list_decisions(struct stream_source *source, struct json_out *out, struct err *err)
{
    AUTO_FREE struct decision *rows = calloc(SHOWN, sizeof(*rows));
    ASSERT(rows != NULL);
    int n =
        decision_table_list(source->stores.trading, &(struct decision_query){0}, rows, SHOWN, err);
    for (int i = 0; i < n; i++) {
        json_out_object(out, NULL);
        model_json_decision(out, &rows[i]);
        json_out_end(out);
    }
    return n;
}

static int list_orders(struct stream_source *source, struct json_out *out, struct err *err)
{
    AUTO_FREE struct order *rows = calloc(ORDERS_LOOK, sizeof(*rows));
    ASSERT(rows != NULL);
    int n = order_table_open(source->stores.trading, rows, ORDERS_LOOK, err);
    write_orders(out, rows, n);
    return n;
}

static int list_fills(struct stream_source *source, struct json_out *out, struct err *err)
{
    struct fill rows[SHOWN];
    int64_t last = 0;
    int rc = fill_table_last(source->stores.trading, &last, err);
    int n = rc < 0 ? rc
                   : fill_table_after(source->stores.trading, last > SHOWN ? last - SHOWN : 0, rows,
                                      SHOWN, &last, err);
    for (int i = n - 1; i >= 0; i--) { /* the newest first, as in the other lists */
        json_out_object(out, NULL);
        model_json_fill(out, &rows[i]);
        json_out_end(out);
    }
    return n;
}

static int list_trades(struct stream_source *source, struct json_out *out, struct err *err)
{
    struct trade rows[SHOWN];
    int n = trade_table_list(source->stores.trading, &(struct trade_query){0}, rows, SHOWN, err);
    for (int i = 0; i < n; i++) {
        json_out_object(out, NULL);
        model_json_trade(out, &rows[i]);
        json_out_end(out);
    }
    return n;
}

static int list_alerts(struct stream_source *source, enum stream_topic topic, struct json_out *out,
                       struct err *err)
{
    AUTO_FREE struct alert *rows = calloc(ALERTS_SHOWN, sizeof(*rows));
    ASSERT(rows != NULL);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED,
                                      .source = topic == STREAM_FINDINGS ? "auditor" : NULL};
    int n = alert_table_list(source->stores.ops, &query, rows, ALERTS_SHOWN, err);
    for (int i = 0; i < n; i++) {
        if (topic_of(&rows[i]) == topic) {
            json_out_object(out, NULL);
            model_json_alert(out, &rows[i]);
            json_out_end(out);
        }
    }
    return n;
}

static int list_runs(struct stream_source *source, struct json_out *out, struct err *err)
{
    struct run_row rows[SHOWN];
    int n = run_table_list(source->stores.ops,
                           &(struct run_query){.states = 1U << RUN_RUNNING | 1U << RUN_CONFIRMING},
                           rows, SHOWN, err);
    int rc = n;
    for (int i = 0; i < n; i++) {
        json_out_object(out, NULL);
        rc = rc < 0 ? rc : write_run(source, &rows[i], out, err);
        json_out_end(out);
        run_row_release(&rows[i]);
    }
    return rc;
}

static void list_services(const struct stream_source *source, struct json_out *out)
{
    for (size_t i = 0; i < source->services.count; i++) {
        const struct health_service *s = &source->services.list[i];
        json_out_object(out, NULL);
        write_service(out, s, s->state);
        json_out_end(out);
    }
}

static int write_list(struct stream_source *source, enum stream_topic topic, struct json_out *out,
                      struct err *err)
{
    bool ops = topic == STREAM_ALERTS || topic == STREAM_FINDINGS || topic == STREAM_RUNS;
    bool trading = topic <= STREAM_TRADES;
    int rc = ops       ? api_need_ops(&source->stores, err)
             : trading ? api_need_trading(&source->stores, err)
                       : 0;
    if (rc < 0) {
        return rc;
    }
    switch (topic) {
    case STREAM_DECISIONS:
        return list_decisions(source, out, err);
    case STREAM_ORDERS:
        return list_orders(source, out, err);
    case STREAM_FILLS:
        return list_fills(source, out, err);
    case STREAM_TRADES:
        return list_trades(source, out, err);
    case STREAM_ALERTS:
    case STREAM_FINDINGS:
        return list_alerts(source, topic, out, err);
    case STREAM_RUNS:
        return list_runs(source, out, err);
    case STREAM_SERVICES:
        list_services(source, out);
        return 0;
    case STREAM_EQUITY:
    case STREAM_STATE:
    case STREAM_LOGS:
    case STREAM_TOPICS:
        return 0;
    }
    UNREACHABLE();
}

void stream_source_snapshot(struct stream_source *source, enum stream_topic topic,
                            struct json_out *out)
{
    struct err err = {0};
    if (topic == STREAM_EQUITY || topic == STREAM_STATE) {
        const struct snapshot *s = snapshot_of(source);
        json_out_object(out, "data");
        if (topic == STREAM_EQUITY) {
            model_json_account(out, s);
        } else {
            write_state(out, s);
        }
    } else {
        json_out_array(out, "data");
        if (write_list(source, topic, out, &err) < 0) {
            report(source, &err);
        }
    }
    json_out_end(out);
}

/* ---------------------------------------------------------------- lifetime */

struct stream_source *stream_source_new(const struct stream_source_options *options)
{
    struct stream_source *source = calloc(1, sizeof(*source));
    ASSERT(source != NULL);
    source->o = *options;
    source->stores =
        (struct api_stores){.state_dir = options->state_dir, .shared = options->shared};
    return source;
}

void stream_source_free(struct stream_source *source)
{
    if (source != NULL) {
        api_stores_release(&source->stores);
        free(source);
    }
}

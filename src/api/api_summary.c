/*
 * The state of everything in a few kilobytes, for a reader that has to keep it in mind: a language
 * model, or a person at a glance. What is long is cut and counted, and `more` says where all of it
 * is. What cannot be read is named instead of left out silently.
 */
#include "answer.h"
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "model/model_json.h"
#include "store/alert_table.h"
#include "store/decision_table.h"
#include "store/trade_table.h"
#include "trading/gauge.h"

#include <math.h>
#include <stdlib.h>

#define ERRORS_MAX    3
#define POSITIONS_MAX 5
#define MARKETS_MAX   6
#define LIMITS_MAX    3
#define TRADES_MAX    3
#define DECISIONS_MAX 3
#define TEXT_MAX      161 /* bytes of a title or an advice */

static void add_cut(struct json_out *out, const char *key, const char *text)
{
    char cut[TEXT_MAX];
    str_cut(str_c(text), cut, sizeof(cut));
    json_out_text(out, key, cut);
}

/* ---------------------------------------------------------------- from the snapshot */

static void add_trading(struct json_out *out, const struct snapshot *s)
{
    json_out_object(out, "trading");
    json_out_text(out, "venue", s->venue.name);
    json_out_text(out, "state", trading_state_name(s->state));
    add_cut(out, "reason", s->state_reason);
    json_out_time(out, "since", s->state_since_us);
    json_out_text(out, "risk_state", risk_state_name(s->risk_state));
    json_out_time(out, "market_time", s->market_us);
    json_out_end(out);
}

static void add_account(struct json_out *out, const struct snapshot *s)
{
    json_out_object(out, "account");
    json_out_dec(out, "equity", s->equity);
    json_out_dec(out, "cash", s->cash);
    json_out_dec(out, "day_change", dec_sub(s->equity, s->day_start_equity));
    json_out_dec(out, "realised_pnl", s->realised);
    model_json_pct(out, "drawdown_pct", s->drawdown_pct);
    model_json_pct(out, "max_drawdown_pct", s->max_drawdown_pct);
    model_json_pct(out, "daily_loss_pct", s->daily_loss_pct);
    model_json_pct(out, "max_daily_loss_pct", s->max_daily_loss_pct);
    model_json_pct(out, "exposure_pct", s->exposure_pct);
    json_out_u64(out, "trades", s->trades);
    json_out_u64(out, "wins", s->wins);
    json_out_bool(out, "books_balance", s->books_balance);
    json_out_end(out);
}

static double size_of(const struct position *p)
{
    return fabs(dec_to_double(p->qty) * dec_to_double(p->mark_price));
}

static int by_size(const void *a, const void *b)
{
    double x = size_of(*(const struct position *const *)a);
    double y = size_of(*(const struct position *const *)b);
    return x < y ? 1 : x > y ? -1 : 0;
}

/* The largest first. */
static void add_positions(struct json_out *out, const struct snapshot *s)
{
    const struct position *sorted[POSITIONS_LIMIT];
    int count = s->position_count < POSITIONS_LIMIT ? s->position_count : POSITIONS_LIMIT;
    for (int i = 0; i < count; i++) {
        sorted[i] = &s->positions[i];
    }
    qsort(sorted, (size_t)count, sizeof(sorted[0]), by_size);
    json_out_i64(out, "positions_open", s->position_count);
    json_out_array(out, "positions");
    for (int i = 0; i < count && i < POSITIONS_MAX; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "symbol", sorted[i]->symbol.name);
        json_out_text(out, "side", side_name(sorted[i]->side));
        json_out_dec(out, "qty", sorted[i]->qty);
        json_out_dec(out, "entry_price", sorted[i]->entry_price);
        json_out_dec(out, "mark_price", sorted[i]->mark_price);
        json_out_dec(out, "stop", sorted[i]->stop);
        json_out_dec(out, "unrealised_pnl", sorted[i]->unrealised);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_markets(struct json_out *out, const struct snapshot *s)
{
    json_out_i64(out, "markets_watched", s->market_count);
    json_out_array(out, "markets");
    for (int i = 0; i < s->market_count && i < MARKETS_MAX; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "symbol", s->markets[i].symbol.name);
        json_out_dec(out, "price", s->markets[i].price);
        json_out_dec(out, "change_24h_pct", s->markets[i].change_24h_pct);
        json_out_text(out, "regime", regime_name(s->markets[i].regime));
        json_out_end(out);
    }
    json_out_end(out);
}

static int by_use(const void *a, const void *b)
{
    double x = gauge_used_pct(a), y = gauge_used_pct(b);
    x = isnan(x) ? -1 : x;
    y = isnan(y) ? -1 : y;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* The closest first. */
static void add_limits(struct json_out *out, const struct snapshot *s)
{
    AUTO_FREE struct gauge *gauges = calloc(GAUGES_MAX, sizeof(*gauges));
    NEED_MEMORY(gauges != NULL);
    int count = gauge_list(s, gauges);
    qsort(gauges, (size_t)count, sizeof(gauges[0]), by_use);
    json_out_array(out, "limits");
    for (int i = 0; i < count && i < LIMITS_MAX && !isnan(gauge_used_pct(&gauges[i])); i++) {
        json_out_object(out, NULL);
        json_out_text(out, "limit", gauges[i].label);
        json_out_rounded(out, "used_pct", gauge_used_pct(&gauges[i]), 1);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_health(struct json_out *out, const struct snapshot *s, const struct shared *shared)
{
    int64_t now_us = clock_mono_us(clock_real());
    int telegram = atomic_load_explicit(&shared->telegram, memory_order_relaxed);
    json_out_object(out, "health");
    json_out_bool(out, "engine_alive",
                  shared_beat_age_us(&shared->engine_beat_mono_us, now_us) < SHARED_SILENT_US);
    json_out_bool(out, "ops_alive",
                  shared_beat_age_us(&shared->ops_beat_mono_us, now_us) < SHARED_SILENT_US);
    json_out_text(out, "venue", venue_state_name(s->venue.state));
    json_out_text(out, "disk", disk_state_name(s->disk.state));
    json_out_text(out, "telegram", chat_state_name((enum chat_state)telegram));
    json_out_text(out, "last_error_code", s->last_err == 0 ? NULL : err_info(s->last_err)->code);
    json_out_end(out);
}

/* ---------------------------------------------------------------- from the databases */

static int add_errors(struct json_out *out, struct listener *l, struct err *err)
{
    int64_t counts[SEVERITY_CRITICAL + 1] = {0};
    AUTO_FREE struct alert *rows = calloc(ERRORS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED,
                                      .min_severity = SEVERITY_LOW};
    int rc = api_need_ops(&l->stores, err);
    rc = rc < 0 ? rc : alert_table_counts(l->stores.ops, counts, err);
    rc = rc < 0 ? rc : alert_table_list(l->stores.ops, &query, rows, ERRORS_MAX, err);
    if (rc < 0) {
        return rc;
    }
    json_out_object(out, "errors_open");
    for (int severity = SEVERITY_CRITICAL; severity >= SEVERITY_LOW; severity--) {
        json_out_i64(out, severity_name((enum severity)severity), counts[severity]);
    }
    json_out_end(out);
    json_out_array(out, "errors");
    for (int i = 0; i < rc; i++) {
        json_out_object(out, NULL);
        json_out_i64(out, "alert_id", rows[i].id);
        json_out_text(out, "severity", severity_name(rows[i].severity));
        json_out_text(out, "status", alert_status_name(rows[i].status));
        add_cut(out, "title", rows[i].title);
        add_cut(out, "detail", rows[i].description);
        add_cut(out, "recommendation", rows[i].recommendation);
        json_out_i64(out, "count", rows[i].count);
        json_out_time(out, "last_seen_at", rows[i].last_seen_us);
        json_out_end(out);
    }
    json_out_end(out);
    return 0;
}

static int add_trades(struct json_out *out, struct listener *l, struct err *err)
{
    struct trade rows[TRADES_MAX];
    int rc = api_need_trading(&l->stores, err);
    rc = rc < 0
             ? rc
             : trade_table_list(l->stores.trading, &(struct trade_query){0}, rows, TRADES_MAX, err);
    if (rc < 0) {
        return rc;
    }
    json_out_array(out, "last_trades");
    for (int i = 0; i < rc; i++) {
        json_out_object(out, NULL);
        json_out_i64(out, "id", rows[i].id);
        json_out_text(out, "symbol", rows[i].symbol.name);
        json_out_text(out, "side", side_name(rows[i].side));
        json_out_dec(out, "pnl", rows[i].pnl);
        json_out_text(out, "exit_reason", rows[i].exit_reason);
        json_out_time(out, "closed_at", rows[i].closed_us);
        json_out_end(out);
    }
    json_out_end(out);
    return 0;
}

/* Those that wanted a trade: most only hold. */
static int add_decisions(struct json_out *out, struct listener *l, struct err *err)
{
    AUTO_FREE struct decision *rows = calloc(DECISIONS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    const struct decision_query query = {.skip_holds = true};
    int rc = api_need_trading(&l->stores, err);
    rc = rc < 0 ? rc : decision_table_list(l->stores.trading, &query, rows, DECISIONS_MAX, err);
    if (rc < 0) {
        return rc;
    }
    json_out_array(out, "last_decisions");
    for (int i = 0; i < rc; i++) {
        json_out_object(out, NULL);
        json_out_i64(out, "id", rows[i].id);
        json_out_text(out, "symbol", rows[i].symbol.name);
        json_out_text(out, "direction", direction_name(rows[i].direction));
        json_out_rounded(out, "score", rows[i].score, 3);
        json_out_text(out, "outcome", outcome_name(rows[i].outcome));
        json_out_text(out, "veto_code", rows[i].veto_code);
        json_out_time(out, "at", rows[i].at_us);
        json_out_end(out);
    }
    json_out_end(out);
    return 0;
}

typedef int (*add_fn)(struct json_out *out, struct listener *l, struct err *err);

static void add_stored(struct json_out *out, struct listener *l)
{
    static const add_fn parts[] = {add_errors, add_trades, add_decisions};
    AUTO_BUF struct buf missing = BUF_INIT(1024);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct err err = {0};
        if (parts[i](out, l, &err) < 0) {
            buf_addf(&missing, "%s%s", missing.len > 0 ? "; " : "", err_info(err.id)->message);
        }
    }
    json_out_text(out, "unreadable", missing.len > 0 ? missing.data : NULL);
}

/* Errors come first: a reader that stops early has seen what is urgent. */
static void write_summary(struct api_answer *a, struct listener *l)
{
    const struct snapshot *s = shared_reader_snapshot(l->reader);
    api_answer_begin(a, "nightdesk.summary/1", api_age_of_engine(l->api->shared, s));
    json_out_time(&a->out, "published_at", s->published_wall_us);
    add_trading(&a->out, s);
    add_health(&a->out, s, l->api->shared);
    add_stored(&a->out, l);
    add_account(&a->out, s);
    add_positions(&a->out, s);
    add_limits(&a->out, s);
    add_markets(&a->out, s);
    json_out_text(&a->out, "more",
                  "All of it: /api/v1/state, alerts, trades, decisions, risk; every path: "
                  "/openapi.json");
}

void api_summary_json(struct listener *listener, struct buf *out)
{
    struct api_answer a;
    struct api_headers unused;
    write_summary(&a, listener);
    api_answer_headers(&a, &unused);
    buf_add_str(out, buf_str(&a.body));
    api_answer_drop(&a);
}

void api_summary_handle(struct api_call *call)
{
    struct api_answer a;
    write_summary(&a, call->listener);
    api_answer_send(&a, call->request);
}

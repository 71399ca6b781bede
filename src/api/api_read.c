/* GET /api/v1/…: lists from the snapshot and from read-only connections, on the listener's thread.
 */
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "io/json_out.h"
#include "model/model_json.h"
#include "store/alert_table.h"
#include "store/decision_table.h"
#include "store/ops.h"
#include "store/order_table.h"
#include "store/run_table.h"
#include "store/trade_table.h"
#include "store/trading.h"

#define VOTES_LIMIT 20 /* decisions with votes, each of a few KiB */

/* One request for a list. */
struct reading {
    const struct api_call *call;
    struct listener *listener;
    const struct snapshot *snapshot;
    size_t limit;
    size_t offset;
    struct symbol symbol; /* empty: all */
    bool votes;           /* decisions: with what each agent said */
    struct json_out *out; /* the array is open */
};

/* Writes the items; returns their number or a negative error id. */
typedef int (*read_fn)(const struct reading *r, struct err *err);

/* ---------------------------------------------------------------- connections */

int api_read_trading(struct listener *l, struct err *err)
{
    uint64_t file = atomic_load(&l->api->shared->trading_file);
    if (l->trading != NULL && l->trading_file != file) {
        trading_store_free(l->trading);
        l->trading = NULL;
    }
    l->trading_file = file;
    return l->trading != NULL
               ? 0
               : trading_store_open(l->api->state_dir, TRADING_STORE_READ, &l->trading, err);
}

int api_read_ops(struct listener *l, struct err *err)
{
    uint64_t file = atomic_load(&l->api->shared->ops_file);
    if (l->ops != NULL && l->ops_file != file) {
        ops_store_free(l->ops);
        l->ops = NULL;
    }
    l->ops_file = file;
    return l->ops != NULL ? 0 : ops_store_open(l->api->state_dir, OPS_STORE_READ, &l->ops, err);
}

void api_read_release(struct listener *listener)
{
    trading_store_free(listener->trading);
    ops_store_free(listener->ops);
    listener->trading = NULL;
    listener->ops = NULL;
}

/* ---------------------------------------------------------------- lists */

static int read_positions(const struct reading *r, struct err *err)
{
    (void)err; /* cannot fail */
    int count = 0;
    for (int i = (int)r->offset; i < r->snapshot->position_count && count < (int)r->limit; i++) {
        json_out_object(r->out, NULL);
        model_json_position(r->out, &r->snapshot->positions[i]);
        json_out_end(r->out);
        count++;
    }
    return count;
}

static int read_trades(const struct reading *r, struct err *err)
{
    int rc = api_read_trading(r->listener, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct trade *trades = calloc(r->limit, sizeof(*trades));
    ASSERT(trades != NULL);
    const struct trade_query query = {.symbol = r->symbol, .offset = r->offset};
    rc = trade_table_list(r->listener->trading, &query, trades, r->limit, err);
    for (int i = 0; i < rc; i++) {
        json_out_object(r->out, NULL);
        model_json_trade(r->out, &trades[i]);
        json_out_end(r->out);
    }
    return rc;
}

static int read_orders(const struct reading *r, struct err *err)
{
    int rc = api_read_trading(r->listener, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct order *orders = calloc(r->limit, sizeof(*orders));
    ASSERT(orders != NULL);
    rc = order_table_list(r->listener->trading, r->offset, orders, r->limit, err);
    for (int i = 0; i < rc; i++) {
        json_out_object(r->out, NULL);
        model_json_order(r->out, &orders[i]);
        json_out_end(r->out);
    }
    return rc;
}

static int read_decisions(const struct reading *r, struct err *err)
{
    int rc = api_read_trading(r->listener, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct decision *decisions = calloc(r->limit, sizeof(*decisions));
    ASSERT(decisions != NULL);
    const struct decision_query query = {.symbol = r->symbol, .offset = r->offset};
    rc = decision_table_list(r->listener->trading, &query, decisions, r->limit, err);
    for (int i = 0; i < rc; i++) {
        json_out_object(r->out, NULL);
        model_json_decision(r->out, &decisions[i]);
        if (r->votes) {
            model_json_votes(r->out, "votes", &decisions[i]);
        }
        json_out_end(r->out);
    }
    return rc;
}

static int read_alerts(const struct reading *r, struct err *err)
{
    int rc = api_read_ops(r->listener, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct alert *alerts = calloc(r->limit, sizeof(*alerts));
    ASSERT(alerts != NULL);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED,
                                      .offset = r->offset};
    rc = alert_table_list(r->listener->ops, &query, alerts, r->limit, err);
    for (int i = 0; i < rc; i++) {
        json_out_object(r->out, NULL);
        model_json_alert(r->out, &alerts[i]);
        json_out_end(r->out);
    }
    return rc;
}

static int read_runs(const struct reading *r, struct err *err)
{
    int rc = api_read_ops(r->listener, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct run_row *runs = calloc(r->limit, sizeof(*runs));
    ASSERT(runs != NULL);
    rc = run_table_list(r->listener->ops, 0, r->offset, runs, r->limit, err);
    for (int i = 0; i < rc; i++) {
        json_out_object(r->out, NULL);
        model_json_run(r->out, &runs[i]);
        json_out_end(r->out);
        run_row_release(&runs[i]);
    }
    return rc;
}

/* ---------------------------------------------------------------- the request */

static int write_list(const char *name, read_fn read, struct reading *r, struct buf *body,
                      struct err *err)
{
    struct json_out out = JSON_OUT(body);
    json_out_document(&out, r->call->route->answer);
    api_state_age(&out, r->snapshot, r->call->listener->api->shared);
    json_out_array(&out, name);
    r->out = &out;
    int rc = read(r, err);
    if (rc < 0) {
        return rc;
    }
    json_out_end(&out);
    if ((size_t)rc == r->limit) {
        json_out_u64(&out, "next_offset", r->offset + r->limit);
    } else {
        json_out_null(&out, "next_offset");
    }
    json_out_end(&out);
    buf_add_char(body, '\n');
    return buf_failed(body) ? err_set(err, ERR_BUF_FULL, "%s", name) : 0;
}

/* name: of the array. */
static void answer_list(const struct api_call *call, const char *name, read_fn read,
                        struct reading *r)
{
    AUTO_BUF struct buf body = BUF_INIT(API_ANSWER_MAX);
    struct err err = {0};
    r->call = call;
    r->listener = call->listener;
    r->snapshot = shared_reader_snapshot(call->listener->reader);
    r->offset = (size_t)api_number(call, "offset", 0);
    if (r->limit == 0) {
        r->limit = (size_t)api_number(call, "limit", 0);
    }
    if (write_list(name, read, r, &body, &err) < 0) {
        api_answer_err(call->request, &err);
    } else {
        web_answer_json(call->request, 200, buf_str(&body));
    }
}

static struct symbol symbol_of(const struct api_call *call)
{
    const struct arg_value *value = api_value(call, "symbol");
    return value == NULL ? (struct symbol){0} : value->symbol;
}

void api_positions_handle(struct api_call *call)
{
    struct reading r = {0};
    answer_list(call, "positions", read_positions, &r);
}

void api_trades_handle(struct api_call *call)
{
    struct reading r = {.symbol = symbol_of(call)};
    answer_list(call, "trades", read_trades, &r);
}

void api_orders_handle(struct api_call *call)
{
    struct reading r = {0};
    answer_list(call, "orders", read_orders, &r);
}

void api_decisions_handle(struct api_call *call)
{
    struct reading r = {.symbol = symbol_of(call),
                        .votes = strcmp(api_text(call, "votes"), "true") == 0,
                        .limit = (size_t)api_number(call, "limit", 0)};
    if (r.votes && r.limit > VOTES_LIMIT) {
        r.limit = VOTES_LIMIT;
    }
    answer_list(call, "decisions", read_decisions, &r);
}

void api_alerts_handle(struct api_call *call)
{
    struct reading r = {0};
    answer_list(call, "alerts", read_alerts, &r);
}

void api_runs_handle(struct api_call *call)
{
    struct reading r = {0};
    answer_list(call, "runs", read_runs, &r);
}

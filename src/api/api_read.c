/* GET /api/v1/…: lists from the snapshot and from read-only connections, on the listener's thread.
 */
#include "api_internal.h"
#include "base/check.h"
#include "io/json_out.h"
#include "model/model_json.h"
#include "store/alert_table.h"
#include "store/decision_table.h"
#include "store/ops.h"
#include "store/order_table.h"
#include "store/run_table.h"
#include "store/trade_table.h"
#include "store/trading.h"

#define LIMIT_DEFAULT 50
#define VOTES_LIMIT   20 /* decisions with votes, each of a few KiB */

/* One request for a list. */
struct reading {
    struct listener *listener;
    struct web_request *request;
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

/* Opens a database on first use, and again after its file was restored (model/shared.h). */
static int need_trading(struct listener *l, struct err *err)
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

static int need_ops(struct listener *l, struct err *err)
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
    int rc = need_trading(r->listener, err);
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
    int rc = need_trading(r->listener, err);
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
    int rc = need_trading(r->listener, err);
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
    int rc = need_ops(r->listener, err);
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
    int rc = need_ops(r->listener, err);
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

static const struct {
    const char *name; /* of the path, the array and the schema */
    read_fn read;
    size_t limit_max; /* keeps an answer below API_ANSWER_MAX */
    bool by_symbol;   /* takes ?symbol= */
} lists[] = {
    {"positions", read_positions, 200, false}, {"trades", read_trades, 200, true},
    {"orders", read_orders, 200, false},       {"decisions", read_decisions, 100, true},
    {"alerts", read_alerts, 50, false},        {"runs", read_runs, 50, false},
};

/* ---------------------------------------------------------------- the request */

/* A whole number in the query; *ret is unchanged if it is absent. */
static int query_number(struct web_request *request, const char *name, size_t min, size_t max,
                        size_t *ret, struct err *err)
{
    int64_t value = 0;
    if (!web_has_query(request, name)) {
        return 0;
    }
    struct str text = web_query(request, name);
    if (!str_to_i64(text, &value) || value < (int64_t)min || value > (int64_t)max) {
        return err_set(err, ERR_API_QUERY, "%s=%.20s: a whole number from %zu to %zu", name,
                       text.ptr, min, max);
    }
    *ret = (size_t)value;
    return 0;
}

static int query_votes(size_t list, struct reading *r, size_t *limit_max, struct err *err)
{
    if (lists[list].read != read_decisions || !web_has_query(r->request, "votes")) {
        return 0;
    }
    struct str text = web_query(r->request, "votes");
    r->votes = str_equal_c(text, "true");
    if (!r->votes && !str_equal_c(text, "false")) {
        return err_set(err, ERR_API_QUERY, "votes=%.20s: true or false", text.ptr);
    }
    *limit_max = r->votes ? VOTES_LIMIT : *limit_max;
    r->limit = r->limit < *limit_max ? r->limit : *limit_max;
    return 0;
}

static int read_query(size_t list, struct reading *r, struct err *err)
{
    size_t limit_max = lists[list].limit_max;
    int rc = query_votes(list, r, &limit_max, err);
    if (rc == 0) {
        rc = query_number(r->request, "limit", 1, limit_max, &r->limit, err);
    }
    if (rc == 0) {
        rc = query_number(r->request, "offset", 0, INT32_MAX, &r->offset, err);
    }
    if (rc == 0 && lists[list].by_symbol && web_has_query(r->request, "symbol") &&
        !symbol_parse(web_query(r->request, "symbol"), &r->symbol)) {
        rc = err_set(err, ERR_API_QUERY, "symbol=%.40s: not a symbol",
                     web_query(r->request, "symbol").ptr);
    }
    return rc;
}

static int write_list(size_t list, struct reading *r, struct buf *body, struct err *err)
{
    struct json_out out = JSON_OUT(body);
    char schema[48];
    (void)snprintf(schema, sizeof(schema), "nightdesk.%s/1", lists[list].name);
    json_out_document(&out, schema);
    api_state_age(&out, r->snapshot, r->listener->api->shared);
    json_out_array(&out, lists[list].name);
    r->out = &out;
    int rc = lists[list].read(r, err);
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
    return buf_failed(body) ? err_set(err, ERR_BUF_FULL, "%s", schema) : 0;
}

bool api_read_list(struct listener *listener, struct web_request *request, struct str name)
{
    size_t list = 0;
    while (list < COUNT_OF(lists) && !str_equal_c(name, lists[list].name)) {
        list++;
    }
    if (list == COUNT_OF(lists)) {
        return false;
    }
    if (!api_allows(request, "GET")) {
        return true;
    }
    AUTO_BUF struct buf body = BUF_INIT(API_ANSWER_MAX);
    struct err err = {0};
    struct reading r = {.listener = listener,
                        .request = request,
                        .snapshot = shared_reader_snapshot(listener->reader),
                        .limit = LIMIT_DEFAULT};
    if (read_query(list, &r, &err) < 0 || write_list(list, &r, &body, &err) < 0) {
        api_answer_err(request, &err);
    } else {
        web_answer_json(request, 200, buf_str(&body));
    }
    return true;
}

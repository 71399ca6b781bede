#include "base/check.h"
#include "desk_internal.h"
#include "model/model_json.h"
#include "store/order_table.h"
#include "view.h"

#include <stdlib.h>

#define COUNT_MAX  50
#define OF_RUN_MAX 20 /* orders in the reply of /runs N; /orders shows more */

static void add_data(struct reply *r, const struct order *orders, int count)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "orders");
    for (int i = 0; i < count; i++) {
        json_out_object(&data, NULL);
        model_json_order(&data, &orders[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
}

/* with_run: the reply does not say already which run it is about. */
static void add_orders(struct reply *r, const struct order *orders, int count, bool with_run)
{
    add_data(r, orders, count);
    for (int i = 0; i < count; i++) {
        view_order(r, &orders[i]);
        if (with_run && orders[i].run_id != 0) {
            AUTO_BUF struct buf command = BUF_INIT(64);
            buf_addf(&command, "/runs %lld", (long long)orders[i].run_id);
            reply_more(r, ", {}", cell_code(command.data));
        }
    }
}

void desk_add_run_orders(int64_t run_id, struct reply *r, void *userdata)
{
    struct desk *desk = userdata;
    struct order orders[OF_RUN_MAX + 1];
    struct err err = {0};
    const struct order_query query = {.run_id = run_id};
    int n = desk->o.trading == NULL || run_id == 0
                ? 0
                : order_table_list(desk->o.trading, &query, orders, OF_RUN_MAX + 1, &err);
    if (n < 0) {
        reply_line(r, "Its orders could not be read: %s.", err.context);
    }
    if (n <= 0) {
        return;
    }
    reply_heading(r, "Orders of this run");
    add_orders(r, orders, n > OF_RUN_MAX ? OF_RUN_MAX : n, false);
    if (n > OF_RUN_MAX) {
        reply_line(r, "and more: /orders %d run=%lld", COUNT_MAX, (long long)run_id);
    }
}

static void add_foreign(struct reply *r, int count)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_i64(&data, "foreign_orders", count);
    if (count > 0) {
        reply_line(r, "%d more %s open at the venue, not placed by nightdesk.", count,
                   count == 1 ? "order is" : "orders are");
    }
}

static int show_orders(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    size_t count = (size_t)action_int(call, "count");
    int64_t run_id = action_int(call, "run");
    int rc = desk_need_store(desk, r, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct order *orders = calloc(count, sizeof(*orders));
    ASSERT(orders != NULL);
    const struct order_query query = {.run_id = run_id};
    int n = order_table_list(desk->o.trading, &query, orders, count, err);
    if (n < 0) {
        return n;
    }
    if (run_id != 0) {
        reply_title(r, TONE_PLAIN, n == 0 ? "Run %lld caused no orders" : "Orders of run %lld",
                    (long long)run_id);
    } else if (n == 0) {
        reply_title(r, TONE_PLAIN, "No orders yet");
    } else {
        reply_title(r, TONE_PLAIN, n == 1 ? "Last order" : "Last %d orders", n);
    }
    add_orders(r, orders, n, run_id == 0);
    const struct snapshot *s = desk_read(desk, r);
    add_foreign(r, s->foreign_orders);
    desk_market_line(r, s);
    reply_protect(r);
    return ACTION_DONE;
}

const struct action action_order_list_rows[] = {
    {.name = "trading.orders",
     .summary = "Newest orders, or those that the run of a command caused",
     .data = DESK_AGE " orders foreign_orders",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "count",
                              .type = PARAM_INT,
                              .default_text = "10",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(COUNT_MAX),
                              .help = "how many"},
                             {.name = "run",
                              .type = PARAM_INT,
                              .default_text = "0",
                              .minimum = "0",
                              .help = "only orders of the run with this number; 0: all"}),
     .run = show_orders},
    {0},
};

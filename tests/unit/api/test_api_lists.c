#include "api_rig.h"
#include "store/alert_table.h"
#include "store/run_table.h"
#include "store/trade_table.h"

static void add_trade(struct trading_store *store, int64_t id, const char *symbol)
{
    struct err err = {0};
    struct trade t = {.id = id, .side = SIDE_LONG, .closed_us = id * USEC_PER_HOUR};
    assert_true(symbol_parse(str_c(symbol), &t.symbol));
    (void)snprintf(t.client_id, sizeof(t.client_id), "nd-1-%lld", (long long)id);
    (void)snprintf(t.exit_reason, sizeof(t.exit_reason), "stop");
    assert_int_equal(trade_table_add(store, &t, &err), 0);
}

static struct json_object *get_list(struct api_rig *f, const char *path)
{
    const char *body;
    struct json_object *root = NULL;
    int status = api_rig_get(f, false, path, "", &body);
    if (status != 200) {
        fail_msg("%s: %d %s", path, status, body);
    }
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    return root;
}

static void lists_are_read_from_the_databases(void **state)
{
    struct api_rig *f = *state;
    struct err err = {0};
    const char *body;
    assert_int_equal(api_rig_get(f, false, "/api/v1/trades", "", &body),
                     500); /* no trading.db yet */
    api_rig_code(body, "DB_OPEN");

    AUTO_TRADING_STORE struct trading_store *store = NULL;
    assert_int_equal(trading_store_open(f->folder, TRADING_STORE_WRITE, &store, &err), 0);
    for (int64_t id = 1; id <= 5; id++) {
        add_trade(store, id, id % 2 == 0 ? "ETH-USD" : "BTC-USD");
    }
    AUTO_JSON struct json_object *first = get_list(f, "/api/v1/trades?limit=2");
    assert_string_equal(json_text(first, "schema"), "nightdesk.trades/1");
    assert_true(json_truth(first, "stale", false)); /* no snapshot was published */
    assert_int_equal(json_len(json_get(first, "trades")), 2);
    assert_int_equal(json_i64(json_item(json_get(first, "trades"), 0), "id", 0), 5);
    assert_int_equal(json_i64(first, "next_offset", 0), 2);
    AUTO_JSON struct json_object *last = get_list(f, "/api/v1/trades?limit=2&offset=4");
    assert_int_equal(json_len(json_get(last, "trades")), 1);
    assert_null(json_get(last, "next_offset"));
    AUTO_JSON struct json_object *eth = get_list(f, "/api/v1/trades?symbol=eth-usd");
    assert_int_equal(json_len(json_get(eth, "trades")), 2);

    /* What is committed later is seen; nothing passes through the loop. */
    add_trade(store, 6, "BTC-USD");
    AUTO_JSON struct json_object *more = get_list(f, "/api/v1/trades");
    assert_int_equal(json_len(json_get(more, "trades")), 6);
    AUTO_JSON struct json_object *orders = get_list(f, "/api/v1/orders");
    assert_int_equal(json_len(json_get(orders, "orders")), 0);
    AUTO_JSON struct json_object *decisions = get_list(f, "/api/v1/decisions");
    assert_int_equal(json_len(json_get(decisions, "decisions")), 0);
    api_rig_publish(f);
    AUTO_JSON struct json_object *positions = get_list(f, "/api/v1/positions");
    assert_int_equal(json_len(json_get(positions, "positions")), 1);
    assert_true(json_i64(positions, "age_ms", -1) >= 0);
}

static void alerts_are_read_from_ops_db(void **state)
{
    struct api_rig *f = *state;
    struct err err = {0};
    struct ops_store *store = NULL;
    struct alert_raised raised;
    assert_int_equal(ops_store_open(f->folder, OPS_STORE_WRITE, &store, &err), 0);
    const struct alert_new alert = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_HIGH,
                                    .title = "demo is down",
                                    .source = "health",
                                    .fingerprint = "service:demo"};
    assert_int_equal(alert_table_raise(store, &alert, USEC_PER_DAY, &raised, &err), 0);
    AUTO_JSON struct json_object *root = get_list(f, "/api/v1/alerts");
    struct json_object *item = json_item(json_get(root, "alerts"), 0);
    assert_string_equal(json_text(item, "title"), "demo is down");
    assert_string_equal(json_text(item, "severity"), "high");
    ops_store_free(store);
}

static void runs_are_read_from_ops_db(void **state)
{
    struct api_rig *f = *state;
    struct err err = {0};
    struct ops_store *store = NULL;
    int64_t id = 0;
    assert_int_equal(ops_store_open(f->folder, OPS_STORE_WRITE, &store, &err), 0);
    for (int i = 0; i < 3; i++) {
        const struct run_new run = {.command = i == 2 ? "restart" : "status",
                                    .args_json = "{}",
                                    .user_name = "carol",
                                    .role = "operator",
                                    .channel = "telegram",
                                    .state = RUN_RUNNING};
        assert_int_equal(run_table_add(store, &run, USEC_PER_DAY, &id, &err), 0);
    }
    AUTO_JSON struct json_object *root = get_list(f, "/api/v1/runs?limit=2");
    assert_string_equal(json_text(root, "schema"), "nightdesk.runs/1");
    assert_int_equal(json_len(json_get(root, "runs")), 2);
    assert_int_equal(json_i64(root, "next_offset", 0), 2);
    struct json_object *newest = json_item(json_get(root, "runs"), 0);
    assert_int_equal(json_i64(newest, "id", 0), 3);
    assert_string_equal(json_text(newest, "command"), "restart");
    assert_string_equal(json_text(newest, "user"), "carol");
    assert_string_equal(json_text(newest, "state"), "running");
    assert_null(json_get(newest, "error_code"));
    ops_store_free(store);
}

/* A database that was restored at its path is opened again. */
static void a_restored_database_is_read(void **state)
{
    struct api_rig *f = *state;
    struct err err = {0};
    char path[128], aside[128];
    struct trading_store *store = NULL;
    assert_int_equal(trading_store_open(f->folder, TRADING_STORE_WRITE, &store, &err), 0);
    add_trade(store, 1, "BTC-USD");
    AUTO_JSON struct json_object *before = get_list(f, "/api/v1/trades");
    assert_int_equal(json_len(json_get(before, "trades")), 1);
    trading_store_free(store);
    (void)snprintf(path, sizeof(path), "%s/trading.db", f->folder);
    (void)snprintf(aside, sizeof(aside), "%s/aside", f->folder);
    assert_int_equal(rename(path, aside), 0);
    for (int i = 0; i < 2; i++) {
        char extra[160];
        (void)snprintf(extra, sizeof(extra), "%s%s", path, i == 0 ? "-wal" : "-shm");
        (void)unlink(extra);
    }
    assert_int_equal(trading_store_open(f->folder, TRADING_STORE_WRITE, &store, &err), 0);
    add_trade(store, 7, "BTC-USD");
    add_trade(store, 8, "BTC-USD");
    (void)atomic_fetch_add(&f->shared.trading_file, 1);
    AUTO_JSON struct json_object *after = get_list(f, "/api/v1/trades");
    assert_int_equal(json_len(json_get(after, "trades")), 2);
    trading_store_free(store);
}

static void a_bad_query_is_refused(void **state)
{
    struct api_rig *f = *state;
    static const char *const paths[] = {
        "/api/v1/positions?limit=0",   "/api/v1/positions?limit=201",
        "/api/v1/positions?limit=ten", "/api/v1/positions?limit=",
        "/api/v1/positions?offset=-1", "/api/v1/positions?offset=99999999999999999999",
        "/api/v1/trades?symbol=a%20b", "/api/v1/decisions?limit=1000000",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *body;
        if (api_rig_get(f, false, paths[i], "", &body) != 400) {
            fail_msg("accepted: %s: %s", paths[i], body);
        }
        api_rig_code(body, "API_QUERY");
    }
    const char *body;
    assert_int_equal(api_rig_get(f, false, "/api/v1/trades?symbol=%00", "", &body), 400);
    api_rig_code(body, "WEB_TARGET");
    assert_int_equal(api_rig_get(f, false, "/api/v1/tradez", "", &body), 404);
    api_rig_code(body, "API_NOT_FOUND");
    assert_int_equal(
        api_rig_exchange(f, false,
                         "POST /api/v1/trades HTTP/1.1\r\nHost: localhost\r\nConnection: "
                         "close\r\nContent-Length: 0\r\n\r\n",
                         &body),
        405);
}

UNIT_GROUP(api_lists, API_TEST(lists_are_read_from_the_databases),
           API_TEST(alerts_are_read_from_ops_db), API_TEST(runs_are_read_from_ops_db),
           API_TEST(a_restored_database_is_read), API_TEST(a_bad_query_is_refused))

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
                     503); /* no trading.db yet */
    api_rig_code(body, "DB_OPEN");
    assert_has(api_rig_answer(), "Retry-After: ");

    AUTO_TRADING_STORE struct trading_store *store = NULL;
    assert_int_equal(trading_store_open(f->folder, TRADING_STORE_WRITE, &store, &err), 0);
    for (int64_t id = 1; id <= 5; id++) {
        add_trade(store, id, id % 2 == 0 ? "ETH-USD" : "BTC-USD");
    }
    AUTO_JSON struct json_object *first = get_list(f, "/api/v1/trades?limit=2");
    assert_string_equal(json_text(first, "schema"), "nightdesk.trades/2");
    assert_true(json_truth(first, "stale", false)); /* no snapshot was published */
    assert_int_equal(json_len(json_get(first, "trades")), 2);
    assert_int_equal(json_i64(json_item(json_get(first, "trades"), 0), "id", 0), 5);
    assert_true(json_text(first, "next_cursor")[0] != '\0');
    assert_null(json_get(first, "next_offset"));
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
    assert_true(json_double(positions, "data_age_seconds", -1) >= 0);
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
    assert_string_equal(json_text(root, "schema"), "nightdesk.runs/2");
    assert_int_equal(json_len(json_get(root, "runs")), 2);
    assert_true(json_text(root, "next_cursor")[0] != '\0');
    struct json_object *newest = json_item(json_get(root, "runs"), 0);
    assert_int_equal(json_i64(newest, "id", 0), 3);
    assert_string_equal(json_text(newest, "command"), "restart");
    assert_string_equal(json_text(newest, "user"), "carol");
    assert_string_equal(json_text(newest, "state"), "running");
    assert_null(json_get(newest, "error_code"));
    ops_store_free(store);
}

static void add_approval(struct ops_store *store, int64_t run, const char *note)
{
    assert_int_equal(run_table_step_begin(store, run, 1, "command.approve", 1, NULL), 0);
    assert_int_equal(run_table_step_note(store, run, 1, note, NULL), 0);
    assert_int_equal(run_table_step_outputs(store, run, 1, "{\"asked\":\"Move it?\"}", NULL), 0);
}

/* What waits in the middle of a run, until it is answered. */
static void a_run_says_what_it_waits_for(void **state)
{
    struct api_rig *f = *state;
    struct err err = {0};
    AUTO_OPS_STORE struct ops_store *store = NULL;
    int64_t id = 0;
    assert_int_equal(ops_store_open(f->folder, OPS_STORE_WRITE, &store, &err), 0);
    for (int i = 0; i < 3; i++) {
        const struct run_new run = {.command = "move",
                                    .args_json = "{}",
                                    .user_name = "carol",
                                    .role = "operator",
                                    .channel = "telegram",
                                    .state = RUN_RUNNING};
        assert_int_equal(run_table_add(store, &run, USEC_PER_DAY, &id, &err), 0);
        assert_int_equal(run_table_step_begin(store, id, 0, "service.check", 1, &err), 0);
    }
    add_approval(store, 2, "K7Q2AB 1795000000000000 12 yes bob");
    add_approval(store, 3, "Z9Q2AB 1795000000000000 12");
    AUTO_JSON struct json_object *root = get_list(f, "/api/v1/runs?state=running");
    struct json_object *runs = json_get(root, "runs");
    struct json_object *approval = json_get(json_item(runs, 0), "approval");
    assert_int_equal(json_len(runs), 3);
    assert_string_equal(json_text(approval, "code"), "Z9Q2AB");
    assert_string_equal(json_text(approval, "asked"), "Move it?");
    assert_string_equal(json_text(approval, "expires_at"), "2026-11-18T11:06:40.000000Z");
    assert_null(json_get(json_item(runs, 1), "approval"));
    assert_null(json_get(json_item(runs, 2), "approval"));
    assert_int_equal(run_table_step_end(store, 3, 1, RUN_STEP_DONE, "ok", 2, &err), 0);
    AUTO_JSON struct json_object *later = get_list(f, "/api/v1/runs?state=running");
    assert_null(json_get(json_item(json_get(later, "runs"), 0), "approval"));
}

/* Pages neither repeat nor skip a row, although rows are added between them. */
static void pages_stay_whole_while_rows_are_added(void **state)
{
    struct api_rig *f = *state;
    struct err err = {0};
    AUTO_TRADING_STORE struct trading_store *store = NULL;
    assert_int_equal(trading_store_open(f->folder, TRADING_STORE_WRITE, &store, &err), 0);
    for (int64_t id = 1; id <= 7; id++) {
        add_trade(store, id, "BTC-USD");
    }
    char path[256] = "/api/v1/trades?limit=3&fields=id";
    int64_t wanted = 7, added = 8;
    int pages = 0;
    for (bool more = true; more; pages++) {
        AUTO_JSON struct json_object *page = get_list(f, path);
        struct json_object *trades = json_get(page, "trades");
        for (size_t i = 0; i < json_len(trades); i++) {
            assert_int_equal(json_object_object_length(json_item(trades, i)), 1);
            assert_int_equal(json_i64(json_item(trades, i), "id", 0), wanted--);
        }
        more = json_get(page, "next_cursor") != NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/trades?limit=3&fields=id&cursor=%s",
                       json_text(page, "next_cursor"));
        add_trade(store, added++, "BTC-USD");
    }
    assert_int_equal(wanted, 0);
    assert_int_equal(pages, 3);
}

static void alerts_are_paged_in_their_order(void **state)
{
    struct api_rig *f = *state;
    struct err err = {0};
    AUTO_OPS_STORE struct ops_store *store = NULL;
    assert_int_equal(ops_store_open(f->folder, OPS_STORE_WRITE, &store, &err), 0);
    static const enum severity severities[] = {SEVERITY_LOW, SEVERITY_CRITICAL, SEVERITY_LOW,
                                               SEVERITY_HIGH, SEVERITY_CRITICAL};
    for (int i = 0; i < 5; i++) {
        char title[8];
        (void)snprintf(title, sizeof(title), "a%d", i + 1);
        struct alert_raised raised;
        const struct alert_new alert = {.type = ALERT_SERVICE,
                                        .severity = severities[i],
                                        .title = title,
                                        .source = i == 3 ? "auditor" : "health",
                                        .fingerprint = title};
        assert_int_equal(alert_table_raise(store, &alert, USEC_PER_DAY, &raised, &err), 0);
    }
    static const int64_t order[] = {5, 2, 4, 3, 1};
    char path[256] = "/api/v1/alerts?limit=2";
    size_t n = 0;
    for (bool more = true; more;) {
        AUTO_JSON struct json_object *page = get_list(f, path);
        for (size_t i = 0; i < json_len(json_get(page, "alerts")); i++) {
            assert_true(n < COUNT_OF(order));
            assert_int_equal(json_i64(json_item(json_get(page, "alerts"), i), "id", 0), order[n++]);
        }
        more = json_get(page, "next_cursor") != NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/alerts?limit=2&cursor=%s",
                       json_text(page, "next_cursor"));
    }
    assert_int_equal(n, COUNT_OF(order));
    AUTO_JSON struct json_object *findings = get_list(f, "/api/v1/findings");
    assert_int_equal(json_len(json_get(findings, "findings")), 1);
    AUTO_JSON struct json_object *worst = get_list(f, "/api/v1/alerts?severity=critical");
    assert_int_equal(json_len(json_get(worst, "alerts")), 2);
    AUTO_JSON struct json_object *source = get_list(f, "/api/v1/alerts?source=health");
    assert_int_equal(json_len(json_get(source, "alerts")), 4);
}

static void a_field_that_no_item_has_is_refused(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    api_rig_publish(f);
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions?fields=symbol,quantity", "", &body),
                     400);
    assert_has(body, "fields: quantity is no member of these items");
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions?fields=symbol,qty", "", &body), 200);
    assert_has(body, "\"positions\":[{\"symbol\":\"BTC-USD\",\"qty\":0.0031}]");
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
        "/api/v1/positions?limit=0",
        "/api/v1/positions?limit=201",
        "/api/v1/positions?limit=ten",
        "/api/v1/positions?limit=",
        "/api/v1/positions?offset=1",
        "/api/v1/positions?limit=99999999999999999999",
        "/api/v1/trades?cursor=12",
        "/api/v1/trades?cursor=7472616465733a",
        "/api/v1/trades?cursor=006f72646572733a31",
        "/api/v1/trades?cursor=6f72646572733a31",
        "/api/v1/trades?since=yesterdey",
        "/api/v1/orders?state=fillled",
        "/api/v1/candles",
        "/api/v1/decisions/0",
        "/api/v1/decisions/99999999999999999999",
        "/api/v1/runs/x",
        "/api/v1/trades?symbol=a%20b",
        "/api/v1/decisions?limit=1000000",
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
           API_TEST(a_run_says_what_it_waits_for), API_TEST(pages_stay_whole_while_rows_are_added),
           API_TEST(alerts_are_paged_in_their_order), API_TEST(a_field_that_no_item_has_is_refused),
           API_TEST(a_restored_database_is_read), API_TEST(a_bad_query_is_refused))

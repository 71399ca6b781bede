#include "access/access.h"
#include "alerts/alerts.h"
#include "api/api.h"
#include "auditor/auditor.h"
#include "base/check.h"
#include "command/builtin.h"
#include "command/manifest.h"
#include "command/reply.h"
#include "command/runner.h"
#include "config/config.h"
#include "deploy/deploy.h"
#include "health/autofix.h"
#include "health/health.h"
#include "io/json.h"
#include "io/loop.h"
#include "io/secret.h"
#include "learning/learner.h"
#include "model/shared.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/run_table.h"
#include "store/trade_table.h"
#include "trading/desk.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define TOKEN "correct-horse-battery"

struct fixture {
    struct loop *loop;
    struct shared shared;
    struct snapshot *snapshot; /* the last published one */
    struct config *config;
    struct ops_store *store;
    struct access *access;
    struct alerts *alerts;
    struct action_table *actions;
    struct builtin builtin;
    struct manifest_list *manifests;
    struct runner *runner;
    struct health *health; /* not started: the restart prompt reads it */
    struct api *api;
    char socket_path[64];
    char folder[48];
    uid_t caller_uid; /* at the socket; 0: ours */
};

/* ---------------------------------------------------------------- a client in its own thread */

struct client {
    const struct fixture *f;
    bool tcp;
    uid_t uid; /* of the caller; 0: ours */
    const char *request;
    bool hang_up; /* closes the connection without reading */
    _Atomic bool done;
    char answer[65536];
    size_t len;
};

static int dial(const struct client *c)
{
    if (c->tcp) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const struct sockaddr_in to = {.sin_family = AF_INET,
                                       .sin_port = htons(api_port(c->f->api)),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        ASSERT(connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
        return fd;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (c->uid != 0) { /* the system call changes this thread alone */
        ASSERT(syscall(SYS_setresuid, c->uid, c->uid, c->uid) == 0);
    }
    ASSERT(str_copy(str_c(c->f->socket_path), to.sun_path, sizeof(to.sun_path)));
    ASSERT(connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

static void *client_run(void *userdata)
{
    struct client *c = userdata;
    int fd = dial(c);
    size_t len = strlen(c->request);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, c->request + sent, len - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        sent += (size_t)n;
    }
    while (!c->hang_up && c->len + 1 < sizeof(c->answer)) {
        ssize_t n = read(fd, c->answer + c->len, sizeof(c->answer) - 1 - c->len);
        if (n <= 0) {
            break;
        }
        c->len += (size_t)n;
    }
    c->answer[c->len] = '\0';
    (void)close(fd);
    atomic_store(&c->done, true);
    return NULL;
}

/* Sends raw bytes while running the loop; returns the HTTP status and the body in *ret_body. */
static int exchange(struct fixture *f, bool tcp, const char *request, const char **ret_body)
{
    static struct client client;
    memset(&client, 0, sizeof(client));
    client.f = f;
    client.tcp = tcp;
    client.uid = tcp ? 0 : f->caller_uid;
    client.request = request;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, client_run, &client), 0);
    for (int i = 0; i < 1000 && !atomic_load(&client.done); i++) {
        (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
    }
    assert_true(atomic_load(&client.done));
    (void)pthread_join(thread, NULL);
    int64_t status = 0;
    assert_true(client.len > 12 && strncmp(client.answer, "HTTP/1.1 ", 9) == 0);
    assert_true(str_to_i64(str_n(client.answer + 9, 3), &status));
    const char *body = strstr(client.answer, "\r\n\r\n");
    assert_non_null(body);
    if (ret_body != NULL) {
        *ret_body = body + 4;
    }
    return (int)status;
}

static int get(struct fixture *f, bool tcp, const char *path, const char *headers,
               const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(8192);
    buf_addf(&text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sConnection: close\r\n\r\n", path,
             headers);
    return exchange(f, tcp, text.data, ret_body);
}

static int post(struct fixture *f, bool tcp, const char *name, const char *headers,
                const char *body, const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(256 * 1024);
    buf_addf(&text,
             "POST /api/v1/commands/%s HTTP/1.1\r\nHost: localhost:80\r\n%sConnection: "
             "close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             name, headers, strlen(body));
    buf_add_c(&text, body);
    return exchange(f, tcp, text.data, ret_body);
}

static void check_code(const char *body, const char *code)
{
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "error_code"), code);
    assert_true(json_text(root, "cause")[0] != '\0');
    assert_true(json_text(root, "impact")[0] != '\0');
    assert_true(json_text(root, "remediation")[0] != '\0');
}

/* ---------------------------------------------------------------- fixture */

/* The actions of ops/reload.h, a layer above this one, so that the embedded manifests load. */
static int never_run(struct action_call *call, struct err *err)
{
    (void)call;
    return err_set(err, ERR_INTERNAL, "not used here");
}

/* Says what it does and waits for the test. */
static struct action_call *slow_call;

static int show_slowly(struct action_call *call, struct err *err)
{
    (void)err;
    slow_call = call;
    action_progress(call, "reading shelf %d", 7);
    return ACTION_PENDING;
}

static void give_up(struct action_call *call)
{
    (void)call;
    slow_call = NULL;
}

static const struct action ops_rows[] = {
    {.name = "config.reload",
     .summary = "Reload the configuration",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "why", .type = PARAM_TEXT}),
     .run = never_run},
    {.name = "config.history",
     .summary = "Earlier configurations",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "id", .type = PARAM_INT}),
     .run = show_slowly,
     .cancel = give_up},
    {.name = "risk.set",
     .summary = "Change limits",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "changes", .type = PARAM_TEXT, .required = true}),
     .run = never_run},
    {.name = "token.rotate",
     .summary = "Use a new secret",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "which", .type = PARAM_CHOICE, .choices = "telegram|api"},
                             {.name = "grace", .type = PARAM_DURATION},
                             {.name = "other_bot", .type = PARAM_CHOICE, .choices = "no|yes"}),
     .run = never_run},
    {.name = "state.backup",
     .summary = "Copy both databases",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "keep", .type = PARAM_INT, .minimum = "1", .maximum = "100"}),
     .run = never_run},
    {.name = "state.backups",
     .summary = "The copies",
     .effect = ACTION_READS,
     .lowest = ROLE_OPERATOR,
     .run = never_run},
    {.name = "state.restore",
     .summary = "Prepare a copy for the next start",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS({.name = "backup", .type = PARAM_TEXT}),
     .run = never_run},
    {0},
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err err = {0};
    (void)str_copy(str_c("/var/tmp/nd-api.XXXXXX"), f->folder, sizeof(f->folder));
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->socket_path, sizeof(f->socket_path), "%s/sock", f->folder);
    shared_init(&f->shared, CAPACITY_MIN);
    struct shared_reader *socket_reader = shared_reader_add(&f->shared, "socket", 0);
    struct shared_reader *tcp_reader = shared_reader_add(&f->shared, "tcp", 0);
    shared_seal(&f->shared);
    assert_int_equal(secret_init(&err), 0);
    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    assert_int_equal(
        config_parse(STR_LIT("api:\n  token: " TOKEN "\nservices:\n"
                             "  demo: {command: [self], url: 'http://127.0.0.1:8099'}\n"
                             "  backup: {checks: {nightly: {heartbeat: 1d}}}\n"),
                     "test", &f->config, NULL, &err),
        0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &f->store, &err), 0);
    assert_int_equal(access_new(f->config, f->store, clock_real(), &f->access, &err), 0);
    f->builtin = (struct builtin){.store = f->store, .clock = clock_real()};
    f->actions = action_table_new();
    /* These actions are only described, not run: the tests run version and help. */
    builtin_actions(&f->builtin, f->actions);
    desk_actions(NULL, f->actions);
    alerts_actions(NULL, f->actions);
    const struct alerts_options alerts = {
        .clock = clock_real(), .config = f->config, .store = f->store};
    assert_int_equal(alerts_new(&alerts, &f->alerts, &err), 0);
    const struct health_options health = {.loop = f->loop,
                                          .config = f->config,
                                          .store = f->store,
                                          .alerts = f->alerts,
                                          .state_dir = f->folder};
    assert_int_equal(health_new(&health, &f->health, &err), 0);
    health_actions(f->health, f->actions);
    deploy_actions(NULL, f->actions);
    autofix_actions(NULL, f->actions);
    auditor_actions(NULL, f->actions);
    learner_actions(NULL, f->actions);
    action_table_add(f->actions, ops_rows, NULL);
    assert_int_equal(manifest_list_load(f->actions, &f->manifests, &err), 0);
    f->builtin.manifests = f->manifests;
    const struct runner_options runner = {.loop = f->loop,
                                          .clock = clock_real(),
                                          .config = f->config,
                                          .store = f->store,
                                          .access = f->access,
                                          .actions = f->actions,
                                          .manifests = f->manifests};
    assert_int_equal(runner_new(&runner, &f->runner, &err), 0);
    const struct api_options options = {.loop = f->loop,
                                        .shared = &f->shared,
                                        .socket_reader = socket_reader,
                                        .tcp_reader = tcp_reader,
                                        .runner = f->runner,
                                        .access = f->access,
                                        .health = f->health,
                                        .socket_path = f->socket_path,
                                        .tcp = true,
                                        .config = f->config,
                                        .state_dir = f->folder};
    assert_int_equal(api_start(&options, &f->api, &err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    api_stop(f->api);
    runner_free(f->runner);
    manifest_list_free(f->manifests);
    action_table_free(f->actions);
    health_free(f->health);
    alerts_free(f->alerts);
    access_free(f->access);
    ops_store_free(f->store);
    config_free(f->config);
    loop_free(f->loop);
    shared_release(&f->shared);
    free(f->snapshot);
    char command[80];
    (void)snprintf(command, sizeof(command), "rm -r -- '%s'", f->folder);
    assert_int_equal(system(command), 0); /* the socket was deleted too */
    free(f);
    return 0;
}

static void publish(struct fixture *f)
{
    free(f->snapshot);
    struct snapshot *s = f->snapshot = snapshot_new(CAPACITY_MIN);
    s->version = 7;
    s->state = TRADING_PAUSED;
    (void)str_copy(str_c("paused by alice"), s->state_reason, sizeof(s->state_reason));
    s->published_wall_us = INT64_C(1700000000) * USEC_PER_SEC;
    s->equity = dec_from_int(10412);
    s->cash = (struct dec){.e8 = 1};
    s->market_count = 1;
    (void)str_copy(str_c("BTC-USD"), s->markets[0].symbol.name, SYMBOL_SIZE);
    s->markets[0].price = (struct dec){.e8 = 6412050000000};
    s->position_count = 1;
    (void)str_copy(str_c("BTC-USD"), s->positions[0].symbol.name, SYMBOL_SIZE);
    s->positions[0].side = SIDE_LONG;
    s->positions[0].qty = (struct dec){.e8 = 310000};
    shared_publish_snapshot(&f->shared, s);
}

static void beat_both(struct fixture *f)
{
    int64_t now_us = clock_mono_us(clock_real());
    atomic_store(&f->shared.engine_beat_mono_us, now_us);
    atomic_store(&f->shared.ops_beat_mono_us, now_us);
}

/* ---------------------------------------------------------------- tests */

static void health_needs_both_heartbeats_and_a_snapshot(void **state)
{
    struct fixture *f = *state;
    const char *body;
    beat_both(f);
    assert_int_equal(get(f, true, "/healthz", "", &body), 503);
    assert_int_equal(get(f, false, "/api/v1/state", "", &body), 200);
    assert_non_null(strstr(body, "\"age_ms\":null,\"stale\":true"));
    publish(f);
    assert_int_equal(get(f, true, "/healthz", "", &body), 200);
    assert_non_null(strstr(body, "\"trading\":\"paused\""));
    assert_non_null(strstr(body, "\"status\":\"ok\""));
    atomic_store(&f->shared.telegram, CHAT_REFUSED);
    atomic_store(&f->shared.telegram_since_us, INT64_C(1795226400000000));
    assert_int_equal(get(f, true, "/healthz", "", &body), 200);
    assert_non_null(strstr(body, "\"status\":\"degraded\""));
    assert_non_null(strstr(body, "\"telegram\":{\"state\":\"refused\",\"since\":\"2026-11-21T"));
    assert_int_equal(get(f, false, "/api/v1/state", "", &body), 200);
    assert_non_null(strstr(body, "\"telegram\":{\"state\":\"refused\",\"since\":\"2026-11-21T"));
    atomic_store(&f->shared.engine_beat_mono_us, clock_mono_us(clock_real()) - 60 * USEC_PER_SEC);
    assert_int_equal(get(f, false, "/healthz", "", &body), 503);
    assert_non_null(strstr(body, "\"engine\":{\"alive\":false"));
    assert_non_null(strstr(body, "\"ops\":{\"alive\":true"));
}

/* A full or slow disk is unhealthy, whatever the trading state is. */
static void a_failed_or_slow_disk_is_unhealthy(void **state)
{
    struct fixture *f = *state;
    const char *body;
    for (int slow = 0; slow < 2; slow++) {
        beat_both(f);
        publish(f);
        struct snapshot *s = f->snapshot;
        s->state = TRADING_ACTIVE;
        s->disk = (struct snapshot_disk){.state = slow ? DISK_SLOW : DISK_FAILED,
                                         .err = slow ? 0 : ERR_DB_FULL,
                                         .since_wall_us = INT64_C(1700000000) * USEC_PER_SEC,
                                         .commit_us = slow ? 2500 * USEC_PER_MSEC : 0,
                                         .closes = !slow};
        shared_publish_snapshot(&f->shared, s);
        assert_int_equal(get(f, false, "/healthz", "", &body), 503);
        assert_non_null(strstr(body, "\"status\":\"degraded\",\"trading\":\"active\""));
        assert_non_null(strstr(body, slow ? "\"disk\":\"slow\"" : "\"disk\":\"failed\""));
        assert_int_equal(get(f, false, "/api/v1/state", "", &body), 200);
        assert_non_null(strstr(body, slow ? "\"disk\":{\"state\":\"slow\",\"commit_ms\":2500,"
                                          : "\"disk\":{\"state\":\"failed\",\"error_code\":"
                                            "\"DB_FULL\",\"closes\":true,"));
        assert_non_null(strstr(body, "\"since\":\"2023-11-14T22:13:20.000000Z\""));
    }
}

static void state_has_exact_numbers_on_both_listeners(void **state)
{
    struct fixture *f = *state;
    publish(f);
    const char *body;
    for (int tcp = 0; tcp < 2; tcp++) {
        const char *token = tcp ? "Authorization: Bearer " TOKEN "\r\n" : "";
        assert_int_equal(get(f, tcp == 1, "/api/v1/state", token, &body), 200);
        AUTO_JSON struct json_object *root = NULL;
        assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
        struct json_object *account = json_get(root, "account");
        assert_string_equal(json_text(root, "schema"), "nightdesk.state/1");
        assert_non_null(strstr(body, "\"equity\":10412,"));
        assert_non_null(strstr(body, "\"cash\":0.00000001,"));
        assert_true(json_double(account, "equity", 0) == 10412);
        assert_string_equal(json_text(json_get(root, "trading"), "reason"), "paused by alice");
        assert_non_null(strstr(body, "\"qty\":0.0031,"));
        assert_non_null(strstr(body, "\"price\":64120.5,"));
        assert_string_equal(json_text(root, "published_at"), "2023-11-14T22:13:20.000000Z");
        struct json_object *loop = json_get(root, "ops_loop");
        assert_int_equal(json_i64(loop, "longest_absence_us", -1), 0);
        assert_int_equal(json_i64(loop, "absences_over_limit", -1), 0);
    }
}

static void add_trade(struct trading_store *store, int64_t id, const char *symbol)
{
    struct err err = {0};
    struct trade t = {.id = id, .side = SIDE_LONG, .closed_us = id * USEC_PER_HOUR};
    assert_true(symbol_parse(str_c(symbol), &t.symbol));
    (void)snprintf(t.client_id, sizeof(t.client_id), "nd-1-%lld", (long long)id);
    (void)snprintf(t.exit_reason, sizeof(t.exit_reason), "stop");
    assert_int_equal(trade_table_add(store, &t, &err), 0);
}

static struct json_object *get_list(struct fixture *f, const char *path)
{
    const char *body;
    struct json_object *root = NULL;
    int status = get(f, false, path, "", &body);
    if (status != 200) {
        fail_msg("%s: %d %s", path, status, body);
    }
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    return root;
}

static void lists_are_read_from_the_databases(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    const char *body;
    assert_int_equal(get(f, false, "/api/v1/trades", "", &body), 500); /* no trading.db yet */
    check_code(body, "DB_OPEN");

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
    publish(f);
    AUTO_JSON struct json_object *positions = get_list(f, "/api/v1/positions");
    assert_int_equal(json_len(json_get(positions, "positions")), 1);
    assert_true(json_i64(positions, "age_ms", -1) >= 0);
}

static void alerts_are_read_from_ops_db(void **state)
{
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
    static const char *const paths[] = {
        "/api/v1/positions?limit=0",       "/api/v1/positions?limit=201",
        "/api/v1/positions?limit=ten",     "/api/v1/positions?limit=",
        "/api/v1/positions?offset=-1",     "/api/v1/positions?offset=99999999999999999999",
        "/api/v1/trades?symbol=%00",       "/api/v1/trades?symbol=a%20b",
        "/api/v1/decisions?limit=1000000",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *body;
        if (get(f, false, paths[i], "", &body) != 400) {
            fail_msg("accepted: %s: %s", paths[i], body);
        }
        check_code(body, "API_QUERY");
    }
    const char *body;
    assert_int_equal(get(f, false, "/api/v1/tradez", "", &body), 404);
    check_code(body, "API_NOT_FOUND");
    assert_int_equal(exchange(f, false,
                              "POST /api/v1/trades HTTP/1.1\r\nHost: localhost\r\nConnection: "
                              "close\r\nContent-Length: 0\r\n\r\n",
                              &body),
                     405);
}

static void a_uid_that_is_not_listed_reads_only_the_health(void **state)
{
    struct fixture *f = *state;
    const char *body;
    if (geteuid() != 0) {
        skip(); /* only root can be another user */
    }
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_int_equal(chmod(f->socket_path, 0666), 0);
    f->caller_uid = 65534;
    assert_int_equal(get(f, false, "/api/v1/state", "", &body), 403);
    check_code(body, "API_UID");
    assert_int_equal(get(f, false, "/api/v1/positions", "", &body), 403);
    assert_int_equal(get(f, false, "/api/v1/events", "", &body), 403);
    assert_int_equal(get(f, false, "/api/v1/complete", "", &body), 403);
    (void)get(f, false, "/healthz", "", &body);
    assert_has(body, "nightdesk.health/1");

    struct config *listed = NULL;
    struct err err = {0};
    assert_int_equal(config_parse(STR_LIT("api:\n  local_users: [{uid: 65534, name: nina}]\n"),
                                  "test", &listed, NULL, &err),
                     0);
    api_apply(f->api, listed);
    assert_int_equal(get(f, false, "/api/v1/positions", "", &body), 200);
    api_apply(f->api, f->config);
    assert_int_equal(get(f, false, "/api/v1/positions", "", &body), 403);
    config_free(listed);
}

static void assert_in_state(struct fixture *f, const char *part)
{
    const char *body;
    assert_int_equal(get(f, false, "/api/v1/state", "", &body), 200);
    assert_has(body, part);
}

/* The answer is kept until something in it changes. */
static void state_shows_each_change_at_once(void **state)
{
    struct fixture *f = *state;
    assert_in_state(f, "\"age_ms\":null,\"stale\":true");
    publish(f);
    assert_in_state(f, "\"equity\":10412,");
    atomic_store(&f->shared.telegram, CHAT_SILENT);
    assert_in_state(f, "\"telegram\":{\"state\":\"silent\"");
    atomic_store(&f->shared.ops_away_us, 61000);
    assert_in_state(f, "\"longest_absence_us\":61000");
    atomic_store(&f->shared.ops_absences, 3);
    assert_in_state(f, "\"absences_over_limit\":3");
    atomic_store(&f->shared.telegram_since_us, 1700000000000000);
    assert_in_state(f, "\"since\":\"2023-11-14T22:13:20.000000Z\"");
}

static void a_new_token_replaces_the_old_one(void **state)
{
    struct fixture *f = *state;
    const char *body;
    static const char old[] = "Authorization: Bearer " TOKEN "\r\n";
    static const char now[] = "Authorization: Bearer n3w-t0ken\r\n";
    publish(f);
    AUTO_CONFIG struct config *config = NULL;
    assert_int_equal(config_parse(STR_LIT("api: {token: n3w-t0ken}"), "t", &config, NULL, NULL), 0);
    assert_int_equal(get(f, true, "/api/v1/state", old, &body), 200);
    assert_int_equal(get(f, true, "/api/v1/state", now, &body), 401);
    api_apply(f->api, config);
    assert_int_equal(get(f, true, "/api/v1/state", old, &body), 401);
    assert_int_equal(get(f, true, "/api/v1/state", now, &body), 200);
    AUTO_CONFIG struct config *none = NULL;
    assert_int_equal(config_parse(STR_LIT(""), "t", &none, NULL, NULL), 0);
    api_apply(f->api, none);
    assert_int_equal(get(f, true, "/api/v1/state", now, &body), 401);
}

/* For the clients that get the new token one after the other. */
static void during_a_grace_both_tokens_are_accepted(void **state)
{
    struct fixture *f = *state;
    const char *body;
    static const char old[] = "Authorization: Bearer " TOKEN "\r\n";
    static const char now[] = "Authorization: Bearer n3w-t0ken\r\n";
    publish(f);
    AUTO_CONFIG struct config *config = NULL;
    assert_int_equal(config_parse(STR_LIT("api: {token: n3w-t0ken}"), "t", &config, NULL, NULL), 0);
    api_grace(f->api, clock_wall_us(clock_real()) + USEC_PER_HOUR);
    assert_int_equal(get(f, true, "/api/v1/state", now, &body), 401); /* not applied yet */
    api_apply(f->api, config);
    assert_int_equal(get(f, true, "/api/v1/state", old, &body), 200);
    assert_int_equal(get(f, true, "/api/v1/state", now, &body), 200);
    assert_int_equal(get(f, true, "/api/v1/state", "Authorization: Bearer \r\n", &body), 401);
    api_apply(f->api, config); /* another reload does not end it */
    assert_int_equal(get(f, true, "/api/v1/state", old, &body), 200);
    AUTO_CONFIG struct config *next = NULL;
    assert_int_equal(config_parse(STR_LIT("api: {token: n3xt}"), "t", &next, NULL, NULL), 0);
    api_grace(f->api, clock_wall_us(clock_real()) + USEC_PER_SEC / 4);
    api_apply(f->api, next);
    assert_int_equal(get(f, true, "/api/v1/state", old, &body), 401); /* of the one before only */
    assert_int_equal(get(f, true, "/api/v1/state", now, &body), 200);
    (void)usleep(300 * 1000);
    assert_int_equal(get(f, true, "/api/v1/state", now, &body), 401);
}

static void tcp_needs_the_token_and_a_local_host(void **state)
{
    struct fixture *f = *state;
    const char *body;
    assert_int_equal(get(f, true, "/api/v1/state", "", &body), 401);
    check_code(body, "API_UNAUTHORIZED");
    assert_null(strstr(body, TOKEN));
    assert_int_equal(
        get(f, true, "/api/v1/state", "Authorization: Bearer correct-horse-batterz\r\n", &body),
        401);
    assert_int_equal(get(f, true, "/api/v1/state", "Authorization: Bearer \r\n", &body), 401);
    assert_int_equal(get(f, true, "/api/v1/state",
                         "Origin: http://evil.example\r\nAuthorization: Bearer " TOKEN "\r\n",
                         &body),
                     403);
    check_code(body, "API_FOREIGN");
    assert_int_equal(exchange(f, true,
                              "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: "
                              "close\r\n\r\n",
                              &body),
                     403);
    assert_int_equal(exchange(f, true,
                              "GET /healthz HTTP/1.1\r\nHost: localhost.evil.example\r\n"
                              "Connection: close\r\n\r\n",
                              &body),
                     403);
    assert_int_equal(post(f, true, "version", "", "{}", &body), 401);
}

/* The path of the URL that a job calls, as an admin sees it; "" for others. */
static void find_ping(struct fixture *f, bool tcp, const char *headers, char *ret, size_t size)
{
    const char *body;
    assert_int_equal(post(f, tcp, "services", headers, "{\"args\":[\"backup\"]}", &body), 200);
    const char *path = strstr(body, "/ping/");
    (void)str_copy(str_n(path != NULL ? path : "", path != NULL ? strcspn(path, "\"") : 0), ret,
                   size);
}

/* The check that a ping wakes has its result a moment later. */
static void check_backup(struct fixture *f, const char *text)
{
    const char *body = "";
    for (int i = 0; i < 100 && strstr(body, text) == NULL; i++) {
        usleep(i > 0 ? 20000 : 0);
        assert_int_equal(post(f, false, "services", "", "{\"args\":[\"backup\"]}", &body), 200);
    }
    assert_has(body, text);
}

static void a_job_reports_with_its_key_alone(void **state)
{
    struct fixture *f = *state;
    const char *body;
    char path[80], longer[96];
    find_ping(f, false, "", path, sizeof(path));
    assert_int_equal(strlen(path), strlen("/ping/") + 32);
    assert_int_equal(get(f, true, path, "", &body), 200); /* without the token */
    assert_string_equal(body, "ok\n");
    check_backup(f, "\"state\":\"up\"");
    (void)snprintf(longer, sizeof(longer), "%s/fail", path);
    assert_int_equal(get(f, false, longer, "", &body), 200);
    check_backup(f, "the job reported a failure 1 s ago");
    (void)snprintf(longer, sizeof(longer), "%s/start", path);
    assert_int_equal(get(f, true, longer, "", &body), 200);
    check_backup(f, "the job reported a failure 1 s ago"); /* until it ends well */
    assert_int_equal(get(f, true, path, "", &body), 200);
    check_backup(f, "\"detail\":\"ok\"");
    (void)snprintf(longer, sizeof(longer), "%s/stop", path);
    assert_int_equal(get(f, true, longer, "", &body), 404);
    path[strlen(path) - 1] = path[strlen(path) - 1] == '0' ? '1' : '0';
    assert_int_equal(get(f, true, path, "", &body), 404);
    check_code(body, "API_NOT_FOUND");
    assert_int_equal(get(f, true, "/ping/", "", &body), 404);
}

static void a_command_runs_and_returns_its_reply(void **state)
{
    struct fixture *f = *state;
    const char *body;
    static const char *const bodies[] = {"", "{}", "{\"args\":[]}", "{\"args\":{}}",
                                         "{\"args\":null,\"confirm\":false}"};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        assert_int_equal(post(f, false, "version", "", bodies[i], &body), 200);
        assert_non_null(strstr(body, NIGHTDESK_VERSION));
    }
    assert_int_equal(post(f, true, "version", "Authorization: Bearer " TOKEN "\r\n", "{}", &body),
                     200);
}

static void a_refusal_is_a_catalogue_row_with_its_status(void **state)
{
    struct fixture *f = *state;
    const char *body;
    assert_int_equal(get(f, false, "/nothing", "", &body), 404);
    check_code(body, "API_NOT_FOUND");
    assert_int_equal(get(f, false, "/api/v1/commands/status", "", &body), 405);
    check_code(body, "API_METHOD");
    assert_int_equal(post(f, false, "..", "", "{}", &body), 404);
    assert_int_equal(post(f, false, "version", "", "{\"args\":", &body), 400);
    check_code(body, "JSON_SYNTAX");
    assert_int_equal(post(f, false, "version", "", "[1]", &body), 400);
    check_code(body, "API_BODY");
    assert_int_equal(post(f, false, "version", "", "{\"arg\":[]}", &body), 400);
    assert_int_equal(post(f, false, "version", "", "{\"confirm\":1}", &body), 400);
    assert_int_equal(post(f, false, "restart", "", "{\"args\":[1.5]}", &body), 400);
    assert_int_equal(post(f, false, "restart", "", "{\"args\":[\"a\\nb\"]}", &body), 400);
    assert_int_equal(post(f, false, "restart", "", "{\"args\":{\"servise\":\"demo\"}}", &body),
                     400);
    assert_has(body, "servise");
    assert_has(body, "COMMAND_ARG");
    assert_int_equal(post(f, false, "nosuch", "", "{}", &body), 404);
    assert_non_null(strstr(body, "COMMAND_UNKNOWN"));
    assert_int_equal(post(f, false, "restart", "", "{\"args\":[\"nosuch\"]}", &body), 400);
    assert_non_null(strstr(body, "COMMAND_ARG_INVALID"));
    assert_int_equal(post(f, false, "version", "", "{\"args\":[\"a\",\"b\"]}", &body), 400);
    assert_non_null(strstr(body, "COMMAND_ARG_EXTRA"));

    /* A number may be a JSON number; its range is that of the action. */
    assert_int_equal(post(f, false, "trades", "", "{\"args\":{\"count\":51}}", &body), 400);
    assert_non_null(strstr(body, "count: 51 is not in 1 to 50"));
    assert_int_equal(post(f, false, "trades", "", "{\"args\":[\"51\"]}", &body), 400);
    assert_non_null(strstr(body, "count: 51 is not in 1 to 50"));
    assert_int_equal(post(f, false, "trades", "", "{\"args\":{\"count\":true}}", &body), 400);
    check_code(body, "API_BODY");

    /* A value is bound to its name: its content cannot set another argument. */
    assert_int_equal(post(f, false, "amend", "",
                          "{\"args\":{\"symbol\":\"BTC-USD\",\"stop\":\"target=70000\"}}", &body),
                     400);
    assert_non_null(strstr(body, "stop: target=70000 is not a number"));
    assert_int_equal(
        post(f, false, "amend", "", "{\"args\":[\"BTC-USD\",\"target=70000\"]}", &body), 400);
    assert_non_null(strstr(body, "stop: target=70000 is not a number"));

    /* Spaces stay inside one argument, so this is one invalid service, not two arguments. */
    assert_int_equal(post(f, false, "restart", "", "{\"args\":[\"demo --force\"]}", &body), 400);
    assert_non_null(strstr(body, "COMMAND_ARG_INVALID"));
}

static void a_body_over_the_limit_is_refused_before_it_is_read(void **state)
{
    struct fixture *f = *state;
    char *large = malloc(80 * 1024 + 1);
    assert_non_null(large);
    memset(large, ' ', 80 * 1024);
    large[80 * 1024] = '\0';
    assert_int_equal(post(f, false, "version", "", large, NULL), 413);
    free(large);
}

static void a_command_that_changes_something_needs_a_confirmation(void **state)
{
    struct fixture *f = *state;
    const char *body;
    assert_int_equal(post(f, false, "restart", "", "{\"args\":{\"service\":\"demo\"}}", &body),
                     409);
    assert_non_null(strstr(body, "CONFIRM_NEEDED"));
}

static void a_client_that_hangs_up_is_harmless(void **state)
{
    struct fixture *f = *state;
    static struct client client;
    memset(&client, 0, sizeof(client));
    client.f = f;
    client.hang_up = true;
    client.request = "POST /api/v1/commands/version HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Length: 2\r\n\r\n{}";
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, client_run, &client), 0);
    (void)pthread_join(thread, NULL);
    for (int i = 0; i < 20; i++) {
        (void)loop_iterate(f->loop, 5 * USEC_PER_MSEC);
    }
    const char *body;
    assert_int_equal(post(f, false, "version", "", "{}", &body), 200);
}

static void stopping_answers_pending_commands(void **state)
{
    struct fixture *f = *state;
    static struct client client;
    memset(&client, 0, sizeof(client));
    client.f = f;
    client.request = "POST /api/v1/commands/version HTTP/1.1\r\nHost: localhost\r\n"
                     "Connection: close\r\nContent-Length: 2\r\n\r\n{}";
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, client_run, &client), 0);
    /* The loop does not run: the command is still in the ring when the API stops. */
    struct timespec moment = {.tv_nsec = 100 * 1000 * 1000};
    (void)nanosleep(&moment, NULL);
    api_stop(f->api);
    f->api = NULL;
    (void)pthread_join(thread, NULL);
    assert_non_null(strstr(client.answer, "HTTP/1.1 503"));
    assert_non_null(strstr(client.answer, "\"error_code\":\"API_STOPPING\""));
}

#define API_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
/* ---------------------------------------------------------------- what a console needs */

static int post_line(struct fixture *f, bool tcp, const char *json, const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(8192);
    buf_addf(&text,
             "POST /api/v1/complete HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             tcp ? "Authorization: Bearer " TOKEN "\r\n" : "", strlen(json), json);
    return exchange(f, tcp, text.data, ret_body);
}

static void a_line_is_completed_for_its_caller(void **state)
{
    struct fixture *f = *state;
    const char *body = NULL;
    assert_int_equal(post_line(f, false, "{\"line\":\"/hel\"}", &body), 200);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "schema"), "nightdesk.completions/1");
    assert_string_equal(json_text(json_item(json_get(root, "items"), 0), "text"), "help");
    assert_int_equal(json_i64(root, "from", -1), 1);
    assert_int_equal(post_line(f, false, "{\"line\":\"otp confirm 123456\"}", &body), 200);
    assert_non_null(strstr(body, "\"keep\":\"no\""));
    assert_int_equal(post_line(f, false, "{\"line\":\"otp status\"}", &body), 200);
    assert_non_null(strstr(body, "\"keep\":\"yes\""));
    assert_int_equal(post_line(f, false, "{\"line\":7}", &body), 400);
    check_code(body, "API_BODY");
    assert_int_equal(get(f, false, "/api/v1/complete", "", &body), 405);
}

static int64_t last_of(const char *body)
{
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "schema"), "nightdesk.events/1");
    return json_i64(root, "last", 0);
}

static int get_events(struct fixture *f, int64_t after, const char **ret_body)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/api/v1/events?after=%lld", (long long)after);
    return get(f, false, path, "", ret_body);
}

static void publish_titles(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        AUTO_REPLY struct reply *r = reply_new();
        reply_title(r, TONE_GOOD, "event %d", i);
        api_publish(f->api, r);
    }
}

static void publish_later(void *userdata)
{
    publish_titles(userdata, 1);
}

static void events_are_given_as_they_happen(void **state)
{
    struct fixture *f = *state;
    const char *body = NULL;
    assert_int_equal(get(f, false, "/api/v1/events", "", &body), 200);
    int64_t last = last_of(body);
    assert_non_null(strstr(body, "\"events\":[]"));

    struct loop_source *timer = loop_add_timer(f->loop, publish_later, f);
    int64_t began_us = clock_mono_us(clock_real());
    loop_timer_in(timer, 300 * USEC_PER_MSEC);
    assert_int_equal(get_events(f, last, &body), 200); /* it waits */
    assert_true(clock_mono_us(clock_real()) - began_us >= 300 * USEC_PER_MSEC);
    assert_non_null(strstr(body, "\"title\":\"event 0\""));
    assert_int_equal(last_of(body), last + 1);
    loop_source_free(timer);

    publish_titles(f, 20); /* more than one answer holds */
    assert_int_equal(get_events(f, last + 1, &body), 200);
    assert_int_equal(last_of(body), last + 17);
    assert_null(strstr(body, "event 16"));
    assert_int_equal(get_events(f, last + 17, &body), 200);
    assert_int_equal(last_of(body), last + 21);
    assert_non_null(strstr(body, "event 19"));

    publish_titles(f, 100); /* more than are kept */
    assert_int_equal(get_events(f, last + 21, &body), 200);
    assert_non_null(strstr(body, "\"missed\":36"));
    assert_non_null(strstr(body, "event 36"));
    assert_int_equal(get_events(f, 7, &body), 200); /* of another process */
    assert_non_null(strstr(body, "\"missed\":0,\"events\":[]"));
    assert_int_equal(get(f, false, "/api/v1/events?after=x", "", &body), 400);
    check_code(body, "API_QUERY");
}

/* As a chat edits it into one message; nobody but the caller at the socket sees it. */
static void progress_is_given_to_its_caller(void **state)
{
    struct fixture *f = *state;
    static struct client clients[4];
    pthread_t threads[COUNT_OF(clients)];
    const char *body = NULL;
    assert_int_equal(get(f, false, "/api/v1/events", "", &body), 200);
    AUTO_BUF struct buf events = BUF_INIT(512), token = BUF_INIT(512);
    buf_addf(&events, "GET /api/v1/events?after=%lld HTTP/1.1\r\nHost: localhost\r\n",
             (long long)last_of(body));
    buf_addf(&token, "%sAuthorization: Bearer " TOKEN "\r\nConnection: close\r\n\r\n", events.data);
    buf_add_c(&events, "Connection: close\r\n\r\n");
    static const char command[] =
        "POST /api/v1/commands/config_history HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: close\r\nContent-Length: 2\r\n\r\n{}";
    clients[0] = (struct client){.f = f, .request = events.data};
    clients[1] = (struct client){.f = f, .request = token.data, .tcp = true};
    clients[2] = (struct client){.f = f, .request = events.data};
    clients[3] = (struct client){.f = f, .request = command};
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, client_run, &clients[i]), 0);
        for (int k = 0; k < 10; k++) {
            (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
        }
    }
    for (int i = 0; i < 1000 && !atomic_load(&clients[2].done); i++) {
        (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
    }
    for (size_t i = 0; i < 3; i++) { /* it has answered them; the one over TCP without it */
        (void)pthread_join(threads[i], NULL);
        bool shown = strstr(clients[i].answer, "reading shelf 7") != NULL;
        assert_int_equal(shown, !clients[i].tcp);
        assert_true(!shown || strstr(clients[i].answer, "\"tone\":\"busy\"") != NULL);
        assert_non_null(strstr(clients[i].answer, "\"missed\":0"));
    }
    assert_false(atomic_load(&clients[3].done));
    assert_non_null(slow_call);
    reply_title(action_reply(slow_call), TONE_GOOD, "the last shelf");
    action_finish(slow_call, NULL);
    for (int i = 0; i < 1000 && !atomic_load(&clients[3].done); i++) {
        (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
    }
    (void)pthread_join(threads[3], NULL);
    assert_non_null(strstr(clients[3].answer, "the last shelf"));
}

static void stopping_answers_the_readers_of_events(void **state)
{
    struct fixture *f = *state;
    static struct client client;
    const char *body = NULL;
    assert_int_equal(get(f, false, "/api/v1/events", "", &body), 200);
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_addf(&text,
             "GET /api/v1/events?after=%lld HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             (long long)last_of(body));
    client = (struct client){.f = f, .request = text.data};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, client_run, &client), 0);
    for (int i = 0; i < 20; i++) {
        (void)loop_iterate(f->loop, 10 * USEC_PER_MSEC);
    }
    assert_false(atomic_load(&client.done));
    api_stop(f->api);
    f->api = NULL;
    (void)pthread_join(thread, NULL);
    assert_non_null(strstr(client.answer, "API_STOPPING"));
}

UNIT_GROUP(
    api, API_TEST(health_needs_both_heartbeats_and_a_snapshot),
    API_TEST(a_failed_or_slow_disk_is_unhealthy),
    API_TEST(state_has_exact_numbers_on_both_listeners), API_TEST(state_shows_each_change_at_once),
    API_TEST(lists_are_read_from_the_databases), API_TEST(alerts_are_read_from_ops_db),
    API_TEST(runs_are_read_from_ops_db), API_TEST(a_restored_database_is_read),
    API_TEST(a_bad_query_is_refused), API_TEST(a_uid_that_is_not_listed_reads_only_the_health),
    API_TEST(tcp_needs_the_token_and_a_local_host), API_TEST(a_new_token_replaces_the_old_one),
    API_TEST(during_a_grace_both_tokens_are_accepted), API_TEST(a_job_reports_with_its_key_alone),
    API_TEST(a_command_runs_and_returns_its_reply),
    API_TEST(a_refusal_is_a_catalogue_row_with_its_status),
    API_TEST(a_body_over_the_limit_is_refused_before_it_is_read),
    API_TEST(a_command_that_changes_something_needs_a_confirmation),
    API_TEST(a_client_that_hangs_up_is_harmless), API_TEST(stopping_answers_pending_commands),
    API_TEST(a_line_is_completed_for_its_caller), API_TEST(events_are_given_as_they_happen),
    API_TEST(progress_is_given_to_its_caller), API_TEST(stopping_answers_the_readers_of_events))

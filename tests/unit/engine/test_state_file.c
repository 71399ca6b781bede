#include "base/check.h"
#include "engine/state_file.h"
#include "io/file.h"
#include "io/json.h"
#include "recorder_rig.h"
#include "rigs/driver_rig.h"
#include "store/order_table.h"
#include "store/paper.h"
#include "store/position_table.h"
#include "store/state_table.h"
#include "unit/unit.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* As written by another program. */
static const char old_file[] =
    "{\n"
    "  \"initialized\": true,\n"
    "  \"provider\": \"binance_futures\",\n"
    "  \"created_at\": \"2026-01-24T14:30:22.123456\",\n"
    "  \"last_updated\": \"2026-01-25T00:00:01+00:00\",\n"
    "  \"active_positions\": [\n"
    "    {\n"
    "      \"symbol\": \"BTC-USD\", \"side\": \"long\", \"size\": \"0.015\",\n"
    "      \"entry_price\": 64000.5, \"order_id\": 8389765,\n"
    "      \"stop_loss_order_id\": null, \"note\": {\"any\": [1, 2]}\n"
    "    },\n"
    "    {\n"
    "      \"symbol\": \"eth/usd\", \"side\": \"SHORT\", \"size\": 1e-1,\n"
    "      \"entry_price\": \"3200\", \"risk_usd\": 6.4\n"
    "    }\n"
    "  ],\n"
    "  \"total_trades\": 5,\n"
    "  \"win_rate\": 0.6,\n"
    "  \"total_pnl\": \"-12.5\",\n"
    "  \"daily_pnl\": 3,\n"
    "  \"daily_drawdown_pct\": 0.0,\n"
    "  \"circuit_breaker_tripped\": false,\n"
    "  \"last_circuit_trip_reason\": null,\n"
    "  \"version\": 7\n"
    "}\n";

static void is_dec(struct dec a, const char *expected)
{
    char text[DEC_TEXT_SIZE];
    assert_string_equal(dec_text(a, text), expected);
}

/* ---------------------------------------------------------------- reading */

static void an_existing_file_is_read(void **state)
{
    (void)state;
    struct state_file f;
    struct err err = {0};
    assert_int_equal(state_file_parse(str_c(old_file), "old", &f, &err), 0);
    assert_true(f.initialized);
    assert_string_equal(f.provider, "binance_futures");
    assert_int_equal(f.created_us % USEC_PER_SEC, 123456);
    assert_true(f.last_updated_us > f.created_us);
    assert_int_equal(f.position_count, 2);
    assert_string_equal(f.positions[0].symbol.name, "BTC-USD");
    assert_int_equal(f.positions[0].side, SIDE_LONG);
    is_dec(f.positions[0].size, "0.015");
    is_dec(f.positions[0].entry_price, "64000.5");
    assert_string_equal(f.positions[0].order_id, "8389765");
    assert_string_equal(f.positions[0].stop_loss_order_id, "");
    assert_string_equal(f.positions[1].symbol.name, "ETH-USD");
    assert_int_equal(f.positions[1].side, SIDE_SHORT);
    is_dec(f.positions[1].size, "0.1");
    is_dec(f.positions[1].risk_usd, "6.4");
    assert_int_equal(f.total_trades, 5);
    is_dec(f.win_rate, "60");
    is_dec(f.total_pnl, "-12.5");
    is_dec(f.daily_pnl, "3");
    assert_false(f.breaker_tripped);
    assert_string_equal(f.last_trip_reason, "");
}

static void most_fields_are_optional(void **state)
{
    (void)state;
    struct state_file f;
    assert_int_equal(state_file_parse(STR_LIT("{}"), "x", &f, NULL), 0);
    assert_int_equal(f.position_count, 0);
    assert_int_equal(state_file_parse(STR_LIT("{\"active_positions\": []}"), "x", &f, NULL), 0);
    static const struct {
        const char *rate;
        int64_t trades;
        const char *expected;
    } rates[] = {{"0.6", 5, "60"}, {"60", 5, "60"},     {"1", 7, "100"},
                 {"1", 100, "1"},  {"0.5", 200, "0.5"}, {"0.67", 3, "67"}};
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        char text[96];
        (void)snprintf(text, sizeof(text), "{\"total_trades\": %lld, \"win_rate\": %s}",
                       (long long)rates[i].trades, rates[i].rate);
        assert_int_equal(state_file_parse(str_c(text), "x", &f, NULL), 0);
        is_dec(f.win_rate, rates[i].expected);
    }
}

static void refused(const char *text, const char *where, const char *what)
{
    struct state_file f;
    struct state_file untouched;
    struct err err = {0};
    memset(&f, 0x5a, sizeof(f));
    memset(&untouched, 0x5a, sizeof(untouched));
    int rc = state_file_parse(str_c(text), "f.json", &f, &err);
    if (rc != -ERR_STATE_FILE_DAMAGED || strstr(err.context, where) == NULL ||
        strstr(err.context, what) == NULL) {
        print_error("%s\n-> %d %s, expected %s %s\n", text, rc, err.context, where, what);
    }
    assert_int_equal(rc, -ERR_STATE_FILE_DAMAGED);
    assert_non_null(strstr(err.context, where));
    assert_non_null(strstr(err.context, what));
    assert_memory_equal(&f, &untouched, sizeof(f));
}

#define POSITION(fields) "{\n\"active_positions\": [\n{" fields "}\n]}"

static void an_invalid_file_is_refused_with_its_line(void **state)
{
    (void)state;
    refused("", "f.json:1:1", "value expected");
    refused("[]", "f.json:1:1", "not an object");
    refused("{\"active_positions\":\n[7]}", "f.json:2:2", "active_positions[0] is not an object");
    refused("{\n  \"total_trades\": 1,\n  oops\n}", "f.json:3:3", "string expected");
    refused("{\n\"total_pnl\": NaN\n}", "f.json:2:14", "value expected");
    refused("{\n\"total_pnl\": 1e18\n}", "f.json:2:14", "total_pnl");
    refused("{\n\"total_pnl\": \"much\"\n}", "f.json:2:14", "total_pnl");
    refused("{\n\"total_pnl\": [1]\n}", "f.json:2:14", "total_pnl");
    refused("{\"total_pnl\": 1,\n \"total_pnl\": 2}", "f.json:2:16", "same key twice");
    refused("{\n\n\"provider\": \"\xff\"}", "f.json:3:14", "UTF-8");
    refused("{\n\"total_trades\": -1\n}", "f.json:2:17", "not a whole number");
    refused("{\n\"total_trades\": 1.5\n}", "f.json:2:17", "not a whole number");
    refused("{\n\"win_rate\": 101\n}", "f.json:2:13", "win_rate");
    refused("{\n\"initialized\": 1\n}", "f.json:2:16", "initialized");
    refused("{\n\"provider\": {}\n}", "f.json:2:13", "provider");
    refused("{\n\"created_at\": \"yesterday\"\n}", "f.json:2:15", "created_at");
    refused("{\n\"active_positions\": {}\n}", "f.json:2:21", "array");
    refused("{\n\"active_positions\": [\n 7]}", "f.json:3:2", "active_positions[0]");
    refused(POSITION("\"side\": \"long\""), "f.json:3:1", "[0].symbol is missing");
    refused(POSITION("\"symbol\": \"A\""), "f.json:3:1", "[0].side is missing");
    refused(POSITION("\"symbol\": \"A\", \"side\": \"up\""), "f.json:3:25", "not long or short");
    refused(POSITION("\"symbol\": \"A!\", \"side\": \"long\""), "f.json:3:12", "not a symbol");
    refused(POSITION("\"symbol\": \"A\", \"side\": \"long\", \"entry_price\": 1"), "f.json:3:1",
            "size is missing");
    static const char *const sizes[] = {"0", "-1", "1e18", "\"\"", "true"};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       POSITION("\"symbol\": \"A\", \"side\": \"long\",\n\"entry_price\": 10,"
                                " \"size\": %s"),
                       sizes[i]);
        refused(text, "f.json:4:28", "size");
    }
    refused(POSITION("\"symbol\": \"A\", \"side\": \"long\", \"entry_price\": 9e9, \"size\": 9e9"),
            "f.json:3:", "out of range");
    refused("{\"active_positions\": [\n"
            "{\"symbol\": \"A\", \"side\": \"long\", \"entry_price\": 1, \"size\": 1},\n"
            "{\"symbol\": \"A\", \"side\": \"short\", \"entry_price\": 1, \"size\": 1}]}",
            "f.json:3:12", "twice");
    AUTO_BUF struct buf many = BUF_INIT(4096);
    buf_add_c(&many, "{\"active_positions\": [");
    for (int i = 0; i <= POSITIONS_LIMIT; i++) {
        buf_addf(&many, "%s{\"symbol\": \"S%d\"}", i > 0 ? "," : "", i);
    }
    buf_add_c(&many, "]}");
    refused(many.data, "f.json:1:22", "more positions");
}

/* A truncated file is refused, wherever it is cut. */
static void a_cut_anywhere_is_refused_with_a_line(void **state)
{
    (void)state;
    size_t whole = sizeof(old_file) - 2; /* the last line feed may be missing */
    for (size_t cut = 0; cut < whole; cut++) {
        struct state_file f;
        struct err err = {0};
        /* An exact copy, so that ASan detects a read beyond its end. */
        char *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, old_file, cut);
        int rc = state_file_parse(str_n(copy, cut), "old", &f, &err);
        free(copy);
        assert_int_equal(rc, -ERR_STATE_FILE_DAMAGED);
        int line = 0;
        int column = 0;
        assert_int_equal(sscanf(err.context, "old:%d:%d: ", &line, &column), 2);
        assert_true(line >= 1 && column >= 1);
    }
}

/* ---------------------------------------------------------------- writing */

static void a_written_file_reads_back(void **state)
{
    (void)state;
    struct state_file f;
    struct state_file again;
    assert_int_equal(state_file_parse(str_c(old_file), "old", &f, NULL), 0);
    f.breaker_tripped = true;
    (void)str_copy(STR_LIT("daily loss \"5.1 %\" of 5 %"), f.last_trip_reason,
                   sizeof(f.last_trip_reason));
    AUTO_BUF struct buf text = BUF_INIT(STATE_FILE_MAX_BYTES);
    state_file_text(&f, &text);
    memset(&again, 0, sizeof(again));
    assert_int_equal(state_file_parse(buf_str(&text), "new", &again, NULL), 0);
    AUTO_BUF struct buf twice = BUF_INIT(STATE_FILE_MAX_BYTES);
    state_file_text(&again, &twice);
    assert_string_equal(text.data, twice.data);
    assert_false(state_file_differs(&f, &again));
    again.positions[1].size.e8++;
    assert_true(state_file_differs(&f, &again));
    /* Exactly these fields. */
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    static const char *const keys[] = {"schema",
                                       "initialized",
                                       "provider",
                                       "created_at",
                                       "last_updated",
                                       "active_positions",
                                       "total_trades",
                                       "win_rate",
                                       "total_pnl",
                                       "daily_pnl",
                                       "daily_drawdown_pct",
                                       "circuit_breaker_tripped",
                                       "last_circuit_trip_reason"};
    assert_int_equal(json_object_object_length(root), COUNT_OF(keys));
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        assert_true(json_object_object_get_ex(root, keys[i], NULL));
    }
    struct json_object *position = json_item(json_get(root, "active_positions"), 0);
    assert_int_equal(json_object_object_length(position), 8);
}

static void the_driver_updates_the_file(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    struct state_file file;
    struct err err = {0};
    recorder_rig_open(&f, NULL, 0);
    (void)recorder_rig_path(&f, STATE_FILE_NAME, path);
    assert_int_equal(state_file_read(path, &file, &err), 0);
    assert_int_equal(file.position_count, 0);
    int64_t created_us = file.created_us;
    assert_true(created_us > 0);
    bool held = false;
    bool traded = false;
    for (int i = 0; i < 900; i++) {
        recorder_rig_run(&f, 1);
        const struct snapshot *s = driver_snapshot(f.driver);
        assert_int_equal(state_file_read(path, &file, &err), 0);
        assert_int_equal(file.position_count, s->position_count);
        assert_int_equal(file.total_trades, s->trades);
        assert_int_equal(file.total_pnl.e8, s->realised.e8);
        for (int k = 0; k < file.position_count; k++) {
            assert_int_equal(file.positions[k].size.e8, s->positions[k].qty.e8);
            assert_string_equal(file.positions[k].order_id, s->positions[k].client_id);
            assert_true(file.positions[k].risk_usd.e8 > 0);
        }
        held = held || file.position_count > 0;
        traded = traded || file.total_trades > 0;
    }
    assert_true(held && traded);
    recorder_rig_restart(&f);
    recorder_rig_run(&f, 70);
    assert_int_equal(state_file_read(path, &file, &err), 0);
    assert_int_equal(file.created_us, created_us);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    recorder_rig_close(&f);
}

/* A kill -9 at any moment leaves either the old or the new file, complete. */
static void a_kill_leaves_the_old_or_the_new_file(void **state)
{
    (void)state;
    char folder[] = "/var/tmp/nightdesk-state-XXXXXX";
    char path[256];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/" STATE_FILE_NAME, folder);
    struct state_file f;
    assert_int_equal(state_file_parse(str_c(old_file), "old", &f, NULL), 0);
    f.total_trades = 0;
    assert_int_equal(state_file_write(&f, folder, NULL), 0);
    for (int kill_no = 0; kill_no < 40; kill_no++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (;;) {
                f.total_trades++;
                f.position_count = f.total_trades % 2 == 0 ? 2 : 0;
                if (state_file_write(&f, folder, NULL) < 0) {
                    _exit(1);
                }
            }
        }
        (void)usleep((useconds_t)(500 + kill_no * 137));
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        struct err err = {0};
        struct state_file got;
        assert_int_equal(state_file_read(path, &got, &err), 0);
        assert_int_equal(got.position_count, got.total_trades % 2 == 0 ? 2 : 0);
        f.total_trades = got.total_trades;
    }
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), e->d_name, 0);
    }
    (void)closedir(dir);
    (void)rmdir(folder);
}

static int events_of(struct recorder_rig *f, struct bus_reader *reader, enum err_id id)
{
    struct bus_event raw;
    int count = 0;
    (void)f;
    while (bus_read(reader, &raw, 1, NULL) == 1) {
        struct event e;
        memcpy(&e, &raw, sizeof(e));
        count += e.code == (uint32_t)id;
    }
    return count;
}

/* The folder is removed: the fault is reported, and nothing stops. */
static void a_failed_export_stops_nothing(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    recorder_rig_open(&f, NULL, 0);
    recorder_rig_run(&f, 10);
    (void)recorder_rig_path(&f, STATE_FILE_NAME, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* a file cannot replace a folder */
    struct bus_reader reader;
    bus_reader_init(&reader, f.shared.bus, TOPIC_FAULT);
    uint64_t decisions = driver_snapshot(f.driver)->decisions;
    recorder_rig_run(&f, 200);
    int reported = events_of(&f, &reader, ERR_STATE_FILE_EXPORT);
    assert_true(reported >= 1 && reported <= 5); /* not with each step */
    assert_true(driver_snapshot(f.driver)->decisions > decisions + 20);
    assert_int_equal(driver_snapshot(f.driver)->last_err, 0);
    assert_int_equal(rmdir(path), 0);
    recorder_rig_run(&f, 70);
    struct state_file file;
    assert_int_equal(state_file_read(path, &file, NULL), 0);
    recorder_rig_close(&f);
}

/* ---------------------------------------------------------------- importing */

static void write_file(const struct recorder_rig *f, const char *text)
{
    char path[256];
    assert_int_equal(
        file_write(recorder_rig_path(f, STATE_FILE_NAME, path), str_c(text), 0640, NULL), 0);
}

static void has_old_positions(const struct snapshot *s)
{
    assert_int_equal(s->position_count, 2);
    for (int i = 0; i < 2; i++) {
        const struct position *p = &s->positions[i];
        bool btc = strcmp(p->symbol.name, "BTC-USD") == 0;
        is_dec(p->qty, btc ? "0.015" : "0.1");
        is_dec(p->entry_price, btc ? "64000.5" : "3200");
        assert_int_equal(p->side, btc ? SIDE_LONG : SIDE_SHORT);
        assert_true(p->stop.e8 > 0 && p->target.e8 > 0);
    }
}

/* At the very first start, with an agreeing venue: trading continues from there. */
static void a_first_start_imports_an_existing_file(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    struct settings settings;
    driver_rig_settings(&settings);
    settings.stop_pct = 40; /* so that the simulated prices do not close the position at once */
    settings.target_pct = 80;
    settings.threshold = 1;
    recorder_rig_prepare(&f, &settings, 0);
    write_file(&f, old_file);
    recorder_rig_start(&f);
    recorder_rig_run(&f, 5);
    const struct snapshot *s = driver_snapshot(f.driver);
    assert_int_equal(s->last_err, 0);
    assert_int_equal(s->state, TRADING_ACTIVE);
    assert_true(s->books_balance);
    has_old_positions(s);
    assert_int_equal(s->trades, 5);
    assert_int_equal(s->wins, 3);
    is_dec(s->realised, "-12.5");
    assert_true(s->markets[0].ema_slow > 0); /* the market is warm */
    /* The export has the same contents. */
    struct state_file file;
    assert_int_equal(state_file_read(recorder_rig_path(&f, STATE_FILE_NAME, path), &file, NULL), 0);
    assert_int_equal(file.position_count, 2);
    assert_int_equal(file.total_trades, 5);
    is_dec(file.win_rate, "60");
    /* It is imported once: later changes are kept. */
    recorder_rig_ask(&f, &(struct request){.kind = REQUEST_CLOSE});
    recorder_rig_run(&f, 5);
    assert_int_equal(driver_snapshot(f.driver)->position_count, 0);
    write_file(&f, old_file);
    recorder_rig_restart(&f);
    recorder_rig_run(&f, 5);
    s = driver_snapshot(f.driver);
    assert_int_equal(s->state, TRADING_ACTIVE);
    assert_int_equal(s->position_count, 0);
    assert_true(s->books_balance);
    assert_int_equal(s->trades, 7);
    recorder_rig_close(&f);
}

/* A new account starts its ids from the beginning: an id in our own file must not collide with a
 * later order. */
static void our_own_file_is_imported_into_a_new_account(void **state)
{
    (void)state;
    struct recorder_rig f;
    struct settings settings;
    driver_rig_settings(&settings);
    settings.stop_pct = 40;
    settings.target_pct = 80;
    recorder_rig_prepare(&f, &settings, 0);
    write_file(&f, "{\"active_positions\": [{\"symbol\": \"BTC-USD\", \"side\": \"long\",\n"
                   "\"size\": 0.015, \"entry_price\": 64000.5, \"order_id\": \"nd-1-1\"}]}");
    recorder_rig_start(&f);
    recorder_rig_run(&f, 5);
    const struct snapshot *s = driver_snapshot(f.driver);
    assert_int_equal(s->position_count, 1);
    assert_string_equal(s->positions[0].client_id, "import-1");
    recorder_rig_ask(&f, &(struct request){.kind = REQUEST_CLOSE});
    recorder_rig_run(&f, 5);
    s = driver_snapshot(f.driver);
    assert_int_equal(s->position_count, 0);
    assert_int_equal(s->trades, 1);
    assert_int_equal(s->unknown_orders, 0);
    assert_true(s->books_balance);
    recorder_rig_close(&f);
}

static void a_damaged_file_prevents_trading(void **state)
{
    (void)state;
    struct recorder_rig f;
    recorder_rig_prepare(&f, NULL, 0);
    write_file(&f, "{\n  \"active_positions\": [\n");
    recorder_rig_start(&f);
    recorder_rig_run(&f, 5);
    const struct snapshot *s = driver_snapshot(f.driver);
    assert_null(driver_engine(f.driver));
    assert_int_equal(s->last_err, ERR_STATE_FILE_DAMAGED);
    assert_int_equal(s->state, TRADING_STARTING);
    struct engine_state none;
    assert_int_equal(state_table_load(f.store, &none, NULL), -ERR_STORE_NOT_FOUND);
    write_file(&f, old_file);
    recorder_rig_run(&f, 120);
    assert_non_null(driver_engine(f.driver));
    assert_int_equal(driver_snapshot(f.driver)->last_err, 0);
    recorder_rig_close(&f);
}

static void an_import_over_open_positions_needs_replace(void **state)
{
    (void)state;
    struct recorder_rig f;
    struct settings settings;
    driver_rig_settings(&settings);
    recorder_rig_open(&f, &settings, 0);
    for (int i = 0; i < 900 && driver_snapshot(f.driver)->position_count == 0; i++) {
        recorder_rig_run(&f, 1);
    }
    assert_true(driver_snapshot(f.driver)->position_count > 0);
    struct engine_state before = *engine_state(driver_engine(f.driver));
    driver_free(f.driver);
    f.driver = NULL;
    trading_store_rollback(f.store);
    settings.stop_pct = 40;
    settings.target_pct = 80;
    settings.threshold = 1;
    f.settings = settings;
    struct state_file file;
    struct state_file_imported done;
    struct state_file_import options = {.settings = &settings,
                                        .venue = venue_importer(&driver_rig_venue),
                                        .wall_us = f.clock.now_wall_us};
    struct err err = {0};
    assert_int_equal(state_file_parse(str_c(old_file), "old", &file, NULL), 0);
    assert_int_equal(state_file_import(&file, &options, f.store, &done, &err),
                     -ERR_STATE_FILE_OPEN);
    struct engine_state after;
    assert_int_equal(state_table_load(f.store, &after, NULL), 0);
    assert_int_equal(after.cash.e8, before.cash.e8);
    options.replace = true;
    err_clear(&err);
    assert_int_equal(state_file_import(&file, &options, f.store, &done, &err), 0);
    assert_false(done.fresh);
    assert_int_equal(done.positions, 2);
    assert_true(done.replaced_positions > 0);
    recorder_rig_start(&f);
    recorder_rig_run(&f, 5);
    const struct snapshot *s = driver_snapshot(f.driver);
    assert_int_equal(s->last_err, 0);
    assert_int_equal(s->state, TRADING_ACTIVE);
    has_old_positions(s);
    assert_true(s->books_balance);
    assert_int_equal(s->foreign_count, 0);
    /* The same import again: its ids are taken now. */
    driver_free(f.driver);
    f.driver = NULL;
    assert_int_equal(state_file_import(&file, &options, f.store, &done, &err), 0);
    recorder_rig_start(&f);
    recorder_rig_run(&f, 5);
    s = driver_snapshot(f.driver);
    has_old_positions(s);
    assert_int_equal(s->state, TRADING_ACTIVE);
    recorder_rig_close(&f);
}

/* Fails one write in the middle of the import. */
static int fail_at(const char *what, void *userdata)
{
    int *left = userdata;
    (void)what;
    return --*left == 0 ? -ERR_DB_FULL : 0;
}

static void an_import_is_all_or_nothing(void **state)
{
    (void)state;
    struct settings settings;
    struct state_file file;
    driver_rig_settings(&settings);
    assert_int_equal(state_file_parse(str_c(old_file), "old", &file, NULL), 0);
    bool done_once = false;
    for (int at = 1; !done_once && at < 100; at++) {
        struct trading_store *store = NULL;
        struct state_file_imported done;
        struct state_file_import options = {.settings = &settings,
                                            .venue = venue_importer(&driver_rig_venue),
                                            .wall_us = USEC_PER_DAY * 20000};
        int left = at;
        assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
        trading_store_set_fault(store, fail_at, &left);
        int rc = state_file_import(&file, &options, store, &done, NULL);
        trading_store_set_fault(store, NULL, NULL);
        struct engine_state s;
        struct position p[POSITIONS_LIMIT];
        int held = position_table_list(store, p, POSITIONS_LIMIT, NULL);
        int theirs = paper_store_positions(store, p, POSITIONS_LIMIT, NULL);
        assert_int_equal(state_table_load(store, &s, NULL), rc < 0 ? -ERR_STORE_NOT_FOUND : 0);
        assert_int_equal(held, rc < 0 ? 0 : 2);
        assert_int_equal(theirs, held);
        done_once = rc >= 0;
        assert_true(!done_once || at > 8);
        trading_store_free(store);
    }
    assert_true(done_once);
}

static void an_impossible_account_is_refused(void **state)
{
    (void)state;
    struct settings settings;
    struct state_file file;
    struct state_file_imported done;
    struct trading_store *store = NULL;
    struct err err = {0};
    driver_rig_settings(&settings);
    struct state_file_import options = {.settings = &settings,
                                        .venue = venue_importer(&driver_rig_venue),
                                        .wall_us = USEC_PER_DAY * 20000};
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(state_file_parse(STR_LIT("{\"total_pnl\": -20000}"), "x", &file, NULL), 0);
    assert_int_equal(state_file_import(&file, &options, store, &done, &err),
                     -ERR_STATE_FILE_DAMAGED);
    assert_int_equal(state_file_parse(STR_LIT("{\"total_pnl\": 92000000000}"), "x", &file, NULL),
                     0);
    settings.initial_cash = dec_from_int(1000000000);
    assert_int_equal(state_file_import(&file, &options, store, &done, &err),
                     -ERR_STATE_FILE_DAMAGED);
    driver_rig_settings(&settings);
    assert_int_equal(state_file_parse(STR_LIT("{\"circuit_breaker_tripped\": true,"
                                              "\"last_circuit_trip_reason\": \"too much\"}"),
                                      "x", &file, NULL),
                     0);
    assert_int_equal(state_file_import(&file, &options, store, &done, &err), 0);
    assert_true(done.fresh);
    struct engine_state s;
    assert_int_equal(state_table_load(store, &s, NULL), 0);
    assert_int_equal(s.state, TRADING_BREAKER);
    assert_string_equal(s.state_reason, "too much");
    trading_store_free(store);
}

UNIT_GROUP(state_file, cmocka_unit_test(an_existing_file_is_read),
           cmocka_unit_test(most_fields_are_optional),
           cmocka_unit_test(an_invalid_file_is_refused_with_its_line),
           cmocka_unit_test(a_cut_anywhere_is_refused_with_a_line),
           cmocka_unit_test(a_written_file_reads_back),
           cmocka_unit_test(the_driver_updates_the_file),
           cmocka_unit_test(a_kill_leaves_the_old_or_the_new_file),
           cmocka_unit_test(a_failed_export_stops_nothing),
           cmocka_unit_test(a_first_start_imports_an_existing_file),
           cmocka_unit_test(our_own_file_is_imported_into_a_new_account),
           cmocka_unit_test(a_damaged_file_prevents_trading),
           cmocka_unit_test(an_import_over_open_positions_needs_replace),
           cmocka_unit_test(an_import_is_all_or_nothing),
           cmocka_unit_test(an_impossible_account_is_refused))

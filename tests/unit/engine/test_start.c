/*
 * Failed starts: missing tables, a market or a folder that cannot be opened. Nothing is traded, the
 * reason is reported, and once the cause is fixed trading continues from the saved state.
 */
#include "../../../src/store/row.h"
#include "base/check.h"
#include "engine/engine_thread.h"
#include "engine/state_file.h"
#include "io/file.h"
#include "recorder_rig.h"
#include "rigs/driver_rig.h"
#include "store/position_table.h"
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void run_sql(struct trading_store *store, const char *sql)
{
    struct err err = {0};
    int rc = db_run(store->db, sql, DB_NO_VALUES, &err);
    if (rc < 0) {
        print_error("%s: %s\n", sql, err.context);
    }
    assert_int_equal(rc, 0);
}

static void rename_table(struct trading_store *store, const char *from, const char *to)
{
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "ALTER TABLE %s RENAME TO %s", from, to);
    run_sql(store, sql);
}

/* ---------------------------------------------------------------- the database */

static void a_missing_table_prevents_trading(void **state)
{
    (void)state;
    static const char *const tables[] = {"engine_state", "cooldowns",       "positions",
                                         "orders",       "fills",           "trading_rules",
                                         "rule_shadows", "blobs",           "candles",
                                         "paper_orders", "paper_positions", "paper_state"};
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    int held = s->position_count;
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        rename_table(rig.store, tables[i], "taken_away");
        driver_rig_restart(&rig);
        driver_rig_run(&rig, 2);
        s = driver_rig_snapshot(&rig);
        if (driver_engine(rig.driver) != NULL) {
            print_error("trading started without %s\n", tables[i]);
        }
        assert_null(driver_engine(rig.driver));
        assert_int_equal(s->last_err, ERR_ENGINE_STORE);
        assert_int_equal(s->state, TRADING_STARTING);
        assert_non_null(strstr(s->state_reason, "trading.db: "));
        rename_table(rig.store, "taken_away", tables[i]);
    }
    driver_rig_restart(&rig);
    driver_rig_round(&rig, USEC_PER_SEC);
    s = driver_rig_snapshot(&rig);
    assert_non_null(driver_engine(rig.driver));
    assert_int_equal(s->last_err, 0);
    assert_int_equal(s->position_count, held);
    assert_true(s->books_balance);
    driver_rig_close(&rig);
}

static void a_damaged_row_prevents_trading(void **state)
{
    (void)state;
    static const struct {
        const char *damage;
        const char *mend;
    } cases[] = {
        {"UPDATE engine_state SET state = 'merry'", "UPDATE engine_state SET state = 'active'"},
        {"UPDATE positions SET side = side || 'x'",
         "UPDATE positions SET side = substr(side, 1, length(side) - 1)"},
        {"UPDATE orders SET state = state || 'x'",
         "UPDATE orders SET state = substr(state, 1, length(state) - 1)"},
        {"UPDATE positions SET client_id = 'none-' || client_id",
         "UPDATE positions SET client_id = substr(client_id, 6)"},
    };
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        run_sql(rig.store, cases[i].damage);
        driver_rig_restart(&rig);
        driver_rig_run(&rig, 2);
        if (driver_engine(rig.driver) != NULL) {
            print_error("trading started after %s\n", cases[i].damage);
        }
        assert_null(driver_engine(rig.driver));
        assert_int_equal(driver_rig_snapshot(&rig)->last_err, ERR_ENGINE_STORE);
        run_sql(rig.store, cases[i].mend);
    }
    driver_rig_restart(&rig);
    driver_rig_round(&rig, USEC_PER_SEC);
    assert_non_null(driver_engine(rig.driver));
    assert_true(driver_rig_snapshot(&rig)->position_count > 0);
    assert_true(driver_rig_snapshot(&rig)->books_balance);
    driver_rig_close(&rig);
}

/* An unusable history is reported, and trading continues on the account. */
static void an_unusable_saved_market_is_restarted(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE blobs SET bytes = x'00' WHERE name = 'market'",
        "UPDATE blobs SET bytes = x'00' WHERE name = 'series'",
        "DELETE FROM blobs WHERE name = 'series'",
    };
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 60);
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        struct dec cash = driver_rig_snapshot(&rig)->cash;
        run_sql(rig.store, damages[i]);
        driver_rig_restart(&rig);
        assert_non_null(driver_engine(rig.driver));
        assert_int_equal(driver_rig_snapshot(&rig)->cash.e8, cash.e8);
        driver_rig_run(&rig, 30);
        assert_true(driver_rig_snapshot(&rig)->books_balance);
        assert_int_equal(driver_rig_snapshot(&rig)->last_err, 0);
    }
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- the market */

static void write_candles(const char *path, const char *row_end)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    buf_add_c(&text, "time,open,high,low,close,volume\n");
    for (int i = 0; i < 300; i++) {
        buf_addf(&text, "%d,100,101,99,%d.5,7%s\n", 1640995200 + 60 * i, 99 + i % 2,
                 i == 200 ? row_end : "");
    }
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
}

static void use_file(struct settings *settings, const char *path)
{
    driver_rig_settings(settings);
    settings->market_source = MARKET_CSV;
    settings->symbol_count = 1;
    settings->market_file_count = 1;
    settings->market_files[0].symbol = settings->symbols[0];
    settings->market_files[0].path = path;
}

static void waits_for_market(struct recorder_rig *f)
{
    const struct snapshot *s = driver_snapshot(f->driver);
    recorder_rig_run(f, 3);
    assert_null(driver_engine(f->driver));
    assert_int_equal(s->last_err, ERR_MARKET_SOURCE);
    assert_int_equal(s->state, TRADING_STARTING);
    assert_non_null(strstr(s->state_reason, "market: "));
}

/* At the first start, at a later one, and at one with the books of a state file. */
static void a_missing_market_is_retried(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    char file[256];
    struct err err = {0};
    int64_t step_us = 0;
    for (int imported = 0; imported < 2; imported++) {
        recorder_rig_prepare(&f, NULL, 0);
        (void)recorder_rig_path(&f, "c.csv", path);
        use_file(&f.settings, path);
        f.settings.market_speed = 60;
        if (imported != 0) {
            assert_int_equal(file_write(recorder_rig_path(&f, STATE_FILE_NAME, file),
                                        STR_LIT("{\"total_trades\": 7, \"win_rate\": 0,"
                                                "\"total_pnl\": 5}"),
                                        0640, NULL),
                             0);
        }
        assert_int_equal(driver_check_market(&f.settings, &step_us, &err), -ERR_MARKET_SOURCE);
        assert_non_null(strstr(err.context, path));
        err_clear(&err);
        recorder_rig_start(&f);
        waits_for_market(&f);
        write_candles(path, "");
        assert_int_equal(driver_check_market(&f.settings, &step_us, &err), 0);
        assert_true(step_us > 0);
        recorder_rig_run(&f, 60);
        assert_non_null(driver_engine(f.driver));
        assert_int_equal(driver_snapshot(f.driver)->last_err, 0);
        assert_int_equal(driver_snapshot(f.driver)->trades, imported != 0 ? 7 : 0);
        int64_t candles = (int64_t)driver_snapshot(f.driver)->candles;
        assert_true(candles > 0);

        assert_int_equal(unlink(path), 0);
        recorder_rig_restart(&f);
        waits_for_market(&f);
        write_candles(path, "");
        recorder_rig_run(&f, 60);
        assert_int_equal(driver_snapshot(f.driver)->last_err, 0);
        assert_true((int64_t)driver_snapshot(f.driver)->candles > candles);
        recorder_rig_close(&f);
    }
    struct settings simulated;
    driver_rig_settings(&simulated);
    assert_int_equal(driver_check_market(&simulated, &step_us, &err), 0);
}

/* ---------------------------------------------------------------- the state folder */

static void a_run_that_cannot_be_recorded_is_not_started(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    recorder_rig_prepare(&f, NULL, 0);
    assert_int_equal(
        file_write(recorder_rig_path(&f, "journal", path), STR_LIT("in the way"), 0600, NULL), 0);
    recorder_rig_start(&f);
    recorder_rig_run(&f, 3);
    const struct snapshot *s = driver_snapshot(f.driver);
    assert_null(driver_engine(f.driver));
    assert_true(s->last_err != 0);
    assert_int_equal(s->state, TRADING_STARTING);
    assert_int_equal(unlink(path), 0);
    recorder_rig_run(&f, 120);
    assert_non_null(driver_engine(f.driver));
    assert_int_equal(driver_snapshot(f.driver)->last_err, 0);
    recorder_rig_close(&f);
}

/* trading.db is authoritative: an unreadable state file is overwritten. */
static void a_damaged_state_file_is_overwritten_at_a_later_start(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    struct state_file file;
    recorder_rig_open(&f, NULL, 0);
    recorder_rig_run(&f, 10);
    assert_int_equal(
        file_write(recorder_rig_path(&f, STATE_FILE_NAME, path), STR_LIT("{\"init"), 0640, NULL),
        0);
    recorder_rig_restart(&f);
    recorder_rig_run(&f, 10);
    assert_non_null(driver_engine(f.driver));
    assert_int_equal(state_file_read(path, &file, NULL), 0);
    assert_true(file.created_us > 0);
    recorder_rig_close(&f);
}

static void another_speed_does_not_move_the_clock(void **state)
{
    (void)state;
    struct recorder_rig f;
    recorder_rig_open(&f, NULL, 0);
    recorder_rig_run(&f, 30);
    int64_t before_us = driver_snapshot(f.driver)->market_us;
    struct settings *draft = mailbox_draft(f.shared.settings);
    *draft = f.settings;
    draft->market_speed = 10 * f.settings.market_speed;
    mailbox_publish(f.shared.settings);
    f.settings.market_speed = draft->market_speed;
    recorder_rig_round(&f, 0);
    assert_int_equal(driver_snapshot(f.driver)->market_speed, f.settings.market_speed);
    assert_true(driver_snapshot(f.driver)->market_us - before_us <= USEC_PER_MIN);
    recorder_rig_run(&f, 30);
    int64_t moved_us = driver_snapshot(f.driver)->market_us - before_us;
    assert_true(moved_us >= 29 * USEC_PER_MIN && moved_us <= 31 * USEC_PER_MIN);
    driver_free(NULL);
    recorder_rig_close(&f);
}

/* ---------------------------------------------------------------- the symbols */

static bool is_watched(const struct snapshot *s, struct symbol symbol)
{
    for (int i = 0; i < s->market_count; i++) {
        if (symbol_equal(s->markets[i].symbol, symbol)) {
            return true;
        }
    }
    return false;
}

/* All symbols that shared has room for are configured differently: a held symbol is still watched.
 */
static void held_symbols_have_priority_over_configured_ones(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    int held = driver_rig_snapshot(&rig)->position_count;
    struct symbol symbol = driver_rig_snapshot(&rig)->positions[0].symbol;
    rig.settings.symbol_count = CAPACITY_MIN;
    for (int i = 0; i < CAPACITY_MIN; i++) {
        char name[] = "NEW0-USD";
        name[3] = (char)('0' + i);
        (void)str_copy(str_c(name), rig.settings.symbols[i].name,
                       sizeof(rig.settings.symbols[i].name));
    }
    driver_rig_restart(&rig);
    driver_rig_run(&rig, 2);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->last_err, 0);
    assert_int_equal(s->position_count, held);
    assert_int_equal(s->market_count, CAPACITY_MIN);
    assert_true(is_watched(s, symbol));
    assert_true(is_watched(s, rig.settings.symbols[0]));
    assert_false(is_watched(s, rig.settings.symbols[CAPACITY_MIN - 1]));
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLOSE, symbol.name), 0);
    driver_rig_run(&rig, 3);
    assert_true(driver_rig_snapshot(&rig)->position_count < held);
    assert_true(driver_rig_snapshot(&rig)->books_balance);
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- the thread */

/* The system cannot provide a stack of this size: nothing was started. */
static void a_thread_that_cannot_be_created_is_reported(void **state)
{
    (void)state;
    struct shared shared;
    struct engine_thread *thread = NULL;
    struct err err = {0};
    pthread_attr_t was;
    pthread_attr_t vast;
    shared_init(&shared, CAPACITY_MIN);
    shared_seal(&shared);
    assert_int_equal(pthread_getattr_default_np(&was), 0);
    assert_int_equal(pthread_attr_init(&vast), 0);
    assert_int_equal(pthread_attr_setstacksize(&vast, (size_t)1 << 50), 0);
    assert_int_equal(pthread_setattr_default_np(&vast), 0);
    struct engine_options options = {.state_dir = "/var/tmp", .clock = clock_real()};
    driver_rig_settings(&options.settings);
    options.venue = driver_rig_venue;
    int rc = engine_thread_start(&options, &shared, &thread, &err);
    assert_int_equal(pthread_setattr_default_np(&was), 0);
    (void)pthread_attr_destroy(&was);
    (void)pthread_attr_destroy(&vast);
    assert_int_equal(rc, -ERR_ENGINE_THREAD);
    assert_null(thread);
    assert_true(err.context[0] != '\0');
    shared_release(&shared);
}

/* As when the program ends while it is starting. */
static void a_thread_that_is_stopped_early_opens_nothing(void **state)
{
    (void)state;
    char folder[] = "/var/tmp/nightdesk-unwanted-XXXXXX";
    struct shared shared;
    struct engine_thread *thread = NULL;
    assert_non_null(mkdtemp(folder));
    shared_init(&shared, CAPACITY_MIN);
    shared_seal(&shared);
    atomic_store(&shared.stop, true);
    struct engine_options options = {.state_dir = folder, .clock = clock_real()};
    driver_rig_settings(&options.settings);
    options.venue = driver_rig_venue;
    assert_int_equal(engine_thread_start(&options, &shared, &thread, NULL), 0);
    (void)poll(NULL, 0, 20);
    engine_thread_stop(thread);
    assert_int_equal(rmdir(folder), 0); /* fails unless the folder is empty */
    shared_release(&shared);
}

/* Positions that an earlier run left in symbols that are not configured any more. */
static void hold_others(struct driver_rig *rig, int count)
{
    struct position p[2 * CAPACITY_MIN] = {0};
    for (int i = 0; i < count; i++) {
        char name[SYMBOL_SIZE];
        (void)snprintf(name, sizeof(name), "S%03u-USD", (unsigned)i % 1000);
        assert_true(symbol_parse(str_c(name), &p[i].symbol));
        p[i].qty = p[i].entry_price = p[i].mark_price = dec_from_int(1);
    }
    assert_int_equal(position_table_replace(rig->store, p, (size_t)count, NULL), 0);
}

static void symbols_that_are_held_come_before_configured_ones(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 1);
    int configured = rig.settings.symbol_count;
    hold_others(&rig, CAPACITY_MIN - configured + 1);
    driver_rig_restart(&rig);
    driver_rig_round(&rig, USEC_PER_SEC);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->market_count, CAPACITY_MIN);
    assert_string_equal(s->markets[0].symbol.name, rig.settings.symbols[0].name);
    assert_string_not_equal(s->markets[configured - 1].symbol.name,
                            rig.settings.symbols[configured - 1].name);
    driver_rig_close(&rig);
}

static void more_held_symbols_than_can_be_watched_prevent_trading(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 1);
    hold_others(&rig, CAPACITY_MIN + 1);
    driver_rig_restart(&rig);
    driver_rig_round(&rig, USEC_PER_SEC);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_STARTING);
    assert_non_null(strstr(driver_rig_snapshot(&rig)->state_reason, "trading.db"));
    hold_others(&rig, 0);
    driver_rig_run(&rig, 2);
    assert_int_equal(driver_rig_snapshot(&rig)->market_count, rig.settings.symbol_count);
    driver_rig_close(&rig);
}

UNIT_GROUP(start, cmocka_unit_test(symbols_that_are_held_come_before_configured_ones),
           cmocka_unit_test(more_held_symbols_than_can_be_watched_prevent_trading),
           cmocka_unit_test(a_missing_table_prevents_trading),
           cmocka_unit_test(a_damaged_row_prevents_trading),
           cmocka_unit_test(an_unusable_saved_market_is_restarted),
           cmocka_unit_test(held_symbols_have_priority_over_configured_ones),
           cmocka_unit_test(a_missing_market_is_retried),
           cmocka_unit_test(a_run_that_cannot_be_recorded_is_not_started),
           cmocka_unit_test(a_damaged_state_file_is_overwritten_at_a_later_start),
           cmocka_unit_test(another_speed_does_not_move_the_clock),
           cmocka_unit_test(a_thread_that_cannot_be_created_is_reported),
           cmocka_unit_test(a_thread_that_is_stopped_early_opens_nothing))

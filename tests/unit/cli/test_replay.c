/* nightdesk replay and nightdesk import state. */
#include "base/check.h"
#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"
#include "engine/driver.h"
#include "io/file.h"
#include "io/json.h"
#include "ops/ops.h"
#include "rig.h"
#include "store/position_table.h"
#include "store/state_table.h"
#include "unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#define START_US INT64_C(1790000000000000)

static char state_path[RIG_PATH_LEN];

static int make_folder(void **state)
{
    int r = rig_make_folder(state);
    rig_path("old.json", state_path);
    return r;
}

static void discard(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

/* Runs the driver with its defaults for so many market minutes. */
static void trade(int minutes)
{
    AUTO_CONFIG struct config *config = NULL;
    struct driver_options options = {.state_dir = rig_folder};
    struct clock_fake clock;
    struct shared shared;
    log_set_sink(discard, NULL);
    assert_int_equal(config_load(&(struct config_options){.no_file = true}, &config, NULL, NULL),
                     0);
    config_settings(config, &options.settings);
    config_venue(config, &options.venue);
    options.settings.seed = 7;
    clock_fake_init(&clock, START_US);
    options.clock = &clock.clock;
    shared_init(&shared, CAPACITY_MIN);
    shared_seal(&shared);
    struct driver *driver = driver_new(&options, &shared);
    for (int i = 0; i < minutes; i++) {
        for (int k = 0; k < 64 && driver_round(driver) == 0; k++) {}
        clock_fake_advance(&clock, USEC_PER_MIN / options.settings.market_speed);
    }
    driver_free(driver);
    shared_release(&shared);
}

static void prints(const struct buf *text, const char *what)
{
    if (strstr(text->data, what) == NULL) {
        print_error("no \"%s\" in:\n%s\n", what, text->data);
    }
    assert_non_null(strstr(text->data, what));
}

static void a_replay_is_identical_and_shows_the_state(void **state)
{
    (void)state;
    trade(200);
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("replay", "--state", rig_folder));
        assert_int_equal(r.code, CLI_FINE);
        prints(&r.out, "run 1: ");
        prints(&r.out, "decisions");
        prints(&r.out, ": identical\n");
        assert_string_equal(r.err.data, "");
    }
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("replay", "--state", rig_folder, "--run", "1", "--until",
                          "2026-09-21T15:30:00", "--why", "btc-usd"));
        assert_int_equal(r.code, CLI_FINE);
        prints(&r.out, "Engine state · 2026-09-21T15:30:00");
        prints(&r.out, "Equity ");
        prints(&r.out, "rsi14");
        prints(&r.out, "BTC-USD · ");
        prints(&r.out, "decision_core");
        prints(&r.out, "Score: (");
        assert_null(strstr(r.out.data, "ETH-USD · "));
    }
    AUTO_RUN struct rig_run r = {0};
    rig_run(&r, WORDS("replay", "--state", rig_folder, "--why", "--json"));
    assert_int_equal(r.code, CLI_FINE);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&r.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_true(json_truth(root, "identical", false));
    assert_true(json_i64(root, "decisions", 0) > 100);
    assert_int_equal(json_len(json_at(root, "/knew/decisions")), 3);
    assert_int_equal(json_len(json_at(root, "/knew/indicators")), 9);
    assert_int_equal(json_len(json_at(root, "/knew/decisions/0/votes")), 8);
    assert_true(json_len(json_at(root, "/knew/markets")) == 3);
}

static void a_truncated_journal_reports_where_it_ends(void **state)
{
    (void)state;
    char path[160];
    struct stat st;
    trade(60);
    rig_path("journal/run-1.ndj", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 7), 0);
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("replay", "--file", path));
        assert_int_equal(r.code, CLI_REFUSED);
        prints(&r.out, "run 1: ");
        prints(&r.err, "ENGINE_RECORD_DAMAGED");
        prints(&r.err, "offset ");
    }
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("replay", "--file", path, "--json"));
        assert_int_equal(r.code, CLI_REFUSED);
        prints(&r.out, "\"identical\":false");
        prints(&r.out, "\"error_code\":\"ENGINE_RECORD_DAMAGED\"");
    }
    assert_int_equal(truncate(path, 100), 0);
    AUTO_RUN struct rig_run r = {0};
    rig_run(&r, WORDS("replay", "--file", path));
    assert_int_equal(r.code, CLI_REFUSED);
    assert_string_equal(r.out.data, "");
}

static void replay_refuses_wrong_usage(void **state)
{
    (void)state;
    static const struct {
        const char *words[6];
        const char *what;
    } cases[] = {{{"replay", "--state", rig_folder}, "ENGINE_RECORD_NONE"},
                 {{"replay", "--state", rig_folder, "--run", "7"}, "run 7"},
                 {{"replay", "--file", "/nowhere"}, "FILE_MISSING"},
                 {{"replay", "--file", "/etc/passwd"}, "ENGINE_RECORD_FOREIGN"},
                 {{"replay", "--file", "x", "--run", "1"}, "CLI_USAGE"},
                 {{"replay", "--file", "x", "--until", "noon"}, "--until takes a time"},
                 {{"replay", "--file", "x", "BTC-USD"}, "needs --why"},
                 {{"replay", "--file", "x", "--why", "B/U"}, "not a symbol"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, cases[i].words);
        assert_int_equal(r.code, CLI_CRITICAL);
        assert_string_equal(r.out.data, "");
        prints(&r.err, cases[i].what);
    }
}

static void a_journal_is_a_market_for_backtest(void **state)
{
    (void)state;
    char path[160];
    struct stat st;
    trade(300);
    rig_path("journal/run-1.ndj", path);
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("backtest", "--data", path));
        assert_int_equal(r.code, CLI_FINE);
        prints(&r.out, "the market of a recorded run");
        prints(&r.out, "Back-test of BTC-USD, ETH-USD, SOL-USD");
    }
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("backtest", "--data", path, "--symbol", "BTC-USD"));
        assert_int_equal(r.code, CLI_CRITICAL);
        prints(&r.err, "a journal must be the only --data");
    }
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 3), 0);
    AUTO_RUN struct rig_run r = {0};
    rig_run(&r, WORDS("backtest", "--data", path));
    assert_int_equal(r.code, CLI_CRITICAL);
    prints(&r.err, "ENGINE_RECORD_DAMAGED");
}

/* ---------------------------------------------------------------- state files */

static void write_bytes(const char *text)
{
    assert_int_equal(file_write(state_path, str_c(text), 0600, NULL), 0);
}

static int held(struct position *ret)
{
    AUTO_TRADING_STORE struct trading_store *store = NULL;
    assert_int_equal(trading_store_open(rig_folder, TRADING_STORE_READ, &store, NULL), 0);
    return position_table_list(store, ret, POSITIONS_LIMIT, NULL);
}

static void an_old_account_is_imported(void **state)
{
    (void)state;
    struct position p[POSITIONS_LIMIT];
    write_bytes(
        "{\"active_positions\": [{\"symbol\": \"BTC/USD\", \"side\": \"long\", \"size\": 0.5,"
        " \"entry_price\": 60000}], \"total_trades\": 4, \"win_rate\": 75}");
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("import", "state", state_path, "--state", rig_folder));
        assert_int_equal(r.code, CLI_FINE);
        prints(&r.out, "imported: 1 position, 4 trades");
        prints(&r.out, "BTC-USD long 0.5 @ 60000");
        prints(&r.out, "stops are set 2.00 %");
    }
    assert_int_equal(held(p), 1);
    assert_int_equal(p[0].stop.e8, dec_from_int(58800).e8);
    assert_int_equal(p[0].target.e8, dec_from_int(62400).e8);
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("import", "state", state_path, "--state", rig_folder));
        assert_int_equal(r.code, CLI_CRITICAL);
        prints(&r.err, "STATE_FILE_OPEN");
    }
    write_bytes("{\"active_positions\": []}");
    AUTO_RUN struct rig_run r = {0};
    rig_run(&r, WORDS("import", "state", state_path, "--state", rig_folder, "--replace", "--json"));
    assert_int_equal(r.code, CLI_FINE);
    prints(&r.out, "\"replaced_positions\":1");
    assert_int_equal(held(p), 0);
}

static void a_damaged_account_is_not(void **state)
{
    (void)state;
    char path[RIG_PATH_LEN];
    int fd = -1;
    write_bytes("{\n  \"total_trades\": 4,\n  \"win_rate\": }\n");
    {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("import", "state", state_path, "--state", rig_folder));
        assert_int_equal(r.code, CLI_CRITICAL);
        prints(&r.err, "STATE_FILE_DAMAGED");
        prints(&r.err, "old.json:3:15");
    }
    rig_path("trading.db", path);
    assert_false(file_exists(path));
    write_bytes("{}");
    rig_path(OPS_LOCK_NAME, path);
    assert_int_equal(file_lock(path, &fd, NULL), 0); /* as a daemon does */
    AUTO_RUN struct rig_run r = {0};
    rig_run(&r, WORDS("import", "state", state_path, "--state", rig_folder));
    assert_int_equal(r.code, CLI_CRITICAL);
    prints(&r.err, "FILE_LOCKED");
    (void)close(fd);
}

#define REPLAY_TEST(fn) cmocka_unit_test_setup_teardown(fn, make_folder, rig_remove_folder)
UNIT_GROUP(replay_cli, REPLAY_TEST(a_replay_is_identical_and_shows_the_state),
           REPLAY_TEST(a_truncated_journal_reports_where_it_ends),
           REPLAY_TEST(replay_refuses_wrong_usage), REPLAY_TEST(a_journal_is_a_market_for_backtest),
           REPLAY_TEST(an_old_account_is_imported), REPLAY_TEST(a_damaged_account_is_not))

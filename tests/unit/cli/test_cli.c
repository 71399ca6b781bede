#include "base/buf.h"
#include "base/check.h"
#include "cli/cli.h"
#include "io/file.h"
#include "io/json.h"
#include "io/secret.h"
#include "rig.h"
#include "store/ops.h"
#include "store/rule_table.h"
#include "store/trading.h"
#include "unit/unit.h"

#include <dirent.h>

static void wrong_usage_exits_with_2_and_names_the_nearest(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run a = {0}, b = {0}, c = {0}, d = {0};
    rig_run(&a, WORDS("rnu"));
    assert_int_equal(a.code, CLI_CRITICAL);
    assert_non_null(strstr(a.err.data, "CLI_USAGE"));
    assert_non_null(strstr(a.err.data, "did you mean run?"));
    rig_run(&b, WORDS("run", "--confg", "x"));
    assert_int_equal(b.code, CLI_CRITICAL);
    assert_non_null(strstr(b.err.data, "did you mean --config?"));
    rig_run(&c, WORDS("run", "--config"));
    assert_int_equal(c.code, CLI_CRITICAL);
    assert_non_null(strstr(c.err.data, "needs a value"));
    rig_run(&d, WORDS("version", "now"));
    assert_int_equal(d.code, CLI_CRITICAL);
    assert_int_equal(d.out.len, 0);
}

static void every_subcommand_has_help_with_its_exit_codes(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run all = {0};
    rig_run(&all, WORDS("help"));
    assert_int_equal(all.code, CLI_FINE);
    static const char *const names[] = {"run",          "demo",         "train",    "do",
                                        "check-config", "config",       "auditlog", "audit",
                                        "docs",         "demo-service", "predict",  "indicators",
                                        "import",       "version",      "help"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_non_null(strstr(all.out.data, names[i]));
        AUTO_RUN struct rig_run one = {0};
        rig_run(&one, WORDS(names[i], "--help"));
        assert_int_equal(one.code, CLI_FINE);
        assert_non_null(strstr(one.out.data, "Usage: nightdesk "));
        assert_non_null(strstr(one.out.data, "Exit codes:\n  0 "));
    }
}

static void version_is_text_or_json(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run text = {0}, json = {0};
    rig_run(&text, WORDS("--version"));
    assert_string_equal(text.out.data, "nightdesk " NIGHTDESK_VERSION "\n");
    rig_run(&json, WORDS("version", "--json"));
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "version"), NIGHTDESK_VERSION);
}

static void check_config_reports_the_place_and_never_a_secret(void **state)
{
    (void)state;
    char path[RIG_PATH_LEN];
    rig_path("n.yaml", path);
    assert_int_equal(file_write(path, STR_LIT("api:\n  port: 9000\n"), 0600, NULL), 0);
    AUTO_RUN struct rig_run good = {0}, bad = {0}, json = {0};
    rig_run(&good, WORDS("check-config", path));
    assert_int_equal(good.code, CLI_FINE);
    assert_non_null(strstr(good.out.data, path));
    assert_int_equal(
        file_write(path, STR_LIT("api:\n  prot: 1\n  token: [hush-hush]\n"), 0600, NULL), 0);
    rig_run(&bad, WORDS("check-config", path));
    assert_int_equal(bad.code, CLI_CRITICAL);
    assert_non_null(strstr(bad.err.data, "n.yaml:2:3"));
    assert_non_null(strstr(bad.err.data, "port"));
    assert_null(strstr(bad.err.data, "hush"));
    rig_run(&json, WORDS("check-config", "--json", path));
    assert_int_equal(json.code, CLI_CRITICAL);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_true(json_text(root, "error_code")[0] != '\0');
}

static void check_config_of(struct rig_run *ret, const char *text)
{
    char path[RIG_PATH_LEN];
    rig_path("around.yaml", path);
    assert_int_equal(file_write(path, str_c(text), 0600, NULL), 0);
    rig_run(ret, WORDS("check-config", path, "--state", rig_folder));
}

static void check_config_reads_the_users_commands(void **state)
{
    (void)state;
    char folder[RIG_PATH_LEN], file[RIG_PATH_LEN + 16], text[RIG_PATH_LEN + 64];
    rig_path("commands", folder);
    assert_int_equal(file_make_folder(folder, 0755, NULL), 0);
    (void)snprintf(file, sizeof(file), "%s/mine.yaml", folder);
    (void)snprintf(text, sizeof(text), "commands:\n  folder: %s\n", folder);
    assert_int_equal(file_write(file,
                                STR_LIT("command: mine\ngroup: see\nsummary: s\nrole: read_only\n"
                                        "steps: [{run: alert.lits}]\nexamples: [mine]\n"),
                                0644, NULL),
                     0);
    AUTO_RUN struct rig_run bad = {0};
    check_config_of(&bad, text);
    assert_int_equal(bad.code, CLI_FINE); /* nightdesk starts without the command */
    assert_non_null(strstr(bad.err.data, "mine.yaml:5:15: no action alert.lits; did you mean "
                                         "alert.list?"));
}

/* The checks beyond the options themselves. */
static void check_config_runs_the_checks_of_a_start(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run twice = {0}, files = {0}, folder = {0}, model = {0}, unread = {0},
                            there = {0}, socket = {0}, json = {0};
    check_config_of(&twice, "market:\n  symbols: [BTC-USD, BTC-USD]\n");
    assert_int_equal(twice.code, CLI_CRITICAL);
    assert_non_null(strstr(twice.err.data, "around.yaml:2:22: market.symbols: BTC-USD is already"));

    check_config_of(&files, "market:\n  source: csv\n  symbols: [A-B]\n  files: [A-B=/no/a.csv]\n");
    assert_int_equal(files.code, CLI_CRITICAL);
    assert_non_null(strstr(files.err.data, "MARKET_SOURCE"));
    assert_non_null(strstr(files.err.data, "around.yaml:4:10: market.files: /no/a.csv"));

    char path[RIG_PATH_LEN], config[RIG_PATH_LEN];
    rig_path("no_folder", path);
    rig_path("around.yaml", config);
    assert_int_equal(file_write(path, STR_LIT("x"), 0600, NULL), 0);
    rig_run(&folder, WORDS("check-config", "--state", path));
    assert_int_equal(folder.code, CLI_CRITICAL);
    assert_non_null(strstr(folder.err.data, "state.dir: "));
    assert_non_null(strstr(folder.err.data, "no_folder"));

    check_config_of(&model, "trading:\n  model: /no/model.json\n");
    assert_int_equal(model.code, CLI_FINE);
    assert_non_null(strstr(model.out.data, "ok: "));
    assert_non_null(strstr(model.err.data, "around.yaml:2:10: trading.model: /no/model.json"));
    rig_run(&json, WORDS("check-config", "--json", config, "--state", rig_folder));
    assert_int_equal(json.code, CLI_FINE);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(json_at(root, "/warnings/0"), "error_code"), "FILE_MISSING");

    check_config_of(&unread, "market:\n  files: [A-B=/no/a.csv]\n");
    assert_int_equal(unread.code, CLI_FINE);
    assert_non_null(strstr(unread.err.data, "market.source is not csv"));

    check_config_of(&socket, "api:\n  socket: /no/such/folder/s.sock\n");
    assert_int_equal(socket.code, CLI_FINE);
    assert_non_null(strstr(socket.err.data, "around.yaml:2:11: api.socket: /no/such/folder"));

    rig_path("not/made/yet", path);
    rig_run(&there, WORDS("check-config", "--state", path));
    assert_int_equal(there.code, CLI_FINE);
    assert_false(file_exists(path)); /* nothing is created */
}

static void check_config_warns_of_rules_for_symbols_not_traded(void **state)
{
    (void)state;
    struct trading_store *store = NULL;
    struct rule_book book = {.rule_count = 1};
    struct condition program;
    AUTO_RUN struct rig_run other = {0}, listed = {0};
    assert_int_equal(trading_store_open(rig_folder, TRADING_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(
        rule_read(STR_LIT("avoid\nsymbol == X-USD\nthin"), &book.rules[0], &program, NULL), 0);
    book.rules[0].id = 7;
    assert_int_equal(rule_table_save(store, &book, NULL), 0);
    trading_store_free(store);
    check_config_of(&other, "market:\n  symbols: [BTC-USD]\n");
    assert_int_equal(other.code, CLI_FINE);
    assert_non_null(strstr(other.err.data, "RULE_NOT_TRADED"));
    assert_non_null(strstr(other.err.data, "rule 7: X-USD"));
    check_config_of(&listed, "market:\n  symbols: [BTC-USD, X-USD]\n");
    assert_null(strstr(listed.err.data, "RULE_NOT_TRADED"));
}

static void docs_print_every_table(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *holds;
    } pages[] = {{"errors", "CLI_USAGE"},
                 {"commands", "restart"},
                 {"actions", "## service.restart"},
                 {"config", "check_interval"}};
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        AUTO_RUN struct rig_run page = {0};
        rig_run(&page, WORDS("docs", pages[i].what));
        assert_int_equal(page.code, CLI_FINE);
        assert_non_null(strstr(page.out.data, pages[i].holds));
    }
    AUTO_RUN struct rig_run wrong = {0}, schema = {0}, example = {0};
    rig_run(&wrong, WORDS("docs", "nothing"));
    assert_int_equal(wrong.code, CLI_CRITICAL);
    rig_run(&schema, WORDS("config", "--schema"));
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&schema.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);

    /* The example is a valid configuration. */
    rig_run(&example, WORDS("config", "--example"));
    char path[RIG_PATH_LEN];
    rig_path("example.yaml", path);
    assert_int_equal(file_write(path, buf_str(&example.out), 0600, NULL), 0);
    AUTO_RUN struct rig_run check = {0};
    rig_run(&check, WORDS("check-config", path));
    assert_int_equal(check.code, CLI_FINE);
}

static void do_without_a_daemon_fails(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run plain = {0}, json = {0};
    rig_run(&plain, WORDS("do", "status", "--state", rig_folder));
    assert_int_equal(plain.code, CLI_CRITICAL);
    assert_non_null(strstr(plain.err.data, "CLI_NO_DAEMON"));
    rig_run(&json, WORDS("do", "--json", "--state", rig_folder, "--", "restart", "--all"));
    assert_int_equal(json.code, CLI_CRITICAL);
    assert_non_null(strstr(json.out.data, "\"CLI_NO_DAEMON\""));
}

static void an_audit_that_cannot_run_has_no_verdict(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run missing = {0}, hours = {0};
    rig_run(&missing, WORDS("audit", "--offline", "--dry-run", "--state", rig_folder));
    assert_int_equal(missing.code, CLI_NO_VERDICT);
    rig_run(&hours, WORDS("audit", "--offline", "--hours", "0", "--state", rig_folder));
    assert_int_equal(hours.code, CLI_NO_VERDICT);
    assert_non_null(strstr(hours.err.data, "--hours takes a whole number from 1 to 720"));
}

static int entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

/* A wrong --state must not look like a bot without findings, and no state is created in it. */
static void reading_subcommands_create_nothing(void **state)
{
    (void)state;
    char none[RIG_PATH_LEN], empty[RIG_PATH_LEN];
    rig_path("none", none);
    rig_path("empty", empty);
    assert_int_equal(file_make_folder(empty, 0750, NULL), 0);
    const struct {
        const char *const *words;
        int code;
    } tools[] = {
        {WORDS("audit", "--state", none), CLI_NO_VERDICT},
        {WORDS("audit", "--offline", "--state", none), CLI_NO_VERDICT},
        {WORDS("audit", "--offline", "--dry-run", "--state", none), CLI_NO_VERDICT},
        {WORDS("audit", "--json", "--state", empty), CLI_NO_VERDICT},
        {WORDS("audit", "--offline", "--state", empty), CLI_NO_VERDICT},
        {WORDS("auditlog", "verify", "--state", none), CLI_CRITICAL},
        {WORDS("auditlog", "show", "--state", empty), CLI_CRITICAL},
        {WORDS("replay", "--state", none), CLI_CRITICAL},
        {WORDS("replay", "--state", empty), CLI_CRITICAL},
        {WORDS("do", "status", "--state", none), CLI_CRITICAL},
        {WORDS("train", "--symbol", "BTC-USD", "--state", none), CLI_CRITICAL},
        {WORDS("train", "--symbol", "BTC-USD", "--state", empty), CLI_CRITICAL},
        {WORDS("import", "state", "/none.json", "--state", none), CLI_CRITICAL},
        {WORDS("import", "candles", "/none.csv", "--symbol", "BTC-USD", "--state", none),
         CLI_CRITICAL},
    };
    for (size_t i = 0; i < COUNT_OF(tools); i++) {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, tools[i].words);
        if (r.code != tools[i].code || entries(empty) != 0 || file_exists(none)) {
            fail_msg("%s, number %zu: code %d, %d entries: %s", tools[i].words[0], i, r.code,
                     entries(empty), r.err.data);
        }
    }
    AUTO_RUN struct rig_run why = {0};
    rig_run(&why, WORDS("audit", "--state", none));
    assert_non_null(strstr(why.err.data, "CLI_NO_STATE"));
    assert_non_null(strstr(why.err.data, "has no trading.db"));
}

/* The state of a daemon that never traded. */
static void make_state(void)
{
    struct trading_store *trading = NULL;
    struct ops_store *ops = NULL;
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(trading_store_open(rig_folder, TRADING_STORE_WRITE, &trading, NULL), 0);
    assert_int_equal(ops_store_open(rig_folder, OPS_STORE_WRITE, &ops, NULL), 0);
    trading_store_free(trading);
    ops_store_free(ops);
}

static void an_offline_audit_prints_only_its_verdict(void **state)
{
    (void)state;
    make_state();
    AUTO_RUN struct rig_run json = {0};
    rig_run(&json, WORDS("audit", "--offline", "--json", "--state", rig_folder));
    assert_int_equal(json.code, CLI_FINE);
    assert_string_equal(json.err.data, "");
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(json_get(root, "data"), "verdict"), "clear");

    /* It was stored, so the audit log can be verified now. */
    AUTO_RUN struct rig_run verify = {0};
    rig_run(&verify, WORDS("auditlog", "verify", "--json", "--state", rig_folder));
    assert_int_equal(verify.code, CLI_FINE);
    assert_non_null(strstr(verify.out.data, "\"ok\":true"));
}

static void auditlog_without_a_database_exits_with_2(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run verify = {0}, wrong = {0};
    rig_run(&verify, WORDS("auditlog", "verify", "--state", rig_folder));
    assert_int_equal(verify.code, CLI_CRITICAL);
    rig_run(&wrong, WORDS("auditlog", "burn", "--state", rig_folder));
    assert_int_equal(wrong.code, CLI_CRITICAL);
    assert_non_null(strstr(wrong.err.data, "CLI_USAGE"));
}

UNIT_GROUP(cli, RIG_TEST(wrong_usage_exits_with_2_and_names_the_nearest),
           RIG_TEST(every_subcommand_has_help_with_its_exit_codes),
           RIG_TEST(version_is_text_or_json),
           RIG_TEST(check_config_reports_the_place_and_never_a_secret),
           RIG_TEST(check_config_runs_the_checks_of_a_start),
           RIG_TEST(check_config_reads_the_users_commands),
           RIG_TEST(check_config_warns_of_rules_for_symbols_not_traded),
           RIG_TEST(docs_print_every_table), RIG_TEST(do_without_a_daemon_fails),
           RIG_TEST(an_audit_that_cannot_run_has_no_verdict),
           RIG_TEST(reading_subcommands_create_nothing),
           RIG_TEST(an_offline_audit_prints_only_its_verdict),
           RIG_TEST(auditlog_without_a_database_exits_with_2))

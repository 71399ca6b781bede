#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "io/file.h"
#include "io/json.h"
#include "io/yaml.h"
#include "rigs/config_rig.h"
#include "unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ reading */

static void defaults_work_without_a_file(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c = NULL;
    assert_int_equal(config_load(&(struct config_options){.no_file = true}, &c, NULL, NULL), 0);
    assert_string_equal(config_path(c), "");
    assert_string_equal(c->telegram_bot_token, "");
    assert_string_equal(c->telegram_api_url, "https://api.telegram.org");
    assert_string_equal(c->claude_api_url, "https://api.anthropic.com");
    assert_string_equal(c->claude_model, "claude-sonnet-5-5");
    assert_int_equal(c->claude_max_tokens, 8000);
    assert_int_equal(c->telegram_stale_after_us, 120 * USEC_PER_SEC);
    assert_int_equal(c->monitoring_check_interval_us, 30 * USEC_PER_SEC);
    assert_int_equal(c->monitoring_alert_threshold, 3);
    assert_int_equal(c->monitoring_log_retention_us, 90 * USEC_PER_DAY);
    assert_int_equal(c->commands_confirm_expiry_us, 120 * USEC_PER_SEC);
    assert_string_equal(c->state_dir, "var");
    assert_string_equal(c->api_socket, ""); /* in the state folder */
    assert_string_equal(c->log_level, "info");
    assert_true(c->console_enabled);
    assert_int_equal(c->user_count, 0); /* an empty list means no one */
    assert_int_equal(c->service_count, 1);
    const struct config_service *demo = config_service(c, STR_LIT("demo"));
    assert_non_null(demo);
    assert_int_equal(demo->command.count, 4);
    assert_int_equal(demo->command.items[0][0], '/'); /* this program */
    assert_int_equal(access(demo->command.items[0], X_OK), 0);
    assert_string_equal(demo->command.items[1], "demo-service");
    assert_string_equal(demo->command.items[3], "8099");
    assert_null(demo->command.items[4]);
    assert_string_equal(demo->url, "http://127.0.0.1:8099");
    assert_string_equal(demo->health_endpoint, "/health");
    assert_int_equal(demo->expect_status, 0); /* any 2xx */
    assert_int_equal(demo->timeout_us, 5 * USEC_PER_SEC);
    assert_null(config_service(c, STR_LIT("none")));

    struct settings s;
    config_settings(c, &s);
    assert_int_equal(s.symbol_count, 3);
    assert_string_equal(s.symbols[2].name, "SOL-USD");
    assert_int_equal(s.market_speed, 60);
    assert_true(s.threshold > 0.0 && s.threshold < 1.0);
    assert_true(s.risk_per_trade_pct > 0.0 && s.stop_pct > 0.0 && s.target_pct > s.stop_pct);
    assert_int_equal(s.max_positions, 3);
    assert_int_equal(s.max_consecutive_losses, 10);
    assert_int_equal(s.cooldown_us, 30 * USEC_PER_MIN);
    assert_int_equal(dec_cmp(s.initial_cash, dec_from_int(10000)), 0);
}

static void every_type_is_read(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c =
        config_rig_parse("telegram:\n"
                         "  bot_token: \"123:abc\"\n"
                         "  chat_id: -1001234567890\n"
                         "  admin_users: [11, 12]\n"
                         "  api_url: http://127.0.0.1:8081/x\n"
                         "  users:\n"
                         "    - {id: 5, name: alice, role: operator, emergency: true}\n"
                         "    - {id: 6, name: bob}\n"
                         "services:\n"
                         "  prediction:\n"
                         "    unit: prediction.service\n"
                         "    url: http://127.0.0.1:9000\n"
                         "    timeout: 250ms\n"
                         "  feed: {command: [self, x]}\n"
                         "monitoring: {check_interval: 1m30s}\n"
                         "market: {symbols: [btc-usd], seed: 7}\n"
                         "trading: {threshold: 0.5}\n"
                         "risk: {stop: 1.5 %, target: 3, max_drawdown: 10%}\n"
                         "paper: {initial_cash: 99.5}\n"
                         "console: {enabled: false}\n"
                         "log: {level: debug}\n");
    assert_string_equal(config_path(c), "t.yaml");
    assert_string_equal(c->telegram_bot_token, "123:abc");
    assert_true(c->telegram_chat_id == -1001234567890);
    assert_int_equal(c->user_count, 4);
    assert_int_equal(c->users[0].id, 5);
    assert_string_equal(c->users[0].name, "alice");
    assert_string_equal(c->users[0].role, "operator");
    assert_true(c->users[0].emergency);
    assert_string_equal(c->users[1].role, "read_only");
    assert_false(c->users[1].emergency);
    assert_int_equal(c->users[3].id, 12);
    assert_string_equal(c->users[3].name, "admin-12");
    assert_string_equal(c->users[3].role, "admin");
    assert_true(c->users[3].emergency);
    assert_int_equal(c->service_count, 2); /* no demo if others are configured */
    assert_string_equal(c->services[0].name, "prediction");
    assert_string_equal(c->services[0].unit, "prediction.service");
    assert_int_equal(c->services[0].timeout_us, 250 * USEC_PER_MSEC);
    assert_int_equal(c->services[1].command.count, 2);
    assert_string_equal(c->services[1].command.items[1], "x");
    assert_int_equal(c->monitoring_check_interval_us, 90 * USEC_PER_SEC);
    struct settings s;
    config_settings(c, &s);
    assert_int_equal(s.symbol_count, 1);
    assert_string_equal(s.symbols[0].name, "BTC-USD");
    assert_int_equal(s.seed, 7);
    assert_true(s.threshold == 0.5);
    assert_true(s.stop_pct == 1.5);
    assert_true(s.target_pct == 3.0);
    assert_true(s.max_drawdown_pct == 10.0);
    assert_int_equal(s.initial_cash.e8, 9950000000);
    assert_false(c->console_enabled);
    assert_string_equal(c->log_level, "debug");
}

static void an_empty_value_is_the_same_as_none(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c =
        config_rig_parse("telegram:\nservices:\nmonitoring:\n  check_interval:\n");
    assert_int_equal(c->monitoring_check_interval_us, 30 * USEC_PER_SEC);
    assert_int_equal(c->service_count, 1);
    AUTO_CONFIG struct config *none = config_rig_parse("services: {}");
    assert_int_equal(none->service_count, 0); /* no services at all can be configured */
}

/* ------------------------------------------------------------------ refusals */

static void unknown_names_suggest_the_nearest_one(void **state)
{
    (void)state;
    config_rig_problem("telegram:\n  bot_tokn: x\n", ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:2:3: telegram.bot_tokn: did you mean telegram.bot_token?");
    config_rig_problem("telegrm:\n  bot_token: x\n", ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:1:1: telegrm: did you mean telegram?");
    config_rig_problem("check_interval: 30s\n", ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:1:1: check_interval: did you mean monitoring.check_interval?");
    config_rig_problem("risk:\n  check_interval: 30s\n", ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:2:3: risk.check_interval: did you mean monitoring.check_interval?");
    config_rig_problem("log:\n  colour: red\n", ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:2:3: log.colour: expected one of level, format");
    config_rig_problem("telegram: {user: []}", ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:1:12: telegram.user: did you mean telegram.users?");
    config_rig_problem("services:\n  a:\n    units: x.service\n    url: http://h\n",
                       ERR_CONFIG_UNKNOWN_KEY, "t.yaml:3:5: services.a.units: did you mean unit?");
    config_rig_problem("telegram:\n  users:\n    - {id: 1, name: a, rol: admin}\n",
                       ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:3:24: telegram.users[0].rol: did you mean role?");
}

static void a_wrong_type_reports_what_was_expected(void **state)
{
    (void)state;
    config_rig_problem(
        "monitoring:\n  check_interval: soon\n", ERR_CONFIG_TYPE,
        "t.yaml:2:19: monitoring.check_interval: expected a duration such as 500ms, 30s,"
        " 5m, 1h or 90d, found \"soon\"");
    config_rig_problem(
        "monitoring: {check_interval: 30}\n", ERR_CONFIG_TYPE,
        "t.yaml:1:30: monitoring.check_interval: expected a duration such as 500ms, 30s,"
        " 5m, 1h or 90d, found \"30\"");
    config_rig_problem("claude: {max_tokens: many}", ERR_CONFIG_TYPE,
                       "t.yaml:1:22: claude.max_tokens: expected a whole number, found \"many\"");
    config_rig_problem("console: {enabled: yes}", ERR_CONFIG_TYPE,
                       "t.yaml:1:20: console.enabled: expected true or false, found \"yes\"");
    config_rig_problem(
        "log: {level: loud}", ERR_CONFIG_TYPE,
        "t.yaml:1:14: log.level: expected error, warning, notice, info or debug, found"
        " \"loud\"");
    config_rig_problem("risk: {stop: wide}", ERR_CONFIG_TYPE,
                       "t.yaml:1:14: risk.stop: expected a percentage such as 2% or 0.5%, found"
                       " \"wide\"");
    config_rig_problem("trading: {threshold: nan}", ERR_CONFIG_TYPE,
                       "t.yaml:1:22: trading.threshold: expected a number, found \"nan\"");
    config_rig_problem("paper: {initial_cash: 1e4}", ERR_CONFIG_TYPE,
                       "t.yaml:1:23: paper.initial_cash: expected an amount such as 10000 or 99.50,"
                       " found \"1e4\"");
    config_rig_problem("market: {symbols: [BTC-USD, \"BTC/USD\"]}", ERR_CONFIG_TYPE,
                       "t.yaml:1:29: market.symbols: expected a symbol such as BTC-USD, found"
                       " \"BTC/USD\"");
    config_rig_problem(
        "market: {symbols: BTC-USD}", ERR_CONFIG_TYPE,
        "t.yaml:1:19: market.symbols: expected list of symbols, found a single value");
    config_rig_problem("claude: {model: [a]}", ERR_CONFIG_TYPE,
                       "t.yaml:1:17: claude.model: expected text, found a list");
    config_rig_problem("telegram: 5", ERR_CONFIG_TYPE,
                       "t.yaml:1:11: telegram: expected a group of options, found a single value");
    config_rig_problem("[1]", ERR_CONFIG_TYPE,
                       "t.yaml:1:1: the file: expected groups of options, found a list");
    config_rig_problem(
        "telegram: {users: [5]}", ERR_CONFIG_TYPE,
        "t.yaml:1:20: telegram.users[0]: expected id, name, role and emergency, found a"
        " single value");
    config_rig_problem("services: {Big: {unit: a}}", ERR_CONFIG_TYPE,
                       "t.yaml:1:12: services: expected a name of 1 to 31 of a-z, 0-9, - and _");
    config_rig_problem(
        "services: {a: {url: \"http://h\", health_endpoint: /a b}}", ERR_CONFIG_TYPE,
        "t.yaml:1:15: services.a.health_endpoint: it contains a space; a URL holds one "
        "as %20");
    config_rig_problem(
        "services: {a: {url: \"http://h\", health_endpoint: health}}", ERR_CONFIG_TYPE,
        "t.yaml:1:15: services.a.health_endpoint: expected a path that starts with /");
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    config_rig_problem("claude: {max_tokens: 100}", ERR_CONFIG_RANGE,
                       "t.yaml:1:22: claude.max_tokens: expected 256 to 64000, found \"100\"");
    config_rig_problem("monitoring: {check_interval: 2h}", ERR_CONFIG_RANGE,
                       "t.yaml:1:30: monitoring.check_interval: expected 1s to 1h, found \"2h\"");
    config_rig_problem("risk: {max_drawdown: 101%}", ERR_CONFIG_RANGE,
                       "t.yaml:1:22: risk.max_drawdown: expected 0.1% to 100%, found \"101%\"");
    config_rig_problem("trading: {threshold: 0}", ERR_CONFIG_RANGE,
                       "t.yaml:1:22: trading.threshold: expected 0.01 to 1, found \"0\"");
    config_rig_problem("paper: {initial_cash: 0.5}", ERR_CONFIG_RANGE,
                       "t.yaml:1:23: paper.initial_cash: expected 1 to 1000000000, found \"0.5\"");
    config_rig_problem("market: {symbols: []}", ERR_CONFIG_RANGE,
                       "t.yaml:1:19: market.symbols: expected 1 to 300 items, found 0");
    config_rig_problem("claude: {model: \"\"}", ERR_CONFIG_RANGE,
                       "t.yaml:1:17: claude.model: expected 1 to 63 characters, found \"\"");
    config_rig_problem("telegram: {users: [{id: 0, name: a}]}", ERR_CONFIG_RANGE,
                       "t.yaml:1:25: telegram.users[0].id: expected at least 1, found \"0\"");
    config_rig_problem("telegram: {admin_users: [-5]}", ERR_CONFIG_RANGE,
                       "t.yaml:1:26: telegram.admin_users: expected a user id of at least 1");
    config_rig_problem(
        "state: {dir: "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaa}",
        ERR_CONFIG_RANGE,
        "t.yaml:1:14: state.dir: expected at most 92 characters, or set api.socket");
    /* the limits themselves are allowed */
    AUTO_CONFIG struct config *c =
        config_rig_parse("claude: {max_tokens: 256}\n"
                         "risk: {max_drawdown: 100%, max_positions: 100}\n"
                         "trading: {threshold: 1}\n");
    assert_int_equal(c->claude_max_tokens, 256);
}

static void the_place_of_an_option_is_reported(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c = config_rig_parse("risk:\n  stop: 3%\n");
    AUTO_BUF struct buf place = BUF_INIT(200);
    config_add_place(c, "risk.stop", &place);
    config_add_place(c, "risk.target", &place);
    assert_string_equal(place.data, "t.yaml:2:9: risk.stoprisk.target");
}

static void broken_yaml_is_reported_with_its_place(void **state)
{
    (void)state;
    struct config_problems problems;
    struct config *c = NULL;
    struct err err = {0};
    assert_int_equal(config_parse(STR_LIT("a: [\n"), "t.yaml", &c, &problems, &err),
                     -ERR_YAML_SYNTAX);
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(err.context, "t.yaml:2:1:"));
    assert_int_equal(config_parse(STR_LIT("log: {}\nlog: {}\n"), "t.yaml", &c, &problems, &err),
                     -ERR_YAML_DUPLICATE);
    assert_non_null(strstr(err.context, "t.yaml:2:1: log"));
    assert_int_equal(
        config_load(&(struct config_options){.path = "/no/such.yaml"}, &c, &problems, &err),
        -ERR_FILE_MISSING);
    assert_null(c);
}

static void all_problems_are_reported(void **state)
{
    (void)state;
    struct config_problems problems;
    struct config *c = NULL;
    struct err err = {0};
    int rc = config_parse(STR_LIT("claude: {max_tokens: 1, modle: x}\nlog: {level: x}\n"), "t.yaml",
                          &c, &problems, &err);
    assert_int_equal(problems.count, 3);
    assert_int_equal(problems.more, 0);
    assert_int_equal(problems.items[0].id, ERR_CONFIG_RANGE);
    assert_int_equal(problems.items[1].id, ERR_CONFIG_UNKNOWN_KEY);
    assert_int_equal(problems.items[2].id, ERR_CONFIG_TYPE);
    assert_int_equal(rc, -ERR_CONFIG_RANGE);
    AUTO_BUF struct buf many = BUF_INIT(10000);
    for (int i = 0; i < 25; i++) {
        buf_addf(&many, "zzzzzzzzzz%d: 1\n", i);
    }
    assert_true(config_parse(buf_str(&many), "t.yaml", &c, &problems, &err) < 0);
    assert_int_equal(problems.count, CONFIG_PROBLEMS_MAX);
    assert_int_equal(problems.more, 5);
}

/* ------------------------------------------------------------------ environment, credentials */

static void variables_are_expanded(void **state)
{
    (void)state;
    (void)setenv("NIGHTDESK_TEST_VALUE", "opus", 1);
    (void)setenv("NIGHTDESK_TEST_OTHER", "", 1);
    AUTO_CONFIG struct config *c =
        config_rig_parse("claude:\n"
                         "  model: claude-${NIGHTDESK_TEST_VALUE}-${NIGHTDESK_TEST_OTHER:-9}\n"
                         "  max_tokens: ${NIGHTDESK_TEST_NONE:-512}\n"
                         "state:\n"
                         "  dir: \"$${x} $HOME\"\n");
    assert_string_equal(c->claude_model, "claude-opus-9");
    assert_int_equal(c->claude_max_tokens, 512);
    assert_string_equal(c->state_dir, "${x} $HOME"); /* only ${…} is replaced */

    config_rig_problem(
        "claude:\n  model: a${NIGHTDESK_TEST_NONE}\n", ERR_CONFIG_ENV,
        "t.yaml:2:10: claude.model: $NIGHTDESK_TEST_NONE is not set and has no default");
    config_rig_problem("claude: {model: \"${A\"}", ERR_CONFIG_ENV,
                       "t.yaml:1:17: claude.model: ${ without }");
    config_rig_problem("claude: {model: \"${A-b}\"}", ERR_CONFIG_ENV,
                       "t.yaml:1:17: claude.model: expected ${NAME} or ${NAME:-text}");
    config_rig_problem(
        "claude: {model: \"${HOME:-${B}}\"}", ERR_CONFIG_ENV,
        "t.yaml:1:17: claude.model: ${ inside of ${ } is not expanded: use one variable, "
        "or a plain text as its default");
    config_rig_problem(
        "claude: {model: \"a${A:-b${B:-c}}d\"}", ERR_CONFIG_ENV,
        "t.yaml:1:17: claude.model: ${ inside of ${ } is not expanded: use one variable, "
        "or a plain text as its default");
    config_rig_problem("claude: {model: \"${}\"}", ERR_CONFIG_ENV,
                       "t.yaml:1:17: claude.model: expected ${NAME} or ${NAME:-text}");
    /* no message shows a value from the environment */
    config_rig_problem("claude: {max_tokens: \"${NIGHTDESK_TEST_VALUE}\"}", ERR_CONFIG_TYPE,
                       "t.yaml:1:22: claude.max_tokens: expected a whole number");
    (void)setenv("NIGHTDESK_TEST_VALUE", "${HOME}", 1);
    AUTO_CONFIG struct config *once =
        config_rig_parse("claude: {model: \"${NIGHTDESK_TEST_VALUE}\"}");
    assert_string_equal(once->claude_model, "${HOME}"); /* not expanded again */
}

static void the_well_known_variables_work_without_a_file(void **state)
{
    (void)state;
    (void)setenv("TELEGRAM_BOT_TOKEN", "12345:from-environment\n", 1);
    (void)setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1", 1);
    (void)setenv("TELEGRAM_CHAT_ID", "777", 1);
    AUTO_CONFIG struct config *c = NULL;
    assert_int_equal(config_load(&(struct config_options){.no_file = true}, &c, NULL, NULL), 0);
    assert_string_equal(c->telegram_bot_token, "12345:from-environment");
    assert_string_equal(c->claude_api_url, "http://127.0.0.1:1");
    assert_int_equal(c->telegram_chat_id, 777);
    assert_int_equal(c->user_count, 0); /* a chat id grants no permission */
    char line[] = "token 12345:from-environment.";
    log_redact(line);
    assert_null(strstr(line, "from-environment"));
    (void)setenv("TELEGRAM_CHAT_ID", "seven", 1);
    config_rig_problem(
        "{}", ERR_CONFIG_TYPE,
        "environment: telegram.chat_id: expected a whole number in $TELEGRAM_CHAT_ID");
}

struct folder {
    char path[256];
};

static struct folder make_folder(void)
{
    struct folder f;
    const char *base = getenv("TMPDIR");
    int n = snprintf(f.path, sizeof(f.path), "%s/nightdesk-config-XXXXXX",
                     base != NULL ? base : "/tmp");
    assert_true(n > 0 && (size_t)n < sizeof(f.path));
    assert_non_null(mkdtemp(f.path));
    return f;
}

static void write_into(const struct folder *f, const char *name, const char *text)
{
    AUTO_BUF struct buf path = BUF_INIT(512);
    buf_addf(&path, "%s/%s", f->path, name);
    assert_int_equal(file_write(path.data, str_c(text), 0600, NULL), 0);
}

static void remove_folder(const struct folder *f, const char *name)
{
    AUTO_BUF struct buf path = BUF_INIT(512);
    buf_addf(&path, "%s/%s", f->path, name);
    (void)unlink(path.data);
    assert_int_equal(rmdir(f->path), 0);
}

static void credentials_take_precedence_and_are_not_shown(void **state)
{
    (void)state;
    struct folder f = make_folder();
    write_into(&f, "claude.api_key", "sk-credential-value\n");
    (void)setenv("CREDENTIALS_DIRECTORY", f.path, 1);
    (void)setenv("CLAUDE_API_KEY", "sk-environment-value", 1);
    AUTO_CONFIG struct config *c = config_rig_parse("claude: {api_key: sk-file-value}\n"
                                                    "telegram: {bot_token: 99:token-in-file}\n");
    assert_string_equal(c->claude_api_key, "sk-credential-value");
    AUTO_BUF struct buf dump = BUF_INIT(100000);
    config_dump(c, &dump);
    assert_null(strstr(dump.data, "sk-"));
    assert_null(strstr(dump.data, "token-in-file"));
    assert_non_null(strstr(dump.data, "api_key: \"***\"  # credential\n"));
    assert_non_null(strstr(dump.data, "bot_token: \"***\"  # t.yaml:2:23\n"));

    write_into(&f, "claude.api_key", "sk-bad\001value");
    struct config *none = NULL;
    struct err err = {0};
    assert_int_equal(config_parse(STR_LIT("{}"), "t.yaml", &none, NULL, &err), -ERR_CONFIG_TYPE);
    assert_non_null(strstr(err.context, "claude.api_key: expected printable text"));
    assert_null(strstr(err.context, "sk-bad"));
    remove_folder(&f, "claude.api_key");
}

static void a_credential_satisfies_a_variable(void **state)
{
    (void)state;
    static const char yaml[] = "telegram: {bot_token: \"${TELEGRAM_BOT_TOKEN}\", chat_id: 1}\n";
    static const char *const names[] = {"TELEGRAM_BOT_TOKEN", "telegram_bot_token",
                                        "telegram.bot_token"};
    struct folder f = make_folder();
    (void)unsetenv("TELEGRAM_BOT_TOKEN");
    (void)setenv("CREDENTIALS_DIRECTORY", f.path, 1);
    config_rig_problem(
        yaml, ERR_CONFIG_ENV,
        "t.yaml:1:23: telegram.bot_token: $TELEGRAM_BOT_TOKEN is not set and has no default");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        write_into(&f, names[i], "12345:from-credential\n");
        AUTO_CONFIG struct config *c = config_rig_parse(yaml);
        assert_string_equal(c->telegram_bot_token, "12345:from-credential");
        AUTO_BUF struct buf path = BUF_INIT(512);
        buf_addf(&path, "%s/%s", f.path, names[i]);
        (void)unlink(path.data);
    }
    /* only of secrets: other options are shown */
    write_into(&f, "MODEL", "a-secret");
    config_rig_problem("claude: {model: \"${MODEL}\"}", ERR_CONFIG_ENV,
                       "t.yaml:1:17: claude.model: $MODEL is not set and has no default");
    remove_folder(&f, "MODEL");
}

static void who_uses_no_secret_needs_none(void **state)
{
    (void)state;
    struct folder f = make_folder();
    AUTO_BUF struct buf path = BUF_INIT(512);
    (void)unsetenv("TELEGRAM_BOT_TOKEN");
    write_into(&f, "c.yaml", "telegram: {bot_token: \"${TELEGRAM_BOT_TOKEN}\"}\n");
    buf_addf(&path, "%s/c.yaml", f.path);
    AUTO_CONFIG struct config *c = NULL;
    struct config_options options = {.path = path.data};
    assert_int_equal(config_load(&options, &c, NULL, NULL), -ERR_CONFIG_ENV);
    options.without_secrets = true;
    assert_int_equal(config_load(&options, &c, NULL, NULL), 0);
    assert_string_equal(c->telegram_bot_token, "");
    remove_folder(&f, "c.yaml");
}

/* People paste keys into the wrong line; the message goes into chats and bug reports. */
static void a_secret_in_the_wrong_place_is_not_shown(void **state)
{
    (void)state;
    static const char *const secrets[] = {"123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc",
                                          "sk-ant-api03-x-y-z", "0123456789abcdef0123456789abcdef",
                                          "A1b2C3d4E5f6G7h8I9j0K1", "http://me:hunter2@host/"};
    static const char *const forms[] = {
        "claude: {max_tokens: \"%s\"}",
        "console: {enabled: \"%s\"}",
        "trading: {entry_order: \"%s\"}",
        "market: {symbols: [\"%s\"]}",
        "telegram: {admin_users: [\"%s\"]}",
        "telegram: {\"%s\": 1}",
        "\"%s\": {a: 1}",
        "telegram: {bot_tokn: \"%s\"}",
        "services: {\"%s\": {url: \"x\"}}",
        "services: {a: {\"%s\": 1}}",
        "services: {a: {url: \"%s\"}}",
        "services: {a: {unit: \"%s\", command: [b]}}",
        "telegram: {bot_token: \"%s\" x: 1}",
        "a: 1\n\"%s\": 1\n\"%s\": 2",
        "log: {level: \"%s\"}",
        "state: {dir: [\"%s\"]}",
    };
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        for (size_t k = 0; k < COUNT_OF(secrets); k++) {
            char text[512];
            struct config *config = NULL;
            struct config_problems problems = {0};
            AUTO_BUF struct buf yaml = BUF_INIT(1024);
            struct str form = str_c(forms[i]);
            for (size_t at = 0; at < form.len; at++) {
                bool here = form.ptr[at] == '%';
                buf_add_str(&yaml, here ? str_c(secrets[k]) : str_n(form.ptr + at, 1));
                at += here ? 1 : 0;
            }
            (void)str_copy(buf_str(&yaml), text, sizeof(text));
            if (config_parse(str_c(text), "t.yaml", &config, &problems, NULL) == 0) {
                config_free(config);
                continue; /* a valid value of that option */
            }
            for (int n = 0; n < problems.count; n++) {
                if (strstr(problems.items[n].context, secrets[k]) != NULL ||
                    strstr(problems.items[n].context, "hunter2") != NULL) {
                    fail_msg("%s: %s", text, problems.items[n].context);
                }
            }
        }
    }
}

static void a_malformed_secret_is_not_shown(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(2000);
    buf_add_c(&text, "telegram: {bot_token: \"SECRETSECRET");
    for (int i = 0; i < 200; i++) {
        buf_add_char(&text, 'x');
    }
    buf_add_c(&text, "\"}");
    config_rig_problem(text.data, ERR_CONFIG_RANGE,
                       "t.yaml:1:23: telegram.bot_token: expected at most 128 characters");
}

static void the_given_file_is_read(void **state)
{
    (void)state;
    struct folder f = make_folder();
    AUTO_BUF struct buf path = BUF_INIT(512);
    buf_addf(&path, "%s/n.yaml", f.path);
    write_into(&f, "n.yaml", "log: {level: error}\n");
    AUTO_CONFIG struct config *c = NULL;
    assert_int_equal(config_load(&(struct config_options){.path = path.data}, &c, NULL, NULL), 0);
    assert_string_equal(c->log_level, "error");
    assert_string_equal(config_path(c), path.data);
    write_into(&f, "n.yaml", "log: {level: x}\n");
    struct config *bad = NULL;
    struct err err = {0};
    assert_true(config_load(&(struct config_options){.path = path.data}, &bad, NULL, &err) < 0);
    assert_int_equal(strncmp(err.context, path.data, path.len), 0);
    remove_folder(&f, "n.yaml");
}

/* ------------------------------------------------------------------ generated from the table */

static void same_values(const struct config *a, const struct config *b)
{
    AUTO_BUF struct buf x = BUF_INIT(100000);
    AUTO_BUF struct buf y = BUF_INIT(100000);
    config_dump(a, &x);
    config_dump(b, &y);
    /* The origins differ, so compare without the comments. */
    struct str left = buf_str(&x);
    struct str right = buf_str(&y);
    struct str l;
    struct str r;
    while (str_split(&left, '\n', &l)) {
        assert_true(str_split(&right, '\n', &r));
        struct str lv;
        struct str rv;
        (void)str_split(&l, '#', &lv);
        (void)str_split(&r, '#', &rv);
        if (!str_equal(str_trim(lv), str_trim(rv))) {
            fail_msg("%.*s\n%.*s", STR_ARG(lv), STR_ARG(rv));
        }
    }
    assert_int_equal(right.len, 0);
}

static void the_example_is_the_defaults(void **state)
{
    (void)state;
    AUTO_BUF struct buf example = BUF_INIT(100000);
    config_write_example(&example);
    assert_false(buf_failed(&example));
    AUTO_CONFIG struct config *c = config_rig_parse(example.data);
    AUTO_CONFIG struct config *defaults = config_rig_parse("");
    same_values(c, defaults);
}

static void the_dump_can_be_loaded_again(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c =
        config_rig_parse("telegram:\n"
                         "  users: [{id: 4, name: 'a \"b\" #c', role: admin}]\n"
                         "  admin_users: [8]\n"
                         "  poll_timeout: 1s500ms\n"
                         "risk: {stop: 0.30000000000000004%}\n"
                         "paper: {initial_cash: 1.00000001}\n"
                         "services: {a: {command: [x, \"y z\"]}}\n"
                         "state: {dir: \"$${x}\"}\n");
    AUTO_BUF struct buf dump = BUF_INIT(100000);
    config_dump(c, &dump);
    AUTO_CONFIG struct config *again = config_rig_parse(dump.data);
    same_values(c, again);
    assert_true(again->risk_stop_pct == c->risk_stop_pct); /* exactly */
    assert_int_equal(again->telegram_poll_timeout_us, 1500 * USEC_PER_MSEC);
    assert_string_equal(again->users[0].name, "a \"b\" #c");
    assert_int_equal(again->user_count, 2);
    assert_int_equal(again->paper_initial_cash.e8, 100000001);
    assert_string_equal(again->services[0].command.items[1], "y z");
    assert_string_equal(again->state_dir, "${x}");
}

static void every_prefix_of_a_file_loads_or_is_refused(void **state)
{
    (void)state;
    const size_t stride = UNIT_SANITIZED ? 11 : 2;
    size_t cuts = 0;
    bool comment = false; /* the same wherever it is cut: once is enough */
    AUTO_BUF struct buf example = BUF_INIT(100000);
    config_write_example(&example);
    for (size_t len = 0; len <= example.len; len++) {
        char last = len > 0 ? example.data[len - 1] : '\n';
        bool inside = comment && last != '\n';
        comment = inside || last == '#';
        if (inside || cuts++ % stride != 0) {
            continue;
        }
        struct config *c = NULL;
        struct err err = {0};
        int rc = config_parse(str_n(example.data, len), "t.yaml", &c, NULL, &err);
        if (rc < 0) {
            assert_null(c);
            assert_int_equal(err.id, -rc);
            assert_int_not_equal(err.id, ERR_INTERNAL);
            assert_int_equal(strncmp(err.context, "t.yaml:", 7), 0);
        }
        config_free(c);
    }
}

static void the_schema_is_json_and_contains_every_option(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(200000);
    config_write_schema(&text);
    AUTO_JSON struct json_object *schema = NULL;
    struct err err = {0};
    if (json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &schema, &err) < 0) {
        fail_msg("%s\n%s", err.context, text.data);
    }
    struct json_object *token =
        json_at(schema, "/properties/telegram/properties/bot_token/default");
    assert_string_equal(json_object_get_string(token), "${TELEGRAM_BOT_TOKEN:-}");
    assert_non_null(json_at(schema, "/properties/monitoring/properties/check_interval/pattern"));
    assert_string_equal(
        json_object_get_string(json_at(schema, "/properties/market/properties/symbols/default/1")),
        "ETH-USD");
    assert_non_null(json_at(schema, "/properties/telegram/properties/users/items/properties/role"));
    assert_non_null(json_at(schema, "/properties/api/properties/local_users/items/properties/uid"));
    assert_non_null(
        json_at(schema, "/properties/services/additionalProperties/properties/command"));
    /* Each option of the example is in the schema: both are generated from the same table. */
    AUTO_BUF struct buf example = BUF_INIT(100000);
    AUTO_YAML struct yaml *doc = NULL;
    config_write_example(&example);
    assert_int_equal(yaml_parse(buf_str(&example), "e", &doc, NULL), 0);
    const struct yaml_node *root = yaml_root(doc);
    size_t seen = 0;
    for (size_t g = 0; g < yaml_len(root); g++) {
        const struct yaml_node *group = yaml_value(root, g);
        bool services = str_equal_c(yaml_text(yaml_key(root, g)), "services");
        for (size_t i = 0; !services && i < yaml_len(group); i++) {
            AUTO_BUF struct buf pointer = BUF_INIT(200);
            buf_addf(&pointer, "/properties/%.*s/properties/%.*s/description",
                     STR_ARG(yaml_text(yaml_key(root, g))), STR_ARG(yaml_text(yaml_key(group, i))));
            bool users = str_equal_c(yaml_text(yaml_key(group, i)), "users") ||
                         str_equal_c(yaml_text(yaml_key(group, i)), "local_users");
            assert_true(users || json_at(schema, pointer.data) != NULL);
            seen++;
        }
    }
    assert_true(seen > 35);
}

static void the_reference_contains_every_option(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(200000);
    config_write_markdown(&text);
    assert_false(buf_failed(&text));
    assert_non_null(strstr(text.data,
                           "| `claude.max_tokens` | live | whole number, tokens | `8000` | 256"
                           " to 64000 |"));
    assert_non_null(strstr(text.data,
                           "| `telegram.users[].role` | live | word: `read_only`, `operator`,"
                           " `admin` | `read_only` |"));
    assert_non_null(
        strstr(text.data, "| `api.local_users[].uid` | live | whole number | must be given |"));
    assert_non_null(strstr(text.data, "| `services.<name>.unit` | live | text |"));
    assert_non_null(strstr(text.data, "| `state.dir` | restart | text |"));
}

#define TEST(fn) cmocka_unit_test_setup(fn, config_rig_clean)
UNIT_GROUP(config, TEST(defaults_work_without_a_file), TEST(every_type_is_read),
           TEST(an_empty_value_is_the_same_as_none), TEST(unknown_names_suggest_the_nearest_one),
           TEST(a_wrong_type_reports_what_was_expected), TEST(values_out_of_range_are_refused),
           TEST(the_place_of_an_option_is_reported), TEST(broken_yaml_is_reported_with_its_place),
           TEST(all_problems_are_reported), TEST(a_credential_satisfies_a_variable),
           TEST(who_uses_no_secret_needs_none), TEST(a_secret_in_the_wrong_place_is_not_shown),
           TEST(variables_are_expanded), TEST(the_well_known_variables_work_without_a_file),
           TEST(credentials_take_precedence_and_are_not_shown),
           TEST(a_malformed_secret_is_not_shown), TEST(the_given_file_is_read),
           TEST(the_example_is_the_defaults), TEST(the_dump_can_be_loaded_again),
           TEST(every_prefix_of_a_file_loads_or_is_refused),
           TEST(the_schema_is_json_and_contains_every_option),
           TEST(the_reference_contains_every_option))

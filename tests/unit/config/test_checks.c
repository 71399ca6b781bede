#include "base/check.h"
#include "base/clock.h"
#include "config/config.h"
#include "rigs/config_rig.h"
#include "unit/unit.h"

#include <string.h>

/* Options that are well-formed but contradict each other, or are out of reach. */

static void malformed_urls_and_urls_with_a_password_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"ftp://h",        "h",          "http://", "http:///x",
                                      "https://u:p@h/", "http://h h", ""};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf text = BUF_INIT(200);
        struct config *c = NULL;
        struct err err = {0};
        buf_addf(&text, "claude: {api_url: \"%s\"}", bad[i]);
        assert_int_equal(config_parse(buf_str(&text), "t.yaml", &c, NULL, &err), -ERR_CONFIG_TYPE);
        assert_non_null(strstr(err.context, "t.yaml:1:19: claude.api_url: expected a URL that"));
    }
}

static void inconsistent_users_and_services_are_refused(void **state)
{
    (void)state;
    config_rig_problem("telegram:\n  users:\n    - {id: 5, name: a}\n    - {id: 5, name: b}\n",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:4:7: telegram.users[1]: user id 5 is already used on line 3");
    config_rig_problem("telegram:\n  users:\n    - {id: 5, name: a}\n    - {id: 6, name: a}\n",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:4:7: telegram.users[1]: user name a is already used on line 3");
    config_rig_problem("telegram:\n  admin_users: [5]\n  users:\n    - {id: 5, name: a}\n",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:2:17: telegram.admin_users: user id 5 is already used on line 4");
    config_rig_problem("telegram: {admin_users: [5, 6, 5]}", ERR_CONFIG_DUPLICATE,
                       "t.yaml:1:32: telegram.admin_users: 5 is already in the list");
    config_rig_problem("services:\n  a: {unit: a.service}\n  b: {unit: a.service}\n",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:3:13: services.b.unit: a.service is already the unit of services.a");
    config_rig_problem(
        "services: {a: {unit: \"a b\"}}", ERR_CONFIG_TYPE,
        "t.yaml:1:22: services.a.unit: expected the name of a unit such as a.service, "
        "found \"a b\"");
    config_rig_problem("telegram: {users: [{name: a}]}", ERR_CONFIG_MISSING,
                       "t.yaml:1:20: telegram.users[0]: id is missing");
    config_rig_problem("services: {a: {unit: a.service, command: [b]}}", ERR_CONFIG_CONFLICT,
                       "t.yaml:1:15: services.a: expected unit or command, not both");
    config_rig_problem("services: {a: {timeout: 1s}}", ERR_CONFIG_MISSING,
                       "t.yaml:1:15: services.a: expected a unit, a command, a url or checks");
    config_rig_problem(
        "services: {a: {url: \"http://h\", expect_status: 99}}", ERR_CONFIG_RANGE,
        "t.yaml:1:15: services.a.expect_status: expected 100 to 599, or 0 for any from "
        "200 to 299");
}

static void times_of_reports_are_checked(void **state)
{
    (void)state;
    config_rig_problem("notify: {daily_at: '25:00'}", ERR_CONFIG_TYPE,
                       "t.yaml:1:20: notify.daily_at: expected a time such as 08:00");
    config_rig_problem(
        "notify: {weekly_at: '7 08:00x'}", ERR_CONFIG_TYPE,
        "t.yaml:1:21: notify.weekly_at: expected a day and a time such as mon 08:00");
}

static void inconsistent_local_users_are_refused(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c =
        config_rig_parse("api:\n"
                         "  local_users:\n"
                         "    - {uid: 1000, name: alice, role: operator, emergency: true}\n"
                         "    - {uid: 1001, name: bob}\n");
    assert_int_equal(c->local_count, 2);
    assert_int_equal(c->locals[0].uid, 1000);
    assert_string_equal(c->locals[0].name, "alice");
    assert_string_equal(c->locals[0].role, "operator");
    assert_true(c->locals[0].emergency);
    assert_string_equal(c->locals[1].role, "read_only");
    assert_int_equal(c->user_count, 0); /* a uid is not a Telegram id */
    AUTO_BUF struct buf dump = BUF_INIT(65536);
    config_dump(c, &dump);
    assert_non_null(strstr(dump.data, "    - {uid: 1000, name: \"alice\", role: operator, "
                                      "emergency: true, totp: \"\"}  # t.yaml:3\n"));
    config_rig_problem(
        "api: {local_users: [{uid: 0, name: a}]}", ERR_CONFIG_RANGE,
        "t.yaml:1:27: api.local_users[0].uid: expected 1 to 4294967293, found \"0\"");
    config_rig_problem(
        "api: {local_users: [{uid: alice, name: a}]}", ERR_CONFIG_TYPE,
        "t.yaml:1:27: api.local_users[0].uid: expected a whole number, found \"alice\"");
    config_rig_problem("api: {local_users: [{name: a}]}", ERR_CONFIG_MISSING,
                       "t.yaml:1:21: api.local_users[0]: uid is missing");
    config_rig_problem(
        "api: {local_users: [{uid: 5, name: a, role: root}]}", ERR_CONFIG_TYPE,
        "t.yaml:1:45: api.local_users[0].role: expected read_only, operator or admin, "
        "found \"root\"");
    config_rig_problem("api:\n  local_users:\n    - {uid: 5, name: a}\n    - {uid: 5, name: b}\n",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:4:7: api.local_users[1]: uid 5 is already used on line 3");
    config_rig_problem("api:\n  local_users:\n    - {uid: 5, name: a}\n    - {uid: 6, name: a}\n",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:4:7: api.local_users[1]: user name a is already used on line 3");
    config_rig_problem("api: {local_user: []}", ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:1:7: api.local_user: did you mean api.local_users?");
    config_rig_problem("api: {local_users: [{uid: 5, name: a, rol: admin}]}",
                       ERR_CONFIG_UNKNOWN_KEY,
                       "t.yaml:1:39: api.local_users[0].rol: did you mean role?");
    config_rig_problem(
        "api: {local_users: alice}", ERR_CONFIG_TYPE,
        "t.yaml:1:20: api.local_users: expected a list of users, found a single value");
}

static void names_of_the_api_are_checked(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "https://desk.example.com", "desk.example.com:80", "a b", "*", "''", "desk.example.com."};
    static const char *const origins[] = {
        "'*'",         "'null'",     "desk.example.com", "https://desk.example.com/",
        "https://",    "ftp://a",    "https://a:",       "https://a:b",
        "https://u@a", "https://a:0"};
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        char text[96];
        (void)snprintf(text, sizeof(text), "api: {hosts: [\"%s\"]}", hosts[i]);
        config_rig_problem(text, ERR_CONFIG_TYPE,
                           "t.yaml:1:15: api.hosts: expected a name such as desk.example.com, "
                           "without a scheme or a port");
    }
    for (size_t i = 0; i < COUNT_OF(origins); i++) {
        char text[96];
        (void)snprintf(text, sizeof(text), "api: {cors_origins: [\"%s\"]}", origins[i]);
        config_rig_problem(text, ERR_CONFIG_TYPE,
                           "t.yaml:1:22: api.cors_origins: expected an origin such as "
                           "https://desk.example.com, without a path");
    }
    AUTO_CONFIG struct config *c = config_rig_parse(
        "api: {hosts: [desk.example.com], cors_origins: ['https://a.example', 'http://b:3000']}");
    assert_int_equal(c->api_cors_origins.count, 2);
}

static void the_heartbeat_url_is_checked_and_kept_secret(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c = config_rig_parse(
        "monitoring: {heartbeat_url: \"https://h/b0b1\", heartbeat_interval: 30s}");
    assert_string_equal(c->monitoring_heartbeat_url, "https://h/b0b1");
    assert_int_equal(c->monitoring_heartbeat_interval_us, 30 * USEC_PER_SEC);
    AUTO_BUF struct buf dump = BUF_INIT(65536);
    config_dump(c, &dump);
    assert_null(strstr(dump.data, "b0b1"));
    config_rig_problem(
        "monitoring: {heartbeat_url: \"h/b0b1\"}", ERR_CONFIG_TYPE,
        "t.yaml:1:29: monitoring.heartbeat_url: expected a URL that starts with http:// "
        "or https:// and contains no password");
}

static void a_duplicate_symbol_is_refused(void **state)
{
    (void)state;
    config_rig_problem("market:\n  symbols: [BTC-USD, ETH-USD, btc-usd]\n", ERR_CONFIG_DUPLICATE,
                       "t.yaml:2:31: market.symbols: BTC-USD is already in the list");
    config_rig_problem("tiers: {tier3_symbols: [A-B, A-B]}", ERR_CONFIG_DUPLICATE,
                       "t.yaml:1:30: tiers.tier3_symbols: A-B is already in the list");
    config_rig_problem("tiers: {tier1_symbols: [A-B], tier2_symbols: [C-D, A-B]}",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:1:52: tiers.tier2_symbols: A-B is also in tiers.tier1_symbols");
    /* also compared with a list that keeps its default */
    config_rig_problem("tiers: {tier1_symbols: [SOL-USD]}", ERR_CONFIG_DUPLICATE,
                       "t.yaml:1:24: tiers.tier2_symbols: SOL-USD is also in tiers.tier1_symbols");
    config_rig_problem("market: {files: [A-B=1, C-D=1]}", ERR_CONFIG_DUPLICATE,
                       "t.yaml:1:25: market.files: 1 is already the file of A-B");
}

/* 300 symbols with a file each are accepted; one more of anything is reported with its place. */
static void the_number_of_symbols_is_limited(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(65536);
    buf_add_c(&text, "market:\n  source: csv\n  symbols:\n");
    for (int i = 0; i < SYMBOLS_LIMIT; i++) {
        buf_addf(&text, "    - S%03d-USD\n", i);
    }
    buf_add_c(&text, "  files:\n");
    for (int i = 0; i < SYMBOLS_LIMIT; i++) {
        buf_addf(&text, "    - S%03d-USD=/data/market/candles/%d.csv\n", i, i);
    }
    buf_add_c(&text, "risk: {max_positions: 100}\n");
    AUTO_CONFIG struct config *c = config_rig_parse(text.data);
    static struct settings s;
    config_settings(c, &s);
    assert_int_equal(s.symbol_count, SYMBOLS_LIMIT);
    assert_string_equal(s.symbols[SYMBOLS_LIMIT - 1].name, "S299-USD");
    assert_string_equal(s.market_files[SYMBOLS_LIMIT - 1].path, "/data/market/candles/299.csv");
    assert_int_equal(s.max_positions, POSITIONS_LIMIT);

    buf_clear(&text);
    buf_add_c(&text, "market:\n  symbols: [");
    for (int i = 0; i <= SYMBOLS_LIMIT; i++) {
        buf_addf(&text, "%sS%03d", i > 0 ? ", " : "", i);
    }
    buf_add_c(&text, "]\n");
    config_rig_problem(text.data, ERR_CONFIG_RANGE,
                       "t.yaml:2:12: market.symbols: expected 1 to 300 items, found 301");
    config_rig_problem("risk:\n  max_positions: 101\n", ERR_CONFIG_RANGE,
                       "t.yaml:2:18: risk.max_positions: expected 1 to 100, found \"101\"");
}

/* At 100 % the target of a short would be a price of zero. */
static void a_target_of_100_percent_is_refused(void **state)
{
    (void)state;
    config_rig_problem("risk: {target: 100%}", ERR_CONFIG_RANGE,
                       "t.yaml:1:16: risk.target: expected 0.1% to 99%, found \"100%\"");
}

static void a_csv_market_needs_a_file_for_each_symbol(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c =
        config_rig_parse("market:\n"
                         "  source: csv\n"
                         "  symbols: [btc-usd, ETH-USD]\n"
                         "  files: [BTC-USD=/data/a b.csv, \"eth-usd = e=1.csv\"]"
                         "\n");
    struct settings s;
    config_settings(c, &s);
    assert_int_equal(s.market_source, MARKET_CSV);
    assert_int_equal(s.market_file_count, 2);
    assert_string_equal(s.market_files[0].symbol.name, "BTC-USD");
    assert_string_equal(s.market_files[0].path, "/data/a b.csv");
    assert_string_equal(s.market_files[1].symbol.name, "ETH-USD");
    assert_string_equal(s.market_files[1].path, "e=1.csv");
    assert_int_equal(s.market_files[1].unit, 1);
    assert_true(s.market_max_dropped_pct == 1);

    static const char *const bad[] = {"a.csv", "BTC-USD=", "B/D=a.csv", "=a.csv"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf text = BUF_INIT(100);
        buf_addf(&text, "market: {files: [\"%s\"]}", bad[i]);
        config_rig_problem(
            text.data, ERR_CONFIG_TYPE,
            "t.yaml:1:18: market.files: expected SYMBOL=path, the path of at most 255 "
            "characters");
    }
    config_rig_problem("market: {files: [A-B=1, a-b=2]}", ERR_CONFIG_DUPLICATE,
                       "t.yaml:1:25: market.files: A-B already has a file");
    config_rig_problem("market: {source: csv, symbols: [A-B, C-D], files: [A-B=1]}",
                       ERR_CONFIG_MISSING, "t.yaml:1:51: market.files: expected C-D=path");
    AUTO_BUF struct buf text = BUF_INIT(1000);
    struct config *none = NULL;
    buf_addf(&text, "market: {files: [A-B=%0256d]}", 1);
    assert_int_equal(config_parse(buf_str(&text), "t.yaml", &none, NULL, NULL), -ERR_CONFIG_TYPE);
}

static void a_candle_file_may_have_a_unit(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c =
        config_rig_parse("market:\n"
                         "  files: [1000BONK-USD=bonk.csv, BTC-USD=btc.csv, PEPE-USD=pepe.csv]\n"
                         "  file_units: [pepe-usd=1000000000, \"1000BONK-USD = 1000\"]\n"
                         "  max_dropped: 2.5%\n");
    struct settings s;
    config_settings(c, &s);
    assert_int_equal(s.market_files[0].unit, 1000);
    assert_int_equal(s.market_files[1].unit, 1);
    assert_int_equal(s.market_files[2].unit, 1000000000);
    assert_true(s.market_max_dropped_pct == 2.5);
    static const char *const bad[] = {"A-B",      "A-B=",     "A-B=0",           "A-B=-10",
                                      "A-B=100x", "A-B=1001", "A-B=10000000000", "A-B=1e3"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf text = BUF_INIT(100);
        buf_addf(&text, "market: {files: [A-B=a.csv], file_units: [\"%s\"]}", bad[i]);
        config_rig_problem(
            text.data, ERR_CONFIG_TYPE,
            "t.yaml:1:43: market.file_units: expected SYMBOL=unit, the unit 1, 10, 100 "
            "… 1000000000");
    }
    config_rig_problem("market: {file_units: [A-B=10]}", ERR_CONFIG_MISSING,
                       "t.yaml:1:23: market.file_units: A-B has no file");
    config_rig_problem("market: {files: [A-B=a.csv], file_units: [A-B=10, a-b=1]}",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:1:51: market.file_units: A-B already has a unit");
}

static void symbols_may_have_a_venue_of_their_own(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c =
        config_rig_parse("market:\n"
                         "  symbols: [BTC-USD, ETH-USD, AAPL-USD, SPY-USD]\n"
                         "  venue: kraken\n"
                         "  url: https://k.example\n"
                         "  venues: [eth-usd=coinbase, \"AAPL-USD = alpaca\", SPY-USD=alpaca]\n"
                         "  venue_urls: [alpaca=http://a.example]\n"
                         "  venue_stream_urls: [alpaca=wss://s.example/x]\n"
                         "venue: {name: alpaca, key: ID, secret: hush}\n");
    struct live_plan plan;
    config_live(c, &plan);
    assert_int_equal(plan.count, 3);
    assert_string_equal(plan.venues[0].venue, "kraken");
    assert_string_equal(plan.venues[0].url, "https://k.example");
    assert_string_equal(plan.venues[0].key_id, "");
    assert_string_equal(plan.venues[1].venue, "coinbase");
    assert_string_equal(plan.venues[1].url, "");
    assert_string_equal(plan.venues[2].url, "http://a.example");
    assert_string_equal(plan.venues[2].stream_url, "wss://s.example/x");
    assert_string_equal(plan.venues[2].key_id, "ID");
    assert_string_equal(plan.venues[2].key_secret, "hush");
    assert_int_equal(plan.route_count, 3);
    assert_string_equal(plan.routes[2].symbol.name, "SPY-USD");
    assert_int_equal(plan.routes[2].venue, 2);
    const char *id, *secret;
    config_price_key(c, "alpaca_sip", &id, &secret);
    assert_string_equal(id, "ID");
    config_price_key(c, "alpacas", &id, &secret);
    assert_string_equal(id, "");
    static const char *const bad[] = {"BTC-USD", "BTC-USD=", "=kraken",
                                      "BTC-USD=a-name-that-is-too-long"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf text = BUF_INIT(200);
        buf_addf(&text, "market: {venues: [\"%s\"]}", bad[i]);
        config_rig_problem(
            text.data, ERR_CONFIG_TYPE,
            "t.yaml:1:19: market.venues: expected SYMBOL=venue, such as AAPL-USD=alpaca");
    }
    config_rig_problem("market: {venues: [XRP-USD=kraken]}", ERR_CONFIG_MISSING,
                       "t.yaml:1:19: market.venues: XRP-USD is not one of market.symbols");
    config_rig_problem("market: {venues: [BTC-USD=kraken, btc-usd=coinbase]}", ERR_CONFIG_DUPLICATE,
                       "t.yaml:1:35: market.venues: BTC-USD already has a venue");
    config_rig_problem(
        "market: {symbols: [A-B, B-B, C-B, D-B, E-B, F-B], venues: [A-B=a, B-B=b, C-B=c, D-B=d, "
        "E-B=e, F-B=f]}",
        ERR_CONFIG_RANGE,
        "t.yaml:1:59: market.venues: expected at most 6 venues, with market.venue");
    config_rig_problem("market: {venue_urls: [kraken]}", ERR_CONFIG_TYPE,
                       "t.yaml:1:23: market.venue_urls: expected venue=address, the address with "
                       "https:// or http://");
    config_rig_problem(
        "market: {venue_stream_urls: [\"kraken=https://a\"]}", ERR_CONFIG_TYPE,
        "t.yaml:1:30: market.venue_stream_urls: expected venue=address, the address with "
        "wss:// or ws://");
}

#define TEST(fn) cmocka_unit_test_setup(fn, config_rig_clean)
UNIT_GROUP(checks, TEST(malformed_urls_and_urls_with_a_password_are_refused),
           TEST(inconsistent_users_and_services_are_refused), TEST(times_of_reports_are_checked),
           TEST(inconsistent_local_users_are_refused), TEST(names_of_the_api_are_checked),
           TEST(the_heartbeat_url_is_checked_and_kept_secret), TEST(a_duplicate_symbol_is_refused),
           TEST(the_number_of_symbols_is_limited), TEST(a_target_of_100_percent_is_refused),
           TEST(a_csv_market_needs_a_file_for_each_symbol), TEST(a_candle_file_may_have_a_unit),
           TEST(symbols_may_have_a_venue_of_their_own))

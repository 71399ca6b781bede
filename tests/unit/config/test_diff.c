#include "../../../src/config/option.h"
#include "base/log.h"
#include "config/config.h"
#include "io/secret.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

static struct config *parse(const char *text)
{
    struct config *config = NULL;
    struct err err = {0};
    assert_int_equal(secret_init(&err), 0);
    if (config_parse(str_c(text), "test.yaml", &config, NULL, &err) < 0) {
        print_error("%s\n", err.context);
        fail();
    }
    return config;
}

static struct config_diff *diff_of(const char *before, const char *after)
{
    AUTO_CONFIG struct config *a = parse(before);
    AUTO_CONFIG struct config *b = parse(after);
    struct config_diff *diff = calloc(1, sizeof(*diff));
    config_diff(a, b, diff);
    return diff;
}

static void assert_change(const struct config_diff *diff, int i, const char *path, bool live,
                          const char *before, const char *after)
{
    assert_true(i < diff->count);
    assert_string_equal(diff->items[i].path, path);
    assert_int_equal(diff->items[i].live, live);
    assert_string_equal(diff->items[i].before, before);
    assert_string_equal(diff->items[i].after, after);
}

static void differences_are_listed_option_by_option(void **state)
{
    (void)state;
    struct config_diff *diff =
        diff_of("risk: {stop: 2%}\nmarket: {symbols: [BTC-USD]}\n",
                "risk: {stop: 3%}\nmarket: {symbols: [BTC-USD, ETH-USD]}\nlog: {level: debug}\n");
    assert_int_equal(diff->count, 3);
    assert_int_equal(diff->live, 2);
    assert_int_equal(diff->restart, 1);
    assert_change(diff, 0, "market.symbols", false, "[BTC-USD]", "[BTC-USD, ETH-USD]");
    assert_change(diff, 1, "risk.stop", true, "2%", "3%");
    assert_change(diff, 2, "log.level", true, "info", "debug");
    free(diff);
    diff = diff_of("risk: {stop: 2%}\n", "risk:\n  stop: 2.0%\n\n# a comment\n");
    assert_int_equal(diff->live + diff->restart, 0);
    free(diff);
}

static void people_and_services_are_compared_by_identity(void **state)
{
    (void)state;
    struct config_diff *diff =
        diff_of("telegram: {users: [{id: 1, name: al, role: admin}, {id: 2, name: bo}]}\n"
                "api: {local_users: [{uid: 5, name: cy}]}\n"
                "services: {a: {unit: a.service}, b: {unit: b.service}}\n",
                "telegram: {users: [{id: 3, name: di}, {id: 1, name: al, role: operator}]}\n"
                "api: {local_users: [{uid: 5, name: cy, emergency: true}]}\n"
                "services: {b: {unit: b.service, timeout: 9s}, c: {url: 'http://c'}}\n");
    assert_int_equal(diff->count, 7);
    assert_change(diff, 0, "telegram.users.al.role", true, "admin", "operator");
    assert_change(diff, 1, "telegram.users.bo", true,
                  "{id: 2, name: \"bo\", role: read_only, emergency: false, totp: \"\"}", "none");
    assert_change(diff, 2, "telegram.users.di", true, "none",
                  "{id: 3, name: \"di\", role: read_only, emergency: false, totp: \"\"}");
    assert_change(diff, 3, "api.local_users.cy.emergency", true, "false", "true");
    assert_string_equal(diff->items[4].path, "services.a");
    assert_change(diff, 5, "services.b.timeout", true, "5s", "9s");
    assert_string_equal(diff->items[6].path, "services.c");
    free(diff);
    /* Another order is no difference. */
    diff = diff_of("services: {a: {unit: a.service}, b: {unit: b.service}}\n",
                   "services: {b: {unit: b.service}, a: {unit: a.service}}\n");
    assert_int_equal(diff->count, 0);
    free(diff);
}

static void a_secret_is_never_shown(void **state)
{
    (void)state;
    struct config_diff *diff =
        diff_of("api: {token: 0ld-53cr3t}\n", "api: {token: n3w-53cr3t}\n"
                                              "monitoring: {heartbeat_url: 'http://x/53cr3t'}\n");
    assert_int_equal(diff->count, 2);
    assert_change(diff, 0, "monitoring.heartbeat_url", true, "\"\"", "\"***\"");
    assert_change(diff, 1, "api.token", true, "\"***\"", "\"***\"");
    free(diff);
}

static void a_long_value_is_cut_between_characters(void **state)
{
    (void)state;
    AUTO_BUF struct buf after = BUF_INIT(1024);
    buf_add_c(&after, "claude: {model: \"");
    for (int i = 0; i < 30; i++) {
        buf_add_c(&after, "é");
    }
    buf_add_c(&after, "\"}\ntrading: {model: \"");
    for (int i = 0; i < 100; i++) {
        buf_add_c(&after, "é");
    }
    buf_add_c(&after, "\"}\n");
    struct config_diff *diff = diff_of("", after.data);
    assert_int_equal(diff->count, 2);
    for (int i = 0; i < diff->count; i++) {
        struct str rest = str_c(diff->items[i].after);
        while (rest.len > 0) {
            size_t size = str_utf8_size(rest);
            assert_true(size > 0);
            rest = str_n(rest.ptr + size, rest.len - size);
        }
    }
    assert_has(diff->items[1].after, "…");
    free(diff);
}

static void what_needs_a_restart_keeps_its_value(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *running =
        parse("telegram: {bot_token: old-token-1}\nstate: {dir: one}\nmarket: {seed: 3, source: "
              "csv, symbols: [SOL-USD], files: ['SOL-USD=a.csv']}\npaper: {initial_cash: 77, "
              "spread: 3}\nconsole: {enabled: false}\nrisk: {stop: 2%}\n");
    struct config *fresh =
        parse("telegram: {bot_token: new-token-1}\nstate: {dir: two}\nrisk: {stop: 3%}\n");
    struct err err = {0};
    assert_int_equal(config_keep_running(fresh, running, NULL, &err), 0);
    assert_string_equal(fresh->telegram_bot_token, "old-token-1");
    assert_string_equal(fresh->state_dir, "one");
    assert_int_equal(fresh->market_seed, 3);
    assert_string_equal(fresh->market_source, "csv");
    assert_int_equal(fresh->market_symbols.count, 1);
    assert_string_equal(fresh->market_files.items[0], "SOL-USD=a.csv");
    assert_int_equal(fresh->paper_initial_cash.e8, running->paper_initial_cash.e8);
    assert_true(fresh->paper_spread == 3);
    assert_false(fresh->console_enabled);
    assert_true(fresh->risk_stop_pct == 3);
    /* The texts are copies: they outlive the running configuration. */
    assert_ptr_not_equal(fresh->state_dir, running->state_dir);
    struct config_diff *diff = calloc(1, sizeof(*diff));
    config_diff(running, fresh, diff);
    assert_int_equal(diff->restart, 0);
    assert_int_equal(diff->live, 1);
    free(diff);
    AUTO_BUF struct buf dump = BUF_INIT(65536);
    config_dump(fresh, &dump);
    assert_has(dump.data, "dir: \"one\"  # as of the start");
    assert_has(dump.data, "stop: 3%  # test.yaml:3:14");
    config_free(fresh);
}

/* Equal values have equal texts, wherever they come from; the text of one configuration reads back
 * as the same. */
static void the_text_depends_on_the_values_only(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *a = parse("risk: {stop: 3%}\n");
    AUTO_CONFIG struct config *b = parse("\n\nrisk:\n    stop: 3.0 %\n");
    AUTO_BUF struct buf x = BUF_INIT(65536), y = BUF_INIT(65536);
    config_text(a, &x);
    config_text(b, &y);
    assert_string_equal(x.data, y.data);
    assert_lacks(x.data, "#");
    struct config_diff *diff = diff_of("risk: {stop: 3%}\n", x.data);
    assert_int_equal(diff->live + diff->restart, 0);
    free(diff);
}

static void assert_one_flag(const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int when = options[i].flags & (CONFIG_LIVE | CONFIG_RESTART);
        if (when != CONFIG_LIVE && when != CONFIG_RESTART) {
            print_error("%s has flags %d\n", options[i].path, options[i].flags);
            fail();
        }
    }
}

static void every_option_is_live_or_needs_a_restart(void **state)
{
    (void)state;
    assert_one_flag(option_table, option_count);
    assert_one_flag(option_user_fields, option_user_field_count);
    assert_one_flag(option_local_fields, option_local_field_count);
    assert_one_flag(option_service_fields, option_service_field_count);
    /* config_keep_running keeps no part of a list. */
    for (size_t i = 0; i < option_service_field_count; i++) {
        assert_int_equal(option_service_fields[i].flags & ~CONFIG_FILE_ONLY, CONFIG_LIVE);
    }
    for (size_t i = 0; i < option_user_field_count; i++) {
        assert_int_equal(option_user_fields[i].flags & ~CONFIG_FILE_ONLY, CONFIG_LIVE);
    }
    for (size_t i = 0; i < option_local_field_count; i++) {
        assert_int_equal(option_local_fields[i].flags & ~CONFIG_FILE_ONLY, CONFIG_LIVE);
    }
}

UNIT_GROUP(diff, cmocka_unit_test(differences_are_listed_option_by_option),
           cmocka_unit_test(people_and_services_are_compared_by_identity),
           cmocka_unit_test(a_secret_is_never_shown),
           cmocka_unit_test(a_long_value_is_cut_between_characters),
           cmocka_unit_test(what_needs_a_restart_keeps_its_value),
           cmocka_unit_test(the_text_depends_on_the_values_only),
           cmocka_unit_test(every_option_is_live_or_needs_a_restart))

/* One option by its name: what it is, and a new value in the text of the file. */
#include "../../../src/config/option.h"
#include "config/config.h"
#include "config/setting.h"
#include "unit/unit.h"

#include <string.h>

static struct config_setting find(const char *name)
{
    struct config_setting s = {0};
    struct err err = {0};
    if (config_setting_find(str_c(name), &s, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return s;
}

static void not_found(const char *name, const char *context)
{
    struct config_setting s;
    struct err err = {0};
    assert_int_equal(config_setting_find(str_c(name), &s, &err), -ERR_CONFIG_UNKNOWN_KEY);
    assert_string_equal(err.context, context);
}

static void an_option_is_found_by_path_or_by_a_name_that_is_clear(void **state)
{
    (void)state;
    assert_string_equal(find("alerts.storm").path, "alerts.storm");
    assert_string_equal(find("storm").path, "alerts.storm");
    not_found("model", "model alone is not clear: claude.model, assistant.model, trading.model");
    not_found("alerts.strom", "alerts.strom: did you mean alerts.storm?");
    not_found("zzzzzzzzzzzzzzz", "zzzzzzzzzzzzzzz: docs/config.md lists all options");
    struct config_setting s = find("api.token");
    assert_true(s.secret && s.file_only);
    assert_true(find("risk.hard_limits").file_only);
    assert_false(find("alerts.storm").file_only);
    assert_true(find("alerts.storm").live);
    assert_false(find("api.port").live);
}

/* By a command, nobody may give himself rights, nor run something, nor send a secret elsewhere. */
static void what_protects_the_desk_is_changed_in_the_file_only(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "telegram.admin_users", "telegram.api_url", "claude.api_url",   "mail.server",
        "risk.hard_limits",     "commands.folder",  "secrets.key_file", "state.dir"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_true(find(paths[i]).file_only);
    }
    for (size_t i = 0; i < option_count; i++) {
        if (option_table[i].type == OPTION_SECRET) {
            assert_true(find(option_table[i].path).file_only);
        }
    }
}

static void edit_is(const char *name, const char *value, const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(65536);
    struct err err = {0};
    struct config_setting s = find(name);
    if (config_setting_edit(&s, str_c(value), STR_LIT("# x\n"), "n.yaml", &out, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_string_equal(out.data, text);
}

static void values_are_written_as_a_person_types_them(void **state)
{
    (void)state;
    edit_is("alerts.storm", "20", "# x\nalerts:\n  storm: 20\n");
    edit_is("risk.stop", "1.5 %", "# x\nrisk:\n  stop: 1.5%\n");
    edit_is("monitoring.check_interval", "1 m", "# x\nmonitoring:\n  check_interval: 1m\n");
    edit_is("notify.daily_at", "07:30", "# x\nnotify:\n  daily_at: \"07:30\"\n");
    edit_is("log.level", "debug", "# x\nlog:\n  level: debug\n");
    edit_is("mail.to", "a@x.org, b@x.org", "# x\nmail:\n  to: [\"a@x.org\", \"b@x.org\"]\n");
    edit_is("mail.to", "[\"a, b\"]", "# x\nmail:\n  to: [\"a, b\"]\n");
    edit_is("mail.to", "", "# x\nmail:\n  to: []\n");
    edit_is("tiers.tier3_symbols", "BTC-USD, ETH-USD",
            "# x\ntiers:\n  tier3_symbols: [BTC-USD, ETH-USD]\n");
    /* literal: nobody reads the environment by it */
    edit_is("notify.daily_at", "${HOME}", "# x\nnotify:\n  daily_at: \"$${HOME}\"\n");
    edit_is("alerts.storm", "${HOME}", "# x\nalerts:\n  storm: \"$${HOME}\"\n");
    edit_is("notify.daily_at", "a\"\nrisk: {stop: 9%}",
            "# x\nnotify:\n  daily_at: \"a\\\"\\nrisk: {stop: 9%}\"\n");
}

static void a_secret_and_a_list_of_lists_are_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = BUF_INIT(65536);
    struct err err = {0};
    struct config_setting s = find("api.token");
    assert_int_equal(config_setting_edit(&s, STR_LIT("abc"), STR_LIT(""), "n.yaml", &out, &err),
                     -ERR_CONFIG_GUARDED);
    assert_null(strstr(err.context, "abc"));
    s = find("mail.to");
    assert_int_equal(config_setting_edit(&s, STR_LIT("[[a]]"), STR_LIT(""), "n.yaml", &out, &err),
                     -ERR_CONFIG_TYPE);
    assert_int_equal(config_setting_edit(&s, STR_LIT("[a"), STR_LIT(""), "n.yaml", &out, &err),
                     -ERR_CONFIG_TYPE);
    assert_int_equal(out.len, 0);
}

UNIT_GROUP(setting, cmocka_unit_test(an_option_is_found_by_path_or_by_a_name_that_is_clear),
           cmocka_unit_test(what_protects_the_desk_is_changed_in_the_file_only),
           cmocka_unit_test(values_are_written_as_a_person_types_them),
           cmocka_unit_test(a_secret_and_a_list_of_lists_are_refused))

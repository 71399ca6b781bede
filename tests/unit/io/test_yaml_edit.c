#include "io/yaml.h"
#include "io/yaml_edit.h"
#include "unit/unit.h"

#include <string.h>

static int set(const char *text, const char *name, const char *value, struct buf *out,
               struct err *err)
{
    const struct yaml_edit edit = {.group = "risk", .name = name, .value = value};
    return yaml_edit(str_c(text), "t.yaml", &edit, out, err);
}

/* Sets risk.stop to 3%. */
static void becomes(const char *before, const char *after)
{
    AUTO_BUF struct buf out = BUF_INIT(YAML_MAX_BYTES);
    struct err err = {0};
    if (set(before, "stop", "3%", &out, &err) < 0) {
        fail_msg("%s\n%s", before, err.context);
    }
    assert_string_equal(out.data, after);
}

static void refused(const char *text, const char *where)
{
    AUTO_BUF struct buf out = BUF_INIT(YAML_MAX_BYTES);
    struct err err = {0};
    assert_int_equal(set(text, "stop", "3%", &out, &err), -ERR_YAML_UNSUPPORTED);
    assert_int_equal(out.len, 0);
    if (strstr(err.context, where) == NULL) {
        fail_msg("'%s' lacks '%s'", err.context, where);
    }
}

static void a_value_is_replaced_and_everything_else_stays(void **state)
{
    (void)state;
    becomes(
        "# ours\n\nrisk:   # limits\n  # the stop\n  stop:   2%   # tight\n\n  target: 4%\n#end",
        "# ours\n\nrisk:   # limits\n  # the stop\n  stop:   3%   # tight\n\n  target: 4%\n#end");
    becomes("risk:\n  stop: \"2%\" # quoted\n", "risk:\n  stop: 3% # quoted\n");
    becomes("risk:\n  stop: '2%'\nlog: {}\n", "risk:\n  stop: 3%\nlog: {}\n");
    becomes("risk:\n  \"stop\" : ${STOP:-2%}\n", "risk:\n  \"stop\" : 3%\n");
    becomes("risk:\n  stop: 3%\n", "risk:\n  stop: 3%\n");
}

static void an_empty_value_gets_one(void **state)
{
    (void)state;
    becomes("risk:\n  stop:\n  target: 4%\n", "risk:\n  stop: 3%\n  target: 4%\n");
    becomes("risk:\n  stop: # none\n", "risk:\n  stop: 3% # none\n");
    becomes("risk:\n  stop: ~ # none\n", "risk:\n  stop: 3% # none\n");
    becomes("risk:\n  stop:", "risk:\n  stop: 3%");
}

static void a_missing_name_follows_the_last_one_of_its_group(void **state)
{
    (void)state;
    becomes("risk:\n    target: 4% # far\n    # stop: 2%\n\nlog:\n  level: info\n",
            "risk:\n    target: 4% # far\n    stop: 3%\n    # stop: 2%\n\nlog:\n  level: info\n");
    becomes("risk:\n  target: 4%", "risk:\n  target: 4%\n  stop: 3%");
    becomes("risk:\n  a: [1,\n    2] # two lines\nlog: {}\n",
            "risk:\n  a: [1,\n    2] # two lines\n  stop: 3%\nlog: {}\n");
    becomes(
        "risk:\n  users:\n    - {id: 1}\n    - id: 2\n      name: x # last\n# end\n",
        "risk:\n  users:\n    - {id: 1}\n    - id: 2\n      name: x # last\n  stop: 3%\n# end\n");
}

static void a_group_without_values_gets_its_first(void **state)
{
    (void)state;
    becomes("risk: # limits\n  #stop: 2%\nlog: {}\n",
            "risk: # limits\n  stop: 3%\n  #stop: 2%\nlog: {}\n");
    becomes("risk: ~ # limits\n", "risk:  # limits\n  stop: 3%\n");
    becomes("risk:", "risk:\n  stop: 3%");
    becomes("risk: {}\n", "risk: {stop: 3%}\n");
}

static void a_missing_group_ends_the_text(void **state)
{
    (void)state;
    becomes("log:\n  level: info\n  # more\n",
            "log:\n  level: info\n  # more\nrisk:\n  stop: 3%\n");
    becomes("log: {}", "log: {}\nrisk:\n  stop: 3%\n");
    becomes("", "risk:\n  stop: 3%\n");
    becomes("# only a comment", "# only a comment\nrisk:\n  stop: 3%\n");
    becomes("  log: {}\n", "  log: {}\n  risk:\n    stop: 3%\n");
    becomes("---\nlog: {}\n", "---\nlog: {}\nrisk:\n  stop: 3%\n");
}

static void maps_in_braces_are_set_in_place(void **state)
{
    (void)state;
    becomes("risk: {stop: 2%, target: 4%} # x\n", "risk: {stop: 3%, target: 4%} # x\n");
    becomes("risk: {target: 4%} # x\n", "risk: {target: 4%, stop: 3%} # x\n");
    becomes("risk: {target: 4%,}\n", "risk: {target: 4%, stop: 3%,}\n");
    becomes("{\"risk\": {\"stop\": \"2%\"}, \"log\": {}}",
            "{\"risk\": {\"stop\": 3%}, \"log\": {}}");
    becomes("{log: {level: info}}\n", "{log: {level: info}, risk: {stop: 3%}}\n");
    becomes("{}\n", "{risk: {stop: 3%}}\n");
}

static void line_ends_stay_as_they_are(void **state)
{
    (void)state;
    becomes("risk:\r\n  stop: 2%\r\nlog: {}\r\n", "risk:\r\n  stop: 3%\r\nlog: {}\r\n");
    becomes("risk:\r\n  target: 4% # x\r\nlog: {}\r\n",
            "risk:\r\n  target: 4% # x\r\n  stop: 3%\r\nlog: {}\r\n");
    becomes("log: {}\r\n", "log: {}\r\nrisk:\r\n  stop: 3%\r\n");
}

static void characters_of_several_bytes_are_counted_right(void **state)
{
    (void)state;
    becomes("# Größe — 限\nlog: {x: \"日本\"}\nrisk:\n  stop: 2% # 🌙\n",
            "# Größe — 限\nlog: {x: \"日本\"}\nrisk:\n  stop: 3% # 🌙\n");
    becomes("\xef\xbb\xbfrisk:\n  stop: 2%\n", "\xef\xbb\xbfrisk:\n  stop: 3%\n");
}

static void a_layout_that_cannot_be_edited_is_refused(void **state)
{
    (void)state;
    refused("risk:\n  stop: |\n    2%\n", "t.yaml:2:9: risk.stop cannot be set here");
    refused("risk:\n  stop:\n    - 2%\n", "several lines");
    refused("risk: 5\n", "t.yaml:1:7: risk.stop cannot be set here: the group is no mapping");
    refused("- risk\n", "no mapping");
    refused("risk: &all\n  stop: 2%\n", "anchor");
    refused("log: {}\n...\n", "by hand"); /* a second document would begin */
}

static void the_value_itself_must_be_one_scalar(void **state)
{
    (void)state;
    static const char *const values[] = {
        "3% # x", "3%\n  target: 9%", "3%, target: 9%", "\"3", "a: b", "[1, 2]]", "3%}"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        AUTO_BUF struct buf out = BUF_INIT(YAML_MAX_BYTES);
        struct err err = {0};
        if (set("risk: {stop: 2%, target: 4%}\n", "stop", values[i], &out, &err) == 0) {
            fail_msg("%s was accepted: %s", values[i], out.data);
        }
    }
}

static void a_text_that_is_no_yaml_is_refused_with_its_place(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = BUF_INIT(YAML_MAX_BYTES);
    struct err err = {0};
    assert_int_equal(set("risk:\n  stop: [\n", "stop", "3%", &out, &err), -ERR_YAML_SYNTAX);
    assert_non_null(strstr(err.context, "t.yaml:3:1"));
}

UNIT_GROUP(yaml_edit, cmocka_unit_test(a_value_is_replaced_and_everything_else_stays),
           cmocka_unit_test(an_empty_value_gets_one),
           cmocka_unit_test(a_missing_name_follows_the_last_one_of_its_group),
           cmocka_unit_test(a_group_without_values_gets_its_first),
           cmocka_unit_test(a_missing_group_ends_the_text),
           cmocka_unit_test(maps_in_braces_are_set_in_place),
           cmocka_unit_test(line_ends_stay_as_they_are),
           cmocka_unit_test(characters_of_several_bytes_are_counted_right),
           cmocka_unit_test(a_layout_that_cannot_be_edited_is_refused),
           cmocka_unit_test(the_value_itself_must_be_one_scalar),
           cmocka_unit_test(a_text_that_is_no_yaml_is_refused_with_its_place))

#include "base/check.h"
#include "command/builtin.h"
#include "command/manifest.h"
#include "io/embed.h"
#include "io/file.h"
#include "rigs/runner_rig.h"

#include <glob.h>
#include <string.h>

#define GOOD_HEAD "command: x\ngroup: see\nsummary: s\nrole: operator\n"
#define STEPS     "steps: [{run: test.read}]\n"
#define EXAMPLES  "examples: [x]\n"

static void broken_manifests_are_refused_with_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"command: [\n", "commands/x.yaml:2:1"},
        {"command: x\ngruop: see\n", "commands/x.yaml:2:1: unknown key gruop; did you mean group?"},
        {"command: x\nzebra: see\n", "commands/x.yaml:2:1: unknown key zebra"},
        {"command: X1\ngroup: g\nsummary: s\nrole: operator\n",
         "commands/x.yaml:1:10: name X1 does not match"},
        {"command: confirm\ngroup: g\nsummary: s\nrole: operator\n", "1:10: confirm is reserved"},
        {"command: x\ngroup: g\nsummary: s\nrole: king\n", "4:7: role king is not one of"},
        {"command: x\ngroup: g\nsummary: s\nrole: none\n", "4:7: role none is not one of"},
        {"command: x\nsummary: s\nrole: admin\n", "1:1: group is missing"},
        {GOOD_HEAD EXAMPLES, "steps are missing"},
        {GOOD_HEAD STEPS, "examples must be a list"},
        {GOOD_HEAD STEPS "examples: [y]\n", "6:12: an example must begin with x"},
        {GOOD_HEAD "steps: [{run: test.raed}]\n" EXAMPLES,
         "5:15: no action test.raed; did you mean test.read?"},
        {GOOD_HEAD "steps: [{run: a.b}]\n" EXAMPLES, "5:15: no action a.b"},
        {GOOD_HEAD "steps: [{run: test.change}]\n" EXAMPLES,
         "5:9: action test.change needs the parameter service"},
        {GOOD_HEAD "steps: [{run: test.read, with: {a: b}}]\n" EXAMPLES,
         "5:33: action test.read has no parameter a"},
        {GOOD_HEAD "steps: [{run: test.change, with: {service: $srv}}]\n" EXAMPLES,
         "5:44: $srv is not an argument"},
        {GOOD_HEAD "steps: [{run: test.change, with: {service: demo, within: soon}}]\n" EXAMPLES,
         "5:58: within: soon is not a duration"},
        {GOOD_HEAD "steps: [{run: test.read, timeout: 2}]\n" EXAMPLES, "5:35: timeout must be"},
        {GOOD_HEAD "steps: [{run: test.read, timeout: 2h}]\n" EXAMPLES, "5:35: timeout must be"},
        {GOOD_HEAD "steps: [{run: test.read, retries: 99}]\n" EXAMPLES, "5:35: retries must be"},
        {GOOD_HEAD "confirm: maybe\n" STEPS EXAMPLES, "5:10: confirm must be true or false"},
        {GOOD_HEAD "args: [{name: a, type: blob, help: h}]\n" STEPS EXAMPLES,
         "5:24: type blob is not one of"},
        {GOOD_HEAD "args: [{name: a, type: choice, help: h}]\n" STEPS EXAMPLES,
         "5:8: type choice needs choices"},
        {GOOD_HEAD "args: [{name: a, type: int, help: h}, {name: b, type: int, required: true, "
                   "help: h}]\n" STEPS EXAMPLES,
         "a required argument cannot follow"},
        {GOOD_HEAD "args: [{name: a, type: int, required: true, help: h}]\n"
                   "steps: [{run: test.change, with: {service: $a}}]\n" EXAMPLES,
         "5:8: service takes a service, argument a is a int"},
        {GOOD_HEAD "args: [{name: a, type: service, help: h}]\n"
                   "steps: [{run: test.change, with: {service: $a}}]\n" EXAMPLES,
         "service is required, but argument a is optional"},
        {"command: x\ngroup: g\nsummary: s\nrole: read_only\n"
         "steps: [{run: test.change, with: {service: demo}}]\n" EXAMPLES,
         "5:15: action test.change needs role operator"},
        {GOOD_HEAD "steps: [{run: test.stop}]\n" EXAMPLES, "needs emergency: true"},
        {GOOD_HEAD "steps: [{run: test.money, with: {symbol: BTC-USD}}]\n" EXAMPLES,
         "moves money: the command needs confirm: true"},
        {GOOD_HEAD "args: [{name: a, type: int, rest: true, help: h}]\n" STEPS EXAMPLES,
         "5:35: only type text takes the rest"},
        {GOOD_HEAD "args: [{name: a, type: text, rest: true, help: h}, {name: b, type: text, "
                   "help: h}]\n" STEPS EXAMPLES,
         "no argument follows one that takes the rest"},
        {GOOD_HEAD "steps: [{run: test.read, within: 5s}]\n" EXAMPLES,
         "5:34: every and within belong to until"},
        {GOOD_HEAD "steps: [{run: test.read, until: 1 == 1}]\n" EXAMPLES,
         "5:33: until needs a condition, and within"},
        {GOOD_HEAD "steps: [{id: a, run: test.read, until: $a.nil == 1, within: 9s}]\n" EXAMPLES,
         "5:40: until: no earlier step has the id a"},
        {GOOD_HEAD "steps: [{run: test.read, until: 1 == 1, within: 2d}]\n" EXAMPLES,
         "5:49: within must be a duration from 500ms to 1d"},
        {GOOD_HEAD "steps: [{run: test.note, until: 1 == 1, within: 9s}]\n" EXAMPLES,
         "5:33: until repeats the step, and test.note does not only read"},
    };
    struct runner_rig rig = {0};
    runner_rig_actions(&rig);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct embedded_file files[] = {
            {.path = "commands/x.yaml", .data = cases[i].text, .size = strlen(cases[i].text)}, {0}};
        struct manifest_list *list = NULL;
        struct err err = {0};
        int rc = manifest_list_read(rig.actions, files, &list, &err);
        if (rc == 0) {
            print_error("accepted:\n%s", cases[i].text);
        }
        assert_true(rc < 0);
        assert_null(list);
        assert_has(err.context, cases[i].words);
    }
    action_table_free(rig.actions);
}

static void a_command_name_is_unique(void **state)
{
    (void)state;
    static const char text[] = GOOD_HEAD STEPS EXAMPLES;
    const struct embedded_file files[] = {
        {.path = "commands/x.yaml", .data = text, .size = sizeof(text) - 1},
        {.path = "commands/y.yaml", .data = text, .size = sizeof(text) - 1},
        {0}};
    struct runner_rig rig = {0};
    struct manifest_list *list = NULL;
    struct err err = {0};
    runner_rig_actions(&rig);
    assert_int_equal(manifest_list_read(rig.actions, files, &list, &err), -ERR_MANIFEST_FORMAT);
    assert_has(err.context, "commands/y.yaml:1:10: command x is defined twice");
    action_table_free(rig.actions);
}

static void a_duration_needs_a_unit(void **state)
{
    (void)state;
    int64_t us = 0;
    assert_true(value_parse_duration(str_c("90s"), &us));
    assert_int_equal(us, 90 * USEC_PER_SEC);
    assert_true(value_parse_duration(str_c("500ms"), &us));
    assert_int_equal(us, 500 * USEC_PER_MSEC);
    assert_true(value_parse_duration(str_c("2d"), &us));
    assert_int_equal(us, 2 * USEC_PER_DAY);
    static const char *const bad[] = {"",  "s", "90", "0s", "-1s", "1.5h", "9999999999999999d",
                                      "1w"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(value_parse_duration(str_c(bad[i]), &us));
    }
}

UNIT_GROUP(manifest, cmocka_unit_test(broken_manifests_are_refused_with_line_and_column),
           cmocka_unit_test(a_command_name_is_unique), cmocka_unit_test(a_duration_needs_a_unit))

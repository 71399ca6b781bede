#include "base/check.h"
#include "command/builtin.h"
#include "command/manifest.h"
#include "command/trading.h"
#include "io/embed.h"
#include "io/file.h"
#include "rig.h"

#include <glob.h>
#include <string.h>

static int never(struct action_call *call, struct err *err)
{
    (void)call;
    return err_set(err, ERR_INTERNAL, "must not run");
}

#define P_TEXT(n, needed)                                                 \
    {                                                                     \
        .name = (n), .type = PARAM_TEXT, .required = (needed), .help = "" \
    }
/* The actions of other modules that commands/ needs. */
static const struct action above[] = {
    {.name = "service.list", .summary = "s", .lowest = ROLE_READ_ONLY, .run = never},
    {.name = "service.restart",
     .summary = "s",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = {{.name = "service", .type = PARAM_SERVICE, .required = true}},
     .run = never},
    {.name = "service.wait_healthy",
     .summary = "s",
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "service", .type = PARAM_SERVICE, .required = true},
                {.name = "within", .type = PARAM_DURATION}},
     .run = never},
    {.name = "service.logs",
     .summary = "s",
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "service", .type = PARAM_SERVICE, .required = true},
                {.name = "lines", .type = PARAM_INT}},
     .run = never},
    {.name = "alert.list",
     .summary = "s",
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "id", .type = PARAM_INT}},
     .run = never},
    {.name = "alert.ack",
     .summary = "s",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = {{.name = "id", .type = PARAM_INT, .required = true}},
     .run = never},
    {.name = "alert.raise",
     .summary = "s",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "severity", .type = PARAM_CHOICE, .choices = "high|critical"},
                P_TEXT("title", true)},
     .run = never},
    {.name = "audit.run",
     .summary = "s",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = {{.name = "hours", .type = PARAM_INT}},
     .run = never},
    {0},
};

/* The manifests of version 0.1.0, and a user's manifest that uses every feature of the format. */
static void the_manifests_of_0_1_0_load(void **state)
{
    (void)state;
    glob_t found;
    struct embedded_file files[64] = {{0}};
    struct buf texts[64];
    struct err err = {0};
    struct builtin builtin = {0};
    struct action_table *table = action_table_new();
    struct manifest_list *list = NULL;
    builtin_actions(&builtin, table);
    trading_actions(NULL, table);
    action_table_add(table, above, NULL);
    assert_int_equal(glob("tests/fixtures/0.1.0/commands/*.yaml", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 30);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        buf_init(&texts[i], (size_t)64 * 1024);
        assert_int_equal(file_read(found.gl_pathv[i], &texts[i], &err), 0);
        files[i] = (struct embedded_file){.path = strstr(found.gl_pathv[i], "commands/"),
                                          .data = texts[i].data,
                                          .size = texts[i].len};
    }
    int rc = manifest_list_read(table, files, &list, &err);
    if (rc < 0) {
        print_error("%s\n", err.context);
    }
    assert_int_equal(rc, 0);
    const struct manifest *own = manifest_find(list, "own_switch");
    assert_non_null(own);
    assert_true(own->confirm && own->changes && !own->emergency);
    assert_int_equal(own->role, ROLE_OPERATOR);
    assert_int_equal(own->arg_count, 6);
    assert_int_equal(own->step_count, 4);
    assert_int_equal(own->steps[1].timeout_us, 60 * USEC_PER_SEC);
    assert_int_equal(own->steps[1].retries, 2);
    assert_string_equal(own->steps[2].with[1].value, "$within");
    assert_int_equal(own->on_failure_count, 1);
    assert_int_equal(own->example_count, 2);
    manifest_list_free(list);
    action_table_free(table);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        buf_release(&texts[i]);
    }
    globfree(&found);
}

static void the_embedded_commands_load(void **state)
{
    (void)state;
    struct err err = {0};
    struct builtin builtin = {0};
    struct action_table *table = action_table_new();
    struct manifest_list *list = NULL;
    builtin_actions(&builtin, table);
    trading_actions(NULL, table);
    action_table_add(table, above, NULL);
    int rc = manifest_list_load(table, &list, &err);
    if (rc < 0) {
        print_error("%s\n", err.context);
    }
    assert_int_equal(rc, 0);

    static const char *const names[] = {
        "help",    "status", "positions", "trades",         "why",      "pause", "resume",
        "close",   "logs",   "restart",   "alerts",         "services", "ack",   "audit",
        "version", "whoami", "auditlog",  "emergency_stop", "decisions"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_non_null(manifest_find(list, names[i]));
    }
    const struct manifest *stop = manifest_find(list, "emergency_stop");
    assert_true(stop->emergency && stop->confirm && stop->changes);
    const struct manifest *restart = manifest_find(list, "restart");
    assert_true(restart->confirm && restart->changes);
    assert_int_equal(restart->role, ROLE_OPERATOR);
    assert_int_equal(restart->step_count, 2);
    assert_int_equal(restart->on_failure_count, 1);
    assert_int_equal(restart->steps[0].timeout_us, 60 * USEC_PER_SEC);
    assert_int_equal(restart->steps[0].retries, 1);
    assert_true(manifest_find(list, "close")->confirm);
    assert_false(manifest_find(list, "pause")->confirm);
    assert_true(manifest_find(list, "pause")->changes);
    assert_false(manifest_find(list, "resume")->confirm);
    assert_false(manifest_find(list, "status")->changes);
    assert_int_equal(manifest_find(list, "auditlog")->role, ROLE_ADMIN);

    assert_string_equal(manifest_nearest(list, str_c("retsart")), "restart");
    assert_null(manifest_nearest(list, str_c("blancmange")));
    assert_string_equal(manifest_at(list, 0)->group, "see");

    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    manifest_markdown(list, &text);
    assert_has(text.data, "### /restart <service>");
    assert_has(text.data, "Asks for a confirmation.");
    assert_has(text.data, "Examples: `/restart demo`");
    buf_clear(&text);
    action_markdown(table, &text);
    assert_has(text.data, "## trading.close");
    assert_has(text.data, "Effect: moves money. Lowest role: operator.");
    assert_has(text.data, "| severity | choice: high, critical | no |");
    manifest_list_free(list);
    action_table_free(table);
}

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
         "6:44: service takes a service, argument a is a int"},
        {GOOD_HEAD "args: [{name: a, type: service, help: h}]\n"
                   "steps: [{run: test.change, with: {service: $a}}]\n" EXAMPLES,
         "service is required, but argument a is optional"},
        {"command: x\ngroup: g\nsummary: s\nrole: read_only\n"
         "steps: [{run: test.change, with: {service: demo}}]\n" EXAMPLES,
         "5:15: action test.change needs role operator"},
        {GOOD_HEAD "steps: [{run: test.stop}]\n" EXAMPLES, "needs emergency: true"},
        {GOOD_HEAD "steps: [{run: test.money, with: {symbol: BTC-USD}}]\n" EXAMPLES,
         "moves money: the command needs confirm: true"},
    };
    struct rig rig = {0};
    rig_actions(&rig);
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
    struct rig rig = {0};
    struct manifest_list *list = NULL;
    struct err err = {0};
    rig_actions(&rig);
    assert_int_equal(manifest_list_read(rig.actions, files, &list, &err), -ERR_MANIFEST_FORMAT);
    assert_has(err.context, "commands/y.yaml:1:10: command x is defined twice");
    action_table_free(rig.actions);
}

static void a_duration_needs_a_unit(void **state)
{
    (void)state;
    int64_t us = 0;
    assert_true(param_parse_duration(str_c("90s"), &us));
    assert_int_equal(us, 90 * USEC_PER_SEC);
    assert_true(param_parse_duration(str_c("500ms"), &us));
    assert_int_equal(us, 500 * USEC_PER_MSEC);
    assert_true(param_parse_duration(str_c("2d"), &us));
    assert_int_equal(us, 2 * USEC_PER_DAY);
    static const char *const bad[] = {"",  "s", "90", "0s", "-1s", "1.5h", "9999999999999999d",
                                      "1w"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(param_parse_duration(str_c(bad[i]), &us));
    }
}

UNIT_GROUP(manifest, cmocka_unit_test(the_embedded_commands_load),
           cmocka_unit_test(the_manifests_of_0_1_0_load),
           cmocka_unit_test(broken_manifests_are_refused_with_line_and_column),
           cmocka_unit_test(a_command_name_is_unique), cmocka_unit_test(a_duration_needs_a_unit))

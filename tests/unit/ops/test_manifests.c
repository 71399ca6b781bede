/* The manifests that are part of the program, with the actions of all modules. */
#include "alerts/alerts.h"
#include "assistant/assistant.h"
#include "assistant/measure.h"
#include "assistant/recommend.h"
#include "assistant/review.h"
#include "assistant/self_report.h"
#include "auditor/auditor.h"
#include "base/check.h"
#include "command/builtin.h"
#include "command/manifest.h"
#include "deploy/deploy.h"
#include "health/autofix.h"
#include "health/health.h"
#include "io/embed.h"
#include "io/file.h"
#include "learning/learner.h"
#include "ops/backup_actions.h"
#include "ops/cleanup_actions.h"
#include "ops/outbox_actions.h"
#include "ops/reload.h"
#include "sentiment/sentiment.h"
#include "trading/desk.h"
#include "unit/unit.h"

#include <glob.h>
#include <string.h>

/* The actions are only described and never run. */
static struct action_table *all_actions(struct builtin *builtin)
{
    struct action_table *table = action_table_new();
    builtin_actions(builtin, table);
    desk_actions(NULL, table);
    alerts_actions(NULL, table);
    health_actions(NULL, table);
    deploy_actions(NULL, table);
    autofix_actions(NULL, table);
    reload_actions(NULL, table);
    backup_actions_add(NULL, table);
    outbox_actions_add(NULL, table);
    cleanup_actions_add(NULL, table);
    auditor_actions(NULL, table);
    review_actions(NULL, table);
    self_report_actions(NULL, table);
    learner_actions(NULL, table);
    sentiment_actions(NULL, table);
    measure_actions(NULL, table);
    assistant_actions(NULL, table);
    recommend_actions(NULL, table);
    return table;
}

/* The manifests of an older build, and a user's manifest that uses every feature of the format. */
static void manifests_load(const char *pattern)
{
    glob_t found;
    struct embedded_file files[64] = {{0}};
    struct buf texts[64];
    struct err err = {0};
    struct builtin builtin = {0};
    struct action_table *table = all_actions(&builtin);
    struct manifest_list *list = NULL;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
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
    assert_string_equal(own->steps[2].with[1].text, "$within");
    assert_int_equal(own->on_failure_count, 1);
    assert_int_equal(own->example_count, 2);
    manifest_list_free(list);
    action_table_free(table);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        buf_release(&texts[i]);
    }
    globfree(&found);
}

static void the_manifests_of_older_builds_load(void **state)
{
    (void)state;
    manifests_load("tests/fixtures/0.1.0/commands/*.yaml");
    manifests_load("tests/fixtures/0.1.0-6/commands/*.yaml");
}

static void the_embedded_commands_load(void **state)
{
    (void)state;
    struct err err = {0};
    struct builtin builtin = {0};
    struct action_table *table = all_actions(&builtin);
    struct manifest_list *list = NULL;
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

    assert_string_equal(manifest_nearest(list, CHANNEL_CONSOLE, str_c("statuss")), "status");
    assert_null(manifest_nearest(list, CHANNEL_CONSOLE, str_c("retsart")));
    assert_null(manifest_nearest(list, CHANNEL_CONSOLE, str_c("puase")));
    assert_false(manifest_find(list, "start")->changes);
    assert_null(manifest_nearest(list, CHANNEL_CONSOLE, str_c("blancmange")));
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
    assert_has(text.data, "| severity | choice: info, low, medium, high, critical | yes |");
    manifest_list_free(list);
    action_table_free(table);
}

/* A step must not be cut off before its action has given up by itself. */
static void a_timeout_is_longer_than_the_action_waits(void **state)
{
    static const struct {
        const char *step;
        const char *words; /* NULL: accepted */
        int64_t timeout_s;
    } cases[] = {
        {"run: trading.emergency_stop, timeout: 30s", "timeout must be longer than the 45 s", 0},
        {"run: trading.emergency_stop, timeout: 46s", NULL, 46},
        {"run: trading.emergency_stop", NULL, 55},
        {"run: trading.resume, timeout: 10s", "longer than the 10 s that trading.resume waits", 0},
        {"run: service.wait_healthy, with: {service: a}", NULL, 70},
        {"run: service.wait_healthy, with: {service: a, within: 5s}", NULL, 30},
        {"run: service.wait_healthy, with: {service: a, within: 2m}", NULL, 130},
        {"run: service.wait_healthy, with: {service: a, within: 2m, steady: 30s}", NULL, 160},
        {"run: service.wait_healthy, with: {service: a, within: 2m}, timeout: 1m",
         "timeout must be longer than the 2 min", 0},
    };
    (void)state;
    struct builtin builtin = {0};
    struct action_table *table = all_actions(&builtin);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[512];
        struct err err = {0};
        struct manifest_list *list = NULL;
        int len = snprintf(text, sizeof(text),
                           "command: x\ngroup: see\nsummary: s\nrole: admin\nemergency: true\n"
                           "confirm: true\nsteps: [{%s}]\nexamples: [x]\n",
                           cases[i].step);
        const struct embedded_file files[] = {{"commands/x.yaml", text, (size_t)len}, {0}};
        int rc = manifest_list_read(table, files, &list, &err);
        if (cases[i].words != NULL) {
            assert_int_equal(rc, -ERR_MANIFEST_FORMAT);
            assert_has(err.context, cases[i].words);
            continue;
        }
        if (rc < 0) {
            fail_msg("%s: %s", cases[i].step, err.context);
        }
        assert_int_equal(manifest_at(list, 0)->steps[0].timeout_us,
                         cases[i].timeout_s * USEC_PER_SEC);
        manifest_list_free(list);
    }
    action_table_free(table);
}

static void check_data(const struct manifest_list *list, const char *name, const char *wanted)
{
    AUTO_BUF struct buf data = BUF_INIT(MANIFEST_DATA_MAX);
    manifest_data(manifest_find(list, name), &data);
    assert_string_equal(data.data, wanted);
}

/* Of all steps, each once, with what is asked and recorded around them. */
static void the_data_of_a_command_are_those_of_its_actions(void **state)
{
    (void)state;
    struct err err = {0};
    struct builtin builtin = {0};
    struct action_table *table = all_actions(&builtin);
    struct manifest_list *list = NULL;
    assert_int_equal(manifest_list_load(table, &list, &err), 0);
    check_data(list, "alerts", "alerts alert");
    check_data(list, "limits", "snapshot.published_at snapshot.age_ms snapshot.stale limits");
    check_data(list, "ask", "*");
    check_data(list, "rule_add",
               "snapshot.published_at snapshot.age_ms snapshot.stale rule confirm stage "
               "expires_in_s run_id changed recorded record_error_code");
    const struct manifest *limits = manifest_find(list, "limits");
    assert_true(manifest_has_data(limits, str_c("snapshot")));
    assert_true(manifest_has_data(limits, str_c("limits")));
    assert_false(manifest_has_data(limits, str_c("limit")));
    assert_false(manifest_has_data(limits, str_c("trades")));
    assert_true(manifest_has_data(manifest_find(list, "ask"), str_c("trades")));
    manifest_list_free(list);
    action_table_free(table);
}

UNIT_GROUP(manifests, cmocka_unit_test(a_timeout_is_longer_than_the_action_waits),
           cmocka_unit_test(the_embedded_commands_load),
           cmocka_unit_test(the_manifests_of_older_builds_load),
           cmocka_unit_test(the_data_of_a_command_are_those_of_its_actions))

/* The user's own command files, and what becomes of commands that run by themselves. */
#include "../../../src/ops/ops_commands.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "command/manifest.h"
#include "command/reply.h"
#include "config/config.h"
#include "io/embed.h"
#include "io/file.h"
#include "io/secret.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

struct rig {
    char folder[64];
    char path[96];
    struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    struct action_table *actions;
    struct manifest_list *list;
    struct ops_commands commands;
    struct alert alert; /* the last that was looked up */
};

static int never(struct action_call *call, struct err *err)
{
    (void)call;
    return err_set(err, ERR_INTERNAL, "must not run");
}

static const struct action rows[] = {
    {.name = "test.read", .summary = "s", .lowest = ROLE_READ_ONLY, .run = never}, {0}};

static const char nightly[] = "command: nightly\ngroup: see\nsummary: s\nrole: read_only\nat: "
                              "\"07:30\"\nsteps: [{run: test.read}]\nexamples: [nightly]\n";
static const struct embedded_file embedded[] = {
    {.path = "commands/nightly.yaml", .data = nightly, .size = sizeof(nightly) - 1}, {0}};

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    assert_int_equal(secret_init(&err), 0);
    log_set_sink(swallow, NULL);
    (void)snprintf(rig->folder, sizeof(rig->folder), "/var/tmp/nightdesk-commands-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/nightdesk.yml", rig->folder);
    assert_int_equal(file_write(rig->path, STR_LIT("risk: {max_positions: 3}\n"), 0600, &err), 0);
    const struct config_options source = {.path = rig->path};
    assert_int_equal(config_load(&source, &rig->config, NULL, &err), 0);
    assert_int_equal(ops_store_open(rig->folder, OPS_STORE_WRITE, &rig->store, &err), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = clock_real(),
                                                         .config = rig->config,
                                                         .store = rig->store},
                                &rig->alerts, &err),
                     0);
    rig->actions = action_table_new();
    action_table_add(rig->actions, rows, NULL);
    assert_int_equal(manifest_list_read(rig->actions, embedded, &rig->list, &err), 0);
    ops_commands_init(&rig->commands, NULL, rig->alerts, rig->list);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[128];
    ops_commands_release(&rig->commands);
    manifest_list_free(rig->list);
    action_table_free(rig->actions);
    alerts_free(rig->alerts);
    ops_store_free(rig->store);
    config_free(rig->config);
    (void)snprintf(command, sizeof(command), "rm -r -- '%s'", rig->folder);
    assert_int_equal(system(command), 0);
    log_set_sink(NULL, NULL);
    free(rig);
    return 0;
}

static bool exists(struct rig *rig, const char *fingerprint)
{
    return alert_table_find(rig->store, fingerprint, &rig->alert, NULL) == 0;
}

static const struct alert *find(struct rig *rig, const char *fingerprint)
{
    assert_true(exists(rig, fingerprint));
    return &rig->alert;
}

static void write_bad(struct rig *rig, int number)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/bad%d.yaml", rig->folder, number);
    assert_int_equal(file_write(path, STR_LIT("command: bad\nzebra: 1\n"), 0644, NULL), 0);
}

static void one_alert_names_every_bad_file(void **state)
{
    struct rig *rig = *state;
    for (int i = 1; i <= 3; i++) {
        write_bad(rig, i);
    }
    assert_int_equal(ops_commands_load(&rig->commands, rig->folder, MANIFEST_SKIP_BAD), 3);
    const struct alert *alert = find(rig, "ops:MANIFEST_FORMAT");
    assert_string_equal(alert->title, "3 command files cannot be used");
    assert_int_equal(alert->count, 1);
    for (int i = 1; i <= 3; i++) {
        char place[64];
        (void)snprintf(place, sizeof(place), "bad%d.yaml:2:1: unknown key zebra", i);
        assert_has(alert->description, place);
    }
    for (int i = 4; i <= 7; i++) {
        write_bad(rig, i);
    }
    assert_int_equal(ops_commands_load(&rig->commands, rig->folder, MANIFEST_ALL_OR_NOTHING), 7);
    alert = find(rig, "ops:MANIFEST_FORMAT");
    assert_string_equal(alert->title, "7 command files cannot be used");
    assert_has(alert->description, "and 2 more: nightdesk check-config shows all");
    assert_int_equal(ops_commands_load(&rig->commands, "", MANIFEST_ALL_OR_NOTHING), 0);
    assert_int_equal(find(rig, "ops:MANIFEST_FORMAT")->status, ALERT_FIXED);
}

/* result NULL: refused. */
static void report(struct rig *rig, const struct reply *result, enum err_id id)
{
    struct err failure = {0}, err = {0};
    if (id != ERR_NONE) {
        (void)err_set(&failure, id, "context");
    }
    assert_int_equal(ops_commands_scheduled(manifest_find(rig->list, "nightly"), result, &failure,
                                            &rig->commands, &err),
                     0);
}

static void a_scheduled_command_reports_how_it_went(void **state)
{
    struct rig *rig = *state;
    AUTO_REPLY struct reply *reply = reply_new();
    report(rig, reply, ERR_COMMAND_CANCELLED); /* a person wanted it so */
    assert_false(exists(rig, "schedule:nightly"));

    report(rig, NULL, ERR_COMMAND_LOCKED);
    const struct alert *alert = find(rig, "schedule:nightly");
    assert_string_equal(alert->title, "scheduled command nightly did not run");
    assert_has(alert->description, "COMMAND_LOCKED");
    assert_int_equal(alert->severity, SEVERITY_MEDIUM);

    report(rig, reply, ERR_STEP_TIMEOUT);
    alert = find(rig, "schedule:nightly");
    assert_string_equal(alert->title, "scheduled command nightly failed");
    assert_int_equal(alert->severity, SEVERITY_HIGH);

    report(rig, reply, ERR_COMMAND_CANCELLED); /* it has not succeeded */
    assert_int_equal(find(rig, "schedule:nightly")->status, ALERT_OPEN);
    report(rig, reply, ERR_NONE);
    assert_int_equal(find(rig, "schedule:nightly")->status, ALERT_FIXED);
}

#define COMMANDS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(ops_commands, COMMANDS_TEST(one_alert_names_every_bad_file),
           COMMANDS_TEST(a_scheduled_command_reports_how_it_went))

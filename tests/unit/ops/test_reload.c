#include "access/access.h"
#include "alerts/alerts.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/file.h"
#include "io/json.h"
#include "io/loop.h"
#include "io/secret.h"
#include "ops/reload.h"
#include "store/alert_table.h"
#include "store/audit_chain.h"
#include "store/config_table.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The whole path of a signal, with modules that only count. */
struct rig {
    char folder[64];
    char path[96];
    struct config_options source;
    struct config *config;
    struct loop *loop;
    struct ops_store *store;
    struct ops_store *locker;
    struct alerts *alerts;
    struct access *access;
    struct reload *reload;
    int applied, files, busy;
    int64_t max_positions; /* as last applied */
};

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

/* As the modules do, reads both: the one before is valid until this returns. */
static void on_apply(const struct config *before, const struct config *config, void *userdata)
{
    struct rig *rig = userdata;
    AUTO_BUF struct buf a = BUF_INIT(65536), b = BUF_INIT(65536);
    config_text(before, &a);
    config_text(config, &b);
    assert_string_not_equal(a.data, b.data);
    assert_ptr_equal(config, reload_config(rig->reload));
    rig->applied++;
    rig->max_positions = config->risk_max_positions;
}

static int on_files(const struct config *config, void *userdata)
{
    struct rig *rig = userdata;
    assert_ptr_equal(config, reload_config(rig->reload));
    rig->files++;
    return 0;
}

static void on_busy(bool begins, void *userdata)
{
    struct rig *rig = userdata;
    rig->busy += begins ? 1 : -1;
    assert_in_range(rig->busy, 0, 1);
}

static void write_file(struct rig *rig, const char *text)
{
    assert_int_equal(file_write(rig->path, str_c(text), 0600, NULL), 0);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    assert_int_equal(secret_init(&err), 0);
    log_set_sink(swallow, NULL);
    (void)snprintf(rig->folder, sizeof(rig->folder), "/var/tmp/nightdesk-reload-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/nightdesk.yaml", rig->folder);
    rig->source = (struct config_options){.path = rig->path};
    write_file(rig, "risk: {max_positions: 3}\napi: {token: 0ld-53cr3t}\n");
    assert_int_equal(config_load(&rig->source, &rig->config, NULL, &err), 0);
    rig->loop = loop_new(&err);
    assert_int_equal(ops_store_open(rig->folder, OPS_STORE_WRITE, &rig->store, &err), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = clock_real(),
                                                         .config = rig->config,
                                                         .store = rig->store},
                                &rig->alerts, &err),
                     0);
    assert_int_equal(access_new(rig->config, rig->store, clock_real(), &rig->access, &err), 0);
    rig->reload = reload_new(&(struct reload_options){.config = rig->config,
                                                      .source = &rig->source,
                                                      .loop = rig->loop,
                                                      .clock = clock_real(),
                                                      .store = rig->store,
                                                      .alerts = rig->alerts,
                                                      .access = rig->access,
                                                      .apply = on_apply,
                                                      .files = on_files,
                                                      .busy = on_busy,
                                                      .userdata = rig});
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig->busy, 0);
    reload_free(rig->reload);
    access_free(rig->access);
    alerts_free(rig->alerts);
    ops_store_free(rig->locker);
    ops_store_free(rig->store);
    loop_free(rig->loop);
    config_free(rig->config);
    static const char *const files[] = {"nightdesk.yaml", "ops.db", "ops.db-wal", "ops.db-shm",
                                        "audit.key"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", rig->folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(rig->folder), 0);
    log_set_sink(NULL, NULL);
    free(rig);
    return 0;
}

static int versions(struct rig *rig)
{
    static struct config_version list[CONFIG_VERSIONS_KEPT + 10];
    int n = config_table_list(rig->store, list, CONFIG_VERSIONS_KEPT + 10, NULL);
    for (int i = 0; i < n; i++) {
        config_version_release(&list[i]);
    }
    return n;
}

static enum alert_status alert_status(struct rig *rig)
{
    struct alert *alert = calloc(1, sizeof(*alert));
    int rc = alert_table_find(rig->store, CONFIG_ALERT, alert, NULL);
    enum alert_status status = rc == 0 ? alert->status : ALERT_REJECTED;
    free(alert);
    return status;
}

static void a_signal_applies_what_is_live(void **state)
{
    struct rig *rig = *state;
    reload_started(rig->reload);
    assert_int_equal(versions(rig), 1);
    write_file(rig, "risk: {max_positions: 2}\napi: {token: n3w-53cr3t, port: 9999}\n");
    reload_signal(rig->reload);
    assert_int_equal(rig->applied, 1);
    assert_int_equal(rig->max_positions, 2);
    assert_string_equal(reload_config(rig->reload)->api_token, "n3w-53cr3t");
    assert_int_equal(reload_config(rig->reload)->api_port, 8088);
    AUTO_CONFIG_VERSION struct config_version v = {0};
    assert_int_equal(config_table_last(rig->store, &v, NULL), 0);
    assert_string_equal(v.user, "SIGHUP");
    assert_has(v.changes, "risk.max_positions: 3 → 2\n");
    assert_has(v.changes, "api.port: 8088 → 9999 (at the next start)\n");
    assert_has(v.text, "port: 8088");
    assert_lacks(v.text, "53cr3t");
    assert_lacks(v.changes, "53cr3t");
    struct audit_row row;
    assert_int_equal(audit_chain_list(rig->store, 0, &row, 1, NULL), 1);
    assert_string_equal(row.action, "config.applied");
    assert_has(row.detail, "risk.max_positions: 3 → 2");
    assert_lacks(row.detail, "53cr3t");
    AUTO_BUF struct buf line = BUF_INIT(256);
    AUTO_JSON struct json_object *data = json_object_new_object();
    reload_status(&line, data, rig->reload);
    assert_has(line.data, "1 option changed, at the next start");
}

static void without_a_difference_nothing_is_applied(void **state)
{
    struct rig *rig = *state;
    const struct config *before = reload_config(rig->reload);
    reload_signal(rig->reload);
    write_file(rig, "# a comment\nrisk: {max_positions: 3}\napi: {token: 0ld-53cr3t, port: 7}\n");
    reload_signal(rig->reload);
    assert_int_equal(rig->applied, 0);
    assert_int_equal(rig->files, 2); /* the user's commands are still read */
    assert_ptr_equal(reload_config(rig->reload), before);
    assert_int_equal(versions(rig), 1); /* the port waits for the next start; kept once */
    reload_signal(rig->reload);
    assert_int_equal(versions(rig), 1);
    AUTO_CONFIG_VERSION struct config_version v = {0};
    assert_int_equal(config_table_last(rig->store, &v, NULL), 0);
    assert_string_equal(v.changes, "api.port: 8088 → 7 (at the next start)\n");
    assert_string_equal(v.file,
                        "# a comment\nrisk: {max_positions: 3}\napi: {token: \"***\", port: 7}\n");
}

static void a_file_that_cannot_be_used_changes_nothing(void **state)
{
    struct rig *rig = *state;
    const struct config *before = reload_config(rig->reload);
    static const char *const bad[] = {"risk: {max_positions: 999}\n", "risk: {", "", "42\n",
                                      "risk: {max_positins: 2}\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(rig, bad[i]);
        reload_signal(rig->reload);
        assert_ptr_equal(reload_config(rig->reload), before);
        assert_int_equal(alert_status(rig), ALERT_OPEN);
    }
    assert_int_equal(unlink(rig->path), 0); /* not "no file", which would mean the defaults */
    reload_signal(rig->reload);
    assert_ptr_equal(reload_config(rig->reload), before);
    assert_int_equal(rig->applied + rig->files + versions(rig), 0);
    AUTO_BUF struct buf line = BUF_INIT(256);
    AUTO_JSON struct json_object *data = json_object_new_object();
    reload_status(&line, data, rig->reload);
    assert_has(line.data, "cannot be used");
    write_file(rig, "risk: {max_positions: 1}\n");
    reload_signal(rig->reload);
    assert_int_equal(rig->max_positions, 1);
    assert_int_equal(alert_status(rig), ALERT_FIXED);
}

static void while_the_store_is_locked_a_signal_waits(void **state)
{
    struct rig *rig = *state;
    const struct config *before = reload_config(rig->reload);
    assert_int_equal(ops_store_open(rig->folder, OPS_STORE_WRITE, &rig->locker, NULL), 0);
    assert_int_equal(ops_store_begin(rig->locker, NULL), 0);
    write_file(rig, "risk: {max_positions: 2}\n");
    reload_signal(rig->reload);
    assert_ptr_equal(reload_config(rig->reload), before);
    ops_store_rollback(rig->locker);
    int64_t end_us = clock_mono_us(clock_real()) + 10 * USEC_PER_SEC;
    while (rig->applied == 0 && clock_mono_us(clock_real()) < end_us) {
        (void)loop_iterate(rig->loop, 20000);
    }
    assert_int_equal(rig->applied, 1);
    assert_int_equal(versions(rig), 1);
}

/* Under ASan this finds a text that outlives its configuration, and a leak. */
static void a_hundred_reloads_leak_nothing(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 110; i++) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "risk: {max_positions: %d}\napi: {token: 53cr3t-%d}\nstate: {dir: s%d}\n"
                       "services: {s%d: {command: [a, b%d], url: 'http://x/%d'}}\n",
                       1 + i % 2, i % 2, i, i % 3, i, i);
        write_file(rig, text);
        reload_signal(rig->reload);
    }
    assert_int_equal(rig->applied, 110);
    assert_int_equal(versions(rig), CONFIG_VERSIONS_KEPT);
    assert_string_equal(reload_config(rig->reload)->state_dir, "var");
}

static void only_a_new_configuration_is_stored_at_a_start(void **state)
{
    struct rig *rig = *state;
    reload_started(rig->reload);
    reload_started(rig->reload);
    assert_int_equal(versions(rig), 1);
    AUTO_CONFIG_VERSION struct config_version v = {0};
    assert_int_equal(config_table_get(rig->store, 1, &v, NULL), 0);
    assert_string_equal(v.why, "start");
    AUTO_CONFIG_VERSION struct config_version none = {0};
    assert_int_equal(config_table_get(rig->store, 2, &none, NULL), -ERR_STORE_NOT_FOUND);
}

/* Secrets are stored as ***, and yet the history shows that one was replaced. */
static void a_secret_that_changed_between_two_starts_is_stored(void **state)
{
    struct rig *rig = *state;
    reload_started(rig->reload);
    assert_int_equal(versions(rig), 1);
    write_file(rig, "risk: {max_positions: 3}\napi: {token: n3w-53cr3t}\n");
    struct config *config = NULL;
    assert_int_equal(config_load(&rig->source, &config, NULL, NULL), 0);
    struct reload *next = reload_new(&(struct reload_options){.config = config,
                                                              .source = &rig->source,
                                                              .loop = rig->loop,
                                                              .clock = clock_real(),
                                                              .store = rig->store,
                                                              .alerts = rig->alerts,
                                                              .access = rig->access,
                                                              .apply = on_apply,
                                                              .files = on_files,
                                                              .busy = on_busy,
                                                              .userdata = rig});
    reload_started(next);
    reload_started(next); /* once */
    assert_int_equal(versions(rig), 2);
    AUTO_CONFIG_VERSION struct config_version v = {0};
    assert_int_equal(config_table_last(rig->store, &v, NULL), 0);
    assert_string_equal(v.why, "start");
    assert_string_equal(v.changes, "api.token: *** → ***\n");
    AUTO_BUF struct buf kept = BUF_INIT(65536);
    assert_int_equal(ops_store_get_text(rig->store, "config_secrets", &kept, NULL), 0);
    assert_has(kept.data, "api.token ");
    assert_lacks(kept.data, "53cr3t");
    reload_free(next);
    config_free(config);
}

#define RELOAD_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
UNIT_GROUP(reload, RELOAD_TEST(a_signal_applies_what_is_live),
           RELOAD_TEST(without_a_difference_nothing_is_applied),
           RELOAD_TEST(a_file_that_cannot_be_used_changes_nothing),
           RELOAD_TEST(while_the_store_is_locked_a_signal_waits),
           RELOAD_TEST(a_hundred_reloads_leak_nothing),
           RELOAD_TEST(only_a_new_configuration_is_stored_at_a_start),
           RELOAD_TEST(a_secret_that_changed_between_two_starts_is_stored))

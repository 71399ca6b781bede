#include "rigs/reload_rig.h"

#include "alerts/alerts.h"
#include "base/log.h"
#include "command/manifest.h"
#include "command/reply.h"
#include "command/runner.h"
#include "io/embed.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/secret.h"
#include "ops/reload.h"
#include "rigs/reply_text.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line, (void)userdata;
}

static void on_apply(const struct config *before, const struct config *config, void *userdata)
{
    struct reload_rig *rig = userdata;
    (void)before;
    if (rig->death == DEATH_STORED) {
        (void)raise(SIGKILL);
    }
    rig->applied++;
    rig->drawdown_pct = config->risk_max_drawdown_pct;
    access_apply(rig->access, config);
    runner_apply(rig->runner, config);
    alerts_apply(rig->alerts, config);
}

static int on_files(const struct config *config, void *userdata)
{
    (void)config, (void)userdata;
    return 0;
}

static void on_busy(bool begins, void *userdata)
{
    const struct reload_rig *rig = userdata;
    if (begins && rig->death == DEATH_WRITTEN) {
        (void)raise(SIGKILL);
    }
}

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct reload_rig *rig = userdata;
    reply_text_all(reply, rig->reply, sizeof(rig->reply));
    rig->err = err != NULL ? *err : (struct err){0};
}

static void open_runner(struct reload_rig *rig)
{
    struct err err = {0};
    struct embedded_file files[16] = {{0}};
    size_t count = 0;
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (strcmp(f->path, "commands/update_targets.yaml") == 0 ||
            strcmp(f->path, "commands/reload.yaml") == 0 ||
            strncmp(f->path, "commands/config_", 16) == 0) {
            files[count++] = *f;
        }
    }
    assert_int_equal(count, 9);
    rig->actions = action_table_new();
    reload_actions(rig->reload, rig->actions);
    if (manifest_list_read(rig->actions, files, &rig->manifests, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_int_equal(runner_new(&(struct runner_options){.loop = rig->loop,
                                                         .clock = clock_real(),
                                                         .config = rig->config,
                                                         .store = rig->store,
                                                         .access = rig->access,
                                                         .actions = rig->actions,
                                                         .manifests = rig->manifests},
                                &rig->runner, &err),
                     0);
}

/* As a start of the program with this folder. */
void reload_rig_start(struct reload_rig *rig)
{
    struct err err = {0};
    (void)snprintf(rig->path, sizeof(rig->path), "%s/nightdesk.yaml", rig->folder);
    rig->source = (struct config_options){.path = rig->path};
    if (config_load(&rig->source, &rig->config, NULL, &err) < 0) {
        fail_msg("%s", err.context);
    }
    rig->loop = loop_new(&err);
    rig->helpers = pool_new(
        rig->loop, &(struct pool_options){"helper", .threads_max = 1, .queue_max = 2}, &err);
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
                                                      .helpers = rig->helpers,
                                                      .busy = on_busy,
                                                      .userdata = rig});
    open_runner(rig);
    reload_started(rig->reload);
    assert_int_equal(access_identify(rig->access, CHANNEL_SOCKET, 5, &rig->who), 0);
}

void reload_rig_stop(struct reload_rig *rig)
{
    runner_free(rig->runner);
    manifest_list_free(rig->manifests);
    action_table_free(rig->actions);
    reload_free(rig->reload);
    access_free(rig->access);
    alerts_free(rig->alerts);
    ops_store_free(rig->store);
    pool_free(rig->helpers);
    loop_free(rig->loop);
    config_free(rig->config);
}

void reload_rig_write(const struct reload_rig *rig, const char *text)
{
    assert_int_equal(file_write(rig->path, str_c(text), 0640, NULL), 0);
}

int reload_rig_setup(void **state, const char *text)
{
    struct reload_rig *rig = calloc(1, sizeof(*rig));
    assert_int_equal(secret_init(NULL), 0);
    log_set_sink(swallow, NULL);
    (void)snprintf(rig->folder, sizeof(rig->folder), "/var/tmp/nightdesk-reload-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/nightdesk.yaml", rig->folder);
    reload_rig_write(rig, text);
    reload_rig_start(rig);
    *state = rig;
    return 0;
}

int reload_rig_teardown(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_stop(rig);
    (void)chmod(rig->folder, 0700);
    assert_int_equal(file_remove_tree(rig->folder, NULL), 0);
    log_set_sink(NULL, NULL);
    free(rig);
    return 0;
}

void reload_rig_submit(struct reload_rig *rig, const char *line, bool confirmed, const char *otp)
{
    const struct invocation in = {.line = line,
                                  .who = &rig->who,
                                  .confirmed = confirmed,
                                  .otp = otp,
                                  .on_reply = on_reply,
                                  .userdata = rig};
    rig->reply[0] = '\0';
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
}

void reload_rig_wait(struct reload_rig *rig)
{
    int64_t end_us = clock_mono_us(clock_real()) + 10 * USEC_PER_SEC;
    while (rig->reply[0] == '\0' && clock_mono_us(clock_real()) < end_us) {
        (void)loop_iterate(rig->loop, 20000);
    }
    assert_true(rig->reply[0] != '\0');
}

void reload_rig_run(struct reload_rig *rig, const char *line)
{
    reload_rig_submit(rig, line, true, NULL);
    reload_rig_wait(rig);
}

/* Confirms the prompt, whose code is in rig->err. */
void reload_rig_confirm(struct reload_rig *rig)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "/confirm %.20s", rig->err.context);
    reload_rig_submit(rig, line, false, NULL);
    reload_rig_wait(rig);
}

void reload_rig_refused(struct reload_rig *rig, const char *line, enum err_id id, const char *part)
{
    reload_rig_run(rig, line);
    if (rig->err.id != (int)id || strstr(rig->reply, part) == NULL) {
        fail_msg("%s: %s, %s", line, err_info(rig->err.id)->code, rig->reply);
    }
    assert_int_equal(rig->applied, 0);
}

void reload_rig_file_is(const struct reload_rig *rig, const char *text)
{
    AUTO_BUF struct buf now = BUF_INIT(65536);
    assert_int_equal(file_read(rig->path, &now, NULL), 0);
    assert_string_equal(now.data, text);
}

struct config_version reload_rig_version(const struct reload_rig *rig)
{
    struct config_version v = {0};
    assert_int_equal(config_table_last(rig->store, &v, NULL), 0);
    return v;
}

#include "alerts_rig.h"

#include "base/log.h"
#include "io/loop.h"
#include "io/secret.h"
#include "rigs/reply_text.h"

#include <stdlib.h>

static void wake(void *userdata)
{
    ((struct alerts_rig *)userdata)->wakes++;
}

static void note_run(const struct runner_note *note, void *userdata)
{
    alerts_note_run(note, ((struct alerts_rig *)userdata)->alerts);
}

static bool resume(int64_t run_id, void *userdata)
{
    struct alerts_rig *rig = userdata;
    size_t length = strlen(rig->resumed);
    if (rig->engine_busy) {
        return false;
    }
    rig->resumed_run = run_id;
    (void)snprintf(rig->resumed + length, sizeof(rig->resumed) - length, " %lld",
                   (long long)run_id);
    return true;
}

static void keep_log(const struct log_line *line, void *userdata)
{
    struct alerts_rig *rig = userdata;
    AUTO_BUF struct buf text = BUF_INIT(sizeof(rig->log) - 1);
    buf_addf(&text, "<%d> %s", (int)line->level, line->message);
    for (size_t i = 0; i < line->field_count; i++) {
        buf_addf(&text, " %s=%s", line->fields[i].key, line->fields[i].value);
    }
    (void)str_copy(buf_str(&text), rig->log, sizeof(rig->log));
    rig->log_lines++;
}

struct alerts_rig *alerts_rig_new(void)
{
    struct alerts_rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    clock_fake_init(&rig->clock, INT64_C(1795000000000000));
    assert_int_equal(secret_init(NULL), 0);
    rig->config.commands_confirm_expiry_us = USEC_PER_MIN;
    rig->config.telegram_stale_after_us = USEC_PER_MIN;
    rig->role = ROLE_OPERATOR;
    log_set_sink(keep_log, rig);
    log_set_level(LOG_LEVEL_INFO);
    return rig;
}

static void close_commands(struct alerts_rig *rig)
{
    runner_free(rig->runner);
    manifest_list_free(rig->manifests);
    action_table_free(rig->actions);
}

/* The actions hold the alerts. */
static void open_commands(struct alerts_rig *rig)
{
    rig->actions = action_table_new();
    alerts_actions(rig->alerts, rig->actions);
    assert_int_equal(manifest_list_read(rig->actions, rig->files, &rig->manifests, NULL), 0);
    const struct runner_options options = {.loop = rig->loop,
                                           .clock = &rig->clock.clock,
                                           .config = &rig->config,
                                           .store = rig->store,
                                           .access = rig->access,
                                           .actions = rig->actions,
                                           .manifests = rig->manifests,
                                           .noted = note_run,
                                           .noted_userdata = rig};
    assert_int_equal(runner_new(&options, &rig->runner, NULL), 0);
}

void alerts_rig_reopen(struct alerts_rig *rig)
{
    const struct alerts_options options = {.clock = &rig->clock.clock,
                                           .config = &rig->config,
                                           .store = rig->store,
                                           .headless = rig->headless,
                                           .outbox_changed = wake,
                                           .context = rig->context,
                                           .resume = resume,
                                           .userdata = rig};
    close_commands(rig);
    alerts_free(rig->alerts);
    assert_int_equal(alerts_new(&options, &rig->alerts, NULL), 0);
    open_commands(rig);
}

void alerts_rig_open(struct alerts_rig *rig, const struct embedded_file *files)
{
    rig->files = files;
    rig->loop = loop_new_fake(&rig->clock, NULL);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->store, NULL), 0);
    assert_int_equal(access_new(&rig->config, rig->store, &rig->clock.clock, &rig->access, NULL),
                     0);
    alerts_rig_reopen(rig);
}

void alerts_rig_free(struct alerts_rig *rig)
{
    close_commands(rig);
    loop_free(rig->loop);
    access_free(rig->access);
    alerts_free(rig->alerts);
    ops_store_free(rig->store);
    log_set_sink(NULL, NULL);
    free(rig);
}

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct alerts_rig *rig = userdata;
    rig->answer_err = err == NULL ? ERR_NONE : err->id;
    reply_text_all(reply, rig->answer, sizeof(rig->answer));
}

void alerts_rig_command(struct alerts_rig *rig, const char *line)
{
    struct principal who = {CHANNEL_SOCKET, 0, "alice", rig->role, false, ""};
    const struct invocation in = {.line = line, .who = &who, .on_reply = on_reply, .userdata = rig};
    struct err err = {0};
    rig->answer[0] = '\0';
    rig->answer_err = ERR_NONE;
    (void)runner_submit(rig->runner, &in, &err);
    rig->answer_err = rig->answer_err == ERR_NONE ? err.id : rig->answer_err;
}

#include "child.h"

#include "base/check.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX_BYTES  ((size_t)256 * 1024)
#define BACKOFF_US     USEC_PER_SEC
#define BACKOFF_MAX_US USEC_PER_MIN
#define STABLE_US      USEC_PER_MIN /* the back-off of a child that ran this long is reset */
#define STOP_GRACE_MS  5000

static int64_t mono_us(const struct child *child)
{
    return clock_mono_us(loop_clock(child->o.loop));
}

static void respawn_later(struct child *child)
{
    loop_timer_in(child->respawn, child->backoff_us);
    child->backoff_us =
        child->backoff_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : child->backoff_us * 2;
}

static void on_exit_child(struct process *process, int exit_code, void *userdata)
{
    struct child *child = userdata;
    int64_t lived_us = mono_us(child) - process_started_mono_us(process);
    process_free(process);
    child->process = NULL;
    child->exit_code = exit_code;
    if (child->o.command->count == 0) { /* a reload has removed the command */
        return;
    }
    if (child->replacing) {
        struct err err = {0};
        child->replacing = false;
        child->backoff_us = BACKOFF_US;
        child->died_mono_us = 0;
        (void)child_start(child, &err);
        child->o.fn(CHILD_REPLACED, &err, child->o.userdata);
        return;
    }
    child->restarts++;
    child->died_mono_us = mono_us(child);
    if (lived_us >= STABLE_US) {
        child->backoff_us = BACKOFF_US;
    }
    LOG(WARNING, "service %s: child ended (exit code %d), starting it again in %lld s", child->name,
        exit_code, (long long)(child->backoff_us / USEC_PER_SEC));
    respawn_later(child);
    child->o.fn(CHILD_DIED, NULL, child->o.userdata);
}

static void on_respawn(void *userdata)
{
    struct child *child = userdata;
    struct err err = {0};
    if (child->process == NULL && child_start(child, &err) == 0) {
        child->o.fn(CHILD_STARTED, NULL, child->o.userdata);
    }
}

int child_start(struct child *child, struct err *err)
{
    ASSERT(child->process == NULL);
    if (child->respawn == NULL) {
        child->respawn = loop_add_timer(child->o.loop, on_respawn, child);
        loop_source_name(child->respawn, "service respawn");
    }
    loop_timer_stop(child->respawn);
    int rc = process_spawn(child->o.loop,
                           &(struct process_options){.argv = child->o.command->items,
                                                     .log_path = child->log_path,
                                                     .log_max_bytes = LOG_MAX_BYTES,
                                                     .fn = on_exit_child,
                                                     .userdata = child},
                           &child->process, err);
    err_clear(&child->spawn_err);
    if (rc < 0) {
        child->spawn_err = *err;
        child->process = NULL;
        log_err(LOG_LEVEL_WARNING, err, child->name);
        respawn_later(child);
    }
    return rc;
}

void child_replace(struct child *child)
{
    ASSERT(child->process != NULL);
    child->replacing = true;
    process_stop(child->process, STOP_GRACE_MS);
}

void child_replace_by_force(struct child *child)
{
    ASSERT(child->process != NULL);
    child->replacing = true;
    process_stop(child->process, 0);
}

void child_stop(struct child *child)
{
    child->replacing = false;
    if (child->respawn != NULL) {
        loop_timer_stop(child->respawn);
    }
    if (child->process != NULL) {
        process_stop(child->process, STOP_GRACE_MS);
    }
}

void child_set_command(struct child *child, const struct config_texts *command)
{
    child->o.command = command;
}

const char *child_end_text(const struct child *child)
{
    static char text[32];
    int code = child->exit_code;
    const char *name = code < 0 ? sigabbrev_np(-code) : NULL;
    if (code >= 0) {
        (void)snprintf(text, sizeof(text), "exit code %d", code);
    } else {
        (void)snprintf(text, sizeof(text), "killed by SIG%s", name != NULL ? name : "?");
    }
    return text;
}

void child_reset(struct child *child)
{
    child->restarts = 0;
    child->died_mono_us = 0;
    child->backoff_us = BACKOFF_US;
    err_clear(&child->spawn_err);
}

void child_init(struct child *child, const struct child_options *options)
{
    *child = (struct child){.o = *options, .backoff_us = BACKOFF_US};
    (void)str_copy(str_c(options->name), child->name, sizeof(child->name));
    AUTO_BUF struct buf path = BUF_INIT(512);
    buf_addf(&path, "%s/%s.log", options->state_dir, options->name);
    child->log_path = buf_detach(&path);
}

void child_release(struct child *child)
{
    loop_source_free(child->respawn);
    child->respawn = NULL;
    process_free(child->process);
    child->process = NULL;
    free(child->log_path);
    child->log_path = NULL;
}

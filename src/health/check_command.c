#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "check.h"
#include "health_internal.h"
#include "io/process.h"

#include <stdlib.h>
#include <string.h>

#define STOP_GRACE_MS 500 /* between SIGTERM and SIGKILL */
#define KILL_MS       100 /* for its end after SIGKILL; one that waits for a dead disk stays */

struct command {
    struct process *process;      /* of this run, or one given up that has not ended yet */
    struct loop_source *deadline; /* the time limit; when late, the end of the wait for its end */
    bool late;
    bool given_up;
    size_t len;
    char line[CHECK_REASON_SIZE]; /* the last line of its output that is not empty */
    bool ended;                   /* the line is complete; the next byte begins another */
};

static void on_output(struct str bytes, void *userdata)
{
    struct command *command = ((struct check *)userdata)->own;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        if (c == '\n' || c == '\r') {
            command->ended = command->len > 0;
            continue;
        }
        if (command->ended) {
            command->ended = false;
            command->len = 0;
        }
        if (command->len < sizeof(command->line) - 1) {
            command->line[command->len++] = c;
        }
    }
}

static void fail_late(struct check *check)
{
    const struct command *command = check->own;
    check->fault = CHECK_HUNG;
    check_fail(check, "it did not end within %lld ms%s%s",
               (long long)(check_timeout_us(check) / USEC_PER_MSEC), command->len > 0 ? ": " : "",
               command->line);
}

static void end_line(struct command *command)
{
    command->line[command->len] = '\0';
    str_make_safe(command->line);
    log_redact(command->line);
}

static void on_deadline(void *userdata)
{
    struct check *check = userdata;
    struct command *command = check->own;
    if (!command->late) {
        command->late = true;
        process_stop(command->process, STOP_GRACE_MS);
        loop_timer_in(command->deadline, (STOP_GRACE_MS + KILL_MS) * USEC_PER_MSEC);
        return;
    }
    command->given_up = true;
    end_line(command);
    fail_late(check);
}

static void stop(struct command *command)
{
    loop_source_free(TAKE(command->deadline));
    process_free(TAKE(command->process));
}

static void on_end(struct process *process, int exit_code, void *userdata)
{
    (void)process;
    struct check *check = userdata;
    struct command *command = check->own;
    const char *separator = command->len > 0 ? ": " : "";
    stop(command);
    if (command->given_up) { /* its run has failed long ago */
        service_check_soon(check->service);
        return;
    }
    end_line(command);
    if (command->late) {
        fail_late(check);
    } else if (exit_code == 0) {
        check_pass(check);
    } else if (exit_code < 0) {
        check_fail(check, "killed by signal %d%s%s", -exit_code, separator, command->line);
    } else {
        check_fail(check, "exit code %d%s%s", exit_code, separator, command->line);
    }
}

static void begin(struct check *check)
{
    struct loop *loop = check_health(check)->options.loop;
    struct command *command = check->own;
    struct err err = {0};
    if (command == NULL) {
        check->own = command = calloc(1, sizeof(*command));
        ASSERT(command != NULL);
    }
    if (command->process != NULL) {
        /* Another one would hang too, and each round would add one. */
        check->fault = CHECK_HUNG;
        check_fail(check, "its process %d was killed and has not ended: a disk may hang",
                   (int)process_pid(command->process));
        return;
    }
    *command = (struct command){.len = 0};
    if (process_spawn(loop,
                      &(struct process_options){.argv = check->config.command.items,
                                                .output = on_output,
                                                .fn = on_end,
                                                .userdata = check},
                      &command->process, &err) < 0) {
        check_fail(check, "%s: %s", err_info(err.id)->message, err.context);
        return;
    }
    command->deadline = loop_add_timer(loop, on_deadline, check);
    loop_source_name(command->deadline, "check command");
    loop_timer_in(command->deadline, check_timeout_us(check));
}

static void cancel(struct check *check)
{
    stop(check->own);
}

static void release(struct check *check)
{
    struct command *command = TAKE(check->own);
    if (command != NULL) {
        stop(command);
        free(command);
    }
}

const struct check_kind check_command = {
    .name = "command", .begin = begin, .cancel = cancel, .release = release};

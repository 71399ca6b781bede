/*
 * child.h: the process of a service with a command, which nightdesk itself keeps running.
 *
 *     child_init(&child, &(struct child_options){.loop = loop, .name = name, .state_dir = dir,
 *                .command = &config->command, .fn = on_child, .userdata = self});
 *     child_start(&child, err);
 *     child_replace(&child);                      // on_child gets CHILD_REPLACED, once
 *     child_release(&child);                      // kills it
 *
 * Always true: at most one process; one that ends by itself is started again after 1 s, doubling to
 * 60 s, and after 1 s again once it has run for a minute. Its output is appended to
 * <state_dir>/<name>.log, which is bounded. fn may call any function of the child.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/process.h"

#include <stdbool.h>
#include <stdint.h>

/* CHILD_DIED: it ended by itself, see exit_code. CHILD_STARTED: it was started again after that.
 * CHILD_REPLACED: child_replace is over; err says why no new process could be started. */
enum child_event { CHILD_DIED, CHILD_STARTED, CHILD_REPLACED };
typedef void (*child_fn)(enum child_event event, const struct err *err, void *userdata);

struct child_options {
    struct loop *loop;
    const char *name; /* copied */
    const char *state_dir;
    const struct config_texts *command; /* count 0: none is wanted; see child_set_command */
    child_fn fn;
    void *userdata;
};

struct child {
    struct child_options o;
    char name[32];
    char *log_path;
    struct process *process;     /* NULL: none runs */
    struct loop_source *respawn; /* NULL: it was never started */
    int64_t backoff_us;
    int restarts;         /* because it had ended by itself */
    int64_t died_mono_us; /* the last time it ended by itself; 0: never */
    int exit_code;        /* of the last process that ended; -signal */
    struct err spawn_err; /* why the command could not be started; ERR_NONE: it was */
    bool replacing;       /* the process is being stopped to make room for a new one */
};

void child_init(struct child *child, const struct child_options *options);
void child_release(struct child *child);
/* If it cannot be started, it is tried again later as if it had ended. */
int child_start(struct child *child, struct err *err);
/* Stops the process and starts a new one; only while a process runs. */
void child_replace(struct child *child);
/* The same with SIGKILL at once, also if it is being stopped already. */
void child_replace_by_force(struct child *child);
/* Stops it for good. */
void child_stop(struct child *child);
/* The command of a new configuration; does not touch the process. */
void child_set_command(struct child *child, const struct config_texts *command);
/* How the last process ended: "exit code 3", "killed by SIGKILL". Valid until the next call. */
const char *child_end_text(const struct child *child);
/* Forgets restarts and the time it ended: it is another program now. */
void child_reset(struct child *child);

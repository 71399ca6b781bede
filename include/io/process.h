/*
 * process.h: child processes, without a shell.
 *
 *     const char *argv[] = {"/usr/bin/demo", "--port", "8001", NULL};
 *     process_spawn(loop, &(struct process_options){.argv = argv, .log_path = "var/demo.log",
 *                   .fn = on_exit, .userdata = self}, &child, err);
 *     process_stop(child, 5000);                  // SIGTERM to its group, SIGKILL after 5 s
 *
 * Always true: the child leads its own process group and dies (SIGKILL) with the thread that
 * spawned it; stdin is /dev/null; stdout and stderr go to the log, which with its one predecessor
 * (log_path.1) never passes twice log_max_bytes; no other descriptor is inherited; signals are
 * unblocked and at their defaults. fn runs once, from the loop, after the child was reaped; not
 * after process_free.
 * Thread: the loop's, which must live as long as its children should.
 */
#pragma once

#include "base/err.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process;

/* exit_code: 0..255, or -signal. The process may be freed inside. */
typedef void (*process_fn)(struct process *process, int exit_code, void *userdata);

struct process_options {
    const char *const *argv; /* argv[0] is looked up in PATH when it holds no slash */
    const char *const *env;  /* "NAME=value", the last one NULL; NULL: PATH, HOME, LANG only */
    const char *cwd;         /* NULL: stays */
    const char *log_path;    /* appended to; NULL: /dev/null */
    size_t log_max_bytes;    /* 0: 1 MiB */
    process_fn fn;
    void *userdata;
};

/* Does not wait for the program. ERR_PROCESS_SPAWN when it is missing or may not be run, or cwd is
 * not there; what fails only at its exec is an exit code of 127, and the reason stands in the log.
 */
int process_spawn(struct loop *loop, const struct process_options *options, struct process **ret,
                  struct err *err);
pid_t process_pid(const struct process *process); /* 0 once it has ended */
bool process_running(const struct process *process);
int64_t process_started_mono_us(const struct process *process);
/* SIGTERM to the group now, SIGKILL after grace_ms. Again: only shortens the grace. */
void process_stop(struct process *process, int64_t grace_ms);
/* Kills a running one at once and reaps it. */
void process_free(struct process *process);

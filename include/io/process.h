/*
 * process.h: child processes, without a shell.
 *
 *     const char *argv[] = {"/usr/bin/demo", "--port", "8001", NULL};
 *     process_spawn(loop, &(struct process_options){.argv = argv, .log_path = "var/demo.log",
 *                   .fn = on_exit, .userdata = self}, &child, err);
 *     process_stop(child, 5000);                  // SIGTERM to its group, SIGKILL after 5 s
 *
 * Always true: the child leads its own process group and is killed (SIGKILL) when the thread that
 * spawned it ends; stdin is /dev/null; stdout and stderr go to the log, which together with the
 * previous one (log_path.1) never exceeds twice log_max_bytes; no other descriptor is inherited;
 * NIGHTDESK_CHILD in its environment marks it and its descendants; those that have left the group
 * get the same signals, and are killed when the child ends. Signals are unblocked and have their
 * default actions. fn runs once, from the loop, after the child was reaped; not after process_free.
 * Thread: the loop's, which must outlive the children.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process;

/* exit_code: 0..255, or -signal. May call process_free. */
typedef void (*process_fn)(struct process *process, int exit_code, void *userdata);
typedef void (*process_output_fn)(struct str bytes, void *userdata);

struct process_options {
    const char *const *argv;  /* argv[0] is looked up in PATH if it has no slash */
    const char *const *env;   /* "NAME=value", the last one NULL; NULL: PATH, HOME, LANG only.
                                 NIGHTDESK_CHILD is added */
    const char *cwd;          /* NULL: ours */
    const char *log_path;     /* appended to; NULL: /dev/null */
    size_t log_max_bytes;     /* 0: 1 MiB */
    process_output_fn output; /* gets stdout and stderr instead of a log; NULL: none */
    process_fn fn;
    void *userdata;
};

/* Does not wait for the exec. ERR_PROCESS_SPAWN if the program is missing or not executable, or if
 * cwd does not exist. If exec itself fails, the child exits with 127 and its log has the reason. */
int process_spawn(struct loop *loop, const struct process_options *options, struct process **ret,
                  struct err *err);
pid_t process_pid(const struct process *process); /* 0 once it has ended */
bool process_running(const struct process *process);
int64_t process_started_mono_us(const struct process *process);
/* Sends SIGTERM to the group, and SIGKILL after grace_ms. A second call can only shorten that. */
void process_stop(struct process *process, int64_t grace_ms);
/* Kills the child if it still runs, and does not wait for its end: it is reaped when a later child
 * starts, ends or is freed. */
void process_free(struct process *process);

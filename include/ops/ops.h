/*
 * ops.h: the ops thread: everything that is not trading, on one event loop.
 *
 *     struct ops *ops;
 *     rc = ops_new(&(struct ops_options){.config = config, .shared = &shared,
 *                  .state_dir = "var", .console = true}, &ops, err);
 *     int code = ops_run(ops);                    // until SIGTERM, SIGINT or the console's end
 *     ops_free(ops);
 *
 * Order of life: ops.db → read-only trading.db → access, alerts, health, auditor → actions and
 * manifests → runner_recover → doors → READY=1 once the engine's first snapshot is there.
 * Always true: the engine is reached only through struct shared. systemd's watchdog is fed only
 * while both heartbeats are fresh. An event that was missed leads to a look at the snapshot, and
 * so does every tick. What fails here is an alert or a log line, never an end of trading.
 * Thread: the one that runs it, which becomes the ops thread; signals are blocked in ops_new, so
 * call it before starting others.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct config_options;
struct shared;
struct ops;

struct log_file;

struct ops_options {
    const struct config *config;
    struct shared *shared;
    const struct config_options *config_source; /* what SIGHUP reads again; NULL: nothing */
    const char *state_dir;
    struct log_file *log;    /* looked after once a second; NULL: no file */
    bool console;            /* read commands from stdin, write replies to stdout */
    int64_t started_mono_us; /* of the process, for "ready in N ms" */
};

int ops_new(const struct ops_options *options, struct ops **ret, struct err *err);
/* Returns the process's exit code: 0 after an orderly stop. */
int ops_run(struct ops *ops);
void ops_free(struct ops *ops);

/* Where the API's socket is: api.socket, or OPS_SOCKET_NAME in the state folder. ERR_WEB_LISTEN
 * when that is longer than a socket's path may be. Thread: any. */
int ops_socket_path(const struct config *config, const char *state_dir, struct buf *out,
                    struct err *err);

/* Files in the state folder, beside the two databases. */
#define OPS_SOCKET_NAME "nightdesk.sock"
#define OPS_LOCK_NAME   "nightdesk.lock"
#define OPS_LOG_NAME    "nightdesk.log"

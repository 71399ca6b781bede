/*
 * ops.h: the ops thread: everything except trading, on one event loop.
 *
 *     struct ops *ops;
 *     rc = ops_new(&(struct ops_options){.config = config, .shared = &shared,
 *                  .state_dir = "var", .console = true}, &ops, err);
 *     int code = ops_run(ops);                    // until SIGTERM, SIGINT or the console's end
 *     ops_free(ops);
 *
 * Start order: ops.db → read-only trading.db → access, alerts, health, auditor → actions and
 * manifests → runner_recover → channels → READY=1 after the engine's first snapshot.
 * Always true: ops and the engine communicate only through struct shared; ops_new registers the
 * readers of the ops thread and of the API threads. systemd's watchdog is
 * notified only while both heartbeats are fresh. The snapshot is read at every tick and after
 * missed events. A failure in ops is an alert or a log line and never stops trading. Thread: the
 * thread that calls ops_run becomes the ops thread. ops_new blocks the signals, so call it before
 * starting other threads.
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
    const struct config_options *config_source; /* a reload reads it again; NULL: nothing to read */
    const char *state_dir;
    struct log_file *log;    /* checked once a second; NULL: no file */
    bool console;            /* read commands from stdin, write replies to stdout */
    int64_t started_mono_us; /* start of the process, for "ready in N ms" */
};

int ops_new(const struct ops_options *options, struct ops **ret, struct err *err);
/* Returns the exit code of the process: 0 after a clean stop. */
int ops_run(struct ops *ops);
/* errno of the write with which standard output failed, so that replies were lost; 0: none. */
int ops_output_error(const struct ops *ops);
void ops_free(struct ops *ops);

/* Path of the API's socket: api.socket, or OPS_SOCKET_NAME in the state folder. ERR_WEB_LISTEN if
 * it is too long for a socket. Thread: any. */
int ops_socket_path(const struct config *config, const char *state_dir, struct buf *out,
                    struct err *err);

/* Files in the state folder, beside the two databases. */
#define OPS_SOCKET_NAME "nightdesk.sock"
#define OPS_LOCK_NAME   "nightdesk.lock"
#define OPS_LOG_NAME    "nightdesk.log"
#define OPS_KEY_NAME    "audit.key"

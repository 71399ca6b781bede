/*
 * ops.h: the ops thread: everything that is not trading, on one event loop.
 *
 *     struct ops *ops;
 *     rc = ops_new(&(struct ops_options){.config = config, .crossing = &crossing,
 *                  .state_dir = "var", .console = true}, &ops, err);
 *     int code = ops_run(ops);                    // until SIGTERM, SIGINT or the console's end
 *     ops_free(ops);
 *
 * Order of life: ops.db → read-only trading.db → access, alerts, health, auditor → actions and
 * manifests → runner_recover → doors → READY=1 once the engine's first snapshot is there.
 * Always true: the engine is reached only through struct crossing. systemd's watchdog is fed only
 * while both heartbeats are fresh. An event that was missed leads to a look at the snapshot, and
 * so does every tick. What fails here is an alert or a log line, never an end of trading.
 * Thread: the one that runs it, which becomes the ops thread; signals are blocked in ops_new, so
 * call it before starting others.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct crossing;
struct ops;

struct ops_options {
    const struct config *config;
    struct crossing *crossing;
    const char *state_dir;
    bool console;            /* read commands from stdin, write replies to stdout */
    int64_t started_mono_us; /* of the process, for "ready in N ms" */
};

int ops_new(const struct ops_options *options, struct ops **ret, struct err *err);
/* Returns the process's exit code: 0 after an orderly stop. */
int ops_run(struct ops *ops);
void ops_free(struct ops *ops);

/* "<state_dir>/nightdesk.sock" … into out. */
#define OPS_SOCKET_NAME  "nightdesk.sock"
#define OPS_LOCK_NAME    "nightdesk.lock"
#define OPS_DB_NAME      "ops.db"
#define OPS_TRADING_NAME "trading.db"
#define OPS_KEY_NAME     "audit.key"
#define OPS_LOG_NAME     "nightdesk.log"

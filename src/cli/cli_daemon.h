/*
 * cli_daemon.h: runs both threads from start to stop, for the subcommands that are a daemon.
 *
 *     return cli_daemon(&(struct cli_daemon){.args = args, .config = config,
 *                                            .state_dir = "var", .console = true});
 *
 * It returns the exit code after both threads have ended. A failed start has been reported by then.
 * Thread: main.
 */
#pragma once

#include "cli_internal.h"

struct shared_reader;

struct cli_daemon {
    const struct cli_args *args;
    const struct config *config;
    const struct config_options *config_source; /* read again at SIGHUP; NULL: nothing */
    const char *state_dir;                      /* created if it is missing */
    bool console;                               /* commands are read from standard input */
    const char *headline; /* first line on a terminal; NULL: the default ones */
    /* Called after the engine has started and before commands are read; NULL: nothing. */
    void (*on_started)(struct shared_reader *reader);
};

int cli_daemon(const struct cli_daemon *daemon);

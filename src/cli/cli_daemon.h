/*
 * cli_daemon.h: both threads from start to stop, for the subcommands that are a daemon.
 *
 *     return cli_daemon(&(struct cli_daemon){.args = args, .config = config,
 *                                            .state_dir = "var", .console = true});
 *
 * Always true: it returns after both threads have ended, with the exit code; what kept it from
 * starting has been told.
 * Thread: main.
 */
#pragma once

#include "cli_internal.h"

struct shared;

struct cli_daemon {
    const struct cli_args *args;
    const struct config *config;
    const struct config_options *config_source; /* what SIGHUP reads again; NULL: nothing */
    const char *state_dir;                      /* made when it is missing */
    bool console;                               /* commands come from standard input */
    const char *headline; /* the first line on a terminal; NULL: the usual ones */
    /* When the engine trades and before the chat begins; NULL: nothing. */
    void (*on_started)(const struct shared *shared);
};

int cli_daemon(const struct cli_daemon *daemon);

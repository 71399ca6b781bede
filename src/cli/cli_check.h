/*
 * cli_check.h: checks what a configuration refers to: market files, model, state folder (with the
 * trading rules in it) and socket.
 *
 *     struct cli_check check;
 *     if (cli_check(config, state_dir, &check) < 0) return cli_fail(args, &check.problem, ...);
 *     for each warning: print it and continue.
 *
 * `nightdesk run` and `nightdesk check-config` share cli_check, so that both accept the same
 * configurations. Nothing is created or changed. Another running daemon is not detected.
 * Thread: main.
 */
#pragma once

#include "config/config.h"

#define CLI_CHECK_WARNINGS_MAX 8

struct cli_check {
    struct err problem; /* the daemon cannot start */
    int warning_count;
    struct err warnings[CLI_CHECK_WARNINGS_MAX]; /* the daemon starts without this */
    int warnings_more;                           /* that are not in warnings */
};

/* 0, or the negative id of ret->problem. */
int cli_check(const struct config *config, const char *state_dir, struct cli_check *ret);
/* Whether the databases and the key of the audit log can be used, if they exist: a start finds that
 * out by itself. */
int cli_check_databases(const char *state_dir, struct err *err);

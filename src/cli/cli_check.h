/*
 * cli_check.h: what stands around a configuration and must fit before it can run: the files of its
 * market, its model, its state folder with the rules in it, its socket.
 *
 *     struct cli_check check;
 *     if (cli_check(config, state_dir, &check) < 0) return cli_fail(args, &check.problem, ...);
 *     for each warning: say it and go on.
 *
 * `nightdesk run` and `nightdesk check-config` both ask here, so that what one accepts the other
 * does. Nothing is made or changed; whether another daemon runs is not asked.
 * Thread: main.
 */
#pragma once

#include "config/config.h"

#define CLI_CHECK_WARNINGS_MAX 8

struct cli_check {
    struct err problem; /* what keeps it from running */
    int warning_count;
    struct err warnings[CLI_CHECK_WARNINGS_MAX]; /* what it goes on without */
};

/* 0, or the negative id of ret->problem. */
int cli_check(const struct config *config, const char *state_dir, struct cli_check *ret);

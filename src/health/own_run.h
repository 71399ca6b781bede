/*
 * own_run.h: a command that nightdesk runs by itself, for one item.
 *
 *     rc = own_run_submit(&(struct own_run){.runner = runner, .access = access, .user = "autofix",
 *                                           .command = "fix_hung", .param = "service",
 *                                           .item = "web"}, err);
 *
 * Thread: ops.
 */
#pragma once

#include "command/runner.h"

struct access;

struct own_run {
    struct runner *runner;
    struct access *access;
    const char *user; /* its name in the audit log */
    const char *command;
    const char *param; /* the parameter that gets item */
    const char *item;  /* "": the command gets none */
    void (*on_reply)(const struct reply *reply, const struct err *err,
                     void *userdata); /* or NULL */
    void *userdata;
};

int own_run_submit(const struct own_run *run, struct err *err);

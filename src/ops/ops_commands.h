/*
 * ops_commands.h: the user's own commands (commands.folder), and the commands that run by
 * themselves. Private to this module.
 *
 *     ops_commands_init(&commands, access, alerts, manifests);
 *     ops_commands_load(&commands, config->commands_folder, MANIFEST_SKIP_BAD);
 *     commands.runner = runner;      // made later, with ops_commands_scheduled as its hook
 *     each second: ops_commands_tick(&commands, now_wall_us, now_mono_us);
 *
 * Always true: a file that cannot be used raises an alert, which resolves once all files can. A
 * scheduled command that fails raises one of its own, because nobody waits for its reply.
 * Thread: ops.
 */
#pragma once

#include "command/manifest.h"

struct access;
struct alerts;
struct reply;
struct runner;
struct schedule;

struct ops_commands {
    struct access *access;
    struct alerts *alerts;
    struct manifest_list *manifests;
    struct runner *runner;
    struct schedule *schedule;
};

void ops_commands_init(struct ops_commands *commands, struct access *access, struct alerts *alerts,
                       struct manifest_list *manifests);
void ops_commands_release(struct ops_commands *commands);
/* Reads the folder; returns the number of files that cannot be used. */
int ops_commands_load(struct ops_commands *commands, const char *folder, enum manifest_reload how);
void ops_commands_tick(struct ops_commands *commands, int64_t now_wall_us, int64_t now_mono_us);
/* The runner's hook `scheduled`; userdata is the struct ops_commands. */
int ops_commands_scheduled(const struct manifest *m, const struct reply *result,
                           const struct err *failure, void *commands, struct err *err);

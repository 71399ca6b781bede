/*
 * reload_rig.h: the commands that read and change the configuration, over a real file, a real
 * ops.db and a runner; the modules that a configuration is handed to only count.
 *
 *     static int setup(void **state) { return reload_rig_setup(state, "risk: {stop: 3%}\n"); }
 *     reload_rig_run(rig, "/config_set alerts.storm 20");      // confirmed
 *     reload_rig_file_is(rig, "risk: {stop: 3%}\nalerts:\n  storm: 20\n");
 *
 * Thread: the test's.
 */
#pragma once

#include "access/access.h"
#include "config/config.h"
#include "store/config_table.h"
#include "store/ops.h"

/* Where the process dies. */
enum death { DEATH_NONE, DEATH_SUBMITTED, DEATH_WRITTEN, DEATH_STORED };

struct reload_rig {
    char folder[64];
    char path[96];
    struct config_options source;
    struct config *config; /* of the start */
    struct loop *loop;
    struct pool *helpers;
    struct ops_store *store;
    struct alerts *alerts;
    struct access *access;
    struct reload *reload;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct runner *runner;
    struct principal who;
    enum death death;
    int applied;
    double drawdown_pct; /* as last applied */
    char reply[16384];
    struct err err;
};

/* For cmocka; the file gets this text, whose api.local_users must have uid 5 as an admin. */
int reload_rig_setup(void **state, const char *text);
int reload_rig_teardown(void **state);
/* A start and an end of the program with this folder. */
void reload_rig_start(struct reload_rig *rig);
void reload_rig_stop(struct reload_rig *rig);
void reload_rig_write(const struct reload_rig *rig, const char *text); /* the file */
void reload_rig_submit(struct reload_rig *rig, const char *line, bool confirmed, const char *otp);
void reload_rig_wait(struct reload_rig *rig); /* for the reply */
void reload_rig_run(struct reload_rig *rig, const char *line);
void reload_rig_confirm(struct reload_rig *rig); /* the prompt, whose code is in rig->err */
/* The command is refused with this error and these words, and nothing was applied. */
void reload_rig_refused(struct reload_rig *rig, const char *line, enum err_id id, const char *part);
void reload_rig_file_is(const struct reload_rig *rig, const char *text);
struct config_version reload_rig_version(const struct reload_rig *rig); /* the last one */

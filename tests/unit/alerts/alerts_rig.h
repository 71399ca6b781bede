/*
 * alerts_rig.h: alerts in memory on a fake clock, with a runner of their commands.
 *
 *     struct alerts_rig *rig = alerts_rig_new();
 *     rig->config.telegram_chat_id = 42;
 *     alerts_rig_open(rig, files);
 *     alerts_rig_command(rig, "ack 1");
 *     assert_has(rig->answer, "acknowledged");
 *     alerts_rig_free(rig);
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "alerts/alerts.h"
#include "command/runner.h"
#include "config/config.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "unit/unit.h"

struct embedded_file;

struct alerts_rig {
    struct clock_fake clock;
    struct config config;
    const struct embedded_file *files; /* of its commands */
    bool headless;                     /* of the next alerts_rig_reopen */
    struct ops_store *store;
    struct alerts *alerts;
    struct loop *loop;
    struct access *access;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct runner *runner;
    int wakes;                                                             /* of the outbox */
    void (*context)(const char *subject, struct buf *out, void *userdata); /* of the next reopen */
    char log[4096];                                                        /* the last line */
    int log_lines;
    bool engine_busy;    /* it takes no request */
    int64_t resumed_run; /* whose pause was lifted last */
    char resumed[64];    /* all of them: " 1 2" */
    enum role role;      /* of alice, who runs the commands; at first operator */
    char answer[65536];
    int answer_err; /* ERR_NONE: it succeeded */
};

struct alerts_rig *alerts_rig_new(void);
/* With these commands, after the test has filled the configuration. */
void alerts_rig_open(struct alerts_rig *rig, const struct embedded_file *files);
/* As after a restart with the configuration as it is now. */
void alerts_rig_reopen(struct alerts_rig *rig);
void alerts_rig_free(struct alerts_rig *rig);
void alerts_rig_command(struct alerts_rig *rig, const char *line);

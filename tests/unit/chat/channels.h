/*
 * channels.h: the real objects that a channel needs, in memory, with four small commands; for the
 * tests of both channels.
 *
 *     struct channels d;
 *     channels_open(&d, url);
 *     ... create a channel with d.loop, d.store, d.access, d.runner, d.manifests, d.alerts ...
 *     assert_true(channels_until(&d, condition, userdata));
 *     channels_close(&d);
 *
 * Commands: /ping (reads; "pong"), /touch (operator, confirmed; counts d.touched), /lines <count>
 * (reads; that many lines), /secret (reads; protected). Users: 1001 alice admin, 1002 bob
 * read_only.
 * Thread: main thread of the test binary.
 */
#pragma once

#include "access/access.h"
#include "alerts/alerts.h"
#include "command/action.h"
#include "command/manifest.h"
#include "command/runner.h"
#include "config/config.h"
#include "io/loop.h"
#include "store/ops.h"
#include "store/outbox_table.h"

#include <stdbool.h>
#include <stdint.h>

#define ALICE 1001
#define BOB   1002
#define EVE   6666

struct channels {
    struct loop *loop;
    struct config *config;
    struct ops_store *store;
    struct access *access;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct runner *runner;
    struct alerts *alerts;
    void (*outbox_changed)(void *userdata); /* set by the test after it created the channel */
    void *userdata;
    int touched;
};

/* extra: further lines of configuration, or "". */
void channels_open(struct channels *d, const char *telegram_url, const char *extra);
/* With the database in this folder instead of memory. */
void channels_open_in(struct channels *d, const char *folder, const char *telegram_url);
void channels_close(struct channels *d);
/* Runs the loop until the condition is true; returns false after ten seconds. */
bool channels_until(struct channels *d, bool (*condition)(void *userdata), void *userdata);
void channels_run_for(struct channels *d, int64_t us);
/* Adds a message with this title to the outbox; returns its id. */
int64_t channels_post(struct channels *d, const char *channel, int64_t chat,
                      enum outbox_priority priority, const char *title, int64_t edit_of);
enum outbox_state channels_state(struct channels *d, int64_t outbox_id);
bool channels_has_alert(struct channels *d, const char *fingerprint);

/*
 * ops_internal.h: the state of the ops thread, shared by ops.c (life cycle), ops_tick.c (what runs
 * all the time), ops_channels.c (chat and API) and ops_apply.c (what depends on the configuration).
 *
 *     ops_apply_make(ops);                        // systemd, Claude: before the modules
 *     reload options: .apply = ops_apply, .userdata = ops
 *
 * Thread: ops.
 */
#pragma once

#include "assistant/ledger.h"
#include "assistant/measure.h"
#include "assistant/recommend.h"
#include "assistant/self_report.h"
#include "command/builtin.h"
#include "command/runner.h"
#include "config/config.h"
#include "model/llm_request.h"
#include "model/shared.h"
#include "notices.h"
#include "ops/backup_actions.h"
#include "ops/cleanup_actions.h"
#include "ops/ops.h"
#include "ops/outbox_actions.h"
#include "ops_commands.h"
#include "ops_watch.h"
#include "store/audit_seal.h"

struct ops {
    struct ops_options options; /* config: of the start; see ops_config */
    const struct clock *clock;
    struct loop *loop;
    char attachments[4096]; /* the folder of attachment.h */

    struct ops_store *store;
    struct trading_store *trading;
    struct http *http;
    struct pool *helpers;
    struct units *units; /* NULL without systemd */
    struct alerts *alerts;
    struct access *access;
    struct desk *desk;
    struct health *health;
    struct deploy *deploy;
    struct autofix *autofix;
    struct ledger ledger;
    struct traces *traces; /* NULL: nothing is traced */
    struct claude *claude; /* NULL until there is a key */
    bool has_model;        /* there is a key now */
    struct llm_client llm_client;
    struct auditor *auditor;
    struct learner *learner;
    struct sentiment *sentiment;
    struct assistant *assistant;
    struct review *review;
    struct self_report_actions self_report;
    struct action_table *actions;
    struct builtin builtin;
    struct manifest_list *manifests;
    struct ops_commands commands;
    struct shelf *shelf;
    struct runner *runner;
    struct telegram *telegram;
    struct courier *mailer;
    struct courier *webhook;
    struct console *console;
    struct api *api;

    uint64_t trading_file;     /* shared->trading_file when trading was opened */
    bool file_lost;            /* ops.db was deleted or replaced, and is not restored yet */
    int64_t file_lost_mono_us; /* when that was last logged */
    bool file_alert_pending;   /* the alert about it is not stored yet */
    char file_logged[128];     /* the last logged error context */
    struct shared_reader *reader;
    struct shared_reader *socket_reader; /* of the API's threads */
    struct shared_reader *tcp_reader;
    struct shared_reader *stream_reader;
    struct ops_watch watch;
    struct notices notices;
    struct loop_source *leaving; /* waits for the message about the stop */
    int64_t stop_message;        /* its outbox id; 0: none */
    int64_t stop_mono_us;        /* 0: not stopping */
    struct heartbeat *heartbeat; /* NULL without a URL */
    struct reload *reload;
    struct backup_actions backup;
    struct outbox_actions outbox;
    struct cleanup_actions space;
    struct measures measures;
    struct recommender recommender;
    struct loop_source *events_source;
    struct loop_source *tick;
    struct loop_source *notice_tick;
    struct loop_source *watchdog; /* armed if systemd has a watchdog for us */
    struct loop_source *starting;
    struct loop_source *sigterm;
    struct loop_source *sigint;
    struct loop_source *sighup;

    int64_t run_mono_us;
    int64_t watchdog_us; /* half systemd's watchdog period; 0: none */
    bool channels_open;
    bool ready;
    int64_t status_next_mono_us;
    int64_t prune_next_mono_us;
    int64_t sync_next_mono_us;
    int64_t checkpoint_next_mono_us;
    int64_t archive_next_mono_us;
    int64_t seal_next_mono_us;
    struct audit_seal sealed; /* the last one of this process; rows 0: none */
};

/* The configuration that runs now. */
const struct config *ops_config(const struct ops *ops);

/* ops_alerts.h; started: only at start. */
void ops_sweep_alerts(struct ops *ops, const struct config *config, bool started);

static inline int64_t ops_mono_us(const struct ops *ops)
{
    return clock_mono_us(ops->clock);
}

/* ops_tick.c: callbacks of the loop; userdata is the ops. */
#define OPS_TICK_US USEC_PER_SEC
void ops_tick(void *ops);
void ops_tick_events(int fd, uint32_t events, void *ops);
void ops_tick_notices(void *ops);
void ops_tick_watchdog(void *ops);
/* Whether engine, ops and the API's listeners all run. */
bool ops_alive(const struct ops *ops);
/* "active, equity 10,412.88, 1 of 3 positions, 4 of 4 services up" */
void ops_tick_status(struct ops *ops, struct buf *out);

/* ops_channels.c: Telegram, mail, webhook, console and API. */
/* Creates them but for the API, and starts nothing. on_console_end: the console's input has ended.
 */
int ops_channels_build(struct ops *ops, void (*on_console_end)(void *ops), struct err *err);
/* Starts them, and what raises alerts by itself; nothing is received before. */
void ops_channels_open(struct ops *ops);
/* Callbacks; userdata is the ops. */
void ops_channels_wake(void *ops); /* rows were added to the outbox */
void ops_channels_publish(const struct reply *reply, void *ops);
/* Shows an answer that is being written. */
bool ops_channels_stream(const struct runner_stream *stream, void *ops);
/* Sends a reply without the outbox; used while ops.db cannot be written. */
bool ops_channels_deliver(const struct runner_unstored *unstored, void *ops);
const char *ops_channels_bot_name(void *ops);

/* ops_apply.c */
/* systemd and Claude are optional: a failure disables only their own functions. */
void ops_apply_make(struct ops *ops);
/* Makes another heartbeat in place of the one before; it has to be started. */
void ops_apply_heartbeat(struct ops *ops);
/* Hands a new configuration to every module and its settings to the engine; userdata is the ops. */
void ops_apply(const struct config *before, const struct config *config, void *ops);
/* Reads the user's own commands again. */
int ops_apply_files(const struct config *config, void *ops);

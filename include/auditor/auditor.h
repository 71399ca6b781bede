/*
 * auditor.h: the auditor: collects a report of figures, runs the invariants over it, asks a model
 * for findings, verifies each figure that a finding cites, and raises the verified findings as
 * alerts.
 *
 *     rc = auditor_new(&(struct auditor_options){.loop = loop, .clock = clock, .config = config,
 *                      .trading = trading, .store = store, .alerts = alerts, .llm_client = claude,
 *                      .snapshot = read_snapshot, .snapshot_userdata = desk, .state_dir = dir},
 *                      &auditor, err);
 *     auditor_actions(auditor, table);                          // audit.run
 *     desk_add_status_line(desk, auditor_status, auditor);      // "Last audit 12 min ago: 3 …"
 *     auditor_start(auditor);                                   // the schedule
 *
 * Always true: one audit at a time; the report (report/report.h) is frozen before it is used; each
 * figure that a finding of the model cites or writes is proven by the same report, else the finding
 * is stored as rejected, with the reason, and never sent; a rate over fewer than 30 samples has its
 * Wilson interval, and a finding that cites such a rate is ranked medium at most; a model that was
 * asked and gave no verdict, or only unproven findings, is an alert; the reply of an audit without
 * a model says so. The model's answer is data only: the model cannot run anything. Thread: ops (or
 * the only thread of `nightdesk audit`, with a loop of its own).
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "command/action.h"
#include "command/reply.h"
#include "io/json.h"
#include "model/llm_request.h"
#include "model/shared.h"
#include "model/snapshot.h"
#include "report/report.h"

#include <stdbool.h>
#include <stdint.h>

struct alerts;
struct auditor;
struct config;
struct loop;
struct ops_store;
struct pool;
struct trading_store;

#define AUDITOR_HOURS_MAX REPORT_HOURS_MAX

struct auditor_options {
    struct loop *loop;
    const struct clock *clock;
    const struct config *config;
    struct trading_store *trading; /* read-only; NULL: no trading.db yet, noted in the report */
    struct pool *helpers; /* read the databases, with connections of their own, while the loop goes
                           * on; NULL: this thread reads them */
    struct ops_store *store;             /* not written to in a dry run */
    struct alerts *alerts;               /* NULL: every audit is a dry run */
    const struct llm_client *llm_client; /* NULL: no key is configured. Borrowed */
    /* Returns the engine's newest snapshot. NULL, or a snapshot with version 0: no engine. */
    const struct snapshot *(*snapshot)(void *userdata);
    void *snapshot_userdata;
    const struct shared *shared; /* the engine's heartbeat; NULL only without a snapshot */
    const char *state_dir;
    /* Varies each delay of the schedule by up to 5 %, so that many installations do not ask the
     * model at the same second. 0: exact delays. */
    uint64_t jitter_seed;
};

int auditor_new(const struct auditor_options *options, struct auditor **ret, struct err *err);
void auditor_free(struct auditor *auditor); /* abandons an audit under way */
/* Starts the schedule. The first audit runs after monitoring.audit_first_after, or
 * monitoring.audit_interval after the stored time of the last one, whichever is later; then every
 * monitoring.audit_interval, each varied by jitter_seed. */
void auditor_start(struct auditor *auditor);
/* A new configuration, which replaces the one before from now on; the next audit is scheduled by
 * it. An audit under way ends with the client that it has asked. llm_client as in auditor_options.
 */
void auditor_apply(struct auditor *auditor, const struct config *config,
                   const struct llm_client *llm_client);
void auditor_actions(struct auditor *auditor, struct action_table *table);
/* A desk_status_fn; userdata is the auditor. */
void auditor_status(struct buf *out, struct json_object *data, void *auditor);

struct auditor_request {
    int64_t hours; /* period of the report; 0: 24; at most AUDITOR_HOURS_MAX */
    bool dry_run;  /* store nothing, raise nothing */
    bool offline;  /* do not ask the model */
};

/* Exit codes of `nightdesk audit`. */
enum auditor_exit {
    AUDITOR_EXIT_CLEAR = 0,    /* nothing above medium */
    AUDITOR_EXIT_HIGH = 1,     /* a high finding */
    AUDITOR_EXIT_CRITICAL = 2, /* a critical finding */
    /* The model was asked and gave no verdict, or none of its findings is proven: no all-clear. */
    AUDITOR_EXIT_NO_VERDICT = 3
};

/* Runs one audit to its end on the auditor's loop, which must have a real clock and not be running.
 * Fills the reply like audit.run; its data contains the findings and the report as "report".
 * ERR_AUDIT_BUSY while another audit is under way. */
int auditor_run_sync(struct auditor *auditor, const struct auditor_request *request,
                     struct reply *reply, enum auditor_exit *ret_exit, struct err *err);

/*
 * auditor.h: the sceptic: collects a report of figures, runs the invariants over it, asks a model
 * what nobody asked about, checks every figure that it cites, and raises what stands.
 *
 *     rc = auditor_new(&(struct auditor_options){.loop = loop, .clock = clock, .config = config,
 *                      .trading = trading, .store = store, .alerts = alerts, .llm_client = claude,
 *                      .snapshot = read_snapshot, .snapshot_userdata = desk, .state_dir = dir},
 *                      &auditor, err);
 *     auditor_actions(auditor, table);                          // audit.run
 *     desk_add_status_line(desk, auditor_status, auditor);      // "Last audit 12 min ago: 3 …"
 *     auditor_start(auditor);                                   // the schedule
 *
 * Always true: one audit at a time; the report is frozen (at most AUDITOR_REPORT_MAX_BYTES of JSON)
 * before anybody reads it, and every cited figure is looked up in that very report; a finding of
 * which nothing could be verified is stored as rejected and never pushed; a rate over fewer than
 * 30 samples carries its Wilson interval and a finding that cites one does not rank above medium;
 * an audit without a verdict of the model is an alert of its own, one without a model says so.
 * The model has no hands: what it answers is data.
 * Thread: ops (or the only thread of `nightdesk audit`, with a loop of its own).
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

#include <stdbool.h>
#include <stdint.h>

struct alerts;
struct auditor;
struct config;
struct loop;
struct ops_store;
struct trading_store;

#define AUDITOR_REPORT_MAX_BYTES ((size_t)64 * 1024)
#define AUDITOR_HOURS_MAX        INT64_C(720)

struct auditor_options {
    struct loop *loop;
    const struct clock *clock;
    const struct config *config;
    struct trading_store *trading; /* read-only; NULL: there is none yet, the report says so */
    struct ops_store *store;       /* written to unless every audit is a dry run */
    struct alerts *alerts;         /* NULL: every audit is a dry run */
    const struct llm_client *llm_client; /* NULL: no key is configured. Borrowed */
    /* The engine's newest state; NULL, or a version of 0: no engine to look at. */
    const struct snapshot *(*snapshot)(void *userdata);
    void *snapshot_userdata;
    const struct shared *shared; /* the engine's heartbeat; NULL only without a snapshot */
    const char *state_dir;
};

int auditor_new(const struct auditor_options *options, struct auditor **ret, struct err *err);
void auditor_free(struct auditor *auditor); /* abandons an audit under way */
/* First audit monitoring.audit_first_after from now, or when the durable time of the last one says
 * so, whichever is later; then every monitoring.audit_interval. */
void auditor_start(struct auditor *auditor);
void auditor_actions(struct auditor *auditor, struct action_table *table);
/* A desk_status_fn; userdata is the auditor. */
void auditor_status(struct buf *out, struct json_object *data, void *auditor);

struct auditor_request {
    int64_t hours; /* how far back; 0: 24; at most AUDITOR_HOURS_MAX */
    bool dry_run;  /* store nothing, raise nothing */
    bool offline;  /* do not ask the model */
};

/* Exit codes of `nightdesk audit`. */
enum auditor_exit {
    AUDITOR_EXIT_CLEAR = 0,     /* nothing above medium */
    AUDITOR_EXIT_HIGH = 1,      /* a high finding */
    AUDITOR_EXIT_CRITICAL = 2,  /* a critical one */
    AUDITOR_EXIT_NO_VERDICT = 3 /* the model was to be asked and gave none: not an all-clear */
};

/* Runs one audit to its end on the auditor's loop, which must have a real clock and not be running.
 * Fills the reply (what audit.run answers; its data holds findings, and the report as "report").
 * ERR_AUDIT_BUSY while another one is under way. */
int auditor_run_sync(struct auditor *auditor, const struct auditor_request *request,
                     struct reply *reply, enum auditor_exit *ret_exit, struct err *err);

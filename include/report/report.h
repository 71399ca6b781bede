/*
 * report.h: the report of an audit: what the bot did and how it stands, as one JSON document in
 * which each figure has a JSON Pointer, with the invariants that were checked.
 *
 *     struct report *report = report_new(&sources, 24);           // ops: what only the process
 * knows rc = report_read(report, trading, ops, err);                // any thread: what is on disk
 *     struct json_object *document = report_document(report);     // frozen
 *     report_free(report);
 *
 * Always true:
 * - Both databases are read as of one moment each: what the engine writes meanwhile does not count.
 * - A part that could not be read is missing, and /meta/gaps has the reason.
 * - A row has a stable name instead of an index: trade-17, order-nd-1-4, a symbol, rule-3.
 * - Text from outside, or written by a model, is only under /untrusted.
 * - Secrets, Telegram ids, names of people, mail addresses and hosts are replaced.
 * - Trading times and "hours" are market time, which in a simulation runs faster than real time.
 * - The document is at most REPORT_MAX_BYTES: lists are cut, and what is cut is summed as "rest".
 * docs/json.md has the members, /glossary of the document what each figure means.
 * Thread: report_new on the thread of the sources; report_read on any one thread.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "io/json.h"
#include "model/shared.h"
#include "model/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct ops_store;
struct report;
struct trading_store;

/* Above a report of SYMBOLS_LIMIT symbols and POSITIONS_LIMIT positions. */
#define REPORT_MAX_BYTES ((size_t)256 * 1024)
#define REPORT_HOURS_MAX 720

struct report_sources {
    const struct clock *clock;
    const struct config *config;
    const struct snapshot *snapshot; /* the engine's newest; NULL, or version 0: no engine */
    const struct shared *shared;     /* the engine's heartbeat; NULL only without a snapshot */
    const char *state_dir;
    bool daemon;                /* an engine should run in this process */
    int64_t started_mono_us;    /* of the process, for its uptime */
    int64_t wall_minus_mono_us; /* the clocks' difference at the last audit, or at the start */
};

struct report *report_new(const struct report_sources *sources, int64_t hours);
void report_free(struct report *report);
/* Reads both databases with connections that nothing else uses meanwhile, evaluates the invariants
 * and freezes the document. NULL: there is no such database yet, which the document says. */
int report_read(struct report *report, struct trading_store *trading, struct ops_store *ops,
                struct err *err);
/* Valid until report_free; NULL before report_read. */
struct json_object *report_document(const struct report *report);

static inline void report_cleanup(struct report **slot)
{
    report_free(*slot);
}
#define AUTO_REPORT AUTO(report_cleanup)

/*
 * notice_reply.h: the texts of the notifications of a trading day. Private to this module.
 *
 *     struct reply *r = notice_exit(&trade);      // the caller frees it
 *
 * Thread: ops.
 */
#pragma once

#include "assistant/self_report.h"
#include "command/reply.h"
#include "model/position.h"
#include "model/snapshot.h"
#include "store/alert_table.h"
#include "store/audit_table.h"
#include "store/forecast_table.h"
#include "store/llm_call_table.h"
#include "store/outbox_table.h"

#include <stddef.h>
#include <stdint.h>

struct reply *notice_entry(const struct position *p);
struct reply *notice_exit(const struct trade *t);
/* Several entries and exits in one; total counts the exits, of which the newest `count` are given.
 */
struct reply *notice_trades(const struct position *entries, size_t entry_count,
                            const struct trade *exits, size_t count, int64_t total);
struct reply *notice_veto(const struct symbol *symbol, const char *direction, const char *code,
                          const char *text);
struct reply *notice_state(const struct snapshot *s);

enum notice_start { NOTICE_START_FIRST, NOTICE_START_CLEAN, NOTICE_START_CRASH };
/* How the last run ended, if it crashed. */
struct notice_end {
    int64_t at_us;   /* 0: unknown */
    const char *how; /* "signal killed KILL", in the words of systemd; "": unknown */
    int64_t now_us;
};
struct reply *notice_started(enum notice_start how, int64_t away_us, const struct notice_end *end,
                             const struct snapshot *s,
                             const struct outbox_undelivered *undelivered);
struct reply *notice_stopped(const char *why, const struct snapshot *s);

/* The day since the last report. */
struct notice_day {
    struct dec equity_before; /* zero: unknown */
    int64_t trades;
    int64_t wins;
    struct dec pnl;
    struct dec fees;
    struct trade best; /* if trades > 0 */
    struct trade worst;
    int64_t open_alerts;
    int64_t new_alerts;
};
struct reply *notice_daily(const struct notice_day *day, const struct snapshot *s);

/* The auditor since the last weekly digest. */
struct notice_week {
    int64_t since_us;
    struct alert_findings findings;
    struct audit_sums audits;
    struct self_report self;
    struct llm_spend spend;   /* of all requests, also of those that failed */
    const struct alert *open; /* worst first */
    int open_count;
    const struct forecast_row *forecasts; /* of the next week, those with a warning first */
    int forecast_count;
};
struct reply *notice_weekly(const struct notice_week *week, int64_t now_us);

/*
 * ledger.h: what the requests to a language model cost, and the limit of a day.
 *
 *     struct ledger ledger = {.store = store, .clock = clock, .daily_budget = budget};
 *     rc = ledger_check(&ledger, err);              // before each request: ERR_CLAUDE_BUDGET
 *     ledger_add(&ledger, &record);                 // after it
 *     desk_add_status_line(desk, ledger_status, &ledger);
 *
 * Always true: a day is one of UTC; the spend is read from the table llm_calls, so it survives a
 * restart and covers every process that writes there; a call whose cost is unknown counts as
 * nothing, and ledger_status says how many there are. The last request of a day may exceed the
 * budget by its own cost.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/dec.h"
#include "base/err.h"
#include "store/llm_call_table.h"

struct json_object;
struct telemetry;

struct ledger {
    struct ops_store *store; /* NULL: nothing is recorded and there is no limit. Borrowed */
    const struct clock *clock;
    struct dec daily_budget;     /* US dollars; 0: no limit */
    bool read_only;              /* the limit holds, but nothing is recorded */
    struct telemetry *telemetry; /* counts the requests; NULL: they are not counted. Borrowed */
};

/* ERR_CLAUDE_BUDGET if today's spend reached the budget; another error if it cannot be read. */
int ledger_check(const struct ledger *ledger, struct err *err);
/* Sets record->at_us. A failure is logged: the request has been paid for already. */
void ledger_add(const struct ledger *ledger, struct llm_call_record *record);
/* A desk_status_fn: "Claude today: 0.42 of 5.00 USD, 12 requests". Nothing on a day without
 * requests. */
void ledger_status(struct buf *out, struct json_object *data, void *ledger);

/*
 * backlog.h: the rows of steps that trading.db has not accepted yet.
 *
 *     backlog_add(backlog, &outputs);                       // of each step, in order
 *     rows = backlog_rows(backlog);  journal_commit_rows(store, engine, source, &rows, err);
 *     backlog_clear(backlog);                               // once they are on disk
 *
 * Each order is held once, in its newest state. Rows that only people read are bounded: the oldest
 * decisions are kept, and the newest candles and equity points.
 * Invariants: rows that the books depend on are never dropped: while backlog_has_capacity is false,
 * no step may be made. An order that was created and ended here without a fill is dropped when
 * capacity is short.
 * Thread: the engine's.
 */
#pragma once

#include "engine/engine.h"
#include "journal.h"

struct backlog;

/* symbols: the most that the engine has. Never NULL. */
struct backlog *backlog_new(int symbols);
void backlog_free(struct backlog *backlog);
void backlog_clear(struct backlog *backlog);
bool backlog_is_empty(const struct backlog *backlog);
bool backlog_has_capacity(const struct backlog *backlog); /* for the outputs of one more step */
/* Whether a step may answer one more request; the last places are reserved for emergency stops. */
bool backlog_accepts(const struct backlog *backlog, enum request_kind kind);

void backlog_add(struct backlog *backlog, const struct engine_outputs *outputs);
/* These add what an earlier run left in its reserve. */
void backlog_add_order(struct backlog *backlog, const struct order *order);
void backlog_add_state(struct backlog *backlog);     /* the state differs from trading.db */
void backlog_add_positions(struct backlog *backlog); /* the positions differ from trading.db */
void backlog_add_request(struct backlog *backlog, const struct journal_request *request);

bool backlog_has_order(const struct backlog *backlog, const char *client_id);
/* NULL: this request is not in the backlog. */
struct journal_request *backlog_request(struct backlog *backlog, int64_t id);
struct journal_rows backlog_rows(const struct backlog *backlog);

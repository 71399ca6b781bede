/*
 * backlog.h: what steps answered and trading.db has not taken, as rows, until it does.
 *
 *     backlog_add(backlog, &outputs);                       // of each step, in order
 *     rows = backlog_rows(backlog);  journal_commit_rows(store, engine, source, &rows, err);
 *     backlog_clear(backlog);                               // when they are on disk
 *
 * An order stands once, as it is now. What only people read is bounded: of decisions the first are
 * kept, of candles and equity points the newest.
 * Invariants: what the books rest on is never left out: while backlog_has_room is false no step may
 * be made. An order that was made and ended meanwhile without a fill is left out when room is
 * short. Thread: the engine's.
 */
#pragma once

#include "engine/engine.h"
#include "journal.h"

struct backlog;

struct backlog *backlog_new(void); /* never NULL */
void backlog_free(struct backlog *backlog);
void backlog_clear(struct backlog *backlog);
bool backlog_is_empty(const struct backlog *backlog);
bool backlog_has_room(const struct backlog *backlog); /* for all that one step can answer */
/* Whether a step may answer one more request; the last places are kept for emergency stops. */
bool backlog_accepts(const struct backlog *backlog, enum request_kind kind);

void backlog_add(struct backlog *backlog, const struct engine_outputs *outputs);
/* What an earlier run has left in its reserve. */
void backlog_add_order(struct backlog *backlog, const struct order *order);
void backlog_add_state(struct backlog *backlog);     /* the state differs from the one on disk */
void backlog_add_positions(struct backlog *backlog); /* so do the positions */
void backlog_add_request(struct backlog *backlog, const struct journal_request *request);

bool backlog_has_order(const struct backlog *backlog, const char *client_id);
/* NULL: no such request waits here. */
struct journal_request *backlog_request(struct backlog *backlog, int64_t id);
struct journal_rows backlog_rows(const struct backlog *backlog);

/*
 * replay.h: a recorded run (recorder.h) again: the same inputs to the same step, and whether it
 * answers the same.
 *
 *     AUTO_REPLAY struct replay *replay = NULL;
 *     if ((rc = replay_open(path, model_path, &replay, err)) < 0) return rc;
 *     while ((rc = replay_step(replay, err)) > 0) {}     // ERR_ENGINE_REPLAY_DIFFERS, …_DAMAGED
 *     tell(replay_count(replay));
 *
 * Nothing is opened but the file: no database, no venue, no clock. A file that is cut or changed
 * anywhere is refused at the first frame that is not whole, with its offset (a file that ends
 * between two frames is a run that ended there); what came before it was replayed and stands.
 * Invariants: memory does not depend on the length of the file; a frame is checked whole before
 * any of it is used. Thread: one at a time per replay.
 */
#pragma once

#include "base/auto.h"
#include "base/err.h"
#include "engine/engine.h"

struct replay;

struct replay_count {
    int64_t steps;
    int64_t decisions;
    int64_t orders; /* that left for the venue */
    int64_t fills;
    int64_t trades;
    int64_t offset;   /* of the file: all before it was replayed */
    int64_t first_us; /* market time of the first and the newest step; 0: none */
    int64_t last_us;
};

/* Reads the header. model_path: of the model that the run asked, when it asked one; NULL:
 * where it was then.
 * ERR_ENGINE_RECORD_FOREIGN: not a journal, or one of another version; ERR_ENGINE_RECORD_DAMAGED
 * with the offset; ERR_ENGINE_REPLAY_MODEL. The caller frees *ret. */
int replay_open(const char *path, const char *model_path, struct replay **ret, struct err *err);
void replay_free(struct replay *replay);

static inline void replay_cleanup(struct replay **slot)
{
    replay_free(*slot);
}
#define AUTO_REPLAY AUTO(replay_cleanup)

/* One record: 1, or 0 at the end. ERR_ENGINE_REPLAY_DIFFERS, with time and what differs, once the
 * step was done; one may go on. ERR_ENGINE_RECORD_DAMAGED: no further. */
int replay_step(struct replay *replay, struct err *err);
/* Market time of the next record without doing it; INT64_MAX at the end or before damage. */
int64_t replay_next_us(struct replay *replay);

int64_t replay_run(const struct replay *replay);
const struct replay_count *replay_count(const struct replay *replay);
const struct engine *replay_engine(const struct replay *replay);
const struct settings *replay_settings(const struct replay *replay); /* as of the newest step */
/* Of the newest step; all zero before the first. */
const struct engine_now *replay_now(const struct replay *replay);
const struct engine_outputs *replay_outputs(const struct replay *replay);
/* The newest of a symbol; NULL: none yet. */
const struct decision *replay_decision(const struct replay *replay, struct symbol symbol);
const struct quote *replay_quote(const struct replay *replay, struct symbol symbol);
/* NULL: the run did not watch it. */
const struct series *replay_series(const struct replay *replay, struct symbol symbol);

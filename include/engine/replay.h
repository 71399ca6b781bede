/*
 * replay.h: replays a recorded run (recorder.h): feeds the same inputs to the same step and
 * compares the outputs.
 *
 *     AUTO_REPLAY struct replay *replay = NULL;
 *     if ((rc = replay_open(path, model_path, &replay, err)) < 0) return rc;
 *     while ((rc = replay_step(replay, err)) > 0) {}     // ERR_ENGINE_REPLAY_DIFFERS, …_DAMAGED
 *     report(replay_count(replay));
 *
 * Opens nothing but the file: no database, no venue, no clock. A file that was truncated or changed
 * is refused at the first incomplete frame, with its offset; the steps before it have been replayed
 * and are valid. A file that ends between two frames is a run that ended there.
 * Invariants: memory does not depend on the length of the file; a frame is checked in full before
 * any of it is used.
 * Thread: one at a time per replay.
 */
#pragma once

#include "base/auto.h"
#include "base/err.h"
#include "engine/engine.h"

struct replay;

struct replay_count {
    int64_t steps;
    int64_t decisions;
    int64_t orders; /* sent to the venue */
    int64_t fills;
    int64_t trades;
    int64_t offset;   /* in the file: everything before it was replayed */
    int64_t first_us; /* market time of the first and the newest step; 0: none */
    int64_t last_us;
};

/* Reads the header. model_path: the model that the run used, if any; NULL: the path that the run
 * recorded. ERR_ENGINE_RECORD_FOREIGN: not a journal, or one of another version;
 * ERR_ENGINE_RECORD_DAMAGED with the offset; ERR_ENGINE_REPLAY_MODEL. The caller frees *ret. */
int replay_open(const char *path, const char *model_path, struct replay **ret, struct err *err);
void replay_free(struct replay *replay);

static inline void replay_cleanup(struct replay **slot)
{
    replay_free(*slot);
}
#define AUTO_REPLAY AUTO(replay_cleanup)

/* Replays one record: 1, or 0 at the end. ERR_ENGINE_REPLAY_DIFFERS: the step was done and its
 * outputs differ; err has the time and the difference, and the caller may continue.
 * ERR_ENGINE_RECORD_DAMAGED: the replay cannot continue. */
int replay_step(struct replay *replay, struct err *err);
/* Market time of the next record, without replaying it; INT64_MAX at the end or at damage. */
int64_t replay_next_us(struct replay *replay);

int64_t replay_run(const struct replay *replay);
const struct replay_count *replay_count(const struct replay *replay);
const struct engine *replay_engine(const struct replay *replay);
const struct settings *replay_settings(const struct replay *replay); /* as of the newest step */
/* Of the newest step; all zero before the first step. */
const struct engine_now *replay_now(const struct replay *replay);
const struct engine_outputs *replay_outputs(const struct replay *replay);
/* The newest of a symbol; NULL: none yet. */
const struct decision *replay_decision(const struct replay *replay, struct symbol symbol);
const struct quote *replay_quote(const struct replay *replay, struct symbol symbol);
/* NULL: the run did not watch this symbol. */
const struct series *replay_series(const struct replay *replay, struct symbol symbol);

/*
 * recorder.h: the flight recorder: all that the steps of a run were given, so that they can be
 * done again (replay.h), one file a run.
 *
 *     rc = recorder_open(state_dir, &start, engine, &recorder, err);   // header: where it starts
 *     engine_step(engine, &now, &inputs, &outputs);
 *     rc = recorder_step(recorder, engine, &now, &inputs, &outputs, err);  // then the commit
 *     recorder_flush(recorder, err);              // what a full disk did not take, again
 *     recorder_free(recorder);
 *
 * The file is <state>/journal/run-<n>.ndj, n as in the client ids of the run's orders; folder 0700,
 * file 0600. It is the magic, then frames (record.h): the start, then a record a step that was
 * given anything or had anything to say. A record holds the three clocks, the inputs field by
 * field, and 32 bits of a SipHash-2-4 over each part of what the step answered: decisions, orders
 * and calls to the venue, books, the rest. Each frame carries its length and a 64-bit SipHash-2-4
 * that covers its place in the file too, so frames cannot be lost, swapped or repeated unseen.
 * Always true: a write that failed is cut off again, so that the file ends with a whole record
 * whenever the disk allows; what it did not take waits in memory. The death of the process costs
 * nothing else. Nothing is synced: a power cut may cost the newest records, and the file then ends
 * before trading.db does.
 * Old runs go: at the start and each market hour the oldest others are deleted until at most
 * RECORDER_KEEP_RUNS files and RECORDER_KEEP_BYTES are left. A run whose own file has grown to that
 * size is recorded no further, which is told once (ERR_ENGINE_RECORD_FULL) and stops nothing.
 * A run's number is higher than that of any file in the folder, whatever trading.db remembers.
 * Thread: the engine's; a finished file any.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

#define RECORDER_FOLDER     "journal"
#define RECORDER_KEEP_RUNS  64
#define RECORDER_KEEP_BYTES (INT64_C(1) << 30)

struct recorder;

/* Where a run starts, as far as the engine itself does not tell it. */
struct recorder_start {
    struct engine_now now;              /* of engine_begin; else of the start */
    const struct engine_memory *memory; /* given to engine_restore; NULL: engine_begin */
    int keep_runs;                      /* 0: RECORDER_KEEP_RUNS */
    int64_t keep_bytes;                 /* 0: RECORDER_KEEP_BYTES */
};

/* engine: ready for its first step, its predictor set. The caller frees *ret. */
int recorder_open(const char *state_dir, const struct recorder_start *start,
                  const struct engine *engine, struct recorder **ret, struct err *err);
void recorder_free(struct recorder *recorder);

/* The record of a step; one without inputs and outputs is left out. Called once a step.
 * ERR_ENGINE_RECORD when the file could not be written: it is then as before, and the record is
 * held in memory until recorder_flush, or a later step, has written it. ERR_ENGINE_RECORD_FULL,
 * once: nothing is recorded any more, for the file or the memory is full. */
int recorder_step(struct recorder *recorder, const struct engine *engine,
                  const struct engine_now *now, const struct engine_inputs *inputs,
                  const struct engine_outputs *outputs, struct err *err);
/* Writes what is held. ERR_ENGINE_RECORD as above. */
int recorder_flush(struct recorder *recorder, struct err *err);

const char *recorder_path(const struct recorder *recorder);
int64_t recorder_size(const struct recorder *recorder); /* bytes */

/* The numbers of the runs that have a file, ascending, at most max (the highest); how many. */
int recorder_runs(const char *state_dir, int64_t *ret, int max);
/* The path of a run's file into ret; run 0: the newest. ERR_ENGINE_RECORD_NONE. */
int recorder_find(const char *state_dir, int64_t run, struct buf *ret, struct err *err);

/* For tests: fn runs before each write; a negative error id makes it fail, having written the
 * first `*ret_written` bytes. NULL: none. */
typedef int (*recorder_fault_fn)(size_t size, size_t *ret_written, void *userdata);
void recorder_set_fault(struct recorder *recorder, recorder_fault_fn fn, void *userdata);

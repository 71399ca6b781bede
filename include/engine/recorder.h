/*
 * recorder.h: the flight recorder: the inputs of every step of a run, one file per run, so that the
 * run can be replayed (replay.h).
 *
 *     rc = recorder_open(state_dir, &start, engine, &recorder, err);   // header: the start state
 *     engine_step(engine, &now, &inputs, &outputs);
 *     rc = recorder_step(recorder, engine, &now, &inputs, &outputs, err);  // then the commit
 *     recorder_flush(recorder, err);                                   // retries a failed write
 *     recorder_free(recorder);
 *
 * The file is <state>/journal/run-<n>.ndj, where n is the run number in the client ids of its
 * orders; folder 0700, file 0600. It contains the magic, then frames (record.h): the start, then
 * one record for each step that had inputs or outputs. A record holds the three clocks, the inputs
 * field by field, and 32 bits of a SipHash-2-4 over each part of the outputs: decisions, orders and
 * calls to the venue, books, the rest. Each frame carries its length and a 64-bit SipHash-2-4 that
 * also covers its position in the file, so a lost, swapped or repeated frame is detected.
 * Invariants: a failed write is truncated again, so the file ends with a whole record whenever the
 * disk allows; the unwritten data waits in memory. If the process dies, only that data is lost. The
 * file is not synced: a power failure may lose the newest records, and the file then ends before
 * trading.db does.
 * Retention: at the start and every market hour, the oldest other runs are deleted until at most
 * RECORDER_KEEP_RUNS files and RECORDER_KEEP_BYTES remain. When the current file reaches that size,
 * recording stops; this is reported once (ERR_ENGINE_RECORD_FULL) and trading continues. A run's
 * number is higher than that of any file in the folder, even if trading.db was lost.
 * Thread: the engine's; a finished file may be read from any.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

#define RECORDER_FOLDER     "journal"
#define RECORDER_KEEP_RUNS  64
#define RECORDER_KEEP_BYTES (INT64_C(1) << 30)

struct recorder;

/* The start state of a run that the engine itself does not hold. */
struct recorder_start {
    struct engine_now now;              /* of engine_begin, or of the start */
    const struct engine_memory *memory; /* passed to engine_restore; NULL: engine_begin was used */
    int keep_runs;                      /* 0: RECORDER_KEEP_RUNS */
    int64_t keep_bytes;                 /* 0: RECORDER_KEEP_BYTES */
};

/* engine: before its first step, with its predictor set. The caller frees *ret. */
int recorder_open(const char *state_dir, const struct recorder_start *start,
                  const struct engine *engine, struct recorder **ret, struct err *err);
void recorder_free(struct recorder *recorder);

/* Records a step; a step without inputs and outputs is skipped. Call once per step.
 * ERR_ENGINE_RECORD: the file could not be written and is unchanged; the record stays in memory
 * until recorder_flush or a later step writes it. ERR_ENGINE_RECORD_FULL, returned once: the file
 * or the memory is full, and nothing more is recorded. */
int recorder_step(struct recorder *recorder, const struct engine *engine,
                  const struct engine_now *now, const struct engine_inputs *inputs,
                  const struct engine_outputs *outputs, struct err *err);
/* Writes the records in memory. ERR_ENGINE_RECORD as above. */
int recorder_flush(struct recorder *recorder, struct err *err);

const char *recorder_path(const struct recorder *recorder);
int64_t recorder_size(const struct recorder *recorder); /* bytes */

/* The numbers of the runs that have a file, ascending, at most the `max` highest; returns how many.
 */
int recorder_runs(const char *state_dir, int64_t *ret, int max);
/* Writes the path of a run's file to ret; run 0: the newest. ERR_ENGINE_RECORD_NONE. */
int recorder_find(const char *state_dir, int64_t run, struct buf *ret, struct err *err);

/* For tests: fn is called before each write; if it returns a negative error id, the write fails
 * after its first `*ret_written` bytes. NULL: no faults. */
typedef int (*recorder_fault_fn)(size_t size, size_t *ret_written, void *userdata);
void recorder_set_fault(struct recorder *recorder, recorder_fault_fn fn, void *userdata);

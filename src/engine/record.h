/*
 * record.h: what a journal file is made of: frames, the start of a run, and the record of a step.
 *
 *     16 bytes   RECORD_MAGIC, whose last digit but the line feed is the version
 *     frames     8 bytes sum | 4 bytes length of the payload | payload       (lowest byte first)
 *
 * The sum is SipHash-2-4 over length and payload, salted with the frame's offset in the file. The
 * first frame is the start, each other a step. Whatever can change the steps of a run stands in the
 * start: settings, symbols, what recovery gave (engine_memory), the saved market history as
 * engine_series_save makes it (of this layout only), the windows behind it, and which model.
 * Invariants: a payload that is read is used only when its sum fits and all of it was understood.
 * Thread: the engine's, or whoever owns the reader.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "pack.h"

#include <stdbool.h>

#define RECORD_MAGIC       "nightdesk-ndj-1\n"
#define RECORD_MAGIC_SIZE  ((size_t)16)
#define RECORD_FAMILY_SIZE ((size_t)14) /* of the magic: what all versions share */
#define RECORD_FRAME_SIZE  ((size_t)12)
#define RECORD_START_MAX   ((size_t)4 << 20)
#define RECORD_STEP_MAX    ((size_t)512 << 10)

/* The start of a run, on the heap. */
struct record_start {
    int64_t run;
    bool restored; /* memory holds what engine_restore got; else engine_begin */
    struct engine_now now;
    struct settings settings;
    int64_t step_us;
    int symbol_count;
    struct symbol symbols[SYMBOLS_MAX];
    struct engine_memory memory;
    char model_hash[PREDICTOR_HASH_SIZE]; /* empty: no model */
    size_t series_size;
    size_t series_at; /* in the payload: bytes for engine_series_load */
    size_t windows_at;
};

/* What a step answered. */
enum record_part { RECORD_DECISIONS, RECORD_ORDERS, RECORD_BOOKS, RECORD_REST, RECORD_PARTS };

const char *record_part_name(enum record_part part);

struct record_answer {
    uint32_t sums[RECORD_PARTS];
    int sends;
    int decision_count;
    struct record_decision {
        struct symbol symbol;
        enum direction direction;
        enum outcome outcome;
        double score;
    } decisions[SYMBOLS_MAX];
};

/* Writing: settings and request are those of the inputs. Reading: all three are room for what
 * comes, and the inputs then point to the two, or hold NULL. */
struct record_step {
    struct engine_now now;
    struct engine_inputs *inputs;
    struct settings *settings;
    struct request *request;
    struct record_answer answer;
};

/* Values that other files hold as well. */
void record_order_pack(struct pack *p, struct order *o);
void record_request_pack(struct pack *p, struct request *r);
void record_position_pack(struct pack *p, struct position *x);

/* Writes: *start is what is written. Reads: *start is filled in. `engine` is read from when
 * writing (series, windows), and may be NULL when reading. */
void record_start_pack(struct pack *p, struct record_start *start, const struct engine *engine);
/* An engine that stands where the run started; NULL when the saved history is of another layout
 * or does not make sense. payload is what start was read from. */
struct engine *record_start_engine(const struct record_start *start, struct pack payload);
/* What an engine may be made of: counts, prices and names that make sense. */
bool record_start_is_sane(const struct record_start *start);

/* before: the clocks of the record before. symbols: those of the start. */
void record_step_pack(struct pack *p, struct record_step *step, const struct engine_now *before,
                      const struct record_start *start);
bool record_step_is_sane(const struct record_step *step);

/* scratch: room for RECORD_SCRATCH bytes. */
#define RECORD_SCRATCH ((size_t)2 * sizeof(struct engine_outputs))
void record_answer_of(const struct engine *engine, const struct engine_outputs *outputs,
                      uint8_t *scratch, struct record_answer *ret);
/* Nothing was given, nothing was said: no later step depends on it. */
bool record_is_idle(const struct engine_inputs *inputs, const struct engine_outputs *outputs);

/* Of a frame and the payload behind it. */
uint64_t record_sum(const uint8_t *frame, size_t size, int64_t offset);
/* Fills in the frame before a payload of `size` bytes that stands behind it. */
void record_seal(uint8_t *frame, size_t size, int64_t offset);

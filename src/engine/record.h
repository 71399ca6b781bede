/*
 * record.h: the format of a journal file: frames, the start of a run, and the record of a step.
 *
 *     16 bytes   RECORD_MAGIC; the digit before its line feed is the version (RECORD_VERSION)
 *     frames     8 bytes sum | 4 bytes length of the payload | payload       (little endian)
 *
 * The sum is SipHash-2-4 over length and payload, salted with the frame's offset in the file. The
 * first frame is the start, each other frame a step. The start contains everything that can affect
 * the steps of a run: settings, symbols, the recovered state (engine_memory), the saved market
 * history from engine_series_save (in its current layout only), the windows, and the hash of the
 * model.
 * Journals of versions 1 to 8 are read too, and replayed with the same results: their fields are
 * mapped to those of today, and the sums of a step's outputs are computed over their layout. The
 * events of version 1 are not compared when they contain errors, whose numbers differ between
 * builds. Version 3 added how an order is executed, version 4 the cash that is compared while a
 * position is open, version 5 the run of a command in ops.db that caused an order, version 6
 * sentiment, version 7 orders that protect a position at the venue, version 8 fees that are charged
 * later and changes of trading hours, version 9 the currency of a fee for a close by the venue, and
 * the version itself in the start. Invariant: a payload is used only if its sum matches and all of
 * it was decoded. Thread: the engine's, or the owner of the reader.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "pack.h"

#include <stdbool.h>

#define RECORD_VERSION     9
#define RECORD_MAGIC       "nightdesk-ndj-9\n"
#define RECORD_MAGIC_SIZE  ((size_t)16)
#define RECORD_FAMILY_SIZE ((size_t)14) /* the part of the magic that all versions share */
#define RECORD_FRAME_SIZE  ((size_t)12)
/* With windows and orders of SYMBOLS_LIMIT symbols. */
#define RECORD_START_MAX ((size_t)16 << 20)
#define RECORD_STEP_MAX  ((size_t)512 << 10)

/* The start of a run, on the heap. */
struct record_start {
    int version; /* of the journal, 1..RECORD_VERSION; set before packing, and not part of it */
    int64_t run;
    bool restored; /* memory was passed to engine_restore; else engine_begin was called */
    struct engine_now now;
    struct settings settings;
    int64_t step_us;
    struct venue_capabilities venue;
    int symbol_count;
    struct symbol symbols[SYMBOLS_LIMIT];
    struct engine_memory memory;
    char model_hash[PREDICTOR_HASH_SIZE]; /* empty: no model */
    size_t series_size;
    size_t series_at; /* in the payload: bytes for engine_series_load */
    size_t windows_at;
};

/* The parts of a step's outputs that are compared separately. */
enum record_part { RECORD_DECISIONS, RECORD_ORDERS, RECORD_BOOKS, RECORD_REST, RECORD_PARTS };

const char *record_part_name(enum record_part part);

struct record_digest {
    uint32_t sums[RECORD_PARTS];
    bool rest_unknown; /* RECORD_REST cannot be compared; not part of the record */
    int sends;
    int decision_count;
    struct record_decision {
        struct symbol symbol;
        enum direction direction;
        enum outcome outcome;
        double score;
    } decisions[SYMBOLS_LIMIT];
};

/* Writing: settings and request are those of the inputs. Reading: the three pointers are buffers
 * that are filled in; the inputs then point to settings and request, or hold NULL. */
struct record_step {
    struct engine_now now;
    struct engine_inputs *inputs;
    struct settings *settings;
    struct request *request;
    struct record_digest digest;
};

/* Values that reserve.bin holds too. */
void record_order_pack(struct pack *p, struct order *o); /* without the next */
void record_terms_pack(struct pack *p, struct order *o); /* how it is executed */
void record_request_pack(struct pack *p, struct request *r);
void record_position_pack(struct pack *p, struct position *x);

/* Writing: packs *start. Reading: fills in *start. `engine` provides series and windows when
 * writing, and may be NULL when reading. */
void record_start_pack(struct pack *p, struct record_start *start, const struct engine *engine);
/* Creates an engine in the state in which the run started; NULL: the saved history has another
 * layout or is invalid. payload: the one that start was read from. */
struct engine *record_start_engine(const struct record_start *start, struct pack payload);
/* Whether counts, prices and names are valid, so that an engine can be created from them. */
bool record_start_is_sane(const struct record_start *start);

/* before: the clocks of the previous record. symbols: those of the start. */
void record_step_pack(struct pack *p, struct record_step *step, const struct engine_now *before,
                      const struct record_start *start);
bool record_step_is_sane(const struct record_step *step);

/* Bytes of the scratch of an engine. */
size_t record_scratch(const struct engine *engine);
/* scratch: a buffer of record_scratch bytes. */
/* version: of the journal whose digests are to be compared with it. */
void record_digest_of(const struct engine *engine, const struct engine_outputs *outputs,
                      int version, uint8_t *scratch, struct record_digest *ret);
/* No inputs and no outputs: no later step depends on this one. */
bool record_is_idle(const struct engine_inputs *inputs, const struct engine_outputs *outputs);

/* The checksum of a frame and the payload after it. */
uint64_t record_sum(const uint8_t *frame, size_t size, int64_t offset);
/* Fills in the frame before a payload of `size` bytes that follows it. */
void record_seal(uint8_t *frame, size_t size, int64_t offset);

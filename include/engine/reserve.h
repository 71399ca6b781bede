/*
 * reserve.h: a small file whose room is taken in advance, for what has to be on disk before it is
 * done while trading.db cannot be written: orders that close, the trading state, requests.
 *
 *     rc = reserve_open("var/reserve.bin", &reserve, err);       // makes it at its full size
 *     rc = reserve_add(reserve, notes, count, err);              // 0: on disk; then send
 *     for (int i = 0; i < reserve_count(reserve); i++) reserve_read(reserve, i, &note);
 *     rc = reserve_clear(reserve, err);                          // once trading.db has it all
 *     reserve_free(reserve);
 *
 * The file is RESERVE_SLOTS slots of RESERVE_SLOT_SIZE bytes, written with zeros and synced when it
 * is made, so that writing a note takes no new room on the disk. A slot is: 8 bytes SipHash-2-4 of
 * the rest | 8 bytes sum of the slot before | 8 bytes episode | 4 bytes index | the note (lowest
 * byte first). The notes of one episode, from slot 0 on, each naming the one before, are what it
 * holds; a slot that is torn or left from a write that failed ends them. Clearing ends an episode;
 * its number never comes again.
 * Invariants: a note that reserve_add reported is read after any crash until it is cleared. Of
 * notes whose write failed the first may be read even so: an order that never left is one that the
 * venue does not know. Limits: a file system that copies on write (btrfs, ZFS) may want room even
 * to write over a file. Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "model/order.h"
#include "model/position.h"
#include "model/request.h"
#include "model/snapshot.h"

#define RESERVE_NAME      "reserve.bin"
#define RESERVE_SLOTS     256
#define RESERVE_SLOT_SIZE 512

enum reserve_kind {
    RESERVE_ORDER,  /* an intent: it may have left */
    RESERVE_STATE,  /* the trading state from then on */
    RESERVE_REQUEST /* it took effect, or was refused */
};

struct reserve_note {
    enum reserve_kind kind;
    int64_t run; /* of the engine, and the number of its next order */
    int64_t next_order;
    struct order order;
    struct position
        adopted; /* what it closes, when the bot did not open it; else without a symbol */
    enum trading_state state;
    char state_reason[64];
    int64_t state_since_wall_us;
    struct request request; /* without its text */
    int request_err;
    int64_t at_us; /* of the request, market time */
};

struct reserve;

/* path ":memory:" makes one for a test. ERR_ENGINE_RESERVE. The caller frees *ret. */
int reserve_open(const char *path, struct reserve **ret, struct err *err);
void reserve_free(struct reserve *reserve);
/* Reads the file again, as a start does. */
void reserve_reload(struct reserve *reserve);

/* The number of the notes that it holds, or of those that come next; never below at_least. */
int64_t reserve_episode(const struct reserve *reserve);
void reserve_number_from(struct reserve *reserve, int64_t at_least);
int reserve_count(const struct reserve *reserve);
/* A start may find notes of this episode: some were written, or it was tried. */
bool reserve_is_used(const struct reserve *reserve);
/* index below the count. False: the note makes no sense (another version of this program). */
bool reserve_read(const struct reserve *reserve, int index, struct reserve_note *ret);

/* 0: all of them are on disk. ERR_ENGINE_RESERVE: they could not be written, or no slot is left. */
int reserve_add(struct reserve *reserve, const struct reserve_note *notes, int count,
                struct err *err);
int reserve_clear(struct reserve *reserve, struct err *err);

/* For tests: the same file, read as a start would; freed by itself. */
struct reserve *reserve_view(const struct reserve *reserve);
/* For tests: fn runs before each write; a negative error id makes it fail, having written the
 * first `*ret_written` bytes. NULL: none. */
typedef int (*reserve_fault_fn)(size_t size, size_t *ret_written, void *userdata);
void reserve_set_fault(struct reserve *reserve, reserve_fault_fn fn, void *userdata);

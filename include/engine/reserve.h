/*
 * reserve.h: a preallocated file for what must be on disk before it is done while trading.db cannot
 * be written: orders that close, the trading state, requests.
 *
 *     rc = reserve_open("var/reserve.bin", &reserve, err);       // creates it at its full size
 *     rc = reserve_add(reserve, notes, count, err);              // 0: on disk; then send
 *     for (int i = 0; i < reserve_count(reserve); i++) reserve_read(reserve, i, &note);
 *     rc = reserve_clear(reserve, err);                          // once all are in trading.db
 *     reserve_free(reserve);
 *
 * The file is RESERVE_SLOTS slots of RESERVE_SLOT_SIZE bytes. It is filled with zeros and synced
 * when it is created, so that writing a note needs no new disk space. A slot is: 8 bytes
 * SipHash-2-4 of the rest | 8 bytes sum of the previous slot | 8 bytes episode | 4 bytes index |
 * the note (little endian). The file holds the notes of one episode, from slot 0 on, each linked to
 * the one before by its sum; a slot that is torn or left over from a failed write ends the list.
 * Clearing ends an episode; its number is never reused.
 * Invariants: a note for which reserve_add returned 0 is read after any crash until it is cleared.
 * If reserve_add failed, the first of its notes may still be read: an order that was never sent is
 * then one that the venue does not know.
 * Limit: a copy-on-write file system (btrfs, ZFS) may need space even to overwrite a file.
 * Thread: the engine's.
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
    RESERVE_ORDER,  /* an intent: the order may have been sent */
    RESERVE_STATE,  /* the trading state from this note on */
    RESERVE_REQUEST /* it took effect, or was refused */
};

struct reserve_note {
    enum reserve_kind kind;
    int64_t run; /* the engine's run and the number of its next order */
    int64_t next_order;
    struct order order;
    struct position adopted; /* the position that the order closes, if the bot did not open it; else
                                without a symbol */
    enum trading_state state;
    char state_reason[64];
    int64_t state_since_wall_us;
    struct request request; /* without its text */
    int request_err;
    int64_t at_us; /* market time of the request */
};

struct reserve;

/* path ":memory:" creates one for a test. ERR_ENGINE_RESERVE. The caller frees *ret. */
int reserve_open(const char *path, struct reserve **ret, struct err *err);
void reserve_free(struct reserve *reserve);
/* Reads the file again, as at a start. */
void reserve_reload(struct reserve *reserve);

/* The number of the current episode, or of the next if there are no notes; at least at_least. */
int64_t reserve_episode(const struct reserve *reserve);
void reserve_number_from(struct reserve *reserve, int64_t at_least);
int reserve_count(const struct reserve *reserve);
/* Whether a start could find notes of this episode: a write succeeded or was attempted. */
bool reserve_is_used(const struct reserve *reserve);
/* index < reserve_count(). False: the note cannot be decoded (another version of this program). */
bool reserve_read(const struct reserve *reserve, int index, struct reserve_note *ret);

/* 0: all notes are on disk. ERR_ENGINE_RESERVE: they could not be written, or no slot is free. */
int reserve_add(struct reserve *reserve, const struct reserve_note *notes, int count,
                struct err *err);
int reserve_clear(struct reserve *reserve, struct err *err);

/* For tests: the same file, read as at a start. The caller frees it. */
struct reserve *reserve_view(const struct reserve *reserve);
/* For tests: fn is called before each write; if it returns a negative error id, the write fails
 * after its first `*ret_written` bytes. NULL: no faults. */
typedef int (*reserve_fault_fn)(size_t size, size_t *ret_written, void *userdata);
void reserve_set_fault(struct reserve *reserve, reserve_fault_fn fn, void *userdata);

/*
 * minutes.h: the closed candles of a venue's markets, from its stream and from its history, put
 * together to one step a minute.
 *
 *     minutes_begin(&minutes, symbols, count, from_us);
 *     minutes_up(&minutes, row, now_us);                       // the stream of a market is open
 *     minutes_close(&minutes, row, &candle);                   // it says that a candle is closed
 *     while (minutes_missing(&minutes, row, now_us, &from, &until)) ask; minutes_fill(...);
 *     while (minutes_next(&minutes, now_us, &open_us, bars, &n)) deliver(open_us, bars, n);
 *
 * A step is delivered when each market has a candle of its minute or is known to have none: its
 * history says so, or its stream was open and MINUTES_GRACE_US have passed. What comes later is
 * counted and left out. A market whose data was refused has an impossible candle in its next step,
 * which the engine refuses: nothing is opened there until a good one comes.
 * Always true: steps are in order, one a minute, from from_us on; a candle is delivered once; times
 * are those of the venue's clock. Thread: one at a time.
 */
#pragma once

#include "clock_reading.h"
#include "market/source.h"
#include "model/candle.h"

#include <stdbool.h>
#include <stdint.h>

/* After the end of a minute: its closed candles have arrived. */
#define MINUTES_GRACE_US (3 * USEC_PER_SEC)
/* After the end of a minute its candle is in the venue's history. */
#define MINUTES_SETTLED_US (2 * USEC_PER_SEC)
/* So far the venue's clock may be from what we take it for. */
#define MINUTES_UNSURE_US CLOCK_READING_OFF_US
/* Without a stream the history is asked once there is so much of it. */
#define MINUTES_POLL_US (2 * USEC_PER_MIN)
/* Closed candles of a stream that wait for history before them; older ones become history. */
#define MINUTES_STREAMED 8

enum minutes_result {
    MINUTES_TAKEN,
    MINUTES_REPEATED, /* it is known */
    MINUTES_LATE,     /* its minute was delivered without it */
    MINUTES_BACK,     /* it is older than one before it: the market cannot be trusted */
    MINUTES_AHEAD     /* of a minute that has not begun: the same */
};

struct minutes_row {
    struct symbol symbol;
    int64_t known_us;        /* candles that open before it are here, delivered, or do not exist */
    int64_t delivered_us;    /* open of the newest delivered one; -1: none */
    int64_t stream_from_us;  /* the stream has all that open from here on; INT64_MAX: it is down */
    int64_t stream_until_us; /* and has said all before this */
    int filled_at, filled_count;
    struct candle *filled; /* owned; of the history, oldest first */
    int streamed_count;
    struct candle streamed[MINUTES_STREAMED]; /* oldest first */
    bool has_live;
    struct candle live;
    bool distrusted;
};

struct minutes {
    bool says_closed;  /* the stream says that a candle is closed; else it is after the grace */
    int64_t settle_us; /* the grace of this venue; 0: MINUTES_GRACE_US */
    int window;        /* minutes of history that may wait */
    int count;
    struct minutes_row *rows; /* owned */
    int64_t next_us;          /* open of the next step */
    uint64_t late;            /* candles that came after their step */
    uint64_t filled;          /* candles from the history */
};

/* Begins at a minute; what was there is dropped. */
void minutes_begin(struct minutes *minutes, const struct symbol *symbols, int count,
                   int64_t from_us);
void minutes_release(struct minutes *minutes);

/* The stream of this market is open: it has all minutes that end from now on, or that begin from
 * now on if it does not say when one is closed. A minute that may have ended or begun before, by a
 * clock that is MINUTES_UNSURE_US off, is left to the history. */
void minutes_up(struct minutes *minutes, int row, int64_t now_us);
void minutes_down(struct minutes *minutes, int row);
/* The candle of a minute that is not over, and of one that is. */
enum minutes_result minutes_live(struct minutes *minutes, int row, int64_t now_us,
                                 const struct candle *candle);
enum minutes_result minutes_close(struct minutes *minutes, int row, int64_t now_us,
                                  const struct candle *candle);
void minutes_distrust(struct minutes *minutes, int row);

/* The history that is needed: candles that open in [from, until). */
bool minutes_missing(const struct minutes *minutes, int row, int64_t now_us, int64_t *ret_from_us,
                     int64_t *ret_until_us);
/* All of the history from known_us to until_us; candles before known_us are left out. */
void minutes_fill(struct minutes *minutes, int row, const struct candle *candles, int count,
                  int64_t until_us);

/* The history cannot be read: go on without what is missing. */
void minutes_give_up(struct minutes *minutes, int row, int64_t until_us);

/* The next step, if it is complete: its candles, of `count` markets at most. */
bool minutes_next(struct minutes *minutes, int64_t now_us, int64_t *ret_open_us,
                  struct source_bar *ret, int *ret_count);
/* When minutes_next or minutes_missing may have more to say by the clock alone. */
int64_t minutes_due_us(const struct minutes *minutes);

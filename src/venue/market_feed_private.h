/*
 * market_feed_private.h: the inside of struct market_feed, shared by its files.
 *
 * market_feed.c is the feed's side: what is asked by REST, and the steps; market_stream.c its
 * stream; live_source.c is the engine's side. What both sides use is in struct market_link only.
 * Thread: each part as said.
 */
#pragma once

#include "base/mailbox.h"
#include "base/ring.h"
#include "clock_reading.h"
#include "market_lane.h"
#include "minutes.h"
#include "venue/book.h"
#include "venue/exchange.h"
#include "venue/market_feed.h"
#include "venue/rest.h"
#include "venue/stream.h"

#include <stdatomic.h>

/* What the engine wants. It moves to the feed's side, which frees it. */
struct market_ask {
    int64_t generation;
    int64_t from_us; /* of the first step; 0: the history first, and then from its end */
    bool reconnect;  /* only that: the stream is opened again */
    int count;
    struct symbol symbols[];
};

/* A value of link.steps; the bars behind it are those of market_feed_options.symbols. */
struct market_step {
    int64_t generation;
    int64_t open_us;
    int count;
    struct source_bar bars[];
};

static inline size_t market_step_size(int symbols)
{
    return sizeof(struct market_step) + (size_t)symbols * sizeof(struct source_bar);
}

/* What is known of a market besides its candles. */
struct market_top {
    struct quote quote;
    struct dec bid_depth, ask_depth; /* zero: unknown */
    bool halted;
};

/* Both sides. */
struct market_link {
    struct ring *asks;        /* struct market_ask *; engine to feed */
    struct loop_source *wake; /* of the feed's loop; the engine wakes it after a push */
    struct ring *steps;       /* struct market_step; feed to engine */
    struct mailbox *status;   /* struct market_feed_status; feed to engine */
    struct mailbox **tops; /* struct market_top, one a market in the order of the ask; the same */
    _Atomic(struct market_history *) history; /* feed to engine, which takes it; NULL: none */
    _Atomic int64_t history_generation;       /* of it; written before it */
    _Atomic int64_t offset_us; /* the venue's time less clock_mono_us; 0: not known */
};

/* The engine's. */
struct live_source {
    struct source source;
    const struct clock *clock;
    struct market_link *link;
    struct market_step *held; /* popped; its memory is always there */
    bool holds;
    int64_t generation; /* of the newest ask; 0: none */
    int64_t next_us;    /* open of the next step; 0: not known */
    bool warm;          /* the newest ask is for history, which was not taken yet */
    int symbol_count;   /* of the newest ask */
    struct symbol *symbols;
    int quote_at; /* where the next quote is looked up first */
    struct err fault;
    const struct market_feed_status *status;
};

struct market_row { /* a market */
    struct symbol symbol;
    bool named;
    char stream_name[EXCHANGE_NAME_SIZE];
    struct market_top top;
    bool dirty;          /* it is to be published */
    struct book *book;   /* NULL: it is not kept */
    bool wants_book;     /* by REST */
    uint64_t books_lost; /* of book->lost, reported */
    struct candle made;  /* of trades, its minute under way; open_us 0: there was none yet */
    int64_t logged_mono_us;
    struct candle *history; /* read so far; owned */
    int history_count;
    int64_t history_us; /* read up to here */
};

struct market_seat { /* a connection, and its markets */
    struct market_feed *feed;
    struct market_lane *lane;
    int count;
    int *rows; /* in ascending order; owned, as the markets are */
    struct exchange_market *markets;
    char url[256];
};

enum market_job { JOB_NONE, JOB_TIME, JOB_NAME, JOB_HISTORY, JOB_BOOK, JOB_FILL };

struct market_feed {
    struct live_settings settings; /* without the key */
    struct secret *key_id, *key_secret;
    int symbols;
    const struct clock *clock;
    struct market_link link;
    struct live_source engine;

    /* The feed's thread. */
    struct feed *feed;
    const struct exchange *exchange;
    struct rest *rest;
    struct loop_source *tick;
    struct loop_source *publish; /* deferred: the status changed */
    struct market_ask *ask;      /* NULL: nothing is wanted yet */
    int row_count;
    struct market_row *rows;
    struct exchange_market *markets; /* of the rows */
    struct minutes minutes;
    bool follows; /* minutes has begun */
    int64_t history_until_us;
    struct clock_reading clock_reading;
    int64_t timed_mono_us; /* when the venue's clock was last read; 0: never */
    bool doubts_clock;     /* it is to be read again */
    int64_t sure_mono_us;  /* when that last found it to be right; 0: never */
    enum market_job job;   /* under way */
    int job_row;
    int64_t job_generation; /* of the ask that it is for */
    struct exchange_ask asked;
    int failures; /* of jobs, in a row */
    int64_t retry_mono_us;
    int64_t failing_mono_us; /* since when requests fail; 0: they do not */
    char failing[160];
    struct market_step *draft;
    struct market_feed_status status;
    struct candle page[EXCHANGE_CANDLES_MAX];

    /* The stream. */
    const struct stream_api *stream;
    const struct stream_api *books; /* of it, the table that has the books */
    struct http *http;
    struct loop_source *steps;  /* deferred: a candle was closed */
    struct loop_source *quotes; /* deferred: publishes them */
    int depth;                  /* of the books; 0: none are kept */
    int seat_count;
    struct market_seat *seats;
    unsigned place_mask; /* by name: rows from 1, 0: none */
    uint16_t *places;
    int dirty_count;
    int *dirty;
    struct stream_message message;
};

/* market_feed.c */
void market_feed_changed(struct market_feed *m); /* the status is to be published */
/* What the stream says is ahead of the venue's clock as we know it, which is read again. False: it
 * was read, and is right. */
bool market_feed_doubt_clock(struct market_feed *m);

/* market_stream.c */
void market_stream_init(struct market_feed *m, struct loop *loop);
void market_stream_release(struct market_feed *m);
void market_stream_open(struct market_feed *m); /* the names are known */
void market_stream_close(struct market_feed *m);
void market_stream_follow(struct market_feed *m); /* minutes has begun */
void market_stream_reopen(struct market_feed *m);
bool market_stream_is_up(const struct market_feed *m, int row);
void market_stream_take(struct market_feed *m, struct market_lane *lane,
                        const struct market_lane_message *passed, const struct err *err);
/* A whole book by REST is in m->message. */
void market_stream_book(struct market_feed *m, int row);
void market_stream_depths(struct market_feed *m); /* measures them, now and then */

/* live_source.c */
void live_source_init(struct live_source *source, struct market_link *link,
                      const struct clock *clock, int symbols);
void live_source_release(struct live_source *source);
/* Its saved form: the open of the next step. load: false, if the bytes are none. */
size_t live_source_save(int64_t next_us, void *dst, size_t dst_size);
bool live_source_load(const void *bytes, size_t size, int64_t *ret_next_us);
/* Steps before this one are dropped. */
void live_source_skip_to(struct live_source *source, int64_t next_us);
/* While no step is here: no time is later. */
#define LIVE_NOT_HERE_US (INT64_MAX / 2)
/* The venue's clock. Thread: any. */
int64_t market_link_now_us(const struct market_link *link, const struct clock *clock);

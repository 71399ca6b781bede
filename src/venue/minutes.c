#include "minutes.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static const int64_t minute_us = USEC_PER_MIN;

static int64_t grace_us(const struct minutes *minutes)
{
    return minutes->settle_us > 0 ? minutes->settle_us : MINUTES_GRACE_US;
}

static int64_t floor_minute(int64_t us)
{
    return us - us % minute_us;
}

void minutes_release(struct minutes *minutes)
{
    for (int i = 0; i < minutes->count; i++) {
        free(minutes->rows[i].filled);
    }
    free(minutes->rows);
    minutes->rows = NULL;
    minutes->count = 0;
}

void minutes_begin(struct minutes *minutes, const struct symbol *symbols, int count,
                   int64_t from_us)
{
    ASSERT(from_us % minute_us == 0 && count >= 1);
    minutes_release(minutes);
    minutes->rows = calloc((size_t)count, sizeof(*minutes->rows));
    NEED_MEMORY(minutes->rows != NULL);
    minutes->count = count;
    minutes->next_us = from_us;
    for (int i = 0; i < count; i++) {
        minutes->rows[i] = (struct minutes_row){.symbol = symbols[i],
                                                .known_us = from_us,
                                                .delivered_us = -1,
                                                .stream_from_us = INT64_MAX};
    }
}

/* ---------------------------------------------------------------- the stream */

/* What the stream has said joins what is known before it. */
static void join(struct minutes_row *r)
{
    if (r->known_us >= r->stream_from_us && r->stream_until_us > r->known_us) {
        r->known_us = r->stream_until_us;
    }
}

void minutes_up(struct minutes *minutes, int row, int64_t now_us)
{
    struct minutes_row *r = &minutes->rows[row];
    /* A closed candle has all of its minute. One that only the clock closes may have had its last
     * trade before the stream was open. */
    int64_t from_us =
        floor_minute(now_us + MINUTES_UNSURE_US) + (minutes->says_closed ? 0 : minute_us);
    r->has_live = false;
    r->stream_from_us = from_us > r->known_us ? from_us : r->known_us;
    r->stream_until_us = r->stream_from_us;
}

void minutes_down(struct minutes *minutes, int row)
{
    struct minutes_row *r = &minutes->rows[row];
    /* Those that wait for history become history. */
    while (r->streamed_count > 0 && r->streamed[r->streamed_count - 1].open_us >= r->known_us) {
        r->streamed_count--;
    }
    r->has_live = false;
    r->stream_from_us = INT64_MAX;
}

static void drop_oldest(struct minutes_row *r)
{
    r->streamed_count--;
    memmove(&r->streamed[0], &r->streamed[1], (size_t)r->streamed_count * sizeof(r->streamed[0]));
}

static bool has_streamed(const struct minutes_row *r, int64_t open_us)
{
    for (int i = 0; i < r->streamed_count; i++) {
        if (r->streamed[i].open_us == open_us) {
            return true;
        }
    }
    return open_us == r->delivered_us;
}

static enum minutes_result take_closed(struct minutes *minutes, struct minutes_row *r,
                                       const struct candle *candle)
{
    if (r->stream_from_us == INT64_MAX || candle->open_us < r->stream_from_us) {
        return MINUTES_REPEATED; /* of a time that the history has to tell */
    }
    if (candle->open_us < r->stream_until_us) {
        bool known = has_streamed(r, candle->open_us);
        bool late = !known && candle->open_us > r->delivered_us;
        minutes->late += late;
        return known ? MINUTES_REPEATED : late ? MINUTES_LATE : MINUTES_BACK;
    }
    if (r->streamed_count == MINUTES_STREAMED) {
        int64_t dropped_us = r->streamed[0].open_us;
        drop_oldest(r);
        r->known_us = r->known_us < dropped_us ? r->known_us : dropped_us;
        r->stream_from_us = r->streamed[0].open_us;
    }
    r->streamed[r->streamed_count++] = *candle;
    r->stream_until_us = candle->open_us + minute_us;
    join(r);
    return MINUTES_TAKEN;
}

enum minutes_result minutes_close(struct minutes *minutes, int row, int64_t now_us,
                                  const struct candle *candle)
{
    struct minutes_row *r = &minutes->rows[row];
    if (candle->open_us > now_us) {
        return MINUTES_AHEAD;
    }
    if (r->has_live && r->live.open_us <= candle->open_us) {
        r->has_live = false;
    }
    return take_closed(minutes, r, candle);
}

enum minutes_result minutes_live(struct minutes *minutes, int row, int64_t now_us,
                                 const struct candle *candle)
{
    struct minutes_row *r = &minutes->rows[row];
    if (candle->open_us > now_us + MINUTES_GRACE_US) {
        return MINUTES_AHEAD;
    }
    if (candle->open_us < r->stream_from_us) {
        return MINUTES_REPEATED; /* of a time that the history has to tell, or the stream is down */
    }
    if (r->has_live ? candle->open_us < r->live.open_us
                    : candle->open_us < r->stream_until_us - minute_us) {
        return MINUTES_BACK;
    }
    if (candle->open_us < r->stream_until_us) {
        return MINUTES_REPEATED; /* it is closed */
    }
    if (r->has_live && candle->open_us > r->live.open_us && !minutes->says_closed) {
        (void)take_closed(minutes, r, &r->live);
    }
    r->live = *candle;
    r->has_live = true;
    return MINUTES_TAKEN;
}

void minutes_distrust(struct minutes *minutes, int row)
{
    minutes->rows[row].distrusted = true;
}

/* ---------------------------------------------------------------- the history */

bool minutes_missing(const struct minutes *minutes, int row, int64_t now_us, int64_t *ret_from_us,
                     int64_t *ret_until_us)
{
    const struct minutes_row *r = &minutes->rows[row];
    int64_t until_us = floor_minute(now_us - MINUTES_SETTLED_US);
    int64_t most_us = minutes->next_us + minutes->window * minute_us;
    bool streams = r->stream_from_us != INT64_MAX;
    if (!streams && until_us - r->known_us < MINUTES_POLL_US) {
        return false;
    }
    until_us = until_us > r->stream_from_us ? r->stream_from_us : until_us;
    until_us = until_us > most_us ? most_us : until_us;
    *ret_from_us = r->known_us;
    *ret_until_us = until_us;
    return r->known_us < until_us;
}

void minutes_fill(struct minutes *minutes, int row, const struct candle *candles, int count,
                  int64_t until_us)
{
    struct minutes_row *r = &minutes->rows[row];
    int left = r->filled_count - r->filled_at;
    struct candle *filled = calloc((size_t)(left + count + 1), sizeof(*filled));
    NEED_MEMORY(filled != NULL);
    if (left > 0) {
        memcpy(filled, &r->filled[r->filled_at], (size_t)left * sizeof(*filled));
    }
    for (int i = 0; i < count; i++) {
        if (candles[i].open_us >= r->known_us && candles[i].open_us < until_us) {
            filled[left++] = candles[i];
            minutes->filled++;
        }
    }
    free(r->filled);
    r->filled = filled;
    r->filled_at = 0;
    r->filled_count = left;
    r->known_us = until_us > r->known_us ? until_us : r->known_us;
    join(r);
}

void minutes_give_up(struct minutes *minutes, int row, int64_t until_us)
{
    minutes_fill(minutes, row, NULL, 0, until_us);
}

/* ---------------------------------------------------------------- steps */

/* By the clock, the stream has said all of this minute. */
static void settle(struct minutes *minutes, struct minutes_row *r, int64_t now_us)
{
    int64_t end_us = minutes->next_us + minute_us;
    if (r->known_us >= end_us || r->stream_from_us > minutes->next_us ||
        now_us < end_us + grace_us(minutes)) {
        return;
    }
    if (r->has_live && r->live.open_us == minutes->next_us) {
        r->has_live = false;
        if (minutes->says_closed) {
            r->stream_from_us = end_us; /* it traded, but its end was lost: the history has it */
            r->stream_until_us = r->stream_until_us > end_us ? r->stream_until_us : end_us;
            return;
        }
        (void)take_closed(minutes, r, &r->live);
    }
    r->stream_until_us = r->stream_until_us > end_us ? r->stream_until_us : end_us;
    join(r);
}

/* The candle of this minute; NULL: there is none. */
static const struct candle *take(struct minutes_row *r, int64_t open_us)
{
    const struct candle *found = NULL;
    while (r->filled_at < r->filled_count && r->filled[r->filled_at].open_us <= open_us) {
        found = r->filled[r->filled_at].open_us == open_us ? &r->filled[r->filled_at] : found;
        r->filled_at++;
    }
    return found;
}

static bool take_streamed(struct minutes_row *r, int64_t open_us, struct candle *ret)
{
    bool found = false;
    while (r->streamed_count > 0 && r->streamed[0].open_us <= open_us) {
        found = r->streamed[0].open_us == open_us;
        *ret = r->streamed[0];
        drop_oldest(r);
    }
    return found;
}

static void deliver(struct minutes_row *r, int64_t open_us, struct source_bar *ret, int *ret_count)
{
    struct source_bar *bar = &ret[*ret_count];
    *bar = (struct source_bar){.symbol = r->symbol};
    const struct candle *filled = take(r, open_us);
    bool has = take_streamed(r, open_us, &bar->candle) || filled != NULL;
    if (filled != NULL) {
        bar->candle = *filled;
    }
    if (r->filled_at == r->filled_count && r->filled != NULL) {
        free(r->filled);
        r->filled = NULL;
        r->filled_at = r->filled_count = 0;
    }
    if (r->distrusted) {
        bar->candle = (struct candle){.open_us = open_us};
        r->distrusted = false;
        has = true;
    }
    if (has) {
        r->delivered_us = open_us;
        ++*ret_count;
    }
}

bool minutes_next(struct minutes *minutes, int64_t now_us, int64_t *ret_open_us,
                  struct source_bar *ret, int *ret_count)
{
    int64_t end_us = minutes->next_us + minute_us;
    bool complete = minutes->count > 0;
    for (int i = 0; i < minutes->count; i++) {
        settle(minutes, &minutes->rows[i], now_us);
        complete = complete && minutes->rows[i].known_us >= end_us;
    }
    if (!complete) {
        return false;
    }
    *ret_open_us = minutes->next_us;
    *ret_count = 0;
    for (int i = 0; i < minutes->count; i++) {
        deliver(&minutes->rows[i], minutes->next_us, ret, ret_count);
    }
    minutes->next_us = end_us;
    return true;
}

int64_t minutes_due_us(const struct minutes *minutes)
{
    return minutes->next_us + minute_us + grace_us(minutes);
}

#include "agents/lessons.h"

#include "base/check.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROWS ((size_t)4096)

_Static_assert(LESSONS_HASH_SIZE == SECRET_HASH_HEX_SIZE, "the whole hash fits");

static int misfit(int64_t step_us, enum timeframe timeframe, struct err *err)
{
    AUTO_BUF struct buf step = BUF_INIT(64);
    clock_add_duration(&step, step_us);
    return err_set(err, ERR_MARKET_TIMEFRAME, "candles are %s apart, rows of %s were asked for",
                   step.data, timeframe_name(timeframe));
}

int lessons_new(enum timeframe timeframe, int64_t step_us, int horizon, struct lessons **ret,
                struct err *err)
{
    ASSERT(timeframe >= TF_5M && horizon >= 1 && horizon <= LESSONS_HORIZON_MAX);
    if (step_us <= 0 || timeframe_us(timeframe) % step_us != 0) {
        return misfit(step_us, timeframe, err);
    }
    struct lessons *l = calloc(1, sizeof(*l));
    ASSERT(l != NULL);
    l->timeframe = timeframe;
    l->step_us = step_us;
    l->horizon = horizon;
    /* Bars of the timeframe are a step that every series takes, and decides on. */
    l->resampled = !series_step_is_valid(step_us) || series_step_tf(step_us) != timeframe;
    resample_init(&l->resample, timeframe_us(timeframe));
    series_init(&l->series, (struct symbol){0}, l->resampled ? timeframe_us(timeframe) : step_us);
    *ret = l;
    return 0;
}

void lessons_free(struct lessons *lessons)
{
    if (lessons == NULL) {
        return;
    }
    free(lessons->closed_us);
    free(lessons->close);
    free(lessons->rows);
    free(lessons->labels);
    free(lessons);
}

static void *grow(void *items, size_t cap, size_t size)
{
    void *more = reallocarray(items, cap, size);
    ASSERT(more != NULL);
    return more;
}

static int make_room(struct lessons *l, struct err *err)
{
    if (l->count == LESSONS_MAX) {
        return err_set(err, ERR_TRAIN_DATA, "more than %d rows", LESSONS_MAX);
    }
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? FIRST_ROWS : l->cap * 2;
        l->closed_us = grow(l->closed_us, l->cap, sizeof(*l->closed_us));
        l->close = grow(l->close, l->cap, sizeof(*l->close));
        l->rows = grow(l->rows, l->cap, FEATURE_COUNT * sizeof(*l->rows));
        l->labels = grow(l->labels, l->cap, sizeof(*l->labels));
    }
    return 0;
}

static int add_row(struct lessons *l, struct err *err)
{
    const struct frame *frame = series_decision_frame(&l->series);
    int64_t closed_us = frame->closed.open_us + timeframe_us(l->timeframe);
    l->bars++;
    if (!series_ready(&l->series) || closed_us != l->series.updated_us) {
        return 0;
    }
    int rc = make_room(l, err);
    if (rc < 0) {
        return rc;
    }
    double row[FEATURE_COUNT];
    features_row(&l->series, row);
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        l->rows[l->count * FEATURE_COUNT + i] = (float)row[i];
    }
    l->closed_us[l->count] = closed_us;
    l->close[l->count] = dec_to_double(frame->closed.close);
    l->count++;
    return 0;
}

static int take(struct lessons *l, const struct candle *candle, struct err *err)
{
    unsigned closed = 0;
    /* At the moment at which it is complete: history is not stale. */
    int64_t now_us = candle->open_us + l->series.step_us;
    if (series_push(&l->series, candle, now_us, &closed) != SERIES_ACCEPTED) {
        l->refused++;
        return 0;
    }
    return (closed & 1U << l->timeframe) != 0 ? add_row(l, err) : 0;
}

int lessons_push(struct lessons *lessons, const struct candle *candle, struct err *err)
{
    lessons->candles++;
    if (!lessons->resampled) {
        return take(lessons, candle, err);
    }
    if (!candle_is_valid(candle) || candle->open_us < lessons->resample.newest_us) {
        lessons->refused++;
        return 0;
    }
    struct csv_row row = {.bar = bar_of(candle), .candle = *candle}, closed;
    return resample_push(&lessons->resample, &row, &closed) ? take(lessons, &closed.candle, err)
                                                            : 0;
}

static void keep(struct lessons *l, size_t to, size_t from, float label)
{
    l->closed_us[to] = l->closed_us[from];
    l->close[to] = l->close[from];
    l->labels[to] = label;
    memmove(&l->rows[to * FEATURE_COUNT], &l->rows[from * FEATURE_COUNT],
            FEATURE_COUNT * sizeof(*l->rows));
}

int lessons_finish(struct lessons *lessons, struct err *err)
{
    struct lessons *l = lessons;
    struct csv_row closed;
    int rc = 0;
    if (l->resampled && resample_end(&l->resample, l->step_us, &closed)) {
        rc = take(l, &closed.candle, err);
    }
    int64_t ahead_us = l->horizon * timeframe_us(l->timeframe);
    size_t kept = 0;
    for (size_t i = 0, later = 0; rc == 0 && i < l->count; i++) {
        int64_t wanted_us = l->closed_us[i] + ahead_us;
        while (later < l->count && l->closed_us[later] < wanted_us) {
            later++;
        }
        if (later < l->count && l->closed_us[later] == wanted_us) {
            /* What is written stands at or before i, what is read behind it. */
            keep(l, kept++, i, l->close[later] > l->close[i] ? 1 : 0);
        }
    }
    l->unlabelled = l->count - kept;
    l->count = kept;
    return rc;
}

struct lessons_split lessons_split(const struct lessons *lessons, double test_share)
{
    ASSERT(test_share > 0 && test_share < 1);
    struct lessons_split split = {.count = lessons->count};
    split.test = lessons->count - (size_t)((double)lessons->count * test_share);
    int64_t ahead_us = lessons->horizon * timeframe_us(lessons->timeframe);
    while (split.train < split.test && split.test < lessons->count &&
           lessons->closed_us[split.train] + ahead_us < lessons->closed_us[split.test]) {
        split.train++;
    }
    return split;
}

void lessons_hash(const struct lessons *lessons, char ret_hex[LESSONS_HASH_SIZE])
{
    const struct {
        const void *bytes;
        size_t size;
    } parts[] = {
        {lessons->closed_us, sizeof(*lessons->closed_us)},
        {lessons->close, sizeof(*lessons->close)},
        {lessons->rows, FEATURE_COUNT * sizeof(*lessons->rows)},
        {lessons->labels, sizeof(*lessons->labels)},
    };
    char all[COUNT_OF(parts)][SECRET_HASH_HEX_SIZE];
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        secret_hash(NULL, str_n(parts[i].bytes, lessons->count * parts[i].size), all[i]);
    }
    secret_hash(NULL, str_n(all[0], sizeof(all)), ret_hex);
}

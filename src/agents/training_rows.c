#include "agents/training_rows.h"

#include "base/check.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROWS ((size_t)4096)

_Static_assert(TRAINING_ROWS_HASH_SIZE == SECRET_HASH_HEX_SIZE, "the whole hash fits");

static int misfit(int64_t step_us, enum timeframe timeframe, struct err *err)
{
    AUTO_BUF struct buf step = BUF_INIT(64);
    clock_add_duration(&step, step_us);
    return err_set(err, ERR_MARKET_TIMEFRAME, "candles are %s apart, rows of %s were asked for",
                   step.data, timeframe_name(timeframe));
}

int training_rows_new(enum timeframe timeframe, int64_t step_us, int horizon,
                      struct training_rows **ret, struct err *err)
{
    ASSERT(timeframe >= TF_5M && horizon >= 1 && horizon <= TRAINING_ROWS_HORIZON_MAX);
    if (step_us <= 0 || timeframe_us(timeframe) % step_us != 0) {
        return misfit(step_us, timeframe, err);
    }
    struct training_rows *l = calloc(1, sizeof(*l));
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

void training_rows_free(struct training_rows *training_rows)
{
    if (training_rows == NULL) {
        return;
    }
    free(training_rows->closed_us);
    free(training_rows->close);
    free(training_rows->rows);
    free(training_rows->labels);
    free(training_rows);
}

static void *grow(void *items, size_t cap, size_t size)
{
    void *more = reallocarray(items, cap, size);
    ASSERT(more != NULL);
    return more;
}

static int make_room(struct training_rows *l, struct err *err)
{
    if (l->count == TRAINING_ROWS_MAX) {
        return err_set(err, ERR_TRAIN_DATA, "more than %d rows", TRAINING_ROWS_MAX);
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

static int add_row(struct training_rows *l, struct err *err)
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

static int accept(struct training_rows *l, const struct candle *candle, struct err *err)
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

int training_rows_push(struct training_rows *training_rows, const struct candle *candle,
                       struct err *err)
{
    training_rows->candles++;
    if (!training_rows->resampled) {
        return accept(training_rows, candle, err);
    }
    if (!candle_is_valid(candle) || candle->open_us < training_rows->resample.newest_us) {
        training_rows->refused++;
        return 0;
    }
    struct csv_row row = {.bar = bar_of(candle), .candle = *candle}, closed;
    return resample_push(&training_rows->resample, &row, &closed)
               ? accept(training_rows, &closed.candle, err)
               : 0;
}

static void keep(struct training_rows *l, size_t to, size_t from, float label)
{
    l->closed_us[to] = l->closed_us[from];
    l->close[to] = l->close[from];
    l->labels[to] = label;
    memmove(&l->rows[to * FEATURE_COUNT], &l->rows[from * FEATURE_COUNT],
            FEATURE_COUNT * sizeof(*l->rows));
}

int training_rows_finish(struct training_rows *training_rows, struct err *err)
{
    struct training_rows *l = training_rows;
    struct csv_row closed;
    int rc = 0;
    if (l->resampled && resample_end(&l->resample, l->step_us, &closed)) {
        rc = accept(l, &closed.candle, err);
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

struct training_rows_split training_rows_split(const struct training_rows *training_rows,
                                               double test_share)
{
    ASSERT(test_share > 0 && test_share < 1);
    struct training_rows_split split = {.count = training_rows->count};
    split.test = training_rows->count - (size_t)((double)training_rows->count * test_share);
    int64_t ahead_us = training_rows->horizon * timeframe_us(training_rows->timeframe);
    while (split.train < split.test && split.test < training_rows->count &&
           training_rows->closed_us[split.train] + ahead_us <
               training_rows->closed_us[split.test]) {
        split.train++;
    }
    return split;
}

void training_rows_hash(const struct training_rows *training_rows,
                        char ret_hex[TRAINING_ROWS_HASH_SIZE])
{
    const struct {
        const void *bytes;
        size_t size;
    } parts[] = {
        {training_rows->closed_us, sizeof(*training_rows->closed_us)},
        {training_rows->close, sizeof(*training_rows->close)},
        {training_rows->rows, FEATURE_COUNT * sizeof(*training_rows->rows)},
        {training_rows->labels, sizeof(*training_rows->labels)},
    };
    char all[COUNT_OF(parts)][SECRET_HASH_HEX_SIZE];
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        secret_hash(NULL, str_n(parts[i].bytes, training_rows->count * parts[i].size), all[i]);
    }
    secret_hash(NULL, str_n(all[0], sizeof(all)), ret_hex);
}

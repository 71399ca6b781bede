#include "agents/training_rows.h"

#include "base/check.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROWS ((size_t)4096)

_Static_assert(TRAINING_ROWS_HASH_SIZE == SECRET_HASH_HEX_SIZE, "the hash fits");

static int wrong_timeframe(int64_t step_us, enum timeframe timeframe, struct err *err)
{
    AUTO_BUF struct buf step = BUF_INIT(64);
    clock_add_duration(&step, step_us);
    return err_set(err, ERR_MARKET_TIMEFRAME, "candles are %s apart, rows of %s were requested",
                   step.data, timeframe_name(timeframe));
}

int training_rows_new(enum timeframe timeframe, int64_t step_us, int horizon,
                      struct training_rows **ret, struct err *err)
{
    ASSERT(timeframe >= TF_5M && horizon >= 1 && horizon <= TRAINING_ROWS_HORIZON_MAX);
    if (step_us <= 0 || timeframe_us(timeframe) % step_us != 0) {
        return wrong_timeframe(step_us, timeframe, err);
    }
    struct training_rows *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL);
    t->timeframe = timeframe;
    t->step_us = step_us;
    t->horizon = horizon;
    t->width = FEATURE_COUNT;
    /* A series whose step is the timeframe decides on that timeframe. */
    t->resampled = !series_step_is_valid(step_us) || series_step_tf(step_us) != timeframe;
    resample_init(&t->resample, timeframe_us(timeframe));
    series_init(&t->series, (struct symbol){0}, t->resampled ? timeframe_us(timeframe) : step_us);
    *ret = t;
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

void training_rows_use(struct training_rows *training_rows, struct sentiment_history *sentiment,
                       struct symbol symbol)
{
    ASSERT(training_rows->candles == 0);
    training_rows->sentiment = sentiment;
    training_rows->symbol = symbol;
    training_rows->width = FEATURES_MAX;
}

static void *grow(void *items, size_t cap, size_t size)
{
    void *more = reallocarray(items, cap, size);
    ASSERT(more != NULL);
    return more;
}

static int reserve_row(struct training_rows *t, struct err *err)
{
    if (t->count == TRAINING_ROWS_MAX) {
        return err_set(err, ERR_TRAIN_DATA, "more than %d rows", TRAINING_ROWS_MAX);
    }
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? FIRST_ROWS : t->cap * 2;
        t->closed_us = grow(t->closed_us, t->cap, sizeof(*t->closed_us));
        t->close = grow(t->close, t->cap, sizeof(*t->close));
        t->rows = grow(t->rows, t->cap, t->width * sizeof(*t->rows));
        t->labels = grow(t->labels, t->cap, sizeof(*t->labels));
    }
    return 0;
}

static int add_row(struct training_rows *t, struct err *err)
{
    const struct frame *frame = series_decision_frame(&t->series);
    int64_t closed_us = frame->closed.open_us + timeframe_us(t->timeframe);
    t->bars++;
    if (!series_ready(&t->series) || closed_us != t->series.updated_us) {
        return 0;
    }
    int rc = reserve_row(t, err);
    if (rc < 0) {
        return rc;
    }
    double row[FEATURES_MAX];
    features_row(&t->series, sentiment_history_score(t->sentiment, t->symbol, closed_us), row);
    for (size_t i = 0; i < t->width; i++) {
        t->rows[t->count * t->width + i] = (float)row[i];
    }
    t->closed_us[t->count] = closed_us;
    t->close[t->count] = dec_to_double(frame->closed.close);
    t->count++;
    return 0;
}

static int accept(struct training_rows *t, const struct candle *candle, struct err *err)
{
    unsigned closed = 0;
    /* The time is that of the candle's completion, so historic candles are not stale. */
    int64_t now_us = candle->open_us + t->series.step_us;
    if (series_push(&t->series, candle, now_us, &closed) != SERIES_ACCEPTED) {
        t->refused++;
        return 0;
    }
    return (closed & 1U << t->timeframe) != 0 ? add_row(t, err) : 0;
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

static void keep(struct training_rows *t, size_t to, size_t from, float label)
{
    t->closed_us[to] = t->closed_us[from];
    t->close[to] = t->close[from];
    t->labels[to] = label;
    memmove(&t->rows[to * t->width], &t->rows[from * t->width], t->width * sizeof(*t->rows));
}

int training_rows_finish(struct training_rows *training_rows, struct err *err)
{
    struct training_rows *t = training_rows;
    struct csv_row closed;
    int rc = 0;
    if (t->resampled && resample_end(&t->resample, t->step_us, &closed)) {
        rc = accept(t, &closed.candle, err);
    }
    int64_t ahead_us = t->horizon * timeframe_us(t->timeframe);
    size_t kept = 0;
    for (size_t i = 0, later = 0; rc == 0 && i < t->count; i++) {
        int64_t wanted_us = t->closed_us[i] + ahead_us;
        while (later < t->count && t->closed_us[later] < wanted_us) {
            later++;
        }
        if (later < t->count && t->closed_us[later] == wanted_us) {
            /* Safe in place: it writes at or before i and reads at or after i. */
            keep(t, kept++, i, t->close[later] > t->close[i] ? 1 : 0);
        }
    }
    t->unlabelled = t->count - kept;
    t->count = kept;
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
        {training_rows->rows, training_rows->width * sizeof(*training_rows->rows)},
        {training_rows->labels, sizeof(*training_rows->labels)},
    };
    char all[COUNT_OF(parts)][SECRET_HASH_HEX_SIZE];
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        secret_hash(NULL, str_n(parts[i].bytes, training_rows->count * parts[i].size), all[i]);
    }
    secret_hash(NULL, str_n(all[0], sizeof(all)), ret_hex);
}

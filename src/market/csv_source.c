#include "market/csv_source.h"

#include "base/check.h"
#include "market/series.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC UINT64_C(0x6e642d637376301a) /* the layout of struct saved */

struct saved {
    uint64_t magic;
    int64_t step_us;
    int64_t accepted_us;
};

static struct csv_source *of(struct source *source)
{
    return (struct csv_source *)((char *)source - offsetof(struct csv_source, source));
}

static const struct csv_source *of_const(const struct source *source)
{
    return (const struct csv_source *)((const char *)source - offsetof(struct csv_source, source));
}

/* ---------------------------------------------------------------- reading */

/* Reads the next usable candle of a file; unusable ones are counted. */
static void read_next(struct csv_source *s, struct csv_source_part *part)
{
    int64_t step_us = s->source.step_us;
    int rc;
    part->has_row = false;
    while (s->err.id == 0 && (rc = csv_next(part->csv, &part->row, &s->err)) != 0) {
        if (rc < 0) {
            return; /* err is set, which ends the source */
        }
        int64_t open_us = part->row.bar.open_us;
        if (!candle_is_valid(&part->row.candle)) {
            continue;
        }
        if (part->last_us >= 0) {
            part->missing += (open_us - part->last_us) / step_us - 1;
        }
        part->last_us = open_us;
        part->has_row = true;
        return;
    }
    if (s->err.id == 0 && csv_report(part->csv)->accepted < part->checked.accepted) {
        (void)err_set(&s->err, ERR_MARKET_LOST,
                      "%s: it ends after %lld candles; there were %lld when it was opened",
                      s->files[part - s->parts].path, (long long)csv_report(part->csv)->accepted,
                      (long long)part->checked.accepted);
    }
}

int64_t csv_source_open_us(const struct csv_source *source)
{
    int64_t open_us = INT64_MAX;
    if (source->err.id != 0) {
        return open_us;
    }
    for (int i = 0; i < source->count; i++) {
        const struct csv_source_part *part = &source->parts[i];
        if (part->has_row && part->row.bar.open_us < open_us) {
            open_us = part->row.bar.open_us;
        }
    }
    return open_us;
}

static int64_t next_us(const struct source *source)
{
    int64_t open_us = csv_source_open_us(of_const(source));
    return open_us == INT64_MAX ? INT64_MAX : open_us + source->step_us;
}

static int next(struct source *source, struct source_bar *ret)
{
    struct csv_source *s = of(source);
    int64_t open_us = csv_source_open_us(s);
    int count = 0;
    if (open_us == INT64_MAX) {
        return 0;
    }
    for (int i = 0; i < s->count; i++) {
        struct csv_source_part *part = &s->parts[i];
        if (part->has_row && part->row.bar.open_us == open_us) {
            ret[count++] = (struct source_bar){part->symbol, part->row.candle};
            read_next(s, part);
        }
    }
    s->accepted_us = open_us;
    return count;
}

void csv_source_skip(struct csv_source *source, int64_t before_us)
{
    source->from_us = before_us > source->from_us ? before_us : source->from_us;
    for (int i = 0; i < source->count; i++) {
        struct csv_source_part *part = &source->parts[i];
        while (part->has_row && part->row.bar.open_us < before_us) {
            read_next(source, part);
        }
    }
}

/* ---------------------------------------------------------------- state */

static size_t save(const struct source *source, void *dst, size_t dst_size)
{
    const struct saved saved = {MAGIC, source->step_us, of_const(source)->accepted_us};
    if (dst_size < sizeof(saved)) {
        return 0;
    }
    memcpy(dst, &saved, sizeof(saved));
    return sizeof(saved);
}

static bool load(struct source *source, const void *bytes, size_t size)
{
    struct saved saved;
    if (size != sizeof(saved)) {
        return false;
    }
    memcpy(&saved, bytes, sizeof(saved));
    if (saved.magic != MAGIC || saved.step_us != source->step_us || saved.accepted_us < -1 ||
        saved.accepted_us >= INT64_MAX / 2) {
        return false;
    }
    struct csv_source *s = of(source);
    csv_source_skip(s, saved.accepted_us + 1);
    s->accepted_us = saved.accepted_us;
    return true;
}

/* ---------------------------------------------------------------- a feed that was lost */

static const struct err *fault(const struct source *source)
{
    return csv_source_error(of_const(source));
}

/* The file that still ends before the end that it had; NULL: none does. */
static const char *still_short(const struct csv_source *s, const struct csv_source *fresh)
{
    for (int i = 0; i < s->count; i++) {
        if (fresh->parts[i].checked.last_us < s->parts[i].checked.last_us) {
            return s->files[i].path;
        }
    }
    return NULL;
}

static int reconnect(struct source *source, struct err *err)
{
    struct csv_source *s = of(source);
    struct csv_source fresh = {0};
    int rc = csv_source_init(&fresh, s->files, s->count, err);
    if (rc < 0) {
        return rc;
    }
    csv_source_skip(&fresh, s->accepted_us + 1 > s->from_us ? s->accepted_us + 1 : s->from_us);
    if (fresh.err.id != 0) {
        rc = err_set(err, (enum err_id)fresh.err.id, "%s", fresh.err.context);
    } else if (fresh.source.step_us != s->source.step_us) {
        rc = err_set(err, ERR_MARKET_TIMEFRAME, "the rows are %lld s apart now, not %lld s",
                     (long long)(fresh.source.step_us / USEC_PER_SEC),
                     (long long)(s->source.step_us / USEC_PER_SEC));
    } else if (still_short(s, &fresh) != NULL) {
        rc = err_set(err, ERR_MARKET_NO_NEWER, "%s: it is still cut off", still_short(s, &fresh));
    } else if (csv_source_open_us(&fresh) == INT64_MAX) {
        rc = err_set(err, ERR_MARKET_NO_NEWER, "%s", s->files[0].path);
    }
    if (rc >= 0) {
        struct csv_source_part *parts = s->parts;
        s->parts = fresh.parts;
        fresh.parts = parts;
        s->from_us = fresh.from_us;
        err_clear(&s->err);
    }
    csv_source_release(&fresh);
    return rc;
}

static const struct source_ops csv_source_ops = {
    .name = "csv",
    .next_us = next_us,
    .next = next,
    .fault = fault,
    .reconnect = reconnect,
    .save = save,
    .load = load,
};

/* ---------------------------------------------------------------- life */

static int check_step(struct csv_source *s, const char *path, int64_t step_us, struct err *err)
{
    int64_t *common_us = &s->source.step_us;
    if (step_us > timeframe_us(TF_1H)) {
        AUTO_BUF struct buf text = BUF_INIT(64);
        clock_add_duration(&text, step_us);
        return err_set(err, ERR_MARKET_TIMEFRAME,
                       "%s: its rows are %s apart; decisions are made on bars of 5 min to 1 h, so "
                       "use candles of at most an hour",
                       path, text.data);
    }
    if (!series_step_is_valid(step_us)) {
        return err_set(err, ERR_MARKET_TIMEFRAME,
                       "%s: its rows are %.6g s apart; a whole number of rows must fill an hour",
                       path, (double)step_us / USEC_PER_SEC);
    }
    if (*common_us != 0 && step_us != *common_us) {
        return err_set(err, ERR_MARKET_TIMEFRAME,
                       "%s: its rows are %lld s apart, those of the previous files %lld s", path,
                       (long long)(step_us / USEC_PER_SEC), (long long)(*common_us / USEC_PER_SEC));
    }
    *common_us = step_us;
    return 0;
}

static int open_part(struct csv_source *s, struct csv_source_part *part,
                     const struct csv_source_file *file, struct err *err)
{
    const struct csv_limits limits = {
        .max_dropped_pct = file->max_dropped_pct, .unit = file->unit, .exact = true};
    struct csv_check check;
    part->symbol = file->symbol;
    part->last_us = -1;
    int rc = csv_check(file->path, &limits, &check, err);
    part->checked = check.report;
    rc = rc < 0 ? rc : check_step(s, file->path, check.report.step_us, err);
    return rc < 0 ? rc : csv_open(file->path, &check.options, &part->csv, err);
}

int csv_source_init(struct csv_source *source, const struct csv_source_file *files, int count,
                    struct err *err)
{
    ASSERT(count >= 1 && count <= SYMBOLS_LIMIT);
    *source =
        (struct csv_source){.source = {.ops = &csv_source_ops}, .count = count, .accepted_us = -1};
    source->parts = calloc((size_t)count, sizeof(*source->parts));
    source->files = calloc((size_t)count, sizeof(*source->files));
    ASSERT(source->parts != NULL && source->files != NULL);
    for (int i = 0; i < count; i++) {
        source->files[i] = files[i];
        source->files[i].path = strdup(files[i].path);
        ASSERT(source->files[i].path != NULL);
    }
    int rc = 0;
    for (int i = 0; i < count && rc >= 0; i++) {
        rc = open_part(source, &source->parts[i], &files[i], err);
    }
    for (int i = 0; i < count && rc >= 0; i++) {
        struct csv_source_part *part = &source->parts[i];
        read_next(source, part);
        if (source->err.id != 0) {
            rc = err_set(err, (enum err_id)source->err.id, "%s", source->err.context);
        } else if (!part->has_row) {
            rc = err_set(err, ERR_MARKET_CSV_EMPTY, "%s: no candle fits steps of 1e-8",
                         files[i].path);
        }
    }
    if (rc < 0) {
        csv_source_release(source);
    }
    return rc;
}

void csv_source_release(struct csv_source *source)
{
    if (source == NULL) {
        return;
    }
    for (int i = 0; i < source->count; i++) {
        csv_free(source->parts[i].csv);
    }
    for (int i = 0; i < source->count; i++) {
        free((char *)(uintptr_t)source->files[i].path);
    }
    free(source->files);
    free(source->parts);
    source->files = NULL;
    source->parts = NULL;
    source->count = 0;
}

struct csv_source_report csv_source_report(const struct csv_source *source, int index)
{
    ASSERT(index >= 0 && index < source->count);
    const struct csv_source_part *part = &source->parts[index];
    return (struct csv_source_report){.symbol = part->symbol,
                                      .rows = csv_report(part->csv),
                                      .checked = &part->checked,
                                      .note = csv_note(part->csv),
                                      .missing = part->missing};
}

const struct err *csv_source_error(const struct csv_source *source)
{
    return source->err.id != 0 ? &source->err : NULL;
}

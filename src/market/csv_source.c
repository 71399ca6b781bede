#include "market/csv_source.h"

#include "base/check.h"
#include "market/series.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC         UINT64_C(0x6e642d637376301a) /* the layout of struct saved */

#define DISTANCES_MAX 16

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
        if (open_us % step_us != 0) {
            part->off_step++;
            continue;
        }
        if (!candle_is_valid(&part->row.candle)) {
            part->inexact++;
            continue;
        }
        if (part->last_us >= 0) {
            part->missing += (open_us - part->last_us) / step_us - 1;
        }
        part->last_us = open_us;
        part->has_row = true;
        return;
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

static const struct source_ops csv_source_ops = {
    .name = "csv",
    .next_us = next_us,
    .next = next,
    .save = save,
    .load = load,
};

/* ---------------------------------------------------------------- life */

/* How often two rows are this far apart. */
struct distance {
    int64_t us;
    int count;
};

static void count_distance(struct distance *seen, int *count, int64_t us)
{
    int at = 0;
    while (at < *count && seen[at].us != us) {
        at++;
    }
    if (at == *count) {
        if (*count == DISTANCES_MAX) {
            return;
        }
        seen[(*count)++] = (struct distance){us, 0};
    }
    seen[at].count++;
}

/* The most frequent distance of rows at the beginning of a file, the shorter one if two are equally
 * frequent; 0: there is only one row. */
static int probe_step(const char *path, int64_t *ret_us, struct err *err)
{
    struct stat st;
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    /* The beginning is read twice, which a pipe does not allow. */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        return err_set(err, ERR_FILE_FAILED, "%s: not a regular file", path);
    }
    int rc = csv_open(path, &csv, err);
    if (rc < 0) {
        return rc;
    }
    struct distance seen[DISTANCES_MAX];
    int rows = 0, distances = 0;
    int64_t last_us = 0;
    while (rows < CSV_SOURCE_PROBE && (rc = csv_next(csv, &row, err)) > 0) {
        if (rows++ > 0) {
            count_distance(seen, &distances, row.bar.open_us - last_us);
        }
        last_us = row.bar.open_us;
    }
    if (rc < 0) {
        return rc;
    }
    if (rows == 0) {
        return err_set(err, ERR_MARKET_CSV_EMPTY, "%s: %lld lines", path,
                       (long long)csv_report(csv)->lines);
    }
    struct distance most = {0, 0};
    for (int i = 0; i < distances; i++) {
        if (seen[i].count > most.count || (seen[i].count == most.count && seen[i].us < most.us)) {
            most = seen[i];
        }
    }
    *ret_us = most.us;
    return 0;
}

static int find_step(struct csv_source *s, const struct csv_source_file *files, struct err *err)
{
    int64_t *common_us = &s->source.step_us;
    for (int i = 0; i < s->count; i++) {
        int64_t step_us = 0;
        int rc = probe_step(files[i].path, &step_us, err);
        if (rc < 0) {
            return rc;
        }
        if (!series_step_is_valid(step_us)) {
            return err_set(
                err, ERR_MARKET_TIMEFRAME,
                "%s: its rows are %.6g s apart; a whole number of rows must fill an hour",
                files[i].path, (double)step_us / USEC_PER_SEC);
        }
        if (*common_us != 0 && step_us != *common_us) {
            return err_set(err, ERR_MARKET_TIMEFRAME,
                           "%s: its rows are %lld s apart, those of the previous files %lld s",
                           files[i].path, (long long)(step_us / USEC_PER_SEC),
                           (long long)(*common_us / USEC_PER_SEC));
        }
        *common_us = step_us;
    }
    return 0;
}

int csv_source_init(struct csv_source *source, const struct csv_source_file *files, int count,
                    struct err *err)
{
    ASSERT(count >= 1 && count <= SYMBOLS_LIMIT);
    *source =
        (struct csv_source){.source = {.ops = &csv_source_ops}, .count = count, .accepted_us = -1};
    source->parts = calloc((size_t)count, sizeof(*source->parts));
    ASSERT(source->parts != NULL);
    int rc = find_step(source, files, err);
    for (int i = 0; i < count && rc >= 0; i++) {
        struct csv_source_part *part = &source->parts[i];
        part->symbol = files[i].symbol;
        part->last_us = -1;
        rc = csv_open(files[i].path, &part->csv, err);
        if (rc >= 0) {
            read_next(source, part);
            rc = source->err.id != 0
                     ? err_set(err, (enum err_id)source->err.id, "%s", source->err.context)
                 : !part->has_row
                     ? err_set(err, ERR_MARKET_CSV_EMPTY,
                               "%s: no candle opens at a multiple of %lld s", files[i].path,
                               (long long)(source->source.step_us / USEC_PER_SEC))
                     : 0;
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
    free(source->parts);
    source->parts = NULL;
    source->count = 0;
}

struct csv_source_report csv_source_report(const struct csv_source *source, int index)
{
    ASSERT(index >= 0 && index < source->count);
    const struct csv_source_part *part = &source->parts[index];
    return (struct csv_source_report){.symbol = part->symbol,
                                      .rows = csv_report(part->csv),
                                      .off_step = part->off_step,
                                      .inexact = part->inexact,
                                      .missing = part->missing};
}

const struct err *csv_source_error(const struct csv_source *source)
{
    return source->err.id != 0 ? &source->err : NULL;
}

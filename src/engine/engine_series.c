#include "engine_private.h"

#include <string.h>

/* Magic and layout version of the bytes: "nd-ser03", and the layout before it. */
#define SERIES_MAGIC        UINT64_C(0x6e642d7365723033)
#define SERIES_FORMER_MAGIC UINT64_C(0x6e642d7365723032)
#define SERIES_FORMER_ROWS  8

/* Precedes the saved part of each series, and the returns. */
struct series_header {
    uint64_t magic;
    uint64_t series_size;
    uint64_t returns_size; /* of a row; formerly of all */
    uint64_t count;
};

/* After the header: the series, then the number of rows of returns, then these. */
struct saved_series {
    uint64_t count;
    const char *series;
    uint64_t row_count;
    const char *rows;
};

size_t engine_series_size(const struct engine *engine)
{
    return sizeof(struct series_header) + (size_t)engine->symbol_count * SERIES_SAVED_SIZE +
           sizeof(uint64_t) + (size_t)engine->returns.count * sizeof(struct returns_row);
}

size_t engine_series_save(const struct engine *engine, void *dst, size_t dst_size)
{
    const struct returns *returns = &engine->returns;
    struct series_header header = {SERIES_MAGIC, SERIES_SAVED_SIZE, sizeof(struct returns_row),
                                   (uint64_t)engine->symbol_count};
    size_t size = engine_series_size(engine);
    if (dst_size < size) {
        return 0;
    }
    char *to = dst;
    memcpy(to, &header, sizeof(header));
    to += sizeof(header);
    for (int i = 0; i < engine->symbol_count; i++) {
        memcpy(to, &engine->series[i], SERIES_SAVED_SIZE);
        to += SERIES_SAVED_SIZE;
    }
    uint64_t row_count = (uint64_t)returns->count;
    memcpy(to, &row_count, sizeof(row_count));
    memcpy(to + sizeof(row_count), returns->rows,
           (size_t)returns->count * sizeof(struct returns_row));
    return size;
}

/* Finds the parts; false: another layout. The former one always had SERIES_FORMER_ROWS rows. */
static bool find_saved(const char *bytes, size_t size, struct saved_series *ret)
{
    struct series_header header;
    if (size < sizeof(header)) {
        return false;
    }
    memcpy(&header, bytes, sizeof(header));
    bool former = header.magic == SERIES_FORMER_MAGIC;
    size_t returns_size = former
                              ? sizeof(uint64_t) + SERIES_FORMER_ROWS * sizeof(struct returns_row)
                              : sizeof(struct returns_row);
    size_t left = size - sizeof(header);
    if ((!former && header.magic != SERIES_MAGIC) || header.series_size != SERIES_SAVED_SIZE ||
        header.returns_size != returns_size || header.count > SYMBOLS_LIMIT ||
        left < header.count * SERIES_SAVED_SIZE + sizeof(uint64_t)) {
        return false;
    }
    ret->count = header.count;
    ret->series = bytes + sizeof(header);
    const char *after = ret->series + header.count * SERIES_SAVED_SIZE;
    left -= header.count * SERIES_SAVED_SIZE + sizeof(uint64_t);
    memcpy(&ret->row_count, after, sizeof(ret->row_count));
    ret->rows = after + sizeof(uint64_t);
    return ret->row_count <= (former ? SERIES_FORMER_ROWS : SYMBOLS_LIMIT) &&
           left == (former ? SERIES_FORMER_ROWS : ret->row_count) * sizeof(struct returns_row);
}

static struct returns_row saved_row(const struct saved_series *saved, uint64_t index)
{
    struct returns_row row;
    memcpy(&row, saved->rows + index * sizeof(row), sizeof(row));
    return row;
}

/* Without the windows, which are zero. */
static void saved_one(const struct saved_series *saved, uint64_t index, struct series *ret)
{
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, saved->series + index * SERIES_SAVED_SIZE, SERIES_SAVED_SIZE);
}

static bool saved_are_sane(const struct saved_series *saved, int64_t step_us)
{
    for (uint64_t i = 0; i < saved->row_count; i++) {
        struct returns_row row = saved_row(saved, i);
        if (!returns_row_is_sane(&row)) {
            return false;
        }
    }
    for (uint64_t i = 0; i < saved->count; i++) {
        struct series one;
        saved_one(saved, i, &one);
        if (!series_is_sane(&one) || one.step_us != step_us) {
            return false;
        }
    }
    return true;
}

bool engine_series_load(struct engine *engine, const void *bytes, size_t size)
{
    struct saved_series saved;
    if (!find_saved(bytes, size, &saved) || !saved_are_sane(&saved, engine->series[0].step_us)) {
        return false;
    }
    for (uint64_t i = 0; i < saved.count; i++) {
        struct series one;
        saved_one(&saved, i, &one);
        struct series *mine = engine_series(engine, one.symbol);
        if (mine != NULL) {
            *mine = one;
        }
    }
    for (uint64_t i = 0; i < saved.row_count; i++) {
        struct returns_row row = saved_row(&saved, i);
        if (engine_place(engine, row.symbol) >= 0) {
            returns_restore(&engine->returns, &row);
        }
    }
    return true;
}

#include "engine/journal_source.h"

#include "base/check.h"
#include "engine/engine_buffers.h"
#include "record.h"
#include "record_reader.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct journal_source {
    struct source source;
    struct record_reader reader;
    struct record_start start;
    struct engine_now before;
    int held;        /* bars of the next source_next, at the front of inputs.bars; 0: none */
    int64_t open_us; /* their open; -1 before the first */
    bool over;
    struct err broken;
    struct record_step step;
    struct engine_inputs inputs;
    struct settings settings;
    struct request request;
};

static struct journal_source *of(const struct source *source)
{
    return (struct journal_source *)((uintptr_t)source - offsetof(struct journal_source, source));
}

/* Drops the bars of a faulty feed: a source is in order, and all bars of one source_next have the
 * same time. */
static void drop_faulty(struct journal_source *s)
{
    struct source_bar *bars = s->inputs.bars;
    int64_t step_us = s->source.step_us;
    int64_t newest_us = s->open_us;
    for (int i = 0; i < s->inputs.bar_count; i++) {
        int64_t open_us = bars[i].candle.open_us;
        if (candle_is_valid(&bars[i].candle) && open_us > newest_us && open_us % step_us == 0 &&
            open_us <= s->step.now.market_us - step_us) {
            newest_us = open_us;
        }
    }
    for (int i = 0; i < s->inputs.bar_count && newest_us > s->open_us; i++) {
        if (candle_is_valid(&bars[i].candle) && bars[i].candle.open_us == newest_us) {
            bars[s->held++] = bars[i];
        }
    }
    s->open_us = newest_us;
}

/* Reads up to the next step that had bars. */
static void read_ahead(struct journal_source *s)
{
    while (s->held == 0 && !s->over) {
        int64_t offset = s->reader.offset;
        if (record_reader_next(&s->reader, RECORD_STEP_MAX, &s->broken) <= 0) {
            s->over = true;
            return;
        }
        struct pack p = PACK_READ(s->reader.bytes + RECORD_FRAME_SIZE, s->reader.size);
        s->step = (struct record_step){
            .inputs = &s->inputs, .settings = &s->settings, .request = &s->request};
        record_step_pack(&p, &s->step, &s->before, &s->start);
        if (p.failed || !record_step_is_sane(&s->step)) {
            (void)err_set(&s->broken, ERR_ENGINE_RECORD_DAMAGED, "offset %lld: invalid record",
                          (long long)offset);
            s->over = true;
            return;
        }
        s->before = s->step.now;
        drop_faulty(s);
    }
}

static int64_t next_us(const struct source *source)
{
    const struct journal_source *s = of(source);
    return s->held > 0 ? s->open_us + s->source.step_us : INT64_MAX;
}

static int next(struct source *source, struct source_bar *ret)
{
    struct journal_source *s = of(source);
    int count = s->held;
    memcpy(ret, s->inputs.bars, (size_t)count * sizeof(ret[0]));
    s->held = 0;
    read_ahead(s);
    return count;
}

static const struct source_ops journal_ops = {.name = "journal", .next_us = next_us, .next = next};

bool journal_source_fits(const char *path)
{
    char magic[RECORD_FAMILY_SIZE];
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd >= 0 && read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
           memcmp(magic, RECORD_MAGIC, sizeof(magic)) == 0;
}

static int open_file(struct journal_source *s, const char *path, struct err *err)
{
    int rc = record_reader_open(&s->reader, path, err);
    if (rc < 0) {
        return rc;
    }
    rc = record_reader_next(&s->reader, RECORD_START_MAX, err);
    if (rc < 0) {
        return err_prefix(err, "%s", path);
    }
    struct pack p = PACK_READ(s->reader.bytes + RECORD_FRAME_SIZE, rc == 0 ? 0 : s->reader.size);
    s->start.version = s->reader.version;
    record_start_pack(&p, &s->start, NULL);
    if (p.failed || !record_start_is_sane(&s->start)) {
        return err_set(err, ERR_ENGINE_RECORD_DAMAGED, "%s: offset %zu: invalid start record", path,
                       RECORD_MAGIC_SIZE);
    }
    s->source = (struct source){&journal_ops, s->start.step_us};
    engine_inputs_init(&s->inputs, s->start.symbol_count);
    s->before = s->start.now;
    s->open_us = -1;
    read_ahead(s);
    return 0;
}

int journal_source_open(const char *path, struct source **ret, struct err *err)
{
    struct journal_source *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->reader.fd = -1;
    int rc = open_file(s, path, err);
    if (rc < 0) {
        journal_source_free(&s->source);
        return rc;
    }
    *ret = &s->source;
    return 0;
}

void journal_source_free(struct source *source)
{
    if (source != NULL) {
        record_reader_release(&of(source)->reader);
        engine_inputs_release(&of(source)->inputs);
        free(of(source));
    }
}

int journal_source_symbols(const struct source *source, struct symbol ret[SYMBOLS_LIMIT])
{
    const struct journal_source *s = of(source);
    memcpy(ret, s->start.symbols, sizeof(s->start.symbols));
    return s->start.symbol_count;
}

int journal_source_end(const struct source *source, struct err *err)
{
    const struct err *why = &of(source)->broken;
    return why->id == ERR_NONE ? 0 : err_set(err, (enum err_id)why->id, "%s", why->context);
}

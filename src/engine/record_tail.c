#include "record_tail.h"

#include "base/buf.h"
#include "base/check.h"
#include "engine/engine_buffers.h"
#include "engine/recorder.h"
#include "record.h"
#include "record_reader.h"

#include <limits.h>
#include <string.h>

struct tail_scratch {
    struct record_start start;
    struct engine_inputs inputs;
    struct settings settings;
    struct request request;
    struct record_step step;
};

static bool read_start(struct record_reader *reader, struct tail_scratch *scratch)
{
    if (record_reader_next(reader, RECORD_START_MAX, NULL) <= 0) {
        return false;
    }
    struct pack p = PACK_READ(reader->bytes + RECORD_FRAME_SIZE, reader->size);
    scratch->start.version = reader->version;
    record_start_pack(&p, &scratch->start, NULL);
    if (p.failed || !record_start_is_sane(&scratch->start)) {
        return false;
    }
    engine_inputs_release(&scratch->inputs);
    engine_inputs_init(&scratch->inputs, scratch->start.symbol_count);
    return true;
}

/* The clocks are relative to the previous record, which may not have been read; they are not used.
 */
static bool read_step(struct record_reader *reader, struct tail_scratch *scratch)
{
    if (record_reader_next(reader, RECORD_STEP_MAX, NULL) <= 0) {
        return false;
    }
    struct pack p = PACK_READ(reader->bytes + RECORD_FRAME_SIZE, reader->size);
    scratch->step = (struct record_step){
        .inputs = &scratch->inputs, .settings = &scratch->settings, .request = &scratch->request};
    record_step_pack(&p, &scratch->step, &scratch->start.now, &scratch->start);
    return !p.failed;
}

static bool writes(const struct record_step *step)
{
    return step->inputs->bar_count > 0 || step->inputs->request != NULL || step->digest.sends > 0;
}

static void note_stop(const struct record_step *step, struct record_tail *tail)
{
    const struct request *r = step->inputs->request;
    if (step->inputs->halt || (r != NULL && r->kind == REQUEST_EMERGENCY_STOP)) {
        tail->stopped = true;
    } else if (r != NULL && r->kind == REQUEST_RESUME) {
        tail->stopped = false; /* while an emergency stop is active, resume is refused and the next
                                  step shows the halt */
    }
}

static void read_run(const char *path, int64_t from, struct tail_scratch *scratch,
                     struct record_tail *tail)
{
    struct record_reader reader;
    if (record_reader_open(&reader, path, NULL) < 0) {
        return;
    }
    if (read_start(&reader, scratch) && from <= reader.file_size) {
        reader.offset = from > reader.offset ? from : reader.offset;
        int64_t wrote = 0;
        while (read_step(&reader, scratch)) {
            if (scratch->inputs.disk == ENGINE_DISK_OK) {
                tail->steps += wrote;
                wrote = 0;
            }
            wrote += writes(&scratch->step);
            note_stop(&scratch->step, tail);
        }
    }
    record_reader_release(&reader);
}

void record_tail(const char *state_dir, struct record_mark mark, struct record_tail *ret)
{
    *ret = (struct record_tail){0};
    AUTO_FREE int64_t *runs = calloc((size_t)RECORDER_KEEP_RUNS * 2, sizeof(*runs));
    AUTO_FREE struct tail_scratch *scratch = calloc(1, sizeof(*scratch));
    ASSERT(runs != NULL && scratch != NULL);
    int count = recorder_runs(state_dir, runs, RECORDER_KEEP_RUNS * 2);
    ret->newest_run = count > 0 ? runs[count - 1] : 0;
    for (int i = 0; i < count; i++) {
        AUTO_BUF struct buf path = BUF_INIT(PATH_MAX + 64);
        if (runs[i] >= mark.run && recorder_find(state_dir, runs[i], &path, NULL) >= 0) {
            read_run(path.data, runs[i] == mark.run ? mark.size_bytes : 0, scratch, ret);
        }
    }
    engine_inputs_release(&scratch->inputs);
}

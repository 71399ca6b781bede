#include "record_tail.h"

#include "base/buf.h"
#include "base/check.h"
#include "engine/recorder.h"
#include "record.h"
#include "record_reader.h"

#include <limits.h>
#include <string.h>

struct tail_room {
    struct record_start start;
    struct engine_inputs inputs;
    struct settings settings;
    struct request request;
    struct record_step step;
};

static bool read_start(struct record_reader *reader, struct tail_room *room)
{
    if (record_reader_next(reader, RECORD_START_MAX, NULL) <= 0) {
        return false;
    }
    struct pack p = PACK_READ(reader->bytes + RECORD_FRAME_SIZE, reader->size);
    record_start_pack(&p, &room->start, NULL);
    return !p.failed && record_start_is_sane(&room->start);
}

/* The clocks are relative to the record before, which may not have been read: they are not used. */
static bool read_step(struct record_reader *reader, struct tail_room *room)
{
    if (record_reader_next(reader, RECORD_STEP_MAX, NULL) <= 0) {
        return false;
    }
    struct pack p = PACK_READ(reader->bytes + RECORD_FRAME_SIZE, reader->size);
    room->step = (struct record_step){
        .inputs = &room->inputs, .settings = &room->settings, .request = &room->request};
    record_step_pack(&p, &room->step, &room->start.now, &room->start);
    return !p.failed;
}

static bool writes(const struct record_step *step)
{
    return step->inputs->bar_count > 0 || step->inputs->request != NULL || step->answer.sends > 0;
}

static void note_stop(const struct record_step *step, struct record_tail *tail)
{
    const struct request *r = step->inputs->request;
    if (step->inputs->halt || (r != NULL && r->kind == REQUEST_EMERGENCY_STOP)) {
        tail->stopped = true;
    } else if (r != NULL && r->kind == REQUEST_RESUME) {
        tail->stopped = false; /* a stop that stands refuses it, and is then seen as a halt */
    }
}

static void read_run(const char *path, int64_t from, struct tail_room *room,
                     struct record_tail *tail)
{
    struct record_reader reader;
    if (record_reader_open(&reader, path, NULL) < 0) {
        return;
    }
    if (read_start(&reader, room) && from <= reader.file_size) {
        reader.offset = from > reader.offset ? from : reader.offset;
        int64_t wrote = 0;
        while (read_step(&reader, room)) {
            if (room->inputs.disk == ENGINE_DISK_OK) {
                tail->steps += wrote;
                wrote = 0;
            }
            wrote += writes(&room->step);
            note_stop(&room->step, tail);
        }
    }
    record_reader_release(&reader);
}

void record_tail(const char *state_dir, struct record_mark mark, struct record_tail *ret)
{
    *ret = (struct record_tail){0};
    AUTO_FREE int64_t *runs = calloc((size_t)RECORDER_KEEP_RUNS * 2, sizeof(*runs));
    AUTO_FREE struct tail_room *room = calloc(1, sizeof(*room));
    ASSERT(runs != NULL && room != NULL);
    int count = recorder_runs(state_dir, runs, RECORDER_KEEP_RUNS * 2);
    ret->newest_run = count > 0 ? runs[count - 1] : 0;
    for (int i = 0; i < count; i++) {
        AUTO_BUF struct buf path = BUF_INIT(PATH_MAX + 64);
        if (runs[i] >= mark.run && recorder_find(state_dir, runs[i], &path, NULL) >= 0) {
            read_run(path.data, runs[i] == mark.run ? mark.size_bytes : 0, room, ret);
        }
    }
}

#include "stream_replay.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- ids */

void stream_id_write(uint64_t epoch, uint64_t seq, char ret[STREAM_ID_SIZE])
{
    (void)snprintf(ret, STREAM_ID_SIZE, "%" PRIx64 "-%" PRIu64, epoch, seq);
}

static bool read_hex(struct str text, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint64_t)digit;
    }
    *ret = value;
    return text.len > 0 && text.len <= 16;
}

bool stream_id_read(struct str text, uint64_t *ret_epoch, uint64_t *ret_seq)
{
    struct str epoch;
    int64_t seq = 0;
    if (!str_split(&text, '-', &epoch) || !read_hex(epoch, ret_epoch) || !str_to_i64(text, &seq) ||
        seq < 0 || text.ptr[0] == '-' || text.ptr[0] == '+') {
        return false;
    }
    *ret_seq = (uint64_t)seq;
    return true;
}

/* ---------------------------------------------------------------- events */

struct stream_event *stream_event_new(const char *id, struct str json)
{
    char head[WEBSOCKET_HEAD_MAX], tail[STREAM_ID_SIZE + 16];
    size_t head_len = websocket_head(json.len, head);
    size_t tail_len = (size_t)snprintf(tail, sizeof(tail), "\nid: %s\n\n", id);
    struct stream_event *event = calloc(1, sizeof(*event) + head_len + json.len + tail_len);
    ASSERT(event != NULL);
    event->references = 1;
    event->head = head_len;
    event->json = json.len;
    event->tail = tail_len;
    memcpy(event->bytes, head, head_len);
    memcpy(event->bytes + head_len, json.ptr, json.len);
    memcpy(event->bytes + head_len + json.len, tail, tail_len);
    return event;
}

void stream_event_unref(struct stream_event *event)
{
    if (event != NULL && --event->references == 0) {
        free(event);
    }
}

static size_t size_of(const struct stream_event *event)
{
    return sizeof(*event) + event->head + event->json + event->tail;
}

/* ---------------------------------------------------------------- the last events */

void stream_replay_init(struct stream_replay *replay, uint64_t epoch)
{
    *replay = (struct stream_replay){.epoch = epoch, .next = 1};
    replay->events = calloc(STREAM_REPLAY_EVENTS, sizeof(struct stream_event *));
    ASSERT(replay->events != NULL);
}

static struct stream_event **slot_of(const struct stream_replay *replay, uint64_t seq)
{
    return &replay->events[seq % STREAM_REPLAY_EVENTS];
}

uint64_t stream_replay_first(const struct stream_replay *replay)
{
    return replay->next - replay->count;
}

static void drop_first(struct stream_replay *replay, stream_drop_fn drop, void *userdata)
{
    struct stream_event **slot = slot_of(replay, stream_replay_first(replay));
    if (drop != NULL) {
        drop(*slot, userdata);
    }
    replay->bytes -= size_of(*slot);
    replay->count--;
    stream_event_unref(*slot);
    *slot = NULL;
}

void stream_replay_release(struct stream_replay *replay)
{
    while (replay->count > 0) {
        drop_first(replay, NULL, NULL);
    }
    free(replay->events);
    replay->events = NULL;
}

void stream_replay_expire(struct stream_replay *replay, int64_t now_mono_us, stream_drop_fn drop,
                          void *userdata)
{
    while (replay->count > 0 &&
           (replay->bytes > STREAM_REPLAY_BYTES ||
            now_mono_us - (*slot_of(replay, stream_replay_first(replay)))->at_mono_us >
                STREAM_REPLAY_US)) {
        drop_first(replay, drop, userdata);
    }
}

void stream_replay_add(struct stream_replay *replay, const struct stream_about *about,
                       struct str json, int64_t now_mono_us, stream_drop_fn drop, void *userdata)
{
    char id[STREAM_ID_SIZE];
    stream_id_write(replay->epoch, replay->next, id);
    struct stream_event *event = stream_event_new(id, json);
    event->seq = replay->next;
    event->at_mono_us = now_mono_us;
    event->about = *about;
    if (replay->count == STREAM_REPLAY_EVENTS) {
        drop_first(replay, drop, userdata);
    }
    *slot_of(replay, replay->next++) = event;
    replay->count++;
    replay->bytes += size_of(event);
    stream_replay_expire(replay, now_mono_us, drop, userdata);
}

struct stream_event *stream_replay_get(const struct stream_replay *replay, uint64_t seq)
{
    return seq >= stream_replay_first(replay) && seq < replay->next ? *slot_of(replay, seq) : NULL;
}

/*
 * stream_replay.h: the last events of the stream, each encoded once, in the order of their numbers.
 *
 *     event = stream_replay_add(&replay, &about, json, now_mono_us, on_drop, self);
 *     for (seq = client->cursor; (event = stream_replay_get(&replay, seq)) != NULL; seq++) …
 *
 * Always true: numbers grow by one. At most STREAM_REPLAY_EVENTS events of STREAM_REPLAY_BYTES are
 * kept, and none for longer than STREAM_REPLAY_US; a dropped event lives on while somebody sends
 * it. Thread: the stream's.
 */
#pragma once

#include "base/clock.h"
#include "io/websocket.h"
#include "stream_topic.h"

#include <stddef.h>

#define STREAM_REPLAY_EVENTS ((size_t)4096)
#define STREAM_REPLAY_BYTES  ((size_t)4 * 1024 * 1024)
#define STREAM_REPLAY_US     (5 * USEC_PER_MIN)
#define STREAM_ID_SIZE       48

/* A text for clients in both forms: a WebSocket frame, and an event of Server-Sent Events. */
struct stream_event {
    int references;
    uint64_t seq;
    int64_t at_mono_us;
    struct stream_about about;
    size_t head; /* bytes of the frame's head */
    size_t json;
    size_t tail; /* bytes behind the JSON, for Server-Sent Events */
    char bytes[];
};

struct stream_replay {
    uint64_t epoch; /* of this process: a number means nothing in another one */
    uint64_t next;  /* the number of the next event; the first is 1 */
    size_t count;
    size_t bytes;
    struct stream_event **events; /* STREAM_REPLAY_EVENTS, at their number modulo that */
};

void stream_replay_init(struct stream_replay *replay, uint64_t epoch);
void stream_replay_release(struct stream_replay *replay);

/* Called for each event before it is dropped. */
typedef void (*stream_drop_fn)(const struct stream_event *event, void *userdata);
/* json has the member id, as stream_id_write makes it of the number replay->next. */
void stream_replay_add(struct stream_replay *replay, const struct stream_about *about,
                       struct str json, int64_t now_mono_us, stream_drop_fn drop, void *userdata);
/* Drops what has become too old. */
void stream_replay_expire(struct stream_replay *replay, int64_t now_mono_us, stream_drop_fn drop,
                          void *userdata);
/* NULL: it is not there any more, or not yet. */
struct stream_event *stream_replay_get(const struct stream_replay *replay, uint64_t seq);
/* The number of the oldest event that is kept; next if there is none. */
uint64_t stream_replay_first(const struct stream_replay *replay);

/* A text for one client. */
struct stream_event *stream_event_new(const char *id, struct str json);
void stream_event_unref(struct stream_event *event); /* takes NULL */

/* "6a1f…-123": the epoch and a number. */
void stream_id_write(uint64_t epoch, uint64_t seq, char ret[STREAM_ID_SIZE]);
bool stream_id_read(struct str text, uint64_t *ret_epoch, uint64_t *ret_seq);

/*
 * stream_source.h: where the events of the stream come from, and what is true when a client begins.
 *
 *     source = stream_source_new(&(struct stream_source_options){.shared = shared, …});
 *     stream_source_engine(source);             // the engine has published
 *     stream_source_alert(source, 17);          // ops has changed the row
 *     stream_source_snapshot(source, STREAM_ALERTS, &out);
 *
 * The engine's events say only that something has happened; what it was is read from trading.db and
 * the snapshot, so nothing is missed when the bus is lapped. In the same way ops passes on which
 * rows of ops.db it has changed. What is read may be newer than the change, never older.
 * Always true: an event is emitted once for each change that is seen. A row that cannot be read is
 * left out, and the failure is logged at most once a minute.
 * Thread: the stream's.
 */
#pragma once

#include "io/json_out.h"
#include "stream_services.h"
#include "stream_topic.h"

#include <stdbool.h>
#include <stdint.h>

struct shared;
struct shared_reader;
struct stream_source;

struct stream_source_options {
    const char *state_dir;
    const struct shared *shared;
    struct shared_reader *reader;
    /* begin opens the object of the event's data, end publishes it. */
    struct json_out *(*begin)(void *userdata);
    void (*end)(const struct stream_about *about, void *userdata);
    void *userdata;
};

struct stream_source *stream_source_new(const struct stream_source_options *options);
void stream_source_free(struct stream_source *source); /* takes NULL */
/* Whether the snapshot of the engine has arrived. Then what is there now is known, and only what
 * changes from now on is emitted. */
bool stream_source_begin(struct stream_source *source);
void stream_source_engine(struct stream_source *source);
void stream_source_alert(struct stream_source *source, int64_t id);
void stream_source_run(struct stream_source *source, int64_t id);
void stream_source_services(struct stream_source *source, const struct stream_services *services);
/* Lines that were logged since the last call; *ret_lost: more that were lost. */
void stream_source_logs(struct stream_source *source, uint64_t *ret_lost);
/* Writes the member data: what is true of the topic now. */
void stream_source_snapshot(struct stream_source *source, enum stream_topic topic,
                            struct json_out *out);

/*
 * claude_stream.h: reads the server-sent events of a streamed answer, as they arrive, into the
 * message that the API would have sent at once. Private to this module.
 *
 *     struct claude_stream stream;
 *     claude_stream_init(&stream);
 *     claude_stream_feed(&stream, body);          // the whole body so far, each time more arrives
 *     show(buf_str(&stream.text));                // what the model has written so far
 *     if (claude_stream_is_whole(&stream)) read(stream.message);
 *     claude_stream_release(&stream);
 *
 * Always true: only whole lines are read, so a character that is cut between two packets is read
 * once it is whole; pings and unknown events are skipped; an `error` inside the stream, or an event
 * that does not fit the ones before it, ends the reading (stream.err). A stream without
 * message_stop is not whole. Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct json_object;

struct claude_stream {
    struct json_object *message; /* NULL before message_start */
    struct buf text;             /* of all text blocks so far */
    struct buf data;             /* of the event that is being read */
    struct buf part;             /* of the open block: text, thinking or JSON */
    struct buf signature;        /* of the open thinking block */
    bool block_open;
    size_t read; /* bytes of the body that were read */
    bool stopped;
    int status; /* of an error in the stream, as the API's HTTP status; 0: none */
    struct err err;
};

void claude_stream_init(struct claude_stream *stream);
void claude_stream_release(struct claude_stream *stream);
/* True if the text has grown. */
bool claude_stream_feed(struct claude_stream *stream, struct str body);
bool claude_stream_is_whole(const struct claude_stream *stream);

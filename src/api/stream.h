/*
 * stream.h: GET /api/v1/stream, events as they happen, for many clients at once, over WebSocket or
 * Server-Sent Events (docs/stream.md).
 *
 *     stream = stream_new(&(struct stream_options){.loop = loop, .shared = shared, …});
 *     stream_tick(stream);                         // ops, every second
 *     stream_stop(stream);                         // ops, before the listeners stop
 *     stream_free(stream);
 *
 * The stream has a thread of its own, which the first client starts. It alone writes to clients and
 * reads what it tells them: engine and ops only let it know that something has changed. A
 * listener's thread checks a request, then hands the connection over. Always true: neither the
 * engine nor ops waits for the stream. Of what ops cannot pass on, because the stream's thread does
 * not keep up, the number is known, and every client gets it. Thread: ops, except what says
 * otherwise.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct access;
struct api_call;
struct health;
struct loop;
struct ops_store;
struct shared;
struct shared_reader;
struct stream;

#define STREAM_CLIENTS_MAX 1024
#define STREAM_TICKET_US   (30 * USEC_PER_SEC)

struct stream_options {
    struct loop *loop; /* of ops */
    struct shared *shared;
    struct shared_reader *reader; /* of the stream's thread, asleep */
    const struct access *access;
    struct ops_store *store; /* NULL: without alerts, findings and runs */
    struct health *health;   /* NULL: without services */
    const char *state_dir;
};

struct stream *stream_new(const struct stream_options *options, struct err *err);
/* Tells the clients that the program stops, and ends the thread. */
void stream_stop(struct stream *stream);
void stream_free(struct stream *stream); /* takes NULL; after the listeners have stopped */
/* Passes on the services that have changed, and who may still read. */
void stream_tick(struct stream *stream);
/* Ops: another api.token is accepted now than before; its clients have to open the stream again. */
void stream_token_changed(struct stream *stream);

/* Listener's thread: the handlers of the table of routes. */
void stream_handle(struct api_call *call);
void stream_ticket_handle(struct api_call *call);
/* Listener's thread: admits a call by the ticket in its query, once. Error: API_TICKET. */
int stream_ticket_admit(struct api_call *call, struct err *err);

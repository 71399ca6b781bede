/*
 * stream_client.h: one client of the stream: what it is sent, and how far it has read.
 *
 *     client = stream_client_new(&wish);                 // listener's thread
 *     stream_client_open(client, loop, replay, …);       // stream's thread, from here on
 *     stream_client_say(client, id, json);               // for this client alone
 *     stream_client_send(client);                        // new events are in the replay
 *
 * Always true: a client holds a place in the replay, not a queue. If it reads so slowly that events
 * are dropped before it has them, it learns how many of each topic that it had asked for. Its own
 * texts are bounded by STREAM_OWN_MAX, and no more is read from it while its answers are not sent.
 * Thread: the stream's, but for _new and _free before it is opened.
 */
#pragma once

#include "base/buf.h"
#include "io/loop.h"
#include "io/web.h"
#include "io/websocket.h"
#include "stream_replay.h"
#include "stream_topic.h"

#include <stdbool.h>
#include <stdint.h>

#define STREAM_OWN_MAX   ((size_t)2 * 1024 * 1024)
#define STREAM_PING_US   (20 * USEC_PER_SEC)
#define STREAM_DEAD_US   (45 * USEC_PER_SEC) /* without a sign of life */
#define STREAM_LINGER_US (2 * USEC_PER_SEC)  /* for the client to read why it was closed */

/* Who the client is, for as long as it is connected. */
struct stream_caller {
    enum channel channel;
    int64_t id; /* as in struct principal */
};

struct stream_wish {
    struct stream_filter filter;
    struct stream_caller caller;
    bool events; /* Server-Sent Events, else a WebSocket */
    bool resumes;
    uint64_t after_epoch; /* with resumes: the last event that the client has */
    uint64_t after_seq;
};

struct stream_client;
/* It has ended, and is to be freed. */
typedef void (*stream_gone_fn)(struct stream_client *client, void *userdata);

struct stream_client {
    struct stream_client *next; /* the owner's, as are the members up to begun */
    struct stream_client *previous;
    void *owner;
    int seat;
    bool begun;
    struct stream_wish wish;
    struct web_line *line;
    struct buf early; /* what came before it was opened */

    struct loop_source *io;
    const struct clock *clock;
    const struct stream_replay *replay;
    stream_gone_fn gone;
    void *userdata;
    struct websocket *ws;     /* NULL: Server-Sent Events */
    uint64_t cursor;          /* the next event that it may be sent */
    struct stream_event *now; /* an event of which a part was sent, with a reference */
    size_t now_sent;
    struct buf own; /* whole texts for this client alone; before all events but `now` */
    size_t own_sent;
    uint64_t missed[STREAM_TOPICS]; /* since the client was last told */
    bool blocked;                   /* the connection takes no more at the moment */
    bool lost;                      /* it cannot be written to any more */
    int64_t heard_mono_us;          /* the last sign of life */
    int64_t pinged_mono_us;
    int64_t closed_mono_us; /* the last frame was sent; 0: not yet */
};

/* Never NULL. */
struct stream_client *stream_client_new(const struct stream_wish *wish);
void stream_client_free(struct stream_client *client); /* takes NULL */

struct stream_client_options {
    struct loop *loop;
    const struct stream_replay *replay;
    stream_gone_fn gone; /* from the loop, or from stream_client_tick */
    void *userdata;
};
/* False: it cannot be watched; free it. */
bool stream_client_open(struct stream_client *client, const struct stream_client_options *options);
void stream_client_say(struct stream_client *client, const char *id, struct str json);
void stream_client_send(struct stream_client *client);
/* The replay drops the event. */
void stream_client_drop(struct stream_client *client, const struct stream_event *event);
/* Pings, and ends a client that is dead. */
void stream_client_tick(struct stream_client *client);
/* Tells a WebSocket why; to be sent. */
void stream_client_close(struct stream_client *client, enum websocket_code code,
                         const char *reason);
/* Nothing follows any more. */
bool stream_client_is_over(const struct stream_client *client);

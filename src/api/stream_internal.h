/*
 * stream_internal.h: the state of the stream, shared by stream.c (its thread and what ops passes to
 * it) and stream_handle.c (requests).
 *
 *     if (stream_reserve(stream, &err) == 0) web_answer_line(…, client);
 *
 * Thread: named at each member.
 */
#pragma once

#include "api_internal.h"
#include "base/mailbox.h"
#include "base/ring.h"
#include "stream.h"
#include "stream_client.h"
#include "stream_replay.h"
#include "stream_services.h"
#include "stream_source.h"

#include <pthread.h>
#include <stdatomic.h>

#define STREAM_NOTES_MAX    1024 /* changed rows that wait for the stream's thread */
#define STREAM_PENDING_MAX  128  /* changed rows within one callback of ops */
#define STREAM_TICKETS_MAX  64
#define STREAM_SEATS_MAX    64
#define STREAM_TICKET_CHARS 32

/* A row that ops has changed. */
struct stream_note {
    enum { STREAM_NOTE_ALERT, STREAM_NOTE_RUN } kind;
    int64_t id;
};

struct stream_ticket {
    char text[STREAM_TICKET_CHARS + 1]; /* "": free */
    int64_t until_mono_us;
    char address[64]; /* of the client that asked for it, without its port */
    enum role role;
    struct stream_caller caller;
};

/* All clients of one caller. */
struct stream_seat {
    int clients; /* 0: free */
    struct stream_caller caller;
    _Atomic int role; /* enum role, as ops has last seen it */
};

struct stream {
    struct stream_options o;
    char state_dir[PATH_MAX];

    pthread_mutex_t mutex; /* of listeners and the stream's thread, for moments */
    /* Under the mutex. */
    bool started;
    bool stopping;
    int clients_count; /* with those that are on their way to the stream's thread */
    struct stream_seat seats[STREAM_SEATS_MAX]; /* the roles: any thread */
    struct stream_client *arriving;
    struct stream_ticket tickets[STREAM_TICKETS_MAX];

    /* Made before live is set, by the listener that starts the thread. */
    atomic_bool live;          /* ops passes changes on */
    atomic_bool token_changed; /* api.token: ops -> stream */
    struct ring *notes;        /* struct stream_note: ops -> stream */
    atomic_uint lost;          /* changes that found the ring full */
    struct mailbox *services;  /* struct stream_services: ops -> stream */
    struct loop *loop;         /* of the stream's thread */
    struct loop_source *wake;  /* the same */
    pthread_t thread;

    /* Ops. */
    struct stream_note pending[STREAM_PENDING_MAX];
    size_t pending_count;
    struct loop_source *flush;
    struct loop_source *asked; /* the thread has started: it wants the services */
    struct stream_services *told;

    /* The stream's thread. */
    struct stream_client *clients;
    struct stream_replay replay;
    struct stream_source *source;
    struct loop_source *engine; /* timer: for events of the engine, while there are clients */
    struct loop_source *tick;
    struct loop_source *look; /* timer: for the first snapshot, and for lines of the log */
    struct loop_source *send; /* deferred */
    bool has_services;
    bool reads_logs;
    int64_t began_mono_us;
    struct buf json;
    struct json_out out;
};

/* Listener's thread. Reserves a place for a client of this caller and starts the thread. Errors:
 * API_STREAM_FULL, API_STOPPING, LOOP_SETUP. */
int stream_reserve(struct stream *stream, const struct stream_caller *caller, enum role role,
                   int *ret_seat, struct err *err);
/* Any thread: gives the place back. */
void stream_leave(struct stream *stream, int seat);
/* Listener's thread: hands a client with its line and its seat over. */
void stream_attach(struct stream *stream, struct stream_client *client);

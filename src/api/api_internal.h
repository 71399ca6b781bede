/*
 * api_internal.h: what the files of this room share.
 *
 * Two threads meet here: a listener's own (handle, state: reads only) and ops (command, start,
 * stop). What goes between them is a struct api_job, through the listener's ring, one way.
 * Thread: each declaration says which.
 */
#pragma once

#include "access/access.h"
#include "api/api.h"
#include "base/buf.h"
#include "base/ring.h"
#include "io/json.h"
#include "io/loop.h"
#include "io/web.h"
#include "model/shared.h"
#include "model/snapshot.h"

#include <stdatomic.h>

#define API_JOBS_MAX   32
#define API_BODY_MAX   ((size_t)64 * 1024)
#define API_LINE_MAX   ((size_t)16 * 1024)
#define API_ANSWER_MAX ((size_t)512 * 1024)

struct listener {
    struct api *api;
    enum channel channel; /* CHANNEL_SOCKET or CHANNEL_HTTP */
    struct web *web;
    struct mailbox *snapshot; /* of this listener's thread alone */
    struct ring *jobs;        /* struct api_job *: listener's thread -> ops */
    struct loop_source *wake;
    atomic_int under_way; /* jobs that are not answered yet */
};

/* One command, from suspended to answered. Owned by the ring, then by ops. */
struct api_job {
    struct listener *listener;
    struct web_request *request;
    struct api_job *next; /* in api->active */
    char *line;           /* "restart demo", or "restart" */
    char *args_json;      /* {"service":"demo"}; NULL: the arguments stand in line */
    int64_t uid;          /* of the caller; 0 over TCP */
    bool confirmed;
};

struct api {
    struct loop *loop;
    const struct config *config;
    struct shared *shared;
    const struct manifest_list *manifests;
    struct runner *runner;
    struct access *access;
    char *token; /* "" when TCP serves /healthz only */
    struct listener socket;
    struct listener tcp;
    struct api_job *active; /* ops */
};

/* Listener's thread: the handler of both. userdata is the listener. */
void api_handle(struct web_request *request, void *listener);

/* Any: answers with the catalogue row as JSON and the status that stands in it. */
void api_answer_err(struct web_request *request, const struct err *err);

/* What a request asks for. */
struct api_command {
    struct buf line; /* the command's name; behind it the arguments when they came as one text */
    struct buf args; /* JSON object of texts by name, of args that came as an object or an array */
    bool by_name;    /* args counts */
    bool confirmed;
};

/* Listener's thread: reads the body of a command request. *ret is valid, to be released, also when
 * it fails. */
int api_command_read(const struct api *api, const char *name, struct str body,
                     struct api_command *ret, struct err *err);
void api_command_release(struct api_command *command);
/* Listener's thread: suspends the request and hands it to ops. */
void api_command_submit(struct listener *listener, struct web_request *request,
                        const struct api_command *command);
/* Ops: takes what waits in the listener's ring. userdata is the listener. */
void api_command_accept(void *listener);
/* Ops: forgets and answers everything that is under way. Returns how many there were. */
int api_command_end(struct api *api);

/* Listener's thread. */
/* silent_us: shared_silent_us. */
void api_state_json(const struct snapshot *snapshot, int64_t silent_us, const struct shared *shared,
                    struct buf *out);
/* Returns whether both threads are alive and the engine has published. Telegram refused or silent
 * is "degraded": nothing is wrong with the program. */
bool api_health_json(const struct snapshot *snapshot, const struct shared *shared,
                     int64_t now_mono_us, struct buf *out);

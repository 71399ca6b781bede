/*
 * api.h: the doors for programs: HTTP over a Unix socket in the state folder and over 127.0.0.1.
 *
 *     struct api *api;
 *     rc = api_start(&(struct api_options){.loop = loop, .config = config, .shared = crossing,
 *                    .runner = runner, .access = access, .socket_path = path}, &api, err);
 *     ...
 *     api_stop(api);                              // before the runner is freed
 *
 * What it serves: GET /healthz; GET /api/v1/state; POST /api/v1/commands/{name} with the body
 * {"args": {"service": "demo"} | ["demo"] | "demo", "confirm": true}; a text is the rest of the
 * command line as typed. Errors are catalogue rows as JSON.
 * Always true: a listener's own thread reads only the snapshot and the heartbeats and changes
 * nothing. A command is suspended there, handed to the ops thread through a ring, and answered from
 * ops. Over the socket a caller is the uid at its other end. Over TCP every path but /healthz needs
 * "Authorization: Bearer <api.token>" (401 without a configured token), and a Host that is this
 * machine, so that a web page cannot reach it by DNS rebinding; a request with a foreign Origin is
 * refused.
 * Limits: a body of 64 KiB, 64 connections, 32 commands under way per listener (then 503).
 * Thread: ops (the handlers inside run on the listeners' threads).
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct access;
struct api;
struct config;
struct shared;
struct loop;
struct manifest_list;
struct runner;

struct api_options {
    struct loop *loop;
    const struct config *config;
    struct shared *shared;
    const struct manifest_list *manifests;
    struct runner *runner;
    struct access *access;
    const char *socket_path; /* NULL: no socket */
    bool tcp;                /* listen on 127.0.0.1 */
    uint16_t port;           /* 0: the kernel chooses, see api_port */
    const char *token;       /* "" or NULL: TCP serves /healthz only */
};

/* Starts what it can: a port that is taken is an error in *err and a negative result, and nothing
 * listens then. */
int api_start(const struct api_options *options, struct api **ret, struct err *err);
/* What is under way ends with 503, or without an answer when its connection goes first; takes
 * NULL. */
void api_stop(struct api *api);
uint16_t api_port(const struct api *api); /* 0 without TCP */

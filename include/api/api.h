/*
 * api.h: the API: HTTP over a Unix socket in the state folder and over 127.0.0.1.
 *
 *     struct api *api;
 *     rc = api_start(&(struct api_options){.loop = loop, .shared = shared,
 *                    .socket_reader = reader, .runner = runner, .access = access,
 *                    .socket_path = path, .config = config, .state_dir = dir}, &api, err);
 *     ...
 *     api_stop(api);                              // before the runner is freed
 *
 * What is served is the table of api/route.h. POST /api/v1/commands/{name} has the body
 * {"args": {"service": "demo"} | ["demo"] | "demo", "confirm": true}; args as a string is the rest
 * of a typed command line. Errors are catalogue rows as application/problem+json.
 * Always true: a listener's own thread answers every GET by itself, from the snapshot, the
 * heartbeats and read-only connections; it renders the state at most a hundred times a second
 * (age_ms is a multiple of 10). It suspends a command and passes it to the ops thread through a
 * ring; ops answers it. A caller on the socket is the uid of the connected process: root, the user
 * that runs nightdesk, or one of api.local_users; only routes of ROUTE_OPEN (/healthz, /ping) are
 * for every uid. Over TCP each other route needs "Authorization: Bearer <token>", one of
 * access_token_create or api.token; the Host must name this machine or be one of api.hosts, so that
 * a web page cannot reach the API by DNS rebinding; a request with a foreign Origin is refused.
 * docs/tokens.md has the limits of tokens and addresses. Limits: a body of 64 KiB, 1280
 * connections, of which 1024 from one address (128 at the socket), 32 commands under way per
 * listener (then 503). With api.tls_cert the port speaks HTTPS; new connections get the certificate
 * of the files at most five seconds after they change. Thread: ops (the request handlers run on the
 * listeners' threads).
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct access;
struct alerts;
struct api;
struct config;
struct health;
struct shared;
struct shared_reader;
struct loop;
struct manifest_list;
struct ops_store;
struct reply;
struct runner;
struct shelf;

#define API_TOKEN_MAX          256
#define API_DOCUMENT_HASH_SIZE 65

struct api_options {
    struct loop *loop;
    struct shared *shared;
    struct shared_reader *socket_reader; /* of the socket's thread; NULL without a socket */
    struct shared_reader *tcp_reader;    /* of the TCP listener's thread; NULL without one */
    struct shared_reader *stream_reader; /* of the stream's thread: API_STREAM_TOPICS, asleep */
    struct runner *runner;
    struct access *access;
    struct health *health;                 /* gets the calls of jobs; NULL: no job is known */
    struct alerts *alerts;                 /* NULL: failures are only logged */
    const char *socket_path;               /* NULL: no socket */
    bool tcp;                              /* listen on api.listen */
    uint16_t port;                         /* 0: the kernel chooses one, see api_port */
    const struct config *config;           /* api.token and the others of api; see api_apply */
    const char *state_dir;                 /* of the databases that the lists are read from */
    struct ops_store *store;               /* the calls of /mcp are recorded there */
    const struct manifest_list *manifests; /* the tools of /mcp */
    struct shelf *shelf;                   /* of the runner; NULL: replies have no pictures */
    /* Keeps the text of a request's `document` for the command that names it by this hash; NULL: no
     * command takes one. */
    int (*offer)(struct str text, char ret_hash[API_DOCUMENT_HASH_SIZE], void *userdata,
                 struct err *err);
    void *userdata;
};

/* What the engine wakes the stream for. */
#define API_STREAM_TOPICS (TOPIC_ORDER | TOPIC_FILL | TOPIC_TRADE | TOPIC_DECISION | TOPIC_STATE)

/* Starts all configured listeners. One that cannot listen, for example because its port is in use,
 * raises an alert ("api:listen:port", "api:listen:socket") and is tried again every five seconds.
 */
int api_start(const struct api_options *options, struct api **ret, struct err *err);
/* Commands under way are answered with 503, or not at all if their connection closes first. Takes
 * NULL. */
void api_stop(struct api *api);
/* False while a listener's thread hangs: it has been asked for a sign of life and has given none
 * for five seconds ("api:silent:port", critical). Takes a NULL api. */
bool api_alive(const struct api *api);
/* Passes an alert or a notification to the readers of /api/v1/events. Takes a NULL api. */
void api_publish(struct api *api, const struct reply *reply);
/* Every second. Takes a NULL api. */
void api_tick(struct api *api);
uint16_t api_port(const struct api *api); /* 0 without TCP */
/* Applies the configuration and the tokens of access to all later requests, and loads the
 * certificate again. Takes a NULL api. */
void api_apply(struct api *api, const struct config *config);
/* Until then (wall clock) the token in use now is accepted beside the one of later configurations.
 * It is forgotten at the end of the process. */
void api_grace(struct api *api, int64_t until_us);

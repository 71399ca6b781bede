/*
 * fake_claude_internal.h: shared by the files of the fake: fake_claude.c (answers) and
 * fake_claude_check.c (what is wrong with a request).
 *
 * Thread: the server's, with the lock held.
 */
#pragma once

#include "base/buf.h"
#include "fakes/fake_claude.h"
#include "fakes/http_pieces.h"

#include <pthread.h>

#define QUEUE_MAX    64
#define HEADERS_MAX  8
#define REQUESTS_MAX 64
#define WRONG_KEY    "no key, or a wrong one"
#define THOUGHT      "Let me look."
#define SIGNATURE    "c2ln"

struct scripted {
    int status;
    char *headers[HEADERS_MAX + 1];
    char *content_type;
    char *body;
    char *text; /* instead of body: a text that is expanded and wrapped in a message */
    char *stop_reason;
    char *tools[FAKE_CLAUDE_TOOLS_MAX][2]; /* name and input */
    int64_t piece_ms;
    size_t piece_bytes;
    enum fake_claude_break breaks;
    int64_t delay_ms;
    size_t cut_bytes;
    bool hang;
};

struct fake_claude {
    struct http_pieces *server;
    pthread_mutex_t lock; /* protects everything below (server's and test's threads) */
    struct scripted queue[QUEUE_MAX];
    size_t first, count;
    size_t requests;
    char *bodies[REQUESTS_MAX];
    struct buf violations;
    char *violations_copy;
    char *cached;   /* the last rules that were marked for the cache */
    size_t used_id; /* of the last tool_use that was sent */
};

__attribute__((format(printf, 2, 3))) void fake_claude_violate(struct fake_claude *fake,
                                                               const char *format, ...);
/* Adds a violation for each rule that the request breaks. */
void fake_claude_check(struct fake_claude *fake, const struct http_pieces_request *request);

/*
 * answer.h: a JSON answer that says how old its data is, with an ETag.
 *
 *     struct api_answer a;
 *     api_answer_begin(&a, "nightdesk.whoami/1", api_age_of_ops(shared));
 *     json_out_text(&a.out, "name", who->name);
 *     api_answer_send(&a, request);                    // 200, or 304 if the client has it
 *
 * Always true: every answer has data_age_seconds (null: there was never any data), ttl_seconds (for
 * how long the data may still be used; 0: it is only the last that is known) and stale. Its ETag is
 * weak: it is equal while everything but these ages is. A stale answer has a Warning, and is still
 * an answer: the last known state is better than none.
 * Ownership: send releases the answer, as does api_answer_drop. Thread: the one that answers.
 */
#pragma once

#include "base/buf.h"
#include "io/json_out.h"
#include "model/shared.h"

#include <stdbool.h>
#include <stdint.h>

#define API_TTL_US (60 * USEC_PER_SEC) /* after the engine fell silent */

struct web_request;

struct api_age {
    int64_t us; /* -1: never published */
    bool stale;
};
/* Of what the engine publishes: how long it has been silent. In steps of API_AGE_STEP_MS. */
struct api_age api_age_of_engine(const struct shared *shared, const struct snapshot *s);
/* Of what ops stores or knows: how long its loop has been away. */
struct api_age api_age_of_ops(const struct shared *shared);
/* The three members. */
void api_age_write(struct json_out *out, struct api_age age);

struct api_answer {
    struct buf body;
    struct json_out out; /* the document is open */
    bool stale;
    size_t ages_from, ages_to; /* bytes of the body that are no part of the ETag */
};

void api_answer_begin(struct api_answer *a, const char *schema, struct api_age age);
/* Ends the document and answers with 200, or 304. */
void api_answer_send(struct api_answer *a, struct web_request *request);
/* The same with another status, which is never 304. header: in place of the ETag, such as a
 * Location; NULL: none. */
void api_answer_send_as(struct api_answer *a, struct web_request *request, int status,
                        const char *header);
void api_answer_drop(struct api_answer *a);

/* The headers of a document, for answers that are kept; also ends the document. */
#define API_HEADERS_MAX 4
struct api_headers {
    char etag[40]; /* "ETag: W/\"…\"" */
    const char *list[API_HEADERS_MAX];
};
void api_answer_headers(struct api_answer *a, struct api_headers *ret);
/* The same for bytes that never change: with a strong ETag. */
void api_answer_tag(struct str bytes, struct api_headers *ret);
/* True if the client has the document already: it was answered with 304. */
bool api_answer_unchanged(struct web_request *request, const struct api_headers *headers);

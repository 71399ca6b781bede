/*
 * claude.h: the client of the Claude Messages API.
 *
 *     rc = claude_new(&(struct claude_options){.loop = loop, .http = http, .api_url = url,
 *                     .api_key = key, .model = model, .max_tokens = 8000}, &claude, err);
 *     struct llm_client inquirer = claude_llm_client(claude);      // hand it to the auditor
 *
 * Always true: the key travels in the x-api-key header only and is registered with log_hide;
 * temperature, top_p and top_k are never sent; content blocks are selected by type; a truncated,
 * refused or unreadable answer is an error and never a text. Retries: x-should-retry is obeyed
 * first, then 408, 409, 429 and 5xx are repeated, at most CLAUDE_RETRIES times, after
 * retry-after-ms, retry-after or a back-off with jitter; spend limits are not retried. An answer
 * that hit max_tokens is asked for once more with twice as many. A request that got no answer is
 * repeated too: asking has no effect but its cost.
 * Thread: ops. The loop has a real clock (io/http.h).
 */
#pragma once

#include "base/clock.h"
#include "base/dec.h"
#include "base/err.h"
#include "io/http.h"
#include "io/loop.h"
#include "model/llm_request.h"

#include <stdbool.h>
#include <stdint.h>

#define CLAUDE_API_URL      "https://api.anthropic.com"
#define CLAUDE_VERSION      "2026-10-21"
#define CLAUDE_RETRIES      2
#define CLAUDE_TIMEOUT_MS   INT64_C(600000)     /* one attempt, as the vendor's SDK has it */
#define CLAUDE_DEADLINE_US  (15 * USEC_PER_MIN) /* all attempts and waits of one inquiry */
#define CLAUDE_TOKENS_MAX   INT64_C(64000)
#define CLAUDE_WAIT_MAX_US  (2 * USEC_PER_MIN) /* asked to wait longer: given up */
#define CLAUDE_REQUESTS_MAX 8                  /* under way at once */

struct claude;

struct claude_options {
    struct loop *loop;
    struct http *http;
    const char *api_url; /* NULL or "": CLAUDE_API_URL; without /v1/messages */
    const char *api_key; /* copied into locked memory */
    const char *model;
    int64_t max_tokens;
    int64_t timeout_ms; /* of one attempt; 0: CLAUDE_TIMEOUT_MS */
};

/* ERR_CLAUDE_KEY when the key is empty or could not stand in a header. */
int claude_new(const struct claude_options *options, struct claude **ret, struct err *err);
void claude_free(struct claude *claude); /* cancels what is under way */
/* The port, for as long as the client lives. */
struct llm_client claude_llm_client(struct claude *claude);

/* The pieces, pure, for tests. */

/* How long to wait before attempt number `attempt` + 1 (attempt counts from 1), or -1: do not.
 * jitter is 0..1; wall_us is for a Retry-After that is a date. */
int64_t claude_retry_us(const struct http_response *response, int attempt, double jitter,
                        int64_t wall_us);
/* Reads a response of any kind. 0: *ret_text (a heap string) is the whole answer. Otherwise one of
 * ERR_CLAUDE_…; answer gets what could be read of model, tokens and stop reason (texts live as
 * long as *ret_message, which the caller frees; NULL when the body was not JSON). */
int claude_read(const struct http_response *response, struct llm_answer *answer,
                struct json_object **ret_message, char **ret_text, struct err *err);
/* US dollars by the price table in claude.c; DEC_INVALID for a model that it does not hold.
 * input is what was neither read from nor written to the cache. */
struct dec claude_cost(const char *model, int64_t input, int64_t cache_write, int64_t cache_read,
                       int64_t output);

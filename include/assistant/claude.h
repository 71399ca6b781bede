/*
 * claude.h: the client of the Claude Messages API.
 *
 *     rc = claude_new(&(struct claude_options){.loop = loop, .http = http, .api_url = url,
 *                     .api_key = key, .model = model, .max_tokens = 8000}, &claude, err);
 *     struct llm_client llm_client = claude_llm_client(claude);    // pass it to the auditor
 *
 * Always true: the key is sent only in the x-api-key header and is registered with log_hide;
 * temperature, top_p and top_k are never sent; content blocks are selected by type; a truncated,
 * refused or unreadable answer is an error and never a text. Retries: x-should-retry decides if
 * present; otherwise 408, 409, 429 and 5xx are retried, but not spend limits. At most
 * CLAUDE_RETRIES, after retry-after-ms, retry-after or a back-off with jitter. A request without an
 * answer is retried too, since a repetition has no effect except its cost. After an answer that
 * reached max_tokens the request is sent once more with twice as many. Every attempt that was sent
 * is a row of the ledger, and none is sent once the day's budget is spent. After several failures
 * in a row, requests are refused for a while (ERR_CLAUDE_PAUSED). Registered secrets (log_hide) are
 * removed from the request. The rules are marked for the cache of the API (five minutes: it serves
 * repetitions; the next scheduled audit comes later than the longest time that could be asked for).
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
#define CLAUDE_TIMEOUT_MS   INT64_C(600000) /* of one attempt; the default of the vendor's SDK */
#define CLAUDE_DEADLINE_US  (15 * USEC_PER_MIN) /* all attempts and waits of one request */
#define CLAUDE_TOKENS_MAX   INT64_C(64000)
#define CLAUDE_WAIT_MAX_US  (2 * USEC_PER_MIN) /* not retried if the server asks for more */
#define CLAUDE_REQUESTS_MAX 8                  /* concurrent requests */

struct claude;
struct ledger;

struct claude_options {
    struct loop *loop;
    struct http *http;
    const char *api_url; /* NULL or "": CLAUDE_API_URL; without /v1/messages */
    const char *api_key; /* copied into locked memory */
    const char *model;
    int64_t max_tokens;
    int64_t timeout_ms; /* of one attempt; 0: CLAUDE_TIMEOUT_MS */
    /* Borrowed, and read at each attempt, so a new budget holds at once; NULL: none. */
    const struct ledger *ledger;
};

/* ERR_CLAUDE_KEY if the key is empty or not valid in a header. */
int claude_new(const struct claude_options *options, struct claude **ret, struct err *err);
void claude_free(struct claude *claude); /* cancels all requests */
/* A new key, URL, model and limits, for requests and attempts that begin from now on, and an end of
 * the pause after failures. After a failure, as that of claude_new, the ones before stay. The
 * ledger stays. */
int claude_apply(struct claude *claude, const struct claude_options *options, struct err *err);
/* The client as an llm_client; valid until claude_free. */
struct llm_client claude_llm_client(struct claude *claude);

/* Pure functions, public for tests. */

/* The wait before attempt number `attempt` + 1 (attempt counts from 1); -1: do not retry. jitter is
 * 0..1; wall_us is needed for a Retry-After that is a date. */
int64_t claude_retry_us(const struct http_response *response, int attempt, double jitter,
                        int64_t wall_us);
/* Reads any response. Returns 0 if *ret_text (a heap string) is the whole answer, otherwise one of
 * ERR_CLAUDE_…. Model, tokens and stop reason are stored in answer if present; its strings are
 * valid as long as *ret_message, which the caller frees (NULL if the body was not JSON). */
int claude_read(const struct http_response *response, struct llm_answer *answer,
                struct json_object **ret_message, char **ret_text, struct err *err);
/* US dollars, by the price table in claude.c; DEC_INVALID for a model that is not in it. input is
 * the number of tokens neither read from nor written to the cache. */
struct dec claude_cost(const char *model, int64_t input, int64_t cache_write, int64_t cache_read,
                       int64_t output);

/*
 * fake_claude.h: a strict fake of the Claude Messages API on 127.0.0.1, for tests.
 *
 *     struct fake_claude *claude = NULL;
 *     assert_int_equal(fake_claude_start(&claude), 0);     // key and version as in fake_claude.c
 *     fake_claude_reply_with(claude, "{\"findings\":[]}", "end_turn");
 *     ... point claude.api_url at http://127.0.0.1:PORT, let the program ask ...
 *     assert_string_equal(fake_claude_violations(claude), "");
 *     fake_claude_stop(claude);
 *
 * It answers from a queue, in order, one entry a request; a request with an empty queue gets a 500
 * that says so and counts as a violation. What it checks of every request: method and path,
 * content-type, anthropic-version 2026-10-21, a key (x-api-key or bearer, FAKE_CLAUDE_KEY), body is
 * JSON with known fields only, no temperature/top_p/top_k, max_tokens > 0, messages alternate and
 * are not empty, output_config.format is a json_schema whose every object says
 * additionalProperties:false and which uses supported keywords only.
 * In a text given to fake_claude_reply_with, {{/some/pointer}} becomes the JSON text of that value
 * in the report that the request carried between <untrusted_data> and </untrusted_data>; so that a
 * script can cite a true figure. What names nothing there stays as it is. Thread: start, stop and
 * the rest from the test's; the answers are given on the server's own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_CLAUDE_KEY     "sk-ant-fake-0123456789"
#define FAKE_CLAUDE_VERSION "2026-10-21"

struct fake_claude;

struct fake_claude_answer {
    int status;                 /* 0: 200 */
    const char *const *headers; /* "Name: value", the last one NULL; or NULL */
    const char *content_type;   /* NULL: application/json */
    const char *body;           /* NULL: empty */
    int64_t delay_ms;           /* before it is sent; holds up later requests too */
    size_t cut_bytes;           /* > 0: only so many bytes of the body are sent */
    bool hang;                  /* never answered, as long as the fake lives */
};

int fake_claude_start(struct fake_claude **ret); /* negative when it cannot listen */
void fake_claude_stop(struct fake_claude *fake); /* takes NULL */
uint16_t fake_claude_port(const struct fake_claude *fake);

/* Everything is copied. At most 64 answers wait. */
void fake_claude_script(struct fake_claude *fake, const struct fake_claude_answer *answer);
/* A whole 200 message: a thinking block first, then `text` as one text block, usage 1200 in and
 * 340 out, request-id header "req_fake_<n>". stop_reason NULL: "end_turn". */
void fake_claude_reply_with(struct fake_claude *fake, const char *text, const char *stop_reason);
/* An error body of the API: {"type":"error","error":{"type":type,"message":…}}. */
void fake_claude_fail(struct fake_claude *fake, int status, const char *type);

size_t fake_claude_requests(const struct fake_claude *fake); /* so far */
/* Body of request number index (from 0), at most 64 are kept; NULL when there is none. */
const char *fake_claude_request(const struct fake_claude *fake, size_t index);
/* One line a violation; "" when there is none. Valid until the next call. Never holds the key. */
const char *fake_claude_violations(struct fake_claude *fake);

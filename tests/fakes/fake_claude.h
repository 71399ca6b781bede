/*
 * fake_claude.h: a strict fake of the Claude Messages API on 127.0.0.1, for tests.
 *
 *     struct fake_claude *claude = NULL;
 *     assert_int_equal(fake_claude_start(&claude), 0);     // key and version as in this header
 *     fake_claude_reply_with(claude, "{\"findings\":[]}", "end_turn");
 *     ... set claude.api_url to http://127.0.0.1:PORT, let the program send requests ...
 *     assert_string_equal(fake_claude_violations(claude), "");
 *     fake_claude_stop(claude);
 *
 * It answers from a queue, one entry per request. With an empty queue a request gets a 500 and
 * counts as a violation. It checks of every request: method and path, content-type,
 * anthropic-version 2026-10-21, a key (x-api-key or bearer, FAKE_CLAUDE_KEY), a JSON body with
 * known fields only, no temperature/top_p/top_k, max_tokens > 0, messages that alternate and are
 * not empty (no prefill), known members of blocks and of cache_control, tools with a name of their
 * own and an object as schema, that each tool_use is answered exactly once, at the front of the
 * next message, that thinking comes back unchanged, and that output_config.format is a
 * json_schema with supported keywords, in which every object has additionalProperties:false. A
 * request that breaks a rule is refused with 400, a wrong key with 401, without taking an answer
 * from the queue. A request with "stream" gets the message as server-sent events. In a text given
 * to fake_claude_reply_with or _say, {{/some/pointer}} is replaced by the JSON text of that value
 * in what stands between <untrusted_data> and </untrusted_data> of the request, the last tool
 * result that has it first, so that a script can cite a true figure. An unknown pointer is not
 * replaced. Thread: all functions on the test's thread; answers are sent on threads of the server.
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
    int64_t delay_ms;           /* delay of the answer; also delays later requests */
    size_t cut_bytes;           /* > 0: only this many bytes of the body are sent */
    bool hang;                  /* the request is never answered */
};

int fake_claude_start(struct fake_claude **ret); /* negative if it cannot listen */
void fake_claude_stop(struct fake_claude *fake); /* accepts NULL */
uint16_t fake_claude_port(const struct fake_claude *fake);

/* Copies everything. At most 64 answers are queued. */
void fake_claude_script(struct fake_claude *fake, const struct fake_claude_answer *answer);
/* A complete 200 message: a thinking block, then `text` as one text block, usage 1200 in and 340
 * out, of which rules marked for the cache are 200: written at first, read if they are repeated;
 * request-id header "req_fake_<n>". stop_reason NULL: "end_turn". */
void fake_claude_reply_with(struct fake_claude *fake, const char *text, const char *stop_reason);

#define FAKE_CLAUDE_TOOLS_MAX 4

struct fake_claude_tool {
    const char *name;  /* NULL: none */
    const char *input; /* JSON text */
};

enum fake_claude_break {
    FAKE_CLAUDE_WHOLE,
    FAKE_CLAUDE_CLOSES, /* the connection is closed after half of the events */
    FAKE_CLAUDE_ENDS,   /* the stream ends properly, but without message_stop */
    FAKE_CLAUDE_ERROR   /* an overloaded_error after half of the events */
};

/* A message, which a request with "stream" gets as events. */
struct fake_claude_message {
    const char *text; /* may be NULL if there is a tool */
    struct fake_claude_tool tools[FAKE_CLAUDE_TOOLS_MAX];
    const char *stop_reason; /* NULL: tool_use with tools, else end_turn */
    int64_t piece_ms;        /* between two pieces of the stream */
    size_t piece_bytes;      /* of the stream, wherever that cuts; 0: an event */
    enum fake_claude_break breaks;
};
void fake_claude_say(struct fake_claude *fake, const struct fake_claude_message *message);
/* An error body of the API: {"type":"error","error":{"type":type,"message":…}}. */
void fake_claude_fail(struct fake_claude *fake, int status, const char *type);

size_t fake_claude_requests(const struct fake_claude *fake); /* so far */
/* Body of request number index (from 0); at most 64 are kept; NULL if there is none. */
const char *fake_claude_request(const struct fake_claude *fake, size_t index);
/* One line per violation; "" if there is none. Valid until the next call. Never contains the key.
 */
const char *fake_claude_violations(struct fake_claude *fake);

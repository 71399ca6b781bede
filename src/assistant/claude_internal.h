/*
 * claude_internal.h: shared by the files of the Claude client: claude.c (calls and their attempts),
 * claude_request.c (the body), claude_answer.c (a message, an error, the price), claude_stream.c
 * (server-sent events) and claude_retry.c (whether and when to try again). Private to this module.
 *
 * Thread: ops.
 */
#pragma once

#include "assistant/claude.h"
#include "claude_stream.h"

/* The vendor's limit is 32 MB; our requests are far smaller. */
#define CLAUDE_REQUEST_MAX_BYTES ((size_t)1 << 20)
#define CLAUDE_BODY_MAX_BYTES    ((size_t)4 << 20)

/* Whether the body is an error of the API whose code contains this. */
bool claude_has_error_code(const struct http_response *response, const char *part);

/* The body of the request; the caller releases it. */
struct json_object *claude_request_body(const struct llm_request *llm_request, const char *model,
                                        int64_t max_tokens);
/* Over what is said (the rules and the schema), and over what is asked. */
void claude_request_hashes(const struct llm_request *llm_request, char *ret_prompt_hex,
                           char *ret_report_hex);

/* Sets *err from an error of the API ({"type", "message"}) and the request id. id: the catalogue's;
 * ERR_NONE: by the status. The message may echo a secret, so it is redacted. */
int claude_set_error(enum err_id id, int status, const struct json_object *error,
                     const char *request_id, struct err *err);
/* Reads what one attempt has brought: claude_read, also of a streamed answer (stream NULL: not
 * asked for). tools: the model was offered some, so a stop to use one is an answer, whose text may
 * be empty. */
int claude_read_attempt(const struct http_response *response, struct claude_stream *stream,
                        bool tools, struct llm_answer *answer, struct json_object **ret_message,
                        char **ret_text, struct err *err);
/* The tokens and the cost of a stream up to where it was cut; nothing if it had not begun. */
void claude_count_cut(const struct claude_stream *stream, struct llm_answer *answer);

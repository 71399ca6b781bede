/*
 * mcp.h: the Model Context Protocol at POST /mcp: messages (mcp_message.c), the methods that this
 * listener answers itself (mcp.c, mcp_prompts.c, mcp_resources.c) and those of ops (mcp_tools.c,
 * mcp_resources.c). Private to this module.
 *
 * Both eras are served at one path. Modern (2026-07-28): each request carries its version and the
 * client's capabilities in params._meta, and headers that repeat version, method and name, which
 * must match. Legacy (2025-11-25, 2025-06-18): initialize, then requests with the header
 * MCP-Protocol-Version. Nothing is kept between requests in either.
 *
 * Always true: a request gets one answer; what a caller may see depends on its role alone; tools
 * only read, and what changes something is proposed to people (command/proposal.h); each call is in
 * the audit log.
 * Thread: named at each declaration.
 */
#pragma once

#include "api_internal.h"
#include "base/err.h"
#include "base/str.h"
#include "io/json.h"
#include "io/json_out.h"

#include <stdbool.h>

#define MCP_MODERN_VERSION "2026-07-28"
#define MCP_LEGACY_VERSION "2025-11-25" /* the newest of them */

/* JSON-RPC, and what the protocol adds. */
enum mcp_code {
    MCP_PARSE_ERROR = -32700,
    MCP_INVALID_REQUEST = -32600,
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS = -32602,
    MCP_INTERNAL_ERROR = -32603,
    MCP_HEADER_MISMATCH = -32020,
    MCP_UNSUPPORTED_VERSION = -32022
};

struct mcp_headers {
    struct str version; /* MCP-Protocol-Version */
    struct str method;  /* Mcp-Method */
    struct str name;    /* Mcp-Name */
};

struct mcp_request {
    struct json_object *root;
    struct json_object *id; /* of root; NULL: a notification */
    const char *method;
    struct json_object *params;  /* NULL: none */
    struct json_object *schemas; /* of tools/list: what is made of docs/json.md; NULL: not made */
    bool modern;
};

/* Why a message is not answered with a result. */
struct mcp_fault {
    int status; /* of HTTP */
    enum mcp_code code;
    char message[240];
    char requested[64]; /* MCP_UNSUPPORTED_VERSION: the version */
    char uri[256];      /* of the resource that is not there; "": it is about something else */
};

/* Any thread. Reads one message. False: *ret_fault says why; ret->id is set if it is known. *ret
 * must be released in any case. */
bool mcp_read(struct str body, const struct mcp_headers *headers, struct mcp_request *ret,
              struct mcp_fault *ret_fault);
void mcp_release(struct mcp_request *request);
__attribute__((format(printf, 4, 5))) bool mcp_fail(struct mcp_fault *ret, int status,
                                                    enum mcp_code code, const char *format, ...);
/* The same of a request that was read: an error of legacy requests has the status 200. */
__attribute__((format(printf, 5, 6))) bool mcp_refuse(const struct mcp_request *request,
                                                      struct mcp_fault *ret, int status,
                                                      enum mcp_code code, const char *format, ...);
/* There is no such resource for this caller. */
bool mcp_refuse_uri(const struct mcp_request *request, struct mcp_fault *ret, const char *why);
/* The member of a result that all of the modern era have; the caller adds members and ends with
 * mcp_end. */
void mcp_begin(const struct mcp_request *request, struct json_out *out);
void mcp_end(struct json_out *out);
/* How long a client may keep a result. all: it is the same for every caller. */
void mcp_cache(const struct mcp_request *request, struct json_out *out, int64_t ttl_ms, bool all);
void mcp_fault_json(const struct mcp_request *request, const struct mcp_fault *fault,
                    struct buf *out);

/* ---- mcp.c ---- */

/* Any thread. */
void mcp_answer_fault(struct web_request *web, const struct mcp_request *request,
                      const struct mcp_fault *fault);
/* Any thread: the text of a result, or a fault if it is too long. */
void mcp_answer(struct web_request *web, const struct mcp_request *request, const struct buf *body);
/* Ops: a request that the listener passed on. Frees the job, at once or later. */
void mcp_run(struct api *api, struct api_job *job);

/* ---- mcp_prompts.c: any thread ---- */

void mcp_prompts_list(const struct mcp_request *request, struct json_out *out);
bool mcp_prompts_get(const struct mcp_request *request, struct json_out *out,
                     struct mcp_fault *ret_fault);

/* ---- mcp_resources.c ---- */

/* Any thread. */
void mcp_resources_list(const struct mcp_request *request, struct json_out *out);
void mcp_templates_list(const struct mcp_request *request, struct json_out *out);
/* Listener's thread: the text of what it can read itself. 1: it is in *ret; 0: ops reads it;
 * negative: there is no such resource, and *ret says why. */
int mcp_resource_here(struct listener *listener, const char *uri, struct buf *ret);
/* Any thread: the answer with a text. */
void mcp_resource_answer(const struct mcp_request *request, const char *uri, struct str text,
                         struct json_out *out);
/* Any thread: the command that reads a resource, and its argument. */
struct mcp_source {
    const char *command;
    const char *arg; /* NULL: none */
    char value[64];  /* of it */
};
bool mcp_resource_source(const char *uri, struct mcp_source *ret);

/* ---- mcp_tools.c: ops ---- */

void mcp_tools_list(struct api *api, const struct principal *who, const struct mcp_request *request,
                    struct json_out *out);
/* Answers and frees the job, at once or later. */
void mcp_tools_call(struct api *api, const struct principal *who, struct api_job *job);

/* One message of the Model Context Protocol, and whether its headers repeat it rightly. */
#include "base/base64.h"
#include "mcp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define META        "io.modelcontextprotocol/"
#define DEPTH_MAX   16
#define METHOD_MAX  128
#define ENCODED     "=?base64?"
#define ENCODED_END "?="
#define DECODED_MAX 2048

bool mcp_fail(struct mcp_fault *ret, int status, enum mcp_code code, const char *format, ...)
{
    va_list args;
    *ret = (struct mcp_fault){.status = status, .code = code};
    va_start(args, format);
    (void)vsnprintf(ret->message, sizeof(ret->message), format, args);
    va_end(args);
    str_make_safe(ret->message);
    return false;
}

bool mcp_refuse(const struct mcp_request *request, struct mcp_fault *ret, int status,
                enum mcp_code code, const char *format, ...)
{
    va_list args;
    *ret = (struct mcp_fault){.status = request->modern ? status : 200, .code = code};
    va_start(args, format);
    (void)vsnprintf(ret->message, sizeof(ret->message), format, args);
    va_end(args);
    str_make_safe(ret->message);
    return false;
}

bool mcp_refuse_uri(const struct mcp_request *request, struct mcp_fault *ret, const char *why)
{
    const char *uri = json_text(request->params, "uri");
    (void)mcp_refuse(request, ret, 400, MCP_INVALID_PARAMS, "Resource not found: %s", why);
    str_cut(str_c(uri), ret->uri, sizeof(ret->uri));
    return false;
}

void mcp_release(struct mcp_request *request)
{
    (void)json_object_put(request->root);
    (void)json_object_put(request->schemas);
    *request = (struct mcp_request){0};
}

/* ---------------------------------------------------------------- versions */

static bool is_legacy(struct str version)
{
    return str_equal_c(version, "2025-11-25") || str_equal_c(version, "2025-06-18");
}

static bool unsupported(struct mcp_fault *ret, struct str version)
{
    (void)mcp_fail(ret, 400, MCP_UNSUPPORTED_VERSION, "Unsupported protocol version");
    str_cut(version, ret->requested, sizeof(ret->requested));
    return false;
}

/* ---------------------------------------------------------------- headers */

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] < ' ' && text.ptr[i] != '\t') || text.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool name_matches(struct str header, struct str name)
{
    AUTO_BUF struct buf decoded = BUF_INIT(DECODED_MAX);
    size_t open = strlen(ENCODED), close = strlen(ENCODED_END);
    if (!is_plain(header)) {
        return false;
    }
    if (!str_starts(header, ENCODED) || header.len < open + close ||
        memcmp(header.ptr + header.len - close, ENCODED_END, close) != 0) {
        return str_equal(header, name);
    }
    return base64_decode(str_n(header.ptr + open, header.len - open - close), &decoded) &&
           str_equal(buf_str(&decoded), name);
}

/* The member of params that the header Mcp-Name repeats; NULL: none. */
static const char *named_by(const char *method)
{
    return strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0 ? "name"
           : strcmp(method, "resources/read") == 0                                 ? "uri"
                                                                                   : NULL;
}

static bool check_headers(const struct mcp_request *r, const struct mcp_headers *headers,
                          struct mcp_fault *ret)
{
    const char *member = named_by(r->method);
    struct str method = str_trim(headers->method), name = str_trim(headers->name);
    if (method.len == 0) {
        return mcp_fail(ret, 400, MCP_HEADER_MISMATCH, "Header mismatch: Mcp-Method is missing");
    }
    if (!str_equal_c(method, r->method)) {
        return mcp_fail(ret, 400, MCP_HEADER_MISMATCH,
                        "Header mismatch: Mcp-Method is not the method of the body, %.60s",
                        r->method);
    }
    if (member == NULL) {
        return true;
    }
    if (!json_is_text(json_get(r->params, member))) {
        return mcp_fail(ret, 400, MCP_INVALID_PARAMS, "params.%s must be a text", member);
    }
    if (name.len == 0) {
        return mcp_fail(ret, 400, MCP_HEADER_MISMATCH, "Header mismatch: Mcp-Name is missing");
    }
    return name_matches(name, json_str(r->params, member)) ||
           mcp_fail(ret, 400, MCP_HEADER_MISMATCH,
                    "Header mismatch: Mcp-Name is not params.%s of the body", member);
}

static bool check_modern(const struct mcp_request *r, const struct mcp_headers *headers,
                         struct mcp_fault *ret)
{
    struct json_object *meta = json_get(r->params, "_meta");
    struct json_object *version = json_get(meta, META "protocolVersion");
    struct str header = str_trim(headers->version);
    if (!json_is_text(version)) {
        return mcp_fail(ret, 400, MCP_INVALID_PARAMS,
                        "params._meta must have the text " META "protocolVersion");
    }
    if (!json_is_object(json_get(meta, META "clientCapabilities"))) {
        return mcp_fail(ret, 400, MCP_INVALID_PARAMS,
                        "params._meta must have the object " META "clientCapabilities");
    }
    if (header.len == 0 || !str_equal(header, json_value_str(version))) {
        return mcp_fail(ret, 400, MCP_HEADER_MISMATCH,
                        header.len == 0
                            ? "Header mismatch: MCP-Protocol-Version is missing"
                            : "Header mismatch: MCP-Protocol-Version is not the version in _meta");
    }
    if (!str_equal_c(header, MCP_MODERN_VERSION)) {
        return unsupported(ret, header);
    }
    return check_headers(r, headers, ret);
}

/* ---------------------------------------------------------------- the message */

static bool parse(struct str body, struct json_object **ret, struct mcp_fault *ret_fault)
{
    struct err err = {0};
    const struct json_limits limits = {.max_bytes = API_BODY_MAX, .max_depth = DEPTH_MAX};
    if (json_parse(body, &limits, ret, &err) < 0) {
        bool limit = err.id == ERR_JSON_LIMIT;
        return mcp_fail(ret_fault, 400, limit ? MCP_INVALID_REQUEST : MCP_PARSE_ERROR, "%s: %s",
                        limit ? "Invalid request" : "Parse error", err.context);
    }
    if (json_is_array(*ret)) {
        return mcp_fail(ret_fault, 400, MCP_INVALID_REQUEST,
                        "Invalid request: a batch; send each message by itself");
    }
    return json_is_object(*ret) ||
           mcp_fail(ret_fault, 400, MCP_INVALID_REQUEST, "Invalid request: not an object");
}

/* The id first, so that a refusal can name it. */
static bool read_envelope(struct mcp_request *r, struct mcp_fault *ret)
{
    struct json_object *id = NULL, *method = json_get(r->root, "method");
    struct json_object *params = NULL;
    if (json_object_object_get_ex(r->root, "id", &id)) {
        if (!json_is_text(id) && !json_object_is_type(id, json_type_int)) {
            return mcp_fail(ret, 400, MCP_INVALID_REQUEST,
                            "Invalid request: id must be a text or a whole number");
        }
        r->id = id;
    }
    if (strcmp(json_text(r->root, "jsonrpc"), "2.0") != 0) {
        return mcp_fail(ret, 400, MCP_INVALID_REQUEST, "Invalid request: jsonrpc must be \"2.0\"");
    }
    if (method == NULL && (json_object_object_get_ex(r->root, "result", NULL) ||
                           json_object_object_get_ex(r->root, "error", NULL))) {
        return mcp_fail(ret, 400, MCP_INVALID_REQUEST,
                        "Invalid request: a response; nothing was asked of this client");
    }
    r->method = json_text(r->root, "method");
    if (!json_is_text(method) || r->method[0] == '\0' || strlen(r->method) > METHOD_MAX) {
        return mcp_fail(ret, 400, MCP_INVALID_REQUEST,
                        "Invalid request: method must be a text of 1 to %d bytes", METHOD_MAX);
    }
    if (json_object_object_get_ex(r->root, "params", &params) && !json_is_object(params)) {
        return mcp_fail(ret, 400, MCP_INVALID_PARAMS, "params must be an object");
    }
    r->params = params;
    return true;
}

bool mcp_read(struct str body, const struct mcp_headers *headers, struct mcp_request *ret,
              struct mcp_fault *ret_fault)
{
    *ret = (struct mcp_request){0};
    if (!parse(body, &ret->root, ret_fault) || !read_envelope(ret, ret_fault)) {
        return false;
    }
    struct str version = str_trim(headers->version);
    struct json_object *meta = json_get(ret->params, "_meta");
    bool initialize = strcmp(ret->method, "initialize") == 0;
    ret->modern = json_object_object_get_ex(meta, META "protocolVersion", NULL) ||
                  (!initialize && str_equal_c(version, MCP_MODERN_VERSION));
    if (ret->id == NULL) {
        return true; /* headers of notifications are not defined */
    }
    if (ret->modern) {
        return check_modern(ret, headers, ret_fault);
    }
    if (initialize || is_legacy(version)) {
        return true;
    }
    return version.len == 0 ? mcp_fail(ret_fault, 400, MCP_HEADER_MISMATCH,
                                       "Header mismatch: MCP-Protocol-Version is missing")
                            : unsupported(ret_fault, version);
}

/* ---------------------------------------------------------------- the answer */

static void add_server(struct json_out *out, const char *key)
{
    json_out_object(out, key);
    json_out_text(out, "name", "nightdesk");
    json_out_text(out, "title", "nightdesk");
    json_out_text(out, "version", NIGHTDESK_VERSION);
    json_out_end(out);
}

void mcp_begin(const struct mcp_request *request, struct json_out *out)
{
    json_out_object(out, NULL);
    json_out_text(out, "jsonrpc", "2.0");
    json_out_value(out, "id", request->id);
    json_out_object(out, "result");
    if (request->modern) {
        json_out_text(out, "resultType", "complete");
        json_out_object(out, "_meta");
        add_server(out, META "serverInfo");
        json_out_end(out);
    }
    if (strcmp(request->method, "initialize") == 0) {
        add_server(out, "serverInfo");
    }
}

void mcp_end(struct json_out *out)
{
    json_out_end(out);
    json_out_end(out);
}

void mcp_cache(const struct mcp_request *request, struct json_out *out, int64_t ttl_ms, bool all)
{
    if (request->modern) {
        json_out_i64(out, "ttlMs", ttl_ms);
        json_out_text(out, "cacheScope", all ? "public" : "private");
    }
}

/* Without an id if it could not be read, as the schema of the protocol has it. */
void mcp_fault_json(const struct mcp_request *request, const struct mcp_fault *fault,
                    struct buf *body)
{
    struct json_out out = JSON_OUT(body);
    json_out_object(&out, NULL);
    json_out_text(&out, "jsonrpc", "2.0");
    if (request->id != NULL) {
        json_out_value(&out, "id", request->id);
    }
    json_out_object(&out, "error");
    json_out_i64(&out, "code", fault->code);
    json_out_text(&out, "message", fault->message);
    if (fault->code == MCP_UNSUPPORTED_VERSION) {
        json_out_object(&out, "data");
        json_out_array(&out, "supported");
        json_out_text(&out, NULL, MCP_MODERN_VERSION);
        json_out_text(&out, NULL, "2025-11-25");
        json_out_text(&out, NULL, "2025-06-18");
        json_out_end(&out);
        json_out_text(&out, "requested", fault->requested);
        json_out_end(&out);
    } else if (fault->uri[0] != '\0') {
        json_out_object(&out, "data");
        json_out_text(&out, "uri", fault->uri);
        json_out_end(&out);
    }
    json_out_end(&out);
    json_out_end(&out);
}

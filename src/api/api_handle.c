#include "api_internal.h"
#include "io/secret.h"
#include "model/model_json.h"

#define HEALTH_PATH   "/healthz"
#define LISTS_PATH    "/api/v1/"
#define COMMANDS_PATH "/api/v1/commands/"
#define PING_PATH     "/ping/"
#define NAME_MAX_LEN  32

void api_answer_err(struct web_request *request, const struct err *err)
{
    AUTO_BUF struct buf body = BUF_INIT(8192);
    struct json_out out = JSON_OUT(&body);
    json_out_document(&out, "nightdesk.error/1");
    model_json_err(&out, err);
    json_out_end(&out);
    buf_add_char(&body, '\n');
    const char *headers[] = {NULL, NULL};
    if (err->id == ERR_API_UNAUTHORIZED) {
        headers[0] = "WWW-Authenticate: Bearer";
    }
    web_answer(request, &(struct web_answer){
                            .status = err_info(err->id)->http_status,
                            .content_type = "application/json",
                            .headers = headers,
                            .body = buf_str(&body),
                        });
}

__attribute__((format(printf, 3, 4))) static void refuse(struct web_request *request,
                                                         enum err_id id, const char *format, ...)
{
    char context[200];
    va_list args;
    va_start(args, format);
    if (vsnprintf(context, sizeof(context), format, args) < 0) {
        context[0] = '\0';
    }
    va_end(args);
    struct err err = {0};
    (void)err_set(&err, id, "%s", context);
    api_answer_err(request, &err);
}

/* "127.0.0.1", "localhost" or "[::1]", with any port. With DNS rebinding the Host is the web page's
 * own name, which is none of them. */
static bool host_is_local(struct str host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);
        if (str_equal_nocase(str_n(host.ptr, host.len < len ? host.len : len), names[i]) &&
            (host.len == len || host.ptr[len] == ':')) {
            return true;
        }
    }
    return false;
}

static bool origin_is_local(struct str origin)
{
    return str_starts(origin, "http://") && host_is_local(str_n(origin.ptr + 7, origin.len - 7));
}

static bool token_matches(const char *token, struct str authorization)
{
    if (token[0] == '\0' || !str_starts(authorization, "Bearer ")) {
        return false;
    }
    struct str given = str_n(authorization.ptr + 7, authorization.len - 7);
    return secret_equal(given, str_c(token));
}

static bool uid_may_read(const struct api_readers *readers, int64_t uid)
{
    for (int i = 0; i < readers->uid_count; i++) {
        if (readers->uids[i] == uid) {
            return true;
        }
    }
    return uid == 0 || uid == readers->own_uid;
}

/* True if the caller may read; otherwise it has been answered. */
static bool admit_socket(struct listener *listener, struct web_request *request)
{
    int64_t uid = web_peer_uid(request);
    if (uid_may_read(mailbox_latest(listener->readers, NULL), uid)) {
        return true;
    }
    refuse(request, ERR_API_UID, "uid %lld is not in api.local_users", (long long)uid);
    return false;
}

static bool admit_tcp(struct listener *listener, struct web_request *request)
{
    struct str origin = web_header(request, "Origin");
    if (!host_is_local(web_header(request, "Host")) ||
        (origin.len > 0 && !origin_is_local(origin))) {
        refuse(request, ERR_API_FOREIGN, "Host and Origin must name this machine");
        return false;
    }
    const struct api_readers *readers = mailbox_latest(listener->readers, NULL);
    if (str_equal_c(web_path(request), HEALTH_PATH) ||
        str_starts(web_path(request), PING_PATH) || /* its key is in the path */
        token_matches(readers->token, web_header(request, "Authorization")) ||
        (clock_wall_us(clock_real()) < readers->before_until_us &&
         token_matches(readers->before, web_header(request, "Authorization")))) {
        return true;
    }
    refuse(request, ERR_API_UNAUTHORIZED, "%s",
           readers->token[0] == '\0' ? "no api.token is configured"
                                     : "the bearer token does not match");
    return false;
}

static void answer_health(struct listener *listener, struct web_request *request)
{
    const struct shared *shared = listener->api->shared;
    AUTO_BUF struct buf body = BUF_INIT(1024);
    bool healthy = api_health_json(shared_reader_snapshot(listener->reader), shared,
                                   clock_mono_us(clock_real()), &body);
    web_answer_json(request, healthy ? 200 : 503, buf_str(&body));
}

static bool name_is_valid(struct str name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return true;
}

static void handle_command(struct listener *listener, struct web_request *request, struct str name)
{
    char text[NAME_MAX_LEN + 1];
    if (!name_is_valid(name)) {
        refuse(request, ERR_API_NOT_FOUND,
               "a command's name has at most 32 characters of [a-z0-9_]");
        return;
    }
    (void)str_copy(name, text, sizeof(text));
    struct api_command command;
    struct err err = {0};
    if (api_command_read(text, web_body(request), &command, &err) < 0) {
        api_answer_err(request, &err);
    } else {
        api_command_submit(listener, request, &command);
    }
    api_command_release(&command);
}

bool api_allows(struct web_request *request, const char *method)
{
    if (str_equal_c(web_method(request), method)) {
        return true;
    }
    refuse(request, ERR_API_METHOD, "%.*s, but this path accepts only %s",
           STR_ARG(web_method(request)), method);
    return false;
}

static bool starts_rest(struct str path, const char *prefix, struct str *ret_rest)
{
    size_t skip = strlen(prefix);
    *ret_rest = path.len >= skip ? str_n(path.ptr + skip, path.len - skip) : str_c("");
    return str_starts(path, prefix);
}

/* A command's caller is identified by the ops thread, a reader here. */
void api_handle(struct web_request *request, void *userdata)
{
    struct listener *listener = userdata;
    struct str path = web_path(request), rest;
    bool socket = listener->channel == CHANNEL_SOCKET;
    if (!socket && !admit_tcp(listener, request)) {
        return;
    }
    if (str_equal_c(path, HEALTH_PATH)) {
        if (api_allows(request, "GET")) {
            answer_health(listener, request);
        }
    } else if (starts_rest(path, COMMANDS_PATH, &rest)) {
        if (api_allows(request, "POST")) {
            handle_command(listener, request, rest);
        }
    } else if (starts_rest(path, PING_PATH, &rest)) {
        api_ping_handle(listener, request, rest);
    } else if (socket && !admit_socket(listener, request)) {
        return;
    } else if (str_equal_c(path, "/api/v1/state")) {
        if (api_allows(request, "GET")) {
            api_state_answer(listener, request);
        }
    } else if (str_equal_c(path, "/api/v1/events")) {
        if (api_allows(request, "GET")) {
            api_events_handle(listener, request);
        }
    } else if (str_equal_c(path, "/api/v1/complete")) {
        if (api_allows(request, "POST")) {
            api_complete_handle(listener, request);
        }
    } else if (!starts_rest(path, LISTS_PATH, &rest) || !api_read_list(listener, request, rest)) {
        refuse(request, ERR_API_NOT_FOUND, "%.*s", path.len > 100 ? 100 : (int)path.len, path.ptr);
    }
}

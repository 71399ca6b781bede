/* From a request to its handler: who may call what. */
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "io/secret.h"
#include "stream.h"

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

static enum role role_of_uid(const struct api_readers *readers, int64_t uid)
{
    if (uid == 0 || uid == readers->own_uid) {
        return ROLE_ADMIN;
    }
    for (int i = 0; i < readers->uid_count; i++) {
        if (readers->uids[i].uid == uid) {
            return readers->uids[i].role;
        }
    }
    return ROLE_NONE;
}

/* The role of the caller at the socket. */
static int admit_socket(struct api_call *call, struct err *err)
{
    int64_t uid = web_peer_uid(call->request);
    call->role = role_of_uid(mailbox_latest(call->listener->readers, NULL), uid);
    return call->role == ROLE_NONE
               ? err_set(err, ERR_API_UID, "uid %lld is not in api.local_users", (long long)uid)
               : 0;
}

static int admit_tcp(struct api_call *call, struct err *err)
{
    struct str authorization = web_header(call->request, "Authorization");
    const struct api_readers *readers = mailbox_latest(call->listener->readers, NULL);
    if (token_matches(readers->token, authorization) ||
        (clock_wall_us(clock_real()) < readers->before_until_us &&
         token_matches(readers->before, authorization))) {
        call->role = ROLE_OPERATOR;
        return 0;
    }
    return err_set(err, ERR_API_UNAUTHORIZED, "%s",
                   readers->token[0] == '\0' ? "no api.token is configured"
                                             : "the bearer token does not match");
}

static int check_origin(const struct api_call *call, struct err *err)
{
    struct str origin = web_header(call->request, "Origin");
    return host_is_local(web_header(call->request, "Host")) &&
                   (origin.len == 0 || origin_is_local(origin))
               ? 0
               : err_set(err, ERR_API_FOREIGN, "Host and Origin must name this machine");
}

/* A path that is not served is answered to those only who may read. */
static int admit(struct api_call *call, struct err *err)
{
    bool socket = call->listener->channel == CHANNEL_SOCKET;
    enum route_gate gate = call->route == NULL ? ROUTE_ROLE : call->route->gate;
    int rc = socket ? 0 : check_origin(call, err);
    if (rc < 0 || gate == ROUTE_OPEN || (gate == ROUTE_OPS && socket)) {
        return rc;
    }
    call->listener->caller = socket ? web_peer_uid(call->request) : 0;
    rc = socket ? admit_socket(call, err)
         : gate == ROUTE_TICKET && web_has_query(call->request, "ticket")
             ? stream_ticket_admit(call, err)
             : admit_tcp(call, err);
    if (rc == 0 && call->route != NULL && call->role < call->route->least) {
        rc = err_set(err, ERR_ACCESS_DENIED, "%s needs %s, and the caller is %s", call->route->path,
                     role_name(call->route->least), role_name(call->role));
    }
    return rc;
}

/* Of a request that no row serves. `here`: others serve its path. */
static void refuse(struct web_request *request, bool here)
{
    struct str path = web_path(request), method = web_method(request);
    int shown = path.len > 100 ? 100 : (int)path.len;
    char text[128] = "";
    struct err err = {0};
    if (here) {
        char allow[80] = "Allow: ";
        const char *headers[] = {allow, NULL};
        route_methods(path, text, sizeof(text));
        (void)str_copy(str_c(text), allow + 7, sizeof(allow) - 7);
        (void)err_set(&err, ERR_API_METHOD, "%.*s, but this path accepts only %s",
                      method.len > 20 ? 20 : (int)method.len, method.ptr, text);
        api_answer_problem(request, &err, headers);
        return;
    }
    bool near = route_nearest(path, text, sizeof(text));
    (void)err_set(&err, ERR_API_NOT_FOUND, "%.*s%s%s%s", shown, path.ptr,
                  near ? "; did you mean " : "", text, near ? "?" : "");
    api_answer_err(request, &err);
}

void api_handle(struct web_request *request, void *userdata)
{
    bool here = false;
    struct err err = {0};
    struct api_call call = {.listener = userdata, .request = request};
    call.route = route_find(web_method(request), web_path(request), &here);
    if (admit(&call, &err) < 0) {
        api_answer_err(request, &err);
    } else if (call.route == NULL) {
        refuse(request, here);
    } else if (api_call_read(&call, &err) < 0) {
        api_answer_err(request, &err);
    } else {
        call.route->handle(&call);
    }
    api_call_release(&call);
}

#include "cli_link.h"

#include "ops/ops.h"

#include <errno.h>
#include <string.h>

#define HOST "http://localhost"

int cli_link_open(struct cli_link *link, const struct cli_args *args, struct err *err)
{
    AUTO_CONFIG struct config *config = NULL;
    const char *given = cli_value(args, "--socket");
    *link = (struct cli_link){.socket = BUF_INIT(4096), .state = BUF_INIT(4096)};
    int rc = cli_load_config_without_secrets(args, &config, err);
    if (rc < 0) {
        return rc;
    }
    if (given != NULL) {
        const char *slash = strrchr(given, '/');
        buf_add_c(&link->socket, given);
        buf_add_c(&link->state, slash == NULL ? "." : "");
        buf_add(&link->state, given, slash == NULL ? 0 : (size_t)(slash - given));
    } else {
        buf_add_c(&link->state, cli_find_state_dir(args, config));
        rc = ops_socket_path(config, link->state.data, &link->socket, err);
    }
    if (rc == 0 && (buf_failed(&link->socket) || buf_failed(&link->state))) {
        rc = err_set(err, ERR_CLI_USAGE, "the path of the socket is too long");
    }
    if (rc == 0 && ((link->loop = loop_new(err)) == NULL ||
                    (link->http = http_new(link->loop, err)) == NULL)) {
        rc = -ERR_LOOP_SETUP;
    }
    return rc;
}

void cli_link_close(struct cli_link *link)
{
    http_free(link->http);
    loop_free(link->loop);
    buf_release(&link->socket);
    buf_release(&link->state);
}

struct http_call *cli_link_send(struct cli_link *link, const struct http_request *like,
                                const char *path, http_fn fn, void *userdata, struct err *err)
{
    AUTO_BUF struct buf url = BUF_INIT(CLI_LINE_MAX);
    struct http_request request = *like;
    buf_addf(&url, "%s%s", path[0] == '/' ? HOST : "", path);
    request.url = url.data;
    request.unix_path = link->socket.data;
    request.max_body_bytes = CLI_ANSWER_MAX;
    if (buf_failed(&url)) {
        (void)err_set(err, ERR_CLI_USAGE, "the command is too long");
        return NULL;
    }
    return http_send(link->http, &request, fn, userdata, err);
}

static int send_to(struct cli_link *link, const struct http_request *like, const char *path,
                   http_fn fn, void *userdata, struct err *err)
{
    return cli_link_send(link, like, path, fn, userdata, err) == NULL ? -(int)err->id : 0;
}

int cli_link_get(struct cli_link *link, const char *path, int64_t timeout_ms, http_fn fn,
                 void *userdata, struct err *err)
{
    return send_to(link, &(struct http_request){.timeout_ms = timeout_ms}, path, fn, userdata, err);
}

int cli_link_post(struct cli_link *link, const char *path, struct str json, int64_t timeout_ms,
                  http_fn fn, void *userdata, struct err *err)
{
    const struct http_request like = {
        .body = json, .content_type = "application/json", .timeout_ms = timeout_ms};
    return send_to(link, &like, path, fn, userdata, err);
}

int cli_link_check(const struct cli_link *link, const struct http_response *response,
                   struct err *err)
{
    if (response->outcome == HTTP_OK) {
        return 0;
    }
    const char *path = link->socket.data;
    if (response->err.id != ERR_HTTP_CONNECT) {
        return err_set(err, ERR_CLI_ANSWER, "%s", err_info(response->err.id)->message);
    }
    return access(path, W_OK) < 0 && errno == EACCES
               ? err_set(err, ERR_CLI_SOCKET_DENIED, "%s", path)
               : err_set(err, ERR_CLI_NO_DAEMON, "%s", path);
}

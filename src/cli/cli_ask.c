#include "base/clock.h"
#include "cli_internal.h"
#include "command/reply_json.h"
#include "io/http.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "ops/ops.h"

/* Longer than the timeouts of any command's steps. */
#define ANSWER_TIMEOUT_MS (15 * USEC_PER_MIN / USEC_PER_MSEC)

/* One request to the daemon and its answer. */
struct exchange {
    struct loop *loop;
    struct buf *body;
    struct err err;
};

static void on_answer(const struct http_response *response, void *userdata)
{
    struct exchange *x = userdata;
    if (response->outcome == HTTP_OK) {
        buf_clear(x->body);
        buf_add_str(x->body, response->body);
    } else {
        x->err = response->err;
    }
    loop_exit(x->loop, 0);
}

/* "restart demo" → /api/v1/commands/restart and {"args":"demo"}. */
static int write_request(const struct cli_request *request, struct buf *url, struct buf *json,
                         struct err *err)
{
    struct str rest = str_c(request->line), name;
    if (!str_word(&rest, &name)) {
        return err_set(err, ERR_CLI_USAGE, "the command is empty");
    }
    if (name.len > 1 && name.ptr[0] == '/') {
        name = str_n(name.ptr + 1, name.len - 1);
    }
    buf_add_c(url, "http://localhost/api/v1/commands/");
    http_add_encoded(url, name);
    struct json_out out = JSON_OUT(json);
    json_out_object(&out, NULL);
    json_out_bool(&out, "confirm", request->confirm);
    if (request->otp != NULL) {
        json_out_text(&out, "otp", request->otp);
    }
    rest = str_trim(rest);
    if (rest.len > 0) {
        json_out_str(&out, "args", rest);
    }
    json_out_end(&out);
    if (buf_failed(url) || buf_failed(json)) {
        return err_set(err, ERR_CLI_USAGE, "the command is too long");
    }
    return 0;
}

static int send_and_wait(const struct http_request *request, struct exchange *x, struct err *err)
{
    struct http *http = http_new(x->loop, err);
    if (http == NULL) {
        return -ERR_LOOP_SETUP;
    }
    int rc = 0;
    if (http_send(http, request, on_answer, x, err) == NULL) {
        rc = -ERR_HTTP_URL;
    } else {
        (void)loop_run(x->loop);
    }
    http_free(http);
    if (rc == 0 && x->err.id == ERR_HTTP_CONNECT) {
        return err_set(err, ERR_CLI_NO_DAEMON, "%s", request->unix_path);
    }
    if (rc == 0 && x->err.id != ERR_NONE) {
        return err_set(err, ERR_CLI_ANSWER, "%s", err_info(x->err.id)->message);
    }
    return rc;
}

int cli_ask(const struct config *config, const char *state_dir, const struct cli_request *request,
            struct buf *ret_body, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_BUF struct buf url = BUF_INIT(CLI_LINE_MAX);
    AUTO_BUF struct buf json = BUF_INIT(CLI_LINE_MAX);
    int rc = ops_socket_path(config, state_dir, &path, err);
    if (rc == 0) {
        rc = write_request(request, &url, &json, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct exchange x = {.loop = loop_new(err), .body = ret_body};
    if (x.loop == NULL) {
        return -ERR_LOOP_SETUP;
    }
    rc = send_and_wait(&(struct http_request){.url = url.data,
                                              .body = buf_str(&json),
                                              .content_type = "application/json",
                                              .unix_path = path.data,
                                              .timeout_ms = ANSWER_TIMEOUT_MS,
                                              .max_body_bytes = CLI_ANSWER_MAX},
                       &x, err);
    loop_free(x.loop);
    return rc;
}

int cli_read_answer(const struct buf *body, struct reply **ret_reply, struct err *ret_refusal,
                    struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    if (json_parse(buf_str(body), &JSON_LIMITS_DEFAULT, &root, err) < 0 || !json_is_object(root)) {
        return err_set(err, ERR_CLI_ANSWER, "%zu bytes that are not a JSON object", body->len);
    }
    const char *code = json_text(root, "error_code");
    if (code[0] == '\0') {
        return reply_json_read(body->data, body->len, ret_reply, err);
    }
    enum err_id id = err_by_code(code);
    (void)err_set(ret_refusal, id != ERR_NONE ? id : ERR_CLI_ANSWER, "%s",
                  json_text(root, "context"));
    return 0;
}

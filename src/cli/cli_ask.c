#include "base/clock.h"
#include "cli_internal.h"
#include "command/reply_json.h"
#include "io/http.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "ops/ops.h"

#include <errno.h>
#include <string.h>

/* Longer than the timeouts of any command's steps. */
#define ANSWER_TIMEOUT_MS (15 * USEC_PER_MIN / USEC_PER_MSEC)

/* A command that takes longer gets the number of its run printed, so that its outcome can be looked
 * up should this process end before the answer. */
#define LONG_RUN_US  USEC_PER_SEC
#define RUNS_URL     "http://localhost/api/v1/runs?limit=20"
#define RUNS_WAIT_MS 2000

/* One request to the daemon and its answer. */
struct exchange {
    struct loop *loop;
    struct http *http;
    const struct http_request *request;
    struct str command; /* its name */
    int64_t started_us; /* wall clock */
    int64_t run_id;     /* 0: not known */
    struct buf *body;
    struct err err;
};

/* The newest run of the command that came over the socket since the request was sent. */
static int64_t find_run(const struct exchange *x, struct str body)
{
    AUTO_JSON struct json_object *root = NULL;
    AUTO_BUF struct buf since = BUF_INIT(64);
    if (json_parse(body, &JSON_LIMITS_DEFAULT, &root, NULL) < 0) {
        return 0;
    }
    struct json_object *runs = json_get(root, "runs");
    clock_add_iso(&since, x->started_us, true);
    for (size_t i = 0; i < json_len(runs); i++) {
        struct json_object *run = json_item(runs, i);
        if (str_equal_c(x->command, json_text(run, "command")) &&
            strcmp(json_text(run, "channel"), "socket") == 0 &&
            strcmp(json_text(run, "state"), "running") == 0 &&
            strcmp(json_text(run, "created_at"), since.data) >= 0) {
            return json_i64(run, "id", 0);
        }
    }
    return 0;
}

static void on_runs(const struct http_response *response, void *userdata)
{
    struct exchange *x = userdata;
    x->run_id = response->outcome == HTTP_OK ? find_run(x, response->body) : 0;
    if (x->run_id != 0) {
        (void)fprintf(stderr, "Run %lld. If the answer is lost: nightdesk do runs %lld\n",
                      (long long)x->run_id, (long long)x->run_id);
    }
}

static void on_long_run(void *userdata)
{
    struct exchange *x = userdata;
    (void)http_send(x->http,
                    &(struct http_request){.url = RUNS_URL,
                                           .unix_path = x->request->unix_path,
                                           .timeout_ms = RUNS_WAIT_MS,
                                           .max_body_bytes = CLI_ANSWER_MAX},
                    on_runs, x, NULL);
}

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

static struct str command_name(const char *line)
{
    struct str rest = str_c(line), name = str_c("");
    (void)str_word(&rest, &name);
    return name.len > 1 && name.ptr[0] == '/' ? str_n(name.ptr + 1, name.len - 1) : name;
}

/* "restart demo" → /api/v1/commands/restart and {"args":"demo"}. */
int cli_ask_write(const struct cli_request *request, struct buf *url, struct buf *json,
                  struct err *err)
{
    struct str rest = str_c(request->line), name;
    if (!str_word(&rest, &name)) {
        return err_set(err, ERR_CLI_USAGE, "the command is empty");
    }
    buf_add_c(url, "http://localhost/api/v1/commands/");
    http_add_encoded(url, command_name(request->line));
    struct json_out out = JSON_OUT(json);
    json_out_object(&out, NULL);
    json_out_bool(&out, "confirm", request->confirm);
    if (request->otp != NULL) {
        json_out_text(&out, "otp", request->otp);
    }
    if (request->document != NULL) {
        json_out_text(&out, "document", request->document);
    }
    rest = str_trim(rest);
    if (rest.len > 0) {
        json_out_str(&out, "args", rest);
    }
    json_out_end(&out);
    if (buf_failed(json) && request->document != NULL) {
        return err_set(err, ERR_CLI_TEXT, "%zu bytes, and as JSON more than %zu",
                       strlen(request->document), json->max);
    }
    if (buf_failed(url) || buf_failed(json)) {
        return err_set(err, ERR_CLI_USAGE, "the command is too long");
    }
    return 0;
}

static int send_and_wait(const struct http_request *request, struct exchange *x, struct err *err)
{
    x->request = request;
    x->http = http_new(x->loop, err);
    if (x->http == NULL) {
        return -ERR_LOOP_SETUP;
    }
    struct loop_source *timer = loop_add_timer(x->loop, on_long_run, x);
    int rc = 0;
    if (http_send(x->http, request, on_answer, x, err) == NULL) {
        rc = -ERR_HTTP_URL;
    } else {
        loop_timer_in(timer, LONG_RUN_US);
        (void)loop_run(x->loop);
    }
    loop_source_free(timer);
    http_free(x->http);
    if (rc == 0 && x->err.id == ERR_HTTP_CONNECT && access(request->unix_path, W_OK) < 0 &&
        errno == EACCES) {
        return err_set(err, ERR_CLI_SOCKET_DENIED, "%s", request->unix_path);
    }
    if (rc == 0 && x->err.id == ERR_HTTP_CONNECT) {
        return err_set(err, ERR_CLI_NO_DAEMON, "%s", request->unix_path);
    }
    if (rc == 0 && x->err.id != ERR_NONE) {
        const char *why = err_info(x->err.id)->message;
        return x->run_id == 0
                   ? err_set(err, ERR_CLI_ANSWER, "%s", why)
                   : err_set(err, ERR_CLI_ANSWER, "%s; run %lld", why, (long long)x->run_id);
    }
    return rc;
}

int cli_ask(const struct config *config, const char *state_dir, const struct cli_request *request,
            struct buf *ret_body, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_BUF struct buf url = BUF_INIT(CLI_LINE_MAX);
    AUTO_BUF struct buf json = BUF_INIT(CLI_BODY_MAX);
    int rc = ops_socket_path(config, state_dir, &path, err);
    if (rc == 0) {
        rc = cli_ask_write(request, &url, &json, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct exchange x = {.loop = loop_new(err),
                         .body = ret_body,
                         .command = command_name(request->line),
                         .started_us = clock_wall_us(clock_real())};
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

int cli_read_answer(struct buf *body, struct reply **ret_reply, struct err *ret_refusal,
                    struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    if (json_parse(buf_str(body), &JSON_LIMITS_DEFAULT, &root, err) < 0 || !json_is_object(root)) {
        return err_set(err, ERR_CLI_ANSWER, "%zu bytes that are not a JSON object", body->len);
    }
    const char *code = json_text(root, "error_code");
    struct json_object *failed = json_get(root, "reply"); /* of a command that has failed */
    if (failed != NULL) {
        buf_clear(body);
        json_add_text(body, failed);
        buf_add_char(body, '\n');
        return reply_json_read(body->data, body->len, ret_reply, err);
    }
    if (code[0] == '\0') {
        return reply_json_read(body->data, body->len, ret_reply, err);
    }
    enum err_id id = err_by_code(code);
    (void)err_set(ret_refusal, id != ERR_NONE ? id : ERR_CLI_ANSWER, "%s",
                  json_text(root, "context"));
    return 0;
}

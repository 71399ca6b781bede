#include "base/log.h"
#include "cli_internal.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/web.h"

#include <signal.h>

#define PORT_DEFAULT 8099

static void answer(struct web_request *request, int code, const char *status)
{
    AUTO_BUF struct buf body = BUF_INIT(128);
    struct json_out out = JSON_OUT(&body);
    json_out_object(&out, NULL);
    json_out_text(&out, "status", status);
    json_out_i64(&out, "pid", getpid());
    json_out_end(&out);
    buf_add_char(&body, '\n');
    web_answer_json(request, code, buf_str(&body));
}

/* Runs on the server's own thread. */
static void on_request(struct web_request *request, void *userdata)
{
    (void)userdata;
    if (!str_equal_c(web_path(request), "/health")) {
        answer(request, 404, "not found");
        return;
    }
    answer(request, 200, "ok");
}

static void on_stop(void *userdata)
{
    loop_exit(userdata, CLI_FINE);
}

static int serve(int64_t port, struct err *err)
{
    struct loop *loop = loop_new(err);
    if (loop == NULL) {
        return -err->id;
    }
    struct web *web = NULL;
    struct loop_source *term = loop_add_signal(loop, SIGTERM, on_stop, loop, err);
    struct loop_source *interrupt =
        term == NULL ? NULL : loop_add_signal(loop, SIGINT, on_stop, loop, err);
    int rc = interrupt == NULL ? -err->id : 0;
    if (rc == 0) {
        const struct web_options options = {
            .port = (uint16_t)port, .limits = {.max_connections = 16}, .handler = on_request};
        rc = web_start(&options, &web, err);
    }
    if (rc == 0) {
        LOG(INFO, "demo service on 127.0.0.1:%u", (unsigned)web_port(web));
        (void)loop_run(loop);
    }
    web_stop(web);
    loop_source_free(term);
    loop_source_free(interrupt);
    loop_free(loop);
    return rc;
}

static int run(const struct cli_args *args)
{
    int64_t port = PORT_DEFAULT;
    struct err err = {0};
    log_set_level(LOG_LEVEL_INFO);
    if (cli_number(args, "--port", 1, 65535, &port, &err) < 0 || serve(port, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    return CLI_FINE;
}

const struct cli_command cmd_demo_service = {
    .name = "demo-service",
    .summary = "A small HTTP service to watch and restart (GET /health)",
    .words = "",
    .options = {{"--port", "N", "port on 127.0.0.1 (default 8099)"}},
    .more =
        "The default configuration runs one under the name demo, so that /services has something\n"
        "to show and /restart something to restart.",
    .exits = "  0  stopped by SIGTERM or SIGINT\n"
             "  2  the port is in use, or wrong usage\n",
    .run = run,
};

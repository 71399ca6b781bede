#include "chat/render.h"
#include "cli_internal.h"
#include "command/reply.h"
#include "io/http.h"
#include "io/json.h"
#include "io/loop.h"
#include "ops/ops.h"

/* Longer than any command may take by its steps' time-outs. */
#define ANSWER_TIMEOUT_MS INT64_C(900000)
#define ANSWER_MAX_BYTES  ((size_t)1 << 20)
#define LINE_MAX_BYTES    ((size_t)16 * 1024)

/* One request to the daemon and what came of it. */
struct exchange {
    struct loop *loop;
    struct buf body;
    struct err err;
};

static void on_answer(const struct http_response *response, void *userdata)
{
    struct exchange *x = userdata;
    if (response->outcome == HTTP_OK) {
        buf_clear(&x->body);
        buf_add_str(&x->body, response->body);
    } else {
        x->err = response->err;
    }
    loop_exit(x->loop, 0);
}

/* "restart demo" → POST /api/v1/commands/restart {"args":"demo"}. */
static int ask(struct exchange *x, const char *socket_path, const char *line, bool confirm,
               struct err *err)
{
    struct str rest = str_c(line), name;
    if (!str_word(&rest, &name)) {
        return err_set(err, ERR_CLI_USAGE, "the command is empty");
    }
    if (name.len > 1 && name.ptr[0] == '/') {
        name = str_n(name.ptr + 1, name.len - 1);
    }
    AUTO_BUF struct buf url = BUF_INIT(LINE_MAX_BYTES);
    buf_add_c(&url, "http://localhost/api/v1/commands/");
    http_add_encoded(&url, name);
    AUTO_BUF struct buf json = BUF_INIT(4 * LINE_MAX_BYTES);
    rest = str_trim(rest);
    buf_addf(&json, "{\"confirm\":%s", confirm ? "true" : "false");
    if (rest.len > 0) {
        buf_add_c(&json, ",\"args\":\"");
        buf_add_json(&json, rest);
        buf_add_char(&json, '"');
    }
    buf_add_char(&json, '}');
    if (buf_failed(&url) || buf_failed(&json)) {
        return err_set(err, ERR_CLI_USAGE, "the command is longer than %zu bytes", LINE_MAX_BYTES);
    }

    struct http *http = http_new(x->loop, err);
    if (http == NULL) {
        return -err->id;
    }
    const struct http_request request = {
        .url = url.data,
        .body = buf_str(&json),
        .content_type = "application/json",
        .unix_path = socket_path,
        .timeout_ms = ANSWER_TIMEOUT_MS,
        .max_body_bytes = ANSWER_MAX_BYTES,
    };
    int rc = 0;
    if (http_send(http, &request, on_answer, x, err) == NULL) {
        rc = -err->id;
    } else {
        (void)loop_run(x->loop);
    }
    http_free(http);
    if (rc == 0 && x->err.id != ERR_NONE) {
        rc = x->err.id == ERR_HTTP_CONNECT
                 ? err_set(err, ERR_CLI_NO_DAEMON, "%s", socket_path)
                 : err_set(err, ERR_CLI_ANSWER, "%s", err_info(x->err.id)->message);
    }
    return rc;
}

/* Reads the answer: *ret_reply, or an error of the catalogue that came without one. */
static int read_answer(const struct exchange *x, struct reply **ret_reply, struct err *ret_refusal,
                       struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    if (json_parse(buf_str(&x->body), &JSON_LIMITS_DEFAULT, &root, err) < 0 ||
        !json_is_object(root)) {
        return err_set(err, ERR_CLI_ANSWER, "%zu bytes that are no JSON object", x->body.len);
    }
    const char *code = json_text(root, "error_code");
    if (code[0] == '\0') {
        return reply_from_json(x->body.data, x->body.len, ret_reply, err);
    }
    enum err_id id = err_by_code(code);
    (void)err_set(ret_refusal, id != ERR_NONE ? id : ERR_CLI_ANSWER, "%s",
                  json_text(root, "context"));
    return 0;
}

static void print_reply(const struct reply *reply)
{
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    render_text(reply, &(struct render_text_options){.buttons = false}, &text);
    cli_print(buf_str(&text));
}

static bool person_says_yes(void)
{
    cli_print(STR_LIT("Do it? [y/N] "));
    char answer[16];
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Prints what came; *ret_ask: it needs a confirmation and a person is there to be asked. */
static int show(const struct cli_args *args, const struct exchange *x, bool *ret_ask)
{
    struct reply *reply = NULL;
    struct err refusal = {0}, err = {0};
    *ret_ask = false;
    if (read_answer(x, &reply, &refusal, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_REPLY struct reply *owned = reply;
    const struct err *failed = owned == NULL ? &refusal : reply_get_error(owned);
    if (cli_flag(args, "--json")) {
        cli_print(buf_str(&x->body));
    } else if (owned != NULL) {
        print_reply(owned);
    } else {
        return cli_fail(args, &refusal, CLI_REFUSED);
    }
    if (failed == NULL || failed->id == ERR_NONE) {
        return CLI_FINE;
    }
    *ret_ask = failed->id == ERR_CONFIRM_NEEDED && !cli_flag(args, "--json") &&
               isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    return CLI_REFUSED;
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    struct err err = {0};
    if (cli_load_config(args, &config, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_BUF struct buf socket_path = BUF_INIT(4096);
    if (ops_socket_path(config, cli_state_dir(args, config), &socket_path, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
    for (int i = 0; i < args->word_count; i++) {
        buf_addf(&line, "%s%s", i == 0 ? "" : " ", args->word[i]);
    }
    struct exchange x = {.loop = loop_new(&err), .body = BUF_INIT(ANSWER_MAX_BYTES)};
    if (x.loop == NULL) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    bool confirm = cli_flag(args, "--yes");
    bool again = false;
    int code;
    if (ask(&x, socket_path.data, line.data, confirm, &err) < 0) {
        code = cli_fail(args, &err, CLI_CRITICAL);
    } else {
        code = show(args, &x, &again);
    }
    if (again && person_says_yes()) {
        if (ask(&x, socket_path.data, line.data, true, &err) < 0) {
            code = cli_fail(args, &err, CLI_CRITICAL);
        } else {
            code = show(args, &x, &again);
        }
    }
    buf_release(&x.body);
    loop_free(x.loop);
    return code;
}

const struct cli_command cmd_do = {
    .name = "do",
    .summary = "Run one command on the running daemon",
    .words = "COMMAND",
    .words_min = 1,
    .words_max = CLI_WORDS_MAX,
    .options = {{"--yes", NULL, "confirm what asks for a confirmation"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more = "COMMAND is what you would type in the chat: nightdesk do \"restart demo\".\n"
            "Who you are is your uid: root and the daemon's own user are admin, others in the\n"
            "socket's group are read_only. nightdesk do help lists what you may run.",
    .exits = "  0  done\n"
             "  1  refused, failed, or not confirmed\n"
             "  2  no daemon, or the command line is not understood\n",
    .run = run,
};

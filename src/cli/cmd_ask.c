#include "chat/prompt.h"
#include "chat/render.h"
#include "cli_internal.h"
#include "cli_link.h"
#include "command/reply.h"
#include "command/reply_json.h"
#include "io/editline.h"
#include "io/http.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/loop.h"

#include <string.h>
#include <unistd.h>

/* A little longer than the assistant may take. */
#define ANSWER_WAIT_MS (15 * USEC_PER_MIN / USEC_PER_MSEC)
#define EVENTS_WAIT_MS INT64_C(40000)

/* One question. On a terminal the answer is shown while it is written: the daemon reports it as the
 * progress of a command of this user. */
struct question {
    const struct cli_args *args;
    struct cli_link link;
    struct buf json;  /* the request */
    struct buf body;  /* the answer */
    struct err err;   /* ERR_NONE: there is an answer */
    bool watches;     /* on a terminal */
    size_t busy_rows; /* of what is shown until there is an answer */
    uint64_t last;    /* event that was shown */
};

/* ---------------------------------------------------------------- on the terminal */

static void replace_busy(struct question *q)
{
    if (q->busy_rows > 0) {
        AUTO_BUF struct buf up = BUF_INIT(64);
        buf_addf(&up, "\r\033[%zuA\033[J", q->busy_rows);
        cli_print(buf_str(&up));
    }
    q->busy_rows = 0;
}

static void print_reply(const struct reply *reply, bool busy, struct question *q)
{
    size_t columns = 0, rows = 0, lines = 0;
    bool tty = isatty(STDOUT_FILENO) == 1;
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    editline_size(STDOUT_FILENO, &columns, &rows);
    render_text(reply,
                &(struct render_text_options){.width = tty ? columns : 0,
                                              .colour = prompt_has_colour(STDOUT_FILENO)},
                &text);
    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n' ? 1 : 0;
    }
    if (busy && lines >= rows) {
        return; /* it could not be taken back */
    }
    replace_busy(q);
    cli_print(buf_str(&text));
    q->busy_rows = busy ? lines : 0;
}

static void watch(struct question *q);

static void on_events(const struct http_response *response, void *userdata)
{
    struct question *q = userdata;
    AUTO_JSON struct json_object *root = NULL;
    if (response->outcome != HTTP_OK || response->status != 200 ||
        json_parse(response->body, &JSON_LIMITS_DEFAULT, &root, NULL) < 0) {
        return; /* the answer is enough */
    }
    struct json_object *events = json_get(root, "events");
    for (size_t i = 0; i < json_len(events); i++) {
        AUTO_BUF struct buf text = BUF_INIT(CLI_ANSWER_MAX);
        AUTO_REPLY struct reply *reply = NULL;
        json_add_text(&text, json_item(events, i));
        if (reply_json_read(text.data, text.len, &reply, NULL) == 0 &&
            reply_get_tone(reply) == TONE_BUSY) {
            print_reply(reply, true, q);
        }
    }
    q->last = (uint64_t)json_i64(root, "last", 0);
    watch(q);
}

static void watch(struct question *q)
{
    AUTO_BUF struct buf path = BUF_INIT(128);
    buf_addf(&path, "/api/v1/events?after=%llu", (unsigned long long)q->last);
    (void)cli_link_get(&q->link, path.data, EVENTS_WAIT_MS, on_events, q, NULL);
}

/* ---------------------------------------------------------------- the question */

static void on_answer(const struct http_response *response, void *userdata)
{
    struct question *q = userdata;
    if (cli_link_check(&q->link, response, &q->err) == 0) {
        buf_add_str(&q->body, response->body);
    }
    loop_exit(q->link.loop, 0);
}

static int post(struct question *q, struct err *err)
{
    return cli_link_post(&q->link, "/api/v1/commands/ask", buf_str(&q->json), ANSWER_WAIT_MS,
                         on_answer, q, err);
}

/* The number of the last event is known: what follows is about this question. */
static void on_last(const struct http_response *response, void *userdata)
{
    struct question *q = userdata;
    on_events(response, q);
    if (post(q, &q->err) < 0) {
        loop_exit(q->link.loop, 0);
    }
}

static int begin(struct question *q, struct err *err)
{
    return q->watches ? cli_link_get(&q->link, "/api/v1/events", EVENTS_WAIT_MS, on_last, q, err)
                      : post(q, err);
}

static void write_request(const struct cli_args *args, struct buf *json)
{
    AUTO_BUF struct buf text = BUF_INIT(CLI_LINE_MAX);
    struct json_out out = JSON_OUT(json);
    for (int i = 0; i < args->word_count; i++) {
        buf_addf(&text, "%s%s", i > 0 ? " " : "", args->word[i]);
    }
    json_out_object(&out, NULL);
    json_out_array(&out, "args");
    json_out_str(&out, NULL, buf_str(&text));
    json_out_end(&out);
    json_out_end(&out);
}

/* The buttons of a chat: a question that is clearer, and what the answer proposes. */
static void print_choices(struct reply *reply)
{
    struct json_object *answer = json_get(reply_data(reply), "answer");
    struct json_object *proposals = json_get(answer, "proposals");
    AUTO_BUF struct buf lines = BUF_INIT(8 * CLI_LINE_MAX);
    for (size_t row = 0; row < reply_button_rows(reply); row++) {
        for (size_t i = 0; i < reply_button_count(reply, row); i++) {
            struct reply_button button = reply_get_button(reply, row, i);
            if (strncmp(button.command, "/ask ", 5) == 0) {
                buf_addf(&lines, "%s: nightdesk ask \"%s\"\n", button.text, button.command + 5);
            }
        }
    }
    for (size_t i = 0; i < json_len(proposals); i++) {
        buf_addf(&lines, "To start it: nightdesk do \"%.*s\"\n",
                 STR_ARG(json_value_str(json_item(proposals, i))));
    }
    cli_print(buf_str(&lines));
}

static bool is_withheld(struct reply *reply)
{
    struct json_object *answer = json_get(reply_data(reply), "answer");
    return strcmp(json_text(answer, "state"), "withheld") == 0;
}

static int show(struct question *q)
{
    struct err refusal = {0}, err = {0};
    struct reply *answer = NULL;
    if (q->err.id != ERR_NONE) {
        replace_busy(q);
        return cli_fail(q->args, &q->err, CLI_CRITICAL);
    }
    if (cli_read_answer(&q->body, &answer, &refusal, &err) < 0) {
        replace_busy(q);
        return cli_fail(q->args, &err, CLI_CRITICAL);
    }
    AUTO_REPLY struct reply *reply = answer;
    const struct err *failed = reply != NULL ? reply_get_error(reply) : &refusal;
    bool answered = failed == NULL || failed->id == ERR_NONE;
    if (cli_flag(q->args, "--json")) {
        cli_print(buf_str(&q->body));
    } else if (reply != NULL) {
        print_reply(reply, false, q);
        print_choices(reply);
    } else {
        replace_busy(q);
        (void)cli_fail(q->args, &refusal, CLI_REFUSED);
    }
    return answered && reply != NULL && !is_withheld(reply) ? CLI_FINE : CLI_REFUSED;
}

static int run(const struct cli_args *args)
{
    struct question q = {.args = args,
                         .json = BUF_INIT(2 * CLI_LINE_MAX),
                         .body = BUF_INIT(CLI_ANSWER_MAX),
                         .watches = !cli_flag(args, "--json") &&
                                    prompt_fits(STDOUT_FILENO, STDOUT_FILENO)};
    struct err err = {0};
    int code = CLI_CRITICAL;
    write_request(args, &q.json);
    if (buf_failed(&q.json)) {
        (void)err_set(&err, ERR_CLI_USAGE, "the question is too long");
    } else if (cli_link_open(&q.link, args, &err) == 0 && begin(&q, &err) == 0) {
        (void)loop_run(q.link.loop);
        code = show(&q);
    }
    if (err.id != ERR_NONE) {
        code = cli_fail(args, &err, CLI_CRITICAL);
    }
    cli_link_close(&q.link);
    buf_release(&q.json);
    buf_release(&q.body);
    return code;
}

const struct cli_command cmd_ask = {
    .name = "ask",
    .summary = "Ask the running daemon a question in your own words",
    .words = "QUESTION",
    .words_min = 1,
    .words_max = CLI_WORDS_MAX,
    .options = {CLI_OPTION_JSON, CLI_OPTION_SOCKET, CLI_OPTION_CONFIG, CLI_OPTION_STATE},
    .more =
        "nightdesk ask \"why did we lose on SOL last night?\" is /ask of the chat: the common\n"
        "questions are answered without a model, the others by the one that is configured,\n"
        "with its figures checked (docs/ask.md). On a terminal the answer is shown while it is\n"
        "written. You have the permissions of nightdesk do. Nothing is changed: what an answer\n"
        "proposes, you start yourself.",
    .exits = "  0  answered\n"
             "  1  refused, failed, or the answer is withheld\n"
             "  2  no daemon, no access to its socket, or wrong usage\n",
    .run = run,
};

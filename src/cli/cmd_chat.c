/* A chat with a running daemon, over its socket. */
#include "base/check.h"
#include "base/clock.h"
#include "chat/choices.h"
#include "chat/prompt.h"
#include "cli_link.h"
#include "command/reply_json.h"
#include "io/editline.h"
#include "io/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#define ANSWER_MS   ((int64_t)15 * 60 * 1000) /* longer than any command */
#define EVENTS_MS   60000                     /* longer than the daemon holds a request */
#define COMPLETE_MS 2000
#define RETRY_US    USEC_PER_SEC
#define SLOW_US     (2 * USEC_PER_SEC)
#define INPUT_LABEL "nightdesk> "
#define OUT_MAX     ((size_t)4 << 20)
#define IN_MAX      ((size_t)64 * 1024)
#define READ_BYTES  ((size_t)4096)

struct chat {
    const struct cli_args *args;
    struct cli_link link;
    struct prompt *prompt; /* NULL: lines are not edited */
    struct choices choices;
    struct buf out;
    struct buf in;
    struct loop_source *input;
    struct loop_source *read_turn; /* deferred, for a file */
    struct loop_source *retry;
    struct loop_source *sigwinch;
    struct loop_source *sigcont;
    struct loop_source *sigint;
    struct loop_source *sigterm;
    struct loop_source *sighup;
    bool tty; /* both ends */
    bool in_ended;
    bool label_shown;
    size_t busy_rows; /* of the progress that is the last thing on the screen; 0: none is */
    bool attached;    /* the daemon answers */
    bool was_attached;
    size_t pending; /* commands without an answer */
    uint64_t last;  /* event */
    int code;
};

/* One request about one line. */
struct line_call {
    struct chat *chat;
    struct buf line;
    struct loop_source *slow;
    bool remembers; /* the answer says whether the line may be kept */
};

static void work(struct chat *chat);

/* ---------------------------------------------------------------- output */

static void flush(struct chat *chat)
{
    cli_print(buf_str(&chat->out));
    buf_clear(&chat->out);
}

static void hide(struct chat *chat)
{
    if (chat->prompt != NULL) {
        prompt_hide(chat->prompt);
    } else if (chat->label_shown) {
        buf_add_c(&chat->out, "\r\033[K");
        chat->label_shown = false;
    }
}

static void show(struct chat *chat)
{
    if (chat->in_ended) {
        return;
    }
    if (chat->prompt != NULL) {
        prompt_show(chat->prompt);
    } else if (chat->tty && !chat->label_shown) {
        buf_add_c(&chat->out, INPUT_LABEL);
        chat->label_shown = true;
    }
}

/* What follows takes the place of the progress before it, as an edited message does. */
static void replace_busy(struct chat *chat)
{
    if (chat->busy_rows > 0) {
        buf_addf(&chat->out, "\r\033[%zuA\033[J", chat->busy_rows);
    }
    chat->busy_rows = 0;
}

static void print_error(struct chat *chat, const struct err *err)
{
    hide(chat);
    chat->busy_rows = 0;
    render_text_error(err, &chat->out);
    buf_add_c(&chat->out, chat->tty ? "\n" : "");
}

static void print_reply(struct chat *chat, const struct reply *reply)
{
    size_t columns = 0, rows = 0;
    editline_size(STDOUT_FILENO, &columns, &rows);
    const struct render_text_options options = {.buttons = true,
                                                .width = isatty(STDOUT_FILENO) ? columns : 0,
                                                .colour = prompt_has_colour(STDOUT_FILENO),
                                                .choices = chat->tty ? &chat->choices : NULL};
    hide(chat);
    chat->busy_rows = 0;
    render_text(reply, &options, &chat->out);
    buf_add_c(&chat->out, chat->tty ? "\n" : "");
}

/* To a program a prompt is an error; a person sees what it asks. */
static void print_answer(struct chat *chat, const struct reply *answer)
{
    const struct err *failed = reply_get_error(answer);
    if (failed == NULL || (failed->id != ERR_CONFIRM_NEEDED && failed->id != ERR_CONFIRM_CHANGED)) {
        print_reply(chat, answer);
        return;
    }
    AUTO_REPLY struct reply *prompt = reply_new();
    reply_title(prompt, reply_get_tone(answer), "%s", reply_get_title(answer));
    reply_footer(prompt, "%s", reply_get_footer(answer));
    reply_append(prompt, answer);
    print_reply(chat, prompt);
}

/* Only a terminal on which lines are edited can be drawn on again, and only what it still shows. */
static void print_progress(struct chat *chat, const struct reply *reply)
{
    size_t columns = 0, rows = 0, lines = 0;
    editline_size(STDOUT_FILENO, &columns, &rows);
    hide(chat);
    replace_busy(chat);
    size_t from = chat->out.len;
    print_reply(chat, reply);
    for (size_t i = from; i < chat->out.len; i++) {
        lines += chat->out.data[i] == '\n' ? 1 : 0;
    }
    chat->busy_rows = chat->prompt != NULL && lines < rows ? lines : 0;
}

__attribute__((format(printf, 3, 4))) static void say(struct chat *chat, enum tone tone,
                                                      const char *format, ...)
{
    AUTO_REPLY struct reply *r = reply_new();
    char text[512];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    reply_title(r, tone, "%s", text);
    print_reply(chat, r);
}

/* ---------------------------------------------------------------- commands */

static void call_free(struct line_call *call)
{
    loop_source_free(call->slow);
    buf_release(&call->line);
    free(call);
}

static struct line_call *call_new(struct chat *chat, struct str line)
{
    struct line_call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    *call = (struct line_call){.chat = chat, .line = BUF_INIT(IN_MAX)};
    buf_add_str(&call->line, line);
    return call;
}

/* A person sees it; a script gets the exit code. */
static void fail(struct chat *chat)
{
    chat->code = chat->tty ? chat->code : CLI_REFUSED;
}

static void on_slow(void *userdata)
{
    struct line_call *call = userdata;
    struct str line = buf_str(&call->line), name = str_c("");
    if (call->chat->busy_rows > 0) {
        return; /* its progress is on the screen */
    }
    (void)str_word(&line, &name);
    say(call->chat, TONE_BUSY, "%.*s is running …", STR_ARG(name));
    work(call->chat);
}

static void on_answer(const struct http_response *response, void *userdata)
{
    struct line_call *call = userdata;
    struct chat *chat = call->chat;
    struct reply *answer = NULL;
    struct err refusal = {0}, err = {0};
    AUTO_BUF struct buf body = BUF_INIT(CLI_ANSWER_MAX);
    chat->pending--;
    if (cli_link_check(&chat->link, response, &err) < 0) {
        print_error(chat, &err);
        fail(chat);
    } else {
        buf_add_str(&body, response->body);
        if (cli_read_answer(&body, &answer, &refusal, &err) < 0) {
            print_error(chat, &err);
        } else if (answer == NULL) {
            print_error(chat, &refusal);
        } else {
            hide(chat);
            replace_busy(chat);
            print_answer(chat, answer);
        }
        const struct err *failed = answer == NULL ? &refusal : reply_get_error(answer);
        if (answer == NULL || (failed != NULL && failed->id != ERR_NONE)) {
            fail(chat);
        }
        reply_free(answer);
    }
    call_free(call);
    work(chat);
}

/* A button of a confirmation holds a token; over HTTP its answer is a command. */
static void line_of_choice(const char *command, struct buf *line)
{
    bool yes = strncmp(command, "y:", 2) == 0;
    bool token = yes || strncmp(command, "n:", 2) == 0;
    buf_addf(line, "%s%s", !token ? "" : yes ? "confirm " : "cancel ", command + (token ? 2 : 0));
}

static void send_line(struct chat *chat, struct str line)
{
    AUTO_BUF struct buf url = BUF_INIT(CLI_LINE_MAX);
    AUTO_BUF struct buf json = BUF_INIT(CLI_LINE_MAX);
    struct err err = {0};
    struct line_call *call = call_new(chat, line);
    const struct cli_request request = {.line = call->line.data};
    if (cli_ask_write(&request, &url, &json, &err) < 0 ||
        cli_link_post(&chat->link, url.data, buf_str(&json), ANSWER_MS, on_answer, call, &err) <
            0) {
        print_error(chat, &err);
        fail(chat);
        call_free(call);
        return;
    }
    chat->pending++;
    if (chat->tty) {
        call->slow = loop_add_timer(chat->link.loop, on_slow, call);
        loop_timer_in(call->slow, SLOW_US);
    }
}

/* ---------------------------------------------------------------- completion and history */

static void on_completions(const struct http_response *response, void *userdata)
{
    struct line_call *call = userdata;
    struct chat *chat = call->chat;
    AUTO_FREE struct completions *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    if (response->outcome == HTTP_OK && response->status == 200 && chat->prompt != NULL &&
        completions_read(response->body, c, NULL) == 0) {
        if (call->remembers) {
            prompt_remember(chat->prompt, buf_str(&call->line), c->keep);
        } else {
            prompt_completions(chat->prompt, c);
        }
    }
    call_free(call);
    work(chat);
}

static void ask_completions(struct chat *chat, struct str line, bool remembers)
{
    AUTO_BUF struct buf json = BUF_INIT(CLI_LINE_MAX * 2);
    struct json_out out = JSON_OUT(&json);
    struct line_call *call = call_new(chat, line);
    call->remembers = remembers;
    json_out_object(&out, NULL);
    json_out_str(&out, "line", line);
    json_out_end(&out);
    if (buf_failed(&json) || cli_link_post(&chat->link, "/api/v1/complete", buf_str(&json),
                                           COMPLETE_MS, on_completions, call, NULL) < 0) {
        call_free(call);
    }
}

static void on_complete(struct str before_cursor, void *userdata)
{
    ask_completions(userdata, before_cursor, false);
}

static void on_submit(struct str line, void *userdata)
{
    struct chat *chat = userdata;
    struct err err = {0};
    const char *chosen = chat->tty ? choices_find(&chat->choices, line) : NULL;
    chat->busy_rows = 0; /* the line stands below it */
    if (line.len == 0) {
        return;
    }
    if (!str_is_utf8(line) || memchr(line.ptr, '\0', line.len) != NULL) {
        (void)err_set(&err, ERR_BAD_UTF8, "chat");
        print_error(chat, &err);
        return;
    }
    if (chosen != NULL) {
        AUTO_BUF struct buf text = BUF_INIT(CLI_LINE_MAX);
        line_of_choice(chosen, &text);
        send_line(chat, buf_str(&text));
        return;
    }
    if (chat->prompt != NULL) {
        ask_completions(chat, line, true);
    }
    send_line(chat, line);
}

/* ---------------------------------------------------------------- live events */

static void watch_events(void *userdata);

static void show_events(struct chat *chat, struct json_object *root)
{
    struct json_object *events = json_get(root, "events");
    if (json_i64(root, "missed", 0) > 0) {
        say(chat, TONE_WARN, "Some messages were missed: see /alerts and /trades.");
    }
    for (size_t i = 0; i < json_len(events); i++) {
        AUTO_BUF struct buf text = BUF_INIT(CLI_ANSWER_MAX);
        AUTO_REPLY struct reply *reply = NULL;
        json_add_text(&text, json_item(events, i));
        if (reply_json_read(text.data, text.len, &reply, NULL) < 0) {
            continue;
        }
        if (reply_get_tone(reply) == TONE_BUSY) {
            print_progress(chat, reply);
        } else {
            print_reply(chat, reply);
        }
    }
}

static void attach(struct chat *chat)
{
    bool again = chat->was_attached;
    bool quiet = chat->attached || !chat->tty;
    chat->attached = true;
    chat->was_attached = true;
    if (quiet) {
        return;
    }
    if (again) {
        say(chat, TONE_GOOD, "The daemon is back. Attached again.");
    } else {
        say(chat, TONE_PLAIN,
            "Attached to %s. Tab completes, a number presses a button, ^D leaves; the daemon runs "
            "on.",
            chat->link.socket.data);
    }
}

/* The first failure ends the program with a reason; a later one is said once, and tried again. */
static void detach(struct chat *chat, const struct err *why)
{
    if (!chat->was_attached) {
        hide(chat);
        flush(chat);
        chat->code = cli_fail(chat->args, why, CLI_CRITICAL);
        chat->in_ended = true;
        loop_exit(chat->link.loop, chat->code);
        return;
    }
    if (chat->attached) {
        say(chat, TONE_BAD, "The daemon does not answer any more (%s). Trying again every second.",
            err_info(why->id)->code);
    }
    chat->attached = false;
    chat->last = 0;
    loop_timer_in(chat->retry, RETRY_US);
}

/* A refusal has error_code, like any answer of the API. */
static int read_events(struct chat *chat, struct str body, struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    if (json_parse(body, &JSON_LIMITS_DEFAULT, &root, err) < 0) {
        return err_set(err, ERR_CLI_ANSWER, "events");
    }
    const char *code = json_text(root, "error_code");
    if (code[0] != '\0') {
        enum err_id id = err_by_code(code);
        return err_set(err, id != ERR_NONE ? id : ERR_CLI_ANSWER, "%s", json_text(root, "context"));
    }
    attach(chat);
    show_events(chat, root);
    chat->last = (uint64_t)json_i64(root, "last", 0);
    return 0;
}

static void on_events(const struct http_response *response, void *userdata)
{
    struct chat *chat = userdata;
    struct err err = {0};
    if (cli_link_check(&chat->link, response, &err) < 0 ||
        read_events(chat, response->body, &err) < 0) {
        detach(chat, &err);
    } else if (chat->tty) {
        watch_events(chat);
    }
    work(chat);
}

static void watch_events(void *userdata)
{
    struct chat *chat = userdata;
    struct err err = {0};
    AUTO_BUF struct buf path = BUF_INIT(128);
    buf_addf(&path, "/api/v1/events?after=%llu", (unsigned long long)chat->last);
    if (cli_link_get(&chat->link, path.data, EVENTS_MS, on_events, chat, &err) < 0) {
        detach(chat, &err);
    }
}

/* ---------------------------------------------------------------- input */

static void end_input(void *userdata)
{
    struct chat *chat = userdata;
    chat->in_ended = true;
    loop_source_free(chat->input);
    chat->input = NULL;
}

/* False if there is no whole line. */
static bool take_line(struct chat *chat)
{
    struct buf *in = &chat->in;
    const char *feed = memchr(in->data, '\n', in->len);
    if (feed == NULL && !(chat->in_ended && in->len > 0) && in->len < IN_MAX) {
        return false;
    }
    size_t len = feed == NULL ? in->len : (size_t)(feed - in->data);
    size_t used = feed == NULL ? len : len + 1;
    AUTO_BUF struct buf line = BUF_INIT(IN_MAX);
    buf_add(&line, in->data, len);
    memmove(in->data, in->data + used, in->len - used);
    buf_truncate(in, in->len - used);
    chat->label_shown = false;
    on_submit(str_trim(buf_str(&line)), chat);
    return true;
}

static void take_keys(struct chat *chat)
{
    struct buf *in = &chat->in;
    while (in->len > 0 && !chat->in_ended) {
        size_t used = prompt_feed(chat->prompt, in->data, in->len);
        memmove(in->data, in->data + used, in->len - used);
        buf_truncate(in, in->len - used);
    }
}

/* Takes what was typed, draws, and ends after the last answer. From a pipe the next line is read
 * after the answer to the one before. */
static void work(struct chat *chat)
{
    if (chat->prompt != NULL) {
        take_keys(chat);
    } else if (chat->was_attached) {
        while ((chat->tty || chat->pending == 0) && take_line(chat)) {}
    }
    show(chat);
    flush(chat);
    bool ended = chat->in_ended && chat->pending == 0 && chat->in.len == 0 && chat->was_attached;
    if (!cli_output_ok() || ended) {
        loop_exit(chat->link.loop, chat->code);
    }
    bool wants = !chat->in_ended && chat->in.len + READ_BYTES <= IN_MAX;
    if (chat->input != NULL) {
        loop_io_set(chat->input, wants ? EPOLLIN : 0);
    } else if (wants) {
        loop_defer(chat->read_turn);
    }
}

static void read_input(void *userdata)
{
    struct chat *chat = userdata;
    char bytes[READ_BYTES];
    if (chat->in_ended || chat->in.len + sizeof(bytes) > IN_MAX) {
        return;
    }
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        end_input(chat);
    } else {
        buf_add(&chat->in, bytes, (size_t)n);
    }
    work(chat);
}

static void on_input(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    read_input(userdata);
}

static void on_screen_change(void *userdata)
{
    struct chat *chat = userdata;
    chat->busy_rows = 0; /* lines may be wrapped otherwise now */
    if (chat->prompt != NULL) {
        prompt_resize(chat->prompt);
        flush(chat);
    }
}

static void on_stop(void *userdata)
{
    struct chat *chat = userdata;
    chat->in_ended = true;
    loop_exit(chat->link.loop, CLI_FINE);
}

/* Empties the line; leaves if it is empty. */
static void on_interrupt(void *userdata)
{
    struct chat *chat = userdata;
    if (chat->prompt == NULL || prompt_is_empty(chat->prompt)) {
        on_stop(chat);
        return;
    }
    prompt_discard(chat->prompt);
    flush(chat);
}

/* ---------------------------------------------------------------- the subcommand */

static int open_sources(struct chat *chat, struct err *err)
{
    struct loop *loop = chat->link.loop;
    chat->retry = loop_add_timer(loop, watch_events, chat);
    chat->read_turn = loop_add_deferred(loop, read_input, chat);
    chat->sigint = loop_add_signal(loop, SIGINT, on_interrupt, chat, err);
    chat->sigterm = loop_add_signal(loop, SIGTERM, on_stop, chat, err);
    chat->sighup = loop_add_signal(loop, SIGHUP, on_stop, chat, err);
    chat->sigwinch = loop_add_signal(loop, SIGWINCH, on_screen_change, chat, err);
    chat->sigcont = loop_add_signal(loop, SIGCONT, on_screen_change, chat, err);
    if (chat->sigint == NULL || chat->sigterm == NULL || chat->sighup == NULL ||
        chat->sigwinch == NULL || chat->sigcont == NULL) {
        return -ERR_LOOP_SOURCE;
    }
    chat->input = loop_add_io(loop, STDIN_FILENO, EPOLLIN, on_input, chat, NULL);
    if (chat->input == NULL) {
        loop_defer(chat->read_turn); /* a file */
    }
    return 0;
}

/* Without libedit lines are read as they are. */
static void open_prompt(struct chat *chat)
{
    AUTO_BUF struct buf history = BUF_INIT(4096);
    prompt_history_path(chat->link.state.data, &history);
    struct err err = {0};
    if (prompt_fits(STDIN_FILENO, STDOUT_FILENO) &&
        prompt_new(&(struct prompt_options){.in_fd = STDIN_FILENO,
                                            .out_fd = STDOUT_FILENO,
                                            .out = &chat->out,
                                            .history = buf_failed(&history) ? NULL : history.data,
                                            .submit = on_submit,
                                            .complete = on_complete,
                                            .end = end_input,
                                            .userdata = chat},
                   &chat->prompt, &err) < 0) {
        (void)fprintf(stderr, "Lines cannot be edited: %s\n", err.context);
    }
}

static void chat_release(struct chat *chat)
{
    hide(chat);
    prompt_free(chat->prompt);
    flush(chat);
    choices_release(&chat->choices);
    struct loop_source *const sources[] = {chat->input,    chat->read_turn, chat->retry,
                                           chat->sigwinch, chat->sigcont,   chat->sigint,
                                           chat->sigterm,  chat->sighup};
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        loop_source_free(sources[i]);
    }
    cli_link_close(&chat->link);
    buf_release(&chat->out);
    buf_release(&chat->in);
}

static int run(const struct cli_args *args)
{
    struct chat chat = {.args = args,
                        .out = BUF_INIT(OUT_MAX),
                        .in = BUF_INIT(IN_MAX),
                        .tty = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1};
    struct err err = {0};
    int code = CLI_CRITICAL;
    if (cli_link_open(&chat.link, args, &err) < 0 || open_sources(&chat, &err) < 0) {
        code = cli_fail(args, &err, CLI_CRITICAL);
    } else {
        open_prompt(&chat);
        watch_events(&chat);
        code = loop_run(chat.link.loop);
    }
    chat_release(&chat);
    return code;
}

const struct cli_command cmd_chat = {
    .name = "chat",
    .summary = "Chat with the running daemon in the terminal",
    .words = "",
    .options = {CLI_OPTION_SOCKET, CLI_OPTION_CONFIG, CLI_OPTION_STATE},
    .more =
        "Attaches to the daemon over its socket: the commands are those of the chat, with the\n"
        "permissions of nightdesk do. Alerts, trades and notifications appear as they happen, and\n"
        "so do the steps of a slow command. If the daemon stops, chat waits and attaches again.\n"
        "On a terminal, lines are edited: Tab completes commands, arguments, services and "
        "symbols;\n"
        "the arrow keys go back to earlier lines, ^R to the last one that begins like this one; a\n"
        "number presses the button of that number; ^C empties the line, ^D leaves. Earlier lines\n"
        "are kept in history-UID in the state folder, readable by you alone, if you may write\n"
        "there; lines with a code or a key are not kept. NO_COLOR=1 switches colours off, "
        "TERM=dumb\n"
        "the editing, too. From a pipe or a file, each line is a command and only the answers are\n"
        "printed.",
    .exits = "  0  left; from a pipe: every command succeeded\n"
             "  1  from a pipe: a command was refused or failed\n"
             "  2  no daemon, no access to its socket, or wrong usage\n",
    .run = run,
};

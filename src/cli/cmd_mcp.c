#include "base/base64.h"
#include "base/check.h"
#include "cli_internal.h"
#include "cli_link.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Each message from standard input is one request to the daemon, with the headers that a client
 * over HTTP would send. */
#define MESSAGE_MAX    ((size_t)64 * 1024) /* the limit of the daemon */
#define IN_MAX         (4 * MESSAGE_MAX)
#define WAITING_MAX    16
#define FIRST_WAIT_MS  2000
#define ANSWER_WAIT_MS (15 * USEC_PER_MIN / USEC_PER_MSEC)
#define META           "io.modelcontextprotocol/"
#define LEGACY_VERSION "2025-11-25"
#define INTERNAL_ERROR (-32603)
#define INVALID        (-32600)

struct waiting {
    struct mcp *mcp;
    struct http_call *call; /* NULL: free */
    struct json_object *id; /* NULL: a notification, or it is not known */
    bool initializes;
};

struct mcp {
    const struct cli_args *args;
    struct cli_link link;
    struct loop_source *input;
    struct loop_source *read_turn; /* of a file, which cannot be watched */
    struct loop_source *sigterm;
    struct loop_source *sigint;
    struct buf in;
    bool skipping;    /* the rest of a line that is too long */
    bool ended;       /* standard input */
    char version[32]; /* that the client has agreed on; of clients without _meta */
    struct waiting waiting[WAITING_MAX];
};

/* ---------------------------------------------------------------- answers */

static void print_error(struct json_object *id, int code, const char *message,
                        struct json_object *data)
{
    AUTO_BUF struct buf line = BUF_INIT(MESSAGE_MAX * 2);
    struct json_out out = JSON_OUT(&line);
    json_out_object(&out, NULL);
    json_out_text(&out, "jsonrpc", "2.0");
    if (id != NULL) {
        json_out_value(&out, "id", id);
    }
    json_out_object(&out, "error");
    json_out_i64(&out, "code", code);
    json_out_text(&out, "message", message);
    if (data != NULL) {
        json_out_value(&out, "data", data);
    }
    json_out_end(&out);
    json_out_end(&out);
    buf_add_char(&line, '\n');
    cli_print(buf_str(&line));
}

static size_t count_waiting(const struct mcp *mcp)
{
    size_t count = 0;
    for (size_t i = 0; i < WAITING_MAX; i++) {
        count += mcp->waiting[i].call != NULL ? 1 : 0;
    }
    return count;
}

static void take_lines(struct mcp *mcp);

/* A place is free: the next message can be sent, or it was the last one. */
static void go_on(struct mcp *mcp)
{
    take_lines(mcp);
    if (!cli_output_ok()) {
        loop_exit(mcp->link.loop, CLI_CRITICAL);
    } else if (mcp->ended && mcp->in.len == 0 && count_waiting(mcp) == 0) {
        loop_exit(mcp->link.loop, CLI_FINE);
    }
}

static void waiting_release(struct waiting *w)
{
    (void)json_object_put(w->id);
    *w = (struct waiting){.mcp = w->mcp};
}

/* The daemon refuses a request before it is one of the protocol: as a problem. */
static void print_problem(const struct waiting *w, struct json_object *root, int status)
{
    AUTO_BUF struct buf text = BUF_INIT(1000);
    const char *context = json_text(root, "context");
    buf_addf(&text, "nightdesk refuses it: %s%s%s",
             json_text(root, "message")[0] != '\0' ? json_text(root, "message") : "",
             context[0] != '\0' ? ": " : "", context);
    if (root == NULL) {
        buf_addf(&text, "HTTP status %d", status);
    }
    print_error(w->id, INTERNAL_ERROR, text.data, root);
}

static void keep_version(struct mcp *mcp, struct json_object *root)
{
    const char *version = json_text(json_get(root, "result"), "protocolVersion");
    if (version[0] != '\0') {
        (void)str_copy(str_c(version), mcp->version, sizeof(mcp->version));
    }
}

static void on_answer(const struct http_response *response, void *userdata)
{
    struct waiting *w = userdata;
    struct mcp *mcp = w->mcp;
    struct err err = {0};
    AUTO_JSON struct json_object *root = NULL;
    struct str body = str_trim(response->body);
    if (cli_link_check(&mcp->link, response, &err) < 0) {
        AUTO_BUF struct buf text = BUF_INIT(1000);
        buf_addf(&text, "%s: %s", err_info(err.id)->message, err.context);
        if (w->id != NULL) {
            print_error(w->id, INTERNAL_ERROR, text.data, NULL);
        }
    } else if (body.len > 0) {
        (void)json_parse(body, &JSON_LIMITS_DEFAULT, &root, NULL);
        if (json_text(root, "jsonrpc")[0] != '\0') {
            cli_print(body);
            cli_print(STR_LIT("\n"));
        } else {
            print_problem(w, root, response->status);
        }
        if (w->initializes) {
            keep_version(mcp, root);
        }
    }
    waiting_release(w);
    go_on(mcp);
}

/* ---------------------------------------------------------------- messages */

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return text.len > 0;
}

/* Nothing is added for a text that a header cannot hold: the daemon then says that it is missing.
 */
static void add_header(struct buf *out, const char *name, struct str value)
{
    if (is_plain(value)) {
        buf_addf(out, "%s: %.*s", name, STR_ARG(value));
    }
}

static void add_name(struct buf *out, struct str value)
{
    bool encoded =
        !is_plain(value) || !str_equal(str_trim(value), value) || str_starts(value, "=?base64?");
    buf_add_c(out, "Mcp-Name: ");
    if (encoded) {
        buf_add_c(out, "=?base64?");
        base64_add(out, value);
        buf_add_c(out, "?=");
    } else {
        buf_add_str(out, value);
    }
}

/* "The server must not send any further messages for it." */
static void cancel(struct mcp *mcp, struct json_object *params)
{
    struct json_object *id = json_get(params, "requestId");
    for (size_t i = 0; id != NULL && i < WAITING_MAX; i++) {
        struct waiting *w = &mcp->waiting[i];
        if (w->call != NULL && w->id != NULL && json_object_equal(w->id, id) != 0) {
            http_cancel(w->call);
            waiting_release(w);
        }
    }
}

static void send_message(struct mcp *mcp, struct waiting *w, struct str line,
                         struct json_object *root)
{
    struct json_object *params = json_get(root, "params");
    struct str version = json_str(json_get(params, "_meta"), META "protocolVersion");
    struct str name = json_str(params, "name");
    struct buf headers[3] = {BUF_INIT(200), BUF_INIT(300), BUF_INIT(MESSAGE_MAX * 2)};
    const char *list[4] = {NULL};
    size_t count = 0;
    struct err err = {0};
    name = name.len > 0 ? name : json_str(params, "uri");
    add_header(&headers[0], "MCP-Protocol-Version",
               version.len > 0 ? version : str_c(mcp->version));
    add_header(&headers[1], "Mcp-Method", json_str(root, "method"));
    if (name.len > 0) {
        add_name(&headers[2], name);
    }
    for (size_t i = 0; i < 3; i++) {
        if (headers[i].len > 0 && !buf_failed(&headers[i])) {
            list[count++] = headers[i].data;
        }
    }
    struct json_object *id = json_get(root, "id");
    w->initializes = strcmp(json_text(root, "method"), "initialize") == 0;
    w->id = json_is_text(id) || json_object_is_type(id, json_type_int) ? json_object_get(id) : NULL;
    const struct http_request like = {.headers = list,
                                      .body = line,
                                      .content_type = "application/json",
                                      .timeout_ms = ANSWER_WAIT_MS};
    w->call = cli_link_send(&mcp->link, &like, "/mcp", on_answer, w, &err);
    if (w->call == NULL) {
        print_error(w->id, INTERNAL_ERROR, err_info(err.id)->message, NULL);
        waiting_release(w);
    }
    for (size_t i = 0; i < 3; i++) {
        buf_release(&headers[i]);
    }
}

/* False: too many are waiting. */
static bool take_line(struct mcp *mcp, struct str line)
{
    struct waiting *w = NULL;
    AUTO_JSON struct json_object *root = NULL;
    if (str_trim(line).len == 0) {
        return true;
    }
    for (size_t i = 0; i < WAITING_MAX && w == NULL; i++) {
        w = mcp->waiting[i].call == NULL ? &mcp->waiting[i] : NULL;
    }
    if (w == NULL) {
        return false;
    }
    (void)json_parse(line, &JSON_LIMITS_DEFAULT, &root, NULL); /* else the daemon says why not */
    if (strcmp(json_text(root, "method"), "notifications/cancelled") == 0) {
        cancel(mcp, json_get(root, "params"));
    } else {
        send_message(mcp, w, line, root);
    }
    return true;
}

static void refuse_long(void)
{
    print_error(NULL, INVALID, "Invalid request: a message is longer than 65536 bytes", NULL);
}

/* All whole lines, and after the end of the input what is left. */
static void take_lines(struct mcp *mcp)
{
    size_t from = 0;
    bool more = true;
    while (more && from < mcp->in.len) {
        const char *begin = mcp->in.data + from;
        const char *end = memchr(begin, '\n', mcp->in.len - from);
        size_t len = end != NULL ? (size_t)(end - begin) : mcp->in.len - from;
        if (end == NULL && !mcp->ended) {
            break;
        }
        more = mcp->skipping || len > MESSAGE_MAX || take_line(mcp, str_n(begin, len));
        if (len > MESSAGE_MAX && !mcp->skipping) {
            refuse_long();
        }
        if (more) {
            mcp->skipping = false;
            from += len + (end != NULL ? 1 : 0);
        }
    }
    memmove(mcp->in.data, mcp->in.data + from, mcp->in.len - from);
    buf_truncate(&mcp->in, mcp->in.len - from);
    if (mcp->in.len > MESSAGE_MAX && memchr(mcp->in.data, '\n', mcp->in.len) == NULL) {
        if (!mcp->skipping) {
            refuse_long();
        }
        mcp->skipping = true;
        buf_clear(&mcp->in);
    }
    if (mcp->input != NULL && !mcp->ended) {
        loop_io_set(mcp->input, more ? EPOLLIN : 0);
    }
}

/* ---------------------------------------------------------------- input */

static void read_input(void *userdata)
{
    struct mcp *mcp = userdata;
    char bytes[16384];
    if (mcp->in.len + sizeof(bytes) > IN_MAX) {
        return; /* go_on takes what is there first */
    }
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        mcp->ended = true;
        loop_source_free(mcp->input);
        mcp->input = NULL;
    } else {
        buf_add(&mcp->in, bytes, (size_t)n);
    }
    go_on(mcp);
    if (mcp->input == NULL && !mcp->ended) {
        loop_defer(mcp->read_turn);
    }
}

static void on_input(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    read_input(userdata);
}

static void on_stop(void *userdata)
{
    struct mcp *mcp = userdata;
    loop_exit(mcp->link.loop, CLI_FINE);
}

/* The daemon is there: a host of the protocol shows what is printed before the first message. */
static void on_first(const struct http_response *response, void *userdata)
{
    struct mcp *mcp = userdata;
    struct err err = {0};
    if (cli_link_check(&mcp->link, response, &err) < 0) {
        loop_exit(mcp->link.loop, cli_fail(mcp->args, &err, CLI_CRITICAL));
        return;
    }
    mcp->input = loop_add_io(mcp->link.loop, STDIN_FILENO, EPOLLIN, on_input, mcp, NULL);
    if (mcp->input == NULL) {
        loop_defer(mcp->read_turn);
    }
}

static int begin(struct mcp *mcp, struct err *err)
{
    int rc = cli_link_open(&mcp->link, mcp->args, err);
    if (rc < 0) {
        return rc;
    }
    struct loop *loop = mcp->link.loop;
    mcp->read_turn = loop_add_deferred(loop, read_input, mcp);
    mcp->sigterm = loop_add_signal(loop, SIGTERM, on_stop, mcp, err);
    mcp->sigint = loop_add_signal(loop, SIGINT, on_stop, mcp, err);
    if (mcp->sigterm == NULL || mcp->sigint == NULL) {
        return -ERR_LOOP_SOURCE;
    }
    return cli_link_get(&mcp->link, "/healthz", FIRST_WAIT_MS, on_first, mcp, err);
}

static int run(const struct cli_args *args)
{
    struct mcp mcp = {.args = args, .in = BUF_INIT(IN_MAX), .version = LEGACY_VERSION};
    struct err err = {0};
    for (size_t i = 0; i < WAITING_MAX; i++) {
        mcp.waiting[i].mcp = &mcp;
    }
    int code = begin(&mcp, &err) < 0 ? cli_fail(args, &err, CLI_CRITICAL) : loop_run(mcp.link.loop);
    struct loop_source *const sources[] = {mcp.input, mcp.read_turn, mcp.sigterm, mcp.sigint};
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        loop_source_free(sources[i]);
    }
    cli_link_close(&mcp.link);
    for (size_t i = 0; i < WAITING_MAX; i++) {
        waiting_release(&mcp.waiting[i]);
    }
    buf_release(&mcp.in);
    return code;
}

const struct cli_command cmd_mcp = {
    .name = "mcp",
    .summary = "Serve the Model Context Protocol on standard input and output",
    .words = "",
    .options = {CLI_OPTION_SOCKET, CLI_OPTION_CONFIG, CLI_OPTION_STATE},
    .more = "For programs that talk to a model and start their servers themselves: each line is a\n"
            "message. It attaches to the daemon over its socket; you have the permissions of\n"
            "nightdesk do. The tools only read; what changes something is proposed to the people\n"
            "of the desk. docs/mcp.md has the configuration of common programs.",
    .exits = "  0  standard input has ended, and every answer is written\n"
             "  2  no daemon, no access to its socket, or wrong usage\n",
    .run = run,
};

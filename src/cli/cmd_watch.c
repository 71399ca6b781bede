/* A full-screen status of a running daemon. */
#include "base/check.h"
#include "base/clock.h"
#include "chat/prompt.h"
#include "cli_link.h"
#include "io/editline.h"
#include "io/loop.h"
#include "watch_screen.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define ENTER_SCREEN "\033[?1049h\033[?25l\033[2J"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"
#define PERIOD_US    USEC_PER_SEC
#define ANSWER_MS    3000
#define SCREEN_MAX   ((size_t)256 * 1024)

enum part { PART_STATE, PART_ALERTS, PART_DECISIONS, PART_COUNT };

static const char *const paths[PART_COUNT] = {
    [PART_STATE] = "/api/v1/state",
    [PART_ALERTS] = "/api/v1/alerts?limit=20",
    [PART_DECISIONS] = "/api/v1/decisions?limit=1&votes=true",
};

struct watch {
    const struct cli_args *args;
    struct cli_link link;
    struct loop_source *period;
    struct loop_source *keys;
    struct loop_source *signals[6];
    bool once;
    bool on_screen;
    int asked;                             /* parts without an answer */
    struct json_object *parts[PART_COUNT]; /* owned; NULL: not known */
    int64_t lost_us;
    int code;
};

/* What a request hands back: which part of which watch. */
struct part_call {
    struct watch *watch;
    enum part part;
};

static void enter_screen(struct watch *w)
{
    struct err ignored = {0};
    editline_guard(STDOUT_FILENO, LEAVE_SCREEN);
    (void)editline_raw(STDOUT_FILENO, &ignored);
    cli_print(STR_LIT(ENTER_SCREEN));
    w->on_screen = true;
}

static void leave_screen(struct watch *w)
{
    if (w->on_screen) {
        cli_print(STR_LIT(LEAVE_SCREEN));
        editline_cooked();
        editline_guard(-1, NULL);
        w->on_screen = false;
    }
}

/* ---------------------------------------------------------------- drawing */

static void print_once(const struct watch_data *data)
{
    AUTO_BUF struct buf out = BUF_INIT(SCREEN_MAX);
    size_t columns = 80, rows = 0;
    editline_size(STDOUT_FILENO, &columns, &rows);
    watch_screen(
        data, &(struct watch_size){.columns = columns, .colour = prompt_has_colour(STDOUT_FILENO)},
        &out);
    cli_print(buf_str(&out));
}

/* Each line is written over the one before it: the screen does not flicker. */
static void draw_screen(const struct watch_data *data)
{
    AUTO_BUF struct buf text = BUF_INIT(SCREEN_MAX);
    AUTO_BUF struct buf out = BUF_INIT(2 * SCREEN_MAX);
    size_t columns = 0, rows = 0;
    editline_size(STDOUT_FILENO, &columns, &rows);
    watch_screen(data,
                 &(struct watch_size){.columns = columns,
                                      .rows = rows < 3 ? 3 : rows,
                                      .colour = prompt_has_colour(STDOUT_FILENO)},
                 &text);
    struct str rest = buf_str(&text), line;
    buf_add_c(&out, "\033[H");
    for (size_t row = 0; row < rows && str_split(&rest, '\n', &line); row++) {
        buf_addf(&out, "%s%.*s\033[K", row > 0 ? "\r\n" : "", STR_ARG(line));
    }
    buf_add_c(&out, "\033[J");
    cli_print(buf_str(&out));
}

static void draw(struct watch *w)
{
    char footer[96], now[64];
    AUTO_BUF struct buf clock = BUF_INIT(64);
    const struct watch_data data = {.state = w->parts[PART_STATE],
                                    .alerts = w->parts[PART_ALERTS],
                                    .decisions = w->parts[PART_DECISIONS],
                                    .now_us = clock_wall_us(clock_real()),
                                    .lost_us = w->lost_us,
                                    .footer = w->once ? NULL : footer};
    clock_add_iso(&clock, data.now_us, false);
    str_cut(buf_str(&clock), now, sizeof(now));
    (void)snprintf(footer, sizeof(footer), "q quits · %.8s UTC", strlen(now) > 11 ? now + 11 : "");
    if (w->once) {
        print_once(&data);
    } else if (w->on_screen) {
        draw_screen(&data);
    }
    if (!cli_output_ok()) {
        loop_exit(w->link.loop, CLI_CRITICAL);
    }
}

/* ---------------------------------------------------------------- asking */

static int read_part(struct watch *w, enum part part, struct str body, struct err *err)
{
    struct json_object *root = NULL;
    if (json_parse(body, &JSON_LIMITS_DEFAULT, &root, err) < 0) {
        return err_set(err, ERR_CLI_ANSWER, "%s", paths[part]);
    }
    const char *code = json_text(root, "error_code");
    if (code[0] != '\0') {
        enum err_id id = err_by_code(code);
        int rc =
            err_set(err, id != ERR_NONE ? id : ERR_CLI_ANSWER, "%s", json_text(root, "context"));
        (void)json_object_put(root);
        return rc;
    }
    (void)json_object_put(w->parts[part]);
    w->parts[part] = root;
    return 0;
}

/* Without the state there is nothing to show; a list may be unreadable for a while. */
static void on_failure(struct watch *w, enum part part, const struct err *why)
{
    if (part != PART_STATE) {
        (void)json_object_put(w->parts[part]);
        w->parts[part] = NULL;
    } else if (w->parts[PART_STATE] == NULL) {
        leave_screen(w);
        w->code = cli_fail(w->args, why, CLI_CRITICAL);
        loop_exit(w->link.loop, w->code);
    } else if (w->lost_us == 0) {
        w->lost_us = clock_wall_us(clock_real());
    }
}

static void on_part(const struct http_response *response, void *userdata)
{
    struct part_call *call = userdata;
    struct watch *w = call->watch;
    struct err err = {0};
    w->asked--;
    if (cli_link_check(&w->link, response, &err) < 0 ||
        read_part(w, call->part, response->body, &err) < 0) {
        on_failure(w, call->part, &err);
    } else if (call->part == PART_STATE) {
        w->lost_us = 0;
    }
    free(call);
    if (w->asked > 0 || w->code != CLI_FINE) {
        return;
    }
    if (!w->once && !w->on_screen) {
        enter_screen(w);
    }
    draw(w);
    if (w->once) {
        loop_exit(w->link.loop, CLI_FINE);
    }
}

static void ask(void *userdata)
{
    struct watch *w = userdata;
    if (w->asked > 0) { /* a slow daemon: the figures of the screen grow older */
        if (w->on_screen) {
            draw(w);
        }
        return;
    }
    for (int i = 0; i < PART_COUNT; i++) {
        struct part_call *call = calloc(1, sizeof(*call));
        ASSERT(call != NULL);
        *call = (struct part_call){w, (enum part)i};
        if (cli_link_get(&w->link, paths[i], ANSWER_MS, on_part, call, NULL) < 0) {
            free(call);
        } else {
            w->asked++;
        }
    }
}

/* ---------------------------------------------------------------- keys and signals */

static void on_keys(int fd, uint32_t events, void *userdata)
{
    (void)events;
    struct watch *w = userdata;
    char bytes[64];
    ssize_t n = read(fd, bytes, sizeof(bytes));
    bool quits = n <= 0 && !(n < 0 && (errno == EINTR || errno == EAGAIN));
    for (ssize_t i = 0; i < n; i++) {
        quits = quits || bytes[i] == 'q' || bytes[i] == 'Q' || bytes[i] == '\004';
    }
    if (quits) {
        loop_exit(w->link.loop, CLI_FINE);
    }
}

static void on_stop(void *userdata)
{
    struct watch *w = userdata;
    loop_exit(w->link.loop, CLI_FINE);
}

static void on_resize(void *userdata)
{
    struct watch *w = userdata;
    if (w->on_screen) {
        draw(w);
    }
}

static void on_suspend(void *userdata)
{
    struct watch *w = userdata;
    leave_screen(w);
    (void)raise(SIGSTOP);
}

static void on_continue(void *userdata)
{
    struct watch *w = userdata;
    if (!w->once && w->parts[PART_STATE] != NULL && !w->on_screen) {
        enter_screen(w);
        draw(w);
    }
}

static int open_sources(struct watch *w, struct err *err)
{
    static const struct {
        int number;
        loop_fn fn;
    } signals[] = {{SIGINT, on_stop},     {SIGTERM, on_stop},    {SIGHUP, on_stop},
                   {SIGWINCH, on_resize}, {SIGTSTP, on_suspend}, {SIGCONT, on_continue}};
    _Static_assert(COUNT_OF(signals) == COUNT_OF(w->signals), "one source for each");
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        w->signals[i] = loop_add_signal(w->link.loop, signals[i].number, signals[i].fn, w, err);
        if (w->signals[i] == NULL) {
            return -ERR_LOOP_SOURCE;
        }
    }
    w->period = loop_add_timer(w->link.loop, ask, w);
    if (!w->once) {
        w->keys = loop_add_io(w->link.loop, STDIN_FILENO, EPOLLIN, on_keys, w, err);
        loop_timer_every(w->period, PERIOD_US);
        return w->keys == NULL ? -ERR_LOOP_SOURCE : 0;
    }
    return 0;
}

static void watch_release(struct watch *w)
{
    leave_screen(w);
    loop_source_free(w->period);
    loop_source_free(w->keys);
    for (size_t i = 0; i < COUNT_OF(w->signals); i++) {
        loop_source_free(w->signals[i]);
    }
    cli_link_close(&w->link);
    for (size_t i = 0; i < PART_COUNT; i++) {
        (void)json_object_put(w->parts[i]);
    }
}

static int run(const struct cli_args *args)
{
    struct watch w = {.args = args, .once = cli_flag(args, "--once"), .code = CLI_FINE};
    struct err err = {0};
    if (!w.once && !prompt_fits(STDIN_FILENO, STDOUT_FILENO)) {
        const char *term = getenv("TERM");
        (void)err_set(&err, ERR_TERMINAL, "TERM=%s", term == NULL ? "" : term);
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    int code = CLI_CRITICAL;
    if (cli_link_open(&w.link, args, &err) < 0 || open_sources(&w, &err) < 0) {
        code = cli_fail(args, &err, CLI_CRITICAL);
    } else {
        ask(&w);
        code = loop_run(w.link.loop);
    }
    watch_release(&w);
    return code;
}

const struct cli_command cmd_watch = {
    .name = "watch",
    .summary = "Show the status of the running daemon full-screen",
    .words = "",
    .options = {{"--once", NULL, "print one screen and end; needs no terminal"},
                CLI_OPTION_SOCKET,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "Equity, profit today, mode, age of the data, positions with their result, open alerts\n"
        "and what the agents said last; again every second. q, ^C or ^D ends it, and the\n"
        "terminal shows what it showed before. The permissions are those of nightdesk do.",
    .exits = "  0  ended\n"
             "  2  no terminal, no daemon, no access to its socket, or wrong usage\n",
    .run = run,
};

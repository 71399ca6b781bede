#include "chat/console.h"

#include "access/access.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "chat/choices.h"
#include "chat/prompt.h"
#include "chat/render.h"
#include "command/complete.h"
#include "command/reply_json.h"
#include "command/runner.h"
#include "io/loop.h"
#include "store/outbox_table.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONSOLE_CHANNEL "console"
#define CONSOLE_CHAT    1 /* the outbox needs a chat id; the console has one chat */
#define INPUT_LINE      "nightdesk> "
#define ERASE_LINE      "\r\033[K"
#define OUT_MAX         ((size_t)4 << 20)
#define LIVE_ROWS       8
#define READ_BYTES      ((size_t)16 * 1024)
/* A pipe that poll() reports as writable accepts this much without blocking (PIPE_BUF). */
#define WRITE_BYTES ((size_t)4096)
#define SETTLE_US   (20 * USEC_PER_MSEC)
#define RETRY_US    USEC_PER_SEC
#define KEYS_BYTES  ((size_t)256) /* a paste is edited in, so many bytes a turn */
/* A message that waited longer than this because no terminal was open is dropped. */
#define OLD_US USEC_PER_HOUR

struct console {
    struct console_options options;
    struct principal who;
    bool started;
    bool in_is_tty;
    bool out_is_tty;
    int out_fd; /* our own non-blocking descriptor if we could open one, else the caller's */
    bool out_is_ours;

    struct loop_source *in_io;     /* NULL for a regular file, which read_turn reads */
    struct loop_source *read_turn; /* deferred */
    struct loop_source *out_io;    /* NULL when it cannot be watched */
    struct loop_source *work_turn; /* deferred: the outbox, the next line, the end */
    struct loop_source *settle;    /* timer: checks again while a pipe waits for replies */

    struct buf in;  /* bytes read, not yet split into lines */
    size_t scanned; /* leading bytes of `in` without a line feed */
    bool skipping;  /* discards the rest of a line that is too long */
    bool in_ended;
    bool ended;   /* on_end was called */
    bool waiting; /* a pipe: some replies to the last line are not printed yet */

    struct buf out;
    size_t out_done;      /* bytes of `out` already written */
    int64_t printing;     /* outbox id of the message in `out`; 0: none */
    int64_t held_mono_us; /* the outbox is not read before this time: ops.db failed */
    bool input_line_shown;
    struct prompt *prompt; /* NULL: no terminal, or one that cannot be edited on */
    struct choices choices;
    size_t live_rows; /* of an answer that is being written, above the input line; 0: none */
    struct loop_source *sigwinch;
    struct loop_source *sigcont;
    int out_error; /* errno of a failed write: the reader closed the output, the disk is full */
};

static void work(void *userdata);

static int64_t now_wall(const struct console *console)
{
    return clock_wall_us(console->options.clock);
}

static void wake(struct console *console)
{
    if (console->started) {
        loop_defer(console->work_turn);
    }
}

/* ------------------------------------------------------------------------------ output ---- */

/* Opens the same terminal or pipe again: O_NONBLOCK belongs to the open file description, which the
 * caller's descriptor shares with other processes. */
static int own_output(int fd)
{
    struct stat st;
    char path[64];
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(fd, &st) < 0 ||
        (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool out_ready(const struct console *console)
{
    struct pollfd p = {.fd = console->out_fd, .events = POLLOUT};
    return poll(&p, 1, 0) != 0;
}

static void note_printed(struct console *console)
{
    struct err err = {0};
    int64_t id = console->printing;
    console->printing = 0;
    if (id != 0 && outbox_table_delivered(console->options.store, id, id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "console: could not record that a reply was printed");
    }
}

static void write_out(struct console *console)
{
    while (console->out_error == 0 && console->out_done < console->out.len && out_ready(console)) {
        size_t len = console->out.len - console->out_done;
        ssize_t n = write(console->out_fd, console->out.data + console->out_done,
                          len < WRITE_BYTES ? len : WRITE_BYTES);
        if (n > 0) {
            console->out_done += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            if (errno == EAGAIN) {
                break;
            }
            /* Replies are dropped from here on; commands still run. */
            console->out_error = errno;
            LOG(NOTICE, "console: could not write the output: %s", strerror(console->out_error));
        }
    }
    if (console->out_error != 0 || console->out_done == console->out.len) {
        buf_clear(&console->out);
        console->out_done = 0;
        note_printed(console);
    }
    if (console->out_io != NULL) {
        loop_io_set(console->out_io, console->out.len > 0 ? EPOLLOUT : 0);
    }
}

static void on_writable(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    struct console *console = userdata;
    write_out(console);
    wake(console);
}

/* Removes what an answer that is being written shows. */
static void erase_live(struct console *console)
{
    if (console->live_rows > 0) {
        buf_addf(&console->out, "\033[%zuA\r\033[J", console->live_rows);
        console->live_rows = 0;
    }
}

static void hide_input_line(struct console *console)
{
    if (console->prompt != NULL) {
        prompt_hide(console->prompt);
    } else if (console->input_line_shown) {
        buf_add_c(&console->out, ERASE_LINE);
        console->input_line_shown = false;
    }
    erase_live(console);
}

static void show_input_line(struct console *console)
{
    if (console->prompt != NULL && !console->in_ended) {
        prompt_show(console->prompt);
    } else if (console->in_is_tty && console->out_is_tty && !console->input_line_shown &&
               console->prompt == NULL && !console->in_ended) {
        buf_add_c(&console->out, INPUT_LINE);
        console->input_line_shown = true;
    }
}

static void print_error(struct console *console, const struct err *err)
{
    hide_input_line(console);
    render_text_error(err, &console->out);
}

/* Progress is shown on a terminal, not in a pipe. */
static bool is_worth_printing(const struct console *console, const struct reply *reply)
{
    return console->out_is_tty || reply_get_tone(reply) != TONE_BUSY;
}

/* 0 for a pipe, and for a terminal that does not say. */
static size_t terminal_width(const struct console *console)
{
    struct winsize size;
    bool known = console->out_is_tty && ioctl(console->out_fd, TIOCGWINSZ, &size) == 0;
    return known && size.ws_col >= 20 ? size.ws_col : 0;
}

static void print_reply(struct console *console, const struct reply *reply)
{
    if (!is_worth_printing(console, reply)) {
        return;
    }
    hide_input_line(console);
    const struct render_text_options options = {
        .buttons = true,
        .width = terminal_width(console),
        .colour = prompt_has_colour(console->out_fd),
        .choices = console->out_is_tty && console->in_is_tty ? &console->choices : NULL,
        .attachment_dir = console->options.attachments};
    render_text(reply, &options, &console->out);
    if (console->out_is_tty) {
        buf_add_char(&console->out, '\n');
    }
}

/* The rows of a text on the terminal, and where the last LIVE_ROWS of them begin. */
static size_t tail_rows(const struct console *console, struct str text, size_t *ret_from)
{
    size_t width = terminal_width(console), column = 0, rows = 0;
    size_t starts[LIVE_ROWS] = {0};
    width = width > 0 ? width : 80;
    for (size_t i = 0; i < text.len; i++) {
        bool begins = (text.ptr[i] & 0xc0) != 0x80; /* not inside a character */
        if (column == 0 && begins) {
            starts[rows++ % LIVE_ROWS] = i;
        }
        column += begins ? 1 : 0;
        if (text.ptr[i] == '\n' || column >= width) {
            column = 0;
        }
    }
    *ret_from = rows > LIVE_ROWS ? starts[rows % LIVE_ROWS] : 0;
    return rows < LIVE_ROWS ? rows : LIVE_ROWS;
}

bool console_stream(struct console *console, const struct reply *reply)
{
    AUTO_BUF struct buf text = BUF_INIT(OUT_MAX);
    size_t from = 0;
    if (!console->started || !console->out_is_tty || !console->in_is_tty) {
        return true; /* the whole answer follows */
    }
    render_text(reply, &(struct render_text_options){.width = terminal_width(console)}, &text);
    struct str shown = str_trim(buf_str(&text));
    hide_input_line(console);
    size_t rows = tail_rows(console, shown, &from);
    buf_add_str(&console->out, str_n(shown.ptr + from, shown.len - from));
    buf_add_char(&console->out, '\n');
    console->live_rows = rows;
    write_out(console);
    show_input_line(console);
    write_out(console);
    return true;
}

static void print_row(struct console *console, const struct outbox_row *row)
{
    struct err err = {0};
    struct ops_store *store = console->options.store;
    AUTO_REPLY struct reply *reply = NULL;
    if (row->run_id == 0 && now_wall(console) - row->created_us > OLD_US) {
        (void)outbox_table_dead(store, row->id, "no terminal was attached", &err);
        return;
    }
    if (row->kind == OUTBOX_ACTION || row->kind == OUTBOX_PHOTO || row->kind == OUTBOX_DOCUMENT ||
        row->kind == OUTBOX_DELETE || row->kind == OUTBOX_PIN || row->kind == OUTBOX_UNPIN) {
        /* The text names the path of each file; a terminal shows, deletes and pins nothing. */
        (void)outbox_table_delivered(store, row->id, row->id, &err);
        return;
    }
    if (reply_json_read(row->payload, strlen(row->payload), &reply, &err) < 0) {
        struct err why;
        (void)err_set(&why, ERR_OUTBOX_PAYLOAD, "outbox %lld: %s", (long long)row->id, err.context);
        log_err(LOG_LEVEL_ERROR, &why, "console");
        (void)outbox_table_dead(store, row->id, err_info(why.id)->code, &err);
        return;
    }
    if (outbox_table_sending(store, row->id, false, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "console: could not mark a reply as being sent");
        console->held_mono_us = clock_mono_us(console->options.clock) + RETRY_US;
        loop_timer_in(console->settle, RETRY_US);
        return;
    }
    console->printing = row->id;
    print_reply(console, reply);
    write_out(console);
}

/* ops.db has just failed: the outbox is not read for a while, and input does not wait for it. */
static bool is_held(const struct console *console)
{
    return clock_mono_us(console->options.clock) < console->held_mono_us;
}

/* False if no row was due. */
static bool print_next(struct console *console)
{
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    struct err err = {0};
    if (is_held(console)) {
        return false;
    }
    int rc =
        outbox_table_due(console->options.store, CONSOLE_CHANNEL, now_wall(console), &row, &err);
    if (rc == -ERR_STORE_DAMAGED) {
        log_err(LOG_LEVEL_ERROR, &err, "console: dropped an unreadable message");
        return true;
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "console: could not read the outbox");
        console->held_mono_us = clock_mono_us(console->options.clock) + RETRY_US;
        loop_timer_in(console->settle, RETRY_US);
    }
    if (rc <= 0) {
        return false;
    }
    print_row(console, &row);
    return true;
}

/* ------------------------------------------------------------------------------- input ---- */

/* For each line: the name may have been resolved since, or a reload may have changed it. */
static void identify(struct console *console)
{
    struct principal who;
    if (access_identify(console->options.access, CHANNEL_CONSOLE, console->who.id, &who) == 0) {
        console->who = who;
    }
}

static void on_complete(struct str before_cursor, void *userdata)
{
    struct console *console = userdata;
    AUTO_FREE struct completions *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    identify(console);
    complete_line(console->options.runner, &console->who, before_cursor, c);
    prompt_completions(console->prompt, c);
}

static void remember(struct console *console, struct str line)
{
    if (console->prompt == NULL) {
        return;
    }
    AUTO_FREE struct completions *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    complete_line(console->options.runner, &console->who, line, c);
    prompt_remember(console->prompt, line, c->keep);
}

static void submit_line(struct console *console, struct str raw)
{
    struct err err = {0};
    struct str line = str_trim(raw);
    console->input_line_shown = false; /* the cursor is on the next line */
    if (line.len == 0) {
        return;
    }
    if (memchr(line.ptr, '\0', line.len) != NULL) {
        (void)err_set(&err, ERR_CHAT_LINE, "NUL in the line");
        print_error(console, &err);
        return;
    }
    if (!str_is_utf8(line)) {
        (void)err_set(&err, ERR_BAD_UTF8, "console");
        print_error(console, &err);
        return;
    }
    const char *chosen = choices_find(&console->choices, line);
    AUTO_BUF struct buf text = BUF_INIT(CONSOLE_LINE_MAX);
    buf_add_str(&text, chosen != NULL ? str_c(chosen) : line);
    console->waiting = !console->in_is_tty;
    identify(console);
    if (chosen == NULL) {
        remember(console, line);
    }
    if (runner_submit(
            console->options.runner,
            &(struct invocation){.line = text.data,
                                 .who = &console->who,
                                 .chat_id = CONSOLE_CHAT,
                                 .free_text = chosen == NULL ? FREE_TEXT_MAYBE : FREE_TEXT_NO},
            &err) < 0) {
        print_error(console, &err);
    }
}

/* Removes the first line from `in` and submits it. False if there is no complete line. */
static bool accept_line(struct console *console)
{
    struct buf *in = &console->in;
    const char *end = memchr(in->data + console->scanned, '\n', in->len - console->scanned);
    size_t len = end != NULL ? (size_t)(end - in->data) : in->len;
    bool whole = end != NULL || (console->in_ended && in->len > 0);
    if (!whole && len < CONSOLE_LINE_MAX) {
        console->scanned = in->len;
        return false;
    }
    if (console->skipping) {
        console->skipping = !whole;
    } else if (len >= CONSOLE_LINE_MAX) {
        struct err err;
        (void)err_set(&err, ERR_CHAT_LINE, "more than 64 KiB");
        print_error(console, &err);
        console->skipping = !whole;
    } else {
        submit_line(console, str_n(in->data, len));
    }
    size_t used = end != NULL ? len + 1 : len;
    memmove(in->data, in->data + used, in->len - used);
    buf_truncate(in, in->len - used);
    console->scanned = 0;
    return true;
}

static void on_submit(struct str line, void *userdata)
{
    submit_line(userdata, line);
}

static void stop_reading(struct console *console)
{
    loop_source_free(console->in_io);
    console->in_io = NULL;
}

static bool wants_input(const struct console *console)
{
    return console->started && !console->in_ended && !console->waiting &&
           console->in.len < CONSOLE_LINE_MAX;
}

static void read_some(void *userdata)
{
    struct console *console = userdata;
    char bytes[READ_BYTES];
    if (!wants_input(console)) {
        return;
    }
    ssize_t n = read(console->options.in_fd, bytes, sizeof(bytes));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        wake(console);
        return;
    }
    if (n < 0) {
        LOG(NOTICE, "console: could not read the input: %s", strerror(errno));
    }
    if (n <= 0) {
        console->in_ended = true;
        stop_reading(console);
    } else {
        buf_add(&console->in, bytes, (size_t)n);
    }
    work(console);
}

static void on_readable(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    read_some(userdata);
}

static void on_prompt_end(void *userdata)
{
    struct console *console = userdata;
    console->in_ended = true;
    stop_reading(console);
}

/* False if no key waits. */
static bool accept_keys(struct console *console)
{
    struct buf *in = &console->in;
    if (in->len == 0 || console->in_ended) {
        return false;
    }
    size_t used =
        prompt_feed(console->prompt, in->data, in->len < KEYS_BYTES ? in->len : KEYS_BYTES);
    memmove(in->data, in->data + used, in->len - used);
    buf_truncate(in, in->len - used);
    return true;
}

static bool accept_input(struct console *console)
{
    /* The terminal has taken all before, so that setting its modes does not wait. */
    return console->prompt != NULL ? console->out.len == 0 && accept_keys(console)
                                   : console->out.len < OUT_MAX / 2 && accept_line(console);
}

/* ------------------------------------------------------------------------ input to output ---- */

/* Every reply to the commands so far has been printed. */
static bool is_settled(struct console *console)
{
    int64_t due_us = INT64_MAX;
    if (console->out.len > 0 || runner_active(console->options.runner) > 0) {
        return false;
    }
    return is_held(console) ||
           outbox_table_next_due_us(console->options.store, CONSOLE_CHANNEL, &due_us, NULL) < 0 ||
           due_us == INT64_MAX;
}

static void work(void *userdata)
{
    struct console *console = userdata;
    if (!console->started) {
        return;
    }
    /* One message at a time, so that a row is marked as delivered only after it was printed. */
    while (console->out.len == 0 && print_next(console)) {}
    if (console->waiting) {
        if (!is_settled(console)) {
            loop_timer_in(console->settle, SETTLE_US);
            return;
        }
        console->waiting = false;
    }
    if (accept_input(console)) {
        write_out(console);
        wake(console);
        return;
    }
    if (console->in_ended && !console->ended) {
        if (!is_settled(console)) {
            loop_timer_in(console->settle, SETTLE_US);
            return;
        }
        console->ended = true;
        if (console->options.on_end != NULL) {
            console->options.on_end(console->options.userdata);
        }
        return;
    }
    show_input_line(console);
    write_out(console);
    if (console->prompt != NULL && console->in.len > 0 && console->out.len == 0) {
        wake(console); /* keys had to wait for the output */
    }
    if (console->in_io != NULL) {
        loop_io_set(console->in_io, wants_input(console) ? EPOLLIN : 0);
    } else if (wants_input(console)) {
        loop_defer(console->read_turn);
    }
}

static void on_screen_change(void *userdata)
{
    struct console *console = userdata;
    if (console->prompt != NULL) {
        prompt_resize(console->prompt);
        write_out(console);
        wake(console);
    }
}

/* Without libedit lines are read as from a pipe. */
static void make_prompt(struct console *console)
{
    struct err err = {0};
    const struct console_options *o = &console->options;
    AUTO_BUF struct buf history = BUF_INIT(4096);
    if (o->in_fd < 0 || !prompt_fits(o->in_fd, o->out_fd)) {
        return;
    }
    if (o->state_dir != NULL) {
        prompt_history_path(o->state_dir, &history);
    }
    if (prompt_new(&(struct prompt_options){.in_fd = o->in_fd,
                                            .out_fd = o->out_fd,
                                            .out = &console->out,
                                            .history = history.len > 0 ? history.data : NULL,
                                            .submit = on_submit,
                                            .complete = on_complete,
                                            .end = on_prompt_end,
                                            .userdata = console},
                   &console->prompt, &err) < 0) {
        log_err(LOG_LEVEL_NOTICE, &err, "console: lines cannot be edited");
        return;
    }
    console->sigwinch = loop_add_signal(o->loop, SIGWINCH, on_screen_change, console, &err);
    console->sigcont = loop_add_signal(o->loop, SIGCONT, on_screen_change, console, &err);
}

int console_new(const struct console_options *options, struct console **ret, struct err *err)
{
    struct console *console = calloc(1, sizeof(*console));
    ASSERT(console != NULL);
    console->options = *options;
    console->in_is_tty = options->in_fd >= 0 && isatty(options->in_fd) == 1;
    console->out_is_tty = isatty(options->out_fd) == 1;
    console->out_fd = own_output(options->out_fd);
    console->out_is_ours = console->out_fd >= 0;
    if (!console->out_is_ours) {
        console->out_fd = options->out_fd;
    }
    buf_init(&console->in, CONSOLE_LINE_MAX + READ_BYTES);
    buf_init(&console->out, OUT_MAX);
    int rc = access_identify(options->access, CHANNEL_CONSOLE, (int64_t)getuid(), &console->who);
    if (rc < 0) {
        console_free(console);
        return err_set(err, (enum err_id) - rc, "uid %lld at the console", (long long)getuid());
    }
    console->read_turn = loop_add_deferred(options->loop, read_some, console);
    console->work_turn = loop_add_deferred(options->loop, work, console);
    console->settle = loop_add_timer(options->loop, work, console);
    loop_source_name(console->read_turn, "console input");
    loop_source_name(console->work_turn, "console");
    loop_source_name(console->settle, "console");
    make_prompt(console);
    *ret = console;
    return 0;
}

void console_free(struct console *console)
{
    if (console == NULL) {
        return;
    }
    console_stop(console);
    prompt_free(console->prompt);
    choices_release(&console->choices);
    loop_source_free(console->sigwinch);
    loop_source_free(console->sigcont);
    loop_source_free(console->read_turn);
    loop_source_free(console->work_turn);
    loop_source_free(console->settle);
    if (console->out_is_ours) {
        (void)close(console->out_fd);
    }
    buf_release(&console->in);
    buf_release(&console->out);
    free(console);
}

void console_start(struct console *console)
{
    console->started = true;
    console->in_ended = console->options.in_fd < 0;
    console->ended = console->in_ended; /* output only: on_end is never called */
    if (!console->in_ended) {
        /* NULL for a regular file: epoll does not accept one. read_turn reads it instead. */
        console->in_io = loop_add_io(console->options.loop, console->options.in_fd, EPOLLIN,
                                     on_readable, console, NULL);
    }
    console->out_io =
        loop_add_io(console->options.loop, console->out_fd, 0, on_writable, console, NULL);
    wake(console);
}

void console_stop(struct console *console)
{
    if (console == NULL || !console->started) {
        return;
    }
    hide_input_line(console);
    prompt_free(console->prompt); /* the terminal gets its modes back before the engine stops */
    console->prompt = NULL;
    write_out(console);
    console->started = false;
    loop_timer_stop(console->settle);
    stop_reading(console);
    loop_source_free(console->out_io);
    console->out_io = NULL;
}

int console_output_error(const struct console *console)
{
    return console->out_error;
}

void console_print_unstored(struct console *console, const struct reply *reply)
{
    print_reply(console, reply);
    write_out(console);
    wake(console);
}

void console_wake(struct console *console)
{
    if (console != NULL) {
        wake(console);
    }
}

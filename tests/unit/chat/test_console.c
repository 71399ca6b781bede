#include "base/log.h"
#include "channels.h"
#include "chat/console.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

struct terminal {
    struct channels channels;
    struct console *console;
    int in;  /* the test writes input here */
    int out; /* the test reads output here */
    int console_in;
    int console_out;
    struct buf shown;
    const char *wanted;
    bool ended;
    bool paused; /* the test does not read the output */
};

static void on_end(void *userdata)
{
    struct terminal *t = userdata;
    t->ended = true;
}

static void wake(void *userdata)
{
    struct terminal *t = userdata;
    console_wake(t->console);
}

static void start(struct terminal *t, int in_fd, int out_fd)
{
    struct err err = {0};
    struct channels *d = &t->channels;
    int rc = console_new(&(struct console_options){.loop = d->loop,
                                                   .clock = clock_real(),
                                                   .store = d->store,
                                                   .access = d->access,
                                                   .runner = d->runner,
                                                   .in_fd = in_fd,
                                                   .out_fd = out_fd,
                                                   .on_end = on_end,
                                                   .userdata = t},
                         &t->console, &err);
    assert_int_equal(rc, 0);
    d->outbox_changed = wake;
    d->userdata = t;
    console_start(t->console);
}

static int setup(void **state)
{
    struct terminal *t = calloc(1, sizeof(*t));
    int in[2], out[2];
    assert_non_null(t);
    channels_open(&t->channels, "", "");
    buf_init(&t->shown, (size_t)8 << 20);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
    t->console_in = in[0], t->in = in[1];
    t->out = out[0], t->console_out = out[1];
    *state = t;
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

static int teardown(void **state)
{
    struct terminal *t = *state;
    console_stop(t->console);
    console_free(t->console);
    channels_close(&t->channels);
    close_fd(&t->in);
    close_fd(&t->out);
    close_fd(&t->console_in);
    close_fd(&t->console_out);
    buf_release(&t->shown);
    free(t);
    return 0;
}

static void type(struct terminal *t, const void *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(t->in, bytes, len);
        if (n > 0) {
            bytes = (const char *)bytes + n;
            len -= (size_t)n;
        } else {
            channels_run_for(&t->channels, 10 * USEC_PER_MSEC);
        }
    }
}

static void type_c(struct terminal *t, const char *text)
{
    type(t, text, strlen(text));
}

static void read_shown(struct terminal *t)
{
    char bytes[4096];
    ssize_t n = 0;
    while (!t->paused && (n = read(t->out, bytes, sizeof(bytes))) > 0) {
        buf_add(&t->shown, bytes, (size_t)n);
    }
}

static bool is_shown(void *userdata)
{
    struct terminal *t = userdata;
    read_shown(t);
    return strstr(t->shown.data, t->wanted) != NULL;
}

static bool has_ended(void *userdata)
{
    struct terminal *t = userdata;
    read_shown(t);
    return t->ended;
}

static void until_shown(struct terminal *t, const char *text)
{
    t->wanted = text;
    if (!channels_until(&t->channels, is_shown, t)) {
        fail_msg("not shown: %s; but: %s", text, t->shown.data);
    }
}

static size_t count(const struct terminal *t, const char *text)
{
    size_t n = 0;
    for (const char *at = t->shown.data; (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}

static void a_pipe_is_answered_in_order_and_ends(void **state)
{
    struct terminal *t = *state;
    start(t, t->console_in, t->console_out);
    type_c(t, "/ping\nlines 2\n\n  /ping  ");
    close_fd(&t->in);
    assert_true(channels_until(&t->channels, has_ended, t));
    assert_string_equal(t->shown.data, "🟢 pong\n  [Again] /ping\n"
                                       "2 lines\nline 0 of <many> & some words to fill it up\n"
                                       "line 1 of <many> & some words to fill it up\n"
                                       "🟢 pong\n  [Again] /ping\n");
    assert_null(strchr(t->shown.data, '\033'));
}

static void a_file_is_read_to_its_end(void **state)
{
    struct terminal *t = *state;
    int file = memfd_create("commands", MFD_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(write(file, "/ping\n/lines 1\n", 15), 15);
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    start(t, file, t->console_out);
    assert_true(channels_until(&t->channels, has_ended, t));
    assert_int_equal(count(t, "pong"), 1);
    assert_int_equal(count(t, "1 lines"), 1);
    console_stop(t->console);
    (void)close(file);
}

static void a_bad_line_is_an_error_and_the_next_is_read(void **state)
{
    struct terminal *t = *state;
    AUTO_BUF struct buf large = BUF_INIT((size_t)1 << 20);
    start(t, t->console_in, t->console_out);
    assert_int_equal(fcntl(t->in, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 20000; i++) {
        buf_add_c(&large, "0123456789");
    }
    buf_add_char(&large, '\n');
    type(t, large.data, large.len);
    type(t, "/pi\0ng\n", 7);
    type(t, "/ping \xff\xfe\n", 9);
    type_c(t, "/nonsense\n/ping\n");
    close_fd(&t->in);
    assert_true(channels_until(&t->channels, has_ended, t));
    assert_int_equal(count(t, "CHAT_LINE"), 2);
    assert_int_equal(count(t, "BAD_UTF8"), 1);
    assert_int_equal(count(t, "COMMAND_UNKNOWN"), 1);
    assert_int_equal(count(t, "pong"), 1);
}

static void a_confirmation_code_can_be_typed(void **state)
{
    struct terminal *t = *state;
    start(t, t->console_in, t->console_out);
    type_c(t, "/touch\n");
    until_shown(t, "/confirm ");
    const char *code = strstr(t->shown.data, "/confirm ") + strlen("/confirm ");
    char line[64];
    (void)snprintf(line, sizeof(line), "/confirm %.6s\n", code);
    assert_int_equal(t->channels.touched, 0);
    type_c(t, line);
    until_shown(t, "touched");
    assert_int_equal(t->channels.touched, 1);
    assert_null(strstr(t->shown.data, "[Confirm]")); /* the button's token cannot be typed */
}

static void a_reader_that_stops_does_not_block_the_loop(void **state)
{
    struct terminal *t = *state;
    start(t, t->console_in, t->console_out);
    t->paused = true;
    type_c(t, "/lines 900\n/lines 901\n/lines 902\n");
    channels_run_for(&t->channels, 300 * USEC_PER_MSEC); /* the loop does not block */
    assert_null(strstr(t->shown.data, "902 lines"));
    t->paused = false;
    until_shown(t, "line 901 of");
    assert_int_equal(count(t, "line 5 of"), 3);
}

static void a_closed_output_does_not_stop_the_program(void **state)
{
    struct terminal *t = *state;
    (void)signal(SIGPIPE, SIG_IGN);
    start(t, t->console_in, t->console_out);
    close_fd(&t->out);
    close_fd(&t->console_out);
    type_c(t, "/ping\n");
    close_fd(&t->in);
    t->paused = true;
    assert_true(channels_until(&t->channels, has_ended, t));
}

static void escape_sequences_do_not_reach_the_terminal(void **state)
{
    struct terminal *t = *state;
    start(t, t->console_in, t->console_out);
    (void)channels_post(&t->channels, "console", 1, OUTBOX_HIGH, "x\033]0;owned\007\033[2J", 0);
    until_shown(t, "owned");
    assert_null(strchr(t->shown.data, '\033'));
    assert_null(strchr(t->shown.data, '\007'));
}

/* Replaces the pipes by a terminal of this kind; returns the console's end of it. */
static int open_terminal(struct terminal *t, const char *term)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
    close_fd(&t->in);
    close_fd(&t->out);
    t->in = t->out = master;
    assert_int_equal(setenv("TERM", term, 1), 0);
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    start(t, slave, slave);
    until_shown(t, "nightdesk> ");
    return slave;
}

static void end_terminal(struct terminal *t, int slave)
{
    type_c(t, "\004");
    assert_true(channels_until(&t->channels, has_ended, t));
    console_stop(t->console);
    t->out = -1;
    (void)close(slave);
}

static void the_prompt_is_redrawn_after_output(void **state)
{
    struct terminal *t = *state;
    int slave = open_terminal(t, "dumb");
    type_c(t, "/ping\n");
    until_shown(t, "pong");
    (void)channels_post(&t->channels, "console", 1, OUTBOX_HIGH, "an alert", 0);
    until_shown(t, "an alert");
    const char *alert = strstr(t->shown.data, "an alert");
    assert_non_null(strstr(t->shown.data, "\r\033[Kan alert"));
    t->wanted = "nightdesk> ";
    channels_run_for(&t->channels, 50 * USEC_PER_MSEC);
    read_shown(t);
    alert = strstr(t->shown.data, "an alert");
    assert_non_null(strstr(alert, "nightdesk> "));
    assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK,
                     0); /* other processes share this description */
    end_terminal(t, slave);
}

static void a_line_is_edited_on_a_terminal(void **state)
{
    struct terminal *t = *state;
    struct termios modes;
    int slave = open_terminal(t, "xterm");
    assert_int_equal(tcgetattr(slave, &modes), 0);
    assert_int_equal(modes.c_lflag & (tcflag_t)(ICANON | ECHO), 0);
    type_c(t, "pnk\033"); /* half a key waits for the other half, and the loop does not */
    channels_run_for(&t->channels, 30 * USEC_PER_MSEC);
    type_c(t, "[D\033OD");
    type_c(t, "i\033[C\033[3~g\001/\005");
    type_c(t, "\377\302\033[99;99Z\026\030\017"); /* no keys */
    channels_run_for(&t->channels, 30 * USEC_PER_MSEC);
    assert_null(strstr(t->shown.data, "pong"));
    type_c(t, "\r");
    until_shown(t, "pong");
    type_c(t, "/pi");
    until_shown(t, "/pi");
    (void)channels_post(&t->channels, "console", 1, OUTBOX_HIGH, "an alert", 0);
    until_shown(t, "an alert");
    channels_run_for(&t->channels, 50 * USEC_PER_MSEC);
    read_shown(t);
    assert_non_null(strstr(strstr(t->shown.data, "an alert"), "nightdesk> /pi"));
    type_c(t, "\025\033[A\r"); /* the line before, again */
    t->wanted = "pong";
    channels_run_for(&t->channels, 200 * USEC_PER_MSEC);
    read_shown(t);
    assert_int_equal(count(t, "pong"), 2);
    end_terminal(t, slave);
}

static void the_terminal_gets_its_modes_back(void **state)
{
    struct terminal *t = *state;
    struct termios modes;
    int slave = open_terminal(t, "xterm");
    int other = dup(slave);
    type_c(t, "half a line");
    until_shown(t, "half a line");
    console_stop(t->console);
    assert_int_equal(tcgetattr(other, &modes), 0);
    assert_int_equal(modes.c_lflag & (tcflag_t)(ICANON | ECHO), ICANON | ECHO);
    (void)close(other);
    (void)close(slave);
    t->out = -1;
}

static void a_terminal_that_is_not_read_does_not_block_the_loop(void **state)
{
    struct terminal *t = *state;
    int slave = open_terminal(t, "xterm");
    t->paused = true;
    type_c(t, "/lines 900\r/lines 901\r");
    channels_run_for(&t->channels, 200 * USEC_PER_MSEC);
    const struct loop_stats stats = loop_stats(t->channels.loop);
    assert_true(stats.longest_us < USEC_PER_SEC);
    t->paused = false;
    until_shown(t, "line 900 of");
    end_terminal(t, slave);
}

static void a_button_is_pressed_by_its_number(void **state)
{
    struct terminal *t = *state;
    int slave = open_terminal(t, "xterm");
    type_c(t, "/touch\r");
    until_shown(t, "[1] Confirm");
    type_c(t, "1\r");
    until_shown(t, "touched");
    assert_int_equal(t->channels.touched, 1);
    end_terminal(t, slave);
}

#define TERMINAL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
UNIT_GROUP(chat_console, TERMINAL_TEST(a_pipe_is_answered_in_order_and_ends),
           TERMINAL_TEST(a_file_is_read_to_its_end),
           TERMINAL_TEST(a_bad_line_is_an_error_and_the_next_is_read),
           TERMINAL_TEST(a_confirmation_code_can_be_typed),
           TERMINAL_TEST(a_reader_that_stops_does_not_block_the_loop),
           TERMINAL_TEST(a_closed_output_does_not_stop_the_program),
           TERMINAL_TEST(escape_sequences_do_not_reach_the_terminal),
           TERMINAL_TEST(the_prompt_is_redrawn_after_output),
           TERMINAL_TEST(a_line_is_edited_on_a_terminal),
           TERMINAL_TEST(the_terminal_gets_its_modes_back),
           TERMINAL_TEST(a_terminal_that_is_not_read_does_not_block_the_loop),
           TERMINAL_TEST(a_button_is_pressed_by_its_number))

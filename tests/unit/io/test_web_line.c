#include "base/check.h"
#include "io/web.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that a handler takes over. */

struct desk {
    struct web *web;
    struct web_line *_Atomic line;
    atomic_int told;
    char early[16];
};

static void on_line(struct web_line *line, struct str early, void *userdata)
{
    struct desk *d = userdata;
    (void)str_copy(early, d->early, sizeof(d->early));
    atomic_store(&d->line, line);
    (void)atomic_fetch_add(&d->told, 1);
}

static void on_request(struct web_request *request, void *userdata)
{
    static const char *const upgrade[] = {"Upgrade: chat", NULL};
    static const char *const feed[] = {"Content-Type: text/plain", NULL};
    bool leaves = str_equal_c(web_path(request), "/chat");
    web_answer_line(request, &(struct web_line_options){.leaves_http = leaves,
                                                        .headers = leaves ? upgrade : feed,
                                                        .fn = on_line,
                                                        .userdata = userdata});
}

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    assert_int_equal(
        web_start(&(struct web_options){.handler = on_request, .userdata = d}, &d->web, NULL), 0);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;
    web_line_free(atomic_load(&d->line));
    web_stop(d->web);
    free(d);
    return 0;
}

static int dial(const struct desk *d, const char *request)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(web_port(d->web)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    return fd;
}

/* Reads until the text is there, or to the end of the connection if it is NULL. */
static void expect(int fd, const char *text)
{
    char have[4096] = "";
    size_t len = 0;
    while (text == NULL || strstr(have, text) == NULL) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 5000), 1);
        ssize_t n = recv(fd, have + len, sizeof(have) - 1 - len, 0);
        if (n <= 0 && text == NULL) {
            return;
        }
        assert_true(n > 0);
        len += (size_t)n;
        have[len] = '\0';
    }
}

static struct web_line *wait_for_line(struct desk *d, int told)
{
    for (int i = 0; i < 5000 && atomic_load(&d->told) < told; i++) {
        (void)usleep(1000);
    }
    assert_int_equal(atomic_load(&d->told), told);
    return atomic_load(&d->line);
}

static ssize_t say(struct web_line *line, const char *text)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    return web_line_write(line, &part, 1);
}

static void wait_readable(struct web_line *line)
{
    struct pollfd ready = {.fd = web_line_fd(line), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
}

#define UPGRADE(path)                                                                      \
    "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: chat\r\n" \
    "\r\n"

static void both_sides_of_an_upgrade_write(void **state)
{
    struct desk *d = *state;
    char text[16] = "";
    int fd = dial(d, UPGRADE("/chat") "early");
    expect(fd, "HTTP/1.1 101 ");
    struct web_line *line = wait_for_line(d, 1);
    assert_non_null(line);
    size_t early = strlen(d->early); /* all, or some of it is read from the line */
    if (early < 5) {
        wait_readable(line);
        assert_true(web_line_read(line, d->early + early, 5 - early) > 0);
    }
    assert_string_equal(d->early, "early");
    assert_int_equal(web_line_read(line, text, sizeof(text)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(say(line, "hello"), 5);
    expect(fd, "hello");
    assert_int_equal(send(fd, "you", 3, 0), 3);
    wait_readable(line);
    assert_int_equal(web_line_read(line, text, sizeof(text)), 3);
    assert_string_equal(text, "you");
    /* It does not count as a connection of the server: so many more can be had. */
    for (int i = 0; i < 70; i++) {
        int other = dial(d, UPGRADE("/chat"));
        expect(other, "HTTP/1.1 101 ");
        struct web_line *more = wait_for_line(d, 2 + i);
        assert_int_equal(say(more, "still here"), 10);
        expect(other, "still here");
        web_line_free(more);
        expect(other, NULL);
        (void)close(other);
    }
    atomic_store(&d->line, NULL);
    (void)close(fd);
    wait_readable(line);
    assert_int_equal(web_line_read(line, text, sizeof(text)), 0);
    web_line_free(line);
}

static void an_answer_goes_on(void **state)
{
    struct desk *d = *state;
    int fd = dial(d, "GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(fd, "200 OK");
    struct web_line *line = wait_for_line(d, 1);
    assert_int_equal(say(line, "one\n"), 4);
    expect(fd, "one\n");
    (void)usleep(20000); /* the server waits */
    assert_int_equal(say(line, "two\n"), 4);
    expect(fd, "two\n");
    /* A client that does not read fills it up, and the rest arrives when it reads again. */
    static char block[65536];
    memset(block, 'x', sizeof(block) - 1);
    size_t written = 0, got = 0;
    for (int idle = 0; idle < 50;) {
        ssize_t n = say(line, block);
        written += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        (void)usleep(n > 0 ? 0 : 2000);
    }
    assert_true(written > sizeof(block));
    static char have[65536];
    while (got < written) {
        ssize_t n = recv(fd, have, sizeof(have), 0);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            got += have[i] == 'x' ? 1 : 0;
        }
    }
    assert_int_equal(got, written);
    web_line_free(line);
    atomic_store(&d->line, NULL);
    expect(fd, NULL);
    (void)close(fd);
}

static void the_line_sees_that_the_client_has_gone(void **state)
{
    struct desk *d = *state;
    char text[16];
    int fd = dial(d, "GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(fd, "200 OK");
    struct web_line *line = wait_for_line(d, 1);
    (void)close(fd);
    ssize_t n = 1;
    for (int i = 0; i < 500 && n > 0; i++) {
        n = say(line, "anybody there?\n");
        (void)usleep(2000);
    }
    assert_int_equal(n, -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(web_line_read(line, text, sizeof(text)), 0);
}

UNIT_GROUP(web_line,
           cmocka_unit_test_setup_teardown(both_sides_of_an_upgrade_write, setup, teardown),
           cmocka_unit_test_setup_teardown(an_answer_goes_on, setup, teardown),
           cmocka_unit_test_setup_teardown(the_line_sees_that_the_client_has_gone, setup, teardown))

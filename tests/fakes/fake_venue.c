#include "fakes/fake_venue.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS   20000
#define ANSWER_MAX ((size_t)32 << 20)

struct fake_venue {
    pid_t pid;
    uint16_t port; /* for commands */
    char url[48], stream_url[48];
    char key[256], secret[1024];
    struct buf answer;
};

/* In the child. */
_Noreturn static void exec_fake(const char *name, const char *const more[3], int out_fd)
{
    static char python[] = "python3", with_keys[] = "--with-keys";
    char folder[sizeof(__FILE__)] = __FILE__;
    char *slash = strrchr(folder, '/');
    char path[sizeof(folder) + 16];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(out_fd, STDOUT_FILENO);
    (void)snprintf(path, sizeof(path), "%.*s/venue", (int)(slash - folder), folder);
    char *argv[8] = {python, path, (char *)(uintptr_t)name, with_keys};
    for (int i = 0; i < 3; i++) {
        argv[4 + i] = (char *)(uintptr_t)more[i];
    }
    (void)execvp(python, argv);
    _exit(127);
}

/* Reads until the output has this text, or, with NULL, to its end. */
static void read_output(int fd, const char *until, struct buf *out)
{
    char bytes[512];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while ((until == NULL || strstr(out->data, until) == NULL) && poll(&wait, 1, START_MS) > 0) {
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n <= 0) {
            return;
        }
        buf_add(out, bytes, (size_t)n);
    }
}

static pid_t run(const char *name, const char *const more[3], struct buf *out)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        exec_fake(name, more, fds[1]);
    }
    (void)close(fds[1]);
    if (pid > 0) {
        read_output(fds[0], "\n\n", out);
    }
    (void)close(fds[0]);
    return pid;
}

/* The first key of the list: its name, then its secret, up to an empty line. */
static bool read_key(struct str rest, struct fake_venue *ret)
{
    struct str line;
    const char *end = rest.len > 0 ? strstr(rest.ptr, "\n\n") : NULL;
    if (end == NULL) {
        return false;
    }
    rest.len = (size_t)(end - rest.ptr);
    return str_split(&rest, '\n', &line) && str_copy(line, ret->key, sizeof(ret->key)) &&
           rest.len > 0 && str_copy(rest, ret->secret, sizeof(ret->secret));
}

bool fake_venue_available(void)
{
    return system("command -v python3 > /dev/null 2>&1") == 0;
}

/* One port, or, with TLS, that and the one for commands. */
static bool read_ports(struct str line, uint16_t ret[2])
{
    int count = 0;
    struct str word;
    while (count < 2 && str_split(&line, ' ', &word)) {
        int64_t port = 0;
        if (!str_to_i64(word, &port) || port <= 0 || port > UINT16_MAX) {
            return false;
        }
        ret[count++] = (uint16_t)port;
    }
    ret[1] = count == 2 ? ret[1] : ret[0];
    return count > 0;
}

/* more: its arguments. */
static int start(const char *name, const char *const more[3], const char *secure,
                 struct fake_venue **ret)
{
    AUTO_BUF struct buf out = BUF_INIT(8192);
    struct str line = {0};
    uint16_t ports[2];
    struct fake_venue *venue = calloc(1, sizeof(*venue));
    ASSERT(venue != NULL);
    buf_init(&venue->answer, ANSWER_MAX);
    venue->pid = run(name, more, &out);
    struct str rest = buf_str(&out);
    if (venue->pid <= 0 || !str_split(&rest, '\n', &line) || !read_ports(line, ports) ||
        !read_key(rest, venue)) {
        fake_venue_stop(venue);
        return -1;
    }
    venue->port = ports[1];
    (void)snprintf(venue->url, sizeof(venue->url), "http%s://127.0.0.1:%u", secure, ports[0]);
    (void)snprintf(venue->stream_url, sizeof(venue->stream_url), "ws%s://127.0.0.1:%u", secure,
                   ports[0]);
    *ret = venue;
    return 0;
}

int fake_venue_start(const char *name, struct fake_venue **ret)
{
    const char *const none[3] = {0};
    return start(name, none, "", ret);
}

int fake_venue_start_tls(const char *name, const char *certificate, const char *key,
                         struct fake_venue **ret)
{
    const char *const tls[3] = {"--tls", certificate, key};
    return certificate == NULL ? fake_venue_start(name, ret) : start(name, tls, "s", ret);
}

int fake_venue_start_fast(const char *name, int64_t times, int64_t since_s, struct fake_venue **ret)
{
    char by[24], since[24];
    (void)snprintf(by, sizeof(by), "%lld", (long long)times);
    (void)snprintf(since, sizeof(since), "%lld", (long long)since_s);
    const char *const fast[3] = {"--speed", by, since};
    return start(name, fast, "", ret);
}

void fake_venue_stop(struct fake_venue *venue)
{
    if (venue == NULL) {
        return;
    }
    if (venue->pid > 0) {
        (void)kill(venue->pid, SIGKILL);
        (void)waitpid(venue->pid, NULL, 0);
    }
    buf_release(&venue->answer);
    free(venue);
}

const char *fake_venue_url(const struct fake_venue *venue)
{
    return venue->url;
}

const char *fake_venue_stream_url(const struct fake_venue *venue)
{
    return venue->stream_url;
}

const char *fake_venue_key(const struct fake_venue *venue)
{
    return venue->key;
}

const char *fake_venue_secret(const struct fake_venue *venue)
{
    return venue->secret;
}

static bool send_all(int fd, struct str text)
{
    while (text.len > 0) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        text = str_n(text.ptr + n, text.len - (size_t)n);
    }
    return true;
}

/* One request in a connection of its own. The body of the answer; NULL: there is none. */
static const char *ask(struct fake_venue *venue, const char *line, struct str body, int *ret_status)
{
    AUTO_BUF struct buf request = BUF_INIT((size_t)1 << 20);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(venue->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    buf_addf(&request,
             "%s HTTP/1.1\r\nHost: fake\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", line,
             body.len);
    buf_add_str(&request, body);
    buf_clear(&venue->answer);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        send_all(fd, buf_str(&request))) {
        read_output(fd, NULL, &venue->answer);
    }
    (void)close(fd);
    const char *end = strstr(venue->answer.data, "\r\n\r\n");
    const char *status = strchr(venue->answer.data, ' ');
    if (end == NULL || status == NULL) {
        return NULL;
    }
    *ret_status = (int)strtol(status, NULL, 10);
    return end + 4;
}

const char *fake_venue_do(struct fake_venue *venue, const char *lines)
{
    int status = 0;
    const char *said = ask(venue, "POST /fake", str_c(lines), &status);
    return said == NULL ? "the fake does not answer" : status == 200 ? NULL : said;
}

static struct json_object *get(struct fake_venue *venue, const char *line)
{
    const struct json_limits limits = {.max_bytes = ANSWER_MAX, .max_depth = 32};
    int status = 0;
    struct json_object *root = NULL;
    const char *said = ask(venue, line, STR_LIT(""), &status);
    if (said == NULL || status != 200 || json_parse(str_c(said), &limits, &root, NULL) < 0) {
        return NULL;
    }
    return root;
}

struct json_object *fake_venue_state(struct fake_venue *venue)
{
    return get(venue, "GET /fake/state");
}

struct json_object *fake_venue_met(struct fake_venue *venue)
{
    return get(venue, "GET /fake/met");
}

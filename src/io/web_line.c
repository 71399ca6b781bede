#include "base/auto.h"
#include "base/check.h"
#include "web_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

/*
 * With 101 the descriptor that MHD hands over stays its own, and with it a slot among its
 * connections and 32 KiB. A copy of it outlives the connection, of which MHD then closes only its
 * own descriptor. Not so with TLS: there MHD's thread encrypts what passes between the client and a
 * pair of sockets, of which the caller gets one end.
 * With 200 MHD sends what it reads from a pair of sockets, of which the caller has the other end.
 * While there is nothing to read the connection is suspended, and the next write resumes it.
 */

/* The server's part of an answer with 200. Its line has a reference and MHD's response has one. */
struct feed {
    pthread_mutex_t mutex; /* then MHD's */
    int references;
    int fd; /* -1: MHD has ended the answer */
    bool suspended;
    struct MHD_Connection *connection;
};

struct web_line {
    int fd;
    struct MHD_UpgradeResponseHandle *handle; /* NULL: MHD has let go of the connection */
    struct feed *feed;                        /* NULL: 101 */
};

/* ---------------------------------------------------------------- 101 */

/* Owned by the request. */
struct offer {
    web_line_fn fn;
    void *userdata;
    bool told;
};

static void tell(struct offer *offer, struct web_line *line, struct str early)
{
    offer->told = true;
    offer->fn(line, early, offer->userdata);
}

static struct web_line *line_new(int fd)
{
    struct web_line *line = calloc(1, sizeof(*line));
    ASSERT(line != NULL);
    line->fd = fd;
    return line;
}

static void on_upgrade(void *userdata, struct MHD_Connection *connection, void *slot,
                       const char *early, size_t early_size, MHD_socket fd,
                       struct MHD_UpgradeResponseHandle *handle)
{
    (void)slot;
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    bool plain = info != NULL && info->connect_fd == fd;
    const int on = 1;
    struct web_line *line = line_new(plain ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : fd);
    line->handle = plain ? NULL : handle;
    if (line->fd >= 0 && fcntl(line->fd, F_SETFL, O_NONBLOCK) == 0) {
        /* Fails for a Unix socket, which does not wait to fill segments. */
        (void)setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        tell(userdata, line, str_n(early, early_size));
    } else { /* out of descriptors */
        web_line_free(line);
        tell(userdata, NULL, str_c(""));
    }
    if (plain) {
        (void)mhd.upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    }
}

/* The client may have gone before the 101 was sent. */
static void on_end(void *userdata)
{
    struct offer *offer = userdata;
    if (!offer->told) {
        tell(offer, NULL, str_c(""));
    }
    free(offer);
}

static void answer_upgrade(struct web_request *request, const struct web_line_options *options)
{
    struct offer *offer = calloc(1, sizeof(*offer));
    ASSERT(offer != NULL);
    offer->fn = options->fn;
    offer->userdata = options->userdata;
    struct MHD_Response *response = mhd.create_response_for_upgrade(on_upgrade, offer);
    ASSERT(response != NULL);
    web_answer_response(request, MHD_HTTP_SWITCHING_PROTOCOLS,
                        &(struct web_response){.response = response,
                                               .headers = options->headers,
                                               .on_end = on_end,
                                               .userdata = offer});
}

/* ---------------------------------------------------------------- 200 */

static void feed_lock(struct feed *feed)
{
    int rc = pthread_mutex_lock(&feed->mutex);
    ASSERT(rc == 0);
}

static void feed_unlock(struct feed *feed)
{
    int rc = pthread_mutex_unlock(&feed->mutex);
    ASSERT(rc == 0);
}

/* With the mutex held, which it releases. */
static void feed_unref(struct feed *feed)
{
    bool last = --feed->references == 0;
    feed_unlock(feed);
    if (last) {
        (void)pthread_mutex_destroy(&feed->mutex);
        free(feed);
    }
}

static ssize_t on_read(void *userdata, uint64_t position, char *to, size_t size)
{
    (void)position;
    struct feed *feed = userdata;
    feed_lock(feed);
    ssize_t n = recv(feed->fd, to, size, 0);
    if (n == 0) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (n < 0) { /* nothing is there: the only error that it has */
        n = 0;
        feed->suspended = true;
        mhd.suspend_connection(feed->connection);
    }
    feed_unlock(feed);
    return n;
}

static void on_over(void *userdata)
{
    struct feed *feed = userdata;
    feed_lock(feed);
    (void)close(feed->fd); /* the line sees it */
    feed->fd = -1;
    feed_unref(feed);
}

static void feed_resume(struct feed *feed)
{
    feed_lock(feed);
    if (feed->suspended) {
        feed->suspended = false;
        mhd.resume_connection(feed->connection);
    }
    feed_unlock(feed);
}

static void answer_feed(struct web_request *request, const struct web_line_options *options)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        options->fn(NULL, str_c(""), options->userdata);
        web_answer_c(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of file descriptors\n");
        return;
    }
    struct feed *feed = calloc(1, sizeof(*feed));
    ASSERT(feed != NULL);
    int rc = pthread_mutex_init(&feed->mutex, NULL);
    ASSERT(rc == 0);
    feed->references = 2;
    feed->fd = pair[0];
    feed->connection = web_connection(request);
    struct MHD_Response *response =
        mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, feed, on_over);
    ASSERT(response != NULL);
    web_answer_response(request, MHD_HTTP_OK,
                        &(struct web_response){.response = response, .headers = options->headers});
    struct web_line *line = line_new(pair[1]);
    line->feed = feed;
    options->fn(line, str_c(""), options->userdata);
}

/* ---------------------------------------------------------------- both */

void web_answer_line(struct web_request *request, const struct web_line_options *options)
{
    if (options->leaves_http) {
        answer_upgrade(request, options);
    } else {
        answer_feed(request, options);
    }
}

int web_line_fd(const struct web_line *line)
{
    return line->fd;
}

ssize_t web_line_read(struct web_line *line, void *dst, size_t size)
{
    return recv(line->fd, dst, size, MSG_DONTWAIT);
}

ssize_t web_line_write(struct web_line *line, struct iovec *parts, size_t count)
{
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t n = sendmsg(line->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0 && line->feed != NULL) {
        feed_resume(line->feed);
    }
    return n;
}

void web_line_free(struct web_line *line)
{
    if (line == NULL) {
        return;
    }
    if (line->handle != NULL) {
        (void)mhd.upgrade_action(line->handle, MHD_UPGRADE_ACTION_CLOSE);
    } else if (line->fd >= 0) {
        (void)close(line->fd);
    }
    if (line->feed != NULL) {
        feed_resume(line->feed);
        feed_lock(line->feed);
        feed_unref(line->feed);
    }
    free(line);
}

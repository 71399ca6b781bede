#include "base/check.h"
#include "web_private.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct web_line {
    int fd;
    struct web_tls_conn *tls; /* NULL: none */
};

void web_answer_line(struct web_request *request, const struct web_line_options *options)
{
    ASSERT(request->unanswered && !request->held);
    request->unanswered = false;
    request->answered = true;
    request->line_fn = options->fn;
    request->line_userdata = options->userdata;
    request->response = web_response_endless(options->leaves_http ? 101 : 200, options->headers);
}

void web_line_begin(struct web_request *request, int fd, struct web_tls_conn *tls, struct str early)
{
    struct web_line *line = calloc(1, sizeof(*line));
    NEED_MEMORY(line != NULL);
    line->fd = fd;
    line->tls = tls;
    web_line_fn fn = TAKE(request->line_fn);
    fn(line, early, request->line_userdata);
}

void web_line_fail(struct web_request *request)
{
    if (request->line_fn != NULL) {
        web_line_fn fn = TAKE(request->line_fn);
        fn(NULL, str_c(""), request->line_userdata);
    }
}

int web_line_fd(const struct web_line *line)
{
    return line->fd;
}

ssize_t web_line_read(struct web_line *line, void *dst, size_t size)
{
    return line->tls != NULL ? web_tls_read(line->tls, dst, size)
                             : recv(line->fd, dst, size, MSG_DONTWAIT);
}

ssize_t web_line_write(struct web_line *line, struct iovec *parts, size_t count)
{
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    return line->tls != NULL ? web_tls_send(line->tls, parts, count)
                             : sendmsg(line->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void web_line_free(struct web_line *line)
{
    if (line != NULL) {
        if (line->tls != NULL) {
            web_tls_end(line->tls);
        }
        web_tls_conn_free(line->tls);
        (void)close(line->fd);
        free(line);
    }
}

#include "fakes/fake_smtp.h"

#include "base/check.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAILS_MAX      256
#define LINE_MAX_BYTES 4096

struct fake_smtp {
    int fd;
    int stop[2]; /* a pipe: closed at the end */
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    enum fake_smtp_way way;
    char *mails[MAILS_MAX];
    size_t count;
    char violations[4096];
};

struct session {
    struct fake_smtp *smtp;
    int fd;
    char line[LINE_MAX_BYTES];
    bool greeted;
    bool from;
    bool to;
};

static void complain(struct fake_smtp *smtp, const char *what, const char *line)
{
    (void)pthread_mutex_lock(&smtp->lock);
    size_t at = strlen(smtp->violations);
    (void)snprintf(smtp->violations + at, sizeof(smtp->violations) - at, "%s: %.60s\n", what, line);
    (void)pthread_mutex_unlock(&smtp->lock);
}

static enum fake_smtp_way way_of(struct fake_smtp *smtp)
{
    (void)pthread_mutex_lock(&smtp->lock);
    enum fake_smtp_way way = smtp->way;
    (void)pthread_mutex_unlock(&smtp->lock);
    return way;
}

/* False at the end of the connection or of the test. */
static bool wait_readable(const struct session *s)
{
    struct pollfd fds[2] = {{.fd = s->fd, .events = POLLIN},
                            {.fd = s->smtp->stop[0], .events = POLLIN}};
    return poll(fds, 2, 20000) > 0 && fds[1].revents == 0;
}

static bool read_line(struct session *s)
{
    size_t n = 0;
    for (;;) {
        char c;
        if (!wait_readable(s) || read(s->fd, &c, 1) != 1) {
            return false;
        }
        if (c == '\n') {
            bool good = n > 0 && s->line[n - 1] == '\r' && n <= 999;
            s->line[good ? n - 1 : n] = '\0';
            if (!good) {
                complain(s->smtp, "line without CR LF, or too long", s->line);
            }
            return true;
        }
        if (n + 1 == sizeof(s->line)) {
            return false;
        }
        s->line[n++] = c;
    }
}

static void say(const struct session *s, const char *text)
{
    (void)!send(s->fd, text, strlen(text), MSG_NOSIGNAL);
}

static void check_mail(struct fake_smtp *smtp, const char *mail)
{
    static const char *const needed[] = {"Date: ", "From: ", "To: ", "Message-ID: <", "Subject: "};
    const char *end = strstr(mail, "\n\n");
    if (end == NULL) {
        complain(smtp, "mail without an empty line", mail);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        const char *at = strstr(mail, needed[i]);
        if (at == NULL || at > end) {
            complain(smtp, "mail without a field", needed[i]);
        }
    }
}

/* Reads up to the line with a full stop. */
static bool read_mail(struct session *s)
{
    size_t len = 0, size = (size_t)1 << 20;
    char *mail = malloc(size);
    ASSERT(mail != NULL);
    while (read_line(s)) {
        if (strcmp(s->line, ".") == 0) {
            mail[len] = '\0';
            check_mail(s->smtp, mail);
            (void)pthread_mutex_lock(&s->smtp->lock);
            ASSERT(s->smtp->count < MAILS_MAX);
            s->smtp->mails[s->smtp->count++] = mail;
            (void)pthread_mutex_unlock(&s->smtp->lock);
            return true;
        }
        const char *from = s->line[0] == '.' ? s->line + 1 : s->line;
        len += (size_t)snprintf(mail + len, size - len, "%s\n", from);
        ASSERT(len < size - LINE_MAX_BYTES);
    }
    free(mail);
    return false;
}

static bool starts(const char *line, const char *word)
{
    return strncasecmp(line, word, strlen(word)) == 0;
}

static void on_recipient(struct session *s)
{
    enum fake_smtp_way way = way_of(s->smtp);
    if (!s->from) {
        complain(s->smtp, "RCPT before MAIL", s->line);
    }
    s->to = way != FAKE_SMTP_BUSY && way != FAKE_SMTP_REFUSE;
    say(s, way == FAKE_SMTP_BUSY     ? "451 try again later\r\n"
           : way == FAKE_SMTP_REFUSE ? "550 no such user\r\n"
                                     : "250 ok\r\n");
}

/* False: the connection is closed. */
static bool on_data(struct session *s)
{
    if (!s->to) {
        complain(s->smtp, "DATA before RCPT", s->line);
    }
    say(s, "354 go on\r\n");
    if (!read_mail(s) || way_of(s->smtp) == FAKE_SMTP_CUT) {
        return false;
    }
    if (way_of(s->smtp) == FAKE_SMTP_SILENT_DATA) {
        (void)wait_readable(s);
        return false;
    }
    say(s, "250 accepted\r\n");
    s->from = s->to = false;
    return true;
}

static void serve(struct session *s)
{
    if (way_of(s->smtp) == FAKE_SMTP_SILENT) {
        char c;
        while (wait_readable(s) && read(s->fd, &c, 1) == 1) {}
        return;
    }
    say(s, "220 fake ESMTP\r\n");
    while (read_line(s)) {
        if (starts(s->line, "EHLO ")) {
            s->greeted = true;
            say(s, "250-fake\r\n250 8BITMIME\r\n");
        } else if (starts(s->line, "MAIL FROM:<")) {
            if (!s->greeted) {
                complain(s->smtp, "MAIL before EHLO", s->line);
            }
            s->from = true;
            say(s, "250 ok\r\n");
        } else if (starts(s->line, "RCPT TO:<")) {
            on_recipient(s);
        } else if (starts(s->line, "DATA")) {
            if (!on_data(s)) {
                return;
            }
        } else if (starts(s->line, "QUIT")) {
            if (way_of(s->smtp) != FAKE_SMTP_SILENT_QUIT) {
                say(s, "221 bye\r\n");
            }
        } else {
            complain(s->smtp, "unknown command", s->line);
            say(s, "500 what\r\n");
        }
    }
}

static void *run(void *userdata)
{
    struct fake_smtp *smtp = userdata;
    for (;;) {
        struct pollfd fds[2] = {{.fd = smtp->fd, .events = POLLIN},
                                {.fd = smtp->stop[0], .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0) {
            return NULL;
        }
        int fd = accept(smtp->fd, NULL, NULL);
        if (fd >= 0) {
            struct session s = {.smtp = smtp, .fd = fd};
            serve(&s);
            (void)close(fd);
        }
    }
}

int fake_smtp_start(struct fake_smtp **ret)
{
    struct fake_smtp *smtp = calloc(1, sizeof(*smtp));
    ASSERT(smtp != NULL);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    smtp->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (smtp->fd < 0 || bind(smtp->fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(smtp->fd, 16) < 0 || getsockname(smtp->fd, (struct sockaddr *)&at, &size) < 0 ||
        pipe(smtp->stop) < 0) {
        free(smtp);
        return -1;
    }
    smtp->port = ntohs(at.sin_port);
    (void)pthread_mutex_init(&smtp->lock, NULL);
    if (pthread_create(&smtp->thread, NULL, run, smtp) != 0) {
        free(smtp);
        return -1;
    }
    *ret = smtp;
    return 0;
}

void fake_smtp_stop(struct fake_smtp *smtp)
{
    if (smtp == NULL) {
        return;
    }
    (void)close(smtp->stop[1]);
    (void)pthread_join(smtp->thread, NULL);
    (void)close(smtp->stop[0]);
    (void)close(smtp->fd);
    for (size_t i = 0; i < smtp->count; i++) {
        free(smtp->mails[i]);
    }
    (void)pthread_mutex_destroy(&smtp->lock);
    free(smtp);
}

uint16_t fake_smtp_port(const struct fake_smtp *smtp)
{
    return smtp->port;
}

void fake_smtp_behave(struct fake_smtp *smtp, enum fake_smtp_way way)
{
    (void)pthread_mutex_lock(&smtp->lock);
    smtp->way = way;
    (void)pthread_mutex_unlock(&smtp->lock);
}

size_t fake_smtp_count(struct fake_smtp *smtp)
{
    (void)pthread_mutex_lock(&smtp->lock);
    size_t count = smtp->count;
    (void)pthread_mutex_unlock(&smtp->lock);
    return count;
}

const char *fake_smtp_mail(struct fake_smtp *smtp, size_t index)
{
    ASSERT(index < fake_smtp_count(smtp));
    return smtp->mails[index];
}

const char *fake_smtp_violations(struct fake_smtp *smtp)
{
    return smtp->violations;
}

#include "io/notify.h"

#include "base/auto.h"
#include "base/str.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { STATUS_SIZE = 512 };

/* Not sd_notify: it waits for room in the manager's queue. */
static struct {
    const char *phase; /* "READY=1" or "STOPPING=1" that the manager has not taken, or "" */
    bool status_waits;
    char status[STATUS_SIZE]; /* the newest; on one line */
} waiting = {.phase = ""};

/* False when there is no manager. */
static bool manager_address(struct sockaddr_un *to, socklen_t *ret_len)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path == NULL ? 0 : strlen(path);
    if (len < 2 || len >= sizeof(to->sun_path) || (path[0] != '/' && path[0] != '@')) {
        return false;
    }
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(to->sun_path, path, len);
    if (path[0] == '@') {
        to->sun_path[0] = '\0'; /* an abstract name ends with its length, not with a zero */
    }
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));
    return true;
}

/* True when it was taken, or when there is nobody to take it. */
static bool send_text(const char *text)
{
    struct sockaddr_un to;
    socklen_t to_len;
    if (!manager_address(&to, &to_len)) {
        return true;
    }
    AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t n = fd < 0 ? -1
                       : sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                                (const struct sockaddr *)&to, to_len);
    return n >= 0;
}

bool notify_flush(void)
{
    bool phase = waiting.phase[0] != '\0', status = waiting.status_waits;
    if (!phase && !status) {
        return true;
    }
    char text[STATUS_SIZE + 64];
    (void)snprintf(text, sizeof(text), "%s%s%s%s", waiting.phase, phase && status ? "\n" : "",
                   status ? "STATUS=" : "", status ? waiting.status : "");
    if (!send_text(text)) {
        return false;
    }
    waiting.phase = "";
    waiting.status_waits = false;
    return true;
}

/* One line: a line break in the status would be read as another variable. */
static void keep_status(const char *status)
{
    char line[STATUS_SIZE];
    (void)str_copy(str_c(status), line, sizeof(line));
    for (char *c = line; *c != '\0'; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
    if (strcmp(line, waiting.status) != 0) {
        memcpy(waiting.status, line, sizeof(line));
        waiting.status_waits = true;
    }
}

void notify_ready(const char *status)
{
    waiting.phase = "READY=1";
    keep_status(status);
    (void)notify_flush();
}

void notify_status(const char *status)
{
    keep_status(status);
    (void)notify_flush();
}

void notify_stopping(void)
{
    waiting.phase = "STOPPING=1";
    (void)notify_flush();
}

bool notify_watchdog(void)
{
    return send_text("WATCHDOG=1");
}

int64_t notify_watchdog_us(void)
{
    uint64_t period_us = 0;
    return sd_watchdog_enabled(0, &period_us) > 0 ? (int64_t)period_us : 0;
}

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

/* The messages that have not been sent. sd_notify is not used, because it blocks while the
 * manager's queue is full. */
static struct {
    int64_t reloading_mono_us; /* of RELOADING=1; 0: none */
    const char *phase;         /* "READY=1" or "STOPPING=1", or "" */
    bool status_unsent;
    char status[STATUS_SIZE]; /* the newest one, without line breaks */
} unsent = {.phase = ""};

/* False without a manager. */
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
        to->sun_path[0] = '\0'; /* an abstract name: its length is explicit, it has no NUL */
    }
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));
    return true;
}

/* True if it was sent, or if there is no manager. */
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
    bool phase = unsent.phase[0] != '\0', status = unsent.status_unsent;
    char text[STATUS_SIZE + 64];
    if (unsent.reloading_mono_us != 0) { /* a datagram of its own, before READY=1 */
        (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
                       (long long)unsent.reloading_mono_us);
        if (!send_text(text)) {
            return false;
        }
        unsent.reloading_mono_us = 0;
    }
    if (!phase && !status) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "%s%s%s%s", unsent.phase, phase && status ? "\n" : "",
                   status ? "STATUS=" : "", status ? unsent.status : "");
    if (!send_text(text)) {
        return false;
    }
    unsent.phase = "";
    unsent.status_unsent = false;
    return true;
}

/* Replaces line breaks, which the protocol would take for the start of another variable. */
static void set_status(const char *status)
{
    char line[STATUS_SIZE];
    (void)str_copy(str_c(status), line, sizeof(line));
    for (char *c = line; *c != '\0'; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
    if (strcmp(line, unsent.status) != 0) {
        memcpy(unsent.status, line, sizeof(line));
        unsent.status_unsent = true;
    }
}

void notify_ready(const char *status)
{
    unsent.phase = "READY=1";
    set_status(status);
    (void)notify_flush();
}

void notify_status(const char *status)
{
    set_status(status);
    (void)notify_flush();
}

void notify_reloading(int64_t mono_us)
{
    unsent.reloading_mono_us = mono_us;
    (void)notify_flush();
}

void notify_stopping(void)
{
    unsent.reloading_mono_us = 0;
    unsent.phase = "STOPPING=1";
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

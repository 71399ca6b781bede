#include "io/prompt.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { CTRL_C = 3, CTRL_D = 4, CTRL_U = 21, BACKSPACE = 8, DELETE = 127 };

static ssize_t read_byte(int fd, char *ret)
{
    ssize_t n;
    do {
        n = read(fd, ret, 1);
    } while (n < 0 && errno == EINTR);
    return n;
}

static int read_until(int fd, bool line, char *ret, size_t size, size_t *ret_len, struct err *err)
{
    size_t len = 0;
    char c = '\0';
    ssize_t n = read_byte(fd, &c);
    for (; n == 1 && !(line && c == '\n'); n = read_byte(fd, &c)) {
        if (len + 1 >= size) {
            return err_set(err, ERR_BUF_FULL, "more than %zu bytes were given", size - 1);
        }
        ret[len++] = c;
    }
    ret[len] = '\0';
    *ret_len = len;
    return n < 0 ? err_set(err, ERR_FILE_FAILED, "descriptor %d: %s", fd, strerror(errno)) : 0;
}

int prompt_read_line(int fd, char *ret, size_t size, size_t *ret_len, struct err *err)
{
    return read_until(fd, true, ret, size, ret_len, err);
}

int prompt_read_all(int fd, char *ret, size_t size, size_t *ret_len, struct err *err)
{
    return read_until(fd, false, ret, size, ret_len, err);
}

/* Removes a whole character of UTF-8. */
static void erase(const char *text, size_t *len)
{
    while (*len > 0 && ((unsigned char)text[--*len] & 0xC0) == 0x80) {}
}

/* The terminal sends each byte at once and shows none; ^C and ^D come as bytes, so no signal can
 * end us before its state is restored. */
static int read_typed(int fd, char *ret, size_t size, size_t *ret_len, struct err *err)
{
    size_t len = 0;
    for (;;) {
        char c = '\0';
        ssize_t n = read_byte(fd, &c);
        if (n != 1 || c == CTRL_C || (c == CTRL_D && len == 0)) {
            return err_set(err, ERR_PROMPT_CANCELLED, "%s", n == 1 ? "" : "the terminal is closed");
        }
        if (c == '\n' || c == '\r' || c == CTRL_D) {
            ret[len] = '\0';
            *ret_len = len;
            return 0;
        }
        if (c == BACKSPACE || c == DELETE) {
            erase(ret, &len);
        } else if (c == CTRL_U) {
            len = 0;
        } else if (len + 1 >= size) {
            return err_set(err, ERR_BUF_FULL, "more than %zu bytes were typed", size - 1);
        } else {
            ret[len++] = c;
        }
    }
}

int prompt_hidden(const char *label, char *ret, size_t size, size_t *ret_len, struct err *err)
{
    AUTO_FD int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, hidden;
    if (fd < 0 || tcgetattr(fd, &before) < 0) {
        return err_set(err, ERR_PROMPT_NO_TERMINAL, "%.60s", label);
    }
    hidden = before;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    hidden.c_cc[VMIN] = 1;
    hidden.c_cc[VTIME] = 0;
    /* What was typed before the question is not an answer to it. */
    if (tcsetattr(fd, TCSAFLUSH, &hidden) < 0) {
        return err_set(err, ERR_PROMPT_NO_TERMINAL, "%s", strerror(errno));
    }
    (void)!write(fd, label, strlen(label));
    int rc = read_typed(fd, ret, size, ret_len, err);
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    (void)!write(fd, "\n", 1);
    return rc;
}

#include "io/notify.h"

#include "base/buf.h"

#include <systemd/sd-daemon.h>

static void notify_with_status(const char *state, const char *status)
{
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_add_c(&text, state);
    /* One line each: a line break in the status would be read as another variable. */
    buf_add_c(&text, "STATUS=");
    for (const char *c = status; *c != '\0'; c++) {
        buf_add_char(&text, *c);
        if (*c == '\n') {
            text.data[text.len - 1] = ' ';
        }
    }
    /* Without a manager, or with one that went away, there is nobody to tell. */
    (void)sd_notify(0, text.data);
}

void notify_ready(const char *status)
{
    notify_with_status("READY=1\n", status);
}

void notify_status(const char *status)
{
    notify_with_status("", status);
}

void notify_reloading(void)
{
    (void)sd_notify(0, "RELOADING=1");
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

int64_t notify_watchdog_us(void)
{
    uint64_t period_us = 0;
    return sd_watchdog_enabled(0, &period_us) > 0 ? (int64_t)period_us : 0;
}

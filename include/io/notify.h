/*
 * notify.h: what a Type=notify service tells its manager (sd_notify).
 *
 *     notify_ready("paper, 4 services");
 *     if (notify_watchdog_us() > 0) ...every half of it: notify_watchdog();
 *     notify_stopping();
 *
 * Always true: without a manager (NOTIFY_SOCKET unset) each call does nothing.
 * Thread: any.
 */
#pragma once

#include <stdint.h>

void notify_ready(const char *status);
void notify_status(const char *status);
void notify_reloading(void); /* followed by notify_ready when it is done */
void notify_stopping(void);
void notify_watchdog(void);
/* Period of the watchdog that the manager set for this process; 0: none. */
int64_t notify_watchdog_us(void);

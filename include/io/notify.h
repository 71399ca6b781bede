/*
 * notify.h: what a Type=notify service tells its manager (the protocol of sd_notify(3)).
 *
 *     notify_ready("paper, 4 services");
 *     if (notify_watchdog_us() > 0) ...every half of it: notify_watchdog();
 *     ...every second: notify_flush();
 *     notify_stopping();
 *
 * Always true: no call waits. A manager that does not read its socket leaves a full queue behind
 * (net.unix.max_dgram_qlen datagrams); what finds it full is not sent. READY=1, STOPPING=1 and the
 * newest status then wait for notify_flush; a heartbeat does not. A status that the manager has is
 * not sent again. Without a manager (NOTIFY_SOCKET unset) each call does nothing.
 * NOTIFY_SOCKET is a path or an abstract name ("@name"), as systemd gives it to a service; vsock
 * addresses, which only the first process of a virtual machine gets, are not served.
 * Thread: one, that of the ops loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void notify_ready(const char *status);
void notify_status(const char *status);
void notify_stopping(void);
/* False when the manager's queue is full: try again soon. */
bool notify_watchdog(void);
/* Sends what an earlier call could not. True when nothing waits any more. */
bool notify_flush(void);
/* Period of the watchdog that the manager set for this process; 0: none. */
int64_t notify_watchdog_us(void);

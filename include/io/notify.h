/*
 * notify.h: sends the state of a Type=notify service to its manager (sd_notify(3)'s protocol).
 *
 *     notify_ready("paper, 4 services");
 *     if (notify_watchdog_us() > 0) ...every half of it: notify_watchdog();
 *     ...every second: notify_flush();
 *     notify_stopping();
 *
 * Always true: no call blocks. If the manager does not read its socket, the queue fills up
 * (net.unix.max_dgram_qlen datagrams) and a message is not sent. RELOADING=1, READY=1, STOPPING=1
 * and the newest status then wait for notify_flush; a watchdog heartbeat is dropped. A status that
 * the manager already has is not sent again. Without a manager (NOTIFY_SOCKET unset) each call is a
 * no-op. NOTIFY_SOCKET is a path or an abstract name ("@name"). vsock addresses, which only the
 * init process of a virtual machine gets, are not supported. Thread: the ops thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void notify_ready(const char *status);
void notify_status(const char *status);
/* A reload begins at this time of CLOCK_MONOTONIC; the next notify_ready ends it. */
void notify_reloading(int64_t mono_us);
void notify_stopping(void);
/* Sends a heartbeat. False if the manager's queue is full: try again soon. */
bool notify_watchdog(void);
/* Sends the messages that earlier calls could not send. True if none is left. */
bool notify_flush(void);
/* Watchdog period that the manager set for this process; 0: none. */
int64_t notify_watchdog_us(void);

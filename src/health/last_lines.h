/*
 * last_lines.h: the last lines of the log of a service that has failed, for its alert.
 *
 *     service->lines = last_lines_read(service);   // service_raise(service) follows, once
 *     buf_add_c(&text, last_lines_text(service->lines));
 *     last_lines_free(TAKE(service->lines));
 *
 * A helper thread reads them, and the alert waits for them for LAST_LINES_WAIT_US at most: a disk
 * that hangs must not hold it back. Of a unit that has failed, the journal is read when it has
 * stored the failure. They are redacted and safe to show. Thread: ops.
 */
#pragma once

#include "base/clock.h"

#include <stdbool.h>

#define LAST_LINES_WAIT_US (3 * USEC_PER_SEC / 5)

struct last_lines;
struct service;

struct last_lines *last_lines_read(struct service *service);
void last_lines_free(struct last_lines *lines); /* cancels it; accepts NULL */
bool last_lines_pending(const struct last_lines *lines);
/* "" while it is pending, or if there are none. Valid until last_lines_free. */
const char *last_lines_text(const struct last_lines *lines);

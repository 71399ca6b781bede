/*
 * mailer.h: the text of a mail. Private to this module.
 *
 *     mailer_text(config, row, reply, false, now_us, &text);
 *
 * Thread: any.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

struct config;
struct outbox_row;
struct reply;

/* The mail of a row, RFC 5322 with MIME. */
void mailer_text(const struct config *config, const struct outbox_row *row,
                 const struct reply *reply, bool repeated, int64_t now_us, struct buf *out);

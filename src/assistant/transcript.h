/*
 * transcript.h: a troubleshooting session as a document in Markdown: who said what, what was read
 * with its results, what was answered and where its figures were found, what was proposed, and what
 * was done. Private to this module.
 *
 *     rc = transcript_write(store, &(struct transcript_options){.session_id = 3}, &out, err);
 *
 * Always true: results of hidden commands are left out, and it says so; a result is cut after
 * TRANSCRIPT_RESULT_MAX bytes, and it says so.
 * Thread: any, with a connection of its own.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/ops.h"

#include <stdint.h>

#define TRANSCRIPT_MAX        ((size_t)2 * 1024 * 1024)
#define TRANSCRIPT_RESULT_MAX ((size_t)4000)

struct transcript_options {
    int64_t session_id;
    const char *hidden;    /* names of commands, separated by spaces; NULL: none */
    const char *closed_by; /* it is closed once the transcript is there; NULL: as it is stored */
    int64_t closed_us;
};
/* SESSION_UNKNOWN. */
int transcript_write(struct ops_store *store, const struct transcript_options *options,
                     struct buf *out, struct err *err);

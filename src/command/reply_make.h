/*
 * reply_make.h: what reading a reply from its JSON needs beyond include/command/reply.h: parts
 * that are already split, or set as they were.
 *
 *     reply_add_spans(r, BLOCK_LIST, NULL, cells, count);
 *
 * Thread: as reply.h.
 */
#pragma once

#include "command/reply.h"

#define REPLY_SPANS_MAX       256 /* of one line */
#define REPLY_BUTTON_ROWS_MAX 12

/* A paragraph, or a line of a list or of fields; name: of a field. */
void reply_add_spans(struct reply *r, enum block_kind kind, const char *name,
                     const struct cell *cells, size_t count);
void reply_set_title(struct reply *r, enum tone tone, const char *title); /* "": only the tone */
void reply_set_error(struct reply *r, const struct err *err);   /* leaves title and tone */
void reply_set_data(struct reply *r, struct json_object *data); /* takes a new reference */

/*
 * render.h: a reply value as Telegram HTML or as plain text.
 *
 *     AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
 *     render_text(reply, &(struct render_text_options){.buttons = true}, &text);
 *
 *     AUTO_RENDER_PARTS struct render_parts parts = {0};
 *     render_html(reply, &parts);
 *     if (parts.overflow) send_document(...); else send each part;
 *
 * Always true: markup in the reply's texts is escaped; control characters, bidirectional overrides
 * and invalid UTF-8 are replaced by U+FFFD; a part has at most RENDER_PART_UNITS UTF-16 units,
 * including markup; a block (line, table row, line of <pre>) is cut only if it alone is longer than
 * a part; each part is well-formed by itself.
 * Thread: any, one at a time per reply.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct reply;

#define RENDER_PART_UNITS 4000 /* Telegram accepts 4096 */
#define RENDER_PARTS_MAX  5
#define RENDER_TEXT_MAX   ((size_t)512 * 1024) /* longer than any rendered reply */

struct render_parts {
    struct buf part[RENDER_PARTS_MAX];
    size_t count;
    bool overflow; /* does not fit RENDER_PARTS_MAX parts: send the whole text as a document */
};

void render_parts_release(struct render_parts *parts);
#define AUTO_RENDER_PARTS AUTO(render_parts_release)

/* Buttons, pages and attachments are not included: see reply_get_button. */
void render_html(const struct reply *reply, struct render_parts *ret);
/* Leaves the times as texts, in UTC, for a server that does not know <tg-time>. */
void render_html_plain_times(struct render_parts *parts);

struct render_text_options {
    bool buttons; /* show each button as the command to type */
    size_t width; /* of the terminal in columns: longer lines are wrapped at a space, wider tables
                     are stacked; 0: as long as they are */
    bool colour;  /* with the colours of a terminal */
    const char *attachment_dir; /* for the path of an attachment; NULL: its id is shown */
    struct choices *choices;    /* with `buttons`: each gets a number to type instead (choices.h) */
};
/* Appends to out; the text ends with a line feed. */
void render_text(const struct reply *reply, const struct render_text_options *options,
                 struct buf *out);
/* An error card without a reply ("nightdesk do" before it is connected). */
void render_text_error(const struct err *err, struct buf *out);

/* Width in terminal columns: 0 for combining marks, 2 for East Asian wide characters and emoji. */
size_t render_width(struct str text);
/* Appends text with the forbidden characters (see above) replaced. Line feeds are kept if
 * keep_lines is set, otherwise they become spaces. */
void render_clean(struct str text, bool keep_lines, struct buf *out);

/*
 * render.h: a reply value as Telegram HTML or as plain text.
 *
 *     AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
 *     render_text(reply, &(struct render_text_options){.buttons = true}, &text);
 *
 *     AUTO_RENDER_PARTS struct render_parts parts = {0};
 *     render_html(reply, &parts);
 *     if (parts.overflow) send_document(...); else for each part send it;
 *
 * Always true: markup in the reply's texts is escaped; control and bidirectional-override
 * characters are replaced by U+FFFD, invalid UTF-8 too; a part never has more than
 * RENDER_PART_UNITS UTF-16 units, markup counted; a block (line, table row, line of <pre>) is never
 * cut in two unless it alone is longer than a part; every part is well-formed by itself.
 * Thread: any, one at a time per reply.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct reply;

#define RENDER_PART_UNITS 4000 /* Telegram takes 4096 */
#define RENDER_PARTS_MAX  5
#define RENDER_TEXT_MAX   ((size_t)512 * 1024) /* more than any reply can become */

struct render_parts {
    struct buf part[RENDER_PARTS_MAX];
    size_t count;
    bool overflow; /* it would take more: send the whole text as a document */
};

void render_parts_release(struct render_parts *parts);
#define AUTO_RENDER_PARTS AUTO(render_parts_release)

/* Buttons are not part of the text: see reply_get_button. */
void render_html(const struct reply *reply, struct render_parts *ret);

struct render_text_options {
    bool buttons; /* name what the buttons would do, as commands to type */
};
/* Appends, ending with a line feed. */
void render_text(const struct reply *reply, const struct render_text_options *options,
                 struct buf *out);
/* An error card without a reply around it ("nightdesk do" before it is connected). */
void render_text_error(const struct err *err, struct buf *out);

/* Columns that a terminal needs: 0 for combining marks, 2 for East Asian wide and emoji. */
size_t render_width(struct str text);
/* Appends text with what render.h forbids replaced; line feeds stay when keep_lines is set, else
 * they become blanks. */
void render_clean(struct str text, bool keep_lines, struct buf *out);

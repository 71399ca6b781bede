/*
 * render_walk.h: a reply as a sequence of lines; shared by both renderers.
 *
 *     static void on_line(const struct render_line *line, void *self) { ... }
 *     render_walk(reply, on_line, self);
 *
 * Always true: texts are clean (render_clean) and contain no line feed; the lines of one table or
 * fixed-width block are adjacent and share its number; a table's cells are already padded.
 * Thread: any, one at a time per reply.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct reply;

enum render_line_kind {
    RENDER_LINE_TITLE,
    RENDER_LINE_TEXT,   /* with an optional label in front, in bold where possible */
    RENDER_LINE_FIXED,  /* a line of a fixed-width block */
    RENDER_LINE_HEADER, /* the header line of a table: repeated when the table is split */
    RENDER_LINE_FOOTER
};

struct render_line {
    enum render_line_kind kind;
    size_t block;      /* fixed and header: number of its block, from 1 */
    const char *label; /* text: "Cause", or "" */
    struct str text;
};

typedef void (*render_line_fn)(const struct render_line *line, void *userdata);

void render_walk(const struct reply *reply, render_line_fn fn, void *userdata);
/* Only the lines of an error card. */
void render_walk_error(const struct err *err, render_line_fn fn, void *userdata);

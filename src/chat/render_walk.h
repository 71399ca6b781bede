/*
 * render_walk.h: a reply as a sequence of lines; shared by the two renderers for people.
 *
 *     static void on_line(const struct render_line *line, void *self) { ... }
 *     render_walk(reply, &(struct render_layout){.fixed_width = 34}, on_line, self);
 *
 * Invariants: texts are clean (render_clean) and contain no line feed; the lines of one fixed-width
 * block, quote or fold are adjacent and share its number; cells of a table are already padded. A
 * table wider than fixed_width is stacked: each row becomes one text line, "BTC-USD · long · result
 * +$2.39", which wraps well.
 * Thread: any, one at a time per reply.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply;

enum render_line_kind {
    RENDER_LINE_TITLE,
    RENDER_LINE_TEXT,
    RENDER_LINE_FIXED,  /* a line of a fixed-width block */
    RENDER_LINE_HEADER, /* the header line of a table: repeated when the table is split */
    RENDER_LINE_QUOTE,
    RENDER_LINE_FOLD, /* a line of a collapsible part; its first line is the title */
    RENDER_LINE_FOOTER
};

enum render_style {
    RENDER_PLAIN,
    RENDER_BOLD,
    RENDER_LABEL, /* of the text behind it: bold, or followed by a colon */
    RENDER_CODE,
    RENDER_LINK,
    RENDER_TIME /* in UTC; a channel may show it in the reader's zone */
};

struct render_span {
    enum render_style style;
    struct str text;
    const char *url;  /* link */
    int64_t unix_s;   /* time; 0 for others */
    const char *form; /* time: "T" "dt" "t" "d", as <tg-time format> has them */
};

struct render_line {
    enum render_line_kind kind;
    size_t block; /* fixed, header, quote, fold: number of its block, from 1 */
    const struct render_span *spans;
    size_t count;
};

struct render_layout {
    size_t fixed_width;     /* wider lines of <pre> are wrapped, wider tables stacked; 0: none */
    bool only_text_in_fold; /* no fixed-width block inside a fold */
    bool align_fields;      /* pads the names of adjacent fields to one width */
    bool names_attachments; /* a line for each attachment: it is not shown otherwise */
    const char *attachment_dir; /* NULL: the line shows the id in place of the path */
};

typedef void (*render_line_fn)(const struct render_line *line, void *userdata);

void render_walk(const struct reply *reply, const struct render_layout *layout, render_line_fn fn,
                 void *userdata);
/* How many bytes of `line` fit into `width` columns: up to the last space if there is one. 0: not
 * even the first character does. */
size_t render_wrap(struct str line, size_t width);
/* Only the lines of an error card. */
void render_walk_error(const struct err *err, render_line_fn fn, void *userdata);

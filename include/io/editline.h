/*
 * editline.h: edits a line on a terminal (libedit), driven by an event loop: it never reads and
 * never waits.
 *
 *     rc = editline_new(&(struct editline_options){.in_fd = 0, .out_fd = 1, .label = "nightdesk> ",
 *                       .out = &out, .on_line = on_line, .on_tab = on_tab, .on_end = on_end,
 *                       .userdata = x}, &e, err);
 *     editline_show(e);                           // draws; the caller writes `out` to the terminal
 *     used = editline_feed(e, bytes, len);        // what was read from the terminal
 *     editline_hide(e), buf_add_c(&out, "a message\n"), editline_show(e);
 *     editline_free(e);                           // the terminal's modes are as before
 *
 * Always true: all that is drawn goes into `out`; in_fd and out_fd are only used to set the modes
 * and to ask for the size. The line that is being edited survives hide and show. Bytes that form no
 * known key have no effect; half a key waits for its other half. ^R goes to the last line that
 * begins with the text before the cursor, as Alt-P does. A line is at most EDITLINE_MAX bytes.
 * If the process crashes the terminal gets its modes back (editline_guard).
 * Ownership: the caller keeps the descriptors, label and `out`.
 * Thread: the one that called editline_new.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct editline;

#define EDITLINE_MAX         ((size_t)4096)
#define EDITLINE_HISTORY_MAX 500 /* lines */

struct editline_options {
    int in_fd; /* both: a terminal */
    int out_fd;
    const char *label; /* before the line; \1 around what has no width, such as a colour */
    struct buf *out;
    void (*on_line)(struct str line, void *userdata); /* the cursor is below the line */
    void (*on_tab)(struct str before_cursor, void *userdata);
    void (*on_end)(void *userdata); /* ^D on an empty line */
    void *userdata;
};

/* ERR_LIBRARY if libedit is missing; ERR_TERMINAL if the terminal cannot be used for it. */
int editline_new(const struct editline_options *options, struct editline **ret, struct err *err);
void editline_free(struct editline *e); /* takes NULL */

/* Returns how many bytes it has used: it stops behind the end of a line. Shows the line first. */
size_t editline_feed(struct editline *e, const char *bytes, size_t len);
void editline_show(struct editline *e);
void editline_hide(struct editline *e);
/* The size of the terminal has changed, or another program has used it. */
void editline_resize(struct editline *e);
bool editline_is_empty(struct editline *e);
/* Empties the line. */
void editline_discard(struct editline *e);
/* The text before the cursor; valid until the next call. */
struct str editline_before_cursor(struct editline *e);
/* Replaces that many bytes before the cursor. */
void editline_replace(struct editline *e, size_t bytes, struct str text);
/* Adds a line to what the arrow keys bring back. */
void editline_remember(struct editline *e, struct str line);

/* For a program that draws the screen itself: the size, or 80x24 if the terminal does not say. */
void editline_size(int fd, size_t *ret_columns, size_t *ret_rows);
/* From now on a fatal signal (SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL) gives the terminal the
 * modes that it has now and writes `leave` to it (a static text, or NULL), before the process dies
 * of it. fd -1: not any more. */
void editline_guard(int fd, const char *leave);
/* Modes without echo, where each key arrives at once; the next editline_cooked undoes it. */
int editline_raw(int fd, struct err *err);
void editline_cooked(void);

/*
 * prompt.h: the input line of a chat on a terminal: editing, history and completion. The console of
 * `nightdesk run` and `nightdesk chat` share it.
 *
 *     rc = prompt_new(&(struct prompt_options){.in_fd = 0, .out_fd = 1, .out = &out,
 *                     .history = "var/history-1000", .submit = submit, .complete = complete,
 *                     .end = end, .userdata = x}, &prompt, err);
 *     used = prompt_feed(prompt, bytes, len);      // may call submit, complete or end
 *     prompt_hide(prompt); render into out; prompt_show(prompt);
 *     prompt_free(prompt);
 *
 * Always true: it draws into `out` and neither reads nor waits; a line that is not to be kept
 * (command/complete.h) is in no history; the file of the history belongs to this user alone (0600),
 * is no link, and is cut to its newest lines when it has grown. The caller completes at once
 * or later with prompt_completions; an answer to another line than the one on the screen is
 * ignored.
 * Thread: one, that of the loop it is used on.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "chat/render.h"
#include "command/complete.h"

#include <stdbool.h>
#include <stddef.h>

struct prompt;

struct prompt_options {
    int in_fd;
    int out_fd;
    struct buf *out;
    const char *history;                             /* the file; NULL: none. Copied */
    void (*submit)(struct str line, void *userdata); /* trimmed; may be empty */
    void (*complete)(struct str before_cursor, void *userdata);
    void (*end)(void *userdata);
    void *userdata;
};

/* Whether both are a terminal on which a line can be edited (TERM is set, and not to dumb). */
bool prompt_fits(int in_fd, int out_fd);
/* Whether to use colours on this descriptor: a terminal, and not NO_COLOR. */
bool prompt_has_colour(int out_fd);

int prompt_new(const struct prompt_options *options, struct prompt **ret, struct err *err);
void prompt_free(struct prompt *prompt); /* takes NULL */
/* Returns how many bytes were used: it stops behind a line. */
size_t prompt_feed(struct prompt *prompt, const char *bytes, size_t len);
void prompt_show(struct prompt *prompt);
void prompt_hide(struct prompt *prompt);
void prompt_resize(struct prompt *prompt);
bool prompt_is_empty(struct prompt *prompt);
void prompt_discard(struct prompt *prompt); /* ^C: empties the line */
void prompt_completions(struct prompt *prompt, const struct completions *c);
void prompt_remember(struct prompt *prompt, struct str line, enum line_keep keep);
/* "var/history-1000" */
void prompt_history_path(const char *state_dir, struct buf *out);

/*
 * complete.h: what may follow in a command line, for the Tab key of a console; and which lines a
 * history may keep. Both come from the manifests, so that a new command is known by itself.
 *
 *     struct completions c;
 *     complete_line(runner, &who, str_c("restart pre"), &c);      // c.items[0].text "prediction"
 *     replace the bytes from c.from on by the text of an item
 *
 * Always true: only commands that this person may run on this channel are offered. completions_json
 * and completions_read carry them to `nightdesk chat`. A line that holds the value of a secret
 * argument (action_param.secret), a code, or an answer to a prompt, is never kept.
 * Thread: ops; completions_read, completions_write: any.
 */
#pragma once

#include "access/access.h"
#include "base/err.h"
#include "base/str.h"
#include "io/json_out.h"

#include <stdbool.h>
#include <stddef.h>

struct runner;

#define COMPLETIONS_MAX 128

enum line_keep {
    LINE_KEEP_NOT,
    LINE_KEEP_HERE, /* only in memory: it is no command, and may be anything */
    LINE_KEEP_ALWAYS
};

struct completion {
    char text[64];
    char help[96];
};

struct completions {
    size_t from; /* the byte of the line where the text of an item goes */
    size_t count;
    bool more;      /* than COMPLETIONS_MAX */
    char hint[160]; /* what the value may be, when none can be listed; "": nothing is known */
    enum line_keep keep;
    struct completion items[COMPLETIONS_MAX];
};

/* before_cursor: the line up to the cursor. keep is about the same text. */
void complete_line(const struct runner *runner, const struct principal *who,
                   struct str before_cursor, struct completions *ret);
/* The members, into the object that is open. */
void completions_write(const struct completions *c, struct json_out *out);
int completions_read(struct str json, struct completions *ret, struct err *err);

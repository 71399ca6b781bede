/*
 * when.h: the conditions of steps (`when:` in a manifest): comparisons of arguments, outputs of
 * earlier steps and literals. Private to this module.
 *
 *     when: $state.state == active and ($count > 0 or not $force)
 *
 *     rc = when_check(text, &names, &offset, err);        // while the manifest is loaded
 *     rc = when_eval(text, &values, &holds, err);
 *
 * Operators: or, and, not, parentheses, == != < <= > >=. A literal is a number, a word, or text in
 * quotation marks. A value alone holds unless it is missing, empty, 0, false or no. == and !=
 * compare two numbers by value, anything else as text. The others compare numbers; with a missing
 * value they do not hold.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct when_values {
    /* Adds the value of "arg" or "step.output"; false if it has none. */
    bool (*value)(const void *userdata, struct str name, struct buf *out);
    const void *userdata;
};

struct when_names {
    /* Whether the name may be used; otherwise *err says why not. */
    bool (*known)(const void *userdata, struct str name, struct err *err);
    const void *userdata;
};

/* 0, or -ERR_MANIFEST_FORMAT with the byte where the problem is. */
int when_check(struct str text, const struct when_names *names, size_t *ret_offset,
               struct err *err);
/* The text was checked. Error: COMMAND_ARG_INVALID, if a value to compare is no number. */
int when_eval(struct str text, const struct when_values *values, bool *ret_holds, struct err *err);

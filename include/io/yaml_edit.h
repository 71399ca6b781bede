/*
 * yaml_edit.h: sets one value of a YAML text, and leaves every other byte as it is: comments, blank
 * lines, the order, quotes, line ends.
 *
 *     AUTO_BUF struct buf out = BUF_INIT(YAML_MAX_BYTES);
 *     const struct yaml_edit edit = {.group = "risk", .name = "max_drawdown", .value = "12%"};
 *     rc = yaml_edit(buf_str(&text), "nightdesk.yaml", &edit, &out, err);
 *
 * A value that stands there is replaced, with its quotes; a comment behind it stays. A name that is
 * missing follows the last one of its group, a group that is missing ends the text.
 * Always true: the result is parsed again, and differs from the text in this one value. A layout
 * for which that is not so is refused (YAML_UNSUPPORTED, with its place) and *out is empty.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct yaml_edit {
    const char *group; /* a key of the whole text */
    const char *name;  /* a key of the group */
    const char *value; /* as it is to stand in the text: one plain or quoted scalar */
};

/* name_of_file is used in error contexts. */
int yaml_edit(struct str text, const char *name_of_file, const struct yaml_edit *edit,
              struct buf *out, struct err *err);

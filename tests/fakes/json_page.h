/*
 * json_page.h: compares docs/json.md with what is written.
 *
 *     json_page_read("docs/json.md", &page, err);
 *     if (!json_page_describes(buf_str(&page), "nightdesk.state/1", document, &why))
 * puts(why.data);
 *
 * The page has a table below the heading "### name" of each document and entity: field, type, unit,
 * meaning. How an object is compared with the table of its name:
 * - Each member has a row with its type ("number or text" is either, "any" anything; null fits any
 *   type), or, if it is an object or an array of objects, each of its members has one
 *   ("disk.state", "fills[].qty"). A step in capitals ("feed.SYMBOL.price") is any key.
 * - A row of an object or array may refer to another table (an *account*): its members are then
 *   those of that table, and those with rows of their own here.
 * - "All fields of a *snapshot*" above a table adds the rows of that one.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>

int json_page_read(const char *path, struct buf *ret, struct err *err);
/* False: *ret_why names the first member that has no row, or one of another type. *seen: a line
 * "name field" is added for each row that was used; NULL: not wanted. */
bool json_page_describes(struct str page, const char *name, const struct json_object *object,
                         struct buf *seen, struct buf *ret_why);
/* The first row of the table of this name that is not in *seen. False: all are. */
bool json_page_unused(struct str page, const char *name, const struct buf *seen,
                      struct buf *ret_field);

/*
 * quote.h: writes values as words of a command line, quoted so that parsing the line gives the same
 * values.
 *
 *     buf_add_c(&line, "amend");
 *     buf_add_char(&line, ' ');
 *     quote_add(&line, str_c("stop=target=70000"));     // "stop=target=70000", quoted
 *     quote_add_named(&line, "reason", str_c("two words"));   // reason="two words"
 *
 * Invariants: a quoted word is always a value; only an unquoted word may name an argument
 * (name=value). The line is for people to read and to send again; programs pass values by name
 * (args_json in runner.h).
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

/* Adds a value, quoted if necessary. Returns false if the value contains every kind of closing
 * mark: such a line can be shown, but not sent again. */
bool quote_add(struct buf *out, struct str value);
/* Adds name=value, the value quoted if necessary. Returns as quote_add. */
bool quote_add_named(struct buf *out, const char *name, struct str value);

/* If s begins with an opening quotation mark: its size in bytes, and the mark that closes it. Else
 * NULL. */
const char *quote_opens(struct str s, size_t *ret_size);
/* The size in bytes of "name=" at the front of s; 0 if s does not begin with an argument name. */
size_t quote_name_size(struct str s);

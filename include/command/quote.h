/*
 * quote.h: values as words of a command line, so that the line reads back as the same values.
 *
 *     buf_add_c(&line, "amend");
 *     buf_add_char(&line, ' ');
 *     quote_add(&line, str_c("stop=target=70000"));     // "stop=target=70000", in marks
 *     quote_add_named(&line, "reason", str_c("two words"));   // reason="two words"
 *
 * Always true: a word in quotation marks is a value as it stands; only a word without them may name
 * an argument (name=value). The line is for people and for what they send again; between channels
 * and the runner values go by name (runner.h, args_json).
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

/* A value without a name: in marks when it needs them. False when it holds every kind of mark: then
 * the line can be read, but not sent again. */
bool quote_add(struct buf *out, struct str value);
/* name=value, the value in marks when it needs them. */
bool quote_add_named(struct buf *out, const char *name, struct str value);

/* The mark that opens at the front of s, with what closes it; NULL when none does. */
const char *quote_opens(struct str s, size_t *ret_size);
/* Bytes of "name=" at the front of s, as of an argument; 0 when there is none. */
size_t quote_name_size(struct str s);

/*
 * line.h: a command line as words. Private to this room.
 *
 *     struct line line;
 *     rc = line_split(str_c("/why \"BTC-USD\""), &line, err);       // why | BTC-USD
 *
 * Rules: the first word may begin with a slash and end with @botname, and is folded to lower case,
 * because phones write capitals; a word that begins with ", ' or a typographic quotation mark goes
 * on to the closing one, and so does the value of name="two words". Words after LINE_WORDS_MAX are
 * counted, not kept. Thread: any.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define LINE_BYTES_MAX 4095
#define LINE_WORDS_MAX 12

struct line {
    char text[LINE_BYTES_MAX + LINE_WORDS_MAX + 1]; /* the words, each terminated */
    const char *words[LINE_WORDS_MAX];
    bool quoted[LINE_WORDS_MAX];
    size_t count; /* may be above LINE_WORDS_MAX */
};

/* COMMAND_EMPTY, COMMAND_TOO_LONG, COMMAND_QUOTES, BAD_UTF8. */
int line_split(struct str text, struct line *ret, struct err *err);

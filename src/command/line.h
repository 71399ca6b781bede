/*
 * line.h: splits a command line into words. Private to this module.
 *
 *     struct line line;
 *     rc = line_split(str_c("/why \"BTC-USD\""), &line, err);       // why | BTC-USD
 *
 * Rules: the first word may begin with a slash and end with @botname; it is converted to lower
 * case, because phones capitalise it. A word, or the value in name="two words", that begins with
 * ", ' or a typographic quotation mark extends to the closing mark. Words after LINE_WORDS_MAX are
 * counted, not kept. The name of a command may be written as two words: /config set is config_set.
 * Thread: any.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define LINE_BYTES_MAX 4095
#define LINE_WORDS_MAX 34 /* a command and more words than it can have arguments */

struct line {
    char text[LINE_BYTES_MAX + LINE_WORDS_MAX + 1]; /* the words, each terminated */
    const char *words[LINE_WORDS_MAX];
    bool quoted[LINE_WORDS_MAX]; /* the whole word was quoted, so it names no argument */
    size_t count;                /* may be above LINE_WORDS_MAX */
};

struct manifest;
struct manifest_list;

/* The command that the line names: with its first two words, which then become one, if they are the
 * name of a command (not another name for one); else with its first. NULL: none. */
const struct manifest *line_command(struct line *line, const struct manifest_list *list);

/* Errors: COMMAND_EMPTY, COMMAND_TOO_LONG, COMMAND_QUOTES, BAD_UTF8. */
int line_split(struct str text, struct line *ret, struct err *err);

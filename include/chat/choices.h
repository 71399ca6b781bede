/*
 * choices.h: the buttons of the last replies on a terminal, as numbers to type.
 *
 *     struct choices choices = {0};
 *     choices_add(&choices, reply, &options, &out);        // "[1] Confirm   [2] Cancel"
 *     const char *command = choices_find(&choices, str_c("1"));
 *     choices_release(&choices);
 *
 * Always true: a number is used again only after CHOICES_MAX others, so that a reply that arrives
 * while somebody types cannot change what the number means.
 * Thread: any, one at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>

struct render_text_options;
struct reply;

#define CHOICES_MAX 99

struct choices {
    char *commands[CHOICES_MAX]; /* owned; by number - 1; NULL: none */
    size_t next;                 /* index of the next number */
};

void choices_release(struct choices *choices);
/* Numbers the buttons and pages of the reply and adds a line for each row of them. */
void choices_add(struct choices *choices, const struct reply *reply,
                 const struct render_text_options *options, struct buf *out);
/* The command line, or the token of a confirmation, behind a number; NULL if the text is no number
 * of a button. Valid until the next call of choices_add. */
const char *choices_find(const struct choices *choices, struct str text);

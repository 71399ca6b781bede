/*
 * plain_text.h: text from a model or a market as text only: nothing in it is invisible, reorders
 * what is beside it, or becomes something to tap on a phone.
 *
 *     plain_text(str_c(finding->title), PLAIN_LINE, title, sizeof(title));
 *
 * Removed: control characters, bidirectional controls, zero-width and other invisible characters,
 * and more than two combining marks on a letter. A tab is a space, as is a line feed in PLAIN_LINE.
 * Defused: /command -> / command, @name -> @ name, #tag -> # tag, $TAG -> $ TAG, host.com ->
 * host[.]com, tg://x -> tg: //x, +15551234567 -> + 15551234567. A path of several steps, such as a
 * JSON Pointer, is no command and stays.
 * Always true: the result is valid UTF-8, cut at a character; doing it twice changes nothing.
 * Thread: any.
 */
#pragma once

#include "base/str.h"

#include <stddef.h>

enum plain_form { PLAIN_LINE, PLAIN_LINES };

/* Removes and defuses. */
void plain_text(struct str text, enum plain_form form, char *dst, size_t dst_size);
/* Only removes: for a text that is still to be compared. */
void plain_strip(struct str text, enum plain_form form, char *dst, size_t dst_size);

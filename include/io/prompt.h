/*
 * prompt.h: asks on the terminal for a text that must not be shown, and reads such a text from a
 * descriptor.
 *
 *     char *text = seal_alloc(1024);
 *     rc = prompt_hidden("Passphrase: ", text, 1024, &len, err);
 *     rc = prompt_read_line(fd, text, 1024, &len, err);
 *
 * Always true: nothing that was typed is shown or kept in a buffer besides the caller's. The
 * terminal is /dev/tty, whatever the standard streams are; its state is restored.
 * Thread: main; waits for a person.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>

/* One line of less than size bytes. PROMPT_NO_TERMINAL; PROMPT_CANCELLED on ^C, or ^D in an empty
 * line; BUF_FULL if it is longer. */
int prompt_hidden(const char *label, char *ret, size_t size, size_t *ret_len, struct err *err);
/* Up to a line feed or the end; not a byte more. */
int prompt_read_line(int fd, char *ret, size_t size, size_t *ret_len, struct err *err);
/* Up to the end. */
int prompt_read_all(int fd, char *ret, size_t size, size_t *ret_len, struct err *err);

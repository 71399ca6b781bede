/*
 * console.h: the console channel. Each line of standard input is a command of the local user;
 * replies are printed as text.
 *
 *     struct console *console;
 *     rc = console_new(&(struct console_options){.loop = loop, .store = store, .access = access,
 *                      .runner = runner, .in_fd = 0, .out_fd = 1, .on_end = stop}, &console, err);
 *     console_start(console);
 *     console_wake(console);                 // a row was added to the outbox
 *     console_stop(console), console_free(console);
 *
 * Input may be a terminal, a pipe or a file. On a terminal each line is edited (prompt.h) and
 * submitted at once; the input line is redrawn below any message that arrives in between; buttons
 * are numbers to type. From a pipe or file the next
 * line is read only after the replies to the previous one are printed, so the output is in the
 * order of the input. At the end of the input (on a terminal: ^D) on_end is called after the last
 * reply.
 * Always true: the output holds no control character except line feeds, and no escape sequence
 * unless out_fd is a terminal; a line that is longer than 64 KiB, contains NUL or is not UTF-8 is
 * answered with a catalogue error and the next line is read; a confirmation is "/confirm CODE".
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct access;
struct console;
struct loop;
struct ops_store;
struct reply;
struct runner;

#define CONSOLE_LINE_MAX ((size_t)64 * 1024)

struct console_options {
    struct loop *loop;
    const struct clock *clock;
    struct ops_store *store;
    struct access *access;
    struct runner *runner;
    const char *state_dir;   /* of the history; NULL: none is kept */
    const char *attachments; /* the folder of attachment.h; NULL: the ids of files are shown */
    int in_fd;               /* -1: output only */
    int out_fd;              /* the caller keeps both descriptors; their flags are not changed */
    /* The input has ended and every command was answered; may be NULL. */
    void (*on_end)(void *userdata);
    void *userdata;
};

int console_new(const struct console_options *options, struct console **ret, struct err *err);
void console_free(struct console *console);

void console_start(struct console *console);
void console_stop(struct console *console);
/* errno of the write that failed, after which replies are dropped; 0: none. */
int console_output_error(const struct console *console);
/* Prints a reply that is not in the outbox; used when ops.db cannot be written. */
void console_print_unstored(struct console *console, const struct reply *reply);
/* Shows the end of an answer that is being written above the input line, in place of what it showed
 * of it before; on a terminal only. */
bool console_stream(struct console *console, const struct reply *reply);
/* The outbox has changed. Cheap. */
void console_wake(struct console *console);

/*
 * console.h: the terminal door: each line of standard input is a command of the local user, replies
 * come back as text.
 *
 *     struct console *console;
 *     rc = console_new(&(struct console_options){.loop = loop, .store = store, .access = access,
 *                      .runner = runner, .in_fd = 0, .out_fd = 1, .on_end = stop}, &console, err);
 *     console_start(console);
 *     console_wake(console);                 // a row was added to the outbox
 *     console_stop(console), console_free(console);
 *
 * Input may be a terminal, a pipe or a file. On a terminal each line is submitted at once and a
 * prompt is shown, and redrawn under whatever arrives in between. From a pipe or file the next line
 * is taken when the replies to the one before are printed, so output stands in the order of the
 * input; at its end on_end is called once the last reply is out (on a terminal: at ^D).
 * Always true: what is printed holds no control character but line feeds, and no escape sequence
 * unless out_fd is a terminal; a line over 64 KiB, with NUL or of broken UTF-8 is answered with a
 * catalogue error and the next one is read; a confirmation is "/confirm CODE".
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
    int in_fd;  /* -1: output only */
    int out_fd; /* both stay the caller's and keep their flags */
    /* The input has ended and everything asked for was answered; may be NULL. */
    void (*on_end)(void *userdata);
    void *userdata;
};

int console_new(const struct console_options *options, struct console **ret, struct err *err);
void console_free(struct console *console);

void console_start(struct console *console);
void console_stop(struct console *console);
/* Prints a reply that is not in the outbox: for when ops.db cannot be written. */
void console_print_unstored(struct console *console, const struct reply *reply);
/* The outbox has changed. Cheap. */
void console_wake(struct console *console);

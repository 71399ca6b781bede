/*
 * reply.h: the answer of an action as a value. The channels render it as Telegram HTML, terminal
 * text or JSON.
 *
 *     struct reply *r = reply_new();
 *     reply_title(r, TONE_GOOD, "nightdesk · paper · up %s", up);
 *     reply_line(r, "Equity  %s  (%s)", equity, change);
 *     reply_table(r, 3, (const char *const[]){"time", "symbol", "pnl"});
 *     reply_row(r, (const char *const[]){"12:05", "BTC-USD", "+$2.39"});
 *     reply_button(r, "Positions", "/positions", BUTTON_PLAIN);
 *     json_object_object_add(reply_data(r), "equity", json_object_new_string(text));
 *
 * Invariants: texts are UTF-8 without markup (a renderer escapes them) and without control bytes
 * other than line feed and tab (invalid input is replaced by U+FFFD); blocks keep their order; a
 * button carries a command line or an opaque confirmation token that only the server can resolve; a
 * reply holds at most 64 KiB of text, and a last line says how many bytes were left out.
 * Ownership: a reply copies the texts given to it and owns the copies.
 * Thread: ops (any thread for its JSON text).
 */
#pragma once

#include "base/err.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

struct reply;

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_BUSY };
enum button_style { BUTTON_PLAIN, BUTTON_PRIMARY, BUTTON_DANGER };
enum block_kind { BLOCK_LINE, BLOCK_TABLE, BLOCK_PRE };

struct reply *reply_new(void);
void reply_free(struct reply *r);
void reply_free_slot(struct reply **slot);
#define AUTO_REPLY AUTO(reply_free_slot)

__attribute__((format(printf, 3, 4))) void reply_title(struct reply *r, enum tone tone,
                                                       const char *format, ...);
__attribute__((format(printf, 2, 3))) void reply_line(struct reply *r, const char *format, ...);
void reply_gap(struct reply *r); /* an empty line */
/* Starts a table; rows follow until the next block. At most 8 columns. */
void reply_table(struct reply *r, int columns, const char *const *headers);
void reply_row(struct reply *r, const char *const *cells); /* as many as columns */
/* Preformatted text in a fixed-width font, such as log lines. */
void reply_pre(struct reply *r, struct str text);
/* Adds a button to the current row; reply_button_row starts a new row. At most 8 in a row. */
void reply_button(struct reply *r, const char *text, const char *command, enum button_style style);
void reply_button_row(struct reply *r);
/* Marks the reply as confidential (balances, keys, log excerpts): Telegram then sends it with
 * protect_content, so that it cannot be forwarded. */
void reply_protect(struct reply *r);
/* Sets a red title above everything else; the previous title becomes the first line. A second alarm
 * replaces the first. */
__attribute__((format(printf, 2, 3))) void reply_alarm(struct reply *r, const char *format, ...);
/* The last line, such as "⏸ paused by alice" while trading is paused, halted or stopped. */
__attribute__((format(printf, 2, 3))) void reply_footer(struct reply *r, const char *format, ...);
/* Turns the reply into an error. Unless a title is set, the title is the catalogue's message. The
 * tone is BAD, or WARN for info and low severity; blocks are kept. A renderer shows the title, the
 * blocks, and then the code, cause, impact, remedy and context from reply_get_error. */
void reply_error(struct reply *r, const struct err *err);

struct reply *reply_copy(const struct reply *r); /* the caller frees it */

/* Adds the blocks, buttons, protection and data members of another reply. The title, tone, footer
 * and error of r do not change. */
void reply_append(struct reply *r, const struct reply *from);

/* The machine-readable part: a JSON object that the reply owns. Callers add members to it. */
struct json_object *reply_data(struct reply *r);

/* The whole reply to and from JSON: {"title","tone","blocks":[{"line"}|{"table":{"headers",
 * "rows"}}|{"pre"}],"buttons":[[{"text","command","style"}]],"footer","protect","error":{…},
 * "data":{…}}. reply_json returns a new reference. */
struct json_object *reply_json(const struct reply *r);
int reply_from_json(const char *text, size_t len, struct reply **ret, struct err *err);

/* For renderers. */
struct reply_button {
    const char *text;
    const char *command;
    enum button_style style;
};
struct reply_block {
    enum block_kind kind;
    const char *text; /* line, pre */
    int columns;      /* table: read with reply_cell; row -1 is the header */
    int rows;
};
const char *reply_get_title(const struct reply *r); /* "" if it has none */
enum tone reply_get_tone(const struct reply *r);
const char *reply_get_footer(const struct reply *r);
bool reply_is_protected(const struct reply *r);
const struct err *reply_get_error(const struct reply *r); /* NULL if it has none */
const char *tone_name(enum tone tone);                    /* "plain" "good" "warn" "bad" "busy" */
const char *button_style_name(enum button_style style);   /* "plain" "primary" "danger" */
size_t reply_block_count(const struct reply *r);
struct reply_block reply_get_block(const struct reply *r, size_t index);
const char *reply_cell(const struct reply *r, size_t block, int row, int column);
size_t reply_button_rows(const struct reply *r);
size_t reply_button_count(const struct reply *r, size_t row);
struct reply_button reply_get_button(const struct reply *r, size_t row, size_t index);

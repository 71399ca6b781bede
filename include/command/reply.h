/*
 * reply.h: what an action answers with: a value, never a message. Telegram HTML, terminal text and
 * JSON are three renderings of it, made by the doors.
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
 * other than line feed and tab (what a caller gives is mended); order is kept; buttons
 * carry a command line, or an opaque confirmation token that only the server can resolve; at most
 * 64 KiB of text in all (what does not fit is replaced by a line that says how much was left out).
 * Ownership: reply owns everything given to it. Thread: ops (JSON text of one may go anywhere).
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
/* Text shown as it is, fixed width: log lines, tables made elsewhere. */
void reply_pre(struct reply *r, struct str text);
/* A row of buttons grows until reply_button_row starts the next; at most 8 a row. */
void reply_button(struct reply *r, const char *text, const char *command, enum button_style style);
void reply_button_row(struct reply *r);
/* Keep it off other people's screens: balances, keys, log excerpts (Telegram protect_content). */
void reply_protect(struct reply *r);
/* Above everything else, in red: becomes the title, and the title so far the first line. Once more:
 * replaces it. */
__attribute__((format(printf, 2, 3))) void reply_alarm(struct reply *r, const char *format, ...);
/* One line that stays at the end while pause, breaker or emergency are on ("⏸ paused by alice").
 */
__attribute__((format(printf, 2, 3))) void reply_footer(struct reply *r, const char *format, ...);
/* Turns the reply into an error card. The title becomes the catalogue's message unless one is set,
 * the tone BAD (WARN for info and low severity); blocks stay. A renderer shows title, blocks and
 * then, from reply_get_error, code, cause, impact, what to do and context. */
void reply_error(struct reply *r, const struct err *err);

struct reply *reply_copy(const struct reply *r); /* the caller frees it */

/* Adds what another reply holds: blocks, buttons, protection, and its data under their names.
 * Title, tone, footer and error stay as they are. */
void reply_append(struct reply *r, const struct reply *from);

/* The machine-readable part, a JSON object the reply owns; add to it freely. */
struct json_object *reply_data(struct reply *r);

/* Whole value to and from JSON: {"title","tone","blocks":[{"line"}|{"table":{"headers","rows"}}|
 * {"pre"}],"buttons":[[{"text","command","style"}]],"footer","protect","error":{…},"data":{…}}.
 * reply_json returns a new reference. */
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
    int columns;      /* table; cell(row, column) below; row -1 is the header */
    int rows;
};
const char *reply_get_title(const struct reply *r); /* "" when none */
enum tone reply_get_tone(const struct reply *r);
const char *reply_get_footer(const struct reply *r);
bool reply_is_protected(const struct reply *r);
const struct err *reply_get_error(const struct reply *r); /* NULL when none */
const char *tone_name(enum tone tone);                    /* "plain" "good" "warn" "bad" "busy" */
const char *button_style_name(enum button_style style);   /* "plain" "primary" "danger" */
size_t reply_block_count(const struct reply *r);
struct reply_block reply_get_block(const struct reply *r, size_t index);
const char *reply_cell(const struct reply *r, size_t block, int row, int column);
size_t reply_button_rows(const struct reply *r);
size_t reply_button_count(const struct reply *r, size_t row);
struct reply_button reply_get_button(const struct reply *r, size_t row, size_t index);

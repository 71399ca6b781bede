/*
 * reply.h: the answer of an action as a document: a title, blocks (paragraphs, fields, tables,
 * attachments …), buttons. The channels render it as Telegram HTML, terminal text or JSON
 * (reply_walk.h, reply_json.h).
 *
 *     struct reply *r = reply_new();
 *     reply_title(r, TONE_GOOD, "nightdesk · paper");
 *     reply_para(r, "Equity {} ({})", cell_money(equity), cell_pct_signed(change, 1));
 *     reply_columns(r, "closed", "symbol", "result");
 *     reply_cells(r, cell_time(at, now), cell_symbol("BTC-USD"), cell_money_signed(pnl));
 *     reply_button(r, "Positions", "/positions", BUTTON_PLAIN);
 *     struct json_out data = JSON_OUT_TREE(reply_data(r));
 *     json_out_dec(&data, "equity", equity);
 *
 * Whatever has a unit, a number or a time is a cell (cell.h), never part of a text, so that each
 * channel formats it and a program reads a value. In a template, each {} is the next cell; as many
 * cells as {} (ASSERT). reply_line is for words alone.
 * Invariants: texts are UTF-8 without markup (a renderer escapes them) and without control bytes
 * other than line feed and tab (invalid input is replaced by U+FFFD); blocks keep their order; a
 * button carries a command line or an opaque confirmation token that only the server can resolve; a
 * reply holds at most 64 KiB of text, 2,000 blocks and 3,000 values other than text, and a last
 * line says how many bytes were left out.
 * Ownership: a reply copies the texts given to it and owns the copies.
 * Thread: ops (any thread for its JSON text).
 */
#pragma once

#include "base/err.h"
#include "command/cell.h"
#include "command/tone.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

struct reply;

enum button_style { BUTTON_PLAIN, BUTTON_PRIMARY, BUTTON_DANGER };
enum block_kind {
    BLOCK_PARA,
    BLOCK_HEADING,
    BLOCK_FIELDS,
    BLOCK_LIST,
    BLOCK_TABLE,
    BLOCK_PRE,
    BLOCK_QUOTE,
    BLOCK_LINK,
    BLOCK_PROGRESS,
    BLOCK_IMAGE,
    BLOCK_DOCUMENT,
    BLOCK_FOLD,     /* opens a collapsible part: the blocks up to BLOCK_FOLD_END */
    BLOCK_FOLD_END, /* also at the end of the reply, if it is missing there */
};

#define REPLY_COLUMNS_MAX    8
#define REPLY_BUTTONS_IN_ROW 8

struct reply *reply_new(void);
void reply_free(struct reply *r);
void reply_free_slot(struct reply **slot);
#define AUTO_REPLY AUTO(reply_free_slot)
struct reply *reply_copy(const struct reply *r); /* the caller frees it */

__attribute__((format(printf, 3, 4))) void reply_title(struct reply *r, enum tone tone,
                                                       const char *format, ...);
/* Sets a red title above everything else; the previous title becomes the first paragraph. A second
 * alarm replaces the first. */
__attribute__((format(printf, 2, 3))) void reply_alarm(struct reply *r, const char *format, ...);
/* The last line, such as "⏸ paused by alice" while trading is paused, halted or stopped. */
__attribute__((format(printf, 2, 3))) void reply_footer(struct reply *r, const char *format, ...);

/* ---- blocks ---- */

/* A paragraph of words. */
__attribute__((format(printf, 2, 3))) void reply_line(struct reply *r, const char *format, ...);
void reply_gap(struct reply *r); /* an empty line */
/* A paragraph with values: reply_para(r, "Equity {}", cell_money(equity)). */
#define reply_para(r, format, ...) reply_para_cells((r), (format), CELLS(__VA_ARGS__))
void reply_para_cells(struct reply *r, const char *format, const struct cell *cells, size_t count);
/* Continues the last paragraph, field or list item. */
#define reply_more(r, format, ...) reply_more_cells((r), (format), CELLS(__VA_ARGS__))
void reply_more_cells(struct reply *r, const char *format, const struct cell *cells, size_t count);
void reply_heading(struct reply *r, const char *text);
/* A key and its value; adjacent fields form one block. */
#define reply_field(r, name, format, ...) \
    reply_field_cells((r), (name), (format), CELLS(__VA_ARGS__))
void reply_field_cells(struct reply *r, const char *name, const char *format,
                       const struct cell *cells, size_t count);
/* An item of a list; adjacent items form one block. */
#define reply_item(r, format, ...) reply_item_cells((r), (format), CELLS(__VA_ARGS__))
void reply_item_cells(struct reply *r, const char *format, const struct cell *cells, size_t count);
/* Starts a table with these column names (at most REPLY_COLUMNS_MAX); rows follow at once, each
 * with as many cells as columns (ASSERT). */
#define reply_columns(r, ...)                                    \
    reply_columns_names((r), (const char *const[]){__VA_ARGS__}, \
                        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
void reply_columns_names(struct reply *r, const char *const *names, size_t count);
#define reply_cells(r, ...) reply_cells_row((r), CELLS(__VA_ARGS__))
void reply_cells_row(struct reply *r, const struct cell *cells, size_t count);
/* Preformatted text in a fixed-width font, such as log lines. */
void reply_pre(struct reply *r, struct str text);
/* Words of somebody else: the text of a finding, of an alert's source. */
void reply_quote(struct reply *r, struct str text);
void reply_link(struct reply *r, const char *text, const char *url); /* https:// or http:// */
/* fraction: 0 to 1. */
__attribute__((format(printf, 3, 4))) void reply_progress(struct reply *r, double fraction,
                                                          const char *format, ...);
/* A file in the attachment folder (store/attachment.h). An image is shown, a document is offered
 * for download. */
struct reply_file {
    const char *id; /* in the attachment folder */
    const char *name;
    const char *media_type;
    int64_t size_bytes;
    const char *caption; /* may be NULL */
};
void reply_image(struct reply *r, const struct reply_file *file);
void reply_document(struct reply *r, const struct reply_file *file);
/* A collapsible part: its title is always shown, the blocks up to reply_fold_end on demand. Folds
 * do not nest (ASSERT). */
void reply_fold(struct reply *r, const char *title);
void reply_fold_end(struct reply *r);

/* ---- around the blocks ---- */

/* The command lines of the pages before and after this one; "" or NULL: there is none. */
void reply_page(struct reply *r, const char *previous, const char *next);
/* Adds a button to the current row; reply_button_row starts a new row, and so does a full one. A
 * button that fits into no row is left out. */
void reply_button(struct reply *r, const char *text, const char *command, enum button_style style);
void reply_button_row(struct reply *r);
/* The message had buttons, and this became of them: "✓ Confirmed". Telegram shows it as a button
 * that cannot be pressed. At most 128 bytes are kept. */
__attribute__((format(printf, 2, 3))) void reply_choice(struct reply *r, const char *format, ...);
/* Marks the reply as confidential (balances, keys, log excerpts): Telegram then sends it with
 * protect_content, so that it cannot be forwarded. */
void reply_protect(struct reply *r);
/* The reply shows a secret, such as that of a second factor: it is never stored, goes only to the
 * person who asked, and Telegram deletes it after this time. */
void reply_conceal(struct reply *r, int64_t delete_after_us);
/* A picture of such a reply, which is never a file. The reply keeps a copy. */
void reply_conceal_png(struct reply *r, struct str png);
/* Turns the reply into an error. Unless a title is set, the title is the catalogue's message. The
 * tone is BAD, or WARN for info and low severity; blocks are kept. A renderer shows the title, the
 * code, cause, impact, remedy and context from reply_get_error, and the blocks. */
void reply_error(struct reply *r, const struct err *err);
/* Adds the blocks, buttons, protection and data members of another reply. The title, tone, footer,
 * page, choice and error of r do not change. */
void reply_append(struct reply *r, const struct reply *from);
/* The machine-readable part: a JSON object that the reply owns. Callers add members to it. */
struct json_object *reply_data(struct reply *r);

/* ---- reading ---- */

struct reply_button {
    const char *text;
    const char *command;
    enum button_style style;
};
struct reply_block {
    const struct reply *reply;
    size_t index;
    enum block_kind kind;
    const char *text; /* heading, pre, quote, link, progress; the title of a fold */
    const char *url;  /* link */
    double fraction;  /* progress */
    size_t columns;   /* table */
    size_t lines;     /* paragraph: 1; fields, items, or rows of a table without its header */
    const struct reply_file *file; /* image, document; else NULL */
};
/* The cells of a line: spans of text and values; the name of a field comes first. */
struct reply_cells {
    const struct cell *cell;
    size_t count;
};
const char *reply_get_title(const struct reply *r); /* "" if it has none */
enum tone reply_get_tone(const struct reply *r);
const char *reply_get_footer(const struct reply *r);
int64_t reply_concealed_us(const struct reply *r); /* 0: it holds no secret */
struct str reply_concealed_png(const struct reply *r);
bool reply_is_protected(const struct reply *r);
const struct err *reply_get_error(const struct reply *r);  /* NULL if it has none */
struct json_object *reply_get_data(const struct reply *r); /* to be read; owned by the reply */
const char *button_style_name(enum button_style style);    /* "plain" "primary" "danger" */
size_t reply_block_count(const struct reply *r);
struct reply_block reply_get_block(const struct reply *r, size_t index);
struct reply_cells reply_block_line(const struct reply_block *block, size_t line);
struct reply_cells reply_block_header(const struct reply_block *table);
/* The text of a block as people read it, without layout: lines separated by line feeds, cells of a
 * table by tabs. */
void reply_block_text(const struct reply *r, size_t index, struct buf *out);
const char *reply_get_page(const struct reply *r, bool next); /* "" if there is none */
size_t reply_button_rows(const struct reply *r);
size_t reply_button_count(const struct reply *r, size_t row);
struct reply_button reply_get_button(const struct reply *r, size_t row, size_t index);
const char *reply_get_choice(const struct reply *r); /* "": none */

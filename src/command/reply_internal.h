/*
 * reply_internal.h: the inside of a reply: reply.c builds it, reply_get.c reads it.
 *
 * Invariants: texts are valid UTF-8 without control characters other than \n and \t; the ends of
 * the lines of a block ascend up to its cell_count. Thread: as reply.h.
 */
#pragma once

#include "command/reply.h"
#include "reply_make.h"

struct block {
    enum block_kind kind;
    char *text;
    char *url;
    double fraction;
    size_t columns;
    struct cell *cells; /* of all lines; the header of a table is line 0 */
    size_t cell_count;
    size_t cell_cap;
    size_t *ends; /* of each line: index behind its last cell */
    size_t line_count;
    size_t line_cap;
    struct reply_file *file;
};

struct button {
    char *text;
    char *command;
    enum button_style style;
};

struct button_row {
    struct button buttons[REPLY_BUTTONS_IN_ROW];
    size_t count;
};

struct reply {
    enum tone tone;
    char *title;
    char *footer;
    char *page[2]; /* previous, next */
    bool is_protected;
    int64_t conceal_us; /* 0: it holds no secret */
    char *png;          /* owned; of a concealed reply */
    size_t png_size;
    bool has_alarm; /* the title was set by reply_alarm */
    bool has_error;
    bool in_fold;
    struct err err;
    struct block *blocks;
    size_t block_count;
    size_t block_cap;
    struct button_row button_rows[REPLY_BUTTON_ROWS_MAX];
    size_t button_row_count;
    char *choice;
    struct json_object *data;
    size_t text_bytes;  /* of title, blocks and footer */
    size_t value_count; /* cells other than text */
    size_t cell_count;
    size_t left_out; /* bytes beyond the limit; once above 0, nothing more is added */
    char note[64];   /* the last line, which reports left_out */
    struct cell note_cell;
};

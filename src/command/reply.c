#include "command/reply.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "model/model_json.h"

#include <stdarg.h>
#include <string.h>

#define REPLY_TEXT_MAX    ((size_t)64 * 1024)
#define REPLY_BLOCKS_MAX  2000
#define REPLY_COLUMNS_MAX 8
#define BUTTON_ROWS_MAX   12
#define BUTTONS_IN_ROW    8
#define LINE_MAX_BYTES    ((size_t)16 * 1024) /* one formatted line, title or footer */

struct block {
    enum block_kind kind;
    char *text;
    int columns;
    int rows;        /* data rows */
    char **cells;    /* (rows + 1) * columns, the header first */
    size_t cell_cap; /* rows that fit, the header included */
};

struct button {
    char *text;
    char *command;
    enum button_style style;
};

struct button_row {
    struct button buttons[BUTTONS_IN_ROW];
    size_t count;
};

struct reply {
    enum tone tone;
    char *title;
    char *footer;
    bool is_protected;
    bool has_alarm; /* the title was set by reply_alarm */
    bool has_error;
    struct err err;
    struct block *blocks;
    size_t block_count;
    size_t block_cap;
    struct button_row button_rows[BUTTON_ROWS_MAX];
    size_t button_row_count;
    struct json_object *data;
    size_t text_bytes; /* of title, blocks and footer */
    size_t left_out;   /* bytes beyond the limit; once above 0, nothing more is added */
    char note[64];     /* the last line, which reports left_out */
};

static void *grow(void *array, size_t count, size_t size)
{
    void *grown = reallocarray(array, count, size);
    ASSERT(grown != NULL); /* at most REPLY_TEXT_MAX and a few thousand slots */
    return grown;
}

/* Copies s, replacing invalid UTF-8 and control characters other than \n and \t by U+FFFD: the log
 * line of a service must not control a terminal. The copy has at most max_bytes; *ret_used (may be
 * NULL) is the number of bytes of s that it holds. */
static char *clean_copy(struct str s, size_t max_bytes, size_t *ret_used)
{
    static const char replacement[] = "\xef\xbf\xbd";
    AUTO_BUF struct buf out = BUF_INIT(max_bytes);
    size_t used = 0;
    while (used < s.len) {
        struct str rest = str_n(s.ptr + used, s.len - used);
        size_t size = str_utf8_size(rest);
        unsigned char first = (unsigned char)rest.ptr[0];
        bool c0 = size == 1 && ((first < 0x20 && first != '\n' && first != '\t') || first == 0x7f);
        bool c1 = size == 2 && first == 0xc2 && (unsigned char)rest.ptr[1] < 0xa0;
        bool bad = size == 0 || c0 || c1;
        struct str piece = bad ? str_c(replacement) : str_n(rest.ptr, size);
        if (out.len + piece.len > max_bytes) {
            break;
        }
        buf_add_str(&out, piece);
        used += size == 0 ? 1 : size;
    }
    if (ret_used != NULL) {
        *ret_used = used;
    }
    char *text = strndup(out.data, out.len);
    ASSERT(text != NULL);
    return text;
}

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list args)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MAX_BYTES);
    buf_addv(&text, format, args);
    return clean_copy(buf_str(&text), LINE_MAX_BYTES, NULL);
}

struct reply *reply_new(void)
{
    struct reply *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->data = json_object_new_object();
    ASSERT(r->data != NULL);
    return r;
}

static void block_release(struct block *b)
{
    free(b->text);
    if (b->cells != NULL) {
        size_t count = (size_t)(b->rows + 1) * (size_t)b->columns;
        for (size_t i = 0; i < count; i++) {
            free(b->cells[i]);
        }
        free(b->cells);
    }
}

void reply_free(struct reply *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->block_count; i++) {
        block_release(&r->blocks[i]);
    }
    free(r->blocks);
    for (size_t row = 0; row < r->button_row_count; row++) {
        for (size_t i = 0; i < r->button_rows[row].count; i++) {
            free(r->button_rows[row].buttons[i].text);
            free(r->button_rows[row].buttons[i].command);
        }
    }
    free(r->title);
    free(r->footer);
    (void)json_object_put(r->data);
    free(r);
}

void reply_free_slot(struct reply **slot)
{
    reply_free(*slot);
}

static void leave_out(struct reply *r, size_t bytes)
{
    r->left_out += bytes > 0 ? bytes : 1;
    (void)snprintf(r->note, sizeof(r->note), "… %zu bytes left out (limit 64 KiB)", r->left_out);
}

/* Reserves space for len bytes of text. Returns false if they do not fit; they count as left out
 * then, and so does everything after them, so that no later block appears without an earlier one.
 */
static bool reserve_space(struct reply *r, size_t len)
{
    if (r->left_out == 0 && r->text_bytes + len <= REPLY_TEXT_MAX) {
        r->text_bytes += len;
        return true;
    }
    leave_out(r, len);
    return false;
}

__attribute__((format(printf, 3, 0))) static void set_text(struct reply *r, char **slot,
                                                           const char *format, va_list args)
{
    char *text = format_text(format, args);
    if (*slot != NULL) {
        r->text_bytes -= strlen(*slot);
        free(*slot);
    }
    r->text_bytes += strlen(text); /* title and footer are never left out */
    *slot = text;
}

void reply_title(struct reply *r, enum tone tone, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_text(r, &r->title, format, args);
    va_end(args);
    r->tone = tone;
}

void reply_alarm(struct reply *r, const char *format, ...)
{
    if (!r->has_alarm && r->title != NULL && r->block_count < REPLY_BLOCKS_MAX) {
        if (r->block_count == r->block_cap) {
            r->block_cap = r->block_cap == 0 ? 16 : r->block_cap * 2;
            r->blocks = grow(r->blocks, r->block_cap, sizeof(*r->blocks));
        }
        memmove(&r->blocks[1], r->blocks, r->block_count * sizeof(*r->blocks));
        r->blocks[0] = (struct block){.kind = BLOCK_LINE, .text = TAKE(r->title)};
        r->block_count++;
    }
    va_list args;
    va_start(args, format);
    set_text(r, &r->title, format, args);
    va_end(args);
    r->has_alarm = true;
    r->tone = TONE_BAD;
}

void reply_footer(struct reply *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_text(r, &r->footer, format, args);
    va_end(args);
}

/* NULL if the limit of blocks or of text is reached. */
static struct block *add_block(struct reply *r, enum block_kind kind, size_t bytes)
{
    if (r->block_count >= REPLY_BLOCKS_MAX) {
        leave_out(r, bytes);
        return NULL;
    }
    if (!reserve_space(r, bytes)) {
        return NULL;
    }
    if (r->block_count == r->block_cap) {
        r->block_cap = r->block_cap == 0 ? 16 : r->block_cap * 2;
        r->blocks = grow(r->blocks, r->block_cap, sizeof(*r->blocks));
    }
    struct block *b = &r->blocks[r->block_count++];
    *b = (struct block){.kind = kind};
    return b;
}

static void add_text_block(struct reply *r, enum block_kind kind, char *owned_text)
{
    struct block *b = add_block(r, kind, strlen(owned_text));
    if (b == NULL) {
        free(owned_text);
        return;
    }
    b->text = owned_text;
}

void reply_line(struct reply *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    add_text_block(r, BLOCK_LINE, text);
}

void reply_gap(struct reply *r)
{
    add_text_block(r, BLOCK_LINE, clean_copy(str_c(""), 0, NULL));
}

void reply_pre(struct reply *r, struct str text)
{
    bool full = r->left_out > 0 || r->text_bytes >= REPLY_TEXT_MAX;
    size_t used = 0;
    char *copy = clean_copy(text, full ? 0 : REPLY_TEXT_MAX - r->text_bytes, &used);
    if (full) {
        free(copy);
    } else {
        add_text_block(r, BLOCK_PRE, copy);
    }
    if (used < text.len) {
        leave_out(r, text.len - used);
    }
}

static void add_cells(struct block *b, const char *const *cells)
{
    size_t row = b->cells == NULL ? 0 : (size_t)b->rows + 1; /* the header is row 0 */
    if (row + 1 > b->cell_cap) {
        b->cell_cap = b->cell_cap == 0 ? 8 : b->cell_cap * 2;
        b->cells = grow(b->cells, b->cell_cap * (size_t)b->columns, sizeof(*b->cells));
    }
    for (size_t i = 0; i < (size_t)b->columns; i++) {
        b->cells[row * (size_t)b->columns + i] = clean_copy(str_c(cells[i]), LINE_MAX_BYTES, NULL);
    }
    b->rows = (int)row;
}

static size_t cells_bytes(const char *const *cells, int columns)
{
    size_t bytes = (size_t)columns; /* separators: so that an empty row counts, too */
    for (int i = 0; i < columns; i++) {
        bytes += str_c(cells[i]).len;
    }
    return bytes;
}

void reply_table(struct reply *r, int columns, const char *const *headers)
{
    ASSERT(columns > 0 && columns <= REPLY_COLUMNS_MAX);
    struct block *b = add_block(r, BLOCK_TABLE, cells_bytes(headers, columns));
    if (b == NULL) {
        return;
    }
    b->columns = columns;
    add_cells(b, headers);
}

void reply_row(struct reply *r, const char *const *cells)
{
    if (r->left_out > 0) {
        leave_out(r, 1); /* its table may have been left out */
        return;
    }
    ASSERT(r->block_count > 0);
    struct block *b = &r->blocks[r->block_count - 1];
    ASSERT(b->kind == BLOCK_TABLE);
    if (reserve_space(r, cells_bytes(cells, b->columns))) {
        add_cells(b, cells);
    }
}

void reply_button(struct reply *r, const char *text, const char *command, enum button_style style)
{
    if (r->button_row_count == 0) {
        r->button_row_count = 1;
    }
    struct button_row *row = &r->button_rows[r->button_row_count - 1];
    ASSERT(row->count < BUTTONS_IN_ROW);
    row->buttons[row->count++] = (struct button){.text = clean_copy(str_c(text), 128, NULL),
                                                 .command = clean_copy(str_c(command), 256, NULL),
                                                 .style = style};
}

void reply_button_row(struct reply *r)
{
    if (r->button_row_count > 0 && r->button_rows[r->button_row_count - 1].count == 0) {
        return;
    }
    ASSERT(r->button_row_count < BUTTON_ROWS_MAX);
    r->button_row_count++;
}

void reply_protect(struct reply *r)
{
    r->is_protected = true;
}

void reply_error(struct reply *r, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    bool mild = info->severity == ERR_SEVERITY_INFO || info->severity == ERR_SEVERITY_LOW;
    if (r->title == NULL) {
        reply_title(r, TONE_BAD, "%s", info->message);
    }
    r->tone = mild ? TONE_WARN : TONE_BAD;
    r->err = *err;
    char *context = clean_copy(str_c(err->context), sizeof(err->context) - 1, NULL);
    (void)str_copy(str_c(context), r->err.context, sizeof(r->err.context));
    free(context);
    r->has_error = true;
}

static void add(struct json_object *object, const char *key, struct json_object *value)
{
    ASSERT(json_object_object_add(object, key, value) == 0);
}

static void append(struct json_object *array, struct json_object *value)
{
    ASSERT(json_object_array_add(array, value) == 0);
}

static void append_table(struct reply *r, const struct reply *from, size_t index)
{
    struct reply_block b = reply_get_block(from, index);
    const char *cells[REPLY_COLUMNS_MAX] = {0};
    for (int row = -1; row < b.rows; row++) {
        for (int c = 0; c < b.columns; c++) {
            cells[c] = reply_cell(from, index, row, c);
        }
        if (row < 0) {
            reply_table(r, b.columns, cells);
        } else {
            reply_row(r, cells);
        }
    }
}

void reply_append(struct reply *r, const struct reply *from)
{
    for (size_t i = 0; i < reply_block_count(from); i++) {
        struct reply_block b = reply_get_block(from, i);
        switch (b.kind) {
        case BLOCK_LINE:
            reply_line(r, "%s", b.text);
            break;
        case BLOCK_PRE:
            reply_pre(r, str_c(b.text));
            break;
        case BLOCK_TABLE:
            append_table(r, from, i);
            break;
        }
    }
    for (size_t row = 0; row < reply_button_rows(from); row++) {
        if (r->button_row_count == BUTTON_ROWS_MAX) {
            break; /* the commands of the missing buttons can be typed */
        }
        reply_button_row(r);
        for (size_t i = 0; i < reply_button_count(from, row); i++) {
            struct reply_button b = reply_get_button(from, row, i);
            reply_button(r, b.text, b.command, b.style);
        }
    }
    r->is_protected = r->is_protected || from->is_protected;
    json_object_object_foreach(from->data, key, value)
    {
        add(r->data, key, json_object_get(value));
    }
}

struct json_object *reply_data(struct reply *r)
{
    return r->data;
}

/* ------------------------------------------------------------------------------- reading ---- */

const char *tone_name(enum tone tone)
{
    switch (tone) {
    case TONE_PLAIN:
        return "plain";
    case TONE_GOOD:
        return "good";
    case TONE_WARN:
        return "warn";
    case TONE_BAD:
        return "bad";
    case TONE_BUSY:
        return "busy";
    }
    return "plain";
}

const char *button_style_name(enum button_style style)
{
    switch (style) {
    case BUTTON_PLAIN:
        return "plain";
    case BUTTON_PRIMARY:
        return "primary";
    case BUTTON_DANGER:
        return "danger";
    }
    return "plain";
}

const char *reply_get_title(const struct reply *r)
{
    return r->title == NULL ? "" : r->title;
}

enum tone reply_get_tone(const struct reply *r)
{
    return r->tone;
}

const char *reply_get_footer(const struct reply *r)
{
    return r->footer == NULL ? "" : r->footer;
}

bool reply_is_protected(const struct reply *r)
{
    return r->is_protected;
}

const struct err *reply_get_error(const struct reply *r)
{
    return r->has_error ? &r->err : NULL;
}

size_t reply_block_count(const struct reply *r)
{
    return r->block_count + (r->left_out > 0 ? 1 : 0);
}

struct reply_block reply_get_block(const struct reply *r, size_t index)
{
    ASSERT(index < reply_block_count(r));
    if (index == r->block_count) {
        return (struct reply_block){.kind = BLOCK_LINE, .text = r->note};
    }
    const struct block *b = &r->blocks[index];
    return (struct reply_block){.kind = b->kind,
                                .text = b->text == NULL ? "" : b->text,
                                .columns = b->columns,
                                .rows = b->rows};
}

const char *reply_cell(const struct reply *r, size_t block, int row, int column)
{
    ASSERT(block < r->block_count);
    const struct block *b = &r->blocks[block];
    ASSERT(b->kind == BLOCK_TABLE && row >= -1 && row < b->rows);
    ASSERT(column >= 0 && column < b->columns);
    return b->cells[(size_t)(row + 1) * (size_t)b->columns + (size_t)column];
}

size_t reply_button_rows(const struct reply *r)
{
    size_t rows = r->button_row_count;
    return rows > 0 && r->button_rows[rows - 1].count == 0 ? rows - 1 : rows;
}

size_t reply_button_count(const struct reply *r, size_t row)
{
    ASSERT(row < r->button_row_count);
    return r->button_rows[row].count;
}

struct reply_button reply_get_button(const struct reply *r, size_t row, size_t index)
{
    ASSERT(row < r->button_row_count && index < r->button_rows[row].count);
    const struct button *b = &r->button_rows[row].buttons[index];
    return (struct reply_button){.text = b->text, .command = b->command, .style = b->style};
}

/* ---------------------------------------------------------------------------------- JSON ---- */

static struct json_object *cells_json(const struct reply *r, size_t block, int row, int columns)
{
    struct json_object *cells = json_object_new_array();
    for (int c = 0; c < columns; c++) {
        append(cells, json_object_new_string(reply_cell(r, block, row, c)));
    }
    return cells;
}

static struct json_object *blocks_json(const struct reply *r)
{
    struct json_object *blocks = json_object_new_array();
    for (size_t i = 0; i < reply_block_count(r); i++) {
        struct reply_block b = reply_get_block(r, i);
        struct json_object *one = json_object_new_object();
        switch (b.kind) {
        case BLOCK_LINE:
            add(one, "line", json_object_new_string(b.text));
            break;
        case BLOCK_PRE:
            add(one, "pre", json_object_new_string(b.text));
            break;
        case BLOCK_TABLE: {
            struct json_object *table = json_object_new_object();
            struct json_object *rows = json_object_new_array();
            for (int row = 0; row < b.rows; row++) {
                append(rows, cells_json(r, i, row, b.columns));
            }
            add(table, "headers", cells_json(r, i, -1, b.columns));
            add(table, "rows", rows);
            add(one, "table", table);
            break;
        }
        }
        append(blocks, one);
    }
    return blocks;
}

static struct json_object *buttons_json(const struct reply *r)
{
    struct json_object *rows = json_object_new_array();
    for (size_t row = 0; row < reply_button_rows(r); row++) {
        struct json_object *one_row = json_object_new_array();
        for (size_t i = 0; i < reply_button_count(r, row); i++) {
            struct reply_button b = reply_get_button(r, row, i);
            struct json_object *one = json_object_new_object();
            add(one, "text", json_object_new_string(b.text));
            add(one, "command", json_object_new_string(b.command));
            add(one, "style", json_object_new_string(button_style_name(b.style)));
            append(one_row, one);
        }
        append(rows, one_row);
    }
    return rows;
}

struct json_object *reply_json(const struct reply *r)
{
    struct json_object *o = json_object_new_object();
    add(o, "title", json_object_new_string(reply_get_title(r)));
    add(o, "tone", json_object_new_string(tone_name(r->tone)));
    add(o, "blocks", blocks_json(r));
    add(o, "buttons", buttons_json(r));
    add(o, "footer", json_object_new_string(reply_get_footer(r)));
    add(o, "protect", json_object_new_boolean(r->is_protected));
    if (r->has_error) {
        struct json_out out = JSON_OUT_TREE(o);
        json_out_object(&out, "error");
        model_json_err(&out, &r->err);
        json_out_end(&out);
    }
    add(o, "data", json_object_get(r->data));
    return o;
}

struct reply *reply_copy(const struct reply *r)
{
    AUTO_JSON struct json_object *value = reply_json(r);
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    struct reply *copy = NULL;
    int rc = reply_from_json(text, strlen(text), &copy, NULL);
    ASSERT(rc == 0); /* reply_json wrote it */
    return copy;
}

static bool tone_parse(const char *name, enum tone *ret)
{
    for (int t = TONE_PLAIN; t <= TONE_BUSY; t++) {
        if (strcmp(name, tone_name((enum tone)t)) == 0) {
            *ret = (enum tone)t;
            return true;
        }
    }
    return false;
}

static enum button_style style_parse(const char *name)
{
    for (int s = BUTTON_PLAIN; s <= BUTTON_DANGER; s++) {
        if (strcmp(name, button_style_name((enum button_style)s)) == 0) {
            return (enum button_style)s;
        }
    }
    return BUTTON_PLAIN;
}

static bool read_cells(const struct json_object *array, int columns,
                       const char *ret_cells[REPLY_COLUMNS_MAX])
{
    if (json_len(array) != (size_t)columns) {
        return false;
    }
    for (int c = 0; c < columns; c++) {
        struct json_object *cell = json_item(array, (size_t)c);
        if (!json_is_text(cell)) {
            return false;
        }
        ret_cells[c] = json_object_get_string(cell);
    }
    return true;
}

static bool read_table(struct reply *r, const struct json_object *table)
{
    const char *cells[REPLY_COLUMNS_MAX] = {0};
    const struct json_object *headers = json_get(table, "headers");
    const struct json_object *rows = json_get(table, "rows");
    size_t columns = json_len(headers);
    if (columns == 0 || columns > REPLY_COLUMNS_MAX || !read_cells(headers, (int)columns, cells)) {
        return false;
    }
    reply_table(r, (int)columns, cells);
    for (size_t i = 0; i < json_len(rows); i++) {
        if (!read_cells(json_item(rows, i), (int)columns, cells)) {
            return false;
        }
        reply_row(r, cells);
    }
    return true;
}

static bool read_blocks(struct reply *r, const struct json_object *blocks)
{
    for (size_t i = 0; i < json_len(blocks); i++) {
        const struct json_object *one = json_item(blocks, i);
        if (json_is_text(json_get(one, "line"))) {
            struct str line = json_str(one, "line");
            reply_line(r, "%.*s", STR_ARG(line));
        } else if (json_is_text(json_get(one, "pre"))) {
            reply_pre(r, json_str(one, "pre"));
        } else if (json_is_object(json_get(one, "table"))) {
            if (!read_table(r, json_get(one, "table"))) {
                return false;
            }
        } else {
            return false;
        }
    }
    return true;
}

static bool read_buttons(struct reply *r, const struct json_object *rows)
{
    if (json_len(rows) > BUTTON_ROWS_MAX) {
        return false;
    }
    for (size_t i = 0; i < json_len(rows); i++) {
        const struct json_object *row = json_item(rows, i);
        if (json_len(row) > BUTTONS_IN_ROW) {
            return false;
        }
        reply_button_row(r);
        for (size_t b = 0; b < json_len(row); b++) {
            const struct json_object *one = json_item(row, b);
            reply_button(r, json_text(one, "text"), json_text(one, "command"),
                         style_parse(json_text(one, "style")));
        }
    }
    return true;
}

int reply_from_json(const char *text, size_t len, struct reply **ret, struct err *err)
{
    AUTO_JSON struct json_object *o = NULL;
    int rc = json_parse(str_n(text, len), &JSON_LIMITS_DEFAULT, &o, err);
    if (rc < 0) {
        return rc;
    }
    if (!json_is_object(o)) {
        return err_set(err, ERR_REPLY_FORMAT, "not an object");
    }
    AUTO_REPLY struct reply *r = reply_new();
    enum tone tone = TONE_PLAIN;
    if (!tone_parse(json_text(o, "tone"), &tone)) {
        return err_set(err, ERR_REPLY_FORMAT, "tone");
    }
    if (json_text(o, "title")[0] != '\0') {
        reply_title(r, tone, "%s", json_text(o, "title"));
    }
    r->tone = tone;
    if (!read_blocks(r, json_get(o, "blocks"))) {
        return err_set(err, ERR_REPLY_FORMAT, "blocks");
    }
    if (!read_buttons(r, json_get(o, "buttons"))) {
        return err_set(err, ERR_REPLY_FORMAT, "buttons");
    }
    if (json_text(o, "footer")[0] != '\0') {
        reply_footer(r, "%s", json_text(o, "footer"));
    }
    r->is_protected = json_truth(o, "protect", false);
    const struct json_object *error = json_get(o, "error");
    if (error != NULL) {
        r->has_error = true;
        const char *code = json_text(error, "error_code");
        enum err_id id = err_by_code(code);
        /* The code may be unknown if another version wrote it. */
        (void)err_set(&r->err, id != ERR_NONE ? id : ERR_INTERNAL, "%s%s%s",
                      id != ERR_NONE ? "" : code, id != ERR_NONE ? "" : ": ",
                      json_text(error, "context"));
    }
    struct json_object *data = json_get(o, "data");
    if (json_is_object(data)) {
        (void)json_object_put(r->data);
        r->data = json_object_get(data);
    }
    *ret = TAKE(r);
    return 0;
}

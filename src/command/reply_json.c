#include "command/reply_json.h"

#include "base/check.h"
#include "command/reply_walk.h"
#include "io/json_out.h"
#include "model/model_json.h"
#include "reply_make.h"

#include <string.h>

/* --------------------------------------------------------------------------------- writing ---- */

/* The members of the root that hold arrays, in their order. */
enum section { SECTION_HEAD, SECTION_BLOCKS, SECTION_BUTTONS, SECTION_TAIL };

struct writer {
    struct json_out *out;
    enum section section;
};

static void advance(struct writer *w, enum section section)
{
    static const char *const names[] = {
        [SECTION_BLOCKS] = "blocks", [SECTION_BUTTONS] = "buttons", [SECTION_TAIL] = NULL};
    while (w->section < section) {
        if (w->section != SECTION_HEAD) {
            json_out_end(w->out);
        }
        w->section++;
        if (names[w->section] != NULL) {
            json_out_array(w->out, names[w->section]);
        }
    }
}

static void on_title(enum tone tone, const char *text, void *userdata)
{
    struct writer *w = userdata;
    json_out_text(w->out, "title", text);
    json_out_text(w->out, "tone", tone_name(tone));
}

static void on_error(const struct err *err, const char *title, void *userdata)
{
    (void)title;
    struct writer *w = userdata;
    json_out_object(w->out, "error");
    model_json_err(w->out, err);
    json_out_end(w->out);
}

static void write_cells(struct json_out *out, const char *key, struct reply_cells line, size_t from)
{
    json_out_array(out, key);
    for (size_t i = from; i < line.count; i++) {
        cell_json(out, NULL, &line.cell[i]);
    }
    json_out_end(out);
}

static void write_lines(struct json_out *out, const char *key, const struct reply_block *block)
{
    json_out_array(out, key);
    for (size_t i = 0; i < block->lines; i++) {
        write_cells(out, NULL, reply_block_line(block, i), 0);
    }
    json_out_end(out);
}

static void write_fields(struct json_out *out, const struct reply_block *block)
{
    json_out_array(out, "fields");
    for (size_t i = 0; i < block->lines; i++) {
        struct reply_cells line = reply_block_line(block, i);
        json_out_object(out, NULL);
        json_out_text(out, "name", line.cell[0].text);
        write_cells(out, "spans", line, 1);
        json_out_end(out);
    }
    json_out_end(out);
}

static void write_file(struct json_out *out, const char *type, const struct reply_file *file)
{
    json_out_text(out, "type", type);
    json_out_text(out, "id", file->id);
    json_out_text(out, "name", file->name);
    json_out_text(out, "media_type", file->media_type);
    json_out_i64(out, "size_bytes", file->size_bytes);
    if (file->caption[0] != '\0') {
        json_out_text(out, "caption", file->caption);
    }
}

static void write_words(struct json_out *out, const char *type, const char *text)
{
    json_out_text(out, "type", type);
    json_out_text(out, "text", text);
}

static void on_block(const struct reply_block *block, void *userdata)
{
    struct writer *w = userdata;
    struct json_out *out = w->out;
    advance(w, SECTION_BLOCKS);
    json_out_object(out, NULL);
    switch (block->kind) {
    case BLOCK_PARA:
        json_out_text(out, "type", "para");
        write_cells(out, "spans", reply_block_line(block, 0), 0);
        break;
    case BLOCK_HEADING:
        write_words(out, "heading", block->text);
        break;
    case BLOCK_FIELDS:
        json_out_text(out, "type", "fields");
        write_fields(out, block);
        break;
    case BLOCK_LIST:
        json_out_text(out, "type", "list");
        write_lines(out, "items", block);
        break;
    case BLOCK_TABLE:
        json_out_text(out, "type", "table");
        write_cells(out, "columns", reply_block_header(block), 0);
        write_lines(out, "rows", block);
        break;
    case BLOCK_PRE:
        write_words(out, "pre", block->text);
        break;
    case BLOCK_QUOTE:
        write_words(out, "quote", block->text);
        break;
    case BLOCK_LINK:
        write_words(out, "link", block->text);
        json_out_text(out, "url", block->url);
        break;
    case BLOCK_PROGRESS:
        write_words(out, "progress", block->text);
        json_out_double(out, "fraction", block->fraction);
        break;
    case BLOCK_IMAGE:
        write_file(out, "image", block->file);
        break;
    case BLOCK_DOCUMENT:
        write_file(out, "document", block->file);
        break;
    case BLOCK_FOLD:
    case BLOCK_FOLD_END:
        break; /* not visited as blocks */
    }
    json_out_end(out);
}

static void on_fold(const struct reply_block *fold, void *userdata)
{
    struct writer *w = userdata;
    advance(w, SECTION_BLOCKS);
    json_out_object(w->out, NULL);
    json_out_text(w->out, "type", "fold");
    json_out_text(w->out, "title", fold->text);
    json_out_array(w->out, "blocks");
}

static void on_fold_end(void *userdata)
{
    struct writer *w = userdata;
    json_out_end(w->out);
    json_out_end(w->out);
}

static void on_button_row(const struct reply_button *buttons, size_t count, void *userdata)
{
    struct writer *w = userdata;
    advance(w, SECTION_BUTTONS);
    json_out_array(w->out, NULL);
    for (size_t i = 0; i < count; i++) {
        json_out_object(w->out, NULL);
        json_out_text(w->out, "text", buttons[i].text);
        json_out_text(w->out, "command", buttons[i].command);
        json_out_text(w->out, "style", button_style_name(buttons[i].style));
        json_out_end(w->out);
    }
    json_out_end(w->out);
}

static void on_page(const char *previous, const char *next, void *userdata)
{
    struct writer *w = userdata;
    advance(w, SECTION_TAIL);
    json_out_object(w->out, "page");
    json_out_text(w->out, "previous", previous[0] == '\0' ? NULL : previous);
    json_out_text(w->out, "next", next[0] == '\0' ? NULL : next);
    json_out_end(w->out);
}

static void on_footer(const char *text, void *userdata)
{
    struct writer *w = userdata;
    advance(w, SECTION_TAIL);
    json_out_text(w->out, "footer", text);
}

static void write_shown(const struct reply *r, struct json_out *out)
{
    static const struct reply_visitor visitor = {.title = on_title,
                                                 .error = on_error,
                                                 .block = on_block,
                                                 .fold = on_fold,
                                                 .fold_end = on_fold_end,
                                                 .page = on_page,
                                                 .button_row = on_button_row,
                                                 .footer = on_footer};
    struct writer w = {.out = out};
    json_out_text(out, "schema", REPLY_JSON_SCHEMA);
    reply_walk(r, &visitor, &w);
    if (reply_get_choice(r)[0] != '\0') {
        json_out_text(out, "choice", reply_get_choice(r));
    }
    json_out_bool(out, "protect", reply_is_protected(r));
}

void reply_json_write(const struct reply *r, struct json_out *out)
{
    write_shown(r, out);
    json_out_value(out, "data", reply_get_data(r));
}

void reply_json_text(const struct reply *r, struct buf *out)
{
    struct json_out json = JSON_OUT(out);
    json_out_object(&json, NULL);
    reply_json_write(r, &json);
    json_out_end(&json);
}

void reply_json_message(const struct reply *r, struct buf *out)
{
    struct json_out json = JSON_OUT(out);
    json_out_object(&json, NULL);
    write_shown(r, &json);
    json_out_end(&json);
}

struct json_object *reply_json(const struct reply *r)
{
    struct json_object *root = json_object_new_object();
    struct json_out json = JSON_OUT_TREE(root);
    reply_json_write(r, &json);
    return root;
}

/* --------------------------------------------------------------------------------- reading ---- */

static enum button_style style_parse(const char *name)
{
    for (int s = BUTTON_PLAIN; s <= BUTTON_DANGER; s++) {
        if (strcmp(name, button_style_name((enum button_style)s)) == 0) {
            return (enum button_style)s;
        }
    }
    return BUTTON_PLAIN;
}

struct cells {
    struct cell cell[REPLY_SPANS_MAX];
    size_t count;
};

static bool read_cells(const struct json_object *array, struct cells *ret)
{
    ret->count = json_len(array);
    if (!json_is_array(array) || ret->count > COUNT_OF(ret->cell)) {
        return false;
    }
    for (size_t i = 0; i < ret->count; i++) {
        if (!cell_json_read(json_item(array, i), &ret->cell[i])) {
            return false;
        }
    }
    return true;
}

static bool read_table(struct reply *r, const struct json_object *columns,
                       const struct json_object *rows)
{
    struct cells cells;
    const char *names[REPLY_COLUMNS_MAX];
    size_t count = json_len(columns);
    if (count == 0 || count > REPLY_COLUMNS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct json_object *name = json_item(columns, i);
        if (!json_is_text(name)) {
            return false;
        }
        names[i] = json_value_str(name).ptr;
    }
    reply_columns_names(r, names, count);
    for (size_t i = 0; i < json_len(rows); i++) {
        if (!read_cells(json_item(rows, i), &cells) || cells.count != count) {
            return false;
        }
        reply_cells_row(r, cells.cell, count);
    }
    return true;
}

static bool read_fields(struct reply *r, const struct json_object *fields)
{
    struct cells cells;
    for (size_t i = 0; i < json_len(fields); i++) {
        const struct json_object *one = json_item(fields, i);
        if (!read_cells(json_get(one, "spans"), &cells)) {
            return false;
        }
        reply_add_spans(r, BLOCK_FIELDS, json_text(one, "name"), cells.cell, cells.count);
    }
    return true;
}

static bool read_items(struct reply *r, const struct json_object *items)
{
    struct cells cells;
    for (size_t i = 0; i < json_len(items); i++) {
        if (!read_cells(json_item(items, i), &cells)) {
            return false;
        }
        reply_add_spans(r, BLOCK_LIST, NULL, cells.cell, cells.count);
    }
    return true;
}

static bool is_link(const char *url)
{
    return str_starts(str_c(url), "https://") || str_starts(str_c(url), "http://");
}

static struct reply_file file_of(const struct json_object *one)
{
    return (struct reply_file){.id = json_text(one, "id"),
                               .name = json_text(one, "name"),
                               .media_type = json_text(one, "media_type"),
                               .caption = json_text(one, "caption"),
                               .size_bytes = json_i64(one, "size_bytes", 0)};
}

static bool read_blocks(struct reply *r, const struct json_object *blocks, bool in_fold);

static bool read_fold(struct reply *r, const struct json_object *one)
{
    reply_fold(r, json_text(one, "title"));
    bool ok = read_blocks(r, json_get(one, "blocks"), true);
    reply_fold_end(r);
    return ok;
}

static bool read_block(struct reply *r, const struct json_object *one, const char *type,
                       bool in_fold)
{
    struct cells cells;
    if (strcmp(type, "para") == 0) {
        bool ok = read_cells(json_get(one, "spans"), &cells);
        if (ok) {
            reply_add_spans(r, BLOCK_PARA, NULL, cells.cell, cells.count);
        }
        return ok;
    }
    if (strcmp(type, "fields") == 0) {
        return read_fields(r, json_get(one, "fields"));
    }
    if (strcmp(type, "list") == 0) {
        return read_items(r, json_get(one, "items"));
    }
    if (strcmp(type, "table") == 0) {
        return read_table(r, json_get(one, "columns"), json_get(one, "rows"));
    }
    if (strcmp(type, "fold") == 0) {
        return !in_fold && read_fold(r, one);
    }
    if (strcmp(type, "heading") == 0) {
        reply_heading(r, json_text(one, "text"));
    } else if (strcmp(type, "pre") == 0) {
        reply_pre(r, json_str(one, "text"));
    } else if (strcmp(type, "quote") == 0) {
        reply_quote(r, json_str(one, "text"));
    } else if (strcmp(type, "progress") == 0) {
        reply_progress(r, json_double(one, "fraction", 0), "%s", json_text(one, "text"));
    } else if (strcmp(type, "link") == 0 && is_link(json_text(one, "url"))) {
        reply_link(r, json_text(one, "text"), json_text(one, "url"));
    } else if (strcmp(type, "image") == 0 || strcmp(type, "document") == 0) {
        struct reply_file file = file_of(one);
        (type[0] == 'i' ? reply_image : reply_document)(r, &file);
    } else {
        return false;
    }
    return true;
}

/* A block of version 1. */
static bool read_old_block(struct reply *r, const struct json_object *one)
{
    const struct json_object *table = json_get(one, "table");
    if (json_is_text(json_get(one, "line"))) {
        struct str line = json_str(one, "line");
        reply_line(r, "%.*s", STR_ARG(line));
    } else if (json_is_text(json_get(one, "pre"))) {
        reply_pre(r, json_str(one, "pre"));
    } else {
        return json_is_object(table) &&
               read_table(r, json_get(table, "headers"), json_get(table, "rows"));
    }
    return true;
}

static bool read_blocks(struct reply *r, const struct json_object *blocks, bool in_fold)
{
    for (size_t i = 0; i < json_len(blocks); i++) {
        const struct json_object *one = json_item(blocks, i);
        const char *type = json_text(one, "type");
        bool ok = type[0] == '\0' ? read_old_block(r, one) : read_block(r, one, type, in_fold);
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool read_buttons(struct reply *r, const struct json_object *rows)
{
    if (json_len(rows) > REPLY_BUTTON_ROWS_MAX) {
        return false;
    }
    for (size_t i = 0; i < json_len(rows); i++) {
        const struct json_object *row = json_item(rows, i);
        if (json_len(row) > REPLY_BUTTONS_IN_ROW) {
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

/* The code may be unknown if another version wrote it. */
static void read_error(struct reply *r, const struct json_object *error)
{
    const char *code = json_text(error, "error_code");
    enum err_id id = err_by_code(code);
    struct err err = {0};
    (void)err_set(&err, id != ERR_NONE ? id : ERR_INTERNAL, "%s%s%s", id != ERR_NONE ? "" : code,
                  id != ERR_NONE ? "" : ": ", json_text(error, "context"));
    reply_set_error(r, &err);
}

int reply_json_read(const char *text, size_t len, struct reply **ret, struct err *err)
{
    AUTO_JSON struct json_object *o = NULL;
    int rc = json_parse(str_n(text, len), &JSON_LIMITS_DEFAULT, &o, err);
    if (rc < 0) {
        return rc;
    }
    if (!json_is_object(o)) {
        return err_set(err, ERR_REPLY_FORMAT, "not an object");
    }
    const char *schema = json_text(o, "schema");
    if (schema[0] != '\0' && strcmp(schema, REPLY_JSON_SCHEMA) != 0) {
        return err_set(err, ERR_REPLY_FORMAT, "schema %.40s", schema);
    }
    AUTO_REPLY struct reply *r = reply_new();
    enum tone tone = TONE_PLAIN;
    if (!tone_parse(json_text(o, "tone"), &tone)) {
        return err_set(err, ERR_REPLY_FORMAT, "tone");
    }
    reply_set_title(r, tone, json_text(o, "title"));
    if (!read_blocks(r, json_get(o, "blocks"), false)) {
        return err_set(err, ERR_REPLY_FORMAT, "blocks");
    }
    if (!read_buttons(r, json_get(o, "buttons"))) {
        return err_set(err, ERR_REPLY_FORMAT, "buttons");
    }
    if (json_text(o, "footer")[0] != '\0') {
        reply_footer(r, "%s", json_text(o, "footer"));
    }
    if (json_text(o, "choice")[0] != '\0') {
        reply_choice(r, "%s", json_text(o, "choice"));
    }
    if (json_truth(o, "protect", false)) {
        reply_protect(r);
    }
    const struct json_object *page = json_get(o, "page");
    reply_page(r, json_text(page, "previous"), json_text(page, "next"));
    if (json_get(o, "error") != NULL) {
        read_error(r, json_get(o, "error"));
    }
    if (json_is_object(json_get(o, "data"))) {
        reply_set_data(r, json_get(o, "data"));
    }
    *ret = TAKE(r);
    return 0;
}

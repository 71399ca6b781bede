#include "command/reply.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "command/reply_json.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "reply_internal.h"
#include "reply_make.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define REPLY_TEXT_MAX   ((size_t)64 * 1024)
#define REPLY_BLOCKS_MAX 2000
#define REPLY_VALUES_MAX 3000  /* cells other than text: their JSON is longer than their text */
#define REPLY_CELLS_MAX  20000 /* of any kind */
#define BUTTON_TEXT_MAX  128

#define LINE_MAX_BYTES   ((size_t)16 * 1024) /* one formatted line, title or footer */

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

/* NULL: "". */
static char *clean_text(const char *text)
{
    return clean_copy(str_c(text == NULL ? "" : text), LINE_MAX_BYTES, NULL);
}

struct reply *reply_new(void)
{
    struct reply *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->data = json_object_new_object();
    ASSERT(r->data != NULL);
    return r;
}

/* The texts of a cell and of a file belong to the block. */
static void free_text(const char *owned)
{
    free((char *)(uintptr_t)owned);
}

static void block_release(struct block *b)
{
    free(b->text);
    free(b->url);
    for (size_t i = 0; i < b->cell_count; i++) {
        free_text(b->cells[i].text);
    }
    free(b->cells);
    free(b->ends);
    if (b->file != NULL) {
        free_text(b->file->id);
        free_text(b->file->name);
        free_text(b->file->media_type);
        free_text(b->file->caption);
        free(b->file);
    }
}

static void free_png(struct reply *r)
{
    if (r->png != NULL) {
        secret_wipe(r->png, r->png_size);
        free(r->png);
        r->png = NULL;
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
    free_png(r);
    free(r->title);
    free(r->footer);
    free(r->page[0]);
    free(r->page[1]);
    free(r->choice);
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
    r->note_cell = cell_text(r->note);
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

/* ---------------------------------------------------------------------------------- blocks ---- */

static struct block *block_slot(struct reply *r)
{
    if (r->block_count == r->block_cap) {
        r->block_cap = r->block_cap == 0 ? 16 : r->block_cap * 2;
        r->blocks = grow(r->blocks, r->block_cap, sizeof(*r->blocks));
    }
    return &r->blocks[r->block_count];
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
    struct block *b = block_slot(r);
    r->block_count++;
    *b = (struct block){.kind = kind};
    return b;
}

static struct block *last_block(struct reply *r, enum block_kind kind)
{
    bool same = r->block_count > 0 && r->blocks[r->block_count - 1].kind == kind;
    return same ? &r->blocks[r->block_count - 1] : NULL;
}

static bool has_text(const struct cell *cell)
{
    return cell->kind == CELL_TEXT || cell->kind == CELL_CODE || cell->kind == CELL_SYMBOL ||
           cell->kind == CELL_STATE;
}

static size_t text_bytes(const struct cell *cell)
{
    if (has_text(cell)) {
        return strlen(cell->text);
    }
    AUTO_BUF struct buf text = BUF_INIT(256);
    cell_add_text(&text, *cell);
    return text.len;
}

static size_t cells_bytes(const struct cell *cells, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += text_bytes(&cells[i]);
    }
    return bytes;
}

/* Space for cells: their bytes, and their number. */
static bool reserve_cells(struct reply *r, const struct cell *cells, size_t count, size_t bytes)
{
    size_t values = 0;
    for (size_t i = 0; i < count; i++) {
        values += cells[i].kind != CELL_TEXT;
    }
    if (r->value_count + values > REPLY_VALUES_MAX || r->cell_count + count > REPLY_CELLS_MAX) {
        leave_out(r, bytes);
        return false;
    }
    if (!reserve_space(r, bytes)) {
        return false;
    }
    r->value_count += values;
    r->cell_count += count;
    return true;
}

static void put_cell(struct block *b, const struct cell *cell)
{
    if (b->cell_count == b->cell_cap) {
        b->cell_cap = b->cell_cap == 0 ? 4 : b->cell_cap * 2;
        b->cells = grow(b->cells, b->cell_cap, sizeof(*b->cells));
    }
    struct cell *own = &b->cells[b->cell_count++];
    *own = *cell;
    own->text = has_text(cell) ? clean_text(cell->text) : NULL;
}

/* Adjacent words become one text, and an empty one none: a program should not have to join them. */
static void put_span(struct block *b, size_t first, const struct cell *cell)
{
    struct cell *last = b->cell_count > first ? &b->cells[b->cell_count - 1] : NULL;
    if (cell->kind == CELL_TEXT && cell->text[0] == '\0') {
        return;
    }
    if (cell->kind != CELL_TEXT || last == NULL || last->kind != CELL_TEXT) {
        put_cell(b, cell);
        return;
    }
    AUTO_BUF struct buf joined = BUF_INIT(2 * LINE_MAX_BYTES);
    buf_add_c(&joined, last->text);
    buf_add_c(&joined, cell->text);
    free_text(last->text);
    last->text = clean_copy(buf_str(&joined), 2 * LINE_MAX_BYTES, NULL);
}

/* Ends the line; cells that follow belong to the next one. */
static void end_line(struct block *b)
{
    if (b->line_count == b->line_cap) {
        b->line_cap = b->line_cap == 0 ? 2 : b->line_cap * 2;
        b->ends = grow(b->ends, b->line_cap, sizeof(*b->ends));
    }
    b->ends[b->line_count++] = b->cell_count;
}

static void put_line(struct block *b, const struct cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_cell(b, &cells[i]);
    }
    end_line(b);
}

/* A template as cells: the texts between the {} and the cells for them. */
struct spans {
    struct cell cell[REPLY_SPANS_MAX];
    size_t count;
    char text[LINE_MAX_BYTES]; /* of the template, each piece terminated */
};

static void spans_of(struct spans *spans, const char *format, const struct cell *cells,
                     size_t count)
{
    size_t used = 0, next = 0;
    spans->count = 0;
    while (*format != '\0') {
        const char *hole = strstr(format, "{}");
        size_t len = hole == NULL ? strlen(format) : (size_t)(hole - format);
        ASSERT(spans->count + 2 <= REPLY_SPANS_MAX && used + len + 1 <= sizeof(spans->text));
        if (len > 0) {
            memcpy(spans->text + used, format, len);
            spans->text[used + len] = '\0';
            spans->cell[spans->count++] = cell_text(spans->text + used);
            used += len + 1;
        }
        if (hole != NULL) {
            ASSERT(next < count);
            spans->cell[spans->count++] = cells[next++];
        }
        format += len + (hole == NULL ? 0 : 2);
    }
    ASSERT(next == count);
}

void reply_add_spans(struct reply *r, enum block_kind kind, const char *name,
                     const struct cell *cells, size_t count)
{
    const struct cell first = cell_text(name == NULL ? "" : name);
    size_t bytes = cells_bytes(cells, count) + strlen(first.text);
    struct block *b = kind == BLOCK_PARA ? NULL : last_block(r, kind);
    if (b == NULL && r->block_count >= REPLY_BLOCKS_MAX) {
        leave_out(r, bytes);
        return;
    }
    if (!reserve_cells(r, cells, count, bytes)) {
        return;
    }
    b = b == NULL ? add_block(r, kind, 0) : b;
    ASSERT(b != NULL); /* the space is reserved */
    if (name != NULL) {
        put_cell(b, &first);
    }
    size_t from = b->cell_count;
    for (size_t i = 0; i < count; i++) {
        put_span(b, from, &cells[i]);
    }
    end_line(b);
}

static void add_template(struct reply *r, enum block_kind kind, const char *name,
                         const char *format, const struct cell *cells, size_t count)
{
    struct spans *spans = malloc(sizeof(*spans));
    ASSERT(spans != NULL);
    spans_of(spans, format, cells, count);
    reply_add_spans(r, kind, name, spans->cell, spans->count);
    free(spans);
}

void reply_para_cells(struct reply *r, const char *format, const struct cell *cells, size_t count)
{
    add_template(r, BLOCK_PARA, NULL, format, cells, count);
}

void reply_field_cells(struct reply *r, const char *name, const char *format,
                       const struct cell *cells, size_t count)
{
    add_template(r, BLOCK_FIELDS, name, format, cells, count);
}

void reply_item_cells(struct reply *r, const char *format, const struct cell *cells, size_t count)
{
    add_template(r, BLOCK_LIST, NULL, format, cells, count);
}

void reply_more_cells(struct reply *r, const char *format, const struct cell *cells, size_t count)
{
    if (r->left_out > 0) {
        leave_out(r, cells_bytes(cells, count)); /* the line may have been left out */
        return;
    }
    ASSERT(r->block_count > 0);
    struct block *b = &r->blocks[r->block_count - 1];
    ASSERT(b->line_count > 0 && b->kind != BLOCK_TABLE);
    struct spans *spans = malloc(sizeof(*spans));
    ASSERT(spans != NULL);
    spans_of(spans, format, cells, count);
    if (reserve_cells(r, spans->cell, spans->count, cells_bytes(spans->cell, spans->count))) {
        b->line_count--;
        size_t from = b->line_count == 0 ? 0 : b->ends[b->line_count - 1];
        from += b->kind == BLOCK_FIELDS ? 1 : 0; /* the name */
        for (size_t i = 0; i < spans->count; i++) {
            put_span(b, from, &spans->cell[i]);
        }
        end_line(b);
    }
    free(spans);
}

static void add_words(struct reply *r, const char *text)
{
    const struct cell words = cell_text(text);
    struct block *b = add_block(r, BLOCK_PARA, strlen(text));
    if (b != NULL) {
        put_line(b, &words, text[0] == '\0' ? 0 : 1);
        r->cell_count++;
    }
}

void reply_line(struct reply *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    add_words(r, text);
    free(text);
}

void reply_gap(struct reply *r)
{
    add_words(r, "");
}

static struct block *add_text_block(struct reply *r, enum block_kind kind, const char *text)
{
    char *clean = clean_text(text);
    struct block *b = add_block(r, kind, strlen(clean));
    if (b == NULL) {
        free(clean);
    } else {
        b->text = clean;
    }
    return b;
}

void reply_heading(struct reply *r, const char *text)
{
    (void)add_text_block(r, BLOCK_HEADING, text);
}

void reply_link(struct reply *r, const char *text, const char *url)
{
    ASSERT(str_starts(str_c(url), "https://") || str_starts(str_c(url), "http://"));
    struct block *b = add_text_block(r, BLOCK_LINK, text);
    if (b != NULL) {
        b->url = clean_text(url);
        r->text_bytes += strlen(b->url);
    }
}

void reply_progress(struct reply *r, double fraction, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    struct block *b = add_text_block(r, BLOCK_PROGRESS, text);
    free(text);
    if (b != NULL) {
        b->fraction = !(fraction > 0) ? 0 : fraction > 1 ? 1 : fraction;
    }
}

/* Text of any length: what does not fit is left out. */
static void add_long(struct reply *r, enum block_kind kind, struct str text)
{
    bool full = r->left_out > 0 || r->text_bytes >= REPLY_TEXT_MAX;
    size_t used = 0;
    char *copy = clean_copy(text, full ? 0 : REPLY_TEXT_MAX - r->text_bytes, &used);
    struct block *b = full ? NULL : add_block(r, kind, strlen(copy));
    if (b == NULL) {
        free(copy);
    } else {
        b->text = copy;
    }
    if (used < text.len) {
        leave_out(r, text.len - used);
    }
}

void reply_pre(struct reply *r, struct str text)
{
    add_long(r, BLOCK_PRE, text);
}

void reply_quote(struct reply *r, struct str text)
{
    add_long(r, BLOCK_QUOTE, text);
}

void reply_columns_names(struct reply *r, const char *const *names, size_t count)
{
    ASSERT(count > 0 && count <= REPLY_COLUMNS_MAX);
    struct cell cells[REPLY_COLUMNS_MAX];
    for (size_t i = 0; i < count; i++) {
        cells[i] = cell_text(names[i]);
    }
    struct block *b = add_block(r, BLOCK_TABLE, cells_bytes(cells, count) + count);
    if (b != NULL) {
        b->columns = count;
        put_line(b, cells, count);
        r->cell_count += count;
    }
}

void reply_cells_row(struct reply *r, const struct cell *cells, size_t count)
{
    /* Separators count, so that an empty row counts, too. */
    size_t bytes = cells_bytes(cells, count) + count;
    if (r->left_out > 0) {
        leave_out(r, bytes); /* its table may have been left out */
        return;
    }
    struct block *b = last_block(r, BLOCK_TABLE);
    ASSERT(b != NULL && b->columns == count);
    if (reserve_cells(r, cells, count, bytes)) {
        put_line(b, cells, count);
    }
}

static void add_file(struct reply *r, enum block_kind kind, const struct reply_file *file)
{
    const char *caption = file->caption == NULL ? "" : file->caption;
    struct block *b = add_block(r, kind, strlen(file->name) + strlen(caption));
    if (b == NULL) {
        return;
    }
    b->file = malloc(sizeof(*b->file));
    ASSERT(b->file != NULL);
    *b->file = (struct reply_file){.id = clean_text(file->id),
                                   .name = clean_text(file->name),
                                   .media_type = clean_text(file->media_type),
                                   .caption = clean_text(caption),
                                   .size_bytes = file->size_bytes};
}

void reply_image(struct reply *r, const struct reply_file *file)
{
    add_file(r, BLOCK_IMAGE, file);
}

void reply_document(struct reply *r, const struct reply_file *file)
{
    add_file(r, BLOCK_DOCUMENT, file);
}

void reply_fold(struct reply *r, const char *title)
{
    ASSERT(!r->in_fold);
    struct block *b = add_text_block(r, BLOCK_FOLD, title);
    r->in_fold = b != NULL;
}

/* Not limited: it shows nothing, and follows a fold that was within the limits. */
void reply_fold_end(struct reply *r)
{
    if (r->in_fold) {
        *block_slot(r) = (struct block){.kind = BLOCK_FOLD_END};
        r->block_count++;
        r->in_fold = false;
    }
}

void reply_set_title(struct reply *r, enum tone tone, const char *title)
{
    if (title[0] != '\0') {
        reply_title(r, tone, "%s", title);
    }
    r->tone = tone;
}

void reply_alarm(struct reply *r, const char *format, ...)
{
    if (!r->has_alarm && r->title != NULL && r->block_count < REPLY_BLOCKS_MAX) {
        (void)block_slot(r); /* space for one more */
        memmove(&r->blocks[1], r->blocks, r->block_count * sizeof(*r->blocks));
        r->blocks[0] = (struct block){.kind = BLOCK_PARA};
        r->block_count++;
        const struct cell words = cell_text(r->title);
        put_line(&r->blocks[0], &words, 1);
        free(r->title);
        r->title = NULL; /* its bytes are those of the paragraph now */
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

void reply_page(struct reply *r, const char *previous, const char *next)
{
    const char *const lines[] = {previous, next};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        free(r->page[i]);
        r->page[i] = clean_text(lines[i]);
    }
}

void reply_button(struct reply *r, const char *text, const char *command, enum button_style style)
{
    if (r->button_row_count == 0) {
        r->button_row_count = 1;
    }
    if (r->button_rows[r->button_row_count - 1].count == REPLY_BUTTONS_IN_ROW) {
        reply_button_row(r);
    }
    struct button_row *row = &r->button_rows[r->button_row_count - 1];
    if (row->count == REPLY_BUTTONS_IN_ROW) {
        return; /* its command can be typed */
    }
    row->buttons[row->count++] =
        (struct button){.text = clean_copy(str_c(text), BUTTON_TEXT_MAX, NULL),
                        .command = clean_copy(str_c(command), 256, NULL),
                        .style = style};
}

void reply_button_row(struct reply *r)
{
    bool is_new = r->button_row_count > 0 && r->button_rows[r->button_row_count - 1].count == 0;
    if (!is_new && r->button_row_count < REPLY_BUTTON_ROWS_MAX) {
        r->button_row_count++;
    }
}

void reply_choice(struct reply *r, const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(1024);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    free(r->choice);
    r->choice = clean_copy(buf_str(&text), BUTTON_TEXT_MAX, NULL);
}

void reply_protect(struct reply *r)
{
    r->is_protected = true;
}

void reply_conceal(struct reply *r, int64_t delete_after_us)
{
    r->conceal_us = delete_after_us;
    r->is_protected = true;
}

void reply_conceal_png(struct reply *r, struct str png)
{
    free_png(r);
    r->png = malloc(png.len + 1);
    NEED_MEMORY(r->png != NULL);
    memcpy(r->png, png.ptr, png.len);
    r->png_size = png.len;
}

/* What is not part of the JSON text of a reply. */
static void copy_concealed(struct reply *r, const struct reply *from)
{
    if (from->conceal_us != 0) {
        r->conceal_us = from->conceal_us;
    }
    if (from->png != NULL) {
        reply_conceal_png(r, str_n(from->png, from->png_size));
    }
}

void reply_error(struct reply *r, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    bool mild = info->severity == ERR_SEVERITY_INFO || info->severity == ERR_SEVERITY_LOW;
    if (r->title == NULL) {
        reply_title(r, TONE_BAD, "%s", info->message);
    }
    r->tone = mild ? TONE_WARN : TONE_BAD;
    reply_set_error(r, err);
}

void reply_set_error(struct reply *r, const struct err *err)
{
    r->err = *err;
    char *context = clean_copy(str_c(err->context), sizeof(err->context) - 1, NULL);
    (void)str_copy(str_c(context), r->err.context, sizeof(r->err.context));
    free(context);
    r->has_error = true;
}

static void append_block(struct reply *r, const struct block *b)
{
    switch (b->kind) {
    case BLOCK_PARA:
    case BLOCK_FIELDS:
    case BLOCK_LIST:
    case BLOCK_TABLE: {
        struct block *to = NULL;
        for (size_t i = 0; i < b->line_count; i++) {
            size_t from = i == 0 ? 0 : b->ends[i - 1];
            size_t count = b->ends[i] - from;
            size_t bytes = cells_bytes(b->cells + from, count) + b->columns;
            if (!reserve_cells(r, b->cells + from, count, bytes)) {
                continue; /* counted as left out, as all lines after it */
            }
            to = to == NULL ? add_block(r, b->kind, 0) : to;
            if (to == NULL) {
                return;
            }
            to->columns = b->columns;
            put_line(to, b->cells + from, count);
        }
        break;
    }
    case BLOCK_HEADING:
        reply_heading(r, b->text);
        break;
    case BLOCK_PRE:
        reply_pre(r, str_c(b->text));
        break;
    case BLOCK_QUOTE:
        reply_quote(r, str_c(b->text));
        break;
    case BLOCK_LINK:
        reply_link(r, b->text, b->url);
        break;
    case BLOCK_PROGRESS:
        reply_progress(r, b->fraction, "%s", b->text);
        break;
    case BLOCK_IMAGE:
    case BLOCK_DOCUMENT:
        add_file(r, b->kind, b->file);
        break;
    case BLOCK_FOLD:
        reply_fold(r, b->text);
        break;
    case BLOCK_FOLD_END:
        reply_fold_end(r);
        break;
    }
}

void reply_append(struct reply *r, const struct reply *from)
{
    for (size_t i = 0; i < from->block_count; i++) {
        append_block(r, &from->blocks[i]);
    }
    reply_fold_end(r);
    if (from->left_out > 0) {
        leave_out(r, from->left_out);
    }
    for (size_t row = 0; row < reply_button_rows(from); row++) {
        if (r->button_row_count == REPLY_BUTTON_ROWS_MAX) {
            break; /* the commands of the missing buttons can be typed */
        }
        reply_button_row(r);
        for (size_t i = 0; i < reply_button_count(from, row); i++) {
            struct reply_button b = reply_get_button(from, row, i);
            reply_button(r, b.text, b.command, b.style);
        }
    }
    r->is_protected = r->is_protected || from->is_protected;
    copy_concealed(r, from);
    struct json_out data = JSON_OUT_TREE(r->data);
    json_object_object_foreach(from->data, key, value)
    {
        json_out_value(&data, key, value);
    }
}

struct json_object *reply_data(struct reply *r)
{
    return r->data;
}

struct reply *reply_copy(const struct reply *r)
{
    AUTO_BUF struct buf text = BUF_INIT(JSON_LIMITS_DEFAULT.max_bytes);
    struct reply *copy = NULL;
    reply_json_text(r, &text);
    int rc = reply_json_read(text.data, text.len, &copy, NULL);
    NEED_MEMORY(rc == 0); /* reply_json wrote it */
    copy_concealed(copy, r);
    return copy;
}

void reply_set_data(struct reply *r, struct json_object *data)
{
    (void)json_object_put(r->data);
    r->data = json_object_get(data);
}

struct json_object *reply_get_data(const struct reply *r)
{
    return r->data;
}

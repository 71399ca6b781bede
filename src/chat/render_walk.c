#include "render_walk.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "chat/render.h"
#include "command/reply_walk.h"

#include <string.h>

#define LINE_MAX_BYTES ((size_t)256 * 1024) /* a reply holds 64 KiB; cleaning may triple that */
#define COLUMN_GAP     2
#define INDENT         "  " /* of a wrapped line */
#define SPANS_MAX      64   /* of one line; more are joined, without their style */
#define PROGRESS_STEPS 10

/* A span of the line that is being written; its text is in lines.text. */
struct piece {
    enum render_style style;
    const char *url;
    int64_t unix_s;
    const char *form;
    size_t from;
    size_t to;
};

struct lines {
    const struct render_layout *layout;
    render_line_fn fn;
    void *userdata;
    enum render_line_kind kind;
    size_t block;
    size_t fold; /* number of the open fold; 0: none */
    struct buf text;
    struct piece pieces[SPANS_MAX];
    size_t count;
    bool written; /* a line of this text has been written */
};

size_t render_wrap(struct str line, size_t width)
{
    size_t columns = 0, space = 0, i = 0;
    while (i < line.len) {
        size_t size = str_utf8_size(str_n(line.ptr + i, line.len - i));
        size = size == 0 ? 1 : size;
        columns += render_width(str_n(line.ptr + i, size));
        if (columns > width) {
            break;
        }
        i += size;
        space = line.ptr[i - 1] == ' ' ? i : space;
    }
    return i == line.len || space == 0 ? i : space;
}

static void write_line(struct lines *l)
{
    struct render_span spans[SPANS_MAX];
    for (size_t i = 0; i < l->count; i++) {
        const struct piece *p = &l->pieces[i];
        spans[i] = (struct render_span){p->style, str_n(l->text.data + p->from, p->to - p->from),
                                        p->url, p->unix_s, p->form};
    }
    l->fn(&(struct render_line){l->kind, l->block, spans, l->count}, l->userdata);
    buf_clear(&l->text);
    l->count = 0;
    l->written = true;
}

static void begin(struct lines *l, enum render_line_kind kind, size_t block)
{
    l->kind = kind;
    l->block = block;
    if (l->fold != 0 &&
        (kind == RENDER_LINE_TEXT || kind == RENDER_LINE_QUOTE || l->layout->only_text_in_fold)) {
        l->kind = RENDER_LINE_FOLD;
        l->block = l->fold;
    }
    l->written = false;
}

/* "a\n" is one line: nothing follows its line feed. */
static void end(struct lines *l)
{
    if (l->count > 0 || !l->written) {
        write_line(l);
    }
}

static void add_piece(struct lines *l, enum render_style style, struct str text, const char *url)
{
    struct piece *last = l->count > 0 ? &l->pieces[l->count - 1] : NULL;
    size_t from = l->text.len;
    if (text.len == 0) {
        return;
    }
    buf_add_str(&l->text, text);
    if (last != NULL && url == NULL &&
        ((last->style == style && style != RENDER_TIME) || l->count == SPANS_MAX)) {
        last->to = l->text.len;
    } else if (l->count < SPANS_MAX) {
        l->pieces[l->count++] =
            (struct piece){.style = style, .url = url, .from = from, .to = l->text.len};
    }
}

/* Adds a text, which may hold line feeds. */
static void add(struct lines *l, enum render_style style, const char *text)
{
    AUTO_BUF struct buf clean = BUF_INIT(LINE_MAX_BYTES);
    render_clean(str_c(text), true, &clean);
    struct str rest = buf_str(&clean);
    while (rest.len > 0) {
        const char *feed = memchr(rest.ptr, '\n', rest.len);
        size_t len = feed == NULL ? rest.len : (size_t)(feed - rest.ptr);
        add_piece(l, style, str_n(rest.ptr, len), NULL);
        if (feed != NULL) {
            write_line(l);
            len++;
        }
        rest = str_n(rest.ptr + len, rest.len - len);
    }
}

static void add_time(struct lines *l, const struct cell *cell)
{
    static const char *const forms[] = {
        [CELL_FORM_SECOND] = "T", [CELL_FORM_MINUTE] = "dt", [CELL_FORM_CLOCK] = "t",
        [CELL_FORM_DAY] = "d",    [CELL_FORM_EXACT] = "dT",  [CELL_FORM_TENTH] = "dT"};
    AUTO_BUF struct buf text = BUF_INIT(64);
    size_t count = l->count;
    cell_add_text(&text, *cell);
    buf_add_c(&text, cell->form == CELL_FORM_DAY ? "" : " UTC");
    add_piece(l, RENDER_TIME, buf_str(&text), NULL);
    if (l->count > count) {
        l->pieces[l->count - 1].unix_s = cell->integer / USEC_PER_SEC;
        l->pieces[l->count - 1].form = forms[cell->form];
    }
}

static void add_cell(struct lines *l, const struct cell *cell)
{
    AUTO_BUF struct buf text = BUF_INIT(LINE_MAX_BYTES);
    if (cell->kind == CELL_TIME) {
        add_time(l, cell);
        return;
    }
    cell_add_text(&text, *cell);
    add(l, cell->kind == CELL_CODE ? RENDER_CODE : RENDER_PLAIN, text.data);
}

static void one_text(struct lines *l, enum render_line_kind kind, size_t block, const char *text)
{
    begin(l, kind, block);
    add(l, RENDER_PLAIN, text);
    end(l);
}

/* --------------------------------------------------------------------------------- tables ---- */

struct table {
    const struct reply_block *block;
    struct buf *texts; /* of all cells, cleaned; the header first */
    size_t width[REPLY_COLUMNS_MAX];
    bool right[REPLY_COLUMNS_MAX];
    bool has_header;
    size_t total; /* width of a line */
};

static struct reply_cells table_row(const struct table *t, size_t row)
{
    return row == 0 ? reply_block_header(t->block) : reply_block_line(t->block, row - 1);
}

static struct buf *table_text(const struct table *t, size_t row, size_t column)
{
    return &t->texts[row * t->block->columns + column];
}

static void table_init(struct table *t, const struct reply_block *block)
{
    *t = (struct table){.block = block};
    t->texts = calloc((block->lines + 1) * block->columns, sizeof(*t->texts));
    ASSERT(t->texts != NULL);
    for (size_t c = 0; c < block->columns; c++) {
        bool figures = false, others = false;
        for (size_t row = 0; row <= block->lines; row++) {
            const struct cell *cell = &table_row(t, row).cell[c];
            AUTO_BUF struct buf text = BUF_INIT(LINE_MAX_BYTES);
            struct buf *clean = table_text(t, row, c);
            buf_init(clean, LINE_MAX_BYTES);
            cell_add_text(&text, *cell);
            render_clean(buf_str(&text), false, clean);
            size_t width = render_width(buf_str(clean));
            t->width[c] = width > t->width[c] ? width : t->width[c];
            t->has_header = t->has_header || (row == 0 && width > 0);
            figures = figures || (row > 0 && cell_is_figure(cell));
            others = others ||
                     (row > 0 && width > 0 && cell->kind != CELL_NONE && !cell_is_figure(cell));
        }
        t->right[c] = figures && !others;
        t->total += t->width[c] + (c > 0 ? COLUMN_GAP : 0);
    }
}

static void table_release(struct table *t)
{
    for (size_t i = 0; i < (t->block->lines + 1) * t->block->columns; i++) {
        buf_release(&t->texts[i]);
    }
    free(t->texts);
}

static void pad(struct buf *line, struct str text, size_t width, bool right, bool last)
{
    size_t has = render_width(text);
    int space = has < width ? (int)(width - has) : 0;
    if (right) {
        buf_addf(line, "%*s", space, "");
    }
    buf_add_str(line, text);
    if (!right && !last) {
        buf_addf(line, "%*s", space, "");
    }
    if (!last) {
        buf_addf(line, "%*s", COLUMN_GAP, "");
    }
}

static void fixed_table(struct lines *l, const struct table *t)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
    for (size_t row = t->has_header ? 0 : 1; row <= t->block->lines; row++) {
        buf_clear(&line);
        for (size_t c = 0; c < t->block->columns; c++) {
            pad(&line, buf_str(table_text(t, row, c)), t->width[c], t->right[c],
                c == t->block->columns - 1);
        }
        while (line.len > 0 && line.data[line.len - 1] == ' ') {
            buf_truncate(&line, line.len - 1);
        }
        one_text(l, row == 0 ? RENDER_LINE_HEADER : RENDER_LINE_FIXED, t->block->index + 1,
                 line.data);
    }
}

/* "BTC-USD · long · result +$2.39": a figure is named by its column, a word is not. */
static void stacked_table(struct lines *l, const struct table *t)
{
    for (size_t row = 1; row <= t->block->lines; row++) {
        struct reply_cells cells = table_row(t, row);
        bool first = true;
        begin(l, RENDER_LINE_TEXT, 0);
        for (size_t c = 0; c < t->block->columns; c++) {
            const char *name = table_text(t, 0, c)->data;
            const char *text = table_text(t, row, c)->data;
            bool number = strcmp(name, "#") == 0;
            if (text[0] == '\0' || cells.cell[c].kind == CELL_NONE) {
                continue;
            }
            add(l, RENDER_PLAIN, first ? "" : " · ");
            add(l, first ? RENDER_BOLD : RENDER_PLAIN, number ? "#" : "");
            if (!number && name[0] != '\0' && cell_needs_name(&cells.cell[c])) {
                add(l, RENDER_PLAIN, name);
                add(l, RENDER_PLAIN, " ");
            }
            if (cells.cell[c].kind == CELL_TIME) {
                add_time(l, &cells.cell[c]); /* names its zone, since the header is not shown */
            } else {
                add(l, first ? RENDER_BOLD : RENDER_PLAIN, text);
            }
            first = false;
        }
        end(l);
    }
}

static void on_table(struct lines *l, const struct reply_block *block)
{
    struct table t;
    table_init(&t, block);
    size_t limit = l->layout->fixed_width;
    if ((limit > 0 && t.total > limit) || (l->fold != 0 && l->layout->only_text_in_fold)) {
        stacked_table(l, &t);
    } else {
        fixed_table(l, &t);
    }
    table_release(&t);
}

/* ---------------------------------------------------------------------------- other blocks ---- */

static void on_fields(struct lines *l, const struct reply_block *block)
{
    size_t width = 0;
    for (size_t i = 0; i < block->lines && l->layout->align_fields; i++) {
        size_t one = render_width(str_c(reply_block_line(block, i).cell[0].text));
        width = one > width ? one : width;
    }
    for (size_t i = 0; i < block->lines; i++) {
        struct reply_cells line = reply_block_line(block, i);
        AUTO_BUF struct buf name = BUF_INIT(LINE_MAX_BYTES);
        pad(&name, str_c(line.cell[0].text), width, false, false);
        if (width == 0) {
            buf_truncate(&name, name.len - 1); /* one space is enough between words */
        }
        begin(l, RENDER_LINE_TEXT, 0);
        add(l, RENDER_PLAIN, name.data);
        for (size_t k = 1; k < line.count; k++) {
            add_cell(l, &line.cell[k]);
        }
        end(l);
    }
}

static void on_lines(struct lines *l, const struct reply_block *block, const char *mark)
{
    for (size_t i = 0; i < block->lines; i++) {
        struct reply_cells line = reply_block_line(block, i);
        begin(l, RENDER_LINE_TEXT, 0);
        add(l, RENDER_PLAIN, mark);
        for (size_t k = 0; k < line.count; k++) {
            add_cell(l, &line.cell[k]);
        }
        end(l);
    }
}

static void on_link(struct lines *l, const struct reply_block *block)
{
    AUTO_BUF struct buf clean = BUF_INIT(LINE_MAX_BYTES);
    render_clean(str_c(block->text), false, &clean);
    begin(l, RENDER_LINE_TEXT, 0);
    add_piece(l, RENDER_LINK, buf_str(&clean), block->url);
    end(l);
}

/* Lines wider than the layout go on in the next one, indented. */
static void on_pre(struct lines *l, const struct reply_block *block)
{
    size_t limit = l->layout->fixed_width;
    AUTO_BUF struct buf clean = BUF_INIT(LINE_MAX_BYTES);
    AUTO_BUF struct buf out = BUF_INIT(LINE_MAX_BYTES);
    render_clean(str_c(block->text), true, &clean);
    for (struct str rest = buf_str(&clean); limit > sizeof(INDENT) && rest.len > 0;) {
        const char *feed = memchr(rest.ptr, '\n', rest.len);
        size_t len = feed == NULL ? rest.len : (size_t)(feed - rest.ptr);
        size_t fits = render_wrap(str_n(rest.ptr, len), limit);
        buf_add(&out, rest.ptr, fits);
        while (fits < len) {
            rest = str_n(rest.ptr + fits, rest.len - fits);
            len -= fits;
            fits = render_wrap(str_n(rest.ptr, len), limit - strlen(INDENT));
            buf_addf(&out, "\n" INDENT "%.*s", (int)fits, rest.ptr);
        }
        buf_add_c(&out, feed == NULL ? "" : "\n");
        fits += feed != NULL;
        rest = str_n(rest.ptr + fits, rest.len - fits);
    }
    one_text(l, RENDER_LINE_FIXED, block->index + 1,
             out.len == 0 || buf_failed(&out) ? block->text : out.data);
}

/* "▓▓▓▓░░░░░░ 40 %  Restart the service" */
static void on_progress(struct lines *l, const struct reply_block *block)
{
    AUTO_BUF struct buf bar = BUF_INIT(256);
    int done = (int)(block->fraction * PROGRESS_STEPS + 0.5);
    for (int i = 0; i < PROGRESS_STEPS; i++) {
        buf_add_c(&bar, i < done ? "▓" : "░");
    }
    buf_addf(&bar, " %.0f %%%s", block->fraction * 100, block->text[0] == '\0' ? "" : "  ");
    begin(l, RENDER_LINE_TEXT, 0);
    add(l, RENDER_PLAIN, bar.data);
    add(l, RENDER_PLAIN, block->text);
    end(l);
}

static void on_file(struct lines *l, const struct reply_file *file)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
    if (!l->layout->names_attachments) {
        return;
    }
    buf_addf(&line, "%s%s%s (%s, ", file->caption, file->caption[0] == '\0' ? "" : ": ", file->name,
             file->media_type);
    if (file->size_bytes < 10000) {
        buf_addf(&line, "%lld bytes): ", (long long)file->size_bytes);
    } else {
        buf_addf(&line, "%lld kB): ", (long long)(file->size_bytes / 1000));
    }
    if (l->layout->attachment_dir != NULL) {
        buf_addf(&line, "%s/", l->layout->attachment_dir);
    }
    buf_add_c(&line, file->id);
    one_text(l, RENDER_LINE_TEXT, 0, line.data);
}

static void on_block(const struct reply_block *block, void *userdata)
{
    struct lines *l = userdata;
    switch (block->kind) {
    case BLOCK_PARA:
        on_lines(l, block, "");
        break;
    case BLOCK_LIST:
        on_lines(l, block, "• ");
        break;
    case BLOCK_HEADING:
        begin(l, RENDER_LINE_TEXT, 0);
        add(l, RENDER_BOLD, block->text);
        end(l);
        break;
    case BLOCK_FIELDS:
        on_fields(l, block);
        break;
    case BLOCK_TABLE:
        on_table(l, block);
        break;
    case BLOCK_PRE:
        on_pre(l, block);
        break;
    case BLOCK_QUOTE:
        one_text(l, RENDER_LINE_QUOTE, block->index + 1, block->text);
        break;
    case BLOCK_LINK:
        on_link(l, block);
        break;
    case BLOCK_PROGRESS:
        on_progress(l, block);
        break;
    case BLOCK_IMAGE:
    case BLOCK_DOCUMENT:
        on_file(l, block->file);
        break;
    case BLOCK_FOLD:
    case BLOCK_FOLD_END:
        break; /* not visited as blocks */
    }
}

static void on_fold(const struct reply_block *fold, void *userdata)
{
    struct lines *l = userdata;
    l->fold = fold->index + 1;
    begin(l, RENDER_LINE_TEXT, 0);
    add(l, RENDER_BOLD, fold->text);
    end(l);
}

static void on_fold_end(void *userdata)
{
    struct lines *l = userdata;
    l->fold = 0;
}

/* ------------------------------------------------------------------------- title and error ---- */

static void on_title(enum tone tone, const char *text, void *userdata)
{
    struct lines *l = userdata;
    if (text[0] == '\0') {
        return;
    }
    begin(l, RENDER_LINE_TITLE, 0);
    add(l, RENDER_PLAIN, tone_icon(tone));
    add(l, RENDER_PLAIN, text);
    end(l);
}

static void labelled(struct lines *l, const char *label, const char *text)
{
    begin(l, RENDER_LINE_TEXT, 0);
    add(l, text[0] == '\0' ? RENDER_BOLD : RENDER_LABEL, label);
    add(l, RENDER_PLAIN, text[0] == '\0' ? "" : " ");
    add(l, RENDER_PLAIN, text);
    end(l);
}

/* A message equal to the title is not repeated. */
static void on_error(const struct err *err, const char *title, void *userdata)
{
    struct lines *l = userdata;
    const struct err_info *info = err_info(err->id);
    AUTO_BUF struct buf what = BUF_INIT(LINE_MAX_BYTES);
    if (strcmp(title, info->message) != 0) {
        buf_add_c(&what, info->message);
    }
    if (err->context[0] != '\0') {
        buf_addf(&what, "%s%s", what.len > 0 ? ": " : "", err->context);
    }
    labelled(l, info->code, what.data);
    labelled(l, "Cause", info->cause);
    labelled(l, "Impact", info->impact);
    labelled(l, "What to do", info->remediation);
}

static void on_footer(const char *text, void *userdata)
{
    if (text[0] != '\0') {
        one_text(userdata, RENDER_LINE_FOOTER, 0, text);
    }
}

void render_walk_error(const struct err *err, render_line_fn fn, void *userdata)
{
    static const struct render_layout layout = {0};
    struct lines l = {
        .layout = &layout, .fn = fn, .userdata = userdata, .text = BUF_INIT(LINE_MAX_BYTES)};
    on_error(err, "", &l);
    buf_release(&l.text);
}

void render_walk(const struct reply *reply, const struct render_layout *layout, render_line_fn fn,
                 void *userdata)
{
    static const struct reply_visitor visitor = {.title = on_title,
                                                 .error = on_error,
                                                 .block = on_block,
                                                 .fold = on_fold,
                                                 .fold_end = on_fold_end,
                                                 .footer = on_footer};
    struct lines l = {
        .layout = layout, .fn = fn, .userdata = userdata, .text = BUF_INIT(LINE_MAX_BYTES)};
    reply_walk(reply, &visitor, &l);
    buf_release(&l.text);
}

#include "base/buf.h"
#include "base/check.h"
#include "command/reply.h"
#include "reply_internal.h"

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

int64_t reply_concealed_us(const struct reply *r)
{
    return r->conceal_us;
}

struct str reply_concealed_png(const struct reply *r)
{
    return str_n(r->png, r->png == NULL ? 0 : r->png_size);
}

bool reply_is_protected(const struct reply *r)
{
    return r->is_protected;
}

const struct err *reply_get_error(const struct reply *r)
{
    return r->has_error ? &r->err : NULL;
}

const char *reply_get_page(const struct reply *r, bool next)
{
    const char *line = r->page[next ? 1 : 0];
    return line == NULL ? "" : line;
}

size_t reply_block_count(const struct reply *r)
{
    return r->block_count + (r->left_out > 0 ? 1 : 0);
}

struct reply_block reply_get_block(const struct reply *r, size_t index)
{
    ASSERT(index < reply_block_count(r));
    if (index == r->block_count) {
        return (struct reply_block){
            .reply = r, .index = index, .kind = BLOCK_PARA, .text = "", .lines = 1};
    }
    const struct block *b = &r->blocks[index];
    return (struct reply_block){.reply = r,
                                .index = index,
                                .kind = b->kind,
                                .text = b->text == NULL ? "" : b->text,
                                .url = b->url == NULL ? "" : b->url,
                                .fraction = b->fraction,
                                .columns = b->columns,
                                .lines = b->line_count - (b->kind == BLOCK_TABLE ? 1 : 0),
                                .file = b->file};
}

static struct reply_cells cells_of(const struct block *b, size_t line)
{
    ASSERT(line < b->line_count);
    size_t from = line == 0 ? 0 : b->ends[line - 1];
    return (struct reply_cells){.cell = b->cells == NULL ? NULL : b->cells + from,
                                .count = b->ends[line] - from};
}

struct reply_cells reply_block_line(const struct reply_block *block, size_t line)
{
    const struct reply *r = block->reply;
    if (block->index == r->block_count) {
        return (struct reply_cells){.cell = &r->note_cell, .count = 1};
    }
    return cells_of(&r->blocks[block->index], line + (block->kind == BLOCK_TABLE ? 1 : 0));
}

struct reply_cells reply_block_header(const struct reply_block *table)
{
    ASSERT(table->kind == BLOCK_TABLE);
    return cells_of(&table->reply->blocks[table->index], 0);
}

void reply_block_text(const struct reply *r, size_t index, struct buf *out)
{
    struct reply_block b = reply_get_block(r, index);
    buf_add_c(out, b.text);
    for (size_t i = 0; i < b.lines; i++) {
        struct reply_cells line = reply_block_line(&b, i);
        buf_add_c(out, i == 0 ? "" : "\n");
        for (size_t k = 0; k < line.count; k++) {
            bool tab = k > 0 && (b.kind == BLOCK_TABLE || (b.kind == BLOCK_FIELDS && k == 1));
            buf_add_c(out, tab ? "\t" : "");
            cell_add_text(out, line.cell[k]);
        }
    }
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

const char *reply_get_choice(const struct reply *r)
{
    return r->choice == NULL ? "" : r->choice;
}

struct reply_button reply_get_button(const struct reply *r, size_t row, size_t index)
{
    ASSERT(row < r->button_row_count && index < r->button_rows[row].count);
    const struct button *b = &r->button_rows[row].buttons[index];
    return (struct reply_button){.text = b->text, .command = b->command, .style = b->style};
}

#include "base/check.h"
#include "command/reply.h"

void reply_table(struct reply *r, int columns, const char *const *headers)
{
    reply_columns_names(r, headers, (size_t)columns);
}

static void reply_row_of(struct reply *r, size_t count, const char *const *texts)
{
    struct cell cells[REPLY_COLUMNS_MAX];
    ASSERT(count <= REPLY_COLUMNS_MAX);
    for (size_t i = 0; i < count; i++) {
        cells[i] = cell_text(texts[i]);
    }
    reply_cells_row(r, cells, count);
}

void reply_row(struct reply *r, const char *const *texts)
{
    struct reply_block last = reply_get_block(r, reply_block_count(r) - 1);
    reply_row_of(r, last.kind == BLOCK_TABLE ? last.columns : 1, texts);
}

/*
 * reply_text.h: texts of a reply for assertions.
 *
 *     assert_string_equal(reply_text(r, 0), "Equity $10.00");
 *     assert_string_equal(reply_text_cell(r, 1, 0, 2), "+$2.39");
 *
 *     reply_text_all(r, rig->text, sizeof(rig->text));
 *
 * A text is valid until the next call but three.
 * Thread: main thread of the test binary.
 */
#pragma once

#include "command/reply_json.h"

#include <string.h>

static inline char *reply_text_slot(struct str text)
{
    static char slots[4][80000];
    static int next;
    char *slot = slots[next++ % 4];
    (void)str_copy(text, slot, sizeof(slots[0]));
    return slot;
}

static inline const char *reply_text(const struct reply *r, size_t block)
{
    AUTO_BUF struct buf text = BUF_INIT(80000);
    reply_block_text(r, block, &text);
    return reply_text_slot(buf_str(&text));
}

static inline const char *reply_text_cell(const struct reply *r, size_t block, size_t row,
                                          size_t column)
{
    struct reply_block table = reply_get_block(r, block);
    AUTO_BUF struct buf text = BUF_INIT(80000);
    cell_add_text(&text, reply_block_line(&table, row).cell[column]);
    return reply_text_slot(buf_str(&text));
}

/* The reply as JSON, and on the lines after it what people read: its blocks as texts. */
static inline void reply_text_all(const struct reply *r, char *dst, size_t dst_size)
{
    AUTO_BUF struct buf out = BUF_INIT((size_t)1 << 20);
    reply_json_text(r, &out);
    for (size_t i = 0; i < reply_block_count(r); i++) {
        buf_add_char(&out, '\n');
        reply_block_text(r, i, &out);
    }
    (void)str_copy(buf_str(&out), dst, dst_size);
}

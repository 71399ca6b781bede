#include "command/reply_walk.h"

#include "base/check.h"

static void walk_blocks(const struct reply *reply, const struct reply_visitor *v, void *userdata)
{
    bool in_fold = false;
    for (size_t i = 0; i < reply_block_count(reply); i++) {
        struct reply_block block = reply_get_block(reply, i);
        switch (block.kind) {
        case BLOCK_FOLD:
            in_fold = true;
            if (v->fold != NULL) {
                v->fold(&block, userdata);
            }
            break;
        case BLOCK_FOLD_END:
            in_fold = false;
            if (v->fold_end != NULL) {
                v->fold_end(userdata);
            }
            break;
        case BLOCK_PARA:
        case BLOCK_HEADING:
        case BLOCK_FIELDS:
        case BLOCK_LIST:
        case BLOCK_TABLE:
        case BLOCK_PRE:
        case BLOCK_QUOTE:
        case BLOCK_LINK:
        case BLOCK_PROGRESS:
        case BLOCK_IMAGE:
        case BLOCK_DOCUMENT:
            if (v->block != NULL) {
                v->block(&block, userdata);
            }
            break;
        }
    }
    if (in_fold && v->fold_end != NULL) {
        v->fold_end(userdata);
    }
}

static void walk_buttons(const struct reply *reply, const struct reply_visitor *v, void *userdata)
{
    for (size_t row = 0; v->button_row != NULL && row < reply_button_rows(reply); row++) {
        struct reply_button buttons[REPLY_BUTTONS_IN_ROW];
        size_t count = reply_button_count(reply, row);
        for (size_t i = 0; i < count; i++) {
            buttons[i] = reply_get_button(reply, row, i);
        }
        v->button_row(buttons, count, userdata);
    }
}

void reply_walk(const struct reply *reply, const struct reply_visitor *v, void *userdata)
{
    const char *title = reply_get_title(reply);
    const struct err *err = reply_get_error(reply);
    const char *previous = reply_get_page(reply, false);
    const char *next = reply_get_page(reply, true);
    if (v->title != NULL) {
        v->title(reply_get_tone(reply), title, userdata);
    }
    if (err != NULL && v->error != NULL) {
        v->error(err, title, userdata);
    }
    walk_blocks(reply, v, userdata);
    walk_buttons(reply, v, userdata);
    if ((previous[0] != '\0' || next[0] != '\0') && v->page != NULL) {
        v->page(previous, next, userdata);
    }
    if (v->footer != NULL) {
        v->footer(reply_get_footer(reply), userdata);
    }
}

/*
 * reply_walk.h: visits the parts of a reply in the order in which they are shown. Every renderer
 * (Telegram HTML, terminal text, JSON) is a visitor of this one walk.
 *
 *     static void on_block(const struct reply_block *block, void *userdata) { ... }
 *     reply_walk(reply, &(struct reply_visitor){.title = on_title, .block = on_block}, self);
 *
 * Invariants: title (also an empty one), error, blocks and folds in their order, rows of buttons,
 * page, footer (also an empty one); another part that the reply does not have is not visited; each
 * fold that opens is closed; the note about what was left out comes as a last paragraph. A callback
 * that is NULL is skipped. Thread: any, one at a time per reply.
 */
#pragma once

#include "command/reply.h"

struct reply_visitor {
    void (*title)(enum tone tone, const char *text, void *userdata);
    /* title: the text of the title, "" if there is none. */
    void (*error)(const struct err *err, const char *title, void *userdata);
    void (*block)(const struct reply_block *block, void *userdata); /* all but folds */
    void (*fold)(const struct reply_block *fold, void *userdata);
    void (*fold_end)(void *userdata);
    void (*page)(const char *previous, const char *next, void *userdata); /* "": none */
    void (*button_row)(const struct reply_button *buttons, size_t count, void *userdata);
    void (*footer)(const char *text, void *userdata);
};

void reply_walk(const struct reply *reply, const struct reply_visitor *visitor, void *userdata);

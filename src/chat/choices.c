#include "chat/choices.h"

#include "base/check.h"
#include "chat/render.h"
#include "command/reply_walk.h"

#include <stdlib.h>
#include <string.h>

#define GAP "   "

struct rows {
    struct choices *choices;
    const struct render_text_options *options;
    struct buf *out;
    size_t used; /* columns of the row so far */
};

void choices_release(struct choices *choices)
{
    for (size_t i = 0; i < CHOICES_MAX; i++) {
        free(choices->commands[i]);
        choices->commands[i] = NULL;
    }
}

static const char *colour_of(enum button_style style)
{
    switch (style) {
    case BUTTON_PLAIN:
        return "\033[1m";
    case BUTTON_PRIMARY:
        return "\033[1;32m";
    case BUTTON_DANGER:
        return "\033[1;31m";
    }
    return "";
}

static void add_one(struct rows *rows, const char *text, const char *command,
                    enum button_style style)
{
    struct choices *choices = rows->choices;
    AUTO_BUF struct buf clean = BUF_INIT(1024);
    size_t index = choices->next;
    choices->next = (choices->next + 1) % CHOICES_MAX;
    free(choices->commands[index]);
    choices->commands[index] = strdup(command);
    ASSERT(choices->commands[index] != NULL);
    render_clean(str_c(text), false, &clean);
    size_t width = render_width(buf_str(&clean)) + 3 + (index + 1 < 10 ? 1 : 2);
    size_t limit = rows->options->width;
    if (rows->used > 0 && limit > 0 && rows->used + strlen(GAP) + width > limit) {
        buf_add_char(rows->out, '\n');
        rows->used = 0;
    }
    const char *gap = rows->used > 0 ? GAP : "";
    bool colour = rows->options->colour;
    buf_addf(rows->out, "%s%s[%zu]%s %s", gap, colour ? colour_of(style) : "", index + 1,
             colour ? "\033[0m" : "", clean.data);
    rows->used += strlen(gap) + width;
}

static void end_row(struct rows *rows)
{
    if (rows->used > 0) {
        buf_add_char(rows->out, '\n');
    }
    rows->used = 0;
}

static void on_page(const char *previous, const char *next, void *userdata)
{
    struct rows *rows = userdata;
    if (previous[0] != '\0') {
        add_one(rows, "Previous", previous, BUTTON_PLAIN);
    }
    if (next[0] != '\0') {
        add_one(rows, "Next", next, BUTTON_PLAIN);
    }
    end_row(rows);
}

static void on_button_row(const struct reply_button *buttons, size_t count, void *userdata)
{
    struct rows *rows = userdata;
    for (size_t i = 0; i < count; i++) {
        add_one(rows, buttons[i].text, buttons[i].command, buttons[i].style);
    }
    end_row(rows);
}

void choices_add(struct choices *choices, const struct reply *reply,
                 const struct render_text_options *options, struct buf *out)
{
    static const struct reply_visitor visitor = {.page = on_page, .button_row = on_button_row};
    reply_walk(reply, &visitor, &(struct rows){choices, options, out, 0});
}

const char *choices_find(const struct choices *choices, struct str text)
{
    int64_t number = 0;
    return str_to_i64(text, &number) && number >= 1 && number <= CHOICES_MAX && text.len <= 2
               ? choices->commands[number - 1]
               : NULL;
}

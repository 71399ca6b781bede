#include "base/check.h"
#include "chat/render.h"
#include "command/reply_walk.h"
#include "render_walk.h"

#include <string.h>

#define LINE_MAX_BYTES ((size_t)256 * 1024)
#define INDENT         "  " /* of a fold, and of a wrapped line */

struct text {
    struct buf *out;
    size_t width; /* 0: lines are not wrapped */
    size_t fold;  /* number of the fold of the last line */
};

static void add_wrapped(struct text *t, struct str line, const char *indent)
{
    size_t width = t->width;
    for (;;) {
        buf_add_c(t->out, indent);
        size_t room = width > 2 * strlen(indent) ? width - strlen(indent) : 0;
        size_t fits = room == 0 ? line.len : render_wrap(line, room);
        fits = fits == 0 ? line.len : fits;
        struct str piece = str_n(line.ptr, fits);
        while (fits < line.len && piece.len > 0 && piece.ptr[piece.len - 1] == ' ') {
            piece.len--;
        }
        buf_add_str(t->out, piece);
        buf_add_char(t->out, '\n');
        if (fits == line.len) {
            return;
        }
        line = str_n(line.ptr + fits, line.len - fits);
        indent = indent[0] == '\0' ? INDENT : INDENT INDENT;
    }
}

static void add_line(const struct render_line *line, void *userdata)
{
    struct text *t = userdata;
    AUTO_BUF struct buf whole = BUF_INIT(LINE_MAX_BYTES);
    for (size_t i = 0; i < line->count; i++) {
        const struct render_span *span = &line->spans[i];
        buf_add_str(&whole, span->text);
        if (span->style == RENDER_LINK) {
            buf_addf(&whole, ": %s", span->url);
        } else if (span->style == RENDER_LABEL) {
            buf_add_char(&whole, ':');
        }
    }
    bool first_of_fold = line->kind == RENDER_LINE_FOLD && t->fold != line->block;
    t->fold = line->kind == RENDER_LINE_FOLD ? line->block : t->fold;
    switch (line->kind) {
    case RENDER_LINE_FIXED:
    case RENDER_LINE_HEADER:
        buf_add_str(t->out, buf_str(&whole)); /* wrapping would break the columns */
        buf_add_char(t->out, '\n');
        break;
    case RENDER_LINE_QUOTE:
        add_wrapped(t, buf_str(&whole), "> ");
        break;
    case RENDER_LINE_FOLD:
        add_wrapped(t, buf_str(&whole), first_of_fold ? "" : INDENT);
        break;
    case RENDER_LINE_TITLE:
    case RENDER_LINE_TEXT:
    case RENDER_LINE_FOOTER:
        add_wrapped(t, buf_str(&whole), "");
        break;
    }
}

/* ------------------------------------------------------------------------------- buttons ---- */

static void add_button(struct buf *out, bool first, const char *text, const char *command)
{
    AUTO_BUF struct buf line = BUF_INIT(4096);
    buf_addf(&line, "%s[%s] %s", first ? "  " : "   ", text, command);
    render_clean(buf_str(&line), false, out);
}

static void on_page(const char *previous, const char *next, void *userdata)
{
    struct buf *out = userdata;
    if (previous[0] != '\0') {
        add_button(out, true, "Previous", previous);
    }
    if (next[0] != '\0') {
        add_button(out, previous[0] == '\0', "Next", next);
    }
    buf_add_char(out, '\n');
}

/* Buttons with a confirmation's token are omitted: the text gives the code to type. */
static void on_button_row(const struct reply_button *buttons, size_t count, void *userdata)
{
    struct buf *out = userdata;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (buttons[i].command[0] == '/') {
            add_button(out, !any, buttons[i].text, buttons[i].command);
            any = true;
        }
    }
    if (any) {
        buf_add_char(out, '\n');
    }
}

void render_text(const struct reply *reply, const struct render_text_options *options,
                 struct buf *out)
{
    static const struct reply_visitor buttons = {.page = on_page, .button_row = on_button_row};
    const struct render_layout layout = {.fixed_width = options->width,
                                         .align_fields = true,
                                         .names_attachments = true,
                                         .attachment_dir = options->attachment_dir};
    size_t before = out->len;
    render_walk(reply, &layout, add_line, &(struct text){.out = out, .width = options->width});
    if (options->buttons) {
        reply_walk(reply, &buttons, out);
    }
    if (out->len == before) {
        buf_add_c(out, "(no text)\n");
    }
}

void render_text_error(const struct err *err, struct buf *out)
{
    render_walk_error(err, add_line, &(struct text){.out = out});
}

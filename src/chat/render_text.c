#include "base/check.h"
#include "chat/choices.h"
#include "chat/render.h"
#include "command/reply_walk.h"
#include "render_walk.h"

#include <string.h>

#define LINE_MAX_BYTES ((size_t)256 * 1024)
#define INDENT         "  " /* of a fold, and of a wrapped line */

struct text {
    struct buf *out;
    size_t width;      /* 0: lines are not wrapped */
    size_t fold;       /* number of the fold of the last line */
    const char *title; /* the colour of the title; NULL: no colours */
};

/* A line and the look of each of its bytes, an index into looks. */
struct line {
    struct buf text;
    struct buf look;
};

enum look { LOOK_PLAIN = 'a', LOOK_BOLD, LOOK_CODE, LOOK_LINK, LOOK_DIM, LOOK_TITLE };

static const char *sequence(const struct text *t, char look)
{
    switch ((enum look)look) {
    case LOOK_PLAIN:
        return "\033[0m";
    case LOOK_BOLD:
        return "\033[0;1m";
    case LOOK_CODE:
        return "\033[0;36m";
    case LOOK_LINK:
        return "\033[0;4m";
    case LOOK_DIM:
        return "\033[0;2m";
    case LOOK_TITLE:
        return t->title;
    }
    return "";
}

static char look_of(enum render_line_kind kind, enum render_style style)
{
    switch (kind) {
    case RENDER_LINE_TITLE:
        return LOOK_TITLE;
    case RENDER_LINE_HEADER:
    case RENDER_LINE_QUOTE:
    case RENDER_LINE_FOOTER:
        return LOOK_DIM;
    case RENDER_LINE_TEXT:
    case RENDER_LINE_FIXED:
    case RENDER_LINE_FOLD:
        break;
    }
    switch (style) {
    case RENDER_BOLD:
    case RENDER_LABEL:
        return LOOK_BOLD;
    case RENDER_CODE:
        return LOOK_CODE;
    case RENDER_LINK:
        return LOOK_LINK;
    case RENDER_PLAIN:
    case RENDER_TIME:
        break;
    }
    return LOOK_PLAIN;
}

static void add_look(struct line *line, char look)
{
    while (line->look.len < line->text.len) {
        buf_add_char(&line->look, look);
    }
}

/* Bytes from..to of the line. */
static void add_piece(const struct text *t, const struct line *line, size_t from, size_t to)
{
    if (t->title == NULL) {
        buf_add(t->out, line->text.data + from, to - from);
        return;
    }
    char now = LOOK_PLAIN;
    for (size_t i = from; i < to;) {
        size_t end = i;
        while (end < to && line->look.data[end] == line->look.data[i]) {
            end++;
        }
        if (line->look.data[i] != now) {
            now = line->look.data[i];
            buf_add_c(t->out, sequence(t, now));
        }
        buf_add(t->out, line->text.data + i, end - i);
        i = end;
    }
    if (now != LOOK_PLAIN) {
        buf_add_c(t->out, sequence(t, LOOK_PLAIN));
    }
}

static void add_wrapped(struct text *t, const struct line *line, const char *indent)
{
    size_t width = t->width, at = 0;
    for (;;) {
        struct str rest = str_n(line->text.data + at, line->text.len - at);
        buf_add_c(t->out, indent);
        size_t room = width > 2 * strlen(indent) ? width - strlen(indent) : 0;
        size_t fits = room == 0 ? rest.len : render_wrap(rest, room);
        fits = fits == 0 ? rest.len : fits;
        size_t piece = fits;
        while (fits < rest.len && piece > 0 && rest.ptr[piece - 1] == ' ') {
            piece--;
        }
        add_piece(t, line, at, at + piece);
        buf_add_char(t->out, '\n');
        if (fits == rest.len) {
            return;
        }
        at += fits;
        indent = indent[0] == '\0' ? INDENT : INDENT INDENT;
    }
}

static void add_line(const struct render_line *line, void *userdata)
{
    struct text *t = userdata;
    struct line whole = {.text = BUF_INIT(LINE_MAX_BYTES), .look = BUF_INIT(LINE_MAX_BYTES)};
    for (size_t i = 0; i < line->count; i++) {
        const struct render_span *span = &line->spans[i];
        buf_add_str(&whole.text, span->text);
        if (span->style == RENDER_LINK) {
            buf_addf(&whole.text, ": %s", span->url);
        } else if (span->style == RENDER_LABEL) {
            buf_add_char(&whole.text, ':');
        }
        add_look(&whole, look_of(line->kind, span->style));
    }
    bool first_of_fold = line->kind == RENDER_LINE_FOLD && t->fold != line->block;
    t->fold = line->kind == RENDER_LINE_FOLD ? line->block : t->fold;
    switch (line->kind) {
    case RENDER_LINE_FIXED:
    case RENDER_LINE_HEADER:
        add_piece(t, &whole, 0, whole.text.len); /* wrapping would break the columns */
        buf_add_char(t->out, '\n');
        break;
    case RENDER_LINE_QUOTE:
        add_wrapped(t, &whole, "> ");
        break;
    case RENDER_LINE_FOLD:
        add_wrapped(t, &whole, first_of_fold ? "" : INDENT);
        break;
    case RENDER_LINE_TITLE:
    case RENDER_LINE_TEXT:
    case RENDER_LINE_FOOTER:
        add_wrapped(t, &whole, "");
        break;
    }
    buf_release(&whole.text);
    buf_release(&whole.look);
}

static const char *title_look(enum tone tone)
{
    switch (tone) {
    case TONE_PLAIN:
        return "\033[0;1m";
    case TONE_GOOD:
        return "\033[0;1;32m";
    case TONE_WARN:
        return "\033[0;1;33m";
    case TONE_BAD:
        return "\033[0;1;31m";
    case TONE_BUSY:
        return "\033[0;1;36m";
    }
    return "";
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
    render_walk(
        reply, &layout, add_line,
        &(struct text){.out = out,
                       .width = options->width,
                       .title = options->colour ? title_look(reply_get_tone(reply)) : NULL});
    if (options->buttons && options->choices != NULL) {
        choices_add(options->choices, reply, options, out);
    } else if (options->buttons) {
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

#include "base/check.h"
#include "chat/render.h"
#include "command/reply.h"
#include "render_walk.h"

static void add_line(const struct render_line *line, void *userdata)
{
    struct buf *out = userdata;
    if (line->label[0] != '\0') {
        buf_add_c(out, line->label);
        buf_add_c(out, line->text.len > 0 ? ": " : "");
    }
    buf_add_str(out, line->text);
    buf_add_char(out, '\n');
}

static void add_buttons(const struct reply *reply, struct buf *out)
{
    AUTO_BUF struct buf clean = BUF_INIT(4096);
    for (size_t row = 0; row < reply_button_rows(reply); row++) {
        for (size_t i = 0; i < reply_button_count(reply, row); i++) {
            struct reply_button button = reply_get_button(reply, row, i);
            buf_clear(&clean);
            buf_addf(&clean, "[%s] %s", button.text, button.command);
            buf_add_c(out, i == 0 ? "  " : "   ");
            render_clean(buf_str(&clean), false, out);
        }
        buf_add_char(out, '\n');
    }
}

void render_text(const struct reply *reply, const struct render_text_options *options,
                 struct buf *out)
{
    size_t before = out->len;
    render_walk(reply, add_line, out);
    if (options->buttons) {
        add_buttons(reply, out);
    }
    if (out->len == before) {
        buf_add_c(out, "(no text)\n");
    }
}

/* Bytes at the front of text that make at most `units`, whole characters, at least one. */
static size_t fitting(struct str text, size_t units)
{
    size_t used = 0, i = 0;
    while (i < text.len) {
        size_t size = str_utf8_size(str_n(text.ptr + i, text.len - i));
        ASSERT(size > 0);
        size_t cost = size == 4 ? 2 : 1;
        if (i > 0 && used + cost > units) {
            break;
        }
        used += cost;
        i += size;
    }
    return i;
}

static void add_piece(struct render_parts *parts, struct str piece)
{
    struct buf *part = parts->count == 0 ? NULL : &parts->part[parts->count - 1];
    size_t has = part == NULL ? 0 : str_utf16_len(buf_str(part));
    if (part == NULL || has + 1 + str_utf16_len(piece) > RENDER_PART_UNITS) {
        if (str_trim(piece).len == 0) {
            return; /* an empty line between two parts, or before the first */
        }
        if (parts->count == RENDER_PARTS_MAX) {
            parts->overflow = true;
            return;
        }
        part = &parts->part[parts->count++];
        buf_init(part, (size_t)RENDER_PART_UNITS * 4);
    } else {
        buf_add_char(part, '\n');
    }
    buf_add_str(part, piece);
}

void render_text_parts(const struct reply *reply, struct render_parts *ret)
{
    *ret = (struct render_parts){0};
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    render_text(reply, &(struct render_text_options){0}, &text);
    struct str rest = buf_str(&text), line;
    while (str_split(&rest, '\n', &line) && !ret->overflow) {
        do {
            struct str piece = str_n(line.ptr, fitting(line, RENDER_PART_UNITS));
            line = str_n(line.ptr + piece.len, line.len - piece.len);
            add_piece(ret, piece);
        } while (line.len > 0 && !ret->overflow);
    }
}

void render_text_error(const struct err *err, struct buf *out)
{
    render_walk_error(err, add_line, out);
}

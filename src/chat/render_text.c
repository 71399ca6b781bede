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

/* Buttons with a confirmation's token are omitted: the text gives the code to type. */
static void add_buttons(const struct reply *reply, struct buf *out)
{
    AUTO_BUF struct buf clean = BUF_INIT(4096);
    for (size_t row = 0; row < reply_button_rows(reply); row++) {
        bool any = false;
        for (size_t i = 0; i < reply_button_count(reply, row); i++) {
            struct reply_button button = reply_get_button(reply, row, i);
            if (button.command[0] != '/') {
                continue;
            }
            buf_clear(&clean);
            buf_addf(&clean, "%s[%s] %s", any ? "   " : "  ", button.text, button.command);
            render_clean(buf_str(&clean), false, out);
            any = true;
        }
        if (any) {
            buf_add_char(out, '\n');
        }
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

void render_text_error(const struct err *err, struct buf *out)
{
    render_walk_error(err, add_line, out);
}

#include "base/check.h"
#include "chat/render.h"
#include "command/reply.h"
#include "render_walk.h"

#include <string.h>

/* Escaping can make text six times as long. */
#define HTML_MAX_BYTES ((size_t)RENDER_PART_UNITS * 6)

#define PRE_OPEN       "<pre>"
#define PRE_CLOSE      "</pre>"

struct html {
    struct render_parts *parts;
    struct buf *part;  /* NULL before the first line and after a finished part */
    size_t units;      /* in *part, without the closing tag of an open <pre> */
    size_t visible;    /* lines in *part with a visible character */
    size_t block;      /* number of the block whose <pre> is open; 0: none */
    struct buf header; /* escaped header line of the table `header_block`, for a continuation */
    size_t header_block;
};

static size_t units_of(struct str s)
{
    return str_utf16_len(s);
}

static void close_pre(struct html *h)
{
    if (h->block != 0) {
        buf_add_c(h->part, PRE_CLOSE);
        h->units += strlen(PRE_CLOSE);
        h->block = 0;
    }
}

static void finish_part(struct html *h)
{
    if (h->part == NULL) {
        return;
    }
    close_pre(h);
    if (h->visible == 0) {
        /* Telegram refuses a message without a visible character. */
        buf_clear(h->part);
        h->parts->count--;
    }
    h->part = NULL;
}

static bool start_part(struct html *h)
{
    if (h->parts->count == RENDER_PARTS_MAX) {
        h->parts->overflow = true;
        return false;
    }
    h->part = &h->parts->part[h->parts->count++];
    buf_init(h->part, HTML_MAX_BYTES);
    h->units = 0;
    h->visible = 0;
    h->block = 0;
    return true;
}

static void append(struct html *h, struct str markup)
{
    buf_add_str(h->part, markup);
    h->units += units_of(markup);
}

/* Appends one line of markup; starts a new part if it does not fit. */
static void write_line(struct html *h, struct str line, size_t block, bool is_visible)
{
    size_t needed = units_of(line) + 1 + (block != 0 ? strlen(PRE_OPEN PRE_CLOSE) : 0);
    if (h->part != NULL && h->units + needed > RENDER_PART_UNITS) {
        finish_part(h);
    }
    if (h->part == NULL && !start_part(h)) {
        return;
    }
    if (h->block != block) {
        close_pre(h);
    }
    if (h->part->len > 0) {
        append(h, STR_LIT("\n"));
    }
    if (block != 0 && h->block == 0) {
        append(h, STR_LIT(PRE_OPEN));
        h->block = block;
        if (h->header_block == block && h->header.len > 0) {
            append(h, buf_str(&h->header));
            append(h, STR_LIT("\n"));
        }
    }
    append(h, line);
    h->visible += is_visible ? 1 : 0;
}

/* The number of bytes of text that fit into `units` after escaping; at least one character. */
static size_t fitting(struct str text, size_t units)
{
    AUTO_BUF struct buf one = BUF_INIT(16);
    size_t used = 0, i = 0;
    while (i < text.len) {
        size_t size = str_utf8_size(str_n(text.ptr + i, text.len - i));
        ASSERT(size > 0); /* render_clean left valid UTF-8 only */
        buf_clear(&one);
        buf_add_html(&one, str_n(text.ptr + i, size));
        size_t cost = units_of(buf_str(&one));
        if (i > 0 && used + cost > units) {
            break;
        }
        used += cost;
        i += size;
    }
    return i;
}

static bool has_visible(struct str text)
{
    return str_trim(text).len > 0;
}

static void on_line(const struct render_line *line, void *userdata)
{
    struct html *h = userdata;
    if (h->parts->overflow) {
        return;
    }
    AUTO_BUF struct buf markup = BUF_INIT(HTML_MAX_BYTES);
    const char *before = "", *after = "";
    size_t block = 0;
    switch (line->kind) {
    case RENDER_LINE_TITLE:
        before = "<b>", after = "</b>";
        break;
    case RENDER_LINE_TEXT:
        break;
    case RENDER_LINE_FOOTER:
        before = "<i>", after = "</i>";
        break;
    case RENDER_LINE_HEADER:
    case RENDER_LINE_FIXED:
        block = line->block;
        break;
    }
    /* Reserves space for a repeated table header, tags and a label. Only a line longer than the
     * rest of a part is ever cut. */
    size_t space = RENDER_PART_UNITS - 200;
    if (block != 0 && h->header_block == block) {
        size_t header = units_of(buf_str(&h->header));
        space = header + 200 < space ? space - header : 1;
    }
    struct str rest = line->text;
    const char *label = line->label;
    do {
        struct str piece = str_n(rest.ptr, fitting(rest, space));
        rest = str_n(rest.ptr + piece.len, rest.len - piece.len);
        buf_clear(&markup);
        if (label[0] != '\0') {
            buf_add_c(&markup, "<b>");
            buf_add_html(&markup, str_c(label));
            buf_add_c(&markup, piece.len > 0 ? "</b> " : "</b>");
        }
        bool is_visible = label[0] != '\0' || has_visible(piece);
        label = "";
        if (piece.len > 0) {
            buf_add_c(&markup, before);
            buf_add_html(&markup, piece);
            buf_add_c(&markup, after);
        }
        ASSERT(!buf_failed(&markup));
        write_line(h, buf_str(&markup), block, is_visible);
    } while (rest.len > 0 && !h->parts->overflow);
    if (line->kind == RENDER_LINE_HEADER && units_of(buf_str(&markup)) < RENDER_PART_UNITS / 4) {
        /* Set after the line is written, so that the table's first part shows it only once. */
        buf_clear(&h->header);
        buf_add_str(&h->header, buf_str(&markup));
        h->header_block = line->block;
    }
}

void render_html(const struct reply *reply, struct render_parts *ret)
{
    *ret = (struct render_parts){0};
    struct html h = {.parts = ret, .header = BUF_INIT(HTML_MAX_BYTES)};
    render_walk(reply, on_line, &h);
    finish_part(&h);
    buf_release(&h.header);
    if (ret->count == 0 && !ret->overflow) {
        buf_init(&ret->part[0], HTML_MAX_BYTES);
        buf_add_c(&ret->part[0], "<i>(no text)</i>");
        ret->count = 1;
    }
}

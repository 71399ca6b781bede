#include "base/check.h"
#include "chat/render.h"
#include "command/reply.h"
#include "render_walk.h"

#include <string.h>

/* Escaping can make text six times as long. */
#define HTML_MAX_BYTES ((size_t)RENDER_PART_UNITS * 6)

#define FIXED_WIDTH    34 /* columns of a fixed-width font on a phone */

/* What surrounds adjacent lines of one block. */
enum wrap { WRAP_NONE, WRAP_PRE, WRAP_QUOTE, WRAP_FOLD };

static const struct {
    const char *open;
    const char *close;
} tags[] = {
    [WRAP_NONE] = {"", ""},
    [WRAP_PRE] = {"<pre>", "</pre>"},
    [WRAP_QUOTE] = {"<blockquote>", "</blockquote>"},
    [WRAP_FOLD] = {"<blockquote expandable>", "</blockquote>"},
};

struct html {
    struct render_parts *parts;
    struct buf *part;  /* NULL before the first line and after a finished part */
    size_t units;      /* in *part, without the closing tag of an open wrap */
    size_t visible;    /* lines in *part with a visible character */
    enum wrap wrap;    /* open in *part */
    size_t block;      /* number of the block whose wrap is open; 0: none */
    struct buf header; /* escaped header line of the table `header_block`, for a continuation */
    size_t header_block;
};

static size_t units_of(struct str s)
{
    return str_utf16_len(s);
}

static void close_wrap(struct html *h)
{
    if (h->wrap != WRAP_NONE) {
        buf_add_c(h->part, tags[h->wrap].close);
        h->units += strlen(tags[h->wrap].close);
        h->wrap = WRAP_NONE;
        h->block = 0;
    }
}

static void finish_part(struct html *h)
{
    if (h->part == NULL) {
        return;
    }
    close_wrap(h);
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
static void write_line(struct html *h, struct str line, enum wrap wrap, size_t block,
                       bool is_visible)
{
    size_t needed = units_of(line) + 1 + strlen(tags[wrap].open) + strlen(tags[wrap].close);
    if (h->part != NULL && h->units + needed > RENDER_PART_UNITS) {
        finish_part(h);
    }
    if (h->part == NULL && !start_part(h)) {
        return;
    }
    if (h->wrap != wrap || h->block != block) {
        close_wrap(h);
    }
    if (h->part->len > 0) {
        append(h, STR_LIT("\n"));
    }
    if (wrap != WRAP_NONE && h->wrap == WRAP_NONE) {
        append(h, str_c(tags[wrap].open));
        h->wrap = wrap;
        h->block = block;
        if (wrap == WRAP_PRE && h->header_block == block && h->header.len > 0) {
            append(h, buf_str(&h->header));
            append(h, STR_LIT("\n"));
        }
    }
    append(h, line);
    h->visible += is_visible ? 1 : 0;
}

/* The number of bytes of text that fit into `units` after escaping; at least one character if
 * `at_least_one` is set. */
static size_t fitting(struct str text, size_t units, bool at_least_one)
{
    AUTO_BUF struct buf one = BUF_INIT(16);
    size_t used = 0, i = 0;
    while (i < text.len) {
        size_t size = str_utf8_size(str_n(text.ptr + i, text.len - i));
        ASSERT(size > 0); /* render_clean left valid UTF-8 only */
        buf_clear(&one);
        buf_add_html(&one, str_n(text.ptr + i, size));
        size_t cost = units_of(buf_str(&one));
        if ((i > 0 || !at_least_one) && used + cost > units) {
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

static void add_span(struct buf *markup, const struct render_span *span, struct str text,
                     enum wrap wrap)
{
    /* No entity may stand inside <pre>, and no <code> inside a quote. */
    enum render_style style = wrap == WRAP_PRE ? RENDER_PLAIN : span->style;
    style = style == RENDER_CODE && wrap != WRAP_NONE ? RENDER_PLAIN : style;
    switch (style) {
    case RENDER_PLAIN:
        buf_add_html(markup, text);
        break;
    case RENDER_BOLD:
    case RENDER_LABEL:
        buf_add_c(markup, "<b>");
        buf_add_html(markup, text);
        buf_add_c(markup, "</b>");
        break;
    case RENDER_CODE:
        buf_add_c(markup, "<code>");
        buf_add_html(markup, text);
        buf_add_c(markup, "</code>");
        break;
    case RENDER_TIME:
        buf_addf(markup, "<tg-time unix=\"%lld\" format=\"%s\">", (long long)span->unix_s,
                 span->form);
        buf_add_html(markup, text);
        buf_add_c(markup, "</tg-time>");
        break;
    case RENDER_LINK:
        buf_add_c(markup, "<a href=\"");
        buf_add_html(markup, str_c(span->url));
        buf_add_c(markup, "\">");
        buf_add_html(markup, text);
        buf_add_c(markup, "</a>");
        break;
    }
}

static enum wrap wrap_of(enum render_line_kind kind)
{
    switch (kind) {
    case RENDER_LINE_HEADER:
    case RENDER_LINE_FIXED:
        return WRAP_PRE;
    case RENDER_LINE_QUOTE:
        return WRAP_QUOTE;
    case RENDER_LINE_FOLD:
        return WRAP_FOLD;
    case RENDER_LINE_TITLE:
    case RENDER_LINE_TEXT:
    case RENDER_LINE_FOOTER:
        return WRAP_NONE;
    }
    return WRAP_NONE;
}

/* The line being written: markup that is shown as `units`. */
struct html_line {
    struct buf markup;
    size_t units; /* of the text, escaped, without tags */
    bool is_visible;
};

static void line_out(struct html *h, const struct render_line *line, struct html_line *own)
{
    bool title = line->kind == RENDER_LINE_TITLE;
    bool footer = line->kind == RENDER_LINE_FOOTER;
    AUTO_BUF struct buf whole = BUF_INIT(HTML_MAX_BYTES);
    buf_add_c(&whole, title ? "<b>" : footer ? "<i>" : "");
    buf_add_str(&whole, buf_str(&own->markup));
    buf_add_c(&whole, title ? "</b>" : footer ? "</i>" : "");
    bool empty = own->markup.len == 0;
    ASSERT(!buf_failed(&whole));
    write_line(h, empty ? str_c("") : buf_str(&whole), wrap_of(line->kind), line->block,
               own->is_visible);
    if (line->kind == RENDER_LINE_HEADER && own->units < RENDER_PART_UNITS / 4) {
        /* Set after the line is written, so that the table's first part shows it only once. */
        buf_clear(&h->header);
        buf_add_str(&h->header, buf_str(&whole));
        h->header_block = line->block;
    }
    buf_clear(&own->markup);
    own->units = 0;
    own->is_visible = false;
}

static void on_line(const struct render_line *line, void *userdata)
{
    struct html *h = userdata;
    if (h->parts->overflow) {
        return;
    }
    struct html_line own = {.markup = BUF_INIT(HTML_MAX_BYTES)};
    /* Reserves space for a repeated table header and tags. Only a line longer than the rest of a
     * part is ever cut. */
    size_t space = RENDER_PART_UNITS - 200;
    if (wrap_of(line->kind) == WRAP_PRE && h->header_block == line->block) {
        size_t header = units_of(buf_str(&h->header));
        space = header + 200 < space ? space - header : 1;
    }
    for (size_t i = 0; i < line->count && !h->parts->overflow; i++) {
        const struct render_span *span = &line->spans[i];
        /* The tags of many spans cost more than the reserve. */
        size_t tag = span->style == RENDER_PLAIN ? 0 : 16;
        tag += span->style == RENDER_TIME ? 64 : 0;
        tag += span->url == NULL ? 0 : units_of(str_c(span->url)) * 6;
        struct str rest = span->text;
        while (rest.len > 0 && !h->parts->overflow) {
            bool fresh = own.units == 0;
            size_t left = own.units + tag < space ? space - own.units - tag : 0;
            struct str piece = str_n(rest.ptr, fitting(rest, left, fresh));
            if (piece.len > 0) {
                size_t before = own.markup.len;
                add_span(&own.markup, span, piece, wrap_of(line->kind));
                own.units += units_of(str_n(own.markup.data + before, own.markup.len - before));
                own.is_visible = own.is_visible || has_visible(piece);
                rest = str_n(rest.ptr + piece.len, rest.len - piece.len);
            }
            if (rest.len > 0) {
                line_out(h, line, &own);
            }
        }
    }
    if (own.markup.len > 0 || line->count == 0) {
        line_out(h, line, &own);
    }
    buf_release(&own.markup);
}

void render_html_plain_times(struct render_parts *parts)
{
    static const char open[] = "<tg-time ", close[] = "</tg-time>";
    for (size_t i = 0; i < parts->count; i++) {
        struct buf out = BUF_INIT(HTML_MAX_BYTES);
        const char *rest = parts->part[i].data;
        for (const char *tag = strstr(rest, open); tag != NULL; tag = strstr(rest, open)) {
            const char *text = strchr(tag, '>');
            const char *end = strstr(tag, close);
            ASSERT(text != NULL && end != NULL);
            buf_add(&out, rest, (size_t)(tag - rest));
            buf_add(&out, text + 1, (size_t)(end - text - 1));
            rest = end + strlen(close);
        }
        buf_add_c(&out, rest);
        ASSERT(!buf_failed(&out));
        buf_release(&parts->part[i]);
        parts->part[i] = out;
    }
}

void render_html(const struct reply *reply, struct render_parts *ret)
{
    *ret = (struct render_parts){0};
    struct html h = {.parts = ret, .header = BUF_INIT(HTML_MAX_BYTES)};
    static const struct render_layout layout = {.fixed_width = FIXED_WIDTH,
                                                .only_text_in_fold = true};
    render_walk(reply, &layout, on_line, &h);
    finish_part(&h);
    buf_release(&h.header);
    if (ret->count == 0 && !ret->overflow) {
        buf_init(&ret->part[0], HTML_MAX_BYTES);
        buf_add_c(&ret->part[0], "<i>(no text)</i>");
        ret->count = 1;
    }
}

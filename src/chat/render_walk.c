#include "render_walk.h"

#include "base/buf.h"
#include "base/check.h"
#include "chat/render.h"
#include "command/reply.h"

#include <string.h>

#define LINE_MAX_BYTES ((size_t)256 * 1024) /* a reply holds 64 KiB; cleaning may triple that */
#define COLUMN_GAP     2
#define COLUMNS_MAX    8

static const char *tone_icon(enum tone tone)
{
    switch (tone) {
    case TONE_PLAIN:
        return "";
    case TONE_GOOD:
        return "🟢 ";
    case TONE_WARN:
        return "🟡 ";
    case TONE_BAD:
        return "🔴 ";
    case TONE_BUSY:
        return "⏳ ";
    }
    return "";
}

static void emit(render_line_fn fn, void *userdata, enum render_line_kind kind, size_t block,
                 const char *label, const char *text)
{
    AUTO_BUF struct buf clean = BUF_INIT(LINE_MAX_BYTES);
    render_clean(str_c(text), true, &clean);
    struct str rest = buf_str(&clean), line;
    if (rest.len == 0) {
        fn(&(struct render_line){kind, block, label, str_c("")}, userdata);
        return;
    }
    /* "a\n" is one line: the loop ends when nothing follows the last line feed. */
    while (str_split(&rest, '\n', &line)) {
        fn(&(struct render_line){kind, block, label, line}, userdata);
        label = "";
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Figures are right-aligned: an optional sign, an optional currency symbol, then a digit. */
static bool is_figure(const char *cell)
{
    static const char *const signs[] = {"+", "-", "−", "$", "€", "±"};
    bool again = true;
    while (again) {
        again = false;
        for (size_t i = 0; i < COUNT_OF(signs); i++) {
            size_t len = strlen(signs[i]);
            if (strncmp(cell, signs[i], len) == 0) {
                cell += len;
                again = true;
            }
        }
    }
    if (!is_digit(*cell)) {
        return false;
    }
    /* A time, a date, a version or a name that starts with a digit is not a figure. */
    for (; *cell != '\0'; cell++) {
        if (!is_digit(*cell) && strchr(".,% ", *cell) == NULL) {
            return strcmp(cell, "x") == 0 || strcmp(cell, "ms") == 0 || strcmp(cell, "s") == 0;
        }
    }
    return true;
}

static void add_cell(struct buf *line, struct str cell, size_t width, bool right, bool last)
{
    size_t has = render_width(cell);
    size_t pad = has < width ? width - has : 0;
    if (right) {
        buf_addf(line, "%*s", (int)pad, "");
    }
    buf_add_str(line, cell);
    if (!right && !last) {
        buf_addf(line, "%*s", (int)pad, "");
    }
    if (!last) {
        buf_addf(line, "%*s", COLUMN_GAP, "");
    }
}

static void walk_table(const struct reply *reply, size_t index, const struct reply_block *table,
                       render_line_fn fn, void *userdata)
{
    size_t width[COLUMNS_MAX] = {0};
    bool right[COLUMNS_MAX];
    bool header = false;
    ASSERT(table->columns <= COLUMNS_MAX);
    for (int column = 0; column < table->columns; column++) {
        right[column] = table->rows > 0;
        for (int row = -1; row < table->rows; row++) {
            const char *cell = reply_cell(reply, index, row, column);
            AUTO_BUF struct buf clean = BUF_INIT(LINE_MAX_BYTES);
            render_clean(str_c(cell), false, &clean);
            size_t columns = render_width(buf_str(&clean));
            width[column] = columns > width[column] ? columns : width[column];
            if (row == -1) {
                header = header || columns > 0;
            } else if (columns > 0 && strcmp(cell, "—") != 0 && strcmp(cell, "-") != 0 &&
                       !is_figure(cell)) {
                right[column] = false;
            }
        }
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
    AUTO_BUF struct buf clean = BUF_INIT(LINE_MAX_BYTES);
    for (int row = header ? -1 : 0; row < table->rows; row++) {
        buf_clear(&line);
        for (int column = 0; column < table->columns; column++) {
            buf_clear(&clean);
            render_clean(str_c(reply_cell(reply, index, row, column)), false, &clean);
            add_cell(&line, buf_str(&clean), width[column], right[column],
                     column == table->columns - 1);
        }
        while (line.len > 0 && line.data[line.len - 1] == ' ') {
            buf_truncate(&line, line.len - 1);
        }
        fn(&(struct render_line){row == -1 ? RENDER_LINE_HEADER : RENDER_LINE_FIXED, index + 1, "",
                                 buf_str(&line)},
           userdata);
    }
}

/* shown: the title's text; a message equal to it is not repeated. */
static void walk_error(const struct err *err, const char *shown, render_line_fn fn, void *userdata)
{
    const struct err_info *info = err_info(err->id);
    AUTO_BUF struct buf what = BUF_INIT(LINE_MAX_BYTES);
    if (strcmp(shown, info->message) != 0) {
        buf_add_c(&what, info->message);
    }
    if (err->context[0] != '\0') {
        buf_addf(&what, "%s%s", what.len > 0 ? ": " : "", err->context);
    }
    emit(fn, userdata, RENDER_LINE_TEXT, 0, info->code, what.data);
    emit(fn, userdata, RENDER_LINE_TEXT, 0, "Cause", info->cause);
    emit(fn, userdata, RENDER_LINE_TEXT, 0, "Impact", info->impact);
    emit(fn, userdata, RENDER_LINE_TEXT, 0, "What to do", info->remediation);
}

void render_walk_error(const struct err *err, render_line_fn fn, void *userdata)
{
    walk_error(err, "", fn, userdata);
}

void render_walk(const struct reply *reply, render_line_fn fn, void *userdata)
{
    const char *title = reply_get_title(reply);
    if (title[0] != '\0') {
        AUTO_BUF struct buf text = BUF_INIT(LINE_MAX_BYTES);
        buf_add_c(&text, tone_icon(reply_get_tone(reply)));
        buf_add_c(&text, title);
        emit(fn, userdata, RENDER_LINE_TITLE, 0, "", text.data);
    }
    const struct err *err = reply_get_error(reply);
    if (err != NULL) {
        walk_error(err, title, fn, userdata);
    }
    for (size_t i = 0; i < reply_block_count(reply); i++) {
        struct reply_block block = reply_get_block(reply, i);
        switch (block.kind) {
        case BLOCK_LINE:
            emit(fn, userdata, RENDER_LINE_TEXT, 0, "", block.text);
            break;
        case BLOCK_PRE:
            emit(fn, userdata, RENDER_LINE_FIXED, i + 1, "", block.text);
            break;
        case BLOCK_TABLE:
            walk_table(reply, i, &block, fn, userdata);
            break;
        }
    }
    if (reply_get_footer(reply)[0] != '\0') {
        emit(fn, userdata, RENDER_LINE_FOOTER, 0, "", reply_get_footer(reply));
    }
}

#include "model/diff.h"

#include <string.h>

#define LINES_MAX INT64_C(100000000) /* of a file */

void diff_begin(struct diff_reader *r, struct str text)
{
    *r = (struct diff_reader){.rest = text};
}

/* "b/src/main.c<tab>2026-11-21 …": src/main.c; "" for /dev/null. */
static void read_name(struct str text, char ret[DIFF_FILE_SIZE])
{
    const char *tab = memchr(text.ptr, '\t', text.len);
    struct str name = str_trim(tab == NULL ? text : str_n(text.ptr, (size_t)(tab - text.ptr)));
    if (str_equal_c(name, "/dev/null")) {
        name.len = 0;
    }
    const char *slash = name.len == 0 ? NULL : memchr(name.ptr + 1, '/', name.len - 1);
    if (slash != NULL) {
        name = str_n(slash + 1, (size_t)(name.ptr + name.len - slash - 1));
    }
    str_cut(name, ret, DIFF_FILE_SIZE);
}

/* A number at the front, which it takes off; -1: there is none. */
static int64_t take_number(struct str *text)
{
    int64_t value = 0;
    size_t n = 0;
    for (; n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9'; n++) {
        value = value < LINES_MAX ? value * 10 + (text->ptr[n] - '0') : LINES_MAX;
    }
    *text = str_n(text->ptr + n, text->len - n);
    return n == 0 ? -1 : value < LINES_MAX ? value : LINES_MAX;
}

/* " -12,7" or " +12": a line and how many; false: it is something else. */
static bool take_range(struct str *text, char sign, int64_t *ret_line, int64_t *ret_count)
{
    if (text->len < 2 || text->ptr[0] != ' ' || text->ptr[1] != sign) {
        return false;
    }
    *text = str_n(text->ptr + 2, text->len - 2);
    *ret_line = take_number(text);
    *ret_count = 1;
    if (text->len > 0 && text->ptr[0] == ',') {
        *text = str_n(text->ptr + 1, text->len - 1);
        *ret_count = take_number(text);
    }
    return *ret_line >= 0 && *ret_count >= 0;
}

static void begin_hunk(struct diff_reader *r, struct str line)
{
    struct str text = str_n(line.ptr + 2, line.len - 2);
    int64_t old_line, old_count, new_line, new_count;
    if (r->file[0] != '\0' && take_range(&text, '-', &old_line, &old_count) &&
        take_range(&text, '+', &new_line, &new_count)) {
        r->old_line = old_line;
        r->new_line = new_line;
        r->old_left = old_count;
        r->new_left = new_count;
    }
}

/* A line of a hunk; false: the hunk is damaged, and over. */
static bool read_hunk(struct diff_reader *r, struct str line, struct diff_line *ret)
{
    char sign = line.len == 0 ? ' ' : line.ptr[0];
    ret->text = line.len == 0 ? line : str_n(line.ptr + 1, line.len - 1);
    if (sign == '+' && r->new_left > 0) {
        ret->kind = DIFF_ADDED;
        ret->line = r->new_line++;
        r->new_left--;
    } else if (sign == '-' && r->old_left > 0) {
        ret->kind = DIFF_REMOVED;
        ret->line = r->old_line++;
        r->old_left--;
    } else if (sign == ' ' && r->old_left > 0 && r->new_left > 0) {
        ret->kind = DIFF_KEPT;
        ret->line = r->new_line++;
        r->old_line++;
        r->old_left--;
        r->new_left--;
    } else if (sign != '\\') { /* "\ No newline at end of file" */
        r->old_left = r->new_left = 0;
        return false;
    }
    return true;
}

bool diff_next(struct diff_reader *r, struct diff_line *ret)
{
    struct str line;
    if (!str_split(&r->rest, '\n', &line)) {
        return false;
    }
    *ret = (struct diff_line){.kind = DIFF_OTHER, .text = line};
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    if ((r->old_left > 0 || r->new_left > 0) && read_hunk(r, line, ret)) {
        return true;
    }
    *ret = (struct diff_line){.kind = DIFF_OTHER, .text = line};
    if (str_starts(line, "--- ")) {
        read_name(str_n(line.ptr + 4, line.len - 4), r->old_file);
    } else if (str_starts(line, "+++ ")) {
        read_name(str_n(line.ptr + 4, line.len - 4), r->file);
        if (r->file[0] == '\0') { /* it was removed */
            memcpy(r->file, r->old_file, sizeof(r->file));
        }
        ret->kind = r->file[0] != '\0' ? DIFF_FILE : DIFF_OTHER;
    } else if (str_starts(line, "@@ ")) {
        begin_hunk(r, line);
    }
    return true;
}

struct diff_size diff_measure(struct str text)
{
    struct diff_size size = {0};
    struct diff_reader reader;
    struct diff_line line;
    diff_begin(&reader, text);
    while (diff_next(&reader, &line)) {
        size.files += line.kind == DIFF_FILE;
        size.added += line.kind == DIFF_ADDED;
        size.removed += line.kind == DIFF_REMOVED;
    }
    return size;
}

bool diff_has(struct str text, const char *file, int64_t number)
{
    struct diff_reader reader;
    struct diff_line line;
    diff_begin(&reader, text);
    while (diff_next(&reader, &line)) {
        bool in_hunk = line.kind == DIFF_ADDED || line.kind == DIFF_REMOVED ||
                       (line.kind == DIFF_KEPT && line.line > 0);
        if (in_hunk && line.line == number && strcmp(reader.file, file) == 0) {
            return true;
        }
    }
    return false;
}

#include "line.h"

#include "command/manifest.h"
#include "command/quote.h"

#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void fold_command(char *word)
{
    if (word[0] == '/') {
        memmove(word, word + 1, strlen(word));
        char *at = strchr(word, '@');
        if (at != NULL) {
            *at = '\0';
        }
    }
    for (char *c = word; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
}

int line_split(struct str text, struct line *ret, struct err *err)
{
    ret->count = 0;
    if (text.len > LINE_BYTES_MAX) {
        return err_set(err, ERR_COMMAND_TOO_LONG, "%zu bytes", text.len);
    }
    if (!str_is_utf8(text) || memchr(text.ptr, '\0', text.len) != NULL) {
        return err_set(err, ERR_BAD_UTF8, "command line");
    }
    size_t at = 0;
    size_t out = 0;
    for (;;) {
        while (at < text.len && is_blank(text.ptr[at])) {
            at++;
        }
        if (at == text.len) {
            break;
        }
        size_t mark_size = 0;
        struct str rest = str_n(text.ptr + at, text.len - at);
        size_t name_size = quote_name_size(rest);
        const char *close =
            quote_opens(str_n(rest.ptr + name_size, rest.len - name_size), &mark_size);
        name_size = close != NULL ? name_size : 0; /* not quoted: "name=" is part of the word */
        size_t start = at + name_size + mark_size;
        size_t end = start;
        while (end < text.len &&
               (close != NULL ? !str_starts(str_n(text.ptr + end, text.len - end), close)
                              : !is_blank(text.ptr[end]))) {
            end++;
        }
        if (close != NULL && end == text.len) {
            return err_set(err, ERR_COMMAND_QUOTES, "opened at byte %zu", at + 1);
        }
        if (ret->count < LINE_WORDS_MAX) {
            ret->words[ret->count] = &ret->text[out];
            ret->quoted[ret->count] = close != NULL && name_size == 0;
            memcpy(&ret->text[out], text.ptr + at, name_size);
            out += name_size;
            memcpy(&ret->text[out], text.ptr + start, end - start);
            out += end - start;
            ret->text[out++] = '\0';
            if (ret->count == 0) {
                fold_command(ret->text);
            }
        }
        ret->count++;
        at = end + (close != NULL ? strlen(close) : 0);
    }
    if (ret->count == 0 || ret->words[0][0] == '\0') {
        return err_set(err, ERR_COMMAND_EMPTY, "%s", "");
    }
    return 0;
}

/* "config", "set", "x" becomes "config_set", "x". The words lie in line->text in their order. */
static void join_first(struct line *line)
{
    char *first = line->text;
    size_t len = strlen(first);
    size_t kept = line->count < LINE_WORDS_MAX ? line->count : LINE_WORDS_MAX;
    first[len] = '_';
    memmove(first + len + 1, line->words[1], strlen(line->words[1]) + 1);
    fold_command(first);
    for (size_t i = 2; i < kept; i++) {
        line->words[i - 1] = line->words[i];
        line->quoted[i - 1] = line->quoted[i];
    }
    line->count--;
}

const struct manifest *line_command(struct line *line, const struct manifest_list *list)
{
    char name[MANIFEST_NAME_SIZE];
    if (line->count >= 2 && line->count <= LINE_WORDS_MAX && !line->quoted[1]) {
        int len = snprintf(name, sizeof(name), "%s_%s", line->words[0], line->words[1]);
        for (char *c = name; *c != '\0'; c++) {
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
        }
        const struct manifest *m = len < (int)sizeof(name) ? manifest_find(list, name) : NULL;
        if (m != NULL && strcmp(m->name, name) == 0) {
            join_first(line);
        }
    }
    return manifest_find(list, line->words[0]);
}

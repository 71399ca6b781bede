#include "fakes/json_page.h"

#include "base/clock.h"
#include "io/file.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SCOPES_MAX 8
#define FIELD_SIZE 160
#define DEPTH_MAX  16

/* A table in which the members of an object may have rows, and what precedes their names there. */
struct scope {
    char name[48];
    struct str body; /* from its heading to the next one */
    char prefix[FIELD_SIZE];
};

struct scopes {
    int count;
    struct scope list[SCOPES_MAX];
};

struct row {
    struct str field;
    struct str type;
    struct str meaning;
};

struct walk {
    struct str page;
    struct buf *seen;
    struct buf *why;
    int depth;
};

int json_page_read(const char *path, struct buf *ret, struct err *err)
{
    return file_read(path, ret, err);
}

/* ---------------------------------------------------------------- the page */

/* What is below "### name"; false: there is no such heading. */
static bool find_body(struct str page, const char *name, struct str *ret)
{
    struct str rest = page;
    struct str line;
    bool inside = false;
    while (str_split(&rest, '\n', &line)) {
        if (inside && str_starts(line, "#")) {
            ret->len = (size_t)(line.ptr - ret->ptr);
            return true;
        }
        if (!inside && str_starts(line, "### ") &&
            str_equal_c(str_trim(str_n(line.ptr + 4, line.len - 4)), name)) {
            *ret = rest;
            inside = true;
        }
    }
    return inside;
}

/* The text between the first two asterisks; false: there are none. */
static bool find_reference(struct str text, char *ret, size_t size)
{
    const char *from = memchr(text.ptr, '*', text.len);
    const char *to =
        from == NULL ? NULL : memchr(from + 1, '*', text.len - (size_t)(from + 1 - text.ptr));
    return to != NULL && str_copy(str_n(from + 1, (size_t)(to - from - 1)), ret, size);
}

static bool next_row(struct str *rest, struct row *ret)
{
    struct str line;
    while (str_split(rest, '\n', &line)) {
        struct str cells = line, skip, unit;
        if (str_starts(line, "| ") && !str_starts(line, "| field") &&
            str_split(&cells, '|', &skip) && str_split(&cells, '|', &ret->field) &&
            str_split(&cells, '|', &ret->type) && str_split(&cells, '|', &unit) &&
            str_split(&cells, '|', &ret->meaning)) {
            ret->field = str_trim(ret->field);
            ret->type = str_trim(ret->type);
            return true;
        }
    }
    return false;
}

static void add_scope(struct scopes *scopes, const char *name, struct str body, const char *prefix)
{
    if (scopes->count < SCOPES_MAX) {
        struct scope *s = &scopes->list[scopes->count++];
        (void)snprintf(s->name, sizeof(s->name), "%s", name);
        (void)snprintf(s->prefix, sizeof(s->prefix), "%s", prefix);
        s->body = body;
    }
}

/* The table of this name, and those that it includes. */
static bool add_table(struct walk *w, struct scopes *scopes, const char *name)
{
    struct str body;
    if (!find_body(w->page, name, &body)) {
        buf_addf(w->why, "there is no heading \"### %s\"", name);
        return false;
    }
    add_scope(scopes, name, body, "");
    static const char phrase[] = "All fields of ";
    struct str rest = body;
    struct str line;
    char other[48];
    while (str_split(&rest, '\n', &line)) {
        if (str_starts(line, phrase) && find_reference(line, other, sizeof(other)) &&
            !add_table(w, scopes, other)) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- rows */

static bool is_placeholder(struct str step)
{
    for (size_t i = 0; i < step.len; i++) {
        if (!isupper((unsigned char)step.ptr[i])) {
            return false;
        }
    }
    return step.len > 0;
}

/* The row of prefix and key, or of prefix and a step in capitals. */
static bool find_row(const struct scope *s, const char *key, struct row *ret)
{
    struct str rest = s->body;
    size_t prefix = strlen(s->prefix);
    while (next_row(&rest, ret)) {
        if (ret->field.len > prefix && memcmp(ret->field.ptr, s->prefix, prefix) == 0) {
            struct str last = str_n(ret->field.ptr + prefix, ret->field.len - prefix);
            if (str_equal_c(last, key) || is_placeholder(last)) {
                return true;
            }
        }
    }
    return false;
}

/* The step after the prefix if rows exist below it: the key itself, or a step in capitals. */
static bool find_step(const struct scope *s, const char *key, const char *after, char *ret,
                      size_t size)
{
    struct str rest = s->body;
    struct row row;
    size_t prefix = strlen(s->prefix);
    while (next_row(&rest, &row)) {
        if (row.field.len <= prefix || memcmp(row.field.ptr, s->prefix, prefix) != 0) {
            continue;
        }
        struct str below = str_n(row.field.ptr + prefix, row.field.len - prefix);
        size_t len = 0;
        while (len < below.len && strchr(".[", below.ptr[len]) == NULL) {
            len++;
        }
        struct str step = str_n(below.ptr, len);
        if ((str_equal_c(step, key) || is_placeholder(step)) && below.len > len + strlen(after) &&
            memcmp(below.ptr + len, after, strlen(after)) == 0) {
            return str_copy(step, ret, size);
        }
    }
    return false;
}

static const char *type_of(const struct json_object *value)
{
    int64_t time;
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return "boolean";
    case json_type_int:
        return "integer";
    case json_type_double:
        return "number";
    case json_type_string:
        return clock_parse_iso(json_value_str(value), &time) ? "time" : "text";
    case json_type_object:
        return "object";
    case json_type_array:
        return "array";
    case json_type_null:
        break;
    }
    return "null";
}

static bool has_type(struct str types, const struct json_object *value)
{
    const char *type = type_of(value);
    struct str word;
    bool fits = strcmp(type, "null") == 0;
    while (str_word(&types, &word)) {
        fits = fits || str_equal_c(word, type) || str_equal_c(word, "any") ||
               (str_equal_c(word, "number") && strcmp(type, "integer") == 0);
    }
    return fits;
}

/* ---------------------------------------------------------------- the walk */

static bool check_object(struct walk *w, const struct scopes *scopes,
                         const struct json_object *object);

/* Objects, or arrays of them, are compared with the scopes; other values are as they are. */
static bool check_inside(struct walk *w, const struct scopes *scopes,
                         const struct json_object *value)
{
    bool fits = true;
    if (json_is_object(value)) {
        return check_object(w, scopes, value);
    }
    for (size_t i = 0; fits && i < json_len(value); i++) {
        fits = !json_is_object(json_item(value, i)) || check_object(w, scopes, json_item(value, i));
    }
    return fits;
}

/* The scopes for what is inside this member: what precedes the names there grows by its step. */
static void go_inside(const struct scopes *scopes, const char *key, const struct json_object *value,
                      struct scopes *ret)
{
    const char *after = json_is_array(value) ? "[]." : ".";
    for (int i = 0; i < scopes->count; i++) {
        const struct scope *s = &scopes->list[i];
        char step[64];
        char prefix[FIELD_SIZE];
        if (find_step(s, key, after, step, sizeof(step)) &&
            snprintf(prefix, sizeof(prefix), "%s%s%s", s->prefix, step, after) <
                (int)sizeof(prefix)) {
            add_scope(ret, s->name, s->body, prefix);
        }
    }
}

static void note_row(struct walk *w, const struct scope *s, const struct row *row)
{
    if (w->seen != NULL) {
        buf_addf(w->seen, "%s %.*s\n", s->name, STR_ARG(row->field));
    }
}

static bool check_member(struct walk *w, const struct scopes *scopes, const char *key,
                         const struct json_object *value)
{
    struct scopes inside = {0};
    struct row row;
    char other[48];
    for (int i = 0; i < scopes->count; i++) {
        if (!find_row(&scopes->list[i], key, &row)) {
            continue;
        }
        if (!has_type(row.type, value)) {
            buf_addf(w->why, "%s: %.*s is of type %s", scopes->list[i].name, STR_ARG(row.field),
                     type_of(value));
            return false;
        }
        note_row(w, &scopes->list[i], &row);
        if ((!json_is_object(value) && !json_is_array(value)) ||
            !find_reference(row.meaning, other, sizeof(other))) {
            return true;
        }
        if (!add_table(w, &inside, other)) {
            return false;
        }
        break;
    }
    go_inside(scopes, key, value, &inside);
    bool may_be_empty = value == NULL || json_is_object(value) || json_is_array(value);
    if (value == NULL) { /* an object that is missing */
        AUTO_JSON struct json_object *object = json_object_new_object();
        go_inside(scopes, key, object, &inside);
    }
    if (inside.count == 0 || !may_be_empty) {
        buf_addf(w->why, "%s has no row for %s%s of type %s", scopes->list[0].name,
                 scopes->list[0].prefix, key, type_of(value));
        return false;
    }
    return check_inside(w, &inside, value);
}

static bool check_object(struct walk *w, const struct scopes *scopes,
                         const struct json_object *object)
{
    bool fits = w->depth < DEPTH_MAX;
    struct json_object_iter it;
    w->depth++;
    json_object_object_foreachC(object, it)
    {
        fits = fits && check_member(w, scopes, it.key, it.val);
    }
    w->depth--;
    return fits;
}

bool json_page_describes(struct str page, const char *name, const struct json_object *object,
                         struct buf *seen, struct buf *ret_why)
{
    struct walk w = {.page = page, .seen = seen, .why = ret_why};
    struct scopes scopes = {0};
    return add_table(&w, &scopes, name) && check_object(&w, &scopes, object);
}

bool json_page_unused(struct str page, const char *name, const struct buf *seen,
                      struct buf *ret_field)
{
    struct str rest;
    struct row row;
    bool found = find_body(page, name, &rest);
    while (found && next_row(&rest, &row)) {
        char line[FIELD_SIZE + 64];
        (void)snprintf(line, sizeof(line), "%s %.*s\n", name, STR_ARG(row.field));
        if (strstr(seen->data, line) == NULL) {
            buf_add_str(ret_field, row.field);
            return true;
        }
    }
    return false;
}

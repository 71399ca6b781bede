#include "fakes/json_page.h"

#include "base/clock.h"
#include "io/file.h"
#include "unit/unit.h"

#include <string.h>

#define PAGE_MAX ((size_t)1 << 20)

static struct buf seen = BUF_INIT(PAGE_MAX); /* "|field||field|": members written so far */

static void read_page(struct buf *ret)
{
    struct err err = {0};
    if (file_read("docs/json.md", ret, &err) < 0) {
        fail_msg("%s", err.context);
    }
}

/* The rows of the table below "### name": the first two cells of each, as "|field|type|". */
static void table_of(const char *name, struct buf *ret)
{
    AUTO_BUF struct buf page = BUF_INIT(PAGE_MAX);
    char heading[64];
    read_page(&page);
    (void)snprintf(heading, sizeof(heading), "\n### %s\n", name);
    const char *at = strstr(page.data, heading);
    if (at == NULL) {
        fail_msg("docs/json.md does not describe %s", name);
    }
    struct str rest = str_c(at + strlen(heading));
    struct str line;
    while (str_split(&rest, '\n', &line) && !str_starts(line, "#")) {
        struct str cells = line, cell;
        if (!str_starts(line, "| ") || str_starts(line, "| field")) {
            continue;
        }
        (void)str_split(&cells, '|', &cell);
        for (int i = 0; i < 2 && str_split(&cells, '|', &cell); i++) {
            buf_add_c(ret, i == 0 ? "|" : "");
            buf_add_str(ret, str_trim(cell));
            buf_add_char(ret, '|');
        }
    }
}

static const char *type_of(const struct json_object *value)
{
    int64_t time;
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return "boolean";
    case json_type_int:
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

/* Whether the table has the field with its type; a null may be anything. */
static bool describes(const struct buf *table, const char *field, const struct json_object *value)
{
    char cell[136];
    const char *type = type_of(value);
    (void)snprintf(cell, sizeof(cell), "|%s|", field);
    const char *at = strstr(table->data, cell);
    if (at == NULL) {
        return false;
    }
    at += strlen(cell);
    return strcmp(type, "null") == 0 || strncmp(at, type, strlen(type)) == 0 ||
           (strcmp(type, "number") == 0 && strncmp(at, "integer|", 8) == 0);
}

/* Each member has a row of its own, or, if it is an object or an array of objects, each of its
 * members has one. */
static void check_members(const char *entity, const struct buf *table, const char *prefix,
                          const struct json_object *object)
{
    struct json_object_iter it;
    json_object_object_foreachC(object, it)
    {
        char field[128];
        (void)snprintf(field, sizeof(field), "%s%s", prefix, it.key);
        if (describes(table, field, it.val)) {
            buf_addf(&seen, "|%s|", field);
        } else if (json_is_object(it.val)) {
            (void)snprintf(field, sizeof(field), "%s%s.", prefix, it.key);
            check_members(entity, table, field, it.val);
        } else if (json_is_object(json_item(it.val, 0))) {
            (void)snprintf(field, sizeof(field), "%s%s[].", prefix, it.key);
            check_members(entity, table, field, json_item(it.val, 0));
        } else {
            fail_msg("docs/json.md, %s: no row for %s of type %s", entity, field, type_of(it.val));
        }
    }
}

void json_page_check(const char *entity, const struct json_object *object)
{
    AUTO_BUF struct buf table = BUF_INIT(PAGE_MAX);
    table_of(entity, &table);
    check_members(entity, &table, "", object);
}

void json_page_done(const char *entity)
{
    AUTO_BUF struct buf table = BUF_INIT(PAGE_MAX);
    table_of(entity, &table);
    struct str rest = buf_str(&table);
    struct str field, type;
    while (rest.len > 1) {
        char cell[136];
        rest = str_n(rest.ptr + 1, rest.len - 1);
        (void)str_split(&rest, '|', &field);
        (void)str_split(&rest, '|', &type);
        (void)snprintf(cell, sizeof(cell), "|%.*s|", STR_ARG(field));
        if (strstr(seen.data, cell) == NULL) {
            fail_msg("docs/json.md, %s: %.*s is not written", entity, STR_ARG(field));
        }
    }
    buf_release(&seen);
}

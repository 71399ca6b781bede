/* docs/json.md and model_json describe the same fields. */
#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "model/model_json.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX ((size_t)1 << 20)

/* ------------------------------------------------------------------ one of each */

static const struct position position = {
    .symbol = {"BTC-USD"}, .qty = {310000}, .opened_us = 1, .client_id = "nd-1-1"};

static void add_snapshot(struct json_out *out)
{
    struct snapshot *s = snapshot_new(1);
    s->version = 1;
    s->published_wall_us = 1;
    s->started_wall_us = 1;
    s->market_us = 1;
    s->state_since_us = 1;
    s->foreign_count = 1;
    s->disk = (struct snapshot_disk){.state = DISK_FAILED, .err = ERR_DB_FULL, .since_wall_us = 1};
    s->last_err = ERR_DB_FULL;
    model_json_snapshot(out, s);
    s->disk.state = DISK_SLOW;
    s->market_count = 1;
    json_out_object(out, "slow");
    model_json_snapshot(out, s);
    json_out_end(out);
    free(s);
}

static void add_account(struct json_out *out)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    model_json_account(out, s);
    free(s);
}

static void add_position(struct json_out *out)
{
    model_json_position(out, &position);
}

static void add_err(struct json_out *out)
{
    struct err err = {0};
    (void)err_set(&err, ERR_BAD_UTF8, "line \"3\"");
    model_json_err(out, &err);
}

static const struct {
    const char *name;
    void (*add)(struct json_out *out);
} entities[] = {{"account", add_account}, {"position", add_position}, {"error", add_err}};

/* ------------------------------------------------------------------ the page */

static void read_page(struct buf *ret)
{
    struct err err = {0};
    if (file_read("docs/json.md", ret, &err) < 0) {
        fail_msg("%s", err.context);
    }
}

/* The rows of the table below "### name": the first two cells of each, as "|field|type|". */
static void table_of(const struct buf *page, const char *name, struct buf *ret)
{
    char heading[64];
    (void)snprintf(heading, sizeof(heading), "\n### %s\n", name);
    const char *at = strstr(page->data, heading);
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

/* Checks each member: it has a row of its own, or, if it is an object or an array of objects, each
 * of its members has one ("disk.state", "votes[].agent"). Counts the rows that were used. */
static void check_members(const char *entity, const struct buf *table, const char *prefix,
                          const struct json_object *object, struct buf *used)
{
    struct json_object_iter it;
    json_object_object_foreachC(object, it)
    {
        char field[128];
        (void)snprintf(field, sizeof(field), "%s%s", prefix, it.key);
        if (describes(table, field, it.val)) {
            buf_addf(used, "|%s|", field);
        } else if (json_is_object(it.val)) {
            (void)snprintf(field, sizeof(field), "%s%s.", prefix, it.key);
            check_members(entity, table, field, it.val, used);
        } else if (json_is_object(json_item(it.val, 0))) {
            (void)snprintf(field, sizeof(field), "%s%s[].", prefix, it.key);
            check_members(entity, table, field, json_item(it.val, 0), used);
        } else {
            fail_msg("docs/json.md, %s: no row for %s of type %s", entity, field, type_of(it.val));
        }
    }
}

/* Every row names a member that was written. */
static void check_rows(const char *entity, const struct buf *table, const struct buf *used)
{
    struct str rest = buf_str(table);
    struct str field, type;
    while (rest.len > 1) {
        char cell[128];
        rest = str_n(rest.ptr + 1, rest.len - 1);
        (void)str_split(&rest, '|', &field);
        (void)str_split(&rest, '|', &type);
        (void)snprintf(cell, sizeof(cell), "|%.*s|", STR_ARG(field));
        if (strstr(used->data, cell) == NULL) {
            fail_msg("docs/json.md, %s: %.*s is not written", entity, STR_ARG(field));
        }
    }
}

static void the_page_describes_each_entity(void **state)
{
    (void)state;
    AUTO_BUF struct buf page = BUF_INIT(PAGE_MAX);
    read_page(&page);
    for (size_t i = 0; i < COUNT_OF(entities); i++) {
        AUTO_BUF struct buf table = BUF_INIT(PAGE_MAX);
        AUTO_BUF struct buf used = BUF_INIT(PAGE_MAX);
        AUTO_JSON struct json_object *object = json_object_new_object();
        struct json_out out = JSON_OUT_TREE(object);
        entities[i].add(&out);
        table_of(&page, entities[i].name, &table);
        check_members(entities[i].name, &table, "", object, &used);
        check_rows(entities[i].name, &table, &used);
    }
}

/* A snapshot has members that exist only in some states, and a market in it. */
static void the_page_describes_a_snapshot(void **state)
{
    (void)state;
    AUTO_BUF struct buf page = BUF_INIT(PAGE_MAX);
    AUTO_BUF struct buf table = BUF_INIT(PAGE_MAX);
    AUTO_BUF struct buf market = BUF_INIT(PAGE_MAX);
    AUTO_BUF struct buf used = BUF_INIT(PAGE_MAX);
    AUTO_BUF struct buf market_used = BUF_INIT(PAGE_MAX);
    AUTO_JSON struct json_object *object = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(object);
    add_snapshot(&out);
    AUTO_JSON struct json_object *slow = json_object_get(json_get(object, "slow"));
    json_object_object_del(object, "slow");
    read_page(&page);
    table_of(&page, "snapshot", &table);
    table_of(&page, "market", &market);
    check_members("snapshot", &table, "", object, &used);
    check_members("snapshot", &table, "", slow, &used);
    check_rows("snapshot", &table, &used);
    check_members("market", &market, "", json_item(json_get(slow, "markets"), 0), &market_used);
    check_rows("market", &market, &market_used);
}

UNIT_GROUP(model_json, cmocka_unit_test(the_page_describes_each_entity),
           cmocka_unit_test(the_page_describes_a_snapshot))

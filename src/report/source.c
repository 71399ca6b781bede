#include "source.h"

#include "base/check.h"
#include "report/rate.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE   64
#define MANY_TRADES 20000 /* worth a thread of their own */

/* ------------------------------------------------------------------ facts */

static void fact(struct str name, struct db_value *ret, void *userdata)
{
    const struct source *source = userdata;
    struct json_object *value = NULL;
    if (name.len > 0 && name.ptr[0] == '/') {
        (void)json_pointer(source->root, name, &value);
    } else {
        char key[NAME_SIZE];
        value = str_copy(name, key, sizeof(key)) ? json_get(source->facts, key) : NULL;
    }
    switch (json_object_get_type(value)) {
    case json_type_null:
        break;
    case json_type_boolean:
        *ret = DB_I64(json_object_get_boolean(value) ? 1 : 0);
        break;
    case json_type_int:
        *ret = DB_I64(json_object_get_int64(value));
        break;
    case json_type_double:
        *ret = DB_DOUBLE(json_object_get_double(value));
        break;
    case json_type_string:
        *ret = DB_TEXT(json_value_str(value));
        break;
    case json_type_object:
    case json_type_array:
        *ret = DB_TEXT_C(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        break;
    }
}

static bool has_many_trades(struct db *db)
{
    int64_t last = 0;
    return db_get_i64(db, "SELECT max(id) FROM trades", DB_NO_VALUES, 0, &last, NULL) == 0 &&
           last >= MANY_TRADES;
}

static int open_one(struct source *source, struct db *db, bool *ret_own, struct err *err)
{
    if (db == NULL) {
        return 0;
    }
    int rc = db_function(db, "fact", fact, source, err);
    /* The same rows are read by many statements. */
    rc = rc < 0 ? rc : db_exec(db, "PRAGMA cache_size = -16384", err);
    if (rc == 0 && !db_in_transaction(db)) {
        rc = db == source->trading && has_many_trades(db)
                 ? db_begin_read_twice(db, &source->trades, err)
                 : db_begin_read(db, err);
        *ret_own = rc == 0;
    }
    return rc;
}

int source_open(struct source *source, struct db *trading, struct db *ops, struct json_object *root,
                struct err *err)
{
    *source = (struct source){
        .trading = trading, .ops = ops, .root = root, .facts = json_object_new_object()};
    int rc = open_one(source, trading, &source->own[0], err);
    rc = rc < 0 ? rc : open_one(source, ops, &source->own[1], err);
    if (rc < 0) {
        source_close(source);
    }
    return rc;
}

void source_close(struct source *source)
{
    if (source->own[0]) {
        db_rollback(source->trading);
    }
    if (source->own[1]) {
        db_rollback(source->ops);
    }
    db_free(source->trades);
    (void)json_object_put(source->facts);
    *source = (struct source){0};
}

void source_fact_i64(struct source *source, const char *name, int64_t value)
{
    struct json_out out = JSON_OUT_TREE(source->facts);
    json_out_i64(&out, name, value);
}

bool source_has_fact(const struct source *source, const char *name)
{
    return json_get(source->facts, name) != NULL;
}

bool source_has(struct source *source, const char *pointer)
{
    return json_at(source->root, pointer) != NULL;
}

/* ------------------------------------------------------------------ columns */

static bool ends(const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

static const char *without(const char *name, const char *suffix, char dst[NAME_SIZE])
{
    (void)snprintf(dst, NAME_SIZE, "%.*s", (int)(strlen(name) - strlen(suffix)), name);
    return dst;
}

static int decimals_of(const char *name)
{
    return ends(name, "_pct")                                            ? 2
           : ends(name, "_s")                                            ? 3
           : ends(name, "_min") || ends(name, "_ms") || ends(name, "_h") ? 1
                                                                         : 6;
}

/* Returns how many columns it wrote. */
static int add_column(struct db_rows *rows, int column, struct json_out *out)
{
    const char *name = db_column_name(rows, column);
    char shorter[NAME_SIZE];
    if (ends(name, "_k") && column + 1 < db_column_count(rows) &&
        ends(db_column_name(rows, column + 1), "_n")) {
        rate_add(out, without(name, "_k", shorter), db_i64(rows, column), db_i64(rows, column + 1));
        return 2;
    }
    bool is_amount = ends(name, "_e8");
    if (is_amount) {
        name = without(name, "_e8", shorter);
    }
    switch (db_column_type(rows, column)) {
    case DB_TYPE_NULL:
        json_out_null(out, name);
        break;
    case DB_TYPE_I64:
        if (is_amount) {
            json_out_dec(out, name, db_dec(rows, column));
        } else if (ends(name, "_at")) {
            json_out_time(out, name, db_i64(rows, column));
        } else {
            json_out_i64(out, name, db_i64(rows, column));
        }
        break;
    case DB_TYPE_DOUBLE:
        if (is_amount) {
            json_out_dec(out, name, dec_from_double(db_double(rows, column) / 1e8));
        } else {
            json_out_rounded(out, name, db_double(rows, column), decimals_of(name));
        }
        break;
    case DB_TYPE_TEXT:
    case DB_TYPE_BLOB:
        json_out_str(out, name, db_text(rows, column));
        break;
    }
    return 1;
}

void source_columns(struct db_rows *rows, int first, struct json_out *out)
{
    for (int i = first; i < db_column_count(rows);) {
        i += add_column(rows, i, out);
    }
}

int source_row(struct db *db, struct json_out *out, const char *sql, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, DB_NO_VALUES, &rows, err);
    if (rc == 0 && (rc = db_next(rows, err)) > 0) {
        source_columns(rows, 0, out);
    }
    return rc < 0 ? rc : 0;
}

int source_rows(struct db *db, struct json_out *out, const char *sql, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, DB_NO_VALUES, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        char name[NAME_SIZE];
        str_cut(db_text(rows, 0), name, sizeof(name));
        json_out_object(out, name);
        source_columns(rows, 1, out);
        json_out_end(out);
    }
    return rc;
}

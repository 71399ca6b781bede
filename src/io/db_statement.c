#include "base/check.h"
#include "db_private.h"

#include <stdlib.h>
#include <string.h>

struct db_rows {
    struct db *db;
    sqlite3_stmt *stmt;
    bool cached; /* stays in the cache when freed */
    bool busy;   /* between db_query and db_rows_free */
    bool fresh;  /* not stepped yet */
    bool done;   /* finished; another step would restart it */
    bool writes;
};

static void count_work(struct db *db, sqlite3_stmt *stmt)
{
    db->work.scanned += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    db->work.sorted += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_SORT, 1);
    db->work.steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
}

static void rows_destroy(struct db_rows *rows)
{
    (void)sqlite3_finalize(rows->stmt);
    free(rows);
}

void db_forget_statements(struct db *db)
{
    for (size_t i = 0; i < db->cached; i++) {
        ASSERT(!db->cache[i]->busy);
        rows_destroy(db->cache[i]);
    }
    db->cached = 0;
    for (size_t i = 0; i < UNDO_COUNT; i++) {
        (void)sqlite3_finalize(db->undo[i]);
        db->undo[i] = NULL;
    }
}

static int rows_prepare(struct db *db, const char *sql, struct db_rows **ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &tail) !=
        SQLITE_OK) {
        return db_error(db, sql, err);
    }
    /* A second statement in the same text would be ignored silently. */
    ASSERT(stmt != NULL && str_trim(str_c(tail)).len == 0);
    struct db_rows *rows = calloc(1, sizeof(*rows));
    ASSERT(rows != NULL);
    rows->db = db;
    rows->stmt = stmt;
    rows->writes = sqlite3_stmt_readonly(stmt) == 0;
    *ret = rows;
    return 0;
}

/* A prepared statement for sql, from the cache or new. If the cached one is in use (the same query
 * runs inside itself), *ret is a new one outside the cache. */
static int rows_acquire(struct db *db, const char *sql, struct db_rows **ret, struct err *err)
{
    size_t at = 0;
    while (at < db->cached && strcmp(sqlite3_sql(db->cache[at]->stmt), sql) != 0) {
        at++;
    }
    struct db_rows *rows = NULL;
    if (at < db->cached) {
        rows = db->cache[at];
        if (rows->busy) {
            return rows_prepare(db, sql, ret, err);
        }
    } else {
        int rc = rows_prepare(db, sql, &rows, err);
        if (rc < 0) {
            return rc;
        }
        if (db->cached == DB_CACHE_MAX) {
            at = DB_CACHE_MAX - 1;
            if (db->cache[at]->busy) {
                db->cache[at]->cached = false; /* db_rows_free destroys it */
            } else {
                rows_destroy(db->cache[at]);
            }
        } else {
            db->cached++;
        }
        rows->cached = true;
    }
    memmove(&db->cache[1], &db->cache[0], at * sizeof(struct db_rows *));
    db->cache[0] = rows;
    *ret = rows;
    return 0;
}

static int bind_all(struct db_rows *rows, const struct db_value *values, size_t count,
                    const char *sql, struct err *err)
{
    ASSERT((size_t)sqlite3_bind_parameter_count(rows->stmt) == count);
    for (size_t i = 0; i < count; i++) {
        const struct db_value *v = &values[i];
        int at = (int)i + 1;
        int code = SQLITE_OK;
        switch (v->type) {
        case DB_TYPE_NULL:
            code = sqlite3_bind_null(rows->stmt, at);
            break;
        case DB_TYPE_I64:
            code = sqlite3_bind_int64(rows->stmt, at, v->i64);
            break;
        case DB_TYPE_DOUBLE:
            code = sqlite3_bind_double(rows->stmt, at, v->real);
            break;
        case DB_TYPE_TEXT:
            code = sqlite3_bind_text64(rows->stmt, at, v->bytes.ptr, v->bytes.len, SQLITE_TRANSIENT,
                                       SQLITE_UTF8);
            break;
        case DB_TYPE_BLOB:
            code =
                sqlite3_bind_blob64(rows->stmt, at, v->bytes.ptr, v->bytes.len, SQLITE_TRANSIENT);
            break;
        }
        if (code != SQLITE_OK) {
            return db_error(rows->db, sql, err);
        }
    }
    return 0;
}

int db_query(struct db *db, const char *sql, const struct db_value *values, size_t count,
             struct db_rows **ret, struct err *err)
{
    struct db_rows *rows = NULL;
    int rc = rows_acquire(db, sql, &rows, err);
    if (rc < 0) {
        return rc;
    }
    rows->busy = true;
    rows->fresh = true;
    rows->done = false;
    rc = bind_all(rows, values, count, sql, err);
    if (rc < 0) {
        db_rows_free(rows);
        return rc;
    }
    *ret = rows;
    return 0;
}

int db_next(struct db_rows *rows, struct err *err)
{
    ASSERT(rows->busy);
    if (rows->done) {
        return 0;
    }
    if (rows->fresh && rows->writes) {
        int rc = db_fault(rows->db, sqlite3_sql(rows->stmt), err);
        if (rc < 0) {
            rows->done = true;
            return rc;
        }
    }
    rows->fresh = false;
    int code = sqlite3_step(rows->stmt);
    if (code == SQLITE_ROW) {
        return 1;
    }
    rows->done = true;
    return code == SQLITE_DONE ? 0 : db_error(rows->db, sqlite3_sql(rows->stmt), err);
}

void db_rows_free(struct db_rows *rows)
{
    if (rows == NULL) {
        return;
    }
    count_work(rows->db, rows->stmt);
    if (!rows->cached) {
        rows_destroy(rows);
        return;
    }
    (void)sqlite3_reset(rows->stmt);
    (void)sqlite3_clear_bindings(rows->stmt);
    rows->busy = false;
}

int db_run(struct db *db, const char *sql, const struct db_value *values, size_t count,
           struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, values, count, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {}
    return rc;
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
    const char *rest = sql;
    while (*rest != '\0') {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v2(db->sqlite, rest, -1, &stmt, &rest) != SQLITE_OK) {
            return db_error(db, sql, err);
        }
        if (stmt == NULL) { /* whitespace or a comment */
            continue;
        }
        int rc = sqlite3_stmt_readonly(stmt) != 0 ? 0 : db_fault(db, sqlite3_sql(stmt), err);
        int code = SQLITE_ROW;
        while (rc == 0 && code == SQLITE_ROW) {
            code = sqlite3_step(stmt);
        }
        if (rc == 0 && code != SQLITE_DONE) {
            rc = db_error(db, sqlite3_sql(stmt), err);
        }
        count_work(db, stmt);
        (void)sqlite3_finalize(stmt);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

struct db_work db_work(const struct db *db)
{
    return db->work;
}

int db_get_i64(struct db *db, const char *sql, const struct db_value *values, size_t count,
               int64_t fallback, int64_t *ret, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, values, count, &rows, err);
    if (rc == 0) {
        rc = db_next(rows, err);
    }
    if (rc < 0) {
        return rc;
    }
    *ret = rc > 0 && !db_is_null(rows, 0) ? db_i64(rows, 0) : fallback;
    return 0;
}

int64_t db_i64(struct db_rows *rows, int column)
{
    return sqlite3_column_int64(rows->stmt, column);
}

struct dec db_dec(struct db_rows *rows, int column)
{
    return db_is_null(rows, column) ? DEC_INVALID : (struct dec){db_i64(rows, column)};
}

double db_double(struct db_rows *rows, int column)
{
    return sqlite3_column_double(rows->stmt, column);
}

struct str db_text(struct db_rows *rows, int column)
{
    const unsigned char *text = sqlite3_column_text(rows->stmt, column);
    int len = sqlite3_column_bytes(rows->stmt, column);
    return text == NULL ? str_c("") : str_n((const char *)text, (size_t)len);
}

struct str db_blob(struct db_rows *rows, int column)
{
    const void *bytes = sqlite3_column_blob(rows->stmt, column);
    int len = sqlite3_column_bytes(rows->stmt, column);
    return bytes == NULL ? str_c("") : str_n(bytes, (size_t)len);
}

bool db_is_null(struct db_rows *rows, int column)
{
    return sqlite3_column_type(rows->stmt, column) == SQLITE_NULL;
}

enum db_type db_column_type(struct db_rows *rows, int column)
{
    switch (sqlite3_column_type(rows->stmt, column)) {
    case SQLITE_INTEGER:
        return DB_TYPE_I64;
    case SQLITE_FLOAT:
        return DB_TYPE_DOUBLE;
    case SQLITE_TEXT:
        return DB_TYPE_TEXT;
    case SQLITE_BLOB:
        return DB_TYPE_BLOB;
    default: /* SQLITE_NULL */
        return DB_TYPE_NULL;
    }
}

const char *db_column_name(struct db_rows *rows, int column)
{
    return sqlite3_column_name(rows->stmt, column);
}

int db_column_count(struct db_rows *rows)
{
    return sqlite3_column_count(rows->stmt);
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->sqlite);
}

int64_t db_last_rowid(struct db *db)
{
    return sqlite3_last_insert_rowid(db->sqlite);
}

/* ------------------------------------------------------------------ functions */

struct function {
    db_function_fn fn;
    void *userdata;
};

static void function_call(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct function *function = sqlite3_user_data(context);
    const unsigned char *text = sqlite3_value_text(values[0]);
    struct db_value value = DB_NULL;
    (void)count;
    if (text != NULL) {
        size_t len = (size_t)sqlite3_value_bytes(values[0]);
        function->fn(str_n((const char *)text, len), &value, function->userdata);
    }
    switch (value.type) {
    case DB_TYPE_NULL:
        sqlite3_result_null(context);
        break;
    case DB_TYPE_I64:
        sqlite3_result_int64(context, value.i64);
        break;
    case DB_TYPE_DOUBLE:
        sqlite3_result_double(context, value.real);
        break;
    case DB_TYPE_TEXT:
        sqlite3_result_text64(context, value.bytes.ptr, value.bytes.len, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
        break;
    case DB_TYPE_BLOB:
        sqlite3_result_blob64(context, value.bytes.ptr, value.bytes.len, SQLITE_TRANSIENT);
        break;
    }
}

int db_function(struct db *db, const char *name, db_function_fn fn, void *userdata, struct err *err)
{
    struct function *function = malloc(sizeof(*function));
    NEED_MEMORY(function != NULL);
    *function = (struct function){fn, userdata};
    /* SQLite frees the function, even if it fails. */
    return sqlite3_create_function_v2(db->sqlite, name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                      function, function_call, NULL, NULL, free) == SQLITE_OK
               ? 0
               : db_error(db, name, err);
}

/* ------------------------------------------------------------------ each row */

struct db_args {
    db_each_fn fn;
    void *userdata;
    sqlite3_value **values;
};

static void each_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct db *db = sqlite3_user_data(context);
    (void)count;
    if (db->each != NULL) {
        db->each->values = values;
        db->each->fn(db->each, db->each->userdata);
    }
}

static void each_end(sqlite3_context *context)
{
    sqlite3_result_null(context);
}

int db_each(struct db *db, const char *sql, const struct db_value *values, size_t count,
            db_each_fn fn, void *userdata, struct err *err)
{
    ASSERT(db->each == NULL);
    if (!db->has_each &&
        sqlite3_create_function_v2(db->sqlite, "each", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, db,
                                   NULL, each_step, each_end, NULL) != SQLITE_OK) {
        return db_error(db, "each", err);
    }
    struct db_args args = {.fn = fn, .userdata = userdata};
    db->has_each = true;
    db->each = &args;
    int rc = db_run(db, sql, values, count, err);
    db->each = NULL;
    return rc;
}

int64_t db_arg_i64(struct db_args *args, int index)
{
    return sqlite3_value_int64(args->values[index]);
}

double db_arg_double(struct db_args *args, int index)
{
    return sqlite3_value_double(args->values[index]);
}

struct str db_arg_text(struct db_args *args, int index)
{
    const unsigned char *text = sqlite3_value_text(args->values[index]);
    int len = sqlite3_value_bytes(args->values[index]);
    return text == NULL ? str_c("") : str_n((const char *)text, (size_t)len);
}

bool db_arg_is_null(struct db_args *args, int index)
{
    return sqlite3_value_type(args->values[index]) == SQLITE_NULL;
}

/*
 * row.h: what the tables share: reading the columns of a row in order, and a transaction of one's
 * own unless the caller has one open.
 *
 *     struct row row = {.rows = rows};
 *     trade.id = row_i64(&row);
 *     ROW_WORD(&row, side, &trade.side);
 *     return row_check(&row, "trades", trade.id, err);
 *
 * Always true: a word that no enum knows, or a text that does not fit, marks the row as damaged;
 * row_check reports it once, after the last column.
 * Thread: that of the connection.
 */
#pragma once

#include "io/db.h"
#include "io/secret.h"
#include "model/symbol.h"
#include "store/ops.h"
#include "store/trading.h"

#include <stdbool.h>

struct trading_store {
    struct db *db;
    struct buf scratch;  /* for JSON columns: the engine builds them without allocating */
    int64_t recorded[2]; /* run and bytes of its journal; run 0: not told */
    bool recorded_is_news;
};

struct ops_store {
    struct db *db;
    struct secret_key audit_key;
    bool has_key; /* a reader without the key file can read all but not verify */
    char *dir;    /* the state folder; NULL in memory */
};

/* "work: NAME WHEN: scanned N, sorted N, steps N", which a test reads. */
void row_log_work(struct db *db, const char *name, const char *when);

struct row {
    struct db_rows *rows;
    int column; /* the next one */
    bool damaged;
};

/* For a row that owns its rows: one from row_query_one. */
static inline void row_cleanup(struct row *row)
{
    db_rows_free(row->rows);
}
#define AUTO_ROW AUTO(row_cleanup)

int64_t row_i64(struct row *row);
bool row_bool(struct row *row);
double row_double(struct row *row);
struct dec row_dec(struct row *row);
struct str row_str(struct row *row); /* valid until the next db_next */
void row_text(struct row *row, char *dst, size_t dst_size);
char *row_heap(struct row *row);           /* never NULL; the caller frees it */
struct symbol row_symbol(struct row *row); /* the empty one for an empty text */
int64_t row_iso(struct row *row);          /* ISO text as wall time; NULL is 0 */

#define ROW_WORD(row, prefix, ret)                \
    do {                                          \
        if (!prefix##_parse(row_str(row), ret)) { \
            (row)->damaged = true;                \
        }                                         \
    } while (0)

/* 0, or ERR_STORE_DAMAGED naming the table and the row. */
int row_check(const struct row *row, const char *table, int64_t id, struct err *err);

/* Runs a query that gives at most one row: 1 at it, 0 none, negative. *ret is AUTO_ROW. */
int row_query_one(struct db *db, const char *sql, const struct db_value *values, size_t count,
                  struct row *ret, struct err *err);

/* Begins a transaction unless one is open; *ret_own (AUTO_ROLLBACK) is set when it did. */
int row_begin(struct db *db, struct db **ret_own, struct err *err);
/* Commits what row_begin began. */
int row_commit(struct db **own, struct err *err);

/* Runs an UPDATE that must hit a row; ERR_STORE_NOT_FOUND, or `otherwise`, with "table id". */
int row_update(struct db *db, const char *sql, const struct db_value *values, size_t count,
               enum err_id otherwise, const char *table, int64_t id, struct err *err);

/* The value that a DB_VALUES wants for an optional word list, texts cut at a UTF-8 boundary. */
struct str row_cut(const char *text, size_t size); /* at most size - 1 bytes; NULL is empty */

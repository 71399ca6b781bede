/*
 * row.h: shared by the tables: reads the columns of a row in order, and runs a function in a
 * transaction of its own unless the caller has one open.
 *
 *     struct row row = {.rows = rows};
 *     trade.id = row_i64(&row);
 *     ROW_WORD(&row, side, &trade.side);
 *     return row_check(&row, "trades", trade.id, err);
 *
 * Always true: an unknown word of an enum, or a text that does not fit, marks the row as damaged;
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
    struct buf scratch;  /* for JSON columns, so that a step does not allocate */
    int64_t recorded[2]; /* run, and size of its journal in bytes; run 0: not set */
    bool recorded_changed;
};

struct ops_store {
    struct db *db;
    struct secret_key audit_key;
    bool has_key; /* a reader without the key file can read, but not verify */
    char *dir;    /* the state folder; NULL in memory */
};

/* Logs "work: NAME WHEN: scanned N, sorted N, steps N", which a test parses. */
void row_log_work(struct db *db, const char *name, const char *when);

struct row {
    struct db_rows *rows;
    int column; /* the next one */
    bool damaged;
};

/* For a row of row_query_one, which owns its rows. */
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

/* 0, or ERR_STORE_DAMAGED with the table and the id. */
int row_check(const struct row *row, const char *table, int64_t id, struct err *err);

/* Runs a query that gives at most one row: 1 with a row, 0 without, or negative. *ret is AUTO_ROW.
 */
int row_query_one(struct db *db, const char *sql, const struct db_value *values, size_t count,
                  struct row *ret, struct err *err);

/* Begins a transaction and sets *ret_own (AUTO_ROLLBACK), unless one is open. */
int row_begin(struct db *db, struct db **ret_own, struct err *err);
/* Commits the transaction if row_begin began it. */
int row_commit(struct db **own, struct err *err);

/* Runs an UPDATE that must change a row, else fails with `otherwise` and "table id". */
int row_update(struct db *db, const char *sql, const struct db_value *values, size_t count,
               enum err_id otherwise, const char *table, int64_t id, struct err *err);

/* The text, cut at a UTF-8 boundary to at most size - 1 bytes; NULL gives the empty view. */
struct str row_cut(const char *text, size_t size);

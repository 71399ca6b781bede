/*
 * source.h: the two databases as of one moment, read with SQL into the members of the report.
 *
 *     rc = source_open(&source, trading_db, ops_db, root, err);
 *     source_fact_i64(&source, "since_us", since_us);
 *     source_row(&source, source.trading, &out, "SELECT count(*) AS count FROM trades"
 *                                               " WHERE closed_us >= fact('since_us')", err);
 *
 * In the SQL, fact('/account/cash') is the value that the report has at that pointer so far (NULL:
 * none; an object is its JSON text), and fact('since_us') a value that the report does not show.
 * A column becomes a member of its name; its suffix says what it is: _e8 is a money amount, price
 * or quantity in 1e-8 (the suffix is dropped); _at a time in microseconds; X_k followed by X_n
 * the rate X; other doubles are rounded to the digits that mean something.
 * Always true: nothing is written to the databases. A transaction that the caller has open on a
 * connection stays open, and its changes count.
 * Thread: that of the connections.
 */
#pragma once

#include "io/db.h"
#include "io/json.h"
#include "io/json_out.h"

struct source {
    struct db *trading; /* NULL: none */
    struct db *trades;  /* a second connection to trading.db for another thread; NULL: none */
    struct db *ops;     /* NULL: none */
    struct json_object *root;
    struct json_object *facts;
    bool own[2]; /* the transactions on trading and ops are the source's */
};

/* A trading.db with many trades gets a second connection, which sees the same moment. */
int source_open(struct source *source, struct db *trading, struct db *ops, struct json_object *root,
                struct err *err);
void source_close(struct source *source);

void source_fact_i64(struct source *source, const char *name, int64_t value);
bool source_has_fact(const struct source *source, const char *name);
/* Whether the report has a value there that is not null. */
bool source_has(struct source *source, const char *pointer);

/* Columns from `first` on as members of the open object. */
void source_columns(struct db_rows *rows, int first, struct json_out *out);
/* The one row of the query as members of the open object. */
int source_row(struct db *db, struct json_out *out, const char *sql, struct err *err);
/* An object for each row, named by the first column. */
int source_rows(struct db *db, struct json_out *out, const char *sql, struct err *err);

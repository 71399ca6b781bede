#include "order_rows.h"

int order_rows_write(struct db *db, const char *sql, const struct order *o, struct err *err)
{
    return db_run(db, sql,
                  DB_VALUES(DB_TEXT_C(o->client_id), DB_TEXT_C(o->symbol.name),
                            DB_TEXT_C(order_kind_name(o->kind)), DB_TEXT_C(side_name(o->side)),
                            DB_TEXT_C(order_state_name(o->state)), DB_DEC(o->qty),
                            DB_DEC(o->reference_price), DB_DEC(o->stop), DB_DEC(o->target),
                            DB_DEC(o->filled_qty), DB_DEC(o->average_price), DB_I64(o->decision_id),
                            DB_I64(o->created_us), DB_I64(o->updated_us), DB_TEXT_C(o->reason),
                            DB_DEC(o->stop_away), DB_DEC(o->target_away),
                            DB_TEXT_C(order_type_name(o->type)),
                            DB_TEXT_C(time_in_force_name(o->time_in_force)), DB_I64(o->post_only),
                            DB_I64(o->reduce_only), DB_DEC(o->price), DB_I64(o->run_id)),
                  err);
}

static int read_order(struct db_rows *rows, struct order *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct order){0};
    row_text(&row, ret->client_id, sizeof(ret->client_id));
    ret->symbol = row_symbol(&row);
    ROW_WORD(&row, order_kind, &ret->kind);
    ROW_WORD(&row, side, &ret->side);
    ROW_WORD(&row, order_state, &ret->state);
    ret->qty = row_dec(&row);
    ret->reference_price = row_dec(&row);
    ret->stop = row_dec(&row);
    ret->target = row_dec(&row);
    ret->filled_qty = row_dec(&row);
    ret->average_price = row_dec(&row);
    ret->decision_id = row_i64(&row);
    ret->created_us = row_i64(&row);
    ret->updated_us = row_i64(&row);
    row_text(&row, ret->reason, sizeof(ret->reason));
    ret->stop_away = row_dec(&row);
    ret->target_away = row_dec(&row);
    ROW_WORD(&row, order_type, &ret->type);
    ROW_WORD(&row, time_in_force, &ret->time_in_force);
    ret->post_only = row_i64(&row) != 0;
    ret->reduce_only = row_i64(&row) != 0;
    ret->price = row_dec(&row);
    ret->run_id = row_i64(&row);
    return row.damaged ? err_set(err, ERR_STORE_DAMAGED, "order %s", ret->client_id) : 0;
}

int order_rows_get(struct db *db, const char *sql, const char *client_id, struct order *ret,
                   struct err *err)
{
    int n = order_rows_list(db, sql, DB_VALUES(DB_TEXT_C(client_id)), ret, 1, err);
    if (n == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "order %.40s", client_id);
    }
    return n < 0 ? n : 0;
}

int order_rows_list(struct db *db, const char *sql, const struct db_value *values, size_t count,
                    struct order *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, values, count, &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_order(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int order_rows_each(struct db *db, const char *sql, int64_t since_us,
                    int (*fn)(const struct order *order, void *userdata, struct err *err),
                    void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct order order;
    int rc = db_query(db, sql, DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        rc = read_order(rows, &order, err);
        rc = rc < 0 ? rc : fn(&order, userdata, err);
    }
    return rc < 0 ? rc : 0;
}

int order_rows_add_fill(struct db *db, const char *sql, const struct fill *f, bool *ret_fresh,
                        struct err *err)
{
    int rc = db_run(db, sql,
                    DB_VALUES(DB_TEXT_C(f->client_id), DB_TEXT_C(f->venue_fill_id),
                              DB_TEXT_C(f->symbol.name), DB_TEXT_C(order_kind_name(f->kind)),
                              DB_TEXT_C(side_name(f->side)), DB_DEC(f->qty), DB_DEC(f->price),
                              DB_DEC(f->fee), DB_I64(f->at_us), DB_TEXT_C(f->fee_currency),
                              DB_DEC(f->fee_charged)),
                    err);
    if (rc == 0) {
        *ret_fresh = db_changes(db) > 0;
    }
    return rc;
}

static int read_fill(struct db_rows *rows, struct fill *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct fill){0};
    row_text(&row, ret->client_id, sizeof(ret->client_id));
    row_text(&row, ret->venue_fill_id, sizeof(ret->venue_fill_id));
    ret->symbol = row_symbol(&row);
    ROW_WORD(&row, order_kind, &ret->kind);
    ROW_WORD(&row, side, &ret->side);
    ret->qty = row_dec(&row);
    ret->price = row_dec(&row);
    ret->fee = row_dec(&row);
    ret->at_us = row_i64(&row);
    row_text(&row, ret->fee_currency, sizeof(ret->fee_currency));
    ret->fee_charged = row_dec(&row);
    return row.damaged ? err_set(err, ERR_STORE_DAMAGED, "fill %s of order %s", ret->venue_fill_id,
                                 ret->client_id)
                       : 0;
}

int order_rows_fills(struct db *db, const char *sql, const struct db_value *values, size_t count,
                     struct fill *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, values, count, &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_fill(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int order_rows_each_fill(struct db *db, const char *sql, int64_t since_us,
                         int (*fn)(const struct fill *fill, void *userdata, struct err *err),
                         void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct fill fill;
    int rc = db_query(db, sql, DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        rc = read_fill(rows, &fill, err);
        rc = rc < 0 ? rc : fn(&fill, userdata, err);
    }
    return rc < 0 ? rc : 0;
}

int order_rows_add_funding(struct db *db, const char *sql, const struct funding *f, struct err *err)
{
    return db_run(
        db, sql,
        DB_VALUES(DB_I64(f->id), DB_TEXT_C(f->symbol.name), DB_DEC(f->payment), DB_I64(f->at_us)),
        err);
}

int order_rows_replace_positions(struct db *db, const char *clear_sql, const char *add_sql,
                                 const struct position *positions, size_t count, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(db, &own, err);
    if (rc == 0) {
        rc = db_run(db, clear_sql, DB_NO_VALUES, err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct position *p = &positions[i];
        rc = db_run(db, add_sql,
                    DB_VALUES(DB_TEXT_C(p->symbol.name), DB_TEXT_C(side_name(p->side)),
                              DB_DEC(p->qty), DB_DEC(p->entry_price), DB_DEC(p->stop),
                              DB_DEC(p->target), DB_DEC(p->mark_price), DB_DEC(p->unrealised),
                              DB_DEC(p->fees), DB_I64(p->opened_us), DB_I64(p->decision_id),
                              DB_TEXT_C(p->client_id)),
                    err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

static int read_position(struct db_rows *rows, struct position *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct position){0};
    ret->symbol = row_symbol(&row);
    ROW_WORD(&row, side, &ret->side);
    ret->qty = row_dec(&row);
    ret->entry_price = row_dec(&row);
    ret->stop = row_dec(&row);
    ret->target = row_dec(&row);
    ret->mark_price = row_dec(&row);
    ret->unrealised = row_dec(&row);
    ret->fees = row_dec(&row);
    ret->opened_us = row_i64(&row);
    ret->decision_id = row_i64(&row);
    row_text(&row, ret->client_id, sizeof(ret->client_id));
    return row.damaged ? err_set(err, ERR_STORE_DAMAGED, "position %s", ret->symbol.name) : 0;
}

int order_rows_positions(struct db *db, const char *sql, struct position *ret, size_t max,
                         struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_position(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

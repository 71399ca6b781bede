#include "store/venue_table.h"

#include "base/str.h"
#include "row.h"

int venue_table_get(struct trading_store *store, const char *name, char *ret, size_t size,
                    struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    ret[0] = '\0';
    int rc = db_query(trading_store_db(store), "SELECT value FROM venue_state WHERE name = ?",
                      DB_VALUES(DB_TEXT_C(name)), &rows, err);
    rc = rc < 0 ? rc : db_next(rows, err);
    if (rc > 0 && !str_copy(db_text(rows, 0), ret, size)) {
        return err_set(err, ERR_STORE_DAMAGED, "venue_state %s", name);
    }
    return rc < 0 ? rc : 0;
}

int venue_table_set(struct trading_store *store, const char *name, const char *value,
                    struct err *err)
{
    return db_run(trading_store_db(store),
                  "INSERT INTO venue_state(name, value) VALUES (?, ?)"
                  " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                  DB_VALUES(DB_TEXT_C(name), DB_TEXT_C(value)), err);
}

int venue_table_events(struct trading_store *store, venue_event_fn fn, void *userdata,
                       struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(trading_store_db(store),
                      "SELECT id, number, at_us FROM venue_events ORDER BY number", DB_NO_VALUES,
                      &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct venue_event_row event = {0};
        row_text(&row, event.id, sizeof(event.id));
        event.number = row_i64(&row);
        event.at_us = row_i64(&row);
        rc = row_check(&row, "venue_events", event.number, err);
        if (rc < 0) {
            return rc;
        }
        fn(&event, userdata);
    }
    return rc < 0 ? rc : 0;
}

int venue_table_add_event(struct trading_store *store, const struct venue_event_row *row,
                          struct err *err)
{
    return db_run(trading_store_db(store),
                  "INSERT INTO venue_events(id, number, at_us) VALUES (?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(row->id), DB_I64(row->number), DB_I64(row->at_us)), err);
}

int venue_table_forget_event(struct trading_store *store, const char *id, struct err *err)
{
    return db_run(trading_store_db(store), "DELETE FROM venue_events WHERE id = ?",
                  DB_VALUES(DB_TEXT_C(id)), err);
}

int venue_table_forget_events(struct trading_store *store, int64_t before_us, struct err *err)
{
    return db_run(trading_store_db(store),
                  "DELETE FROM venue_events WHERE at_us < ?"
                  " AND number < (SELECT max(number) FROM venue_events)",
                  DB_VALUES(DB_I64(before_us)), err);
}

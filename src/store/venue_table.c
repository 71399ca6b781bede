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

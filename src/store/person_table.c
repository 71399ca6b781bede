#include "store/person_table.h"

#include "row.h"

int person_table_list(struct ops_store *store, struct person *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, name, role, emergency, granted_by, granted_us FROM people"
                      " ORDER BY granted_us, id",
                      DB_NO_VALUES, &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct person *p = &ret[n++];
        *p = (struct person){.id = row_i64(&row)};
        row_text(&row, p->name, sizeof(p->name));
        row_text(&row, p->role, sizeof(p->role));
        p->emergency = row_bool(&row);
        row_text(&row, p->granted_by, sizeof(p->granted_by));
        p->granted_us = row_i64(&row);
        rc = row_check(&row, "people", p->id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int person_table_save(struct ops_store *store, const struct person *p, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO people(id, name, role, emergency, granted_by, granted_us)"
                  " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET name = excluded.name,"
                  " role = excluded.role, emergency = excluded.emergency,"
                  " granted_by = excluded.granted_by",
                  DB_VALUES(DB_I64(p->id), DB_TEXT_C(p->name), DB_TEXT_C(p->role),
                            DB_I64(p->emergency), DB_TEXT_C(p->granted_by), DB_I64(p->granted_us)),
                  err);
}

int person_table_remove(struct ops_store *store, int64_t id, struct err *err)
{
    return db_run(store->db, "DELETE FROM people WHERE id = ?", DB_VALUES(DB_I64(id)), err);
}

#include "store/maintenance_table.h"

#include "row.h"

static int add_pause(struct ops_store *store, int64_t run_id, struct err *err)
{
    int64_t count = 0;
    int rc =
        db_get_i64(store->db, "SELECT count(*) FROM maintenance_pauses", NULL, 0, 0, &count, err);
    if (rc >= 0 && count >= MAINTENANCE_PAUSES_MAX) {
        return err_set(err, ERR_MAINTENANCE_MANY, "%lld paused new positions", (long long)count);
    }
    return rc < 0 ? rc
                  : db_run(store->db, "INSERT OR IGNORE INTO maintenance_pauses(run_id) VALUES (?)",
                           DB_VALUES(DB_I64(run_id)), err);
}

int maintenance_table_begin(struct ops_store *store, const struct maintenance *m, int64_t now_us,
                            struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int64_t others = 0;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0) {
        rc = db_get_i64(store->db,
                        "SELECT count(*) FROM maintenance WHERE ended_us = 0 AND service <> ?",
                        DB_VALUES(DB_TEXT_C(m->service)), 0, &others, err);
    }
    if (rc >= 0 && others >= MAINTENANCE_MAX) {
        return err_set(err, ERR_MAINTENANCE_MANY, "%lld", (long long)others);
    }
    if (rc >= 0) {
        rc = db_run(store->db,
                    "INSERT INTO maintenance(service, begun_us, until_us, reason, user, run_id)"
                    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(service) WHERE ended_us = 0 DO UPDATE"
                    " SET until_us = excluded.until_us, reason = excluded.reason,"
                    " user = excluded.user, run_id = max(run_id, excluded.run_id)",
                    DB_VALUES(DB_TEXT_C(m->service), DB_I64(now_us), DB_I64(m->until_us),
                              DB_TEXT(row_cut(m->reason, sizeof(m->reason))),
                              DB_TEXT(row_cut(m->user, sizeof(m->user))), DB_I64(m->run_id)),
                    err);
    }
    if (rc >= 0 && m->run_id != 0) {
        rc = add_pause(store, m->run_id, err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int maintenance_table_list(struct ops_store *store, struct maintenance *ret, size_t max,
                           struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, service, begun_us, until_us, reason, user, run_id"
                      " FROM maintenance WHERE ended_us = 0 ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct maintenance *m = &ret[n];
        m->id = row_i64(&row);
        row_text(&row, m->service, sizeof(m->service));
        m->begun_us = row_i64(&row);
        m->until_us = row_i64(&row);
        row_text(&row, m->reason, sizeof(m->reason));
        row_text(&row, m->user, sizeof(m->user));
        m->run_id = row_i64(&row);
        n += row_check(&row, "maintenance", m->id, NULL) == 0 ? 1 : 0; /* it keeps nothing quiet */
    }
    return rc < 0 ? rc : (int)n;
}

int maintenance_table_end(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0) {
        rc = db_run(store->db, "UPDATE maintenance SET ended_us = ? WHERE id = ? AND ended_us = 0",
                    DB_VALUES(DB_I64(now_us), DB_I64(id)), err);
    }
    if (rc >= 0) {
        rc = db_run(store->db, "DELETE FROM maintenance WHERE ended_us > 0 AND id <= ?",
                    DB_VALUES(DB_I64(id - MAINTENANCE_KEPT)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int maintenance_table_pause(struct ops_store *store, int64_t *ret_run_id, struct err *err)
{
    return db_get_i64(store->db, "SELECT run_id FROM maintenance_pauses ORDER BY run_id LIMIT 1",
                      NULL, 0, 0, ret_run_id, err);
}

int maintenance_table_lifted(struct ops_store *store, int64_t run_id, struct err *err)
{
    return db_run(store->db, "DELETE FROM maintenance_pauses WHERE run_id = ?",
                  DB_VALUES(DB_I64(run_id)), err);
}

#include "store/incident_table.h"

#include "base/check.h"
#include "row.h"

#define COLUMNS       "id, opened_us, closed_us, merged_into, escalated"
#define EVENT_COLUMNS "id, incident_id, at_us, kind, alert_id, run_id, text"

static const char *const kind_words[] = {[INCIDENT_RAISED] = "raised",
                                         [INCIDENT_CHANGED] = "changed",
                                         [INCIDENT_WORSE] = "worse",
                                         [INCIDENT_CHILD] = "child",
                                         [INCIDENT_CHILD_OVER] = "child_over",
                                         [INCIDENT_ACKNOWLEDGED] = "acknowledged",
                                         [INCIDENT_ESCALATED] = "escalated",
                                         [INCIDENT_RUN] = "run",
                                         [INCIDENT_NOTE] = "note",
                                         [INCIDENT_RESOLVED] = "resolved"};

const char *incident_kind_name(enum incident_kind kind)
{
    ASSERT((unsigned)kind < COUNT_OF(kind_words));
    return kind_words[kind];
}

static bool incident_kind_parse(struct str s, enum incident_kind *ret)
{
    for (unsigned i = 0; i < COUNT_OF(kind_words); i++) {
        if (str_equal_c(s, kind_words[i])) {
            *ret = (enum incident_kind)i;
            return true;
        }
    }
    return false;
}

int incident_table_open(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO incidents(id, opened_us) VALUES (?1, ?2) ON CONFLICT(id) DO UPDATE"
                  " SET closed_us = 0, merged_into = 0, escalated = 0",
                  DB_VALUES(DB_I64(id), DB_I64(now_us)), err);
}

int incident_table_close(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    return db_run(store->db, "UPDATE incidents SET closed_us = ?1 WHERE id = ?2 AND closed_us = 0",
                  DB_VALUES(DB_I64(now_us), DB_I64(id)), err);
}

int incident_table_merge(struct ops_store *store, int64_t id, int64_t into, int64_t now_us,
                         struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0) {
        rc = db_run(store->db, "UPDATE incident_events SET incident_id = ?1 WHERE incident_id = ?2",
                    DB_VALUES(DB_I64(into), DB_I64(id)), err);
    }
    if (rc >= 0) {
        rc =
            db_run(store->db, "UPDATE incidents SET closed_us = ?1, merged_into = ?2 WHERE id = ?3",
                   DB_VALUES(DB_I64(now_us), DB_I64(into), DB_I64(id)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int incident_table_set_escalated(struct ops_store *store, int64_t id, int64_t steps,
                                 struct err *err)
{
    return row_update(store->db, "UPDATE incidents SET escalated = ? WHERE id = ?",
                      DB_VALUES(DB_I64(steps), DB_I64(id)), ERR_STORE_NOT_FOUND, "incident", id,
                      err);
}

static int read_incident(struct row *row, struct incident *ret, struct err *err)
{
    *ret = (struct incident){.id = row_i64(row)};
    ret->opened_us = row_i64(row);
    ret->closed_us = row_i64(row);
    ret->merged_into = row_i64(row);
    ret->escalated = row_i64(row);
    return row_check(row, "incidents", ret->id, err);
}

int incident_table_get(struct ops_store *store, int64_t id, struct incident *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT " COLUMNS " FROM incidents WHERE id = ?",
                           DB_VALUES(DB_I64(id)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "incident %lld", (long long)id);
    }
    return rc < 0 ? rc : read_incident(&row, ret, err);
}

int incident_table_list(struct ops_store *store, bool open_only, int64_t before_id,
                        struct incident *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      open_only ? "SELECT " COLUMNS " FROM incidents WHERE closed_us = 0"
                                  " AND (?1 = 0 OR id < ?1) ORDER BY id DESC LIMIT ?2"
                                : "SELECT " COLUMNS " FROM incidents WHERE merged_into = 0"
                                  " AND (?1 = 0 OR id < ?1) ORDER BY id DESC LIMIT ?2",
                      DB_VALUES(DB_I64(before_id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        rc = read_incident(&row, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int incident_table_add(struct ops_store *store, const struct incident_event *e, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0) {
        rc = db_run(store->db,
                    "INSERT INTO incident_events(incident_id, at_us, kind, alert_id, run_id, text)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    DB_VALUES(DB_I64(e->incident_id), DB_I64(e->at_us),
                              DB_TEXT_C(incident_kind_name(e->kind)), DB_I64(e->alert_id),
                              DB_I64(e->run_id), DB_TEXT(row_cut(e->text, sizeof(e->text)))),
                    err);
    }
    if (rc >= 0) {
        rc = db_run(store->db,
                    "DELETE FROM incident_events WHERE id = (SELECT id FROM incident_events"
                    " WHERE incident_id = ?1 ORDER BY id LIMIT 1 OFFSET 1) AND (SELECT count(*)"
                    " FROM incident_events WHERE incident_id = ?1) > ?2",
                    DB_VALUES(DB_I64(e->incident_id), DB_I64(INCIDENT_EVENTS_MAX)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int incident_table_add_child(struct ops_store *store, int64_t incident_id, int64_t alert_id,
                             const char *title, int64_t now_us, bool *ret_new, struct err *err)
{
    int64_t known = 0;
    int rc = db_get_i64(store->db,
                        "SELECT id FROM incident_events WHERE incident_id = ? AND alert_id = ?"
                        " AND kind = 'child' LIMIT 1",
                        DB_VALUES(DB_I64(incident_id), DB_I64(alert_id)), 0, &known, err);
    *ret_new = rc >= 0 && known == 0;
    if (rc < 0 || known != 0) {
        return rc;
    }
    struct incident_event event = {
        .incident_id = incident_id, .at_us = now_us, .kind = INCIDENT_CHILD, .alert_id = alert_id};
    str_cut(str_c(title), event.text, sizeof(event.text));
    return incident_table_add(store, &event, err);
}

int incident_table_events(struct ops_store *store, int64_t incident_id, uint32_t kinds,
                          struct incident_event *ret, size_t max, int64_t *ret_total,
                          struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    size_t n = 0;
    *ret_total = 0;
    int rc = db_query(store->db,
                      "SELECT " EVENT_COLUMNS " FROM incident_events WHERE incident_id = ?"
                      " ORDER BY at_us DESC, id DESC LIMIT ?",
                      DB_VALUES(DB_I64(incident_id), DB_I64(INCIDENT_EVENTS_MAX)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct incident_event e = {.id = row_i64(&row)};
        e.incident_id = row_i64(&row);
        e.at_us = row_i64(&row);
        ROW_WORD(&row, incident_kind, &e.kind);
        e.alert_id = row_i64(&row);
        e.run_id = row_i64(&row);
        row_text(&row, e.text, sizeof(e.text));
        if (row_check(&row, "incident_events", e.id, NULL) < 0 ||
            (kinds & UINT32_C(1) << e.kind) == 0) {
            continue;
        }
        (*ret_total)++;
        if (n < max) {
            ret[n++] = e;
        }
    }
    for (size_t i = 0; i < n / 2; i++) {
        struct incident_event swap = ret[i];
        ret[i] = ret[n - 1 - i];
        ret[n - 1 - i] = swap;
    }
    return rc < 0 ? rc : (int)n;
}

int incident_table_of_run(struct ops_store *store, int64_t run_id, int64_t *ret_id, struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT incident_id FROM incident_events WHERE run_id = ? AND run_id > 0"
                      " AND kind = 'run' ORDER BY id DESC LIMIT 1",
                      DB_VALUES(DB_I64(run_id)), 0, ret_id, err);
}

int incident_table_changes(struct ops_store *store, int64_t since_us, struct incident_change *ret,
                           size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    /* Runs in the order of their ids: the newest are looked at, until one is too old. */
    int rc = db_query(store->db,
                      "SELECT r.id, s.started_us, r.command, r.args, r.user_name, s.action,"
                      " r.state FROM (SELECT * FROM command_runs ORDER BY id DESC LIMIT 200) r"
                      " JOIN run_steps s ON s.run_id = r.id WHERE s.started_us >= ? AND"
                      " s.state <> 'skipped' ORDER BY r.id DESC, s.idx LIMIT ?",
                      DB_VALUES(DB_I64(since_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct incident_change *c = &ret[n++];
        *c = (struct incident_change){.run_id = row_i64(&row)};
        c->at_us = row_i64(&row);
        str_cut(row_str(&row), c->command, sizeof(c->command));
        str_cut(row_str(&row), c->args, sizeof(c->args));
        str_cut(row_str(&row), c->user, sizeof(c->user));
        str_cut(row_str(&row), c->action, sizeof(c->action));
        str_cut(row_str(&row), c->state, sizeof(c->state));
    }
    return rc < 0 ? rc : (int)n;
}

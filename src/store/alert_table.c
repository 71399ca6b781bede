#include "store/alert_table.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "row.h"

#include <string.h>

/* The first list is that of the partial indexes. */
#define OPEN_AS(status) status " IN ('open', 'acknowledged', 'wontfix') AND " status " <> 'wontfix'"
#define OPEN            OPEN_AS("status")
#define OPEN_OTHER      OPEN_AS("other.status")
#define OPEN_A          OPEN_AS("a.status")

#define COLUMNS                                                                         \
    "id, alert_type, severity, title, description, evidence, recommendation, status,"   \
    " created_at, acknowledged_at, fixed_at, fingerprint, source, count, last_seen_at," \
    " acked_by, check_json, reopened, notified, note, closed_by, run_id,"               \
    " CASE WHEN cause <> '' AND EXISTS (SELECT 1 FROM monitoring_alerts AS other WHERE" \
    " other.fingerprint = monitoring_alerts.cause AND " OPEN_OTHER " AND other.id <>"   \
    " monitoring_alerts.id) THEN cause ELSE '' END"
#define SEVERITY_RANK                                                              \
    "CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2" \
    " WHEN 'low' THEN 1 ELSE 0 END"

struct stamp {
    char text[40];
};

static struct stamp stamp_of(int64_t wall_us)
{
    AUTO_BUF struct buf iso = BUF_INIT(sizeof(((struct stamp *)0)->text) - 1);
    clock_add_iso(&iso, wall_us, false);
    struct stamp stamp;
    (void)str_copy(buf_str(&iso), stamp.text, sizeof(stamp.text));
    return stamp;
}

static int read_alert(struct db_rows *rows, struct alert *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct alert){0};
    ret->id = row_i64(&row);
    ROW_WORD(&row, alert_type, &ret->type);
    ROW_WORD(&row, severity, &ret->severity);
    row_text(&row, ret->title, sizeof(ret->title));
    row_text(&row, ret->description, sizeof(ret->description));
    row_text(&row, ret->evidence, sizeof(ret->evidence));
    row_text(&row, ret->recommendation, sizeof(ret->recommendation));
    ROW_WORD(&row, alert_status, &ret->status);
    ret->created_us = row_iso(&row);
    ret->acknowledged_us = row_iso(&row);
    ret->fixed_us = row_iso(&row);
    row_text(&row, ret->fingerprint, sizeof(ret->fingerprint));
    row_text(&row, ret->source, sizeof(ret->source));
    ret->count = row_i64(&row);
    ret->last_seen_us = row_iso(&row);
    row_text(&row, ret->acked_by, sizeof(ret->acked_by));
    row_text(&row, ret->check_json, sizeof(ret->check_json));
    ret->reopened = row_i64(&row);
    ret->notified = row_bool(&row);
    row_text(&row, ret->note, sizeof(ret->note));
    row_text(&row, ret->closed_by, sizeof(ret->closed_by));
    ret->run_id = row_i64(&row);
    row_text(&row, ret->cause, sizeof(ret->cause));
    return row_check(&row, "monitoring_alerts", ret->id, err);
}

/* True for an unreadable row, which is logged and left out, so that the others are still shown. */
static bool left_out(int *rc, struct err *why, struct err *err)
{
    if (*rc == -ERR_STORE_DAMAGED) {
        log_err(LOG_LEVEL_WARNING, why, "an unreadable alert is left out");
        *rc = 0;
        return true;
    }
    if (*rc < 0 && err != NULL) {
        *err = *why;
    }
    return false;
}

static int get_one(struct ops_store *store, const char *sql, struct db_value value,
                   struct alert *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, sql, &value, 1, &row, err);
    if (rc == 0) {
        return value.type == DB_TYPE_I64
                   ? err_set(err, ERR_STORE_NOT_FOUND, "alert %lld", (long long)value.i64)
                   : err_set(err, ERR_STORE_NOT_FOUND, "alert %.*s", STR_ARG(value.bytes));
    }
    return rc < 0 ? rc : read_alert(row.rows, ret, err);
}

static int insert(struct ops_store *store, const struct alert_new *a, const char *now,
                  struct alert_raised *ret, struct err *err)
{
    const char *status = alert_status_name(a->rejected ? ALERT_REJECTED : ALERT_OPEN);
    int rc = db_run(
        store->db,
        "INSERT INTO monitoring_alerts(alert_type, severity, title, description, evidence,"
        " recommendation, status, created_at, fingerprint, source, last_seen_at, check_json,"
        " note, cause, run_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        DB_VALUES(DB_TEXT_C(alert_type_name(a->type)), DB_TEXT_C(severity_name(a->severity)),
                  DB_TEXT(row_cut(a->title, ALERT_TITLE_SIZE)),
                  DB_TEXT(row_cut(a->description, ALERT_TEXT_SIZE)),
                  DB_TEXT_C(a->evidence != NULL ? a->evidence : "[]"),
                  DB_TEXT(row_cut(a->recommendation, ALERT_TEXT_SIZE)), DB_TEXT_C(status),
                  DB_TEXT_C(now), DB_TEXT_C(a->fingerprint), DB_TEXT_C(a->source), DB_TEXT_C(now),
                  DB_TEXT_C(a->check_json), DB_TEXT(row_cut(a->note, ALERT_NOTE_SIZE)),
                  DB_TEXT_C(a->cause), DB_I64(a->run_id)),
        err);
    if (rc == 0) {
        *ret = (struct alert_raised){
            .id = db_last_rowid(store->db), .how = ALERT_RAISED_NEW, .count = 1};
    }
    return rc;
}

/* Stores the newest texts; the caller passes the higher severity. */
static int count_again(struct ops_store *store, const struct alert_new *a, int64_t id,
                       enum severity severity, const char *now, struct err *err)
{
    return db_run(
        store->db,
        "UPDATE monitoring_alerts SET count = count + 1, last_seen_at = ?, alert_type = ?,"
        " severity = ?, title = ?, description = ?, evidence = ?, recommendation = ?,"
        " check_json = ?, note = coalesce(nullif(?, ''), note), cause = ?, run_id = ? WHERE id = ?",
        DB_VALUES(DB_TEXT_C(now), DB_TEXT_C(alert_type_name(a->type)),
                  DB_TEXT_C(severity_name(severity)), DB_TEXT(row_cut(a->title, ALERT_TITLE_SIZE)),
                  DB_TEXT(row_cut(a->description, ALERT_TEXT_SIZE)),
                  DB_TEXT_C(a->evidence != NULL ? a->evidence : "[]"),
                  DB_TEXT(row_cut(a->recommendation, ALERT_TEXT_SIZE)), DB_TEXT_C(a->check_json),
                  DB_TEXT(row_cut(a->note, ALERT_NOTE_SIZE)), DB_TEXT_C(a->cause),
                  DB_I64(a->run_id), DB_I64(id)),
        err);
}

/* Marks an unreadable row as rejected, since it would block a new one with its fingerprint. */
static int set_aside(struct ops_store *store, int64_t id, const struct err *why, struct err *err)
{
    log_err(LOG_LEVEL_WARNING, why, "an unreadable alert is set aside");
    return db_run(store->db, "UPDATE monitoring_alerts SET status = 'rejected' WHERE id = ?",
                  DB_VALUES(DB_I64(id)), err);
}

/* The row to count the alert in: 1, 0 if there is none, or negative. */
static int find_live(struct ops_store *store, const struct alert_new *a, struct alert *ret,
                     struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(
        store->db,
        a->rejected ? "SELECT " COLUMNS " FROM monitoring_alerts"
                      " WHERE fingerprint = ? AND status = 'rejected' ORDER BY id DESC LIMIT 1"
                    : "SELECT " COLUMNS " FROM monitoring_alerts"
                      " WHERE fingerprint = ? AND status IN ('open', 'acknowledged', 'wontfix')",
        DB_VALUES(DB_TEXT_C(a->fingerprint)), &row, err);
    if (rc <= 0) {
        return rc;
    }
    struct err why = {0};
    rc = read_alert(row.rows, ret, &why);
    if (rc == -ERR_STORE_DAMAGED) {
        return set_aside(store, ret->id, &why, err);
    }
    return 1;
}

static int too_long(const char *what, const char *text, size_t size, struct err *err)
{
    if (text != NULL && strlen(text) >= size) {
        return err_set(err, ERR_STORE_TOO_LONG, "%s: %zu bytes of at most %zu", what, strlen(text),
                       size - 1);
    }
    return 0;
}

int alert_table_raise(struct ops_store *store, const struct alert_new *a, int64_t now_us,
                      struct alert_raised *ret, struct err *err)
{
    ASSERT(a->title != NULL && a->fingerprint != NULL && a->source != NULL);
    int rc = too_long("evidence", a->evidence, ALERT_EVIDENCE_SIZE, err);
    if (rc < 0 || (rc = too_long("check", a->check_json, ALERT_CHECK_SIZE, err)) < 0 ||
        (rc = too_long("fingerprint", a->fingerprint, ALERT_FINGERPRINT_SIZE, err)) < 0 ||
        (rc = too_long("cause", a->cause, ALERT_FINGERPRINT_SIZE, err)) < 0 ||
        (rc = too_long("source", a->source, sizeof(((struct alert *)0)->source), err)) < 0) {
        return rc;
    }
    struct stamp now = stamp_of(now_us);
    struct alert_raised raised = {0};
    AUTO_FREE struct alert *live = calloc(1, sizeof(*live));
    ASSERT(live != NULL);
    AUTO_ROLLBACK struct db *own = NULL;
    if ((rc = row_begin(store->db, &own, err)) < 0) {
        return rc;
    }
    rc = find_live(store, a, live, err);
    if (rc == 0) {
        rc = insert(store, a, now.text, &raised, err);
    } else if (rc > 0) {
        bool worse = a->severity > live->severity;
        bool silent = live->status == ALERT_WONTFIX || live->status == ALERT_REJECTED;
        raised.id = live->id;
        raised.count = live->count + 1;
        raised.worse = worse && !silent;
        raised.how = silent ? ALERT_RAISED_SILENTLY : ALERT_RAISED_AGAIN;
        rc = count_again(store, a, raised.id, worse ? a->severity : live->severity, now.text, err);
    }
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret = raised;
    return 0;
}

int alert_table_get(struct ops_store *store, int64_t id, struct alert *ret, struct err *err)
{
    return get_one(store, "SELECT " COLUMNS " FROM monitoring_alerts WHERE id = ?", DB_I64(id), ret,
                   err);
}

int alert_table_find(struct ops_store *store, const char *fingerprint, struct alert *ret,
                     struct err *err)
{
    struct err why = {0};
    int rc = get_one(store,
                     "SELECT " COLUMNS " FROM monitoring_alerts WHERE fingerprint = ?"
                     " ORDER BY id DESC LIMIT 1",
                     DB_TEXT_C(fingerprint), ret, &why);
    return left_out(&rc, &why, err) ? err_set(err, ERR_STORE_NOT_FOUND, "alert %s", fingerprint)
                                    : rc;
}

/* The status words as bits, so that the SQL text is a constant. */
#define STATUS_BIT                                                                  \
    "CASE status WHEN 'open' THEN 1 WHEN 'acknowledged' THEN 2 WHEN 'fixed' THEN 4" \
    " WHEN 'wontfix' THEN 8 ELSE 16 END"
_Static_assert(ALERT_OPEN == 0 && ALERT_ACKNOWLEDGED == 1 && ALERT_FIXED == 2 &&
                   ALERT_WONTFIX == 3 && ALERT_REJECTED == 4,
               "STATUS_BIT repeats the order of enum alert_status");

#define LIVE_STATUSES (1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED | 1U << ALERT_WONTFIX)
#define SELECT_ALERTS "SELECT " COLUMNS " FROM monitoring_alerts WHERE "
#define SOME_OF                                                                             \
    " AND (" SEVERITY_RANK ") >= ?2 AND (?3 = '' OR source = ?3) AND (?4 = 0 OR check_json" \
    " <> '') AND (?5 = 0 OR notified = 0) AND last_seen_at >= ?6"                           \
    " AND (?10 = 0 OR (" SEVERITY_RANK ") < ?9 OR ((" SEVERITY_RANK ") = ?9 AND id < ?10))" \
    " ORDER BY (" SEVERITY_RANK ") DESC, id DESC LIMIT ?7 OFFSET ?8"

/* Reads at most `max` rows from offset on; returns the number of readable ones. *ret_seen counts
 * the unreadable ones too. */
static int list_page(struct ops_store *store, const struct alert_query *query, size_t offset,
                     struct alert *ret, size_t max, size_t *ret_seen, struct err *err)
{
    struct stamp since = stamp_of(query->since_us);
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    /* Live alerts are few. SQLite uses the index alerts_live only for this condition. */
    bool live = query->statuses != 0 && (query->statuses & ~LIVE_STATUSES) == 0;
    int rc = db_query(store->db,
                      live ? SELECT_ALERTS "status IN ('open', 'acknowledged', 'wontfix') AND"
                                           " (" STATUS_BIT ") & ?1 <> 0" SOME_OF
                           : SELECT_ALERTS "(?1 = 0 OR (" STATUS_BIT ") & ?1 <> 0)" SOME_OF,
                      DB_VALUES(DB_I64(query->statuses), DB_I64(query->min_severity),
                                DB_TEXT_C(query->source), DB_I64(query->with_check_only),
                                DB_I64(query->unnotified_only), DB_TEXT_C(since.text),
                                DB_I64((int64_t)max), DB_I64((int64_t)offset),
                                DB_I64(query->after_severity), DB_I64(query->after_id)),
                      &rows, err);
    size_t n = 0;
    *ret_seen = 0;
    while (rc >= 0 && *ret_seen < max && (rc = db_next(rows, err)) > 0) {
        struct err why = {0};
        rc = read_alert(rows, &ret[n], &why);
        n += left_out(&rc, &why, err) ? 0 : 1;
        (*ret_seen)++;
    }
    return rc < 0 ? rc : (int)n;
}

int alert_table_list(struct ops_store *store, const struct alert_query *query, struct alert *ret,
                     size_t max, struct err *err)
{
    size_t offset = query->offset;
    size_t n = 0;
    size_t wanted = 0;
    size_t seen = 0;
    do { /* more than once only if rows were left out */
        wanted = max - n;
        int rc = list_page(store, query, offset, &ret[n], wanted, &seen, err);
        if (rc < 0) {
            return rc;
        }
        n += (size_t)rc;
        offset += seen;
    } while (n < max && seen == wanted);
    return (int)n;
}

static int update_status(struct ops_store *store, int64_t id, enum alert_status status,
                         const char *by, const char *now, struct err *err)
{
    switch (status) {
    case ALERT_OPEN:
        return db_run(store->db,
                      "UPDATE monitoring_alerts SET status = 'open', acknowledged_at = NULL,"
                      " fixed_at = NULL, acked_by = '' WHERE id = ?",
                      DB_VALUES(DB_I64(id)), err);
    case ALERT_ACKNOWLEDGED:
        return db_run(store->db,
                      "UPDATE monitoring_alerts SET status = 'acknowledged', acknowledged_at = ?,"
                      " fixed_at = NULL, acked_by = ? WHERE id = ?",
                      DB_VALUES(DB_TEXT_C(now), DB_TEXT(row_cut(by, 64)), DB_I64(id)), err);
    case ALERT_FIXED:
        return db_run(store->db,
                      "UPDATE monitoring_alerts SET status = 'fixed', fixed_at = ? WHERE id = ?",
                      DB_VALUES(DB_TEXT_C(now), DB_I64(id)), err);
    case ALERT_WONTFIX:
        return db_run(store->db,
                      "UPDATE monitoring_alerts SET status = 'wontfix',"
                      " acknowledged_at = coalesce(acknowledged_at, ?), acked_by = ? WHERE id = ?",
                      DB_VALUES(DB_TEXT_C(now), DB_TEXT(row_cut(by, 64)), DB_I64(id)), err);
    case ALERT_REJECTED:
        return db_run(store->db, "UPDATE monitoring_alerts SET status = 'rejected' WHERE id = ?",
                      DB_VALUES(DB_I64(id)), err);
    }
    return 0;
}

/* True for a status in which a fingerprint may have only one row. */
static bool is_live(enum alert_status status)
{
    return status == ALERT_OPEN || status == ALERT_ACKNOWLEDGED || status == ALERT_WONTFIX;
}

static int refuse_second_live(struct ops_store *store, const struct alert *alert, struct err *err)
{
    int64_t other = 0;
    int rc =
        db_get_i64(store->db,
                   "SELECT id FROM monitoring_alerts WHERE fingerprint = ? AND id <> ?"
                   " AND status IN ('open', 'acknowledged', 'wontfix')",
                   DB_VALUES(DB_TEXT_C(alert->fingerprint), DB_I64(alert->id)), 0, &other, err);
    if (rc == 0 && other != 0) {
        return err_set(err, ERR_STORE_DUPLICATE, "alert %lld is the same one, and not closed",
                       (long long)other);
    }
    return rc;
}

int alert_table_set_status(struct ops_store *store, int64_t id, enum alert_status status,
                           const char *by, int64_t now_us, struct err *err)
{
    struct stamp now = stamp_of(now_us);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc < 0 || (rc = alert_table_get(store, id, alert, err)) < 0) {
        return rc;
    }
    if (alert->status == status) {
        return 0;
    }
    if (is_live(status) && !is_live(alert->status)) {
        rc = refuse_second_live(store, alert, err);
    }
    if (rc == 0) {
        rc = update_status(store, id, status, by, now.text, err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int alert_table_close(struct ops_store *store, int64_t id, const struct alert_closing *how,
                      int64_t now_us, struct err *err)
{
    ASSERT(how->status == ALERT_FIXED || how->status == ALERT_WONTFIX);
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc == 0) {
        rc = alert_table_set_status(store, id, how->status, how->by, now_us, err);
    }
    if (rc == 0) {
        rc = db_run(store->db,
                    "UPDATE monitoring_alerts SET closed_by = ?, note = CASE ?2 WHEN '' THEN note"
                    " ELSE ?2 END WHERE id = ?3",
                    DB_VALUES(DB_TEXT(row_cut(how->by, 64)),
                              DB_TEXT(row_cut(how->note, ALERT_NOTE_SIZE)), DB_I64(id)),
                    err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int alert_table_closed_findings(struct ops_store *store, size_t offset, struct alert *ret,
                                size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      SELECT_ALERTS "source = 'auditor' AND status IN ('fixed', 'wontfix')"
                                    " ORDER BY coalesce(fixed_at, acknowledged_at) DESC, id DESC"
                                    " LIMIT ? OFFSET ?",
                      DB_VALUES(DB_I64((int64_t)max), DB_I64((int64_t)offset)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct err why = {0};
        rc = read_alert(rows, &ret[n], &why);
        n += left_out(&rc, &why, err) ? 0 : 1;
    }
    return rc < 0 ? rc : (int)n;
}

int alert_table_reopen(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    struct stamp now = stamp_of(now_us);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc < 0 || (rc = alert_table_get(store, id, alert, err)) < 0) {
        return rc;
    }
    if (alert->status != ALERT_FIXED) {
        return err_set(err, ERR_STORE_CONFLICT, "alert %lld is %s, not fixed", (long long)id,
                       alert_status_name(alert->status));
    }
    if ((rc = refuse_second_live(store, alert, err)) == 0) {
        rc = db_run(store->db,
                    "UPDATE monitoring_alerts SET status = 'open', reopened = reopened + 1,"
                    " last_seen_at = ?1, reopened_at = ?1, acknowledged_at = NULL,"
                    " fixed_at = NULL, acked_by = '', notified = 0 WHERE id = ?2",
                    DB_VALUES(DB_TEXT_C(now.text), DB_I64(id)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int alert_table_set_notified(struct ops_store *store, int64_t id, struct err *err)
{
    return row_update(store->db, "UPDATE monitoring_alerts SET notified = 1 WHERE id = ?",
                      DB_VALUES(DB_I64(id)), ERR_STORE_NOT_FOUND, "alert", id, err);
}

int alert_table_counts(struct ops_store *store, int64_t ret_by_severity[SEVERITY_CRITICAL + 1],
                       struct err *err)
{
    memset(ret_by_severity, 0, sizeof(int64_t) * (SEVERITY_CRITICAL + 1));
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT severity, count(*) FROM monitoring_alerts"
                      " WHERE status IN ('open', 'acknowledged') GROUP BY severity",
                      DB_NO_VALUES, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        enum severity severity = SEVERITY_INFO;
        struct err why = {0};
        struct row row = {.rows = rows};
        ROW_WORD(&row, severity, &severity);
        int64_t count = row_i64(&row);
        rc = row_check(&row, "monitoring_alerts", 0, &why);
        ret_by_severity[severity] += left_out(&rc, &why, err) ? 0 : count;
    }
    return rc < 0 ? rc : 0;
}

int alert_table_count_since(struct ops_store *store, int64_t since_us, int64_t *ret,
                            struct err *err)
{
    AUTO_BUF struct buf iso = BUF_INIT(40);
    clock_add_iso(&iso, since_us, false);
    return db_get_i64(store->db,
                      "SELECT count(*) FROM monitoring_alerts WHERE created_at >= ?"
                      " AND severity IN ('medium', 'high', 'critical') AND status <> 'rejected'",
                      DB_VALUES(DB_TEXT(buf_str(&iso))), 0, ret, err);
}

#define FINDINGS                                                                           \
    "source = 'auditor' AND fingerprint NOT IN ('auditor:no-verdict', 'auditor:unproven'," \
    " 'auditor:overdue')"

int alert_table_findings(struct ops_store *store, int64_t since_us, struct alert_findings *ret,
                         struct err *err)
{
    struct stamp since = stamp_of(since_us);
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT coalesce(sum(status <> 'rejected' AND created_at >= ?1), 0),"
                           " coalesce(sum(status = 'fixed' AND fixed_at >= ?1), 0),"
                           " coalesce(sum(status = 'wontfix' AND acknowledged_at >= ?1), 0),"
                           " coalesce(sum(reopened_at >= ?1), 0),"
                           " coalesce(sum(status = 'rejected' AND last_seen_at >= ?1), 0),"
                           " coalesce(sum(status IN ('open', 'acknowledged')), 0)"
                           " FROM monitoring_alerts WHERE " FINDINGS,
                           DB_VALUES(DB_TEXT_C(since.text)), &row, err);
    if (rc < 0) {
        return rc;
    }
    *ret = (struct alert_findings){.found = row_i64(&row),
                                   .fixed = row_i64(&row),
                                   .wontfix = row_i64(&row),
                                   .reopened = row_i64(&row),
                                   .rejected = row_i64(&row),
                                   .open = row_i64(&row)};
    return row_check(&row, "monitoring_alerts", 0, err);
}

/* ------------------------------------------------------------------ causes */

int alert_table_caused_by(struct ops_store *store, const char *fingerprint, int64_t *ret_ids,
                          size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    size_t n = 0;
    int rc = db_query(store->db,
                      "SELECT id FROM monitoring_alerts WHERE cause = ?1 AND cause <> ''"
                      " AND " OPEN " AND fingerprint <> ?1 ORDER BY id LIMIT ?2",
                      DB_VALUES(DB_TEXT_C(fingerprint), DB_I64((int64_t)max)), &rows, err);
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret_ids[n++] = db_i64(rows, 0);
    }
    return rc < 0 ? rc : (int)n;
}

int alert_table_set_due(struct ops_store *store, int64_t id, int64_t due_us, struct err *err)
{
    return row_update(store->db, "UPDATE monitoring_alerts SET due_us = ? WHERE id = ?",
                      DB_VALUES(DB_I64(due_us), DB_I64(id)), ERR_STORE_NOT_FOUND, "alert", id, err);
}

int alert_table_get_due(struct ops_store *store, int64_t id, int64_t *ret_us, struct err *err)
{
    return db_get_i64(store->db, "SELECT due_us FROM monitoring_alerts WHERE id = ?",
                      DB_VALUES(DB_I64(id)), 0, ret_us, err);
}

int alert_table_due(struct ops_store *store, int64_t now_us, int64_t *ret_ids, size_t max,
                    struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    size_t n = 0;
    int rc = db_query(store->db,
                      "SELECT id FROM monitoring_alerts WHERE due_us > 0 AND due_us <= ?"
                      " ORDER BY due_us LIMIT ?",
                      DB_VALUES(DB_I64(now_us), DB_I64((int64_t)max)), &rows, err);
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret_ids[n++] = db_i64(rows, 0);
    }
    return rc < 0 ? rc : (int)n;
}

int alert_table_set_severity(struct ops_store *store, int64_t id, enum severity severity,
                             struct err *err)
{
    return row_update(store->db, "UPDATE monitoring_alerts SET severity = ? WHERE id = ?",
                      DB_VALUES(DB_TEXT_C(severity_name(severity)), DB_I64(id)),
                      ERR_STORE_NOT_FOUND, "alert", id, err);
}

int alert_table_of_command(struct ops_store *store, int64_t run_id, int64_t *ret_ids, size_t max,
                           struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    size_t n = 0;
    int rc = db_query(store->db,
                      "SELECT a.id FROM monitoring_alerts a JOIN command_runs b ON b.id = a.run_id"
                      " JOIN command_runs r ON r.id = ?1 WHERE " OPEN_A " AND a.run_id < ?1"
                      " AND b.command = r.command AND b.args = r.args ORDER BY a.id LIMIT ?2",
                      DB_VALUES(DB_I64(run_id), DB_I64((int64_t)max)), &rows, err);
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret_ids[n++] = db_i64(rows, 0);
    }
    return rc < 0 ? rc : (int)n;
}

int alert_table_least(struct ops_store *store, int64_t beyond, int64_t except_id, int64_t *ret_id,
                      struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT id FROM monitoring_alerts WHERE " OPEN " AND id <> ?2"
                      " AND (SELECT count(*) FROM monitoring_alerts WHERE " OPEN ") > ?1"
                      " ORDER BY (" SEVERITY_RANK "), id LIMIT 1",
                      DB_VALUES(DB_I64(beyond), DB_I64(except_id)), 0, ret_id, err);
}

/* Alerts, findings, audits, the model, services, errors, commands and incidents of a period. */
#include "base/check.h"
#include "base/clock.h"
#include "measure_internal.h"

#include <string.h>

/* Rows of name, time, amount and another number, each counted in all and in its group. */
static int count_rows(struct db *db, const char *sql, const struct measure_query *q,
                      struct measure_result *ret, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, DB_VALUES(DB_I64(q->from_us), DB_I64(q->to_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        char name[MEASURE_NAME_SIZE];
        int64_t at_us = db_i64(rows, 1);
        measure_time_name(q, at_us, name);
        struct str group = q->by == MEASURE_BY_DAY ? str_c(name) : db_text(rows, 0);
        struct measure_sum *sums[2] = {&ret->all, measure_group(ret, group)};
        for (int i = 0; i < 2; i++) {
            sums[i]->first_us = sums[i]->count == 0 ? at_us : sums[i]->first_us;
            sums[i]->last_us = at_us;
            sums[i]->count++;
            sums[i]->amount =
                db_is_null(rows, 2) ? sums[i]->amount : dec_add(sums[i]->amount, db_dec(rows, 2));
            sums[i]->other += db_i64(rows, 3);
        }
    }
    return rc < 0 ? rc : 0;
}

#define US_OF(column) "CAST(strftime('%s', " column ") AS INTEGER) * 1000000"
#define ISO(us)       "strftime('%Y-%m-%dT%H:%M:%SZ', " us " / 1000000, 'unixepoch')"

static const char *sql_of(enum measure_kind kind)
{
    switch (kind) {
    case MEASURE_OF_ALERTS:
        return "SELECT severity, " US_OF(
            "created_at") ", NULL, status = 'open'"
                          " FROM monitoring_alerts WHERE source <> 'auditor'"
                          " AND created_at >= " ISO("?1") " AND created_at < " ISO(
                              "?2") " ORDER BY 2";
    case MEASURE_OF_FINDINGS:
        return "SELECT severity, " US_OF(
            "created_at") ", NULL, status = 'open'"
                          " FROM monitoring_alerts WHERE source = 'auditor' AND status <> "
                          "'rejected'"
                          " AND created_at >= " ISO("?1") " AND created_at < " ISO(
                              "?2") " ORDER BY 2";
    case MEASURE_OF_MODEL:
        return "SELECT model, at_us, cost_usd, cost_usd IS NULL FROM llm_calls"
               " WHERE at_us >= ?1 AND at_us < ?2 ORDER BY 2";
    case MEASURE_OF_COMMANDS:
        return "SELECT command, created_us, NULL, error_code <> '' FROM command_runs"
               " WHERE created_us >= ?1 AND created_us < ?2 ORDER BY 2";
    case MEASURE_OF_INCIDENTS:
        return "SELECT a.severity, i.opened_us, NULL, i.closed_us = 0 FROM incidents i"
               " JOIN monitoring_alerts a ON a.id = i.id WHERE i.merged_into = 0"
               " AND i.opened_us >= ?1 AND i.opened_us < ?2 ORDER BY 2";
    case MEASURE_OF_ERRORS:
        return "SELECT 'engine', " US_OF(
            "last_seen_at") ", NULL, 0 FROM monitoring_alerts"
                            " WHERE source = 'engine' AND fingerprint LIKE 'engine:%'"
                            " AND last_seen_at >= " ISO("?1") " AND last_seen_at < " ISO(
                                "?2") " UNION ALL SELECT 'failed commands', created_us, NULL, 0 "
                                      "FROM command_runs"
                                      " WHERE error_code <> '' AND created_us >= ?1 AND created_us "
                                      "< ?2"
                                      " UNION ALL SELECT 'failed checks', at_us, NULL, 0 FROM "
                                      "service_samples"
                                      " WHERE up = 0 AND at_us >= ?1 AND at_us < ?2"
                                      " UNION ALL SELECT 'failed calls of the model', at_us, NULL, "
                                      "0 FROM llm_calls"
                                      " WHERE error_code <> '' AND at_us >= ?1 AND at_us < ?2 "
                                      "ORDER BY 2";
    case MEASURE_OF_TRADES:
    case MEASURE_OF_EQUITY:
    case MEASURE_OF_SLIPPAGE:
    case MEASURE_OF_FUNDING:
    case MEASURE_OF_DECISIONS:
    case MEASURE_OF_AUDITS:
    case MEASURE_OF_CHECKS:
        break;
    }
    return "";
}

/* ------------------------------------------------------------------ audits */

static int read_audits(struct db *db, const struct measure_query *q, struct measure_result *ret,
                       struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db,
                      "SELECT id, finished_us, verdict, info + low + medium + high + critical"
                      " FROM audits WHERE finished_us >= ?1 AND finished_us < ?2"
                      " ORDER BY finished_us DESC, id DESC",
                      DB_VALUES(DB_I64(q->from_us), DB_I64(q->to_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        int64_t at_us = db_i64(rows, 1);
        ret->all.last_us = ret->all.count == 0 ? at_us : ret->all.last_us;
        ret->all.first_us = at_us;
        ret->all.count++;
        ret->all.other += db_i64(rows, 3);
        if (q->by == MEASURE_BY_DAY) {
            char name[MEASURE_NAME_SIZE];
            measure_time_name(q, at_us, name);
            measure_group(ret, str_c(name))->count++;
        }
        if (ret->audit_count < MEASURE_AUDITS_MAX) {
            struct measure_audit *audit = &ret->audits[ret->audit_count++];
            audit->id = db_i64(rows, 0);
            audit->finished_us = at_us;
            audit->findings = db_i64(rows, 3);
            str_cut(db_text(rows, 2), audit->verdict, sizeof(audit->verdict));
        }
    }
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ checks of services */

/* A service that fails is down from its first failed check to the next that succeeds, or to the
 * last one of the period. */
struct outage {
    char service[MEASURE_NAME_SIZE];
    int64_t since_us; /* 0: it is up */
    int64_t last_us;
};

static void end_outage(const struct measure_query *q, struct measure_result *ret, struct outage *o,
                       int64_t at_us)
{
    if (o->since_us == 0) {
        return;
    }
    int64_t us = at_us - o->since_us;
    char name[MEASURE_NAME_SIZE];
    measure_time_name(q, o->since_us, name);
    struct measure_sum *sums[2] = {
        &ret->all, measure_group(ret, q->by == MEASURE_BY_DAY ? str_c(name) : str_c(o->service))};
    for (int i = 0; i < 2; i++) {
        sums[i]->outages++;
        sums[i]->out_us += us;
        sums[i]->longest_out_us = us > sums[i]->longest_out_us ? us : sums[i]->longest_out_us;
    }
    o->since_us = 0;
}

static int read_checks(struct db *db, const struct measure_query *q, struct measure_result *ret,
                       struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct outage outage = {0};
    int rc = db_query(db,
                      "SELECT service, at_us, up FROM service_samples WHERE at_us >= ?1"
                      " AND at_us < ?2 AND (?3 = '' OR service = ?3) ORDER BY service, at_us, id",
                      DB_VALUES(DB_I64(q->from_us), DB_I64(q->to_us), DB_TEXT_C(q->service)), &rows,
                      err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        int64_t at_us = db_i64(rows, 1);
        bool up = db_i64(rows, 2) != 0;
        char name[MEASURE_NAME_SIZE];
        if (!str_equal_c(db_text(rows, 0), outage.service)) {
            end_outage(q, ret, &outage, outage.last_us);
            str_cut(db_text(rows, 0), outage.service, sizeof(outage.service));
        }
        measure_time_name(q, at_us, name);
        struct measure_sum *sums[2] = {
            &ret->all,
            measure_group(ret, q->by == MEASURE_BY_DAY ? str_c(name) : db_text(rows, 0))};
        for (int i = 0; i < 2; i++) {
            bool first = sums[i]->count == 0 || at_us < sums[i]->first_us;
            sums[i]->first_us = first ? at_us : sums[i]->first_us;
            sums[i]->last_us = at_us > sums[i]->last_us ? at_us : sums[i]->last_us;
            sums[i]->count++;
            sums[i]->wins += up;
        }
        if (up) {
            end_outage(q, ret, &outage, at_us);
        } else if (outage.since_us == 0) {
            outage.since_us = at_us;
        }
        outage.last_us = at_us;
    }
    end_outage(q, ret, &outage, outage.last_us);
    return rc < 0 ? rc : 0;
}

int measure_ops(struct db *db, const struct measure_query *q, struct measure_result *ret,
                struct err *err)
{
    if (q->kind == MEASURE_OF_AUDITS) {
        return read_audits(db, q, ret, err);
    }
    return q->kind == MEASURE_OF_CHECKS ? read_checks(db, q, ret, err)
                                        : count_rows(db, sql_of(q->kind), q, ret, err);
}

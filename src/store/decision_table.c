#include "store/decision_table.h"

#include "base/check.h"
#include "io/json.h"
#include "model/model_json.h"
#include "row.h"

#include <math.h>
#include <stdio.h>

#define COLUMNS                                                                      \
    "id, symbol, at_us, price, regime, votes, score, threshold, direction, outcome," \
    " veto_code, veto_text, veto_max_qty, client_id, qty, stop, target, rules"
/* Ids separated by spaces. */
#define RULES_SIZE (DECISION_RULES_MAX * 21)

/* Eight votes of eight reasons with 17 digits and the longest names are under 16 KiB. */
static const struct json_limits votes_limits = {.max_bytes = (size_t)32 * 1024, .max_depth = 6};

/* ---------------------------------------------------------------- rows */

static const char *rules_text(const struct decision *d, char dst[RULES_SIZE])
{
    int at = 0;
    dst[0] = '\0';
    for (int i = 0; i < d->rule_count; i++) {
        at += snprintf(dst + at, (size_t)(RULES_SIZE - at), "%s%lld", i > 0 ? " " : "",
                       (long long)d->rule_ids[i]);
    }
    return dst;
}

int decision_table_add(struct trading_store *store, const struct decision *d, struct err *err)
{
    ASSERT(d->id > 0 && d->vote_count >= 0 && d->vote_count <= VOTES_MAX && d->rule_count >= 0 &&
           d->rule_count <= DECISION_RULES_MAX);
    char rules[RULES_SIZE];
    buf_clear(&store->scratch);
    struct json_out votes = JSON_OUT(&store->scratch);
    model_json_votes(&votes, NULL, d);
    if (buf_failed(&store->scratch)) {
        return err_set(err, ERR_STORE_TOO_LONG, "votes of decision %lld", (long long)d->id);
    }
    return db_run(
        store->db,
        "INSERT INTO decisions(" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?)",
        DB_VALUES(DB_I64(d->id), DB_TEXT_C(d->symbol.name), DB_I64(d->at_us), DB_DEC(d->price),
                  DB_TEXT_C(regime_name(d->regime)), DB_TEXT(buf_str(&store->scratch)),
                  DB_DOUBLE(d->score), DB_DOUBLE(d->threshold),
                  DB_TEXT_C(direction_name(d->direction)), DB_TEXT_C(outcome_name(d->outcome)),
                  DB_TEXT_C(d->veto_code), DB_TEXT_C(d->veto_text), DB_DEC(d->veto_max_qty),
                  DB_TEXT_C(d->client_id), DB_DEC(d->qty), DB_DEC(d->stop), DB_DEC(d->target),
                  DB_TEXT_C(rules_text(d, rules))),
        err);
}

static bool read_vote(const struct json_object *json, struct vote *ret)
{
    struct json_object *reasons = json_get(json, "reasons");
    size_t count = json_len(reasons);
    if (count > REASONS_MAX || !str_copy(json_str(json, "agent"), ret->agent, sizeof(ret->agent)) ||
        !direction_parse(json_str(json, "direction"), &ret->direction)) {
        return false;
    }
    ret->confidence = json_double(json, "confidence", NAN);
    ret->weight = json_double(json, "weight", NAN);
    ret->reason_count = (int)count;
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_item(reasons, i);
        struct reason *reason = &ret->reasons[i];
        if (!str_copy(json_str(item, "indicator"), reason->indicator, sizeof(reason->indicator))) {
            return false;
        }
        reason->value = json_double(item, "value", NAN);
        reason->threshold = json_double(item, "threshold", NAN);
        reason->points = json_double(item, "points", NAN);
    }
    return true;
}

static bool read_votes(struct str text, struct decision *ret)
{
    AUTO_JSON struct json_object *votes = NULL;
    if (json_parse(text, &votes_limits, &votes, NULL) < 0 || !json_is_array(votes) ||
        json_len(votes) > VOTES_MAX) {
        return false;
    }
    ret->vote_count = (int)json_len(votes);
    for (int i = 0; i < ret->vote_count; i++) {
        if (!read_vote(json_item(votes, (size_t)i), &ret->votes[i])) {
            return false;
        }
    }
    return true;
}

/* Rows written before rules existed have none. */
static bool read_rules(struct str text, struct decision *ret)
{
    struct str word;
    while (str_word(&text, &word)) {
        if (ret->rule_count == DECISION_RULES_MAX ||
            !str_to_i64(word, &ret->rule_ids[ret->rule_count])) {
            return false;
        }
        ret->rule_count++;
    }
    return true;
}

static int read_decision(struct db_rows *rows, struct decision *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct decision){0};
    ret->id = row_i64(&row);
    ret->symbol = row_symbol(&row);
    ret->at_us = row_i64(&row);
    ret->price = row_dec(&row);
    ROW_WORD(&row, regime, &ret->regime);
    row.damaged = !read_votes(row_str(&row), ret) || row.damaged;
    ret->score = row_double(&row);
    ret->threshold = row_double(&row);
    ROW_WORD(&row, direction, &ret->direction);
    ROW_WORD(&row, outcome, &ret->outcome);
    row_text(&row, ret->veto_code, sizeof(ret->veto_code));
    row_text(&row, ret->veto_text, sizeof(ret->veto_text));
    ret->veto_max_qty = row_dec(&row);
    row_text(&row, ret->client_id, sizeof(ret->client_id));
    ret->qty = row_dec(&row);
    ret->stop = row_dec(&row);
    ret->target = row_dec(&row);
    row.damaged = !read_rules(row_str(&row), ret) || row.damaged;
    return row_check(&row, "decisions", ret->id, err);
}

static int get_one(struct trading_store *store, const char *sql, struct db_value value,
                   const char *what, struct decision *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, sql, &value, 1, &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "%.60s", what);
    }
    return rc < 0 ? rc : read_decision(row.rows, ret, err);
}

int decision_table_get(struct trading_store *store, int64_t id, struct decision *ret,
                       struct err *err)
{
    AUTO_BUF struct buf what = BUF_INIT(64);
    buf_addf(&what, "decision %lld", (long long)id);
    return get_one(store, "SELECT " COLUMNS " FROM decisions WHERE id = ?", DB_I64(id), what.data,
                   ret, err);
}

int decision_table_last(struct trading_store *store, struct symbol symbol, struct decision *ret,
                        struct err *err)
{
    if (symbol.name[0] == '\0') {
        return get_one(store,
                       "SELECT " COLUMNS " FROM decisions WHERE ? IS NOT NULL"
                       " ORDER BY id DESC LIMIT 1",
                       DB_I64(0), "no decision yet", ret, err);
    }
    return get_one(store,
                   "SELECT " COLUMNS " FROM decisions WHERE symbol = ? ORDER BY id DESC LIMIT 1",
                   DB_TEXT_C(symbol.name), "no decision for this symbol yet", ret, err);
}

int decision_table_of_order(struct trading_store *store, const char *client_id,
                            struct decision *ret, struct err *err)
{
    return get_one(store,
                   "SELECT " COLUMNS " FROM decisions WHERE client_id = ? AND client_id <> ''"
                   " ORDER BY id DESC LIMIT 1",
                   DB_TEXT_C(client_id), "no decision led to this order", ret, err);
}

int decision_table_list(struct trading_store *store, const struct decision_query *query,
                        struct decision *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT " COLUMNS " FROM decisions WHERE at_us >= ?1"
                      " AND (?2 = '' OR symbol = ?2) AND (?3 = 0 OR outcome <> 'hold')"
                      " AND (?6 = 0 OR at_us < ?6) AND (?7 = 0 OR id < ?7)"
                      " AND (?8 IS NULL OR outcome = ?8)"
                      " ORDER BY id DESC LIMIT ?4 OFFSET ?5",
                      DB_VALUES(DB_I64(query->since_us), DB_TEXT_C(query->symbol.name),
                                DB_I64(query->skip_holds), DB_I64((int64_t)max),
                                DB_I64((int64_t)query->offset), DB_I64(query->until_us),
                                DB_I64(query->before_id), DB_TEXT_OR_NULL(query->outcome)),
                      &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_decision(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

static int list_after(struct trading_store *store, const char *sql, int64_t after_id,
                      struct decision *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc =
        db_query(store->db, sql, DB_VALUES(DB_I64(after_id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_decision(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int decision_table_after(struct trading_store *store, int64_t after_id, struct decision *ret,
                         size_t max, struct err *err)
{
    return list_after(store, "SELECT " COLUMNS " FROM decisions WHERE id > ? ORDER BY id LIMIT ?",
                      after_id, ret, max, err);
}

int decision_table_vetoed(struct trading_store *store, int64_t after_id, struct decision *ret,
                          size_t max, struct err *err)
{
    return list_after(store,
                      "SELECT " COLUMNS " FROM decisions WHERE id > ? AND outcome = 'vetoed'"
                      " ORDER BY id LIMIT ?",
                      after_id, ret, max, err);
}

int decision_table_each(struct trading_store *store, int64_t since_us, decision_row_fn fn,
                        void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct decision decision;
    int rc = db_query(store->db, "SELECT " COLUMNS " FROM decisions WHERE at_us >= ? ORDER BY id",
                      DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        rc = read_decision(rows, &decision, err);
        rc = rc < 0 ? rc : fn(&decision, userdata, err);
    }
    return rc < 0 ? rc : 0;
}

int decision_table_counts(struct trading_store *store, int64_t since_us,
                          struct decision_counts *ret, struct err *err)
{
    *ret = (struct decision_counts){0};
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT total(outcome = 'hold'), total(outcome = 'vetoed'),"
                           " total(outcome = 'order') FROM decisions WHERE at_us >= ?",
                           DB_VALUES(DB_I64(since_us)), &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->holds = db_i64(row.rows, 0);
    ret->vetoed = db_i64(row.rows, 1);
    ret->orders = db_i64(row.rows, 2);
    AUTO_DB_ROWS struct db_rows *codes = NULL;
    rc = db_query(store->db,
                  "SELECT veto_code, count(*) FROM decisions WHERE at_us >= ?"
                  " AND veto_code <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
                  DB_VALUES(DB_I64(since_us), DB_I64(DECISION_VETO_CODES)), &codes, err);
    while (rc >= 0 && ret->code_count < DECISION_VETO_CODES && (rc = db_next(codes, err)) > 0) {
        struct row code = {.rows = codes};
        row_text(&code, ret->codes[ret->code_count].code, sizeof(ret->codes[0].code));
        ret->codes[ret->code_count].count = row_i64(&code);
        ret->code_count++;
    }
    return rc < 0 ? rc : 0;
}

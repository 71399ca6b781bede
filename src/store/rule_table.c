#include "store/rule_table.h"

#include "row.h"

#include <string.h>

#define RULE_COLUMNS                                                                 \
    "id, status, effect, condition, help, success_count, failure_count, created_us," \
    " created_by, updated_us"
#define SHADOW_COLUMNS "id, rule_id, decision_id, symbol, side, entry, stop, target, at_us"

static int write_rule(struct trading_store *store, const struct rule *r, struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO trading_rules(" RULE_COLUMNS
                  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  DB_VALUES(DB_I64(r->id), DB_TEXT_C(rule_status_name(r->status)),
                            DB_TEXT_C(rule_effect_name(r->effect)), DB_TEXT_C(r->condition),
                            DB_TEXT_C(r->help), DB_I64(r->success_count), DB_I64(r->failure_count),
                            DB_I64(r->created_us), DB_TEXT_C(r->created_by), DB_I64(r->updated_us)),
                  err);
}

static int write_shadow(struct trading_store *store, const struct rule_shadow *s, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO rule_shadows(" SHADOW_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  DB_VALUES(DB_I64(s->id), DB_I64(s->rule_id), DB_I64(s->decision_id),
                            DB_TEXT_C(s->symbol.name), DB_TEXT_C(side_name(s->side)),
                            DB_DEC(s->entry), DB_DEC(s->stop), DB_DEC(s->target), DB_I64(s->at_us)),
                  err);
}

int rule_table_save(struct trading_store *store, const struct rule_book *book, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    for (int i = 0; i < book->rule_count && rc >= 0; i++) {
        rc = write_rule(store, &book->rules[i], err);
    }
    if (rc >= 0) {
        rc = db_run(store->db, "DELETE FROM rule_shadows WHERE ? IS NOT NULL", DB_VALUES(DB_I64(0)),
                    err);
    }
    for (int i = 0; i < book->shadow_count && rc >= 0; i++) {
        rc = write_shadow(store, &book->shadows[i], err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

static int read_rule(struct db_rows *rows, struct rule *ret, struct err *err)
{
    struct row row = {.rows = rows};
    struct condition program;
    *ret = (struct rule){0};
    ret->id = row_i64(&row);
    ROW_WORD(&row, rule_status, &ret->status);
    ROW_WORD(&row, rule_effect, &ret->effect);
    row_text(&row, ret->condition, sizeof(ret->condition));
    row_text(&row, ret->help, sizeof(ret->help));
    ret->success_count = row_i64(&row);
    ret->failure_count = row_i64(&row);
    ret->created_us = row_i64(&row);
    row_text(&row, ret->created_by, sizeof(ret->created_by));
    ret->updated_us = row_i64(&row);
    struct err why = {0};
    if (ret->id <= 0 || condition_compile(str_c(ret->condition), &program, &why) < 0) {
        return err_set(err, ERR_STORE_DAMAGED, "trading_rules, row %lld, %.150s",
                       (long long)ret->id, why.context);
    }
    return row_check(&row, "trading_rules", ret->id, err);
}

static int read_shadow(struct db_rows *rows, struct rule_shadow *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct rule_shadow){0};
    ret->id = row_i64(&row);
    ret->rule_id = row_i64(&row);
    ret->decision_id = row_i64(&row);
    ret->symbol = row_symbol(&row);
    ROW_WORD(&row, side, &ret->side);
    ret->entry = row_dec(&row);
    ret->stop = row_dec(&row);
    ret->target = row_dec(&row);
    ret->at_us = row_i64(&row);
    row.damaged = row.damaged || !dec_is_valid(ret->stop) || !dec_is_valid(ret->target);
    return row_check(&row, "rule_shadows", ret->id, err);
}

static int load_rules(struct trading_store *store, struct rule_book *ret, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT " RULE_COLUMNS " FROM trading_rules WHERE status <> 'retired'"
                      " ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64(RULES_MAX + 1)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        if (ret->rule_count == RULES_MAX) {
            return err_set(err, ERR_RULE_TABLE_FULL, "trading_rules holds more than %d", RULES_MAX);
        }
        rc = read_rule(rows, &ret->rules[ret->rule_count], err);
        ret->rule_count += rc >= 0;
    }
    return rc;
}

static int load_shadows(struct trading_store *store, struct rule_book *ret, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, "SELECT " SHADOW_COLUMNS " FROM rule_shadows ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64(SHADOWS_MAX)), &rows, err);
    while (rc >= 0 && ret->shadow_count < SHADOWS_MAX && (rc = db_next(rows, err)) > 0) {
        struct rule_shadow *s = &ret->shadows[ret->shadow_count];
        rc = read_shadow(rows, s, err);
        if (rc >= 0) {
            ret->shadow_count++;
            ret->last_shadow_id = s->id;
        }
    }
    return rc;
}

int rule_table_load(struct trading_store *store, struct rule_book *ret, struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    int rc = load_rules(store, ret, err);
    if (rc >= 0) {
        rc = load_shadows(store, ret, err);
    }
    if (rc < 0) {
        return rc;
    }
    AUTO_ROW struct row row = {0};
    rc = row_query_one(store->db, "SELECT coalesce(max(id), ?) FROM trading_rules",
                       DB_VALUES(DB_I64(0)), &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->last_rule_id = row_i64(&row);
    return 0;
}

int rule_table_list(struct trading_store *store, const struct rule_query *query, struct rule *ret,
                    size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT " RULE_COLUMNS " FROM trading_rules WHERE (?1 = 0 OR id = ?1)"
                      " AND (?2 <> 0 OR status <> 'retired') AND (?4 IS NULL OR condition = ?4)"
                      " AND (?5 = 0 OR id < ?5)"
                      " ORDER BY id DESC LIMIT ?3",
                      DB_VALUES(DB_I64(query->id), DB_I64(query->retired), DB_I64((int64_t)max),
                                DB_TEXT_OR_NULL(query->condition), DB_I64(query->before_id)),
                      &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_rule(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

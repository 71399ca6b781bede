#include "store/learning_table.h"

#include "base/check.h"
#include "row.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PART(prefix)                                                                     \
    prefix "_cases, " prefix "_wins, " prefix "_all_cases, " prefix "_all_wins, " prefix \
           "_return_pct, " prefix "_p"
#define COLUMNS                                                                                \
    "id, pattern, effect, text, confidence, outcome, cases, wins, return_pct, evidence,"       \
    " duplicates, review_id, " PART("formed") ", " PART("held") ", rule_id, note, created_us," \
                                                                " updated_us"
#define REVIEW_COLUMNS \
    "id, at_us, last_trade_id, trades, formed, held, tried, survivors, confirmed, level"
#define EVIDENCE_SIZE (LEARNING_EVIDENCE_MAX * 21)

static const char *const outcome_names[] = {
    [LEARNING_OBSERVED] = "observed", [LEARNING_WAITING] = "waiting",
    [LEARNING_REFUTED] = "refuted",   [LEARNING_CONFIRMED] = "confirmed",
    [LEARNING_TESTING] = "testing",   [LEARNING_ACTIVE] = "active",
    [LEARNING_RETIRING] = "retiring", [LEARNING_RETIRED] = "retired",
};

const char *learning_outcome_name(enum learning_outcome o)
{
    ASSERT((unsigned)o < COUNT_OF(outcome_names));
    return outcome_names[o];
}

bool learning_outcome_parse(struct str s, enum learning_outcome *ret)
{
    for (size_t i = 0; i < COUNT_OF(outcome_names); i++) {
        if (str_equal(s, str_c(outcome_names[i]))) {
            *ret = (enum learning_outcome)i;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ rows */

static const char *evidence_text(const struct learning *l, char dst[EVIDENCE_SIZE])
{
    int at = 0;
    dst[0] = '\0';
    for (int i = 0; i < l->evidence_count; i++) {
        at += snprintf(dst + at, (size_t)(EVIDENCE_SIZE - at), "%s%lld", i > 0 ? " " : "",
                       (long long)l->evidence[i]);
    }
    return dst;
}

static bool read_evidence(struct str text, struct learning *ret)
{
    struct str word;
    while (str_word(&text, &word)) {
        if (ret->evidence_count == LEARNING_EVIDENCE_MAX ||
            !str_to_i64(word, &ret->evidence[ret->evidence_count])) {
            return false;
        }
        ret->evidence_count++;
    }
    return true;
}

/* Letters in lower case, words separated by one blank; a figure is "#". Two texts that differ only
 * in figures, punctuation or case have the same wording. */
static void wording_of(const char *text, char dst[LEARNING_TEXT_SIZE])
{
    size_t len = 0;
    bool gap = false;
    for (const char *at = text; *at != '\0' && len + 2 < LEARNING_TEXT_SIZE; at++) {
        unsigned char c = (unsigned char)*at;
        bool digit = isdigit(c) != 0;
        bool within = (c == '.' || c == ',') && len > 0 && dst[len - 1] == '#' &&
                      isdigit((unsigned char)at[1]);
        if (within || (digit && len > 0 && dst[len - 1] == '#' && !gap)) {
            continue;
        }
        if (!digit && !isalpha(c) && c < 0x80) {
            gap = true;
            continue;
        }
        if (gap && len > 0) {
            dst[len++] = ' ';
        }
        gap = false;
        dst[len++] = digit ? '#' : (char)tolower(c);
    }
    dst[len] = '\0';
}

static void read_part(struct row *row, struct learning_part *ret)
{
    ret->cases = row_i64(row);
    ret->wins = row_i64(row);
    ret->all_cases = row_i64(row);
    ret->all_wins = row_i64(row);
    ret->return_pct = row_double(row);
    ret->p = row_double(row);
}

static int read_learning(struct db_rows *rows, struct learning *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct learning){.id = row_i64(&row)};
    row_text(&row, ret->pattern, sizeof(ret->pattern));
    ROW_WORD(&row, rule_effect, &ret->effect);
    row_text(&row, ret->text, sizeof(ret->text));
    ret->confidence = row_double(&row);
    ROW_WORD(&row, learning_outcome, &ret->outcome);
    ret->cases = row_i64(&row);
    ret->wins = row_i64(&row);
    ret->return_pct = row_double(&row);
    row.damaged = !read_evidence(row_str(&row), ret) || row.damaged;
    ret->duplicates = row_i64(&row);
    ret->review_id = row_i64(&row);
    read_part(&row, &ret->formed);
    read_part(&row, &ret->held);
    ret->rule_id = row_i64(&row);
    row_text(&row, ret->note, sizeof(ret->note));
    ret->created_us = row_i64(&row);
    ret->updated_us = row_i64(&row);
    return row_check(&row, "learnings", ret->id, err);
}

static int get_one(struct ops_store *store, const char *sql, struct db_value value,
                   struct learning *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, sql, &value, 1, &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "learning");
    }
    return rc < 0 ? rc : read_learning(row.rows, ret, err);
}

int learning_table_get(struct ops_store *store, int64_t id, struct learning *ret, struct err *err)
{
    return get_one(store, "SELECT " COLUMNS " FROM learnings WHERE id = ?", DB_I64(id), ret, err);
}

int learning_table_of_pattern(struct ops_store *store, const char *pattern, struct learning *ret,
                              struct err *err)
{
    return get_one(store, "SELECT " COLUMNS " FROM learnings WHERE pattern = ? AND pattern <> ''",
                   DB_TEXT_C(pattern), ret, err);
}

int learning_table_of_rule(struct ops_store *store, int64_t rule_id, struct learning *ret,
                           struct err *err)
{
    return get_one(store, "SELECT " COLUMNS " FROM learnings WHERE rule_id = ? AND rule_id <> 0",
                   DB_I64(rule_id), ret, err);
}

int learning_table_list(struct ops_store *store, const struct learning_query *query,
                        struct learning *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(
        store->db,
        "SELECT " COLUMNS
        " FROM learnings WHERE (?1 = '' OR outcome = ?1) ORDER BY CASE outcome WHEN 'active' THEN 0"
        " WHEN 'testing' THEN 1 WHEN 'confirmed' THEN 2 WHEN 'retiring' THEN 3"
        " WHEN 'waiting' THEN 4 WHEN 'observed' THEN 5 WHEN 'refuted' THEN 6 ELSE 7 END,"
        " confidence DESC, id DESC LIMIT ?2 OFFSET ?3",
        DB_VALUES(DB_TEXT_C(query->has_outcome ? learning_outcome_name(query->outcome) : ""),
                  DB_I64((int64_t)max), DB_I64((int64_t)query->offset)),
        &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_learning(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int learning_table_each(struct ops_store *store, learning_pattern_fn fn, void *userdata,
                        struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, "SELECT id, pattern FROM learnings WHERE pattern <> ''",
                      DB_NO_VALUES, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        char pattern[CONDITION_TEXT_SIZE];
        int64_t id = row_i64(&row);
        row_text(&row, pattern, sizeof(pattern));
        rc = row_check(&row, "learnings", id, err);
        rc = rc < 0 ? rc : fn(id, pattern, userdata, err);
    }
    return rc < 0 ? rc : 0;
}

int learning_table_live(struct ops_store *store, int64_t *ret_ids, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id FROM learnings WHERE outcome IN ('confirmed', 'testing', 'active',"
                      " 'retiring') ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret_ids[n++] = db_i64(rows, 0);
    }
    return rc < 0 ? rc : (int)n;
}

int learning_table_settled(struct ops_store *store, char (*ret)[CONDITION_TEXT_SIZE], size_t max,
                           struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT pattern FROM learnings WHERE pattern <> '' AND (rule_id <> 0"
                      " OR outcome = 'confirmed') ORDER BY id DESC LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        row_text(&row, ret[n++], CONDITION_TEXT_SIZE);
        rc = row_check(&row, "learnings", 0, err);
    }
    return rc < 0 ? rc : (int)n;
}

int learning_table_end_waiting(struct ops_store *store, int64_t review_id, int64_t now_us,
                               struct err *err)
{
    return db_run(store->db,
                  "UPDATE learnings SET outcome = 'observed', updated_us = ?2,"
                  " note = 'a later study did not find it again'"
                  " WHERE outcome = 'waiting' AND review_id <> ?1",
                  DB_VALUES(DB_I64(review_id), DB_I64(now_us)), err);
}

int learning_table_is_room(struct ops_store *store, bool *ret, struct err *err)
{
    int64_t count = 0;
    int rc = db_get_i64(store->db, "SELECT count(*) FROM learnings WHERE outcome = 'observed'",
                        DB_NO_VALUES, 0, &count, err);
    *ret = rc >= 0 && count < LEARNING_OBSERVED_MAX;
    return rc;
}

/* ------------------------------------------------------------------ writing */

int learning_table_save(struct ops_store *store, const struct learning *l, struct err *err)
{
    char evidence[EVIDENCE_SIZE];
    char wording[LEARNING_TEXT_SIZE];
    wording_of(l->text, wording);
    return row_update(
        store->db,
        "UPDATE learnings SET effect = ?, text = ?, wording = ?, confidence = ?, outcome = ?,"
        " cases = ?, wins = ?, return_pct = ?, evidence = ?, duplicates = ?, review_id = ?,"
        " formed_cases = ?, formed_wins = ?, formed_all_cases = ?, formed_all_wins = ?,"
        " formed_return_pct = ?, formed_p = ?, held_cases = ?, held_wins = ?, held_all_cases = ?,"
        " held_all_wins = ?, held_return_pct = ?, held_p = ?, rule_id = ?, note = ?,"
        " updated_us = ? WHERE id = ?",
        DB_VALUES(DB_TEXT_C(rule_effect_name(l->effect)), DB_TEXT_C(l->text), DB_TEXT_C(wording),
                  DB_DOUBLE(l->confidence), DB_TEXT_C(learning_outcome_name(l->outcome)),
                  DB_I64(l->cases), DB_I64(l->wins), DB_DOUBLE(l->return_pct),
                  DB_TEXT_C(evidence_text(l, evidence)), DB_I64(l->duplicates),
                  DB_I64(l->review_id), DB_I64(l->formed.cases), DB_I64(l->formed.wins),
                  DB_I64(l->formed.all_cases), DB_I64(l->formed.all_wins),
                  DB_DOUBLE(l->formed.return_pct), DB_DOUBLE(l->formed.p), DB_I64(l->held.cases),
                  DB_I64(l->held.wins), DB_I64(l->held.all_cases), DB_I64(l->held.all_wins),
                  DB_DOUBLE(l->held.return_pct), DB_DOUBLE(l->held.p), DB_I64(l->rule_id),
                  DB_TEXT_C(l->note), DB_I64(l->updated_us), DB_I64(l->id)),
        ERR_STORE_NOT_FOUND, "learning", l->id, err);
}

/* Keeps the newest. */
static void add_evidence(struct learning *to, const struct learning *from)
{
    for (int i = 0; i < from->evidence_count; i++) {
        bool known = false;
        for (int k = 0; k < to->evidence_count; k++) {
            known = known || to->evidence[k] == from->evidence[i];
        }
        if (known) {
            continue;
        }
        if (to->evidence_count == LEARNING_EVIDENCE_MAX) {
            memmove(&to->evidence[0], &to->evidence[1],
                    (LEARNING_EVIDENCE_MAX - 1) * sizeof(to->evidence[0]));
            to->evidence_count--;
        }
        to->evidence[to->evidence_count++] = from->evidence[i];
    }
}

static int find_same(struct ops_store *store, const struct learning *l, const char *wording,
                     struct learning *ret, struct err *err)
{
    int rc =
        l->pattern[0] != '\0'
            ? learning_table_of_pattern(store, l->pattern, ret, err)
            : get_one(store, "SELECT " COLUMNS " FROM learnings WHERE wording = ? AND pattern = ''",
                      DB_TEXT_C(wording), ret, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    return rc < 0 ? rc : 1;
}

static int insert(struct ops_store *store, const struct learning *l, const char *wording,
                  int64_t *ret_id, struct err *err)
{
    int rc = db_run(store->db,
                    "DELETE FROM learnings WHERE id IN (SELECT id FROM learnings WHERE rule_id = 0"
                    " AND outcome IN ('observed', 'refuted') ORDER BY updated_us, id LIMIT"
                    " max(0, (SELECT count(*) FROM learnings) + 1 - ?))",
                    DB_VALUES(DB_I64(LEARNINGS_MAX)), err);
    if (rc >= 0) {
        rc = db_run(store->db,
                    "INSERT INTO learnings(pattern, effect, text, wording, outcome, created_us,"
                    " updated_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                    DB_VALUES(DB_TEXT_C(l->pattern), DB_TEXT_C(rule_effect_name(l->effect)),
                              DB_TEXT_C(l->text), DB_TEXT_C(wording),
                              DB_TEXT_C(learning_outcome_name(l->outcome)), DB_I64(l->created_us)),
                    err);
    }
    if (rc < 0) {
        return rc;
    }
    struct learning added = *l;
    added.id = db_last_rowid(store->db);
    added.updated_us = l->created_us;
    *ret_id = added.id;
    return learning_table_save(store, &added, err);
}

int learning_table_merge(struct ops_store *store, const struct learning *learning, int64_t *ret_id,
                         bool *ret_new, struct err *err)
{
    char wording[LEARNING_TEXT_SIZE];
    struct learning same;
    AUTO_ROLLBACK struct db *own = NULL;
    wording_of(learning->text, wording);
    int rc = row_begin(store->db, &own, err);
    rc = rc < 0 ? rc : find_same(store, learning, wording, &same, err);
    if (rc < 0) {
        return rc;
    }
    *ret_new = rc == 0;
    if (rc == 0) {
        rc = insert(store, learning, wording, ret_id, err);
    } else {
        *ret_id = same.id;
        same.duplicates++;
        same.updated_us = learning->created_us;
        add_evidence(&same, learning);
        rc = learning_table_save(store, &same, err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

/* ------------------------------------------------------------------ reviews */

int learning_table_add_review(struct ops_store *store, const struct learning_review *r,
                              struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0) {
        rc = db_run(store->db,
                    "INSERT INTO learning_reviews(" REVIEW_COLUMNS
                    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    DB_VALUES(DB_I64(r->id), DB_I64(r->at_us), DB_I64(r->last_trade_id),
                              DB_I64(r->trades), DB_I64(r->formed), DB_I64(r->held),
                              DB_I64(r->tried), DB_I64(r->survivors), DB_I64(r->confirmed),
                              DB_DOUBLE(r->level)),
                    err);
    }
    if (rc >= 0) {
        rc = db_run(store->db, "DELETE FROM learning_reviews WHERE id <= ?",
                    DB_VALUES(DB_I64(r->id - LEARNING_REVIEWS_KEPT)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

static int read_review(struct row *row, struct learning_review *ret, struct err *err)
{
    *ret = (struct learning_review){.id = row_i64(row)};
    ret->at_us = row_i64(row);
    ret->last_trade_id = row_i64(row);
    ret->trades = row_i64(row);
    ret->formed = row_i64(row);
    ret->held = row_i64(row);
    ret->tried = row_i64(row);
    ret->survivors = row_i64(row);
    ret->confirmed = row_i64(row);
    ret->level = row_double(row);
    return row_check(row, "learning_reviews", ret->id, err);
}

int learning_table_get_review(struct ops_store *store, int64_t id, struct learning_review *ret,
                              struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc =
        row_query_one(store->db, "SELECT " REVIEW_COLUMNS " FROM learning_reviews WHERE id = ?",
                      DB_VALUES(DB_I64(id)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "study %lld", (long long)id);
    }
    return rc < 0 ? rc : read_review(&row, ret, err);
}

int learning_table_last_review(struct ops_store *store, struct learning_review *ret,
                               struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(
        store->db, "SELECT " REVIEW_COLUMNS " FROM learning_reviews ORDER BY id DESC LIMIT 1",
        DB_NO_VALUES, &row, err);
    *ret = (struct learning_review){0};
    return rc <= 0 ? rc : read_review(&row, ret, err);
}

int learning_table_clear(struct ops_store *store, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0) {
        rc = db_run(store->db, "DELETE FROM learnings", DB_NO_VALUES, err);
    }
    if (rc >= 0) {
        rc = db_run(store->db, "DELETE FROM learning_reviews", DB_NO_VALUES, err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

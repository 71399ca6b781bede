#include "store/sentiment_table.h"

#include "base/check.h"
#include "row.h"

static const char *const scorer_words[] = {[SENTIMENT_WAITS] = "waits",
                                           [SENTIMENT_NO_SCORE] = "none",
                                           [SENTIMENT_INDEX] = "index",
                                           [SENTIMENT_LEXICON] = "lexicon",
                                           [SENTIMENT_CLAUDE] = "claude"};

const char *sentiment_scorer_name(enum sentiment_scorer scorer)
{
    ASSERT((unsigned)scorer < COUNT_OF(scorer_words));
    return scorer_words[scorer];
}

static bool sentiment_scorer_parse(struct str s, enum sentiment_scorer *ret)
{
    for (unsigned i = 0; i < COUNT_OF(scorer_words); i++) {
        if (str_equal_c(s, scorer_words[i])) {
            *ret = (enum sentiment_scorer)i;
            return true;
        }
    }
    return false;
}

int sentiment_table_has(struct ops_store *store, const char *source, const char *key, bool *ret,
                        struct err *err)
{
    int64_t count = 0;
    int rc =
        db_get_i64(store->db, "SELECT count(*) FROM sentiment_items WHERE source = ? AND key = ?",
                   DB_VALUES(DB_TEXT_C(source), DB_TEXT_C(key)), 0, &count, err);
    *ret = count > 0;
    return rc < 0 ? rc : 0;
}

int sentiment_table_write(struct ops_store *store, const struct sentiment_item *item,
                          struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO sentiment_items(source, key, title, symbols, published_us,"
                  " received_us, scorer, score) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT(source, key) DO UPDATE SET title = excluded.title,"
                  " symbols = excluded.symbols, published_us = excluded.published_us,"
                  " received_us = excluded.received_us, scorer = excluded.scorer,"
                  " score = excluded.score",
                  DB_VALUES(DB_TEXT_C(item->source), DB_TEXT_C(item->key), DB_TEXT_C(item->title),
                            DB_TEXT_C(item->symbols), DB_I64(item->published_us),
                            DB_I64(item->received_us),
                            DB_TEXT_C(sentiment_scorer_name(item->scorer)), DB_DOUBLE(item->score)),
                  err);
}

int sentiment_table_load(struct ops_store *store, const char *source, int64_t since_us,
                         struct sentiment_item *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc =
        db_query(store->db,
                 "SELECT id, source, key, title, symbols, published_us, received_us,"
                 " scorer, score FROM sentiment_items WHERE source = ? AND received_us >= ?"
                 " ORDER BY received_us DESC, id DESC LIMIT ?",
                 DB_VALUES(DB_TEXT_C(source), DB_I64(since_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct sentiment_item *item = &ret[n];
        int64_t id = row_i64(&row);
        row_text(&row, item->source, sizeof(item->source));
        row_text(&row, item->key, sizeof(item->key));
        row_text(&row, item->title, sizeof(item->title));
        row_text(&row, item->symbols, sizeof(item->symbols));
        item->published_us = row_i64(&row);
        item->received_us = row_i64(&row);
        ROW_WORD(&row, sentiment_scorer, &item->scorer);
        item->score = row_double(&row);
        row.damaged = row.damaged || !(item->score >= -1 && item->score <= 1);
        n += row_check(&row, "sentiment_items", id, NULL) == 0 ? 1 : 0; /* it counts for nothing */
    }
    return rc < 0 ? rc : (int)n;
}

int sentiment_table_push(struct ops_store *store, const struct sentiment_point *point,
                         struct err *err)
{
    /* The newest value, if this one only confirms it before it has ended. */
    int rc =
        db_run(store->db,
               "UPDATE sentiment_values SET until_us = max(until_us, ?1) WHERE id ="
               " (SELECT id FROM sentiment_values WHERE symbol = ?2 ORDER BY at_us DESC, id"
               " DESC LIMIT 1) AND score IS ?3 AND (?3 IS NULL OR until_us >= ?4)",
               DB_VALUES(DB_I64(point->until_us), DB_TEXT_C(point->symbol.name),
                         point->known ? DB_DOUBLE(point->score) : DB_NULL, DB_I64(point->at_us)),
               err);
    if (rc < 0 || db_changes(store->db) > 0) {
        return rc < 0 ? rc : 0;
    }
    /* Before anything was known, nothing is unknown either. */
    return db_run(store->db,
                  "INSERT INTO sentiment_values(symbol, at_us, score, until_us)"
                  " SELECT ?1, ?2, ?3, ?4 WHERE ?3 IS NOT NULL OR EXISTS"
                  " (SELECT 1 FROM sentiment_values WHERE symbol = ?1)",
                  DB_VALUES(DB_TEXT_C(point->symbol.name), DB_I64(point->at_us),
                            point->known ? DB_DOUBLE(point->score) : DB_NULL,
                            DB_I64(point->until_us)),
                  err);
}

int sentiment_table_each(struct ops_store *store, int64_t since_us,
                         int (*fn)(const struct sentiment_point *point, void *userdata,
                                   struct err *err),
                         void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, symbol, at_us, score IS NOT NULL, coalesce(score, 0), until_us"
                      " FROM sentiment_values WHERE at_us >= ? ORDER BY at_us, id",
                      DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct sentiment_point point = {0};
        int64_t id = row_i64(&row);
        point.symbol = row_symbol(&row);
        point.at_us = row_i64(&row);
        point.known = row_bool(&row);
        point.score = row_double(&row);
        point.until_us = row_i64(&row);
        rc = row_check(&row, "sentiment_values", id, err);
        rc = rc < 0 ? rc : fn(&point, userdata, err);
    }
    return rc < 0 ? rc : 0;
}

int sentiment_table_prune(struct ops_store *store, int64_t items_us, int64_t values_us, int64_t max,
                          struct err *err)
{
    int rc = db_run(store->db,
                    "DELETE FROM sentiment_items WHERE id IN (SELECT id FROM sentiment_items"
                    " WHERE received_us < ? ORDER BY received_us LIMIT ?)",
                    DB_VALUES(DB_I64(items_us), DB_I64(max)), err);
    return rc < 0 ? rc
                  : db_run(store->db,
                           "DELETE FROM sentiment_values WHERE id IN (SELECT id FROM"
                           " sentiment_values WHERE at_us < ?1 AND until_us < ?1 ORDER BY at_us"
                           " LIMIT ?2)",
                           DB_VALUES(DB_I64(values_us), DB_I64(max)), err);
}

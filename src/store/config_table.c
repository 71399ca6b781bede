#include "store/config_table.h"

#include "base/check.h"
#include "io/secret.h"
#include "row.h"

#include <string.h>

#define COLUMNS "id, at_us, user, channel, why, hash, changes"

_Static_assert(sizeof(((struct config_version *)0)->hash) == SECRET_HASH_HEX_SIZE, "a hash fits");

void config_version_release(struct config_version *version)
{
    if (version != NULL) {
        free(version->changes);
        free(version->text);
        free(version->file);
        version->changes = version->text = version->file = NULL;
    }
}

static int delete_old(struct ops_store *store, struct err *err)
{
    return db_run(store->db,
                  "DELETE FROM config_versions WHERE id NOT IN"
                  " (SELECT id FROM config_versions ORDER BY id DESC LIMIT ?)",
                  DB_VALUES(DB_I64(CONFIG_VERSIONS_KEPT)), err);
}

int config_table_add(struct ops_store *store, const struct config_version *v, int64_t *ret_id,
                     struct err *err)
{
    char hash[SECRET_HASH_HEX_SIZE];
    ASSERT(v->changes != NULL && v->text != NULL && v->file != NULL);
    if (strlen(v->text) > CONFIG_VERSION_TEXT_MAX || strlen(v->changes) > CONFIG_VERSION_TEXT_MAX ||
        strlen(v->file) > CONFIG_VERSION_FILE_MAX) {
        return err_set(err, ERR_STORE_TOO_LONG, "configuration of %zu bytes", strlen(v->text));
    }
    secret_hash(NULL, str_c(v->text), hash);
    int rc = db_run(store->db,
                    "INSERT INTO config_versions(at_us, user, channel, why, hash, changes, text,"
                    " file) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    DB_VALUES(DB_I64(v->at_us), DB_TEXT_C(v->user), DB_TEXT_C(v->channel),
                              DB_TEXT_C(v->why), DB_TEXT_C(hash), DB_TEXT_C(v->changes),
                              DB_TEXT_C(v->text), DB_TEXT_C(v->file)),
                    err);
    if (rc < 0) {
        return rc;
    }
    *ret_id = db_last_rowid(store->db);
    return delete_old(store, err);
}

static int read_version(struct row *row, bool text, struct config_version *ret, struct err *err)
{
    *ret = (struct config_version){0};
    ret->id = row_i64(row);
    ret->at_us = row_i64(row);
    row_text(row, ret->user, sizeof(ret->user));
    row_text(row, ret->channel, sizeof(ret->channel));
    row_text(row, ret->why, sizeof(ret->why));
    row_text(row, ret->hash, sizeof(ret->hash));
    ret->changes = row_heap(row);
    if (text) {
        ret->text = row_heap(row);
        ret->file = row_heap(row);
    }
    return row_check(row, "config_versions", ret->id, err);
}

static int read_one(struct ops_store *store, const char *sql, int64_t id,
                    struct config_version *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, sql, DB_VALUES(DB_I64(id)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "configuration %lld", (long long)id);
    }
    return rc < 0 ? rc : read_version(&row, true, ret, err);
}

int config_table_get(struct ops_store *store, int64_t id, struct config_version *ret,
                     struct err *err)
{
    return read_one(store, "SELECT " COLUMNS ", text, file FROM config_versions WHERE id = ?", id,
                    ret, err);
}

int config_table_last(struct ops_store *store, struct config_version *ret, struct err *err)
{
    return read_one(store,
                    "SELECT " COLUMNS ", text, file FROM config_versions WHERE id >= ?"
                    " ORDER BY id DESC LIMIT 1",
                    0, ret, err);
}

int config_table_list(struct ops_store *store, struct config_version *ret, size_t max,
                      struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, "SELECT " COLUMNS " FROM config_versions ORDER BY id DESC LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        rc = read_version(&row, false, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

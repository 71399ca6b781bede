#include "store/audit_chain.h"

#include "base/check.h"
#include "row.h"

#include <string.h>

#define HEAD_NAME "audit_head"
#define KEY_NAME  "audit_key" /* the fingerprint of the key that the log was begun with */
#define COLUMNS   "id, at_us, user, door, action, detail, result, prev_hash, hash"
struct hash {
    char hex[SECRET_HASH_HEX_SIZE];
};

/* How many rows there are and the hash of the last one. */
struct head {
    int64_t count;
    struct hash last;
};

/* A length in front of each field, so that no two rows have the same encoding. */
static void encode(struct buf *out, struct str field)
{
    buf_addf(out, "%zu:", field.len);
    buf_add_str(out, field);
}

static void encode_i64(struct buf *out, int64_t value)
{
    AUTO_BUF struct buf text = BUF_INIT(32);
    buf_addf(&text, "%lld", (long long)value);
    encode(out, buf_str(&text));
}

static struct hash hash_row(const struct ops_store *store, int64_t id, int64_t at_us,
                            const struct str fields[5], struct str prev_hash)
{
    /* Far more than the sizes in the header: what does not fit was not written by us, and its cut
     * encoding does not give the stored hash either. */
    AUTO_BUF struct buf bytes = BUF_INIT((size_t)16 * 1024);
    encode(&bytes, STR_LIT("row"));
    encode_i64(&bytes, id);
    encode_i64(&bytes, at_us);
    for (int i = 0; i < 5; i++) {
        encode(&bytes, fields[i]);
    }
    encode(&bytes, prev_hash);
    struct hash hash;
    secret_hash(&store->audit_key, buf_str(&bytes), hash.hex);
    return hash;
}

static struct hash hash_head(const struct ops_store *store, int64_t count, struct str last)
{
    AUTO_BUF struct buf bytes = BUF_INIT(1024);
    encode(&bytes, STR_LIT("head"));
    encode_i64(&bytes, count);
    encode(&bytes, last);
    struct hash hash;
    secret_hash(&store->audit_key, buf_str(&bytes), hash.hex);
    return hash;
}

static struct hash hash_key(const struct ops_store *store)
{
    struct hash hash;
    secret_hash(&store->audit_key, STR_LIT("key"), hash.hex);
    return hash;
}

/* 1: the log was begun with this key, or is not begun. 0: with another one. It explains a break
 * and does not guard against one: whoever changes it changes no row's hash. */
static int key_fits(struct ops_store *store, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    struct hash own = hash_key(store);
    int rc = ops_store_get_text(store, KEY_NAME, &text, err);
    return rc < 0 ? rc : text.len == 0 || str_equal_c(buf_str(&text), own.hex);
}

/* "count last_hash hash": false when the text is not that, or not ours. */
static bool head_parse(const struct ops_store *store, struct str text, struct head *ret)
{
    struct str count;
    struct str last;
    struct str mac;
    if (!str_word(&text, &count) || !str_word(&text, &last) || !str_word(&text, &mac) ||
        !str_to_i64(count, &ret->count) || ret->count < 1 ||
        !str_copy(last, ret->last.hex, sizeof(ret->last.hex))) {
        return false;
    }
    struct hash wanted = hash_head(store, ret->count, last);
    return secret_equal(mac, str_c(wanted.hex));
}

static int head_save(struct ops_store *store, const struct head *head, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    struct hash mac = hash_head(store, head->count, str_c(head->last.hex));
    buf_addf(&text, "%lld %s %s", (long long)head->count, head->last.hex, mac.hex);
    return ops_store_put_text(store, HEAD_NAME, buf_str(&text), err);
}

static int last_row(struct ops_store *store, int64_t *ret, struct err *err)
{
    return db_get_i64(store->db, "SELECT max(id) FROM audit_log", DB_NO_VALUES, 0, ret, err);
}

int audit_chain_append(struct ops_store *store, const struct audit_entry *e, int64_t *ret_id,
                       struct err *err)
{
    ASSERT(store->has_key);
    AUTO_ROLLBACK struct db *own = NULL;
    AUTO_BUF struct buf text = BUF_INIT(256);
    struct head head = {0};
    int64_t last_id = 0;
    int rc = row_begin(store->db, &own, err);
    if (rc < 0 || (rc = ops_store_get_text(store, HEAD_NAME, &text, err)) < 0 ||
        (rc = last_row(store, &last_id, err)) < 0) {
        return rc;
    }
    if (!head_parse(store, buf_str(&text), &head)) {
        head = (struct head){0};
    }
    if (last_id == 0 && text.len == 0) {
        struct hash key = hash_key(store);
        if ((rc = ops_store_put_text(store, KEY_NAME, str_c(key.hex), err)) < 0) {
            return rc;
        }
    }
    /* A log that was tampered with goes on, behind everything that is or was there: the break
     * stays where it is and verify names it. */
    int64_t id = (last_id > head.count ? last_id : head.count) + 1;
    struct str fields[5] = {row_cut(e->user, sizeof(((struct audit_row *)0)->user)),
                            row_cut(e->door, sizeof(((struct audit_row *)0)->door)),
                            row_cut(e->action, sizeof(((struct audit_row *)0)->action)),
                            row_cut(e->detail, sizeof(((struct audit_row *)0)->detail)),
                            row_cut(e->result, sizeof(((struct audit_row *)0)->result))};
    struct str prev = str_c(head.last.hex);
    struct hash hash = hash_row(store, id, e->at_us, fields, prev);
    rc = db_run(store->db, "INSERT INTO audit_log(" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                DB_VALUES(DB_I64(id), DB_I64(e->at_us), DB_TEXT(fields[0]), DB_TEXT(fields[1]),
                          DB_TEXT(fields[2]), DB_TEXT(fields[3]), DB_TEXT(fields[4]), DB_TEXT(prev),
                          DB_TEXT_C(hash.hex)),
                err);
    if (rc == 0) {
        rc = head_save(store, &(struct head){.count = id, .last = hash}, err);
    }
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret_id = id;
    return 0;
}

static void say(struct audit_verdict *verdict, int64_t id, const char *why)
{
    verdict->ok = false;
    verdict->bad_id = id;
    (void)str_copy(str_c(why), verdict->why, sizeof(verdict->why));
}

/* False when the row (columns from `first` on) is not the one that must come next. */
static bool verify_row(const struct ops_store *store, struct db_rows *rows, int first,
                       int64_t wanted_id, struct hash *last, struct audit_verdict *verdict)
{
    struct row row = {.rows = rows, .column = first};
    int64_t id = row_i64(&row);
    int64_t at_us = row_i64(&row);
    struct str fields[5];
    for (int i = 0; i < 5; i++) {
        fields[i] = row_str(&row);
    }
    struct str prev = row_str(&row);
    struct str stored = row_str(&row);
    if (id != wanted_id) {
        say(verdict, wanted_id, "the row is missing");
        return false;
    }
    struct hash hash = hash_row(store, id, at_us, fields, prev);
    if (!secret_equal(stored, str_c(hash.hex))) {
        say(verdict, id, "its content was changed");
        return false;
    }
    if (!str_equal_c(prev, last->hex)) {
        say(verdict, id, "it does not follow the row before it");
        return false;
    }
    *last = hash;
    return true;
}

/* The row that a check from the middle starts behind; its hash is taken as it stands. */
static int start_hash(struct ops_store *store, int64_t id, struct hash *ret, struct err *err)
{
    *ret = (struct hash){{0}};
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT hash FROM audit_log WHERE id = ?",
                           DB_VALUES(DB_I64(id)), &row, err);
    if (rc > 0) {
        (void)str_copy(row_str(&row), ret->hex, sizeof(ret->hex));
    }
    return rc < 0 ? rc : 0;
}

int audit_chain_verify(struct ops_store *store, int64_t from_id, struct audit_verdict *ret,
                       struct err *err)
{
    ASSERT(from_id >= 1);
    *ret = (struct audit_verdict){.ok = true};
    if (!store->has_key) {
        return err_set(err, ERR_SECRET_KEY, "audit.key is missing or not readable");
    }
    struct hash last;
    int rc = key_fits(store, err);
    if (rc == 0) {
        say(ret, 1, "audit.key is not the one it was begun with: it was lost or replaced");
        return 0;
    }
    if (rc < 0 || (rc = start_hash(store, from_id - 1, &last, err)) < 0) {
        return rc;
    }
    /* One statement, so that rows and head are of one moment while the writer goes on. */
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    rc = db_query(store->db,
                  "SELECT head.value, a.id, a.at_us, a.user, a.door, a.action, a.detail, a.result,"
                  " a.prev_hash, a.hash FROM (SELECT (SELECT value FROM kv WHERE name = ?) AS"
                  " value) head LEFT JOIN audit_log a ON a.id >= ? ORDER BY a.id",
                  DB_VALUES(DB_TEXT_C(HEAD_NAME), DB_I64(from_id)), &rows, err);
    struct head head = {0};
    bool has_head = false;
    int64_t next_id = from_id;
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        has_head = head_parse(store, db_text(rows, 0), &head);
        if (db_is_null(rows, 1)) { /* no rows from there on */
            if (db_is_null(rows, 0)) {
                return 0; /* and there never were */
            }
            break;
        }
        if (!verify_row(store, rows, 1, next_id, &last, ret)) {
            return 0;
        }
        next_id++;
        ret->rows++;
    }
    if (rc < 0) {
        return rc;
    }
    memcpy(ret->last_hash, last.hex, sizeof(ret->last_hash));
    if (!has_head) {
        say(ret, next_id - 1, "the record of the last row is missing or was changed");
    } else if (head.count >= next_id) {
        say(ret, next_id, "the row is missing: the end of the log was cut off");
    } else if (ret->rows > 0 &&
               (head.count != next_id - 1 || strcmp(head.last.hex, last.hex) != 0)) {
        say(ret, head.count + 1, "the row was added by another hand");
    }
    return 0;
}

int audit_chain_verify_recent(struct ops_store *store, struct audit_verdict *ret,
                              int64_t *ret_last_id, struct err *err)
{
    int rc = last_row(store, ret_last_id, err);
    if (rc < 0) {
        return rc;
    }
    int64_t from_id = *ret_last_id - AUDIT_CHAIN_RECENT + 1;
    return audit_chain_verify(store, from_id < 1 ? 1 : from_id, ret, err);
}

int audit_chain_list(struct ops_store *store, size_t offset, struct audit_row *ret, size_t max,
                     struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, at_us, user, door, action, detail, result, hash FROM audit_log"
                      " ORDER BY id DESC LIMIT ? OFFSET ?",
                      DB_VALUES(DB_I64((int64_t)max), DB_I64((int64_t)offset)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct audit_row *out = &ret[n++];
        *out = (struct audit_row){0};
        out->id = row_i64(&row);
        out->at_us = row_i64(&row);
        row_text(&row, out->user, sizeof(out->user));
        row_text(&row, out->door, sizeof(out->door));
        row_text(&row, out->action, sizeof(out->action));
        row_text(&row, out->detail, sizeof(out->detail));
        row_text(&row, out->result, sizeof(out->result));
        row_text(&row, out->hash, sizeof(out->hash));
        rc = row_check(&row, "audit_log", out->id, err);
    }
    return rc < 0 ? rc : (int)n;
}

#include "store/audit_chain.h"

#include "audit_row.h"
#include "base/check.h"
#include "io/json_out.h"

#include <string.h>

#define KEY_NAME "audit_key" /* the fingerprint of the key that the log was begun with */
#define COLUMNS  "id, at_us, user, channel, action, detail, result, prev_hash, hash"

/* Each field is preceded by its length, so that no two rows have the same encoding. */
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

void audit_row_encode(const struct audit_raw *row, struct buf *out)
{
    encode(out, STR_LIT("row"));
    encode_i64(out, row->id);
    encode_i64(out, row->at_us);
    for (int i = 0; i < AUDIT_FIELDS; i++) {
        encode(out, row->fields[i]);
    }
    encode(out, row->prev);
}

struct audit_hash audit_hash_bytes(const struct ops_store *store, struct str bytes)
{
    struct audit_hash hash;
    secret_hash(&store->audit_key, bytes, hash.hex);
    return hash;
}

struct audit_hash audit_row_hash(const struct ops_store *store, const struct audit_raw *row)
{
    AUTO_BUF struct buf bytes = BUF_INIT(AUDIT_ENCODED_MAX);
    audit_row_encode(row, &bytes);
    return audit_hash_bytes(store, buf_str(&bytes));
}

void audit_row_read(struct db_rows *rows, int first_column, struct audit_raw *ret)
{
    struct row row = {.rows = rows, .column = first_column};
    ret->id = row_i64(&row);
    ret->at_us = row_i64(&row);
    for (int i = 0; i < AUDIT_FIELDS; i++) {
        ret->fields[i] = row_str(&row);
    }
    ret->prev = row_str(&row);
    ret->hash = row_str(&row);
}

void audit_chain_result_describe(struct audit_chain_result *result, int64_t id, const char *why)
{
    result->ok = false;
    result->bad_id = id;
    (void)str_copy(str_c(why), result->why, sizeof(result->why));
}

bool audit_row_follows(const struct ops_store *store, const struct audit_raw *row,
                       int64_t wanted_id, struct audit_hash *last,
                       struct audit_chain_result *result)
{
    if (row->id != wanted_id) {
        audit_chain_result_describe(result, wanted_id, "the row is missing");
        return false;
    }
    struct audit_hash hash = audit_row_hash(store, row);
    if (!secret_equal(row->hash, str_c(hash.hex))) {
        audit_chain_result_describe(result, row->id, "its content was changed");
        return false;
    }
    if (!str_equal_c(row->prev, last->hex)) {
        audit_chain_result_describe(result, row->id, "it does not follow the row before it");
        return false;
    }
    *last = hash;
    return true;
}

static struct audit_hash hash_head(const struct ops_store *store, int64_t count, struct str last)
{
    AUTO_BUF struct buf bytes = BUF_INIT(1024);
    encode(&bytes, STR_LIT("head"));
    encode_i64(&bytes, count);
    encode(&bytes, last);
    return audit_hash_bytes(store, buf_str(&bytes));
}

int audit_key_fits(struct ops_store *store, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    struct audit_hash own = audit_hash_bytes(store, STR_LIT("key"));
    int rc = ops_store_get_text(store, KEY_NAME, &text, err);
    return rc < 0 ? rc : text.len == 0 || str_equal_c(buf_str(&text), own.hex);
}

/* "count last_hash hash" */
bool audit_head_parse(const struct ops_store *store, struct str text, struct audit_head *ret)
{
    struct str count;
    struct str last;
    struct str mac;
    if (!str_word(&text, &count) || !str_word(&text, &last) || !str_word(&text, &mac) ||
        !str_to_i64(count, &ret->count) || ret->count < 1 ||
        !str_copy(last, ret->last.hex, sizeof(ret->last.hex))) {
        return false;
    }
    struct audit_hash wanted = hash_head(store, ret->count, last);
    return secret_equal(mac, str_c(wanted.hex));
}

static int head_save(struct ops_store *store, const struct audit_head *head, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    struct audit_hash mac = hash_head(store, head->count, str_c(head->last.hex));
    buf_addf(&text, "%lld %s %s", (long long)head->count, head->last.hex, mac.hex);
    return ops_store_write_text(store, AUDIT_HEAD_NAME, buf_str(&text), err);
}

void audit_row_write(struct json_out *out, const struct audit_row *row)
{
    json_out_i64(out, "id", row->id);
    json_out_time(out, "at", row->at_us);
    json_out_text(out, "user", row->user);
    json_out_text(out, "channel", row->channel);
    json_out_text(out, "door", row->channel); /* its name in 0.1.0, for programs that read it */
    json_out_text(out, "action", row->action);
    json_out_text(out, "detail", row->detail);
    json_out_text(out, "result", row->result);
}

int audit_chain_append(struct ops_store *store, const struct audit_entry *e, int64_t *ret_id,
                       struct err *err)
{
    ASSERT(store->has_key);
    AUTO_ROLLBACK struct db *own = NULL;
    AUTO_BUF struct buf text = BUF_INIT(256);
    struct audit_head head = {0};
    int64_t last_id = 0;
    int rc = row_begin(store->db, &own, err);
    if (rc < 0 || (rc = ops_store_get_text(store, AUDIT_HEAD_NAME, &text, err)) < 0 ||
        (rc = db_get_i64(store->db, "SELECT max(id) FROM audit_log", DB_NO_VALUES, 0, &last_id,
                         err)) < 0) {
        return rc;
    }
    if (!audit_head_parse(store, buf_str(&text), &head)) {
        head = (struct audit_head){0};
    }
    if (last_id == 0 && text.len == 0) {
        struct audit_hash key = audit_hash_bytes(store, STR_LIT("key"));
        if ((rc = ops_store_write_text(store, KEY_NAME, str_c(key.hex), err)) < 0) {
            return rc;
        }
    }
    /* A log that was tampered with continues after the largest id that exists or existed, so that
     * verify still finds the break where it is. */
    int64_t id = (last_id > head.count ? last_id : head.count) + 1;
    const struct audit_raw row = {
        .id = id,
        .at_us = e->at_us,
        .fields = {row_cut(e->user, sizeof(((struct audit_row *)0)->user)),
                   row_cut(e->channel, sizeof(((struct audit_row *)0)->channel)),
                   row_cut(e->action, sizeof(((struct audit_row *)0)->action)),
                   row_cut(e->detail, sizeof(((struct audit_row *)0)->detail)),
                   row_cut(e->result, sizeof(((struct audit_row *)0)->result))},
        .prev = str_c(head.last.hex)};
    struct audit_hash hash = audit_row_hash(store, &row);
    rc = db_run(store->db, "INSERT INTO audit_log(" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                DB_VALUES(DB_I64(id), DB_I64(e->at_us), DB_TEXT(row.fields[0]),
                          DB_TEXT(row.fields[1]), DB_TEXT(row.fields[2]), DB_TEXT(row.fields[3]),
                          DB_TEXT(row.fields[4]), DB_TEXT(row.prev), DB_TEXT_C(hash.hex)),
                err);
    if (rc == 0) {
        rc = head_save(store, &(struct audit_head){.count = id, .last = hash}, err);
    }
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret_id = id;
    return 0;
}

/* Reads the rows of a query; returns their number. rc is the result of the query. */
static int read_rows(struct db_rows *rows, int rc, struct audit_row *ret, size_t max,
                     struct err *err)
{
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct audit_row *out = &ret[n++];
        *out = (struct audit_row){0};
        out->id = row_i64(&row);
        out->at_us = row_i64(&row);
        row_text(&row, out->user, sizeof(out->user));
        row_text(&row, out->channel, sizeof(out->channel));
        row_text(&row, out->action, sizeof(out->action));
        row_text(&row, out->detail, sizeof(out->detail));
        row_text(&row, out->result, sizeof(out->result));
        row_text(&row, out->hash, sizeof(out->hash));
        rc = row_check(&row, "audit_log", out->id, err);
    }
    return rc < 0 ? rc : (int)n;
}

#define ROWS_OF "SELECT id, at_us, user, channel, action, detail, result, hash FROM audit_log"

int audit_chain_list(struct ops_store *store, size_t offset, struct audit_row *ret, size_t max,
                     struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, ROWS_OF " ORDER BY id DESC LIMIT ? OFFSET ?",
                      DB_VALUES(DB_I64((int64_t)max), DB_I64((int64_t)offset)), &rows, err);
    return read_rows(rows, rc, ret, max, err);
}

#include "store/audit_seal.h"

#include "audit_row.h"
#include "base/check.h"
#include "io/file.h"

#include <limits.h>
#include <string.h>

#define MESSAGE_MAX 512

/* ------------------------------------------------------------------ the key */

static int key_path(const struct ops_store *store, struct buf *out, struct err *err)
{
    if (store->dir == NULL) {
        return err_set(err, ERR_FILE_MISSING, "a database in memory has no " AUDIT_SEAL_KEY_NAME);
    }
    buf_addf(out, "%s/" AUDIT_SEAL_KEY_NAME, store->dir);
    return 0;
}

/* The caller wipes *ret. */
static int load_key(const struct ops_store *store, struct secret_key *ret, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    int rc = key_path(store, &path, err);
    if (rc == 0 && !file_exists(path.data)) { /* do not create it: that would hide its loss */
        rc = err_set(err, ERR_FILE_MISSING, "%s is created at the first start", path.data);
    }
    return rc < 0 ? rc : secret_key_load(path.data, ret, err);
}

int audit_seal_create_key(const struct ops_store *store, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    struct secret_key seed;
    if (store->dir == NULL) {
        return 0;
    }
    int rc = key_path(store, &path, err);
    rc = rc < 0 ? rc : secret_key_load(path.data, &seed, err);
    secret_wipe(&seed, sizeof(seed));
    return rc;
}

int audit_seal_public_key(const struct ops_store *store, char ret_hex[SIGN_PUBLIC_SIZE],
                          struct err *err)
{
    struct secret_key seed;
    int rc = load_key(store, &seed, err);
    if (rc == 0) {
        sign_public(&seed, ret_hex);
    }
    secret_wipe(&seed, sizeof(seed));
    return rc;
}

/* ------------------------------------------------------------------ a seal as text */

static void add_message(const struct audit_seal *seal, struct buf *out)
{
    buf_addf(out, "nightdesk audit seal 1\nrows %lld\nlast %s\nat %lld\n", (long long)seal->rows,
             seal->last_hash, (long long)seal->at_us);
}

/* The detail of the row: "rows N last HASH sign SIGNATURE". */
static bool parse(struct str detail, int64_t at_us, struct audit_seal *ret,
                  struct str *ret_signature)
{
    struct str word[6];
    for (size_t i = 0; i < COUNT_OF(word); i++) {
        if (!str_word(&detail, &word[i])) {
            return false;
        }
    }
    *ret = (struct audit_seal){.at_us = at_us};
    *ret_signature = word[5];
    return str_equal_c(word[0], "rows") && str_to_i64(word[1], &ret->rows) && ret->rows >= 1 &&
           str_equal_c(word[2], "last") &&
           str_copy(word[3], ret->last_hash, sizeof(ret->last_hash)) &&
           str_equal_c(word[4], "sign") && word[5].len == SIGN_SIZE - 1;
}

/* ------------------------------------------------------------------ sealing */

/* ERR_AUDIT_CHAIN if the row that an earlier seal covers now has another hash. An archived row is
 * not looked at. */
static int check_last(struct ops_store *store, const struct audit_seal *last, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int64_t first = 0;
    if (last->rows == 0) {
        return 0;
    }
    int rc = db_get_i64(store->db, "SELECT min(id) FROM audit_log", DB_NO_VALUES, 0, &first, err);
    if (rc < 0 || (first > last->rows)) {
        return rc;
    }
    rc = row_query_one(store->db, "SELECT hash FROM audit_log WHERE id = ?",
                       DB_VALUES(DB_I64(last->rows)), &row, err);
    if (rc < 0 || (rc > 0 && str_equal_c(row_str(&row), last->last_hash))) {
        return rc < 0 ? rc : 0;
    }
    return err_set(err, ERR_AUDIT_CHAIN, "row %lld is not the one that was sealed",
                   (long long)last->rows);
}

/* 1 and the rows to be sealed; 0: nothing is new. */
static int rows_to_seal(struct ops_store *store, struct audit_seal *ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    AUTO_ROW struct row row = {0};
    struct audit_head head = {0};
    int rc = row_query_one(store->db, "SELECT id, action FROM audit_log ORDER BY id DESC LIMIT 1",
                           DB_NO_VALUES, &row, err);
    if (rc <= 0) {
        return rc;
    }
    ret->rows = row_i64(&row);
    if (str_equal_c(row_str(&row), AUDIT_SEALED)) {
        return 0;
    }
    if ((rc = ops_store_get_text(store, AUDIT_HEAD_NAME, &text, err)) < 0) {
        return rc;
    }
    if (!audit_head_parse(store, buf_str(&text), &head) || head.count != ret->rows) {
        return err_set(err, ERR_AUDIT_CHAIN, "row %lld is not the one that was added last",
                       (long long)ret->rows);
    }
    (void)str_copy(str_c(head.last.hex), ret->last_hash, sizeof(ret->last_hash));
    return 1;
}

int audit_seal_add(struct ops_store *store, const struct audit_seal_options *options,
                   struct audit_seal *ret, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    AUTO_BUF struct buf message = BUF_INIT(MESSAGE_MAX), detail = BUF_INIT(MESSAGE_MAX);
    char signature[SIGN_SIZE];
    struct secret_key seed;
    struct audit_seal seal = {.at_us = options->now_us};
    int64_t id = 0;
    if (store->dir == NULL) {
        return 0;
    }
    int rc = row_begin(store->db, &own, err);
    rc = rc < 0 ? rc : check_last(store, options->last, err);
    if (rc < 0 || (rc = rows_to_seal(store, &seal, err)) <= 0) {
        return rc;
    }
    add_message(&seal, &message);
    if ((rc = load_key(store, &seed, err)) == 0) {
        sign_make(&seed, buf_str(&message), signature);
    }
    secret_wipe(&seed, sizeof(seed));
    if (rc < 0) {
        return rc;
    }
    buf_addf(&detail, "rows %lld last %s sign %s", (long long)seal.rows, seal.last_hash, signature);
    rc = audit_chain_append(store,
                            &(struct audit_entry){.at_us = seal.at_us,
                                                  .user = options->user,
                                                  .channel = options->channel,
                                                  .action = AUDIT_SEALED,
                                                  .detail = detail.data,
                                                  .result = "ok"},
                            &id, err);
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret = seal;
    return 1;
}

int audit_seal_newest(struct ops_store *store, struct audit_seal *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    struct str signature;
    int rc = row_query_one(store->db,
                           "SELECT at_us, detail FROM audit_log WHERE action = '" AUDIT_SEALED "'"
                           " ORDER BY id DESC LIMIT 1",
                           DB_NO_VALUES, &row, err);
    if (rc <= 0) {
        return rc;
    }
    int64_t at_us = row_i64(&row);
    return parse(row_str(&row), at_us, ret, &signature);
}

/* ------------------------------------------------------------------ what was kept elsewhere */

static int add(struct audit_witness *witness, struct str word, struct str text, struct err *err)
{
    char hash[65];
    struct str rows, rest = text;
    int64_t count = 0;
    if (str_equal_c(word, "key")) {
        witness->needs_seal = true;
        for (size_t i = 0; i < witness->key_count; i++) {
            if (str_equal_c(text, witness->keys[i])) {
                return 0;
            }
        }
        if (!sign_is_public(text) || witness->key_count == AUDIT_WITNESS_KEYS) {
            return err_set(err, ERR_AUDIT_WITNESS, "key of %zu bytes, or more than %d keys",
                           text.len, AUDIT_WITNESS_KEYS);
        }
        (void)str_copy(text, witness->keys[witness->key_count++], SIGN_PUBLIC_SIZE);
        return 0;
    }
    bool good = str_equal_c(word, "seal") && str_split(&rest, ':', &rows) &&
                str_to_i64(rows, &count) && count >= 1 && rest.len >= AUDIT_SEAL_HASH_CHARS &&
                str_copy(rest, hash, sizeof(hash)) && strspn(hash, "0123456789abcdef") == rest.len;
    if (good && witness->seal_count == AUDIT_WITNESS_SEALS) {
        return err_set(err, ERR_AUDIT_WITNESS, "more than %d seals", AUDIT_WITNESS_SEALS);
    }
    if (!good) {
        return err_set(err, ERR_AUDIT_WITNESS, "%.*s %.*s", (int)(word.len > 16 ? 16 : word.len),
                       word.ptr, (int)(text.len > 80 ? 80 : text.len), text.ptr);
    }
    struct audit_witness_seal *seal = &witness->seals[witness->seal_count++];
    seal->rows = count;
    memcpy(seal->hash, hash, sizeof(hash));
    return 0;
}

int audit_witness_add_key(struct audit_witness *witness, struct str hex, struct err *err)
{
    return add(witness, STR_LIT("key"), hex, err);
}

int audit_witness_add_seal(struct audit_witness *witness, struct str text, struct err *err)
{
    return add(witness, STR_LIT("seal"), text, err);
}

int audit_witness_read(struct str text, struct audit_witness *witness, struct err *err)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        struct str word, value;
        if (str_word(&line, &word) && word.ptr[0] != '#') {
            if (!str_word(&line, &value)) { /* a key alone */
                value = word;
                word = STR_LIT("key");
            }
            int rc = add(witness, word, value, err);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return witness->key_count > 0 ? 0 : err_set(err, ERR_AUDIT_WITNESS, "there is no key");
}

/* ------------------------------------------------------------------ checking */

static bool is_signed(const struct audit_witness *witness, const struct audit_seal *seal,
                      struct str signature)
{
    AUTO_BUF struct buf message = BUF_INIT(MESSAGE_MAX);
    add_message(seal, &message);
    for (size_t i = 0; i < witness->key_count; i++) {
        if (sign_check(str_c(witness->keys[i]), buf_str(&message), signature)) {
            return true;
        }
    }
    return false;
}

static bool look_at_kept(const struct audit_seal_check *check, const struct audit_raw *row,
                         struct audit_chain_result *result)
{
    for (size_t i = 0; i < check->witness->seal_count; i++) {
        const struct audit_witness_seal *kept = &check->witness->seals[i];
        if (kept->rows != row->id) {
            continue;
        }
        if (!str_starts(row->hash, kept->hash)) {
            audit_chain_result_describe(result, row->id,
                                        "it is not the row of the seal that was kept");
            return false;
        }
        check->fits[i] = true;
        result->kept++;
    }
    return true;
}

bool audit_seal_look(const struct audit_seal_check *check, const struct audit_raw *row,
                     struct audit_chain_result *result)
{
    struct audit_seal seal;
    struct str signature;
    if (check->witness == NULL) {
        return true;
    }
    if (!look_at_kept(check, row, result)) {
        return false;
    }
    result->unsealed++;
    if (!str_equal_c(row->fields[2], AUDIT_SEALED)) {
        return true;
    }
    if (!parse(row->fields[3], row->at_us, &seal, &signature) || seal.rows != row->id - 1 ||
        !str_equal_c(row->prev, seal.last_hash)) {
        audit_chain_result_describe(
            result, row->id, "its seal is for other rows: rows before it were changed or removed");
        return false;
    }
    if (!is_signed(check->witness, &seal, signature)) {
        audit_chain_result_describe(
            result, row->id,
            check->witness->needs_seal
                ? "its seal was not signed with the kept key"
                : "its seal was signed with another key than " AUDIT_SEAL_KEY_NAME);
        return false;
    }
    result->seals++;
    result->sealed_rows = seal.rows;
    result->sealed_us = seal.at_us;
    result->unsealed = 0;
    return true;
}

void audit_seal_conclude(const struct audit_seal_check *check, int64_t last_id,
                         struct audit_chain_result *result)
{
    const struct audit_witness *w = check->witness;
    if (w != NULL && w->needs_seal && result->seals == 0 && last_id > 0) {
        audit_chain_result_describe(result, last_id, "no row up to it is a seal with the kept key");
        return;
    }
    for (size_t i = 0; w != NULL && i < w->seal_count; i++) {
        if (!check->fits[i]) {
            AUTO_BUF struct buf why = BUF_INIT(sizeof(result->why));
            buf_addf(&why, "the log ends at row %lld, before row %lld of a seal that was kept",
                     (long long)last_id, (long long)w->seals[i].rows);
            audit_chain_result_describe(result, last_id + 1, why.data);
            return;
        }
    }
}

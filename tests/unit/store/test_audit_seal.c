#include "base/check.h"
#include "base/clock.h"
#include "folder.h"
#include "io/db.h"
#include "io/file.h"
#include "store/audit_seal.h"
#include "unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define T0 INT64_C(1790000000000000)

static struct ops_store *open_store(const char *folder, enum ops_store_mode mode)
{
    struct err err = {0};
    struct ops_store *store = NULL;
    if (ops_store_open(folder, mode, &store, &err) < 0 ||
        (mode == OPS_STORE_WRITE && audit_seal_create_key(store, &err) < 0)) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return store;
}

static void append(struct ops_store *store, int count)
{
    static int64_t n; /* no two rows are the same */
    for (int i = 0; i < count; i++) {
        int64_t id = 0;
        const struct audit_entry e = {.at_us = T0 + n++,
                                      .user = "alice",
                                      .channel = "telegram",
                                      .action = "command.received",
                                      .detail = "run 1: pause",
                                      .result = "ok"};
        assert_int_equal(audit_chain_append(store, &e, &id, NULL), 0);
    }
}

static int seal_at(struct ops_store *store, int64_t now_us, struct audit_seal *seal,
                   struct err *err)
{
    const struct audit_seal before = *seal;
    return audit_seal_add(
        store,
        &(struct audit_seal_options){
            .now_us = now_us, .user = "nightdesk", .channel = "schedule", .last = &before},
        seal, err);
}

/* Appends rows and a seal. */
static struct audit_seal sealed(const char *folder, int rows)
{
    struct audit_seal seal = {.rows = 0};
    struct err err = {0};
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    append(store, rows);
    if (seal_at(store, T0, &seal, &err) != 1) {
        fail_msg("%s", err.context);
    }
    return seal;
}

static struct audit_chain_result verdict(const char *folder, const struct audit_witness *witness)
{
    struct err err = {0};
    struct audit_chain_result result;
    static const struct audit_witness nothing;
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_READ);
    if (audit_chain_verify_kept(store, witness == NULL ? &nothing : witness, &result, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return result;
}

static void assert_sealed(const char *folder, const struct audit_witness *witness, int64_t rows,
                          int64_t seals, int64_t unsealed)
{
    struct audit_chain_result v = verdict(folder, witness);
    if (!v.ok || v.rows != rows || v.seals != seals || v.unsealed != unsealed) {
        fail_msg("ok %d, %lld rows, %lld seals, %lld unsealed, row %lld: %s", v.ok,
                 (long long)v.rows, (long long)v.seals, (long long)v.unsealed, (long long)v.bad_id,
                 v.why);
    }
}

static void assert_broken(const char *folder, const struct audit_witness *witness, int64_t bad_id,
                          const char *why)
{
    struct audit_chain_result v = verdict(folder, witness);
    if (v.ok || v.bad_id != bad_id || strstr(v.why, why) == NULL) {
        fail_msg("ok %d, row %lld: %s; wanted row %lld: %s", v.ok, (long long)v.bad_id, v.why,
                 (long long)bad_id, why);
    }
}

/* The public key of the folder. */
static void keep_key(const char *folder, struct audit_witness *witness)
{
    char key[SIGN_PUBLIC_SIZE];
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_READ);
    assert_int_equal(audit_seal_public_key(store, key, NULL), 0);
    assert_int_equal(audit_witness_add_key(witness, str_c(key), NULL), 0);
}

static void keep_seal(const struct audit_seal *seal, struct audit_witness *witness)
{
    AUTO_BUF struct buf text = BUF_INIT(128);
    buf_addf(&text, "%lld:%.16s", (long long)seal->rows, seal->last_hash);
    assert_int_equal(audit_witness_add_seal(witness, buf_str(&text), NULL), 0);
}

static void change(const char *folder, const char *sql)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct db *db = NULL;
    buf_addf(&path, "%s/ops.db", folder);
    assert_int_equal(db_open(&(struct db_options){.path = path.data}, &db, NULL), 0);
    assert_int_equal(db_exec(db, sql, NULL), 0);
    db_free(db);
}

/* What somebody with audit.key can do: rewrites the table from copies of its rows, with new hashes
 * and a new record of the last row. `where` chooses the rows that stay. */
static void rewrite(const char *folder, const char *where)
{
    AUTO_BUF struct buf sql = BUF_INIT(512), path = BUF_INIT(4096);
    buf_addf(&sql,
             "SELECT at_us, user, channel, action, detail, result FROM audit_log WHERE %s"
             " ORDER BY id",
             where);
    struct audit_row rows[64];
    struct db *db = NULL;
    AUTO_DB_ROWS struct db_rows *found = NULL;
    int count = 0;
    buf_addf(&path, "%s/ops.db", folder);
    assert_int_equal(db_open(&(struct db_options){.path = path.data}, &db, NULL), 0);
    assert_true(db_query(db, sql.data, NULL, 0, &found, NULL) >= 0);
    while (db_next(found, NULL) > 0) {
        struct audit_row *r = &rows[count++];
        r->at_us = db_i64(found, 0);
        (void)str_copy(db_text(found, 1), r->user, sizeof(r->user));
        (void)str_copy(db_text(found, 2), r->channel, sizeof(r->channel));
        (void)str_copy(db_text(found, 3), r->action, sizeof(r->action));
        (void)str_copy(db_text(found, 4), r->detail, sizeof(r->detail));
        (void)str_copy(db_text(found, 5), r->result, sizeof(r->result));
    }
    db_rows_free(TAKE(found));
    assert_int_equal(
        db_exec(db, "DELETE FROM audit_log; DELETE FROM kv WHERE name LIKE 'audit%'", NULL), 0);
    db_free(db);
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    for (int i = 0; i < count; i++) {
        int64_t id = 0;
        assert_int_equal(audit_chain_append(store,
                                            &(struct audit_entry){.at_us = rows[i].at_us,
                                                                  .user = rows[i].user,
                                                                  .channel = rows[i].channel,
                                                                  .action = rows[i].action,
                                                                  .detail = rows[i].detail,
                                                                  .result = rows[i].result},
                                            &id, NULL),
                         0);
    }
}

static void a_seal_covers_the_rows_before_it(void **state)
{
    const char *folder = *state;
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    struct audit_seal seal = {.rows = 0}, newest;
    assert_int_equal(seal_at(store, T0, &seal, NULL), 0); /* an empty log */
    append(store, 5);
    assert_sealed(folder, NULL, 5, 0, 5);
    assert_int_equal(seal_at(store, T0, &seal, NULL), 1);
    assert_int_equal(seal.rows, 5);
    assert_int_equal(seal_at(store, T0, &seal, NULL), 0); /* nothing is new */
    assert_int_equal(audit_seal_newest(store, &newest, NULL), 1);
    assert_memory_equal(&newest, &seal, sizeof(seal));
    append(store, 2);
    assert_sealed(folder, NULL, 8, 1, 2);
    /* The clock was set back: the seal has the earlier time and is valid. */
    assert_int_equal(seal_at(store, T0 - USEC_PER_DAY, &seal, NULL), 1);
    assert_int_equal(seal.rows, 8);
    assert_sealed(folder, NULL, 9, 2, 0);
    struct audit_witness kept = {.key_count = 0};
    keep_key(folder, &kept);
    keep_seal(&seal, &kept);
    assert_sealed(folder, &kept, 9, 2, 0);
    assert_int_equal(verdict(folder, &kept).kept, 1);
}

static void the_key_is_private_and_is_not_made_by_a_reader(void **state)
{
    const char *folder = *state;
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct stat st;
    char key[SIGN_PUBLIC_SIZE];
    struct err err = {0};
    (void)sealed(folder, 3);
    buf_addf(&path, "%s/" AUDIT_SEAL_KEY_NAME, folder);
    assert_int_equal(stat(path.data, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(chmod(path.data, 0640), 0);
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_READ);
    assert_int_equal(audit_seal_public_key(store, key, &err), -ERR_SECRET_KEY);
    assert_int_equal(unlink(path.data), 0);
    assert_int_equal(audit_seal_public_key(store, key, &err), -ERR_FILE_MISSING);
    assert_false(file_exists(path.data));
    /* Its seals cannot be checked any more, and that is not "ok". */
    assert_broken(folder, NULL, 4, "another key than audit_seal.key");
}

static void rows_cut_off_with_the_key_are_found_by_a_kept_seal(void **state)
{
    const char *folder = *state;
    struct audit_witness kept = {.key_count = 0};
    (void)sealed(folder, 4);                      /* rows 1 to 4, the seal is row 5 */
    struct audit_seal second = sealed(folder, 3); /* rows 6 to 8, the seal is row 9 */
    keep_key(folder, &kept);
    rewrite(folder, "id <= 7");
    assert_sealed(folder, NULL, 7, 1, 2); /* the folder alone does not show it */
    keep_seal(&second, &kept);
    assert_broken(folder, &kept, 8, "the log ends at row 7, before row 8");
    /* It grows again beyond the row of the seal. */
    (void)sealed(folder, 5);
    assert_broken(folder, &kept, 8, "it is not the row of the seal that was kept");
}

static void rows_before_a_seal_changed_with_the_key_are_found(void **state)
{
    const char *folder = *state;
    (void)sealed(folder, 6);
    rewrite(folder, "id != 3");
    assert_broken(folder, NULL, 6, "its seal is for other rows");
    change(folder, "UPDATE audit_log SET detail = replace(detail, 'rows 6', 'rows 5')");
    rewrite(folder, "1");
    assert_broken(folder, NULL, 6, "its seal is for other rows");
}

static void removed_seals_are_found_with_the_kept_key(void **state)
{
    const char *folder = *state;
    struct audit_witness kept = {.key_count = 0};
    (void)sealed(folder, 4);
    (void)sealed(folder, 4);
    keep_key(folder, &kept);
    rewrite(folder, "id != 5");
    assert_broken(folder, NULL, 9, "its seal is for other rows");
    rewrite(folder, "action != '" AUDIT_SEALED "'");
    assert_sealed(folder, NULL, 8, 0, 8);
    assert_broken(folder, &kept, 8, "no row up to it is a seal with the kept key");
}

static void a_seal_with_another_key_is_found(void **state)
{
    const char *folder = *state;
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct audit_witness kept = {.key_count = 0};
    (void)sealed(folder, 4);
    keep_key(folder, &kept);
    buf_addf(&path, "%s/" AUDIT_SEAL_KEY_NAME, folder);
    assert_int_equal(unlink(path.data), 0);
    (void)sealed(folder, 2); /* makes another key */
    assert_broken(folder, NULL, 5, "another key");
    assert_broken(folder, &kept, 8, "its seal was not signed with the kept key");
    keep_key(folder, &kept); /* the owner may keep both */
    assert_sealed(folder, &kept, 8, 2, 0);
    change(folder, "UPDATE audit_log SET detail = replace(detail, 'sign ', 'sign 0') WHERE id = 8");
    rewrite(folder, "1");
    assert_broken(folder, &kept, 8, "its seal is for other rows");
}

static void a_changed_log_is_not_sealed(void **state)
{
    const char *folder = *state;
    struct err err = {0};
    struct audit_seal seal = sealed(folder, 4);
    rewrite(folder, "id != 2");
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    append(store, 3);
    assert_int_equal(seal_at(store, T0, &seal, &err), -ERR_AUDIT_CHAIN); /* by the last seal */
    change(folder, "DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)");
    seal = (struct audit_seal){.rows = 0};
    assert_int_equal(seal_at(store, T0, &seal, &err), -ERR_AUDIT_CHAIN); /* by the last row */
}

static void seals_in_archives_are_checked(void **state)
{
    const char *folder = *state;
    struct audit_witness kept = {.key_count = 0};
    int64_t rows = 0;
    struct audit_seal first = sealed(folder, 20);
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    append(store, 79);
    const struct audit_archive_options options = {.before_us = T0 + USEC_PER_DAY,
                                                  .now_us = T0,
                                                  .min_rows = 1,
                                                  .user = "nightdesk",
                                                  .channel = "schedule"};
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0);
    assert_int_equal(rows, 50);
    keep_key(folder, &kept);
    keep_seal(&first, &kept);
    assert_sealed(folder, &kept, 101, 1, 80);
    assert_int_equal(verdict(folder, &kept).kept, 1);
    kept.seals[0].hash[3] = kept.seals[0].hash[3] == '0' ? '1' : '0';
    assert_broken(folder, &kept, 20, "it is not the row of the seal that was kept");
}

static int refuse_at(const char *what, void *userdata)
{
    int *left = userdata;
    (void)what;
    return (*left)-- <= 0 ? -ERR_DB_FULL : 0;
}

static void a_crash_between_rows_and_seal_leaves_unsealed_rows(void **state)
{
    const char *folder = *state;
    bool done = false;
    int crashes = 0;
    ops_store_free(open_store(folder, OPS_STORE_WRITE));
    for (int n = 0; !done; n++) {
        struct audit_seal seal = {.rows = 0};
        int left = n;
        AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
        append(store, 1);
        ops_store_set_fault(store, refuse_at, &left);
        done = seal_at(store, T0, &seal, NULL) == 1;
        crashes += done ? 0 : 1;
        assert_sealed(folder, NULL, n + 1 + (done ? 1 : 0), done ? 1 : 0, done ? 0 : n + 1);
    }
    assert_true(crashes >= 3);
}

static void a_bad_witness_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "key",
        "key 12ab",
        "seal 5:0123456789abcdef",
        "key \xff\xfe",
        "lock 0000000000000000000000000000000000000000000000000000000000000000"};
    struct err err = {0};
    struct audit_witness w = {.key_count = 0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        w = (struct audit_witness){.key_count = 0};
        assert_int_equal(audit_witness_read(str_c(bad[i]), &w, &err), -ERR_AUDIT_WITNESS);
    }
    static const char *const seals[] = {"5",
                                        "5:",
                                        ":0123456789abcdef",
                                        "0:0123456789abcdef",
                                        "5:0123456789abcde",
                                        "5:0123456789abcdeG",
                                        "-5:0123456789abcdef"};
    for (size_t i = 0; i < COUNT_OF(seals); i++) {
        assert_int_equal(audit_witness_add_seal(&w, str_c(seals[i]), &err), -ERR_AUDIT_WITNESS);
    }
    w = (struct audit_witness){.key_count = 0};
    const char *good = "# kept on 1 June\n"
                       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n\n"
                       "seal 5:0123456789abcdef 2026-06-01T00:00:00Z\n"
                       "key d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\nseal "
                       "9:0123456789abcdef0\r\n";
    assert_int_equal(audit_witness_read(str_c(good), &w, &err), 0);
    assert_int_equal(w.key_count, 1);
    assert_int_equal(w.seal_count, 2);
    assert_string_equal(w.seals[1].hash, "0123456789abcdef0");
}

/* RFC 8032, 7.1, test 1: an empty message. */
static void signatures_are_those_of_the_rfc(void **state)
{
    struct secret_key seed;
    char key[SIGN_PUBLIC_SIZE], signature[SIGN_SIZE];
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/seed", (const char *)*state);
    assert_int_equal(
        file_write(path.data,
                   STR_LIT("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
                   0600, NULL),
        0);
    assert_int_equal(secret_key_load(path.data, &seed, NULL), 0);
    sign_public(&seed, key);
    assert_string_equal(key, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    sign_make(&seed, STR_LIT(""), signature);
    assert_string_equal(
        signature, "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a"
                   "33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    assert_true(sign_check(str_c(key), STR_LIT(""), str_c(signature)));
    assert_false(sign_check(str_c(key), STR_LIT("x"), str_c(signature)));
    assert_false(sign_check(str_c(key), STR_LIT(""), str_n(signature, 126)));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, folder_make, folder_remove)
UNIT_GROUP(audit_seal, TEST(a_seal_covers_the_rows_before_it),
           TEST(the_key_is_private_and_is_not_made_by_a_reader),
           TEST(rows_cut_off_with_the_key_are_found_by_a_kept_seal),
           TEST(rows_before_a_seal_changed_with_the_key_are_found),
           TEST(removed_seals_are_found_with_the_kept_key), TEST(a_seal_with_another_key_is_found),
           TEST(a_changed_log_is_not_sealed), TEST(seals_in_archives_are_checked),
           TEST(a_crash_between_rows_and_seal_leaves_unsealed_rows), TEST(a_bad_witness_is_refused),
           TEST(signatures_are_those_of_the_rfc))

#include "base/clock.h"
#include "folder.h"
#include "io/db.h"
#include "io/file.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "store/read_table.h"
#include "unit/unit.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define T0        INT64_C(1790000000000000)
#define FILE_SIZE ((size_t)4 << 20)

static struct ops_store *open_store(const char *folder, enum ops_store_mode mode)
{
    struct err err = {0};
    struct ops_store *store = NULL;
    if (ops_store_open(folder, mode, &store, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return store;
}

/* Row n is of T0 + n seconds; its texts contain line breaks and text that looks like a length. */
static void append_rows(struct ops_store *store, int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++) {
        int64_t id = 0;
        const struct audit_entry e = {.at_us = T0 + i * USEC_PER_SEC,
                                      .user = "alice",
                                      .channel = "telegram",
                                      .action = "command.received",
                                      .detail = i % 3 == 0   ? "a\nline: 12:row"
                                                : i % 3 == 1 ? "broken \xff\xfe, \"quoted\""
                                                             : "",
                                      .result = "ok"};
        assert_int_equal(audit_chain_append(store, &e, &id, NULL), 0);
    }
}

static int archive(struct ops_store *store, int64_t before_row, int64_t *ret_rows, struct err *err)
{
    const struct audit_archive_options options = {.before_us = T0 + before_row * USEC_PER_SEC,
                                                  .now_us = T0 + 1000 * USEC_PER_SEC,
                                                  .min_rows = 1,
                                                  .user = "nightdesk",
                                                  .channel = "schedule"};
    return audit_chain_archive(store, &options, ret_rows, err);
}

static int64_t archived(struct ops_store *store, int64_t before_row)
{
    struct err err = {0};
    int64_t rows = 0;
    if (archive(store, before_row, &rows, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return rows;
}

static struct audit_chain_result verdict_of(const char *folder)
{
    struct err err = {0};
    struct audit_chain_result result;
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_READ);
    if (audit_chain_verify(store, 1, &result, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return result;
}

static void assert_whole(const char *folder, int64_t rows, int64_t archives)
{
    struct audit_chain_result v = verdict_of(folder);
    if (!v.ok || v.rows != rows || v.archives != archives) {
        fail_msg("ok %d, %lld rows, %lld archives, row %lld: %s", v.ok, (long long)v.rows,
                 (long long)v.archives, (long long)v.bad_id, v.why);
    }
}

static void assert_broken(const char *folder, int64_t bad_id, const char *why)
{
    struct audit_chain_result v = verdict_of(folder);
    if (v.ok || v.bad_id != bad_id || strstr(v.why, why) == NULL) {
        fail_msg("ok %d, row %lld: %s; wanted row %lld: %s", v.ok, (long long)v.bad_id, v.why,
                 (long long)bad_id, why);
    }
}

static void add_path(struct buf *out, const char *folder, const char *file)
{
    buf_addf(out, "%s/audit/%s", folder, file);
}

static int files_in(const char *folder)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    add_path(&path, folder, "");
    DIR *dir = opendir(path.data);
    int count = 0;
    for (struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
        count += e->d_name[0] != '.' ? 1 : 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

static void write_bytes(const char *folder, const char *file, struct str bytes)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    add_path(&path, folder, file);
    assert_int_equal(file_write(path.data, bytes, 0640, NULL), 0);
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

#define FIRST  "audit-0000000001-0000000100.log"
#define SECOND "audit-0000000101-0000000251.log"

static void archiving_old_rows_keeps_the_log_valid(void **state)
{
    const char *folder = *state;
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    int64_t rows = 0, last = 0;
    append_rows(store, 1, 200);
    assert_whole(folder, 200, 0);
    assert_int_equal(archived(store, 101), 100); /* rows 1 to 100; row 201 names the file */
    assert_int_equal(archived(store, 101), 0);
    assert_whole(folder, 201, 1);
    struct audit_row list[2];
    assert_int_equal(audit_chain_list(store, 0, list, 2, NULL), 2);
    assert_string_equal(list[0].action, "audit.archived");
    assert_non_null(strstr(list[0].detail, FIRST " rows 1 to 100 hash "));
    assert_int_equal(list[1].id, 200);
    append_rows(store, 202, 200); /* to row 401, and row 402 names the second */
    assert_int_equal(archived(store, 241),
                     100); /* row 201 is newer, so it and the rows after it stay */
    assert_int_equal(files_in(folder), 2);
    assert_whole(folder, 402, 2);
    struct audit_chain_result v;
    assert_int_equal(audit_chain_verify_recent(store, &v, &last, NULL), 0);
    assert_true(v.ok);
    assert_int_equal(last, 402);
    assert_int_equal(v.rows, 202); /* rows of the table only */
    assert_int_equal(archive(store, 100000, &rows, NULL), 0);
    assert_int_equal(rows, 402 - 200 - AUDIT_ROWS_KEPT);
    assert_whole(folder, 403, 3);
}

/* Rows 1 to 100, and 101 to 251 with row 151, which names the first archive. */
static void make_two(const char *folder)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    append_rows(store, 1, 150);
    assert_int_equal(archived(store, 101), 100); /* named by row 151, of T0 + 1000 s */
    append_rows(store, 1001, 150);
    int64_t rows = 0;
    const struct audit_archive_options options = {.before_us = T0 + 2000 * USEC_PER_SEC,
                                                  .now_us = T0 + 3000 * USEC_PER_SEC,
                                                  .min_rows = 1,
                                                  .user = "nightdesk",
                                                  .channel = "schedule"};
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0);
    assert_int_equal(rows, 301 - 100 - AUDIT_ROWS_KEPT);
    assert_whole(folder, 302, 2);
}

static void a_missing_archive_is_named(void **state)
{
    const char *folder = *state;
    AUTO_BUF struct buf first = BUF_INIT(4096), second = BUF_INIT(4096);
    make_two(folder);
    add_path(&first, folder, FIRST);
    add_path(&second, folder, SECOND);
    assert_int_equal(unlink(first.data), 0);
    assert_broken(folder, 1, FIRST " is missing"); /* named by a row of the second archive */
    /* The check of the newest rows does not read archives. */
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_READ);
    struct audit_chain_result v;
    int64_t last = 0;
    assert_int_equal(audit_chain_verify_recent(store, &v, &last, NULL), 0);
    assert_true(v.ok);
    assert_int_equal(unlink(second.data), 0);
    assert_broken(folder, 101, SECOND " is missing");
}

static void a_change_of_any_byte_of_an_archive_is_found(void **state)
{
    const char *folder = *state;
    const size_t stride = UNIT_SANITIZED ? 397 : 97;
    AUTO_BUF struct buf path = BUF_INIT(4096), bytes = BUF_INIT(FILE_SIZE);
    make_two(folder);
    add_path(&path, folder, FIRST);
    assert_int_equal(file_read(path.data, &bytes, NULL), 0);
    for (size_t at = 0; at < bytes.len; at += stride) {
        bytes.data[at] ^= 1;
        write_bytes(folder, FIRST, buf_str(&bytes));
        struct audit_chain_result v = verdict_of(folder);
        assert_false(v.ok);
        assert_true(v.bad_id >= 1 && v.bad_id <= 100);
        assert_non_null(strstr(v.why, FIRST));
        bytes.data[at] ^= 1;
        write_bytes(folder, FIRST, str_n(bytes.data, at)); /* truncated */
        v = verdict_of(folder);
        assert_false(v.ok);
        assert_true(v.bad_id >= 1 && v.bad_id <= 100);
    }
    buf_add_char(&bytes, '\n');
    write_bytes(folder, FIRST, buf_str(&bytes));
    assert_broken(folder, 100, FIRST " is not the one that was written");
    write_bytes(folder, FIRST, str_n(bytes.data, bytes.len - 1));
    assert_whole(folder, 302, 2);
    /* The file of another archive. */
    bytes.len--;
    write_bytes(folder, SECOND, buf_str(&bytes));
    assert_false(verdict_of(folder).ok);
}

static void rows_deleted_without_an_archive_are_found(void **state)
{
    const char *folder = *state;
    make_two(folder);
    change(folder, "DELETE FROM audit_log WHERE id < 260");
    assert_broken(folder, 252, "no row names an archive with it");
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_READ);
    struct audit_chain_result v;
    int64_t last = 0;
    assert_int_equal(audit_chain_verify_recent(store, &v, &last, NULL), 0);
    assert_false(v.ok);
    assert_int_equal(v.bad_id, 252);
}

static void a_broken_part_of_the_chain_is_not_archived(void **state)
{
    const char *folder = *state;
    struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    append_rows(store, 1, 200);
    ops_store_free(store);
    change(folder, "UPDATE audit_log SET user = 'mallory' WHERE id = 7");
    AUTO_OPS_STORE struct ops_store *again = open_store(folder, OPS_STORE_WRITE);
    struct err err = {0};
    int64_t rows = 0;
    assert_int_equal(archive(again, 101, &rows, &err), -ERR_AUDIT_CHAIN);
    assert_non_null(strstr(err.context, "row 7"));
    assert_int_equal(files_in(folder), 0);
    assert_broken(folder, 7, "its content was changed");
}

struct countdown {
    int left;
};

static int die_at(const char *what, void *userdata)
{
    struct countdown *c = userdata;
    (void)what;
    return c->left-- <= 0 ? -ERR_DB_FULL : 0;
}

/* The process dies at each write in turn, after the file was written; after the restart another
 * range of rows is archived. */
static void a_crash_leaves_the_rows_or_the_archive(void **state)
{
    const char *folder = *state;
    struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    append_rows(store, 1, 200);
    bool done = false;
    int crashes = 0;
    for (int n = 0; !done; n++) {
        struct countdown c = {.left = n};
        int64_t rows = 0;
        ops_store_set_fault(store, die_at, &c);
        done = archive(store, 60 + n, &rows, NULL) == 0;
        ops_store_free(store); /* as a crash: only committed rows remain */
        assert_whole(folder, done ? 201 : 200, done ? 1 : 0);
        assert_int_equal(files_in(folder), 1); /* the leftover file was deleted */
        crashes += done ? 0 : 1;
        store = open_store(folder, OPS_STORE_WRITE);
    }
    assert_true(crashes >= 4);
    assert_int_equal(archived(store, 101), 100 - (59 + crashes));
    assert_whole(folder, 202, 2);
    ops_store_free(store);
}

static void few_rows_are_not_archived_and_the_newest_stay(void **state)
{
    const char *folder = *state;
    AUTO_OPS_STORE struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    struct audit_archive_options options = {.before_us = T0 + 1000 * USEC_PER_SEC,
                                            .now_us = T0 + 1000 * USEC_PER_SEC,
                                            .min_rows = 51,
                                            .user = "nightdesk",
                                            .channel = "schedule"};
    int64_t rows = 7;
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0); /* an empty log */
    assert_int_equal(rows, 0);
    append_rows(store, 1, 100);
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0);
    assert_int_equal(rows, 0); /* at most 50, because 50 stay */
    options.min_rows = 50;
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0);
    assert_int_equal(rows, 50);
    assert_whole(folder, 101, 1);
    options.before_us = T0;
    options.min_rows = 1;
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0);
    assert_int_equal(rows, 0); /* no row is old enough */
    append_rows(store, 101, AUDIT_ARCHIVE_ROWS + 100);
    options.before_us = T0 + 100000 * USEC_PER_SEC;
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0);
    assert_int_equal(rows, AUDIT_ARCHIVE_ROWS); /* the limit of one file */
}

static void an_older_database_is_upgraded(void **state)
{
    const char *folder = *state;
    struct ops_store *store = open_store(folder, OPS_STORE_WRITE);
    append_rows(store, 1, 60);
    ops_store_free(store);
    change(folder,
           "DROP TABLE command_reads; DROP INDEX audit_log_archives;"
           " DROP INDEX outbox_sending; DROP INDEX outbox_uncertain; DROP INDEX outbox_ended;"
           " DROP INDEX command_runs_ended; DROP INDEX updates_received;"
           " DROP INDEX audits_finished; DROP INDEX alerts_ended;"
           " ALTER TABLE outbox RENAME COLUMN channel TO door;"
           " ALTER TABLE command_runs RENAME COLUMN channel TO door;"
           " ALTER TABLE confirmations RENAME COLUMN channel TO door;"
           " ALTER TABLE updates RENAME COLUMN channel TO door;"
           " ALTER TABLE audit_log RENAME COLUMN channel TO door;"
           " ALTER TABLE alert_messages RENAME COLUMN channel TO door;"
           " DROP TABLE config_versions;"
           " ALTER TABLE command_runs DROP COLUMN cancelled_by;"
           " ALTER TABLE command_runs DROP COLUMN manifest;"
           " ALTER TABLE run_steps DROP COLUMN outputs;"
           " ALTER TABLE confirmations DROP COLUMN stage; DROP TABLE second_factors;"
           " ALTER TABLE outbox DROP COLUMN thread_id;"
           " DROP TABLE people; DROP TABLE factor_secrets; DROP TABLE recovery_codes;"
           " ALTER TABLE confirmations DROP COLUMN basis;"
           " ALTER TABLE monitoring_alerts DROP COLUMN reopened_at; DROP INDEX alerts_caused;"
           " DROP INDEX alerts_due; ALTER TABLE monitoring_alerts DROP COLUMN due_us;"
           " ALTER TABLE monitoring_alerts DROP COLUMN cause;"
           " ALTER TABLE monitoring_alerts DROP COLUMN run_id;"
           " DROP TABLE sentiment_items; DROP TABLE sentiment_values;"
           " DROP TABLE logins; DROP TABLE idempotency_keys; DROP TABLE api_tokens; DROP TABLE "
           "proposals;"
           " ALTER TABLE confirmations DROP COLUMN prepared; DROP TABLE question_proposals;"
           " DROP TABLE question_ratings; DROP TABLE "
           "question_steps; DROP TABLE questions;"
           " DROP TABLE session_members; DROP TABLE session_events; DROP TABLE sessions;"
           " DROP INDEX outbox_message; DROP "
           "TABLE forecasts; DROP TABLE learnings; DROP TABLE "
           "reflections; DROP TABLE "
           "learning_reviews;"
           " DROP TABLE maintenance_pauses; DROP TABLE heartbeats; DROP TABLE incident_events; "
           "DROP TABLE incidents; DROP TABLE "
           "maintenance;"
           " DROP TABLE metric_series; DROP TABLE metric_levels; DROP TABLE metric_detail;"
           " DROP TABLE metric_5min; DROP TABLE metric_hour;"
           " DROP INDEX outbox_uncopied;"
           " DROP INDEX outbox_dead_uncopied; DROP INDEX outbox_chats; DROP INDEX outbox_next;"
           " DROP INDEX outbox_runs; DROP INDEX outbox_undelivered; DROP INDEX outbox_waiting;"
           " DROP INDEX outbox_edits; ALTER TABLE outbox DROP COLUMN copied_us;"
           " DROP INDEX alert_messages_of; ALTER TABLE alert_messages DROP COLUMN form;"
           " DROP TABLE mutes; DROP TABLE held_notices;"
           " DROP INDEX alerts_closed; ALTER TABLE monitoring_alerts DROP COLUMN note;"
           " ALTER TABLE monitoring_alerts DROP COLUMN closed_by;"
           " DROP INDEX outbox_about; DROP TABLE live_messages;"
           " ALTER TABLE audits DROP COLUMN claimed; ALTER TABLE audits DROP COLUMN dropped;"
           " ALTER TABLE audits DROP COLUMN cut; DROP TABLE llm_calls;"
           " PRAGMA user_version = 3");
    store = open_store(folder, OPS_STORE_WRITE);
    assert_whole(folder, 60, 0);
    assert_int_equal(archived(store, 11), 10);
    assert_whole(folder, 61, 1);
    ops_store_free(store);
}

/* ------------------------------------------------------------------ counted reads */

static void reads_are_counted_by_person_and_hour(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state, OPS_STORE_WRITE);
    struct read_count alice = {
        .at_us = T0, .user = "alice", .channel = "telegram", .command = "status", .count = 1};
    struct read_count bob = {
        .at_us = T0, .user = "bob", .channel = "socket", .command = "status", .count = 1};
    for (int i = 0; i < 100; i++) {
        alice.failed = i == 0;
        assert_int_equal(read_table_add(store, &alice, NULL), 0);
    }
    assert_int_equal(read_table_add(store, &bob, NULL), 0);
    alice.at_us += USEC_PER_HOUR;
    assert_int_equal(read_table_add(store, &alice, NULL), 0);
    struct read_count rows[8];
    assert_int_equal(read_table_list(store, 0, 0, rows, 8, NULL), 3);
    assert_int_equal(rows[0].count, 1);
    assert_int_equal(rows[0].at_us % USEC_PER_HOUR, 0);
    assert_string_equal(rows[1].user, "alice");
    assert_int_equal(rows[1].count, 100);
    assert_int_equal(rows[1].failed, 1);
    assert_string_equal(rows[2].channel, "socket");
    int64_t hour_us = 0;
    assert_int_equal(read_table_next_hour(store, "telegram", 0, INT64_MAX, &hour_us, NULL), 1);
    assert_int_equal(hour_us, rows[1].at_us);
    assert_int_equal(read_table_next_hour(store, "socket", hour_us + 1, INT64_MAX, &hour_us, NULL),
                     0);
    assert_int_equal(read_table_hour(store, "socket", rows[2].at_us, 0, rows, 8, NULL), 1);
    assert_string_equal(rows[0].user, "bob");
    assert_int_equal(read_table_list(store, 0, 0, rows, 8, NULL), 3);
    int64_t sum = 0, deleted = 0;
    assert_int_equal(read_table_sum(store, 0, &sum, NULL), 0);
    assert_int_equal(sum, 102);
    assert_int_equal(ops_store_prune(store, rows[0].at_us, 100, &deleted, NULL), 0);
    assert_int_equal(deleted, 2); /* kept for the retention */
    assert_int_equal(read_table_sum(store, 0, &sum, NULL), 0);
    assert_int_equal(sum, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, folder_make, folder_remove)
UNIT_GROUP(audit_archive, TEST(archiving_old_rows_keeps_the_log_valid),
           TEST(a_missing_archive_is_named), TEST(a_change_of_any_byte_of_an_archive_is_found),
           TEST(rows_deleted_without_an_archive_are_found),
           TEST(a_broken_part_of_the_chain_is_not_archived),
           TEST(a_crash_leaves_the_rows_or_the_archive),
           TEST(few_rows_are_not_archived_and_the_newest_stay), TEST(an_older_database_is_upgraded),
           TEST(reads_are_counted_by_person_and_hour))

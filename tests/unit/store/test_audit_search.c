#include "base/check.h"
#include "base/clock.h"
#include "folder.h"
#include "io/file.h"
#include "store/audit_search.h"
#include "unit/unit.h"

#include <string.h>
#include <unistd.h>

#define T0 INT64_C(1790000000000000)

static const struct {
    const char *user;
    const char *action;
    const char *detail;
    const char *result;
} written[] = {
    {"alice", "command.received", "run 1: close BTC-USD", "ok"},
    {"alice", "step.started", "run 1: close BTC-USD: trading.close", "ok"},
    {"alice", "command.finished", "run 1: close BTC-USD: failed", "ENGINE_EXPIRED"},
    {"bob", "confirm.approved", "run 12 of alice: pause", "ok"},
    {"bob", "command.received", "run 12: say close: now", "ok"},
    {"telegram:9", "command.refused", "\"/close all\": not allowed", "ACCESS_DENIED"},
    {"alice", "command.received", "run 13: close-all", "ok"},
};

static struct ops_store *open_store(const char *folder)
{
    struct err err = {0};
    struct ops_store *store = NULL;
    if (ops_store_open(folder, OPS_STORE_WRITE, &store, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return store;
}

static void append(struct ops_store *store)
{
    for (size_t i = 0; i < COUNT_OF(written); i++) {
        int64_t id = 0;
        assert_int_equal(
            audit_chain_append(store,
                               &(struct audit_entry){.at_us = T0 + (int64_t)i * USEC_PER_SEC,
                                                     .user = written[i].user,
                                                     .channel = "telegram",
                                                     .action = written[i].action,
                                                     .detail = written[i].detail,
                                                     .result = written[i].result},
                               &id, NULL),
            0);
    }
}

/* The ids that match, as text: "3 2 1". */
static void assert_found(struct ops_store *store, struct audit_filter filter, const char *ids)
{
    struct audit_row rows[16];
    AUTO_BUF struct buf found = BUF_INIT(256);
    int n = audit_search(store, &filter, rows, COUNT_OF(rows), NULL);
    for (int i = 0; i < n; i++) {
        buf_addf(&found, "%s%lld", i == 0 ? "" : " ", (long long)rows[i].id);
    }
    assert_string_equal(found.data, ids);
}

static void rows_are_found_by_each_filter(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    append(store);
    assert_found(store, (struct audit_filter){.user = NULL}, "7 6 5 4 3 2 1");
    assert_found(store, (struct audit_filter){.user = "bob"}, "5 4");
    assert_found(store, (struct audit_filter){.before_id = 4}, "3 2 1");
    assert_found(store, (struct audit_filter){.after_id = 4}, "7 6 5");
    assert_found(store, (struct audit_filter){.after_id = 2, .user = "alice"}, "7 3");
    struct audit_row next[2]; /* the rows next to it, not the newest */
    assert_int_equal(
        audit_search(store, &(struct audit_filter){.after_id = 2}, next, COUNT_OF(next), NULL), 2);
    assert_int_equal(next[0].id, 4);
    assert_int_equal(next[1].id, 3);
    assert_found(store, (struct audit_filter){.command = "close"}, "6 3 2 1");
    assert_found(store, (struct audit_filter){.command = "pause"}, "4");
    assert_found(store, (struct audit_filter){.command = "clo"}, "");
    assert_found(store, (struct audit_filter){.result = "failed"}, "6 3");
    assert_found(store, (struct audit_filter){.result = "engine_expired"}, "3");
    assert_found(store, (struct audit_filter){.result = "ok", .user = "alice"}, "7 2 1");
    assert_found(store, (struct audit_filter){.run_id = 1}, "3 2 1");
    assert_found(store, (struct audit_filter){.run_id = 12}, "5 4");
    assert_found(store, (struct audit_filter){.since_us = T0 + 5 * USEC_PER_SEC}, "7 6");
    assert_found(store, (struct audit_filter){.before_id = 3}, "2 1");
    assert_found(store, (struct audit_filter){.user = "x' OR '1'='1"}, "");
    struct audit_row two[2];
    assert_int_equal(audit_search(store, &(struct audit_filter){.command = "close"}, two, 2, NULL),
                     2);
    assert_int_equal(two[1].id, 3);
}

struct count {
    int64_t rows;
    int64_t last_id;
    int64_t stop_at;
};

static int count_row(const struct audit_row *row, void *userdata, struct err *err)
{
    struct count *c = userdata;
    assert_true(row->id > c->last_id);
    assert_string_equal(row->user, written[(row->id - 1) % (int64_t)COUNT_OF(written)].user);
    c->last_id = row->id;
    c->rows++;
    return row->id == c->stop_at ? err_set(err, ERR_BUF_FULL, "stop") : 0;
}

static void an_export_has_the_archives_too(void **state)
{
    const char *folder = *state;
    AUTO_OPS_STORE struct ops_store *store = open_store(folder);
    struct err err = {0};
    struct count all = {0}, some = {0}, stopped = {.stop_at = 5};
    int64_t rows = 0;
    const int64_t count = 100 * (int64_t)COUNT_OF(written);
    for (int i = 0; i < 100; i++) {
        append(store);
    }
    assert_int_equal(audit_export(store, &(struct audit_filter){0}, count_row, &all, &err), 0);
    assert_int_equal(all.rows, count);
    /* Both archives are named by rows whose user is another one: they are filtered out. */
    const struct audit_archive_options options = {.before_us = T0 + USEC_PER_DAY,
                                                  .now_us = T0 - 1,
                                                  .min_rows = 1,
                                                  .user = "nightdesk",
                                                  .channel = "schedule"};
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0);
    assert_int_equal(rows, count - AUDIT_ROWS_KEPT);
    all = (struct count){0};
    assert_int_equal(
        audit_export(store, &(struct audit_filter){.since_us = T0}, count_row, &all, &err), 0);
    assert_int_equal(all.rows, count);
    assert_int_equal(
        audit_export(store, &(struct audit_filter){.run_id = 12}, count_row, &some, &err), 0);
    assert_int_equal(some.rows, 200);
    assert_int_equal(audit_export(store, &(struct audit_filter){0}, count_row, &stopped, &err),
                     -ERR_BUF_FULL);
    assert_int_equal(stopped.rows, 5);
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/audit/audit-0000000001-%010lld.log", folder, (long long)rows);
    assert_int_equal(truncate(path.data, 3000), 0);
    all = (struct count){0};
    assert_int_equal(audit_export(store, &(struct audit_filter){0}, count_row, &all, &err),
                     -ERR_AUDIT_CHAIN);
    assert_int_equal(unlink(path.data), 0);
    assert_int_equal(audit_export(store, &(struct audit_filter){0}, count_row, &all, &err),
                     -ERR_AUDIT_CHAIN);
}

/* Appends 700 rows and moves all but the newest to an archive of their own. */
static int64_t append_and_archive(struct ops_store *store)
{
    const struct audit_archive_options options = {.before_us = T0 + USEC_PER_DAY,
                                                  .now_us = T0 - 1,
                                                  .min_rows = 1,
                                                  .user = "nightdesk",
                                                  .channel = "schedule"};
    int64_t rows = 0;
    for (int i = 0; i < 100; i++) {
        append(store);
    }
    assert_int_equal(audit_chain_archive(store, &options, &rows, NULL), 0);
    return rows;
}

static int search_all(struct ops_store *store, struct audit_filter filter, struct audit_row *rows,
                      size_t max)
{
    struct err err = {0};
    int n = audit_search_all(store, &filter, rows, max, &err);
    for (int i = 1; i < n && filter.run_id == 0; i++) {
        assert_int_equal(rows[i].id, rows[i - 1].id - 1);
    }
    assert_int_equal(n < 0 ? n : 0, -err.id);
    return n;
}

static void a_search_goes_on_in_the_archives(void **state)
{
    const char *folder = *state;
    AUTO_OPS_STORE struct ops_store *store = open_store(folder);
    AUTO_FREE struct audit_row *rows = calloc(2000, sizeof(*rows));
    const struct audit_filter any = {.user = NULL};
    assert_non_null(rows);
    assert_int_equal(search_all(store, any, rows, 10), 0);
    append(store);
    assert_int_equal(search_all(store, any, rows, 10), COUNT_OF(written)); /* no archive yet */
    int64_t first = append_and_archive(store);
    int64_t second = append_and_archive(store);
    const int all = 201 * (int)COUNT_OF(written) + 2; /* each archive is named by a row */
    const int kept = all - (int)(first + second);
    assert_in_range(kept, AUDIT_ROWS_KEPT, AUDIT_ROWS_KEPT + 2);
    const int sizes[] = {1, kept, kept + 1, all - (int)first, all - (int)first + 1, all};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(search_all(store, any, rows, (size_t)sizes[i]), sizes[i]);
        assert_int_equal(rows[0].id, all);
    }
    assert_int_equal(search_all(store, any, rows, 2000), all);
    assert_int_equal(rows[all - 1].id, 1);
    assert_string_equal(rows[all - 1].detail, "run 1: close BTC-USD");
    assert_int_equal(search_all(store, (struct audit_filter){.run_id = 12}, rows, 2000), 402);
    assert_int_equal(search_all(store, (struct audit_filter){.before_id = 5}, rows, 2000), 4);

    /* A crash may leave a file whose rows are still in the table. */
    AUTO_BUF struct buf path = BUF_INIT(4096), copy = BUF_INIT(4096);
    buf_addf(&path, "%s/audit/audit-0000000001-%010lld.log", folder, (long long)first);
    buf_addf(&copy, "%s/audit/audit-%010d-%010d.log", folder, all - 1, all);
    assert_int_equal(link(path.data, copy.data), 0);
    assert_int_equal(search_all(store, any, rows, 2000), all);
    assert_int_equal(unlink(copy.data), 0);

    assert_int_equal(truncate(path.data, 3000), 0);
    assert_int_equal(search_all(store, any, rows, 2000), -ERR_AUDIT_CHAIN);
    assert_int_equal(search_all(store, any, rows, (size_t)(all - first)), all - (int)first);
    assert_int_equal(unlink(path.data), 0);
    assert_int_equal(search_all(store, any, rows, 2000), -ERR_AUDIT_CHAIN);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, folder_make, folder_remove)
UNIT_GROUP(audit_search, TEST(rows_are_found_by_each_filter), TEST(an_export_has_the_archives_too),
           TEST(a_search_goes_on_in_the_archives))

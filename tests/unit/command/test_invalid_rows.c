#include "../../../src/store/row.h"
#include "base/check.h"
#include "rigs/runner_rig.h"

#include <string.h>

/* With inconsistent rows in ops.db the program still starts and runs new commands. */

static int setup(void **state)
{
    static struct runner_rig rig;
    runner_rig_open(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    runner_rig_close(*state);
    return 0;
}

static void run_sql(struct runner_rig *rig, const char *sql)
{
    struct err err = {0};
    int rc = db_exec(rig->store->db, sql, &err);
    if (rc < 0) {
        print_error("%s: %s\n", sql, err.context);
    }
    assert_int_equal(rc, 0);
}

static int64_t count(struct runner_rig *rig, const char *sql)
{
    int64_t n = 0;
    assert_int_equal(db_get_i64(rig->store->db, sql, DB_NO_VALUES, -1, &n, NULL), 0);
    return n;
}

static void add_running(struct runner_rig *rig, const char *command, const char *action)
{
    int64_t id = 0;
    const struct run_new row = {.command = command,
                                .args_json = "{}",
                                .user_id = 7,
                                .user_name = "alice",
                                .role = "operator",
                                .channel = "telegram",
                                .chat_id = 100,
                                .state = RUN_RUNNING};
    assert_int_equal(run_table_add(rig->store, &row, RIG_WALL_US, &id, NULL), 0);
    assert_int_equal(run_table_step_begin(rig->store, id, 0, action, RIG_WALL_US, NULL), 0);
}

static void many_runs_are_recovered(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(ops_store_begin(rig->store, NULL), 0);
    for (int i = 0; i < 300; i++) {
        add_running(rig, i % 2 == 0 ? "look" : "hang", i % 2 == 0 ? "test.read" : "test.hang");
    }
    assert_int_equal(ops_store_commit(rig->store, NULL), 0);
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_send(rig, "hang"), 0); /* a new run is not recovered */
    loop_advance(rig->loop, 10 * USEC_PER_SEC);
    assert_int_equal(count(rig, "SELECT count(*) FROM command_runs WHERE state = 'done'"), 150);
    assert_int_equal(count(rig, "SELECT count(*) FROM command_runs WHERE state = 'unknown'"), 150);
    assert_int_equal(count(rig, "SELECT count(*) FROM command_runs WHERE state = 'running'"), 1);
    assert_int_equal(rig->recovers, 0);
}

/* Damages rows with sql, restarts the process, and checks that new commands work. */
static void restart_with_damage(struct runner_rig *rig, const char *sql)
{
    int64_t left = 0;
    add_running(rig, "known", "test.known");
    assert_int_equal(runner_rig_send(rig, "restart demo"), 0); /* a prompt */
    run_sql(rig, sql);
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_send(rig, "look"), 0);
    assert_has(runner_rig_last(rig), "all is well");
    loop_advance(rig->loop, 5 * USEC_PER_MIN); /* remaining prompts expire */
    left = count(rig, "SELECT count(*) FROM command_runs WHERE state = 'running'");
    if (left != 0) {
        print_error("%lld runs are left after: %s\n", (long long)left, sql);
    }
    assert_int_equal(left, 0);
    assert_int_equal(count(rig, "SELECT count(*) FROM confirmations WHERE used = 0"), 0);
    assert_int_equal(runner_rig_send(rig, "change demo"), 0);
    run_sql(rig, "PRAGMA foreign_keys = OFF; DELETE FROM command_runs; DELETE FROM run_steps;"
                 "DELETE FROM confirmations; PRAGMA foreign_keys = ON");
}

static void inconsistent_runs_are_set_aside(void **state)
{
    static const char *const rows[] = {
        "UPDATE command_runs SET state = 'weird' WHERE state = 'running'",
        "UPDATE command_runs SET command = 'gone'",
        "UPDATE command_runs SET command = printf('%.100c', 'x')",
        "UPDATE command_runs SET command = x'00ff'",
        "UPDATE command_runs SET args = '{broken'",
        "UPDATE command_runs SET args = x'fffe'",
        "UPDATE command_runs SET args = '[1]'",
        "UPDATE command_runs SET channel = 'nowhere'",
        "UPDATE command_runs SET channel = printf('%.100c', 'x')",
        "UPDATE command_runs SET role = 'king'",
        "UPDATE command_runs SET user_name = printf('%.100c', 'x')",
        "UPDATE command_runs SET step = 'one', chat_id = 'here', created_us = 'then'",
        "UPDATE command_runs SET error_code = printf('%.100c', 'x')",
        "UPDATE command_runs SET state = 'running'", /* a prompt stored as running */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        restart_with_damage(*state, rows[i]);
    }
}

static void inconsistent_steps_are_set_aside(void **state)
{
    static const char *const rows[] = {
        "UPDATE run_steps SET state = 'weird'",
        "UPDATE run_steps SET action = printf('%.100c', 'x')",
        "UPDATE run_steps SET action = 'test.read'",
        "UPDATE run_steps SET idx = -5",
        "UPDATE run_steps SET idx = 99",
        "UPDATE run_steps SET result = printf('%.2000c', 'x')",
        "UPDATE run_steps SET state = 'done'",
        "UPDATE run_steps SET started_us = 'then', ended_us = 'now'",
        "DELETE FROM run_steps",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        restart_with_damage(*state, rows[i]);
    }
}

/* A run whose rows do not fit its command ends as unknown, and nothing of it runs. */
static void a_run_that_does_not_fit_its_command_ends_as_unknown(void **state)
{
    struct runner_rig *rig = *state;
    static const char *const rows[] = {
        "UPDATE run_steps SET idx = 99", "UPDATE run_steps SET idx = -1",
        "UPDATE run_steps SET action = 'test.read'", "UPDATE run_steps SET state = 'done'"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        add_running(rig, "known", "test.known");
        run_sql(rig, rows[i]);
        runner_rig_crash(rig);
        assert_int_equal(runner_rig_state(rig, 1), RUN_UNKNOWN);
        assert_has(runner_rig_last(rig), "COMMAND_LOST");
        assert_int_equal(rig->runs + rig->reads + rig->recovers, 0);
        run_sql(rig, "DELETE FROM run_steps; DELETE FROM command_runs; DELETE FROM outbox;"
                     "DELETE FROM sqlite_sequence");
    }
}

/* A step has at most eight outputs. */
static void the_outputs_of_a_step_are_restored_unless_there_are_too_many(void **state)
{
    struct runner_rig *rig = *state;
    static const char *const more[] = {"", ", \"h\": \"8\""};
    runner_rig_add(rig, "long",
                   "role: operator\nsteps:\n  - {id: look, run: test.read}\n"
                   "  - {run: test.known}\n  - {run: test.note, with: {number: $look.count}}\n"
                   "examples: [long]\n");
    rig->happened = true;
    for (int i = 0; i < 2; i++) {
        char sql[256];
        rig->notes[0] = '\0';
        assert_int_equal(runner_rig_send(rig, "long"), 0);
        (void)snprintf(sql, sizeof(sql),
                       "UPDATE run_steps SET outputs = '{\"a\": \"1\", \"b\": \"2\", \"c\": \"3\", "
                       "\"d\": \"4\", \"e\": \"5\", \"f\": \"6\", \"count\": \"7\"%s, \"g\": "
                       "\"9\"}' WHERE idx = 0",
                       more[i]);
        run_sql(rig, sql);
        runner_rig_crash(rig);
        assert_int_equal(runner_rig_state(rig, i + 1), i == 0 ? RUN_DONE : RUN_UNKNOWN);
        assert_string_equal(rig->notes, i == 0 ? "[- 7]" : "");
    }
}

/* The answer fails as a whole, so that its channel reports or repeats it. */
static void an_answer_about_an_unreadable_row_fails(void **state)
{
    struct runner_rig *rig = *state;
    const struct invocation cancel = {
        .line = "/cancel", .who = &rig->alice, .chat_id = rig->chat_id};
    assert_int_equal(runner_rig_send(rig, "restart demo"), 0);
    run_sql(rig, "UPDATE confirmations SET stage = printf('%.60c', 'x')");
    assert_true(runner_submit(rig->runner, &cancel, NULL) < 0);
    assert_int_equal(runner_rig_messages(rig), 1);
    struct principal alice = rig->alice;
    assert_int_equal(runner_rig_call(rig, &alice, "restart demo", false), 0);
    run_sql(rig, "UPDATE confirmations SET stage = printf('%.60c', 'x')");
    assert_int_equal(runner_rig_call(rig, &alice, "cancel", false), 0);
    assert_int_equal(rig->replies, 1);
    assert_int_equal(rig->reply_err, ERR_STORE_DAMAGED);

    assert_int_equal(runner_rig_send(rig, "look"), 0);
    run_sql(rig, "UPDATE command_runs SET state = 'weird'");
    assert_int_equal(runner_rig_call(rig, &alice, "cancel 3", false), 0);
    assert_int_equal(rig->replies, 1);
    assert_int_equal(rig->reply_err, ERR_STORE_DAMAGED);
}

/* The codes of the open prompts cannot be read, so there is no code for another one. */
static void a_prompt_without_a_code_is_not_shown(void **state)
{
    struct runner_rig *rig = *state;
    run_sql(rig, "ALTER TABLE confirmations RENAME COLUMN expires_us TO gone");
    assert_int_equal(runner_rig_call(rig, &rig->alice, "restart demo", false), 0);
    assert_int_equal(rig->reply_err, ERR_DB_FAILED);
    run_sql(rig, "ALTER TABLE confirmations RENAME COLUMN gone TO expires_us");
    assert_int_equal(count(rig, "SELECT count(*) FROM command_runs"), 0);
}

static struct runner_rig *damaged_by;

/* In the transaction that closes a prompt, another one becomes unreadable. */
static int damage_at_commit(const char *what, void *userdata)
{
    bool *armed = userdata;
    if (*armed && strcmp(what, "COMMIT") == 0) {
        *armed = false;
        run_sql(damaged_by, "UPDATE confirmations SET stage = printf('%.60c', 'x') WHERE used = 0");
    }
    return 0;
}

/* The prompts cannot be read for a while: the next one expires nevertheless. */
static void a_prompt_expires_although_it_could_not_be_read_before(void **state)
{
    struct runner_rig *rig = *state;
    bool armed = true;
    damaged_by = rig;
    assert_int_equal(runner_rig_send(rig, "restart demo"), 0);
    loop_advance(rig->loop, USEC_PER_MIN);
    assert_int_equal(runner_rig_send(rig, "restart prediction"), 0);
    ops_store_set_fault(rig->store, damage_at_commit, &armed);
    loop_advance(rig->loop, 61 * USEC_PER_SEC);
    assert_false(armed);
    ops_store_set_fault(rig->store, NULL, NULL);
    run_sql(rig, "UPDATE confirmations SET stage = 'confirm'");
    assert_int_equal(runner_rig_state(rig, 1), RUN_EXPIRED);
    assert_int_equal(runner_rig_state(rig, 2), RUN_CONFIRMING);
    loop_advance(rig->loop, 61 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 2), RUN_EXPIRED);
}

/* Fails what sets a run aside, and no other statement. */
static int fail_set_aside(const char *what, void *userdata)
{
    (void)userdata;
    return strstr(what, "'STORE_DAMAGED'") != NULL ? -(int)ERR_DB_FULL : 0;
}

static void a_run_that_cannot_be_set_aside_is_tried_again(void **state)
{
    struct runner_rig *rig = *state;
    struct err err = {0};
    add_running(rig, "known", "test.known");
    run_sql(rig, "UPDATE command_runs SET channel = 'nowhere'");
    ops_store_set_fault(rig->store, fail_set_aside, NULL);
    assert_int_equal(runner_recover(rig->runner, &err), -ERR_DB_FULL);
    assert_int_equal(err.id, ERR_DB_FULL);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    ops_store_set_fault(rig->store, NULL, NULL);
    assert_int_equal(runner_recover(rig->runner, NULL), 0);
    assert_int_equal(runner_rig_state(rig, 1), RUN_UNKNOWN);
}

static void a_prompt_of_a_changed_command_is_closed(void **state)
{
    struct runner_rig *rig = *state;
    char press[32];
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    run_sql(rig, "UPDATE command_runs SET manifest = 'another'");
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_has(runner_rig_last(rig), "COMMAND_CHANGED");
    assert_int_equal(runner_rig_state(rig, 1), RUN_REFUSED);
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_USED");
    assert_int_equal(rig->runs, 0);
}

static void inconsistent_confirmations_are_set_aside(void **state)
{
    static const char *const rows[] = {
        "UPDATE command_runs SET state = 'done' WHERE state = 'confirming'",
        "UPDATE command_runs SET state = 'weird' WHERE state = 'confirming'",
        "UPDATE command_runs SET command = printf('%.100c', 'x') WHERE state = 'confirming'",
        "UPDATE confirmations SET nonce = NULL",
        "UPDATE confirmations SET nonce = printf('%.60c', 'x')",
        "UPDATE confirmations SET channel = printf('%.60c', 'x')",
        "UPDATE confirmations SET channel = 'nowhere'",
        "UPDATE confirmations SET stage = printf('%.60c', 'x')",
        "UPDATE confirmations SET stage = 'weird'",
        "UPDATE confirmations SET expires_us = 'soon'",
        "UPDATE confirmations SET user_id = 'me', chat_id = 'here', outbox_id = 'it'",
        "PRAGMA foreign_keys = OFF; UPDATE confirmations SET run_id = 4711",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        restart_with_damage(*state, rows[i]);
    }
}

/* Whether the damaged row is not the first one that is due. */
static bool priority_comes_last(const char *sql)
{
    return strstr(sql, "priority = 77") != NULL;
}

static void an_inconsistent_message_does_not_block_others(void **state)
{
    struct runner_rig *rig = *state;
    static const char *const rows[] = {
        "UPDATE outbox SET kind = 'weird'",
        "UPDATE outbox SET priority = 77",
        "UPDATE outbox SET priority = -1",
        "UPDATE outbox SET last_error = printf('%.500c', 'x')",
        "UPDATE outbox SET channel = 'telegram', state = 'queued', kind = x'00'",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct outbox_row row = {0};
        run_sql(rig, "DELETE FROM outbox");
        assert_int_equal(runner_rig_send(rig, "look"), 0);
        run_sql(rig, rows[i]);
        assert_int_equal(runner_rig_send(rig, "look"), 0);
        int64_t now_us = rig->clock.now_wall_us;
        assert_int_equal(outbox_table_due(rig->store, "telegram", now_us, &row, NULL),
                         priority_comes_last(rows[i]) ? 1 : -ERR_STORE_DAMAGED);
        outbox_row_release(&row);
        if (!priority_comes_last(rows[i])) {
            assert_int_equal(outbox_table_due(rig->store, "telegram", now_us, &row, NULL), 1);
            outbox_row_release(&row);
        }
        int64_t counts[OUTBOX_STATE_COUNT];
        run_sql(rig, "UPDATE outbox SET state = 'weird' WHERE state = 'dead'");
        assert_int_equal(outbox_table_counts(rig->store, "telegram", counts, NULL), 0);
        runner_rig_crash(rig);
    }
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(invalid_rows, RIG_TEST(many_runs_are_recovered),
           RIG_TEST(inconsistent_runs_are_set_aside), RIG_TEST(inconsistent_steps_are_set_aside),
           RIG_TEST(inconsistent_confirmations_are_set_aside),
           RIG_TEST(the_outputs_of_a_step_are_restored_unless_there_are_too_many),
           RIG_TEST(an_answer_about_an_unreadable_row_fails),
           RIG_TEST(a_prompt_without_a_code_is_not_shown),
           RIG_TEST(a_prompt_expires_although_it_could_not_be_read_before),
           RIG_TEST(a_run_that_does_not_fit_its_command_ends_as_unknown),
           RIG_TEST(a_run_that_cannot_be_set_aside_is_tried_again),
           RIG_TEST(a_prompt_of_a_changed_command_is_closed),
           RIG_TEST(an_inconsistent_message_does_not_block_others))

/* Two runs never change the same thing at once: the second is refused. */
#include "../../../src/command/lock.h"
#include "base/check.h"
#include "rigs/runner_rig.h"

#include <string.h>

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

static void press_confirm(struct runner_rig *rig, const struct principal *who, const char *code)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "y:%s", code);
    assert_int_equal(runner_rig_submit(rig, who, line), 0);
}

/* Both were asked before either began. The refusal names the run that is in the way; it is no
 * failure, so on_failure does not run, and the prompt can be answered again. */
static void a_second_restart_of_the_same_service_is_refused(void **state)
{
    struct runner_rig *rig = *state;
    char first[16], second[16];
    assert_int_equal(runner_rig_send(rig, "restart demo"), 0);
    (void)snprintf(first, sizeof(first), "%s", runner_rig_code(rig));
    assert_int_equal(runner_rig_submit(rig, &rig->adam, "restart demo"), 0);
    (void)snprintf(second, sizeof(second), "%s", runner_rig_code(rig));
    press_confirm(rig, &rig->alice, first);
    int reads = rig->reads;
    clock_fake_advance(&rig->clock, 12 * USEC_PER_SEC);
    press_confirm(rig, &rig->adam, second);
    assert_has(runner_rig_last(rig), "COMMAND_LOCKED");
    assert_has(runner_rig_last(rig), "service:demo: run 1 of alice since ");
    assert_has(runner_rig_last(rig), "(12 s): restart demo");
    assert_int_equal(rig->runs, 1);
    assert_int_equal(rig->reads, reads);
    assert_int_equal(runner_rig_state(rig, 2), RUN_CONFIRMING);
    assert_int_equal(runner_rig_audited(rig, "command.refused"), 1);
    assert_int_equal(runner_rig_audited(rig, "step.failed"), 0);

    assert_int_equal(runner_rig_send(rig, "change prediction"), 0); /* another service */
    assert_int_equal(rig->runs, 2);
    assert_int_equal(runner_rig_call(rig, &rig->adam, "restart demo", true), 0);
    assert_int_equal(rig->reply_err, ERR_COMMAND_LOCKED);

    runner_rig_finish(rig, ERR_NONE);
    press_confirm(rig, &rig->adam, second);
    assert_int_equal(rig->runs, 3);
}

static void a_run_takes_the_locks_of_its_later_steps_at_once(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "later",
                   "role: operator\nsteps:\n"
                   "  - {run: test.slow_read}\n"
                   "  - {run: test.change, with: {service: demo}}\n"
                   "on_failure: [{run: test.known}]\nexamples: [later]\n");
    assert_int_equal(runner_rig_send(rig, "later"), 0);
    assert_int_equal(runner_rig_send(rig, "change demo"), 0);
    assert_has(runner_rig_last(rig), "COMMAND_LOCKED");
    assert_int_equal(runner_rig_send(rig, "known"), 0);
    assert_has(runner_rig_last(rig), "known: run 1 of alice");
    assert_int_equal(rig->runs, 0);
    assert_int_equal(runner_rig_send(rig, "later"), 0); /* nor may it run twice */
    assert_has(runner_rig_last(rig), "COMMAND_LOCKED");
    assert_int_equal(runner_active(rig->runner), 1);
}

static void a_recovered_run_keeps_its_locks(void **state)
{
    struct runner_rig *rig = *state;
    rig->must_ask = true;
    assert_int_equal(runner_rig_send(rig, "known"), 0);
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_send(rig, "known"), 0);
    assert_has(runner_rig_last(rig), "COMMAND_LOCKED");
    runner_rig_finish(rig, ERR_COMMAND_NOT_DONE);
    assert_int_equal(runner_active(rig->runner), 0);
    assert_int_equal(runner_rig_send(rig, "known"), 0);
    assert_int_equal(rig->runs, 2);
}

static int fail_commit(const char *what, void *userdata)
{
    (void)userdata;
    return strcmp(what, "COMMIT") == 0 ? -ERR_DB_FULL : 0;
}

static void a_run_that_is_not_stored_leaves_no_lock(void **state)
{
    struct runner_rig *rig = *state;
    const struct invocation in = {
        .line = "change demo", .who = &rig->alice, .chat_id = rig->chat_id, .update_id = 9};
    ops_store_set_fault(rig->store, fail_commit, NULL);
    assert_true(runner_submit(rig->runner, &in, NULL) < 0);
    ops_store_set_fault(rig->store, NULL, NULL);
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_int_equal(rig->runs, 1);
}

/* Without a value of the parameter the whole kind is locked. */
static void a_resource_without_a_value_is_the_whole_kind(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "sweep",
                   "role: operator\nargs: [{name: service, type: service, required: false, help: "
                   "s}]\nsteps: [{run: test.sweep, with: {service: $service}}]\n"
                   "examples: [sweep]\n");
    assert_int_equal(runner_rig_send(rig, "sweep"), 0);
    assert_int_equal(runner_rig_send(rig, "change demo"), 0);
    assert_has(runner_rig_last(rig), "COMMAND_LOCKED");
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_send(rig, "sweep prediction"), 0);
    assert_int_equal(runner_rig_send(rig, "change demo"), 0);
    assert_string_equal(rig->seen, "demo|for demo: |90000000");
    assert_int_equal(runner_rig_send(rig, "change prediction"), 0);
    assert_has(runner_rig_last(rig), "COMMAND_LOCKED");
}

/* ---- the table ---- */

static const struct lock *find(const struct lock_table *table, const char *name)
{
    AUTO_LOCK_SET struct lock_set set = {0};
    lock_set_add(&set, str_c("unrelated"));
    lock_set_add(&set, str_c(name));
    return lock_find(table, &set);
}

static void a_kind_covers_its_members_and_no_other_kind(void **state)
{
    (void)state;
    AUTO_LOCK_SET struct lock_set set = {0};
    struct lock_table table = {0};
    const struct lock_holder holder = {.run_id = 5, .line = "restart demo", .who = "alice"};
    assert_null(find(&table, "service"));
    lock_set_add(&set, str_c("service:demo"));
    lock_set_add(&set, str_c("trading"));
    lock_set_add(&set, str_c("service:demo"));
    assert_int_equal(set.count, 2);
    lock_take(&table, &set, &holder);
    assert_int_equal(table.count, 2);
    assert_string_equal(find(&table, "service:demo")->holder.who, "alice");
    assert_string_equal(find(&table, "service")->name, "service:demo");
    assert_int_equal(find(&table, "trading:BTC-USD")->holder.run_id, 5);
    static const char *const free_names[] = {"service:dem", "service:demo2", "serv",   "services",
                                             "trade",       "tradings",      "unknown"};
    for (size_t i = 0; i < COUNT_OF(free_names); i++) {
        assert_null(find(&table, free_names[i]));
    }
    lock_table_release(&table);
    assert_int_equal(table.count, 0);
}

static void the_table_grows_and_releases_one_run(void **state)
{
    (void)state;
    struct lock_table table = {0};
    for (int i = 0; i < 40; i++) {
        AUTO_LOCK_SET struct lock_set set = {0};
        char name[32];
        const struct lock_holder holder = {.run_id = i % 3};
        (void)snprintf(name, sizeof(name), "service:%d", i);
        lock_set_add(&set, str_c(name));
        lock_take(&table, &set, &holder);
    }
    assert_int_equal(table.count, 40);
    lock_release(&table, 1);
    assert_int_equal(table.count, 27);
    for (int i = 0; i < 40; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "service:%d", i);
        assert_int_equal(find(&table, name) != NULL, i % 3 != 1);
    }
    lock_table_release(&table);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(locks, RIG_TEST(a_second_restart_of_the_same_service_is_refused),
           RIG_TEST(a_run_takes_the_locks_of_its_later_steps_at_once),
           RIG_TEST(a_recovered_run_keeps_its_locks),
           RIG_TEST(a_run_that_is_not_stored_leaves_no_lock),
           RIG_TEST(a_resource_without_a_value_is_the_whole_kind),
           cmocka_unit_test(a_kind_covers_its_members_and_no_other_kind),
           cmocka_unit_test(the_table_grows_and_releases_one_run))

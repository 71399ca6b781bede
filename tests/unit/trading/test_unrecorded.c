#include "base/check.h"
#include "io/pool.h"
#include "steer_rig.h"
#include "store/request_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Why ops.db cannot be written. */
enum fault { LOCKED, FULL, READ_ONLY, DAMAGED, FAULTS };

static const enum err_id errors[FAULTS] = {[LOCKED] = ERR_DB_LOCKED,
                                           [FULL] = ERR_DB_FULL,
                                           [READ_ONLY] = ERR_DB_READONLY,
                                           [DAMAGED] = ERR_DB_CORRUPT};

static struct ops_store *locker;

static int fail_write(const char *what, void *userdata)
{
    (void)what;
    return -(int)*(const enum err_id *)userdata;
}

static void begin_fault(struct steer_rig *s, enum fault fault)
{
    if (fault == LOCKED) { /* another process with a transaction */
        assert_int_equal(ops_store_open(s->rig.folder, OPS_STORE_WRITE, &locker, NULL), 0);
        assert_int_equal(ops_store_begin(locker, NULL), 0);
    } else {
        ops_store_set_fault(s->rig.store, fail_write, (void *)(uintptr_t)&errors[fault]);
    }
}

static void end_fault(struct steer_rig *s)
{
    ops_store_free(locker);
    locker = NULL;
    ops_store_set_fault(s->rig.store, NULL, NULL);
}

static const char *code_of(const struct steer_rig *s)
{
    static char press[16];
    const char *at = strstr(s->delivered_text, "/confirm ");
    assert_non_null(at);
    (void)snprintf(press, sizeof(press), "y:%.6s", at + strlen("/confirm "));
    return press;
}

static void press(struct steer_rig *s, const struct principal *who, const char *data)
{
    const struct invocation in = {
        .line = data, .who = who, .chat_id = s->rig.chat_id, .message_id = 55};
    assert_int_equal(runner_submit(s->runner, &in, NULL), 0);
}

static void become_flat(struct steer_rig *s)
{
    struct snapshot *n = steer_rig_draft(s);
    n->state = TRADING_EMERGENCY;
    n->verified_flat = true;
    steer_rig_publish(s);
}

static void a_stop_works_while_ops_db_cannot_be_written(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    for (int fault = 0; fault < FAULTS; fault++) {
        const char *code = err_info((int)errors[fault])->code;
        int64_t messages = runner_rig_messages(&s->rig);
        int received = runner_rig_audited(&s->rig, "command.received");
        shared_halt_clear(&s->shared, shared_halt_generation(&s->shared));
        begin_fault(s, (enum fault)fault);

        steer_rig_send(s, &s->rig.adam, "/emergency_stop");
        assert_has(s->delivered_text, "Confirm: emergency_stop");
        assert_has(s->delivered_text, code);
        assert_false(shared_is_halted(&s->shared));
        char data[16];
        (void)snprintf(data, sizeof(data), "%s", code_of(s));

        press(s, &s->rig.alice, data);
        assert_has(s->delivered_text, "CONFIRM_FOREIGN");
        assert_false(shared_is_halted(&s->shared));

        press(s, &s->rig.adam, data);
        assert_true(shared_is_halted(&s->shared));
        struct request r = steer_rig_next_request(s);
        assert_int_equal(r.kind, REQUEST_EMERGENCY_STOP);
        assert_string_equal(r.by, "adam");
        become_flat(s);
        steer_rig_answer(s, &r, ERR_NONE);
        assert_has(s->delivered_text, "verified flat");
        assert_has(s->delivered_text, "Not recorded yet");
        assert_has(s->delivered_text, code);
        assert_has(s->delivered_text, "It will be recorded as soon as possible.");
        assert_has(s->delivered_text, "\"recorded\":false");
        assert_int_equal(s->delivered_edit, 55); /* replaces the prompt */

        press(s, &s->rig.adam, data);
        assert_has(s->delivered_text, "CONFIRM_USED");
        loop_advance(s->rig.loop, 20 * USEC_PER_SEC);
        assert_int_equal(runner_rig_messages(&s->rig), messages);

        end_fault(s);
        loop_advance(s->rig.loop, 3 * USEC_PER_SEC);
        assert_int_equal(runner_rig_messages(&s->rig), messages + 1);
        assert_has(runner_rig_last(&s->rig), "Recorded now");
        assert_has(runner_rig_last(&s->rig), "verified flat");
        assert_int_equal(runner_rig_state(&s->rig, fault + 1), RUN_DONE);
        assert_int_equal(runner_rig_audited(&s->rig, "command.received"), received + 1);
        assert_int_equal(runner_rig_audited(&s->rig, "confirm.given"), received + 1);
        assert_int_equal(runner_active(s->runner), 0);
    }
}

static void a_stop_without_a_record_still_needs_permission(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, FULL);
    steer_rig_send(s, &s->rig.alice, "/emergency_stop"); /* an operator without the grant */
    assert_has(s->delivered_text, "ACCESS_DENIED");
    steer_rig_send(s, &s->rig.rita, "/pause");
    assert_has(s->delivered_text, "ACCESS_DENIED");
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.rita, "emergency_stop", true), 0);
    assert_int_equal(s->rig.reply_err, ERR_ACCESS_DENIED);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    struct principal lost = s->rig.adam;
    lost.emergency = false; /* after the prompt */
    press(s, &lost, code_of(s));
    assert_has(s->delivered_text, "ACCESS_DENIED");
    assert_false(shared_is_halted(&s->shared));
    struct request r;
    assert_false(ring_pop(s->shared.requests, &r));
    end_fault(s);
}

static void a_stored_prompt_can_be_answered_without_the_disk(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    char data[16];
    (void)snprintf(data, sizeof(data), "y:%s", runner_rig_code(&s->rig));
    begin_fault(s, LOCKED);
    press(s, &s->rig.adam, data);
    assert_true(shared_is_halted(&s->shared));
    struct request r = steer_rig_next_request(s);
    become_flat(s);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_has(s->delivered_text, "Not recorded yet");
    end_fault(s);
    /* The prompt's run is recorded as done; it does not expire later. */
    loop_advance(s->rig.loop, 5 * USEC_PER_MIN);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_DONE);
    assert_int_equal(runner_rig_audited(&s->rig, "confirm.expired"), 0);
    press(s, &s->rig.adam, data);
    assert_has(runner_rig_last(&s->rig), "CONFIRM_USED");
}

static void a_prompt_from_the_outage_is_recorded_after_it(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, FULL);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    end_fault(s);
    press(s, &s->rig.adam, code_of(s));
    struct request r = steer_rig_next_request(s);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_RUNNING);
    become_flat(s);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_DONE);
    assert_has(runner_rig_last(&s->rig), "verified flat");
    assert_lacks(runner_rig_last(&s->rig), "ecorded");
}

static void a_prompt_in_memory_expires_or_is_cancelled(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, FULL);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    char data[16];
    (void)snprintf(data, sizeof(data), "%s", code_of(s));
    loop_advance(s->rig.loop, 3 * USEC_PER_MIN);
    press(s, &s->rig.adam, data);
    assert_has(s->delivered_text, "CONFIRM_EXPIRED");
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    (void)snprintf(data, sizeof(data), "%s", code_of(s));
    steer_rig_send(s, &s->rig.adam, "/cancel"); /* cancels the newest prompt */
    assert_has(s->delivered_text, "Cancelled: emergency_stop");
    press(s, &s->rig.adam, data);
    assert_has(s->delivered_text, "CONFIRM_USED");
    assert_false(shared_is_halted(&s->shared));
    end_fault(s);
}

static void only_read_only_commands_run_without_ops_db(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_add_trade(s, 1, "2.39", RIG_WALL_US);
    for (int fault = 0; fault < FAULTS; fault++) {
        const char *code = err_info((int)errors[fault])->code;
        begin_fault(s, (enum fault)fault);
        static const char *const reads[] = {"/status", "/positions", "/trades", "/risk",
                                            "/help",   "/whoami",    "/rules",  "/version"};
        for (size_t i = 0; i < COUNT_OF(reads); i++) {
            int before = s->delivered;
            steer_rig_send(s, &s->rig.adam, reads[i]);
            assert_int_equal(s->delivered, before + 1);
            assert_lacks(s->delivered_text, "\"error\"");
            assert_has(s->delivered_text, code);
        }
        static const char *const changes[] = {"/close all", "/resume", "/clear_emergency",
                                              "/amend BTC-USD stop=60000", "/rule_retire 1"};
        for (size_t i = 0; i < COUNT_OF(changes); i++) {
            int before = s->delivered;
            steer_rig_send(s, &s->rig.adam, changes[i]);
            assert_int_equal(s->delivered, before + 1);
            assert_has(s->delivered_text, "\"error\"");
            assert_has(s->delivered_text, code);
        }
        struct request r;
        assert_false(ring_pop(s->shared.requests, &r));
        assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "status", false), 0);
        assert_int_equal(s->rig.reply_err, ERR_NONE);
        assert_has(s->rig.reply_text, "Equity");
        assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "close all", true), 0);
        assert_int_equal(s->rig.reply_err, errors[fault]);
        end_fault(s);
        loop_advance(s->rig.loop, 10 * USEC_PER_SEC);
        assert_false(ring_pop(s->shared.requests, &r)); /* a refused command does not run later */
        assert_int_equal(runner_rig_messages(&s->rig), 0);
    }
}

static void pause_works_while_ops_db_cannot_be_written(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, FULL);
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "pause", false), 0);
    struct request first = steer_rig_next_request(s);
    steer_rig_answer(s, &first, ERR_NONE);
    assert_int_equal(s->rig.reply_err, ERR_NONE);
    assert_has(s->rig.reply_text, "paused");
    assert_has(s->rig.reply_text, "Not recorded yet");
    steer_rig_send(s, &s->rig.adam, "/pause");
    struct request second = steer_rig_next_request(s);
    assert_true(second.id > first.id);
    end_fault(s);
    /* It still waits for the engine: first its row is stored, later its end. */
    loop_advance(s->rig.loop, 3 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(&s->rig, 2), RUN_RUNNING);
    steer_rig_answer(s, &second, ERR_NONE);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_DONE);
    assert_int_equal(runner_rig_state(&s->rig, 2), RUN_DONE);
    assert_has(runner_rig_last(&s->rig), "Recorded now");
    steer_rig_send(s, &s->rig.adam, "/resume");
    assert_true(steer_rig_next_request(s).id > second.id);
}

static int fail_commit(const char *what, void *userdata)
{
    (void)userdata;
    return strcmp(what, "COMMIT") == 0 ? -(int)ERR_DB_FULL : 0;
}

/* However often it could not be stored before. */
static void a_result_says_once_that_it_is_recorded_now(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, FULL);
    steer_rig_send(s, &s->rig.adam, "/pause");
    struct request r = steer_rig_next_request(s);
    steer_rig_answer(s, &r, ERR_NONE);
    ops_store_set_fault(s->rig.store, fail_commit, NULL);
    loop_advance(s->rig.loop, 10 * USEC_PER_SEC);
    assert_int_equal(runner_rig_messages(&s->rig), 0);
    end_fault(s);
    loop_advance(s->rig.loop, 3 * USEC_PER_SEC);
    const char *said = strstr(runner_rig_last(&s->rig), "\nRecorded now");
    assert_non_null(said);
    assert_null(strstr(said + 1, "\nRecorded now"));
}

/* One message says that the next step waits; after it comes the result. */
static void a_second_outage_is_not_reported_again(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/swap");
    struct request r = steer_rig_next_request(s);
    begin_fault(s, FULL);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_int_equal(s->delivered, 1);
    assert_has(s->delivered_text, "The next step waits until it can be recorded");
    end_fault(s);
    loop_advance(s->rig.loop, 3 * USEC_PER_SEC);
    r = steer_rig_next_request(s);
    begin_fault(s, FULL);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_int_equal(s->delivered, 1);
    end_fault(s);
    loop_advance(s->rig.loop, 3 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_DONE);
}

static void assert_reported_late(struct steer_rig *s, const char *words)
{
    assert_int_equal(s->lates, 1);
    assert_has(runner_rig_last(&s->rig), words);
    assert_int_equal(runner_rig_last_kind(&s->rig),
                     OUTBOX_EDIT); /* edits the message about the failure */
    assert_int_equal(runner_rig_audited(&s->rig, "command.late"), 1);
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(s->lates, 1);
}

static void a_stop_verified_before_its_record_is_reported_after_it(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, LOCKED);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    press(s, &s->rig.adam, code_of(s));
    struct request r = steer_rig_next_request(s);
    loop_advance(s->rig.loop, 61 * USEC_PER_SEC);
    assert_has(s->delivered_text, "STEP_TIMEOUT");
    steer_rig_answer(s, &r, ERR_NONE);
    become_flat(s);
    loop_advance(s->rig.loop, 20 * USEC_PER_SEC);
    assert_int_equal(runner_rig_messages(&s->rig), 0);
    end_fault(s);
    loop_advance(s->rig.loop, 3 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_FAILED);
    assert_int_equal(s->raised, 1);
    assert_reported_late(s, "Emergency stop: verified flat after 1 min 2 s");
}

static void a_stop_recorded_before_it_failed_is_reported_late(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, FULL);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    press(s, &s->rig.adam, code_of(s));
    struct request r = steer_rig_next_request(s);
    end_fault(s);
    loop_advance(s->rig.loop, 3 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_RUNNING);
    loop_advance(s->rig.loop, 60 * USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "STEP_TIMEOUT");
    steer_rig_answer(s, &r, ERR_NONE);
    become_flat(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_reported_late(s, "Emergency stop: verified flat after 1 min");
}

static void a_pause_without_a_record_is_reported_late(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, FULL);
    steer_rig_send(s, &s->rig.adam, "/pause");
    struct request r = steer_rig_next_request(s);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_has(s->delivered_text, "STEP_TIMEOUT");
    steer_rig_answer(s, &r, ERR_NONE);
    end_fault(s);
    loop_advance(s->rig.loop, 3 * USEC_PER_SEC);
    assert_reported_late(s, "Done late");
}

static int assert_halted_at_write(const char *what, void *userdata)
{
    const struct steer_rig *s = userdata;
    (void)what;
    assert_true(shared_is_halted(&s->shared));
    return 0;
}

static void the_kill_switch_is_set_before_any_write(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    char data[16];
    (void)snprintf(data, sizeof(data), "y:%s", runner_rig_code(&s->rig));
    ops_store_set_fault(s->rig.store, assert_halted_at_write, s);
    press(s, &s->rig.adam, data);
    ops_store_set_fault(s->rig.store, NULL, NULL);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_RUNNING);
}

static bool is_halted(const struct steer_rig *s)
{
    return shared_is_halted(&s->shared);
}

static void a_stop_that_no_database_stored_survives_a_crash(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    begin_fault(s, FULL);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    assert_false(is_halted(s));
    press(s, &s->rig.adam, code_of(s));
    assert_true(is_halted(s));
    end_fault(s);
    steer_rig_crash(s);
    assert_true(is_halted(s));
    steer_rig_crash(s);
    assert_true(is_halted(s));

    /* Clearing the stop. */
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.adam, "/clear_emergency");
    steer_rig_confirm(s, &s->rig.adam);
    struct request r = steer_rig_next_request(s);
    steer_rig_answer(s, &r, ERR_ENGINE_NOT_FLAT);
    steer_rig_crash(s);
    assert_true(is_halted(s));
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.adam, "/clear_emergency");
    steer_rig_confirm(s, &s->rig.adam);
    r = steer_rig_next_request(s);
    steer_rig_answer(s, &r, ERR_NONE);
    steer_rig_crash(s);
    assert_false(is_halted(s));
}

static void a_cleared_stop_is_not_restored(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "emergency_stop", true), 0);
    struct request stop = steer_rig_next_request(s);
    clock_fake_advance(&s->rig.clock, USEC_PER_SEC);
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "clear_emergency", true), 0);
    struct request clear = steer_rig_next_request(s);
    assert_true(clear.id > stop.id);
    /* The engine committed it, but the crash came before the reply. */
    assert_int_equal(request_table_add(s->engine_store, &clear, ERR_NONE, RIG_WALL_US, NULL), 0);
    steer_rig_crash(s);
    assert_false(is_halted(s));
}

static const char *stop_path(const struct steer_rig *s)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/emergency.stop", s->rig.folder);
    return path;
}

static void assert_file_has(const struct steer_rig *s, const char *word)
{
    char text[64] = {0};
    FILE *file = fopen(stop_path(s), "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, word));
}

static void an_old_clear_does_not_erase_a_newer_stop(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    for (int late = 0; late < 2; late++) {
        assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "emergency_stop", true), 0);
        (void)steer_rig_next_request(s);
        assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "clear_emergency", true), 0);
        struct request clear = steer_rig_next_request(s);
        loop_advance(s->rig.loop, late * 5 * USEC_PER_MIN); /* late: its command has ended */
        assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "emergency_stop", true), 0);
        (void)steer_rig_next_request(s);
        steer_rig_answer(s, &clear, ERR_NONE);
        loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
        assert_file_has(s, "stop ");
        assert_int_equal(request_table_add(s->engine_store, &clear, ERR_NONE, RIG_WALL_US, NULL),
                         0);
        steer_rig_crash(s);
        assert_true(is_halted(s));
        steer_rig_publish_plain(s, 0);

        assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "clear_emergency", true), 0);
        clear = steer_rig_next_request(s);
        loop_advance(s->rig.loop, late * 5 * USEC_PER_MIN);
        steer_rig_answer(s, &clear, ERR_NONE);
        loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
        assert_file_has(s, "none");
        steer_rig_crash(s);
        assert_false(is_halted(s));
        steer_rig_publish_plain(s, 0);
    }
}

static void a_clock_set_back_does_not_clear_a_stop(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "emergency_stop", true), 0);
    (void)steer_rig_next_request(s);
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "clear_emergency", true), 0);
    struct request clear = steer_rig_next_request(s);
    steer_rig_answer(s, &clear, ERR_NONE);
    assert_int_equal(request_table_add(s->engine_store, &clear, ERR_NONE, RIG_WALL_US, NULL), 0);

    s->rig.clock.now_wall_us -= USEC_PER_HOUR;
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "emergency_stop", true), 0);
    (void)steer_rig_next_request(s);
    steer_rig_crash(s);
    assert_true(is_halted(s));

    /* A later clear has a higher id than the stop even if the clock was set back. */
    s->rig.clock.now_wall_us -= USEC_PER_HOUR;
    steer_rig_publish_plain(s, 0);
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "clear_emergency", true), 0);
    clear = steer_rig_next_request(s);
    steer_rig_answer(s, &clear, ERR_NONE);
    assert_file_has(s, "none");
    steer_rig_crash(s);
    assert_false(is_halted(s));
}

static void opening_the_stop_file_is_retried(void **state)
{
    struct steer_rig *s = *state;
    assert_int_equal(unlink(stop_path(s)), 0);
    assert_int_equal(mkdir(stop_path(s), 0700), 0);
    steer_rig_crash(s);
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    steer_rig_confirm(s, &s->rig.adam);
    assert_true(is_halted(s));
    struct request r = steer_rig_next_request(s);
    become_flat(s);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "The stop could not be saved");
    assert_int_equal(rmdir(stop_path(s)), 0);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_file_has(s, "stop ");
    steer_rig_crash(s);
    assert_true(is_halted(s));
}

static void a_stop_in_a_file_that_opens_late_is_restored(void **state)
{
    struct steer_rig *s = *state;
    char away[300];
    (void)snprintf(away, sizeof(away), "%s.away", stop_path(s));
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "emergency_stop", true), 0);
    assert_int_equal(rename(stop_path(s), away), 0);
    assert_int_equal(mkdir(stop_path(s), 0700), 0);
    steer_rig_crash(s);
    assert_int_equal(rmdir(stop_path(s)), 0);
    assert_int_equal(rename(away, stop_path(s)), 0);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_true(is_halted(s));
    assert_file_has(s, "stop ");
}

static pthread_t loop_thread;
static atomic_int syncs_on_loop;
static atomic_int syncs_elsewhere;

/* Replaces libc's function, to count the syncs of emergency.stop. */
int fdatasync(int fd)
{
    char link[64];
    char path[256] = {0};
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/emergency.stop") != NULL) {
        bool here = pthread_equal(pthread_self(), loop_thread) != 0;
        (void)atomic_fetch_add(here ? &syncs_on_loop : &syncs_elsewhere, 1);
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void wait_for_sync(struct steer_rig *s, int count)
{
    for (int i = 0; i < 1000 && atomic_load(&syncs_elsewhere) < count; i++) {
        (void)usleep(10000);
        loop_advance(s->rig.loop, 0);
    }
    (void)usleep(20000);
    loop_advance(s->rig.loop, 0);
    assert_int_equal(atomic_load(&syncs_elsewhere), count);
}

static void a_stop_does_not_wait_for_the_disk(void **state)
{
    struct steer_rig *s = *state;
    const struct pool_options options = {.name = "helper", .threads_max = 1, .queue_max = 4};
    s->helpers = pool_new(s->rig.loop, &options, NULL);
    assert_non_null(s->helpers);
    loop_thread = pthread_self();
    atomic_store(&syncs_on_loop, 0);
    atomic_store(&syncs_elsewhere, 0);
    steer_rig_crash(s);
    wait_for_sync(s, 1); /* the sync at start */
    steer_rig_publish_plain(s, 1);
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "emergency_stop", true), 0);
    (void)steer_rig_next_request(s);
    assert_file_has(s, "stop ");
    wait_for_sync(s, 3); /* `first`, before the run is stored, and the step, which names it */
    assert_file_has(s, "\nrun 1\n");
    assert_int_equal(atomic_load(&syncs_on_loop), 0);
    assert_int_equal(atomic_load(&syncs_elsewhere), 3);
}

UNIT_GROUP(unrecorded, STEER_RIG_TEST(an_old_clear_does_not_erase_a_newer_stop),
           STEER_RIG_TEST(a_clock_set_back_does_not_clear_a_stop),
           STEER_RIG_TEST(opening_the_stop_file_is_retried),
           STEER_RIG_TEST(a_stop_in_a_file_that_opens_late_is_restored),
           STEER_RIG_TEST(a_stop_does_not_wait_for_the_disk),
           STEER_RIG_TEST(a_stop_that_no_database_stored_survives_a_crash),
           STEER_RIG_TEST(a_cleared_stop_is_not_restored),
           STEER_RIG_TEST(a_stop_works_while_ops_db_cannot_be_written),
           STEER_RIG_TEST(a_stop_without_a_record_still_needs_permission),
           STEER_RIG_TEST(a_stored_prompt_can_be_answered_without_the_disk),
           STEER_RIG_TEST(a_prompt_from_the_outage_is_recorded_after_it),
           STEER_RIG_TEST(a_prompt_in_memory_expires_or_is_cancelled),
           STEER_RIG_TEST(only_read_only_commands_run_without_ops_db),
           STEER_RIG_TEST(pause_works_while_ops_db_cannot_be_written),
           STEER_RIG_TEST(a_result_says_once_that_it_is_recorded_now),
           STEER_RIG_TEST(a_second_outage_is_not_reported_again),
           STEER_RIG_TEST(a_stop_verified_before_its_record_is_reported_after_it),
           STEER_RIG_TEST(a_stop_recorded_before_it_failed_is_reported_late),
           STEER_RIG_TEST(a_pause_without_a_record_is_reported_late),
           STEER_RIG_TEST(the_kill_switch_is_set_before_any_write))

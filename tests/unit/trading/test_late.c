#include "steer_rig.h"
#include "store/request_table.h"

#include <string.h>

/* A command that was reported as failed is reported again when its outcome is known. */

static struct request send_close_all(struct steer_rig *s)
{
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.adam, "/close all");
    steer_rig_confirm(s, &s->rig.adam);
    return steer_rig_next_request(s);
}

static void become_flat(struct steer_rig *s)
{
    struct snapshot *n = steer_rig_draft(s);
    n->venue_agrees = true;
    steer_rig_publish(s);
}

static void assert_edits(struct steer_rig *s, const char *words)
{
    assert_has(runner_rig_last(&s->rig), words);
    assert_int_equal(runner_rig_last_kind(&s->rig), OUTBOX_EDIT);
}

static void an_expired_close_is_reported_as_not_done(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_close_all(s);
    assert_int_equal(r.deadline_mono_us, s->rig.clock.now_mono_us + 10 * USEC_PER_SEC);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    assert_edits(s, "STEP_TIMEOUT");
    assert_int_equal(s->lates, 0);
    steer_rig_answer(s, &r, ERR_ENGINE_EXPIRED); /* the engine is running again */
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_edits(s, "nothing was done");
    assert_has(runner_rig_last(&s->rig), "ENGINE_EXPIRED");
    assert_false(s->late_happened);
    assert_int_equal(runner_rig_audited(&s->rig, "command.late"), 1);
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(s->lates, 1);
}

static void a_close_accepted_after_the_timeout_is_reported(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_close_all(s);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    assert_edits(s, "STEP_TIMEOUT");
    steer_rig_answer(s, &r, ERR_NONE); /* the engine was closing it */
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_int_equal(s->lates, 0); /* accepted is not closed */
    become_flat(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_edits(s, "Done late");
    assert_has(runner_rig_last(&s->rig), "STEP_TIMEOUT");
    assert_true(s->late_happened);
    assert_int_equal(s->lates, 1);
}

static void a_close_that_fills_late_is_reported(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_close_all(s);
    steer_rig_answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, 21 * USEC_PER_SEC);
    assert_edits(s, "CLOSE_UNFINISHED");
    become_flat(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_edits(s, "Done late");
    assert_has(runner_rig_last(&s->rig), "CLOSE_UNFINISHED");
}

static void a_lost_answer_to_a_late_request_is_looked_up(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.adam, "/resume");
    struct request r = steer_rig_next_request(s);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "STEP_TIMEOUT");
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, RIG_WALL_US, NULL), 0);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_edits(s, "Done late");
}

static void a_stop_never_expires_and_is_verified_late(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    steer_rig_confirm(s, &s->rig.adam);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.deadline_mono_us, 0);
    loop_advance(s->rig.loop, 61 * USEC_PER_SEC);
    assert_edits(s, "STEP_TIMEOUT");
    assert_int_equal(s->raised, 1);
    steer_rig_answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_int_equal(s->lates, 0);
    struct snapshot *n = steer_rig_draft(s);
    n->state = TRADING_EMERGENCY;
    n->verified_flat = true;
    steer_rig_publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_edits(s, "Emergency stop: verified flat after 1 min");
    assert_true(s->late_happened);
}

static int fail_write(const char *what, void *userdata)
{
    (void)what;
    (void)userdata;
    return -ERR_DB_FULL;
}

static void a_late_outcome_is_reported_once_it_can_be_stored(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_close_all(s);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    ops_store_set_fault(s->rig.store, fail_write, NULL);
    steer_rig_answer(s, &r, ERR_ENGINE_EXPIRED);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_edits(s, "STEP_TIMEOUT");
    ops_store_set_fault(s->rig.store, NULL, NULL);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_edits(s, "nothing was done");
}

static void a_late_outcome_waits_until_the_failure_is_stored(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_close_all(s);
    ops_store_set_fault(s->rig.store, fail_write, NULL);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    steer_rig_answer(s, &r, ERR_ENGINE_EXPIRED);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_int_equal(s->lates, 0);
    ops_store_set_fault(s->rig.store, NULL, NULL);
    loop_advance(s->rig.loop, 10 * USEC_PER_SEC);
    assert_int_equal(s->lates, 1);
    assert_edits(s, "nothing was done"); /* after the message about the failure */
}

static void each_part_of_a_late_outcome_is_reported_once(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_close_all(s);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    steer_rig_answer(s, &r, ERR_NONE);
    s->late_no_alert = true;
    become_flat(s);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_edits(s, "Done late");
    assert_true(s->lates > 1);
    assert_int_equal(runner_rig_audited(&s->rig, "command.late"), 1);
    s->late_no_alert = false;
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    int lates = s->lates;
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(s->lates, lates);
    assert_int_equal(runner_rig_audited(&s->rig, "command.late"), 1);
}

/* The engine kept its answer in reserve.bin, and trading.db has it only after the restart. */
static void an_answer_in_the_reserve_is_reported_after_a_restart(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/pause");
    struct request r = steer_rig_next_request(s);
    steer_rig_crash(s);
    assert_has(runner_rig_last(&s->rig), "COMMAND_NOT_DONE");
    steer_rig_publish_plain(s, 0);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_int_equal(s->lates, 0);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, 1, NULL), 0);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_int_equal(s->lates, 1);
    assert_true(s->late_happened);
    assert_edits(s, "Done late");
}

static void a_request_that_a_crash_lost_is_watched_for_a_minute(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/pause");
    struct request r = steer_rig_next_request(s);
    steer_rig_crash(s);
    steer_rig_publish_plain(s, 0);
    loop_advance(s->rig.loop, 2 * USEC_PER_MIN);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, 1, NULL), 0);
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(s->lates, 0);
}

UNIT_GROUP(late, STEER_RIG_TEST(an_answer_in_the_reserve_is_reported_after_a_restart),
           STEER_RIG_TEST(a_request_that_a_crash_lost_is_watched_for_a_minute),
           STEER_RIG_TEST(an_expired_close_is_reported_as_not_done),
           STEER_RIG_TEST(a_close_accepted_after_the_timeout_is_reported),
           STEER_RIG_TEST(a_close_that_fills_late_is_reported),
           STEER_RIG_TEST(a_lost_answer_to_a_late_request_is_looked_up),
           STEER_RIG_TEST(a_stop_never_expires_and_is_verified_late),
           STEER_RIG_TEST(a_late_outcome_is_reported_once_it_can_be_stored),
           STEER_RIG_TEST(each_part_of_a_late_outcome_is_reported_once),
           STEER_RIG_TEST(a_late_outcome_waits_until_the_failure_is_stored))

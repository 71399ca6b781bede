#include "scene.h"
#include "store/request_table.h"

#include <string.h>

/* What a phone reads of a command that was reported as failed must not be the last word. */

static struct request ask_close_all(struct scene *s)
{
    scene_publish_plain(s, 1);
    scene_send(s, &s->rig.adam, "/close all");
    scene_confirm(s, &s->rig.adam);
    return scene_next_request(s);
}

static void become_flat(struct scene *s)
{
    struct snapshot *n = scene_draft(s);
    n->venue_agrees = true;
    scene_publish(s);
}

static void assert_edits(struct scene *s, const char *words)
{
    assert_has(rig_last(&s->rig), words);
    assert_int_equal(rig_last_kind(&s->rig), OUTBOX_EDIT);
}

static void a_close_that_expired_says_that_nothing_was_done(void **state)
{
    struct scene *s = *state;
    struct request r = ask_close_all(s);
    assert_int_equal(r.deadline_mono_us, s->rig.clock.now_mono_us + 10 * USEC_PER_SEC);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    assert_edits(s, "STEP_TIMEOUT");
    assert_int_equal(s->lates, 0);
    scene_answer(s, &r, ERR_ENGINE_EXPIRED); /* the engine turns again */
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_edits(s, "nothing was done");
    assert_has(rig_last(&s->rig), "ENGINE_EXPIRED");
    assert_false(s->late_happened);
    assert_int_equal(rig_audited(&s->rig, "command.late"), 1);
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(s->lates, 1);
}

static void a_close_that_is_done_after_all_is_told(void **state)
{
    struct scene *s = *state;
    struct request r = ask_close_all(s);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    assert_edits(s, "STEP_TIMEOUT");
    scene_answer(s, &r, ERR_NONE); /* it was in the middle of it */
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_int_equal(s->lates, 0); /* taken is not closed */
    become_flat(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_edits(s, "Done after all");
    assert_has(rig_last(&s->rig), "STEP_TIMEOUT");
    assert_true(s->late_happened);
    assert_int_equal(s->lates, 1);
}

static void a_close_that_was_slow_to_fill_is_told(void **state)
{
    struct scene *s = *state;
    struct request r = ask_close_all(s);
    scene_answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, 21 * USEC_PER_SEC);
    assert_edits(s, "CLOSE_UNFINISHED");
    become_flat(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_edits(s, "Done after all");
    assert_has(rig_last(&s->rig), "CLOSE_UNFINISHED");
}

static void a_lost_answer_is_looked_up_late(void **state)
{
    struct scene *s = *state;
    scene_publish_plain(s, 1);
    scene_send(s, &s->rig.adam, "/resume");
    struct request r = scene_next_request(s);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "STEP_TIMEOUT");
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, RIG_WALL_US, NULL), 0);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_edits(s, "Done after all");
}

static void a_stop_never_expires_and_is_verified_late(void **state)
{
    struct scene *s = *state;
    scene_publish_plain(s, 1);
    scene_send(s, &s->rig.adam, "/emergency_stop");
    scene_confirm(s, &s->rig.adam);
    struct request r = scene_next_request(s);
    assert_int_equal(r.deadline_mono_us, 0);
    loop_advance(s->rig.loop, 61 * USEC_PER_SEC);
    assert_edits(s, "STEP_TIMEOUT");
    assert_int_equal(s->raised, 1);
    scene_answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_int_equal(s->lates, 0);
    struct snapshot *n = scene_draft(s);
    n->state = TRADING_EMERGENCY;
    n->verified_flat = true;
    scene_publish(s);
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

static void what_cannot_be_stored_is_told_later(void **state)
{
    struct scene *s = *state;
    struct request r = ask_close_all(s);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    ops_store_set_fault(s->rig.store, fail_write, NULL);
    scene_answer(s, &r, ERR_ENGINE_EXPIRED);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_edits(s, "STEP_TIMEOUT");
    ops_store_set_fault(s->rig.store, NULL, NULL);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_edits(s, "nothing was done");
}

static void late_news_waits_for_the_failure_to_be_stored(void **state)
{
    struct scene *s = *state;
    struct request r = ask_close_all(s);
    ops_store_set_fault(s->rig.store, fail_write, NULL);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    scene_answer(s, &r, ERR_ENGINE_EXPIRED);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_int_equal(s->lates, 0);
    ops_store_set_fault(s->rig.store, NULL, NULL);
    loop_advance(s->rig.loop, 10 * USEC_PER_SEC);
    assert_int_equal(s->lates, 1);
    assert_edits(s, "nothing was done"); /* the last word */
}

static void a_part_that_was_told_is_not_told_again(void **state)
{
    struct scene *s = *state;
    struct request r = ask_close_all(s);
    loop_advance(s->rig.loop, 31 * USEC_PER_SEC);
    scene_answer(s, &r, ERR_NONE);
    s->late_no_alert = true;
    become_flat(s);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_edits(s, "Done after all");
    assert_true(s->lates > 1);
    assert_int_equal(rig_audited(&s->rig, "command.late"), 1);
    s->late_no_alert = false;
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    int lates = s->lates;
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(s->lates, lates);
    assert_int_equal(rig_audited(&s->rig, "command.late"), 1);
}

/* The engine kept its answer in reserve.bin, and trading.db has it only after the restart. */
static void an_answer_in_the_reserve_is_reported_after_a_restart(void **state)
{
    struct scene *s = *state;
    scene_publish_plain(s, 0);
    scene_send(s, &s->rig.alice, "/pause");
    struct request r = scene_next_request(s);
    scene_crash(s);
    assert_has(rig_last(&s->rig), "COMMAND_NOT_DONE");
    scene_publish_plain(s, 0);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_int_equal(s->lates, 0);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, 1, NULL), 0);
    loop_advance(s->rig.loop, 2 * USEC_PER_SEC);
    assert_int_equal(s->lates, 1);
    assert_true(s->late_happened);
    assert_edits(s, "Done after all");
}

static void a_request_that_a_crash_lost_is_watched_for_a_minute(void **state)
{
    struct scene *s = *state;
    scene_publish_plain(s, 0);
    scene_send(s, &s->rig.alice, "/pause");
    struct request r = scene_next_request(s);
    scene_crash(s);
    scene_publish_plain(s, 0);
    loop_advance(s->rig.loop, 2 * USEC_PER_MIN);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, 1, NULL), 0);
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(s->lates, 0);
}

UNIT_GROUP(late, SCENE_TEST(an_answer_in_the_reserve_is_reported_after_a_restart),
           SCENE_TEST(a_request_that_a_crash_lost_is_watched_for_a_minute),
           SCENE_TEST(a_close_that_expired_says_that_nothing_was_done),
           SCENE_TEST(a_close_that_is_done_after_all_is_told),
           SCENE_TEST(a_close_that_was_slow_to_fill_is_told),
           SCENE_TEST(a_lost_answer_is_looked_up_late),
           SCENE_TEST(a_stop_never_expires_and_is_verified_late),
           SCENE_TEST(what_cannot_be_stored_is_told_later),
           SCENE_TEST(a_part_that_was_told_is_not_told_again),
           SCENE_TEST(late_news_waits_for_the_failure_to_be_stored))

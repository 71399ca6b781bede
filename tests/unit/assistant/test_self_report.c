/* What the assistant says of itself, and what people say of its answers. */
#include "../../../src/command/call.h"
#include "assistant/self_report.h"
#include "base/check.h"
#include "base/clock.h"
#include "rigs/golden.h"
#include "rigs/reply_text.h"
#include "unit/unit.h"

#define NOW_US (INT64_C(1795230000) * USEC_PER_SEC)

static char shown[65536];

struct rig {
    struct clock_fake fake;
    struct ops_store *store;
    struct self_report_actions actions;
    struct action_table *table;
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    clock_fake_init(&rig->fake, NOW_US);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->store, NULL), 0);
    rig->actions = (struct self_report_actions){.store = rig->store, .clock = &rig->fake.clock};
    rig->table = action_table_new();
    self_report_actions(&rig->actions, rig->table);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    action_table_free(rig->table);
    ops_store_free(rig->store);
    free(rig);
    return 0;
}

static int64_t ask(struct rig *rig, int64_t asked_us, const char *source, enum question_state as)
{
    char text[] = "how did BTC do?";
    struct question q = {.asked_us = asked_us, .question = text, .state = as};
    bool again;
    (void)str_copy(str_c(source), q.source, sizeof(q.source));
    q.found = 3;
    q.derived = 2;
    q.unverified = 1;
    assert_int_equal(question_table_begin(rig->store, &q, &q.id, &again, NULL), 0);
    q.ended_us = asked_us + USEC_PER_SEC;
    assert_int_equal(question_table_end(rig->store, &q, NULL), 0);
    return q.id;
}

static void spend(struct rig *rig, const char *model, int64_t e8)
{
    struct llm_call_record r = {.at_us = NOW_US - USEC_PER_HOUR, .cost_usd = {e8}};
    (void)str_copy(str_c(model), r.model, sizeof(r.model));
    assert_int_equal(llm_call_table_add(rig->store, &r, NULL), 0);
}

/* By a person of this name; rating NULL: the report. */
static int call(struct rig *rig, const char *user, int64_t question, const char *rating)
{
    struct err err = {0};
    char word[8] = "";
    struct principal who = {.channel = CHANNEL_TELEGRAM, .role = ROLE_READ_ONLY};
    (void)str_copy(str_c(user), who.name, sizeof(who.name));
    (void)str_copy(str_c(rating == NULL ? "" : rating), word, sizeof(word));
    struct arg_value args[2] = {{.type = PARAM_INT, .number = rating == NULL ? 1 : question},
                                {.type = PARAM_CHOICE, .text = word}};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = {
        .action = action_find(rig->table, rating == NULL ? "assistant.report" : "assistant.rate"),
        .userdata = &rig->actions,
        .reply = reply,
        .args = args,
        .who = &who};
    int rc = call.action->run(&call, &err);
    reply_text_all(reply, shown, sizeof(shown));
    return rc < 0 ? -rc : 0;
}

static struct question_sums sums(struct rig *rig)
{
    struct question_sums ret;
    assert_int_equal(question_table_sums(rig->store, NOW_US - 7 * USEC_PER_DAY, &ret, NULL), 0);
    return ret;
}

static void a_person_rates_an_answer_once_and_may_change_it(void **state)
{
    struct rig *rig = *state;
    int64_t id = ask(rig, NOW_US - USEC_PER_HOUR, "model", QUESTION_ANSWERED);
    assert_int_equal(call(rig, "alice", id, "good"), 0);
    golden_check_reply("rate", shown, NULL);
    assert_int_equal(call(rig, "alice", id, "good"), 0);
    assert_int_equal(sums(rig).good, 1);
    assert_int_equal(call(rig, "alice", id, "bad"), 0);
    assert_int_equal(call(rig, "bob", id, "good"), 0);
    assert_int_equal(sums(rig).good, 1);
    assert_int_equal(sums(rig).bad, 1);
    assert_int_equal(call(rig, "alice", id + 1, "good"), ERR_STORE_NOT_FOUND);
    assert_int_equal(sums(rig).good + sums(rig).bad, 2);
}

static void the_report_counts_what_was_said(void **state)
{
    struct rig *rig = *state;
    int64_t id = ask(rig, NOW_US - 2 * USEC_PER_DAY, "model", QUESTION_ANSWERED);
    (void)ask(rig, NOW_US - 2 * USEC_PER_DAY, "grammar", QUESTION_ANSWERED);
    (void)ask(rig, NOW_US - USEC_PER_DAY, "model", QUESTION_WITHHELD);
    (void)ask(rig, NOW_US - USEC_PER_DAY, "model", QUESTION_STOPPED);
    (void)ask(rig, NOW_US - 8 * USEC_PER_DAY, "model", QUESTION_ANSWERED); /* the week before */
    spend(rig, "claude-haiku-5", 1200000);
    spend(rig, "claude-sonnet-5-5", 52000000);
    spend(rig, "claude-sonnet-5-5", 8000000);
    assert_int_equal(call(rig, "alice", id, "good"), 0);
    assert_int_equal(call(rig, "alice", 0, NULL), 0);
    golden_check_reply("selfreport", shown, NULL);
    assert_has(shown, "4: 3 by a model, 1 without one");
    assert_has(shown, "1 withheld, 1 failed or stopped");
    assert_has(shown, "4 of 24 not verified");
    assert_has(shown, "claude-sonnet-5-5: $0.6000 for 2 requests");
}

static void a_week_without_questions_says_so(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(call(rig, "alice", 0, NULL), 0);
    assert_has(shown, "0: 0 by a model, 0 without one");
    assert_null(strstr(shown, "Rated good"));
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

UNIT_GROUP(self_report, RIGGED(a_person_rates_an_answer_once_and_may_change_it),
           RIGGED(the_report_counts_what_was_said), RIGGED(a_week_without_questions_says_so))

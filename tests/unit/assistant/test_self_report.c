/* What the assistant says of itself, and what people say of its answers. */
#include "../../../src/command/call.h"
#include "assistant/self_report.h"
#include "base/check.h"
#include "base/clock.h"
#include "rigs/golden.h"
#include "rigs/reply_text.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
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

/* A run of /restart demo that somebody began with an answer's button, and how it ended. */
static void take(struct rig *rig, int64_t chat_id, enum run_state state, bool expect)
{
    const struct run_new row = {.command = "restart",
                                .args_json = "{}",
                                .user_name = "alice",
                                .role = "operator",
                                .channel = "telegram",
                                .chat_id = chat_id,
                                .state = RUN_CONFIRMING};
    int64_t id = 0;
    assert_int_equal(run_table_add(rig->store, &row, NOW_US, &id, NULL), 0);
    const struct question_taken taken = {.line = "/restart demo",
                                         .channel = "telegram",
                                         .chat_id = chat_id,
                                         .user = "alice",
                                         .since_us = NOW_US - USEC_PER_DAY,
                                         .run_id = id};
    assert_int_equal(question_table_take(rig->store, &taken, NULL), 0);
    if (state != RUN_CONFIRMING && state != RUN_CANCELLED && state != RUN_EXPIRED) {
        assert_int_equal(run_table_start(rig->store, id, NOW_US, NULL), 0);
    }
    if (state != RUN_CONFIRMING && state != RUN_RUNNING) {
        assert_int_equal(run_table_finish(rig->store, id, state, ERR_NONE, NULL, NOW_US, NULL), 0);
    }
    struct question_proposal last[1] = {0};
    int64_t found = 0;
    for (int64_t q = 1; q < 20; q++) {
        if (question_table_proposals(rig->store, q, last, 1, NULL) == 1 && last[0].run_id == id) {
            found = q;
        }
    }
    assert_int_equal(found != 0, expect);
}

/* A question that proposes /restart demo. */
static int64_t propose(struct rig *rig, int64_t chat_id, int64_t asked_us, const char *model)
{
    char text[] = "restart demo, please";
    const struct run_new row = {.command = "ask",
                                .args_json = "{}",
                                .user_name = "alice",
                                .role = "operator",
                                .channel = "telegram",
                                .chat_id = chat_id,
                                .state = RUN_RUNNING};
    struct question q = {.asked_us = asked_us, .question = text, .state = QUESTION_PROPOSED};
    bool again;
    (void)str_copy(str_c("alice"), q.user, sizeof(q.user));
    (void)str_copy(str_c("telegram"), q.channel, sizeof(q.channel));
    (void)str_copy(str_c(model), q.model, sizeof(q.model));
    (void)str_copy(str_c(model[0] != '\0' ? "model" : "grammar"), q.source, sizeof(q.source));
    assert_int_equal(run_table_add(rig->store, &row, asked_us, &q.run_id, NULL), 0);
    assert_int_equal(question_table_begin(rig->store, &q, &q.id, &again, NULL), 0);
    assert_int_equal(question_table_propose(rig->store, q.id, 0, "/restart demo", NULL), 0);
    assert_int_equal(question_table_end(rig->store, &q, NULL), 0);
    return q.id;
}

static enum proposal_outcome outcome(struct rig *rig, int64_t question_id)
{
    struct question_proposal p[1] = {0};
    assert_int_equal(question_table_proposals(rig->store, question_id, p, 1, NULL), 1);
    assert_string_equal(p[0].line, "/restart demo");
    return p[0].outcome;
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

static void a_proposal_ends_as_its_run_does(void **state)
{
    static const struct {
        enum run_state state;
        enum proposal_outcome outcome;
    } ends[] = {{RUN_CONFIRMING, PROPOSAL_ASKED}, {RUN_RUNNING, PROPOSAL_CONFIRMED},
                {RUN_DONE, PROPOSAL_CONFIRMED},   {RUN_FAILED, PROPOSAL_FAILED},
                {RUN_UNKNOWN, PROPOSAL_FAILED},   {RUN_CANCELLED, PROPOSAL_CANCELLED},
                {RUN_EXPIRED, PROPOSAL_EXPIRED},  {RUN_REFUSED, PROPOSAL_REFUSED}};
    struct rig *rig = *state;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        int64_t chat = 100 + (int64_t)i;
        int64_t id = propose(rig, chat, NOW_US - USEC_PER_HOUR, i < 6 ? "claude-sonnet-5-5" : "");
        assert_int_equal(outcome(rig, id), PROPOSAL_OPEN);
        take(rig, chat, ends[i].state, true);
        assert_int_equal(outcome(rig, id), ends[i].outcome);
    }
    (void)propose(rig, 200, NOW_US - USEC_PER_HOUR, "");
    assert_int_equal(call(rig, "alice", 0, NULL), 0);
    golden_check_reply("selfreport_proposals", shown, NULL);
    assert_has(shown, "claude-sonnet-5-5: 6, 1 waiting, 2 confirmed, 2 failed, 1 cancelled");
    assert_has(shown, "without a model: 3, 1 not begun, 1 expired, 1 refused");
}

static void what_was_cancelled_may_be_taken_again(void **state)
{
    struct rig *rig = *state;
    int64_t id = propose(rig, 100, NOW_US - USEC_PER_HOUR, "m");
    take(rig, 100, RUN_CANCELLED, true);
    take(rig, 100, RUN_EXPIRED, true);
    take(rig, 100, RUN_DONE, true);
    assert_int_equal(outcome(rig, id), PROPOSAL_CONFIRMED);
    take(rig, 100, RUN_DONE, false); /* another restart is no proposal's any more */
    assert_int_equal(outcome(rig, id), PROPOSAL_CONFIRMED);
}

static void a_run_belongs_to_the_newest_proposal_of_its_chat(void **state)
{
    struct rig *rig = *state;
    int64_t older = propose(rig, 100, NOW_US - 3 * USEC_PER_HOUR, "m");
    int64_t newer = propose(rig, 100, NOW_US - USEC_PER_HOUR, "m");
    int64_t other = propose(rig, 101, NOW_US - USEC_PER_MIN, "m");
    take(rig, 102, RUN_DONE, false);
    take(rig, 100, RUN_DONE, true);
    assert_int_equal(outcome(rig, newer), PROPOSAL_CONFIRMED);
    assert_int_equal(outcome(rig, older), PROPOSAL_OPEN);
    assert_int_equal(outcome(rig, other), PROPOSAL_OPEN);
    int64_t stale = propose(rig, 103, NOW_US - 2 * USEC_PER_DAY, "m");
    take(rig, 103, RUN_DONE, false);
    assert_int_equal(outcome(rig, stale), PROPOSAL_OPEN);
}

static void a_button_takes_the_proposal_of_its_own_message(void **state)
{
    struct rig *rig = *state;
    int64_t older = propose(rig, 100, NOW_US - 3 * USEC_PER_HOUR, "m");
    int64_t newer = propose(rig, 100, NOW_US - USEC_PER_HOUR, "m");
    AUTO_QUESTION struct question q = {0};
    assert_int_equal(question_table_get(rig->store, older, &q, NULL), 0);
    int64_t outbox_id = 0;
    assert_int_equal(outbox_table_add(rig->store,
                                      &(struct outbox_new){.channel = "telegram",
                                                           .chat_id = 100,
                                                           .kind = OUTBOX_SEND,
                                                           .priority = OUTBOX_NORMAL,
                                                           .payload = "{}",
                                                           .run_id = q.run_id},
                                      NOW_US, &outbox_id, NULL),
                     0);
    assert_int_equal(outbox_table_delivered(rig->store, outbox_id, 77, NULL), 0);
    const struct run_new row = {.command = "restart",
                                .args_json = "{}",
                                .user_name = "alice",
                                .role = "operator",
                                .channel = "telegram",
                                .chat_id = 100,
                                .state = RUN_CONFIRMING};
    struct question_taken taken = {.line = "/restart demo",
                                   .channel = "telegram",
                                   .chat_id = 100,
                                   .user = "alice",
                                   .message_id = 77};
    assert_int_equal(run_table_add(rig->store, &row, NOW_US, &taken.run_id, NULL), 0);
    assert_int_equal(question_table_take(rig->store, &taken, NULL), 0);
    assert_int_equal(outcome(rig, older), PROPOSAL_ASKED);
    assert_int_equal(outcome(rig, newer), PROPOSAL_OPEN);
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
           RIGGED(the_report_counts_what_was_said), RIGGED(a_proposal_ends_as_its_run_does),
           RIGGED(what_was_cancelled_may_be_taken_again),
           RIGGED(a_run_belongs_to_the_newest_proposal_of_its_chat),
           RIGGED(a_button_takes_the_proposal_of_its_own_message),
           RIGGED(a_week_without_questions_says_so))

/* learner.h over a whole history: reflections, learnings, proposals, retirement, crashes. */
#include "base/check.h"
#include "io/db.h"
#include "rigs/learner_rig.h"
#include "store/outbox_table.h"
#include "store/reflection_table.h"
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>

static const struct market planted = {.seed = 6, .planted = true, .plant = PLANTED_SIDE};
static const struct market noise = {.seed = 3};

static struct learner_rig *open_rig(const struct market *market)
{
    struct learner_rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    learner_rig_open(rig, market);
    return rig;
}

static void close_rig(struct learner_rig *rig)
{
    learner_rig_close(rig);
    free(rig);
}

static int64_t count(struct db *db, const char *sql)
{
    int64_t n = -1;
    assert_int_equal(db_get_i64(db, sql, DB_NO_VALUES, -1, &n, NULL), 0);
    return n;
}

static int64_t of_ops(struct learner_rig *rig, const char *sql)
{
    return count(ops_store_db(rig->store), sql);
}

static void a_closed_trade_is_reflected_on(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&noise);
    struct reflection r;
    learner_rig_trade(rig, 12);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM reflections"), 12);
    assert_int_equal(reflection_table_get(rig->store, 5, &r, NULL), 0);
    struct study_case cases[12];
    market_cases(&noise, cases, 12);
    const struct study_case *c = &cases[4];
    assert_int_equal(r.side, c->side);
    assert_int_equal(r.decision_id, 5);
    assert_true(fabs(r.return_pct - c->return_pct) < 1e-6);
    assert_true(fabs(r.score - c->score) < 1e-12);
    /* 2 % above and 1.5 % below the entry price. */
    double best = c->side == SIDE_LONG ? 2 : 1.5;
    assert_true(fabs(r.best_pct - best) < 1e-6);
    assert_true(fabs(r.worst_pct - (3.5 - best)) < 1e-6);
    assert_true(fabs(r.captured_pct - 100 * (c->return_pct + 0.1) / best) < 1e-6);
    const char *agent = c->side == SIDE_LONG ? "bull" : "bear";
    assert_has(c->won ? r.right : r.wrong, agent);
    assert_has(c->won ? r.right : r.wrong, "quant_analyst");
    assert_string_equal(c->won ? r.wrong : r.right, "");
    close_rig(rig);
}

static void what_is_unknown_is_said(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&noise);
    struct reflection r;
    learner_rig_trade(rig, 10);
    market_write(&noise, rig->trading, 10, 12);
    assert_int_equal(db_exec(trading_store_db(rig->trading),
                             "DELETE FROM candles WHERE open_us >= (SELECT opened_us FROM trades"
                             " WHERE id = 11); DELETE FROM decisions WHERE id = 12",
                             NULL),
                     0);
    rig->closed = 12;
    learner_resync(rig->learner);
    learner_rig_settle(rig);
    assert_int_equal(reflection_table_get(rig->store, 11, &r, NULL), 0);
    assert_true(isnan(r.best_pct) && isnan(r.captured_pct));
    assert_string_equal(r.unknown, "0 of its 5 candles are stored");
    assert_int_equal(reflection_table_get(rig->store, 12, &r, NULL), 0);
    assert_int_equal(r.decision_id, 0);
    assert_true(isnan(r.score) && r.right[0] == '\0' && r.wrong[0] == '\0');
    /* A trade without its decision counts for no learning. */
    assert_int_equal(of_ops(rig, "SELECT sum(cases) FROM learnings"), 11);
    close_rig(rig);
}

/* Every write of a look at trades fails once, as a kill there would leave it: each trade still
 * counts once. */
struct fault {
    int left;
    bool hit;
};

static int fail_once(const char *what, void *userdata)
{
    struct fault *fault = userdata;
    (void)what;
    if (fault->left-- == 0) {
        fault->hit = true;
        return -ERR_DB_FULL;
    }
    return 0;
}

static void each_trade_counts_once_whatever_fails(void **state)
{
    (void)state;
    struct fault fault = {.hit = true};
    for (int at = 0; fault.hit && at < 400; at++) {
        struct learner_rig *rig = open_rig(&noise);
        learner_rig_trade(rig, 3);
        market_write(&noise, rig->trading, 3, 5);
        fault = (struct fault){.left = at};
        ops_store_set_fault(rig->store, fail_once, &fault);
        learner_resync(rig->learner);
        learner_tick(rig->learner);
        ops_store_set_fault(rig->store, NULL, NULL);
        learner_rig_restart(rig);
        learner_rig_settle(rig);
        assert_int_equal(of_ops(rig, "SELECT count(*) FROM reflections"), 5);
        assert_int_equal(of_ops(rig, "SELECT sum(cases) FROM learnings"), 5);
        close_rig(rig);
    }
    assert_false(fault.hit); /* the last one came after every write */
}

static void a_planted_rule_is_proposed_once(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&planted);
    learner_rig_trade(rig, 140);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM learning_reviews"), 0); /* too few yet */
    assert_int_equal(learner_rig_rules(rig, RULE_TESTING), 0);
    learner_rig_trade(rig, 360);
    assert_int_equal(learner_rig_rules(rig, RULE_TESTING), 1);
    assert_int_equal(learner_rig_rules(rig, RULE_ACTIVE), 0);
    const struct rule *rule = &rig->book.rules[0];
    assert_string_equal(rule->condition, market_planted(&planted));
    assert_int_equal(rule->effect, RULE_AVOID);
    assert_string_equal(rule->created_by, "nightdesk");
    struct learning l;
    assert_int_equal(learning_table_of_rule(rig->store, rule->id, &l, NULL), 0);
    assert_int_equal(l.outcome, LEARNING_TESTING);
    assert_true(l.formed.cases > 0 && l.held.cases > 0 && l.evidence_count > 0);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM audit_log WHERE action = 'rule.proposed'"
                                 " AND user = 'nightdesk'"),
                     1);
    learner_rig_restart(rig);
    learner_rig_settle(rig);
    assert_int_equal(rig->book.rule_count, 1);
    close_rig(rig);
}

/* The request, or the answer, is lost in a crash. */
static void a_lost_request_is_asked_again(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&planted);
    rig->silent = true;
    learner_rig_trade(rig, 360);
    assert_int_equal(rig->book.rule_count, 0);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM learnings WHERE outcome = 'confirmed'"), 1);
    learner_rig_restart(rig);
    rig->silent = false;
    learner_rig_settle(rig);
    assert_int_equal(learner_rig_rules(rig, RULE_TESTING), 1);
    /* The rule is there, but the learner did not hear of it. */
    assert_int_equal(db_exec(ops_store_db(rig->store),
                             "UPDATE learnings SET outcome = 'confirmed', rule_id = 0"
                             " WHERE rule_id <> 0",
                             NULL),
                     0);
    learner_rig_restart(rig);
    learner_rig_settle(rig);
    assert_int_equal(rig->book.rule_count, 1);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM learnings WHERE rule_id = 1"), 1);
    close_rig(rig);
}

static void noise_is_not_proposed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        const struct market market = {.seed = seed, .kind = (enum market_kind)seed};
        struct learner_rig *rig = open_rig(&market);
        learner_rig_trade(rig, 520);
        assert_int_equal(rig->book.rule_count, 0);
        assert_int_equal(of_ops(rig, "SELECT count(*) FROM learning_reviews"), 3);
        close_rig(rig);
    }
}

/* Its cases show that it is of no use: at 2 % stop and 4 % target it has to be right in 67 %. */
static void a_useless_rule_is_retired(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&planted);
    learner_rig_trade(rig, 360);
    struct rule *rule = &rig->book.rules[0];
    rule->status = RULE_ACTIVE;
    rule->success_count = 17; /* 59 %: the interval reaches 74 % */
    rule->failure_count = 12;
    learner_rig_save_rules(rig);
    learner_rig_settle(rig);
    assert_int_equal(learner_rig_rules(rig, RULE_ACTIVE), 1);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM learnings WHERE outcome = 'active'"), 1);
    rule->success_count = 12; /* 30 %: at most 45 % */
    rule->failure_count = 28;
    learner_rig_save_rules(rig);
    rig->silent = true;
    learner_rig_settle(rig);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM learnings WHERE outcome = 'retiring'"), 1);
    learner_rig_restart(rig); /* before the engine has read it */
    rig->silent = false;
    learner_rig_settle(rig);
    assert_int_equal(learner_rig_rules(rig, RULE_RETIRED), 1);
    learner_rig_settle(rig);
    struct learning l;
    assert_int_equal(learning_table_of_rule(rig->store, 1, &l, NULL), 0);
    assert_int_equal(l.outcome, LEARNING_RETIRED);
    assert_has(l.note, "right in 12 of 40 cases: at most 45 %, and 67 % are needed");
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM audit_log WHERE action = 'rule.retired'"
                                 " AND user = 'nightdesk'"),
                     1);
    learner_rig_trade(rig, 540); /* another study */
    assert_int_equal(rig->book.rule_count, 1);
    close_rig(rig);
}

static void what_a_person_does_counts(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&planted);
    learner_rig_trade(rig, 360);
    rig->book.rules[0].status = RULE_RETIRED;
    learner_rig_save_rules(rig);
    learner_rig_settle(rig);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM learnings WHERE outcome = 'retired'"
                                 " AND note = 'a person has retired its rule'"),
                     1);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM audit_log WHERE action = 'rule.retired'"),
                     0);
    learner_rig_trade(rig, 540);
    assert_int_equal(rig->book.rule_count, 1);
    close_rig(rig);
}

static void switched_off_it_learns_nothing(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&planted);
    rig->config.learning_enabled = false;
    learner_rig_trade(rig, 200);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM reflections"), 0);
    rig->config.learning_enabled = true;
    learner_rig_settle(rig);
    for (int i = 0; i < 10; i++) {
        learner_rig_settle(rig);
    }
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM reflections"), 200);
    close_rig(rig);
}

/* The ids of its trades begin again. */
static void another_trading_db_begins_a_new_history(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&noise);
    learner_rig_trade(rig, 20);
    assert_int_equal(db_exec(trading_store_db(rig->trading),
                             "DELETE FROM trades; DELETE FROM decisions; DELETE FROM candles",
                             NULL),
                     0);
    rig->market.seed = 8;
    rig->closed = 0;
    learner_rig_trade(rig, 10);
    learner_rig_settle(rig);
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM reflections"), 10);
    assert_int_equal(of_ops(rig, "SELECT sum(cases) FROM learnings"), 10);
    close_rig(rig);
}

/* A model that answers when the test wants it. */
struct model {
    struct llm_client client;
    llm_answer_fn fn;
    void *userdata;
    int asked;
};

static int ask_model(void *self, const struct llm_request *request, llm_answer_fn fn,
                     void *userdata, void **ret_handle, struct err *err)
{
    struct model *model = self;
    (void)err;
    assert_has(request->user, "<untrusted_data>{");
    assert_has(request->system, "A program checks every figure");
    assert_non_null(request->schema);
    model->fn = fn;
    model->userdata = userdata;
    model->asked++;
    *ret_handle = model;
    return 0;
}

static void cancel_model(void *self, void *handle)
{
    struct model *model = self;
    assert_ptr_equal(handle, model);
    model->fn = NULL;
}

static void answer_model(struct model *model, const char *text)
{
    llm_answer_fn fn = model->fn;
    model->fn = NULL;
    assert_non_null(fn);
    fn(&(struct llm_answer){.text = text}, model->userdata);
}

static void words_are_checked(void **state)
{
    (void)state;
    struct learner_rig *rig = open_rig(&noise);
    struct model model = {.client = {.ask = ask_model, .cancel = cancel_model, .self = &model}};
    rig->llm_client = &model.client;
    learner_rig_restart(rig);
    learner_rig_trade(rig, 1);
    assert_int_equal(model.asked, 0); /* off by default */
    rig->config.learning_words = "all";
    learner_rig_trade(rig, 2);
    assert_int_equal(model.asked, 1);
    learner_rig_trade(rig, 3); /* while it is asked about another one */
    assert_int_equal(model.asked, 1);
    struct reflection r;
    char text[256];
    assert_int_equal(reflection_table_get(rig->store, 2, &r, NULL), 0);
    (void)snprintf(text, sizeof(text),
                   "{\"words\":\"The return was %.2f %%.\",\"general\":\"Exits come early.\"}",
                   r.return_pct);
    answer_model(&model, text);
    assert_int_equal(reflection_table_get(rig->store, 2, &r, NULL), 0);
    assert_has(r.words, "The return was ");
    assert_int_equal(of_ops(rig, "SELECT count(*) FROM learnings WHERE pattern = ''"), 1);
    /* The same general in other letters is a duplicate; an answer with a wrong figure is dropped.
     */
    learner_rig_trade(rig, 4);
    answer_model(&model, "{\"words\":\"The agents were right.\",\"general\":\"exits come early\"}");
    assert_int_equal(of_ops(rig, "SELECT duplicates FROM learnings WHERE pattern = ''"), 1);
    static const char *const wrong[] = {
        "{\"words\":\"The return was 77.7 %.\",\"general\":\"\"}",
        "{\"words\":\"It went well.\",\"general\":\"Wait 15 minutes.\"}",
        "{\"words\":\"\"}",
        "no JSON",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        learner_rig_trade(rig, 5 + i);
        answer_model(&model, wrong[i]);
        assert_int_equal(reflection_table_get(rig->store, 5 + (int64_t)i, &r, NULL), 0);
        assert_string_equal(r.words, "");
    }
    assert_int_equal(of_ops(rig, "SELECT value FROM kv WHERE name = 'learning_words_rejected'"), 4);
    rig->config.learning_words = "losses";
    int losses = model.asked;
    for (size_t i = 9; i < 20; i++) {
        learner_rig_trade(rig, i);
        assert_int_equal(reflection_table_get(rig->store, (int64_t)i, &r, NULL), 0);
        losses += r.pnl.e8 < 0;
        if (model.fn != NULL) {
            answer_model(&model, "{\"words\":\"It was stopped.\",\"general\":\"\"}");
        }
    }
    assert_int_equal(model.asked, losses);
    rig->config.learning_words = "all";
    learner_rig_trade(rig, 20);
    assert_non_null(model.fn);
    close_rig(rig); /* cancels it */
    assert_null(model.fn);
}

UNIT_GROUP(learner, cmocka_unit_test(a_closed_trade_is_reflected_on),
           cmocka_unit_test(what_is_unknown_is_said),
           cmocka_unit_test(each_trade_counts_once_whatever_fails),
           cmocka_unit_test(a_planted_rule_is_proposed_once),
           cmocka_unit_test(a_lost_request_is_asked_again), cmocka_unit_test(noise_is_not_proposed),
           cmocka_unit_test(a_useless_rule_is_retired), cmocka_unit_test(what_a_person_does_counts),
           cmocka_unit_test(words_are_checked), cmocka_unit_test(switched_off_it_learns_nothing),
           cmocka_unit_test(another_trading_db_begins_a_new_history))

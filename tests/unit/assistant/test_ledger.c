#include "../../../src/assistant/breaker.h"
#include "base/auto.h"
#include "claude_rig.h"
#include "io/json.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#define NOON_US INT64_C(1795003200000000) /* 2026-11-18T12:00:00Z */

static void add(struct ledger *ledger, const char *cost)
{
    struct llm_call_record record = {.model = "claude-sonnet-5-5", .cost_usd = DEC_INVALID};
    if (cost != NULL) {
        assert_true(dec_parse(str_c(cost), &record.cost_usd));
    }
    ledger_add(ledger, &record);
}

static void assert_status(struct ledger *ledger, const char *expected)
{
    AUTO_BUF struct buf line = BUF_INIT(256);
    AUTO_JSON struct json_object *data = json_object_new_object();
    ledger_status(&line, data, ledger);
    assert_string_equal(line.data, expected);
}

static void the_budget_of_a_day_survives_a_restart(void **state)
{
    (void)state;
    char folder[] = "/tmp/nightdesk-ledger-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct clock_fake clock;
    clock_fake_init(&clock, NOON_US);
    struct ledger ledger = {.clock = &clock.clock, .daily_budget = (struct dec){1 * DEC_ONE}};
    struct err err = {0};
    assert_int_equal(ops_store_open(folder, OPS_STORE_WRITE, &ledger.store, &err), 0);
    assert_status(&ledger, "");
    add(&ledger, "0.6");
    add(&ledger, NULL); /* of a model without a price: counted against nothing, and said */
    assert_int_equal(ledger_check(&ledger, &err), 0);
    assert_status(&ledger, "Claude today: 0.60 of 1.00 USD, 2 requests, 1 of unknown cost");
    clock_fake_advance(&clock, 11 * USEC_PER_HOUR);
    add(&ledger, "0.4");
    ops_store_free(ledger.store);

    assert_int_equal(ops_store_open(folder, OPS_STORE_WRITE, &ledger.store, &err), 0);
    assert_int_equal(ledger_check(&ledger, &err), -ERR_CLAUDE_BUDGET);
    assert_string_equal(err.context, "1.00 of 1.00 USD spent today");
    ledger.daily_budget = DEC_ZERO;
    assert_int_equal(ledger_check(&ledger, &err), 0);
    assert_status(&ledger, "Claude today: 1.00 USD, 3 requests, 1 of unknown cost");
    ledger.daily_budget = (struct dec){1 * DEC_ONE};
    clock_fake_advance(&clock, USEC_PER_HOUR); /* midnight */
    assert_int_equal(ledger_check(&ledger, &err), 0);
    assert_status(&ledger, "");
    ops_store_free(ledger.store);
    char command[80];
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void a_dry_run_keeps_the_budget_and_records_nothing(void **state)
{
    struct claude_rig *rig = *state;
    rig->ledger.read_only = true;
    add(&rig->ledger, "3");
    assert_status(&rig->ledger, "");
    rig->ledger.read_only = false;
    add(&rig->ledger, "3");
    rig->ledger.read_only = true;
    rig->ledger.daily_budget = (struct dec){2 * DEC_ONE};
    assert_int_equal(ledger_check(&rig->ledger, NULL), -ERR_CLAUDE_BUDGET);
}

static void every_attempt_is_a_row(void **state)
{
    struct claude_rig *rig = *state;
    const char *soon[] = {"retry-after-ms: 5", NULL};
    fake_claude_script(rig->fake,
                       &(struct fake_claude_answer){
                           .status = 529,
                           .headers = soon,
                           .body = "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
                                   "\"message\":\"\"}}"});
    fake_claude_reply_with(rig->fake, "{\"fin", "max_tokens");
    fake_claude_reply_with(rig->fake, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_NONE);
    struct llm_call_record rows[4];
    assert_int_equal(llm_call_table_list(rig->store, rows, 4, NULL), 3);
    assert_string_equal(rows[2].error_code, "CLAUDE_OVERLOADED");
    assert_string_equal(rows[2].stop_reason, "");
    assert_string_equal(rows[2].request_id, "req_fake_0");
    assert_int_equal(rows[2].cost_usd.e8, 0);
    assert_string_equal(rows[1].error_code, "CLAUDE_TRUNCATED");
    assert_string_equal(rows[1].stop_reason, "max_tokens");
    assert_int_equal(rows[1].cache_write_tokens, 200);
    assert_string_equal(rows[0].error_code, "");
    assert_string_equal(rows[0].stop_reason, "end_turn");
    assert_string_equal(rows[0].model, "claude-sonnet-5-5");
    assert_string_equal(rows[0].request_id, "req_fake_2");
    assert_int_equal(rows[0].input_tokens, 1200);
    assert_int_equal(rows[0].output_tokens, 340);
    assert_int_equal(rows[0].cache_read_tokens, 200);
    assert_int_equal(rows[0].cost_usd.e8, 544000);
    assert_true(rows[0].latency_us > 0 && rows[0].latency_us < USEC_PER_MIN);
    assert_int_equal(rig->cost_usd.e8, 544000 + 590000);
    /* The same rules and the same message have the same hashes; another message has another. */
    assert_int_equal(strlen(rows[0].prompt_hash), SECRET_HASH_HEX_SIZE - 1);
    assert_string_equal(rows[0].prompt_hash, rows[2].prompt_hash);
    assert_string_equal(rows[0].report_hash, rows[2].report_hash);
    rig->user = "another matter";
    fake_claude_reply_with(rig->fake, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(llm_call_table_list(rig->store, rows, 2, NULL), 2);
    assert_string_equal(rows[0].prompt_hash, rows[1].prompt_hash);
    assert_string_not_equal(rows[0].report_hash, rows[1].report_hash);
}

static void no_attempt_is_sent_over_the_budget(void **state)
{
    struct claude_rig *rig = *state;
    struct err err = {0};
    for (int i = 1; i <= BREAKER_FAILURES; i++) {
        struct llm_spend before;
        assert_int_equal(llm_call_table_spend(rig->store, 0, &before, NULL), 0);
        rig->ledger.daily_budget.e8 = before.cost_usd.e8 + 1; /* for one answer more */
        fake_claude_reply_with(rig->fake, "{\"fin", "max_tokens");
        claude_rig_ask(rig, NULL);
        assert_int_equal(rig->err_id, ERR_CLAUDE_BUDGET); /* not sent again with more tokens */
        assert_true(rig->cost_usd.e8 >= 544000);
        assert_int_equal(claude_rig_try(rig, &err), -ERR_CLAUDE_BUDGET);
        assert_int_equal(fake_claude_requests(rig->fake), i);
    }
    assert_string_equal(err.context, "0.02 of 0.01 USD spent today");
    /* A higher budget holds at once, and what was not sent did not count as a failure. */
    rig->ledger.daily_budget = (struct dec){1 * DEC_ONE};
    fake_claude_reply_with(rig->fake, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_NONE);
}

static void an_unknown_model_has_an_unknown_cost(void **state)
{
    struct claude_rig *rig = *state;
    rig->model = "somebody-elses";
    claude_rig_apply(rig);
    fake_claude_reply_with(rig->fake, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_false(dec_is_valid(rig->cost_usd));
    assert_status(&rig->ledger, "Claude today: 0.00 USD, 1 request, 1 of unknown cost");
}

static void a_cancelled_request_has_an_unknown_cost(void **state)
{
    struct claude_rig *rig = *state;
    struct llm_call_record row;
    struct llm_client llm_client = claude_llm_client(rig->claude);
    struct llm_request q = {.system = "s", .user = "u"};
    for (size_t n = 1; n <= BREAKER_FAILURES; n++) {
        void *handle = NULL;
        fake_claude_script(rig->fake, &(struct fake_claude_answer){.hang = true});
        assert_int_equal(
            llm_client.ask(llm_client.self, &q, claude_rig_on_answer, rig, &handle, NULL), 0);
        for (int i = 0; i < 50 && fake_claude_requests(rig->fake) < n; i++) {
            (void)loop_iterate(rig->loop, 20000);
        }
        llm_client.cancel(llm_client.self, handle);
    }
    assert_int_equal(llm_call_table_list(rig->store, &row, 1, NULL), 1);
    assert_false(dec_is_valid(row.cost_usd));
    assert_string_equal(row.error_code, "COMMAND_CANCELLED");
    /* Says nothing about the service. */
    fake_claude_reply_with(rig->fake, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_NONE);
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, claude_rig_set_up, claude_rig_tear_down)

UNIT_GROUP(ledger, cmocka_unit_test(the_budget_of_a_day_survives_a_restart),
           RIGGED(a_dry_run_keeps_the_budget_and_records_nothing), RIGGED(every_attempt_is_a_row),
           RIGGED(no_attempt_is_sent_over_the_budget), RIGGED(an_unknown_model_has_an_unknown_cost),
           RIGGED(a_cancelled_request_has_an_unknown_cost))

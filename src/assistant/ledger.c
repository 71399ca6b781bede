#include "assistant/ledger.h"

#include "base/auto.h"
#include "base/log.h"
#include "io/json.h"
#include "io/json_out.h"
#include "model/telemetry.h"

static int read_today(const struct ledger *ledger, struct llm_spend *ret, struct err *err)
{
    int64_t now_us = clock_wall_us(ledger->clock);
    return llm_call_table_spend(ledger->store, now_us - now_us % USEC_PER_DAY, ret, err);
}

int ledger_check(const struct ledger *ledger, struct err *err)
{
    struct llm_spend spend;
    if (ledger->store == NULL || ledger->daily_budget.e8 <= 0) {
        return 0;
    }
    int rc = read_today(ledger, &spend, err);
    if (rc < 0 || dec_cmp(spend.cost_usd, ledger->daily_budget) < 0) {
        return rc;
    }
    AUTO_BUF struct buf spent = BUF_INIT(64);
    AUTO_BUF struct buf budget = BUF_INIT(64);
    dec_add_amount(&spent, spend.cost_usd, 2);
    dec_add_amount(&budget, ledger->daily_budget, 2);
    return err_set(err, ERR_CLAUDE_BUDGET, "%s of %s USD spent today", spent.data, budget.data);
}

static void count(struct telemetry *t, const struct llm_call_record *record)
{
    if (t == NULL) {
        return;
    }
    histogram_add(&t->model, record->latency_us * 1000);
    telemetry_count(&t->model_failed, record->error_code[0] != '\0');
    telemetry_count(&t->model_input_tokens, (uint64_t)record->input_tokens);
    telemetry_count(&t->model_output_tokens, (uint64_t)record->output_tokens);
    if (dec_is_valid(record->cost_usd)) {
        telemetry_count(&t->model_cost_e8, (uint64_t)record->cost_usd.e8);
    }
}

void ledger_add(const struct ledger *ledger, struct llm_call_record *record)
{
    struct err err = {0};
    record->at_us = clock_wall_us(ledger->clock);
    count(ledger->telemetry, record);
    if (ledger->store != NULL && !ledger->read_only &&
        llm_call_table_add(ledger->store, record, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "a request to the model is not in the ledger");
    }
}

void ledger_status(struct buf *out, struct json_object *data, void *userdata)
{
    const struct ledger *ledger = userdata;
    struct llm_spend spend;
    struct err err = {0};
    if (read_today(ledger, &spend, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read what the model cost today");
        return;
    }
    if (spend.calls == 0) {
        return;
    }
    struct json_out members = JSON_OUT_TREE(data);
    json_out_object(&members, "model");
    json_out_i64(&members, "requests_today", spend.calls);
    json_out_dec(&members, "cost_today", spend.cost_usd);
    json_out_dec(&members, "daily_budget", ledger->daily_budget);
    json_out_i64(&members, "unpriced", spend.unpriced);
    json_out_end(&members);
    buf_add_c(out, "Claude today: ");
    dec_add_amount(out, spend.cost_usd, 2);
    if (ledger->daily_budget.e8 > 0) {
        buf_add_c(out, " of ");
        dec_add_amount(out, ledger->daily_budget, 2);
    }
    buf_addf(out, " USD, %lld request%s", (long long)spend.calls, spend.calls == 1 ? "" : "s");
    if (spend.unpriced > 0) {
        buf_addf(out, ", %lld of unknown cost", (long long)spend.unpriced);
    }
}

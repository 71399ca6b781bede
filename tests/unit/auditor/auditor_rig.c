#include "auditor_rig.h"

#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/secret.h"
#include "rigs/reply_text.h"
#include "store/audit_table.h"
#include "store/ops.h"
#include "store/trading.h"

#include <stdlib.h>
#include <string.h>

void auditor_rig_answer(void *userdata)
{
    struct auditor_rig_model *model = userdata;
    struct llm_answer answer = {.text = model->err_id == ERR_NONE ? model->text : "",
                                .model = "claude-test",
                                .request_id = "req_1",
                                .stop_reason = "",
                                .input_tokens = 1200,
                                .output_tokens = 340,
                                .cache_read_tokens = model->cache_read_tokens,
                                .cost_usd = model->unpriced ? DEC_INVALID : (struct dec){580000},
                                .attempts = 1};
    if (model->err_id != ERR_NONE) {
        (void)err_set(&answer.err, model->err_id, "scripted");
    }
    model->fn(&answer, model->userdata);
}

static int model_ask(void *self, const struct llm_request *llm_request, llm_answer_fn fn,
                     void *userdata, void **ret_handle, struct err *err)
{
    struct auditor_rig_model *model = self;
    model->asked++;
    if (model->refuse) {
        return err_set(err, ERR_CLAUDE_BUSY, "test");
    }
    free(model->user);
    model->user = strdup(llm_request->user);
    assert_non_null(llm_request->schema);
    model->fn = fn;
    model->userdata = userdata;
    *ret_handle = model;
    if (!model->hang) {
        loop_defer(model->later);
    }
    return 0;
}

static void model_cancel(void *self, void *handle)
{
    struct auditor_rig_model *model = self;
    assert_ptr_equal(handle, model);
    model->cancelled++;
}

static const struct snapshot *read_snapshot(void *userdata)
{
    struct auditor_rig *rig = userdata;
    rig->snapshot.published_wall_us = rig->clock.now_wall_us;
    rig->snapshot.published_mono_us = rig->clock.now_mono_us;
    atomic_store(&rig->shared.engine_beat_mono_us, rig->clock.now_mono_us - rig->silent_us);
    return &rig->snapshot;
}

void auditor_rig_make(struct auditor_rig *rig, bool with_model)
{
    auditor_free(rig->auditor);
    rig->auditor = NULL;
    assert_int_equal(
        auditor_new(&(struct auditor_options){.loop = rig->loop,
                                              .clock = &rig->clock.clock,
                                              .config = &rig->config,
                                              .trading = rig->trading,
                                              .store = rig->store,
                                              .alerts = rig->alerts,
                                              .llm_client = with_model ? &rig->llm_client : NULL,
                                              .snapshot = read_snapshot,
                                              .snapshot_userdata = rig,
                                              .shared = &rig->shared,
                                              .helpers = rig->helpers,
                                              .state_dir = rig->state_dir,
                                              .jitter_seed = rig->jitter_seed},
                    &rig->auditor, NULL),
        0);
}

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

int auditor_rig_set_up(void **state)
{
    struct auditor_rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    assert_int_equal(secret_init(&err), 0);
    log_set_sink(swallow, NULL);
    clock_fake_init(&rig->clock, NOW_US);
    rig->loop = loop_new_fake(&rig->clock, &err);
    assert_int_equal(
        config_load(&(struct config_options){.no_file = true}, &rig->defaults, NULL, &err), 0);
    rig->config = *rig->defaults;
    rig->config.claude_model = "claude-test";
    rig->config.telegram_bot_token = "1:x";
    rig->config.telegram_chat_id = 42;
    rig->config.monitoring_audit_first_after_us = 20 * USEC_PER_SEC;
    rig->config.monitoring_audit_interval_us = USEC_PER_HOUR;
    rig->config.service_count = 1;
    (void)str_copy(str_c("demo"), rig->config.services[0].name, 32);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->store, &err), 0);
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &rig->trading, &err), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = &rig->clock.clock,
                                                         .config = &rig->config,
                                                         .store = rig->store},
                                &rig->alerts, &err),
                     0);
    rig->snapshot = (struct snapshot){.version = 1,
                                      .market_us = NOW_US,
                                      .started_wall_us = NOW_US,
                                      .started_mono_us = rig->clock.now_mono_us,
                                      .market_speed = 60,
                                      .state = TRADING_ACTIVE,
                                      .initial_cash = dec_from_int(10000),
                                      .cash = dec_from_int(9375),
                                      .equity = dec_from_int(9375),
                                      .equity_peak = dec_from_int(10000),
                                      .drawdown_pct = 6.25,
                                      .max_drawdown_pct = 15,
                                      .max_daily_loss_pct = 5,
                                      .decisions = 5,
                                      .books_balance = true};
    rig->model.later = loop_add_deferred(rig->loop, auditor_rig_answer, &rig->model);
    rig->model.text = "{\"findings\":[]}";
    rig->llm_client =
        (struct llm_client){.ask = model_ask, .cancel = model_cancel, .self = &rig->model};
    rig->state_dir = ".";
    auditor_rig_make(rig, true);
    *state = rig;
    return 0;
}

int auditor_rig_tear_down(void **state)
{
    struct auditor_rig *rig = *state;
    auditor_free(rig->auditor);
    pool_free(rig->helpers);
    alerts_free(rig->alerts);
    trading_store_free(rig->trading);
    ops_store_free(rig->store);
    loop_source_free(rig->model.later);
    loop_free(rig->loop);
    free(rig->model.user);
    config_free(rig->defaults);
    free(rig);
    return 0;
}

enum auditor_exit auditor_rig_run(struct auditor_rig *rig, const struct auditor_request *request,
                                  struct reply *reply)
{
    enum auditor_exit code = AUDITOR_EXIT_CLEAR;
    AUTO_REPLY struct reply *own = reply_new();
    struct err err = {0};
    int rc = auditor_run_sync(rig->auditor, request, reply != NULL ? reply : own, &code, &err);
    assert_int_equal(rc, 0);
    return code;
}

/* Status of the newest alert whose fingerprint begins with prefix; -1: none. */
int auditor_rig_status(struct auditor_rig *rig, const char *prefix, struct alert *ret)
{
    struct alert *rows = calloc(32, sizeof(*rows));
    int found = -1;
    int count = alert_table_list(rig->store, &(struct alert_query){0}, rows, 32, NULL);
    assert_true(count >= 0);
    int64_t newest = 0;
    for (int i = 0; i < count; i++) {
        if (str_starts(str_c(rows[i].fingerprint), prefix) && rows[i].id > newest) {
            newest = rows[i].id;
            found = (int)rows[i].status;
            if (ret != NULL) {
                *ret = rows[i];
            }
        }
    }
    free(rows);
    return found;
}

bool auditor_rig_shows(const struct reply *reply, const char *text)
{
    for (size_t i = 0; i < reply_block_count(reply); i++) {
        if (strstr(reply_text(reply, i), text) != NULL) {
            return true;
        }
    }
    return false;
}

int64_t auditor_rig_audits(struct auditor_rig *rig)
{
    struct audit_record *rows = calloc(64, sizeof(*rows));
    int count = audit_table_list(rig->store, 0, rows, 64, NULL);
    free(rows);
    return count;
}

#include "rigs/learner_rig.h"

#include "access/access.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "io/loop.h"
#include "trading/desk.h"

#include <string.h>

#define START_US    (INT64_C(1800000000) * USEC_PER_SEC)
#define SETTLE_S    6
#define SYNC_WAIT_S 70

static void open_learner(struct learner_rig *rig)
{
    rig->desk = desk_new(&(struct desk_options){.shared = &rig->shared,
                                                .reader = rig->reader,
                                                .trading = rig->trading,
                                                .store = rig->store,
                                                .config = &rig->config,
                                                .clock = &rig->clock.clock,
                                                .loop = rig->loop});
    rig->learner = learner_new(&(struct learner_options){.clock = &rig->clock.clock,
                                                         .config = &rig->config,
                                                         .store = rig->store,
                                                         .trading = rig->trading,
                                                         .desk = rig->desk,
                                                         .alerts = rig->alerts,
                                                         .access = rig->access,
                                                         .state_dir = "",
                                                         .llm_client = rig->llm_client});
}

static void close_learner(struct learner_rig *rig)
{
    learner_free(rig->learner);
    desk_free(rig->desk);
}

void learner_rig_open(struct learner_rig *rig, const struct market *market)
{
    *rig = (struct learner_rig){.market = *market, .step = 10};
    clock_fake_init(&rig->clock, START_US);
    rig->config.learning_enabled = true;
    rig->config.learning_min_trades = 150;
    rig->config.learning_min_matches = 20;
    rig->config.learning_retire_cases = 30;
    rig->config.risk_stop_pct = 2;
    rig->config.risk_target_pct = 4;
    rig->config.alerts_timezone = "UTC";
    rig->config.telegram_bot_token = "";
    rig->config.mail_server = "";
    rig->config.webhook_url = "";
    rig->config.notify_report = "silent";
    rig->config.learning_words = "off";
    rig->loop = loop_new_fake(&rig->clock, NULL);
    shared_init(&rig->shared, 1);
    rig->reader = shared_reader_add(&rig->shared, "test", 0);
    shared_seal(&rig->shared);
    ASSERT(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->store, NULL) == 0);
    ASSERT(trading_store_open(":memory:", TRADING_STORE_WRITE, &rig->trading, NULL) == 0);
    ASSERT(access_new(&rig->config, rig->store, &rig->clock.clock, &rig->access, NULL) == 0);
    ASSERT(alerts_new(&(struct alerts_options){.clock = &rig->clock.clock,
                                               .config = &rig->config,
                                               .store = rig->store},
                      &rig->alerts, NULL) == 0);
    open_learner(rig);
}

void learner_rig_close(struct learner_rig *rig)
{
    close_learner(rig);
    alerts_free(rig->alerts);
    access_free(rig->access);
    trading_store_free(rig->trading);
    ops_store_free(rig->store);
    shared_release(&rig->shared);
    loop_free(rig->loop);
}

void learner_rig_restart(struct learner_rig *rig)
{
    struct request lost;
    close_learner(rig);
    while (ring_pop(rig->shared.requests, &lost)) {}
    open_learner(rig);
}

/* ------------------------------------------------------------------ the engine */

void learner_rig_save_rules(struct learner_rig *rig)
{
    ASSERT(rule_table_save(rig->trading, &rig->book, NULL) == 0);
}

static struct rule *find_rule(struct learner_rig *rig, int64_t id)
{
    for (int i = 0; i < rig->book.rule_count; i++) {
        if (rig->book.rules[i].id == id) {
            return &rig->book.rules[i];
        }
    }
    return NULL;
}

static int answer(struct learner_rig *rig, const struct request *request)
{
    struct condition program;
    struct rule rule;
    if (request->kind == REQUEST_RULE_STATUS) {
        struct rule *known = find_rule(rig, request->number);
        ASSERT(known != NULL && rule_status_parse(str_c(request->text), &known->status));
        learner_rig_save_rules(rig);
        return ERR_NONE;
    }
    ASSERT(request->kind == REQUEST_RULE_ADD);
    ASSERT(rule_read(str_c(request->text), &rule, &program, NULL) == 0);
    for (int i = 0; i < rig->book.rule_count; i++) {
        const struct rule *other = &rig->book.rules[i];
        if (other->status != RULE_RETIRED && strcmp(other->condition, rule.condition) == 0) {
            return ERR_RULE_DUPLICATE;
        }
    }
    ASSERT(rig->book.rule_count < RULES_MAX);
    rule.id = ++rig->book.last_rule_id;
    (void)str_copy(str_c(request->by), rule.created_by, sizeof(rule.created_by));
    rig->book.rules[rig->book.rule_count++] = rule;
    learner_rig_save_rules(rig);
    return ERR_NONE;
}

static void run_engine(struct learner_rig *rig)
{
    struct request request;
    while (!rig->silent && ring_pop(rig->shared.requests, &request)) {
        const struct event event = {
            .topic = TOPIC_REPLY, .code = (uint32_t)answer(rig, &request), .id = request.id};
        desk_on_event(rig->desk, &event);
        learner_event(rig->learner, &event);
    }
}

void learner_rig_settle(struct learner_rig *rig)
{
    for (int i = 0; i < SETTLE_S; i++) {
        learner_tick(rig->learner);
        run_engine(rig);
        clock_fake_advance(&rig->clock, USEC_PER_SEC);
    }
    clock_fake_advance(&rig->clock, SYNC_WAIT_S * USEC_PER_SEC);
}

void learner_rig_trade(struct learner_rig *rig, size_t closed)
{
    const struct event event = {.topic = TOPIC_TRADE};
    while (rig->closed < closed) {
        size_t to = rig->closed + rig->step < closed ? rig->closed + rig->step : closed;
        market_write(&rig->market, rig->trading, rig->closed, to);
        rig->closed = to;
        learner_event(rig->learner, &event);
        learner_rig_settle(rig);
    }
}

int learner_rig_rules(const struct learner_rig *rig, enum rule_status status)
{
    int count = 0;
    for (int i = 0; i < rig->book.rule_count; i++) {
        count += rig->book.rules[i].status == status;
    }
    return count;
}

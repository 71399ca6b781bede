#include "rigs/update_rig.h"

#include "../../src/chat/telegram_update.h"
#include "../../src/command/runner_internal.h"
#include "alerts/alerts.h"
#include "assistant/assistant.h"
#include "assistant/measure.h"
#include "assistant/recommend.h"
#include "assistant/review.h"
#include "assistant/self_report.h"
#include "auditor/auditor.h"
#include "base/check.h"
#include "base/log.h"
#include "deploy/deploy.h"
#include "health/autofix.h"
#include "health/health.h"
#include "io/secret.h"
#include "learning/learner.h"
#include "ops/backup_actions.h"
#include "ops/cleanup_actions.h"
#include "ops/outbox_actions.h"
#include "ops/reload.h"
#include "sentiment/sentiment.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
#include "trading/desk.h"

#include <stdlib.h>

#define PROMPT_MAX_US (10 * USEC_PER_MIN) /* no prompt is open for longer */

static void must(int rc, const struct err *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "update_rig: %s: %s\n", err_info(rc)->code, err->context);
        abort();
    }
}

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line, (void)userdata;
}

static int count_call(struct action_call *call, struct err *err)
{
    struct update_rig *rig = action_userdata(call);
    (void)err;
    rig->calls++;
    if (rig->on_call != NULL) {
        rig->on_call(call, rig->userdata);
    }
    reply_title(action_reply(call), TONE_GOOD, "ran %s", action_of(call)->name);
    return ACTION_DONE;
}

static int price_of(struct symbol symbol, struct dec percent, struct dec *ret, void *userdata,
                    struct err *err)
{
    (void)symbol, (void)percent, (void)userdata, (void)err;
    *ret = dec_from_int(64000);
    return 0;
}

/* No other value is looked up. */
static const struct value_domain prices = {.type = PARAM_PRICE, .price = price_of};

/* What an action is stays as it is: parameters, effect, role, locks. What it does is left out. */
static void replace_actions(struct update_rig *rig)
{
    size_t count = 0;
    rig->described = action_table_new();
    builtin_actions(&rig->builtin, rig->described);
    desk_actions(NULL, rig->described);
    alerts_actions(NULL, rig->described);
    health_actions(NULL, rig->described);
    deploy_actions(NULL, rig->described);
    autofix_actions(NULL, rig->described);
    reload_actions(NULL, rig->described);
    backup_actions_add(NULL, rig->described);
    outbox_actions_add(NULL, rig->described);
    cleanup_actions_add(NULL, rig->described);
    auditor_actions(NULL, rig->described);
    review_actions(NULL, rig->described);
    self_report_actions(NULL, rig->described);
    learner_actions(NULL, rig->described);
    sentiment_actions(NULL, rig->described);
    measure_actions(NULL, rig->described);
    assistant_actions(NULL, rig->described);
    recommend_actions(NULL, rig->described);
    while (action_at(rig->described, count) != NULL) {
        count++;
    }
    rig->rows = calloc(count + 1, sizeof(rig->rows[0]));
    ASSERT(rig->rows != NULL);
    for (size_t i = 0; i < count; i++) {
        rig->rows[i] = *action_at(rig->described, i);
        rig->rows[i].run = count_call;
        rig->rows[i].cancel = NULL;
        rig->rows[i].first = NULL;
        rig->rows[i].recover = NULL;
        rig->rows[i].preview = NULL;
        rig->rows[i].needs_factor = NULL;
        rig->rows[i].applies = NULL;
    }
    rig->actions = action_table_new();
    action_table_add(rig->actions, rig->rows, rig);
    action_table_add_domain(rig->actions, &prices, NULL);
}

static void open_channel(struct update_rig *rig)
{
    struct err err = {0};
    const char *url = rig->config->telegram_api_url;
    rig->config->telegram_api_url = "http://["; /* no host: answers to presses fail at once */
    must(telegram_new(&(struct telegram_options){.loop = rig->loop,
                                                 .clock = &rig->clock.clock,
                                                 .config = rig->config,
                                                 .store = rig->store,
                                                 .access = rig->access,
                                                 .runner = rig->runner,
                                                 .manifests = rig->manifests,
                                                 .alerts = rig->alerts},
                      &rig->telegram, &err),
         &err);
    rig->config->telegram_api_url = url;
    (void)str_copy(str_c(UPDATE_RIG_BOT), rig->telegram->username, sizeof(rig->telegram->username));
}

void update_rig_open(struct update_rig *rig, const char *config)
{
    struct err err = {0};
    *rig = (struct update_rig){0};
    log_set_sink(swallow, NULL);
    must(secret_init(&err), &err);
    clock_fake_init(&rig->clock, UPDATE_RIG_WALL_US);
    must(config_parse(str_c(config), "rig.yaml", &rig->config, NULL, &err), &err);
    must(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->store, &err), &err);
    rig->loop = loop_new(&err);
    ASSERT(rig->loop != NULL);
    must(access_new(rig->config, rig->store, &rig->clock.clock, &rig->access, &err), &err);
    replace_actions(rig);
    must(manifest_list_load(rig->actions, &rig->manifests, &err), &err);
    must(alerts_new(&(struct alerts_options){.clock = &rig->clock.clock,
                                             .config = rig->config,
                                             .store = rig->store},
                    &rig->alerts, &err),
         &err);
    must(runner_new(&(struct runner_options){.loop = rig->loop,
                                             .clock = &rig->clock.clock,
                                             .config = rig->config,
                                             .store = rig->store,
                                             .access = rig->access,
                                             .actions = rig->actions,
                                             .manifests = rig->manifests},
                    &rig->runner, &err),
         &err);
    open_channel(rig);
}

void update_rig_close(struct update_rig *rig)
{
    telegram_free(rig->telegram);
    runner_free(rig->runner);
    alerts_free(rig->alerts);
    manifest_list_free(rig->manifests);
    action_table_free(rig->actions);
    action_table_free(rig->described);
    free(rig->rows);
    access_free(rig->access);
    log_set_sink(NULL, NULL);
    ops_store_free(rig->store);
    loop_free(rig->loop);
    config_free(rig->config);
}

int update_rig_push(struct update_rig *rig, struct json_object *update)
{
    int64_t wall_us = clock_wall_us(&rig->clock.clock);
    struct err err = {0};
    struct telegram_moment moment = {
        .now = fresh_now(&rig->clock.clock, wall_us / USEC_PER_SEC * USEC_PER_SEC)};
    moment.empty =
        (struct fresh){.wall_us = wall_us - USEC_PER_DAY, .date_us = wall_us - USEC_PER_DAY};
    int rc = telegram_update_accept(rig->telegram, update, &moment, &err);
    (void)loop_iterate(rig->loop, 0); /* runs that have ended are freed there */
    return rc;
}

static void look_at_message(const struct outbox_row *row, struct update_seen *seen)
{
    const struct json_limits limits = {.max_bytes = OUTBOX_PAYLOAD_MAX, .max_depth = 32};
    AUTO_JSON struct json_object *payload = NULL;
    seen->chat_id = row->chat_id;
    seen->messages++;
    if (json_parse(str_c(row->payload), &limits, &payload, NULL) == 0) {
        (void)str_copy(json_str(json_get(payload, "error"), "error_code"), seen->error,
                       sizeof(seen->error));
    }
}

struct update_seen update_rig_look(struct update_rig *rig)
{
    struct update_seen seen = {.calls = rig->calls};
    bool more = true;
    rig->calls = 0;
    while (more) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        more = outbox_table_get(rig->store, rig->last_id + 1, &row, NULL) == 0;
        if (more) {
            rig->last_id++;
            look_at_message(&row, &seen);
            if (rig->on_message != NULL) {
                rig->on_message(row.chat_id, row.payload, rig->userdata);
            }
        }
    }
    more = true;
    while (more) {
        AUTO_RUN_ROW struct run_row row = {0};
        more = run_table_get(rig->store, rig->last_run + 1, &row, NULL) == 0;
        if (more) {
            rig->last_run++;
            seen.runs++;
            seen.waiting += row.state == RUN_CONFIRMING ? 1 : 0;
        }
    }
    return seen;
}

void update_rig_settle(struct update_rig *rig)
{
    clock_fake_advance(&rig->clock, PROMPT_MAX_US + USEC_PER_SEC);
    runner_confirm_on_expiry(rig->runner);
    (void)loop_iterate(rig->loop, 0);
    (void)update_rig_look(rig);
}

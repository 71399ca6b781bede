#include "access/access.h"
#include "alerts/alerts.h"
#include "api/api.h"
#include "assistant/assistant.h"
#include "assistant/claude.h"
#include "assistant/review.h"
#include "auditor/auditor.h"
#include "base/check.h"
#include "base/log.h"
#include "chat/courier.h"
#include "chat/telegram.h"
#include "command/runner.h"
#include "deploy/deploy.h"
#include "health/health.h"
#include "heartbeat.h"
#include "io/loop.h"
#include "io/units.h"
#include "learning/learner.h"
#include "ops/reload.h"
#include "ops_internal.h"
#include "sentiment/sentiment.h"
#include "store/outbox_table.h"
#include "trading/desk.h"

#include <string.h>
#include <unistd.h>

#define HEARTBEAT_ALERT_US     (10 * USEC_PER_MIN)
#define HEARTBEAT_ALERT_MISSED 5

const struct config *ops_config(const struct ops *ops)
{
    return ops->reload != NULL ? reload_config(ops->reload) : ops->options.config;
}

/* ---------------------------------------------------------------- systemd and Claude */

static bool any_unit(const struct config *config)
{
    bool found = false;
    for (int i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];
        found = found || service->unit[0] != '\0';
        for (int k = 0; k < service->check_count; k++) {
            found = found || service->checks[k].unit[0] != '\0';
        }
    }
    return found;
}

static void make_units(struct ops *ops, const struct config *config)
{
    struct err err = {0};
    if (ops->units != NULL || !any_unit(config)) {
        return;
    }
    ops->units = units_new(ops->loop, &err);
    if (ops->units == NULL) {
        log_err(LOG_LEVEL_WARNING, &err, "no systemd: units can be neither checked nor restarted");
    }
}

/* Without a key the client stays, for the audit that may be waiting for its answer, and gets no new
 * requests. */
static void make_claude(struct ops *ops, const struct config *config)
{
    const struct claude_options options = {
        .loop = ops->loop,
        .http = ops->http,
        .api_url = config->claude_api_url,
        .api_key = config->claude_api_key,
        .model = config->claude_model,
        .max_tokens = config->claude_max_tokens,
        .timeout_ms = config->claude_timeout_us / USEC_PER_MSEC,
        .ledger = &ops->ledger,
    };
    struct err err = {0};
    ops->ledger = (struct ledger){
        .store = ops->store,
        .clock = ops->clock,
        .daily_budget = config->claude_daily_budget,
        .telemetry = &ops->options.shared->telemetry,
    };
    ops->has_model = false;
    if (config->claude_api_key[0] == '\0') {
        return;
    }
    int rc = ops->claude == NULL ? claude_new(&options, &ops->claude, &err)
                                 : claude_apply(ops->claude, &options, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "audits run without a model");
        return;
    }
    ops->llm_client = claude_llm_client(ops->claude);
    ops->has_model = true;
}

void ops_apply_make(struct ops *ops)
{
    make_units(ops, ops_config(ops));
    make_claude(ops, ops_config(ops));
}

/* ---------------------------------------------------------------- the heartbeat */

/* All threads are alive and the engine has finished starting. A pause or a tripped breaker counts
 * as alive, since the operators know of it; a failing reconciliation does not. */
static bool is_trading(void *userdata)
{
    struct ops *ops = userdata;
    const struct snapshot *s = desk_snapshot(ops->desk);
    return ops_alive(ops) && s->version > 0 && s->state != TRADING_STARTING;
}

void ops_apply_heartbeat(struct ops *ops)
{
    const struct config *config = ops_config(ops);
    int64_t missed_us = HEARTBEAT_ALERT_MISSED * config->monitoring_heartbeat_interval_us;
    heartbeat_free(ops->heartbeat);
    ops->heartbeat = heartbeat_new(&(struct heartbeat_options){
        .loop = ops->loop,
        .http = ops->http,
        .alerts = ops->alerts,
        .url = config->monitoring_heartbeat_url,
        .interval_us = config->monitoring_heartbeat_interval_us,
        .alert_after_us = missed_us > HEARTBEAT_ALERT_US ? missed_us : HEARTBEAT_ALERT_US,
        .alive = is_trading,
        .userdata = ops});
}

static void apply_heartbeat(struct ops *ops, const struct config *before,
                            const struct config *config)
{
    struct err err = {0};
    if (strcmp(before->monitoring_heartbeat_url, config->monitoring_heartbeat_url) != 0 ||
        before->monitoring_heartbeat_interval_us != config->monitoring_heartbeat_interval_us) {
        ops_apply_heartbeat(ops);
        heartbeat_start(ops->heartbeat);
    } else {
        heartbeat_move(ops->heartbeat, config->monitoring_heartbeat_url);
    }
    if (ops->heartbeat == NULL && before->monitoring_heartbeat_url[0] != '\0' &&
        alerts_resolve(ops->alerts, HEARTBEAT_ALERT, "heartbeats are off", &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not resolve an alert");
    }
}

/* ---------------------------------------------------------------- people who were removed */

/* What still waits for them, for example while Telegram does not answer, is not sent. */
static void drop_messages(struct ops *ops, const struct config *before, const struct config *config)
{
    for (int i = 0; i < before->user_count; i++) {
        int64_t id = before->users[i].id; /* also that of the private chat */
        struct err err = {0};
        struct principal who;
        bool listed = access_identify(ops->access, CHANNEL_TELEGRAM, id, &who) == 0;
        if (!listed && id != config->telegram_chat_id &&
            outbox_table_drop_chat(ops->store, "telegram", id, "the user was removed", &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "could not drop the messages to a removed user");
        }
    }
}

/* ---------------------------------------------------------------- all modules */

/* Without the market's files: they need a restart, and their paths belong to the configuration. */
static struct settings *live_settings(const struct config *config)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    ASSERT(settings != NULL);
    config_settings(config, settings);
    settings->market_file_count = 0;
    memset(settings->market_files, 0, sizeof(settings->market_files));
    return settings;
}

/* Each publication is an input of a step and a record of the run journal: only if they differ. */
static void apply_settings(const struct ops *ops, const struct config *before,
                           const struct config *config)
{
    struct shared *shared = ops->options.shared;
    AUTO_FREE struct settings *old = live_settings(before);
    AUTO_FREE struct settings *now = live_settings(config);
    if (memcmp(old, now, sizeof(*now)) == 0) {
        return;
    }
    memcpy(mailbox_draft(shared->settings), now, sizeof(*now));
    mailbox_publish(shared->settings);
    const uint64_t one = 1; /* the engine looks at once, not after its usual 250 ms */
    (void)!write(shared->requests_fd, &one, sizeof(one));
}

void ops_apply(const struct config *before, const struct config *config, void *userdata)
{
    struct ops *ops = userdata;
    enum log_level level;
    if (log_level_parse(str_c(config->log_level), &level)) {
        log_set_level(level);
    }
    make_units(ops, config);
    make_claude(ops, config);
    access_apply(ops->access, config);
    alerts_apply(ops->alerts, config);
    notices_apply(&ops->notices, config);
    desk_apply(ops->desk, config);
    health_apply(ops->health, config, ops->units);
    deploy_apply(ops->deploy, config);
    ops->space.config = config;
    auditor_apply(ops->auditor, config, ops->has_model ? &ops->llm_client : NULL);
    learner_apply(ops->learner, config, ops->has_model ? &ops->llm_client : NULL);
    sentiment_apply(ops->sentiment, config, ops->has_model ? &ops->llm_client : NULL);
    review_apply(ops->review, ops->has_model ? &ops->llm_client : NULL);
    assistant_apply(ops->assistant, config, ops->has_model ? &ops->llm_client : NULL);
    runner_apply(ops->runner, config);
    telegram_apply(ops->telegram, config);
    courier_apply(ops->mailer, config);
    courier_apply(ops->webhook, config);
    drop_messages(ops, before, config);
    runner_recheck(ops->runner, "reload");
    telegram_menus(ops->telegram);
    api_apply(ops->api, config);
    atomic_store_explicit(&ops->options.shared->check_interval_us,
                          config->monitoring_check_interval_us, memory_order_relaxed);
    apply_heartbeat(ops, before, config);
    apply_settings(ops, before, config);
    ops_sweep_alerts(ops, config, false);
}

int ops_apply_files(const struct config *config, void *userdata)
{
    struct ops *ops = userdata;
    int count = ops_commands_load(&ops->commands, config->commands_folder, MANIFEST_ALL_OR_NOTHING);
    if (count == 0) {
        telegram_menus(ops->telegram);
        ops_sweep_alerts(ops, config, false);
    }
    return count;
}

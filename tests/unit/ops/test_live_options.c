/* Every option that is marked CONFIG_LIVE takes effect after a reload: the engine's settings follow
 * it, or a module that the real ops thread has made does. */
#include "../../../src/alerts/alerts_internal.h"
#include "../../../src/chat/telegram_internal.h"
#include "../../../src/command/run.h"
#include "../../../src/config/option.h"
#include "../../../src/deploy/deploy_internal.h"
#include "../../../src/health/health_internal.h"
#include "../../../src/health/metrics.h"
#include "../../../src/learning/learner_internal.h"
#include "../../../src/ops/ops_internal.h"
#include "../../../src/sentiment/sentiment_internal.h"
#include "../../../src/trading/desk_internal.h"
#include "access/access.h"
#include "alerts/alerts.h"
#include "base/log.h"
#include "chat/telegram.h"
#include "command/runner.h"
#include "io/file.h"
#include "io/secret.h"
#include "ops/ops.h"
#include "ops/reload.h"
#include "store/outbox_table.h"
#include "store/trading.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE                                                                                  \
    "telegram: {bot_token: '1:abc', api_url: 'http://127.0.0.1:9', chat_id: 7, users: [{id: " \
    "5, name: al, role: operator}]}\n"                                                        \
    "api: {port: 0, token: t0ken-0, local_users: [{uid: 5, name: lo}]}\n"                     \
    "claude: {api_key: k3y-0, api_url: 'http://127.0.0.1:9'}\n"                               \
    "services: {w: {url: 'http://127.0.0.1:9'}}\n"

struct rig {
    char folder[64];
    char path[96];
    struct config_options source;
    struct config *config; /* of the start */
    const struct config *before;
    struct shared shared;
    struct ops *ops;
    struct settings old;
};

/* ---------------------------------------------------------------- where an option is seen */

static bool in_settings(struct rig *rig)
{
    bool fresh = false;
    struct settings *now = calloc(1, sizeof(*now));
    const struct settings *got = mailbox_latest(rig->shared.settings, &fresh);
    config_settings(ops_config(rig->ops), now);
    bool seen =
        fresh && memcmp(got, now, sizeof(*now)) == 0 && memcmp(&rig->old, now, sizeof(*now)) != 0;
    free(now);
    return seen;
}

/* The module reads this configuration, not the one before. */
static bool is_new(const struct rig *rig, const struct config *held)
{
    return held == ops_config(rig->ops) && held != rig->before;
}

static bool is_user(struct rig *rig, int64_t id, const char *name, enum role role, bool emergency)
{
    struct principal who;
    return access_identify(rig->ops->access, CHANNEL_TELEGRAM, id, &who) == 0 &&
           strcmp(who.name, name) == 0 && who.role == role && who.emergency == emergency;
}

static bool in_ledger(struct rig *rig)
{
    return rig->ops->ledger.daily_budget.e8 == 7 * DEC_ONE;
}

static bool in_admins(struct rig *rig)
{
    return is_user(rig, 9, "admin-9", ROLE_ADMIN, true);
}

static bool in_user_id(struct rig *rig)
{
    struct principal who;
    return is_user(rig, 6, "al", ROLE_OPERATOR, false) &&
           access_identify(rig->ops->access, CHANNEL_TELEGRAM, 5, &who) < 0;
}

static bool in_user_name(struct rig *rig)
{
    return is_user(rig, 5, "bo", ROLE_OPERATOR, false);
}

static bool in_user_role(struct rig *rig)
{
    return is_user(rig, 5, "al", ROLE_ADMIN, false);
}

static bool in_user_emergency(struct rig *rig)
{
    return is_user(rig, 5, "al", ROLE_OPERATOR, true);
}

static bool is_local(struct rig *rig, int64_t uid, const char *name, enum role role, bool emergency)
{
    struct principal who;
    return access_identify(rig->ops->access, CHANNEL_SOCKET, uid, &who) == 0 &&
           strcmp(who.name, name) == 0 && who.role == role && who.emergency == emergency;
}

static bool in_local_uid(struct rig *rig)
{
    return is_local(rig, 6, "lo", ROLE_READ_ONLY, false);
}

static bool in_local_name(struct rig *rig)
{
    return is_local(rig, 5, "ma", ROLE_READ_ONLY, false);
}

static bool in_local_role(struct rig *rig)
{
    return is_local(rig, 5, "lo", ROLE_OPERATOR, false);
}

static bool in_local_emergency(struct rig *rig)
{
    return is_local(rig, 5, "lo", ROLE_READ_ONLY, true);
}

static bool in_user_totp(struct rig *rig)
{
    struct principal who;
    return access_identify(rig->ops->access, CHANNEL_TELEGRAM, 5, &who) == 0 &&
           access_has_factor(rig->ops->access, &who);
}

static bool in_local_totp(struct rig *rig)
{
    struct principal who;
    return access_identify(rig->ops->access, CHANNEL_SOCKET, 5, &who) == 0 &&
           access_has_factor(rig->ops->access, &who);
}

static bool in_recipients(struct rig *rig)
{
    static int count;
    char fingerprint[24];
    (void)snprintf(fingerprint, sizeof(fingerprint), "test:%d", count++);
    const struct alert_spec spec = {.type = ALERT_BUG,
                                    .severity = SEVERITY_HIGH,
                                    .source = "test",
                                    .fingerprint = fingerprint,
                                    .title = "t",
                                    .description = "d",
                                    .recommendation = "r"};
    bool seen = false;
    int64_t id;
    assert_int_equal(alerts_raise(rig->ops->alerts, &spec, &id, NULL), 0);
    for (;;) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        if (outbox_table_due(rig->ops->store, "telegram", INT64_MAX, &row, NULL) != 1) {
            return seen;
        }
        seen = seen || row.chat_id == 8;
        assert_int_equal(outbox_table_delivered(rig->ops->store, row.id, 1, NULL), 0);
    }
}

static bool in_alerts(struct rig *rig)
{
    return is_new(rig, rig->ops->alerts->o.config);
}

static bool in_desk(struct rig *rig)
{
    return is_new(rig, rig->ops->desk->o.config);
}

static bool in_telegram(struct rig *rig)
{
    return is_new(rig, rig->ops->telegram->options.config);
}

static bool in_runner(struct rig *rig)
{
    return is_new(rig, rig->ops->runner->o.config);
}

static bool in_rate(struct rig *rig)
{
    return rig->ops->runner->rate.per_minute == 5;
}

static bool in_metrics(struct rig *rig)
{
    return is_new(rig, rig->ops->health->metrics->o.config);
}

static bool in_services(struct rig *rig)
{
    const struct health *health = rig->ops->health;
    return is_new(rig, health->options.config) && health->count == 1 &&
           health->services[0]->config == &ops_config(rig->ops)->services[0];
}

static bool in_health(struct rig *rig)
{
    return is_new(rig, rig->ops->health->options.config);
}

static bool in_learner(struct rig *rig)
{
    return is_new(rig, rig->ops->learner->o.config);
}

static bool in_sentiment(struct rig *rig)
{
    return is_new(rig, rig->ops->sentiment->o.config);
}

static bool in_deploy(struct rig *rig)
{
    return is_new(rig, rig->ops->deploy->o.config);
}

/* Retention: read by ops itself, each time. */
static bool in_ops(struct rig *rig)
{
    return is_new(rig, ops_config(rig->ops));
}

static bool in_log(struct rig *rig)
{
    (void)rig;
    return log_level() == LOG_LEVEL_DEBUG;
}

static bool in_heartbeat(struct rig *rig)
{
    return rig->ops->heartbeat != NULL;
}

/* ---------------------------------------------------------------- the table */

/* yaml: the base with a change of this option, and of nothing else that seen() looks at. seen NULL:
 * a test of the module shows it. */
static const struct live_row {
    const char *path;
    const char *yaml;
    bool (*seen)(struct rig *rig);
    const char *test; /* file and name, if seen is NULL */
} rows[] = {
    {"telegram.chat_id", "telegram: {bot_token: '1:abc', chat_id: 8}\n", in_recipients, NULL},
    {"telegram.admin_users", "telegram: {admin_users: [9]}\n", in_admins, NULL},
    {"telegram.poll_timeout", "telegram: {poll_timeout: 1s}\n", in_telegram, NULL},
    {"telegram.stale_after", "telegram: {stale_after: 99s}\n", in_runner, NULL},
    {"telegram.stuck_after", "telegram: {stuck_after: 99s}\n", in_telegram, NULL},
    {"telegram.users[].id", "telegram: {users: [{id: 6, name: al, role: operator}]}\n", in_user_id,
     NULL},
    {"telegram.users[].name", "telegram: {users: [{id: 5, name: bo, role: operator}]}\n",
     in_user_name, NULL},
    {"telegram.users[].role", "telegram: {users: [{id: 5, name: al, role: admin}]}\n", in_user_role,
     NULL},
    {"telegram.users[].emergency",
     "telegram: {users: [{id: 5, name: al, role: operator, emergency: true}]}\n", in_user_emergency,
     NULL},
    {"telegram.users[].totp",
     "telegram: {users: [{id: 5, name: al, role: operator, totp: JBSWY3DPEHPK3PXPJBSW}]}\n",
     in_user_totp, NULL},
    {"claude.api_key", NULL, NULL, "assistant/test_claude.c new_options_apply_to_new_requests"},
    {"claude.api_url", NULL, NULL, "assistant/test_claude.c new_options_apply_to_new_requests"},
    {"claude.model", NULL, NULL, "assistant/test_claude.c new_options_apply_to_new_requests"},
    {"claude.max_tokens", NULL, NULL, "assistant/test_claude.c new_options_apply_to_new_requests"},
    {"claude.timeout", NULL, NULL, "assistant/test_claude.c new_options_apply_to_new_requests"},
    {"claude.daily_budget", "claude: {daily_budget: 7}\n", in_ledger, NULL},
    {"assistant.model", NULL, NULL, "assistant/test_ask.c new_options_apply_to_new_questions"},
    {"assistant.max_calls", NULL, NULL, "assistant/test_ask.c new_options_apply_to_new_questions"},
    {"assistant.max_time", NULL, NULL, "assistant/test_ask.c new_options_apply_to_new_questions"},
    {"assistant.max_cost", NULL, NULL, "assistant/test_ask.c new_options_apply_to_new_questions"},
    {"assistant.session_idle", NULL, NULL,
     "assistant/test_troubleshoot.c new_options_apply_to_open_sessions"},
    {"assistant.session_max_time", NULL, NULL,
     "assistant/test_troubleshoot.c new_options_apply_to_open_sessions"},
    {"assistant.session_max_calls", NULL, NULL,
     "assistant/test_troubleshoot.c new_options_apply_to_open_sessions"},
    {"assistant.session_max_cost", NULL, NULL,
     "assistant/test_troubleshoot.c new_options_apply_to_open_sessions"},
    {"services.<name>.unit", "services: {w: {unit: a.service}}\n", in_services, NULL},
    {"services.<name>.command", "services: {w: {command: [\"true\"]}}\n", in_services, NULL},
    {"services.<name>.url", "services: {w: {url: 'http://127.0.0.1:8'}}\n", in_services, NULL},
    {"services.<name>.health_endpoint",
     "services: {w: {url: 'http://127.0.0.1:9', health_endpoint: /x}}\n", in_services, NULL},
    {"services.<name>.depends_on",
     "services: {w: {url: 'http://127.0.0.1:9', depends_on: [v]}, v: {url: "
     "'http://127.0.0.1:8'}}\n",
     in_health, NULL},
    {"services.<name>.expect_status",
     "services: {w: {url: 'http://127.0.0.1:9', expect_status: 204}}\n", in_services, NULL},
    {"services.<name>.timeout", "services: {w: {url: 'http://127.0.0.1:9', timeout: 1s}}\n",
     in_services, NULL},
    {"services.<name>.memory_limit",
     "services: {w: {url: 'http://127.0.0.1:9', memory_limit: 100}}\n", in_health, NULL},
    {"services.<name>.restart_wrong",
     "services: {w: {url: 'http://127.0.0.1:9', restart_wrong: true}}\n", in_services, NULL},
    {"services.<name>.interval", "services: {w: {url: 'http://127.0.0.1:9', interval: 9s}}\n",
     in_services, NULL},
    {"services.<name>.alert_after", "services: {w: {url: 'http://127.0.0.1:9', alert_after: 2}}\n",
     in_services, NULL},
    {"services.<name>.alert_within",
     "services: {w: {url: 'http://127.0.0.1:9', alert_within: 9}}\n", in_services, NULL},
    {"services.<name>.start_grace", "services: {w: {url: 'http://127.0.0.1:9', start_grace: 9s}}\n",
     in_services, NULL},
    {"services.<name>.flapping_after",
     "services: {w: {url: 'http://127.0.0.1:9', flapping_after: 4}}\n", in_services, NULL},
    {"services.<name>.checks.<check>.unit", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.url", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.path", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.tcp", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.command", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.file", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.process", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.heartbeat", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.grace", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.expect_status", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.body_has", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.body_matches", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.json_pointer", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.json_value", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.max_latency", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.redirects", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.ca_file", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.certificate_days", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.max_age", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"services.<name>.checks.<check>.min_size", NULL, NULL,
     "health/test_checks.c a_reload_applies_to_a_check"},
    {"monitoring.confirm_interval", "monitoring: {confirm_interval: 1s}\n", in_health, NULL},
    {"monitoring.start_grace", "monitoring: {start_grace: 9s}\n", in_health, NULL},
    {"monitoring.flapping_after", "monitoring: {flapping_after: 4}\n", in_health, NULL},
    {"monitoring.flapping_window", "monitoring: {flapping_window: 9m}\n", in_health, NULL},
    {"services.<name>.release_root",
     "services: {w: {url: 'http://127.0.0.1:9', release_root: /srv/w}}\n", in_deploy, NULL},
    {"services.<name>.release_name",
     "services: {w: {url: 'http://127.0.0.1:9', release_name: x}}\n", in_deploy, NULL},
    {"services.<name>.release_keys",
     "services: {w: {url: 'http://127.0.0.1:9', release_keys: "
     "['abababababababababababababababababababababababababababababababab']}}\n",
     in_deploy, NULL},
    {"services.<name>.release_unsigned",
     "services: {w: {url: 'http://127.0.0.1:9', release_unsigned: true}}\n", in_deploy, NULL},
    {"services.<name>.release_urls",
     "services: {w: {url: 'http://127.0.0.1:9', release_urls: ['https://x.example/']}}\n",
     in_deploy, NULL},
    {"services.<name>.release_token",
     "services: {w: {url: 'http://127.0.0.1:9', release_token: t0}}\n", in_deploy, NULL},
    {"services.<name>.release_keep",
     "services: {w: {url: 'http://127.0.0.1:9', release_keep: 3}}\n", in_deploy, NULL},
    {"services.<name>.release_apply",
     "services: {w: {url: 'http://127.0.0.1:9', release_apply: reload}}\n", in_deploy, NULL},
    {"services.<name>.release_colours",
     "services: {w: {unit: w@.service, release_root: /srv/w, release_colours: [a, b]}}\n",
     in_deploy, NULL},
    {"services.<name>.release_review",
     "services: {w: {unit: w@.service, release_root: /srv/w, release_review: approve}}\n",
     in_deploy, NULL},
    {"services.<name>.release_drain",
     "services: {w: {unit: w@.service, release_root: /srv/w, release_drain: 5s}}\n", in_deploy,
     NULL},
    {"monitoring.check_interval", "monitoring: {check_interval: 2s}\n", in_health, NULL},
    {"monitoring.alert_within", "monitoring: {alert_within: 9}\n", in_health, NULL},
    {"monitoring.alert_threshold", "monitoring: {alert_threshold: 2}\n", in_health, NULL},
    {"monitoring.log_retention", "monitoring: {log_retention: 2d}\n", in_ops, NULL},
    {"monitoring.audit_log_archive", "monitoring: {audit_log_archive: 2d}\n", in_ops, NULL},
    {"monitoring.audit_interval", NULL, NULL,
     "auditor/test_auditor.c a_new_interval_moves_the_next_audit"},
    {"monitoring.heartbeat_url", "monitoring: {heartbeat_url: 'http://127.0.0.1:9/b'}\n",
     in_heartbeat, NULL},
    {"monitoring.metrics_interval", "monitoring: {metrics_interval: 5s}\n", in_metrics, NULL},
    {"monitoring.metrics_keep", "monitoring: {metrics_keep: 2d}\n", in_metrics, NULL},
    {"monitoring.metrics_keep_5min", "monitoring: {metrics_keep_5min: 2d}\n", in_metrics, NULL},
    {"monitoring.metrics_keep_hour", "monitoring: {metrics_keep_hour: 2d}\n", in_metrics, NULL},
    {"monitoring.metrics_max_rows", "monitoring: {metrics_max_rows: 20000}\n", in_metrics, NULL},
    {"monitoring.disk_alert", "monitoring: {disk_alert: 80%}\n", in_metrics, NULL},
    {"monitoring.memory_alert", "monitoring: {memory_alert: 80%}\n", in_metrics, NULL},
    {"monitoring.files_alert", "monitoring: {files_alert: 70%}\n", in_metrics, NULL},
    {"monitoring.target", "monitoring: {target: 99%}\n", in_metrics, NULL},
    {"monitoring.predict_within", "monitoring: {predict_within: 2d}\n", in_metrics, NULL},
    {"monitoring.heartbeat_interval", NULL, NULL, "test_live_options.c another_heartbeat_is_made"},
    {"learning.enabled", "learning: {enabled: false}\n", in_learner, NULL},
    {"learning.min_trades", "learning: {min_trades: 99}\n", in_learner, NULL},
    {"learning.min_matches", "learning: {min_matches: 15}\n", in_learner, NULL},
    {"learning.words", "learning: {words: losses}\n", in_learner, NULL},
    {"learning.retire_cases", "learning: {retire_cases: 40}\n", in_learner, NULL},
    {"sentiment.sources", NULL, NULL,
     "sentiment/test_sentiment.c a_reload_adds_and_removes_sources"},
    {"sentiment.header", "sentiment: {header: 'X-Api-Key: k'}\n", in_sentiment, NULL},
    {"sentiment.interval", "sentiment: {interval: 9m}\n", in_sentiment, NULL},
    {"sentiment.max_age", "sentiment: {max_age: 9m}\n", in_sentiment, NULL},
    {"sentiment.scoring", "sentiment: {scoring: claude}\n", in_sentiment, NULL},
    {"sentiment.daily_cost", "sentiment: {daily_cost: 0.5}\n", in_sentiment, NULL},
    {"alerts.second_channel_after", "alerts: {second_channel_after: 9s}\n", in_alerts, NULL},
    {"alerts.unacknowledged_after", "alerts: {unacknowledged_after: 9s}\n", in_alerts, NULL},
    {"alerts.storm", "alerts: {storm: 3}\n", in_alerts, NULL},
    {"alerts.timezone", "alerts: {timezone: UTC}\n", in_alerts, NULL},
    {"alerts.quiet_hours", "alerts: {quiet_hours: '22:00-07:00'}\n", in_alerts, NULL},
    {"alerts.maintenance", "alerts: {maintenance: ['02:00-03:00']}\n", in_alerts, NULL},
    {"alerts.escalate", "alerts: {escalate: ['15m mail']}\n", in_alerts, NULL},
    {"alerts.routes", "alerts: {routes: ['exit to 9']}\n", in_alerts, NULL},
    {"notify.entry", "notify: {entry: off}\n", in_alerts, NULL},
    {"notify.exit", "notify: {exit: off}\n", in_alerts, NULL},
    {"notify.veto", "notify: {veto: off}\n", in_alerts, NULL},
    {"notify.pause", "notify: {pause: off}\n", in_alerts, NULL},
    {"notify.start", "notify: {start: off}\n", in_alerts, NULL},
    {"notify.daily", "notify: {daily: off}\n", in_alerts, NULL},
    {"notify.info", "notify: {info: silent}\n", in_alerts, NULL},
    {"notify.low", "notify: {low: silent}\n", in_alerts, NULL},
    {"notify.medium", "notify: {medium: off}\n", in_alerts, NULL},
    {"notify.high", "notify: {high: off}\n", in_alerts, NULL},
    {"notify.report", "notify: {report: off}\n", in_alerts, NULL},
    {"notify.weekly", "notify: {weekly: off}\n", in_alerts, NULL},
    {"notify.weekly_at", "notify: {weekly_at: 'fri 18:30'}\n", in_alerts, NULL},
    {"notify.daily_at", "notify: {daily_at: '09:00'}\n", in_alerts, NULL},
    {"telegram.alerts_topic", "telegram: {chat_id: -8, alerts_topic: 3}\n", in_alerts, NULL},
    {"mail.server", NULL, NULL, "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"mail.port", NULL, NULL, "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"mail.tls", NULL, NULL, "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"mail.ca_file", NULL, NULL, "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"mail.user", NULL, NULL, "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"mail.password", NULL, NULL,
     "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"mail.from", NULL, NULL, "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"mail.to", NULL, NULL, "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"webhook.url", NULL, NULL, "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"webhook.secret", NULL, NULL,
     "chat/test_second_channels.c a_new_configuration_applies_at_once"},
    {"charts.theme", "charts: {theme: dark}\n", in_desk, NULL},
    {"market.speed", "market: {speed: 7}\n", in_settings, NULL},
    {"trading.threshold", "trading: {threshold: 0.5}\n", in_settings, NULL},
    {"trading.entry_order", "trading: {entry_order: limit}\n", in_settings, NULL},
    {"risk.hard_limits", NULL, NULL, "ops/test_targets.c a_hard_limit_is_named"},
    {"risk.risk_per_trade", "risk: {risk_per_trade: 1%}\n", in_settings, NULL},
    {"risk.max_position", "risk: {max_position: 1%}\n", in_settings, NULL},
    {"risk.max_positions", "risk: {max_positions: 1}\n", in_settings, NULL},
    {"risk.stop", "risk: {stop: 1%}\n", in_settings, NULL},
    {"risk.target", "risk: {target: 1%}\n", in_settings, NULL},
    {"risk.max_daily_loss", "risk: {max_daily_loss: 1%}\n", in_settings, NULL},
    {"risk.max_drawdown", "risk: {max_drawdown: 1%}\n", in_settings, NULL},
    {"risk.max_consecutive_losses", "risk: {max_consecutive_losses: 1}\n", in_settings, NULL},
    {"risk.cooldown", "risk: {cooldown: 1m}\n", in_settings, NULL},
    {"risk.max_exposure", "risk: {max_exposure: 1%}\n", in_settings, NULL},
    {"risk.max_leverage", "risk: {max_leverage: 1}\n", in_settings, NULL},
    {"risk.max_correlation", "risk: {max_correlation: 0.1}\n", in_settings, NULL},
    {"risk.maintenance_margin", "risk: {maintenance_margin: 1%}\n", in_settings, NULL},
    {"risk.min_liquidation_distance", "risk: {min_liquidation_distance: 1%}\n", in_settings, NULL},
    {"risk.max_orders_per_minute", "risk: {max_orders_per_minute: 1}\n", in_settings, NULL},
    {"tiers.tier1_symbols", "tiers: {tier1_symbols: [BTC-USD]}\n", in_settings, NULL},
    {"tiers.tier1_max_position", "tiers: {tier1_max_position: 1%}\n", in_settings, NULL},
    {"tiers.tier1_max_exposure", "tiers: {tier1_max_exposure: 1%}\n", in_settings, NULL},
    {"tiers.tier2_symbols", "tiers: {tier2_symbols: []}\n", in_settings, NULL},
    {"tiers.tier2_max_position", "tiers: {tier2_max_position: 1%}\n", in_settings, NULL},
    {"tiers.tier2_max_exposure", "tiers: {tier2_max_exposure: 1%}\n", in_settings, NULL},
    {"tiers.tier3_symbols", "tiers: {tier3_symbols: [DOGE-USD]}\n", in_settings, NULL},
    {"tiers.tier3_max_position", "tiers: {tier3_max_position: 9%}\n", in_settings, NULL},
    {"tiers.tier3_max_exposure", "tiers: {tier3_max_exposure: 9%}\n", in_settings, NULL},
    {"api.token", NULL, NULL, "api/test_api_access.c a_new_token_replaces_the_old_one"},
    {"api.rate", NULL, NULL, "api/test_api_tokens.c a_token_has_so_many_requests_a_minute"},
    {"api.public_url", NULL, NULL, "access/test_login.c a_link_logs_in_once"},
    {"api.session", NULL, NULL, "access/test_login.c a_link_logs_in_once"},
    {"telegram.mini_app", NULL, NULL, "api/test_api_session.c data_of_telegram_log_in_once"},
    {"api.hosts", NULL, NULL, "api/test_api_tokens.c a_host_behind_a_proxy_has_to_be_configured"},
    {"api.cors_origins", NULL, NULL,
     "api/test_api_tokens.c a_page_of_a_configured_origin_may_call"},
    {"api.local_users[].uid", "api: {port: 0, local_users: [{uid: 6, name: lo}]}\n", in_local_uid,
     NULL},
    {"api.local_users[].name", "api: {port: 0, local_users: [{uid: 5, name: ma}]}\n", in_local_name,
     NULL},
    {"api.local_users[].role",
     "api: {port: 0, local_users: [{uid: 5, name: lo, role: operator}]}\n", in_local_role, NULL},
    {"api.local_users[].emergency",
     "api: {port: 0, local_users: [{uid: 5, name: lo, emergency: true}]}\n", in_local_emergency,
     NULL},
    {"api.local_users[].totp",
     "api: {port: 0, local_users: [{uid: 5, name: lo, totp: JBSWY3DPEHPK3PXPJBSW}]}\n",
     in_local_totp, NULL},
    {"commands.confirm_band", "commands: {confirm_band: 2%}\n", in_runner, NULL},
    {"commands.confirm_expiry", "commands: {confirm_expiry: 9s}\n", in_runner, NULL},
    {"commands.rate", "commands: {rate: 5}\n", in_rate, NULL},
    {"commands.folder", NULL, NULL, "scenario own_commands_reload.yaml"},
    {"log.level", "log: {level: debug}\n", in_log, NULL},
};

static const struct live_row *find_row(const char *path)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].path, path) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void check_options(const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool live = (options[i].flags & CONFIG_LIVE) != 0;
        if ((find_row(options[i].path) != NULL) != live) {
            print_error("%s is marked %s, but the table of this test says otherwise\n",
                        options[i].path, live ? "live" : "restart");
            fail();
        }
    }
}

static void every_live_option_is_in_the_table(void **state)
{
    (void)state;
    check_options(option_table, option_count);
    check_options(option_user_fields, option_user_field_count);
    check_options(option_local_fields, option_local_field_count);
    check_options(option_service_fields, option_service_field_count);
    check_options(option_check_fields, option_check_field_count);
}

/* ---------------------------------------------------------------- the real ops thread */

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static void make_trading(const char *folder)
{
    struct trading_store *store = NULL;
    assert_int_equal(trading_store_open(folder, TRADING_STORE_WRITE, &store, NULL), 0);
    trading_store_free(store);
}

static void write_file(const struct rig *rig, const char *text)
{
    assert_int_equal(file_write(rig->path, str_c(text), 0600, NULL), 0);
}

static void rig_open(struct rig *rig)
{
    struct err err = {0};
    *rig = (struct rig){.folder = "/var/tmp/nightdesk-live-XXXXXX"};
    assert_int_equal(secret_init(&err), 0);
    log_set_sink(swallow, NULL);
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/nightdesk.yaml", rig->folder);
    rig->source = (struct config_options){.path = rig->path};
    make_trading(rig->folder);
    write_file(rig, BASE);
    assert_int_equal(config_load(&rig->source, &rig->config, NULL, &err), 0);
    shared_init(&rig->shared, CAPACITY_MIN);
    if (ops_new(&(struct ops_options){.config = rig->config,
                                      .config_source = &rig->source,
                                      .shared = &rig->shared,
                                      .state_dir = rig->folder},
                &rig->ops, &err) < 0) {
        print_error("%s\n", err.context);
        fail();
    }
    shared_seal(&rig->shared);
}

static void rig_close(struct rig *rig)
{
    ops_free(rig->ops);
    shared_release(&rig->shared);
    config_free(rig->config);
    AUTO_BUF struct buf command = BUF_INIT(128);
    buf_addf(&command, "rm -rf %s", rig->folder);
    assert_int_equal(system(command.data), 0);
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(NULL, NULL);
}

/* BASE with `change` in place of the group that it gives. */
static void reload_with(struct rig *rig, const char *change)
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    struct str rest = str_c(BASE), line;
    while (str_split(&rest, '\n', &line)) {
        struct str tail = line, group;
        if (str_split(&tail, ':', &group) && strncmp(change, line.ptr, group.len + 1) != 0) {
            buf_addf(&text, "%.*s\n", STR_ARG(line));
        }
    }
    buf_add_c(&text, change);
    write_file(rig, text.data);
    config_settings(ops_config(rig->ops), &rig->old);
    reload_signal(rig->ops->reload);
}

static void every_live_option_takes_effect(void **state)
{
    (void)state;
    struct rig *rig = calloc(1, sizeof(*rig));
    rig_open(rig);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].seen == NULL) {
            assert_non_null(rows[i].test);
            continue;
        }
        rig->before = ops_config(rig->ops);
        config_settings(rig->before, &rig->old);
        bool seen_before = rows[i].seen(rig);
        reload_with(rig, rows[i].yaml);
        if (seen_before || ops_config(rig->ops) == rig->before || !rows[i].seen(rig)) {
            print_error("%s has no effect\n", rows[i].path);
            fail();
        }
        reload_with(rig, "");
    }
    rig_close(rig);
    free(rig);
}

static void another_heartbeat_is_made(void **state)
{
    (void)state;
    struct rig *rig = calloc(1, sizeof(*rig));
    rig_open(rig);
    assert_null(rig->ops->heartbeat);
    reload_with(rig, "monitoring: {heartbeat_url: 'http://127.0.0.1:9/b'}\n");
    const struct heartbeat *first = rig->ops->heartbeat;
    assert_non_null(first);
    reload_with(rig, "monitoring: {heartbeat_url: 'http://127.0.0.1:9/b', log_retention: 9d}\n");
    assert_ptr_equal(rig->ops->heartbeat, first);
    reload_with(rig, "monitoring: {heartbeat_url: 'http://127.0.0.1:9/b', heartbeat_interval: "
                     "1s}\n");
    assert_non_null(rig->ops->heartbeat);
    reload_with(rig, "");
    assert_null(rig->ops->heartbeat);
    rig_close(rig);
    free(rig);
}

static int64_t queue(struct rig *rig, int64_t chat_id)
{
    int64_t id = 0;
    const struct outbox_new message = {.channel = "telegram",
                                       .chat_id = chat_id,
                                       .kind = OUTBOX_SEND,
                                       .payload = "{\"title\":\"t\",\"tone\":\"plain\"}"};
    assert_int_equal(outbox_table_add(rig->ops->store, &message, 1, &id, NULL), 0);
    return id;
}

static void a_removed_user_gets_nothing_that_waits(void **state)
{
    (void)state;
    struct rig *rig = calloc(1, sizeof(*rig));
    rig_open(rig);
    (void)queue(rig, 5);
    int64_t kept = queue(rig, 7);
    reload_with(rig, "telegram: {bot_token: '1:abc', chat_id: 7, users: []}\n");
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    assert_int_equal(outbox_table_due(rig->ops->store, "telegram", INT64_MAX, &row, NULL), 1);
    assert_int_equal(row.id, kept);
    assert_int_equal(outbox_table_delivered(rig->ops->store, kept, 1, NULL), 0);
    AUTO_OUTBOX_ROW struct outbox_row none = {0};
    assert_int_equal(outbox_table_due(rig->ops->store, "telegram", INT64_MAX, &none, NULL), 0);
    rig_close(rig);
    free(rig);
}

/* No setting of the engine changes, so no step gets an input and the journal no record. */
static void other_options_are_no_input_of_the_engine(void **state)
{
    (void)state;
    struct rig *rig = calloc(1, sizeof(*rig));
    bool fresh = true;
    rig_open(rig);
    reload_with(rig, "commands: {rate: 5}\n");
    (void)mailbox_latest(rig->shared.settings, &fresh);
    assert_false(fresh);
    rig_close(rig);
    free(rig);
}

UNIT_GROUP(live_options, cmocka_unit_test(every_live_option_is_in_the_table),
           cmocka_unit_test(every_live_option_takes_effect),
           cmocka_unit_test(another_heartbeat_is_made),
           cmocka_unit_test(a_removed_user_gets_nothing_that_waits),
           cmocka_unit_test(other_options_are_no_input_of_the_engine))

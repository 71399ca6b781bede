#include "chat/telegram.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "io/json_out.h"
#include "model/telemetry.h"
#include "store/outbox_table.h"
#include "telegram_draft.h"
#include "telegram_internal.h"
#include "telegram_menu.h"

#include <stdlib.h>

#define BACKOFF_FIRST_US USEC_PER_SEC
#define BACKOFF_MAX_US   (60 * USEC_PER_SEC)
#define POLL_GAP_US      (250 * USEC_PER_MSEC)

const char *telegram_state_name(enum telegram_state state)
{
    switch (state) {
    case TELEGRAM_OFF:
        return "off";
    case TELEGRAM_STARTING:
        return "starting";
    case TELEGRAM_POLLING:
        return "polling";
    case TELEGRAM_BACKING_OFF:
        return "backing off";
    case TELEGRAM_REFUSED:
        return "refused";
    case TELEGRAM_STOPPED:
        return "stopped";
    }
    return "unknown";
}

static int64_t given_or(int64_t given, int64_t otherwise)
{
    return given > 0 ? given : otherwise;
}

int telegram_new(const struct telegram_options *options, struct telegram **ret, struct err *err)
{
    struct telegram *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL);
    t->options = *options;
    t->options.backoff_first_us = given_or(options->backoff_first_us, BACKOFF_FIRST_US);
    t->options.backoff_max_us = given_or(options->backoff_max_us, BACKOFF_MAX_US);
    t->options.poll_gap_us = given_or(options->poll_gap_us, POLL_GAP_US);
    rng_init(&t->rng, (uint64_t)clock_wall_us(options->clock));
    t->state = TELEGRAM_OFF;
    *ret = t;
    const struct config *config = options->config;
    if (config->telegram_bot_token[0] == '\0') {
        return 0;
    }
    int rc = telegram_api_new(options->loop, options->helpers, config->telegram_api_url,
                              config->telegram_bot_token, &t->api, err);
    if (rc == 0 && options->telemetry != NULL) {
        telegram_api_measure(t->api, &options->telemetry->telegram);
    }
    if (rc == 0) {
        rc = telegram_send_new(t, err);
    }
    if (rc == 0) {
        t->draft = telegram_draft_new(t);
        rc = telegram_menu_new(t, err);
    }
    if (rc == 0) {
        rc = telegram_poll_new(t, err);
    }
    if (rc < 0) {
        telegram_free(t);
        *ret = NULL;
        return rc;
    }
    t->state = TELEGRAM_STOPPED;
    return 0;
}

void telegram_free(struct telegram *telegram)
{
    if (telegram == NULL) {
        return;
    }
    telegram_rotate_cancel(telegram);
    telegram_poll_free(telegram->poll);
    telegram_menu_free(telegram->menu);
    telegram_draft_free(telegram->draft);
    telegram_send_free(telegram->send);
    telegram_api_free(telegram->api);
    free(telegram);
}

void telegram_apply(struct telegram *telegram, const struct config *config)
{
    telegram->options.config = config;
}

void telegram_menus(struct telegram *telegram)
{
    /* Otherwise it happens once the token is accepted. */
    if (telegram != NULL &&
        (telegram->state == TELEGRAM_POLLING || telegram->state == TELEGRAM_BACKING_OFF)) {
        telegram_menu_check(telegram->menu);
    }
}

void telegram_start(struct telegram *telegram)
{
    if (telegram->state == TELEGRAM_STOPPED) {
        telegram->state = TELEGRAM_STARTING;
        telegram->started_wall_us = clock_wall_us(telegram->options.clock);
        telegram_poll_start(telegram->poll);
    }
}

void telegram_stop(struct telegram *telegram)
{
    if (telegram == NULL || telegram->state == TELEGRAM_OFF) {
        return;
    }
    telegram_rotate_cancel(telegram);
    telegram_poll_stop(telegram->poll);
    telegram_send_stop(telegram->send);
    if (telegram->state != TELEGRAM_REFUSED) {
        telegram->state = TELEGRAM_STOPPED;
    }
}

void telegram_wake(struct telegram *telegram)
{
    if (telegram != NULL && telegram->send != NULL) {
        telegram_send_wake(telegram->send);
    }
}

bool telegram_send_unstored(struct telegram *telegram, const struct telegram_unstored *unstored)
{
    return telegram != NULL && telegram->send != NULL &&
           telegram_send_post_unstored(telegram->send, unstored);
}

bool telegram_stream(struct telegram *telegram, const struct runner_stream *stream)
{
    return telegram != NULL && telegram->draft != NULL &&
           (telegram->state == TELEGRAM_POLLING || telegram->state == TELEGRAM_BACKING_OFF) &&
           telegram_draft_show(telegram->draft, stream);
}

const char *telegram_bot_name(const struct telegram *telegram)
{
    return telegram->username;
}

void telegram_status(struct telegram *telegram, struct telegram_status *ret)
{
    *ret = (struct telegram_status){
        .state = telegram->state,
        .poll_stalled = telegram->poll_stalled,
        .last_poll_wall_us = telegram->last_poll_wall_us,
        .polls = telegram->polls,
        .updates = telegram->updates,
        .sent = telegram->sent,
        .failures = telegram->failures,
        .last_err = telegram->last_err,
    };
    (void)str_copy(str_c(telegram->username), ret->username, sizeof(ret->username));
    int64_t counts[OUTBOX_STATE_COUNT] = {0};
    if (outbox_table_counts(telegram->options.store, TELEGRAM_CHANNEL, counts, NULL) == 0) {
        ret->waiting = counts[OUTBOX_QUEUED] + counts[OUTBOX_SENDING];
    }
}

int64_t telegram_backoff_us(struct telegram *t, unsigned failures)
{
    int64_t delay_us = t->options.backoff_first_us << (failures < 16 ? failures : 16);
    if (delay_us > t->options.backoff_max_us) {
        delay_us = t->options.backoff_max_us;
    }
    /* 75 % to 125 % of the delay, so that many bots do not all return at once after an outage. */
    return delay_us * 3 / 4 + (int64_t)rng_below(&t->rng, (uint64_t)delay_us / 2 + 1);
}

int64_t telegram_fault(struct telegram *t, struct telegram_fault *fault, const struct err *err,
                       const char *what)
{
    t->failures++;
    t->last_err = *err;
    if (fault->err.id != err->id) {
        AUTO_BUF struct buf text = BUF_INIT(128);
        buf_addf(&text, "telegram: %s", what);
        log_err(LOG_LEVEL_WARNING, err, text.data);
    }
    fault->err = *err;
    return telegram_backoff_us(t, fault->failures++);
}

void telegram_fault_over(struct telegram *t, struct telegram_fault *fault, const char *what)
{
    if (fault->err.id == ERR_NONE) {
        return;
    }
    LOG(NOTICE, "telegram: %s recovered after %u failures", what, fault->failures);
    *fault = (struct telegram_fault){0};
    err_clear(&t->last_err);
}

void telegram_log_store(int rc, const struct err *err)
{
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, err, "telegram: could not store the state of a message");
    }
}

void telegram_refuse_token(struct telegram *t, const struct err *err)
{
    t->last_err = *err;
    t->failures++;
    telegram_send_close(t->send);
    telegram_poll_refused(t->poll);
    if (t->state == TELEGRAM_REFUSED) {
        return;
    }
    t->state = TELEGRAM_REFUSED;
    t->refused_wall_us = clock_wall_us(t->options.clock);
    log_err(LOG_LEVEL_ERROR, err, "telegram is off until the token is accepted");
    telegram_alert(t, ALERT_SECURITY, SEVERITY_CRITICAL, "telegram:token", err);
}

enum chat_state telegram_reach(const struct telegram *t, int64_t *ret_since_us)
{
    *ret_since_us = 0;
    switch (t->state) {
    case TELEGRAM_OFF:
    case TELEGRAM_STOPPED:
        return CHAT_OFF;
    case TELEGRAM_REFUSED:
        *ret_since_us = t->refused_wall_us;
        return CHAT_REFUSED;
    case TELEGRAM_STARTING:
    case TELEGRAM_POLLING:
    case TELEGRAM_BACKING_OFF:
        break;
    }
    if (t->poll_stalled) {
        *ret_since_us = t->last_poll_wall_us > 0 ? t->last_poll_wall_us : t->started_wall_us;
        return CHAT_SILENT;
    }
    return t->polls > 0 ? CHAT_UP : CHAT_STARTING;
}

void telegram_status_line(struct buf *out, struct json_object *data, void *userdata)
{
    const struct telegram *t = userdata;
    int64_t since_us = 0;
    enum chat_state state = telegram_reach(t, &since_us);
    struct json_out members = JSON_OUT_TREE(data);
    json_out_object(&members, "telegram");
    json_out_text(&members, "state", chat_state_name(state));
    json_out_time(&members, "since", since_us);
    json_out_end(&members);
    if (since_us > 0) {
        buf_addf(out, "🔴 Telegram %s since ", state == CHAT_REFUSED ? "off" : "silent");
        clock_add_when(out, since_us, clock_wall_us(t->options.clock));
        buf_addf(out, " UTC: %s",
                 t->last_err.id == ERR_NONE ? "no answer" : err_info(t->last_err.id)->code);
    }
}

void telegram_alert(struct telegram *t, enum alert_type type, enum severity severity,
                    const char *fingerprint, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    AUTO_BUF struct buf text = BUF_INIT(2048);
    buf_addf(&text, "%s: %s\n%s %s", info->code, err->context, info->cause, info->impact);
    const struct alert_spec spec = {
        .type = type,
        .severity = severity,
        .source = "telegram",
        .fingerprint = fingerprint,
        .title = info->message,
        .description = text.data,
        .recommendation = info->remediation,
        .status = ALERT_OPEN,
    };
    struct err failed = {0};
    int64_t id = 0;
    if (alerts_raise(t->options.alerts, &spec, &id, &failed) < 0) {
        log_err(LOG_LEVEL_ERROR, &failed, "could not store a telegram alert");
        log_err(LOG_LEVEL_ERROR, err, "telegram");
    }
}

void telegram_alert_over(struct telegram *t, const char *fingerprint, const char *why)
{
    struct err failed = {0};
    if (alerts_resolve(t->options.alerts, fingerprint, why, &failed) < 0) {
        log_err(LOG_LEVEL_WARNING, &failed, "could not resolve a telegram alert");
    }
}

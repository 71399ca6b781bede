#include "access/access.h"
#include "alerts_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "store/alert_table.h"
#include "store/held_table.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* In unit tests a configuration may have no texts. */
static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* ---------------------------------------------------------------- the configuration */

void alert_gate_apply(struct alerts *alerts, const struct config *config)
{
    struct err err = {0};
    alerts->route_count = 0;
    for (int i = 0; i < config->alerts_routes.count && i < ALERT_ROUTES_MAX; i++) {
        struct config_route *route = &alerts->routes[alerts->route_count];
        alerts->route_count += config_route_parse(config->alerts_routes.items[i], route) ? 1 : 0;
    }
    alerts->quiet_from = alerts->quiet_to = -1;
    if (is_set(config->alerts_quiet_hours)) {
        (void)config_quiet_parse(config->alerts_quiet_hours, &alerts->quiet_from,
                                 &alerts->quiet_to);
    }
    alert_maintenance_apply(alerts, config);
    zone_free(alerts->zone);
    alerts->zone = NULL;
    const char *zone = config->alerts_timezone == NULL ? "" : config->alerts_timezone;
    if (zone_load(zone, &alerts->zone, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "quiet hours are in UTC");
    }
}

int alert_gate_load(struct alerts *alerts, struct err *err)
{
    int n = mute_table_list(alerts->o.store, clock_wall_us(alerts->o.clock), alerts->mutes,
                            MUTES_MAX, err);
    alerts->mute_count = n < 0 ? 0 : (size_t)n;
    return n < 0 ? n : 0;
}

static const char *mode_of(const struct config *config, enum notice_kind kind)
{
    static const struct {
        size_t offset;
        const char *fallback;
    } modes[NOTICE_KIND_COUNT] = {
        [NOTICE_INFO] = {offsetof(struct config, notify_info), "off"},
        [NOTICE_LOW] = {offsetof(struct config, notify_low), "off"},
        [NOTICE_MEDIUM] = {offsetof(struct config, notify_medium), "on"},
        [NOTICE_HIGH] = {offsetof(struct config, notify_high), "on"},
        [NOTICE_CRITICAL] = {0, "on"},
        [NOTICE_ENTRY] = {offsetof(struct config, notify_entry), "on"},
        [NOTICE_EXIT] = {offsetof(struct config, notify_exit), "on"},
        [NOTICE_VETO] = {offsetof(struct config, notify_veto), "on"},
        [NOTICE_PAUSE] = {offsetof(struct config, notify_pause), "on"},
        [NOTICE_START] = {offsetof(struct config, notify_start), "on"},
        [NOTICE_DAILY] = {offsetof(struct config, notify_daily), "on"},
        [NOTICE_REPORT] = {offsetof(struct config, notify_report), "silent"},
        [NOTICE_WEEKLY] = {offsetof(struct config, notify_weekly), "on"},
    };
    if (kind == NOTICE_CRITICAL) {
        return "on";
    }
    const char *mode = *(const char *const *)((const char *)config + modes[kind].offset);
    return is_set(mode) ? mode : modes[kind].fallback;
}

bool alert_is_quiet(const struct alerts *alerts)
{
    if (alerts->quiet_from < 0) {
        return false;
    }
    int minute = zone_local(alerts->zone, clock_wall_us(alerts->o.clock)).minute_of_day;
    return alerts->quiet_from < alerts->quiet_to
               ? minute >= alerts->quiet_from && minute < alerts->quiet_to
               : minute >= alerts->quiet_from || minute < alerts->quiet_to;
}

/* ---------------------------------------------------------------- mutes */

static bool names_symbol(const struct alert *alert, const char *symbol)
{
    return strstr(alert->title, symbol) != NULL || strstr(alert->fingerprint, symbol) != NULL ||
           strstr(alert->description, symbol) != NULL;
}

static bool matches(const struct mute *mute, enum notice_kind kind, const struct alert *alert,
                    const struct symbol *symbol)
{
    switch (mute->kind) {
    case MUTE_ALERT: {
        int64_t id = 0;
        return alert != NULL && str_to_i64(str_c(mute->value), &id) && id == alert->id;
    }
    case MUTE_SOURCE:
        return alert != NULL && strcmp(alert->source, mute->value) == 0;
    case MUTE_SYMBOL:
        return (symbol != NULL && strcmp(symbol->name, mute->value) == 0) ||
               (alert != NULL && names_symbol(alert, mute->value));
    case MUTE_NOTICE:
        return strcmp(notice_kind_name(kind), mute->value) == 0;
    case MUTE_ALL:
        return true;
    }
    return false;
}

bool alert_is_muted(const struct alerts *alerts, enum notice_kind kind, const struct alert *alert,
                    const struct symbol *symbol)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    for (size_t i = 0; i < alerts->mute_count; i++) {
        const struct mute *mute = &alerts->mutes[i];
        bool may = kind != NOTICE_CRITICAL || mute->kind == MUTE_ALERT;
        if (may && mute->until_us > now_us && matches(mute, kind, alert, symbol)) {
            return true;
        }
    }
    return false;
}

enum alert_gate alert_gate(struct alerts *alerts, enum notice_kind kind, const struct alert *alert,
                           const struct symbol *symbol)
{
    const char *mode = mode_of(alerts->o.config, kind);
    if (strcmp(mode, "off") == 0) {
        return ALERT_GATE_OFF;
    }
    if (alert_is_muted(alerts, kind, alert, symbol)) {
        return ALERT_GATE_MUTED;
    }
    if (alert != NULL && alert_is_maintained(alerts, alert)) {
        return ALERT_GATE_HOLD;
    }
    if (kind != NOTICE_CRITICAL && alert_is_quiet(alerts)) {
        return ALERT_GATE_HOLD;
    }
    return strcmp(mode, "silent") == 0 ? ALERT_GATE_SILENT : ALERT_GATE_SEND;
}

int alert_hold(struct alerts *alerts, enum notice_kind kind, const char *title,
               const struct alert *alert, int64_t alert_id, struct err *err)
{
    struct held_notice held = {
        .kind = kind, .at_us = clock_wall_us(alerts->o.clock), .alert_id = alert_id};
    char service[ALERT_SERVICE_SIZE];
    str_cut(str_c(title), held.title, sizeof(held.title));
    if (alert != NULL && alert_is_maintained(alerts, alert)) {
        bool has_service = alert_service(alert->fingerprint, service);
        (void)snprintf(held.because, sizeof(held.because), "maintenance%s%.35s",
                       has_service ? ":" : "", has_service ? service : "");
        alerts->holds_maintained = true;
    }
    return held_table_add(alerts->o.store, &held, err);
}

/* ---------------------------------------------------------------- recipients */

bool alert_is_second_channel(const char *channel)
{
    return strcmp(channel, "mail") == 0 || strcmp(channel, "webhook") == 0;
}

bool alert_channel_on(const struct config *config, const char *channel)
{
    if (strcmp(channel, "mail") == 0) {
        return is_set(config->mail_server) && config->mail_to.count > 0;
    }
    if (strcmp(channel, "webhook") == 0) {
        return is_set(config->webhook_url);
    }
    return strcmp(channel, "telegram") != 0 || is_set(config->telegram_bot_token);
}

static size_t add_target(struct alert_target *ret, size_t count, const char *channel, int64_t chat,
                         int64_t thread)
{
    for (size_t i = 0; i < count; i++) {
        if (ret[i].chat_id == chat && ret[i].thread_id == thread &&
            strcmp(ret[i].channel, channel) == 0) {
            return count;
        }
    }
    if (count == ALERT_TARGETS_MAX) {
        return count;
    }
    ret[count] = (struct alert_target){.channel = channel, .chat_id = chat, .thread_id = thread};
    return count + 1;
}

/* The id of a private chat is the user's. */
static size_t add_role(const struct alerts *alerts, const char *role, struct alert_target *ret,
                       size_t count)
{
    const struct config *config = alerts->o.config;
    struct access_person p;
    for (int i = 0; alerts->o.access != NULL && access_person_at(alerts->o.access, i, &p); i++) {
        if (strcmp(role_name(p.role), role) == 0) {
            count = add_target(ret, count, "telegram", p.id, 0);
        }
    }
    for (int i = 0; i < config->user_count; i++) {
        if (strcmp(config->users[i].role, role) == 0) {
            count = add_target(ret, count, "telegram", config->users[i].id, 0);
        }
    }
    return count;
}

static size_t add_telegram(const struct alerts *alerts, enum notice_kind kind,
                           struct alert_target *ret)
{
    const struct config *config = alerts->o.config;
    size_t count = 0;
    bool routed = false;
    for (size_t i = 0; i < alerts->route_count; i++) {
        const struct config_route *route = &alerts->routes[i];
        if ((route->kinds & UINT32_C(1) << kind) == 0) {
            continue;
        }
        routed = true;
        count = route->role[0] != '\0'
                    ? add_role(alerts, route->role, ret, count)
                    : add_target(ret, count, "telegram", route->chat_id, route->topic);
    }
    if (routed) {
        return count;
    }
    return config->telegram_chat_id != 0
               ? add_target(ret, count, "telegram", config->telegram_chat_id,
                            config->telegram_alerts_topic)
               : add_role(alerts, "admin", ret, count);
}

size_t alert_targets(const struct alerts *alerts, enum notice_kind kind, struct alert_target *ret)
{
    const struct config *config = alerts->o.config;
    size_t count = is_set(config->telegram_bot_token) ? add_telegram(alerts, kind, ret) : 0;
    bool minor = kind == NOTICE_ENTRY || kind == NOTICE_EXIT || kind == NOTICE_VETO;
    if (count == 0 && !minor) { /* then the second channels are the first */
        count = alert_channel_on(config, "mail") ? add_target(ret, count, "mail", 0, 0) : count;
        count =
            alert_channel_on(config, "webhook") ? add_target(ret, count, "webhook", 0, 0) : count;
    }
    if (config->console_enabled && !alerts->o.headless &&
        (kind <= NOTICE_CRITICAL || kind == NOTICE_REPORT)) {
        count = add_target(ret, count, "console", 0, 0);
    }
    return count;
}

/* The private chat of a person with this name. */
static size_t add_person(const struct alerts *alerts, const char *name, struct alert_target *ret)
{
    const struct config *config = alerts->o.config;
    struct access_person p;
    for (int i = 0; i < config->user_count; i++) {
        if (strcmp(config->users[i].name, name) == 0) {
            return add_target(ret, 0, "telegram", config->users[i].id, 0);
        }
    }
    for (int i = 0; alerts->o.access != NULL && access_person_at(alerts->o.access, i, &p); i++) {
        if (strcmp(p.name, name) == 0) {
            return add_target(ret, 0, "telegram", p.id, 0);
        }
    }
    return 0;
}

size_t alert_step_targets(const struct alerts *alerts, const struct config_step *step,
                          struct alert_target *ret)
{
    if (alert_is_second_channel(step->to)) {
        return alert_channel_on(alerts->o.config, step->to) ? add_target(ret, 0, step->to, 0, 0)
                                                            : 0;
    }
    if (!is_set(alerts->o.config->telegram_bot_token)) {
        return 0;
    }
    if (step->to[0] == '\0') {
        return add_target(ret, 0, "telegram", step->chat_id, 0);
    }
    return str_starts(str_c(step->to), "role:") ? add_role(alerts, step->to + 5, ret, 0)
                                                : add_person(alerts, step->to, ret);
}

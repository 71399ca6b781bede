#include "base/check.h"
#include "config/route.h"
#include "config/window.h"
#include "config_read.h"
#include "io/zone.h"

#include <string.h>

static const struct yaml_node *node_of(const struct yaml_node *root, const char *group,
                                       const char *name)
{
    return yaml_get(yaml_get(root, group), name);
}

/* Something before and after one "@", without spaces, control characters and angle brackets: what
 * would change the lines of an SMTP dialogue. */
static bool is_address(const char *text)
{
    const char *at = strchr(text, '@');
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || *p == '<' || *p == '>' || *p == 0x7f) {
            return false;
        }
    }
    return at != NULL && at != text && at[1] != '\0' && strchr(at + 1, '@') == NULL;
}

static bool is_host(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";
    return strspn(text, plain) == strlen(text);
}

static void check_mail(struct load *load, const struct yaml_node *root)
{
    const struct config *c = load->config;
    const struct yaml_node *server = node_of(root, "mail", "server");
    const struct yaml_node *to = node_of(root, "mail", "to");
    bool on = c->mail_server[0] != '\0';
    if (!is_host(c->mail_server)) {
        detail_problem(load, ERR_CONFIG_TYPE, server, "mail.server: expected a host name");
    }
    if (on && !is_address(c->mail_from)) {
        detail_problem(load, c->mail_from[0] == '\0' ? ERR_CONFIG_MISSING : ERR_CONFIG_TYPE,
                       node_of(root, "mail", "from"),
                       "mail.from: expected an address such as bot@example.org");
    }
    if (on && c->mail_to.count == 0) {
        detail_problem(load, ERR_CONFIG_MISSING, to,
                       "mail.to: expected at least one address, because mail.server is set");
    }
    if (!on && c->mail_to.count > 0) {
        detail_problem(load, ERR_CONFIG_MISSING, server,
                       "mail.server: expected a host name, because mail.to is set");
    }
    for (int i = 0; i < c->mail_to.count; i++) {
        if (!is_address(c->mail_to.items[i])) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(to, (size_t)i),
                           "mail.to: expected an address such as you@example.org");
        }
    }
    if (on && c->mail_user[0] != '\0' && c->mail_password[0] == '\0' && !load->without_secrets) {
        detail_problem(load, ERR_CONFIG_MISSING, node_of(root, "mail", "password"),
                       "mail.password: expected a password, because mail.user is set");
    }
    if (on && c->mail_user[0] != '\0' && strcmp(c->mail_tls, "none") == 0) {
        detail_problem(load, ERR_CONFIG_RANGE, node_of(root, "mail", "tls"),
                       "mail.tls: expected starttls or tls, because the password of mail.user "
                       "would be sent in clear");
    }
}

static void check_webhook(struct load *load, const struct yaml_node *root)
{
    const struct config *c = load->config;
    if (c->webhook_url[0] == '\0') {
        return;
    }
    if (strncasecmp(c->webhook_url, "https://", 8) != 0 &&
        strncasecmp(c->webhook_url, "http://", 7) != 0) {
        detail_problem(load, ERR_CONFIG_TYPE, node_of(root, "webhook", "url"),
                       "webhook.url: expected a URL that begins with https:// or http://");
    }
    if (c->webhook_secret[0] == '\0' && !load->without_secrets) {
        detail_problem(load, ERR_CONFIG_MISSING, node_of(root, "webhook", "secret"),
                       "webhook.secret: expected the key of the signature, because webhook.url is "
                       "set");
    }
}

static bool has_service(const struct config *c, struct str name)
{
    for (int i = 0; i < c->service_count; i++) {
        if (str_equal_c(name, c->services[i].name)) {
            return true;
        }
    }
    return false;
}

static void check_windows(struct load *load, const struct yaml_node *root)
{
    const struct config *c = load->config;
    const struct yaml_node *list = node_of(root, "alerts", "maintenance");
    for (int i = 0; i < c->alerts_maintenance.count; i++) {
        struct config_window window;
        struct zone *zone = NULL;
        if (!config_window_parse(c->alerts_maintenance.items[i], &window)) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(list, (size_t)i),
                           "alerts.maintenance: expected DAYS FROM-TO SERVICES in ZONE, such as "
                           "\"sun 02:00-04:00 prediction in Europe/Berlin\"");
            continue;
        }
        struct str services = str_c(window.services);
        struct str name;
        while (str_split(&services, ',', &name)) {
            if (!has_service(c, name)) {
                detail_problem(load, ERR_CONFIG_RANGE, yaml_at(list, (size_t)i),
                               "alerts.maintenance: there is no service \"%.*s\"", STR_ARG(name));
            }
        }
        if (window.zone[0] != '\0' && zone_load(window.zone, &zone, NULL) < 0) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(list, (size_t)i),
                           "alerts.maintenance: expected a time zone such as Europe/Berlin, found "
                           "\"%s\"",
                           window.zone);
        }
        zone_free(zone);
    }
}

static void check_steps(struct load *load, const struct yaml_node *root)
{
    const struct config *c = load->config;
    int64_t before_us = 0;
    for (int i = 0; i < c->alerts_escalate.count; i++) {
        const struct yaml_node *node = yaml_at(node_of(root, "alerts", "escalate"), (size_t)i);
        struct config_step step;
        if (!config_step_parse(c->alerts_escalate.items[i], &step)) {
            detail_problem(load, ERR_CONFIG_TYPE, node,
                           "alerts.escalate: expected a time and mail, webhook, a user, role:ROLE "
                           "or a chat, such as \"30m alice\"");
        } else if (step.after_us < before_us) {
            detail_problem(load, ERR_CONFIG_RANGE, node,
                           "alerts.escalate: expected a time that is not before that of the step "
                           "above");
        } else {
            before_us = step.after_us;
        }
    }
}

static void check_alerts(struct load *load, const struct yaml_node *root)
{
    const struct config *c = load->config;
    int from, to;
    if (c->alerts_quiet_hours[0] != '\0' &&
        !config_quiet_parse(c->alerts_quiet_hours, &from, &to)) {
        detail_problem(load, ERR_CONFIG_TYPE, node_of(root, "alerts", "quiet_hours"),
                       "alerts.quiet_hours: expected two different times such as 22:30-07:00");
    }
    struct zone *zone = NULL;
    if (c->alerts_timezone[0] != '\0' && zone_load(c->alerts_timezone, &zone, NULL) < 0) {
        detail_problem(load, ERR_CONFIG_TYPE, node_of(root, "alerts", "timezone"),
                       "alerts.timezone: expected a time zone such as Europe/Berlin (package "
                       "tzdata), found \"%.40s\"",
                       c->alerts_timezone);
    }
    zone_free(zone);
    if (zone_parse_minute(c->notify_daily_at) < 0) {
        detail_problem(load, ERR_CONFIG_TYPE, node_of(root, "notify", "daily_at"),
                       "notify.daily_at: expected a time such as 08:00");
    }
    struct zone_week week;
    if (!zone_parse_week(c->notify_weekly_at, &week)) {
        detail_problem(load, ERR_CONFIG_TYPE, node_of(root, "notify", "weekly_at"),
                       "notify.weekly_at: expected a day and a time such as mon 08:00");
    }
    for (int i = 0; i < c->alerts_routes.count; i++) {
        struct config_route route;
        if (!config_route_parse(c->alerts_routes.items[i], &route)) {
            detail_problem(load, ERR_CONFIG_TYPE,
                           yaml_at(node_of(root, "alerts", "routes"), (size_t)i),
                           "alerts.routes: expected KINDS to CHAT, CHAT/TOPIC or role:ROLE, such "
                           "as \"entry, exit to -100123/17\"");
        }
    }
    check_windows(load, root);
    check_steps(load, root);
    if (c->telegram_alerts_topic != 0 && c->telegram_chat_id >= 0) {
        detail_problem(load, ERR_CONFIG_RANGE, node_of(root, "telegram", "alerts_topic"),
                       "telegram.alerts_topic: expected telegram.chat_id to be a group, whose id "
                       "is negative");
    }
}

void config_check_notify(struct load *load, const struct yaml_node *root)
{
    check_mail(load, root);
    check_webhook(load, root);
    check_alerts(load, root);
}

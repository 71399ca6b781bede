#include "ops_commands.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "command/runner.h"
#include "schedule.h"

#define MANIFEST_ALERT "ops:MANIFEST_FORMAT"
#define SHOWN_MAX      5 /* files whose problem the alert shows */

static int submit(const struct manifest *m, int64_t update_id, void *userdata)
{
    const struct ops_commands *commands = userdata;
    struct principal who;
    struct err err = {0};
    int rc = access_identify(commands->access, CHANNEL_SCHEDULE, 0, &who);
    ASSERT(rc == 0);
    const struct invocation in = {.line = m->name, .who = &who, .update_id = update_id};
    rc = runner_submit(commands->runner, &in, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not start a scheduled command; trying again");
    }
    return rc;
}

void ops_commands_init(struct ops_commands *commands, struct access *access, struct alerts *alerts,
                       struct manifest_list *manifests)
{
    *commands = (struct ops_commands){.access = access, .alerts = alerts, .manifests = manifests};
    commands->schedule = schedule_new(
        &(struct schedule_options){.manifests = manifests, .submit = submit, .userdata = commands});
}

void ops_commands_release(struct ops_commands *commands)
{
    schedule_free(commands->schedule);
    *commands = (struct ops_commands){0};
}

/* The problems of one reading of the folder. */
struct found {
    int count;
    struct err first;
    struct buf lines; /* of the first SHOWN_MAX */
};

static void report(const struct err *why, void *userdata)
{
    struct found *found = userdata;
    log_err(LOG_LEVEL_ERROR, why, "a command file cannot be used");
    if (found->count++ == 0) {
        found->first = *why;
    }
    if (found->count <= SHOWN_MAX) {
        buf_addf(&found->lines, "%s%s", found->count == 1 ? "" : "\n", why->context);
    }
}

static void raise_alert(const struct ops_commands *commands, struct found *found)
{
    char title[64] = "a command file cannot be used";
    if (found->count > 1) {
        (void)snprintf(title, sizeof(title), "%d command files cannot be used", found->count);
    }
    if (found->count > SHOWN_MAX) {
        buf_addf(&found->lines, "\nand %d more: nightdesk check-config shows all",
                 found->count - SHOWN_MAX);
    }
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = SEVERITY_MEDIUM,
        .source = "ops",
        .fingerprint = MANIFEST_ALERT,
        .title = title,
        .description = found->lines.data,
        .recommendation = err_info(found->first.id)->remediation,
    };
    int64_t id;
    struct err err = {0};
    if (alerts_raise(commands->alerts, &spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not raise an alert");
    }
}

int ops_commands_load(struct ops_commands *commands, const char *folder, enum manifest_reload how)
{
    struct found found = {.lines = BUF_INIT(SHOWN_MAX * sizeof(found.first.context) + 100)};
    const struct manifest_problems problems = {report, &found};
    struct err err = {0};
    int count = manifest_list_reload(commands->manifests, folder, how, &problems);
    if (count > 0) {
        raise_alert(commands, &found);
    } else if (alerts_resolve(commands->alerts, MANIFEST_ALERT, "all command files are used",
                              &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not resolve an alert");
    }
    buf_release(&found.lines);
    return count;
}

void ops_commands_tick(struct ops_commands *commands, int64_t now_wall_us, int64_t now_mono_us)
{
    schedule_tick(commands->schedule, now_wall_us, now_mono_us);
}

int ops_commands_scheduled(const struct manifest *m, const struct reply *result,
                           const struct err *failure, void *userdata, struct err *err)
{
    const struct ops_commands *commands = userdata;
    char fingerprint[64], title[96];
    (void)snprintf(fingerprint, sizeof(fingerprint), "schedule:%s", m->name);
    (void)snprintf(title, sizeof(title), "scheduled command %s %s", m->name,
                   result == NULL ? "did not run" : "failed");
    if (m->trigger.alert[0] != '\0') {
        return 0; /* health/autofix.h tells the result */
    }
    if (failure->id == ERR_COMMAND_CANCELLED) {
        return 0; /* a person wanted it so; it has neither succeeded nor failed */
    }
    if (failure->id == ERR_NONE) {
        int rc = alerts_resolve(commands->alerts, fingerprint, "the command succeeded", err);
        return rc < 0 || !m->deliver
                   ? rc
                   : alerts_notify(commands->alerts,
                                   &(struct alert_notice){.kind = NOTICE_REPORT, .reply = result},
                                   err);
    }
    AUTO_BUF struct buf text = BUF_INIT(1024);
    const struct err_info *info = err_info(failure->id);
    buf_addf(&text, "%s: %s: %s", info->code, info->message, failure->context);
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = result == NULL ? SEVERITY_MEDIUM : SEVERITY_HIGH,
        .source = "ops",
        .fingerprint = fingerprint,
        .title = title,
        .description = text.data,
        .recommendation = info->remediation,
    };
    int64_t id;
    return alerts_raise(commands->alerts, &spec, &id, err);
}

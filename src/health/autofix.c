#include "health/autofix.h"

#include "alerts/alerts.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "command/manifest.h"
#include "command/runner.h"
#include "own_run.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/run_table.h"

#include <stdlib.h>
#include <string.h>

#define USER       "autofix"
#define VALUE_OFF  "autofix.off"
#define PERSON_US  (10 * USEC_PER_MIN)
#define ALERTS_MAX 16 /* looked at in one tick */
#define FIXES_MAX  16 /* one that runs, and those whose effect is awaited */
#define GIVEN_UP   64
#define PEOPLE_MAX 16
#define LOOK_US    (2 * USEC_PER_SEC)
#define LOCKED_US                                                                   \
    (20 * USEC_PER_SEC) /* until the next look, after a person's run was in the way \
                         */

/* A run, and then the wait for its effect. */
struct fix {
    struct autofix *autofix;
    const struct manifest *m; /* a reference; NULL: this place is free */
    int64_t alert_id;
    char item[TRIGGER_ITEM_SIZE];
    bool running;       /* the run has not ended */
    struct err failure; /* of the run */
    int64_t begun_mono_us;
    int64_t ended_mono_us;
};

struct autofix {
    struct autofix_options o;
    const struct manifest_list *manifests;
    struct runner *runner; /* NULL before autofix_start */
    bool off;
    struct fix fixes[FIXES_MAX];
    size_t offset;        /* of the open alerts that are looked at next */
    int64_t look_mono_us; /* not before this time */
    /* Alerts that were escalated or taken over, the newest; one that opens again is another. */
    struct {
        int64_t id, reopened;
    } given_up[GIVEN_UP];
    size_t given_up_next;
};

static int64_t mono_us(const struct autofix *autofix)
{
    return clock_mono_us(autofix->o.clock);
}

static int64_t wall_us(const struct autofix *autofix)
{
    return clock_wall_us(autofix->o.clock);
}

struct autofix *autofix_new(const struct autofix_options *options)
{
    struct autofix *autofix = calloc(1, sizeof(*autofix));
    int64_t off = 0;
    ASSERT(autofix != NULL);
    autofix->o = *options;
    autofix->off = ops_store_get_i64(options->store, VALUE_OFF, 0, &off, NULL) == 0 && off != 0;
    return autofix;
}

static void forget(struct fix *fix)
{
    manifest_unref(fix->m);
    *fix = (struct fix){0};
}

void autofix_free(struct autofix *autofix)
{
    if (autofix == NULL) {
        return;
    }
    for (size_t i = 0; i < FIXES_MAX; i++) {
        forget(&autofix->fixes[i]);
    }
    free(autofix);
}

void autofix_start(struct autofix *autofix, const struct manifest_list *manifests,
                   struct runner *runner)
{
    autofix->manifests = manifests;
    autofix->runner = runner;
}

/* ------------------------------------------------------------------ the result */

static bool has_given_up(const struct autofix *autofix, const struct alert *alert)
{
    for (size_t i = 0; i < GIVEN_UP; i++) {
        if (autofix->given_up[i].id == alert->id &&
            autofix->given_up[i].reopened == alert->reopened) {
            return true;
        }
    }
    return false;
}

static void give_up(struct autofix *autofix, const struct alert *alert)
{
    size_t at = autofix->given_up_next++ % GIVEN_UP;
    autofix->given_up[at].id = alert->id;
    autofix->given_up[at].reopened = alert->reopened;
}

static void note(const struct autofix *autofix, const struct alert *alert, const char *what)
{
    struct err err = {0};
    if (alerts_note(autofix->o.alerts, alert->fingerprint, what, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not note what auto-fix did");
    }
}

/* Raises the alert to critical, which sends a new message; once, also over a restart. */
static void escalate(struct autofix *autofix, const struct alert *alert, const char *what)
{
    give_up(autofix, alert);
    note(autofix, alert, what);
    if (alert->severity == SEVERITY_CRITICAL) {
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(ALERT_TEXT_SIZE + 512);
    buf_addf(&text, "%s %s", what, alert->description);
    struct alert_spec spec = {.type = alert->type,
                              .severity = SEVERITY_CRITICAL,
                              .source = alert->source,
                              .fingerprint = alert->fingerprint,
                              .title = alert->title,
                              .description = text.data,
                              .evidence_json = alert->evidence,
                              .recommendation = alert->recommendation,
                              .check_json = alert->check_json[0] != '\0' ? alert->check_json : NULL,
                              .status = ALERT_OPEN};
    struct err err = {0};
    int64_t id = 0;
    if (alerts_raise(autofix->o.alerts, &spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not escalate an alert that was not fixed");
    }
}

static void on_ended(const struct reply *reply, const struct err *err, void *userdata)
{
    struct fix *fix = userdata;
    (void)reply;
    fix->running = false;
    fix->ended_mono_us = mono_us(fix->autofix);
    if (err != NULL) {
        fix->failure = *err;
    }
}

static bool is_live(const struct alert *alert)
{
    return alert->status == ALERT_OPEN || alert->status == ALERT_ACKNOWLEDGED;
}

static void tell_vain(struct autofix *autofix, const struct fix *fix, const struct alert *alert)
{
    AUTO_BUF struct buf what = BUF_INIT(256);
    buf_addf(&what, "nightdesk ran %s%s%s by itself, and ", fix->m->name,
             fix->item[0] != '\0' ? " " : "", fix->item);
    if (fix->failure.id == ERR_COMMAND_CANCELLED) {
        buf_add_c(&what, "somebody cancelled it: it is theirs now");
        give_up(autofix, alert);
    } else if (fix->failure.id != ERR_NONE) {
        buf_addf(&what, "that failed (%s)", err_info(fix->failure.id)->code);
    } else {
        buf_add_c(&what, "it did not help");
    }
    LOG(WARNING, "%s", what.data);
    note(autofix, alert, what.data);
}

/* The run has ended: has the alert resolved? */
static void verify(struct autofix *autofix, struct fix *fix)
{
    struct alert *alert = calloc(1, sizeof(*alert));
    AUTO_FREE struct alert *memory = alert;
    ASSERT(alert != NULL);
    int64_t waited_us = mono_us(autofix) - fix->ended_mono_us;
    int rc = alert_table_get(autofix->o.store, fix->alert_id, alert, NULL);
    if (rc == 0 && is_live(alert)) {
        if (fix->failure.id == ERR_NONE && waited_us < fix->m->trigger.verify_us) {
            return;
        }
        if (run_table_is_busy(fix->failure.id)) {
            autofix->look_mono_us = mono_us(autofix) + LOCKED_US;
        } else {
            tell_vain(autofix, fix, alert);
        }
    } else if (rc == 0) {
        LOG(NOTICE, "%s: fixed by %s after %lld s", alert->title, fix->m->name,
            (long long)((mono_us(autofix) - fix->begun_mono_us) / USEC_PER_SEC));
    }
    forget(fix);
}

/* ------------------------------------------------------------------ may it run? */

static bool person_works_on(const struct autofix *autofix, const char *item)
{
    char commands[PEOPLE_MAX][RUN_COMMAND_SIZE];
    struct err err = {0};
    if (item[0] == '\0') {
        return false;
    }
    int count = run_table_by_people(autofix->o.store, item, wall_us(autofix) - PERSON_US, commands,
                                    PEOPLE_MAX, &err);
    for (int i = 0; i < count; i++) {
        const struct manifest *m = manifest_find(autofix->manifests, commands[i]);
        if (m == NULL || m->changes) {
            return true;
        }
    }
    return count < 0; /* unknown */
}

/* How often it ran for this item; negative: unknown. */
static int64_t attempts(const struct autofix *autofix, const struct manifest *m, const char *item)
{
    int64_t count = 0;
    struct err err = {0};
    int rc = run_table_count_of(autofix->o.store, m->name, USER, item,
                                wall_us(autofix) - m->trigger.within_us, &count, &err);
    return rc < 0 ? rc : count;
}

static int submit(struct autofix *autofix, struct fix *fix)
{
    const struct manifest *m = fix->m;
    struct err err = {0};
    int rc = own_run_submit(
        &(struct own_run){.runner = autofix->runner,
                          .access = autofix->o.access,
                          .user = USER,
                          .command = m->name,
                          .param = fix->item[0] != '\0' ? m->args[0].rule.name : NULL,
                          .item = fix->item,
                          .on_reply = on_ended,
                          .userdata = fix},
        &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not begin a fix; trying again");
    }
    return rc;
}

static bool is_due(const struct autofix *autofix, const struct manifest *m,
                   const struct alert *alert, struct json_object *evidence, char *ret_item)
{
    bool holds = false;
    struct err err = {0};
    return trigger_matches(&m->trigger, alert->fingerprint, ret_item) &&
           wall_us(autofix) - alert->created_us >= m->trigger.after_us &&
           trigger_holds(&m->trigger, evidence, autofix->o.quiet(autofix->o.userdata), &holds,
                         &err) == 0 &&
           holds;
}

/* NULL: one runs, or there is none. */
static struct fix *free_place(struct autofix *autofix)
{
    struct fix *found = NULL;
    for (size_t i = 0; i < FIXES_MAX; i++) {
        if (autofix->fixes[i].running) {
            return NULL;
        }
        found = autofix->fixes[i].m == NULL ? &autofix->fixes[i] : found;
    }
    return found;
}

/* Its effect on this alert is awaited. */
static bool is_under_way(const struct autofix *autofix, int64_t alert_id)
{
    for (size_t i = 0; i < FIXES_MAX; i++) {
        if (autofix->fixes[i].m != NULL && autofix->fixes[i].alert_id == alert_id) {
            return true;
        }
    }
    return false;
}

/* True if the alert is dealt with: a fix has begun, or there is none left to try. */
static bool try_fix(struct autofix *autofix, const struct manifest *m, const struct alert *alert,
                    const char *item)
{
    struct fix *fix = free_place(autofix);
    char service[ALERT_SERVICE_SIZE];
    bool has_service = alert_service(alert->fingerprint, service);
    if (fix == NULL || alerts_in_maintenance(autofix->o.alerts, has_service ? service : NULL) ||
        person_works_on(autofix, item)) {
        return false;
    }
    int64_t before = attempts(autofix, m, item);
    if (before >= m->trigger.times) {
        AUTO_BUF struct buf what = BUF_INIT(256);
        buf_addf(&what, "nightdesk ran %s %lld times within ", m->name, (long long)before);
        clock_add_duration(&what, m->trigger.within_us);
        buf_add_c(&what, " and does not try again by itself.");
        escalate(autofix, alert, what.data);
        return true;
    }
    if (before < 0) {
        return false;
    }
    *fix = (struct fix){.autofix = autofix,
                        .m = manifest_ref(m),
                        .alert_id = alert->id,
                        .running = true,
                        .begun_mono_us = mono_us(autofix)};
    (void)str_copy(str_c(item), fix->item, sizeof(fix->item));
    LOG(NOTICE, "running %s %s by itself: %s", m->name, item, alert->title);
    if (submit(autofix, fix) < 0) {
        forget(fix);
    } else if (!fix->running && run_table_is_busy(fix->failure.id)) {
        autofix->look_mono_us = mono_us(autofix) + LOCKED_US; /* somebody works on it */
        forget(fix);
    } else if (!fix->running && fix->failure.id != ERR_NONE &&
               attempts(autofix, m, item) == before) {
        /* It was refused, and would be again. */
        AUTO_BUF struct buf what = BUF_INIT(512);
        buf_addf(&what, "nightdesk cannot run %s by itself: %s.", m->name,
                 err_info(fix->failure.id)->message);
        escalate(autofix, alert, what.data);
        forget(fix);
    }
    return true;
}

static bool look_at(struct autofix *autofix, const struct alert *alert)
{
    AUTO_JSON struct json_object *evidence = NULL;
    const struct manifest *m;
    char item[TRIGGER_ITEM_SIZE];
    (void)json_parse(str_c(alert->evidence), &JSON_LIMITS_DEFAULT, &evidence, NULL);
    for (size_t i = 0; (m = manifest_at(autofix->manifests, i)) != NULL; i++) {
        if (m->trigger.alert[0] != '\0' && is_due(autofix, m, alert, evidence, item) &&
            try_fix(autofix, m, alert, item)) {
            return true;
        }
    }
    return false;
}

/* To mend what an open alert has caused is of no use; once that is over, it gets time to recover.
 */
static bool is_caused(const struct autofix *autofix, const struct alert *alert)
{
    int64_t due_us = 0;
    return alert->cause[0] != '\0' ||
           alert_table_get_due(autofix->o.store, alert->id, &due_us, NULL) < 0 || due_us > 0;
}

static void look(struct autofix *autofix)
{
    int64_t open[SEVERITY_CRITICAL + 1] = {0};
    struct err err = {0};
    int64_t total = 0;
    if (alert_table_counts(autofix->o.store, open, &err) < 0) {
        return;
    }
    for (int i = 0; i <= SEVERITY_CRITICAL; i++) {
        total += open[i];
    }
    if (total == 0) {
        return;
    }
    struct alert *alerts = calloc(ALERTS_MAX, sizeof(*alerts));
    AUTO_FREE struct alert *memory = alerts;
    ASSERT(alerts != NULL);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN, .offset = autofix->offset};
    int count = alert_table_list(autofix->o.store, &query, alerts, ALERTS_MAX, &err);
    /* Those beyond are looked at in the next tick. */
    autofix->offset = count == ALERTS_MAX ? autofix->offset + ALERTS_MAX : 0;
    for (int i = 0; i < count; i++) {
        if (!has_given_up(autofix, &alerts[i]) && !is_under_way(autofix, alerts[i].id) &&
            !is_caused(autofix, &alerts[i]) && look_at(autofix, &alerts[i])) {
            return;
        }
    }
}

void autofix_tick(struct autofix *autofix)
{
    if (autofix->runner == NULL) {
        return;
    }
    for (size_t i = 0; i < FIXES_MAX; i++) {
        struct fix *fix = &autofix->fixes[i];
        if (fix->m != NULL && !fix->running) {
            verify(autofix, fix);
        }
    }
    if (!autofix->off && mono_us(autofix) >= autofix->look_mono_us) {
        autofix->look_mono_us = mono_us(autofix) + LOOK_US;
        look(autofix);
    }
}

/* ------------------------------------------------------------------ actions */

static void add_playbook(struct reply *reply, struct json_out *data, const struct manifest *m)
{
    const struct manifest_trigger *trigger = &m->trigger;
    reply_item(reply, "{}, at most {} times in {}", cell_text(m->summary),
               cell_count(trigger->times), cell_duration(trigger->within_us));
    json_out_object(data, NULL);
    json_out_text(data, "command", m->name);
    json_out_text(data, "alert", trigger->alert);
    json_out_text(data, "when", trigger->when);
    json_out_i64(data, "times", trigger->times);
    json_out_double(data, "within_s", (double)trigger->within_us / (double)USEC_PER_SEC);
    json_out_end(data);
}

static void show_status(const struct autofix *autofix, struct reply *reply)
{
    const struct manifest *m;
    reply_title(reply, autofix->off ? TONE_WARN : TONE_GOOD, "Auto-fix is %s",
                autofix->off ? "off" : "on");
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_bool(&data, "on", !autofix->off);
    for (size_t i = 0; i < FIXES_MAX; i++) {
        if (autofix->fixes[i].running) {
            reply_para(reply, "Under way: {} {}", cell_text(autofix->fixes[i].m->name),
                       cell_text(autofix->fixes[i].item));
            json_out_text(&data, "now", autofix->fixes[i].m->name);
        }
    }
    json_out_array(&data, "playbooks");
    for (size_t i = 0; (m = manifest_at(autofix->manifests, i)) != NULL; i++) {
        if (m->trigger.alert[0] != '\0') {
            add_playbook(reply, &data, m);
        }
    }
    json_out_end(&data);
}

static int set_switch(struct action_call *call, struct err *err)
{
    struct autofix *autofix = action_userdata(call);
    const char *to = action_text(call, "to");
    if (strcmp(to, "status") != 0) {
        bool off = strcmp(to, "off") == 0;
        int rc = ops_store_write_i64(autofix->o.store, VALUE_OFF, off ? 1 : 0, err);
        if (rc < 0) {
            return rc;
        }
        autofix->off = off;
    }
    show_status(autofix, action_reply(call));
    return ACTION_DONE;
}

static int recover_switch(struct action_call *call, bool *ret_happened, struct err *err)
{
    const struct autofix *autofix = action_userdata(call);
    (void)err;
    const char *to = action_text(call, "to");
    *ret_happened = strcmp(to, "status") == 0 || autofix->off == (strcmp(to, "off") == 0);
    return 0;
}

static const struct action actions[] = {
    {.name = "autofix.switch",
     .summary = "What nightdesk fixes by itself; lets it, or not",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "to",
                              .type = PARAM_CHOICE,
                              .choices = "on|off|status",
                              .required = true,
                              .help = "on or off; status leaves it as it is"}),
     .run = set_switch,
     .recover = recover_switch},
    {0},
};

void autofix_actions(struct autofix *autofix, struct action_table *table)
{
    action_table_add(table, actions, autofix);
}

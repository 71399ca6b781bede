#include "alerts/alerts.h"
#include "autofix_internal.h"
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

#define PERSON_US  (10 * USEC_PER_MIN)
#define ALERTS_MAX 16 /* looked at in one tick */
#define PEOPLE_MAX 16
#define LOOK_US    (2 * USEC_PER_SEC)
/* Until the next look, after a person's run was in the way. */
#define LOCKED_US (20 * USEC_PER_SEC)

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
    autofix->off = ops_store_get_i64(options->store, AUTOFIX_OFF, 0, &off, NULL) == 0 && off != 0;
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

/* What became of the steps that undo what a run has changed. */
static enum autofix_outcome undo_of(const struct autofix *autofix, const struct manifest *m)
{
    const size_t max = (size_t)3 * MANIFEST_STEPS_MAX;
    AUTO_FREE struct run_step *steps = calloc(max, sizeof(*steps));
    struct err err = {0};
    int64_t id = 0;
    ASSERT(steps != NULL);
    int n = run_table_newest_of(autofix->o.store, m->name, AUTOFIX_USER, &id, &err) < 0
                ? -1
                : run_table_steps(autofix->o.store, id, steps, max, &err);
    enum autofix_outcome outcome = n < 0 ? AUTOFIX_NOT_UNDONE : AUTOFIX_NO_HELP;
    for (int i = 0; i < n; i++) {
        int place = (int)steps[i].index - m->step_count;
        if (place < 0 || place >= m->on_failure_count || steps[i].state == RUN_STEP_SKIPPED) {
            continue;
        }
        if (steps[i].state != RUN_STEP_DONE) {
            return AUTOFIX_NOT_UNDONE;
        }
        outcome = AUTOFIX_UNDONE;
    }
    return outcome;
}

static enum autofix_outcome outcome_of(const struct autofix *autofix, const struct fix *fix)
{
    if (fix->failure.id == ERR_COMMAND_CANCELLED) {
        return AUTOFIX_CANCELLED;
    }
    return fix->failure.id != ERR_NONE && fix->m->undo ? undo_of(autofix, fix->m) : AUTOFIX_NO_HELP;
}

static void tell_vain(struct autofix *autofix, const struct fix *fix, const struct alert *alert)
{
    AUTO_BUF struct buf what = BUF_INIT(256);
    enum autofix_outcome outcome = outcome_of(autofix, fix);
    buf_addf(&what, "nightdesk ran %s%s%s by itself, and ", fix->m->name,
             fix->item[0] != '\0' ? " " : "", fix->item);
    if (outcome == AUTOFIX_CANCELLED) {
        buf_add_c(&what, "somebody cancelled it: it is theirs now");
        give_up(autofix, alert);
    } else if (fix->failure.id == ERR_NONE || fix->failure.id == ERR_STEP_NOT_MET) {
        buf_add_c(&what, "it did not help");
    } else {
        buf_addf(&what, "that failed (%s)", err_info(fix->failure.id)->code);
    }
    buf_add_c(&what, outcome == AUTOFIX_UNDONE       ? ": undone"
                     : outcome == AUTOFIX_NOT_UNDONE ? ", and it could not be undone"
                     : outcome == AUTOFIX_NO_HELP    ? "; nothing to undo"
                                                     : "");
    LOG(WARNING, "%s", what.data);
    note(autofix, alert, what.data);
    autofix_remember(autofix, fix, outcome);
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
        autofix_remember(autofix, fix, AUTOFIX_FIXED);
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

int64_t autofix_attempts(const struct autofix *autofix, const struct manifest *m, const char *item)
{
    int64_t count = 0;
    struct err err = {0};
    int rc = run_table_count_of(autofix->o.store, m->name, AUTOFIX_USER, item,
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
                          .user = AUTOFIX_USER,
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
    int64_t before = autofix_attempts(autofix, m, item);
    if (before >= m->trigger.times) {
        AUTO_BUF struct buf what = BUF_INIT(256);
        buf_addf(&what, "nightdesk ran %s %lld times within ", m->name, (long long)before);
        clock_add_duration(&what, m->trigger.within_us);
        buf_add_c(&what, " and does not try again by itself.");
        autofix_add_last(autofix, m, &what);
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
    LOG(NOTICE, "running %s%s%s by itself: %s", m->name, item[0] != '\0' ? " " : "", item,
        alert->title);
    if (submit(autofix, fix) < 0) {
        forget(fix);
    } else if (!fix->running && run_table_is_busy(fix->failure.id)) {
        autofix->look_mono_us = mono_us(autofix) + LOCKED_US; /* somebody works on it */
        forget(fix);
    } else if (!fix->running && fix->failure.id != ERR_NONE &&
               autofix_attempts(autofix, m, item) == before) {
        /* It was refused, and would be again. */
        AUTO_BUF struct buf what = BUF_INIT(512);
        buf_addf(&what, "nightdesk cannot run %s by itself: %s.", m->name,
                 err_info(fix->failure.id)->message);
        escalate(autofix, alert, what.data);
        forget(fix);
    } else if (item[0] == '\0') { /* a run about a service is noted by its lock */
        AUTO_BUF struct buf what = BUF_INIT(128);
        buf_addf(&what, "nightdesk ran %s by itself", m->name);
        note(autofix, alert, what.data);
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

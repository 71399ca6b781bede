#include "service.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "certificate.h"
#include "drain.h"
#include "health_internal.h"
#include "last_lines.h"
#include "store/heartbeat_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_EVERY_US USEC_PER_SEC
#define WAIT_EVERY_US  (USEC_PER_SEC / 2)
#define BRIEF_GRACE_US (10 * USEC_PER_SEC)
#define SETTLING_LOOKS 3

const char *service_state_name(enum service_state state)
{
    switch (state) {
    case SERVICE_UNKNOWN:
        return "unknown";
    case SERVICE_UP:
        return "up";
    case SERVICE_DOWN:
        return "down";
    case SERVICE_FLAPPING:
        return "flapping";
    }
    return "";
}

const char *service_kind(const struct service *service)
{
    return service->check_count > 0 ? service->checks[0]->kind->name : "";
}

static int64_t mono_us(const struct service *service)
{
    return clock_mono_us(loop_clock(service->health->options.loop));
}

static const struct config *config_of(const struct service *service)
{
    return service->health->options.config;
}

/* ------------------------------------------------------------------ the round */

int64_t service_interval_us(const struct service *service)
{
    int64_t own_us = service->config->interval_us;
    return own_us > 0 ? own_us : config_of(service)->monitoring_check_interval_us;
}

bool service_is_confirming(const struct service *service)
{
    return service->failures > 0 && !service->told;
}

static bool in_grace(const struct service *service)
{
    return mono_us(service) < service->grace_mono_us;
}

/* The time from the begin of this round to that of the next. */
static int64_t next_us(struct service *service, bool up)
{
    int64_t every_us = service_interval_us(service);
    int64_t confirm_us = config_of(service)->monitoring_confirm_interval_us;
    if (service_has_waiters(service)) {
        return WAIT_EVERY_US;
    }
    if (!up && in_grace(service)) {
        return every_us < GRACE_EVERY_US ? every_us : GRACE_EVERY_US;
    }
    if (service_is_confirming(service)) {
        return every_us < confirm_us ? every_us : confirm_us;
    }
    if (service->settled_mono_us != 0) { /* not to miss that it is down again */
        return every_us / SETTLING_LOOKS;
    }
    if (service->spread_us > 0) {
        every_us = service->spread_us < every_us ? service->spread_us : every_us;
        service->spread_us = 0;
    }
    return every_us;
}

/* The reason of the first check that has failed, with its name if there are several. */
static void set_detail(struct service *service, size_t failed, const struct check *first)
{
    char text[2 * SERVICE_DETAIL_SIZE];
    if (failed == 0) {
        (void)str_copy(STR_LIT("ok"), service->detail, sizeof(service->detail));
        return;
    }
    bool several = service->check_count > 1;
    (void)snprintf(text, sizeof(text), "%s%s%s", several ? first->config.name : "",
                   several ? ": " : "", first->reason);
    if (failed > 1) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof(text) - len, " (and %zu more)", failed - 1);
    }
    str_cut(str_c(text), service->detail, sizeof(service->detail));
}

static void conclude(struct service *service)
{
    if (service->open_parts > 0) {
        return;
    }
    size_t failed = 0;
    const struct check *first = NULL;
    bool sure = false;
    for (size_t i = 0; i < service->check_count; i++) {
        const struct check *check = service->checks[i];
        if (check->result == CHECK_FAILED) {
            first = failed++ == 0 ? check : first;
            sure = sure || check->sure;
        }
    }
    bool up = failed == 0;
    service->checking = false;
    set_detail(service, failed, first);
    if (up) {
        service->latency_us = mono_us(service) - service->check_mono_us;
        service->grace_mono_us = 0;
    }
    bool counted = up || sure || !(in_grace(service) || service->restart_open);
    service_settle(service, up, counted, sure);
    service_notify_waiters(service, up);
    if (service->again) {
        service->again = false;
        loop_timer_in(service->due, 0);
    } else if (!service->is_idle || service_has_waiters(service)) {
        loop_timer_at(service->due, service->check_mono_us + next_us(service, up));
    }
}

void service_check_done(struct service *service)
{
    service->open_parts--;
    conclude(service);
}

static void check_now(struct service *service)
{
    if (service->checking) {
        return;
    }
    service->checking = true;
    service->open_parts = 1; /* this function, until all checks have begun */
    service->check_mono_us = mono_us(service);
    for (size_t i = 0; i < service->check_count; i++) {
        service->open_parts++;
        check_begin(service->checks[i]);
    }
    service->open_parts--;
    conclude(service);
}

static void on_due(void *userdata)
{
    check_now(userdata);
}

void service_check_soon(struct service *service)
{
    if (service->retired) {
        return;
    }
    if (service->checking) {
        service->again = true;
    } else {
        loop_timer_in(service->due, 0);
    }
}

/* ------------------------------------------------------------------ its checks */

static struct config_check own_check(const struct config_service *config, const char *name)
{
    struct config_check check = {.unit = "",
                                 .url = "",
                                 .path = "",
                                 .tcp = "",
                                 .file = "",
                                 .process = "",
                                 .body_has = "",
                                 .body_matches = "",
                                 .json_pointer = "",
                                 .json_value = "",
                                 .ca_file = "",
                                 .expect_status = config->expect_status,
                                 .certificate_days = SERVICE_CERTIFICATE_DAYS};
    (void)str_copy(str_c(name), check.name, sizeof(check.name));
    return check;
}

static struct check *take_check(struct check **list, size_t count,
                                const struct config_check *config)
{
    for (size_t i = 0; i < count; i++) {
        struct check *check = list[i];
        if (check != NULL && strcmp(check->config.name, config->name) == 0 &&
            check_is_kind(check, config)) {
            list[i] = NULL;
            return check;
        }
    }
    return NULL;
}

static size_t own_checks(const struct service *service, struct config_check ret[2])
{
    const struct config_service *config = service->config;
    size_t count = 0;
    if (service_has_unit(service)) {
        ret[count] = own_check(config, "unit");
        ret[count++].unit = service->unit;
    } else if (config->command.count > 0) {
        ret[count++] = own_check(config, "child");
    }
    if (config->url[0] != '\0') {
        ret[count] = own_check(config, "url");
        ret[count].url = config->url;
        ret[count++].path = config->health_endpoint;
    }
    return count;
}

/* Those of a service that is gone, which has none any more. */
static void forget_check(const struct service *service, const struct check *check)
{
    if (service->is_idle) {
        return;
    }
    if (check->kind == &check_heartbeat) {
        (void)heartbeat_table_remove(service->health->options.store, service->config->name,
                                     check->config.name, NULL);
    } else if (check->kind == &check_url) {
        certificate_forget(check);
    }
}

/* Those that stay keep what they know. */
void service_make_checks(struct service *service)
{
    const struct config_service *config = service->config;
    struct config_check own[2];
    size_t own_count = own_checks(service, own);
    AUTO_FREE struct check **before = service->checks;
    void **texts = TAKE(service->texts);
    size_t before_count = service->check_count;
    service->check_count = 0;
    service->checks = calloc(own_count + (size_t)config->check_count + 1, sizeof(struct check *));
    ASSERT(service->checks != NULL);
    for (size_t i = 0; i < own_count + (size_t)config->check_count; i++) {
        const struct config_check *plain = i < own_count ? &own[i] : &config->checks[i - own_count];
        const struct config_check entry = service_coloured(service, plain);
        if (service->is_idle && entry.heartbeat_us > 0) {
            continue; /* its job calls for the live one */
        }
        struct check *check = take_check(before, before_count, &entry);
        if (check == NULL) {
            check = check_new(service, &entry);
        } else {
            check_apply(check, &entry);
        }
        service->checks[service->check_count++] = check;
    }
    for (size_t i = 0; i < before_count; i++) {
        if (before[i] != NULL) {
            forget_check(service, before[i]);
        }
        check_free(before[i]);
    }
    service_drop_texts(texts);
}

/* Gives up the round under way; another one follows. */
static void abandon_round(struct service *service)
{
    bool checking = service->checking;
    for (size_t i = 0; i < service->check_count; i++) {
        check_cancel(service->checks[i]);
    }
    service->checking = service->again = false;
    if (checking) {
        loop_timer_in(service->due, 0);
    }
}

void service_renew_checks(struct service *service)
{
    abandon_round(service);
    service_make_checks(service);
    if (service->health->started && !service->retired) {
        loop_timer_in(service->due, 0);
    }
}

/* ------------------------------------------------------------------ starts */

void service_begin_grace(struct service *service, bool brief)
{
    int64_t own_us = service->config->start_grace_us;
    int64_t grace_us = own_us > 0 ? own_us : config_of(service)->monitoring_start_grace_us;
    grace_us = brief && grace_us > BRIEF_GRACE_US ? BRIEF_GRACE_US : grace_us;
    int64_t end_us = mono_us(service) + grace_us;
    /* A command that waits for it may have given it longer. */
    service->mended = service->mended || (!brief && service->told);
    if (brief || end_us > service->grace_mono_us) {
        service->grace_mono_us = end_us;
    }
}

static void on_child(enum child_event event, const struct err *err, void *userdata)
{
    struct service *service = userdata;
    service_break_steady(service);
    switch (event) {
    case CHILD_DIED:
        service_note_failure(service);
        break;
    case CHILD_STARTED:
        service_begin_grace(service, true);
        service_note_restart(service);
        break;
    case CHILD_REPLACED:
        service_finish_restart(service, err);
        break;
    }
    service_check_soon(service);
}

/* ------------------------------------------------------------------ life cycle */

void service_init(struct service *service, struct health *health,
                  const struct config_service *config)
{
    *service = (struct service){
        .health = health, .config = config, .alerted = true, .detail = "not checked yet"};
    child_init(&service->child, &(struct child_options){.loop = health->options.loop,
                                                        .name = config->name,
                                                        .state_dir = health->options.state_dir,
                                                        .command = &config->command,
                                                        .fn = on_child,
                                                        .userdata = service});
    service->due = loop_add_timer(health->options.loop, on_due, service);
    loop_source_name(service->due, "service check");
    (void)str_copy(str_c(config->name), service->label, sizeof(service->label));
    service_set_unit(service);
    service_make_checks(service);
    service_begin_grace(service,
                        false); /* a recovered command may wait for it before service_start */
}

void service_release(struct service *service)
{
    if (service->idle != NULL) {
        service_release(service->idle);
        free(service->idle);
    }
    drain_free(service->drain);
    units_forget(service->health->options.units, service);
    for (size_t i = 0; i < service->check_count; i++) {
        check_free(service->checks[i]);
    }
    free(service->checks);
    service_drop_texts(service->texts);
    last_lines_free(service->lines);
    loop_source_free(service->due);
    child_release(&service->child);
}

void service_start(struct service *service, int64_t first_check_us, int64_t spread_us)
{
    struct err err = {0};
    service_begin_grace(service, service->config->command.count == 0);
    service->spread_us = spread_us;
    /* A command that goes on after a crash may have restarted it already. */
    if (service->config->command.count > 0 && service->child.process == NULL) {
        (void)child_start(&service->child, &err);
    }
    loop_timer_in(service->due, first_check_us);
}

/* ------------------------------------------------------------------ a new configuration */

/* It is another program or unit now: what is known of it is of no use. */
static void begin_again(struct service *service)
{
    service->state = SERVICE_UNKNOWN;
    service->since_us = service->checked_us = 0;
    service->failures = 0;
    service->alerted = true; /* an alert of the one before may be open */
    service->told = service->flapping = false;
    service->failed_count = 0;
    service->past = 0;
    service->held_mono_us = service->settled_mono_us = service->recovered_mono_us = 0;
    service->sure = service->mended = false;
    service->cause[0] = '\0';
    last_lines_free(TAKE(service->lines));
    child_reset(&service->child);
    service_begin_grace(service, false);
    (void)str_copy(str_c("not checked yet"), service->detail, sizeof(service->detail));
    bool command = service->config->command.count > 0;
    struct err err = {0}, changed = {0};
    (void)err_set(&changed, ERR_SERVICE_UNKNOWN, "the unit or command of %s was changed",
                  service->config->name);
    /* An answer about the old unit must not end a call about the new one. */
    units_forget(service->health->options.units, service);
    if (service->recovering != NULL) {
        action_finish(TAKE(service->recovering), &changed);
    }
    if (service->restart_open && (service->child.process == NULL || !command)) {
        service_finish_restart(service, &changed);
    }
    if (service->child.process != NULL && command) {
        service->restart_open = true; /* until the new command has started */
        child_replace(&service->child);
    } else if (service->child.process != NULL) {
        child_stop(&service->child);
    } else if (command) {
        (void)child_start(&service->child, &err);
    }
    loop_timer_in(service->due, GRACE_EVERY_US);
}

static bool same_command(const struct config_texts *a, const struct config_texts *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool same_checks(const struct config_service *a, const struct config_service *b)
{
    bool same = strcmp(a->url, b->url) == 0 &&
                strcmp(a->health_endpoint, b->health_endpoint) == 0 &&
                a->expect_status == b->expect_status && a->check_count == b->check_count;
    for (int i = 0; same && i < a->check_count; i++) {
        same = strcmp(a->checks[i].name, b->checks[i].name) == 0 &&
               check_same(&a->checks[i], &b->checks[i]);
    }
    return same;
}

void service_apply(struct service *service, const struct config_service *config)
{
    const struct config_service *before = service->config;
    bool same =
        strcmp(before->unit, config->unit) == 0 && same_command(&before->command, &config->command);
    bool checks = same_checks(before, config);
    bool rescheduled = before->interval_us != config->interval_us;
    abandon_round(service);
    service_drop_idle(service);
    service->config = config;
    child_set_command(&service->child, &config->command);
    if (!same) {
        service_forget_colour(service);
    }
    service_set_unit(service);
    service_make_checks(service);
    if (!service->health->started) {
        return;
    }
    if (!same) {
        LOG(NOTICE, "service %s has a new unit or command", config->name);
        begin_again(service);
    } else if (!checks) {
        loop_timer_in(service->due, 0);
    } else if (rescheduled) {
        service_reschedule(service);
    }
}

void service_reschedule(struct service *service)
{
    if (!service->checking && loop_timer_armed(service->due) && !service_has_waiters(service) &&
        !in_grace(service) && !service_is_confirming(service)) {
        loop_timer_at(service->due, service->check_mono_us + service_interval_us(service));
    }
}

void service_retire(struct service *service)
{
    static const struct config_service nothing = {.unit = "", .url = "", .health_endpoint = ""};
    struct err err = {0};
    abandon_round(service);
    service_drop_idle(service);
    drain_free(TAKE(service->drain));
    service->retired = true;
    service->gone = nothing;
    memcpy(service->gone.name, service->config->name, sizeof(service->gone.name));
    service->config = &service->gone;
    child_set_command(&service->child, &service->gone.command);
    service_make_checks(service);
    loop_timer_stop(service->due);
    last_lines_free(TAKE(service->lines));
    units_forget(service->health->options.units, service);
    (void)err_set(&err, ERR_SERVICE_UNKNOWN, "%s was removed from the configuration",
                  service->config->name);
    service_fail_calls(service, &err);
    child_stop(&service->child);
}

bool service_is_over(const struct service *service)
{
    return service->child.process == NULL;
}

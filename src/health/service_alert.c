#include "alerts/alerts.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "health_internal.h"
#include "io/json_out.h"
#include "last_lines.h"
#include "metrics.h"
#include "samples.h"
#include "service.h"

#include <stdio.h>
#include <string.h>

#define HOLD_MAX_US     (20 * USEC_PER_SEC) /* a parent that is being checked is awaited so long */
#define DEPTH_MAX       8
#define SAME_FAILURE_US (2 * USEC_PER_SEC) /* the end of a process, and the check that sees it */

static int64_t mono_us(const struct service *service)
{
    return clock_mono_us(loop_clock(service->health->options.loop));
}

static int64_t wall_us(const struct service *service)
{
    return clock_wall_us(loop_clock(service->health->options.loop));
}

static const struct config *config_of(const struct service *service)
{
    return service->health->options.config;
}

static int64_t threshold(const struct service *service)
{
    int64_t own = service->config->alert_after;
    return own > 0 ? own : config_of(service)->monitoring_alert_threshold;
}

/* So many of the last rounds have failed, with good ones between them. */
static bool has_failed_often(const struct service *service)
{
    int64_t own = service->config->alert_within;
    int64_t within = own > 0 ? own : config_of(service)->monitoring_alert_within;
    if (within <= threshold(service)) {
        return false; /* failures in a row decide */
    }
    uint64_t last = within >= 64 ? service->past : service->past & ((UINT64_C(1) << within) - 1);
    return __builtin_popcountll(last) >= threshold(service);
}

/* ------------------------------------------------------------------ flapping */

/* How many of its failures began within the window before now; *ret_last is when the last did. */
static int recent_failures(const struct service *service, int64_t window_us, int64_t *ret_last)
{
    unsigned kept =
        service->failed_count < SERVICE_FAILURES_MAX ? service->failed_count : SERVICE_FAILURES_MAX;
    int64_t now_us = mono_us(service);
    int count = 0;
    *ret_last = INT64_MIN / 2;
    for (unsigned i = 0; i < kept; i++) {
        int64_t at_us = service->failed_at_us[i];
        count += now_us - at_us <= window_us ? 1 : 0;
        *ret_last = at_us > *ret_last ? at_us : *ret_last;
    }
    return count;
}

/* It begins with so many failures in the window, and ends after half a window without one: with the
 * window alone a service that fails now and then would come and go. */
bool service_is_flapping(const struct service *service)
{
    const struct config *config = config_of(service);
    int64_t own = service->config->flapping_after;
    int64_t many = own > 0 ? own : config->monitoring_flapping_after;
    int64_t window_us = config->monitoring_flapping_window_us;
    int64_t last_us = 0;
    int count = recent_failures(service, window_us, &last_us);
    bool steady = mono_us(service) - last_us >= window_us / 2;
    return service->flapping ? !steady : many > 0 && count >= many && !steady;
}

void service_note_failure(struct service *service)
{
    service->failed_at_us[service->failed_count % SERVICE_FAILURES_MAX] = mono_us(service);
    service->failed_count++;
}

/* A failure soon after another one is the same problem. */
static bool has_failed_before(const struct service *service)
{
    int64_t last_us = 0;
    return recent_failures(service, config_of(service)->monitoring_flapping_window_us, &last_us) >
           1;
}

/* ------------------------------------------------------------------ dependencies */

enum parents { PARENTS_WELL, PARENTS_UNDECIDED, PARENT_DOWN };

/* It was started, and its checks do not succeed yet. */
static bool is_starting(const struct service *service)
{
    return service->restart_open ||
           (!service->up && mono_us(service) < service->grace_mono_us && service->checked_us != 0);
}

/* What caused its failure is well again: it may recover too, and until then is no cause itself. */
static bool has_lost_cause(const struct service *service)
{
    const struct service *cause =
        service->cause[0] == '\0' ? NULL : health_find(service->health, service->cause, NULL);
    return cause != NULL && !cause->told;
}

/* It has just come back; what needs it may take a moment longer. */
static bool has_just_recovered(const struct service *service)
{
    return service->recovered_mono_us != 0 && mono_us(service) - service->recovered_mono_us <
                                                  config_of(service)->monitoring_start_grace_us;
}

/* Those that it needs, and what they need, are looked at now if that was not done since `since`. */
static void check_parents(const struct service *service, int64_t since_mono_us, int depth)
{
    for (int i = 0; i < service->config->depends_on.count && depth < DEPTH_MAX; i++) {
        struct service *parent =
            health_find(service->health, service->config->depends_on.items[i], NULL);
        if (parent == NULL) {
            continue;
        }
        if (!parent->checking && parent->checked_mono_us < since_mono_us) {
            service_check_soon(parent);
        }
        check_parents(parent, since_mono_us, depth + 1);
    }
}

/* Whether a service that this one needs is the cause of its failures. */
static enum parents look_at_parents(struct service *service, struct service **ret)
{
    enum parents all = PARENTS_WELL;
    for (int i = 0; i < service->config->depends_on.count; i++) {
        struct service *parent =
            health_find(service->health, service->config->depends_on.items[i], NULL);
        if (parent == NULL) {
            continue;
        }
        if (parent->told && !has_lost_cause(parent)) {
            *ret = parent;
            return PARENT_DOWN;
        }
        bool stale = parent->checked_us == 0 || parent->checked_mono_us < service->failing_mono_us;
        bool failing = parent->failures > 0 || is_starting(parent) || has_just_recovered(parent);
        if (failing) {
            service->held_mono_us = mono_us(service); /* as long as that takes */
        }
        if (stale || failing) {
            all = PARENTS_UNDECIDED;
        }
    }
    check_parents(service, service->failing_mono_us, 0);
    return all;
}

/* The service whose alert shows this one's: the first of the chain. */
static const char *root_of(const struct service *parent)
{
    return parent->cause[0] != '\0' ? parent->cause : parent->config->name;
}

/* It is known how it is: those that wait for that go on. */
static void wake_children(const struct service *parent)
{
    size_t at = 0;
    for (struct service *child; (child = health_dependent(parent, &at)) != NULL;) {
        if (child->held_mono_us != 0) {
            service_check_soon(child);
        }
    }
}

/* Those that need it get time to recover once it is back. */
static void spare_children(const struct service *parent)
{
    size_t at = 0;
    for (struct service *child; (child = health_dependent(parent, &at)) != NULL;) {
        if (child->failures > 0) {
            service_begin_grace(child, false);
            service_check_soon(child);
        }
    }
}

/* ------------------------------------------------------------------ the alert */

static void fingerprint_of(const char *name, char *dst, size_t size)
{
    (void)snprintf(dst, size, "service:%s", name);
}

/* The worst of its failed checks: that it does not answer follows from that it does not run. What
 * flaps is started again by somebody already, unless it is certain that it is down. */
static const char *fault_of(const struct service *service)
{
    enum check_fault worst = CHECK_UNWELL;
    bool sure = false;
    for (size_t i = 0; i < service->check_count; i++) {
        const struct check *check = service->checks[i];
        if (check->result == CHECK_FAILED && check->fault > worst) {
            worst = check->fault;
        }
        sure = sure || (check->result == CHECK_FAILED && check->sure);
    }
    if (service->failures == 0 && !service->flapping) {
        return "recovering";
    }
    return service->flapping && !sure ? "flapping" : check_fault_name(worst);
}

static void begin_evidence(struct json_out *out, const char *service, const char *figure)
{
    char pointer[128];
    (void)snprintf(pointer, sizeof(pointer), "/services/%s/%s", service, figure);
    json_out_object(out, NULL);
    json_out_text(out, "pointer", pointer);
}

static void add_evidence(struct buf *text, const struct service *service, const char *since)
{
    const char *name = service->config->name;
    struct json_out out = JSON_OUT(text);
    json_out_array(&out, NULL);
    begin_evidence(&out, name, "failures");
    json_out_i64(&out, "value", service->failures);
    json_out_end(&out);
    begin_evidence(&out, name, "since");
    json_out_text(&out, "value", since);
    json_out_end(&out);
    begin_evidence(&out, name, "last_check");
    json_out_text(&out, "value", service->detail);
    json_out_end(&out);
    begin_evidence(&out, name, "fault");
    json_out_text(&out, "value", fault_of(service));
    json_out_end(&out);
    begin_evidence(&out, name, "can_restart");
    json_out_bool(&out, "value",
                  service->config->unit[0] != '\0' || service->config->command.count > 0);
    json_out_end(&out);
    begin_evidence(&out, name, "restart_wrong");
    json_out_bool(&out, "value", service->config->restart_wrong);
    json_out_end(&out);
    json_out_end(&out);
}

static void add_flapping(struct buf *text, const struct service *service)
{
    int64_t window_us = config_of(service)->monitoring_flapping_window_us;
    int64_t last_us = 0;
    int count = recent_failures(service, window_us, &last_us);
    buf_addf(text, "It failed %d times in the last ", count);
    clock_add_duration(text, window_us);
    buf_addf(text, "; now it is %s.", service->failures > 0 ? "down" : "up");
    if (service->failures > 0) {
        buf_addf(text, " %s.", service->detail);
    }
    buf_add_c(text, " This ends when it has been steady for ");
    clock_add_duration(text, window_us / 2);
    buf_add_char(text, '.');
}

static void add_failures(struct buf *text, const struct service *service, const char *since)
{
    if (service->failures > 1) {
        buf_addf(text, "Since %s; %d consecutive checks failed: %s.", since, service->failures,
                 service->detail);
    } else {
        buf_addf(text, "Since %s: %s.", since, service->detail);
    }
    if (service->child.restarts > 0) {
        buf_addf(text, " nightdesk has restarted it %d times.", service->child.restarts);
    } else if (service->config->unit[0] != '\0') {
        buf_add_c(text, " nightdesk does not restart it automatically.");
    }
}

static void add_recovering(struct buf *text, const struct service *service)
{
    buf_add_c(text, "It is up again. This ends when it has been up for ");
    clock_add_duration(text, service_interval_us(service));
    buf_add_char(text, '.');
}

static void raise_alert(struct service *service, const char *cause)
{
    const struct config_service *config = service->config;
    char fingerprint[64];
    char of_cause[64];
    char title[96];
    fingerprint_of(config->name, fingerprint, sizeof(fingerprint));
    fingerprint_of(cause, of_cause, sizeof(of_cause));
    (void)snprintf(title, sizeof(title), "%s is %s", config->name,
                   service->flapping ? "flapping" : "down");
    AUTO_BUF struct buf since = BUF_INIT(64);
    clock_add_iso(&since, service->failing_since_us, false);
    AUTO_BUF struct buf text = BUF_INIT(1900);
    if (service->flapping) {
        add_flapping(&text, service);
    } else if (service->failures == 0) {
        add_recovering(&text, service);
    } else {
        add_failures(&text, service, since.data);
    }
    const char *lines = last_lines_text(service->lines);
    if (lines[0] != '\0') {
        buf_addf(&text, "\nThe end of its log:\n%s", lines);
    }
    AUTO_BUF struct buf evidence = BUF_INIT(1024);
    add_evidence(&evidence, service, since.data);
    char advice[160];
    bool managed = config->unit[0] != '\0' || config->command.count > 0;
    (void)snprintf(advice, sizeof(advice),
                   managed ? "Look at /logs %s, then /restart %s." : "Look at /services %s.",
                   config->name, config->name);
    struct alert_spec spec = {.type = ALERT_SERVICE,
                              .severity = SEVERITY_HIGH,
                              .source = "health",
                              .fingerprint = fingerprint,
                              .title = title,
                              .description = text.data,
                              .evidence_json = evidence.data,
                              .recommendation = advice,
                              .cause = cause[0] != '\0' ? of_cause : NULL,
                              .reopens = has_failed_before(service),
                              .status = ALERT_OPEN};
    struct err err = {0};
    int64_t id = 0;
    if (alerts_raise(service->health->options.alerts, &spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not raise a service alert");
        return;
    }
    service->alerted = true;
    service->told = service->failures > 0;
    (void)str_copy(str_c(cause), service->cause, sizeof(service->cause));
}

void service_raise(struct service *service)
{
    raise_alert(service, service->cause);
}

void service_resolve(struct service *service, const char *why)
{
    char fingerprint[64];
    struct err err = {0};
    fingerprint_of(service->config->name, fingerprint, sizeof(fingerprint));
    if (alerts_resolve(service->health->options.alerts, fingerprint, why, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not resolve a service alert");
        return;
    }
    service->alerted = service->mended = false;
    service->settled_mono_us = 0;
    service->cause[0] = '\0';
}

void service_note_restart(struct service *service)
{
    char fingerprint[64], text[96];
    struct err err = {0};
    if (!service->alerted || service->child.restarts == 0) {
        return;
    }
    fingerprint_of(service->config->name, fingerprint, sizeof(fingerprint));
    (void)snprintf(text, sizeof(text), "nightdesk started its process again (%d time%s so far)",
                   service->child.restarts, service->child.restarts == 1 ? "" : "s");
    if (alerts_note(service->health->options.alerts, fingerprint, text, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not note a restart in its incident");
    }
}

static void resolve_recovered(struct service *service, bool steady)
{
    AUTO_BUF struct buf why = BUF_INIT(128);
    if (steady) {
        buf_add_c(&why, "steady again for ");
        clock_add_duration(&why, config_of(service)->monitoring_flapping_window_us / 2);
    } else {
        buf_add_c(&why, "healthy again");
    }
    if (!steady && service->failing_since_us > 0) {
        buf_add_c(&why, " after ");
        clock_add_duration(&why, service->back_mono_us - service->failing_mono_us);
    }
    service_resolve(service, why.data);
}

/* Its log has a reason if systemd or nightdesk runs it. */
static bool has_log(const struct service *service)
{
    return service->config->unit[0] != '\0' || service->config->command.count > 0;
}

/* The alert is due: waits for the last lines of the log if there is one, which takes less than a
 * second. */
static void raise_with_lines(struct service *service)
{
    if (has_log(service) && service->lines == NULL) {
        service->lines = last_lines_read(service);
    } else if (!last_lines_pending(service->lines)) {
        service_raise(service);
    }
}

/* A failure that people have to know of. */
static void tell(struct service *service)
{
    struct service *parent = NULL;
    enum parents parents = look_at_parents(service, &parent);
    int64_t now_us = mono_us(service);
    if (parents == PARENTS_UNDECIDED) {
        service->held_mono_us = service->held_mono_us == 0 ? now_us : service->held_mono_us;
        if (now_us - service->held_mono_us < HOLD_MAX_US) {
            return; /* the next round looks again */
        }
    }
    (void)str_copy(str_c(parents == PARENT_DOWN ? root_of(parent) : ""), service->cause,
                   sizeof(service->cause));
    raise_with_lines(service);
}

/* Its cause is over, and it is still down: now it counts by itself. */
static void tell_again(struct service *service)
{
    struct service *parent = NULL;
    if (service->cause[0] != '\0' && look_at_parents(service, &parent) == PARENTS_WELL) {
        raise_alert(service, "");
    }
}

/* ------------------------------------------------------------------ results */

static void store_sample(const struct service *service, bool up, int64_t now_us)
{
    struct service_sample sample = {
        .at_us = now_us, .up = up, .latency_us = up ? service->latency_us : 0};
    (void)str_copy(str_c(service->config->name), sample.service, sizeof(sample.service));
    (void)str_copy(str_c(service->detail), sample.detail, sizeof(sample.detail));
    samples_add(service->health->samples, &sample);
}

static void set_state(struct service *service, enum service_state state)
{
    if (state != service->state) {
        LOG(NOTICE, "service %s is %s: %s", service->config->name, service_state_name(state),
            service->detail);
        service->state = state;
        service->since_us = service->checked_us;
        service->since_mono_us = service->checked_mono_us;
    }
}

/* It is up again. What comes back by itself may go again at once: its alert stays open until it has
 * been up for an interval, so that one message reports it. */
static void come_back(struct service *service)
{
    int64_t lasted_us = mono_us(service) - service->failing_mono_us;
    bool trusted = service->mended || service->sure || !service->alerted;
    service->back_mono_us = mono_us(service);
    if (service->told ||
        lasted_us >= threshold(service) * config_of(service)->monitoring_confirm_interval_us) {
        service->recovered_mono_us = mono_us(service);
    }
    if (service->settled_mono_us != 0 || (service->told && !trusted)) {
        service->settled_mono_us = service->check_mono_us + service_interval_us(service);
    }
}

static void settle_up(struct service *service)
{
    bool recovered = service->told;
    bool was_flapping = service->flapping;
    if (service->failures > 0) {
        come_back(service);
    }
    service->flapping = service_is_flapping(service);
    set_state(service, service->flapping ? SERVICE_FLAPPING : SERVICE_UP);
    service->failures = 0;
    service->told = false;
    service->held_mono_us = 0;
    if (service->flapping && !last_lines_pending(service->lines)) {
        if (!was_flapping || recovered) {
            raise_with_lines(service);
        }
    } else if (!service->flapping && service->check_mono_us < service->settled_mono_us) {
        if (recovered) {
            raise_alert(service, service->cause); /* nothing is to be fixed any more */
        }
    } else if (!service->flapping) {
        last_lines_free(TAKE(service->lines));
        /* alerted is true after our start, as the last process may have left the alert open. */
        if (service->alerted) {
            resolve_recovered(service, was_flapping);
            service->past = 0; /* what that alert was about counts for no other one */
        }
        service->failing_since_us = 0;
    }
    if (recovered) {
        spare_children(service);
    }
}

static void settle_down(struct service *service, bool sure)
{
    if (service->failures == 0) {
        int64_t last_us = 0;
        service->failing_since_us = service->checked_us;
        service->failing_mono_us = service->checked_mono_us;
        last_lines_free(TAKE(service->lines)); /* of an earlier failure */
        if (recent_failures(service, SAME_FAILURE_US, &last_us) == 0) {
            service_note_failure(service);
        }
        check_parents(service, service->failing_mono_us, 0);
    }
    service->failures++;
    service->sure = sure;
    bool was_flapping = service->flapping;
    service->flapping = service_is_flapping(service);
    set_state(service, SERVICE_DOWN);
    if (service->told) {
        tell_again(service);
    } else if (sure || service->failures >= threshold(service) || has_failed_often(service) ||
               (service->flapping && !was_flapping)) {
        tell(service);
    }
}

void service_settle(struct service *service, bool up, bool counted, bool sure)
{
    service->checked_us = wall_us(service);
    service->checked_mono_us = mono_us(service);
    service->up = up;
    if (service->is_idle) {
        return; /* only the command that waits for it hears of it */
    }
    /* What fails again and again at its start is not starting. */
    if (!counted && !service_is_flapping(service)) {
        return;
    }
    service->past = service->past << 1 | (up ? 0 : 1);
    if (up) {
        settle_up(service);
    } else {
        settle_down(service, sure);
    }
    if (up || service->told) {
        wake_children(service);
    }
    store_sample(service, up, service->checked_us);
    if (service->health->metrics != NULL) {
        metrics_checked(service->health->metrics, service, up);
    }
}

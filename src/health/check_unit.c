#include "base/auto.h"
#include "base/check.h"
#include "check.h"
#include "health_internal.h"
#include "io/units.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between two runs. */
struct unit {
    struct units_watch *watch;
    bool known;
    uint32_t restarts;
    int32_t main_pid;
};

static void on_change(void *userdata)
{
    struct check *check = userdata;
    service_check_soon(check->service);
}

/* How the main process ended: "exit code 3", "killed by SIGKILL"; "" if it did not. */
static void end_text(const struct units_state *state, char *dst, size_t size)
{
    bool killed = state->exit_code == CLD_KILLED || state->exit_code == CLD_DUMPED;
    const char *name = killed ? sigabbrev_np(state->exit_status) : NULL;
    dst[0] = '\0';
    if (killed && name != NULL) {
        (void)snprintf(dst, size, ", killed by SIG%s", name);
    } else if (killed) {
        (void)snprintf(dst, size, ", killed by signal %d", state->exit_status);
    } else if (state->exit_code == CLD_EXITED) {
        (void)snprintf(dst, size, ", exit code %d", state->exit_status);
    }
}

/* What happened to the unit since the last run: systemd restarted it, or somebody did. */
static void note_changes(struct check *check, const struct units_state *state)
{
    struct unit *unit = check->own;
    struct service *service = check->service;
    bool crashed = unit->known && state->restarts > unit->restarts;
    for (uint32_t n = unit->restarts; crashed && n < state->restarts; n++) {
        service_note_failure(service);
    }
    if (crashed) {
        service_break_steady(service);
    }
    if (unit->known && unit->main_pid != state->main_pid && state->main_pid != 0) {
        service_begin_grace(service, crashed);
        service_break_steady(service);
    }
    unit->known = true;
    unit->restarts = state->restarts;
    unit->main_pid = state->main_pid != 0 ? state->main_pid : unit->main_pid;
}

static void on_state(const struct units_state *state, const struct err *err, void *userdata)
{
    struct check *check = userdata;
    struct service *service = check->service;
    char end[48];
    if (state == NULL) {
        check_fail(check, "%s", err_info(err->id)->message);
        return;
    }
    if (check == service->checks[0]) {
        service->main_pid = state->main_pid;
        memcpy(service->group, state->group, sizeof(service->group));
    }
    note_changes(check, state);
    end_text(state, end, sizeof(end));
    if (strcmp(state->load, "loaded") != 0) {
        check_fail(check, "unit is %s", state->load);
    } else if (strcmp(state->active, "active") == 0 || strcmp(state->active, "reloading") == 0 ||
               strcmp(state->active, "refreshing") == 0) {
        check_pass(check);
    } else if (strcmp(state->active, "failed") == 0 && !state->has_job) {
        check->fault = CHECK_CRASHED;
        check_fail_sure(check, "unit failed: %s%s", state->result, end);
    } else if (strcmp(state->sub, "auto-restart") == 0) {
        check_fail(check, "unit ended (%s%s); systemd will start it again", state->result, end);
    } else {
        check_fail(check, "unit is %s (%s)", state->active, state->sub);
    }
}

static void begin(struct check *check)
{
    struct units *units = check_health(check)->options.units;
    struct err err = {0};
    if (units == NULL) {
        check_fail(check, "%s", err_info(ERR_UNITS_UNAVAILABLE)->message);
        return;
    }
    if (strstr(check->config.unit, "@.") != NULL) { /* its own; it has no colour */
        check_fail(check, "%s",
                   check->service->colour_known ? "no release of it is live"
                                                : "which colour is live is not read yet");
        return;
    }
    if (check->own == NULL) {
        struct unit *unit = calloc(1, sizeof(*unit));
        ASSERT(unit != NULL);
        unit->watch = units_watch(units, check->config.unit, on_change, check);
        check->own = unit;
    }
    if (units_get(units, check->config.unit, check_timeout_us(check) / USEC_PER_MSEC, on_state,
                  check, &err) < 0) {
        check_fail(check, "%s", err_info(err.id)->message);
    }
}

static void cancel(struct check *check)
{
    units_forget(check_health(check)->options.units, check);
}

static void release(struct check *check)
{
    struct unit *unit = TAKE(check->own);
    if (unit != NULL) {
        units_unwatch(unit->watch);
        free(unit);
    }
}

const struct check_kind check_unit = {
    .name = "unit", .begin = begin, .cancel = cancel, .release = release};

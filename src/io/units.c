#include "io/units.h"

#include "base/check.h"
#include "loop_sd.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define MANAGER_NAME "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER      "org.freedesktop.systemd1.Manager"
#define UNIT         "org.freedesktop.systemd1.Unit"
#define SERVICE      "org.freedesktop.systemd1.Service"
#define PROPERTIES   "org.freedesktop.DBus.Properties"
#define UNIT_PATH    "/org/freedesktop/systemd1/unit"

/*
 * A query: LoadUnit returns the unit's object path; GetAll of Unit and (services only) of Service
 * returns its properties.
 * A job: Start/Stop/RestartUnit returns the job's path; the signal JobRemoved has its result.
 */
struct call {
    struct units *units;
    struct call *next;
    struct call *previous;
    struct units_state state; /* the unit's name; for a query the properties read so far */
    units_state_fn state_fn;  /* of a query; else NULL */
    units_job_fn job_fn;      /* of a job; else NULL */
    void *userdata;
    sd_bus_slot *slot; /* the pending method call */
    struct loop_source *deadline;
    char path[256]; /* of the unit, or of the job once it is accepted */
};

struct units_watch {
    struct units *units;
    struct units_watch *next;
    struct units_watch *previous;
    units_watch_fn fn;
    void *userdata;
    bool changed; /* fn is to run */
    char name[];
};

struct units {
    struct loop *loop;
    sd_bus *bus; /* NULL while not connected */
    struct loop_source *lost;
    struct loop_source *heard; /* runs the callbacks of watches */
    bool hears;                /* this connection gets the signals of units */
    struct call *calls;
    size_t count;
    struct units_watch *watches;
};

bool units_available(void)
{
    /* What sd_booted(3) documents; sd-daemon.h itself belongs to notify.c. */
    return access("/run/systemd/system/", F_OK) == 0;
}

bool units_name_valid(const char *name)
{
    static const char *const suffixes[] = {".service", ".socket", ".target", ".timer", ".path",
                                           ".mount",   ".slice",  ".scope",  ".swap",  ".device"};
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ":_.\\@-";
    size_t len = strlen(name);
    if (len > 255 || strspn(name, allowed) != len) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        size_t suffix = strlen(suffixes[i]);
        if (len > suffix && strcmp(name + len - suffix, suffixes[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ ending calls */

static void call_free(struct call *call)
{
    struct units *units = call->units;
    *(call->previous == NULL ? &units->calls : &call->previous->next) = call->next;
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    units->count--;
    (void)sd_bus_slot_unref(call->slot); /* a later reply is ignored */
    loop_source_free(call->deadline);
    free(call);
}

/* Frees the call, then runs its callback. err NULL: success. */
static void call_end(struct call *call, const struct err *err)
{
    static const struct err none = {.id = ERR_NONE};
    struct call copy = *call;
    call_free(call);
    if (copy.state_fn != NULL) {
        copy.state_fn(err == NULL ? &copy.state : NULL, err == NULL ? &none : err, copy.userdata);
    } else {
        copy.job_fn(err == NULL ? &none : err, copy.userdata);
    }
}

static void call_fail(struct call *call, enum err_id id, const char *why)
{
    struct err err = {.id = ERR_NONE};
    err_set(&err, id, "%s: %s", call->state.name, why);
    call_end(call, &err);
}

static enum err_id error_of(const char *name, int code)
{
    static const struct {
        const char *name;
        enum err_id id;
    } known[] = {
        {"org.freedesktop.DBus.Error.AccessDenied", ERR_UNITS_DENIED},
        {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", ERR_UNITS_DENIED},
        {"org.freedesktop.PolicyKit1.Error.NotAuthorized", ERR_UNITS_DENIED},
        {"org.freedesktop.systemd1.NoSuchUnit", ERR_UNITS_UNKNOWN},
        {"org.freedesktop.systemd1.LoadFailed", ERR_UNITS_UNKNOWN},
        {"org.freedesktop.systemd1.NoSuchProcess", ERR_UNITS_UNKNOWN},
        {"org.freedesktop.DBus.Error.InvalidArgs", ERR_UNITS_UNKNOWN},
        {"org.freedesktop.systemd1.UnitMasked", ERR_UNITS_FAILED},
        {"org.freedesktop.systemd1.JobTypeNotApplicable", ERR_UNITS_FAILED},
        {"org.freedesktop.systemd1.TransactionIsDestructive", ERR_UNITS_FAILED},
        {"org.freedesktop.systemd1.OnlyByDependency", ERR_UNITS_FAILED},
        {"org.freedesktop.DBus.Error.NoReply", ERR_UNITS_TIMEOUT},
        {"org.freedesktop.DBus.Error.Timeout", ERR_UNITS_TIMEOUT},
    };
    for (size_t i = 0; name != NULL && i < COUNT_OF(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].id;
        }
    }
    if (code == EACCES || code == EPERM) {
        return ERR_UNITS_DENIED;
    }
    return code == ETIMEDOUT ? ERR_UNITS_TIMEOUT : ERR_UNITS_UNAVAILABLE;
}

/* If the reply is an error, ends the call with it and returns true. */
static bool ended_by_error(struct call *call, sd_bus_message *reply)
{
    const sd_bus_error *error = sd_bus_message_get_error(reply);
    if (error == NULL) {
        return false;
    }
    int code = sd_bus_message_get_errno(reply);
    call_fail(call, error_of(error->name, code),
              error->message == NULL ? error->name : error->message);
    return true;
}

static void on_deadline(void *userdata)
{
    call_fail(userdata, ERR_UNITS_TIMEOUT, "timed out");
}

/* ------------------------------------------------------------------ queries */

/* Reads one property of a{sv}, or skips it if it is not in the table. 1, or a negative errno. */
static int read_property(sd_bus_message *m, struct units_state *state)
{
    const struct {
        const char *name;
        const char *type;
        char *text;
        size_t size;
        void *number;
    } shown[] = {
        {"LoadState", "s", state->load, sizeof(state->load), NULL},
        {"ActiveState", "s", state->active, sizeof(state->active), NULL},
        {"SubState", "s", state->sub, sizeof(state->sub), NULL},
        {"Result", "s", state->result, sizeof(state->result), NULL},
        {"Description", "s", state->description, sizeof(state->description), NULL},
        {"ControlGroup", "s", state->group, sizeof(state->group), NULL},
        {"MainPID", "u", NULL, 0, &state->main_pid},
        {"NRestarts", "u", NULL, 0, &state->restarts},
        {"ExecMainCode", "i", NULL, 0, &state->exit_code},
        {"ExecMainStatus", "i", NULL, 0, &state->exit_status},
        {"StateChangeTimestamp", "t", NULL, 0, &state->since_wall_us},
    };
    const char *name = NULL;
    const char *contents = NULL;
    int code = sd_bus_message_read(m, "s", &name);
    if (code < 0) {
        return code;
    }
    code = sd_bus_message_peek_type(m, NULL, &contents);
    if (code < 0) {
        return code;
    }
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        if (strcmp(shown[i].name, name) != 0 || strcmp(shown[i].type, contents) != 0) {
            continue;
        }
        const char *text = "";
        void *into = shown[i].number;
        if (into == NULL) {
            into = (void *)&text;
        }
        code = sd_bus_message_read(m, "v", shown[i].type, into);
        if (code >= 0 && shown[i].text != NULL) {
            (void)str_copy(str_c(text), shown[i].text, shown[i].size);
        }
        return code;
    }
    if (strcmp(name, "Job") == 0 && strcmp(contents, "(uo)") == 0) {
        uint32_t id = 0;
        const char *path = NULL;
        code = sd_bus_message_read(m, "v", "(uo)", &id, &path);
        state->has_job = code >= 0 && id != 0;
        return code;
    }
    return sd_bus_message_skip(m, "v");
}

static int read_properties(sd_bus_message *m, struct units_state *state)
{
    int code = sd_bus_message_enter_container(m, 'a', "{sv}");
    while (code >= 0 && (code = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        code = read_property(m, state);
        if (code >= 0) {
            code = sd_bus_message_exit_container(m);
        }
    }
    return code;
}

static int get_all(struct call *call, const char *interface, sd_bus_message_handler_t then)
{
    call->slot = sd_bus_slot_unref(call->slot);
    return sd_bus_call_method_async(call->units->bus, &call->slot, MANAGER_NAME, call->path,
                                    PROPERTIES, "GetAll", then, call, "s", interface);
}

static void unreadable(struct call *call)
{
    call_fail(call, ERR_UNITS_UNAVAILABLE, "unexpected reply");
}

static int on_service(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    (void)error;
    struct call *call = userdata;
    if (!ended_by_error(call, reply)) {
        if (read_properties(reply, &call->state) < 0) {
            unreadable(call);
        } else {
            call_end(call, NULL);
        }
    }
    return 0;
}

static int on_unit(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    (void)error;
    struct call *call = userdata;
    if (ended_by_error(call, reply)) {
        return 0;
    }
    size_t len = strlen(call->state.name);
    const char *suffix = ".service";
    bool service =
        len > strlen(suffix) && strcmp(call->state.name + len - strlen(suffix), suffix) == 0;
    if (read_properties(reply, &call->state) < 0) {
        unreadable(call);
    } else if (strcmp(call->state.load, "not-found") == 0) {
        call_fail(call, ERR_UNITS_UNKNOWN, "no unit file");
    } else if (!service) {
        call_end(call, NULL);
    } else if (get_all(call, SERVICE, on_service) < 0) {
        unreadable(call);
    }
    return 0;
}

/* Copies the object path of a reply to call->path. */
static bool read_path(sd_bus_message *reply, struct call *call)
{
    const char *path = NULL;
    return sd_bus_message_read(reply, "o", &path) >= 0 &&
           str_copy(str_c(path), call->path, sizeof(call->path));
}

static int on_path(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    (void)error;
    struct call *call = userdata;
    if (ended_by_error(call, reply)) {
        return 0;
    }
    if (!read_path(reply, call) || get_all(call, UNIT, on_unit) < 0) {
        unreadable(call);
    }
    return 0;
}

/* ------------------------------------------------------------------ jobs */

static int on_job(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    (void)error;
    struct call *call = userdata;
    if (ended_by_error(call, reply)) {
        return 0;
    }
    if (!read_path(reply, call)) {
        unreadable(call);
    }
    return 0; /* JobRemoved ends the call */
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)error;
    struct units *units = userdata;
    uint32_t id = 0;
    const char *path = NULL;
    const char *unit = NULL;
    const char *result = NULL;
    if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0) {
        return 0;
    }
    /* systemd merges equal jobs, so several calls may wait for the same one. */
    for (struct call *call = units->calls; call != NULL;) {
        struct call *next = call->next;
        if (call->job_fn != NULL && strcmp(call->path, path) == 0) {
            if (strcmp(result, "done") == 0) {
                call_end(call, NULL);
            } else {
                call_fail(call,
                          strcmp(result, "timeout") == 0 ? ERR_UNITS_TIMEOUT : ERR_UNITS_FAILED,
                          result);
            }
            next = units->calls; /* the callback may have changed the list */
        }
        call = next;
    }
    return 0;
}

/* ------------------------------------------------------------------ watches */

/* One signal is several changes, and a callback may end watches: it runs from a deferred source. */
static void on_heard(void *userdata)
{
    struct units *units = userdata;
    for (struct units_watch *watch = units->watches; watch != NULL;) {
        if (watch->changed) {
            watch->changed = false;
            watch->fn(watch->userdata);
            watch = units->watches; /* the callback may have changed the list */
        } else {
            watch = watch->next;
        }
    }
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)error;
    struct units *units = userdata;
    AUTO_FREE char *name = NULL;
    if (sd_bus_path_decode(sd_bus_message_get_path(m), UNIT_PATH, &name) <= 0) {
        return 0;
    }
    for (struct units_watch *watch = units->watches; watch != NULL; watch = watch->next) {
        if (strcmp(watch->name, name) == 0) {
            watch->changed = true;
            loop_defer(units->heard);
        }
    }
    return 0;
}

/* One rule for all units: a bus daemon limits the number of rules. */
static int hear(struct units *units)
{
    if (units->hears || units->bus == NULL) {
        return 0;
    }
    int code = sd_bus_add_match_async(units->bus, NULL,
                                      "type='signal',sender='" MANAGER_NAME "',"
                                      "interface='" PROPERTIES "',member='PropertiesChanged',"
                                      "path_namespace='" UNIT_PATH "',arg0='" UNIT "'",
                                      on_properties, NULL, units);
    units->hears = code >= 0;
    return code;
}

struct units_watch *units_watch(struct units *units, const char *unit, units_watch_fn fn,
                                void *userdata)
{
    struct units_watch *watch = calloc(1, sizeof(*watch) + strlen(unit) + 1);
    ASSERT(watch != NULL);
    *watch = (struct units_watch){
        .units = units, .next = units->watches, .fn = fn, .userdata = userdata};
    memcpy(watch->name, unit, strlen(unit) + 1);
    if (units->watches != NULL) {
        units->watches->previous = watch;
    }
    units->watches = watch;
    (void)hear(units); /* after a failure its owner still polls */
    return watch;
}

void units_unwatch(struct units_watch *watch)
{
    if (watch != NULL) {
        *(watch->previous == NULL ? &watch->units->watches : &watch->previous->next) = watch->next;
        if (watch->next != NULL) {
            watch->next->previous = watch->previous;
        }
        free(watch);
    }
}

void units_forget(struct units *units, const void *userdata)
{
    for (struct call *call = units == NULL ? NULL : units->calls; call != NULL;) {
        struct call *next = call->next;
        if (call->userdata == userdata) {
            call_free(call);
        }
        call = next;
    }
}

/* ------------------------------------------------------------------ the bus */

/* Runs from a deferred source: the bus must not be freed inside a callback of sd-bus. */
static void on_lost(void *userdata)
{
    struct units *units = userdata;
    sd_bus *bus = TAKE(units->bus);
    units->hears = false;
    for (struct units_watch *watch = units->watches; watch != NULL; watch = watch->next) {
        watch->changed = true;
        loop_defer(units->heard);
    }
    if (bus != NULL) {
        (void)sd_bus_detach_event(bus);
        (void)sd_bus_close_unref(bus);
    }
    while (units->calls != NULL) {
        call_fail(units->calls, ERR_UNITS_UNAVAILABLE, "connection to the bus was lost");
    }
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)m;
    (void)error;
    struct units *units = userdata;
    loop_defer(units->lost);
    return 0;
}

static int bus_open(struct units *units, struct err *err)
{
    sd_bus *bus = NULL;
    int code = sd_bus_open_system(&bus);
    if (code >= 0) {
        (void)sd_bus_set_exit_on_disconnect(bus, 0);
        code = sd_bus_match_signal_async(
            bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
            "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL, units);
    }
    if (code >= 0) {
        code = sd_bus_match_signal_async(bus, NULL, MANAGER_NAME, MANAGER_PATH, MANAGER,
                                         "JobRemoved", on_job_removed, NULL, units);
    }
    if (code >= 0) {
        /* systemd sends signals only to subscribers. The reply is ignored. */
        code = sd_bus_call_method_async(bus, NULL, MANAGER_NAME, MANAGER_PATH, MANAGER, "Subscribe",
                                        NULL, NULL, NULL);
    }
    if (code >= 0) {
        code = sd_bus_attach_event(bus, loop_sd_event(units->loop), SD_EVENT_PRIORITY_NORMAL);
    }
    if (code < 0) {
        (void)sd_bus_close_unref(bus);
        return err_set(err, ERR_UNITS_UNAVAILABLE, "system bus: %s", strerror(-code));
    }
    units->bus = bus;
    if (units->watches != NULL) {
        (void)hear(units);
    }
    return 0;
}

struct units *units_new(struct loop *loop, struct err *err)
{
    if (!units_available()) {
        err_set(err, ERR_UNITS_UNAVAILABLE, "not booted with systemd");
        return NULL;
    }
    struct units *units = calloc(1, sizeof(*units));
    ASSERT(units != NULL);
    units->loop = loop;
    units->lost = loop_add_deferred(loop, on_lost, units);
    units->heard = loop_add_deferred(loop, on_heard, units);
    if (bus_open(units, err) < 0) {
        units_free(units);
        return NULL;
    }
    return units;
}

void units_free(struct units *units)
{
    if (units == NULL) {
        return;
    }
    while (units->calls != NULL) {
        call_free(units->calls);
    }
    if (units->bus != NULL) {
        (void)sd_bus_detach_event(units->bus);
        (void)sd_bus_close_unref(units->bus);
    }
    ASSERT(units->watches == NULL);
    loop_source_free(units->lost);
    loop_source_free(units->heard);
    free(units);
}

static int call_new(struct units *units, const char *unit, int64_t timeout_ms, struct call **ret,
                    struct err *err)
{
    if (!units_name_valid(unit)) {
        return err_set(err, ERR_UNITS_UNKNOWN, "%.64s: not a unit name", unit);
    }
    if (units->count >= UNITS_CALLS_MAX) {
        return err_set(err, ERR_UNITS_UNAVAILABLE, "%d calls are under way", UNITS_CALLS_MAX);
    }
    if (units->bus == NULL) {
        int rc = bus_open(units, err);
        if (rc < 0) {
            return rc;
        }
    }
    struct call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    call->units = units;
    call->next = units->calls;
    if (units->calls != NULL) {
        units->calls->previous = call;
    }
    units->calls = call;
    units->count++;
    (void)str_copy(str_c(unit), call->state.name, sizeof(call->state.name));
    call->deadline = loop_add_timer(units->loop, on_deadline, call);
    loop_timer_in(call->deadline, timeout_ms * USEC_PER_MSEC);
    *ret = call;
    return 0;
}

static int call_failed(struct call *call, int code, struct err *err)
{
    call_free(call);
    return err_set(err, ERR_UNITS_UNAVAILABLE, "system bus: %s", strerror(-code));
}

int units_get(struct units *units, const char *unit, int64_t timeout_ms, units_state_fn fn,
              void *userdata, struct err *err)
{
    struct call *call = NULL;
    int rc = call_new(units, unit, timeout_ms, &call, err);
    if (rc < 0) {
        return rc;
    }
    call->state_fn = fn;
    call->userdata = userdata;
    int code = sd_bus_call_method_async(units->bus, &call->slot, MANAGER_NAME, MANAGER_PATH,
                                        MANAGER, "LoadUnit", on_path, call, "s", unit);
    return code < 0 ? call_failed(call, code, err) : 0;
}

static int on_killed(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    (void)error;
    if (!ended_by_error(userdata, reply)) {
        call_end(userdata, NULL);
    }
    return 0;
}

int units_kill(struct units *units, const char *unit, int64_t timeout_ms, units_job_fn fn,
               void *userdata, struct err *err)
{
    struct call *call = NULL;
    int rc = call_new(units, unit, timeout_ms, &call, err);
    if (rc < 0) {
        return rc;
    }
    call->job_fn = fn;
    call->userdata = userdata;
    int code =
        sd_bus_call_method_async(units->bus, &call->slot, MANAGER_NAME, MANAGER_PATH, MANAGER,
                                 "KillUnit", on_killed, call, "ssi", unit, "all", SIGKILL);
    return code < 0 ? call_failed(call, code, err) : 0;
}

int units_job(struct units *units, enum units_verb verb, const char *unit, int64_t timeout_ms,
              units_job_fn fn, void *userdata, struct err *err)
{
    static const char *const methods[] = {[UNITS_START] = "StartUnit",
                                          [UNITS_STOP] = "StopUnit",
                                          [UNITS_RESTART] = "RestartUnit",
                                          [UNITS_RELOAD] = "ReloadUnit"};
    struct call *call = NULL;
    int rc = call_new(units, unit, timeout_ms, &call, err);
    if (rc < 0) {
        return rc;
    }
    call->job_fn = fn;
    call->userdata = userdata;
    int code =
        sd_bus_call_method_async(units->bus, &call->slot, MANAGER_NAME, MANAGER_PATH, MANAGER,
                                 methods[verb], on_job, call, "ss", unit, "replace");
    return code < 0 ? call_failed(call, code, err) : 0;
}

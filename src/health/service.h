/*
 * service.h: one service: its checks, its child if it has one, its alert, and the calls that wait
 * for it.
 *
 *     service_init(service, health, config); service_start(service, 0, 0);
 *     service_check_soon(service);
 *     service_apply(service, config);                        // its new entry
 *     rc = service_restart(service, call, err);              // finishes the call
 *     service_release(service);
 *
 * Always true: at most one round of checks and one child at a time; a waiting call is finished
 * exactly once, or cancelled. config points into the configuration that is in use, and to `gone`
 * after service_retire.
 * service.c runs the checks and follows the state, service_alert.c tells people of it,
 * service_call.c has the calls of actions. Blue/green (service_colour.c): the service is its live
 * colour; while a command works with the other one, that is a service of its own, `idle`, whose
 * checks nobody but the command hears of. Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "check.h"
#include "child.h"
#include "command/action.h"
#include "config/config.h"
#include "health/health.h"
#include "io/loop.h"
#include "io/units.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SERVICE_WAITERS_MAX      4
#define SERVICE_DETAIL_SIZE      128
#define SERVICE_FAILURES_MAX     16
#define SERVICE_CERTIFICATE_DAYS 7 /* of its own url */

/* FLAPPING: it is up, but has failed so often of late that nobody should rely on it. */
enum service_state { SERVICE_UNKNOWN, SERVICE_UP, SERVICE_DOWN, SERVICE_FLAPPING };

struct service_waiter {
    struct action_call *call; /* NULL: free */
    int64_t begun_mono_us;
    int64_t deadline_mono_us; /* until then it has to be healthy, and then stay so */
    int64_t steady_us;        /* how long it has to stay healthy */
    int64_t since_mono_us;    /* begin of the first check of those that succeeded since; 0: none */
};

struct drain;
struct last_lines; /* last_lines.h */

struct service {
    struct health *health;
    const struct config_service *config;
    size_t check_count;
    struct check **checks;   /* its own first: unit or child, url */
    struct loop_source *due; /* timer of the next round */

    /* the round under way */
    bool checking;
    bool again;     /* something has changed meanwhile: another round follows at once */
    int open_parts; /* checks without a result */
    int64_t check_mono_us;

    /* results of the last rounds */
    enum service_state state;
    char detail[SERVICE_DETAIL_SIZE]; /* of the last round that has ended: its failure, or "ok" */
    int64_t since_us;                 /* wall: start of this state; 0: unknown */
    int64_t checked_us;               /* wall; 0: never */
    int64_t since_mono_us, checked_mono_us, failing_mono_us; /* the same times, for durations */
    int64_t latency_us;                                      /* of the last successful round */
    bool up;                                                 /* the last round, counted or not */
    int failures;                                            /* consecutive, counted ones */
    uint64_t past; /* counted rounds, the newest in bit 0; a failed one is 1 */
    int64_t failing_since_us;
    int64_t grace_mono_us; /* failures before this time are not counted */
    int64_t spread_us;     /* of the second round, once; 0: done */

    /* the alert */
    bool alerted; /* it is open, or may be open right after our start */
    bool told;    /* it was raised for these failures */
    bool flapping;
    int64_t failed_at_us[SERVICE_FAILURES_MAX]; /* mono: starts of the last failures, a ring */
    unsigned failed_count;                      /* all of them */
    bool sure;                 /* the last failure was certain, so its end is too */
    bool mended;               /* it was restarted after its alert was raised */
    int64_t settled_mono_us;   /* it has come back by itself, and is trusted from then on; 0: not */
    int64_t back_mono_us;      /* since when */
    int64_t recovered_mono_us; /* the end of its last failure, if that was no blip; 0: none */
    int64_t held_mono_us;      /* since when a parent's result is awaited; 0: not */
    char cause[32];            /* the service that the open alert names as its cause; "": none */
    struct last_lines *lines;  /* of its log; NULL: not read */

    /* Blue/green; else colour is "" and unit is that of the configuration. */
    char label[64];              /* for people: its name, with the colour if it is an idle one */
    char unit[CONFIG_UNIT_SIZE]; /* of the colour */
    char colour[CONFIG_COLOUR_SIZE]; /* the live one; "": none, or not known */
    bool colour_known;
    bool is_idle;         /* it is the idle one of another service */
    void **texts;         /* of its checks, with the colour for %i; ends with NULL; may be NULL */
    struct service *idle; /* owned; NULL: no command has asked for it */
    struct drain *drain;  /* drain.h; NULL: there is nothing to stop */

    struct child child;
    int32_t main_pid;               /* of its unit, as last seen; 0: none */
    char group[256];                /* control group of the unit; "": none, or not known */
    struct action_call *restarting; /* the call that waits for the restart; NULL: none */
    bool restart_open;
    bool reloads;                   /* what is open is a reload */
    struct action_call *recovering; /* the call that asks whether a restart took effect */
    struct service_waiter waiters[SERVICE_WAITERS_MAX];

    bool retired;               /* no longer in the configuration */
    struct config_service gone; /* only its name */
    struct service *next_retired;
};

const char *service_state_name(enum service_state state); /* "unknown" "up" "down" "flapping" */
/* The kind of its first check: "unit" "child" "url" … */
const char *service_kind(const struct service *service);

void service_init(struct service *service, struct health *health,
                  const struct config_service *config);
void service_release(struct service *service);
/* spread_us: the second round comes so long after the first, so that many services are not checked
 * at the same time; 0: after the interval. */
void service_start(struct service *service, int64_t first_check_us, int64_t spread_us);
/* Checks it now, and once more if a round is under way. */
void service_check_soon(struct service *service);
/* The entry of this service in a new configuration. With another unit or command it starts again
 * with an unknown state; a child gets the new command after the old one has ended. */
void service_apply(struct service *service, const struct config_service *config);
/* Checks it after the interval that is configured now. */
void service_reschedule(struct service *service);
/* The service was removed from the configuration: no more checks, its calls fail, its child is
 * stopped. Free it once service_is_over. */
void service_retire(struct service *service);
bool service_is_over(const struct service *service);

/* Makes its list of checks again: its configuration or its colour is another one. */
void service_make_checks(struct service *service);
/* The same, and looks at once. */
void service_renew_checks(struct service *service);

/* ---- service_colour.c */

/* The parameters that several actions of services have. */
#define PARAM_OF_SERVICE                                                                    \
    {                                                                                       \
        .name = "service", .type = PARAM_SERVICE, .required = true, .help = "which service" \
    }
#define PARAMS_OF_WAIT                                                                 \
    {.name = "within",                                                                 \
     .type = PARAM_DURATION,                                                           \
     .waits = true,                                                                    \
     .default_text = "60s",                                                            \
     .minimum = "1s",                                                                  \
     .maximum = "10m",                                                                 \
     .help = "how long to wait until it is healthy"},                                  \
    {                                                                                  \
        .name = "steady", .type = PARAM_DURATION, .waits = true, .default_text = "1s", \
        .minimum = "100ms", .maximum = "5m",                                           \
        .help = "how long it then has to stay healthy, with no restart"                \
    }

/* Whether systemd runs it. */
static inline bool service_has_unit(const struct service *service)
{
    return service->config->unit[0] != '\0';
}
/* And this unit can be asked for: it is no template. */
static inline bool service_runs_unit(const struct service *service)
{
    return service_has_unit(service) && strstr(service->unit, "@.") == NULL;
}
/* The unit that it is now; before service_set_colour a template has none. */
void service_set_unit(struct service *service);
/* A copy of the check for its colour. Its texts live until service_drop_texts(the texts from before
 * service_make_checks). */
struct config_check service_coloured(struct service *service, const struct config_check *check);
void service_drop_texts(void **texts);
void service_set_colour(struct service *service, const char *colour, int64_t since_us);
/* Which one is live has to be read again. */
void service_forget_colour(struct service *service);
void service_drop_idle(struct service *service);
extern const struct action service_colour_actions[];

/* ---- for the checks */

int64_t service_interval_us(const struct service *service); /* between two rounds */
/* A check has ended. */
void service_check_done(struct service *service);
/* It has failed, and no alert is raised yet: another look decides. */
bool service_is_confirming(const struct service *service);
/* It has failed and came back without a check that saw it. */
void service_note_failure(struct service *service);
/* It was started: failures are not counted for a while. brief: for ten seconds at most, after a
 * crash or if only nightdesk was started. */
void service_begin_grace(struct service *service, bool brief);

/* ---- service_alert.c */

/* The result of a round. counted false: a failure within the grace period, which is ignored. sure:
 * a failure that needs no second look. */
void service_settle(struct service *service, bool up, bool counted, bool sure);
/* Raises the alert that waits for the last lines of the log, or for nothing any more. */
void service_raise(struct service *service);
/* Its alert is over. */
void service_resolve(struct service *service, const char *why);
/* Notes in the open alert, if there is one, that the child was started again by itself. */
void service_note_restart(struct service *service);
/* Whether it failed too often within the window. */
bool service_is_flapping(const struct service *service);

/* ---- service_call.c */

bool service_has_waiters(const struct service *service);
void service_notify_waiters(struct service *service, bool up);
/* Its process has ended or is another one: those who wait for it count from the next check. */
void service_break_steady(struct service *service);
/* ACTION_PENDING, ACTION_DONE or negative. */
int service_restart(struct service *service, struct action_call *call, struct err *err);
/* Lets systemd reload the unit, or sends SIGHUP to the child. The same results. */
int service_reload(struct service *service, struct action_call *call, struct err *err);
/* The same, but its processes are killed first. */
int service_force_restart(struct service *service, struct action_call *call, struct err *err);
/* systemd's answer when the processes of its unit were killed for that; userdata is the service. */
void service_killed(const struct err *err, void *userdata);
/* The restart under way is over; err NULL or ERR_NONE: it succeeded. */
void service_finish_restart(struct service *service, const struct err *err);
/* An action's recover() for a restart that was interrupted by a crash of nightdesk. */
int service_recover(struct service *service, struct action_call *call, bool *ret_happened,
                    struct err *err);
/* systemd's answer to service_recover; userdata is the service. */
void service_looked_up(const struct units_state *state, const struct err *err, void *userdata);
/* Until it is healthy, for at most within_us, and has then stayed so for steady_us: each check has
 * succeeded, and its process is the same. */
int service_wait(struct service *service, struct action_call *call, int64_t within_us,
                 int64_t steady_us, struct err *err);
void service_forget(struct service *service, const struct action_call *call);
/* Fails all of its calls. */
void service_fail_calls(struct service *service, const struct err *err);

/*
 * service.h: one service: its checks, its child if it has one, and the calls that wait for it.
 *
 *     service_init(service, health, config); service_start(service);
 *     service_check_now(service);                            // calls health_checked at the end
 *     service_apply(service, config);                        // its new entry
 *     rc = service_restart(service, call, err);              // finishes the call
 *     service_release(service);
 *
 * Always true: at most one check and one child at a time; a waiting call is finished exactly once,
 * or cancelled. config points into the configuration that is in use, and to `gone` after
 * service_retire.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "command/action.h"
#include "config/config.h"
#include "health/health.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/process.h"
#include "io/units.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVICE_WAITERS_MAX 4
#define SERVICE_DETAIL_SIZE 128

enum service_state { SERVICE_UNKNOWN, SERVICE_UP, SERVICE_DOWN };

struct service_waiter {
    struct action_call *call; /* NULL: free */
    int64_t begun_mono_us;
    int64_t deadline_mono_us;
};

struct service {
    struct health *health;
    const struct config_service *config;
    struct loop_source *due; /* timer of the next check */

    /* the check under way */
    bool checking;
    int open_parts; /* parts without a result */
    int unit_calls; /* callbacks of io/units to come, of checks and others */
    bool failed;
    char detail[SERVICE_DETAIL_SIZE];  /* of the last check that has ended: its failure, or "ok" */
    char failure[SERVICE_DETAIL_SIZE]; /* the first of the check that runs */
    struct http_call *http;
    int64_t check_mono_us;

    /* results of the last checks */
    enum service_state state;
    int64_t since_us;   /* wall: start of this state; 0: unknown */
    int64_t checked_us; /* wall; 0: never */
    int64_t since_mono_us, checked_mono_us, failing_mono_us; /* the same times, for durations */
    int64_t latency_us;                                      /* of the last successful check */
    int failures;                                            /* consecutive, counted ones */
    int64_t failing_since_us;
    bool alerted;          /* the alert is open, or may be open right after our start */
    int64_t grace_mono_us; /* failures before this time are not counted */

    /* the child of a service with a command */
    struct process *child;
    struct loop_source *respawn;
    int64_t backoff_us;
    int restarts;         /* by nightdesk, because the child had ended */
    int ends;             /* since the last check */
    struct err spawn_err; /* why the command could not be started; ERR_NONE: it was */
    int exit_code;        /* of the last child that ended */
    int32_t main_pid;     /* of the unit, as last seen; 0: none */
    char log_path[512];

    struct action_call *restarting; /* the call that waits for the restart; NULL: none */
    bool restart_open;
    struct action_call *recovering; /* the call that asks whether a restart took effect */
    struct service_waiter waiters[SERVICE_WAITERS_MAX];

    bool retired;               /* no longer in the configuration */
    struct config_service gone; /* only its name */
    struct service *next_retired;
};

const char *service_state_name(enum service_state state); /* "unknown" "up" "down" */
const char *service_kind(const struct service *service);  /* "unit" "child" "url" */

void service_init(struct service *service, struct health *health,
                  const struct config_service *config);
void service_release(struct service *service);
void service_start(struct service *service, int64_t first_check_us);
void service_check_now(struct service *service);
/* The entry of this service in a new configuration. With another unit or command it starts again
 * with an unknown state; a child gets the new command after the old one has ended. */
void service_apply(struct service *service, const struct config_service *config);
/* Checks it after the interval that is configured now. */
void service_reschedule(struct service *service);
/* The service was removed from the configuration: no more checks, its calls fail, its child is
 * stopped. Free it once service_is_over. */
void service_retire(struct service *service);
bool service_is_over(const struct service *service);

/* ACTION_PENDING, ACTION_DONE or negative. */
int service_restart(struct service *service, struct action_call *call, struct err *err);
/* An action's recover() for a restart that was interrupted by a crash of nightdesk. */
int service_recover(struct service *service, struct action_call *call, bool *ret_happened,
                    struct err *err);
/* systemd's answer to service_recover; userdata is the service. */
void service_looked_up(const struct units_state *state, const struct err *err, void *userdata);
int service_wait(struct service *service, struct action_call *call, int64_t within_us,
                 struct err *err);
void service_forget(struct service *service, const struct action_call *call);

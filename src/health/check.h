/*
 * check.h: one check of a service, and what each kind of check does.
 *
 *     struct check *check = check_new(service, &config);     // the kind follows from the config
 *     check_begin(check);                 // ends with service_check_done(service), perhaps inside
 *     if (check->result == CHECK_FAILED) say(check->reason);
 *     check_cancel(check); check_free(check);
 *
 * A kind begins a run, which it ends with exactly one of check_pass, check_fail and
 * check_fail_sure; at once or later, from the loop. After its cancel, the run is given up and has
 * no result. Always true: at most one run at a time. config is a copy; its texts belong to the
 * configuration in use. Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

struct check;
struct health;
struct service;

struct check_kind {
    const char *name; /* "unit" "url" … */
    void (*begin)(struct check *check);
    void (*cancel)(struct check *check);
    void (*release)(struct check *check); /* frees check->own; NULL: there is nothing to free */
};

#define CHECK_REASON_SIZE 128

enum check_result { CHECK_UNKNOWN, CHECK_PASSED, CHECK_FAILED };

/* What kind of failure, the worst last. CRASHED: its process is not there, though nobody stopped
 * it, and systemd does not start it again. HUNG: it does not answer in time. */
/* The later ones are worse. CHECK_WRONG: it answers, but wrongly. */
enum check_fault { CHECK_UNWELL, CHECK_WRONG, CHECK_HUNG, CHECK_CRASHED };

struct check {
    const struct check_kind *kind;
    struct service *service;
    struct config_check config;
    void *own; /* the kind's; NULL before its first run */
    bool running;
    bool sure;                /* a failure that no second look can change */
    enum check_fault fault;   /* of a failure; the kind sets it before check_fail */
    enum check_result result; /* of the last run that ended */
    char reason[CHECK_REASON_SIZE];
    int64_t begun_mono_us;
    int64_t checked_mono_us; /* the end of the last run; 0: never */
    int64_t latency_us;      /* of the last run that passed */
};

extern const struct check_kind check_unit;
extern const struct check_kind check_child; /* the process of the service's own command */
extern const struct check_kind check_url;
extern const struct check_kind check_tcp;
extern const struct check_kind check_command;
extern const struct check_kind check_file;
extern const struct check_kind check_process;
extern const struct check_kind check_heartbeat;

/* Without any kind in the configuration it is of the kind child. */
struct check *check_new(struct service *service, const struct config_check *config);
void check_free(struct check *check); /* cancels a run; accepts NULL */
/* The same check in a new configuration. Cancels a run. */
void check_apply(struct check *check, const struct config_check *config);
/* Whether a result under one configuration says something about the other. */
bool check_same(const struct config_check *a, const struct config_check *b);
bool check_is_kind(const struct check *check, const struct config_check *config);
void check_begin(struct check *check);
void check_cancel(struct check *check);
const char *check_fault_name(enum check_fault fault);    /* "unwell" "wrong" … */
const char *check_result_name(enum check_result result); /* "unknown" "up" "down" */

/* ---- for the kinds */

void check_pass(struct check *check);
__attribute__((format(printf, 2, 3))) void check_fail(struct check *check, const char *format, ...);
/* A failure that is certain, such as a unit that systemd has given up: no second look is needed. */
__attribute__((format(printf, 2, 3))) void check_fail_sure(struct check *check, const char *format,
                                                           ...);
struct health *check_health(const struct check *check);
/* How long this run may take. Once the service has failed, a second look need not wait much longer
 * than the service usually takes. */
int64_t check_timeout_us(const struct check *check);

/* A look at files, on a thread for such looks: the disk may hang. look(data) fills data, then
 * seen(check, data) ends the run. data, of `size` bytes, is copied. A check has at most one look
 * under way; while one hangs, its runs fail. */
struct check_look {
    void (*look)(void *data);
    void (*seen)(struct check *check, const void *data);
    size_t size;
};
void check_look_begin(struct check *check, const struct check_look *look, const void *data);
void check_look_cancel(struct check *check);
void check_look_release(struct check *check);

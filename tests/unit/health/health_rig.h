/*
 * health_rig.h: services, a web server that answers for them, and the alerts that they raise.
 *
 *     RIGGED(test) in the group; health_rig_add(rig, "demo")->url = rig->url;
 * health_rig_start(rig);
 *
 * Thread: the test's; the web server has its own.
 */
#pragma once

#include "../../../src/command/call.h"
#include "../../../src/health/health_internal.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "health/health.h"
#include "io/file.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/secret.h"
#include "io/web.h"
#include "rigs/reply_text.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/sample_table.h"
#include "unit/unit.h"

#include <stdatomic.h>

#define INTERVAL_US (20 * USEC_PER_MSEC)

struct finished {
    int times;
    int err_id;
    char context[256];
};

struct rig {
    struct loop *loop;
    struct http *http;
    struct pool *helpers;
    struct config config;
    struct config_service services[8]; /* of the configuration */
    struct config_check checks[8];     /* of the first service */
    const char *argv[4];
    char folder[64];
    char url[64];
    struct ops_store *store;
    struct alerts *alerts;
    struct health *health;
    struct action_table *table;
    struct web *web;
    _Atomic int status; /* the HTTP status that the service returns */
    _Atomic int asked;
    _Atomic(const char *) body;
};

/* Runs the loop until the condition is true, for at most ten seconds. */
#define UNTIL(rig, condition)                                                         \
    do {                                                                              \
        int64_t end_us_ = clock_mono_us(loop_clock((rig)->loop)) + 10 * USEC_PER_SEC; \
        while (!(condition) && clock_mono_us(loop_clock((rig)->loop)) < end_us_) {    \
            (void)loop_iterate((rig)->loop, 20000);                                   \
        }                                                                             \
        assert_true(condition);                                                       \
    } while (0)

int health_rig_set_up(void **state);
int health_rig_tear_down(void **state);
struct config_service *health_rig_add(struct rig *rig, const char *name);
/* A check of the first service, without a kind yet. */
struct config_check *health_rig_check(struct rig *rig, const char *name);
void health_rig_command(struct rig *rig, struct config_service *service, const char *arg0,
                        const char *arg1, const char *arg2);
void health_rig_make(struct rig *rig);
void health_rig_start(struct rig *rig);
struct service *health_rig_first(struct rig *rig);
int health_rig_alert(struct rig *rig, const char *fingerprint);
struct arg_value *health_rig_values(const struct action *action, const char *arg0,
                                    const char *arg1);
struct action_call health_rig_call(struct rig *rig, const char *action, const char *arg0,
                                   const char *arg1, struct reply *reply, struct finished *f);
struct config *health_rig_next(const struct rig *rig);
void health_rig_free_config(struct config *config);

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, health_rig_set_up, health_rig_tear_down)

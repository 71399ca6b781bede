/*
 * api_rig.h: the API on its two listeners, with the actions of all modules, and clients in threads
 * of their own.
 *
 *     const char *body;
 *     api_rig_publish(rig);
 *     assert_int_equal(api_rig_get(rig, true, "/api/v1/state", "", &body), 401);
 *
 * A body is valid until the next request. Thread: main thread of the test binary; api_client_run:
 * one of its own.
 */
#pragma once

#include "access/access.h"
#include "alerts/alerts.h"
#include "api/api.h"
#include "base/check.h"
#include "command/builtin.h"
#include "command/manifest.h"
#include "command/reply.h"
#include "command/runner.h"
#include "command/shelf.h"
#include "config/config.h"
#include "health/health.h"
#include "io/json.h"
#include "io/loop.h"
#include "model/shared.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <pthread.h>
#include <unistd.h>

#define API_RIG_TOKEN "correct-horse-battery"

struct api_rig {
    struct loop *loop;
    struct shared shared;
    struct snapshot *snapshot; /* the last published one */
    struct config *config;
    struct ops_store *store;
    struct access *access;
    struct alerts *alerts;
    struct action_table *actions;
    struct builtin builtin;
    struct manifest_list *manifests;
    struct shelf *shelf;
    struct runner *runner;
    struct health *health; /* not started: the restart prompt reads it */
    struct api *api;
    char socket_path[64];
    char folder[48];
    uid_t caller_uid; /* at the socket; 0: ours */
};

struct api_client {
    const struct api_rig *f;
    bool tcp;
    uid_t uid; /* of the caller; 0: ours */
    const char *request;
    bool hang_up; /* closes the connection without reading */
    _Atomic bool done;
    char answer[262144];
    size_t len;
};

/* The picture of the command sentiment. */
#define API_RIG_PNG "\x89PNG\r\n\x1a\n but not a real one"

/* The pending call of config.history. */
extern struct action_call *api_rig_slow_call;

int api_rig_setup(void **state);
/* The same with an ops.db that others can read. */
int api_rig_setup_on_disk(void **state);
int api_rig_teardown(void **state);
void *api_client_run(void *userdata);
int api_rig_exchange(struct api_rig *f, bool tcp, const char *request, const char **ret_body);
int api_rig_get(struct api_rig *f, bool tcp, const char *path, const char *headers,
                const char **ret_body);
int api_rig_post(struct api_rig *f, bool tcp, const char *name, const char *headers,
                 const char *body, const char **ret_body);
const char *api_rig_answer(void); /* the whole last answer, with its header */
void api_rig_code(const char *body, const char *code);
void api_rig_publish(struct api_rig *f);
void api_rig_beat(struct api_rig *f);

#define API_TEST(fn) cmocka_unit_test_setup_teardown(fn, api_rig_setup, api_rig_teardown)

/*
 * auditor_rig.h: an auditor over databases in memory, on a fake clock, with a fake model.
 *
 *     static void a_test(void **state)
 *     {
 *         struct auditor_rig *rig = *state;
 *         rig->model.text = "{\"findings\":[]}";
 *         auditor_rig_run(rig, &(struct auditor_request){0}, NULL);
 *     }
 *     UNIT_GROUP(name, AUDITOR_RIG_TEST(a_test))
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "alerts/alerts.h"
#include "auditor/auditor.h"
#include "config/config.h"
#include "store/alert_table.h"
#include "unit/unit.h"

struct pool;

#define NOW_US (INT64_C(1795000000) * USEC_PER_SEC)

/* A fake llm_client: answers from the loop, or never. */
struct auditor_rig_model {
    struct loop_source *later;
    const char *text;
    int err_id;
    int64_t cache_read_tokens;
    bool unpriced; /* the answer's cost is unknown */
    bool hang;
    bool refuse; /* ask fails */
    int asked;
    int cancelled;
    char *user;
    llm_answer_fn fn;
    void *userdata;
};

struct auditor_rig {
    struct clock_fake clock;
    struct loop *loop;
    struct config *defaults;
    struct config config; /* with the texts of the defaults */
    struct ops_store *store;
    struct trading_store *trading;
    struct alerts *alerts;
    struct snapshot snapshot;
    struct shared shared; /* only the engine's heartbeat is used */
    int64_t silent_us;    /* age of that heartbeat */
    struct auditor_rig_model model;
    struct llm_client llm_client;
    struct auditor *auditor;
    struct pool *helpers;  /* of the next auditor; NULL: it reads on this thread */
    const char *state_dir; /* of the next auditor, for its helpers */
    uint64_t jitter_seed;  /* of the next auditor */
};

int auditor_rig_set_up(void **state);
int auditor_rig_tear_down(void **state);
#define AUDITOR_RIG_TEST(f) \
    cmocka_unit_test_setup_teardown(f, auditor_rig_set_up, auditor_rig_tear_down)

/* Replaces the auditor, as after a restart. */
void auditor_rig_make(struct auditor_rig *rig, bool with_model);
/* The model's answer, of a model that hangs. */
void auditor_rig_answer(void *model);
/* One audit to its end. The reply may be NULL. */
enum auditor_exit auditor_rig_run(struct auditor_rig *rig, const struct auditor_request *request,
                                  struct reply *reply);
/* Status of the newest alert whose fingerprint begins with prefix; -1: none. */
int auditor_rig_status(struct auditor_rig *rig, const char *prefix, struct alert *ret);
bool auditor_rig_shows(const struct reply *reply, const char *text);
/* The number of stored audits. */
int64_t auditor_rig_audits(struct auditor_rig *rig);

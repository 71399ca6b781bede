/*
 * run_table.h: command runs and their steps in ops.db: what was asked, by whom, how far it got.
 *
 *     run_table_add(store, &(struct run_new){.command = "restart", .args_json = "{…}", ...}, now,
 *                   &id, err);
 *     run_table_step_begin(store, id, 0, "service.restart", now, err);      // before it runs
 *     run_table_step_end(store, id, 0, RUN_STEP_DONE, result_json, now, err);
 *     run_table_finish(store, id, RUN_DONE, ERR_NONE, result_json, now, err);
 *
 * Always true: a step stands on disk as running before it runs, so after a crash a run in state
 * running tells which step may have taken effect. A finished run never changes again
 * (ERR_STORE_CONFLICT).
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

#define RUN_JSON_MAX ((size_t)256 * 1024)

enum run_state {
    RUN_CONFIRMING,
    RUN_RUNNING,
    RUN_DONE,
    RUN_FAILED,
    RUN_CANCELLED,
    RUN_EXPIRED,
    RUN_REFUSED,
    RUN_UNKNOWN, /* died in a step whose effect cannot be asked */
    RUN_STATE_COUNT
};
const char *run_table_state_name(enum run_state state); /* "confirming" … */

struct run_new {
    const char *command;
    const char *args_json;
    int64_t user_id;
    const char *user_name;
    const char *role;
    const char *channel;
    int64_t chat_id;
    enum run_state state; /* RUN_CONFIRMING or RUN_RUNNING (or RUN_REFUSED, for the record) */
};

struct run_row {
    int64_t id;
    char command[64];
    char *args_json; /* owned: run_row_release */
    int64_t user_id;
    char user_name[64];
    char role[32];
    char channel[32];
    int64_t chat_id;
    enum run_state state;
    int64_t step; /* index of the newest step begun; -1 before the first */
    int64_t created_us;
    int64_t updated_us;
    char *result_json; /* owned; "" until finished */
    int err_id;        /* ERR_NONE, or why it failed */
};

enum run_step_state { RUN_STEP_RUNNING, RUN_STEP_DONE, RUN_STEP_FAILED, RUN_STEP_UNKNOWN };

struct run_step {
    int64_t index;
    char action[64];
    enum run_step_state state;
    int64_t started_us;
    int64_t ended_us;  /* 0 while running */
    char result[1024]; /* cut when longer */
};

void run_row_release(struct run_row *row);
#define AUTO_RUN_ROW __attribute__((cleanup(run_row_release)))

int run_table_add(struct ops_store *store, const struct run_new *run, int64_t now_us,
                  int64_t *ret_id, struct err *err);
/* Confirming -> running. ERR_STORE_CONFLICT when it is not confirming any more. */
int run_table_start(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
/* result_json may be NULL. */
int run_table_finish(struct ops_store *store, int64_t id, enum run_state state, int err_id,
                     const char *result_json, int64_t now_us, struct err *err);
/* index 0… ; on_failure steps go on counting. A step begun again (a retry) is counted anew in
 * place. */
int run_table_step_begin(struct ops_store *store, int64_t id, int64_t index, const char *action,
                         int64_t now_us, struct err *err);
int run_table_step_end(struct ops_store *store, int64_t id, int64_t index,
                       enum run_step_state state, const char *result, int64_t now_us,
                       struct err *err);
/* Words that a running step wants to find again after a crash; they stand as its result until it
 * ends. ERR_STORE_CONFLICT when the step is not running. */
int run_table_step_note(struct ops_store *store, int64_t id, int64_t index, const char *note,
                        struct err *err);
/* ERR_STORE_NOT_FOUND. The caller releases *ret. */
int run_table_get(struct ops_store *store, int64_t id, struct run_row *ret, struct err *err);
/* states: bits 1u << enum run_state, 0: all. Newest first; returns how many or a negative error
 * id. The caller releases each. */
int run_table_list(struct ops_store *store, uint32_t states, size_t offset, struct run_row *ret,
                   size_t max, struct err *err);
/* Ids of the running ones above after_id, oldest first, whatever else stands in their rows; returns
 * how many. */
int run_table_running(struct ops_store *store, int64_t after_id, int64_t *ret_ids, size_t max,
                      struct err *err);
/* Ends a run whose rows cannot be understood or do not fit together: it is unknown from then on. */
int run_table_set_aside(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
int run_table_steps(struct ops_store *store, int64_t id, struct run_step *ret, size_t max,
                    struct err *err);

/*
 * run_table.h: command runs and their steps in ops.db: command, arguments, user, progress, result.
 *
 *     run_table_add(store, &(struct run_new){.command = "restart", .args_json = "{…}", ...}, now,
 *                   &id, err);
 *     run_table_step_begin(store, id, 0, "service.restart", now, err);      // before it runs
 *     run_table_step_end(store, id, 0, RUN_STEP_DONE, result_json, now, err);
 *     run_table_finish(store, id, RUN_DONE, ERR_NONE, result_json, now, err);
 *
 * Always true: a finished run never changes again (ERR_STORE_CONFLICT).
 * The runner commits a step as running before its action is called, so that after a crash the last
 * step of a run in state running is the one that may have taken effect. Not so for reading steps
 * at the front of a run, and for runs of the safe side while ops.db cannot be written.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/run.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

#define RUN_COMMAND_SIZE 64
#define RUN_JSON_MAX     ((size_t)256 * 1024)

struct run_new {
    const char *command;
    const char *manifest; /* digest of what the command does; NULL: unknown */
    const char *args_json;
    int64_t user_id;
    const char *user_name;
    const char *role;
    const char *channel;
    int64_t chat_id;
    enum run_state state; /* RUN_CONFIRMING or RUN_RUNNING (or RUN_REFUSED, for the record) */
};

int run_table_add(struct ops_store *store, const struct run_new *run, int64_t now_us,
                  int64_t *ret_id, struct err *err);
/* Changes confirming to running. ERR_STORE_CONFLICT if the run is in another state. */
int run_table_start(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
/* The other way: the steps before its confirmation have run. */
int run_table_ask(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
/* result_json may be NULL. */
int run_table_finish(struct ops_store *store, int64_t id, enum run_state state, int err_id,
                     const char *result_json, int64_t now_us, struct err *err);
/* Stores who cancels a running run. ERR_STORE_CONFLICT if it does not run. */
int run_table_cancel(struct ops_store *store, int64_t id, const char *by, struct err *err);
/* index: from 0; the steps of on_failure and then those of always continue the numbers. A retry
 * replaces the row of its step. Several steps run at once in a parallel group. */
int run_table_step_begin(struct ops_store *store, int64_t id, int64_t index, const char *action,
                         int64_t now_us, struct err *err);
int run_table_step_end(struct ops_store *store, int64_t id, int64_t index,
                       enum run_step_state state, const char *result, int64_t now_us,
                       struct err *err);
/* Stores the outputs of a step as a JSON object of texts, shorter than RUN_OUTPUTS_SIZE. */
int run_table_step_outputs(struct ops_store *store, int64_t id, int64_t index, const char *json,
                           struct err *err);
/* Stores a text that a running step needs after a crash; it is the step's result until the step
 * ends. ERR_STORE_CONFLICT if the step is not running. */
int run_table_step_note(struct ops_store *store, int64_t id, int64_t index, const char *note,
                        struct err *err);
/* ERR_STORE_NOT_FOUND. The caller releases *ret. */
int run_table_get(struct ops_store *store, int64_t id, struct run_row *ret, struct err *err);
/* A member that is zero does not filter. */
struct run_query {
    uint32_t states;     /* bits 1u << enum run_state */
    const char *command; /* its name */
    const char *user;
    int64_t since_us;  /* created at or after */
    int64_t until_us;  /* created before */
    int64_t before_id; /* only runs with a smaller id */
};
/* Newest first; returns the number or a negative error id. The caller releases each. */
int run_table_list(struct ops_store *store, const struct run_query *query, struct run_row *ret,
                   size_t max, struct err *err);
/* Ids of the running runs above after_id, oldest first, even if their rows are damaged otherwise;
 * returns the number. */
int run_table_running(struct ops_store *store, int64_t after_id, int64_t *ret_ids, size_t max,
                      struct err *err);
/* Whether a run that failed with this error tried nothing, because another run or person was at it:
 * run_table_count_of does not count it, nor one that was cancelled. */
bool run_table_is_busy(int err_id);
/* How many runs of a command this user began at or after since_us with a value among its arguments;
 * "": with any. Not those that found it busy or were cancelled. */
int run_table_count_of(struct ops_store *store, const char *command, const char *user,
                       const char *value, int64_t since_us, int64_t *ret, struct err *err);
/* The newest run of a command that this user began; ERR_STORE_NOT_FOUND. */
int run_table_newest_of(struct ops_store *store, const char *command, const char *user,
                        int64_t *ret_id, struct err *err);
/* Commands that people, not the program itself, began at or after since_us with a value among
 * their arguments, each once; returns their number. */
int run_table_by_people(struct ops_store *store, const char *value, int64_t since_us,
                        char (*ret_commands)[RUN_COMMAND_SIZE], size_t max, struct err *err);
/* Ends a run whose rows are unreadable or contradict each other, with state unknown. */
int run_table_set_aside(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
int run_table_steps(struct ops_store *store, int64_t id, struct run_step *ret, size_t max,
                    struct err *err);

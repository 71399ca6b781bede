/*
 * run.h: a run of a command, and its steps.
 *
 *     AUTO_RUN_ROW struct run_row row = {0};
 *     rc = run_table_get(store, id, &row, err);
 *     printf("%s: %s", row.command, run_state_name(row.state));
 *
 * Ownership: a row owns its two heap texts; run_row_release frees them.
 * Thread: any (plain values).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define RUN_OUTPUTS_SIZE 4097

enum run_state {
    RUN_CONFIRMING,
    RUN_RUNNING,
    RUN_DONE,
    RUN_FAILED,
    RUN_CANCELLED,
    RUN_EXPIRED,
    RUN_REFUSED,
    RUN_UNKNOWN, /* the program died in a step, and it is unknown whether it took effect */
    RUN_STATE_COUNT
};
const char *run_state_name(enum run_state state); /* "confirming" … */
bool run_state_parse(struct str s, enum run_state *ret);

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
    int64_t step; /* index of the last step begun; -1 before the first */
    int64_t created_us;
    int64_t updated_us;
    char *result_json;     /* owned; "" until finished */
    int err_id;            /* ERR_NONE, or the reason of the failure */
    char cancelled_by[64]; /* "": nobody */
    char manifest[32];     /* digest of what the command does; "": unknown, from an older build */
};

void run_row_release(struct run_row *row);
#define AUTO_RUN_ROW __attribute__((cleanup(run_row_release)))

enum run_step_state {
    RUN_STEP_RUNNING,
    RUN_STEP_DONE,
    RUN_STEP_FAILED,
    RUN_STEP_UNKNOWN,
    RUN_STEP_SKIPPED,  /* its condition did not hold */
    RUN_STEP_CANCELLED /* if it changes something, it may have taken effect */
};
const char *run_step_state_name(enum run_step_state state); /* "running" "done" … */
bool run_step_state_parse(struct str s, enum run_step_state *ret);

struct run_step {
    int64_t index; /* from 0 */
    char action[64];
    enum run_step_state state;
    int64_t started_us;
    int64_t ended_us;               /* 0 while running */
    char result[1024];              /* cut if longer */
    char outputs[RUN_OUTPUTS_SIZE]; /* JSON object of texts; "": none */
};

#include "model/run.h"

#include "names.h"

#include <stdlib.h>

static const char *const state_words[RUN_STATE_COUNT] = {
    [RUN_CONFIRMING] = "confirming", [RUN_RUNNING] = "running",     [RUN_DONE] = "done",
    [RUN_FAILED] = "failed",         [RUN_CANCELLED] = "cancelled", [RUN_EXPIRED] = "expired",
    [RUN_REFUSED] = "refused",       [RUN_UNKNOWN] = "unknown",
};
static const char *const step_words[] = {
    [RUN_STEP_RUNNING] = "running", [RUN_STEP_DONE] = "done",
    [RUN_STEP_FAILED] = "failed",   [RUN_STEP_UNKNOWN] = "unknown",
    [RUN_STEP_SKIPPED] = "skipped", [RUN_STEP_CANCELLED] = "cancelled",
};

NAMES_PRINT(run_state, enum run_state, state_words)
NAMES_PARSE(run_state, enum run_state, state_words)
NAMES_PRINT(run_step_state, enum run_step_state, step_words)
NAMES_PARSE(run_step_state, enum run_step_state, step_words)

void run_row_release(struct run_row *row)
{
    if (row != NULL) {
        free(row->args_json);
        free(row->result_json);
        row->args_json = NULL;
        row->result_json = NULL;
    }
}

#include "base/check.h"
#include "run.h"
#include "runner_internal.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"

#include <string.h>

#define BATCH 32

/* Ends a run of which nothing more can be known: its command or its step are not there any more. */
static int end_unknown(struct runner *runner, const struct run_row *row, struct err *err)
{
    struct err why = {0};
    (void)err_set(&why, ERR_COMMAND_LOST, "%s", row->command);
    struct principal who = {.id = row->user_id};
    (void)str_copy(str_c(row->user_name), who.name, sizeof(who.name));
    (void)door_parse(str_c(row->door), &who.door);
    AUTO_REPLY struct reply *card = reply_new();
    reply_error(card, &why);
    int64_t outbox_id = 0;
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = outbox_table_of_run(runner->o.store, row->id, &outbox_id, err)) < 0 ||
        (rc = run_table_finish(runner->o.store, row->id, RUN_UNKNOWN, why.id, NULL,
                               clock_wall_us(runner->o.clock), err)) < 0 ||
        (rc = access_audit(runner->o.access, &who, "command.finished", row->command, "COMMAND_LOST",
                           err)) < 0 ||
        (rc = run_write_post(runner, &who, row->chat_id, card, row->id, false, &outbox_id, err)) <
            0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

/* Fills in what the rows say about the steps before the one that was running; false when rows and
 * manifest do not fit together. */
static bool restore_steps(struct run *run, const struct run_step *steps, int count)
{
    if (count <= 0 || steps[count - 1].state != RUN_STEP_RUNNING) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        const struct run_step *s = &steps[i];
        if (s->index < 0 || s->index >= run_step_total(run) ||
            strcmp(s->action, run_step(run, (int)s->index)->action->name) != 0) {
            return false;
        }
        struct run_mark *mark = &run->marks[s->index];
        switch (s->state) {
        case RUN_STEP_RUNNING:
            mark->state = MARK_RUNNING;
            break;
        case RUN_STEP_DONE:
            mark->state = MARK_DONE;
            break;
        case RUN_STEP_FAILED:
        case RUN_STEP_UNKNOWN:
            mark->state = MARK_FAILED;
            break;
        }
        mark->took_us = s->ended_us > s->started_us ? s->ended_us - s->started_us : 0;
        if (mark->state == MARK_FAILED && run->failure.id == ERR_NONE) {
            struct str rest = str_c(s->result);
            struct str code;
            char name[64] = "";
            if (str_split(&rest, ':', &code)) {
                (void)str_copy(code, name, sizeof(name));
            }
            enum err_id id = err_by_code(name);
            (void)err_set(&run->failure, id == ERR_NONE ? ERR_COMMAND_LOST : id, "%.*s",
                          STR_ARG(str_trim(rest)));
        }
    }
    run->step = (int)steps[count - 1].index;
    run->step_mono_us = clock_mono_us(run->runner->o.clock);
    return true;
}

static int recover_run(struct runner *runner, int64_t id, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    struct run_step steps[RUN_STEPS_MAX];
    struct err why = {0};
    int rc = run_table_get(runner->o.store, id, &row, err);
    if (rc < 0) {
        return rc;
    }
    int count = run_table_steps(runner->o.store, id, steps, RUN_STEPS_MAX, err);
    if (count < 0) {
        return count;
    }
    AUTO_RUN struct run *run = run_load(runner, &row, &why);
    if (run == NULL || !restore_steps(run, steps, count)) {
        return end_unknown(runner, &row, err);
    }
    if ((rc = outbox_table_of_run(runner->o.store, id, &run->outbox_id, err)) < 0) {
        return rc;
    }
    run_recover(TAKE(run), &steps[count - 1]);
    return 0;
}

int runner_recover(struct runner *runner, struct err *err)
{
    int64_t ids[RUNS_MAX];
    struct run_row rows[BATCH];
    size_t count = 0;
    int n = 0;
    do { /* ids first: recovering changes the list */
        n = run_table_list(runner->o.store, 1U << RUN_RUNNING, count, rows, BATCH, err);
        for (int i = 0; i < n; i++) {
            if (count < RUNS_MAX) {
                ids[count++] = rows[i].id;
            }
            run_row_release(&rows[i]);
        }
    } while (n == BATCH && count < RUNS_MAX);
    if (n < 0) {
        return n;
    }
    for (size_t i = count; i > 0; i--) { /* oldest first */
        int rc = recover_run(runner, ids[i - 1], err);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = runner_confirm_expire_due(runner, err);
    if (rc == 0) {
        runner_confirm_schedule(runner);
    }
    return rc;
}

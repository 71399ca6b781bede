#include "base/check.h"
#include "base/log.h"
#include "run.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "stage.h"
#include "store/confirmation_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"

#include <string.h>

#define SLICE        4 /* runs; each takes one or two commits, during which the loop waits */
#define SLICE_GAP_US (20 * USEC_PER_MSEC)
#define RETRY_US     (5 * USEC_PER_SEC)

/* Ends a run as unknown: its command or its step does not exist any more. */
static int end_unknown(struct runner *runner, const struct run_row *row, struct err *err)
{
    struct err why = {0};
    (void)err_set(&why, ERR_COMMAND_LOST, "%s", row->command);
    struct principal who = {.id = row->user_id};
    (void)str_copy(str_c(row->user_name), who.name, sizeof(who.name));
    (void)channel_parse(str_c(row->channel), &who.channel);
    AUTO_REPLY struct reply *reply = reply_new();
    reply_error(reply, &why);
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
        (rc = run_write_post(runner, &who, row->chat_id, 0, reply, row->id, false, &outbox_id,
                             err)) < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    lock_release(&runner->locks, row->id);
    return ops_store_commit(runner->o.store, err);
}

/* Restores the steps from their rows. Returns false if the rows do not match the manifest. One step
 * runs, or those before the confirmation have ended. */
static bool restore_steps(struct run *run, const struct run_step *rows, int count)
{
    bool runs = false;
    for (int i = 0; i < count; i++) {
        int64_t index = rows[i].index;
        if (index < 0 || index >= run_step_total(run) ||
            !step_restore(&run->steps[index], &rows[i])) {
            return false;
        }
        run->cursor = (int)index + 1;
        runs = runs || rows[i].state == RUN_STEP_RUNNING;
    }
    run->prepares = runner_is_preparing(run, run->cursor - 1);
    return runs || run_is_prepared(run);
}

static int recover_run(struct runner *runner, int64_t id, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    struct run_step steps[RUN_STEPS_MAX];
    struct confirmation prompt;
    enum stage_id stage = STAGE_CONFIRM;
    struct err why = {0};
    int rc = run_table_get(runner->o.store, id, &row, err);
    if (rc < 0) {
        return rc;
    }
    int count = run_table_steps(runner->o.store, id, steps, RUN_STEPS_MAX, err);
    if (count < 0) {
        return count;
    }
    enum channel channel;
    if (!channel_parse(str_c(row.channel), &channel)) {
        return err_set(err, ERR_STORE_DAMAGED, "command_runs, row %lld: channel", (long long)id);
    }
    AUTO_RUN struct run *run = run_load(runner, &row, false, &why);
    if (run == NULL || !restore_steps(run, steps, count)) {
        return end_unknown(runner, &row, err);
    }
    if ((rc = outbox_table_of_run(runner->o.store, id, &run->outbox_id, err)) < 0) {
        return rc;
    }
    if (confirmation_table_of_run(runner->o.store, id, &prompt, NULL) == 0 && prompt.used &&
        stage_parse(prompt.stage, &stage)) {
        run_reply_set_choice(run, stage, "");
    }
    run->locked = !run->prepares; /* since lock_all */
    if (!run->prepares && (rc = runner_prepare_read(run, err)) < 0) {
        return rc;
    }
    run_recover(TAKE(run));
    return 0;
}

bool runner_is_odd(int rc)
{
    static const enum err_id odd[] = {ERR_STORE_DAMAGED,  ERR_STORE_CONFLICT, ERR_STORE_NOT_FOUND,
                                      ERR_STORE_TOO_LONG, ERR_DB_CONSTRAINT,  ERR_BUF_FULL};
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        if (rc == -(int)odd[i]) {
            return true;
        }
    }
    return false;
}

int runner_set_aside(struct runner *runner, int64_t run_id, const struct err *why, struct err *err)
{
    struct err notified = *why;
    (void)err_prefix(&notified, "run %lld is set aside", (long long)run_id);
    log_err(LOG_LEVEL_ERROR, &notified, "stored rows are inconsistent");
    lock_release(&runner->locks, run_id);
    int rc = run_table_set_aside(runner->o.store, run_id, clock_wall_us(runner->o.clock), err);
    if (rc == 0) {
        rc = confirmation_table_set_aside(runner->o.store, err);
    }
    if (rc >= 0 && runner->o.odd_row != NULL) {
        runner->o.odd_row(&notified, runner->o.odd_row_userdata);
    }
    return rc < 0 ? rc : 0;
}

/* Recovers at most max of the remaining runs. *ret_more: others remain. */
static int recover_slice(struct runner *runner, size_t max, bool *ret_more, struct err *err)
{
    int64_t ids[RUNS_MAX];
    int n = run_table_running(runner->o.store, runner->recover_after_id, ids, max, err);
    for (int i = 0; i < n && ids[i] <= runner->recover_upto_id; i++) {
        struct err why = {0};
        int rc = recover_run(runner, ids[i], &why);
        if (rc < 0 && runner_is_odd(rc)) {
            rc = runner_set_aside(runner, ids[i], &why, &why);
        }
        if (rc < 0) {
            if (err != NULL) {
                *err = why;
            }
            return rc;
        }
        runner->recover_after_id = ids[i];
    }
    *ret_more = n == (int)max && ids[n - 1] < runner->recover_upto_id;
    return n < 0 ? n : 0;
}

void runner_on_recover(void *userdata)
{
    struct runner *runner = userdata;
    struct err err = {0};
    bool more = true;
    if (runner->run_count < RUNS_MAX && recover_slice(runner, SLICE, &more, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not recover a run; will retry");
        loop_timer_in(runner->recover, RETRY_US);
        return;
    }
    if (more) {
        loop_timer_in(runner->recover, SLICE_GAP_US);
    }
}

/* Takes the locks of an unfinished run, before it is recovered. A run that cannot be loaded holds
 * none: it will not continue. */
static void lock_one(struct runner *runner, int64_t id)
{
    AUTO_RUN_ROW struct run_row row = {0};
    struct err ignored = {0}; /* recover_run reports it */
    if (run_table_get(runner->o.store, id, &row, &ignored) < 0) {
        return;
    }
    AUTO_RUN struct run *run = run_load(runner, &row, false, &ignored);
    if (run != NULL && !runner_is_preparing(run, row.step)) {
        run_lock_take(run, row.updated_us);
        run->locked = false; /* the locks outlive this object */
    }
}

/* Locks what the unfinished runs of the previous process work on, and sets recover_upto_id to the
 * last of them: runs that begin from now on are not recovered. */
static int lock_all(struct runner *runner, struct err *err)
{
    int64_t ids[RUNS_MAX];
    int n = 0;
    do {
        n = run_table_running(runner->o.store, runner->recover_upto_id, ids, RUNS_MAX, err);
        for (int i = 0; i < n; i++) {
            lock_one(runner, ids[i]);
        }
        runner->recover_upto_id = n > 0 ? ids[n - 1] : runner->recover_upto_id;
    } while (n == RUNS_MAX);
    return n < 0 ? n : 0;
}

int runner_recover(struct runner *runner, struct err *err)
{
    bool more = false;
    int rc = lock_all(runner, err);
    if (rc < 0 || (rc = recover_slice(runner, RUNS_MAX, &more, err)) < 0) {
        return rc;
    }
    if (more) {
        loop_timer_in(runner->recover, SLICE_GAP_US);
    }
    rc = confirmation_table_set_aside(runner->o.store, err);
    if (rc > 0) {
        struct err why = {0};
        (void)err_set(&why, ERR_STORE_DAMAGED, "%d open confirmations belong to no waiting run",
                      rc);
        log_err(LOG_LEVEL_ERROR, &why, "stored rows are inconsistent and were set aside");
        if (runner->o.odd_row != NULL) {
            runner->o.odd_row(&why, runner->o.odd_row_userdata);
        }
    }
    if (rc < 0 || (rc = runner_confirm_expire_due(runner, err)) < 0) {
        return rc;
    }
    runner_confirm_schedule(runner);
    return 0;
}

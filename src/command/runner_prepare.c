/* Commands whose confirmation comes after steps that read: a run goes through these first, becomes
 * a prompt that shows what they replied, and is loaded again for the answer. */
#include "base/check.h"
#include "command/reply_json.h"
#include "config/config.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "stage.h"
#include "store/confirmation_table.h"
#include "store/ops.h"

#include <string.h>

#define PREPARED_EXPIRY_US (10 * USEC_PER_MIN) /* at least: there is something to read */

bool runner_prepares(const struct run *run, const struct invocation *in)
{
    return run->m->confirm_after > 0 && run->demand.confirm && !in->confirmed;
}

bool runner_is_preparing(const struct run *run, int64_t last_step)
{
    struct confirmation prompt = {.used = false};
    bool asked = confirmation_table_of_run(run->runner->o.store, run->id, &prompt, NULL) == 0 &&
                 strcmp(prompt.stage, stage_name(STAGE_STALE)) != 0;
    return !asked && run->demand.confirm && last_step < run->m->confirm_after;
}

int64_t runner_prompt_us(const struct runner *runner, const struct manifest *m)
{
    int64_t us = runner->o.config->commands_confirm_expiry_us;
    return m != NULL && m->confirm_after > 0 && us < PREPARED_EXPIRY_US ? PREPARED_EXPIRY_US : us;
}

static int refuses(struct run *run, struct err *ret_refused)
{
    struct basis ignored = BASIS_INIT;
    int rc = run_reply_basis(run, &ignored, ret_refused);
    buf_release(&ignored.text);
    return rc;
}

int runner_prepare_ask(struct run *run, struct err *ret_refused, struct err *err)
{
    struct runner *runner = run->runner;
    struct admission a = {0};
    const struct invocation in = {.line = run->m->name,
                                  .who = &run->who,
                                  .chat_id = run->chat_id,
                                  .thread_id = run->thread_id};
    reply_free(run->prepared);
    run->prepared = run_reply_prepared(run);
    if (refuses(run, ret_refused) < 0) {
        reply_free(run->prepared);
        run->prepared = NULL;
        return 0;
    }
    int rc = runner_confirm_ask(run, &in, STAGE_CONFIRM, NULL, &a, err);
    if (rc < 0 && a.open) {
        ops_store_rollback(runner->o.store);
    } else if (a.open) {
        rc = ops_store_commit(runner->o.store, err);
    }
    if (rc == 0) {
        runner_confirm_schedule(runner);
    }
    if (rc == 0 && run->on_reply != NULL) {
        run->on_reply(a.reply, a.err.id == ERR_NONE ? NULL : &a.err, run->userdata);
    }
    reply_free(a.reply);
    return rc;
}

int runner_prepare_read(struct run *run, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(RUN_JSON_MAX);
    int rc = run->m->confirm_after == 0
                 ? 0
                 : confirmation_table_get_prepared(run->runner->o.store, run->id, &text, err);
    return rc < 0 || text.len == 0 ? rc : reply_json_read(text.data, text.len, &run->prepared, err);
}

int runner_prepare_restore(struct run *run, struct err *err)
{
    struct run_step rows[RUN_STEPS_MAX];
    int rc = runner_prepare_read(run, err);
    int count = rc < 0 || run->prepared == NULL
                    ? rc
                    : run_table_steps(run->runner->o.store, run->id, rows, RUN_STEPS_MAX, err);
    for (int i = 0; i < count; i++) {
        if (rows[i].index != i || i >= run->m->confirm_after ||
            !step_restore(&run->steps[i], &rows[i])) {
            return err_set(err, ERR_STORE_DAMAGED, "run_steps, run %lld", (long long)run->id);
        }
        run->cursor = i + 1;
    }
    return count < 0 ? count : 0;
}

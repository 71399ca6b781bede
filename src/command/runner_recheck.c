#include "base/log.h"
#include "io/loop.h"
#include "runner_internal.h"
#include "store/ops.h"

#include <string.h>

#define BATCH 64

/* Whether the person of a stored run may still run it, as of now. */
static bool may_still(struct runner *runner, const struct run_row *row, struct err *ret_why)
{
    struct err ignored = {0};
    AUTO_RUN struct run *run = run_load(runner, row, false, &ignored);
    if (run == NULL) {
        return true; /* its answer is refused for another reason */
    }
    if (access_identify(runner->o.access, run->who.channel, run->who.id, &run->who) < 0) {
        (void)err_set(ret_why, ERR_ACCESS_DENIED, "%s is no user any more", row->user_name);
        return false;
    }
    return manifest_permit(run->m, &run->who, run->args, ret_why) == 0;
}

static int close_one(struct runner *runner, const struct confirmation *c, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    AUTO_REPLY struct reply *reply = NULL;
    struct err why = {0};
    int rc = run_table_get(runner->o.store, c->run_id, &row, err);
    if (rc < 0 || may_still(runner, &row, &why)) {
        return rc;
    }
    if ((rc = ops_store_begin(runner->o.store, err)) < 0) {
        return rc;
    }
    rc = runner_confirm_close(runner, c, &row, RUN_REFUSED, "confirm.revoked", &why, &reply, err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

static void close_prompts(struct runner *runner)
{
    struct confirmation open[BATCH];
    struct err err = {0};
    int n = confirmation_table_expired(runner->o.store, INT64_MAX, open, BATCH, &err);
    for (int i = 0; i < n; i++) {
        if (close_one(runner, &open[i], &err) < 0) {
            n = -1;
        }
    }
    if (n < 0) { /* their answers are checked again anyway */
        log_err(LOG_LEVEL_WARNING, &err, "could not close the prompts of a person");
    }
}

static bool may_go_on(struct runner *runner, const struct run *run)
{
    struct principal who;
    return access_identify(runner->o.access, run->who.channel, run->who.id, &who) == 0 &&
           manifest_permit(run->m, &who, run->args, NULL) == 0;
}

/* A run that stops or pauses trading goes on: that is on the safe side. */
static struct run *find_forbidden(struct runner *runner)
{
    struct run *run = runner->runs;
    while (run != NULL && (run->over || run->cancelled_by[0] != '\0' || run->m->safe_side ||
                           may_go_on(runner, run))) {
        run = run->next;
    }
    return run;
}

static int store_cancel(struct runner *runner, const struct run *run, struct err *err)
{
    int rc = run->id == 0 ? 0 : ops_store_begin(runner->o.store, err);
    if (rc < 0 || run->id == 0) {
        return rc;
    }
    rc = run_table_cancel(runner->o.store, run->id, runner->rechecked_by, err);
    rc = rc < 0 ? rc : run_write_audit(run, "command.cancelled", "no longer permitted", "ok", err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

void runner_on_recheck(void *userdata)
{
    struct runner *runner = userdata;
    struct err err = {0};
    close_prompts(runner);
    for (struct run *run; (run = find_forbidden(runner)) != NULL;) {
        if (store_cancel(runner, run, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "could not store that a run is cancelled");
        }
        (void)run_cancel(run, runner->rechecked_by);
    }
    if (runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
}

void runner_recheck(struct runner *runner, const char *by)
{
    (void)str_copy(str_c(by[0] == '\0' ? "nightdesk" : by), runner->rechecked_by,
                   sizeof(runner->rechecked_by));
    loop_defer(runner->recheck);
}

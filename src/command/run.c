#include "run.h"

#include "base/check.h"
#include "base/log.h"
#include "bind.h"
#include "config/config.h"
#include "run_reply.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"

#include <string.h>

#define PROGRESS_FIRST_US (500 * USEC_PER_MSEC)  /* a faster run shows only its result */
#define PROGRESS_GAP_US   (1500 * USEC_PER_MSEC) /* chats limit edits to about one a second */
#define RETRY_DELAY_US    USEC_PER_SEC           /* times the attempt */
#define STORE_RETRY_US    (2 * USEC_PER_SEC)
#define DETAIL_MAX        1000

static void on_timer(void *userdata);
static void on_progress_timer(void *userdata);

struct run *run_new(struct runner *runner, const struct manifest *m, const struct principal *who,
                    int64_t chat_id)
{
    struct run *run = calloc(1, sizeof(*run));
    ASSERT(run != NULL);
    run->runner = runner;
    run->m = manifest_ref(m);
    run->who = *who;
    run->chat_id = chat_id;
    run->args = bind_new(m);
    run->started_mono_us = clock_mono_us(runner->o.clock);
    run->asked_wall_us = clock_wall_us(runner->o.clock);
    run->timer = loop_add_timer(runner->o.loop, on_timer, run);
    loop_source_name(run->timer, "run step");
    run->progress_timer = loop_add_timer(runner->o.loop, on_progress_timer, run);
    loop_source_name(run->progress_timer, "run progress");
    return run;
}

struct run *run_load(struct runner *runner, const struct run_row *row, bool look_up,
                     struct err *why)
{
    const struct manifest *m = manifest_find(runner->o.manifests, row->command);
    if (m == NULL) {
        (void)err_set(why, ERR_COMMAND_UNKNOWN, "%s", row->command);
        return NULL;
    }
    struct principal who = {.id = row->user_id};
    (void)str_copy(str_c(row->user_name), who.name, sizeof(who.name));
    (void)role_parse(str_c(row->role), &who.role);
    (void)channel_parse(str_c(row->channel), &who.channel);
    struct run *run = run_new(runner, m, &who, row->chat_id);
    run->id = row->id;
    if (run_args_restore(run, row->args_json, look_up, why) < 0) {
        run_free(run);
        return NULL;
    }
    return run;
}

static void abandon_call(struct run *run)
{
    if (run->pending && !run->finished && run->call.action->cancel != NULL) {
        run->call.action->cancel(&run->call);
    }
    run->pending = false;
}

static void release_call(struct run *run)
{
    loop_timer_stop(run->timer);
    if (run->values != NULL) {
        run_args_free(run->call.action, run->values);
        run->values = NULL;
        run->call.args = NULL;
    }
    run->pending = false;
    run->finished = false;
    run->progress[0] = '\0';
}

void run_free(struct run *run)
{
    if (run == NULL) {
        return;
    }
    abandon_call(run);
    release_call(run);
    if (run->locked) {
        lock_release(&run->runner->locks, run->id);
    }
    loop_source_free(run->timer);
    loop_source_free(run->progress_timer);
    bind_free(run->m, run->args);
    for (int i = 0; i < RUN_STEPS_MAX; i++) {
        reply_free(run->replies[i]);
    }
    reply_free(run->call.reply);
    reply_free(run->result);
    manifest_unref(run->m);
    free(run);
}

static void unlink_run(struct run *run)
{
    for (struct run **at = &run->runner->runs; *at != NULL; at = &(*at)->next) {
        if (*at == run) {
            *at = run->next;
            run->runner->run_count--;
            return;
        }
    }
}

const struct manifest_step *run_step(const struct run *run, int index)
{
    return index < run->m->step_count ? &run->m->steps[index]
                                      : &run->m->on_failure[index - run->m->step_count];
}

int run_step_total(const struct run *run)
{
    return run->m->step_count + run->m->on_failure_count;
}

static void wake_outbox(const struct runner *runner)
{
    if (runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
}

bool run_is_reading(const struct run *run)
{
    return run_step(run, run->step)->action->effect == ACTION_READS;
}

bool run_is_cut_off(const struct run *run)
{
    return run->recovered &&
           (run->end_err.id == ERR_COMMAND_LOST || run->end_err.id == ERR_COMMAND_NOT_DONE);
}

/* Sends a reply without the outbox. */
static void run_deliver(const struct run *run, struct reply *reply)
{
    const struct runner_options *o = &run->runner->o;
    if (o->decorate != NULL) {
        o->decorate(reply, o->decorate_userdata);
    }
    if (run_write_is_chat(run->who.channel) && o->deliver != NULL) {
        (void)o->deliver(run->who.channel, run->chat_id, run->edit_message_id, reply,
                         o->deliver_userdata);
    }
}

/* ------------------------------------------------------------------------------- progress ---- */

static void on_progress_timer(void *userdata)
{
    struct run *run = userdata;
    struct ops_store *store = run->runner->o.store;
    AUTO_REPLY struct reply *reply = run_reply_progress(run);
    struct err err = {0};
    if (run->id == 0) {
        run->notified_mono_us = clock_mono_us(run->runner->o.clock);
        if (run->edit_message_id != 0) {
            run_deliver(run, reply);
        }
        return;
    }
    int64_t outbox_id = run->outbox_id;
    int rc = ops_store_begin(store, &err);
    if (rc == 0) {
        rc = run_write_post(run->runner, &run->who, run->chat_id, reply, run->id, run->m->emergency,
                            &outbox_id, &err);
        if (rc == 0) {
            rc = ops_store_commit(store, &err);
        } else {
            ops_store_rollback(store);
        }
    }
    run->notified_mono_us = clock_mono_us(run->runner->o.clock);
    if (rc < 0) { /* the result will be sent anyway */
        log_err(LOG_LEVEL_WARNING, &err, "could not show progress");
        return;
    }
    run->outbox_id = outbox_id;
    wake_outbox(run->runner);
}

static void want_progress(struct run *run)
{
    if (!run_write_is_chat(run->who.channel) || loop_timer_armed(run->progress_timer)) {
        return;
    }
    int64_t since_us = clock_mono_us(run->runner->o.clock) - run->notified_mono_us;
    bool first = run->notified_mono_us == 0;
    loop_timer_in(run->progress_timer, first ? PROGRESS_FIRST_US : PROGRESS_GAP_US - since_us);
}

static void call_progress(struct action_call *call, const char *text)
{
    struct run *run = call->owner;
    (void)str_copy(str_c(text), run->progress, sizeof(run->progress));
    want_progress(run);
}

/* ---------------------------------------------------------------------------------- steps ---- */

static void call_finish(struct action_call *call, const struct err *err)
{
    struct run *run = call->owner;
    ASSERT(!run->finished && (run->pending || run->in_action));
    run->finished = true;
    run->call_err = err == NULL ? (struct err){0} : *err;
    if (!run->in_action) {
        loop_defer(run->runner->settle);
    }
}

static int call_remember(struct action_call *call, const char *text, struct err *err)
{
    struct run *run = call->owner;
    if (run->id == 0) {
        (void)str_copy(str_c(text), run->note, sizeof(run->note));
        return 0;
    }
    return run_table_step_note(run->runner->o.store, run->id, run->step, text, err);
}

/* Makes a new call of the current step's action; begun_us is wall time. */
static int make_call(struct run *run, int64_t begun_us, struct err *err)
{
    const struct manifest_step *step = run_step(run, run->step);
    reply_free(run->call.reply);
    run->call = (struct action_call){
        .action = step->action,
        .m = run->m,
        .userdata = action_table_userdata(run->runner->o.actions, step->action),
        .who = &run->who,
        .reply = reply_new(),
        .run_id = run->id,
        .step = run->step,
        .begun_us = begun_us,
        .progress = call_progress,
        .finish = call_finish,
        .remember = call_remember,
        .owner = run};
    run->finished = false;
    int rc = run_args_resolve(run, step, &run->values, err);
    run->call.args = run->values;
    return rc;
}

/* Handles rc, which the action's function returned: ACTION_DONE, ACTION_PENDING or an error. */
static int accept_result(struct run *run, int rc, struct err *err)
{
    run->in_action = false;
    if (rc != ACTION_PENDING) {
        return rc;
    }
    run->pending = true;
    if (run->finished) { /* it finished before it returned */
        if (run->call_err.id == ERR_NONE) {
            return ACTION_DONE;
        }
        *err = run->call_err;
        return -err->id;
    }
    run->timer_kind = RUN_TIMER_STEP;
    loop_timer_in(run->timer, run_step(run, run->step)->timeout_us);
    want_progress(run);
    return ACTION_PENDING;
}

/* Calls the action of the current step. Returns ACTION_DONE, ACTION_PENDING or an error. */
static int begin_call(struct run *run, struct err *err)
{
    int rc = make_call(run, clock_wall_us(run->runner->o.clock), err);
    if (rc < 0) {
        return rc;
    }
    run->in_action = true;
    return accept_result(run, run->call.action->run(&run->call, err), err);
}

/* A step that may have taken effect is not retried, unless it only reads. */
static bool may_retry(const struct run *run, const struct err *failure)
{
    if (run->recovered || run->attempt >= run_step(run, run->step)->retries) {
        return false;
    }
    switch (err_info(failure->id)->retry) {
    case ERR_RETRY_LATER:
        return true;
    case ERR_RETRY_UNKNOWN:
        return run_is_reading(run);
    case ERR_RETRY_NEVER:
    case ERR_RETRY_AFTER_FIX:
        return false;
    }
    return false;
}

/* Reports the result to the waiting client and to `ended`, and frees the run. */
static void leave(struct run *run)
{
    struct runner *runner = run->runner;
    unlink_run(run);
    if (run->on_reply != NULL) {
        run->on_reply(run->result, run->failure.id == ERR_NONE ? NULL : &run->failure,
                      run->userdata);
    }
    if (runner->o.ended != NULL) {
        runner->o.ended(&run->call, run->id, runner->o.ended_userdata);
    }
    run_free(run);
    wake_outbox(runner);
}

/* Stores, in one transaction, the end of this step and either the start of the next one or the end
 * of the run with its reply. On failure the run is as it was before, so it can be tried again. */
static int store_advance(struct run *run, struct err *err)
{
    struct ops_store *store = run->runner->o.store;
    int step = run->step;
    int64_t id = run->id;
    int64_t outbox_id = run->outbox_id;
    int rc = ops_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    rc = id == 0 ? run_write_adopt(run, err) : 0;
    rc = rc < 0 ? rc : run_write_advance(run, err);
    if (rc < 0) {
        ops_store_rollback(store);
    } else {
        rc = ops_store_commit(store, err);
    }
    if (rc < 0 && run->step != step) {
        run->marks[run->step].state = MARK_WAITING;
        run->step = step;
    }
    run->outbox_id = rc < 0 ? outbox_id : run->outbox_id;
    run->id = rc < 0 ? id : run->id;
    return rc;
}

/* Replies, once, although the end of the step cannot be stored: says what was done and that it is
 * not recorded yet, or that the next step waits until it can be. */
static void reply_unrecorded(struct run *run, const struct err *why)
{
    if (run->notified) {
        return;
    }
    run->notified = true;
    bool ends = run_write_next(run) < 0;
    bool failed = run->failure.id != ERR_NONE;
    if (ends && run->result == NULL) {
        run->result = run_reply_result(run);
    }
    AUTO_REPLY struct reply *reply = ends     ? reply_copy(run->result)
                                     : failed ? run_reply_result(run)
                                              : run_reply_progress(run);
    run_reply_add_unrecorded(reply, why, ends || failed);
    run_deliver(run, reply);
    if (run->on_reply != NULL) {
        const struct err *notified = failed ? &run->failure : ends ? NULL : why;
        if (notified == why) {
            reply_error(reply, why);
        }
        run->on_reply(reply, notified, run->userdata);
        run->on_reply = NULL;
    }
}

/* Continues a run that only reads and has no row; it is never recorded. Returns true if the next
 * step was started. */
static bool go_on_reading(struct run *run)
{
    int next = run_write_next(run);
    if (next >= 0) {
        run->step = next;
        run->marks[next].state = MARK_RUNNING;
        run->step_mono_us = clock_mono_us(run->runner->o.clock);
        return true;
    }
    run->result = run_reply_result(run);
    run_reply_add_unwritable(run->result, &run->unrecorded);
    run_deliver(run, run->result);
    leave(run);
    return false;
}

/* Stores the end of a step. While that is not possible (for example, the disk is full), the run
 * waits in memory and retries. Returns true if the next step was started. */
static bool store_end(struct run *run)
{
    struct err err = {0};
    if (run->id == 0 && !run->m->changes) {
        return go_on_reading(run);
    }
    if (store_advance(run, &err) < 0) {
        if (!run->ended) {
            log_err(LOG_LEVEL_ERROR, &err, "could not store the end of a step; will retry");
            reply_unrecorded(run, &err);
        }
        run->ended = true;
        run->timer_kind = RUN_TIMER_STORE;
        loop_timer_in(run->timer, STORE_RETRY_US);
        return false;
    }
    run->ended = false;
    run->recovered = false;
    if (run->result != NULL) {
        leave(run);
        return false;
    }
    if (run->notified_mono_us != 0) {
        want_progress(run);
    }
    return true;
}

/* Schedules a retry if the failure is temporary and retries are left; false otherwise. */
static bool try_again(struct run *run, const struct err *failure)
{
    if (failure == NULL || !may_retry(run, failure)) {
        return false;
    }
    release_call(run);
    run->attempt++;
    run->timer_kind = RUN_TIMER_RETRY;
    loop_timer_in(run->timer, run->attempt * RETRY_DELAY_US);
    (void)snprintf(run->progress, sizeof(run->progress), "%s; retrying",
                   err_info(failure->id)->message);
    want_progress(run);
    return true;
}

/* Ends the current step in memory; store_end stores that. */
static void end_step(struct run *run, const struct err *failure)
{
    release_call(run);
    run->attempt = 0;
    struct run_mark *mark = &run->marks[run->step];
    mark->state = failure == NULL ? MARK_DONE : MARK_FAILED;
    mark->took_us = clock_mono_us(run->runner->o.clock) - run->step_mono_us;
    reply_free(run->replies[run->step]);
    run->replies[run->step] = TAKE(run->call.reply);
    if (failure != NULL && run->failure.id == ERR_NONE) {
        run->failure = *failure;
    }
    run->end_err = failure == NULL ? (struct err){0} : *failure;
}

/* Ends the current step. Returns true if the next one was started; false if the run was freed or
 * waits for a retry. */
static bool advance(struct run *run, const struct err *failure)
{
    if (try_again(run, failure)) {
        return false;
    }
    end_step(run, failure);
    return store_end(run);
}

static void continue_steps(struct run *run)
{
    for (;;) {
        struct err err = {0};
        int rc = begin_call(run, &err);
        if (rc == ACTION_PENDING) {
            return;
        }
        if (!advance(run, rc < 0 ? &err : NULL)) {
            return;
        }
    }
}

static void link_run(struct run *run)
{
    run->next = run->runner->runs;
    run->runner->runs = run;
    run->runner->run_count++;
}

int run_read(struct run *run, struct err *err)
{
    while (run_is_reading(run)) {
        struct err failure = {0};
        int rc = begin_call(run, &failure);
        if (rc == ACTION_PENDING || try_again(run, rc < 0 ? &failure : NULL)) {
            return 0;
        }
        end_step(run, rc < 0 ? &failure : NULL);
        rc = run_write_advance(run, err);
        if (rc < 0 || run->result != NULL) {
            return rc;
        }
    }
    return 0;
}

void run_go(struct run *run)
{
    link_run(run);
    if (run->result != NULL) {
        leave(run);
    } else if (!run->pending && !loop_timer_armed(run->timer)) {
        continue_steps(run);
    }
}

/* Asks the action whether the interrupted call took effect. ACTION_PENDING: it answers later. */
static int look_up(struct run *run, const struct run_step *last, bool *ret_happened,
                   struct err *err)
{
    if (run_step(run, run->step)->action->recover == NULL) {
        return err_set(err, ERR_COMMAND_LOST, "%s", last->action);
    }
    int rc = make_call(run, last->started_us, err);
    if (rc < 0) {
        return rc;
    }
    run->call.remembered = last->result[0] == '\0' ? NULL : last->result;
    run->in_action = true;
    rc = run->call.action->recover(&run->call, ret_happened, err);
    *ret_happened |= rc == ACTION_PENDING; /* then the error of action_finish decides */
    return accept_result(run, rc, err);
}

void run_recover(struct run *run, const struct run_step *last)
{
    if (run_is_reading(run)) {
        run_go(run);
        return;
    }
    struct err why = {0};
    bool happened = false;
    run->recovered = true;
    link_run(run);
    int rc = look_up(run, last, &happened, &why);
    if (rc == ACTION_PENDING) {
        return;
    }
    if (rc == ACTION_DONE && !happened && run->step >= run->m->step_count) {
        /* An on_failure step that did not happen is still necessary: it runs now. */
        run->recovered = false;
        release_call(run);
        continue_steps(run);
        return;
    }
    if (rc == ACTION_DONE && !happened) {
        (void)err_set(&why, ERR_COMMAND_NOT_DONE, "%s", last->action);
    }
    if (advance(run, why.id == ERR_NONE ? NULL : &why)) {
        continue_steps(run);
    }
}

static void time_out(struct run *run)
{
    const struct manifest_step *step = run_step(run, run->step);
    struct err err = {0};
    AUTO_BUF struct buf limit = BUF_INIT(64);
    clock_add_duration(&limit, step->timeout_us);
    (void)err_set(&err, ERR_STEP_TIMEOUT, "%s, after %s", step->action->name, limit.data);
    abandon_call(run);
    if (advance(run, &err)) {
        continue_steps(run);
    }
}

static void on_timer(void *userdata)
{
    struct run *run = userdata;
    switch (run->timer_kind) {
    case RUN_TIMER_STEP:
        if (!run->finished) { /* else run_settle_finished is about to handle it */
            time_out(run);
        }
        break;
    case RUN_TIMER_RETRY:
        run->progress[0] = '\0';
        continue_steps(run);
        break;
    case RUN_TIMER_STORE:
        if (store_end(run)) {
            continue_steps(run);
        }
        break;
    }
}

void run_record(struct run *run)
{
    struct ops_store *store = run->runner->o.store;
    struct err err = {0};
    if (run->ended) {
        if (store_end(run)) {
            continue_steps(run);
        }
        return;
    }
    int rc = ops_store_begin(store, &err);
    if (rc < 0) {
        return;
    }
    rc = run_write_adopt(run, &err);
    if (rc < 0) {
        ops_store_rollback(store);
    } else {
        rc = ops_store_commit(store, &err);
    }
    run->id = rc < 0 ? 0 : run->id;
}

void run_settle_finished(void *userdata)
{
    struct runner *runner = userdata;
    for (;;) {
        struct run *run = runner->runs;
        while (run != NULL && !(run->pending && run->finished)) {
            run = run->next;
        }
        if (run == NULL) {
            return;
        }
        struct err err = run->call_err;
        if (advance(run, err.id == ERR_NONE ? NULL : &err)) {
            continue_steps(run);
        }
    }
}

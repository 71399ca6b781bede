#include "run.h"

#include "base/check.h"
#include "base/log.h"
#include "bind.h"
#include "config/config.h"
#include "model/telemetry.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "when.h"

#include <string.h>

#define PROGRESS_FIRST_US (500 * USEC_PER_MSEC) /* a faster run shows only its result */
#define TYPING_FIRST_US   (1 * USEC_PER_SEC)
#define TYPING_GAP_US     (4 * USEC_PER_SEC)     /* Telegram shows it for five seconds */
#define PROGRESS_GAP_US   (1500 * USEC_PER_MSEC) /* chats limit edits to about one a second */
#define STREAM_GAP_US     (700 * USEC_PER_MSEC)  /* of an answer that is no message yet */
#define STORE_RETRY_US    (2 * USEC_PER_SEC)

static void on_store_timer(void *userdata);
static void on_progress_timer(void *userdata);
static void on_typing_timer(void *userdata);

/* A run of a message belongs to its trace; any other begins its own. */
static void begin_work(struct run *run)
{
    struct telemetry *t = run->runner->o.telemetry;
    run->work = trace_work();
    if (t == NULL) {
        return;
    }
    if (trace_is_sampled(run->work)) {
        run->work_parent = run->work.span;
        run->work.span = tracer_span(t->tracer, TRACER_OPS);
    } else if (run->work.update_mono_us == 0) {
        run->work = tracer_begin(t->tracer, TRACER_OPS, 0);
    }
}

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
    begin_work(run);
    run->steps = calloc((size_t)run_step_total(run), sizeof(*run->steps));
    ASSERT(run->steps != NULL);
    for (int i = 0; i < run_step_total(run); i++) {
        run->steps[i].run = run;
        run->steps[i].index = i;
    }
    run->store_timer = loop_add_timer(runner->o.loop, on_store_timer, run);
    loop_source_name(run->store_timer, "run to store");
    run->progress_timer = loop_add_timer(runner->o.loop, on_progress_timer, run);
    loop_source_name(run->progress_timer, "run progress");
    run->typing_timer = loop_add_timer(runner->o.loop, on_typing_timer, run);
    loop_source_name(run->typing_timer, "run typing");
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
    if (row->manifest[0] != '\0' && strcmp(row->manifest, m->digest) != 0) {
        (void)err_set(why, ERR_COMMAND_CHANGED, "%s", row->command);
        return NULL;
    }
    struct principal who = {.id = row->user_id};
    (void)str_copy(str_c(row->user_name), who.name, sizeof(who.name));
    (void)role_parse(str_c(row->role), &who.role);
    (void)channel_parse(str_c(row->channel), &who.channel);
    struct run *run = run_new(runner, m, &who, row->chat_id);
    run->id = row->id;
    (void)str_copy(str_c(row->cancelled_by), run->cancelled_by, sizeof(run->cancelled_by));
    if (run_args_restore(run, row->args_json, look_up, why) < 0) {
        run_free(run);
        return NULL;
    }
    return run;
}

void run_free(struct run *run)
{
    if (run == NULL) {
        return;
    }
    for (int i = 0; i < run_step_total(run); i++) {
        step_release(&run->steps[i]);
    }
    if (run->locked) {
        lock_release(&run->runner->locks, run->id);
    }
    loop_source_free(run->store_timer);
    loop_source_free(run->progress_timer);
    loop_source_free(run->typing_timer);
    bind_free(run->m, run->args);
    free(run->steps);
    reply_free(run->result);
    reply_free(run->prepared);
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

static void link_run(struct run *run)
{
    run->next = run->runner->runs;
    run->runner->runs = run;
    run->runner->run_count++;
}

const struct manifest_step *run_step(const struct run *run, int index)
{
    return manifest_step_at(run->m, index);
}

int run_step_total(const struct run *run)
{
    return manifest_step_total(run->m);
}

bool run_is_follow_up(const struct run *run, int index)
{
    return index >= run->m->step_count;
}

const struct step *run_find_step(const struct run *run, struct str id)
{
    int index = manifest_find_step(run->m, id);
    return index < 0 ? NULL : &run->steps[index];
}

static void wake_outbox(const struct runner *runner)
{
    if (runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
}

bool run_is_cut_off(const struct run *run)
{
    for (int i = 0; i < run_step_total(run); i++) {
        if (run->steps[i].lost) {
            return true;
        }
    }
    return false;
}

bool run_is_cancelled(const struct run *run)
{
    for (int i = 0; run->cancelled_by[0] != '\0' && i < run_step_total(run); i++) {
        enum step_state state = run->steps[i].state;
        if (state == STEP_CANCELLED || (state == STEP_WAITING && i < run->m->step_count)) {
            return true;
        }
    }
    return false;
}

const struct err *run_error(const struct run *run, struct err *space)
{
    if (run->failure.id != ERR_NONE) {
        return &run->failure;
    }
    if (!run_is_cancelled(run)) {
        return NULL;
    }
    (void)err_set(space, ERR_COMMAND_CANCELLED, "run %lld, by %s", (long long)run->id,
                  run->cancelled_by);
    return space;
}

/* Sends a reply without the outbox. */
static void run_deliver(const struct run *run, struct reply *reply)
{
    const struct runner_options *o = &run->runner->o;
    if (o->decorate != NULL) {
        o->decorate(reply, o->decorate_userdata);
    }
    if (run_write_is_chat(run->who.channel) && o->deliver != NULL) {
        const struct runner_unstored unstored = {.channel = run->who.channel,
                                                 .chat_id = run->chat_id,
                                                 .thread_id = run->thread_id,
                                                 .edit_message_id = run->edit_message_id,
                                                 .reply = reply};
        (void)o->deliver(&unstored, o->deliver_userdata);
    }
}

/* ------------------------------------------------------------------------------- progress ---- */

/* Shows an answer that is being written without a message, where the channel can. */
static bool show_stream(struct run *run, const struct reply *reply)
{
    const struct runner_options *o = &run->runner->o;
    const struct runner_stream stream = {.channel = run->who.channel,
                                         .chat_id = run->chat_id,
                                         .thread_id = run->thread_id,
                                         .run_id = run->id,
                                         .reply = reply};
    run->streams = o->stream != NULL && run->id != 0 && run->outbox_id == 0 &&
                   run_reply_is_stream(run) && o->stream(&stream, o->stream_userdata);
    return run->streams;
}

static void on_progress_timer(void *userdata)
{
    struct run *run = userdata;
    struct ops_store *store = run->runner->o.store;
    TRACE_WORK(run->work);
    AUTO_REPLY struct reply *reply = run_reply_progress(run);
    struct err err = {0};
    if (show_stream(run, reply)) {
        run->notified_mono_us = clock_mono_us(run->runner->o.clock);
        return;
    }
    if (run->on_progress != NULL) {
        run->notified_mono_us = clock_mono_us(run->runner->o.clock);
        run->on_progress(reply, run->userdata);
        return;
    }
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
        rc = run_write_post(run->runner, &run->who, run->chat_id, run->thread_id, reply, run->id,
                            run->m->emergency, &outbox_id, &err);
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

/* Not stored with the run: if it cannot be shown, nothing is lost. */
static void on_typing_timer(void *userdata)
{
    struct run *run = userdata;
    if (run->result != NULL || run->id == 0) {
        return;
    }
    struct err err = {0};
    if (run_write_typing(run, &err) < 0) {
        log_err(LOG_LEVEL_DEBUG, &err, "could not show that an answer is coming");
    }
    wake_outbox(run->runner);
    loop_timer_in(run->typing_timer, TYPING_GAP_US);
}

static void want_typing(struct run *run)
{
    if (run_write_is_chat(run->who.channel) && !loop_timer_armed(run->typing_timer)) {
        loop_timer_in(run->typing_timer, TYPING_FIRST_US);
    }
}

void run_want_progress(struct run *run)
{
    bool shown = run_write_is_chat(run->who.channel) || run->on_progress != NULL;
    want_typing(run);
    if (!shown || loop_timer_armed(run->progress_timer)) {
        return;
    }
    int64_t since_us = clock_mono_us(run->runner->o.clock) - run->notified_mono_us;
    bool first = run->notified_mono_us == 0;
    int64_t gap_us = run->streams ? STREAM_GAP_US : PROGRESS_GAP_US;
    loop_timer_in(run->progress_timer, first ? PROGRESS_FIRST_US : gap_us - since_us);
}

/* ----------------------------------------------------------------------------------- order ---- */

/* The step that comes next; run_step_total: none. */
static int next_index(const struct run *run)
{
    int on_failure = run->m->step_count;
    int always = on_failure + run->m->on_failure_count;
    bool cancelled = run->cancelled_by[0] != '\0';
    bool failed = run->failure.id != ERR_NONE;
    int next = run->cursor;
    if (run->prepares && (failed || cancelled)) {
        return run_step_total(run); /* nothing was done: there is nothing to undo */
    }
    if (next < on_failure && (failed || cancelled)) {
        next = on_failure;
    }
    bool undoes = run->m->undo ? failed || cancelled : failed && !cancelled && !run_is_cut_off(run);
    if (next >= on_failure && next < always && !undoes) {
        next = always;
    }
    return next;
}

static bool is_waiting(const struct run *run)
{
    for (int i = 0; i < run->cursor; i++) {
        if (run->steps[i].state == STEP_RUNNING) {
            return true;
        }
    }
    return false;
}

bool run_is_prepared(const struct run *run)
{
    return run->prepares && run->cursor >= run->m->confirm_after && !is_waiting(run) &&
           run->failure.id == ERR_NONE && run->cancelled_by[0] == '\0';
}

/* The steps after `first` that begin together with it, itself included. */
static int group_size(const struct run *run, int first)
{
    int group = run_step(run, first)->group;
    int size = 1;
    while (group != 0 && first + size < run_step_total(run) &&
           run_step(run, first + size)->group == group) {
        size++;
    }
    return size;
}

static bool value_of(const void *userdata, struct str name, struct buf *out)
{
    return run_args_value(userdata, name, out);
}

static void start_step(struct run *run, int index)
{
    const struct manifest_step *m = run_step(run, index);
    struct step *s = &run->steps[index];
    struct err err = {0};
    bool holds = true;
    const struct when_values values = {.value = value_of, .userdata = run};
    if (m->when[0] != '\0' && when_eval(str_c(m->when), &values, &holds, &err) < 0) {
        step_start(s);
        step_fail(s, &err);
    } else if (!holds) {
        step_skip(s);
    } else {
        step_start(s);
    }
}

/* While nothing can be stored: the steps up to the first that changes something run without rows.
 */
static bool may_run_unrecorded(const struct run *run)
{
    if (run->id != 0 || run->unrecorded.id == ERR_NONE) {
        return false;
    }
    for (int i = 0; i < run->cursor; i++) {
        if (run->steps[i].called && !step_is_reading(&run->steps[i])) {
            return false;
        }
    }
    return true;
}

/* If no step is running, starts the next ones, or ends the run. */
static void plan(struct run *run)
{
    while (!run->over && !is_waiting(run) && !run_is_prepared(run)) {
        int first = next_index(run);
        if (first == run_step_total(run)) {
            run->over = true;
            run->result = run_reply_result(run);
            return;
        }
        bool unrecorded = may_run_unrecorded(run);
        int size = group_size(run, first);
        run->cursor = first + size;
        for (int i = first; i < first + size; i++) {
            run->steps[i].unrecorded = unrecorded;
            start_step(run, i);
        }
    }
}

static bool is_ready(const struct step *s)
{
    return s->state == STEP_RUNNING && !s->called && (s->row == STEP_ROW_RUNNING || s->unrecorded);
}

static bool has_ready(const struct run *run)
{
    for (int i = 0; i < run->cursor; i++) {
        if (is_ready(&run->steps[i])) {
            return true;
        }
    }
    return false;
}

static void call_ready(struct run *run)
{
    for (int i = 0; i < run->cursor; i++) {
        if (is_ready(&run->steps[i])) {
            step_call(&run->steps[i]);
        }
    }
}

/* ------------------------------------------------------------------------------------- end ---- */

#define NOTED_LOCKS_MAX 16

/* Only of runs with a row that change something. */
static void note(const struct run *run, bool begins)
{
    struct runner *runner = run->runner;
    const char *locks[NOTED_LOCKS_MAX];
    struct err space = {0};
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    struct runner_note note = {.run_id = run->id, .who = run->who.name, .begins = begins};
    if (runner->o.noted == NULL || run->id == 0 || !run->m->changes || run->prepares) {
        return;
    }
    for (size_t i = 0; i < runner->locks.count && note.lock_count < NOTED_LOCKS_MAX; i++) {
        if (runner->locks.items[i].holder.run_id == run->id) {
            locks[note.lock_count++] = runner->locks.items[i].name;
        }
    }
    (void)run_args_line(run, &line);
    note.line = line.data;
    note.locks = locks;
    note.failure = begins ? NULL : run_error(run, &space);
    note.took_us = clock_mono_us(runner->o.clock) - run->started_mono_us;
    runner->o.noted(&note, runner->o.noted_userdata);
}

static void trace_run_end(const struct run *run, const struct err *failure, int64_t now_us)
{
    if (!trace_is_sampled(run->work)) {
        return;
    }
    int64_t took_us = clock_mono_us(run->runner->o.clock) - run->started_mono_us;
    struct span span = {.trace = run->work.trace,
                        .id = run->work.span,
                        .parent = run->work_parent,
                        .kind = SPAN_INTERNAL,
                        .failed = failure != NULL,
                        .name = "command",
                        .start_ns = (now_us - took_us) * 1000,
                        .end_ns = now_us * 1000};
    span_tag(&span, "command", run->m->name);
    span_tag(&span, "channel", channel_name(run->who.channel));
    if (run->id != 0) {
        char id[24];
        (void)snprintf(id, sizeof(id), "%lld", (long long)run->id);
        span_tag(&span, "run", id);
    }
    if (failure != NULL) {
        span_tag(&span, "error_code", err_info(failure->id)->code);
    }
    tracer_add(run->runner->o.telemetry->tracer, TRACER_OPS, &span);
}

static void measure(const struct run *run)
{
    struct telemetry *t = run->runner->o.telemetry;
    struct err space = {0};
    if (t != NULL) {
        int64_t took_us = clock_mono_us(run->runner->o.clock) - run->started_mono_us;
        int64_t now_us = clock_wall_us(run->runner->o.clock);
        const struct err *failure = run_error(run, &space);
        histogram_add_traced(&t->command, took_us * 1000, run->work.trace, now_us);
        telemetry_count(failure == NULL ? &t->runs_done : &t->runs_failed, 1);
        trace_run_end(run, failure, now_us);
    }
}

/* Reports the result to the waiting client, to `ended` and to `noted`, and frees the run. */
static void leave(struct run *run)
{
    struct runner *runner = run->runner;
    struct err space = {0};
    unlink_run(run);
    note(run, false);
    measure(run);
    if (run->on_reply != NULL) {
        run->on_reply(run->result, run_error(run, &space), run->userdata);
    }
    for (int i = 0; runner->o.ended != NULL && i < run_step_total(run); i++) {
        if (run->steps[i].call.action != NULL) {
            runner->o.ended(&run->steps[i].call, run->id, runner->o.ended_userdata);
        }
    }
    run_free(run);
    wake_outbox(runner);
}

/* ------------------------------------------------------------------------------------ store ----
 */

/* In one transaction. On failure the run is as it was before, so it can be tried again. */
static int store_changes(struct run *run, struct err *err)
{
    struct ops_store *store = run->runner->o.store;
    int64_t id = run->id;
    int64_t outbox_id = run->outbox_id;
    TRACE_WORK(run->work);
    int rc = ops_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    rc = id == 0 ? run_write_adopt(run, err) : 0;
    rc = rc < 0 ? rc : run_write_steps(run, err);
    if (rc < 0) {
        ops_store_rollback(store);
    } else {
        rc = ops_store_commit(store, err);
    }
    if (rc < 0) {
        run->id = id;
        run->outbox_id = outbox_id;
    } else {
        run_write_stored(run);
    }
    return rc;
}

/* Replies, once, although the end of a step cannot be stored: says what was done and that it is not
 * recorded yet, or that the next step waits until it can be. */
static void reply_unrecorded(struct run *run, const struct err *why)
{
    if (run->notified) {
        return;
    }
    run->notified = true;
    bool failed = run->failure.id != ERR_NONE;
    AUTO_REPLY struct reply *reply = run->over ? reply_copy(run->result)
                                     : failed  ? run_reply_result(run)
                                               : run_reply_progress(run);
    run_reply_add_unrecorded(reply, why, run->over || failed);
    run_deliver(run, reply);
    if (run->on_reply != NULL) {
        const struct err *notified = failed ? &run->failure : run->over ? NULL : why;
        if (notified == why) {
            reply_error(reply, why);
        }
        run->on_reply(reply, notified, run->userdata);
        run->on_reply = NULL;
        run->on_progress = NULL;
    }
}

/* Whether a step may not be called before its row is stored. */
static bool is_blocked(const struct run *run)
{
    for (int i = 0; i < run->cursor; i++) {
        const struct step *s = &run->steps[i];
        if (s->state == STEP_RUNNING && !s->called && !is_ready(s)) {
            return true;
        }
    }
    return false;
}

/* Stores what has changed. While that is not possible (for example, the disk is full), the run
 * waits in memory and retries. Returns false then. */
static bool store(struct run *run)
{
    struct err err = {0};
    /* Without a row, the timer of run_record stores it while its step is running. A run that only
     * reads then is never stored. */
    bool later = run->id == 0 && (!run->m->changes || (!run->over && !is_blocked(run)));
    if (later || !run_write_is_due(run)) {
        return true;
    }
    if (store_changes(run, &err) < 0) {
        if (!run->unstored) {
            log_err(LOG_LEVEL_ERROR, &err, "could not store the end of a step; will retry");
            reply_unrecorded(run, &err);
        }
        run->unstored = true;
        loop_timer_in(run->store_timer, STORE_RETRY_US);
        return false;
    }
    run->unstored = false;
    if (!run->over) {
        run_want_progress(run);
    }
    return true;
}

static void on_store_timer(void *userdata)
{
    run_go_on(userdata);
}

/* The steps before the confirmation have run: asks for it. Returns whether the run goes on here,
 * because what it would do is refused. */
static bool ask(struct run *run)
{
    struct runner *runner = run->runner;
    struct err refused = {0}, err = {0};
    int rc = runner_prepare_ask(run, &refused, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store a prompt; will retry");
        loop_timer_in(run->store_timer, STORE_RETRY_US);
        return false;
    }
    if (refused.id != ERR_NONE) {
        run->failure = refused;
        return true;
    }
    unlink_run(run);
    run_free(run);
    wake_outbox(runner);
    return false;
}

void run_go_on(struct run *run)
{
    for (;;) {
        call_ready(run);
        plan(run);
        if (has_ready(run)) {
            continue;
        }
        if (!store(run)) {
            return;
        }
        if (run->over) {
            break;
        }
        if (run_is_prepared(run)) {
            if (!ask(run)) {
                return;
            }
            continue;
        }
        if (!has_ready(run)) {
            return;
        }
    }
    if (run->id == 0) { /* it only read, and is never recorded */
        run_reply_add_unwritable(run->result, &run->unrecorded);
        run_deliver(run, run->result);
    } else if (reply_concealed_us(run->result) != 0) { /* it is stored nowhere */
        run_deliver(run, run->result);
    }
    leave(run);
}

void run_read(struct run *run)
{
    plan(run);
    for (bool reads = true; reads && !run->over && !run_is_prepared(run);) {
        for (int i = 0; i < run->cursor; i++) {
            reads = reads && (run->steps[i].state != STEP_RUNNING ||
                              (step_is_reading(&run->steps[i]) && !run->steps[i].called));
        }
        for (int i = 0; reads && i < run->cursor; i++) {
            if (run->steps[i].state == STEP_RUNNING) {
                step_call(&run->steps[i]);
            }
        }
        plan(run);
    }
}

void run_go(struct run *run)
{
    link_run(run);
    if (run->id != 0) {
        run_write_stored(run);
    }
    for (int i = 0; i < run_step_total(run); i++) { /* those that run_read has called */
        run->steps[i].call.run_id = run->id;
    }
    if (!run->over) {
        note(run, true);
    }
    run_go_on(run);
}

void run_recover(struct run *run)
{
    link_run(run);
    for (int i = 0; i < run->cursor; i++) {
        if (run->steps[i].state == STEP_RUNNING) {
            step_recover(&run->steps[i]);
        }
    }
    run_go_on(run);
}

void run_record(struct run *run)
{
    struct err err = {0};
    if (run->unstored) {
        run_go_on(run);
    } else {
        (void)store_changes(run, &err); /* while a step is running */
    }
}

int run_cancel(struct run *run, const char *by)
{
    int left = 0;
    (void)str_copy(str_c(by), run->cancelled_by, sizeof(run->cancelled_by));
    for (int i = 0; i < run->cursor; i++) {
        bool running = run->steps[i].state == STEP_RUNNING && !run_is_follow_up(run, i);
        left += running && !step_cancel(&run->steps[i]) ? 1 : 0;
    }
    run_go_on(run);
    return left;
}

void run_settle_finished(void *userdata)
{
    struct runner *runner = userdata;
    for (struct run *run = runner->runs; run != NULL;) {
        bool settled = false;
        for (int i = 0; i < run->cursor; i++) {
            settled = step_settle(&run->steps[i]) || settled;
        }
        if (settled) {
            run_go_on(run);
            run = runner->runs; /* the list may have changed */
        } else {
            run = run->next;
        }
    }
}

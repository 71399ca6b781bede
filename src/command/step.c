#include "step.h"

#include "approval.h"
#include "base/check.h"
#include "base/trace.h"
#include "io/json_out.h"
#include "model/telemetry.h"
#include "run.h"
#include "when.h"

#include <string.h>

#define LAST_READING_US (1 * USEC_PER_SEC)  /* for a reading at the end of a wait */
#define SHOWN_GAP_US    (60 * USEC_PER_SEC) /* between two messages about a long wait */

static void on_timer(void *userdata);

static const struct manifest_step *manifest_step_of(const struct step *s)
{
    return run_step(s->run, s->index);
}

static const struct clock *clock_of(const struct step *s)
{
    return s->run->runner->o.clock;
}

bool step_is_reading(const struct step *s)
{
    return manifest_step_of(s)->action->effect == ACTION_READS;
}

bool step_has_ended(const struct step *s)
{
    return s->state != STEP_WAITING && s->state != STEP_RUNNING;
}

static void arm(struct step *s, enum step_timer kind, int64_t in_us)
{
    if (s->timer == NULL) {
        s->timer = loop_add_timer(s->run->runner->o.loop, on_timer, s);
        loop_source_name(s->timer, "run step");
    }
    s->timer_kind = kind;
    loop_timer_in(s->timer, in_us);
}

static void abandon_call(struct step *s)
{
    if (s->pending && !s->finished && s->call.action->cancel != NULL) {
        s->call.action->cancel(&s->call);
    }
    s->pending = false;
}

static void release_call(struct step *s)
{
    if (s->timer != NULL) {
        loop_timer_stop(s->timer);
    }
    if (s->values != NULL) {
        run_args_free(s->call.action, s->values);
        s->values = NULL;
        s->call.args = NULL;
    }
    s->pending = false;
    s->progress[0] = '\0';
    free(s->stream);
    s->stream = NULL;
}

static void clear_outputs(struct step *s)
{
    for (int i = 0; i < s->output_count; i++) {
        free(s->outputs[i].value);
    }
    s->output_count = 0;
}

void step_release(struct step *s)
{
    abandon_call(s);
    release_call(s);
    clear_outputs(s);
    approval_free(s->approval);
    loop_source_free(s->timer);
    reply_free(s->call.reply);
}

/* --------------------------------------------------------------------------------- outcome ---- */

void step_start(struct step *s)
{
    s->state = STEP_RUNNING;
    s->called = false;
    s->began_us = clock_wall_us(clock_of(s));
    s->began_mono_us = clock_mono_us(clock_of(s));
}

static void trace_end(const struct step *s)
{
    struct telemetry *t = s->run->runner->o.telemetry;
    if (t == NULL || !trace_is_sampled(s->run->work) || s->state == STEP_SKIPPED) {
        return;
    }
    struct span span = {.trace = s->run->work.trace,
                        .id = tracer_span(t->tracer, TRACER_OPS),
                        .parent = s->run->work.span,
                        .kind = SPAN_INTERNAL,
                        .failed = s->state == STEP_FAILED,
                        .name = "step",
                        .start_ns = (s->ended_us - s->took_us) * 1000,
                        .end_ns = s->ended_us * 1000};
    span_tag(&span, "action", manifest_step_of(s)->action->name);
    tracer_add(t->tracer, TRACER_OPS, &span);
}

static void end(struct step *s, enum step_state state)
{
    release_call(s);
    s->state = state;
    s->attempt = 0;
    s->recovering = false;
    s->ended_us = clock_wall_us(clock_of(s));
    s->took_us = clock_mono_us(clock_of(s)) - s->began_mono_us;
    trace_end(s);
}

void step_skip(struct step *s)
{
    step_start(s);
    end(s, STEP_SKIPPED);
}

void step_fail(struct step *s, const struct err *why)
{
    bool interrupted = why->id == ERR_COMMAND_LOST || why->id == ERR_COMMAND_NOT_DONE;
    s->lost = s->recovering && interrupted;
    s->err = *why;
    if (s->run->failure.id == ERR_NONE) {
        s->run->failure = *why;
    }
    end(s, STEP_FAILED);
}

/* A step that may have taken effect is not retried, unless it only reads. */
static bool may_retry(const struct step *s, const struct err *failure)
{
    bool cancelled = s->run->cancelled_by[0] != '\0' && !run_is_follow_up(s->run, s->index);
    if (s->recovering || cancelled || s->attempt >= manifest_step_of(s)->retries) {
        return false;
    }
    switch (err_info(failure->id)->retry) {
    case ERR_RETRY_LATER:
        return true;
    case ERR_RETRY_UNKNOWN:
        return step_is_reading(s);
    case ERR_RETRY_NEVER:
    case ERR_RETRY_AFTER_FIX:
        return false;
    }
    return false;
}

/* Before the next attempt. Up to a fifth shorter, by a number that depends only on the run, the
 * step and the attempt: runs that failed together do not retry together. */
static int64_t retry_delay_us(const struct step *s)
{
    const struct manifest_backoff *b = &manifest_step_of(s)->backoff;
    int64_t delay_us = b->initial_us;
    for (int i = 1; i < s->attempt && delay_us < b->max_us; i++) {
        delay_us = (int64_t)((double)delay_us * b->factor);
    }
    delay_us = delay_us > b->max_us ? b->max_us : delay_us;
    uint64_t mix = (uint64_t)s->run->id * 0x9E3779B97F4A7C15U + (uint64_t)s->index * 1000003U +
                   (uint64_t)s->attempt * 10007U;
    mix ^= mix >> 31;
    return delay_us - (int64_t)(mix % 1000) * (delay_us / 5) / 1000;
}

/* -------------------------------------------------------------------------------- waiting ---- */

static bool is_waiting_for(const struct step *s)
{
    return manifest_step_of(s)->until.condition[0] != '\0';
}

static int64_t waited_us(const struct step *s)
{
    return clock_mono_us(clock_of(s)) - s->began_mono_us;
}

static int64_t wait_left_us(const struct step *s)
{
    return manifest_step_of(s)->until.within_us - waited_us(s);
}

/* "state down, latency_ms 12": what the last reading gave. */
static void add_outputs(const struct step *s, struct buf *out)
{
    for (int i = 0; i < s->output_count; i++) {
        buf_addf(out, "%s%s %s", i == 0 ? "" : ", ", s->outputs[i].name, s->outputs[i].value);
    }
}

/* Shows progress sixty times in a short wait, and once a minute in a long one. */
static void show_wait(struct step *s)
{
    int64_t gap_us = manifest_step_of(s)->until.within_us / 60;
    int64_t now_us = clock_mono_us(clock_of(s));
    AUTO_BUF struct buf text = BUF_INIT(1024);
    if (s->shown_mono_us != 0 &&
        now_us - s->shown_mono_us < (gap_us < SHOWN_GAP_US ? gap_us : SHOWN_GAP_US)) {
        return;
    }
    s->shown_mono_us = now_us;
    buf_addf(&text, "until %s, ", manifest_step_of(s)->until.condition);
    clock_add_duration(&text, waited_us(s));
    buf_add_c(&text, " of ");
    clock_add_duration(&text, manifest_step_of(s)->until.within_us);
    buf_add_c(&text, s->output_count > 0 ? "; now " : "");
    add_outputs(s, &text);
    str_cut(buf_str(&text), s->progress, sizeof(s->progress));
    run_want_progress(s->run);
}

static void fail_wait(struct step *s)
{
    const struct manifest_wait *wait = &manifest_step_of(s)->until;
    AUTO_BUF struct buf text = BUF_INIT(1024);
    struct err err = {0};
    clock_add_duration(&text, wait->within_us);
    buf_add_c(&text, s->output_count > 0 ? "; last seen: " : "");
    add_outputs(s, &text);
    (void)err_set(&err, ERR_STEP_NOT_MET, "%s, within %s", wait->condition, text.data);
    step_fail(s, &err);
}

static bool value_of(const void *userdata, struct str name, struct buf *out)
{
    return run_args_value(userdata, name, out);
}

/* A reading succeeded: ends the step if the condition holds, or prepares the next reading. */
static void check_wait(struct step *s)
{
    const struct manifest_wait *wait = &manifest_step_of(s)->until;
    const struct when_values values = {.value = value_of, .userdata = s->run};
    bool holds = false;
    struct err err = {0};
    if (when_eval(str_c(wait->condition), &values, &holds, &err) < 0) {
        step_fail(s, &err);
    } else if (holds) {
        end(s, STEP_DONE);
    } else if (wait_left_us(s) <= 0) {
        fail_wait(s);
    } else {
        int64_t left_us = wait_left_us(s);
        char shown[sizeof(s->progress)];
        memcpy(shown, s->progress, sizeof(shown));
        release_call(s);
        memcpy(s->progress, shown, sizeof(shown));
        s->attempt = 0;
        show_wait(s);
        arm(s, STEP_TIMER_AGAIN, left_us < wait->every_us ? left_us : wait->every_us);
    }
}

/* Ends the step, or prepares a retry. failure NULL: the action succeeded. */
static void settle(struct step *s, const struct err *failure)
{
    if (failure != NULL && s->recovering && failure->id == ERR_COMMAND_NOT_DONE &&
        run_is_follow_up(s->run, s->index)) {
        /* It is still necessary: it runs now. */
        release_call(s);
        s->recovering = false;
        s->called = false;
    } else if (failure != NULL && may_retry(s, failure)) {
        release_call(s);
        s->attempt++;
        arm(s, STEP_TIMER_AGAIN, retry_delay_us(s));
        (void)snprintf(s->progress, sizeof(s->progress), "%s; retrying",
                       err_info(failure->id)->message);
        run_want_progress(s->run);
    } else if (failure != NULL) {
        step_fail(s, failure);
    } else if (is_waiting_for(s)) {
        check_wait(s);
    } else {
        end(s, STEP_DONE);
    }
}

bool step_settle(struct step *s)
{
    if (s->state != STEP_RUNNING || !s->pending || !s->finished) {
        return false;
    }
    TRACE_RUN(s->run->id);
    TRACE_WORK(s->run->work);
    struct err err = s->call_err;
    settle(s, err.id == ERR_NONE ? NULL : &err);
    return true;
}

/* Not if its action has no cancel(), or if step_settle is about to end it. */
bool step_can_cancel(const struct step *s)
{
    return s->state == STEP_RUNNING &&
           (!s->pending || (!s->finished && s->call.action->cancel != NULL));
}

bool step_cancel(struct step *s)
{
    if (!step_can_cancel(s)) {
        return false;
    }
    abandon_call(s);
    end(s, STEP_CANCELLED);
    return true;
}

/* ------------------------------------------------------------------------------------ calls ----
 */

static void call_progress(struct action_call *call, const char *text)
{
    struct step *s = call->owner;
    (void)str_copy(str_c(text), s->progress, sizeof(s->progress));
    run_want_progress(s->run);
}

/* Of a long one, the end: that is where it grows. */
static void call_stream(struct action_call *call, struct str text)
{
    struct step *s = call->owner;
    size_t skip = text.len > STEP_STREAM_MAX ? text.len - STEP_STREAM_MAX : 0;
    while (skip < text.len && ((unsigned char)text.ptr[skip] & 0xc0) == 0x80) {
        skip++;
    }
    AUTO_BUF struct buf kept = BUF_INIT(STEP_STREAM_MAX + 8);
    buf_add_c(&kept, skip > 0 ? "…" : "");
    buf_add_str(&kept, str_n(text.ptr + skip, text.len - skip));
    free(s->stream);
    s->stream = buf_detach(&kept);
    run_want_progress(s->run);
}

static void call_finish(struct action_call *call, const struct err *err)
{
    struct step *s = call->owner;
    ASSERT(!s->finished && (s->pending || s->in_action));
    s->finished = true;
    s->call_err = err == NULL ? (struct err){0} : *err;
    if (!s->in_action) {
        loop_defer(s->run->runner->settle);
    }
}

static int call_remember(struct action_call *call, const char *text, struct err *err)
{
    struct step *s = call->owner;
    (void)str_copy(str_c(text), s->note, sizeof(s->note));
    return s->row == STEP_ROW_NONE
               ? 0
               : run_table_step_note(s->run->runner->o.store, s->run->id, s->index, text, err);
}

static void call_output(struct action_call *call, const char *name, const char *value)
{
    struct step *s = call->owner;
    int i = 0;
    while (i < s->output_count && strcmp(s->outputs[i].name, name) != 0) {
        i++;
    }
    ASSERT(i < STEP_OUTPUTS_MAX);
    if (i == s->output_count) {
        (void)str_copy(str_c(name), s->outputs[i].name, sizeof(s->outputs[i].name));
        s->output_count++;
    } else {
        free(s->outputs[i].value);
    }
    s->outputs[i].value = strdup(value);
    ASSERT(s->outputs[i].value != NULL);
}

static void set_label(struct step *s)
{
    AUTO_BUF struct buf label = BUF_INIT(4096);
    buf_add_c(&label, s->call.action->summary);
    run_args_add_values(&label, s->call.action, s->values);
    str_cut(buf_str(&label), s->label, sizeof(s->label));
}

/* Makes a new call of the action; begun_us is wall time. */
static int make_call(struct step *s, int64_t begun_us, struct err *err)
{
    struct run *run = s->run;
    const struct manifest_step *m = manifest_step_of(s);
    reply_free(s->call.reply);
    clear_outputs(s);
    s->call =
        (struct action_call){.action = m->action,
                             .m = run->m,
                             .userdata = action_table_userdata(run->runner->o.actions, m->action),
                             .who = &run->who,
                             .reply = reply_new(),
                             .run_id = run->id,
                             .chat_id = run->chat_id,
                             .thread_id = run->thread_id,
                             .shelf = run->runner->o.shelf,
                             .step = s->index,
                             .begun_us = begun_us,
                             .progress = call_progress,
                             .stream = call_stream,
                             .finish = call_finish,
                             .remember = call_remember,
                             .output = call_output,
                             .owner = s};
    s->finished = false;
    int rc = run_args_resolve(run, m, &s->values, err);
    s->call.args = s->values;
    set_label(s);
    return rc;
}

int64_t step_timeout_us(const struct manifest_step *m, const struct arg_value *values)
{
    const struct action *action = m->action;
    int64_t waits_us = 0;
    for (int p = 0; values != NULL && p < action_param_count(action); p++) {
        if (action->params[p].waits && values[p].type == PARAM_DURATION) {
            waits_us += values[p].duration_us;
        }
    }
    return waits_us >= m->timeout_us ? waits_us + MANIFEST_MARGIN_US : m->timeout_us;
}

static int64_t limit_us(const struct step *s)
{
    int64_t limit_us = step_timeout_us(manifest_step_of(s), s->values);
    if (is_waiting_for(s)) {
        int64_t left_us = wait_left_us(s);
        left_us = left_us < LAST_READING_US ? LAST_READING_US : left_us;
        limit_us = left_us < limit_us ? left_us : limit_us;
    }
    return limit_us;
}

/* Handles rc, which the action's function returned: ACTION_DONE, ACTION_PENDING or an error. */
static int accept_result(struct step *s, int rc, struct err *err)
{
    s->in_action = false;
    if (rc != ACTION_PENDING) {
        return rc;
    }
    if (s->finished) { /* it finished before it returned */
        *err = s->call_err;
        return s->call_err.id == ERR_NONE ? ACTION_DONE : -s->call_err.id;
    }
    s->pending = true;
    arm(s, STEP_TIMER_LIMIT, limit_us(s));
    run_want_progress(s->run);
    return ACTION_PENDING;
}

void step_call(struct step *s)
{
    TRACE_RUN(s->run->id);
    TRACE_WORK(s->run->work);
    struct err err = {0};
    s->called = true;
    int rc = make_call(s, clock_wall_us(clock_of(s)), &err);
    if (rc == 0) {
        s->in_action = true;
        rc = accept_result(s, s->call.action->run(&s->call, &err), &err);
    }
    if (rc != ACTION_PENDING) {
        settle(s, rc < 0 ? &err : NULL);
    }
}

static void time_out(struct step *s)
{
    const struct manifest_step *m = manifest_step_of(s);
    struct err err = {0};
    AUTO_BUF struct buf limit = BUF_INIT(64);
    if (is_waiting_for(s) && wait_left_us(s) <= 0) {
        abandon_call(s);
        fail_wait(s);
        return;
    }
    clock_add_duration(&limit, limit_us(s));
    (void)err_set(&err, ERR_STEP_TIMEOUT, "%s, after %s", m->action->name, limit.data);
    abandon_call(s);
    settle(s, &err);
}

static void on_timer(void *userdata)
{
    struct step *s = userdata;
    TRACE_RUN(s->run->id);
    TRACE_WORK(s->run->work);
    switch (s->timer_kind) {
    case STEP_TIMER_LIMIT:
        if (s->finished) {
            return; /* run_settle_finished is about to handle it */
        }
        time_out(s);
        break;
    case STEP_TIMER_AGAIN:
        if (!is_waiting_for(s)) {
            s->progress[0] = '\0';
        }
        s->called = false;
        break;
    }
    run_go_on(s->run);
}

/* ---------------------------------------------------------------------------------- recovery ----
 */

static bool restore_outputs(struct step *s, const char *json)
{
    AUTO_JSON struct json_object *outputs = NULL;
    if (json[0] == '\0') {
        return true;
    }
    if (json_parse(str_c(json), &JSON_LIMITS_DEFAULT, &outputs, NULL) < 0 ||
        !json_object_is_type(outputs, json_type_object) ||
        json_object_object_length(outputs) > STEP_OUTPUTS_MAX) {
        return false;
    }
    s->call.owner = s;
    json_object_object_foreach(outputs, name, value)
    {
        call_output(&s->call, name, json_object_get_string(value));
    }
    return true;
}

/* The failure in the row of a step: "CODE: context". */
static void restore_failure(struct step *s, const struct run_step *row)
{
    struct str rest = str_c(row->result);
    struct str code;
    char name[64] = "";
    if (str_split(&rest, ':', &code)) {
        (void)str_copy(code, name, sizeof(name));
    }
    enum err_id id = err_by_code(name);
    (void)err_set(&s->err, id == ERR_NONE ? ERR_COMMAND_LOST : id, "%.*s", STR_ARG(str_trim(rest)));
    s->lost = row->state == RUN_STEP_UNKNOWN || s->err.id == ERR_COMMAND_NOT_DONE;
    if (s->run->failure.id == ERR_NONE) {
        s->run->failure = s->err;
    }
}

bool step_restore(struct step *s, const struct run_step *row)
{
    const struct action *action = manifest_step_of(s)->action;
    if (strcmp(row->action, action->name) != 0 || !restore_outputs(s, row->outputs)) {
        return false;
    }
    s->row = STEP_ROW_ENDED;
    switch (row->state) {
    case RUN_STEP_RUNNING:
        s->state = STEP_RUNNING;
        s->row = STEP_ROW_RUNNING;
        (void)str_copy(str_c(row->result), s->note, sizeof(s->note));
        break;
    case RUN_STEP_DONE:
        s->state = STEP_DONE;
        break;
    case RUN_STEP_SKIPPED:
        s->state = STEP_SKIPPED;
        break;
    case RUN_STEP_CANCELLED:
        s->state = STEP_CANCELLED;
        break;
    case RUN_STEP_FAILED:
    case RUN_STEP_UNKNOWN:
        s->state = STEP_FAILED;
        restore_failure(s, row);
        break;
    }
    s->began_us = row->started_us;
    s->ended_us = row->ended_us;
    s->took_us = row->ended_us > row->started_us ? row->ended_us - row->started_us : 0;
    /* The time that it has waited counts. Whatever the wall clock says, it reads once more. */
    int64_t ago_us = clock_wall_us(clock_of(s)) - s->began_us;
    bool counts = row->state == RUN_STEP_RUNNING && is_waiting_for(s) && ago_us > 0;
    s->began_mono_us = clock_mono_us(clock_of(s)) - (counts ? ago_us : 0);
    return true;
}

/* Asks the action whether the interrupted call took effect. ACTION_PENDING: it answers later. */
static int look_up(struct step *s, bool *ret_happened, struct err *err)
{
    const struct action *action = manifest_step_of(s)->action;
    if (action->recover == NULL) {
        return err_set(err, ERR_COMMAND_LOST, "%s", action->name);
    }
    int rc = make_call(s, s->began_us, err);
    if (rc < 0) {
        return rc;
    }
    s->call.remembered = s->note[0] == '\0' ? NULL : s->note;
    s->in_action = true;
    rc = action->recover(&s->call, ret_happened, err);
    *ret_happened |= rc == ACTION_PENDING; /* then the error of action_finish decides */
    return accept_result(s, rc, err);
}

void step_recover(struct step *s)
{
    TRACE_RUN(s->run->id);
    TRACE_WORK(s->run->work);
    struct err err = {0};
    bool happened = false;
    if (step_is_reading(s)) {
        return; /* it runs again */
    }
    s->recovering = true;
    s->called = true;
    int rc = look_up(s, &happened, &err);
    if (rc == ACTION_PENDING) {
        return;
    }
    if (rc == ACTION_DONE && !happened) {
        rc = err_set(&err, ERR_COMMAND_NOT_DONE, "%s", manifest_step_of(s)->action->name);
    }
    settle(s, rc < 0 ? &err : NULL);
}

/* ----------------------------------------------------------------------------------- outputs ----
 */

const char *step_output(const struct step *s, struct str name)
{
    for (int i = 0; i < s->output_count; i++) {
        if (str_equal_c(name, s->outputs[i].name)) {
            return s->outputs[i].value;
        }
    }
    return NULL;
}

void step_outputs_json(const struct step *s, struct buf *text)
{
    struct json_out out = JSON_OUT(text);
    if (s->output_count == 0) {
        return;
    }
    json_out_object(&out, NULL);
    for (int i = 0; i < s->output_count; i++) {
        json_out_text(&out, s->outputs[i].name, s->outputs[i].value);
    }
    json_out_end(&out);
}

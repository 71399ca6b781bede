#include "run.h"

#include "base/check.h"
#include "base/log.h"
#include "card.h"
#include "config/config.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"

#include <string.h>

#define PROGRESS_FIRST_US (500 * USEC_PER_MSEC)  /* what is quicker answers at once, without it */
#define PROGRESS_GAP_US   (1500 * USEC_PER_MSEC) /* chats limit edits to about one a second */
#define RETRY_DELAY_US    USEC_PER_SEC           /* times the attempt */
#define STORE_RETRY_US    (5 * USEC_PER_SEC)
#define DETAIL_MAX        1000

static void on_timer(void *userdata);
static void on_progress_timer(void *userdata);

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    ASSERT(copy != NULL);
    return copy;
}

struct run *run_new(struct runner *runner, const struct manifest *m, const struct principal *who,
                    int64_t chat_id)
{
    struct run *run = calloc(1, sizeof(*run));
    ASSERT(run != NULL);
    run->runner = runner;
    run->m = m;
    run->who = *who;
    run->chat_id = chat_id;
    run->started_mono_us = clock_mono_us(runner->o.clock);
    run->timer = loop_add_timer(runner->o.loop, on_timer, run);
    loop_source_name(run->timer, "run step");
    run->progress_timer = loop_add_timer(runner->o.loop, on_progress_timer, run);
    loop_source_name(run->progress_timer, "run progress");
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
    run_values_free(run->values);
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
    loop_source_free(run->timer);
    loop_source_free(run->progress_timer);
    for (int i = 0; i < ACTION_PARAMS_MAX; i++) {
        free(run->args[i]);
    }
    for (int i = 0; i < RUN_STEPS_MAX; i++) {
        reply_free(run->replies[i]);
    }
    reply_free(run->call.reply);
    reply_free(run->result);
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

/* ----------------------------------------------------------------------------- arguments ---- */

static int find_arg(const struct manifest *m, struct str name)
{
    for (int i = 0; i < m->arg_count; i++) {
        if (str_equal_c(name, m->args[i].name)) {
            return i;
        }
    }
    return -1;
}

static int set_arg(struct run *run, int index, struct str value, struct err *err)
{
    const struct manifest_arg *arg = &run->m->args[index];
    const struct param_rule rule = {arg->name, arg->type, arg->choices};
    char text[PARAM_VALUE_SIZE];
    int rc = param_check(&rule, run->runner->o.config, value, text, err);
    if (rc < 0) {
        return rc;
    }
    free(run->args[index]);
    run->args[index] = copy_text(text);
    return 0;
}

/* name=value, when name is an argument of this command. */
static int named_arg(const struct run *run, const char *word, struct str *ret_value)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL) {
        return -1;
    }
    *ret_value = str_c(equals + 1);
    return find_arg(run->m, str_n(word, (size_t)(equals - word)));
}

int run_bind(struct run *run, const struct line *line, struct err *err)
{
    size_t given = line->count - 1;
    int next = 0;
    for (size_t i = 1; i < line->count && i < LINE_WORDS_MAX; i++) {
        struct str value = str_c(line->words[i]);
        int index = line->quoted[i] ? -1 : named_arg(run, line->words[i], &value);
        if (index < 0) {
            while (next < run->m->arg_count && run->args[next] != NULL) {
                next++;
            }
            index = next;
            value = str_c(line->words[i]);
        }
        if (index >= run->m->arg_count) {
            return err_set(err, ERR_COMMAND_ARG_EXTRA, "%s takes %d, the line gives %zu",
                           run->m->name, run->m->arg_count, given);
        }
        int rc = set_arg(run, index, value, err);
        if (rc < 0) {
            return rc;
        }
    }
    for (int i = 0; i < run->m->arg_count; i++) {
        if (run->m->args[i].required && run->args[i] == NULL) {
            return err_set(err, ERR_COMMAND_ARG_MISSING, "%s: %s", run->m->args[i].name,
                           run->m->args[i].help);
        }
    }
    return 0;
}

int run_bind_json(struct run *run, const char *args_json, struct err *err)
{
    AUTO_JSON struct json_object *args = NULL;
    int rc = json_parse(str_c(args_json), &JSON_LIMITS_DEFAULT, &args, err);
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < run->m->arg_count; i++) {
        const char *name = run->m->args[i].name;
        if (json_is_text(json_get(args, name)) &&
            (rc = set_arg(run, i, json_str(args, name), err)) < 0) {
            return rc;
        }
        if (run->m->args[i].required && run->args[i] == NULL) {
            return err_set(err, ERR_COMMAND_ARG_MISSING, "%s", name);
        }
    }
    return 0;
}

void run_args_json(const struct run *run, struct buf *out)
{
    AUTO_JSON struct json_object *args = json_object_new_object();
    for (int i = 0; i < run->m->arg_count; i++) {
        if (run->args[i] != NULL) {
            (void)json_object_object_add(args, run->m->args[i].name,
                                         json_object_new_string(run->args[i]));
        }
    }
    json_add_text(out, args);
}

void run_line(const struct run *run, struct buf *out)
{
    buf_add_c(out, run->m->name);
    bool skipped = false;
    for (int i = 0; i < run->m->arg_count; i++) {
        const char *value = run->args[i];
        if (value == NULL) {
            skipped = true;
            continue;
        }
        const char *mark = strchr(value, '"') != NULL ? "'" : "\"";
        const char *quote = value[0] == '\0' || strpbrk(value, " \t\r\n'\"") != NULL ? mark : "";
        buf_add_char(out, ' ');
        if (skipped) {
            buf_addf(out, "%s=", run->m->args[i].name);
            quote = "";
        }
        buf_addf(out, "%s%s%s", quote, value, quote);
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

/* "$arg" alone yields the argument, or nothing when it was not given; inside a text it is put in.
 */
static bool substitute(const struct run *run, const char *template, struct buf *out)
{
    struct str rest = str_c(template);
    if (rest.ptr[0] == '$' && find_arg(run->m, str_c(rest.ptr + 1)) >= 0) {
        const char *value = run->args[find_arg(run->m, str_c(rest.ptr + 1))];
        buf_add_c(out, value == NULL ? "" : value);
        return value != NULL;
    }
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] != '$') {
            buf_add_char(out, rest.ptr[i]);
            continue;
        }
        size_t size = 1 + strspn(rest.ptr + i + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
        int index = find_arg(run->m, str_n(rest.ptr + i + 1, size - 1));
        ASSERT(index >= 0); /* manifest.c saw to it */
        buf_add_c(out, run->args[index] == NULL ? "" : run->args[index]);
        i += size - 1;
    }
    return true;
}

int run_resolve(const struct run *run, const struct manifest_step *step,
                char *ret_values[ACTION_PARAMS_MAX], struct err *err)
{
    for (int w = 0; w < step->with_count; w++) {
        int p = 0;
        while (strcmp(step->action->params[p].name, step->with[w].param) != 0) {
            p++; /* manifest.c saw to it that there is one */
        }
        const struct action_param *param = &step->action->params[p];
        AUTO_BUF struct buf value = BUF_INIT(8 * PARAM_VALUE_SIZE);
        if (!substitute(run, step->with[w].value, &value)) {
            continue;
        }
        const struct param_rule rule = {param->name, param->type, param->choices};
        char text[PARAM_VALUE_SIZE];
        int rc = param_check(&rule, run->runner->o.config, buf_str(&value), text, err);
        if (rc < 0) {
            run_values_free(ret_values);
            return rc;
        }
        ret_values[p] = copy_text(text);
    }
    return 0;
}

void run_values_free(char *values[ACTION_PARAMS_MAX])
{
    for (int i = 0; i < ACTION_PARAMS_MAX; i++) {
        free(values[i]);
        values[i] = NULL;
    }
}

/* ------------------------------------------------------------------------ what is written ---- */

bool run_door_is_chat(enum door door)
{
    return door == DOOR_CONSOLE || door == DOOR_TELEGRAM;
}

int run_audit(const struct run *run, const char *action, const char *more, const char *result,
              struct err *err)
{
    AUTO_BUF struct buf detail = BUF_INIT(DETAIL_MAX + LINE_BYTES_MAX);
    buf_addf(&detail, "run %lld: ", (long long)run->id);
    run_line(run, &detail);
    if (more[0] != '\0') {
        buf_addf(&detail, ": %s", more);
    }
    return access_audit(run->runner->o.access, &run->who, action, detail.data, result, err);
}

int run_post(struct runner *runner, const struct principal *who, int64_t chat_id,
             struct reply *reply, int64_t run_id, bool urgent, int64_t *outbox_id, struct err *err)
{
    if (runner->o.decorate != NULL) {
        runner->o.decorate(reply, runner->o.decorate_userdata);
    }
    if (!run_door_is_chat(who->door)) {
        return 0;
    }
    AUTO_JSON struct json_object *value = reply_json(reply);
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    json_add_text(&payload, value);
    if (buf_failed(&payload)) { /* chats do not show data: the part that programs read */
        buf_clear(&payload);
        json_object_object_del(value, "data");
        json_add_text(&payload, value);
    }
    if (buf_failed(&payload)) {
        return err_set(err, ERR_BUF_FULL, "reply of %zu blocks", reply_block_count(reply));
    }
    const struct outbox_new message = {.door = door_name(who->door),
                                       .chat_id = chat_id,
                                       .kind = *outbox_id == 0 ? OUTBOX_SEND : OUTBOX_EDIT,
                                       .priority = urgent ? OUTBOX_CRITICAL : OUTBOX_NORMAL,
                                       .payload = payload.data,
                                       .run_id = run_id,
                                       .edit_of = *outbox_id};
    int64_t id = 0;
    int rc = outbox_table_add(runner->o.store, &message, clock_wall_us(runner->o.clock), &id, err);
    if (rc == 0 && *outbox_id == 0) {
        *outbox_id = id;
    }
    return rc;
}

static void tell_outbox(const struct runner *runner)
{
    if (runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
}

static bool is_reading(const struct run *run)
{
    return run_step(run, run->step)->action->effect == ACTION_READS;
}

int run_write_start(struct run *run, struct err *err)
{
    int64_t now_us = clock_wall_us(run->runner->o.clock);
    const char *action = run_step(run, run->step)->action->name;
    int rc = run_table_step_begin(run->runner->o.store, run->id, run->step, action, now_us, err);
    if (rc < 0) {
        return rc;
    }
    run->marks[run->step].state = MARK_RUNNING;
    run->step_mono_us = clock_mono_us(run->runner->o.clock);
    return run_audit(run, "step.started", action, "ok", err);
}

/* The result of a step as it stands in its row: "ok", or "CODE: context". */
static int write_step_end(struct run *run, const struct err *failure, struct err *err)
{
    AUTO_BUF struct buf result = BUF_INIT(DETAIL_MAX);
    const char *action = run_step(run, run->step)->action->name;
    if (failure == NULL) {
        buf_add_c(&result, "ok");
    } else {
        buf_addf(&result, "%s: %s", err_info(failure->id)->code, failure->context);
    }
    int rc = run_table_step_end(run->runner->o.store, run->id, run->step,
                                failure == NULL ? RUN_STEP_DONE : RUN_STEP_FAILED, result.data,
                                clock_wall_us(run->runner->o.clock), err);
    if (rc < 0) {
        return rc;
    }
    return run_audit(run, failure == NULL ? "step.done" : "step.failed", action,
                     failure == NULL ? "ok" : err_info(failure->id)->code, err);
}

static int write_finish(struct run *run, enum run_state state, struct reply *result,
                        struct err *err)
{
    struct runner *runner = run->runner;
    AUTO_BUF struct buf data = BUF_INIT(RUN_JSON_MAX);
    json_add_text(&data, reply_data(result));
    int rc =
        run_table_finish(runner->o.store, run->id, state, run->failure.id,
                         buf_failed(&data) ? NULL : data.data, clock_wall_us(runner->o.clock), err);
    if (rc < 0) {
        return rc;
    }
    rc = run_audit(run, "command.finished", run_table_state_name(state),
                   run->failure.id == ERR_NONE ? "ok" : err_info(run->failure.id)->code, err);
    if (rc < 0) {
        return rc;
    }
    return run_post(runner, &run->who, run->chat_id, result, run->id, run->m->emergency,
                    &run->outbox_id, err);
}

/* ------------------------------------------------------------------------------- progress ---- */

static void on_progress_timer(void *userdata)
{
    struct run *run = userdata;
    struct ops_store *store = run->runner->o.store;
    AUTO_REPLY struct reply *card = card_progress(run);
    struct err err = {0};
    int64_t outbox_id = run->outbox_id;
    int rc = ops_store_begin(store, &err);
    if (rc == 0) {
        rc = run_post(run->runner, &run->who, run->chat_id, card, run->id, run->m->emergency,
                      &outbox_id, &err);
        if (rc == 0) {
            rc = ops_store_commit(store, &err);
        } else {
            ops_store_rollback(store);
        }
    }
    run->told_mono_us = clock_mono_us(run->runner->o.clock);
    if (rc < 0) { /* the result will tell */
        log_err(LOG_LEVEL_WARNING, &err, "could not show progress");
        return;
    }
    run->outbox_id = outbox_id;
    tell_outbox(run->runner);
}

static void want_progress(struct run *run)
{
    if (!run_door_is_chat(run->who.door) || loop_timer_armed(run->progress_timer)) {
        return;
    }
    int64_t since_us = clock_mono_us(run->runner->o.clock) - run->told_mono_us;
    bool first = run->told_mono_us == 0;
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
    const struct run *run = call->owner;
    return run_table_step_note(run->runner->o.store, run->id, run->step, text, err);
}

/* Runs the current step's action; ACTION_DONE, ACTION_PENDING or an error. */
static int begin_call(struct run *run, struct err *err)
{
    const struct manifest_step *step = run_step(run, run->step);
    reply_free(run->call.reply);
    run->call = (struct action_call){
        .action = step->action,
        .userdata = action_table_userdata(run->runner->o.actions, step->action),
        .who = &run->who,
        .reply = reply_new(),
        .run_id = run->id,
        .step = run->step,
        .progress = call_progress,
        .finish = call_finish,
        .remember = call_remember,
        .owner = run};
    run->finished = false;
    int rc = run_resolve(run, step, run->values, err);
    if (rc < 0) {
        return rc;
    }
    for (int p = 0; p < ACTION_PARAMS_MAX; p++) {
        run->call.args[p] = run->values[p];
    }
    run->in_action = true;
    rc = step->action->run(&run->call, err);
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
    loop_timer_in(run->timer, step->timeout_us);
    want_progress(run);
    return ACTION_PENDING;
}

/* A step that may have taken effect is never run again, unless it only reads. */
static bool may_retry(const struct run *run, const struct err *failure)
{
    if (run->attempt >= run_step(run, run->step)->retries) {
        return false;
    }
    switch (err_info(failure->id)->retry) {
    case ERR_RETRY_LATER:
        return true;
    case ERR_RETRY_UNKNOWN:
        return is_reading(run);
    case ERR_RETRY_NEVER:
    case ERR_RETRY_AFTER_FIX:
        return false;
    }
    return false;
}

/* The run leaves memory; what the client waits for is told. */
static void leave(struct run *run, const struct err *failure)
{
    unlink_run(run);
    if (run->on_reply != NULL) {
        run->on_reply(run->result, failure, run->userdata);
    }
    run_free(run);
}

/* The index after the current step, or -1: the run ends. */
static int next_step(const struct run *run)
{
    int next = run->step + 1;
    if (run->step < run->m->step_count && run->failure.id != ERR_NONE) {
        next = run->m->step_count; /* on_failure begins */
    } else if (next == run->m->step_count && run->failure.id == ERR_NONE) {
        return -1;
    }
    return next < run_step_total(run) ? next : -1;
}

/* One transaction: this step's end, and the next one's beginning or the run's end with its reply.
 * On failure everything is as before, so that it can be tried again. */
static int write_advance(struct run *run, struct err *err)
{
    struct ops_store *store = run->runner->o.store;
    const struct err *failure = run->end_err.id == ERR_NONE ? NULL : &run->end_err;
    int step = run->step;
    int64_t outbox_id = run->outbox_id;
    int rc = ops_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    rc = write_step_end(run, failure, err);
    int next = next_step(run);
    if (rc == 0 && next >= 0) {
        run->step = next;
        rc = run_write_start(run, err);
    } else if (rc == 0) {
        if (run->result == NULL) {
            run->result = card_result(run);
        }
        rc = write_finish(run, run->failure.id == ERR_NONE ? RUN_DONE : RUN_FAILED, run->result,
                          err);
    }
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
    return rc;
}

/* A client that waits is not left without an answer; a chat cannot be told without the disk. */
static void tell_unstored(struct run *run, const struct err *err)
{
    if (run->on_reply != NULL) {
        AUTO_REPLY struct reply *card = reply_new();
        reply_error(card, err);
        run->on_reply(card, err, run->userdata);
        run->on_reply = NULL;
    }
}

/* Puts the end of a step on disk; the run waits in memory while that is not possible (a full disk),
 * so that the person hears of it as soon as it is. True: the next step is begun. */
static bool store_end(struct run *run)
{
    struct err err = {0};
    if (write_advance(run, &err) < 0) {
        if (!run->ended) {
            log_err(LOG_LEVEL_ERROR, &err, "could not store how a step ended; trying on");
            tell_unstored(run, &err);
        }
        run->ended = true;
        run->timer_kind = RUN_TIMER_STORE;
        loop_timer_in(run->timer, STORE_RETRY_US);
        return false;
    }
    run->ended = false;
    if (run->result != NULL) {
        struct err how = run->failure;
        struct runner *runner = run->runner;
        leave(run, how.id == ERR_NONE ? NULL : &how);
        tell_outbox(runner);
        return false;
    }
    if (run->told_mono_us != 0) {
        want_progress(run);
    }
    return true;
}

/* The current step has ended. True: the next one is begun. False: the run has left memory, or
 * waits to try again. */
static bool advance(struct run *run, const struct err *failure)
{
    release_call(run);
    if (failure != NULL && may_retry(run, failure)) {
        run->attempt++;
        run->timer_kind = RUN_TIMER_RETRY;
        loop_timer_in(run->timer, run->attempt * RETRY_DELAY_US);
        (void)snprintf(run->progress, sizeof(run->progress), "%s; trying again",
                       err_info(failure->id)->message);
        want_progress(run);
        return false;
    }
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

void run_go(struct run *run)
{
    link_run(run);
    continue_steps(run);
}

void run_settle(struct run *run, const struct err *err)
{
    link_run(run);
    if (advance(run, err)) {
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
        if (!run->finished) { /* else just in time: run_settle_finished is about to see it */
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

int run_end_lost(struct run *run, enum err_id id, struct err *err)
{
    struct ops_store *store = run->runner->o.store;
    const char *action = run_step(run, run->step)->action->name;
    (void)err_set(&run->failure, id, "%s", action);
    AUTO_REPLY struct reply *card = reply_new();
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    run_line(run, &line);
    reply_title(card, TONE_BAD, "%s: %s", line.data, err_info((int)id)->message);
    reply_error(card, &run->failure);

    int rc = ops_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    bool known = id != ERR_COMMAND_LOST;
    rc = run_table_step_end(store, run->id, run->step, known ? RUN_STEP_FAILED : RUN_STEP_UNKNOWN,
                            err_info((int)id)->code, clock_wall_us(run->runner->o.clock), err);
    if (rc == 0) {
        rc = write_finish(run, known ? RUN_FAILED : RUN_UNKNOWN, card, err);
    }
    if (rc < 0) {
        ops_store_rollback(store);
        return rc;
    }
    rc = ops_store_commit(store, err);
    if (rc == 0) {
        tell_outbox(run->runner);
    }
    return rc;
}

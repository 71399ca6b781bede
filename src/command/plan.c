/* command.plan: what a command line would do now, without doing it. */
#include "plan.h"

#include "base/check.h"
#include "builtin.h"
#include "io/json_out.h"
#include "reply_make.h"
#include "run.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "stage.h"
#include "when.h"

#include <string.h>

enum will { WILL_RUN, WILL_SKIP, WILL_DEPEND };

static const char *const will_names[] = {"run", "skip", "depends"};

/* ------------------------------------------------------------------------------ conditions ---- */

struct names {
    const struct run *run;
    bool open; /* the value of one of them is known only when an earlier step has run */
};

/* An output that no step has given yet: its step has not run here, because it changes something or
 * waits. */
static bool is_open(const struct run *run, struct str name)
{
    struct str output = name, id;
    bool has_dot = memchr(name.ptr, '.', name.len) != NULL && str_split(&output, '.', &id);
    const struct step *s = has_dot ? run_find_step(run, id) : NULL;
    return s != NULL && s->state != STEP_DONE && s->state != STEP_SKIPPED;
}

static bool note_name(const void *userdata, struct str name, struct err *err)
{
    (void)err;
    struct names *names = *(struct names *const *)userdata;
    names->open = names->open || is_open(names->run, name);
    return true;
}

static bool value_of(const void *userdata, struct str name, struct buf *out)
{
    return run_args_value(userdata, name, out);
}

static enum will decide(const struct run *run, const struct manifest_step *step)
{
    struct names names = {.run = run}, *const to = &names;
    const struct when_names visit = {.known = note_name, .userdata = &to};
    const struct when_values values = {.value = value_of, .userdata = run};
    size_t offset = 0;
    bool holds = true;
    struct err err = {0};
    if (step->when[0] == '\0') {
        return WILL_RUN;
    }
    (void)when_check(str_c(step->when), &visit, &offset, &err);
    if (names.open || when_eval(str_c(step->when), &values, &holds, &err) < 0) {
        return WILL_DEPEND;
    }
    return holds ? WILL_RUN : WILL_SKIP;
}

static bool is_argument(const void *userdata, struct str name, struct err *err)
{
    (void)userdata;
    if (memchr(name.ptr, '.', name.len) != NULL) {
        (void)err_set(err, ERR_MANIFEST_FORMAT, "an output");
        return false;
    }
    return true;
}

bool plan_is_chosen(const struct manifest_step *step)
{
    const struct when_names visit = {.known = is_argument};
    size_t offset = 0;
    struct err err = {0};
    return step->when[0] != '\0' && when_check(str_c(step->when), &visit, &offset, &err) == 0;
}

bool plan_skips(const struct run *run, const struct manifest_step *step)
{
    return decide(run, step) == WILL_SKIP;
}

bool plan_depends(const struct run *run, const struct manifest_step *step)
{
    return decide(run, step) == WILL_DEPEND;
}

/* Whether a later step uses outputs, so that the leading steps that read are worth running here. */
static bool uses_outputs(const struct run *run)
{
    for (int i = 0; i < run_step_total(run); i++) {
        if (run_step(run, i)->id[0] != '\0') {
            return true;
        }
    }
    return false;
}

/* ----------------------------------------------------------------------------------- steps ---- */

static bool has_open(const struct run *run, const struct manifest_with *with)
{
    const char *text = with->text;
    for (size_t i = 0; (with->is_output || with->has_args) && text[i] != '\0'; i++) {
        if (text[i] == '$') {
            size_t size = manifest_name_size(run->m, str_c(text + i));
            if (is_open(run, str_n(text + i + 1, size - 1))) {
                return true;
            }
            i += size - 1;
        }
    }
    return false;
}

/* The parameters of a step, with what is known now; values NULL: they could not be resolved. */
static void add_parameters(const struct run *run, const struct manifest_step *step,
                           const struct arg_value *values, struct buf *line, struct json_out *data)
{
    const struct action_param *params = step->action->params;
    const char *gap = " (";
    json_out_object(data, "parameters");
    for (int p = 0; p < action_param_count(step->action); p++) {
        AUTO_BUF struct buf text = BUF_INIT(2 * VALUE_TEXT_MAX);
        const char *open = NULL;
        for (int w = 0; w < step->with_count; w++) {
            const struct manifest_with *with = &step->with[w];
            if (with->param == &params[p] && (values == NULL || has_open(run, with))) {
                open = with->text;
            }
        }
        if (open != NULL) {
            buf_add_c(&text, open);
        } else if (values != NULL && values[p].type != PARAM_NONE) {
            (void)value_shown(&values[p], &text);
        } else {
            continue;
        }
        buf_addf(line, "%s%s: %s", gap, params[p].name, text.data);
        json_out_text(data, params[p].name, text.data);
        gap = ", ";
    }
    buf_add_c(line, gap[0] == ',' ? ")" : "");
    json_out_end(data);
}

/* "at most 1 min, 2 retries, until $x.state == up within 30 s" */
static void add_limits(const struct manifest_step *step, const struct arg_value *values,
                       struct buf *out)
{
    buf_add_c(out, "at most ");
    clock_add_duration(out, step_timeout_us(step, values));
    if (step->retries > 0) {
        buf_addf(out, ", %d %s", step->retries, step->retries == 1 ? "retry" : "retries");
    }
    if (step->until.condition[0] != '\0') {
        buf_addf(out, ", until %s within ", step->until.condition);
        clock_add_duration(out, step->until.within_us);
    }
    if (step->group != 0) {
        buf_add_c(out, ", side by side");
    }
}

/* What is previewed is data of the step. */
static void add_preview(struct run *run, int index, const struct arg_value *values, struct reply *r,
                        struct json_out *data)
{
    AUTO_REPLY struct reply *preview = reply_new();
    AUTO_JSON struct json_object *none = json_object_new_object();
    struct err why = {0};
    if (run_reply_preview(run, index, values, preview, &why) < 0) {
        reply_line(preview, "⚠ Refused now: %s: %s", err_info(why.id)->code, why.context);
    }
    if (json_object_object_length(reply_data(preview)) > 0) {
        json_out_value(data, "data", reply_data(preview));
        reply_set_data(preview, none);
    }
    reply_append(r, preview);
}

static void add_step(struct run *run, int index, struct reply *r, struct json_out *data)
{
    const struct manifest_step *step = run_step(run, index);
    enum will will = decide(run, step);
    struct arg_value *values = NULL;
    AUTO_BUF struct buf line = BUF_INIT(8 * VALUE_TEXT_MAX);
    AUTO_BUF struct buf limits = BUF_INIT(1024);
    (void)run_args_resolve(run, step, &values, NULL);
    buf_addf(&line, "%d. %s", index + 1, step->action->summary);
    json_out_object(data, NULL);
    json_out_i64(data, "index", index);
    json_out_text(data, "action", step->action->name);
    json_out_text(data, "will", will_names[will]);
    json_out_text(data, "when", step->when);
    json_out_text(data, "until", step->until.condition);
    json_out_i64(data, "timeout_s", step_timeout_us(step, values) / USEC_PER_SEC);
    json_out_i64(data, "retries", step->retries);
    add_parameters(run, step, values, &line, data);
    reply_line(r, "%s", line.data);
    add_limits(step, values, &limits);
    if (will == WILL_SKIP) {
        reply_item(r, "skipped now: not {}", cell_text(step->when));
    } else if (will == WILL_DEPEND) {
        reply_item(r, "only if {}", cell_text(step->when));
    }
    if (will != WILL_SKIP) {
        reply_item(r, "{}", cell_text(limits.data));
    }
    if (will != WILL_SKIP && values != NULL) {
        add_preview(run, index, values, r, data);
    }
    json_out_end(data);
    run_args_free(step->action, values);
}

/* The steps from `first` on. on_failure and always are described, not previewed as what happens. */
static void add_steps(struct run *run, const char *heading, int first, int count, struct reply *r,
                      struct json_out *data)
{
    if (count > 0) {
        reply_heading(r, heading);
    }
    for (int i = first; i < first + count; i++) {
        add_step(run, i, r, data);
    }
}

/* ------------------------------------------------------------------------------------- all ---- */

static void add_arguments(const struct run *run, struct reply *r, struct json_out *data)
{
    json_out_object(data, "arguments");
    for (int i = 0; i < run->m->arg_count; i++) {
        AUTO_BUF struct buf text = BUF_INIT(LINE_BYTES_MAX);
        if (run->args[i].type != PARAM_NONE) {
            (void)value_shown(&run->args[i], &text);
            reply_field(r, run->m->args[i].rule.name, "{}", cell_text(text.data));
            json_out_text(data, run->m->args[i].rule.name, text.data);
        }
    }
    json_out_end(data);
}

/* What is asked before it runs. */
static void add_questions(const struct run *run, struct reply *r, struct json_out *data)
{
    static const char *const words[STAGE_COUNT] = {[STAGE_STALE] = "",
                                                   [STAGE_CONFIRM] = "a confirmation",
                                                   [STAGE_CODE] = "a code of your app",
                                                   [STAGE_APPROVE] = "another person"};
    AUTO_BUF struct buf line = BUF_INIT(256);
    json_out_array(data, "asks");
    for (int i = STAGE_CONFIRM; i < STAGE_COUNT; i++) {
        if (stage_applies(run, (enum stage_id)i)) {
            buf_addf(&line, "%s%s", line.len == 0 ? "" : ", then ", words[i]);
            if (i == STAGE_CONFIRM && run->m->confirm_after > 0) {
                buf_addf(&line, " after step %d", run->m->confirm_after);
            }
            json_out_text(data, NULL, stage_name((enum stage_id)i));
        }
    }
    json_out_end(data);
    json_out_i64(data, "asks_after", run->m->confirm_after);
    reply_field(r, "asks for", "{}", cell_text(line.len == 0 ? "nothing" : line.data));
}

static void add_locks(const struct run *run, struct reply *r, struct json_out *data)
{
    AUTO_LOCK_SET struct lock_set locks = {0};
    AUTO_BUF struct buf line = BUF_INIT(1024);
    struct err why = {0};
    run_lock_list(run, &locks);
    json_out_array(data, "locks");
    for (size_t i = 0; i < locks.count; i++) {
        buf_addf(&line, "%s%s", i == 0 ? "" : ", ", locks.names[i]);
        json_out_text(data, NULL, locks.names[i]);
    }
    json_out_end(data);
    reply_field(r, "locks", "{}", cell_text(line.len == 0 ? "nothing" : line.data));
    if (run_lock_check(run, &why) < 0) {
        reply_line(r, "⚠ Refused now: %s: %s", err_info(why.id)->code, why.context);
    }
}

static void describe(struct run *run, const char *line, struct reply *r)
{
    const struct manifest *m = run->m;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    reply_title(r, TONE_PLAIN, "Plan: %s", line);
    reply_line(r, "Nothing is done now.");
    json_out_object(&data, "plan");
    json_out_text(&data, "line", line);
    json_out_text(&data, "command", m->name);
    add_arguments(run, r, &data);
    add_questions(run, r, &data);
    add_locks(run, r, &data);
    json_out_array(&data, "steps");
    add_steps(run, "Steps", 0, m->step_count, r, &data);
    json_out_end(&data);
    json_out_array(&data, "on_failure");
    add_steps(run, m->undo ? "If a step fails, or it is cancelled" : "If a step fails",
              m->step_count, m->on_failure_count, r, &data);
    json_out_end(&data);
    json_out_array(&data, "always");
    add_steps(run, "In the end, always", m->step_count + m->on_failure_count, m->always_count, r,
              &data);
    json_out_end(&data);
    json_out_end(&data);
    run_reply_protect(run, r);
}

static int plan(struct action_call *call, struct err *err)
{
    const struct step *s = call->owner;
    struct runner *runner = s->run->runner;
    struct line line;
    int rc = line_split(str_c(action_text(call, "line")), &line, err);
    if (rc < 0) {
        return rc;
    }
    const struct manifest *m = line_command(&line, runner->o.manifests);
    if (m == NULL || !manifest_is_visible(m, call->who->channel)) {
        return err_set(err, ERR_COMMAND_UNKNOWN, "%.40s; /help lists the commands", line.words[0]);
    }
    AUTO_RUN struct run *run = run_new(runner, m, call->who, call->chat_id);
    if ((rc = manifest_permit(m, call->who, NULL, err)) < 0 ||
        (rc = run_args_bind(run, &line, err)) < 0 ||
        (rc = manifest_permit(m, call->who, run->args, err)) < 0) {
        return rc;
    }
    if (uses_outputs(run)) {
        run_read(run); /* only steps that read; it is never linked nor stored */
    }
    AUTO_BUF struct buf text = BUF_INIT(LINE_BYTES_MAX + 64);
    (void)run_args_line(run, &text);
    describe(run, text.data, action_reply(call));
    return ACTION_DONE;
}

const struct action plan_rows[] = {
    {.name = "command.plan",
     .summary = "What a command would do now, without doing it",
     .data = "plan",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "line",
                              .type = PARAM_TEXT,
                              .required = true,
                              .help = "the command with its arguments"}),
     .run = plan},
    {0},
};

#include "run_reply.h"

#include "base/check.h"
#include "base/log.h"
#include "io/json_out.h"
#include "plan.h"
#include "stage.h"

#include <string.h>

/* A member that no action of the command declares is missing in the schemas that programs read.
 * Tests look for this line. */
static void check_data(const struct run *run, const struct reply *r)
{
    json_object_object_foreach(reply_get_data(r), key, value)
    {
        (void)value;
        if (!manifest_has_data(run->m, str_c(key))) {
            LOG(ERROR, "/%s wrote data.%s, which no action of it declares", run->m->name, key);
        }
    }
}

/* "1.2 s": with tenths below ten seconds, so that durations of steps can be compared. */
static void add_took(struct buf *out, int64_t took_us)
{
    cell_add_text(out, cell_took(took_us));
}

/* basis NULL: nobody compares later. */
static struct action_call call_of(struct run *run, int index, const struct arg_value *values,
                                  struct reply *r, struct basis *basis)
{
    const struct action *action = run_step(run, index)->action;
    return (struct action_call){.action = action,
                                .m = run->m,
                                .userdata = action_table_userdata(run->runner->o.actions, action),
                                .who = &run->who,
                                .reply = r,
                                .args = values,
                                .run_id = run->id,
                                .chat_id = run->chat_id,
                                .basis = basis,
                                .step = index};
}

static int add_preview(struct run *run, int index, const struct arg_value *values, struct reply *r,
                       struct basis *basis, struct err *err)
{
    struct action_call call = call_of(run, index, values, r, basis);
    return call.action->preview == NULL ? 0 : call.action->preview(&call, err);
}

static bool applies(struct run *run, int index, const struct arg_value *values)
{
    struct action_call call = call_of(run, index, values, NULL, NULL);
    return call.action->applies == NULL || call.action->applies(&call);
}

int run_reply_preview(struct run *run, int index, const struct arg_value *values, struct reply *r,
                      struct err *err)
{
    return add_preview(run, index, values, r, NULL, err);
}

/* Adds to a prompt what one step will do: the action's summary with its values, and its preview. */
static int describe_step(struct run *run, int index, int *number, struct reply *r,
                         struct basis *basis, struct err *err)
{
    const struct manifest_step *step = run_step(run, index);
    struct arg_value *values = NULL;
    int rc = run_args_resolve(run, step, &values, err);
    if (rc == 0 && !applies(run, index, values)) {
        run_args_free(step->action, values);
        return 0;
    }
    if (rc == 0) {
        AUTO_BUF struct buf line = BUF_INIT(2048);
        buf_addf(&line, "%d. %s%s", ++*number, plan_depends(run, step) ? "If needed: " : "",
                 step->action->summary);
        run_args_add_values(&line, step->action, values);
        reply_line(r, "%s", line.data);
    }
    rc = rc < 0 ? rc : add_preview(run, index, values, r, basis, err);
    run_args_free(step->action, values);
    return rc;
}

static void add_answer(struct reply *r, const char *text, const char *prefix, const char *code,
                       enum button_style style)
{
    AUTO_BUF struct buf button = BUF_INIT(64);
    buf_addf(&button, "%s%s", prefix, code);
    reply_button(r, text, button.data, style);
}

/* What the prompt asks for, and its buttons. */
static void add_question(struct reply *r, enum stage_id stage, const char *code, const char *expiry)
{
    switch (stage) {
    case STAGE_STALE:
        reply_line(r, "Expires in %s. To answer by text: /confirm %s or /cancel %s", expiry, code,
                   code);
        add_answer(r, "Run now", RUN_REPLY_CONFIRM, code, BUTTON_DANGER);
        add_answer(r, "Drop", RUN_REPLY_CANCEL, code, BUTTON_PLAIN);
        break;
    case STAGE_CONFIRM:
        reply_line(r, "Expires in %s. To answer by text: /confirm %s or /cancel %s", expiry, code,
                   code);
        add_answer(r, "Confirm", RUN_REPLY_CONFIRM, code, BUTTON_DANGER);
        add_answer(r, "Cancel", RUN_REPLY_CANCEL, code, BUTTON_PLAIN);
        break;
    case STAGE_CODE:
        reply_line(r,
                   "Send the six digits of your authenticator app, or /confirm %s <digits>. "
                   "Expires in %s.",
                   code, expiry);
        add_answer(r, "Cancel", RUN_REPLY_CANCEL, code, BUTTON_PLAIN);
        break;
    case STAGE_APPROVE:
        reply_line(r, "Expires in %s. To answer by text: /confirm %s or /cancel %s", expiry, code,
                   code);
        add_answer(r, "Approve", RUN_REPLY_CONFIRM, code, BUTTON_DANGER);
        add_answer(r, "Refuse", RUN_REPLY_CANCEL, code, BUTTON_PLAIN);
        break;
    case STAGE_COUNT:
        break;
    }
}

/* "sent 5 min ago", "pressed up to 5 min ago", "pressed at an unknown time" */
static void add_sent(struct buf *out, const struct stale_age *age)
{
    const char *verb = age->at_most ? "pressed" : "sent";
    if (age->us > STALE_AGE_KNOWN_MAX_US) {
        buf_addf(out, "%s at an unknown time", verb);
        return;
    }
    buf_addf(out, "%s %s", verb, age->at_most ? "up to " : "");
    clock_add_duration(out, age->us);
    buf_add_c(out, " ago");
}

static void explain_undated(struct reply *r, const struct stale_age *age)
{
    if (age->at_most) {
        reply_line(r, "Telegram does not report when a button was pressed, and nightdesk had "
                      "received nothing from Telegram for that long.");
    }
}

static int describe_steps(struct run *run, struct reply *r, struct basis *basis, struct err *err)
{
    int rc = 0, number = 0;
    int first = run->prepared == NULL ? 0 : run->m->confirm_after;
    for (int i = first; rc == 0 && i < run->m->step_count; i++) {
        if (!plan_skips(run, run_step(run, i))) {
            rc = describe_step(run, i, &number, r, basis, err);
        }
    }
    return rc;
}

int run_reply_basis(struct run *run, struct basis *basis, struct err *err)
{
    AUTO_REPLY struct reply *scratch = reply_new();
    return describe_steps(run, scratch, basis, err);
}

/* Why it is asked, in front of what will be done. */
static void add_reason(struct reply *r, const struct run *run, enum stage_id stage)
{
    if (stage == STAGE_STALE) {
        AUTO_BUF struct buf sent = BUF_INIT(64);
        add_sent(&sent, &run->age);
        sent.data[0] = (char)(sent.data[0] - 'a' + 'A');
        reply_line(r, "%s. It is too old to be run by itself.", sent.data);
        explain_undated(r, &run->age);
    } else if (stage == STAGE_APPROVE) {
        reply_line(r, "Asked for by %s.", run->who.name);
    }
    if (run->changed[0] != '\0') {
        struct str rest = str_c(run->changed), line;
        reply_line(r, "⚠ Not done: it has changed since it was shown.");
        while (str_split(&rest, '\n', &line)) {
            if (line.len > 0) {
                reply_line(r, "%.*s", STR_ARG(line));
            }
        }
    }
}

struct reply *run_reply_prompt(struct run *run, enum stage_id stage, const char *code,
                               int64_t expires_in_us, struct basis *basis, struct err *err)
{
    static const char *const titles[] = {"Run now?", "Confirm", "Second factor", "Approve"};
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    AUTO_BUF struct buf expiry = BUF_INIT(64);
    (void)run_args_line(run, &line);
    clock_add_duration(&expiry, expires_in_us);
    reply_title(r, TONE_WARN, stage == STAGE_STALE ? "%s %s" : "%s: %s", titles[stage], line.data);
    add_reason(r, run, stage);
    if (run->prepared != NULL) {
        reply_append(r, run->prepared);
        reply_gap(r);
    }
    reply_line(r, "This will:");
    if (describe_steps(run, r, basis, err) < 0) {
        return NULL;
    }
    reply_gap(r);
    if (stage == STAGE_APPROVE) {
        stage_add_others(run, ROLE_NONE, r);
    }
    add_question(r, stage, code, expiry.data);

    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_text(&data, "confirm", code);
    json_out_text(&data, "stage", stage_name(stage));
    json_out_i64(&data, "expires_in_s", expires_in_us / USEC_PER_SEC);
    json_out_i64(&data, "run_id", run->id);
    if (run->changed[0] != '\0') {
        json_out_text(&data, "changed", run->changed);
    }
    check_data(run, r);
    return TAKE(r);
}

/* Whether another step runs the same action, so that its summary alone does not say which. */
static bool is_one_of_several(const struct run *run, int index)
{
    for (int i = 0; i < run_step_total(run); i++) {
        if (i != index && run_step(run, i)->action == run_step(run, index)->action) {
            return true;
        }
    }
    return false;
}

static const char *step_name(const struct run *run, int index)
{
    const struct step *s = &run->steps[index];
    return s->label[0] != '\0' && is_one_of_several(run, index)
               ? s->label
               : run_step(run, index)->action->summary;
}

/* What a cancelled step may have done. */
static const char *cancelled_text(const struct step *s)
{
    return step_is_reading(s) || s->call.action == NULL ? "cancelled"
                                                        : "cancelled; it may have taken effect";
}

/* Its condition begins with an output that a step gave, but empty: there is nothing to do for it
 * here, such as a second colour of a service that has only one. */
static bool has_no_object(const struct run *run, const char *when)
{
    AUTO_BUF struct buf value = BUF_INIT(LINE_BYTES_MAX);
    if (when[0] != '$') {
        return false;
    }
    size_t len = strspn(when + 1, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    struct str name = str_n(when + 1, len);
    return memchr(name.ptr, '.', name.len) != NULL && run_args_value(run, name, &value) &&
           value.len == 0;
}

/* A step that the person's own arguments leave out is nothing to report. */
static bool is_left_out(const struct run *run, int index)
{
    const struct manifest_step *step = run_step(run, index);
    return run->steps[index].state == STEP_SKIPPED &&
           (plan_is_chosen(step) || has_no_object(run, step->when));
}

/* The line of one step; nothing for a step that will not run. */
static void add_mark(struct reply *r, const struct run *run, int index)
{
    const struct step *s = &run->steps[index];
    const char *name = step_name(run, index);
    switch (s->state) {
    case STEP_WAITING:
        if (!run->over && !run_is_follow_up(run, index) && run->failure.id == ERR_NONE &&
            run->cancelled_by[0] == '\0') {
            reply_line(r, "▫ %s", name);
        }
        break;
    case STEP_RUNNING:
        reply_line(r, "⏳ %s%s%s", name, s->progress[0] == '\0' ? "" : ": ", s->progress);
        break;
    case STEP_SKIPPED:
        if (!is_left_out(run, index)) {
            reply_line(r, "⏭ %s: skipped, not %s", name, run_step(run, index)->when);
        }
        break;
    case STEP_CANCELLED:
        reply_line(r, "🚫 %s: %s", name, cancelled_text(s));
        break;
    case STEP_DONE:
    case STEP_FAILED:
        reply_para(r, "{} {}  {}", cell_text(s->state == STEP_DONE ? "✅" : "❌"), cell_text(name),
                   cell_took(s->took_us));
        break;
    }
}

/* How many of the steps have ended; of a single step there is nothing to count. */
static void add_fraction(struct reply *r, const struct run *run)
{
    int total = run->m->step_count, done = 0;
    for (int i = 0; i < total; i++) {
        done += step_has_ended(&run->steps[i]) ? 1 : 0;
    }
    if (total > 1) {
        reply_progress(r, (double)done / (double)total, "%d of %d steps", done, total);
    }
}

static const struct {
    const char *yes;
    const char *no;
} choices[STAGE_COUNT] = {[STAGE_STALE] = {"✓ Run", "✗ Dropped"},
                          [STAGE_CONFIRM] = {"✓ Confirmed", "✗ Cancelled"},
                          [STAGE_CODE] = {"✓ Code accepted", "✗ Cancelled"},
                          [STAGE_APPROVE] = {"✓ Approved", "✗ Refused"}};

void run_reply_set_choice(struct run *run, enum stage_id stage, const char *by)
{
    (void)snprintf(run->choice, sizeof(run->choice), "%s%s%s", choices[stage].yes,
                   by[0] == '\0' ? "" : " by ", by);
}

static void add_choice(struct reply *r, const struct run *run)
{
    if (run->choice[0] != '\0') {
        reply_choice(r, "%s", run->choice);
    }
}

static const char *stream_of(const struct run *run)
{
    for (int i = 0; i < run_step_total(run); i++) {
        if (run->steps[i].state == STEP_RUNNING && run->steps[i].stream != NULL) {
            return run->steps[i].stream;
        }
    }
    return NULL;
}

bool run_reply_is_stream(const struct run *run)
{
    return stream_of(run) != NULL;
}

/* An answer that is being written: the text itself, and a button that ends it. */
static struct reply *stream_reply(const struct run *run)
{
    struct reply *r = reply_new();
    struct str rest = str_c(stream_of(run)), line;
    reply_title(r, TONE_BUSY, "%s", "");
    while (str_split(&rest, '\n', &line)) {
        if (line.len == 0) {
            reply_gap(r);
        } else {
            reply_line(r, "%.*s", STR_ARG(line));
        }
    }
    if (run->id != 0 && run->cancelled_by[0] == '\0') {
        AUTO_BUF struct buf stop = BUF_INIT(64);
        buf_addf(&stop, "/cancel %lld", (long long)run->id);
        reply_button(r, "Stop", stop.data, BUTTON_PLAIN);
    }
    run_reply_protect(run, r);
    return r;
}

struct reply *run_reply_progress(const struct run *run)
{
    if (run_reply_is_stream(run)) {
        return stream_reply(run);
    }
    struct reply *r = reply_new();
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    (void)run_args_line(run, &line);
    reply_title(r, TONE_BUSY, "%s", line.data);
    for (int i = 0; i < run_step_total(run); i++) {
        add_mark(r, run, i);
    }
    add_fraction(r, run);
    if (run->id != 0 && run->cancelled_by[0] == '\0') {
        AUTO_BUF struct buf cancel = BUF_INIT(64);
        buf_addf(&cancel, "/cancel %lld", (long long)run->id);
        reply_button(r, "Cancel", cancel.data, BUTTON_PLAIN);
    }
    add_choice(r, run);
    run_reply_protect(run, r);
    return r;
}

/* The reply comes after a restart of nightdesk, so the title names the command. */
static void title_of_cut_off(struct reply *r, const struct run *run, const char *line)
{
    for (int i = 0; i < run_step_total(run); i++) {
        if (run->steps[i].lost) {
            reply_title(r, TONE_BAD, "%s: %s", line, err_info(run->steps[i].err.id)->message);
            return;
        }
    }
}

static const struct reply *reply_of(const struct run *run, int index)
{
    const struct step *s = &run->steps[index];
    return step_has_ended(s) ? s->call.reply : NULL;
}

/* Adds what the steps replied. If several did, each part is headed by the step and its values. */
static void add_replies(struct reply *r, const struct run *run)
{
    int parts = 0;
    if (run->prepared != NULL) {
        reply_append(r, run->prepared);
    }
    for (int i = 0; i < run_step_total(run); i++) {
        const struct reply *part = reply_of(run, i);
        parts += part != NULL && reply_block_count(part) > 0 ? 1 : 0;
    }
    for (int i = 0; i < run_step_total(run); i++) {
        const struct reply *part = reply_of(run, i);
        if (part == NULL) {
            continue;
        }
        if (parts > 1 && reply_block_count(part) > 0) {
            reply_heading(r, run->steps[i].label);
        }
        reply_append(r, part);
    }
}

struct reply *run_reply_prepared(const struct run *run)
{
    struct reply *r = reply_new();
    for (int i = 0; i < run->m->confirm_after; i++) {
        const struct reply *part = reply_of(run, i);
        if (part != NULL) {
            reply_append(r, part);
        }
    }
    return r;
}

/* The only reply, if only one step has run. */
static struct reply *reply_of_one(struct run *run, int index, const char *line)
{
    struct step *s = &run->steps[index];
    struct reply *only = s->call.reply == NULL ? reply_new() : TAKE(s->call.reply);
    if (run->failure.id != ERR_NONE) {
        title_of_cut_off(only, run, line);
        reply_error(only, &run->failure);
    } else if (s->state == STEP_SKIPPED) {
        reply_title(only, TONE_PLAIN, "%s: skipped, not %s", line, run_step(run, index)->when);
    } else if (reply_get_title(only)[0] == '\0' && reply_block_count(only) == 0) {
        reply_title(only, TONE_GOOD, "%s: done", line);
    }
    return only;
}

/* The title of the last step of the command, if all went well and it has one. */
static const struct reply *titled(const struct run *run)
{
    const struct reply *last = reply_of(run, run->m->step_count - 1);
    bool well = run->failure.id == ERR_NONE && !run_is_cancelled(run);
    return well && last != NULL && reply_get_title(last)[0] != '\0' ? last : NULL;
}

static void add_title(struct reply *r, const struct run *run, const char *line)
{
    const struct reply *last = titled(run);
    AUTO_BUF struct buf took = BUF_INIT(64);
    add_took(&took, clock_mono_us(run->runner->o.clock) - run->started_mono_us);
    if (last != NULL) {
        reply_title(r, reply_get_tone(last), "%s", reply_get_title(last));
    } else if (run_is_cancelled(run)) {
        reply_title(r, TONE_WARN, "%s: cancelled by %s after %s", line, run->cancelled_by,
                    took.data);
    } else if (run_is_cut_off(run)) {
        title_of_cut_off(r, run, line);
    } else if (run->failure.id != ERR_NONE) {
        reply_title(r, TONE_BAD, "%s: failed after %s", line, took.data);
    } else {
        reply_title(r, TONE_GOOD, "%s: done in %s", line, took.data);
    }
}

/* The step to which the reply of the run is left; -1: there are several. */
static int only_step(const struct run *run)
{
    int only = -1;
    for (int i = 0; i < run->m->step_count; i++) {
        if (run->m->step_count == 1 || !is_left_out(run, i)) {
            if (only >= 0) {
                return -1;
            }
            only = i;
        }
    }
    return run->m->always_count == 0 ? only : -1;
}

/* The action of a cancelled step has given its reply a title: it says itself how it ended. */
static bool says_how_it_ended(const struct run *run, int index)
{
    const struct step *s = &run->steps[index];
    return s->state == STEP_CANCELLED && s->call.reply != NULL &&
           reply_get_title(s->call.reply)[0] != '\0';
}

static struct reply *make_result(struct run *run)
{
    struct err space = {0};
    const struct err *why = run_error(run, &space);
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    (void)run_args_line(run, &line);
    int only = only_step(run);
    if (only >= 0 && !run_is_cancelled(run) && (why == NULL || run->m->on_failure_count == 0)) {
        return reply_of_one(run, only, line.data);
    }
    if (only >= 0 && says_how_it_ended(run, only)) {
        return TAKE(run->steps[only].call.reply);
    }
    struct reply *r = reply_new();
    add_title(r, run, line.data);
    for (int i = 0; i < run_step_total(run); i++) {
        add_mark(r, run, i);
    }
    add_replies(r, run);
    if (why != NULL) {
        reply_error(r, why);
    }
    return r;
}

struct reply *run_reply_result(struct run *run)
{
    struct reply *r = make_result(run);
    add_choice(r, run);
    run_reply_protect(run, r);
    check_data(run, r);
    return r;
}

void run_reply_protect(const struct run *run, struct reply *r)
{
    if (run->m->protect) {
        reply_protect(r);
    }
}

struct reply *run_reply_stale_answer(const char *line, const char *code,
                                     const struct stale_age *age)
{
    struct reply *r = reply_new();
    AUTO_BUF struct buf sent = BUF_INIT(64);
    AUTO_BUF struct buf button = BUF_INIT(64);
    add_sent(&sent, age);
    reply_title(r, TONE_WARN, "Not confirmed: %s", sent.data);
    explain_undated(r, age);
    reply_line(r, "To run it now, press Confirm or send /confirm %s: %s", code, line);
    buf_addf(&button, RUN_REPLY_CONFIRM "%s", code);
    reply_button(r, "Confirm", button.data, BUTTON_DANGER);
    buf_clear(&button);
    buf_addf(&button, RUN_REPLY_CANCEL "%s", code);
    reply_button(r, "Cancel", button.data, BUTTON_PLAIN);
    struct err err = {0};
    (void)err_set(&err, ERR_COMMAND_STALE, "confirmation of %s, %s", line, sent.data);
    reply_error(r, &err);
    return r;
}

struct reply *run_reply_closed(const char *line, enum stage_id stage, const struct err *err)
{
    struct reply *r = reply_new();
    reply_choice(r, "%s",
                 err == NULL                      ? choices[stage].no
                 : err->id == ERR_CONFIRM_EXPIRED ? "✗ Expired"
                                                  : "✗ Not run");
    if (err == NULL) {
        reply_title(r, TONE_PLAIN, "Cancelled: %s", line);
        reply_line(r, "Nothing was done.");
    } else {
        reply_title(r, TONE_WARN, "%s: %s", err_info(err->id)->message, line);
        reply_error(r, err);
    }
    return r;
}

static void add_record_data(struct reply *r, bool recorded, const struct err *why)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_bool(&data, "recorded", recorded);
    json_out_text(&data, "record_error_code", err_info(why->id)->code);
}

void run_reply_add_unrecorded(struct reply *r, const struct err *why, bool ended)
{
    const struct err_info *info = err_info(why->id);
    if (ended) {
        reply_line(r, "⚠ Not recorded yet: %s (%s). It will be recorded as soon as possible.",
                   info->message, info->code);
    } else {
        reply_line(r, "⚠ The next step waits until it can be recorded: %s (%s).", info->message,
                   info->code);
    }
    add_record_data(r, false, why);
}

void run_reply_add_unwritable(struct reply *r, const struct err *why)
{
    const struct err_info *info = err_info(why->id);
    reply_line(
        r,
        "⚠ ops.db cannot be written: %s (%s). Until it can be, only commands that read, pause or "
        "stop are accepted.",
        info->message, info->code);
    add_record_data(r, false, why);
}

void run_reply_add_recorded(struct reply *r, const struct run *run)
{
    reply_para(r, "Recorded now. It ran at {}, while ops.db could not be written ({}).",
               cell_time(run->asked_wall_us, clock_wall_us(run->runner->o.clock)),
               cell_text(err_info(run->unrecorded.id)->code));
    add_record_data(r, true, &run->unrecorded);
}

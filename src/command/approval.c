#include "approval.h"

#include "base/check.h"
#include "command/approval_open.h"
#include "config/config.h"
#include "io/json_out.h"
#include "run.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "stage.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RECHECK_US (10 * USEC_PER_MIN) /* checked at least so often: the wall clock may jump */
#define NEXT_MAX   3                   /* steps that the prompt names */

struct approval {
    char code[CODE_CHARS + 1];
    enum role role; /* the least; and the command has to be permitted */
    int64_t expires_us;
    int64_t first_outbox_id; /* of its prompts; 0: none was posted */
    char answered_by[64];    /* "": not yet */
    bool yes;
    struct loop_source *timer;
};

void approval_free(struct approval *approval)
{
    if (approval != NULL) {
        loop_source_free(approval->timer);
        free(approval);
    }
}

struct step *approval_find(const struct runner *runner, const char *code)
{
    for (struct run *run = runner->runs; run != NULL; run = run->next) {
        for (int i = 0; i < run->cursor; i++) {
            struct step *s = &run->steps[i];
            if (s->state == STEP_RUNNING && s->approval != NULL &&
                strcmp(s->approval->code, code) == 0) {
                return s;
            }
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------ note ---- */

/* "K7Q2AB 1795000000000000 12 yes bob": what a restart needs. */
static void write_note(const struct approval *a, char ret[STEP_NOTE_SIZE])
{
    (void)snprintf(ret, STEP_NOTE_SIZE, "%s %" PRId64 " %" PRId64 "%s%s", a->code, a->expires_us,
                   a->first_outbox_id,
                   a->answered_by[0] == '\0' ? ""
                   : a->yes                  ? " yes "
                                             : " no ",
                   a->answered_by);
}

static bool read_note(const char *note, struct approval *ret)
{
    struct str rest = str_c(note), code, expires, first, answer;
    if (!str_split(&rest, ' ', &code) || code.len != CODE_CHARS ||
        !str_split(&rest, ' ', &expires) || !str_to_i64(expires, &ret->expires_us) ||
        !str_split(&rest, ' ', &first) || !str_to_i64(first, &ret->first_outbox_id)) {
        return false;
    }
    (void)str_copy(code, ret->code, sizeof(ret->code));
    if (str_split(&rest, ' ', &answer)) {
        ret->yes = str_equal_c(answer, "yes");
        (void)str_copy(rest, ret->answered_by, sizeof(ret->answered_by));
    }
    return true;
}

bool approval_open_read(const struct run_step *step, struct approval_open *ret)
{
    struct approval noted = {0};
    AUTO_JSON struct json_object *outputs = NULL;
    if (step->state != RUN_STEP_RUNNING || strcmp(step->action, APPROVAL_ACTION) != 0 ||
        !read_note(step->result, &noted) || noted.answered_by[0] != '\0') {
        return false;
    }
    *ret = (struct approval_open){.expires_us = noted.expires_us};
    (void)str_copy(str_c(noted.code), ret->code, sizeof(ret->code));
    (void)json_parse(str_c(step->outputs), &JSON_LIMITS_DEFAULT, &outputs, NULL);
    (void)str_copy(json_str(outputs, "asked"), ret->asked, sizeof(ret->asked));
    return true;
}

/* ---------------------------------------------------------------------------------- prompt ---- */

static void add_answer(struct reply *r, const char *text, const char *prefix, const char *code,
                       enum button_style style)
{
    AUTO_BUF struct buf button = BUF_INIT(64);
    buf_addf(&button, "%s%s", prefix, code);
    reply_button(r, text, button.data, style);
}

/* The steps that follow if it is approved. */
static void add_next(struct reply *r, const struct run *run, int index)
{
    int last = run->m->step_count;
    for (int i = index + 1; i < last && i <= index + NEXT_MAX; i++) {
        reply_line(r, "%d. %s", i + 1, run_step(run, i)->action->summary);
    }
    if (last > index + 1 + NEXT_MAX) {
        reply_line(r, "… and %d more", last - index - 1 - NEXT_MAX);
    }
}

static void add_expiry(const struct step *s, struct buf *out)
{
    int64_t left_us = s->approval->expires_us - clock_wall_us(s->run->runner->o.clock);
    clock_add_duration(out, left_us > 0 ? left_us : 0);
}

static struct reply *make_prompt(const struct step *s)
{
    const struct run *run = s->run;
    const char *code = s->approval->code;
    struct reply *r = reply_new();
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    AUTO_BUF struct buf expiry = BUF_INIT(64);
    (void)run_args_line(run, &line);
    add_expiry(s, &expiry);
    reply_title(r, TONE_WARN, "Approve: %s", line.data);
    reply_line(r, "%s", action_text(&s->call, "text"));
    if (run->prepared != NULL) {
        reply_append(r, run->prepared);
        reply_gap(r);
    }
    reply_line(r, "Run %lld of %s waits at step %d of %d.", (long long)run->id, run->who.name,
               s->index + 1, run->m->step_count);
    if (s->index + 1 < run->m->step_count) {
        reply_line(r, "Then it will:");
        add_next(r, run, s->index);
    }
    reply_gap(r);
    stage_add_others(run, s->approval->role, r);
    reply_line(r, "Expires in %s. To answer by text: /confirm %s or /cancel %s", expiry.data, code,
               code);
    add_answer(r, "Approve", RUN_REPLY_CONFIRM, code, BUTTON_DANGER);
    add_answer(r, "Refuse", RUN_REPLY_CANCEL, code, BUTTON_PLAIN);
    run_reply_protect(run, r);
    return r;
}

static int post_one(const struct step *s, const struct principal *who, int64_t chat_id,
                    const struct reply *prompt, struct err *err)
{
    AUTO_REPLY struct reply *copy = reply_copy(prompt);
    int64_t outbox_id = 0;
    int rc =
        run_write_post(s->run->runner, who, chat_id, 0, copy, s->run->id, false, &outbox_id, err);
    if (rc == 0 && s->approval->first_outbox_id == 0) {
        s->approval->first_outbox_id = outbox_id;
    }
    return rc;
}

/* To the private chats of those who may answer, and to the group from which the command came. */
static int post_prompts(const struct step *s, struct err *err)
{
    struct run *run = s->run;
    AUTO_REPLY struct reply *prompt = make_prompt(s);
    struct principal who;
    bool may;
    bool group = run->who.channel == CHANNEL_TELEGRAM && run->chat_id != run->who.id;
    int rc = group ? post_one(s, &run->who, run->chat_id, prompt, err) : 0;
    for (int i = 0; rc == 0 && stage_next_other(run, s->approval->role, i, &who, &may); i++) {
        if (may) { /* Telegram: the id of a person is that of the private chat */
            rc = post_one(s, &who, who.id, prompt, err);
        }
    }
    return rc;
}

/* The message of the run comes first, so that a restart finds it as the oldest one. */
static int post_run_message(struct run *run, struct err *err)
{
    if (run->outbox_id != 0) {
        return 0;
    }
    AUTO_REPLY struct reply *progress = run_reply_progress(run);
    return run_write_post(run->runner, &run->who, run->chat_id, run->thread_id, progress, run->id,
                          false, &run->outbox_id, err);
}

/* For the pages on which the prompt can be answered. */
static int store_question(const struct step *s, struct err *err)
{
    AUTO_BUF struct buf outputs = BUF_INIT(RUN_OUTPUTS_SIZE - 1);
    step_outputs_json(s, &outputs);
    return run_table_step_outputs(s->run->runner->o.store, s->run->id, s->index, outputs.data, err);
}

/* In one transaction: the prompts, what a restart needs, and the audit row. */
static int store_prompt(struct step *s, struct err *err)
{
    struct run *run = s->run;
    struct ops_store *store = run->runner->o.store;
    int64_t outbox_id = run->outbox_id;
    char note[STEP_NOTE_SIZE];
    AUTO_BUF struct buf detail = BUF_INIT(1024);
    buf_addf(&detail, "step %d: %s", s->index + 1, action_text(&s->call, "text"));
    int rc = ops_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = post_run_message(run, err)) == 0 && (rc = post_prompts(s, err)) == 0) {
        write_note(s->approval, note);
        rc = action_remember(&s->call, note, err);
    }
    rc = rc < 0 ? rc : store_question(s, err);
    rc = rc < 0 ? rc : run_write_audit(run, "confirm.asked", detail.data, "ok", err);
    if (rc < 0) {
        ops_store_rollback(store);
    } else {
        rc = ops_store_commit(store, err);
    }
    if (rc < 0) {
        run->outbox_id = outbox_id;
        return rc;
    }
    if (run->runner->o.outbox_changed != NULL) {
        run->runner->o.outbox_changed(run->runner->o.outbox_userdata);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------ wait ---- */

static void on_timer(void *userdata)
{
    struct step *s = userdata;
    struct approval *a = s->approval;
    struct err err = {0};
    int64_t left_us = a->expires_us - clock_wall_us(s->run->runner->o.clock);
    if (s->state != STEP_RUNNING || s->finished || a->answered_by[0] != '\0') {
        return;
    }
    if (left_us > 0) {
        loop_timer_in(a->timer, left_us < RECHECK_US ? left_us : RECHECK_US);
        return;
    }
    AUTO_BUF struct buf names = BUF_INIT(400);
    stage_name_others(s->run, a->role, &names);
    (void)err_set(&err, ERR_APPROVAL_EXPIRED, "%s", names.len > 0 ? names.data : "nobody may");
    action_finish(&s->call, &err);
}

static int wait(struct step *s)
{
    struct approval *a = s->approval;
    AUTO_BUF struct buf names = BUF_INIT(400);
    AUTO_BUF struct buf expiry = BUF_INIT(64);
    stage_name_others(s->run, a->role, &names);
    add_expiry(s, &expiry);
    a->timer = loop_add_timer(s->run->runner->o.loop, on_timer, s);
    loop_source_name(a->timer, "approval");
    on_timer(s);
    action_progress(&s->call, "%s, within %s: /confirm %s or /cancel %s",
                    names.len > 0 ? names.data : "nobody in telegram.users may", expiry.data,
                    a->code, a->code);
    return ACTION_PENDING;
}

static void make_approval(struct step *s)
{
    const char *role = action_text(&s->call, "role");
    approval_free(s->approval);
    s->approval = calloc(1, sizeof(*s->approval));
    NEED_MEMORY(s->approval);
    (void)role_parse(str_c(role), &s->approval->role);
    action_output(&s->call, "asked", "%s", action_text(&s->call, "text"));
}

/* Asks; also after a crash before the prompt was stored. */
static int ask(struct action_call *call, struct err *err)
{
    struct step *s = call->owner;
    char code[CODE_CHARS + 1];
    int rc = runner_confirm_code(s->run->runner, code, err);
    if (rc < 0) {
        return rc;
    }
    make_approval(s);
    memcpy(s->approval->code, code, sizeof(code));
    s->approval->expires_us =
        clock_wall_us(s->run->runner->o.clock) + action_duration_us(call, "within");
    if ((rc = store_prompt(s, err)) < 0) {
        approval_free(s->approval);
        s->approval = NULL;
        return rc;
    }
    return wait(s);
}

/* The outcome of an answer. */
static int outcome(struct step *s, struct err *err)
{
    const struct approval *a = s->approval;
    struct action_call *call = &s->call;
    if (!a->yes) {
        return err_set(err, ERR_APPROVAL_REFUSED, "by %s", a->answered_by);
    }
    action_output(call, "by", "%s", a->answered_by);
    reply_line(action_reply(call), "Approved by %s.", a->answered_by);
    struct json_out data = JSON_OUT_TREE(reply_data(action_reply(call)));
    json_out_text(&data, "approved_by", a->answered_by);
    return ACTION_DONE;
}

static int recover(struct action_call *call, bool *ret_happened, struct err *err)
{
    struct step *s = call->owner;
    const char *note = action_remembered(call);
    if (note == NULL) {
        return ask(call, err);
    }
    make_approval(s);
    if (!read_note(note, s->approval)) {
        return err_set(err, ERR_COMMAND_LOST, "%s", APPROVAL_ACTION);
    }
    *ret_happened = true;
    return s->approval->answered_by[0] != '\0' ? outcome(s, err) : wait(s);
}

/* The prompts are replaced with the end of the step. */
static void cancel(struct action_call *call)
{
    struct step *s = call->owner;
    if (s->approval != NULL && s->approval->timer != NULL) {
        loop_timer_stop(s->approval->timer);
    }
}

const struct action approval_rows[] = {
    {.name = APPROVAL_ACTION,
     .summary = "Wait for the approval of another person",
     .data = "approved_by",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .outputs = "asked by",
     .params =
         ACTION_PARAMS({.name = "text",
                        .type = PARAM_TEXT,
                        .required = true,
                        .help = "what the other person is asked"},
                       {.name = "within",
                        .type = PARAM_DURATION,
                        .default_text = "10m",
                        .minimum = "10s",
                        .maximum = "1d",
                        .waits = true,
                        .help = "how long the run waits for it"},
                       {.name = "role",
                        .type = PARAM_CHOICE,
                        .choices = "operator|admin",
                        .help = "the lowest role of that person; that of the command if left out"}),
     .run = ask,
     .cancel = cancel,
     .recover = recover},
    {0},
};

/* ---------------------------------------------------------------------------------- answer ---- */

static int check_answer(const struct step *s, const struct invocation *in, bool yes,
                        const char **ret_audit, struct err *why)
{
    const struct run *run = s->run;
    const struct approval *a = s->approval;
    bool other = stage_check_other(run, in->who, why) == 0;
    bool self = why->id == ERR_FOUR_EYES_SELF;
    *ret_audit = "confirm.refused";
    if (a->answered_by[0] != '\0' || s->finished) {
        return err_set(why, ERR_CONFIRM_USED, "%s, run %lld", a->code, (long long)run->id);
    }
    if (clock_wall_us(run->runner->o.clock) >= a->expires_us) {
        return err_set(why, ERR_CONFIRM_EXPIRED, "%s, run %lld", a->code, (long long)run->id);
    }
    if (!other && yes) {
        *ret_audit = "confirm.foreign";
        return -(int)why->id;
    }
    err_clear(why);
    *ret_audit = "command.denied";
    if (!self && in->who->role < a->role) {
        return err_set(why, ERR_ACCESS_DENIED, "role %s is needed to approve run %lld",
                       role_name(a->role), (long long)run->id);
    }
    return self ? 0 : manifest_permit(run->m, in->who, run->args, why);
}

static int refuse_stale(const struct step *s, const struct invocation *in,
                        const struct stale_age *age, struct admission *a, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    (void)run_args_line(s->run, &line);
    struct reply *reply = run_reply_stale_answer(line.data, s->approval->code, age);
    struct err why = *reply_get_error(reply);
    return runner_refuse_answer(s->run->runner, in, "confirm.stale", &why, reply, a, err);
}

/* "Approved by bob: restart demo of alice" */
static struct reply *answered_reply(const struct step *s)
{
    const struct run *run = s->run;
    const struct approval *a = s->approval;
    struct reply *r = reply_new();
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    (void)run_args_line(run, &line);
    if (a->answered_by[0] != '\0') {
        reply_title(r, a->yes ? TONE_GOOD : TONE_WARN, "%s by %s: %s of %s",
                    a->yes ? "Approved" : "Refused", a->answered_by, line.data, run->who.name);
        reply_choice(r, "%s by %s", a->yes ? "✓ Approved" : "✗ Refused", a->answered_by);
    } else if (s->state == STEP_CANCELLED) {
        reply_title(r, TONE_PLAIN, "Cancelled by %s: %s of %s", run->cancelled_by, line.data,
                    run->who.name);
        reply_choice(r, "✗ Cancelled");
    } else {
        reply_title(r, TONE_WARN, "%s: %s of %s", err_info(s->err.id)->message, line.data,
                    run->who.name);
        reply_choice(r, s->err.id == ERR_APPROVAL_EXPIRED ? "✗ Expired" : "✗ Not run");
    }
    reply_line(r, "/runs %lld shows how it goes.", (long long)run->id);
    return r;
}

/* The prompts in the chats, oldest first; returns the number. */
static int find_prompts(const struct step *s, struct outbox_copy ret[CONFIG_USERS_MAX],
                        struct err *err)
{
    struct outbox_copy all[2 * CONFIG_USERS_MAX];
    const struct run *run = s->run;
    int n = s->approval->first_outbox_id == 0
                ? 0
                : outbox_table_copies(run->runner->o.store, channel_name(CHANNEL_TELEGRAM), run->id,
                                      run_write_is_chat(run->who.channel) ? run->outbox_id : 0, all,
                                      COUNT_OF(all), err);
    int count = 0;
    for (int i = 0; i < n && count < CONFIG_USERS_MAX; i++) {
        if (all[i].id >= s->approval->first_outbox_id) {
            ret[count++] = all[i];
        }
    }
    return n < 0 ? n : count;
}

/* The answer came from a chat that shows no prompt: the outcome is sent there, too. */
static int post_elsewhere(const struct step *s, const struct invocation *in, struct admission *a,
                          struct err *err)
{
    struct outbox_copy prompts[CONFIG_USERS_MAX];
    int n = find_prompts(s, prompts, err);
    bool shown = false;
    for (int i = 0; i < n; i++) {
        shown =
            shown || (in->who->channel == CHANNEL_TELEGRAM && prompts[i].chat_id == in->chat_id);
    }
    if (n < 0 || shown) {
        return n < 0 ? n : 0;
    }
    AUTO_REPLY struct reply *copy = reply_copy(a->reply);
    int64_t outbox_id = 0;
    return run_write_post(s->run->runner, in->who, in->chat_id, in->thread_id, copy, 0, false,
                          &outbox_id, err);
}

static int store_answer(struct step *s, const struct invocation *in, struct admission *a,
                        struct err *err)
{
    struct run *run = s->run;
    char note[STEP_NOTE_SIZE];
    AUTO_BUF struct buf detail = BUF_INIT(LINE_BYTES_MAX + 128);
    buf_addf(&detail, "run %lld of %s, step %d: ", (long long)run->id, run->who.name, s->index + 1);
    (void)run_args_line(run, &detail);
    write_note(s->approval, note);
    int rc = runner_open(run->runner, in, a, err);
    if (rc < 0 ||
        (rc = run_table_step_note(run->runner->o.store, run->id, s->index, note, err)) < 0 ||
        (rc = access_audit(run->runner->o.access, in->who,
                           s->approval->yes ? "confirm.approved" : "confirm.denied", detail.data,
                           "ok", err)) < 0) {
        return rc;
    }
    a->reply = answered_reply(s);
    a->posted = true;
    a->approval = s;
    return post_elsewhere(s, in, a, err);
}

int approval_answer(struct step *s, const struct invocation *in, bool yes, struct admission *a,
                    struct err *err)
{
    struct stale_age age;
    struct err why = {0};
    const char *audit_action = "";
    if (check_answer(s, in, yes, &audit_action, &why) < 0) {
        return runner_refuse_answer(s->run->runner, in, audit_action, &why, NULL, a, err);
    }
    if (yes && runner_is_stale(s->run->runner, in, &age)) {
        return refuse_stale(s, in, &age, a, err);
    }
    (void)str_copy(str_c(in->who->name), s->approval->answered_by,
                   sizeof(s->approval->answered_by));
    s->approval->yes = yes;
    a->approval_yes = yes;
    int rc = store_answer(s, in, a, err);
    s->approval->answered_by[0] = '\0'; /* it stays open until that is committed */
    return rc;
}

void approval_settle(struct step *s, const char *by, bool yes)
{
    struct err err = {0};
    (void)str_copy(str_c(by), s->approval->answered_by, sizeof(s->approval->answered_by));
    s->approval->yes = yes;
    action_finish(&s->call, outcome(s, &err) < 0 ? &err : NULL);
}

int approval_write_end(const struct step *s, struct err *err)
{
    if (s->approval == NULL) {
        return 0;
    }
    struct run *run = s->run;
    struct outbox_copy prompts[CONFIG_USERS_MAX];
    const struct principal anybody = {.channel = CHANNEL_TELEGRAM};
    AUTO_REPLY struct reply *text = answered_reply(s);
    int n = find_prompts(s, prompts, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        AUTO_REPLY struct reply *copy = reply_copy(text);
        rc = run_write_post(run->runner, &anybody, prompts[i].chat_id, 0, copy, 0, false,
                            &prompts[i].id, err);
    }
    bool expired = s->state == STEP_FAILED && s->err.id == ERR_APPROVAL_EXPIRED;
    return rc < 0 || !expired ? rc
                              : run_write_audit(run, "confirm.expired", APPROVAL_ACTION,
                                                err_info(s->err.id)->code, err);
}

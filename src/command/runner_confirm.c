#include "approval.h"
#include "base/check.h"
#include "base/log.h"
#include "base/trace.h"
#include "command/reply_json.h"
#include "config/config.h"
#include "io/secret.h"
#include "proposals.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "stage.h"
#include "store/confirmation_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"

#include <string.h>

#define CODE_TRIES      8
#define EXPIRY_RETRY_US (5 * USEC_PER_SEC)
#define EXPIRY_MAX_US   (10 * USEC_PER_MIN) /* checked at least so often: the wall clock may jump */
#define BATCH           32

int runner_confirm_code(struct runner *runner, char ret_code[CODE_CHARS + 1], struct err *err)
{
    for (int i = 0; i < CODE_TRIES; i++) {
        struct confirmation other;
        secret_nonce(ret_code, CODE_CHARS);
        if (approval_find(runner, ret_code) != NULL) {
            continue;
        }
        AUTO_PROPOSAL struct proposal proposed = {0};
        int found = proposal_find(runner, ret_code, &proposed, err);
        if (found > 0) {
            continue;
        }
        int rc = found < 0 ? found : confirmation_table_get(runner->o.store, ret_code, &other, err);
        if (rc == -ERR_STORE_NOT_FOUND) {
            err_clear(err);
            return 0;
        }
        if (rc < 0) {
            return rc;
        }
    }
    return err_set(err, ERR_INTERNAL, "no free confirmation code");
}

/* Stores the prompt of a stage: a new one, or the one that was just answered, with another code. */
static int store_prompt(const struct run *run, enum stage_id stage, const struct confirmation *open,
                        char ret_code[CODE_CHARS + 1], struct err *err)
{
    struct runner *runner = run->runner;
    struct confirmation c = {.run_id = run->id,
                             .user_id = run->who.id,
                             .chat_id = run->chat_id,
                             .expires_us =
                                 clock_wall_us(runner->o.clock) + runner_prompt_us(runner, run->m)};
    int rc = runner_confirm_code(runner, ret_code, err);
    if (rc < 0) {
        return rc;
    }
    (void)str_copy(str_c(ret_code), c.nonce, sizeof(c.nonce));
    (void)str_copy(str_c(stage_name(stage)), c.stage, sizeof(c.stage));
    (void)str_copy(str_c(channel_name(run->who.channel)), c.channel, sizeof(c.channel));
    if (open == NULL) {
        return confirmation_table_add(runner->o.store, &c, err);
    }
    bool won = false;
    rc = confirmation_table_move(runner->o.store, open->nonce, &c, &won, err);
    ASSERT(rc < 0 || won); /* it was read as unused, and nothing else answers it meanwhile */
    return rc;
}

static void arm_expiry(struct runner *runner, int64_t in_us)
{
    in_us = in_us < 0 ? 0 : in_us;
    loop_timer_in(runner->expiry, in_us > EXPIRY_MAX_US ? EXPIRY_MAX_US : in_us);
}

/* Asks while ops.db cannot be written: the prompt is kept in memory only. */
static int ask_unrecorded(struct run *run, const struct invocation *in, enum stage_id stage,
                          struct admission *a, struct err *err)
{
    struct runner *runner = run->runner;
    int64_t wait_us = runner_prompt_us(runner, run->m);
    struct err why = {0};
    char code[CODE_CHARS + 1];
    secret_nonce(code, CODE_CHARS);
    struct basis ignored = BASIS_INIT; /* only what is on the safe side is asked for here */
    a->reply = run_reply_prompt(run, stage, code, wait_us, &ignored, &why);
    buf_release(&ignored.text);
    if (a->reply == NULL) {
        return runner_refuse(runner, in, "command.refused", &why, NULL, a, err);
    }
    run_reply_add_unwritable(a->reply, &a->unrecorded);
    runner_held_add(runner, run, code, 0);
    (void)err_set(&a->err, ERR_CONFIRM_NEEDED, "%s", code);
    return 0;
}

/* An action's preview refuses: the run ends as refused. */
static int refuse_prompt(struct run *run, const struct invocation *in, const char *code,
                         const struct err *why, struct admission *a, struct err *err)
{
    struct runner *runner = run->runner;
    bool won = false;
    int rc = run_table_finish(runner->o.store, run->id, RUN_REFUSED, why->id, NULL,
                              clock_wall_us(runner->o.clock), err);
    rc = rc < 0 ? rc : confirmation_table_use(runner->o.store, code, &won, err);
    return rc < 0 ? rc : runner_refuse(runner, in, "command.refused", why, NULL, a, err);
}

/* The prompt, in a->reply as well; what it depends on is stored with it. NULL: the run was refused,
 * or *ret_rc is negative. */
static struct reply *prompt_with_basis(struct run *run, const struct invocation *in,
                                       enum stage_id stage, const char *code, struct admission *a,
                                       int *ret_rc, struct err *err)
{
    struct runner *runner = run->runner;
    struct basis basis = BASIS_INIT;
    struct err why = {0};
    struct reply *reply =
        run_reply_prompt(run, stage, code, runner_prompt_us(runner, run->m), &basis, &why);
    if (reply == NULL) {
        *ret_rc = refuse_prompt(run, in, code, &why, a, err);
    } else {
        ASSERT(!buf_failed(&basis.text)); /* sized for all positions */
        a->reply = reply;
        *ret_rc = confirmation_table_set_basis(runner->o.store, code, buf_str(&basis.text), err);
    }
    buf_release(&basis.text);
    return reply;
}

/* A new run, or one whose steps before the confirmation have run. */
static int store_confirming(struct run *run, const struct invocation *in, struct err *err)
{
    return run->id == 0 ? runner_store_asked(run, in, RUN_CONFIRMING, err)
                        : run_table_ask(run->runner->o.store, run->id,
                                        clock_wall_us(run->runner->o.clock), err);
}

/* For the prompts that follow, and the result. */
static int store_prepared(const struct run *run, const char *code, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(RUN_JSON_MAX);
    if (run->prepared == NULL) {
        return 0;
    }
    reply_json_text(run->prepared, &text);
    return buf_failed(&text)
               ? err_set(err, ERR_BUF_FULL, "reply before a confirmation")
               : confirmation_table_set_prepared(run->runner->o.store, code, buf_str(&text), err);
}

int runner_confirm_ask(struct run *run, const struct invocation *in, enum stage_id stage,
                       const struct confirmation *open, struct admission *a, struct err *err)
{
    struct runner *runner = run->runner;
    char code[CODE_CHARS + 1];
    if (a->unrecorded.id != ERR_NONE) {
        return ask_unrecorded(run, in, stage, a, err);
    }
    int rc = runner_open(runner, in, a, err);
    rc = rc < 0 || open != NULL ? rc : store_confirming(run, in, err);
    if (rc < 0 || (rc = store_prompt(run, stage, open, code, err)) < 0) {
        return rc;
    }
    struct reply *reply = prompt_with_basis(run, in, stage, code, a, &rc, err);
    if (reply == NULL || rc < 0 || (rc = store_prepared(run, code, err)) < 0) {
        return rc;
    }
    run_reply_protect(run, reply);
    a->posted = run_write_is_chat(in->who->channel);
    if (run->m->safe_side) { /* also kept in memory: its answer must not need the disk */
        runner_held_add(runner, run, code, run->id);
    }
    bool changed = run->changed[0] != '\0';
    (void)err_set(&a->err, changed ? ERR_CONFIRM_CHANGED : ERR_CONFIRM_NEEDED, "%s", code);
    int64_t outbox_id = open == NULL ? run->outbox_id : open->outbox_id;
    rc = run_write_post(runner, in->who, in->chat_id, in->thread_id, reply, run->id,
                        run->m->emergency, &outbox_id, err);
    if (rc == 0 && open == NULL && outbox_id != 0) {
        rc = confirmation_table_set_outbox(runner->o.store, code, outbox_id, err);
    }
    if (rc == 0 && stage == STAGE_APPROVE) {
        rc = stage_ask_others(run, reply, err);
        a->posted = true;
    }
    return rc < 0 ? rc
                  : run_write_audit(run, changed ? "confirm.changed" : "confirm.asked",
                                    stage_name(stage), "ok", err);
}

static enum stage_id stage_of(const struct confirmation *c)
{
    enum stage_id stage = STAGE_CONFIRM;
    (void)stage_parse(c->stage, &stage);
    return stage;
}

/* The command line of a prompt. */
static void prompt_line(struct runner *runner, const struct run_row *row, struct buf *out)
{
    struct err ignored = {0};
    AUTO_RUN struct run *run = run_load(runner, row, false, &ignored);
    if (run != NULL) {
        (void)run_args_line(run, out);
    } else {
        buf_add_c(out, row->command);
    }
}

int runner_confirm_close(struct runner *runner, const struct confirmation *c,
                         const struct run_row *row, enum run_state state, const char *audit_action,
                         const struct err *why, struct reply **ret_reply, struct err *err)
{
    bool won = false;
    int64_t now_us = clock_wall_us(runner->o.clock);
    int rc = confirmation_table_use(runner->o.store, c->nonce, &won, err);
    if (rc < 0 ||
        (rc = run_table_finish(runner->o.store, row->id, state, why == NULL ? ERR_NONE : why->id,
                               NULL, now_us, err)) < 0) {
        return rc;
    }
    struct principal who = {.id = row->user_id};
    (void)str_copy(str_c(row->user_name), who.name, sizeof(who.name));
    (void)channel_parse(str_c(row->channel), &who.channel);
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    prompt_line(runner, row, &line);
    AUTO_BUF struct buf detail = BUF_INIT(LINE_BYTES_MAX + 128);
    buf_addf(&detail, "run %lld: %s", (long long)row->id, line.data);
    rc = access_audit(runner->o.access, &who, audit_action, detail.data,
                      why == NULL ? "ok" : err_info(why->id)->code, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_REPLY struct reply *reply = run_reply_closed(line.data, stage_of(c), why);
    int64_t outbox_id = c->outbox_id;
    rc = run_write_post(runner, &who, row->chat_id, 0, reply, row->id, false, &outbox_id, err);
    rc = rc < 0 ? rc : stage_close_copies(runner, c, reply, err);
    if (rc == 0) {
        *ret_reply = TAKE(reply);
    }
    return rc;
}

/* Closes an expired prompt. *ret_reply is for the user who answered too late. */
static int expire(struct runner *runner, const struct confirmation *c, const struct run_row *row,
                  struct reply **ret_reply, struct err *ret_why, struct err *err)
{
    AUTO_BUF struct buf after = BUF_INIT(64);
    clock_add_duration(&after,
                       runner_prompt_us(runner, manifest_find(runner->o.manifests, row->command)));
    (void)err_set(ret_why, ERR_CONFIRM_EXPIRED, "%s, after %s", c->nonce, after.data);
    return runner_confirm_close(runner, c, row, RUN_EXPIRED, "confirm.expired", ret_why, ret_reply,
                                err);
}

/* Who runs it: the person who sent it, with the current role. After an approval that is not the one
 * who answers now. */
static int current_person(struct runner *runner, const struct invocation *in,
                          const struct confirmation *c, struct run *run, struct err *why)
{
    if (strcmp(c->stage, stage_name(STAGE_APPROVE)) != 0) {
        run->who = *in->who;
    } else if (access_identify(runner->o.access, run->who.channel, run->who.id, &run->who) < 0) {
        return err_set(why, ERR_ACCESS_DENIED, "%s is no user any more", run->who.name);
    }
    run_args_demand(run);
    return manifest_permit(run->m, &run->who, run->args, why);
}

static bool belongs_to(const struct confirmation *c, const struct invocation *in)
{
    return c->user_id == in->who->id && strcmp(c->channel, channel_name(in->who->channel)) == 0 &&
           c->chat_id == in->chat_id;
}

/* The answer came from a chat that shows no copy of the prompt: sends it what became of it. */
static int post_elsewhere(struct runner *runner, const struct invocation *in,
                          const struct confirmation *c, struct admission *a, struct err *err)
{
    int64_t outbox_id = 0;
    bool shown = false;
    int rc = belongs_to(c, in) ? 0 : stage_has_copy(runner, c, in, &shown, err);
    if (rc < 0 || belongs_to(c, in)) {
        return rc;
    }
    a->posted = true;
    if (shown || a->reply == NULL) {
        return 0;
    }
    AUTO_REPLY struct reply *copy = reply_copy(a->reply);
    return run_write_post(runner, in->who, in->chat_id, in->thread_id, copy, 0, false, &outbox_id,
                          err);
}

/* Tells the person who approved, and all who could have; the person who asked sees progress and
 * result. */
static int post_approved(struct runner *runner, const struct invocation *in,
                         const struct confirmation *c, const struct run *run, struct admission *a,
                         struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    (void)run_args_line(run, &line);
    a->reply = reply_new();
    reply_title(a->reply, TONE_GOOD, "Approved by %s: %s of %s", in->who->name, line.data,
                run->who.name);
    reply_line(a->reply, "/runs %lld shows how it goes.", (long long)run->id);
    reply_choice(a->reply, "%s", run->choice);
    int rc = stage_close_copies(runner, c, a->reply, err);
    return rc < 0 ? rc : post_elsewhere(runner, in, c, a, err);
}

/* Starts a run whose last prompt was answered. */
static int start_confirmed(struct runner *runner, const struct invocation *in,
                           const struct confirmation *c, struct run **slot, struct admission *a,
                           struct err *err)
{
    struct run *run = *slot;
    struct err why = {0};
    bool approved = strcmp(c->stage, stage_name(STAGE_APPROVE)) == 0;
    if (run_lock_check(run, &why) < 0) { /* the prompt stays open */
        return runner_refuse(runner, in, "command.refused", &why, NULL, a, err);
    }
    runner_act_first(run);
    run->outbox_id = c->outbox_id;
    if (!a->open) {
        run_read(run);
    }
    bool won = false;
    int rc = runner_open(runner, in, a, err);
    rc = rc < 0 ? rc : confirmation_table_use(runner->o.store, c->nonce, &won, err);
    if (rc < 0) {
        return rc;
    }
    ASSERT(won); /* it was read as unused, and nothing else answers it meanwhile */
    if ((rc = run_table_start(runner->o.store, run->id, clock_wall_us(runner->o.clock), err)) < 0 ||
        (rc = run_write_audit(run, "confirm.given",
                              strcmp(c->stage, stage_name(STAGE_CONFIRM)) == 0 ? "" : c->stage,
                              "ok", err)) < 0 ||
        (rc = run_write_steps(run, err)) < 0 ||
        (rc = in->stored == NULL ? 0 : in->stored(run->id, in->userdata, err)) < 0) {
        return rc;
    }
    if (!run->prepares) {
        run_lock_take(run, clock_wall_us(runner->o.clock));
    }
    run_reply_set_choice(run, stage_of(c), approved ? in->who->name : "");
    run->on_reply = approved ? NULL : in->on_reply;
    run->on_progress = approved ? NULL : in->on_progress;
    run->userdata = in->userdata;
    if (run->outbox_id != 0 && !run->over) { /* replace the prompt at once: its buttons are used */
        AUTO_REPLY struct reply *reply = run_reply_progress(run);
        rc = run_write_post(runner, &run->who, run->chat_id, run->thread_id, reply, run->id,
                            run->m->emergency, &run->outbox_id, err);
        a->posted = true;
        run->notified_mono_us = clock_mono_us(runner->o.clock);
    }
    if (rc == 0 && approved) {
        rc = post_approved(runner, in, c, run, a, err);
    }
    if (rc == 0) {
        a->start = TAKE(*slot);
    }
    return rc;
}

/* The command cannot be run any more; or not now, and then the prompt stays open. */
static int refuse_gone(struct runner *runner, const struct invocation *in,
                       const struct confirmation *c, const struct run_row *row,
                       const struct err *why, struct admission *a, struct err *err)
{
    if (err_info(why->id)->retry == ERR_RETRY_LATER) {
        return runner_refuse(runner, in, "confirm.refused", why, NULL, a, err);
    }
    int rc = runner_open(runner, in, a, err);
    a->posted = run_write_is_chat(in->who->channel);
    a->err = *why;
    rc = rc < 0 ? rc
                : runner_confirm_close(runner, c, row, RUN_REFUSED, "confirm.refused", why,
                                       &a->reply, err);
    return rc < 0 ? rc : post_elsewhere(runner, in, c, a, err);
}

/* Compares what the prompt showed with what is so now, and describes the differences in
 * run->changed. Stopping never waits for another answer. Returns 1 if *ret_why refuses it. */
static int compare_basis(struct run *run, const struct confirmation *c, struct err *ret_why,
                         struct err *err)
{
    struct runner *runner = run->runner;
    AUTO_BUF struct buf shown = BUF_INIT(BASIS_MAX);
    AUTO_BUF struct buf lines = BUF_INIT(2 * BASIS_MAX);
    struct basis now = BASIS_INIT;
    int rc = confirmation_table_get_basis(runner->o.store, c->nonce, &shown, err);
    if (rc < 0 || shown.len == 0 || run->m->safe_side) {
        return rc;
    }
    rc = run_reply_basis(run, &now, ret_why) < 0 ? 1 : 0;
    if (rc == 0 && basis_compare(buf_str(&shown), buf_str(&now.text),
                                 runner->o.config->commands_confirm_band_pct, &lines) > 0) {
        str_cut(buf_str(&lines), run->changed, sizeof(run->changed));
    }
    buf_release(&now.text);
    return rc;
}

/* Asks again, with the new numbers. The age of a stale command was seen before. */
static int ask_again(struct run *run, const struct invocation *in, const struct confirmation *c,
                     enum stage_id stage, struct admission *a, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    AUTO_REPLY struct reply *note = reply_new();
    (void)run_args_line(run, &line);
    reply_title(note, TONE_WARN, "It has changed: %s", line.data);
    reply_line(note, "A new prompt follows.");
    int rc = runner_open(run->runner, in, a, err);
    rc = rc < 0 ? rc : stage_close_copies(run->runner, c, note, err);
    return rc < 0 ? rc
                  : runner_confirm_ask(run, in, stage == STAGE_STALE ? STAGE_CONFIRM : stage, c, a,
                                       err);
}

/* The answer yes to an open prompt: passes its stage, and asks at the next or starts the run. */
static int accept_answer(struct runner *runner, const struct invocation *in,
                         const struct confirmation *c, const struct run_row *row,
                         struct admission *a, struct err *err)
{
    struct err why = {0};
    enum stage_id stage = stage_of(c);
    bool passed = false;
    AUTO_RUN struct run *run = run_load(runner, row, true, &why);
    if (run == NULL) {
        return refuse_gone(runner, in, c, row, &why, a, err);
    }
    if (current_person(runner, in, c, run, &why) < 0) {
        return runner_refuse(runner, in, "command.denied", &why, NULL, a, err);
    }
    int rc = runner_prepare_restore(run, err);
    rc = rc < 0 ? rc : compare_basis(run, c, &why, err);
    if (rc > 0) {
        return refuse_gone(runner, in, c, row, &why, a, err);
    }
    if (rc < 0 || run->changed[0] != '\0') {
        return rc < 0 ? rc : ask_again(run, in, c, stage, a, err);
    }
    if ((rc = stage_answer(run, in, c, a, &passed, err)) < 0 || !passed) {
        return rc;
    }
    run->prepares = stage == STAGE_STALE && runner_prepares(run, in);
    if (run->prepares) { /* the confirmation follows */
        return start_confirmed(runner, in, c, &run, a, err);
    }
    /* "Run now" confirms what it shows. */
    rc = stage_walk(run, in, stage == STAGE_STALE ? STAGE_CODE : stage + 1, c, a, &passed, err);
    return rc < 0 || !passed ? rc : start_confirmed(runner, in, c, &run, a, err);
}

/* Refuses an answer that is too old. The prompt stays open for a new one. */
static int refuse_stale(struct runner *runner, const struct invocation *in,
                        const struct confirmation *c, const struct run_row *row,
                        const struct stale_age *age, struct admission *a, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    prompt_line(runner, row, &line);
    struct reply *reply = run_reply_stale_answer(line.data, c->nonce, age);
    struct err why = *reply_get_error(reply);
    return runner_refuse_answer(runner, in, "confirm.stale", &why, reply, a, err);
}

/* Another person refused: tells that person too, and audits who it was. */
static int post_denied(struct runner *runner, const struct invocation *in,
                       const struct confirmation *c, const struct run_row *row, struct admission *a,
                       struct err *err)
{
    AUTO_BUF struct buf detail = BUF_INIT(128);
    buf_addf(&detail, "run %lld of %s: %s", (long long)row->id, row->user_name, row->command);
    int rc = access_audit(runner->o.access, in->who, "confirm.denied", detail.data, "ok", err);
    return rc < 0 ? rc : post_elsewhere(runner, in, c, a, err);
}

/* Anybody with the role may answer the prompt for an approval, from any chat. */
static bool may_approve(struct runner *runner, const struct confirmation *c,
                        const struct invocation *in)
{
    AUTO_RUN_ROW struct run_row row = {0};
    if (strcmp(c->stage, stage_name(STAGE_APPROVE)) != 0 ||
        run_table_get(runner->o.store, c->run_id, &row, NULL) < 0) {
        return false;
    }
    const struct manifest *m = manifest_find(runner->o.manifests, row.command);
    return m != NULL && manifest_permit(m, in->who, NULL, NULL) == 0;
}

int runner_confirm_answer(struct runner *runner, const struct invocation *in, const char *code,
                          bool yes, struct admission *a, struct err *err)
{
    struct err why = {0};
    struct confirmation c;
    struct held_prompt *held = runner_held_find(runner, code);
    if (held != NULL && (held->run_id == 0 || held->used || a->unrecorded.id != ERR_NONE)) {
        return runner_held_answer(runner, in, held, yes, a, err);
    }
    if (a->unrecorded.id != ERR_NONE) {
        return runner_refuse(runner, in, "confirm.refused", &a->unrecorded, NULL, a, err);
    }
    struct step *step = approval_find(runner, code);
    if (step != NULL) {
        return approval_answer(step, in, yes, a, err);
    }
    AUTO_PROPOSAL struct proposal proposed = {0};
    int found = proposal_find(runner, code, &proposed, err);
    if (found != 0) {
        return found < 0 ? found : proposal_answer(runner, in, &proposed, yes, a, err);
    }
    int rc = confirmation_table_get(runner->o.store, code, &c, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        (void)err_set(&why, ERR_CONFIRM_UNKNOWN, "%.20s", code);
        return runner_refuse_answer(runner, in, "confirm.refused", &why, NULL, a, err);
    }
    if (rc < 0) {
        return rc;
    }
    TRACE_RUN(c.run_id);
    if (!belongs_to(&c, in) && !may_approve(runner, &c, in)) {
        (void)err_set(&why, ERR_CONFIRM_FOREIGN, "run %lld", (long long)c.run_id);
        return runner_refuse_answer(runner, in, "confirm.foreign", &why, NULL, a, err);
    }
    AUTO_RUN_ROW struct run_row row = {0};
    if ((rc = run_table_get(runner->o.store, c.run_id, &row, err)) < 0) {
        return rc;
    }
    if (c.used) {
        (void)err_set(&why, row.state == RUN_EXPIRED ? ERR_CONFIRM_EXPIRED : ERR_CONFIRM_USED,
                      "%s, run %lld", c.nonce, (long long)c.run_id);
        return runner_refuse_answer(runner, in, "confirm.refused", &why, NULL, a, err);
    }
    if (clock_wall_us(runner->o.clock) >= c.expires_us) {
        rc = runner_open(runner, in, a, err);
        a->posted = run_write_is_chat(in->who->channel);
        rc = rc < 0 ? rc : expire(runner, &c, &row, &a->reply, &a->err, err);
        return rc < 0 ? rc : post_elsewhere(runner, in, &c, a, err);
    }
    struct stale_age age;
    if (yes && runner_is_stale(runner, in, &age)) {
        return refuse_stale(runner, in, &c, &row, &age, a, err);
    }
    if (!yes) {
        rc = runner_open(runner, in, a, err);
        a->posted = true;
        rc = rc < 0 ? rc
                    : runner_confirm_close(runner, &c, &row, RUN_CANCELLED, "confirm.cancelled",
                                           NULL, &a->reply, err);
        return rc < 0 || belongs_to(&c, in) ? rc : post_denied(runner, in, &c, &row, a, err);
    }
    return accept_answer(runner, in, &c, &row, a, err);
}

/* Converts a typed code to the stored form: upper case, O to 0, I and L to 1. */
static void fold_code(const char *typed, char ret_code[32])
{
    (void)str_copy(str_c(typed), ret_code, 32);
    for (char *c = ret_code; *c != '\0'; c++) {
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
        *c = (char)(*c == 'O' ? '0' : *c == 'I' || *c == 'L' ? '1' : *c);
    }
}

int runner_confirm_press(struct runner *runner, const struct invocation *in, struct admission *a,
                         struct err *err)
{
    char code[32];
    _Static_assert(sizeof(RUN_REPLY_CONFIRM) == sizeof(RUN_REPLY_CANCEL),
                   "the same number of bytes is skipped for both prefixes");
    fold_code(in->line + strlen(RUN_REPLY_CONFIRM), code);
    return runner_confirm_answer(runner, in, code, str_starts(str_c(in->line), RUN_REPLY_CONFIRM),
                                 a, err);
}

/* Finds the newest open prompt of this user in this chat, of one stage if it is not NULL. Returns 1
 * if there is one. While ops.db cannot be written, it may still be read. */
static int newest_code(struct runner *runner, const struct invocation *in,
                       const struct admission *a, const char *stage, char ret_code[32],
                       struct err *err)
{
    struct confirmation newest;
    struct confirmation like = {.user_id = in->who->id, .chat_id = in->chat_id};
    const struct held_prompt *held = runner_held_newest(runner, in);
    if (stage == NULL && held != NULL && (held->run_id == 0 || a->unrecorded.id != ERR_NONE)) {
        (void)str_copy(str_c(held->code), ret_code, 32);
        return 1;
    }
    (void)str_copy(str_c(channel_name(in->who->channel)), like.channel, sizeof(like.channel));
    (void)str_copy(str_c(stage), like.stage, sizeof(like.stage));
    int rc = confirmation_table_newest(runner->o.store, &like, &newest, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    if (rc < 0) {
        return rc;
    }
    (void)str_copy(str_c(newest.nonce), ret_code, 32);
    return 1;
}

/* Returns rc, or says why nothing can be stored. */
static int refuse_unread(struct runner *runner, const struct invocation *in, int rc,
                         struct admission *a, struct err *err)
{
    return a->unrecorded.id == ERR_NONE
               ? rc
               : runner_refuse(runner, in, "confirm.refused", &a->unrecorded, NULL, a, err);
}

int runner_confirm_digits(struct runner *runner, const struct invocation *in, const char *digits,
                          struct admission *a, bool *ret_taken, struct err *err)
{
    char code[32];
    struct invocation with_code = *in;
    int rc = newest_code(runner, in, a, stage_name(STAGE_CODE), code, err);
    *ret_taken = rc != 0;
    with_code.otp = digits;
    if (rc < 0) {
        return refuse_unread(runner, in, rc, a, err);
    }
    return rc == 0 ? 0 : runner_confirm_answer(runner, &with_code, code, true, a, err);
}

int runner_confirm_type(struct runner *runner, const struct invocation *in, const struct line *line,
                        bool yes, struct admission *a, struct err *err)
{
    struct err why = {0};
    char code[32];
    size_t most = yes ? 3 : 2;
    struct invocation with_code = *in;
    if (line->count > most || (yes && line->count < 2)) {
        (void)err_set(&why, line->count > most ? ERR_COMMAND_ARG_EXTRA : ERR_COMMAND_ARG_MISSING,
                      yes ? "usage: /confirm <code> [six digits]" : "usage: /cancel [code]");
        return runner_refuse_answer(runner, in, "confirm.refused", &why, NULL, a, err);
    }
    if (line->count == 3) {
        with_code.otp = line->words[2];
    }
    if (line->count >= 2) {
        fold_code(line->words[1], code);
    } else {
        int rc = newest_code(runner, in, a, NULL, code, err);
        if (rc < 0) {
            return refuse_unread(runner, in, rc, a, err);
        }
        if (rc == 0) {
            (void)err_set(&why, ERR_CONFIRM_UNKNOWN,
                          "nothing waits for your answer here; /cancel <number> cancels a command "
                          "that runs, and /runs lists them");
            return runner_refuse_answer(runner, in, "confirm.refused", &why, NULL, a, err);
        }
    }
    return runner_confirm_answer(runner, &with_code, code, yes, a, err);
}

static int expire_one(struct runner *runner, const struct confirmation *c, struct err *err)
{
    TRACE_RUN(c->run_id);
    AUTO_RUN_ROW struct run_row row = {0};
    AUTO_REPLY struct reply *reply = NULL;
    struct err why = {0};
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = run_table_get(runner->o.store, c->run_id, &row, err);
    if (rc == 0) {
        rc = expire(runner, c, &row, &reply, &why, err);
    }
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        struct err odd = err == NULL ? (struct err){.id = -rc} : *err;
        return runner_is_odd(rc) ? runner_set_aside(runner, c->run_id, &odd, err) : rc;
    }
    return ops_store_commit(runner->o.store, err);
}

/* The prompt is closed as if its person had pressed Cancel. */
static int cancel_one(struct runner *runner, const struct confirmation *c, struct err *err)
{
    TRACE_RUN(c->run_id);
    AUTO_RUN_ROW struct run_row row = {0};
    AUTO_REPLY struct reply *reply = NULL;
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = run_table_get(runner->o.store, c->run_id, &row, err);
    rc = rc < 0 ? rc
                : runner_confirm_close(runner, c, &row, RUN_CANCELLED, "confirm.cancelled", NULL,
                                       &reply, err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

int runner_cancel_prompts(struct runner *runner, const struct principal *who, struct err *err)
{
    struct confirmation like = {.user_id = who->id}, newest;
    int rc = 0;
    (void)str_copy(str_c(channel_name(who->channel)), like.channel, sizeof(like.channel));
    while (rc == 0 && (rc = confirmation_table_newest(runner->o.store, &like, &newest, err)) == 0) {
        rc = cancel_one(runner, &newest, err);
    }
    if (rc == -ERR_STORE_NOT_FOUND) { /* no more */
        err_clear(err);
        rc = 0;
    }
    if (runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    return rc;
}

void runner_confirm_schedule(struct runner *runner)
{
    struct confirmation next;
    struct err err = {0};
    int64_t proposal_us = 0;
    int n = confirmation_table_expired(runner->o.store, INT64_MAX, &next, 1, &err);
    if (n < 0 || proposal_next_expiry(runner, &proposal_us, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read the confirmations");
        arm_expiry(runner, EXPIRY_RETRY_US);
    } else if (n > 0 || proposal_us != 0) {
        int64_t first_us = n > 0 ? next.expires_us : proposal_us;
        first_us = proposal_us != 0 && proposal_us < first_us ? proposal_us : first_us;
        arm_expiry(runner, first_us - clock_wall_us(runner->o.clock));
    }
}

int runner_confirm_expire_due(struct runner *runner, struct err *err)
{
    struct confirmation due[BATCH];
    int n = 0;
    do {
        n = confirmation_table_expired(runner->o.store, clock_wall_us(runner->o.clock), due, BATCH,
                                       err);
        for (int i = 0; i < n; i++) {
            int rc = expire_one(runner, &due[i], err);
            if (rc < 0) {
                return rc;
            }
        }
    } while (n == BATCH);
    return n < 0 ? n : proposal_expire_due(runner, err);
}

void runner_confirm_on_expiry(void *userdata)
{
    struct runner *runner = userdata;
    struct err err = {0};
    runner_on_record(runner); /* first, so that prompts answered in memory do not expire */
    if (runner_confirm_expire_due(runner, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not expire a confirmation");
        arm_expiry(runner, EXPIRY_RETRY_US);
        return;
    }
    if (runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    runner_confirm_schedule(runner);
}

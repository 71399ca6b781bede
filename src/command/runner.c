#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/update_table.h"

#include <string.h>

#define WRONG_ANSWERS_PER_MINUTE 10
#define REFUSED_SHOWN_MAX        200 /* bytes of a refused line that the audit log keeps */

int runner_new(const struct runner_options *options, struct runner **ret, struct err *err)
{
    (void)err; /* nothing can fail today but memory */
    struct runner *runner = calloc(1, sizeof(*runner));
    ASSERT(runner != NULL);
    runner->o = *options;
    runner->rate.per_minute = options->config->commands_rate;
    runner->wrong_answers.per_minute = WRONG_ANSWERS_PER_MINUTE;
    runner->settle = loop_add_deferred(options->loop, run_settle_finished, runner);
    loop_source_name(runner->settle, "runs that finished");
    runner->expiry = loop_add_timer(options->loop, runner_confirm_on_expiry, runner);
    loop_source_name(runner->expiry, "confirmations");
    runner->recover = loop_add_timer(options->loop, runner_on_recover, runner);
    loop_source_name(runner->recover, "runs to recover");
    runner->record = loop_add_timer(options->loop, runner_on_record, runner);
    loop_source_name(runner->record, "runs to record");
    *ret = runner;
    return 0;
}

void runner_free(struct runner *runner)
{
    if (runner == NULL) {
        return;
    }
    while (runner->runs != NULL) {
        struct run *run = runner->runs;
        runner->runs = run->next;
        run_free(run);
    }
    loop_source_free(runner->settle);
    loop_source_free(runner->expiry);
    loop_source_free(runner->record);
    loop_source_free(runner->recover);
    runner_held_release(runner);
    free(runner);
}

void runner_forget(struct runner *runner, const void *userdata)
{
    for (struct run *run = runner->runs; run != NULL; run = run->next) {
        if (run->userdata == userdata) {
            run->on_reply = NULL;
        }
    }
}

size_t runner_active(const struct runner *runner)
{
    return runner->run_count;
}

/* ------------------------------------------------------------------------------- refusals ---- */

int runner_refuse(struct runner *runner, const struct invocation *in, const char *audit_action,
                  const struct err *why, struct reply *owned_reply, struct admission *v,
                  struct err *err)
{
    struct reply *reply = owned_reply;
    if (reply == NULL) {
        reply = reply_new();
        reply_error(reply, why);
    }
    v->reply = reply;
    v->err = *why;
    if (v->unrecorded.id != ERR_NONE) {
        log_err(LOG_LEVEL_WARNING, why, audit_action); /* the journal is the record that is left */
        return 0;
    }
    v->posted = run_write_is_chat(in->who->channel);

    struct str line = str_c(in->line);
    char shown[REFUSED_SHOWN_MAX + 1];
    (void)str_copy(line, shown, sizeof(shown));
    AUTO_BUF struct buf detail = BUF_INIT(1000);
    buf_add_json(&detail, str_c(shown)); /* it may be anything: control bytes, broken UTF-8 */
    if (in->args_json != NULL) {
        buf_addf(&detail, " %.*s", REFUSED_SHOWN_MAX, in->args_json);
    }
    buf_addf(&detail, ": %s", why->context);
    int rc = access_audit(runner->o.access, in->who, audit_action, detail.data,
                          err_info(why->id)->code, err);
    if (rc < 0) {
        return rc;
    }
    int64_t outbox_id = 0;
    return run_write_post(runner, in->who, in->chat_id, reply, 0, false, &outbox_id, err);
}

/* Error card with usage and an example under it. */
static struct reply *usage_reply(const struct manifest *m, const struct err *why)
{
    struct reply *reply = reply_new();
    AUTO_BUF struct buf usage = BUF_INIT(512);
    manifest_usage(m, &usage);
    reply_error(reply, why);
    reply_line(reply, "Usage: %s", usage.data);
    reply_line(reply, "Example: /%s", m->examples[0]);
    return reply;
}

static int refuse_unknown(struct runner *runner, const struct invocation *in, const char *name,
                          struct admission *v, struct err *err)
{
    struct err why = {0};
    const char *near = manifest_nearest(runner->o.manifests, str_c(name));
    struct reply *reply = reply_new();
    if (near == NULL) {
        (void)err_set(&why, ERR_COMMAND_UNKNOWN, "%.40s", name);
        reply_button(reply, "Help", "/help", BUTTON_PLAIN);
    } else {
        AUTO_BUF struct buf button = BUF_INIT(64);
        (void)err_set(&why, ERR_COMMAND_UNKNOWN, "%.40s; did you mean /%s?", name, near);
        const struct manifest *m = manifest_find(runner->o.manifests, near);
        buf_addf(&button, "/%s", near);
        bool is_help = strcmp(near, "help") == 0; /* that button stands there anyway */
        if (!is_help && (m->arg_count == 0 || !m->args[0].required)) {
            reply_button(reply, button.data, button.data, BUTTON_PRIMARY);
        }
        reply_button(reply, "Help", "/help", BUTTON_PLAIN);
    }
    reply_error(reply, &why);
    return runner_refuse(runner, in, "command.refused", &why, reply, v, err);
}

/* ------------------------------------------------------------------------------- new runs ---- */

int runner_store_run(struct run *run, enum run_state state, struct err *err)
{
    AUTO_BUF struct buf args = BUF_INIT(RUN_JSON_MAX);
    run_args_json(run, &args);
    const struct run_new row = {.command = run->m->name,
                                .args_json = args.data,
                                .user_id = run->who.id,
                                .user_name = run->who.name,
                                .role = role_name(run->who.role),
                                .channel = channel_name(run->who.channel),
                                .chat_id = run->chat_id,
                                .state = state};
    return run_table_add(run->runner->o.store, &row, clock_wall_us(run->runner->o.clock), &run->id,
                         err);
}

void runner_act_first(const struct run *run)
{
    for (int i = 0; i < run->m->step_count; i++) {
        const struct action *action = run->m->steps[i].action;
        if (action->first != NULL) {
            action->first(action_table_userdata(run->runner->o.actions, action), &run->who);
        }
    }
}

/* Nothing can be stored: it begins in memory. */
static int begin_unrecorded(struct run **slot, const struct invocation *in, struct admission *v)
{
    struct run *run = *slot;
    run->unrecorded = v->unrecorded;
    run->edit_message_id = v->edit ? in->message_id : 0;
    run->marks[0].state = MARK_RUNNING;
    run->step_mono_us = clock_mono_us(run->runner->o.clock);
    if (run->m->changes) {
        AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
        (void)run_args_line(run, &line);
        LOG_FIELDS(WARNING, "a command runs that cannot be recorded yet", {"COMMAND", line.data},
                   {"USER", run->who.name}, {"ERROR_CODE", err_info(v->unrecorded.id)->code});
    }
    v->start = TAKE(*slot);
    return 0;
}

int runner_begin(struct run **slot, const struct invocation *in, struct admission *v,
                 struct err *err)
{
    struct run *run = *slot;
    run->on_reply = in->on_reply;
    run->userdata = in->userdata;
    runner_act_first(run);
    if (v->unrecorded.id != ERR_NONE) {
        return begin_unrecorded(slot, in, v);
    }
    int rc = runner_store_run(run, RUN_RUNNING, err);
    if (rc < 0 || (rc = run_write_received(run, err)) < 0) {
        return rc;
    }
    if (run->m->confirm &&
        (rc = run_write_audit(run, "confirm.given", "together with the command", "ok", err)) < 0) {
        return rc;
    }
    if ((rc = run_write_start(run, err)) < 0) {
        return rc;
    }
    v->start = TAKE(*slot);
    return 0;
}

bool runner_is_stale(const struct runner *runner, const struct invocation *in,
                     struct stale_age *ret_age)
{
    int64_t age_us = in->sent_us == 0 ? 0 : clock_wall_us(runner->o.clock) - in->sent_us;
    *ret_age = (struct stale_age){.us = age_us, .at_most = in->undated};
    return age_us > runner->o.config->telegram_stale_after_us;
}

static int accept_command(struct runner *runner, const struct invocation *in,
                          const struct manifest *m, const struct line *line, struct admission *v,
                          struct err *err)
{
    struct err why = {0};
    if (access_permit(in->who, m->role, m->emergency, &why) < 0) {
        return runner_refuse(runner, in, "command.denied", &why, NULL, v, err);
    }
    AUTO_RUN struct run *run = run_new(runner, m, in->who, in->chat_id);
    int bound = in->args_json != NULL ? run_args_bind_json(run, in->args_json, &why)
                                      : run_args_bind(run, line, &why);
    if (bound < 0) {
        return runner_refuse(runner, in, "command.refused", &why, usage_reply(m, &why), v, err);
    }
    struct stale_age age;
    if (m->changes && runner_is_stale(runner, in, &age)) {
        struct reply *reply = run_reply_stale(run, &age);
        why = *reply_get_error(reply);
        return runner_refuse(runner, in, "command.stale", &why, reply, v, err);
    }
    if (runner->run_count >= RUNS_MAX && !m->emergency) {
        (void)err_set(&why, ERR_COMMAND_BUSY, "%zu", runner->run_count);
        return runner_refuse(runner, in, "command.refused", &why, NULL, v, err);
    }
    if (v->unrecorded.id != ERR_NONE && m->changes && !m->safe_side) {
        return runner_refuse(runner, in, "command.refused", &v->unrecorded, NULL, v, err);
    }
    if (m->confirm && !in->confirmed) {
        return runner_confirm_ask(run, in, v, err);
    }
    return runner_begin(&run, in, v, err);
}

/* --------------------------------------------------------------------------------- submit ---- */

/* A local admin could stop the program anyway; the schedule is the program. */
static bool is_limited(const struct principal *who)
{
    switch (who->channel) {
    case CHANNEL_TELEGRAM:
    case CHANNEL_HTTP:
        return true;
    case CHANNEL_CONSOLE:
    case CHANNEL_SOCKET:
        return who->role != ROLE_ADMIN;
    case CHANNEL_SCHEDULE:
        return false;
    }
    return true;
}

/* True when the line was dealt with: there were too many before it. */
static bool over_limit(struct runner *runner, struct rate *rate, const struct invocation *in,
                       struct admission *v, int *ret_rc, struct err *err)
{
    if (!is_limited(in->who) || v->rated) {
        return false;
    }
    v->rated = true;
    struct err why = {0};
    (void)err_set(&why, ERR_ACCESS_RATE_LIMITED, "more than %lld%s", (long long)rate->per_minute,
                  rate == &runner->wrong_answers ? " answers that no open question takes" : "");
    switch (rate_accept(rate, in->who, clock_mono_us(runner->o.clock))) {
    case RATE_PASS:
        return false;
    case RATE_NOTIFY:
        *ret_rc = runner_refuse(runner, in, "command.limited", &why, NULL, v, err);
        return true;
    case RATE_DROP: /* a waiting client is still answered; a chat was told once */
        v->err = why;
        v->reply = reply_new();
        reply_error(v->reply, &why);
        *ret_rc = 0;
        return true;
    }
    return false;
}

int runner_refuse_answer(struct runner *runner, const struct invocation *in,
                         const char *audit_action, const struct err *why, struct reply *owned_reply,
                         struct admission *v, struct err *err)
{
    int rc = 0;
    if (over_limit(runner, &runner->wrong_answers, in, v, &rc, err)) {
        reply_free(owned_reply);
        return rc;
    }
    return runner_refuse(runner, in, audit_action, why, owned_reply, v, err);
}

static int accept_line(struct runner *runner, const struct invocation *in, struct admission *v,
                       struct err *err)
{
    struct str text = str_c(in->line);
    if (str_starts(text, RUN_REPLY_CONFIRM) || str_starts(text, RUN_REPLY_CANCEL)) {
        return runner_confirm_press(runner, in, v, err);
    }
    struct err why = {0};
    struct line line;
    bool readable = line_split(text, &line, &why) == 0;
    const struct manifest *m = readable ? manifest_find(runner->o.manifests, line.words[0]) : NULL;
    bool answer =
        readable && (strcmp(line.words[0], "confirm") == 0 || strcmp(line.words[0], "cancel") == 0);
    int rc = 0;
    if ((m == NULL || !m->emergency) && !answer &&
        over_limit(runner, &runner->rate, in, v, &rc, err)) {
        return rc;
    }
    if (!readable) {
        return runner_refuse(runner, in, "command.refused", &why, NULL, v, err);
    }
    if (answer) {
        return runner_confirm_type(runner, in, &line, line.words[0][1] == 'o', v, err);
    }
    if (m == NULL) {
        return refuse_unknown(runner, in, line.words[0], v, err);
    }
    return accept_command(runner, in, m, &line, v, err);
}

static int accept(struct runner *runner, const struct invocation *in, struct admission *v,
                  struct err *err)
{
    if (in->update_id != 0) {
        bool fresh = false;
        int rc = update_table_add(runner->o.store, channel_name(in->who->channel), in->update_id,
                                  clock_wall_us(runner->o.clock), &fresh, err);
        if (rc < 0) {
            return rc;
        }
        if (!fresh) {
            (void)err_set(&v->err, ERR_COMMAND_REPEATED, "update %lld", (long long)in->update_id);
            v->reply = reply_new();
            reply_error(v->reply, &v->err);
            return 0;
        }
    }
    return accept_line(runner, in, v, err);
}

/* In one transaction, nothing of which is left when it fails. */
static int accept_stored(struct runner *runner, const struct invocation *in, struct admission *v,
                         struct err *err)
{
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = accept(runner, in, v, err);
    if (rc == 0 && v->start != NULL) {
        rc = run_read(v->start, err);
    }
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
    } else {
        rc = ops_store_commit(runner->o.store, err);
    }
    if (rc < 0) {
        run_free(v->start);
        reply_free(v->reply);
        *v = (struct admission){.rated = v->rated};
    }
    return rc;
}

static bool can_answer_unrecorded(const struct runner *runner, const struct invocation *in)
{
    return !run_write_is_chat(in->who->channel) || runner->o.deliver != NULL;
}

/* Past the outbox, which is in the database that cannot be written. */
static void deliver(const struct runner *runner, const struct invocation *in,
                    const struct admission *v)
{
    if (runner->o.decorate != NULL) {
        runner->o.decorate(v->reply, runner->o.decorate_userdata);
    }
    if (run_write_is_chat(in->who->channel) && runner->o.deliver != NULL) {
        (void)runner->o.deliver(in->who->channel, in->chat_id, v->edit ? in->message_id : 0,
                                v->reply, runner->o.deliver_userdata);
    }
}

int runner_submit(struct runner *runner, const struct invocation *in, struct err *err)
{
    struct admission v = {0};
    struct err why = {0};
    int rc = accept_stored(runner, in, &v, &why);
    if (rc < 0 && can_answer_unrecorded(runner, in)) {
        log_err(LOG_LEVEL_ERROR, &why, "a command cannot be stored");
        v.unrecorded = why;
        rc = accept_line(runner, in, &v, &why);
    }
    if (rc < 0) {
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    if (v.answered != NULL) {
        v.answered->used = true;
    }
    if (v.err.id == ERR_CONFIRM_NEEDED && v.unrecorded.id == ERR_NONE) {
        runner_confirm_schedule(runner);
    }
    if (v.posted && runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    if (v.unrecorded.id != ERR_NONE && v.reply != NULL) {
        deliver(runner, in, &v);
    }
    if (v.reply != NULL && in->on_reply != NULL) {
        in->on_reply(v.reply, v.err.id == ERR_NONE ? NULL : &v.err, in->userdata);
    }
    reply_free(v.reply);
    if (v.start != NULL) {
        run_go(v.start);
        runner_record_schedule(runner); /* if it is still there, and has no row */
    }
    return 0;
}

static int write_late(struct runner *runner, const struct run_row *row, struct reply *reply,
                      struct err *err)
{
    struct principal who = {.id = row->user_id};
    int64_t outbox_id = 0;
    AUTO_BUF struct buf detail = BUF_INIT(1000);
    (void)str_copy(str_c(row->user_name), who.name, sizeof(who.name));
    (void)channel_parse(str_c(row->channel), &who.channel);
    buf_addf(&detail, "run %lld: %s: %s", (long long)row->id, row->command, reply_get_title(reply));
    int rc = outbox_table_of_run(runner->o.store, row->id, &outbox_id, err);
    if (rc < 0 ||
        (rc = access_audit(runner->o.access, &who, "command.late", detail.data, "ok", err)) < 0) {
        return rc;
    }
    return run_write_post(runner, &who, row->chat_id, reply, row->id, false, &outbox_id, err);
}

int runner_late(struct runner *runner, int64_t run_id, struct reply *reply, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = run_table_get(runner->o.store, run_id, &row, err);
    rc = rc < 0 ? rc : write_late(runner, &row, reply, err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    rc = ops_store_commit(runner->o.store, err);
    if (rc == 0 && runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    return rc;
}

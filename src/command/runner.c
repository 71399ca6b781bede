#include "approval.h"
#include "base/check.h"
#include "base/log.h"
#include "base/trace.h"
#include "config/config.h"
#include "io/http.h"
#include "io/json_out.h"
#include "io/otp.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "stage.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/update_table.h"

#include <string.h>

#define WRONG_ANSWERS_PER_MINUTE 10
#define REFUSED_SHOWN_MAX        200 /* bytes of a refused line in the audit log */

int runner_new(const struct runner_options *options, struct runner **ret, struct err *err)
{
    (void)err; /* cannot fail today: without memory it aborts */
    struct runner *runner = calloc(1, sizeof(*runner));
    ASSERT(runner != NULL);
    runner->o = *options;
    runner_apply(runner, options->config);
    runner->wrong_answers.per_minute = WRONG_ANSWERS_PER_MINUTE;
    runner->settle = loop_add_deferred(options->loop, run_settle_finished, runner);
    loop_source_name(runner->settle, "runs that finished");
    runner->expiry = loop_add_timer(options->loop, runner_confirm_on_expiry, runner);
    loop_source_name(runner->expiry, "confirmations");
    runner->recover = loop_add_timer(options->loop, runner_on_recover, runner);
    loop_source_name(runner->recover, "runs to recover");
    runner->flooded = loop_add_timer(options->loop, runner_on_flooded, runner);
    loop_source_name(runner->flooded, "refused commands to count");
    runner->record = loop_add_timer(options->loop, runner_on_record, runner);
    loop_source_name(runner->record, "runs to record");
    runner->recheck = loop_add_deferred(options->loop, runner_on_recheck, runner);
    loop_source_name(runner->recheck, "roles that changed");
    *ret = runner;
    return 0;
}

void runner_apply(struct runner *runner, const struct config *config)
{
    runner->o.config = config;
    runner->rate.per_minute = config->commands_rate;
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
    loop_source_free(runner->flooded);
    loop_source_free(runner->record);
    loop_source_free(runner->recover);
    runner_held_release(runner);
    lock_table_release(&runner->locks);
    runner_limit_release(runner);
    loop_source_free(runner->recheck);
    free(runner);
}

void runner_forget(struct runner *runner, const void *userdata)
{
    for (struct run *run = runner->runs; run != NULL; run = run->next) {
        if (run->userdata == userdata) {
            run->on_reply = NULL;
            run->on_progress = NULL;
        }
    }
}

size_t runner_active(const struct runner *runner)
{
    return runner->run_count;
}

/* ------------------------------------------------------------------------------- refusals ---- */

int runner_refuse(struct runner *runner, const struct invocation *in, const char *audit_action,
                  const struct err *why, struct reply *owned_reply, struct admission *a,
                  struct err *err)
{
    struct reply *reply = owned_reply;
    if (reply == NULL) {
        reply = reply_new();
        reply_error(reply, why);
    }
    a->reply = reply;
    a->err = *why;
    if (a->unrecorded.id != ERR_NONE) {
        log_err(LOG_LEVEL_WARNING, why, audit_action); /* instead of the audit log */
        return 0;
    }
    int rc = runner_open(runner, in, a, err);
    if (rc < 0) {
        return rc;
    }
    a->posted = run_write_is_chat(in->who->channel);

    char shown[REFUSED_SHOWN_MAX + 1];
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX), args = BUF_INIT(RUN_JSON_MAX);
    AUTO_BUF struct buf detail = BUF_INIT(1000);
    (void)http_redact_text(str_c(in->line), &line);
    (void)str_copy(buf_str(&line), shown, sizeof(shown));
    buf_add_json(&detail, str_c(shown)); /* escaped: it may hold control bytes or broken UTF-8 */
    if (in->args_json != NULL) {
        (void)http_redact_text(str_c(in->args_json), &args);
        buf_addf(&detail, " %.*s", REFUSED_SHOWN_MAX, args.data);
    }
    buf_addf(&detail, ": %s", why->context);
    rc = access_audit(runner->o.access, in->who, audit_action, detail.data, err_info(why->id)->code,
                      err);
    if (rc < 0) {
        return rc;
    }
    const struct manifest *m =
        in->who->channel == CHANNEL_SCHEDULE ? manifest_find(runner->o.manifests, in->line) : NULL;
    if (m != NULL && runner->o.scheduled != NULL) { /* nobody sees the reply */
        return runner->o.scheduled(m, NULL, why, runner->o.scheduled_userdata, err);
    }
    return run_write_post(runner, in->who, in->chat_id, in->thread_id, reply, 0, false,
                          &a->outbox_id, err);
}

/* An error with the usage and an example below it. */
static struct reply *usage_reply(const struct manifest *m, const struct err *why)
{
    struct reply *reply = reply_new();
    AUTO_BUF struct buf usage = BUF_INIT(512);
    manifest_usage(m, &usage);
    reply_error(reply, why);
    AUTO_BUF struct buf example = BUF_INIT(512);
    buf_addf(&example, "/%s", m->examples[0]);
    reply_para(reply, "Usage: {}", cell_code(usage.data));
    reply_para(reply, "Example: {}", cell_code(example.data));
    return reply;
}

static int refuse_unknown(struct runner *runner, const struct invocation *in, const char *name,
                          struct admission *a, struct err *err)
{
    struct err why = {0};
    const char *near = manifest_nearest(runner->o.manifests, in->who->channel, str_c(name));
    struct reply *reply = reply_new();
    if (near == NULL) {
        (void)err_set(&why, ERR_COMMAND_UNKNOWN, "%.40s; /help lists the commands", name);
        reply_button(reply, "Help", "/help", BUTTON_PLAIN);
    } else {
        AUTO_BUF struct buf button = BUF_INIT(64);
        (void)err_set(&why, ERR_COMMAND_UNKNOWN, "%.40s; did you mean /%s?", name, near);
        const struct manifest *m = manifest_find(runner->o.manifests, near);
        buf_addf(&button, "/%s", near);
        bool is_help = strcmp(near, "help") == 0; /* that button is added below anyway */
        if (!is_help && (m->arg_count == 0 || !m->args[0].rule.required)) {
            reply_button(reply, button.data, button.data, BUTTON_PRIMARY);
        }
        reply_button(reply, "Help", "/help", BUTTON_PLAIN);
    }
    reply_error(reply, &why);
    return runner_refuse(runner, in, "command.refused", &why, reply, a, err);
}

/* ------------------------------------------------------------------------------- new runs ---- */

int runner_store_run(struct run *run, enum run_state state, struct err *err)
{
    AUTO_BUF struct buf args = BUF_INIT(RUN_JSON_MAX);
    run_args_json(run, &args);
    const struct run_new row = {.command = run->m->name,
                                .manifest = run->m->digest,
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

int runner_store_asked(struct run *run, const struct invocation *in, enum run_state state,
                       struct err *err)
{
    const struct runner_options *o = &run->runner->o;
    int rc = runner_store_run(run, state, err);
    if (rc == 0 && o->asked != NULL && run->m->changes) {
        o->asked(in, run->id, o->asked_userdata);
    }
    if (rc == 0 && in->stored != NULL) {
        rc = in->stored(run->id, in->userdata, err);
    }
    return rc;
}

void runner_act_first(const struct run *run)
{
    TRACE_RUN(run->id); /* 0: it is not stored yet */
    for (int i = 0; i < run->m->step_count; i++) {
        const struct action *action = run->m->steps[i].action;
        if (action->first != NULL) {
            action->first(action_table_userdata(run->runner->o.actions, action), &run->who);
        }
    }
}

/* Starts the run in memory, because nothing can be stored. */
static int begin_unrecorded(struct run **slot, const struct invocation *in, struct admission *a)
{
    struct run *run = *slot;
    run->unrecorded = a->unrecorded;
    run->edit_message_id = a->edit ? in->message_id : 0;
    if (run->m->changes) {
        AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
        (void)run_args_line(run, &line);
        LOG_FIELDS(WARNING, "running a command that cannot be recorded yet", {"COMMAND", line.data},
                   {"USER", run->who.name}, {"ERROR_CODE", err_info(a->unrecorded.id)->code});
    }
    a->start = TAKE(*slot);
    return 0;
}

int runner_begin(struct run **slot, const struct invocation *in, struct admission *a,
                 struct err *err)
{
    struct run *run = *slot;
    run->on_reply = in->on_reply;
    run->on_progress = in->on_progress;
    run->userdata = in->userdata;
    runner_act_first(run);
    if (a->unrecorded.id != ERR_NONE) {
        return begin_unrecorded(slot, in, a);
    }
    if (!a->open) {
        run_read(run);
    }
    a->reads = !run->m->changes;
    int rc = runner_open(run->runner, in, a, err);
    if (rc < 0 || (rc = runner_store_asked(run, in, RUN_RUNNING, err)) < 0 ||
        (rc = run_write_received(run, err)) < 0) {
        return rc;
    }
    if (!run->prepares) {
        run_lock_take(run, run->asked_wall_us);
    }
    if (run->demand.confirm && !run->prepares &&
        (rc = run_write_audit(run, "confirm.given", "together with the command", "ok", err)) < 0) {
        return rc;
    }
    if ((rc = run_write_steps(run, err)) < 0) {
        return rc;
    }
    a->start = TAKE(*slot);
    return 0;
}

bool runner_is_stale(const struct runner *runner, const struct invocation *in,
                     struct stale_age *ret_age)
{
    int64_t age_us = in->sent_us == 0 ? 0 : clock_wall_us(runner->o.clock) - in->sent_us;
    *ret_age = (struct stale_age){.us = age_us, .at_most = in->undated};
    return age_us > runner->o.config->telegram_stale_after_us;
}

/* The limit is for each person, so that nobody keeps another from running a command. */
static size_t count_runs(const struct runner *runner, const struct principal *who)
{
    size_t count = 0;
    for (const struct run *run = runner->runs; run != NULL; run = run->next) {
        count += run->who.channel == who->channel && run->who.id == who->id &&
                         strcmp(run->who.name, who->name) == 0
                     ? 1
                     : 0;
    }
    return count;
}

/* A line in a person's own words: the command that takes it, and its first argument. */
struct free_line {
    const struct manifest *m;
    bool goes_on;    /* in a conversation */
    struct buf text; /* cut to more than an argument may have, so that a longer one is refused */
};

static void free_line_release(struct free_line *line)
{
    buf_release(&line->text);
}
#define AUTO_FREE_LINE AUTO(free_line_release)

static bool read_free_text(const struct runner *runner, const struct invocation *in,
                           struct free_line *ret);
static int accept_free_text(struct runner *runner, const struct invocation *in,
                            const struct free_line *free_line, struct admission *a,
                            struct err *err);

int runner_admit(struct run **slot, const struct invocation *in, struct admission *a,
                 struct err *err)
{
    struct run *run = *slot;
    struct runner *runner = run->runner;
    const struct manifest *m = run->m;
    struct err why = {0};
    if (manifest_permit(m, in->who, run->args, &why) < 0) {
        return runner_refuse(runner, in, "command.denied", &why, NULL, a, err);
    }
    size_t active = count_runs(runner, in->who);
    if (active >= RUNS_MAX && !m->emergency && !m->safe_side) {
        (void)err_set(&why, ERR_COMMAND_BUSY, "%zu of %s", active, in->who->name);
        return runner_refuse(runner, in, "command.refused", &why, NULL, a, err);
    }
    if (a->unrecorded.id != ERR_NONE && m->changes && !m->safe_side) {
        return runner_refuse(runner, in, "command.refused", &a->unrecorded, NULL, a, err);
    }
    if (run_lock_check(run, &why) < 0) {
        return runner_refuse(runner, in, "command.refused", &why, NULL, a, err);
    }
    struct stale_age age;
    bool passed = runner_prepares(run, in) && !runner_is_stale(runner, in, &age);
    run->prepares = passed;
    int rc = passed ? 0 : stage_walk(run, in, STAGE_STALE, NULL, a, &passed, err);
    return rc < 0 || !passed ? rc : runner_begin(slot, in, a, err);
}

static int accept_command(struct runner *runner, const struct invocation *in,
                          const struct manifest *m, const struct line *line, struct admission *a,
                          struct err *err)
{
    struct err why = {0};
    AUTO_FREE_LINE struct free_line said = {.text = BUF_INIT(VALUE_TEXT_MAX + 1)};
    if (manifest_permit(m, in->who, NULL, &why) < 0) {
        /* "restart it, please" of somebody who may not is something that is said. */
        return line->count > 1 && read_free_text(runner, in, &said) && said.goes_on
                   ? accept_free_text(runner, in, &said, a, err)
                   : runner_refuse(runner, in, "command.denied", &why, NULL, a, err);
    }
    int limited = 0;
    if (runner_over_command_limit(runner, m, in, a, &limited, err)) {
        return limited;
    }
    AUTO_RUN struct run *run = run_new(runner, m, in->who, in->chat_id);
    run->thread_id = in->thread_id;
    int bound = in->args_json != NULL ? run_args_bind_json(run, in->args_json, &why)
                                      : run_args_bind(run, line, &why);
    if (bound < 0 && read_free_text(runner, in, &said)) {
        return accept_free_text(runner, in, &said, a, err);
    }
    if (bound < 0) {
        return runner_refuse(runner, in, "command.refused", &why, usage_reply(m, &why), a, err);
    }
    return runner_admit(&run, in, a, err);
}

/* --------------------------------------------------------------------------------- submit ---- */

int runner_refuse_answer(struct runner *runner, const struct invocation *in,
                         const char *audit_action, const struct err *why, struct reply *owned_reply,
                         struct admission *a, struct err *err)
{
    int rc = 0;
    if (runner_over_limit(runner, &runner->wrong_answers, in, a, &rc, err)) {
        reply_free(owned_reply);
        return rc;
    }
    return runner_refuse(runner, in, audit_action, why, owned_reply, a, err);
}

/* NULL if the command does not exist on the channel of the invocation. */
static const struct manifest *if_visible(const struct manifest *m, const struct invocation *in)
{
    return m != NULL && manifest_is_visible(m, in->who->channel) ? m : NULL;
}

/* ---------------------------------------------------------------------------- questions ---- */

#define QUESTION_COMMAND "ask"

/* False: it is none. A single word is a mistyped command, unless it is said in a conversation. */
static bool read_free_text(const struct runner *runner, const struct invocation *in,
                           struct free_line *ret)
{
    struct str text = str_trim(str_c(in->line));
    const char *command = QUESTION_COMMAND;
    bool several =
        memchr(text.ptr, ' ', text.len) != NULL || memchr(text.ptr, '\n', text.len) != NULL;
    if (in->free_text == FREE_TEXT_NO || in->args_json != NULL || text.len == 0 ||
        (in->free_text == FREE_TEXT_MAYBE && text.ptr[0] == '/')) {
        return false;
    }
    ret->goes_on = runner->o.converse != NULL &&
                   runner->o.converse(in, &command, &ret->text, runner->o.converse_userdata);
    if (!ret->goes_on && !several && in->free_text == FREE_TEXT_MAYBE) {
        return false;
    }
    for (const char *c = in->line; *c != '\0' && ret->text.len <= VALUE_TEXT_MAX; c++) {
        buf_add_char(&ret->text, *c == '\n' || *c == '\t' || *c == '\r' ? ' ' : *c);
    }
    ret->m = if_visible(manifest_find(runner->o.manifests, command), in);
    return ret->m != NULL;
}

static int accept_free_text(struct runner *runner, const struct invocation *in,
                            const struct free_line *free_line, struct admission *a, struct err *err)
{
    AUTO_BUF struct buf args = BUF_INIT(2 * LINE_BYTES_MAX);
    struct invocation asked = *in;
    struct line line = {.count = 0};
    struct json_out out = JSON_OUT(&args);
    json_out_object(&out, NULL);
    json_out_str(&out, free_line->m->args[0].rule.name, buf_str(&free_line->text));
    json_out_end(&out);
    asked.args_json = args.data;
    asked.free_text = FREE_TEXT_NO;
    return accept_command(runner, &asked, free_line->m, &line, a, err);
}

/* A message that looks like a command, but is not to be run: its sender gets an answer. */
static int refuse_not_run(struct runner *runner, const struct invocation *in, struct admission *a,
                          struct err *err)
{
    struct err why = {0};
    int rc = 0;
    if (runner_over_limit(runner, &runner->rate, in, a, &rc, err)) {
        return rc;
    }
    struct str line = str_c(in->line), word = {0};
    (void)str_word(&line, &word);
    (void)err_set(&why, in->not_run, "%.*s", word.len < 40 ? (int)word.len : 40, word.ptr);
    return runner_refuse(runner, in, "command.refused", &why, NULL, a, err);
}

/* Six digits of the app, or a recovery code: "7Q4ZK-0M2XA". Whether a prompt waits for it is
 * another question. */
static bool looks_like_code(const char *line)
{
    size_t digits = strspn(line, "0123456789");
    size_t half = RECOVERY_CODE_CHARS / 2;
    const char *rest = line + strcspn(line, "-");
    bool recovery =
        rest == line + half && strlen(rest) == half + 1 &&
        strspn(rest + 1, "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz") == half;
    return (digits == OTP_DIGITS && line[digits] == '\0') || recovery;
}

static int accept_line(struct runner *runner, const struct invocation *in, struct admission *a,
                       struct err *err)
{
    struct str text = str_c(in->line);
    if (in->not_run != ERR_NONE) {
        return refuse_not_run(runner, in, a, err);
    }
    if (str_starts(text, RUN_REPLY_CONFIRM) || str_starts(text, RUN_REPLY_CANCEL)) {
        return runner_confirm_press(runner, in, a, err);
    }
    if (looks_like_code(in->line)) {
        bool taken = false;
        int answered = runner_confirm_digits(runner, in, in->line, a, &taken, err);
        if (taken) {
            return answered;
        }
    }
    struct err why = {0};
    struct line line;
    bool readable = in->free_text != FREE_TEXT_YES && line_split(text, &line, &why) == 0;
    const struct manifest *m =
        readable ? if_visible(line_command(&line, runner->o.manifests), in) : NULL;
    bool answer =
        readable && (strcmp(line.words[0], "confirm") == 0 || strcmp(line.words[0], "cancel") == 0);
    int rc = 0;
    if ((m == NULL || !m->emergency) && !answer &&
        runner_over_limit(runner, &runner->rate, in, a, &rc, err)) {
        return rc;
    }
    AUTO_FREE_LINE struct free_line said = {.text = BUF_INIT(VALUE_TEXT_MAX + 1)};
    if ((!readable || m == NULL) && !answer && read_free_text(runner, in, &said)) {
        return accept_free_text(runner, in, &said, a, err);
    }
    if (!readable) {
        return runner_refuse(runner, in, "command.refused", &why, NULL, a, err);
    }
    if (answer && runner_cancel_names_run(runner, &line)) {
        return runner_cancel(runner, in, &line, a, err);
    }
    if (answer) {
        return runner_confirm_type(runner, in, &line, line.words[0][1] == 'o', a, err);
    }
    if (m == NULL) {
        return refuse_unknown(runner, in, line.words[0], a, err);
    }
    return accept_command(runner, in, m, &line, a, err);
}

int runner_open(struct runner *runner, const struct invocation *in, struct admission *a,
                struct err *err)
{
    if (a->open) {
        return 0;
    }
    int rc = a->reads ? ops_store_begin_unsynced(runner->o.store, err)
                      : ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    a->open = true;
    bool fresh = true;
    if (in->update_id != 0) {
        rc = update_table_add(runner->o.store, channel_name(in->who->channel), in->update_id,
                              clock_wall_us(runner->o.clock), &fresh, err);
    }
    ASSERT(fresh); /* accept() has looked, and nothing else adds updates */
    return rc;
}

static int accept(struct runner *runner, const struct invocation *in, struct admission *a,
                  struct err *err)
{
    if (in->update_id != 0) {
        bool known = false;
        int rc = update_table_has(runner->o.store, channel_name(in->who->channel), in->update_id,
                                  &known, err);
        if (rc < 0) {
            return rc;
        }
        if (known) {
            (void)err_set(&a->err, ERR_COMMAND_REPEATED, "update %lld", (long long)in->update_id);
            a->reply = reply_new();
            reply_error(a->reply, &a->err);
            return 0;
        }
    }
    return accept_line(runner, in, a, err);
}

/* Stores what it decides in one transaction, which begins with the first write: actions that only
 * read have run by then. If it fails, it is rolled back and *a is reset. */
static int accept_stored(struct runner *runner, const struct invocation *in, struct admission *a,
                         struct err *err)
{
    int rc = accept(runner, in, a, err);
    if (rc == 0 && in->update_id != 0 && a->err.id != ERR_COMMAND_REPEATED) {
        rc = runner_open(runner, in, a, err);
    }
    if (rc < 0 && a->open) {
        ops_store_rollback(runner->o.store);
    } else if (a->open) {
        rc = ops_store_commit(runner->o.store, err);
    }
    if (rc < 0) {
        run_free(a->start);
        reply_free(a->reply);
        *a = (struct admission){.rated = a->rated, .command_rated = a->command_rated};
    }
    return rc;
}

static bool can_answer_unrecorded(const struct runner *runner, const struct invocation *in)
{
    if (in->who->channel == CHANNEL_SCHEDULE) {
        return false; /* it is repeated later, and needs its update id to run only once */
    }
    return !run_write_is_chat(in->who->channel) || runner->o.deliver != NULL;
}

/* Sends the reply without the outbox, which is in the database that cannot be written. */
static void deliver(const struct runner *runner, const struct invocation *in,
                    const struct admission *a)
{
    if (runner->o.decorate != NULL) {
        runner->o.decorate(a->reply, runner->o.decorate_userdata);
    }
    if (run_write_is_chat(in->who->channel) && runner->o.deliver != NULL) {
        const struct runner_unstored unstored = {.channel = in->who->channel,
                                                 .chat_id = in->chat_id,
                                                 .thread_id = in->thread_id,
                                                 .edit_message_id = a->edit ? in->message_id : 0,
                                                 .reply = a->reply};
        (void)runner->o.deliver(&unstored, runner->o.deliver_userdata);
    }
}

int runner_submit(struct runner *runner, const struct invocation *in, struct err *err)
{
    struct admission a = {0};
    struct err why = {0};
    int rc = accept_stored(runner, in, &a, &why);
    if (rc < 0 && can_answer_unrecorded(runner, in)) {
        log_err(LOG_LEVEL_ERROR, &why, "could not store a command");
        a.unrecorded = why;
        rc = accept_line(runner, in, &a, &why);
    }
    if (rc < 0) {
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    if (a.answered != NULL) {
        a.answered->used = true;
    }
    runner_limit_noticed(runner, in, &a);
    if ((a.err.id == ERR_CONFIRM_NEEDED || a.err.id == ERR_CONFIRM_CHANGED) &&
        a.unrecorded.id == ERR_NONE) {
        runner_confirm_schedule(runner);
    }
    if (a.posted && runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    if (a.unrecorded.id != ERR_NONE && a.reply != NULL) {
        deliver(runner, in, &a);
    }
    if (a.reply != NULL && in->on_reply != NULL) {
        in->on_reply(a.reply, a.err.id == ERR_NONE ? NULL : &a.err, in->userdata);
    }
    reply_free(a.reply);
    if (a.approval != NULL) {
        approval_settle(a.approval, in->who->name, a.approval_yes);
    }
    if (a.cancel != NULL) {
        (void)run_cancel(a.cancel, in->who->name);
    }
    if (a.start != NULL) {
        run_go(a.start);
        runner_record_schedule(runner); /* does nothing unless a run without a row is active */
    }
    return 0;
}

int runner_post(struct runner *runner, const struct runner_place *place, struct reply *reply,
                struct err *err)
{
    const struct principal who = {.channel = place->channel};
    struct ops_store_change change;
    int64_t outbox_id = 0;
    int rc = ops_store_change_begin(runner->o.store, &change, err);
    if (rc < 0) {
        return rc;
    }
    rc = run_write_post(runner, &who, place->chat_id, place->thread_id, reply, 0, false, &outbox_id,
                        err);
    if (rc < 0) {
        ops_store_change_rollback(&change);
        return rc;
    }
    rc = ops_store_change_commit(&change, err);
    if (rc == 0 && runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    return rc;
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
    return run_write_post(runner, &who, row->chat_id, 0, reply, row->id, false, &outbox_id, err);
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

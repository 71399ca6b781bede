#include "command/proposal.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "proposals.h"
#include "store/ops.h"

#include <string.h>

/* ------------------------------------------------------------------------------ the message ----
 */

static enum tone tone_of(enum proposal_state state)
{
    return state == PROPOSED_OPEN ? TONE_WARN : state == PROPOSED_ACCEPTED ? TONE_GOOD : TONE_PLAIN;
}

static void add_outcome(const struct proposal *p, struct reply *r)
{
    switch (p->state) {
    case PROPOSED_OPEN:
        break;
    case PROPOSED_ACCEPTED:
        reply_line(r, "Accepted by %s. /runs %lld shows what became of it.", p->decided_by,
                   (long long)p->run_id);
        reply_choice(r, "✓ Accepted by %s", p->decided_by);
        break;
    case PROPOSED_DECLINED:
        reply_line(r, "Declined by %s. Nothing was done.", p->decided_by);
        reply_choice(r, "✗ Declined by %s", p->decided_by);
        break;
    case PROPOSED_EXPIRED:
        reply_line(r, "Nobody accepted it in time. Nothing was done.");
        reply_choice(r, "✗ Expired");
        break;
    }
}

static void add_answers(const struct proposal *p, int64_t now_us, struct reply *r)
{
    AUTO_BUF struct buf left = BUF_INIT(64);
    AUTO_BUF struct buf yes = BUF_INIT(64);
    AUTO_BUF struct buf no = BUF_INIT(64);
    clock_add_duration(&left, p->expires_us > now_us ? p->expires_us - now_us : 0);
    buf_addf(&yes, "/confirm %s", p->code);
    buf_addf(&no, "/cancel %s", p->code);
    reply_gap(r);
    reply_line(r, "Nothing is done until you accept it; it then runs as if you had typed it.");
    reply_line(r, "Expires in %s. To answer by text: %s or %s", left.data, yes.data, no.data);
    reply_button(r, "Accept", yes.data, BUTTON_PRIMARY);
    reply_button(r, "Decline", no.data, BUTTON_PLAIN);
}

void proposal_show(const struct proposal *p, int64_t now_us, struct reply *r)
{
    reply_title(r, tone_of(p->state), "Proposed: /%s", p->line);
    reply_line(r, "Proposal %lld, by a program of %s (%s):", (long long)p->id, p->user, p->channel);
    reply_quote(r, str_c(p->reason));
    add_outcome(p, r);
    if (p->state == PROPOSED_OPEN) {
        add_answers(p, now_us, r);
    }
}

void proposal_json(const struct proposal *p, const char *run_state, struct json_out *out)
{
    json_out_i64(out, "id", p->id);
    json_out_text(out, "line", p->line);
    json_out_text(out, "reason", p->reason);
    json_out_text(out, "state", proposal_state_name(p->state));
    json_out_text(out, "user", p->user);
    json_out_text(out, "channel", p->channel);
    json_out_time(out, "created_at", p->created_us);
    json_out_time(out, "expires_at", p->expires_us);
    json_out_text(out, "decided_by", p->decided_by[0] == '\0' ? NULL : p->decided_by);
    json_out_time(out, "decided_at", p->decided_us);
    if (p->run_id != 0) {
        json_out_i64(out, "run_id", p->run_id);
    } else {
        json_out_null(out, "run_id");
    }
    json_out_text(out, "run_state", run_state);
}

static int post(struct runner *runner, const struct principal *who, struct proposal *p,
                struct err *err)
{
    AUTO_REPLY struct reply *r = reply_new();
    struct proposal_message *m = &p->messages[p->message_count];
    m->chat_id = who->channel == CHANNEL_TELEGRAM ? who->id : 0; /* their private chat */
    proposal_show(p, clock_wall_us(runner->o.clock), r);
    int rc = run_write_post(runner, who, m->chat_id, 0, r, 0, false, &m->outbox_id, err);
    p->message_count += rc == 0 ? 1 : 0;
    return rc;
}

/* To everybody on Telegram who may run it, and to the console. */
static int post_all(struct runner *runner, const struct manifest *m, const struct run *run,
                    struct proposal *p, struct err *err)
{
    struct principal who = {.channel = CHANNEL_CONSOLE};
    int rc = runner->o.has_console ? post(runner, &who, p, err) : 0;
    for (int i = 0; rc == 0 && p->message_count < PROPOSAL_MESSAGES_MAX &&
                    access_telegram_user(runner->o.access, i, &who);
         i++) {
        if (manifest_is_visible(m, who.channel) && manifest_permit(m, &who, run->args, NULL) == 0) {
            rc = post(runner, &who, p, err);
        }
    }
    return rc < 0 ? rc : proposal_table_set_messages(runner->o.store, p, err);
}

/* The messages show what became of it. */
static int edit_all(struct runner *runner, const struct proposal *p, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->message_count; i++) {
        AUTO_REPLY struct reply *r = reply_new();
        int64_t chat_id = p->messages[i].chat_id, outbox_id = p->messages[i].outbox_id;
        const struct principal who = {.channel = chat_id == 0 ? CHANNEL_CONSOLE : CHANNEL_TELEGRAM};
        proposal_show(p, clock_wall_us(runner->o.clock), r);
        rc = run_write_post(runner, &who, chat_id, 0, r, 0, false, &outbox_id, err);
    }
    return rc;
}

/* ------------------------------------------------------------------------------- proposing ---- */

static int check_command(const struct runner *runner, const struct proposal_request *request,
                         struct line *line, const struct manifest **ret, struct err *err)
{
    int rc = line_split(str_c(request->line), line, err);
    if (rc < 0) {
        return rc;
    }
    const struct manifest *m = manifest_find(runner->o.manifests, line->words[0]);
    if (m == NULL || !manifest_is_visible(m, request->who->channel)) {
        return err_set(err, ERR_COMMAND_UNKNOWN, "%.40s", line->words[0]);
    }
    if (!m->changes) {
        return err_set(err, ERR_PROPOSAL_READS, "/%s", m->name);
    }
    *ret = m;
    return manifest_permit(m, request->who, NULL, err);
}

static int check_reason(const char *reason, struct err *err)
{
    size_t len = strlen(reason);
    return str_trim(str_c(reason)).len > 0 && len <= PROPOSAL_REASON_MAX
               ? 0
               : err_set(err, ERR_PROPOSAL_REASON, "%zu bytes", len);
}

/* A code or a key that somebody types is not kept for others to send. */
static int check_secrets(const struct run *run, struct err *err)
{
    for (int i = 0; i < run->m->arg_count; i++) {
        if (run->m->args[i].rule.secret && run->args[i].type != PARAM_NONE) {
            return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: is never proposed",
                           run->m->args[i].rule.name);
        }
    }
    return 0;
}

static int store(struct runner *runner, const struct manifest *m, const struct run *run,
                 struct proposal *p, struct err *err)
{
    AUTO_BUF struct buf detail = BUF_INIT(1000);
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = proposal_table_add(runner->o.store, p, &p->id, err);
    rc = rc < 0 ? rc : post_all(runner, m, run, p, err);
    buf_addf(&detail, "proposal %lld: %s", (long long)p->id, p->line);
    rc = rc < 0
             ? rc
             : access_audit(runner->o.access, &run->who, "proposal.made", detail.data, "ok", err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

static void fill(const struct run *run, const char *reason, struct proposal *ret)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    AUTO_BUF struct buf args = BUF_INIT(RUN_JSON_MAX);
    (void)run_args_line(run, &line);
    run_args_json(run, &args);
    ret->line = strdup(line.data);
    ret->args_json = strdup(args.data);
    ret->reason = strdup(reason);
    NEED_MEMORY(ret->line != NULL && ret->args_json != NULL && ret->reason != NULL);
    str_make_safe(ret->reason);
    log_redact(ret->reason);
    (void)str_copy(str_c(run->m->name), ret->command, sizeof(ret->command));
    (void)str_copy(str_c(run->who.name), ret->user, sizeof(ret->user));
    (void)str_copy(str_c(channel_name(run->who.channel)), ret->channel, sizeof(ret->channel));
    ret->user_id = run->who.id;
    ret->created_us = clock_wall_us(run->runner->o.clock);
    ret->expires_us = ret->created_us + PROPOSAL_EXPIRY_US;
}

static struct reply *make_reply(const struct proposal *p, int64_t now_us)
{
    struct reply *r = reply_new();
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    proposal_show(p, now_us, r);
    json_out_object(&data, "proposal");
    proposal_json(p, NULL, &data);
    json_out_end(&data);
    return r;
}

static int add(struct runner *runner, const struct manifest *m, const struct run *run,
               struct proposal *p, struct err *err)
{
    int64_t open = 0;
    int rc = proposal_table_count_open(runner->o.store, &open, err);
    if (rc == 0 && open >= PROPOSALS_OPEN_MAX) {
        rc = err_set(err, ERR_PROPOSAL_MANY, "%lld", (long long)open);
    }
    rc = rc < 0 ? rc : runner_confirm_code(runner, p->code, err);
    return rc < 0 ? rc : store(runner, m, run, p, err);
}

static int propose(struct runner *runner, const struct manifest *m, const struct run *run,
                   const char *reason, struct reply **ret, struct err *err)
{
    AUTO_PROPOSAL struct proposal p = {0};
    AUTO_PROPOSAL struct proposal same = {0};
    fill(run, reason, &p);
    int64_t now_us = p.created_us;
    int rc = proposal_table_same(runner->o.store, &p, &same, err);
    if (rc == 0) {
        *ret = make_reply(&same, now_us);
        return 0;
    }
    if (rc != -ERR_STORE_NOT_FOUND) {
        return rc;
    }
    err_clear(err);
    rc = add(runner, m, run, &p, err);
    if (rc == 0) {
        *ret = make_reply(&p, now_us);
        runner_confirm_schedule(runner);
        if (runner->o.outbox_changed != NULL) {
            runner->o.outbox_changed(runner->o.outbox_userdata);
        }
    }
    return rc;
}

int proposal_make(struct runner *runner, const struct proposal_request *request,
                  struct reply **ret_reply, struct err *err)
{
    const struct manifest *m = NULL;
    struct line line;
    int rc = check_reason(request->reason, err);
    rc = rc < 0 ? rc : check_command(runner, request, &line, &m, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_RUN struct run *run = run_new(runner, m, request->who, 0);
    rc = run_args_bind(run, &line, err);
    rc = rc < 0 ? rc : manifest_permit(m, request->who, run->args, err);
    rc = rc < 0 ? rc : check_secrets(run, err);
    return rc < 0 ? rc : propose(runner, m, run, request->reason, ret_reply, err);
}

/* ------------------------------------------------------------------------------- answering ---- */

int proposal_find(const struct runner *runner, const char *code, struct proposal *ret,
                  struct err *err)
{
    int rc = proposal_table_of_code(runner->o.store, code, ret, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    return rc < 0 ? rc : 1;
}

/* Stores the decision; p: as it was before. The messages, and the chat of the answer, show it. */
static int decide(struct runner *runner, const struct principal *who, const struct proposal *p,
                  enum proposal_state state, int64_t run_id, struct err *err)
{
    struct proposal after = *p; /* borrows the texts of *p */
    AUTO_BUF struct buf detail = BUF_INIT(1000);
    after.state = state;
    after.run_id = run_id;
    after.decided_us = clock_wall_us(runner->o.clock);
    (void)str_copy(str_c(state == PROPOSED_EXPIRED ? "" : who->name), after.decided_by,
                   sizeof(after.decided_by));
    buf_addf(&detail, "proposal %lld of %s: %s", (long long)p->id, p->user, p->line);
    int rc = proposal_table_decide(runner->o.store, p->id, state, after.decided_by,
                                   after.decided_us, run_id, err);
    rc = rc < 0 ? rc : edit_all(runner, &after, err);
    AUTO_BUF struct buf action = BUF_INIT(64);
    buf_addf(&action, "proposal.%s", proposal_state_name(state));
    return rc < 0
               ? rc
               : access_audit(
                     runner->o.access, who, action.data, detail.data,
                     state == PROPOSED_EXPIRED ? err_info(ERR_CONFIRM_EXPIRED)->code : "ok", err);
}

static int check_answer(const struct runner *runner, const struct invocation *in,
                        const struct proposal *p, const struct manifest *m, struct err *why)
{
    if (p->state != PROPOSED_OPEN && p->state != PROPOSED_EXPIRED) {
        return err_set(why, ERR_CONFIRM_USED, "proposal %lld, %s by %s", (long long)p->id,
                       proposal_state_name(p->state), p->decided_by);
    }
    if (p->state == PROPOSED_EXPIRED || clock_wall_us(runner->o.clock) >= p->expires_us) {
        return err_set(why, ERR_CONFIRM_EXPIRED, "proposal %lld", (long long)p->id);
    }
    if (m == NULL || !manifest_is_visible(m, in->who->channel)) {
        return err_set(why, ERR_COMMAND_UNKNOWN, "%.40s", p->command);
    }
    return manifest_permit(m, in->who, NULL, why);
}

/* Whether the chat of the answer shows the message. */
static bool is_shown(const struct invocation *in, const struct proposal *p)
{
    bool shown = false;
    for (size_t i = 0; i < p->message_count; i++) {
        shown = shown || (in->who->channel == CHANNEL_TELEGRAM
                              ? p->messages[i].chat_id == in->chat_id
                              : in->who->channel == CHANNEL_CONSOLE && p->messages[i].chat_id == 0);
    }
    return shown;
}

static int decline(struct runner *runner, const struct invocation *in, const struct proposal *p,
                   struct admission *a, struct err *err)
{
    int64_t outbox_id = 0;
    int rc = runner_open(runner, in, a, err);
    rc = rc < 0 ? rc : decide(runner, in->who, p, PROPOSED_DECLINED, 0, err);
    if (rc < 0) {
        return rc;
    }
    a->posted = true;
    a->reply = reply_new();
    reply_title(a->reply, TONE_PLAIN, "Declined: /%s", p->line);
    reply_line(a->reply, "Nothing was done.");
    if (is_shown(in, p)) {
        return 0;
    }
    AUTO_REPLY struct reply *copy = reply_copy(a->reply);
    return run_write_post(runner, in->who, in->chat_id, in->thread_id, copy, 0, false, &outbox_id,
                          err);
}

/* Runs the line as this person; the proposal is accepted once that is stored, also if it waits for
 * a confirmation. If it is refused, the proposal stays open. */
static int accept(struct runner *runner, const struct invocation *in, const struct proposal *p,
                  const struct manifest *m, struct admission *a, struct err *err)
{
    struct err why = {0};
    struct invocation typed = *in;
    typed.line = p->line;
    typed.message_id = 0; /* the message of the proposal is not that of the run */
    AUTO_RUN struct run *run = run_new(runner, m, in->who, in->chat_id);
    run->thread_id = in->thread_id;
    if (run_args_restore(run, p->args_json, true, &why) < 0) {
        return runner_refuse(runner, in, "command.refused", &why, NULL, a, err);
    }
    const struct run *begun = run;
    int rc = runner_admit(&run, &typed, a, err);
    begun = a->start != NULL ? a->start : begun;
    bool asks = a->err.id == ERR_CONFIRM_NEEDED && begun->id != 0;
    if (rc < 0 || (a->start == NULL && !asks)) {
        return rc;
    }
    a->posted = true;
    return decide(runner, in->who, p, PROPOSED_ACCEPTED, begun->id, err);
}

int proposal_answer(struct runner *runner, const struct invocation *in, const struct proposal *p,
                    bool yes, struct admission *a, struct err *err)
{
    struct err why = {0};
    struct stale_age age;
    const struct manifest *m = manifest_find(runner->o.manifests, p->command);
    if (a->unrecorded.id != ERR_NONE) {
        return runner_refuse(runner, in, "proposal.refused", &a->unrecorded, NULL, a, err);
    }
    if (check_answer(runner, in, p, m, &why) < 0) {
        return runner_refuse_answer(runner, in, "proposal.refused", &why, NULL, a, err);
    }
    if (yes && runner_is_stale(runner, in, &age)) {
        struct reply *reply = run_reply_stale_answer(p->line, p->code, &age);
        why = *reply_get_error(reply);
        return runner_refuse_answer(runner, in, "proposal.stale", &why, reply, a, err);
    }
    return yes ? accept(runner, in, p, m, a, err) : decline(runner, in, p, a, err);
}

/* -------------------------------------------------------------------------------- expiring ---- */

int proposal_next_expiry(const struct runner *runner, int64_t *ret_us, struct err *err)
{
    AUTO_PROPOSAL struct proposal next = {0};
    *ret_us = 0;
    int rc = proposal_table_next(runner->o.store, &next, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    *ret_us = rc == 0 ? next.expires_us : 0;
    return rc;
}

static int expire_one(struct runner *runner, const struct proposal *p, struct err *err)
{
    struct principal who = {.id = p->user_id};
    (void)str_copy(str_c(p->user), who.name, sizeof(who.name));
    (void)channel_parse(str_c(p->channel), &who.channel);
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = decide(runner, &who, p, PROPOSED_EXPIRED, 0, err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

int proposal_expire_due(struct runner *runner, struct err *err)
{
    for (int i = 0; i < PROPOSALS_OPEN_MAX; i++) {
        AUTO_PROPOSAL struct proposal next = {0};
        int rc = proposal_table_next(runner->o.store, &next, err);
        if (rc == -ERR_STORE_NOT_FOUND) {
            err_clear(err);
            return 0;
        }
        if (rc < 0 || next.expires_us > clock_wall_us(runner->o.clock)) {
            return rc;
        }
        if ((rc = expire_one(runner, &next, err)) < 0) {
            return rc;
        }
    }
    return 0;
}

#include "command/runner.h"

#include "base/check.h"
#include "base/log.h"
#include "card.h"
#include "config/config.h"
#include "io/secret.h"
#include "run.h"
#include "store/confirmation_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
#include "store/update_table.h"

#include <string.h>

#define CODE_CHARS        6
#define CODE_TRIES        8
#define EXPIRY_RETRY_US   (5 * USEC_PER_SEC)
#define EXPIRY_MAX_US     (10 * USEC_PER_MIN) /* the wall clock may jump: look again by then */
#define RECOVER_BATCH     32
#define REFUSED_SHOWN_MAX 200 /* bytes of a refused line that the audit log keeps */

/* What there is to do once the transaction is on disk. */
struct verdict {
    struct reply *reply; /* for on_reply; doors with an outbox have their row already */
    struct err err;      /* that the reply tells of */
    bool posted;
    struct run *start; /* a run whose first step is begun */
};

static void on_expiry(void *userdata);

int runner_new(const struct runner_options *options, struct runner **ret, struct err *err)
{
    (void)err; /* nothing can fail today but memory */
    struct runner *runner = calloc(1, sizeof(*runner));
    ASSERT(runner != NULL);
    runner->o = *options;
    runner->rate.per_minute = options->config->commands_rate;
    runner->settle = loop_add_deferred(options->loop, run_settle_finished, runner);
    loop_source_name(runner->settle, "runs that finished");
    runner->expiry = loop_add_timer(options->loop, on_expiry, runner);
    loop_source_name(runner->expiry, "confirmations");
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

/* Answers with an error card (made here unless one is given) and notes it in the audit log. */
static int refuse(struct runner *runner, const struct invocation *in, const char *audit_action,
                  const struct err *why, struct reply *owned_card, struct verdict *v,
                  struct err *err)
{
    struct reply *card = owned_card;
    if (card == NULL) {
        card = reply_new();
        reply_error(card, why);
    }
    v->reply = card;
    v->err = *why;
    v->posted = run_door_is_chat(in->who->door);

    struct str line = str_c(in->line);
    char shown[REFUSED_SHOWN_MAX + 1];
    (void)str_copy(line, shown, sizeof(shown));
    AUTO_BUF struct buf detail = BUF_INIT(1000);
    buf_add_json(&detail, str_c(shown)); /* it may be anything: control bytes, broken UTF-8 */
    buf_addf(&detail, ": %s", why->context);
    int rc = access_audit(runner->o.access, in->who, audit_action, detail.data,
                          err_info(why->id)->code, err);
    if (rc < 0) {
        return rc;
    }
    int64_t outbox_id = 0;
    return run_post(runner, in->who, in->chat_id, card, 0, false, &outbox_id, err);
}

/* Error card with usage and an example under it. */
static struct reply *usage_card(const struct manifest *m, const struct err *why)
{
    struct reply *card = reply_new();
    AUTO_BUF struct buf usage = BUF_INIT(512);
    manifest_usage(m, &usage);
    reply_error(card, why);
    reply_line(card, "Usage: %s", usage.data);
    reply_line(card, "Example: /%s", m->examples[0]);
    return card;
}

static int refuse_unknown(struct runner *runner, const struct invocation *in, const char *name,
                          struct verdict *v, struct err *err)
{
    struct err why = {0};
    const char *near = manifest_nearest(runner->o.manifests, str_c(name));
    struct reply *card = reply_new();
    if (near == NULL) {
        (void)err_set(&why, ERR_COMMAND_UNKNOWN, "%.40s", name);
        reply_button(card, "Help", "/help", BUTTON_PLAIN);
    } else {
        AUTO_BUF struct buf button = BUF_INIT(64);
        (void)err_set(&why, ERR_COMMAND_UNKNOWN, "%.40s; did you mean /%s?", name, near);
        const struct manifest *m = manifest_find(runner->o.manifests, near);
        buf_addf(&button, "/%s", near);
        if (m->arg_count == 0 || !m->args[0].required) {
            reply_button(card, button.data, button.data, BUTTON_PRIMARY);
        }
        reply_button(card, "Help", "/help", BUTTON_PLAIN);
    }
    reply_error(card, &why);
    return refuse(runner, in, "command.refused", &why, card, v, err);
}

/* ------------------------------------------------------------------------------- new runs ---- */

static int store_run(struct run *run, enum run_state state, struct err *err)
{
    AUTO_BUF struct buf args = BUF_INIT(RUN_JSON_MAX);
    run_args_json(run, &args);
    const struct run_new row = {.command = run->m->name,
                                .args_json = args.data,
                                .user_id = run->who.id,
                                .user_name = run->who.name,
                                .role = role_name(run->who.role),
                                .door = door_name(run->who.door),
                                .chat_id = run->chat_id,
                                .state = state};
    return run_table_add(run->runner->o.store, &row, clock_wall_us(run->runner->o.clock), &run->id,
                         err);
}

/* A code that nothing has had before. */
static int add_confirmation(const struct run *run, int64_t expires_us,
                            char ret_code[CODE_CHARS + 1], struct err *err)
{
    int rc = 0;
    for (int i = 0; i < CODE_TRIES; i++) {
        secret_nonce(ret_code, CODE_CHARS);
        struct confirmation c = {.run_id = run->id,
                                 .user_id = run->who.id,
                                 .chat_id = run->chat_id,
                                 .expires_us = expires_us};
        (void)str_copy(str_c(ret_code), c.nonce, sizeof(c.nonce));
        (void)str_copy(str_c(door_name(run->who.door)), c.door, sizeof(c.door));
        struct confirmation other;
        rc = confirmation_table_get(run->runner->o.store, c.nonce, &other, err);
        if (rc == -ERR_STORE_NOT_FOUND) {
            err_clear(err);
            return confirmation_table_add(run->runner->o.store, &c, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return err_set(err, ERR_INTERNAL, "no free confirmation code");
}

static void arm_expiry(struct runner *runner, int64_t in_us)
{
    in_us = in_us < 0 ? 0 : in_us;
    loop_timer_in(runner->expiry, in_us > EXPIRY_MAX_US ? EXPIRY_MAX_US : in_us);
}

static int ask(struct run *run, const struct invocation *in, struct verdict *v, struct err *err)
{
    struct runner *runner = run->runner;
    int64_t wait_us = runner->o.config->commands_confirm_expiry_us;
    char code[CODE_CHARS + 1];
    int rc = store_run(run, RUN_CONFIRMING, err);
    if (rc < 0 ||
        (rc = add_confirmation(run, clock_wall_us(runner->o.clock) + wait_us, code, err)) < 0) {
        return rc;
    }
    struct err why = {0};
    struct reply *card = card_question(run, code, wait_us, &why);
    if (card == NULL) {
        bool won = false;
        if ((rc = run_table_finish(runner->o.store, run->id, RUN_REFUSED, why.id, NULL,
                                   clock_wall_us(runner->o.clock), err)) < 0 ||
            (rc = confirmation_table_use(runner->o.store, code, &won, err)) < 0) {
            return rc;
        }
        return refuse(runner, in, "command.refused", &why, NULL, v, err);
    }
    v->reply = card;
    v->posted = run_door_is_chat(in->who->door);
    (void)err_set(&v->err, ERR_CONFIRM_NEEDED, "%s", code);
    int64_t outbox_id = 0;
    rc = run_post(runner, in->who, in->chat_id, card, run->id, run->m->emergency, &outbox_id, err);
    if (rc == 0 && outbox_id != 0) {
        rc = confirmation_table_set_outbox(runner->o.store, code, outbox_id, err);
    }
    return rc < 0 ? rc : run_audit(run, "confirm.asked", "", "ok", err);
}

static int begin(struct run **slot, const struct invocation *in, struct verdict *v, struct err *err)
{
    struct run *run = *slot;
    int rc = store_run(run, RUN_RUNNING, err);
    if (rc < 0 || (rc = run_audit(run, "command.received", "", "ok", err)) < 0) {
        return rc;
    }
    if (run->m->confirm &&
        (rc = run_audit(run, "confirm.given", "together with the command", "ok", err)) < 0) {
        return rc;
    }
    if ((rc = run_write_start(run, err)) < 0) {
        return rc;
    }
    run->on_reply = in->on_reply;
    run->userdata = in->userdata;
    v->start = TAKE(*slot);
    return 0;
}

static void run_free_slot(struct run **slot)
{
    run_free(*slot);
}
#define AUTO_RUN AUTO(run_free_slot)

static int64_t age_of(const struct runner *runner, const struct invocation *in)
{
    return in->sent_us == 0 ? 0 : clock_wall_us(runner->o.clock) - in->sent_us;
}

static int take_command(struct runner *runner, const struct invocation *in,
                        const struct manifest *m, const struct line *line, struct verdict *v,
                        struct err *err)
{
    struct err why = {0};
    if (access_permit(in->who, m->role, m->emergency, &why) < 0) {
        return refuse(runner, in, "command.denied", &why, NULL, v, err);
    }
    AUTO_RUN struct run *run = run_new(runner, m, in->who, in->chat_id);
    if (run_bind(run, line, &why) < 0) {
        return refuse(runner, in, "command.refused", &why, usage_card(m, &why), v, err);
    }
    int64_t age_us = age_of(runner, in);
    if (m->changes && age_us > runner->o.config->telegram_stale_after_us) {
        struct reply *card = card_stale(run, age_us);
        why = *reply_get_error(card);
        return refuse(runner, in, "command.stale", &why, card, v, err);
    }
    if (runner->run_count >= RUNS_MAX && !m->emergency) {
        (void)err_set(&why, ERR_COMMAND_BUSY, "%zu", runner->run_count);
        return refuse(runner, in, "command.refused", &why, NULL, v, err);
    }
    if (m->confirm && !in->confirmed) {
        return ask(run, in, v, err);
    }
    return begin(&run, in, v, err);
}

/* -------------------------------------------------------------------------- confirmations ---- */

/* A run as it was stored, ready to go on. NULL when its command is gone or does not take these
 * arguments any more (another version, another configuration); why says so. */
static struct run *load_run(struct runner *runner, const struct run_row *row, struct err *why)
{
    const struct manifest *m = manifest_find(runner->o.manifests, row->command);
    if (m == NULL) {
        (void)err_set(why, ERR_COMMAND_UNKNOWN, "%s", row->command);
        return NULL;
    }
    struct principal who = {.id = row->user_id};
    (void)str_copy(str_c(row->user_name), who.name, sizeof(who.name));
    (void)role_parse(str_c(row->role), &who.role);
    (void)door_parse(str_c(row->door), &who.door);
    struct run *run = run_new(runner, m, &who, row->chat_id);
    run->id = row->id;
    if (run_bind_json(run, row->args_json, why) < 0) {
        run_free(run);
        return NULL;
    }
    return run;
}

/* Ends a question: the run's row, the card, the audit log. why NULL: it was cancelled. */
static int close_question(struct runner *runner, const struct confirmation *c,
                          const struct run_row *row, enum run_state state, const char *audit_action,
                          const struct err *why, struct reply **ret_card, struct err *err)
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
    (void)door_parse(str_c(row->door), &who.door);
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    struct err ignored = {0};
    AUTO_RUN struct run *run = load_run(runner, row, &ignored);
    if (run != NULL) {
        run_line(run, &line);
    } else {
        buf_add_c(&line, row->command);
    }
    AUTO_BUF struct buf detail = BUF_INIT(LINE_BYTES_MAX + 128);
    buf_addf(&detail, "run %lld: %s", (long long)row->id, line.data);
    rc = access_audit(runner->o.access, &who, audit_action, detail.data,
                      why == NULL ? "ok" : err_info(why->id)->code, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_REPLY struct reply *card = card_closed(line.data, why);
    int64_t outbox_id = c->outbox_id;
    rc = run_post(runner, &who, row->chat_id, card, row->id, false, &outbox_id, err);
    if (rc == 0) {
        *ret_card = TAKE(card);
    }
    return rc;
}

/* Expired: shown on the card, and to whoever pressed too late. */
static int expire(struct runner *runner, const struct confirmation *c, const struct run_row *row,
                  struct reply **ret_card, struct err *ret_why, struct err *err)
{
    AUTO_BUF struct buf after = BUF_INIT(64);
    clock_add_duration(&after, runner->o.config->commands_confirm_expiry_us);
    (void)err_set(ret_why, ERR_CONFIRM_EXPIRED, "%s, after %s", c->nonce, after.data);
    return close_question(runner, c, row, RUN_EXPIRED, "confirm.expired", ret_why, ret_card, err);
}

static int start_confirmed(struct runner *runner, const struct invocation *in,
                           const struct confirmation *c, const struct run_row *row,
                           struct verdict *v, struct err *err)
{
    struct err why = {0};
    AUTO_RUN struct run *run = load_run(runner, row, &why);
    if (run == NULL) {
        v->posted = run_door_is_chat(in->who->door);
        v->err = why;
        return close_question(runner, c, row, RUN_REFUSED, "confirm.refused", &why, &v->reply, err);
    }
    run->who = *in->who; /* the role of today */
    if (access_permit(in->who, run->m->role, run->m->emergency, &why) < 0) {
        return refuse(runner, in, "command.denied", &why, NULL, v, err);
    }
    bool won = false;
    int rc = confirmation_table_use(runner->o.store, c->nonce, &won, err);
    if (rc < 0) {
        return rc;
    }
    ASSERT(won); /* it was unused a moment ago, in this very transaction */
    if ((rc = run_table_start(runner->o.store, run->id, clock_wall_us(runner->o.clock), err)) < 0 ||
        (rc = run_audit(run, "confirm.given", "", "ok", err)) < 0 ||
        (rc = run_write_start(run, err)) < 0) {
        return rc;
    }
    run->outbox_id = c->outbox_id;
    run->on_reply = in->on_reply;
    run->userdata = in->userdata;
    if (run->outbox_id != 0) { /* the buttons go at once */
        AUTO_REPLY struct reply *card = card_progress(run);
        rc = run_post(runner, &run->who, run->chat_id, card, run->id, run->m->emergency,
                      &run->outbox_id, err);
        v->posted = true;
        run->told_mono_us = clock_mono_us(runner->o.clock);
    }
    if (rc == 0) {
        v->start = TAKE(run);
    }
    return rc;
}

static bool belongs_to(const struct confirmation *c, const struct invocation *in)
{
    return c->user_id == in->who->id && strcmp(c->door, door_name(in->who->door)) == 0 &&
           c->chat_id == in->chat_id;
}

static int take_answer(struct runner *runner, const struct invocation *in, const char *code,
                       bool yes, struct verdict *v, struct err *err)
{
    struct err why = {0};
    struct confirmation c;
    int rc = confirmation_table_get(runner->o.store, code, &c, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        (void)err_set(&why, ERR_CONFIRM_UNKNOWN, "%.20s", code);
        return refuse(runner, in, "confirm.refused", &why, NULL, v, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (!belongs_to(&c, in)) {
        (void)err_set(&why, ERR_CONFIRM_FOREIGN, "run %lld", (long long)c.run_id);
        return refuse(runner, in, "confirm.foreign", &why, NULL, v, err);
    }
    AUTO_RUN_ROW struct run_row row = {0};
    if ((rc = run_table_get(runner->o.store, c.run_id, &row, err)) < 0) {
        return rc;
    }
    if (c.used) {
        (void)err_set(&why, row.state == RUN_EXPIRED ? ERR_CONFIRM_EXPIRED : ERR_CONFIRM_USED,
                      "%s, run %lld", c.nonce, (long long)c.run_id);
        return refuse(runner, in, "confirm.refused", &why, NULL, v, err);
    }
    if (clock_wall_us(runner->o.clock) >= c.expires_us) {
        v->posted = run_door_is_chat(in->who->door);
        return expire(runner, &c, &row, &v->reply, &v->err, err);
    }
    if (!yes) {
        v->posted = run_door_is_chat(in->who->door);
        return close_question(runner, &c, &row, RUN_CANCELLED, "confirm.cancelled", NULL, &v->reply,
                              err);
    }
    return start_confirmed(runner, in, &c, &row, v, err);
}

/* The code as it was typed, in the form that is stored: upper case, 0 for O, 1 for I and L. */
static void fold_code(const char *typed, char ret_code[32])
{
    (void)str_copy(str_c(typed), ret_code, 32);
    for (char *c = ret_code; *c != '\0'; c++) {
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
        *c = (char)(*c == 'O' ? '0' : *c == 'I' || *c == 'L' ? '1' : *c);
    }
}

/* The newest open question of this person in this chat. */
static int newest_code(struct runner *runner, const struct invocation *in, char ret_code[32],
                       struct err *err)
{
    struct confirmation open[RECOVER_BATCH];
    ret_code[0] = '\0';
    int n = confirmation_table_expired(runner->o.store, INT64_MAX, open, RECOVER_BATCH, err);
    for (int i = 0; i < n; i++) {
        if (belongs_to(&open[i], in)) {
            (void)str_copy(str_c(open[i].nonce), ret_code, 32);
        }
    }
    return n < 0 ? n : 0;
}

static int take_typed_answer(struct runner *runner, const struct invocation *in,
                             const struct line *line, bool yes, struct verdict *v, struct err *err)
{
    struct err why = {0};
    char code[32];
    if (line->count > 2 || (yes && line->count < 2)) {
        (void)err_set(&why, line->count > 2 ? ERR_COMMAND_ARG_EXTRA : ERR_COMMAND_ARG_MISSING,
                      yes ? "usage: /confirm <code>" : "usage: /cancel [code]");
        return refuse(runner, in, "confirm.refused", &why, NULL, v, err);
    }
    if (line->count == 2) {
        fold_code(line->words[1], code);
    } else {
        int rc = newest_code(runner, in, code, err);
        if (rc < 0) {
            return rc;
        }
    }
    return take_answer(runner, in, code, yes, v, err);
}

/* --------------------------------------------------------------------------------- submit ---- */

/* A local admin could stop the program anyway; the schedule is the program. */
static bool is_limited(const struct principal *who)
{
    switch (who->door) {
    case DOOR_TELEGRAM:
    case DOOR_HTTP:
        return true;
    case DOOR_CONSOLE:
    case DOOR_SOCKET:
        return who->role != ROLE_ADMIN;
    case DOOR_SCHEDULE:
        return false;
    }
    return true;
}

/* True when the line was dealt with: there were too many before it. */
static bool over_limit(struct runner *runner, const struct invocation *in, struct verdict *v,
                       int *ret_rc, struct err *err)
{
    if (!is_limited(in->who)) {
        return false;
    }
    struct err why = {0};
    (void)err_set(&why, ERR_ACCESS_RATE_LIMITED, "more than %lld",
                  (long long)runner->rate.per_minute);
    switch (rate_take(&runner->rate, in->who, clock_mono_us(runner->o.clock))) {
    case RATE_PASS:
        return false;
    case RATE_TELL:
        *ret_rc = refuse(runner, in, "command.limited", &why, NULL, v, err);
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

static int take_line(struct runner *runner, const struct invocation *in, struct verdict *v,
                     struct err *err)
{
    struct str text = str_c(in->line);
    if (str_starts(text, CARD_CONFIRM) || str_starts(text, CARD_CANCEL)) {
        char code[32];
        fold_code(in->line + strlen(CARD_CONFIRM), code);
        return take_answer(runner, in, code, str_starts(text, CARD_CONFIRM), v, err);
    }
    struct err why = {0};
    struct line line;
    bool readable = line_split(text, &line, &why) == 0;
    const struct manifest *m = readable ? manifest_find(runner->o.manifests, line.words[0]) : NULL;
    bool answer =
        readable && (strcmp(line.words[0], "confirm") == 0 || strcmp(line.words[0], "cancel") == 0);
    int rc = 0;
    if ((m == NULL || !m->emergency) && !answer && over_limit(runner, in, v, &rc, err)) {
        return rc;
    }
    if (!readable) {
        return refuse(runner, in, "command.refused", &why, NULL, v, err);
    }
    if (answer) {
        return take_typed_answer(runner, in, &line, line.words[0][1] == 'o', v, err);
    }
    if (m == NULL) {
        return refuse_unknown(runner, in, line.words[0], v, err);
    }
    return take_command(runner, in, m, &line, v, err);
}

static int take(struct runner *runner, const struct invocation *in, struct verdict *v,
                struct err *err)
{
    if (in->update_id != 0) {
        bool fresh = false;
        int rc = update_table_add(runner->o.store, door_name(in->who->door), in->update_id,
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
    return take_line(runner, in, v, err);
}

static void schedule_expiry(struct runner *runner);

int runner_submit(struct runner *runner, const struct invocation *in, struct err *err)
{
    struct verdict v = {0};
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = take(runner, in, &v, err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
    } else {
        rc = ops_store_commit(runner->o.store, err);
    }
    if (rc < 0) {
        run_free(v.start);
        reply_free(v.reply);
        return rc;
    }
    if (v.err.id == ERR_CONFIRM_NEEDED) {
        schedule_expiry(runner);
    }
    if (v.posted && runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    if (v.reply != NULL && in->on_reply != NULL) {
        in->on_reply(v.reply, v.err.id == ERR_NONE ? NULL : &v.err, in->userdata);
    }
    reply_free(v.reply);
    if (v.start != NULL) {
        run_go(v.start);
    }
    return 0;
}

/* ------------------------------------------------------------------------- expiry of asks ---- */

static int expire_one(struct runner *runner, const struct confirmation *c, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    AUTO_REPLY struct reply *card = NULL;
    struct err why = {0};
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    rc = run_table_get(runner->o.store, c->run_id, &row, err);
    if (rc == 0) {
        rc = expire(runner, c, &row, &card, &why, err);
    }
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

/* Arms the timer for the question that expires next. */
static void schedule_expiry(struct runner *runner)
{
    struct confirmation next;
    struct err err = {0};
    int n = confirmation_table_expired(runner->o.store, INT64_MAX, &next, 1, &err);
    if (n < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read the confirmations");
        arm_expiry(runner, EXPIRY_RETRY_US);
    } else if (n > 0) {
        arm_expiry(runner, next.expires_us - clock_wall_us(runner->o.clock));
    }
}

static int expire_due(struct runner *runner, struct err *err)
{
    struct confirmation due[RECOVER_BATCH];
    int n = 0;
    do {
        n = confirmation_table_expired(runner->o.store, clock_wall_us(runner->o.clock), due,
                                       RECOVER_BATCH, err);
        for (int i = 0; i < n; i++) {
            int rc = expire_one(runner, &due[i], err);
            if (rc < 0) {
                return rc;
            }
        }
    } while (n == RECOVER_BATCH);
    return n < 0 ? n : 0;
}

static void on_expiry(void *userdata)
{
    struct runner *runner = userdata;
    struct err err = {0};
    if (expire_due(runner, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not expire a confirmation");
        arm_expiry(runner, EXPIRY_RETRY_US);
        return;
    }
    if (runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    schedule_expiry(runner);
}

/* ------------------------------------------------------------------------------- recovery ---- */

/* Ends a run of which nothing more can be known: its command or its step are not there any more. */
static int end_unknown(struct runner *runner, const struct run_row *row, struct err *err)
{
    struct err why = {0};
    (void)err_set(&why, ERR_COMMAND_LOST, "%s", row->command);
    struct principal who = {.id = row->user_id};
    (void)str_copy(str_c(row->user_name), who.name, sizeof(who.name));
    (void)door_parse(str_c(row->door), &who.door);
    AUTO_REPLY struct reply *card = reply_new();
    reply_error(card, &why);
    int64_t outbox_id = 0;
    int rc = ops_store_begin(runner->o.store, err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = outbox_table_of_run(runner->o.store, row->id, &outbox_id, err)) < 0 ||
        (rc = run_table_finish(runner->o.store, row->id, RUN_UNKNOWN, why.id, NULL,
                               clock_wall_us(runner->o.clock), err)) < 0 ||
        (rc = access_audit(runner->o.access, &who, "command.finished", row->command, "COMMAND_LOST",
                           err)) < 0 ||
        (rc = run_post(runner, &who, row->chat_id, card, row->id, false, &outbox_id, err)) < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    return ops_store_commit(runner->o.store, err);
}

/* Fills in what the rows say about the steps before the one that was running; false when rows and
 * manifest do not fit together. */
static bool restore_steps(struct run *run, const struct run_step *steps, int count)
{
    if (count <= 0 || steps[count - 1].state != RUN_STEP_RUNNING) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        const struct run_step *s = &steps[i];
        if (s->index < 0 || s->index >= run_step_total(run) ||
            strcmp(s->action, run_step(run, (int)s->index)->action->name) != 0) {
            return false;
        }
        struct run_mark *mark = &run->marks[s->index];
        switch (s->state) {
        case RUN_STEP_RUNNING:
            mark->state = MARK_RUNNING;
            break;
        case RUN_STEP_DONE:
            mark->state = MARK_DONE;
            break;
        case RUN_STEP_FAILED:
        case RUN_STEP_UNKNOWN:
            mark->state = MARK_FAILED;
            break;
        }
        mark->took_us = s->ended_us > s->started_us ? s->ended_us - s->started_us : 0;
        if (mark->state == MARK_FAILED && run->failure.id == ERR_NONE) {
            struct str rest = str_c(s->result);
            struct str code;
            char name[64] = "";
            if (str_split(&rest, ':', &code)) {
                (void)str_copy(code, name, sizeof(name));
            }
            enum err_id id = err_by_code(name);
            (void)err_set(&run->failure, id == ERR_NONE ? ERR_COMMAND_LOST : id, "%.*s",
                          STR_ARG(str_trim(rest)));
        }
    }
    run->step = (int)steps[count - 1].index;
    run->step_mono_us = clock_mono_us(run->runner->o.clock);
    return true;
}

/* Asks the action whether the call that was cut off took effect. */
static int look_up(struct run *run, const char *remembered, bool *ret_happened, struct err *err)
{
    const struct manifest_step *step = run_step(run, run->step);
    char *values[ACTION_PARAMS_MAX] = {0};
    int rc = run_resolve(run, step, values, err);
    if (rc < 0) {
        return rc;
    }
    reply_free(run->call.reply);
    run->call = (struct action_call){
        .action = step->action,
        .userdata = action_table_userdata(run->runner->o.actions, step->action),
        .who = &run->who,
        .reply = reply_new(),
        .run_id = run->id,
        .step = run->step,
        .remembered = remembered[0] == '\0' ? NULL : remembered,
        .owner = run};
    for (int p = 0; p < ACTION_PARAMS_MAX; p++) {
        run->call.args[p] = values[p];
    }
    rc = step->action->recover(&run->call, ret_happened, err);
    run_values_free(values);
    return rc;
}

static int recover_run(struct runner *runner, int64_t id, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    struct run_step steps[RUN_STEPS_MAX];
    struct err why = {0};
    int rc = run_table_get(runner->o.store, id, &row, err);
    if (rc < 0) {
        return rc;
    }
    int count = run_table_steps(runner->o.store, id, steps, RUN_STEPS_MAX, err);
    if (count < 0) {
        return count;
    }
    AUTO_RUN struct run *run = load_run(runner, &row, &why);
    if (run == NULL || !restore_steps(run, steps, count)) {
        return end_unknown(runner, &row, err);
    }
    if ((rc = outbox_table_of_run(runner->o.store, id, &run->outbox_id, err)) < 0) {
        return rc;
    }
    const struct action *action = run_step(run, run->step)->action;
    if (action->effect == ACTION_READS) {
        run_go(TAKE(run));
        return 0;
    }
    if (action->recover == NULL) {
        return run_end_lost(run, ERR_COMMAND_LOST, err);
    }
    bool happened = false;
    rc = look_up(run, steps[count - 1].result, &happened, &why);
    if (rc < 0) {
        run_settle(TAKE(run), &why);
    } else if (happened) {
        run_settle(TAKE(run), NULL);
    } else {
        return run_end_lost(run, ERR_COMMAND_NOT_DONE, err);
    }
    return 0;
}

int runner_recover(struct runner *runner, struct err *err)
{
    int64_t ids[RUNS_MAX];
    struct run_row rows[RECOVER_BATCH];
    size_t count = 0;
    int n = 0;
    do { /* ids first: recovering changes the list */
        n = run_table_list(runner->o.store, 1U << RUN_RUNNING, count, rows, RECOVER_BATCH, err);
        for (int i = 0; i < n; i++) {
            if (count < RUNS_MAX) {
                ids[count++] = rows[i].id;
            }
            run_row_release(&rows[i]);
        }
    } while (n == RECOVER_BATCH && count < RUNS_MAX);
    if (n < 0) {
        return n;
    }
    for (size_t i = count; i > 0; i--) { /* oldest first */
        int rc = recover_run(runner, ids[i - 1], err);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = expire_due(runner, err);
    if (rc == 0) {
        schedule_expiry(runner);
    }
    return rc;
}

#include "stage.h"

#include "access/login.h"
#include "config/config.h"
#include "run_reply.h"
#include "store/outbox_table.h"

#include <string.h>

/* *ret_passed: what the invocation brings along is enough. Otherwise it is refused if a->reply is
 * set, or the stage has to ask. */
typedef int (*stage_try_fn)(struct run *run, const struct invocation *in, struct admission *a,
                            bool *ret_passed, struct err *err);

struct stage {
    const char *name;
    bool (*applies)(const struct run *run);
    stage_try_fn try;
};

static bool asks_confirmation(const struct run *run)
{
    return run->demand.confirm;
}

static bool asks_code(const struct run *run)
{
    return run->demand.second_factor == MANIFEST_FACTOR_ALWAYS ||
           (run->demand.second_factor == MANIFEST_FACTOR_IF_SET &&
            access_has_factor(run->runner->o.access, &run->who));
}

static bool asks_approval(const struct run *run)
{
    return run->demand.four_eyes;
}

static bool asks_if_stale(const struct run *run)
{
    return run->m->changes;
}

/* Never run by itself: it is shown with its age, and its person decides. */
static int try_stale(struct run *run, const struct invocation *in, struct admission *a,
                     bool *ret_passed, struct err *err)
{
    (void)a, (void)err;
    *ret_passed = !runner_is_stale(run->runner, in, &run->age);
    return 0;
}

static int try_confirmation(struct run *run, const struct invocation *in, struct admission *a,
                            bool *ret_passed, struct err *err)
{
    (void)run, (void)a, (void)err;
    *ret_passed = in->confirmed;
    return 0;
}

static int try_code(struct run *run, const struct invocation *in, struct admission *a,
                    bool *ret_passed, struct err *err)
{
    struct runner *runner = run->runner;
    struct err why = a->unrecorded;
    if (why.id == ERR_NONE && !access_has_factor(runner->o.access, in->who)) {
        (void)err_set(&why, ERR_ACCESS_NO_FACTOR, "%s", in->who->name);
    }
    if (why.id != ERR_NONE) {
        return runner_refuse(runner, in, "factor.refused", &why, NULL, a, err);
    }
    if (in->otp == NULL) {
        return 0;
    }
    int rc = runner_open(runner, in, a, err); /* the attempt is stored with the refusal */
    if (rc < 0 || (rc = access_verify_code(runner->o.access, in->who, in->otp, &why, err)) < 0) {
        return rc;
    }
    if (why.id != ERR_NONE) {
        return runner_refuse(runner, in, "factor.refused", &why, NULL, a, err);
    }
    *ret_passed = true;
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    (void)run_args_line(run, &line);
    return access_audit(runner->o.access, in->who, "factor.given", line.data, "ok", err);
}

static int try_approval(struct run *run, const struct invocation *in, struct admission *a,
                        bool *ret_passed, struct err *err)
{
    *ret_passed = false; /* nobody brings a second person along */
    return a->unrecorded.id == ERR_NONE
               ? 0
               : runner_refuse(run->runner, in, "command.refused", &a->unrecorded, NULL, a, err);
}

static const struct stage stages[STAGE_COUNT] = {
    [STAGE_STALE] = {"stale", asks_if_stale, try_stale},
    [STAGE_CONFIRM] = {"confirm", asks_confirmation, try_confirmation},
    [STAGE_CODE] = {"code", asks_code, try_code},
    [STAGE_APPROVE] = {"approve", asks_approval, try_approval},
};

const char *stage_name(enum stage_id stage)
{
    return stages[stage].name;
}

bool stage_applies(const struct run *run, enum stage_id stage)
{
    return stages[stage].applies(run);
}

bool stage_parse(const char *name, enum stage_id *ret)
{
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (strcmp(stages[i].name, name) == 0) {
            *ret = (enum stage_id)i;
            return true;
        }
    }
    return false;
}

int stage_walk(struct run *run, const struct invocation *in, enum stage_id from,
               const struct confirmation *open, struct admission *a, bool *ret_passed,
               struct err *err)
{
    *ret_passed = false;
    if (from <= STAGE_CONFIRM && run->demand.second_factor == MANIFEST_FACTOR_ALWAYS &&
        !access_has_factor(run->runner->o.access, in->who)) {
        bool ignored = false; /* refused now, not after the confirmation */
        return try_code(run, in, a, &ignored, err);
    }
    for (int i = (int)from; i < STAGE_COUNT; i++) {
        bool passed = false;
        if (!stages[i].applies(run)) {
            continue;
        }
        int rc = stages[i].try(run, in, a, &passed, err);
        if (rc < 0 || a->reply != NULL) {
            return rc;
        }
        if (!passed) {
            return runner_confirm_ask(run, in, (enum stage_id)i, open, a, err);
        }
    }
    *ret_passed = true;
    return 0;
}

int stage_check_other(const struct run *run, const struct principal *who, struct err *why)
{
    bool same = (run->who.id == who->id && run->who.channel == who->channel) ||
                strcmp(run->who.name, who->name) == 0;
    bool program = who->channel == CHANNEL_HTTP && !access_has_session(run->runner->o.access, who);
    enum err_id refused = same ? ERR_FOUR_EYES_SELF : program ? ERR_FOUR_EYES_TOKEN : ERR_NONE;
    return refused == ERR_NONE
               ? 0
               : err_set(why, refused, "run %lld of %s", (long long)run->id, run->who.name);
}

static int answer_approval(struct run *run, const struct invocation *in, struct admission *a,
                           bool *ret_passed, struct err *err)
{
    struct runner *runner = run->runner;
    struct err why = {0};
    if (stage_check_other(run, in->who, &why) < 0) {
        return runner_refuse_answer(runner, in, "confirm.foreign", &why, NULL, a, err);
    }
    if (manifest_permit(run->m, in->who, run->args, &why) < 0) {
        return runner_refuse(runner, in, "command.denied", &why, NULL, a, err);
    }
    AUTO_BUF struct buf detail = BUF_INIT(LINE_BYTES_MAX + 128);
    buf_addf(&detail, "run %lld of %s: ", (long long)run->id, run->who.name);
    (void)run_args_line(run, &detail);
    int rc = runner_open(runner, in, a, err);
    *ret_passed = rc == 0;
    return rc < 0 ? rc
                  : access_audit(runner->o.access, in->who, "confirm.approved", detail.data, "ok",
                                 err);
}

int stage_answer(struct run *run, const struct invocation *in, const struct confirmation *open,
                 struct admission *a, bool *ret_passed, struct err *err)
{
    enum stage_id stage = STAGE_CONFIRM;
    struct err why = {0};
    *ret_passed = false;
    if (!stage_parse(open->stage, &stage)) {
        return err_set(err, ERR_STORE_DAMAGED, "confirmations, run %lld: stage",
                       (long long)open->run_id);
    }
    switch (stage) {
    case STAGE_STALE:
    case STAGE_CONFIRM:
        *ret_passed = true;
        return 0;
    case STAGE_CODE:
        if (in->otp == NULL) {
            (void)err_set(&why, ERR_COMMAND_ARG_MISSING, "usage: /confirm %s <six digits>",
                          open->nonce);
            return runner_refuse_answer(run->runner, in, "confirm.refused", &why, NULL, a, err);
        }
        return try_code(run, in, a, ret_passed, err);
    case STAGE_APPROVE:
        return answer_approval(run, in, a, ret_passed, err);
    case STAGE_COUNT:
        break;
    }
    return 0;
}

bool stage_next_other(const struct run *run, enum role role, int i, struct principal *ret,
                      bool *ret_may)
{
    bool more = access_telegram_user(run->runner->o.access, i, ret);
    *ret_may = more && strcmp(ret->name, run->who.name) != 0 && ret->role >= role &&
               manifest_permit(run->m, ret, run->args, NULL) == 0;
    return more;
}

void stage_name_others(const struct run *run, enum role role, struct buf *out)
{
    struct principal who;
    bool may;
    for (int i = 0; stage_next_other(run, role, i, &who, &may); i++) {
        if (may) {
            buf_addf(out, "%s%s", out->len == 0 ? "" : ", ", who.name);
        }
    }
}

void stage_add_others(const struct run *run, enum role role, struct reply *prompt)
{
    AUTO_BUF struct buf names = BUF_INIT(4096);
    stage_name_others(run, role, &names);
    if (names.len > 0) {
        reply_line(prompt, "Another person has to approve it: %s.", names.data);
    } else {
        reply_line(prompt, "Another person has to approve it, but nobody else in telegram.users "
                           "may: somebody has to answer over another channel.");
    }
}

int stage_ask_others(const struct run *run, const struct reply *prompt, struct err *err)
{
    struct principal who;
    bool may;
    int rc = 0;
    for (int i = 0; rc == 0 && stage_next_other(run, ROLE_NONE, i, &who, &may); i++) {
        if (!may) {
            continue;
        }
        AUTO_REPLY struct reply *copy = reply_copy(prompt);
        int64_t outbox_id = 0; /* Telegram: the id of a person is that of the private chat */
        rc = run_write_post(run->runner, &who, who.id, 0, copy, run->id, false, &outbox_id, err);
    }
    return rc;
}

static int find_copies(struct runner *runner, const struct confirmation *c,
                       struct outbox_copy ret[CONFIG_USERS_MAX], struct err *err)
{
    return strcmp(c->stage, stages[STAGE_APPROVE].name) != 0
               ? 0
               : outbox_table_copies(runner->o.store, channel_name(CHANNEL_TELEGRAM), c->run_id,
                                     c->outbox_id, ret, CONFIG_USERS_MAX, err);
}

int stage_close_copies(struct runner *runner, const struct confirmation *c,
                       const struct reply *text, struct err *err)
{
    struct outbox_copy copies[CONFIG_USERS_MAX];
    const struct principal anybody = {.channel = CHANNEL_TELEGRAM};
    int n = find_copies(runner, c, copies, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        AUTO_REPLY struct reply *copy = reply_copy(text);
        rc = run_write_post(runner, &anybody, copies[i].chat_id, 0, copy, 0, false, &copies[i].id,
                            err);
    }
    return rc;
}

int stage_has_copy(struct runner *runner, const struct confirmation *c, const struct invocation *in,
                   bool *ret, struct err *err)
{
    struct outbox_copy copies[CONFIG_USERS_MAX];
    int n = find_copies(runner, c, copies, err);
    *ret = false;
    for (int i = 0; i < n; i++) {
        *ret = *ret || (in->who->channel == CHANNEL_TELEGRAM && in->chat_id == copies[i].chat_id);
    }
    return n < 0 ? n : 0;
}

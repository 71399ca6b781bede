#include "base/log.h"
#include "runner_internal.h"
#include "store/ops.h"
#include "store/update_table.h"

#include <inttypes.h>

static int greet(struct runner *runner, const struct principal *who, int64_t chat_id,
                 struct err *err)
{
    int64_t outbox_id = 0;
    AUTO_REPLY struct reply *r = reply_new();
    reply_title(r, TONE_GOOD, "Hello %s, you are an owner now", who->name);
    reply_line(r, "Your role is admin, with the emergency grant. The code is used up. Others get a "
                  "role with /grant; /otp sets up a second factor.");
    reply_button(r, "Status", "/status", BUTTON_PRIMARY);
    reply_button(r, "Help", "/help", BUTTON_PLAIN);
    return run_write_post(runner, who, chat_id, 0, r, 0, false, &outbox_id, err);
}

static struct reply *notice(const struct principal *who)
{
    struct reply *r = reply_new();
    char id[24];
    (void)snprintf(id, sizeof(id), "%" PRId64, who->id);
    reply_title(r, TONE_WARN, "A new owner was paired: %s", who->name);
    reply_para(r, "Telegram id {}: admin with the emergency grant, with the code of the terminal.",
               cell_text(id));
    reply_line(r, "If that was not you: /revoke %s", who->name);
    return r;
}

/* Tells the other admins, and the console. */
static int tell_others(struct runner *runner, const struct principal *who, struct err *err)
{
    const struct principal console = {.channel = CHANNEL_CONSOLE};
    struct principal other;
    int64_t outbox_id = 0;
    int rc = 0;
    for (int i = 0; rc == 0 && access_telegram_user(runner->o.access, i, &other); i++) {
        if (other.role == ROLE_ADMIN && other.id != who->id) {
            AUTO_REPLY struct reply *r = notice(who);
            outbox_id = 0;
            rc = run_write_post(runner, &other, other.id, 0, r, 0, true, &outbox_id, err);
        }
    }
    if (rc == 0 && runner->o.has_console) {
        AUTO_REPLY struct reply *r = notice(who);
        outbox_id = 0;
        rc = run_write_post(runner, &console, 0, 0, r, 0, true, &outbox_id, err);
    }
    return rc;
}

static int write_pairing(struct runner *runner, const struct pairing *p, struct principal *ret,
                         struct err *err)
{
    bool fresh = false;
    int rc = update_table_add(runner->o.store, channel_name(CHANNEL_TELEGRAM), p->update_id,
                              clock_wall_us(runner->o.clock), &fresh, err);
    rc = rc < 0 ? rc : access_pair_accept(runner->o.access, p->user_id, p->name, ret, err);
    rc = rc < 0 ? rc : greet(runner, ret, p->chat_id, err);
    return rc < 0 ? rc : tell_others(runner, ret, err);
}

int runner_pair(struct runner *runner, const struct pairing *pairing, bool *ret_paired,
                struct err *err)
{
    struct principal who;
    bool right = false;
    *ret_paired = false;
    int rc = access_pair_try(runner->o.access, pairing->user_id, pairing->text, &right, err);
    if (rc < 0 || !right || (rc = ops_store_begin(runner->o.store, err)) < 0) {
        return rc;
    }
    rc = write_pairing(runner, pairing, &who, err);
    if (rc < 0) {
        ops_store_rollback(runner->o.store);
        return rc;
    }
    if ((rc = ops_store_commit(runner->o.store, err)) < 0 ||
        (rc = access_pair_done(runner->o.access, err)) < 0) {
        return rc;
    }
    *ret_paired = true;
    LOG(NOTICE, "paired: %s (Telegram id %" PRId64 ") is an owner now", who.name, who.id);
    if (runner->o.people_changed != NULL) {
        runner->o.people_changed(runner->o.people_userdata);
    }
    if (runner->o.outbox_changed != NULL) {
        runner->o.outbox_changed(runner->o.outbox_userdata);
    }
    return 0;
}

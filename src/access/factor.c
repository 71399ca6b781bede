#include "access_internal.h"
#include "base/clock.h"
#include "config/config.h"
#include "io/otp.h"
#include "store/factor_table.h"

#include <string.h>

#define FACTOR_FAILURES  5 /* wrong codes within the window lock the second factor */
#define FACTOR_WINDOW_US (10 * USEC_PER_MIN)
#define FACTOR_LOCK_US   (15 * USEC_PER_MIN)

/* The secret of this person; "" if there is none. */
static const char *factor_secret(const struct access *access, const struct principal *who)
{
    const struct config *c = access->config;
    bool by_id = who->channel == CHANNEL_TELEGRAM;
    bool by_uid = who->channel == CHANNEL_SOCKET || who->channel == CHANNEL_CONSOLE;
    for (int i = 0; i < c->user_count; i++) {
        if (by_id ? c->users[i].id == who->id : strcmp(c->users[i].name, who->name) == 0) {
            return c->users[i].totp == NULL ? "" : c->users[i].totp;
        }
    }
    for (int i = 0; i < c->local_count; i++) {
        if (by_uid ? c->locals[i].uid == who->id : strcmp(c->locals[i].name, who->name) == 0) {
            return c->locals[i].totp == NULL ? "" : c->locals[i].totp;
        }
    }
    return "";
}

bool access_has_factor(const struct access *access, const struct principal *who)
{
    return factor_secret(access, who)[0] != '\0';
}

static void count_failure(struct factor *f, int64_t now_us)
{
    if (now_us - f->window_us >= FACTOR_WINDOW_US || now_us < f->window_us) {
        f->window_us = now_us;
        f->failures = 0;
    }
    f->failures++;
    if (f->failures >= FACTOR_FAILURES) {
        f->locked_until_us = now_us + FACTOR_LOCK_US;
        _Static_assert(FACTOR_LOCK_US >= FACTOR_WINDOW_US, "the window has ended by then");
    }
}

int access_verify_code(struct access *access, const struct principal *who, const char *code,
                       struct err *ret_why, struct err *err)
{
    const char *secret = factor_secret(access, who);
    int64_t now_us = clock_wall_us(access->clock);
    struct factor f;
    int64_t step = 0;
    *ret_why = (struct err){0};
    if (secret[0] == '\0') {
        (void)err_set(ret_why, ERR_ACCESS_NO_FACTOR, "%s", who->name);
        return 0;
    }
    int rc = factor_table_get(access->store, who->name, &f, err);
    if (rc < 0) {
        return rc;
    }
    if (now_us < f.locked_until_us) {
        AUTO_BUF struct buf until = BUF_INIT(64);
        clock_add_when(&until, f.locked_until_us, now_us);
        (void)err_set(ret_why, ERR_ACCESS_FACTOR_LOCKED, "%s, until %s UTC", who->name, until.data);
        return 0;
    }
    if (otp_match(secret, code, now_us, &step, ret_why) < 0) {
        if (ret_why->id != ERR_OTP_WRONG) {
            return 0; /* the secret itself cannot be used */
        }
        (void)err_set(ret_why, ERR_ACCESS_FACTOR_WRONG, "%s", who->name);
        count_failure(&f, now_us);
    } else if (step <= f.last_step) {
        (void)err_set(ret_why, ERR_ACCESS_FACTOR_WRONG, "%s: used before", who->name);
        count_failure(&f, now_us);
    } else {
        f = (struct factor){.last_step = step};
    }
    return factor_table_save(access->store, who->name, &f, err);
}

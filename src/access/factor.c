#include "access_internal.h"
#include "base/clock.h"
#include "config/config.h"
#include "io/otp.h"
#include "io/secret.h"
#include "store/factor_table.h"

#include <string.h>

#define FACTOR_FAILURES  5 /* wrong codes within the window lock the second factor */
#define FACTOR_WINDOW_US (10 * USEC_PER_MIN)
#define FACTOR_LOCK_US   (15 * USEC_PER_MIN)

/* The secret of this person in the configuration; "" if there is none. */
static const char *configured_secret(const struct access *access, const struct principal *who)
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

/* The secret that this person set up by command; NULL: none. */
static const struct factor_secret *own_secret(const struct access *access,
                                              const struct principal *who)
{
    for (int i = 0; i < access->factor_count; i++) {
        if (strcmp(access->factors[i].user, who->name) == 0) {
            return &access->factors[i];
        }
    }
    return NULL;
}

/* The API's token and the schedule are no people. */
static bool is_person(const struct principal *who)
{
    return who->channel != CHANNEL_HTTP && who->channel != CHANNEL_SCHEDULE &&
           who->channel != CHANNEL_ASSISTANT;
}

/* NULL: none. "" for one whose key was lost: no code fits it. */
static const char *factor_secret(const struct access *access, const struct principal *who)
{
    const char *configured = configured_secret(access, who);
    const struct factor_secret *own = own_secret(access, who);
    if (configured[0] != '\0') {
        return configured;
    }
    return is_person(who) && own != NULL && own->active ? own->secret : NULL;
}

bool access_has_factor(const struct access *access, const struct principal *who)
{
    return factor_secret(access, who) != NULL;
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

/* "7Q4ZK-0M2XA", as it was made; false for anything else. */
static bool read_recovery(const char *typed, char ret[RECOVERY_CODE_CHARS + 1])
{
    size_t count = 0;
    for (const char *c = typed; *c != '\0'; c++) {
        char folded = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
        folded = (char)(folded == 'O' ? '0' : folded == 'I' || folded == 'L' ? '1' : folded);
        if (folded == '-') {
            continue;
        }
        if (count == RECOVERY_CODE_CHARS ||
            strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", folded) == NULL) {
            return false;
        }
        ret[count++] = folded;
    }
    ret[count] = '\0';
    return count == RECOVERY_CODE_CHARS;
}

static int use_recovery(struct access *access, const struct principal *who, const char *code,
                        struct factor *f, struct err *ret_why, struct err *err)
{
    int64_t now_us = clock_wall_us(access->clock);
    bool used = false;
    int rc = recovery_code_use(access->store, who->name, code, now_us, &used, err);
    if (rc < 0) {
        return rc;
    }
    if (used) {
        f->failures = 0;
    } else {
        (void)err_set(ret_why, ERR_ACCESS_FACTOR_WRONG, "%s: no unused recovery code", who->name);
        count_failure(f, now_us);
    }
    return factor_table_save(access->store, who->name, f, err);
}

int access_verify_code(struct access *access, const struct principal *who, const char *code,
                       struct err *ret_why, struct err *err)
{
    const char *secret = factor_secret(access, who);
    int64_t now_us = clock_wall_us(access->clock);
    struct factor f;
    int64_t step = 0;
    *ret_why = (struct err){0};
    if (secret == NULL) {
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
    char recovery[RECOVERY_CODE_CHARS + 1];
    if (read_recovery(code, recovery)) {
        return use_recovery(access, who, recovery, &f, ret_why, err);
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

/* --------------------------------------------------------------------------------- set-up ---- */

#define BEGUN_US USEC_PER_HOUR /* a set-up that is not confirmed by then is over */

int access_factor_load(struct access *access, struct err *err)
{
    secret_wipe(access->factors, sizeof(access->factors));
    int n = factor_secret_list(access->store, access->factors, FACTOR_SECRETS_MAX, err);
    access->factor_count = n < 0 ? 0 : n;
    return n < 0 ? n : 0;
}

static bool is_begun(const struct access *access, const struct factor_secret *own)
{
    int64_t age_us = own == NULL ? 0 : clock_wall_us(access->clock) - own->created_us;
    return own != NULL && !own->active && age_us >= 0 && age_us < BEGUN_US;
}

int access_factor_get(struct access *access, const struct principal *who, struct access_factor *ret,
                      struct err *err)
{
    const struct factor_secret *own = own_secret(access, who);
    *ret = (struct access_factor){
        .is_configured = configured_secret(access, who)[0] != '\0',
        .is_active = access_has_factor(access, who),
        .is_begun = is_begun(access, own),
    };
    return recovery_code_left(access->store, who->name, &ret->recovery_left, err);
}

/* Ends the transaction of a change, and reads the secrets again. */
static int finish(struct access *access, int rc, struct err *err)
{
    if (rc < 0) {
        ops_store_rollback(access->store);
        return rc;
    }
    rc = ops_store_commit(access->store, err);
    return rc < 0 ? rc : access_factor_load(access, err);
}

int access_factor_begin(struct access *access, const struct principal *who,
                        char ret_secret[FACTOR_SECRET_SIZE], struct err *err)
{
    struct factor_secret fresh = {.created_us = clock_wall_us(access->clock)};
    if (configured_secret(access, who)[0] != '\0') {
        return err_set(err, ERR_FACTOR_CONFIGURED, "%s", who->name);
    }
    if (access_has_factor(access, who)) {
        return err_set(err, ERR_FACTOR_EXISTS, "%s", who->name);
    }
    int rc = otp_new_secret(fresh.secret, sizeof(fresh.secret), err);
    rc = rc < 0 ? rc : ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    (void)str_copy(str_c(who->name), fresh.user, sizeof(fresh.user));
    (void)str_copy(str_c(fresh.secret), ret_secret, FACTOR_SECRET_SIZE);
    rc = factor_secret_save(access->store, &fresh, err);
    rc = rc < 0 ? rc : access_audit(access, who, "factor.begun", who->name, "ok", err);
    secret_wipe(&fresh, sizeof(fresh));
    return finish(access, rc, err);
}

static int replace_codes(struct access *access, const struct principal *who,
                         char ret_codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1], struct err *err)
{
    const char *codes[RECOVERY_CODES];
    for (int i = 0; i < RECOVERY_CODES; i++) {
        secret_nonce(ret_codes[i], RECOVERY_CODE_CHARS);
        codes[i] = ret_codes[i];
    }
    return recovery_code_replace(access->store, who->name, codes, RECOVERY_CODES, err);
}

int access_factor_confirm(struct access *access, const struct principal *who, const char *code,
                          char ret_codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1], struct err *err)
{
    const struct factor_secret *own = own_secret(access, who);
    struct factor f = {0};
    if (!is_begun(access, own)) {
        return err_set(err, ERR_FACTOR_NOT_BEGUN, "%s", who->name);
    }
    struct err why = {0};
    if (otp_match(own->secret, code, clock_wall_us(access->clock), &f.last_step, &why) < 0) {
        return err_set(err, ERR_ACCESS_FACTOR_WRONG, "%s", who->name);
    }
    struct factor_secret active = *own;
    active.active = true;
    int rc = ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = factor_secret_save(access->store, &active, err);
    secret_wipe(&active, sizeof(active));
    rc = rc < 0 ? rc : factor_table_save(access->store, who->name, &f, err);
    rc = rc < 0 ? rc : replace_codes(access, who, ret_codes, err);
    rc = rc < 0 ? rc : access_audit(access, who, "factor.enrolled", who->name, "ok", err);
    return finish(access, rc, err);
}

int access_factor_codes(struct access *access, const struct principal *who,
                        char ret_codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1], struct err *err)
{
    if (!access_has_factor(access, who)) {
        return err_set(err, ERR_ACCESS_NO_FACTOR, "%s", who->name);
    }
    int rc = ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = replace_codes(access, who, ret_codes, err);
    rc = rc < 0 ? rc : access_audit(access, who, "factor.codes", who->name, "ok", err);
    return finish(access, rc, err);
}

int access_factor_remove(struct access *access, const struct principal *by, const char *name,
                         struct err *err)
{
    struct principal who = {.channel = CHANNEL_CONSOLE};
    (void)str_copy(str_c(name), who.name, sizeof(who.name));
    if (own_secret(access, &who) == NULL) {
        return err_set(err, ERR_ACCESS_NO_FACTOR, "%s", name);
    }
    int rc = ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = factor_secret_remove(access->store, name, err);
    rc = rc < 0 ? rc : access_audit(access, by, "factor.removed", name, "ok", err);
    return finish(access, rc, err);
}

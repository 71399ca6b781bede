#include "access/login.h"

#include "access_internal.h"
#include "base/address.h"
#include "base/check.h"
#include "config/config.h"

#include <string.h>

int access_logins_load(struct access *access, struct err *err)
{
    struct login_row *rows = calloc(LOGINS_MAX, sizeof(*rows));
    ASSERT(rows != NULL);
    int n = login_table_list(access->store, rows, LOGINS_MAX, err);
    free(access->logins);
    access->logins = NULL;
    access->login_count = n < 0 ? 0 : n;
    if (n > 0) {
        access->logins = realloc(rows, (size_t)n * sizeof(*rows));
        ASSERT(access->logins != NULL);
    } else {
        free(rows);
    }
    return n < 0 ? n : 0;
}

int access_page_url(const struct access *access, struct buf *ret, bool *ret_local, struct err *err)
{
    const struct config *c = access->config;
    struct address listen;
    *ret_local = false;
    if (c->api_port == 0) {
        return err_set(err, ERR_LOGIN_OFF, "api.port is 0");
    }
    if (c->api_public_url[0] != '\0') {
        buf_add_c(ret, c->api_public_url);
        return 0;
    }
    bool six = strchr(c->api_listen, ':') != NULL;
    *ret_local = address_parse(str_c(c->api_listen), &listen) && address_is_loopback(&listen);
    buf_addf(ret, "%s://%s%s%s:%lld", c->api_tls_cert[0] != '\0' ? "https" : "http", six ? "[" : "",
             c->api_listen, six ? "]" : "", (long long)c->api_port);
    return 0;
}

const char *access_login_at(const struct access *access, int index)
{
    int64_t now_us = clock_wall_us(access->clock);
    for (int i = 0, open = 0; i < access->login_count && open < LOGIN_OPEN_MAX; i++) {
        const struct login_row *l = &access->logins[i];
        if (!l->used && now_us < l->expires_us && open++ == index) {
            return l->hash;
        }
    }
    return NULL;
}

/* A login that was forgotten before it expires could be used again, so a new one is refused
 * instead. Some rows are kept for links. */
static int check_space(const struct access *access, int max, struct err *err)
{
    int64_t now_us = clock_wall_us(access->clock);
    int kept = 0;
    for (int i = 0; i < access->login_count; i++) {
        kept += now_us < access->logins[i].expires_us ? 1 : 0;
    }
    return kept < max ? 0 : err_set(err, ERR_LOGIN_MANY, "%d", kept);
}

/* Commits a change of logins and tokens and reads both again, or rolls it back. */
static int end_change(struct access *access, int rc, struct err *err)
{
    rc = access_tokens_end(access, rc, err);
    return rc < 0 ? rc : access_logins_load(access, err);
}

/* ------------------------------------------------------------------------------ the link ---- */

int access_login_open(struct access *access, const struct principal *who,
                      char ret_code[LOGIN_CODE_CHARS + 1], int64_t *ret_expires_us, struct err *err)
{
    AUTO_BUF struct buf url = BUF_INIT(512);
    bool local;
    int64_t now_us = clock_wall_us(access->clock);
    struct login_row row = {
        .user_id = who->id, .created_us = now_us, .expires_us = now_us + LOGIN_VALID_US};
    if (who->channel != CHANNEL_TELEGRAM && who->channel != CHANNEL_CONSOLE &&
        who->channel != CHANNEL_SOCKET) {
        return err_set(err, ERR_ACCESS_DENIED, "needs a person in a chat or a terminal, %s is none",
                       who->name);
    }
    int rc = access_page_url(access, &url, &local, err);
    rc = rc < 0 ? rc : check_space(access, LOGINS_MAX, err);
    rc = rc < 0 ? rc : ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    secret_nonce(ret_code, LOGIN_CODE_CHARS);
    access_token_hash(str_c(ret_code), row.hash);
    (void)str_copy(str_c(channel_name(who->channel)), row.channel, sizeof(row.channel));
    rc = login_table_drop(access->store, row.channel, row.user_id, err);
    rc = rc < 0 ? rc : login_table_tidy(access->store, now_us, err);
    rc = rc < 0 ? rc : login_table_add(access->store, &row, err);
    rc = end_change(access, rc, err);
    *ret_expires_us = row.expires_us;
    if (rc < 0) {
        secret_wipe(ret_code, LOGIN_CODE_CHARS + 1);
    }
    return rc;
}

/* --------------------------------------------------------------------------- the session ---- */

/* Ends what a person has too many of, and forgets the sessions that have ended. */
static int tidy_sessions(struct access *access, const struct token_row *fresh, struct err *err)
{
    int64_t now_us = clock_wall_us(access->clock);
    int left = LOGIN_SESSION_MAX - 1, rc = 0;
    for (int i = access->token_count - 1; rc == 0 && i >= 0; i--) { /* the newest first */
        const struct token_row *t = &access->tokens[i];
        bool ended = t->revoked_us != 0 || now_us >= t->expires_us;
        bool same = strcmp(t->holder_channel, fresh->holder_channel) == 0 &&
                    t->holder_id == fresh->holder_id;
        if (t->holder_channel[0] != '\0' && (ended || (same && left-- <= 0))) {
            rc = token_table_remove(access->store, t->id, err);
        }
    }
    return rc < 0 ? rc : access_tokens_load(access, err);
}

/* "adam-web-7Q4ZK0": a name in the list of tokens, with which the session can be revoked. */
static void name_session(const struct principal *who, struct token_row *t)
{
    char nonce[7], name[16];
    size_t len = 0;
    for (; len + 1 < sizeof(name) && who->name[len] != '\0'; len++) {
        const char one[2] = {who->name[len], '\0'};
        name[len] = one[0];
        if (!access_name_is_valid(one)) {
            name[len] = '-';
        }
    }
    name[len] = '\0';
    secret_nonce(nonce, sizeof(nonce) - 1);
    (void)snprintf(t->name, sizeof(t->name), "%s-web-%s", name, nonce);
}

/* In the caller's transaction. */
static int add_session(struct access *access, const struct principal *who, const char *how,
                       const char *from, struct access_session *ret, struct err *err)
{
    AUTO_BUF struct buf detail = BUF_INIT(256);
    struct token_row t = {.holder_id = who->id};
    (void)str_copy(str_c(channel_name(who->channel)), t.holder_channel, sizeof(t.holder_channel));
    (void)str_copy(str_c(role_name(who->role)), t.role, sizeof(t.role));
    (void)str_copy(str_c(who->name), t.created_by, sizeof(t.created_by));
    name_session(who, &t);
    access_token_fill(access, &t, ret->token);
    t.expires_us = t.created_us + access->config->api_session_us;
    ret->expires_us = t.expires_us;
    ret->who = *who;
    buf_addf(&detail, "%s, by %s, from %s, until ", t.name, how, from);
    clock_add_iso(&detail, t.expires_us, false);
    int rc = tidy_sessions(access, &t, err);
    rc = rc < 0 ? rc : access_token_add(access, &t, err);
    return rc < 0 ? rc : access_audit(access, who, "session.opened", detail.data, "ok", err);
}

static int identify(struct access *access, const char *channel, int64_t id, const char *what,
                    struct principal *ret, struct err *err)
{
    enum channel parsed;
    if (channel_parse(str_c(channel), &parsed) && access_identify(access, parsed, id, ret) == 0) {
        return 0;
    }
    (void)access_unauthorised(access, CHANNEL_TELEGRAM, id, what);
    return err_set(err, ERR_LOGIN_NOBODY, "user %lld", (long long)id);
}

static int end_login(struct access *access, int rc, struct access_session *session, struct err *err)
{
    rc = end_change(access, rc, err);
    if (rc < 0) {
        secret_wipe(session, sizeof(*session));
        struct err ignored = {0};
        (void)access_tokens_load(access, &ignored); /* as they were before */
    }
    return rc;
}

int access_login_link(struct access *access, const char *hash, const char *from,
                      struct access_session *ret, struct err *err)
{
    const struct login_row *link = NULL;
    struct principal who;
    for (int i = 0; i < access->login_count; i++) {
        link = strcmp(access->logins[i].hash, hash) == 0 ? &access->logins[i] : link;
    }
    if (link == NULL || link->used || clock_wall_us(access->clock) >= link->expires_us) {
        return err_set(err, ERR_LOGIN_LINK, "it %s",
                       link == NULL ? "is unknown, or was replaced"
                       : link->used ? "was used"
                                    : "has expired");
    }
    int rc = identify(access, link->channel, link->user_id, "login with a link", &who, err);
    rc = rc < 0 ? rc : ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = login_table_use(access->store, hash, err);
    rc = rc < 0 ? rc : add_session(access, &who, "a link", from, ret, err);
    return end_login(access, rc, ret, err);
}

int access_login_launch(struct access *access, const struct access_launch *launch, const char *from,
                        struct access_session *ret, struct err *err)
{
    int64_t now_us = clock_wall_us(access->clock);
    struct login_row row = {.user_id = launch->user_id,
                            .created_us = now_us,
                            .expires_us = launch->signed_us + 2 * LOGIN_VALID_US,
                            .used = true};
    struct principal who;
    memcpy(row.hash, launch->hash, sizeof(row.hash));
    (void)str_copy(str_c(channel_name(CHANNEL_TELEGRAM)), row.channel, sizeof(row.channel));
    for (int i = 0; i < access->login_count; i++) {
        if (strcmp(access->logins[i].hash, launch->hash) == 0) {
            (void)access_unauthorised(access, CHANNEL_TELEGRAM, launch->user_id,
                                      "login with data that were used");
            return err_set(err, ERR_LOGIN_OLD, "they were used");
        }
    }
    int rc = identify(access, row.channel, row.user_id, "login in the Mini App", &who, err);
    rc = rc < 0 ? rc : check_space(access, LOGINS_MAX - LOGIN_OPEN_MAX, err);
    rc = rc < 0 ? rc : ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = login_table_tidy(access->store, now_us, err);
    rc = rc < 0 ? rc : login_table_add(access->store, &row, err);
    rc = rc < 0 ? rc : add_session(access, &who, "Telegram", from, ret, err);
    return end_login(access, rc, ret, err);
}

/* NULL: the caller has none. */
static const struct token_row *session_of(const struct access *access, const struct principal *who)
{
    for (int i = 0; i < access->token_count && who->channel == CHANNEL_HTTP; i++) {
        const struct token_row *t = &access->tokens[i];
        if (t->id == who->id && t->holder_channel[0] != '\0') {
            return t;
        }
    }
    return NULL;
}

bool access_has_session(const struct access *access, const struct principal *who)
{
    return session_of(access, who) != NULL;
}

int access_logout(struct access *access, const struct principal *who, struct err *err)
{
    const struct token_row *t = session_of(access, who);
    if (t == NULL) {
        return err_set(err, ERR_LOGIN_NONE, "%s", who->name);
    }
    AUTO_BUF struct buf detail = BUF_INIT(64);
    buf_add_c(&detail, t->name);
    int rc = ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = token_table_revoke(access->store, t->id, clock_wall_us(access->clock), who->name, err);
    rc = rc < 0 ? rc : access_audit(access, who, "session.closed", detail.data, "ok", err);
    return end_change(access, rc, err);
}

#include "access_internal.h"
#include "base/address.h"
#include "base/check.h"
#include "config/config.h"
#include "io/secret.h"
#include "store/token_table.h"

#include <fnmatch.h>
#include <string.h>

/* How far the clock may be set back after a token was made: time synchronisation corrects it by
 * seconds. Further back, the age of a token is unknown. */
#define CLOCK_SLACK_US (5 * USEC_PER_MIN)

int access_tokens_load(struct access *access, struct err *err)
{
    struct token_row *rows = calloc(TOKENS_MAX, sizeof(*rows));
    ASSERT(rows != NULL);
    int n = token_table_list(access->store, rows, TOKENS_MAX, err);
    free(access->tokens);
    access->tokens = NULL;
    access->token_count = n < 0 ? 0 : n;
    if (n > 0) {
        access->tokens = realloc(rows, (size_t)n * sizeof(*rows));
        ASSERT(access->tokens != NULL);
    } else {
        free(rows);
    }
    return n < 0 ? n : 0;
}

/* ---------------------------------------------------------------------------- the secret ---- */

void access_token_hash(struct str token, char ret_hex[SECRET_HASH_HEX_SIZE])
{
    secret_hash(NULL, token, ret_hex);
}

bool access_token_is_shaped(struct str token)
{
    size_t prefix = strlen(ACCESS_TOKEN_PREFIX);
    if (token.len != ACCESS_TOKEN_SIZE - 1 || !str_starts(token, ACCESS_TOKEN_PREFIX)) {
        return false;
    }
    for (size_t i = prefix; i < token.len; i++) {
        if (token.ptr[i] == '\0' ||
            strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", token.ptr[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------- who it stands for -- */

enum err_id access_token_check(const struct access_token_times *times, int64_t now_us)
{
    if (times->revoked_us != 0 || (times->expires_us != 0 && now_us >= times->expires_us)) {
        return ERR_API_TOKEN_ENDED;
    }
    bool is_early = now_us < times->created_us - CLOCK_SLACK_US;
    return times->expires_us != 0 && is_early ? ERR_API_TOKEN_CLOCK : ERR_NONE;
}

static struct access_token_times times_of(const struct token_row *t)
{
    return (struct access_token_times){
        .created_us = t->created_us, .expires_us = t->expires_us, .revoked_us = t->revoked_us};
}

/* A session has the name and the role that its person has now. */
static bool identify_holder(const struct access *access, const struct token_row *t,
                            struct principal *ret)
{
    struct principal person;
    enum channel channel;
    if (!channel_parse(str_c(t->holder_channel), &channel) || channel == CHANNEL_HTTP ||
        access_identify(access, channel, t->holder_id, &person) < 0) {
        return false;
    }
    memcpy(ret->name, person.name, sizeof(ret->name));
    ret->role = person.role;
    ret->emergency = person.emergency;
    return true;
}

bool access_token_identify(const struct access *access, int64_t id, struct principal *ret)
{
    for (int i = 0; i < access->token_count; i++) {
        const struct token_row *t = &access->tokens[i];
        const struct access_token_times times = times_of(t);
        if (t->id != id) {
            continue;
        }
        (void)str_copy(str_c(t->name), ret->name, sizeof(ret->name));
        (void)str_copy(str_c(t->commands), ret->commands, sizeof(ret->commands));
        if (t->holder_channel[0] != '\0') {
            return access_token_check(&times, clock_wall_us(access->clock)) == ERR_NONE &&
                   identify_holder(access, t, ret);
        }
        return access_token_check(&times, clock_wall_us(access->clock)) == ERR_NONE &&
               role_parse(str_c(t->role), &ret->role) && ret->role != ROLE_NONE;
    }
    return false;
}

bool access_commands_have(const char *globs, const char *command)
{
    struct str rest = str_c(globs), glob;
    while (str_split(&rest, ',', &glob)) {
        char pattern[TOKEN_COMMANDS_SIZE];
        if (str_copy(glob, pattern, sizeof(pattern)) && fnmatch(pattern, command, 0) == 0) {
            return true;
        }
    }
    return globs[0] == '\0';
}

int access_permit_command(const struct principal *who, const char *command, struct err *err)
{
    return access_commands_have(who->commands, command)
               ? 0
               : err_set(err, ERR_ACCESS_DENIED, "the token %s may only run %s", who->name,
                         who->commands);
}

/* ------------------------------------------------------------------------------ the list ---- */

bool access_token_at(const struct access *access, int index, struct access_token *ret)
{
    if (index < 0 || index >= access->token_count) {
        return false;
    }
    const struct token_row *t = &access->tokens[index];
    struct str rest = str_c(t->networks), network;
    *ret = (struct access_token){.id = t->id,
                                 .name = t->name,
                                 .hash = t->hash,
                                 .commands = t->commands,
                                 .times = times_of(t),
                                 .created_by = t->created_by,
                                 .revoked_by = t->revoked_by,
                                 .used_us = t->used_us,
                                 .used_from = t->used_from,
                                 .is_session = t->holder_channel[0] != '\0'};
    struct principal person = {0};
    if (!ret->is_session) {
        (void)role_parse(str_c(t->role), &ret->role);
    } else if (identify_holder(access, t, &person)) {
        ret->role = person.role;
    }
    while (ret->network_count < ACCESS_TOKEN_NETWORKS_MAX && str_split(&rest, ',', &network)) {
        ret->network_count += network_parse(network, &ret->networks[ret->network_count]) ? 1 : 0;
    }
    return true;
}

int access_token_find(const struct access *access, const char *name, struct access_token *ret,
                      struct err *err)
{
    for (int i = 0; access_token_at(access, i, ret); i++) {
        if (ret->times.revoked_us == 0 && strcmp(ret->name, name) == 0) {
            return 0;
        }
    }
    return err_set(err, ERR_TOKEN_UNKNOWN, "%s", name);
}

/* ----------------------------------------------------------------------- create and revoke ---- */

/* Writes the networks as their prefixes, separated by commas. */
static int read_networks(const char *text, char *ret, size_t size, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(size);
    struct str rest = str_c(text), part;
    int count = 0;
    while (str_split(&rest, ',', &part)) {
        struct network network;
        part = str_trim(part);
        if (!network_parse(part, &network)) {
            return err_set(err, ERR_TOKEN_NETWORK, "%.*s", part.len > 60 ? 60 : (int)part.len,
                           part.ptr);
        }
        if (++count > ACCESS_TOKEN_NETWORKS_MAX) {
            return err_set(err, ERR_TOKEN_NETWORK, "more than %d", ACCESS_TOKEN_NETWORKS_MAX);
        }
        buf_add_c(&out, out.len == 0 ? "" : ",");
        network_add(&out, &network);
    }
    return str_copy(buf_str(&out), ret, size) && !buf_failed(&out)
               ? 0
               : err_set(err, ERR_TOKEN_NETWORK, "longer than %zu bytes", size - 1);
}

static int read_commands(const char *text, char *ret, size_t size, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(size);
    struct str rest = str_c(text), part;
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        char glob[TOKEN_COMMANDS_SIZE];
        if (part.len == 0 || !str_copy(part, glob, sizeof(glob)) ||
            strspn(glob, "abcdefghijklmnopqrstuvwxyz0123456789_*?") != part.len) {
            return err_set(err, ERR_TOKEN_COMMANDS, "%.*s", part.len > 60 ? 60 : (int)part.len,
                           part.ptr);
        }
        buf_addf(&out, "%s%s", out.len == 0 ? "" : ",", glob);
    }
    return str_copy(buf_str(&out), ret, size) && !buf_failed(&out)
               ? 0
               : err_set(err, ERR_TOKEN_COMMANDS, "longer than %zu bytes", size - 1);
}

/* A full table makes room by dropping the token that has ended longest ago. */
static int make_room(struct access *access, struct err *err)
{
    int64_t now_us = clock_wall_us(access->clock), oldest_us = INT64_MAX, id = 0;
    if (access->token_count < TOKENS_MAX) {
        return 0;
    }
    for (int i = 0; i < access->token_count; i++) {
        const struct token_row *t = &access->tokens[i];
        const struct access_token_times times = times_of(t);
        int64_t ended_us = t->revoked_us != 0 ? t->revoked_us : t->expires_us;
        if (access_token_check(&times, now_us) == ERR_API_TOKEN_ENDED && ended_us < oldest_us) {
            oldest_us = ended_us;
            id = t->id;
        }
    }
    return id != 0 ? token_table_remove(access->store, id, err)
                   : err_set(err, ERR_TOKEN_MANY, "%d", TOKENS_MAX);
}

static void describe(const struct token_row *t, struct buf *out)
{
    buf_addf(out, "%s (%lld): %s, ", t->name, (long long)t->id, t->role);
    if (t->expires_us == 0) {
        buf_add_c(out, "never expires");
    } else {
        buf_add_c(out, "expires ");
        clock_add_iso(out, t->expires_us, false);
    }
    buf_addf(out, ", from %s, commands %s", t->networks[0] == '\0' ? "everywhere" : t->networks,
             t->commands[0] == '\0' ? "all" : t->commands);
}

int access_tokens_end(struct access *access, int rc, struct err *err)
{
    if (rc < 0) {
        ops_store_rollback(access->store);
        return rc;
    }
    rc = ops_store_commit(access->store, err);
    return rc < 0 ? rc : access_tokens_load(access, err);
}

int access_token_add(struct access *access, struct token_row *t, struct err *err)
{
    int rc = make_room(access, err);
    return rc < 0 ? rc : token_table_add(access->store, t, err);
}

void access_token_fill(struct access *access, struct token_row *t,
                       char ret_token[ACCESS_TOKEN_SIZE])
{
    memcpy(ret_token, ACCESS_TOKEN_PREFIX, sizeof(ACCESS_TOKEN_PREFIX));
    secret_nonce(ret_token + strlen(ACCESS_TOKEN_PREFIX), ACCESS_TOKEN_CHARS);
    access_token_hash(str_c(ret_token), t->hash);
    t->created_us = clock_wall_us(access->clock);
}

static int add_token(struct access *access, const struct principal *by, struct token_row *t,
                     struct err *err)
{
    AUTO_BUF struct buf detail = BUF_INIT(1024);
    int rc = access_token_add(access, t, err);
    if (rc < 0) {
        return rc;
    }
    describe(t, &detail);
    return access_audit(access, by, "token.created", detail.data, "ok", err);
}

int access_token_create(struct access *access, const struct principal *by,
                        const struct access_token_wish *wish, char ret_token[ACCESS_TOKEN_SIZE],
                        struct err *err)
{
    struct token_row t = {0};
    if (!access_name_is_valid(wish->name) || access_name_is_taken(access, wish->name, 0)) {
        return err_set(err, ERR_USER_NAME, "%.60s", wish->name);
    }
    int rc = read_networks(wish->networks, t.networks, sizeof(t.networks), err);
    rc = rc < 0 ? rc : read_commands(wish->commands, t.commands, sizeof(t.commands), err);
    if (rc < 0) {
        return rc;
    }
    (void)str_copy(str_c(wish->name), t.name, sizeof(t.name));
    (void)str_copy(str_c(role_name(wish->role)), t.role, sizeof(t.role));
    (void)str_copy(str_c(by->name), t.created_by, sizeof(t.created_by));
    access_token_fill(access, &t, ret_token);
    t.expires_us = wish->lifetime_us == 0 ? 0 : t.created_us + wish->lifetime_us;
    if ((rc = ops_store_begin(access->store, err)) == 0) {
        rc = access_tokens_end(access, add_token(access, by, &t, err), err);
    }
    if (rc < 0) {
        secret_wipe(ret_token, ACCESS_TOKEN_SIZE);
    }
    return rc;
}

int access_token_revoke(struct access *access, const struct principal *by, const char *name,
                        struct err *err)
{
    struct access_token token;
    AUTO_BUF struct buf detail = BUF_INIT(128);
    int rc = access_token_find(access, name, &token, err);
    rc = rc < 0 ? rc : ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    buf_addf(&detail, "%s (%lld)", token.name, (long long)token.id);
    rc = token_table_revoke(access->store, token.id, clock_wall_us(access->clock), by->name, err);
    rc = rc < 0 ? rc : access_audit(access, by, "token.revoked", detail.data, "ok", err);
    return access_tokens_end(access, rc, err);
}

int access_token_used(struct access *access, int64_t id, int64_t at_us, const char *from,
                      struct err *err)
{
    for (int i = 0; i < access->token_count; i++) {
        struct token_row *t = &access->tokens[i];
        if (t->id == id) {
            t->used_us = at_us;
            str_cut(str_c(from), t->used_from, sizeof(t->used_from));
            return token_table_used(access->store, id, at_us, t->used_from, err);
        }
    }
    return 0; /* the built-in one of the configuration, or it was removed meanwhile */
}

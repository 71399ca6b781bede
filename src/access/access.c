#include "access_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "base/trace.h"
#include "config/config.h"
#include "io/pool.h"
#include "io/secret.h"
#include "store/audit_chain.h"
#include "store/read_table.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* Lines that unauthorised users may add to the audit log per window. The log is kept for good, so
 * its growth must not depend on them. */
#define UNAUTHORISED_LINES_EACH 3
#define UNAUTHORISED_LINES_ALL  30
#define UNAUTHORISED_WINDOW_US  USEC_PER_HOUR
#define DETAIL_MAX              1023

static const char *const channel_names[] = {
    [CHANNEL_CONSOLE] = "console",   [CHANNEL_TELEGRAM] = "telegram",
    [CHANNEL_SOCKET] = "socket",     [CHANNEL_HTTP] = "http",
    [CHANNEL_SCHEDULE] = "schedule", [CHANNEL_ASSISTANT] = "assistant",
};

static const char *const role_names[] = {
    [ROLE_NONE] = "none",
    [ROLE_READ_ONLY] = "read_only",
    [ROLE_OPERATOR] = "operator",
    [ROLE_ADMIN] = "admin",
};

const char *channel_name(enum channel c)
{
    return channel_names[c];
}

const char *role_name(enum role r)
{
    return role_names[r];
}

bool role_parse(struct str s, enum role *ret)
{
    for (size_t i = 0; i < COUNT_OF(role_names); i++) {
        if (str_equal_c(s, role_names[i])) {
            *ret = (enum role)i;
            return true;
        }
    }
    return false;
}

bool channel_parse(struct str s, enum channel *ret)
{
    for (size_t i = 0; i < COUNT_OF(channel_names); i++) {
        if (str_equal_c(s, channel_names[i])) {
            *ret = (enum channel)i;
            return true;
        }
    }
    return false;
}

void access_apply(struct access *access, const struct config *config)
{
    access->config = config;
}

int access_new(const struct config *config, struct ops_store *store, const struct clock *clock,
               struct access **ret, struct err *err)
{
    for (int i = 0; i < config->user_count; i++) {
        enum role role = ROLE_NONE;
        if (!role_parse(str_c(config->users[i].role), &role)) {
            return err_set(err, ERR_INTERNAL, "role of user %s", config->users[i].name);
        }
    }
    for (int i = 0; i < config->local_count; i++) {
        enum role role = ROLE_NONE;
        if (!role_parse(str_c(config->locals[i].role), &role)) {
            return err_set(err, ERR_INTERNAL, "role of user %s", config->locals[i].name);
        }
    }
    struct access *access = calloc(1, sizeof(*access));
    ASSERT(access != NULL);
    access->config = config;
    access->store = store;
    access->clock = clock;
    access->own_uid = (int64_t)getuid();
    int rc = access_people_load(access, err);
    rc = rc < 0 ? rc : access_factor_load(access, err);
    rc = rc < 0 ? rc : access_tokens_load(access, err);
    rc = rc < 0 ? rc : access_logins_load(access, err);
    if (rc < 0) {
        access_free(access);
        return rc;
    }
    *ret = access;
    return 0;
}

void access_free(struct access *access)
{
    if (access == NULL) {
        return;
    }
    for (int i = 0; i < OWN_COUNT; i++) {
        pool_cancel(access->lookups[i]);
    }
    secret_wipe(access->factors, sizeof(access->factors));
    free(access->tokens);
    free(access->logins);
    free(access);
}

/* ------------------------------------------------------------------ names of uids */

/* A job for a helper thread: NSS may query a server that does not answer. */
struct lookup {
    int64_t uid;
    char name[NAME_SIZE];
};

static void look_up(void *data)
{
    struct lookup *lookup = data;
    char scratch[4096];
    struct passwd row;
    struct passwd *found = NULL;
    if (getpwuid_r((uid_t)lookup->uid, &row, scratch, sizeof(scratch), &found) == 0 &&
        found != NULL) {
        (void)str_copy(str_c(found->pw_name), lookup->name, sizeof(lookup->name));
    }
}

static void on_looked_up(void *data, void *userdata)
{
    const struct lookup *lookup = data;
    struct access *access = userdata;
    for (int i = 0; i < OWN_COUNT; i++) {
        int64_t uid = i == OWN_ROOT ? 0 : access->own_uid;
        if (uid == lookup->uid) {
            memcpy(access->own_names[i], lookup->name, sizeof(lookup->name));
            access->lookups[i] = NULL;
        }
    }
}

void access_learn_names(struct access *access, struct pool *helpers)
{
    for (int i = 0; i < OWN_COUNT; i++) {
        if (i == OWN_DAEMON && access->own_uid == 0) {
            continue; /* the daemon runs as root: one lookup */
        }
        struct lookup *lookup = calloc(1, sizeof(*lookup));
        ASSERT(lookup != NULL);
        lookup->uid = i == OWN_ROOT ? 0 : access->own_uid;
        access->lookups[i] = pool_start(helpers,
                                        &(struct pool_work){.data = lookup,
                                                            .work = look_up,
                                                            .done = on_looked_up,
                                                            .drop = free,
                                                            .userdata = access},
                                        NULL);
        if (access->lookups[i] == NULL) {
            free(lookup);
        }
    }
}

bool access_learns_names(const struct access *access)
{
    return access->lookups[OWN_ROOT] != NULL || access->lookups[OWN_DAEMON] != NULL;
}

static void name_of_uid(const struct access *access, int64_t uid, char dst[NAME_SIZE])
{
    const char *name = access->own_names[uid == 0 ? OWN_ROOT : OWN_DAEMON];
    if ((uid == 0 || uid == access->own_uid) && name[0] != '\0') {
        memcpy(dst, name, NAME_SIZE);
    } else {
        (void)snprintf(dst, NAME_SIZE, "uid %lld", (long long)uid);
    }
}

/* ------------------------------------------------------------------ identification */

const struct config_local *access_find_local(const struct access *access, int64_t uid)
{
    for (int i = 0; i < access->config->local_count; i++) {
        if (access->config->locals[i].uid == uid) {
            return &access->config->locals[i];
        }
    }
    return NULL;
}

static bool identify_uid(const struct access *access, enum channel channel, int64_t uid,
                         struct principal *ret)
{
    bool owner = uid == 0 || uid == access->own_uid;
    const struct config_local *local = access_find_local(access, uid);
    if (uid < 0 || (!owner && (channel == CHANNEL_CONSOLE || local == NULL))) {
        return false;
    }
    if (local != NULL) {
        (void)str_copy(str_c(local->name), ret->name, sizeof(ret->name));
    } else {
        name_of_uid(access, uid, ret->name);
    }
    if (owner) { /* can read and write the databases anyway */
        ret->role = ROLE_ADMIN;
        ret->emergency = true;
        return true;
    }
    ret->emergency = local->emergency;
    return role_parse(str_c(local->role), &ret->role) && ret->role != ROLE_NONE;
}

static bool identify_user(const struct access *access, int64_t id, struct principal *ret)
{
    if (id <= 0) {
        return false; /* Telegram groups and channels have negative ids: not a person */
    }
    for (int i = 0; i < access->config->user_count; i++) {
        const struct config_user *user = &access->config->users[i];
        if (user->id == id) {
            (void)str_copy(str_c(user->name), ret->name, sizeof(ret->name));
            ret->emergency = user->emergency;
            return role_parse(str_c(user->role), &ret->role) && ret->role != ROLE_NONE;
        }
    }
    return access_people_identify(access, id, ret);
}

/* api.token, configured by the owner of the machine. */
static bool identify_api_token(struct principal *ret)
{
    ret->role = ROLE_OPERATOR;
    (void)str_copy(str_c("api"), ret->name, sizeof(ret->name));
    return true;
}

int access_identify(const struct access *access, enum channel channel, int64_t id,
                    struct principal *ret)
{
    struct principal who = {.channel = channel, .id = id};
    bool known = false;
    switch (channel) {
    case CHANNEL_CONSOLE:
    case CHANNEL_SOCKET:
        known = identify_uid(access, channel, id, &who);
        break;
    case CHANNEL_TELEGRAM:
        known = identify_user(access, id, &who);
        break;
    case CHANNEL_HTTP:
        known = id != 0 ? access_token_identify(access, id, &who) : identify_api_token(&who);
        break;
    case CHANNEL_SCHEDULE: /* the program itself */
        known = id == 0;
        who.role = ROLE_ADMIN;
        (void)str_copy(str_c("schedule"), who.name, sizeof(who.name));
        break;
    case CHANNEL_ASSISTANT: /* nobody comes from there: it acts for people of other channels */
        break;
    }
    if (!known) {
        return -ERR_ACCESS_UNAUTHORISED;
    }
    *ret = who;
    return 0;
}

bool access_is_local_owner(const struct access *access, const struct principal *who)
{
    bool local = who->channel == CHANNEL_CONSOLE || who->channel == CHANNEL_SOCKET;
    return local && (who->id == 0 || who->id == access->own_uid);
}

void access_each_user(const struct access *access,
                      void (*fn)(int64_t id, const char *name, void *userdata), void *userdata)
{
    for (int i = 0; i < access->config->user_count; i++) {
        fn(access->config->users[i].id, access->config->users[i].name, userdata);
    }
    for (int i = 0; i < access->person_count; i++) {
        if (!access_is_configured(access, access->people[i].id)) {
            fn(access->people[i].id, access->people[i].name, userdata);
        }
    }
    for (int i = 0; i < access->config->local_count; i++) {
        fn(access->config->locals[i].uid, access->config->locals[i].name, userdata);
    }
    for (int i = 0; i < OWN_COUNT; i++) {
        int64_t uid = i == OWN_ROOT ? 0 : access->own_uid;
        if (access->own_names[i][0] != '\0' && access_find_local(access, uid) == NULL) {
            fn(uid, access->own_names[i], userdata);
        }
    }
}

int access_permit(const struct principal *who, enum role lowest, bool needs_emergency,
                  struct err *err)
{
    if (who->role == ROLE_NONE || who->role < lowest) {
        return err_set(err, ERR_ACCESS_DENIED, "needs %s, %s is %s", role_name(lowest), who->name,
                       role_name(who->role));
    }
    if (needs_emergency && !who->emergency) {
        return err_set(err, ERR_ACCESS_DENIED, "needs the emergency grant, %s (%s) has none",
                       who->name, role_name(who->role));
    }
    return 0;
}

/* The row of this id. A new id replaces the sender whose last message is the oldest. */
static struct unauthorised *find_unauthorised(struct access *access, enum channel channel,
                                              int64_t id)
{
    struct unauthorised *oldest = &access->unauthorised[0];
    for (size_t i = 0; i < UNAUTHORISED_MAX; i++) {
        struct unauthorised *s = &access->unauthorised[i];
        if (s->seen_us != 0 && s->channel == channel && s->id == id) {
            return s;
        }
        if (s->seen_us < oldest->seen_us) {
            oldest = s;
        }
    }
    access->all_left_out += oldest->left_out; /* the next line of any sender reports them */
    *oldest = (struct unauthorised){.channel = channel, .id = id};
    return oldest;
}

/* A window that begins in the future has ended, too: the wall clock was set back. */
static bool window_ended(int64_t begin_us, int64_t now_us)
{
    return begin_us == 0 || now_us < begin_us || now_us - begin_us >= UNAUTHORISED_WINDOW_US;
}

bool access_unauthorised(struct access *access, enum channel channel, int64_t id, const char *what)
{
    int64_t now_us = clock_wall_us(access->clock);
    struct unauthorised *s = find_unauthorised(access, channel, id);
    s->seen_us = now_us;
    if (window_ended(s->window_us, now_us)) {
        s->window_us = now_us;
        s->lines = 0;
    }
    if (window_ended(access->all_window_us, now_us)) {
        access->all_window_us = now_us;
        access->all_lines = 0;
    }
    if (s->lines >= UNAUTHORISED_LINES_EACH) {
        s->left_out++;
        return false;
    }
    if (access->all_lines >= UNAUTHORISED_LINES_ALL) {
        access->all_left_out++;
        return false;
    }

    AUTO_BUF struct buf detail = BUF_INIT(400);
    struct str text = str_c(what);
    buf_add_str(&detail, str_n(text.ptr, text.len < 200 ? text.len : 200));
    if (s->left_out > 0) {
        buf_addf(&detail, " (%lld more from this sender left out)", (long long)s->left_out);
    }
    if (access->all_left_out > 0) {
        buf_addf(&detail, " (%lld more from other unauthorised senders left out)",
                 (long long)access->all_left_out);
    }
    struct principal who = {.channel = channel, .id = id};
    struct err err = {0};
    if (access_audit(access, &who, "access.unauthorised", detail.data, "ACCESS_UNAUTHORISED",
                     &err) < 0) {
        s->left_out++;
        log_err(LOG_LEVEL_ERROR, &err, "could not log an unauthorised message");
        return false;
    }
    s->lines++;
    s->left_out = 0;
    access->all_lines++;
    access->all_left_out = 0;
    return true;
}

static void name_of(const struct principal *who, char dst[64])
{
    if (who->name[0] != '\0') {
        (void)str_copy(str_c(who->name), dst, 64);
    } else {
        (void)snprintf(dst, 64, "%s:%lld", channel_name(who->channel), (long long)who->id);
    }
}

int access_count_reads(struct access *access, const struct principal *who, const char *command,
                       int64_t count, int64_t failed, struct err *err)
{
    struct read_count reads = {
        .at_us = clock_wall_us(access->clock), .count = count, .failed = failed};
    name_of(who, reads.user);
    (void)str_copy(str_c(channel_name(who->channel)), reads.channel, sizeof(reads.channel));
    str_cut(str_c(command), reads.command, sizeof(reads.command));
    return read_table_add(access->store, &reads, err);
}

int access_audit(struct access *access, const struct principal *who, const char *action,
                 const char *detail, const char *result, struct err *err)
{
    char user[64];
    name_of(who, user);
    char clean[DETAIL_MAX + 1];
    AUTO_BUF struct buf named = BUF_INIT(2 * DETAIL_MAX);
    if (trace_run() != 0 && strncmp(detail, "run ", 4) != 0) {
        buf_addf(&named, "run %lld: ", (long long)trace_run());
    }
    buf_addf(&named, "%.*s", DETAIL_MAX, detail);
    (void)str_copy(buf_str(&named), clean, sizeof(clean));
    log_redact(clean);
    const struct audit_entry entry = {.at_us = clock_wall_us(access->clock),
                                      .user = user,
                                      .channel = channel_name(who->channel),
                                      .action = action,
                                      .detail = clean,
                                      .result = result};
    int64_t id = 0;
    return audit_chain_append(access->store, &entry, &id, err);
}

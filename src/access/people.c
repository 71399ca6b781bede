#include "access_internal.h"
#include "base/check.h"
#include "base/clock.h"
#include "config/config.h"
#include "store/outbox_table.h"

#include <string.h>

int access_people_load(struct access *access, struct err *err)
{
    int n = person_table_list(access->store, access->people, PEOPLE_MAX, err);
    access->person_count = n < 0 ? 0 : n;
    return n < 0 ? n : 0;
}

bool access_is_configured(const struct access *access, int64_t id)
{
    for (int i = 0; i < access->config->user_count; i++) {
        if (access->config->users[i].id == id) {
            return true;
        }
    }
    return false;
}

bool access_people_identify(const struct access *access, int64_t id, struct principal *ret)
{
    for (int i = 0; i < access->person_count; i++) {
        const struct person *p = &access->people[i];
        if (p->id == id) {
            (void)str_copy(str_c(p->name), ret->name, sizeof(ret->name));
            ret->emergency = p->emergency;
            return role_parse(str_c(p->role), &ret->role) && ret->role != ROLE_NONE;
        }
    }
    return false;
}

static void fill_configured(const struct config_user *user, struct access_person *ret)
{
    *ret =
        (struct access_person){.id = user->id, .emergency = user->emergency, .is_configured = true};
    (void)str_copy(str_c(user->name), ret->name, sizeof(ret->name));
    (void)role_parse(str_c(user->role), &ret->role);
}

static void fill_granted(const struct person *p, struct access_person *ret)
{
    *ret =
        (struct access_person){.id = p->id, .emergency = p->emergency, .granted_us = p->granted_us};
    (void)str_copy(str_c(p->name), ret->name, sizeof(ret->name));
    (void)str_copy(str_c(p->granted_by), ret->granted_by, sizeof(ret->granted_by));
    (void)role_parse(str_c(p->role), &ret->role);
}

bool access_person_at(const struct access *access, int index, struct access_person *ret)
{
    if (index < access->config->user_count) {
        fill_configured(&access->config->users[index], ret);
        return true;
    }
    index -= access->config->user_count;
    for (int i = 0; i < access->person_count; i++) {
        if (access_is_configured(access, access->people[i].id)) {
            continue; /* the configuration decides */
        }
        if (index-- == 0) {
            fill_granted(&access->people[i], ret);
            return true;
        }
    }
    return false;
}

bool access_telegram_user(const struct access *access, int index, struct principal *ret)
{
    struct access_person p;
    if (!access_person_at(access, index, &p)) {
        return false;
    }
    *ret = (struct principal){
        .channel = CHANNEL_TELEGRAM, .id = p.id, .role = p.role, .emergency = p.emergency};
    (void)str_copy(str_c(p.name), ret->name, sizeof(ret->name));
    return true;
}

int access_telegram_admins(const struct access *access)
{
    struct access_person p;
    int count = 0;
    for (int i = 0; access_person_at(access, i, &p); i++) {
        count += p.role == ROLE_ADMIN ? 1 : 0;
    }
    return count;
}

bool access_name_is_taken(const struct access *access, const char *name, int64_t except)
{
    const struct config *c = access->config;
    bool taken = strcmp(name, "api") == 0 || strcmp(name, "schedule") == 0;
    for (int i = 0; i < c->user_count; i++) {
        taken = taken || strcmp(c->users[i].name, name) == 0;
    }
    for (int i = 0; i < c->local_count; i++) {
        taken = taken || strcmp(c->locals[i].name, name) == 0;
    }
    for (int i = 0; i < OWN_COUNT; i++) {
        taken = taken || strcmp(access->own_names[i], name) == 0;
    }
    for (int i = 0; i < access->person_count; i++) {
        taken =
            taken || (access->people[i].id != except && strcmp(access->people[i].name, name) == 0);
    }
    struct access_token token;
    return taken || access_token_find(access, name, &token, NULL) == 0;
}

bool access_name_is_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < NAME_SIZE &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

/* The row of the database; NULL: none. */
static const struct person *find_person(const struct access *access, int64_t id)
{
    for (int i = 0; i < access->person_count; i++) {
        if (access->people[i].id == id) {
            return &access->people[i];
        }
    }
    return NULL;
}

static bool is_self(const struct access *access, const struct principal *by, int64_t id)
{
    const struct person *p = find_person(access, id);
    return (by->channel == CHANNEL_TELEGRAM && by->id == id) ||
           (p != NULL && strcmp(p->name, by->name) == 0);
}

/* Whether this person is the only admin on Telegram. */
static bool is_last_admin(const struct access *access, int64_t id)
{
    const struct person *p = find_person(access, id);
    return p != NULL && strcmp(p->role, role_name(ROLE_ADMIN)) == 0 &&
           access_telegram_admins(access) == 1;
}

/* What keeps the row of this id from being changed. */
static int check_change(const struct access *access, const struct principal *by, int64_t id,
                        struct err *err)
{
    if (access_is_configured(access, id)) {
        return err_set(err, ERR_USER_CONFIGURED, "%lld", (long long)id);
    }
    return is_self(access, by, id) ? err_set(err, ERR_USER_SELF, "%s", by->name) : 0;
}

int access_check_grant(const struct access *access, const struct principal *by,
                       const struct access_person *grant, struct err *err)
{
    int rc = check_change(access, by, grant->id, err);
    if (rc < 0) {
        return rc;
    }
    if (grant->id <= 0) {
        return err_set(err, ERR_USER_UNKNOWN, "%s", grant->name);
    }
    if (!access_name_is_valid(grant->name) ||
        access_name_is_taken(access, grant->name, grant->id)) {
        return err_set(err, ERR_USER_NAME, "%s", grant->name);
    }
    if (grant->role < ROLE_ADMIN && is_last_admin(access, grant->id)) {
        return err_set(err, ERR_USER_LAST_ADMIN, "%s", grant->name);
    }
    if (find_person(access, grant->id) == NULL && access->person_count == PEOPLE_MAX) {
        return err_set(err, ERR_USER_MANY, "%d", PEOPLE_MAX);
    }
    return 0;
}

int access_check_revoke(const struct access *access, const struct principal *by, int64_t id,
                        struct err *err)
{
    int rc = check_change(access, by, id, err);
    if (rc < 0) {
        return rc;
    }
    const struct person *p = find_person(access, id);
    if (p == NULL) {
        return err_set(err, ERR_USER_UNKNOWN, "%lld", (long long)id);
    }
    return is_last_admin(access, id) ? err_set(err, ERR_USER_LAST_ADMIN, "%s", p->name) : 0;
}

int access_add_person(struct access *access, const struct principal *by,
                      const struct access_person *grant, struct err *err)
{
    struct person p = {
        .id = grant->id, .emergency = grant->emergency, .granted_us = clock_wall_us(access->clock)};
    (void)str_copy(str_c(grant->name), p.name, sizeof(p.name));
    (void)str_copy(str_c(role_name(grant->role)), p.role, sizeof(p.role));
    (void)str_copy(str_c(by->name), p.granted_by, sizeof(p.granted_by));
    return person_table_save(access->store, &p, err);
}

int access_grant(struct access *access, const struct principal *by,
                 const struct access_person *grant, struct err *err)
{
    struct access_person before = {0};
    const struct person *p = find_person(access, grant->id);
    int rc = access_check_grant(access, by, grant, err);
    if (rc < 0) {
        return rc;
    }
    if (p != NULL) {
        fill_granted(p, &before);
    }
    AUTO_BUF struct buf detail = BUF_INIT(256);
    buf_addf(&detail, "%s (%lld): %s%s, before: %s%s", grant->name, (long long)grant->id,
             role_name(grant->role), grant->emergency ? " with the emergency grant" : "",
             role_name(before.role), before.emergency ? " with the emergency grant" : "");
    if ((rc = ops_store_begin(access->store, err)) < 0) {
        return rc;
    }
    rc = access_add_person(access, by, grant, err);
    rc = rc < 0 ? rc : access_audit(access, by, "access.granted", detail.data, "ok", err);
    return access_people_end(access, rc, err);
}

int access_revoke(struct access *access, const struct principal *by, int64_t id, struct err *err)
{
    int rc = access_check_revoke(access, by, id, err);
    if (rc < 0) {
        return rc;
    }
    const struct person *p = find_person(access, id);
    AUTO_BUF struct buf detail = BUF_INIT(128);
    buf_addf(&detail, "%s (%lld), before: %s", p->name, (long long)id, p->role);
    if ((rc = ops_store_begin(access->store, err)) < 0) {
        return rc;
    }
    rc = person_table_remove(access->store, id, err);
    if (rc == 0 && id != access->config->telegram_chat_id) { /* what still waits for them */
        rc = outbox_table_drop_chat(access->store, channel_name(CHANNEL_TELEGRAM), id,
                                    "the user was removed", err);
    }
    rc = rc < 0 ? rc : factor_secret_remove(access->store, p->name, err);
    rc = rc < 0 ? rc : access_audit(access, by, "access.revoked", detail.data, "ok", err);
    return access_people_end(access, rc, err);
}

int access_people_end(struct access *access, int rc, struct err *err)
{
    if (rc < 0) {
        ops_store_rollback(access->store);
        return rc;
    }
    rc = ops_store_commit(access->store, err);
    rc = rc < 0 ? rc : access_factor_load(access, err); /* that of a revoked person is gone */
    return rc < 0 ? rc : access_people_load(access, err);
}

/* Roles that are granted by command. */
#include "access_rig.h"
#include "base/check.h"
#include "io/otp.h"
#include "store/factor_table.h"
#include "store/outbox_table.h"
#include "store/person_table.h"

#include <string.h>

#define DORA 77

static struct access_person person(int64_t id, const char *name, enum role role, bool emergency)
{
    struct access_person p = {.id = id, .role = role, .emergency = emergency};
    (void)str_copy(str_c(name), p.name, sizeof(p.name));
    return p;
}

static int grant(struct access_rig *s, struct access_person p)
{
    struct err err = {0};
    int rc = access_grant(s->access, &s->adam, &p, &err);
    assert_int_equal(rc, access_check_grant(s->access, &s->adam, &p, NULL));
    return rc;
}

/* Only admins that were granted by command. */
static void without_configured_admin(struct access_rig *s)
{
    s->config.user_count = 2;
}

static void a_granted_person_is_identified(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_OPERATOR, true)), 0);
    assert_string_equal(access_rig_audited(s)->action, "access.granted");
    assert_string_equal(access_rig_audited(s)->user, "adam");
    assert_string_equal(access_rig_audited(s)->detail,
                        "dora (77): operator with the emergency grant, before: none");
    for (int i = 0; i < 2; i++) { /* now, and after a restart */
        assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &who), 0);
        assert_string_equal(who.name, "dora");
        assert_int_equal(who.role, ROLE_OPERATOR);
        assert_true(who.emergency);
        assert_int_equal(who.id, DORA);
        assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, DORA, &who),
                         -ERR_ACCESS_UNAUTHORISED);
        assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, -DORA, &who),
                         -ERR_ACCESS_UNAUTHORISED);
        access_rig_restart(s);
    }
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_READ_ONLY, false)), 0);
    assert_string_equal(access_rig_audited(s)->detail,
                        "dora (77): read_only, before: operator with the emergency grant");
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &who), 0);
    assert_int_equal(who.role, ROLE_READ_ONLY);
    assert_false(who.emergency);
    struct access_person p;
    assert_true(access_person_at(s->access, 3, &p));
    assert_int_equal(p.granted_us, ACCESS_RIG_WALL_US); /* a role first, which keeps the order */
    assert_string_equal(p.granted_by, "adam");
    assert_false(p.is_configured);
}

/* A row of the database that names no role admits nobody. */
static void a_damaged_role_admits_nobody(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    static const char *const roles[] = {"none", "owner", ""};
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        struct person p = {.id = DORA, .name = "dora"};
        (void)str_copy(str_c(roles[i]), p.role, sizeof(p.role));
        assert_int_equal(person_table_save(s->store, &p, NULL), 0);
        access_rig_restart(s);
        assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &who),
                         -ERR_ACCESS_UNAUTHORISED);
    }
}

static void note_id(int64_t id, const char *name, void *userdata)
{
    struct buf *out = userdata;
    buf_addf(out, "%lld=%s ", (long long)id, name);
}

static void people_are_listed_once_the_configured_first(void **state)
{
    AUTO_BUF struct buf all = BUF_INIT(256);
    struct access_rig *s = *state;
    struct access_person p;
    struct principal who;
    assert_int_equal(access_telegram_admins(s->access), 1);
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_ADMIN, false)), 0);
    assert_int_equal(grant(s, person(78, "emil", ROLE_READ_ONLY, false)), 0);
    assert_int_equal(access_telegram_admins(s->access), 2);
    static const int64_t ids[] = {7, 8, 9, DORA, 78};
    for (int i = 0; i < (int)COUNT_OF(ids); i++) {
        assert_true(access_person_at(s->access, i, &p));
        assert_int_equal(p.id, ids[i]);
        assert_int_equal(p.is_configured, i < 3);
        assert_true(access_telegram_user(s->access, i, &who));
        assert_int_equal(who.id, ids[i]);
        assert_int_equal(who.channel, CHANNEL_TELEGRAM);
    }
    assert_false(access_person_at(s->access, COUNT_OF(ids), &p));
    access_each_user(s->access, note_id, &all);
    assert_string_equal(all.data, "7=alice 8=rita 9=adam 77=dora 78=emil ");
    assert_true(access_person_at(s->access, 1, &p));
    assert_string_equal(p.name, "rita");
    assert_int_equal(p.role, ROLE_READ_ONLY);
    assert_true(p.emergency);
    assert_string_equal(p.granted_by, "");

    /* The configuration lists dora now, with less: it wins, and she is listed once. */
    access_rig_add_user(&s->config, DORA, "theodora", "read_only", false);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &who), 0);
    assert_string_equal(who.name, "theodora");
    assert_int_equal(who.role, ROLE_READ_ONLY);
    assert_true(access_person_at(s->access, 3, &p));
    assert_true(p.is_configured);
    assert_true(access_person_at(s->access, 4, &p));
    assert_int_equal(p.id, 78);
    assert_false(access_person_at(s->access, 5, &p));
    assert_int_equal(access_telegram_admins(s->access), 1);
    buf_clear(&all);
    access_each_user(s->access, note_id, &all);
    assert_string_equal(all.data, "7=alice 8=rita 9=adam 77=theodora 78=emil ");
}

static void the_configuration_and_oneself_cannot_be_changed(void **state)
{
    struct access_rig *s = *state;
    struct err err = {0};
    assert_int_equal(grant(s, person(7, "alice", ROLE_ADMIN, false)), -ERR_USER_CONFIGURED);
    assert_int_equal(access_revoke(s->access, &s->adam, 7, &err), -ERR_USER_CONFIGURED);
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_ADMIN, false)), 0);
    struct principal dora;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &dora), 0);
    const struct access_person more = person(DORA, "dora", ROLE_ADMIN, true);
    assert_int_equal(access_check_grant(s->access, &dora, &more, &err), -ERR_USER_SELF);
    assert_string_equal(err.context, "dora");
    assert_int_equal(access_check_revoke(s->access, &dora, DORA, &err), -ERR_USER_SELF);
    /* The same name in a terminal is the same person; the same number as a uid is not. */
    dora.channel = CHANNEL_SOCKET;
    assert_int_equal(access_check_revoke(s->access, &dora, DORA, &err), -ERR_USER_SELF);
    dora.id = 1000;
    assert_int_equal(access_check_revoke(s->access, &dora, DORA, &err), -ERR_USER_SELF);
    const struct principal root = {
        .channel = CHANNEL_SOCKET, .id = DORA, .name = "root", .role = ROLE_ADMIN};
    assert_int_equal(access_check_revoke(s->access, &root, DORA, &err), 0);
    const struct principal elsewhere = {
        .channel = CHANNEL_TELEGRAM, .id = DORA, .name = "formerly", .role = ROLE_ADMIN};
    assert_int_equal(access_check_revoke(s->access, &elsewhere, DORA, &err), -ERR_USER_SELF);
}

static void a_name_is_valid_and_belongs_to_one_person(void **state)
{
    struct access_rig *s = *state;
    access_rig_add_local(&s->config, 54321, "olga", "operator", false);
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_OPERATOR, false)), 0);
    static const char *const bad[] = {"",     "two words", "d/ora", "d\xC3\xB6ra",
                                      "api",  "schedule",  "adam",  "alice",
                                      "olga", "dora",      "a\nb"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(grant(s, person(78, bad[i], ROLE_OPERATOR, false)), -ERR_USER_NAME);
    }
    assert_int_equal(grant(s, person(78, "A-z_0.9", ROLE_OPERATOR, false)), 0);
    assert_int_equal(grant(s, person(79, "a23456789012345678901234567890x", ROLE_OPERATOR, false)),
                     0);
    /* A person may get another name, or keep it. */
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_READ_ONLY, false)), 0);
    assert_int_equal(grant(s, person(DORA, "dora2", ROLE_READ_ONLY, false)), 0);
    assert_int_equal(grant(s, person(80, "dora", ROLE_READ_ONLY, false)), 0);
    static const int64_t ids[] = {0, -1, -1001234567890};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        assert_int_equal(grant(s, person(ids[i], "zoe", ROLE_OPERATOR, false)), -ERR_USER_UNKNOWN);
    }
    assert_int_equal(grant(s, person(1, "zoe", ROLE_OPERATOR, false)), 0);
}

static void the_last_admin_stays(void **state)
{
    struct access_rig *s = *state;
    struct err err = {0};
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_ADMIN, true)), 0);
    assert_int_equal(access_check_revoke(s->access, &s->adam, DORA, &err), 0); /* adam is one */
    without_configured_admin(s);
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), -ERR_USER_LAST_ADMIN);
    assert_string_equal(err.context, "dora");
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_OPERATOR, true)), -ERR_USER_LAST_ADMIN);
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_ADMIN, false)), 0); /* still an admin */
    assert_int_equal(grant(s, person(78, "emil", ROLE_OPERATOR, false)), 0);
    assert_int_equal(access_check_revoke(s->access, &s->adam, 78, &err), 0);
    assert_int_equal(grant(s, person(78, "emil", ROLE_ADMIN, false)), 0);
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), 0);
    assert_int_equal(access_telegram_admins(s->access), 1);
}

static void sixty_four_people_are_the_limit(void **state)
{
    struct access_rig *s = *state;
    struct err err = {0};
    char name[16];
    for (int i = 0; i < PEOPLE_MAX; i++) {
        (void)snprintf(name, sizeof(name), "p%d", i);
        assert_int_equal(grant(s, person(100 + i, name, ROLE_READ_ONLY, false)), 0);
    }
    assert_int_equal(grant(s, person(1, "zoe", ROLE_READ_ONLY, false)), -ERR_USER_MANY);
    assert_int_equal(grant(s, person(100 + PEOPLE_MAX - 1, name, ROLE_OPERATOR, false)), 0);
    struct principal ret;
    assert_int_equal(access_pair_accept(s->access, 1, "zoe", &ret, &err), -ERR_USER_MANY);
    assert_int_equal(access_revoke(s->access, &s->adam, 100, &err), 0);
    assert_int_equal(grant(s, person(1, "zoe", ROLE_READ_ONLY, false)), 0);
}

static enum outbox_state state_of(struct access_rig *s, int64_t id)
{
    struct outbox_row row;
    assert_int_equal(outbox_table_get(s->store, id, &row, NULL), 0);
    enum outbox_state state = row.state;
    outbox_row_release(&row);
    return state;
}

static int64_t queue(struct access_rig *s, int64_t chat_id)
{
    int64_t id = 0;
    assert_int_equal(outbox_table_add(s->store,
                                      &(struct outbox_new){.channel = "telegram",
                                                           .chat_id = chat_id,
                                                           .kind = OUTBOX_SEND,
                                                           .payload = "{}"},
                                      ACCESS_RIG_WALL_US, &id, NULL),
                     0);
    return id;
}

static void who_is_revoked_loses_everything(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    struct err err = {0};
    char secret[FACTOR_SECRET_SIZE];
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), -ERR_USER_UNKNOWN);
    assert_string_equal(err.context, "77");
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_OPERATOR, false)), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &who), 0);
    assert_int_equal(access_factor_begin(s->access, &who, secret, &err), 0);
    int64_t theirs = queue(s, DORA), others = queue(s, 78);
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), 0);
    assert_string_equal(access_rig_audited(s)->action, "access.revoked");
    assert_string_equal(access_rig_audited(s)->detail, "dora (77), before: operator");
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(state_of(s, theirs), OUTBOX_DEAD);
    assert_int_equal(state_of(s, others), OUTBOX_QUEUED);
    struct factor_secret left[1];
    assert_int_equal(factor_secret_list(s->store, left, 1, NULL), 0);
    const struct principal dora = {.channel = CHANNEL_TELEGRAM, .id = DORA, .name = "dora"};
    struct access_factor factor;
    assert_int_equal(access_factor_get(s->access, &dora, &factor, &err), 0);
    assert_false(factor.is_begun);

    /* The chat of the alerts is not theirs alone. */
    s->config.telegram_chat_id = DORA;
    assert_int_equal(grant(s, person(DORA, "dora", ROLE_OPERATOR, false)), 0);
    theirs = queue(s, DORA);
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), 0);
    assert_int_equal(state_of(s, theirs), OUTBOX_QUEUED);
}

static void what_cannot_be_stored_changes_nothing(void **state)
{
    struct access_rig *s = *state;
    struct err err = {0};
    struct principal who;
    const struct access_person dora = person(DORA, "dora", ROLE_OPERATOR, false);
    access_rig_fail_writes(s, true);
    assert_int_equal(access_grant(s->access, &s->adam, &dora, &err), -ERR_DB_FULL);
    access_rig_fail_writes(s, false);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(grant(s, dora), 0);
    access_rig_fail_writes(s, true);
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), -ERR_DB_FULL);
    access_rig_fail_writes(s, false);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, DORA, &who), 0);
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), 0); /* no open transaction */
}

static void a_locked_database_refuses_every_change(void **state)
{
    struct access_rig *s = *state;
    struct err err = {0};
    struct principal alice;
    char secret[FACTOR_SECRET_SIZE], digits[OTP_DIGITS + 1], code[PAIR_CODE_CHARS + 1];
    char codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1];
    int64_t expires_us = 0;
    const struct access_person dora = person(DORA, "dora", ROLE_OPERATOR, false);
    access_rig_move_to_disk(s);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    access_rig_lock(s);
    assert_int_equal(access_grant(s->access, &s->adam, &dora, &err), -ERR_DB_LOCKED);
    assert_int_equal(access_pair_open(s->access, &s->adam, code, &expires_us, &err),
                     -ERR_DB_LOCKED);
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), -ERR_DB_LOCKED);
    access_rig_unlock(s);
    assert_int_equal(grant(s, dora), 0);
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), 0);
    assert_int_equal(
        otp_code(secret, clock_wall_us(&s->clock.clock) / (30 * USEC_PER_SEC), digits, &err), 0);
    access_rig_lock(s);
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), -ERR_DB_LOCKED);
    assert_int_equal(access_factor_confirm(s->access, &alice, digits, codes, &err), -ERR_DB_LOCKED);
    access_rig_unlock(s);
    assert_int_equal(access_factor_confirm(s->access, &alice, digits, codes, &err), 0);
    access_rig_lock(s);
    assert_int_equal(access_factor_codes(s->access, &alice, codes, &err), -ERR_DB_LOCKED);
    assert_int_equal(access_factor_remove(s->access, &alice, "alice", &err), -ERR_DB_LOCKED);
    access_rig_unlock(s);
    assert_int_equal(access_factor_remove(s->access, &alice, "alice", &err), 0);
    assert_int_equal(access_revoke(s->access, &s->adam, DORA, &err), 0);
}

UNIT_GROUP(people, ACCESS_RIG_TEST(a_granted_person_is_identified),
           ACCESS_RIG_TEST(a_damaged_role_admits_nobody),
           ACCESS_RIG_TEST(people_are_listed_once_the_configured_first),
           ACCESS_RIG_TEST(the_configuration_and_oneself_cannot_be_changed),
           ACCESS_RIG_TEST(a_name_is_valid_and_belongs_to_one_person),
           ACCESS_RIG_TEST(the_last_admin_stays), ACCESS_RIG_TEST(sixty_four_people_are_the_limit),
           ACCESS_RIG_TEST(who_is_revoked_loses_everything),
           ACCESS_RIG_TEST(what_cannot_be_stored_changes_nothing),
           ACCESS_RIG_TEST(a_locked_database_refuses_every_change))

#include "access/access.h"
#include "base/log.h"
#include "config/config.h"
#include "io/otp.h"
#include "io/secret.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <string.h>
#include <unistd.h>

struct scene {
    struct clock_fake clock;
    struct config config;
    struct ops_store *store;
    struct access *access;
};

static void add_user(struct config *c, int64_t id, const char *name, const char *role,
                     bool emergency)
{
    c->users[c->user_count++] =
        (struct config_user){.id = id, .name = name, .role = role, .emergency = emergency};
}

static int setup(void **state)
{
    static struct scene scene;
    struct scene *s = &scene;
    memset(s, 0, sizeof(*s));
    clock_fake_init(&s->clock, INT64_C(1795000000000000));
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &s->store, NULL), 0);
    add_user(&s->config, 7, "alice", "operator", false);
    add_user(&s->config, 8, "rita", "read_only", true);
    add_user(&s->config, 9, "adam", "admin", true);
    assert_int_equal(access_new(&s->config, s->store, &s->clock.clock, &s->access, NULL), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    access_free(s->access);
    ops_store_free(s->store);
    return 0;
}

static void users_are_identified_by_id(void **state)
{
    struct scene *s = *state;
    struct principal who;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &who), 0);
    assert_string_equal(who.name, "alice");
    assert_int_equal(who.role, ROLE_OPERATOR);
    assert_false(who.emergency);
    assert_int_equal(who.id, 7);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 8, &who), 0);
    assert_true(who.emergency);
    static const int64_t unauthorised[] = {0, -7, 77, -1001234567890};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, unauthorised[i], &who),
                         -ERR_ACCESS_UNAUTHORISED);
    }
}

static void an_empty_user_list_admits_nobody(void **state)
{
    struct scene *s = *state;
    struct principal who;
    s->config.user_count = 0;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &who),
                     -ERR_ACCESS_UNAUTHORISED);
}

static void uids_map_to_roles(void **state)
{
    struct scene *s = *state;
    struct principal who;
    static const enum channel channels[] = {CHANNEL_CONSOLE, CHANNEL_SOCKET};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(access_identify(s->access, channels[i], (int64_t)getuid(), &who), 0);
        assert_int_equal(who.role, ROLE_ADMIN);
        assert_true(who.emergency);
        assert_true(who.name[0] != '\0');
        assert_int_equal(access_identify(s->access, channels[i], 0, &who), 0);
        assert_int_equal(who.role, ROLE_ADMIN);
    }
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_CONSOLE, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, -1, &who),
                     -ERR_ACCESS_UNAUTHORISED);
}

static void add_local(struct config *c, int64_t uid, const char *name, const char *role,
                      bool emergency)
{
    c->locals[c->local_count++] =
        (struct config_local){.uid = uid, .name = name, .role = role, .emergency = emergency};
}

static void a_listed_uid_has_a_name_and_a_role(void **state)
{
    struct scene *s = *state;
    struct principal who;
    add_local(&s->config, 54321, "olga", "operator", false);
    add_local(&s->config, 54322, "ron", "read_only", true);
    add_local(&s->config, (int64_t)getuid() == 0 ? 1 : (int64_t)getuid(), "desk", "read_only",
              false);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54321, &who), 0);
    assert_string_equal(who.name, "olga");
    assert_int_equal(who.role, ROLE_OPERATOR);
    assert_false(who.emergency);
    assert_int_equal(who.id, 54321);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54322, &who), 0);
    assert_int_equal(who.role, ROLE_READ_ONLY);
    assert_true(who.emergency);
    /* A listed uid has no access to the console, and a Telegram id is not a uid. */
    assert_int_equal(access_identify(s->access, CHANNEL_CONSOLE, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 7, &who), -ERR_ACCESS_UNAUTHORISED);
    /* The daemon's own user stays admin, even if listed with a lower role: it owns the databases.
     */
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, (int64_t)getuid(), &who), 0);
    assert_int_equal(who.role, ROLE_ADMIN);
    assert_true(getuid() == 0 || strcmp(who.name, "desk") == 0);
}

static void http_is_operator_and_the_schedule_is_admin(void **state)
{
    struct scene *s = *state;
    struct principal who;
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, 0, &who), 0);
    assert_int_equal(who.role, ROLE_OPERATOR);
    assert_false(who.emergency);
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, 1, &who), -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_SCHEDULE, 0, &who), 0);
    assert_int_equal(who.role, ROLE_ADMIN);
}

static void a_role_includes_the_roles_below(void **state)
{
    (void)state;
    for (int has = ROLE_NONE; has <= ROLE_ADMIN; has++) {
        for (int needs = ROLE_READ_ONLY; needs <= ROLE_ADMIN; needs++) {
            struct principal who = {.name = "x", .role = (enum role)has};
            struct err err = {0};
            int rc = access_permit(&who, (enum role)needs, false, &err);
            assert_int_equal(rc, has >= needs ? 0 : -ERR_ACCESS_DENIED);
        }
    }
    struct principal who = {.name = "alice", .role = ROLE_READ_ONLY};
    struct err err = {0};
    assert_int_equal(access_permit(&who, ROLE_OPERATOR, false, &err), -ERR_ACCESS_DENIED);
    assert_string_equal(err.context, "needs operator, alice is read_only");
    who.role = ROLE_ADMIN; /* no role replaces the emergency grant */
    assert_int_equal(access_permit(&who, ROLE_READ_ONLY, true, &err), -ERR_ACCESS_DENIED);
    who.emergency = true;
    assert_int_equal(access_permit(&who, ROLE_READ_ONLY, true, &err), 0);
    who.role = ROLE_NONE; /* and the grant replaces no role */
    assert_int_equal(access_permit(&who, ROLE_READ_ONLY, true, &err), -ERR_ACCESS_DENIED);
}

static void log_lines_of_unauthorised_users_are_limited(void **state)
{
    struct scene *s = *state;
    static struct audit_row rows[100];
    int logged = 0;
    for (int i = 0; i < 10; i++) {
        logged += access_unauthorised(s->access, CHANNEL_TELEGRAM, 666, "message") ? 1 : 0;
    }
    assert_int_equal(logged, 3);
    assert_int_equal(audit_chain_list(s->store, 0, rows, 100, NULL), 3);
    assert_string_equal(rows[0].user, "telegram:666");
    assert_string_equal(rows[0].result, "ACCESS_UNAUTHORISED");
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(access_unauthorised(s->access, CHANNEL_TELEGRAM, 666, "message"));
    assert_int_equal(audit_chain_list(s->store, 0, rows, 100, NULL), 4);
    assert_non_null(strstr(rows[0].detail, "7 more from this sender left out"));

    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    logged = 0;
    for (int i = 0; i < 500; i++) { /* a new id for each message does not evade the limit */
        logged += access_unauthorised(s->access, CHANNEL_TELEGRAM, 1000 + i, "message") ? 1 : 0;
    }
    assert_int_equal(logged, 30);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(access_unauthorised(s->access, CHANNEL_TELEGRAM, 5000, "message"));
    assert_true(audit_chain_list(s->store, 0, rows, 1, NULL) == 1);
    assert_non_null(strstr(rows[0].detail, "470 more from other unauthorised senders left out"));
}

static void audit_lines_are_redacted(void **state)
{
    struct scene *s = *state;
    struct audit_row row;
    struct principal who = {.channel = CHANNEL_CONSOLE, .name = "root", .role = ROLE_ADMIN};
    assert_true(log_hide("123456:verysecrettoken"));
    assert_int_equal(access_audit(s->access, &who, "command.received",
                                  "set 123456:verysecrettoken now", "ok", NULL),
                     0);
    assert_int_equal(audit_chain_list(s->store, 0, &row, 1, NULL), 1);
    assert_string_equal(row.detail, "set *** now");
    assert_string_equal(row.user, "root");
    assert_string_equal(row.channel, "console");
}

static void names_round_trip(void **state)
{
    (void)state;
    for (int c = CHANNEL_CONSOLE; c <= CHANNEL_SCHEDULE; c++) {
        enum channel channel = CHANNEL_CONSOLE;
        assert_true(channel_parse(str_c(channel_name((enum channel)c)), &channel));
        assert_int_equal(channel, c);
    }
    for (int r = ROLE_NONE; r <= ROLE_ADMIN; r++) {
        enum role role = ROLE_NONE;
        assert_true(role_parse(str_c(role_name((enum role)r)), &role));
        assert_int_equal(role, r);
    }
    enum role role;
    assert_false(role_parse(str_c("root"), &role));
}

static void note_user(int64_t id, const char *name, void *userdata)
{
    char *all = userdata;
    size_t len = strlen(all);
    (void)snprintf(all + len, 256 - len, "%lld=%s ", (long long)id, name);
}

static void all_listed_users_are_named(void **state)
{
    struct scene *s = *state;
    char all[256] = "";
    struct principal who;
    add_local(&s->config, 54321, "olga", "operator", false);
    access_each_user(s->access, note_user, all);
    assert_string_equal(all, "7=alice 8=rita 9=adam 54321=olga ");
    assert_true(access_telegram_user(s->access, 2, &who));
    assert_string_equal(who.name, "adam");
    assert_int_equal(who.role, ROLE_ADMIN);
    assert_int_equal(who.channel, CHANNEL_TELEGRAM);
    assert_false(access_telegram_user(s->access, 3, &who));
}

/* ---- the second factor ---- */

#define ALICE_SECRET "JBSWY3DPEHPK3PXP"
#define OLGA_SECRET  "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

/* Verifies the code of `secret` for the step now, or `steps` later. Returns the reason. */
static enum err_id verify(struct scene *s, const struct principal *who, const char *secret,
                          int64_t steps)
{
    char code[OTP_DIGITS + 1];
    struct err why = {0}, err = {0};
    int64_t step = clock_wall_us(&s->clock.clock) / (30 * USEC_PER_SEC) + steps;
    assert_int_equal(otp_code(secret, step, code, &err), 0);
    assert_int_equal(access_verify_code(s->access, who, code, &why, &err), 0);
    return why.id;
}

static void a_code_belongs_to_one_person(void **state)
{
    struct scene *s = *state;
    struct principal alice, rita, olga;
    add_local(&s->config, 54321, "olga", "operator", false);
    s->config.users[0].totp = ALICE_SECRET;
    s->config.locals[0].totp = OLGA_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 8, &rita), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54321, &olga), 0);
    assert_true(access_has_factor(s->access, &alice));
    assert_false(access_has_factor(s->access, &rita));
    assert_true(access_has_factor(s->access, &olga));
    assert_int_equal(verify(s, &rita, ALICE_SECRET, 0), ERR_ACCESS_NO_FACTOR);
    assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
    assert_int_equal(verify(s, &olga, OLGA_SECRET, 0), ERR_NONE);
    /* Elsewhere a person is known by name only. */
    struct principal web = {.channel = CHANNEL_HTTP, .id = 7, .name = "rita"};
    assert_false(access_has_factor(s->access, &web));
    (void)snprintf(web.name, sizeof(web.name), "olga");
    assert_true(access_has_factor(s->access, &web));
    (void)snprintf(web.name, sizeof(web.name), "alice");
    assert_true(access_has_factor(s->access, &web));
    /* An id of Telegram is not a uid. */
    const struct principal other = {.channel = CHANNEL_SOCKET, .id = 7, .name = "bob"};
    assert_false(access_has_factor(s->access, &other));
}

static void a_code_works_once(void **state)
{
    struct scene *s = *state;
    struct principal alice;
    s->config.users[0].totp = ALICE_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, -1), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 1), ERR_NONE);
    clock_fake_advance(&s->clock, 60 * USEC_PER_SEC);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
}

/* Five wrong codes within ten minutes lock the factor for fifteen. */
static void wrong_codes_lock_the_factor(void **state)
{
    struct scene *s = *state;
    struct principal alice;
    s->config.users[0].totp = ALICE_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    }
    /* The window ends, so a fifth does not lock; nor do four more. */
    clock_fake_advance(&s->clock, 10 * USEC_PER_MIN);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    }
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE); /* forgets them */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    }
    clock_fake_advance(&s->clock, 15 * USEC_PER_MIN - USEC_PER_SEC);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_ACCESS_FACTOR_LOCKED);
    clock_fake_advance(&s->clock, USEC_PER_SEC);
    assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(access, SCENE_TEST(users_are_identified_by_id),
           SCENE_TEST(an_empty_user_list_admits_nobody), SCENE_TEST(uids_map_to_roles),
           SCENE_TEST(a_listed_uid_has_a_name_and_a_role),
           SCENE_TEST(http_is_operator_and_the_schedule_is_admin),
           cmocka_unit_test(a_role_includes_the_roles_below),
           SCENE_TEST(log_lines_of_unauthorised_users_are_limited),
           SCENE_TEST(all_listed_users_are_named), SCENE_TEST(a_code_belongs_to_one_person),
           SCENE_TEST(a_code_works_once), SCENE_TEST(wrong_codes_lock_the_factor),
           SCENE_TEST(audit_lines_are_redacted), cmocka_unit_test(names_round_trip))

#include "access_rig.h"
#include "base/check.h"
#include "store/token_table.h"

#include <string.h>

static const struct access_token_wish reader = {
    .name = "grafana", .role = ROLE_READ_ONLY, .networks = "", .commands = ""};

static void create(struct access_rig *s, const struct access_token_wish *wish, char *ret_token)
{
    struct err err = {0};
    if (access_token_create(s->access, &s->adam, wish, ret_token, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
}

static void refused(struct access_rig *s, const struct access_token_wish *wish, enum err_id id)
{
    char token[ACCESS_TOKEN_SIZE];
    struct err err = {0};
    assert_int_equal(access_token_create(s->access, &s->adam, wish, token, &err), -(int)id);
    assert_int_equal(err.id, id);
}

static int identify(struct access_rig *s, int64_t id, struct principal *ret)
{
    return access_identify(s->access, CHANNEL_HTTP, id, ret);
}

static void a_token_is_a_person_of_its_own(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE];
    struct access_token t;
    struct principal who;
    create(s, &reader, token);
    assert_true(access_token_is_shaped(str_c(token)));
    assert_int_equal(access_token_find(s->access, "grafana", &t, NULL), 0);
    assert_int_equal(identify(s, t.id, &who), 0);
    assert_string_equal(who.name, "grafana");
    assert_int_equal(who.role, ROLE_READ_ONLY);
    assert_int_equal(who.id, t.id);
    assert_false(who.emergency);
    assert_int_equal(identify(s, t.id + 1, &who), -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(identify(s, 0, &who), 0); /* api.token */
    assert_string_equal(who.name, "api");
}

static void only_its_hash_is_stored(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE], other[ACCESS_TOKEN_SIZE], hash[SECRET_HASH_HEX_SIZE];
    struct token_row rows[2];
    create(s, &reader, token);
    create(s,
           &(struct access_token_wish){
               .name = "b", .role = ROLE_ADMIN, .networks = "", .commands = ""},
           other);
    assert_string_not_equal(token, other);
    assert_int_equal(token_table_list(s->store, rows, 2, NULL), 2);
    access_token_hash(str_c(token), hash);
    assert_string_equal(rows[0].hash, hash);
    assert_memory_not_equal(rows[0].hash, rows[1].hash, SECRET_HASH_HEX_SIZE);
    assert_null(strstr(access_rig_audited(s)->detail, other + 3));
}

static void both_changes_are_in_the_audit_log(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE];
    create(s,
           &(struct access_token_wish){.name = "grafana",
                                       .role = ROLE_READ_ONLY,
                                       .lifetime_us = 90 * USEC_PER_DAY,
                                       .networks = "10.1.2.3/8,::1",
                                       .commands = "status, get_*"},
           token);
    assert_string_equal(access_rig_audited(s)->action, "token.created");
    assert_string_equal(access_rig_audited(s)->user, "adam");
    assert_string_equal(access_rig_audited(s)->detail,
                        "grafana (1): read_only, expires 2027-02-16T11:06:40Z, from "
                        "10.0.0.0/8,::1, commands status,get_*");
    assert_int_equal(access_token_revoke(s->access, &s->adam, "grafana", NULL), 0);
    assert_string_equal(access_rig_audited(s)->action, "token.revoked");
    assert_string_equal(access_rig_audited(s)->detail, "grafana (1)");
}

static void a_token_outlives_a_restart(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE];
    struct access_token t;
    create(s,
           &(struct access_token_wish){.name = "grafana",
                                       .role = ROLE_OPERATOR,
                                       .lifetime_us = USEC_PER_HOUR,
                                       .networks = "10.0.0.0/8,::1",
                                       .commands = "status"},
           token);
    assert_int_equal(access_token_used(s->access, 1, ACCESS_RIG_WALL_US + 5, "10.1.2.3", NULL), 0);
    access_rig_restart(s);
    assert_int_equal(access_token_find(s->access, "grafana", &t, NULL), 0);
    assert_int_equal(t.role, ROLE_OPERATOR);
    assert_int_equal(t.network_count, 2);
    assert_string_equal(t.commands, "status");
    assert_int_equal(t.times.created_us, ACCESS_RIG_WALL_US);
    assert_int_equal(t.times.expires_us, ACCESS_RIG_WALL_US + USEC_PER_HOUR);
    assert_int_equal(t.used_us, ACCESS_RIG_WALL_US + 5);
    assert_string_equal(t.used_from, "10.1.2.3");
}

static void a_revoked_token_is_nobody(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE];
    struct principal who;
    struct access_token t;
    create(s, &reader, token);
    assert_int_equal(access_token_revoke(s->access, &s->adam, "grafana", NULL), 0);
    assert_int_equal(identify(s, 1, &who), -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_token_revoke(s->access, &s->adam, "grafana", NULL), -ERR_TOKEN_UNKNOWN);
    create(s, &reader, token); /* its name is free again, its number is not */
    assert_int_equal(identify(s, 1, &who), -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_token_find(s->access, "grafana", &t, NULL), 0);
    assert_int_equal(t.id, 2);
}

static void an_expired_token_is_nobody(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE];
    struct principal who;
    create(s,
           &(struct access_token_wish){.name = "a",
                                       .role = ROLE_ADMIN,
                                       .networks = "",
                                       .commands = "",
                                       .lifetime_us = USEC_PER_HOUR},
           token);
    clock_fake_advance(&s->clock, USEC_PER_HOUR - 1);
    assert_int_equal(identify(s, 1, &who), 0);
    clock_fake_advance(&s->clock, 1);
    assert_int_equal(identify(s, 1, &who), -ERR_ACCESS_UNAUTHORISED);
}

/* A clock that was set back must not keep a token alive whose age it does not know. */
static void a_clock_before_the_token_is_not_believed(void **state)
{
    (void)state;
    const struct access_token_times limited = {.created_us = ACCESS_RIG_WALL_US,
                                               .expires_us = ACCESS_RIG_WALL_US + USEC_PER_DAY};
    const struct access_token_times unlimited = {.created_us = ACCESS_RIG_WALL_US};
    static const struct {
        int64_t after_us;
        enum err_id limited, unlimited;
    } rows[] = {{0, ERR_NONE, ERR_NONE},
                {-2 * USEC_PER_SEC, ERR_NONE, ERR_NONE}, /* as time synchronisation does */
                {-USEC_PER_HOUR, ERR_API_TOKEN_CLOCK, ERR_NONE},
                {-ACCESS_RIG_WALL_US, ERR_API_TOKEN_CLOCK, ERR_NONE},
                {USEC_PER_DAY, ERR_API_TOKEN_ENDED, ERR_NONE},
                {USEC_PER_DAY - 1, ERR_NONE, ERR_NONE}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t now_us = ACCESS_RIG_WALL_US + rows[i].after_us;
        assert_int_equal(access_token_check(&limited, now_us), rows[i].limited);
        assert_int_equal(access_token_check(&unlimited, now_us), rows[i].unlimited);
    }
}

static void a_token_may_be_limited_to_commands(void **state)
{
    (void)state;
    static const struct {
        const char *globs, *command;
        bool fits;
    } rows[] = {{"", "anything", true},           {"status", "status", true},
                {"status", "statuses", false},    {"status,get_*", "get_x", true},
                {"status,get_*", "set_x", false}, {"*", "x", true},
                {"r?sk", "risk", true},           {"r?sk", "rsk", false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(access_commands_have(rows[i].globs, rows[i].command), rows[i].fits);
    }
    struct principal who = {.channel = CHANNEL_HTTP, .id = 3, .commands = "get_*"};
    assert_int_equal(access_permit_command(&who, "get_x", NULL), 0);
    assert_int_equal(access_permit_command(&who, "stop", NULL), -ERR_ACCESS_DENIED);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    struct access_rig *s = *state;
    static const char *const names[] = {"",
                                        "alice",
                                        "api",
                                        "schedule",
                                        "two words",
                                        "näme",
                                        "a_name_that_is_longer_than_thirty_one_bytes"};
    static const char *const networks[] = {"10.0.0.0/33", "office",

                                           ",", "10.0.0.1:80",
                                           "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,"
                                           "1.1.1.7,1.1.1.8,1.1.1.9"};
    static const char *const commands[] = {"status;stop", "[a-z]*", ",", "Status", "a b"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        refused(s,
                &(struct access_token_wish){
                    .name = names[i], .role = ROLE_ADMIN, .networks = "", .commands = ""},
                ERR_USER_NAME);
    }
    for (size_t i = 0; i < COUNT_OF(networks); i++) {
        refused(s,
                &(struct access_token_wish){
                    .name = "a", .role = ROLE_ADMIN, .networks = networks[i], .commands = ""},
                ERR_TOKEN_NETWORK);
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        refused(s,
                &(struct access_token_wish){
                    .name = "a", .role = ROLE_ADMIN, .networks = "", .commands = commands[i]},
                ERR_TOKEN_COMMANDS);
    }
    char token[ACCESS_TOKEN_SIZE];
    create(s, &reader, token);
    refused(s, &reader, ERR_USER_NAME);
    struct access_person dora = {.id = 11, .name = "grafana", .role = ROLE_OPERATOR};
    assert_int_equal(access_check_grant(s->access, &s->adam, &dora, NULL), -ERR_USER_NAME);
}

static void only_whole_tokens_have_the_form(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE], odd[ACCESS_TOKEN_SIZE];
    create(s, &reader, token);
    assert_false(access_token_is_shaped(str_n(token, ACCESS_TOKEN_SIZE - 2)));
    assert_false(access_token_is_shaped(str_c("")));
    static const char wrong[] = {'I', 'a', ' ', '-', '\0', (char)0xC3};
    for (size_t i = 0; i < sizeof(wrong); i++) {
        memcpy(odd, token, sizeof(odd));
        odd[20] = wrong[i];
        assert_false(access_token_is_shaped(str_n(odd, ACCESS_TOKEN_SIZE - 1)));
    }
}

/* The one that has ended longest ago makes room; if all are in use, there is none. */
static void a_full_table_drops_what_has_ended(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE], name[16];
    struct access_token t;
    struct access_token_wish wish = {
        .name = name, .role = ROLE_READ_ONLY, .networks = "", .commands = ""};
    for (int i = 0; i < TOKENS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        create(s, &wish, token);
    }
    (void)snprintf(name, sizeof(name), "more");
    refused(s, &wish, ERR_TOKEN_MANY);
    assert_int_equal(access_token_revoke(s->access, &s->adam, "t9", NULL), 0);
    clock_fake_advance(&s->clock, USEC_PER_SEC);
    assert_int_equal(access_token_revoke(s->access, &s->adam, "t3", NULL), 0);
    create(s, &wish, token);
    int ids = 0;
    for (int i = 0; access_token_at(s->access, i, &t); i++) {
        assert_int_not_equal(t.id, 10);
        ids++;
    }
    assert_int_equal(ids, TOKENS_MAX);
}

static void a_change_that_cannot_be_stored_has_no_effect(void **state)
{
    struct access_rig *s = *state;
    char token[ACCESS_TOKEN_SIZE] = "x";
    struct access_token t;
    create(s, &reader, token);
    access_rig_fail_writes(s, true);
    struct access_token_wish other = reader;
    other.name = "other";
    assert_true(access_token_create(s->access, &s->adam, &other, token, NULL) < 0);
    assert_int_equal(token[0], '\0'); /* the secret is wiped */
    assert_true(access_token_revoke(s->access, &s->adam, "grafana", NULL) < 0);
    access_rig_fail_writes(s, false);
    access_rig_restart(s);
    assert_int_equal(access_token_find(s->access, "grafana", &t, NULL), 0);
    assert_int_equal(access_token_find(s->access, "other", &t, NULL), -ERR_TOKEN_UNKNOWN);
}

UNIT_GROUP(tokens, ACCESS_RIG_TEST(a_token_is_a_person_of_its_own),
           ACCESS_RIG_TEST(only_its_hash_is_stored),
           ACCESS_RIG_TEST(both_changes_are_in_the_audit_log),
           ACCESS_RIG_TEST(a_token_outlives_a_restart), ACCESS_RIG_TEST(a_revoked_token_is_nobody),
           ACCESS_RIG_TEST(an_expired_token_is_nobody),
           ACCESS_RIG_TEST(a_clock_before_the_token_is_not_believed),
           ACCESS_RIG_TEST(a_token_may_be_limited_to_commands),
           ACCESS_RIG_TEST(what_cannot_be_meant_is_refused),
           ACCESS_RIG_TEST(only_whole_tokens_have_the_form),
           ACCESS_RIG_TEST(a_full_table_drops_what_has_ended),
           ACCESS_RIG_TEST(a_change_that_cannot_be_stored_has_no_effect))

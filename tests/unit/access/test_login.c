#include "access/login.h"
#include "access_rig.h"

#include <string.h>

/* Signed by another program for the bot's token 1:x, at the time of the rig. */
#define USER \
    "user=%7B%22id%22%3A7%2C%22first_name%22%3A%22Al%20%C3%A9%22%2C%22username%22%3A%22al%22%7D"
#define GOOD_HASH "hash=a1c7702883e5e992afa2967d349b5681de34c56869d4050b2ed38aaba1f0c4af"
#define GOOD      "query_id=AAH&" USER "&auth_date=1794999990&signature=c2ln&" GOOD_HASH

static void new_link(struct access_rig *s, const struct principal *who,
                     char ret_hash[SECRET_HASH_HEX_SIZE])
{
    char code[LOGIN_CODE_CHARS + 1];
    int64_t expires_us = 0;
    struct err err = {0};
    if (access_login_open(s->access, who, code, &expires_us, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    assert_int_equal(strlen(code), LOGIN_CODE_CHARS);
    assert_int_equal(expires_us, clock_wall_us(&s->clock.clock) + LOGIN_VALID_US);
    access_token_hash(str_c(code), ret_hash);
}

static int use(struct access_rig *s, const char *hash, struct access_session *ret)
{
    struct err err = {0};
    int rc = access_login_link(s->access, hash, "10.1.2.3", ret, &err);
    assert_int_equal(rc, -(int)err.id);
    return rc;
}

static int64_t id_of(struct access_rig *s, const struct access_session *session)
{
    char hash[SECRET_HASH_HEX_SIZE];
    struct access_token t;
    access_token_hash(str_c(session->token), hash);
    for (int i = 0; access_token_at(s->access, i, &t); i++) {
        if (strcmp(t.hash, hash) == 0) {
            assert_true(t.is_session);
            return t.id;
        }
    }
    return -1;
}

static void a_link_logs_in_once(void **state)
{
    struct access_rig *s = *state;
    char hash[SECRET_HASH_HEX_SIZE];
    struct access_session session;
    struct principal who;
    s->config.api_port = 8088;
    s->config.api_session_us = USEC_PER_HOUR;
    s->config.api_public_url = "https://desk.example.com";
    AUTO_BUF struct buf url = BUF_INIT(128);
    bool local = true;
    assert_int_equal(access_page_url(s->access, &url, &local, NULL), 0);
    assert_string_equal(url.data, "https://desk.example.com");
    assert_false(local);
    new_link(s, &s->adam, hash);
    assert_string_equal(access_login_at(s->access, 0), hash);
    assert_null(access_login_at(s->access, 1));
    access_rig_restart(s);
    assert_int_equal(use(s, hash, &session), 0);
    assert_int_equal(session.expires_us, clock_wall_us(&s->clock.clock) + USEC_PER_HOUR);
    assert_string_equal(access_rig_audited(s)->action, "session.opened");
    assert_non_null(strstr(access_rig_audited(s)->detail, "from 10.1.2.3"));
    assert_int_equal(use(s, hash, &session), -ERR_LOGIN_LINK);
    access_rig_restart(s);
    assert_int_equal(use(s, hash, &session), -ERR_LOGIN_LINK);
    assert_null(access_login_at(s->access, 0));
    new_link(s, &s->adam, hash);
    assert_int_equal(use(s, hash, &session), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, id_of(s, &session), &who), 0);
    assert_string_equal(who.name, "adam");
    assert_int_equal(who.role, ROLE_ADMIN);
    assert_true(who.emergency);
}

static void a_link_ends(void **state)
{
    struct access_rig *s = *state;
    char first[SECRET_HASH_HEX_SIZE], second[SECRET_HASH_HEX_SIZE];
    struct access_session session;
    struct principal program = {.channel = CHANNEL_HTTP, .id = 1, .name = "p", .role = ROLE_ADMIN};
    char code[LOGIN_CODE_CHARS + 1];
    int64_t expires_us;
    assert_int_equal(access_login_open(s->access, &s->adam, code, &expires_us, NULL),
                     -ERR_LOGIN_OFF);
    s->config.api_port = 8088;
    s->config.api_listen = "127.0.0.1";
    s->config.api_public_url = "";
    s->config.api_tls_cert = "";
    s->config.api_session_us = USEC_PER_HOUR;
    assert_int_equal(access_login_open(s->access, &program, code, &expires_us, NULL),
                     -ERR_ACCESS_DENIED);
    new_link(s, &s->adam, first);
    new_link(s, &s->adam, second); /* replaces it */
    assert_int_equal(use(s, first, &session), -ERR_LOGIN_LINK);
    clock_fake_advance(&s->clock, LOGIN_VALID_US);
    assert_int_equal(use(s, second, &session), -ERR_LOGIN_LINK);
    assert_null(access_login_at(s->access, 0));
}

static void a_session_has_the_role_of_its_person_now(void **state)
{
    struct access_rig *s = *state;
    char hash[SECRET_HASH_HEX_SIZE];
    struct access_session session;
    struct principal who, bob;
    const struct access_person grant = {.id = 20, .name = "bob", .role = ROLE_OPERATOR};
    s->config.api_port = 8088;
    s->config.api_public_url = "https://desk.example.com";
    s->config.api_session_us = USEC_PER_HOUR;
    assert_int_equal(access_grant(s->access, &s->adam, &grant, NULL), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 20, &bob), 0);
    new_link(s, &bob, hash);
    assert_int_equal(use(s, hash, &session), 0);
    int64_t id = id_of(s, &session);
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, id, &who), 0);
    assert_int_equal(who.role, ROLE_OPERATOR);
    const struct access_person less = {.id = 20, .name = "bob", .role = ROLE_READ_ONLY};
    assert_int_equal(access_grant(s->access, &s->adam, &less, NULL), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, id, &who), 0);
    assert_int_equal(who.role, ROLE_READ_ONLY);
    new_link(s, &bob, hash);
    assert_int_equal(access_revoke(s->access, &s->adam, 20, NULL), 0);
    assert_true(access_identify(s->access, CHANNEL_HTTP, id, &who) < 0);
    assert_int_equal(use(s, hash, &session), -ERR_LOGIN_NOBODY);
}

static void a_session_ends(void **state)
{
    struct access_rig *s = *state;
    char hash[SECRET_HASH_HEX_SIZE];
    struct access_session session;
    struct principal who;
    s->config.api_port = 8088;
    s->config.api_public_url = "https://desk.example.com";
    s->config.api_session_us = USEC_PER_HOUR;
    assert_int_equal(access_logout(s->access, &s->adam, NULL), -ERR_LOGIN_NONE);
    new_link(s, &s->adam, hash);
    assert_int_equal(use(s, hash, &session), 0);
    int64_t id = id_of(s, &session);
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, id, &who), 0);
    assert_int_equal(access_logout(s->access, &who, NULL), 0);
    assert_string_equal(access_rig_audited(s)->action, "session.closed");
    assert_true(access_identify(s->access, CHANNEL_HTTP, id, &who) < 0);
    /* A ninth ends the first. */
    int64_t ids[LOGIN_SESSION_MAX + 1];
    for (int i = 0; i <= LOGIN_SESSION_MAX; i++) {
        new_link(s, &s->adam, hash);
        assert_int_equal(use(s, hash, &session), 0);
        ids[i] = id_of(s, &session);
    }
    assert_true(access_identify(s->access, CHANNEL_HTTP, ids[0], &who) < 0);
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, ids[1], &who), 0);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(access_identify(s->access, CHANNEL_HTTP, ids[1], &who) < 0);
}

static enum err_id launch(struct access_rig *s, struct str data, struct access_launch *ret)
{
    struct secret_key key;
    struct err err = {0};
    s->config.telegram_mini_app = true;
    assert_true(access_launch_key(&s->config, &key));
    int rc = access_launch_check(&key, data, clock_wall_us(&s->clock.clock), ret, &err);
    assert_int_equal(rc, -(int)err.id);
    return err.id;
}

static void what_telegram_has_signed_is_believed(void **state)
{
    struct access_rig *s = *state;
    struct access_launch l;
    struct secret_key key;
    assert_false(access_launch_key(&s->config, &key)); /* off */
    assert_int_equal(launch(s, str_c(GOOD), &l), ERR_NONE);
    assert_int_equal(l.user_id, 7);
    assert_int_equal(l.signed_us, INT64_C(1794999990) * USEC_PER_SEC);
    char hash[SECRET_HASH_HEX_SIZE];
    memcpy(hash, l.hash, sizeof(hash));
    /* The order of the fields is not signed. It is the same login. */
    assert_int_equal(
        launch(s, str_c(GOOD_HASH "&signature=c2ln&auth_date=1794999990&" USER "&query_id=AAH"),
               &l),
        ERR_NONE);
    assert_string_equal(l.hash, hash);
    assert_int_equal(
        launch(s,
               str_c(USER "&auth_date=1794999700&hash="
                          "07b18fb98a4844413f5d382c53260ba305015b24fbe23aac985c25f52d8b97db"),
               &l),
        ERR_NONE);
}

static void what_telegram_has_not_signed_is_refused(void **state)
{
    struct access_rig *s = *state;
    struct access_launch l;
    static const struct {
        const char *data;
        enum err_id id;
    } rows[] = {
        {"", ERR_LOGIN_DATA},
        {"&", ERR_LOGIN_DATA},
        {"=", ERR_LOGIN_DATA},
        {"user", ERR_LOGIN_DATA},
        {"user=%", ERR_LOGIN_DATA},
        {"user=%4", ERR_LOGIN_DATA},
        {"user=%zz", ERR_LOGIN_DATA},
        {"user=%00", ERR_LOGIN_DATA},
        {"a=1%0Ab=2&hash=0", ERR_LOGIN_DATA},
        {"user=%FF", ERR_LOGIN_DATA},
        {"query_id=AAH&" USER "&auth_date=1794999990&signature=c2ln", ERR_LOGIN_DATA},
        {"query_id=AAH&" USER "&auth_date=1794999990&signature=c2ln&hash=", ERR_LOGIN_DATA},
        {"query_id=AAI&" USER "&auth_date=1794999990&signature=c2ln&" GOOD_HASH, ERR_LOGIN_DATA},
        {"query_id=AAH&" USER "&auth_date=1794999991&signature=c2ln&" GOOD_HASH, ERR_LOGIN_DATA},
        {"query_id=AAH&" USER "&auth_date=1794999990&" GOOD_HASH, ERR_LOGIN_DATA},
        {GOOD "&query_id=AAH", ERR_LOGIN_DATA},
        {GOOD "&" GOOD_HASH, ERR_LOGIN_DATA},
        {GOOD "&more=1", ERR_LOGIN_DATA},
        {GOOD "0", ERR_LOGIN_DATA},
        /* The signature is right, and what it signs is not. */
        {USER "&auth_date=1794999699&hash="
              "8a53a337fed71fb095990652f687757d85778c634f6f2369d0d44c766632bc75",
         ERR_LOGIN_OLD},
        {USER "&auth_date=1795000061&hash="
              "0e122db5ca76e9282ccff5a91b18bf005d6845a782bd2e12e1b92d201f4a95ac",
         ERR_LOGIN_OLD},
        {USER "&auth_date=soon&hash="
              "8dd7781ed4062dff7ed702938f429cc285bffe78c3df8c902a628d704b7e3a77",
         ERR_LOGIN_DATA},
        {"auth_date=1795000000&hash="
         "06e7a559f9fbdc4b0a0765ba1cf77968119c144c691e0ab9796e29bf4d3a17ee",
         ERR_LOGIN_DATA},
        {"user=%7B%22id%22%3A18446744073709551623%7D&auth_date=1795000000&hash="
         "082ca1aeef24808d54802f1aad793fd768de472c9dbc47bfe0295f8c4af8e285",
         ERR_LOGIN_DATA},
        {"user=%7B%22id%22%3A-7%7D&auth_date=1795000000&hash="
         "88acc0b15b74f15aa1f01836f45326e7b48045782316a847d72f3c7bc69eb88b",
         ERR_LOGIN_DATA},
        {"user=%7B%22id%22%3A%227%22%7D&auth_date=1795000000&hash="
         "022eeebbfab418e1969c6ff03da4ff95c8030e132187fb8859f7364051d43ae3",
         ERR_LOGIN_DATA},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum err_id id = launch(s, str_c(rows[i].data), &l);
        if (id != rows[i].id) {
            fail_msg("row %zu: %s", i, err_info(id)->code);
        }
    }
    static char huge[9000];
    memset(huge, 'a', sizeof(huge));
    assert_int_equal(launch(s, str_n(huge, sizeof(huge)), &l), ERR_LOGIN_DATA);
    AUTO_BUF struct buf many = BUF_INIT(8000);
    for (int i = 0; i < 40; i++) {
        buf_addf(&many, "a%d=1&", i);
    }
    assert_int_equal(launch(s, buf_str(&many), &l), ERR_LOGIN_DATA);
}

static void data_of_telegram_log_in_once(void **state)
{
    struct access_rig *s = *state;
    struct access_launch l;
    struct access_session session;
    struct err err = {0};
    s->config.api_session_us = USEC_PER_HOUR;
    assert_int_equal(launch(s, str_c(GOOD), &l), ERR_NONE);
    assert_int_equal(access_login_launch(s->access, &l, "10.1.2.3", &session, &err), 0);
    assert_string_equal(session.who.name, "alice");
    access_rig_restart(s);
    assert_int_equal(access_login_launch(s->access, &l, "10.1.2.3", &session, &err),
                     -ERR_LOGIN_OLD);
    assert_int_equal(
        launch(s,
               str_c("user=%7B%22id%22%3A4242%7D&auth_date=1795000000&hash="
                     "e784d777d1b87a97b84b3de78d947ae0dbfb10bdf077d619f36816673f25e578"),
               &l),
        ERR_NONE);
    assert_int_equal(access_login_launch(s->access, &l, "10.1.2.3", &session, &err),
                     -ERR_LOGIN_NOBODY);
}

UNIT_GROUP(login, ACCESS_RIG_TEST(a_link_logs_in_once), ACCESS_RIG_TEST(a_link_ends),
           ACCESS_RIG_TEST(a_session_has_the_role_of_its_person_now),
           ACCESS_RIG_TEST(a_session_ends), ACCESS_RIG_TEST(what_telegram_has_signed_is_believed),
           ACCESS_RIG_TEST(what_telegram_has_not_signed_is_refused),
           ACCESS_RIG_TEST(data_of_telegram_log_in_once))

#include "access/login.h"
#include "api_rig.h"
#include "io/secret.h"
#include "store/confirmation_table.h"
#include "store/login_table.h"

#include <time.h>

static void new_code(struct api_rig *f, char ret_code[LOGIN_CODE_CHARS + 1])
{
    const struct principal owner = {
        .channel = CHANNEL_CONSOLE, .id = (int64_t)getuid(), .name = "owner", .role = ROLE_ADMIN};
    int64_t expires_us;
    struct err err = {0};
    if (access_login_open(f->access, &owner, ret_code, &expires_us, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    api_apply(f->api, f->config);
}

static int log_in(struct api_rig *f, const char *body, const char **ret_body)
{
    AUTO_BUF struct buf request = BUF_INIT(40000);
    buf_addf(&request,
             "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    return api_rig_exchange(f, true, request.data, ret_body);
}

static int by_code(struct api_rig *f, const char *code, const char **ret_body)
{
    char body[128];
    (void)snprintf(body, sizeof(body), "{\"code\":\"%s\"}", code);
    return log_in(f, body, ret_body);
}

/* The header of the session that an answer holds. */
static void header_of(const char *body, char ret[128])
{
    const char *token = strstr(body, "\"token\":\"");
    assert_non_null(token);
    (void)snprintf(ret, 128, "Authorization: Bearer %.*s\r\n", (int)ACCESS_TOKEN_SIZE - 1,
                   token + 9);
}

static int log_out(struct api_rig *f, const char *header, const char **ret_body)
{
    char request[300];
    (void)snprintf(request, sizeof(request),
                   "DELETE /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   "%s\r\n",
                   header);
    return api_rig_exchange(f, true, request, ret_body);
}

static void a_link_becomes_a_session(void **state)
{
    struct api_rig *f = *state;
    char code[LOGIN_CODE_CHARS + 1], header[128];
    const char *body;
    api_rig_publish(f);
    new_code(f, code);
    assert_int_equal(by_code(f, code, &body), 201);
    assert_has(api_rig_answer(), "Cache-Control: no-store");
    assert_has(body, "\"schema\":\"nightdesk.session/1\"");
    assert_has(body, "\"role\":\"admin\"");
    header_of(body, header);
    assert_int_equal(by_code(f, code, &body), 401); /* once */
    api_rig_code(body, "LOGIN_LINK");
    assert_int_equal(api_rig_get(f, true, "/api/v1/positions", header, &body), 200);
    assert_int_equal(api_rig_post(f, true, "whoami", header, "{}", &body), 200);
    assert_has(body, "\"role\":\"admin\"");
    assert_int_equal(log_out(f, header, &body), 204);
    assert_int_equal(api_rig_get(f, true, "/api/v1/positions", header, &body), 401);
    api_rig_code(body, "API_TOKEN_ENDED");
    assert_int_equal(log_out(f, "Authorization: Bearer " API_RIG_TOKEN "\r\n", &body), 409);
    api_rig_code(body, "LOGIN_NONE");
}

/* The same person in another session has no part in them. */
static void logging_out_drops_the_pictures(void **state)
{
    struct api_rig *f = *state;
    char code[LOGIN_CODE_CHARS + 1], one[128], other[128], href[80], id[48];
    const char *body;
    struct principal session = {.channel = CHANNEL_HTTP};
    struct access_token token;
    new_code(f, code);
    assert_int_equal(by_code(f, code, &body), 201);
    header_of(body, one);
    assert_true(access_token_at(f->access, 0, &token));
    session.id = token.id;
    new_code(f, code);
    assert_int_equal(by_code(f, code, &body), 201);
    header_of(body, other);
    assert_int_equal(api_rig_post(f, true, "sentiment", one, "", &body), 200);
    const char *at = strstr(body, "/api/v1/pictures/");
    assert_non_null(at);
    (void)snprintf(href, sizeof(href), "%.*s", (int)strcspn(at, "\""), at);
    (void)snprintf(id, sizeof(id), "%.47s", href + strlen("/api/v1/pictures/"));
    assert_int_equal(api_rig_get(f, true, href, other, &body), 410);
    api_rig_code(body, "API_PICTURE_GONE");
    assert_int_equal(api_rig_get(f, true, href, one, &body), 200);
    assert_non_null(shelf_find(f->shelf, &session, id));
    assert_int_equal(log_out(f, one, &body), 204);
    assert_null(shelf_find(f->shelf, &session, id));
}

static int64_t waiting(struct api_rig *f)
{
    struct confirmation due[8];
    return confirmation_table_expired(f->store, INT64_MAX, due, 8, NULL);
}

/* What it was asked is answered with no, once it is over. */
static void a_session_that_ends_takes_its_prompts_with_it(void **state)
{
    struct api_rig *f = *state;
    char code[LOGIN_CODE_CHARS + 1], one[128], other[128], request[64];
    const char *body;
    api_rig_publish(f);
    new_code(f, code);
    assert_int_equal(by_code(f, code, &body), 201);
    header_of(body, one);
    new_code(f, code);
    assert_int_equal(by_code(f, code, &body), 201);
    header_of(body, other);
    (void)api_rig_post(f, true, "restart", one, "{\"args\":[\"demo\"]}", &body);
    const char *at = strstr(body, "\"context\":\"");
    assert_non_null(at);
    (void)snprintf(request, sizeof(request), "{\"args\":[\"%.*s\"]}", (int)strcspn(at + 11, "\""),
                   at + 11);
    (void)api_rig_post(f, true, "restart", other, "{\"args\":[\"demo\"]}", &body);
    assert_int_equal(waiting(f), 2);
    assert_int_equal(log_out(f, one, &body), 204);
    assert_int_equal(waiting(f), 1);
    assert_int_equal(api_rig_post(f, true, "confirm", one, request, &body), 401);
    assert_int_not_equal(api_rig_post(f, true, "confirm", other, request, &body), 200);
    assert_has(body, "CONFIRM_FOREIGN");
}

static void what_is_no_login_is_refused(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    static const struct {
        const char *text;
        int status;
        const char *code;
    } rows[] = {
        {"", 400, NULL},
        {"[]", 400, "API_BODY"},
        {"{}", 400, "API_BODY"},
        {"{\"code\":\"\"}", 400, "API_BODY"},
        {"{\"code\":7}", 400, "API_BODY"},
        {"{\"code\":\"a\",\"init_data\":\"b\"}", 400, "API_BODY"},
        {"{\"code\":\"a\",\"more\":1}", 400, "API_BODY"},
        {"{\"code\":\"\xff\"}", 400, NULL},
        {"{\"init_data\":\"user=1\"}", 409, "LOGIN_OFF"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(log_in(f, rows[i].text, &body), rows[i].status);
        if (rows[i].code != NULL) {
            api_rig_code(body, rows[i].code);
        }
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(by_code(f, "0000000000000000000000000A", &body), 401);
        api_rig_code(body, "LOGIN_LINK");
    }
    (void)by_code(f, "0000000000000000000000000B", &body);
    assert_int_equal(by_code(f, "0000000000000000000000000C", &body), 429);
    api_rig_code(body, "API_BLOCKED");
    char code[LOGIN_CODE_CHARS + 1]; /* the right one is accepted from this machine */
    new_code(f, code);
    assert_int_equal(by_code(f, code, &body), 201);
}

static void sign(const char *user, int64_t at_s, char ret[1024])
{
    char key[SECRET_HASH_HEX_SIZE], hex[SECRET_HASH_HEX_SIZE], raw[32], text[256];
    secret_hmac_sha256(str_c("WebAppData"), str_c("1:abc"), key);
    for (size_t i = 0; i < sizeof(raw); i++) {
        const char two[3] = {key[2 * i], key[2 * i + 1], '\0'};
        raw[i] = (char)strtol(two, NULL, 16);
    }
    (void)snprintf(text, sizeof(text), "auth_date=%lld\nuser=%s", (long long)at_s, user);
    secret_hmac_sha256(str_n(raw, sizeof(raw)), str_c(text), hex);
    char escaped[256];
    size_t n = 0;
    for (const char *c = user; *c != '\0'; c++) {
        n += (size_t)snprintf(escaped + n, sizeof(escaped) - n, "%%%02X", (unsigned char)*c);
    }
    (void)snprintf(ret, 1024, "{\"init_data\":\"user=%s&auth_date=%lld&hash=%s\"}", escaped,
                   (long long)at_s, hex);
}

/* The bot's Mini App, with one user. Owned by the caller. */
static struct config *mini_app_config(void)
{
    struct config *mini = NULL;
    struct err err = {0};
    assert_int_equal(config_parse(str_c("telegram: {bot_token: '1:abc', mini_app: true, users: "
                                        "[{id: 5, name: al, role: operator}]}\n"
                                        "api: {public_url: 'https://desk.example.com'}\n"),
                                  "test", &mini, NULL, &err),
                     0);
    return mini;
}

static void data_of_telegram_log_in_once(void **state)
{
    struct api_rig *f = *state;
    struct config *mini = mini_app_config();
    const char *body;
    char data[1024], header[128];
    access_apply(f->access, mini);
    api_apply(f->api, mini);
    api_rig_publish(f);
    sign("{\"id\":5}", time(NULL), data);
    assert_int_equal(log_in(f, data, &body), 201);
    assert_has(body, "\"name\":\"al\"");
    header_of(body, header);
    assert_int_equal(api_rig_get(f, true, "/api/v1/positions", header, &body), 200);
    assert_int_equal(log_in(f, data, &body), 401);
    api_rig_code(body, "LOGIN_OLD");
    sign("{\"id\":6}", time(NULL), data);
    assert_int_equal(log_in(f, data, &body), 403);
    api_rig_code(body, "LOGIN_NOBODY");
    data[strlen(data) - 3] = data[strlen(data) - 3] == '0' ? '1' : '0';
    assert_int_equal(log_in(f, data, &body), 401);
    api_rig_code(body, "LOGIN_DATA");
    access_apply(f->access, f->config);
    api_apply(f->api, f->config);
    assert_int_equal(api_rig_get(f, true, "/api/v1/positions", header, &body), 401);
    api_rig_code(body, "API_TOKEN_ENDED"); /* al has no role here */
    config_free(mini);
}

/* Nothing that has logged in is forgotten while it could be used again. */
static void so_many_logins_are_remembered(void **state)
{
    struct api_rig *f = *state;
    struct access_launch launch = {.user_id = 5, .signed_us = clock_wall_us(clock_real())};
    struct access_session session;
    struct config *mini = mini_app_config();
    struct err err = {0};
    char code[LOGIN_CODE_CHARS + 1];
    access_apply(f->access, mini);
    int many = LOGINS_MAX - LOGIN_OPEN_MAX;
    for (int i = 0; i < many; i++) {
        (void)snprintf(launch.hash, sizeof(launch.hash), "%064d", i);
        if (access_login_launch(f->access, &launch, "", &session, &err) < 0) {
            fail_msg("%d: %s: %s", i, err_info(err.id)->code, err.context);
        }
    }
    (void)snprintf(launch.hash, sizeof(launch.hash), "%064d", many);
    assert_int_equal(access_login_launch(f->access, &launch, "", &session, &err), -ERR_LOGIN_MANY);
    (void)snprintf(launch.hash, sizeof(launch.hash), "%064d", 0);
    assert_int_equal(access_login_launch(f->access, &launch, "", &session, &err), -ERR_LOGIN_OLD);
    access_apply(f->access, f->config);
    new_code(f, code); /* a link still works */
    config_free(mini);
}

UNIT_GROUP(api_session, API_TEST(a_link_becomes_a_session),
           API_TEST(logging_out_drops_the_pictures), API_TEST(what_is_no_login_is_refused),
           API_TEST(a_session_that_ends_takes_its_prompts_with_it),
           API_TEST(data_of_telegram_log_in_once), API_TEST(so_many_logins_are_remembered))

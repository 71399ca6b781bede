#include "api_rig.h"

#include <sys/stat.h>

static void a_uid_that_is_not_listed_reads_only_the_health(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    if (geteuid() != 0) {
        skip(); /* only root can be another user */
    }
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_int_equal(chmod(f->socket_path, 0666), 0);
    f->caller_uid = 65534;
    assert_int_equal(api_rig_get(f, false, "/api/v1/state", "", &body), 403);
    api_rig_code(body, "API_UID");
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions", "", &body), 403);
    assert_int_equal(api_rig_get(f, false, "/api/v1/events", "", &body), 403);
    assert_int_equal(api_rig_get(f, false, "/api/v1/complete", "", &body), 403);
    (void)api_rig_get(f, false, "/healthz", "", &body);
    assert_has(body, "nightdesk.health/2");

    struct config *listed = NULL;
    struct err err = {0};
    assert_int_equal(config_parse(STR_LIT("api:\n  local_users: [{uid: 65534, name: nina}]\n"),
                                  "test", &listed, NULL, &err),
                     0);
    api_apply(f->api, listed);
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions", "", &body), 200);
    api_apply(f->api, f->config);
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions", "", &body), 403);
    config_free(listed);
}

static void a_new_token_replaces_the_old_one(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    static const char old[] = "Authorization: Bearer " API_RIG_TOKEN "\r\n";
    static const char now[] = "Authorization: Bearer n3w-t0ken\r\n";
    api_rig_publish(f);
    AUTO_CONFIG struct config *config = NULL;
    assert_int_equal(config_parse(STR_LIT("api: {token: n3w-t0ken}"), "t", &config, NULL, NULL), 0);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", old, &body), 200);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", now, &body), 401);
    api_apply(f->api, config);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", old, &body), 401);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", now, &body), 200);
    AUTO_CONFIG struct config *none = NULL;
    assert_int_equal(config_parse(STR_LIT(""), "t", &none, NULL, NULL), 0);
    api_apply(f->api, none);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", now, &body), 401);
}

/* For the clients that get the new token one after the other. */
static void during_a_grace_both_tokens_are_accepted(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    static const char old[] = "Authorization: Bearer " API_RIG_TOKEN "\r\n";
    static const char now[] = "Authorization: Bearer n3w-t0ken\r\n";
    api_rig_publish(f);
    AUTO_CONFIG struct config *config = NULL;
    assert_int_equal(config_parse(STR_LIT("api: {token: n3w-t0ken}"), "t", &config, NULL, NULL), 0);
    api_grace(f->api, clock_wall_us(clock_real()) + USEC_PER_HOUR);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", now, &body), 401); /* not applied yet */
    api_apply(f->api, config);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", old, &body), 200);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", now, &body), 200);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", "Authorization: Bearer \r\n", &body),
                     401);
    api_apply(f->api, config); /* another reload does not end it */
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", old, &body), 200);
    AUTO_CONFIG struct config *next = NULL;
    assert_int_equal(config_parse(STR_LIT("api: {token: n3xt}"), "t", &next, NULL, NULL), 0);
    api_grace(f->api, clock_wall_us(clock_real()) + USEC_PER_SEC / 4);
    api_apply(f->api, next);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", old, &body),
                     401); /* of the one before only */
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", now, &body), 200);
    (void)usleep(300 * 1000);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", now, &body), 401);
}

static void tcp_needs_the_token_and_a_local_host(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", "", &body), 401);
    api_rig_code(body, "API_UNAUTHORIZED");
    assert_null(strstr(body, API_RIG_TOKEN));
    assert_int_equal(api_rig_get(f, true, "/api/v1/state",
                                 "Authorization: Bearer correct-horse-batterz\r\n", &body),
                     401);
    assert_int_equal(api_rig_get(f, true, "/api/v1/state", "Authorization: Bearer \r\n", &body),
                     401);
    assert_int_equal(
        api_rig_get(f, true, "/api/v1/state",
                    "Origin: http://evil.example\r\nAuthorization: Bearer " API_RIG_TOKEN "\r\n",
                    &body),
        403);
    api_rig_code(body, "API_FOREIGN");
    assert_int_equal(api_rig_exchange(f, true,
                                      "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: "
                                      "close\r\n\r\n",
                                      &body),
                     403);
    assert_int_equal(api_rig_exchange(f, true,
                                      "GET /healthz HTTP/1.1\r\nHost: localhost.evil.example\r\n"
                                      "Connection: close\r\n\r\n",
                                      &body),
                     403);
    assert_int_equal(api_rig_post(f, true, "version", "", "{}", &body), 401);
}

/* The path of the URL that a job calls, as an admin sees it; "" for others. */
static void find_ping(struct api_rig *f, bool tcp, const char *headers, char *ret, size_t size)
{
    const char *body;
    assert_int_equal(api_rig_post(f, tcp, "services", headers, "{\"args\":[\"backup\"]}", &body),
                     200);
    const char *path = strstr(body, "/ping/");
    (void)str_copy(str_n(path != NULL ? path : "", path != NULL ? strcspn(path, "\"") : 0), ret,
                   size);
}

/* The check that a ping wakes has its result a moment later. */
static void check_backup(struct api_rig *f, const char *text)
{
    const char *body = "";
    for (int i = 0; i < 100 && strstr(body, text) == NULL; i++) {
        usleep(i > 0 ? 20000 : 0);
        assert_int_equal(api_rig_post(f, false, "services", "", "{\"args\":[\"backup\"]}", &body),
                         200);
    }
    assert_has(body, text);
}

static void a_job_reports_with_its_key_alone(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    char path[80], longer[96];
    find_ping(f, false, "", path, sizeof(path));
    assert_int_equal(strlen(path), strlen("/ping/") + 32);
    assert_int_equal(api_rig_get(f, true, path, "", &body), 200); /* without the token */
    assert_string_equal(body, "ok\n");
    check_backup(f, "\"state\":\"up\"");
    (void)snprintf(longer, sizeof(longer), "%s/fail", path);
    assert_int_equal(api_rig_get(f, false, longer, "", &body), 200);
    check_backup(f, "the job reported a failure 1 s ago");
    (void)snprintf(longer, sizeof(longer), "%s/start", path);
    assert_int_equal(api_rig_get(f, true, longer, "", &body), 200);
    check_backup(f, "the job reported a failure 1 s ago"); /* until it ends well */
    assert_int_equal(api_rig_get(f, true, path, "", &body), 200);
    check_backup(f, "\"detail\":\"ok\"");
    (void)snprintf(longer, sizeof(longer), "%s/stop", path);
    assert_int_equal(api_rig_get(f, true, longer, "", &body), 404);
    path[strlen(path) - 1] = path[strlen(path) - 1] == '0' ? '1' : '0';
    assert_int_equal(api_rig_get(f, true, path, "", &body), 404);
    api_rig_code(body, "API_NOT_FOUND");
    assert_int_equal(api_rig_get(f, true, "/ping/", "", &body), 401);
}

UNIT_GROUP(api_access, API_TEST(a_uid_that_is_not_listed_reads_only_the_health),
           API_TEST(a_new_token_replaces_the_old_one),
           API_TEST(during_a_grace_both_tokens_are_accepted),
           API_TEST(tcp_needs_the_token_and_a_local_host),
           API_TEST(a_job_reports_with_its_key_alone))

#include "api_rig.h"

static void a_command_runs_and_returns_its_reply(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    static const char *const bodies[] = {"", "{}", "{\"args\":[]}", "{\"args\":{}}",
                                         "{\"args\":null,\"confirm\":false}"};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        assert_int_equal(api_rig_post(f, false, "version", "", bodies[i], &body), 200);
        assert_non_null(strstr(body, NIGHTDESK_VERSION));
    }
    assert_int_equal(api_rig_post(f, true, "version", "Authorization: Bearer " API_RIG_TOKEN "\r\n",
                                  "{}", &body),
                     200);
}

static void a_refusal_is_a_catalogue_row_with_its_status(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(api_rig_get(f, false, "/nothing", "", &body), 404);
    api_rig_code(body, "API_NOT_FOUND");
    assert_int_equal(api_rig_get(f, false, "/api/v1/commands/status", "", &body), 405);
    api_rig_code(body, "API_METHOD");
    assert_int_equal(api_rig_post(f, false, "..", "", "{}", &body), 404);
    assert_int_equal(api_rig_post(f, false, "version", "", "{\"args\":", &body), 400);
    api_rig_code(body, "JSON_SYNTAX");
    assert_int_equal(api_rig_post(f, false, "version", "", "[1]", &body), 400);
    api_rig_code(body, "API_BODY");
    assert_int_equal(api_rig_post(f, false, "version", "", "{\"arg\":[]}", &body), 400);
    assert_int_equal(api_rig_post(f, false, "version", "", "{\"confirm\":1}", &body), 400);
    assert_int_equal(api_rig_post(f, false, "restart", "", "{\"args\":[1.5]}", &body), 400);
    assert_int_equal(api_rig_post(f, false, "restart", "", "{\"args\":[\"a\\nb\"]}", &body), 400);
    assert_int_equal(
        api_rig_post(f, false, "restart", "", "{\"args\":{\"servise\":\"demo\"}}", &body), 400);
    assert_has(body, "servise");
    assert_has(body, "COMMAND_ARG");
    assert_int_equal(api_rig_post(f, false, "nosuch", "", "{}", &body), 404);
    assert_non_null(strstr(body, "COMMAND_UNKNOWN"));
    assert_int_equal(api_rig_post(f, false, "restart", "", "{\"args\":[\"nosuch\"]}", &body), 400);
    assert_non_null(strstr(body, "COMMAND_ARG_INVALID"));
    assert_int_equal(api_rig_post(f, false, "version", "", "{\"args\":[\"a\",\"b\"]}", &body), 400);
    assert_non_null(strstr(body, "COMMAND_ARG_EXTRA"));

    /* A number may be a JSON number; its range is that of the action. */
    assert_int_equal(api_rig_post(f, false, "trades", "", "{\"args\":{\"count\":51}}", &body), 400);
    assert_non_null(strstr(body, "count: 51 is not in 1 to 50"));
    assert_int_equal(api_rig_post(f, false, "trades", "", "{\"args\":[\"51\"]}", &body), 400);
    assert_non_null(strstr(body, "count: 51 is not in 1 to 50"));
    assert_int_equal(api_rig_post(f, false, "trades", "", "{\"args\":{\"count\":true}}", &body),
                     400);
    api_rig_code(body, "API_BODY");

    /* A value is bound to its name: its content cannot set another argument. */
    assert_int_equal(api_rig_post(f, false, "amend", "",
                                  "{\"args\":{\"symbol\":\"BTC-USD\",\"stop\":\"target=70000\"}}",
                                  &body),
                     400);
    assert_non_null(strstr(body, "stop: target=70000 is not a number"));
    assert_int_equal(
        api_rig_post(f, false, "amend", "", "{\"args\":[\"BTC-USD\",\"target=70000\"]}", &body),
        400);
    assert_non_null(strstr(body, "stop: target=70000 is not a number"));

    /* Spaces stay inside one argument, so this is one invalid service, not two arguments. */
    assert_int_equal(api_rig_post(f, false, "restart", "", "{\"args\":[\"demo --force\"]}", &body),
                     400);
    assert_non_null(strstr(body, "COMMAND_ARG_INVALID"));
}

static void a_body_over_the_limit_is_refused_before_it_is_read(void **state)
{
    struct api_rig *f = *state;
    char *large = malloc(80 * 1024 + 1);
    assert_non_null(large);
    memset(large, ' ', 80 * 1024);
    large[80 * 1024] = '\0';
    assert_int_equal(api_rig_post(f, false, "version", "", large, NULL), 413);
    free(large);
}

static void a_command_that_changes_something_needs_a_confirmation(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(
        api_rig_post(f, false, "restart", "", "{\"args\":{\"service\":\"demo\"}}", &body), 202);
    assert_non_null(strstr(body, "CONFIRM_NEEDED"));
}

static void a_client_that_hangs_up_is_harmless(void **state)
{
    struct api_rig *f = *state;
    static struct api_client client;
    memset(&client, 0, sizeof(client));
    client.f = f;
    client.hang_up = true;
    client.request = "POST /api/v1/commands/version HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Length: 2\r\n\r\n{}";
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, api_client_run, &client), 0);
    (void)pthread_join(thread, NULL);
    for (int i = 0; i < 20; i++) {
        (void)loop_iterate(f->loop, 5 * USEC_PER_MSEC);
    }
    const char *body;
    assert_int_equal(api_rig_post(f, false, "version", "", "{}", &body), 200);
}

static void stopping_answers_pending_commands(void **state)
{
    struct api_rig *f = *state;
    static struct api_client client;
    memset(&client, 0, sizeof(client));
    client.f = f;
    client.request = "POST /api/v1/commands/version HTTP/1.1\r\nHost: localhost\r\n"
                     "Connection: close\r\nContent-Length: 2\r\n\r\n{}";
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, api_client_run, &client), 0);
    /* The loop does not run: the command is still in the ring when the API stops. */
    struct timespec moment = {.tv_nsec = 100 * 1000 * 1000};
    (void)nanosleep(&moment, NULL);
    api_stop(f->api);
    f->api = NULL;
    (void)pthread_join(thread, NULL);
    assert_non_null(strstr(client.answer, "HTTP/1.1 503"));
    assert_non_null(strstr(client.answer, "\"error_code\":\"API_STOPPING\""));
}

static int post_line(struct api_rig *f, bool tcp, const char *json, const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(8192);
    buf_addf(&text,
             "POST /api/v1/complete HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             tcp ? "Authorization: Bearer " API_RIG_TOKEN "\r\n" : "", strlen(json), json);
    return api_rig_exchange(f, tcp, text.data, ret_body);
}

static void a_line_is_completed_for_its_caller(void **state)
{
    struct api_rig *f = *state;
    const char *body = NULL;
    assert_int_equal(post_line(f, false, "{\"line\":\"/hel\"}", &body), 200);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "schema"), "nightdesk.completions/1");
    assert_string_equal(json_text(json_item(json_get(root, "items"), 0), "text"), "help");
    assert_int_equal(json_i64(root, "from", -1), 1);
    assert_int_equal(post_line(f, false, "{\"line\":\"otp confirm 123456\"}", &body), 200);
    assert_non_null(strstr(body, "\"keep\":\"no\""));
    assert_int_equal(post_line(f, false, "{\"line\":\"otp status\"}", &body), 200);
    assert_non_null(strstr(body, "\"keep\":\"yes\""));
    assert_int_equal(post_line(f, false, "{\"line\":7}", &body), 400);
    api_rig_code(body, "API_BODY");
    assert_int_equal(api_rig_get(f, false, "/api/v1/complete", "", &body), 405);
}

UNIT_GROUP(api_commands, API_TEST(a_command_runs_and_returns_its_reply),
           API_TEST(a_refusal_is_a_catalogue_row_with_its_status),
           API_TEST(a_body_over_the_limit_is_refused_before_it_is_read),
           API_TEST(a_command_that_changes_something_needs_a_confirmation),
           API_TEST(a_client_that_hangs_up_is_harmless),
           API_TEST(stopping_answers_pending_commands),
           API_TEST(a_line_is_completed_for_its_caller))

/* Repeating, planning, confirming and following commands. */
#include "api_rig.h"
#include "store/run_table.h"

#include <string.h>

#define RELOAD "{\"args\":{},\"confirm\":true}"

static int runs_of(const struct api_rig *f, const char *command)
{
    struct run_row rows[8] = {0};
    const struct run_query query = {.command = command};
    int count = run_table_list(f->store, &query, rows, COUNT_OF(rows), NULL);
    for (int i = 0; i < count; i++) {
        run_row_release(&rows[i]);
    }
    return count;
}

/* config.reload of the rig fails, but it is a run: repeated, it would be another one. */
static void the_same_key_runs_a_command_once(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    char first[4096];
    static const char key[] = "Idempotency-Key: 3f1c-77\r\n";
    int status = api_rig_post(f, false, "reload", key, RELOAD, &body);
    assert_true(str_copy(str_c(body), first, sizeof(first)));
    assert_int_equal(runs_of(f, "reload"), 1);
    assert_int_equal(api_rig_post(f, false, "reload", key, RELOAD, &body), status);
    assert_string_equal(body, first);
    assert_int_equal(runs_of(f, "reload"), 1);

    assert_int_equal(api_rig_post(f, false, "reload", key, "{\"confirm\":true}", &body), 422);
    api_rig_code(body, "API_KEY_REUSED");
    assert_int_equal(api_rig_post(f, false, "version", key, RELOAD, &body), 422);
    assert_int_equal(runs_of(f, "reload"), 1);

    /* Without a key it runs again. */
    (void)api_rig_post(f, false, "reload", "", RELOAD, &body);
    assert_int_equal(runs_of(f, "reload"), 2);
}

/* The document is no argument, but it is a part of what is asked. */
static void the_same_key_with_another_document_is_refused(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    char first[4096];
    static const char key[] = "Idempotency-Key: 3f1c-78\r\n";
    static const char wide[] = "{\"confirm\":true,\"document\":\"risk: {max_positions: 9}\"}";
    static const char narrow[] = "{\"confirm\":true,\"document\":\"risk: {max_positions: 1}\"}";
    int status = api_rig_post(f, false, "config_apply", key, wide, &body);
    assert_true(str_copy(str_c(body), first, sizeof(first)));
    assert_int_equal(runs_of(f, "config_apply"), 1);
    assert_int_equal(api_rig_post(f, false, "config_apply", key, narrow, &body), 422);
    api_rig_code(body, "API_KEY_REUSED");
    assert_int_equal(api_rig_post(f, false, "config_apply", key, wide, &body), status);
    assert_string_equal(body, first);
    assert_int_equal(
        api_rig_post(f, false, "config_apply", key, "{\"confirm\":true,\"args\":{}}", &body), 422);
    assert_int_equal(runs_of(f, "config_apply"), 1);
}

static void a_bad_key_or_preference_is_refused(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    char key[400];
    (void)snprintf(key, sizeof(key), "Idempotency-Key: %0300d\r\n", 7);
    const char *const headers[] = {key, "Idempotency-Key: a b\r\n", "Prefer: wait=-1\r\n",
                                   "Prefer: wait=x\r\n", "Prefer: wait=601\r\n"};
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        assert_int_equal(api_rig_post(f, false, "reload", headers[i], RELOAD, &body), 400);
        api_rig_code(body, "API_HEADER");
    }
    assert_int_equal(runs_of(f, "reload"), 0);
}

static void a_dry_run_shows_what_would_be_done(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    static const char *const bodies[] = {"{\"args\":{\"service\":\"demo\"},\"dry_run\":true}",
                                         "{\"args\":[\"demo\"],\"dry_run\":true}",
                                         "{\"args\":\"demo\",\"dry_run\":true}"};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        assert_int_equal(api_rig_post(f, false, "restart", "", bodies[i], &body), 200);
        assert_has(body, "Plan: restart demo");
        assert_has(body, "Nothing is done now.");
    }
    assert_int_equal(runs_of(f, "restart"), 0);
    assert_int_equal(api_rig_post(f, false, "restart", "",
                                  "{\"args\":{\"service\":\"demmo\"},\"dry_run\":true}", &body),
                     400);
    assert_has(body, "demmo");
    assert_int_equal(api_rig_post(f, false, "restart", "", "{\"dry_run\":1}", &body), 400);
    api_rig_code(body, "API_BODY");
}

static int press(struct api_rig *f, const char *method, const char *path, const char **ret_body)
{
    AUTO_BUF struct buf text = BUF_INIT(512);
    buf_addf(&text,
             "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
             method, path);
    return api_rig_exchange(f, false, text.data, ret_body);
}

static void a_token_declines_once(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    char href[128];
    assert_int_equal(
        api_rig_post(f, false, "restart", "", "{\"args\":{\"service\":\"demo\"}}", &body), 202);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    (void)str_copy(str_c(json_text(json_get(root, "confirmation"), "href")), href, sizeof(href));
    assert_true(str_starts(str_c(href), "/api/v1/confirmations/"));
    assert_int_equal(press(f, "DELETE", href, &body), 200);
    assert_int_equal(runs_of(f, "restart"), 1);
    assert_true(press(f, "POST", href, &body) >= 400); /* it is closed */
    assert_int_equal(press(f, "POST", "/api/v1/confirmations/a%20b", &body), 404);
    assert_true(press(f, "POST", "/api/v1/confirmations/NOSUCH12", &body) >= 400);
}

/* config_history of the rig waits for the test. */
static void a_long_run_is_answered_before_its_end(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    static const char *const headers[] = {"Prefer: respond-async\r\n", "Prefer: wait=1\r\n"};
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        char path[96];
        assert_int_equal(api_rig_post(f, false, "config_history", headers[i], "{}", &body), 202);
        const char *location = strstr(api_rig_answer(), "Location: ");
        assert_non_null(location);
        assert_has(body, "\"schema\":\"nightdesk.run/1\"");
        assert_has(body, "\"state\":\"running\"");
        location += strlen("Location: ");
        (void)snprintf(path, sizeof(path), "%.*s/cancel", (int)strcspn(location, "\r"), location);
        assert_int_equal(press(f, "POST", path, &body), 200);
        assert_null(api_rig_slow_call); /* it was cancelled */
    }
}

UNIT_GROUP(api_acting, API_TEST(the_same_key_with_another_document_is_refused),
           API_TEST(the_same_key_runs_a_command_once), API_TEST(a_bad_key_or_preference_is_refused),
           API_TEST(a_dry_run_shows_what_would_be_done), API_TEST(a_token_declines_once),
           API_TEST(a_long_run_is_answered_before_its_end))

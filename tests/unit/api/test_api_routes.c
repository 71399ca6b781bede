#include "api/route.h"
#include "api_rig.h"

#include <string.h>

/* Sends a request and returns the whole answer, header included. */
static const char *whole(struct api_rig *f, const char *method, const char *path)
{
    AUTO_BUF struct buf text = BUF_INIT(8192);
    const char *body = NULL;
    buf_addf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path);
    (void)api_rig_exchange(f, false, text.data, &body);
    return api_rig_answer();
}

/* A person, a program and the documentation read each of these. */
static void each_row_is_complete(void **state)
{
    (void)state;
    for (const struct route *route = routes; route->path != NULL; route++) {
        struct err err = {0};
        int count = 0;
        assert_true(route->path[0] == '/' && route->handle != NULL);
        assert_true(route->summary != NULL && route->tag != NULL);
        assert_true(route->status == 204 ? route->answer == NULL && route->media == NULL
                                         : (route->answer != NULL) != (route->media != NULL));
        assert_true((route->gate == ROUTE_OPEN) == (route->least == ROLE_NONE));
        for (; route->params != NULL && route->params[count].name != NULL; count++) {
            const struct action_param *param = &route->params[count];
            assert_non_null(param->help);
            if (value_check_param(param, &err) < 0) {
                fail_msg("%s: %s", route->path, err.context);
            }
        }
        assert_true(count <= ROUTE_PARAMS_MAX);
        int braces = 0;
        for (const char *p = strchr(route->path, '{'); p != NULL; p = strchr(p + 1, '{')) {
            braces++;
        }
        for (int i = 0; i < count; i++) {
            braces -= route_in_path(route, route->params[i].name);
        }
        assert_int_equal(braces, 0);
    }
}

static void a_path_is_found_by_its_parts(void **state)
{
    (void)state;
    bool here = false;
    const struct route *route = route_find(str_c("POST"), str_c("/api/v1/commands/status"), &here);
    assert_true(route != NULL && here);
    assert_string_equal(route->path, "/api/v1/commands/{name}");
    static const char *const none[] = {"/api/v1/commands/",
                                       "/api/v1/commands",
                                       "/api/v1/state/",
                                       "/api/v1/commands/a/b",
                                       "",
                                       "/web/",
                                       "//healthz",
                                       "healthz"};
    route = route_find(str_c("GET"), str_c("/"), &here);
    assert_true(route != NULL && here);
    assert_string_equal(route->path, "/");
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        if (route_find(str_c("POST"), str_c(none[i]), &here) != NULL || here) {
            fail_msg("found: %s", none[i]);
        }
    }
    assert_null(route_find(str_c("PUT"), str_c("/healthz"), &here));
    assert_true(here);
    assert_non_null(route_find(str_c("PUT"), str_c("/ping/abc"), &here));
}

static void an_unknown_path_names_the_nearest(void **state)
{
    struct api_rig *f = *state;
    static const struct {
        const char *path;
        const char *nearest;
    } cases[] = {{"/api/v1/tradez", "/api/v1/trades?"},
                 {"/api/v1/state/", "/api/v1/state?"},
                 {"/helthz", "/healthz?"},
                 {"/api/v1/comands/status", "/api/v1/commands/{name}?"},
                 {"/API/v1/state", "/api/v1/state?"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *answer = whole(f, "GET", cases[i].path);
        assert_has(answer, "HTTP/1.1 404");
        assert_has(answer, "Content-Type: application/problem+json");
        AUTO_BUF struct buf wanted = BUF_INIT(256);
        buf_addf(&wanted, "did you mean %s", cases[i].nearest);
        assert_has(answer, wanted.data);
    }
    assert_null(strstr(whole(f, "GET", "/wp-login.php"), "did you mean"));
}

static void a_wrong_method_names_the_right_ones(void **state)
{
    struct api_rig *f = *state;
    const char *answer = whole(f, "DELETE", "/api/v1/state");
    assert_has(answer, "HTTP/1.1 405");
    assert_has(answer, "Allow: GET, HEAD\r\n");
    assert_has(answer, "DELETE, but this path accepts only GET, HEAD");
    assert_has(whole(f, "GET", "/api/v1/complete"), "Allow: POST\r\n");
}

static void head_is_get_without_the_body(void **state)
{
    struct api_rig *f = *state;
    static const char *const paths[] = {"/api/v1/state", "/healthz", "/api/v1/positions"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const char *answer = whole(f, "HEAD", paths[i]);
        assert_non_null(strstr(answer, "Content-Length: "));
        assert_null(strstr(answer, "Content-Length: 0\r\n"));
        assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    }
}

/* A misspelt filter would otherwise filter nothing. */
static void an_unknown_parameter_is_refused(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions?limt=3", "", &body), 400);
    api_rig_code(body, "API_QUERY");
    assert_has(body, "limt: there is no such parameter here; did you mean limit?");
    assert_int_equal(api_rig_get(f, false, "/api/v1/state?x=1", "", &body), 400);
}

static void a_problem_has_the_members_of_its_kind(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(api_rig_get(f, false, "/api/v1/positions?limit=0", "", &body), 400);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "type"), "/docs#API_QUERY");
    assert_int_equal(json_i64(root, "status", 0), 400);
    assert_string_equal(json_text(root, "error_type"), "input");
    assert_string_equal(json_text(root, "detail"), "limit: 0 is not in 1 to 100");
    assert_string_equal(json_text(root, "title"), json_text(root, "message"));
    assert_int_equal(strlen(json_text(root, "timestamp")), 27);
    assert_has(whole(f, "GET", "/api/v1/trades"), "DB_OPEN");
}

UNIT_GROUP(api_routes, cmocka_unit_test(each_row_is_complete),
           cmocka_unit_test(a_path_is_found_by_its_parts),
           API_TEST(an_unknown_path_names_the_nearest),
           API_TEST(a_wrong_method_names_the_right_ones), API_TEST(head_is_get_without_the_body),
           API_TEST(an_unknown_parameter_is_refused),
           API_TEST(a_problem_has_the_members_of_its_kind))

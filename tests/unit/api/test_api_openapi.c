/* The description of the API: complete, and without a reference to nothing. */
#include "api/openapi.h"
#include "api/route.h"
#include "api_rig.h"

#include <ctype.h>
#include <string.h>

static void check_refs(struct json_object *root, struct json_object *value)
{
    const char *ref = json_is_object(value) ? json_text(value, "$ref") : "";
    if (ref[0] != '\0' && json_at(root, ref + 1) == NULL) {
        fail_msg("there is no %s", ref);
    }
    for (size_t i = 0; i < json_len(value); i++) {
        check_refs(root, json_item(value, i));
    }
    if (json_is_object(value)) {
        json_object_object_foreach(value, key, inside)
        {
            (void)key;
            check_refs(root, inside);
        }
    }
}

static void every_route_and_parameter_is_described(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root = openapi_new();
    assert_string_equal(json_text(root, "openapi"), "3.1.0");
    struct json_object *paths = json_get(root, "paths");
    for (const struct route *route = routes; route->path != NULL; route++) {
        char method[16] = "post";
        for (size_t i = 0; route->method != NULL && i <= strlen(route->method); i++) {
            method[i] = (char)tolower((unsigned char)route->method[i]);
        }
        struct json_object *operation = json_get(json_get(paths, route->path), method);
        assert_string_equal(json_text(operation, "summary"), route->summary);
        assert_int_equal(json_len(json_get(operation, "parameters")), route_param_count(route));
    }
}

static void every_reference_leads_somewhere(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root = openapi_new();
    check_refs(root, root);
    struct json_object *price =
        json_at(root, "/components/schemas/position/properties/entry_price/type");
    assert_string_equal(json_object_get_string(json_item(price, 0)), "number");
    assert_non_null(json_at(root, "/components/schemas/nightdesk.summary.1/properties/errors/items/"
                                  "properties/severity"));
}

static void the_description_is_served_to_everyone(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(api_rig_get(f, true, "/openapi.json", "", &body), 200);
    assert_true(str_starts(str_c(body), "{\"openapi\":\"3.1.0\""));
}

static void the_page_has_every_route_and_every_error(void **state)
{
    (void)state;
    AUTO_BUF struct buf page = BUF_INIT((size_t)4 << 20);
    AUTO_BUF struct buf anchor = BUF_INIT(256);
    api_docs_page(&page);
    assert_false(buf_failed(&page));
    for (const struct route *route = routes; route->path != NULL; route++) {
        buf_clear(&anchor);
        buf_addf(&anchor, "<h3 id=\"%s-%s\">", route->method == NULL ? "Any" : route->method,
                 route->path);
        assert_has(page.data, anchor.data);
    }
    for (int id = ERR_NONE + 1; id < ERR_COUNT; id++) {
        buf_clear(&anchor);
        buf_addf(&anchor, "<h3 id=\"%s\">", err_info(id)->code);
        assert_has(page.data, anchor.data);
    }
}

static void the_page_runs_no_script(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(api_rig_get(f, true, "/docs.css", "", &body), 200);
    assert_has(api_rig_answer(), "Content-Type: text/css");
    assert_int_equal(api_rig_get(f, true, "/docs", "", &body), 200);
    assert_has(api_rig_answer(), "Content-Security-Policy: default-src 'none'; style-src 'self'");
    assert_has(body, "<!DOCTYPE html>");
    assert_null(strstr(body, "<script"));
}

UNIT_GROUP(api_openapi, cmocka_unit_test(every_route_and_parameter_is_described),
           cmocka_unit_test(every_reference_leads_somewhere),
           API_TEST(the_description_is_served_to_everyone),
           cmocka_unit_test(the_page_has_every_route_and_every_error),
           API_TEST(the_page_runs_no_script))

/* The picture of a reply: a link in the reply, which only its caller can follow. */
#include "access/login.h"
#include "api_rig.h"
#include "store/attachment.h"

#include <string.h>

#define OWNER "Authorization: Bearer " API_RIG_TOKEN "\r\n"

/* Runs the command; ret_href: where its picture is. */
static void run(struct api_rig *f, bool tcp, const char *header, char ret_href[80])
{
    const char *body;
    assert_int_equal(api_rig_post(f, tcp, "sentiment", header, "", &body), 200);
    AUTO_JSON struct json_object *reply = NULL;
    assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &reply, NULL), 0);
    struct json_object *image = json_item(json_get(reply, "blocks"), 0);
    struct json_object *picture = json_item(json_get(reply, "pictures"), 0);
    assert_int_equal(json_len(json_get(reply, "pictures")), 1);
    assert_string_equal(json_text(picture, "id"), json_text(image, "id"));
    assert_string_equal(json_text(image, "type"), "image");
    assert_true(str_starts(str_c(json_text(picture, "expires_at")), "20"));
    (void)snprintf(ret_href, 80, "%s", json_text(picture, "href"));
    assert_true(str_starts(str_c(ret_href), "/api/v1/pictures/"));
}

static void check_gone(struct api_rig *f, bool tcp, const char *href, const char *header)
{
    const char *body;
    assert_int_equal(api_rig_get(f, tcp, href, header, &body), 410);
    api_rig_code(body, "API_PICTURE_GONE");
}

static void a_reply_leads_to_its_picture(void **state)
{
    struct api_rig *f = *state;
    char href[80];
    const char *body;
    for (int tcp = 0; tcp < 2; tcp++) {
        run(f, tcp == 1, OWNER, href);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(api_rig_get(f, tcp == 1, href, OWNER, &body), 200);
            assert_string_equal(body, API_RIG_PNG);
            assert_has(api_rig_answer(), "Content-Type: image/png\r\n");
            assert_has(api_rig_answer(), "Cache-Control: no-store\r\n");
            assert_has(api_rig_answer(), "X-Content-Type-Options: nosniff\r\n");
        }
    }
    assert_int_equal(api_rig_post(f, true, "version", OWNER, "", &body), 200);
    assert_null(strstr(body, "\"pictures\""));
}

static void nobody_else_gets_it(void **state)
{
    struct api_rig *f = *state;
    const struct access_token_wish spare = {
        .name = "spare", .role = ROLE_ADMIN, .networks = "", .commands = ""};
    char token[ACCESS_TOKEN_SIZE], other[128], href[80];
    const char *body;
    const struct principal owner = {
        .channel = CHANNEL_CONSOLE, .id = (int64_t)getuid(), .name = "owner", .role = ROLE_ADMIN};
    assert_int_equal(access_token_create(f->access, &owner, &spare, token, NULL), 0);
    api_apply(f->api, f->config);
    (void)snprintf(other, sizeof(other), "Authorization: Bearer %s\r\n", token);
    run(f, true, OWNER, href);
    check_gone(f, true, href, other);
    check_gone(f, false, href, "");
    assert_int_equal(api_rig_get(f, true, href, "", &body), 401);
    api_rig_code(body, "API_UNAUTHORIZED");
    check_gone(f, true, "/api/v1/pictures/nothing.png", OWNER);
    assert_int_equal(api_rig_get(f, true, href, OWNER, &body), 200);
}

UNIT_GROUP(api_pictures, API_TEST(a_reply_leads_to_its_picture), API_TEST(nobody_else_gets_it))

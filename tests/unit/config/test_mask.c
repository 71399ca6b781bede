/* The text of a file without its secrets, and back. */
#include "config/mask.h"
#include "unit/unit.h"

#include <string.h>

static void mask_is(const char *text, const char *masked)
{
    AUTO_BUF struct buf out = BUF_INIT(65536);
    struct err err = {0};
    if (config_mask(str_c(text), "n.yaml", &out, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_string_equal(out.data, masked);
}

static void unmask_is(const char *text, const char *current, const char *whole)
{
    AUTO_BUF struct buf out = BUF_INIT(65536);
    struct err err = {0};
    if (config_unmask(str_c(text), str_c(current), "n.yaml", &out, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_string_equal(out.data, whole);
}

static void secrets_leave_and_everything_else_stays(void **state)
{
    (void)state;
    mask_is("# ours\r\ntelegram:\r\n  bot_token: '12:abc' # of March\r\n  chat_id: 7\r\n",
            "# ours\r\ntelegram:\r\n  bot_token: \"***\" # of March\r\n  chat_id: 7\r\n");
    mask_is("api: {token: abc, local_users: [{uid: 5, name: lö, totp: JBSW}], port: 7}\n",
            "api: {token: \"***\", local_users: [{uid: 5, name: lö, totp: \"***\"}], port: 7}\n");
    mask_is("services:\n  web:\n    release_token: s3cret\n    url: http://x\n",
            "services:\n  web:\n    release_token: \"***\"\n    url: http://x\n");
    mask_is("webhook:\n  url: |\n    https://x/y\nrisk: {stop: 3%}\n",
            "webhook:\n  url: \"***\"\nrisk: {stop: 3%}\n");
    mask_is("", "");
}

/* What stands elsewhere is no secret; a fallback in the file is one. */
static void references_stay(void **state)
{
    (void)state;
    mask_is("claude: {api_key: \"${KEY}\"}\nmail: {password: \"${P:-}\"}\n",
            "claude: {api_key: \"${KEY}\"}\nmail: {password: \"${P:-}\"}\n");
    mask_is("claude: {api_key: \"${KEY:-sk-1}\"}\n", "claude: {api_key: \"***\"}\n");
    mask_is("claude: {api_key: \"a${KEY}\"}\n", "claude: {api_key: \"***\"}\n");
    mask_is("claude: {api_key: ''}\n", "claude: {api_key: ''}\n");
}

static void an_old_token_in_a_comment_is_masked(void **state)
{
    (void)state;
    mask_is(
        "# was 123456789:AAE-abcdefghijklmnopqrstuvwxyz012345\nrisk: {stop: 3%} # 3% (old 2%)\n",
        "# was 123456789:***\nrisk: {stop: 3%} # 3% (old 2%)\n");
}

static void a_mask_becomes_the_secret_of_now(void **state)
{
    (void)state;
    unmask_is("telegram: {bot_token: \"***\"}\n", "telegram:\n  bot_token: '1:a\"b' # x\n",
              "telegram: {bot_token: \"1:a\\\"b\"}\n");
    /* people by their id, wherever they stand */
    unmask_is("api: {local_users: [{uid: 6, totp: \"***\"}, {uid: 5, totp: B}]}\n",
              "api:\n  local_users:\n    - {uid: 5, totp: C}\n    - {uid: 6, totp: D}\n",
              "api: {local_users: [{uid: 6, totp: \"D\"}, {uid: 5, totp: B}]}\n");
    unmask_is("services: {w: {release_token: '***'}}\n", "services:\n  w:\n    release_token: T\n",
              "services: {w: {release_token: \"T\"}}\n");
    unmask_is("risk: {stop: 3%} # ***\n", "", "risk: {stop: 3%} # ***\n");
}

static void a_mask_without_a_secret_is_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = BUF_INIT(65536);
    struct err err = {0};
    assert_int_equal(config_unmask(STR_LIT("\ntelegram: {bot_token: '***'}\n"),
                                   STR_LIT("telegram: {chat_id: 7}\n"), "n.yaml", &out, &err),
                     -ERR_CONFIG_MASKED);
    assert_string_equal(err.context, "n.yaml:2: telegram.bot_token");
    assert_int_equal(out.len, 0);
    assert_int_equal(config_unmask(STR_LIT("api: {local_users: [{uid: 7, totp: '***'}]}\n"),
                                   STR_LIT("api: {local_users: [{uid: 5, totp: A}]}\n"), "n.yaml",
                                   &out, &err),
                     -ERR_CONFIG_MASKED);
    assert_int_equal(config_mask(STR_LIT("a: ["), "n.yaml", &out, &err), -ERR_YAML_SYNTAX);
}

UNIT_GROUP(mask, cmocka_unit_test(secrets_leave_and_everything_else_stays),
           cmocka_unit_test(references_stay), cmocka_unit_test(an_old_token_in_a_comment_is_masked),
           cmocka_unit_test(a_mask_becomes_the_secret_of_now),
           cmocka_unit_test(a_mask_without_a_secret_is_refused))

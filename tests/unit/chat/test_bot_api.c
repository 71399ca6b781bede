#include "base/check.h"
#include "fakes/bot_api.h"
#include "unit/unit.h"

static const char *fault(const char *method, const char *text, char field[BOT_API_FIELD_SIZE])
{
    AUTO_JSON struct json_object *params = NULL;
    const struct json_limits limits = {.max_bytes = 4096, .max_depth = 16};
    assert_int_equal(json_parse(str_c(text), &limits, &params, NULL), 0);
    return bot_api_fault(method, params, strcmp(method, "sendDocument") == 0, field);
}

/* The fake refuses what Telegram's description of its API does not allow, at any depth. */
static void requests_are_held_against_the_description(void **state)
{
    (void)state;
    static const struct {
        const char *method, *params, *fault, *field;
    } cases[] = {
        {"sendMessage", "{\"chat_id\":1,\"text\":\"a\"}", NULL, ""},
        {"sendMessage", "{\"chat_id\":\"@desk\",\"text\":\"a\"}", NULL, ""},
        {"sendMessage", "{\"chat_id\":1}", "is missing", "text"},
        {"sendMessage", "{\"chat_id\":1.5,\"text\":\"a\"}", "has the wrong type", "chat_id"},
        {"sendMessage", "{\"chat_id\":1,\"text\":\"a\",\"reply_to_message_id\":2}", "is unknown",
         "reply_to_message_id"},
        {"sendMessage",
         "{\"chat_id\":1,\"text\":\"a\",\"reply_markup\":{\"inline_keyboard\":[[{\"text\":\"b\","
         "\"callback_data\":\"c\"}]]}}",
         NULL, ""},
        {"sendMessage",
         "{\"chat_id\":1,\"text\":\"a\",\"reply_markup\":{\"inline_keyboard\":[[{\"text\":7,"
         "\"callback_data\":\"c\"}]]}}",
         "has the wrong type", "reply_markup"},
        {"sendMessage",
         "{\"chat_id\":1,\"text\":\"a\",\"reply_markup\":{\"inline_keyboard\":[{\"text\":\"b\"}]}}",
         "has the wrong type", "reply_markup"},
        {"sendMessage",
         "{\"chat_id\":1,\"text\":\"a\",\"reply_markup\":{\"inline_keyboard\":[[{\"text\":\"b\","
         "\"disabled\":{}}]]}}",
         NULL, ""},
        {"sendMessage",
         "{\"chat_id\":1,\"text\":\"a\",\"reply_markup\":{\"inline_keyboard\":[[{\"text\":\"b\","
         "\"disabled\":true}]]}}",
         "has the wrong type", "reply_markup"},
        {"sendMessage",
         "{\"chat_id\":1,\"text\":\"a\",\"link_preview_options\":{\"is_disabled\":true,\"x\":1}}",
         "has the wrong type", "link_preview_options"},
        {"setMyCommands",
         "{\"commands\":[{\"command\":\"status\",\"description\":\"d\"}],\"scope\":{\"type\":"
         "\"chat\",\"chat_id\":5}}",
         NULL, ""},
        {"setMyCommands",
         "{\"commands\":[{\"command\":\"status\",\"description\":\"d\"}],\"scope\":{\"kind\":"
         "\"chat\"}}",
         "has the wrong type", "scope"},
        {"setChatMenuButton",
         "{\"chat_id\":5,\"menu_button\":{\"type\":\"web_app\",\"text\":\"Desk\","
         "\"web_app\":{\"url\":\"https://desk.example.com\"}}}",
         NULL, ""},
        {"setChatMenuButton",
         "{\"chat_id\":5,\"menu_button\":{\"type\":\"web_app\",\"text\":\"Desk\",\"web_app\":{}}}",
         "has the wrong type", "menu_button"},
        {"sendDocument",
         "{\"chat_id\":\"-5\",\"document\":\"bytes\",\"protect_content\":\"true\",\"caption\":"
         "\"17\"}",
         NULL, ""},
        {"sendDocument", "{\"chat_id\":\"-5\",\"document\":\"bytes\",\"protect_content\":\"yes\"}",
         "has the wrong type", "protect_content"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char field[BOT_API_FIELD_SIZE] = "";
        const char *found = fault(cases[i].method, cases[i].params, field);
        if (found == NULL || cases[i].fault == NULL) {
            assert_ptr_equal(found, cases[i].fault);
        } else {
            assert_string_equal(found, cases[i].fault);
            assert_string_equal(field, cases[i].field);
        }
    }
    assert_true(bot_api_has("getUpdates"));
    assert_false(bot_api_has("sendMessages"));
}

UNIT_GROUP(bot_api, cmocka_unit_test(requests_are_held_against_the_description))

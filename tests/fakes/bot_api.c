#include "fakes/bot_api.h"

#include "base/check.h"

#include <string.h>

/* Bot API 10.1 of 11 June 2026: names, types and whether a field is required, from its
 * machine-readable description (github.com/PaulSonOfLars/telegram-bot-api-spec); the methods that
 * nightdesk uses or may use. Of 10.3 of 24 August 2026, which has no such description yet:
 * DisabledButton and the Stop button of drafts, by its changelog
 * (core.telegram.org/bots/api-changelog). "!" follows a required field; [X] is an array of X. */

struct object {
    const char *name;
    const char *subtypes; /* NULL: none. A value is one of them */
    const char *fields;
};

/* clang-format off */
static const struct object methods[] = {
    {"getMe", NULL,
     ""},
    {"getWebhookInfo", NULL,
     ""},
    {"deleteWebhook", NULL,
     "drop_pending_updates:Boolean"},
    {"setMyCommands", NULL,
     "commands!:[BotCommand] scope:BotCommandScope language_code:String"},
    {"deleteMyCommands", NULL,
     "scope:BotCommandScope language_code:String"},
    {"getUpdates", NULL,
     "offset:Integer limit:Integer timeout:Integer allowed_updates:[String]"},
    {"sendMessage", NULL,
     "business_connection_id:String chat_id!:Integer|String message_thread_id:Integer "
     "direct_messages_topic_id:Integer text!:String parse_mode:String entities:[MessageEntity] "
     "link_preview_options:LinkPreviewOptions disable_notification:Boolean "
     "protect_content:Boolean allow_paid_broadcast:Boolean message_effect_id:String "
     "suggested_post_parameters:SuggestedPostParameters reply_parameters:ReplyParameters "
     "reply_markup:InlineKeyboardMarkup|ReplyKeyboardMarkup|ReplyKeyboardRemove|ForceReply"},
    {"editMessageText", NULL,
     "business_connection_id:String chat_id:Integer|String message_id:Integer "
     "inline_message_id:String text:String parse_mode:String entities:[MessageEntity] "
     "link_preview_options:LinkPreviewOptions rich_message:InputRichMessage "
     "reply_markup:InlineKeyboardMarkup"},
    {"editMessageReplyMarkup", NULL,
     "business_connection_id:String chat_id:Integer|String message_id:Integer "
     "inline_message_id:String reply_markup:InlineKeyboardMarkup"},
    {"editMessageCaption", NULL,
     "business_connection_id:String chat_id:Integer|String message_id:Integer "
     "inline_message_id:String caption:String parse_mode:String caption_entities:[MessageEntity] "
     "show_caption_above_media:Boolean reply_markup:InlineKeyboardMarkup"},
    {"deleteMessage", NULL,
     "chat_id!:Integer|String message_id!:Integer"},
    {"deleteMessages", NULL,
     "chat_id!:Integer|String message_ids!:[Integer]"},
    {"pinChatMessage", NULL,
     "business_connection_id:String chat_id!:Integer|String message_id!:Integer "
     "disable_notification:Boolean"},
    {"unpinChatMessage", NULL,
     "business_connection_id:String chat_id!:Integer|String message_id:Integer"},
    {"answerCallbackQuery", NULL,
     "callback_query_id!:String text:String show_alert:Boolean url:String cache_time:Integer"},
    {"sendMessageDraft", NULL,
     "chat_id!:Integer message_thread_id:Integer draft_id!:Integer text:String parse_mode:String "
     "entities:[MessageEntity] can_stop:Boolean keep_on_stop:Boolean"},
    {"sendChatAction", NULL,
     "business_connection_id:String chat_id!:Integer|String message_thread_id:Integer "
     "action!:String"},
    {"getChat", NULL,
     "chat_id!:Integer|String"},
    {"getChatMember", NULL,
     "chat_id!:Integer|String user_id!:Integer"},
    {"sendDocument", NULL,
     "business_connection_id:String chat_id!:Integer|String message_thread_id:Integer "
     "direct_messages_topic_id:Integer document!:InputFile|String thumbnail:InputFile|String "
     "caption:String parse_mode:String caption_entities:[MessageEntity] "
     "disable_content_type_detection:Boolean disable_notification:Boolean protect_content:Boolean "
     "allow_paid_broadcast:Boolean message_effect_id:String "
     "suggested_post_parameters:SuggestedPostParameters reply_parameters:ReplyParameters "
     "reply_markup:InlineKeyboardMarkup|ReplyKeyboardMarkup|ReplyKeyboardRemove|ForceReply"},
    {"sendPhoto", NULL,
     "business_connection_id:String chat_id!:Integer|String message_thread_id:Integer "
     "direct_messages_topic_id:Integer photo!:InputFile|String caption:String parse_mode:String "
     "caption_entities:[MessageEntity] show_caption_above_media:Boolean has_spoiler:Boolean "
     "disable_notification:Boolean protect_content:Boolean allow_paid_broadcast:Boolean "
     "message_effect_id:String suggested_post_parameters:SuggestedPostParameters "
     "reply_parameters:ReplyParameters "
     "reply_markup:InlineKeyboardMarkup|ReplyKeyboardMarkup|ReplyKeyboardRemove|ForceReply"},
    {"setChatMenuButton", NULL,
     "chat_id:Integer menu_button:MenuButton"},
    {"setMessageReaction", NULL,
     "chat_id!:Integer|String message_id!:Integer reaction:[ReactionType] is_big:Boolean"},
    {NULL, NULL, NULL},
};

static const struct object types[] = {
    {"BotCommand", NULL,
     "command!:String description!:String"},
    {"BotCommandScope",
     "BotCommandScopeDefault|BotCommandScopeAllPrivateChats|BotCommandScopeAllGroupChats|"
     "BotCommandScopeAllChatAdministrators|BotCommandScopeChat|BotCommandScopeChatAdministrators|"
     "BotCommandScopeChatMember",
     ""},
    {"BotCommandScopeAllChatAdministrators", NULL,
     "type!:String"},
    {"BotCommandScopeAllGroupChats", NULL,
     "type!:String"},
    {"BotCommandScopeAllPrivateChats", NULL,
     "type!:String"},
    {"BotCommandScopeChat", NULL,
     "type!:String chat_id!:Integer|String"},
    {"BotCommandScopeChatAdministrators", NULL,
     "type!:String chat_id!:Integer|String"},
    {"BotCommandScopeChatMember", NULL,
     "type!:String chat_id!:Integer|String user_id!:Integer"},
    {"BotCommandScopeDefault", NULL,
     "type!:String"},
    {"CallbackGame", NULL,
     ""},
    {"ChatAdministratorRights", NULL,
     "is_anonymous!:Boolean can_manage_chat!:Boolean can_delete_messages!:Boolean "
     "can_manage_video_chats!:Boolean can_restrict_members!:Boolean can_promote_members!:Boolean "
     "can_change_info!:Boolean can_invite_users!:Boolean can_post_stories!:Boolean "
     "can_edit_stories!:Boolean can_delete_stories!:Boolean can_post_messages:Boolean "
     "can_edit_messages:Boolean can_pin_messages:Boolean can_manage_topics:Boolean "
     "can_manage_direct_messages:Boolean can_manage_tags:Boolean"},
    {"CopyTextButton", NULL,
     "text!:String"},
    {"DisabledButton", NULL,
     ""},
    {"ForceReply", NULL,
     "force_reply!:Boolean input_field_placeholder:String selective:Boolean"},
    {"InlineKeyboardButton", NULL,
     "text!:String icon_custom_emoji_id:String style:String url:String callback_data:String "
     "web_app:WebAppInfo login_url:LoginUrl switch_inline_query:String "
     "switch_inline_query_current_chat:String "
     "switch_inline_query_chosen_chat:SwitchInlineQueryChosenChat copy_text:CopyTextButton "
     "callback_game:CallbackGame pay:Boolean disabled:DisabledButton"},
    {"InlineKeyboardMarkup", NULL,
     "inline_keyboard!:[[InlineKeyboardButton]]"},
    {"InputFile", NULL,
     ""},
    {"InputRichMessage", NULL,
     "html:String markdown:String is_rtl:Boolean skip_entity_detection:Boolean"},
    {"KeyboardButton", NULL,
     "text!:String icon_custom_emoji_id:String style:String "
     "request_users:KeyboardButtonRequestUsers request_chat:KeyboardButtonRequestChat "
     "request_managed_bot:KeyboardButtonRequestManagedBot request_contact:Boolean "
     "request_location:Boolean request_poll:KeyboardButtonPollType web_app:WebAppInfo"},
    {"KeyboardButtonPollType", NULL,
     "type:String"},
    {"KeyboardButtonRequestChat", NULL,
     "request_id!:Integer chat_is_channel!:Boolean chat_is_forum:Boolean "
     "chat_has_username:Boolean chat_is_created:Boolean "
     "user_administrator_rights:ChatAdministratorRights "
     "bot_administrator_rights:ChatAdministratorRights bot_is_member:Boolean "
     "request_title:Boolean request_username:Boolean request_photo:Boolean"},
    {"KeyboardButtonRequestManagedBot", NULL,
     "request_id!:Integer suggested_name:String suggested_username:String"},
    {"KeyboardButtonRequestUsers", NULL,
     "request_id!:Integer user_is_bot:Boolean user_is_premium:Boolean max_quantity:Integer "
     "request_name:Boolean request_username:Boolean request_photo:Boolean"},
    {"LinkPreviewOptions", NULL,
     "is_disabled:Boolean url:String prefer_small_media:Boolean prefer_large_media:Boolean "
     "show_above_text:Boolean"},
    {"LoginUrl", NULL,
     "url!:String forward_text:String bot_username:String request_write_access:Boolean"},
    {"MenuButton",
     "MenuButtonCommands|MenuButtonWebApp|MenuButtonDefault",
     ""},
    {"MenuButtonCommands", NULL,
     "type!:String"},
    {"MenuButtonDefault", NULL,
     "type!:String"},
    {"MenuButtonWebApp", NULL,
     "type!:String text!:String web_app!:WebAppInfo"},
    {"MessageEntity", NULL,
     "type!:String offset!:Integer length!:Integer url:String user:User language:String "
     "custom_emoji_id:String unix_time:Integer date_time_format:String"},
    {"ReactionType",
     "ReactionTypeEmoji|ReactionTypeCustomEmoji|ReactionTypePaid",
     ""},
    {"ReactionTypeCustomEmoji", NULL,
     "type!:String custom_emoji_id!:String"},
    {"ReactionTypeEmoji", NULL,
     "type!:String emoji!:String"},
    {"ReactionTypePaid", NULL,
     "type!:String"},
    {"ReplyKeyboardMarkup", NULL,
     "keyboard!:[[KeyboardButton]] is_persistent:Boolean resize_keyboard:Boolean "
     "one_time_keyboard:Boolean input_field_placeholder:String selective:Boolean"},
    {"ReplyKeyboardRemove", NULL,
     "remove_keyboard!:Boolean selective:Boolean"},
    {"ReplyParameters", NULL,
     "message_id!:Integer chat_id:Integer|String allow_sending_without_reply:Boolean quote:String "
     "quote_parse_mode:String quote_entities:[MessageEntity] quote_position:Integer "
     "checklist_task_id:Integer poll_option_id:String"},
    {"SuggestedPostParameters", NULL,
     "price:SuggestedPostPrice send_date:Integer"},
    {"SuggestedPostPrice", NULL,
     "currency!:String amount!:Integer"},
    {"SwitchInlineQueryChosenChat", NULL,
     "query:String allow_user_chats:Boolean allow_bot_chats:Boolean allow_group_chats:Boolean "
     "allow_channel_chats:Boolean"},
    {"User", NULL,
     "id!:Integer is_bot!:Boolean first_name!:String last_name:String username:String "
     "language_code:String is_premium:Boolean added_to_attachment_menu:Boolean "
     "can_join_groups:Boolean can_read_all_group_messages:Boolean supports_guest_queries:Boolean "
     "supports_inline_queries:Boolean can_connect_to_business:Boolean has_main_web_app:Boolean "
     "has_topics_enabled:Boolean allows_users_to_create_topics:Boolean can_manage_bots:Boolean "
     "supports_join_request_queries:Boolean"},
    {"WebAppInfo", NULL,
     "url!:String"},
    {NULL, NULL, NULL},
};
/* clang-format on */

/* The members of Update but update_id: the kinds of updates, in the order of the description. */
static const char *const updates[] = {
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "guest_message",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "callback_query",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
};

const char *bot_api_update_kind(size_t index)
{
    return index < COUNT_OF(updates) ? updates[index] : NULL;
}

static const struct object *find(const struct object *list, struct str name)
{
    for (; list->name != NULL; list++) {
        if (str_equal_c(name, list->name)) {
            return list;
        }
    }
    return NULL;
}

static bool is_valid(struct json_object *value, struct str type);

/* Next field of a list; false at its end. */
static bool next_field(struct str *rest, struct str *ret_name, struct str *ret_types,
                       bool *ret_required)
{
    struct str item;
    if (!str_split(rest, ' ', &item) || item.len == 0) {
        return false;
    }
    *ret_types = item;
    (void)str_split(ret_types, ':', ret_name);
    *ret_required = ret_name->ptr[ret_name->len - 1] == '!';
    ret_name->len -= *ret_required ? 1 : 0;
    return true;
}

static bool is_one_of(struct json_object *value, struct str accepted)
{
    struct str type;
    while (str_split(&accepted, '|', &type)) {
        if (is_valid(value, type)) {
            return true;
        }
    }
    return false;
}

/* NULL, or what is wrong, with the name of the field. */
static const char *object_fault(const struct object *object, struct json_object *value,
                                struct str *ret_field)
{
    struct str rest = str_c(object->fields), name, accepted;
    bool required = false;
    while (next_field(&rest, &name, &accepted, &required)) {
        char key[64];
        struct json_object *member = NULL;
        (void)str_copy(name, key, sizeof(key));
        *ret_field = name;
        if (!json_object_object_get_ex(value, key, &member)) {
            if (required) {
                return "is missing";
            }
        } else if (!is_one_of(member, accepted)) {
            return "has the wrong type";
        }
    }
    json_object_object_foreach(value, key, member)
    {
        bool known = false;
        (void)member;
        rest = str_c(object->fields);
        while (!known && next_field(&rest, &name, &accepted, &required)) {
            known = str_equal_c(name, key);
        }
        if (!known) {
            *ret_field = str_c(key);
            return "is unknown";
        }
    }
    return NULL;
}

static bool are_valid(struct json_object *list, struct str type)
{
    bool valid = json_object_is_type(list, json_type_array);
    for (size_t i = 0; valid && i < json_len(list); i++) {
        valid = is_valid(json_item(list, i), type);
    }
    return valid;
}

static bool is_valid(struct json_object *value, struct str type)
{
    struct str field;
    if (type.len > 2 && type.ptr[0] == '[') {
        return are_valid(value, str_n(type.ptr + 1, type.len - 2));
    }
    if (str_equal_c(type, "Integer")) {
        return json_object_is_type(value, json_type_int);
    }
    if (str_equal_c(type, "Float")) {
        return json_object_is_type(value, json_type_double) ||
               json_object_is_type(value, json_type_int);
    }
    if (str_equal_c(type, "Boolean")) {
        return json_object_is_type(value, json_type_boolean);
    }
    if (str_equal_c(type, "String") || str_equal_c(type, "InputFile")) {
        return json_object_is_type(value, json_type_string);
    }
    const struct object *object = find(types, type);
    if (object == NULL || !json_object_is_type(value, json_type_object)) {
        return false;
    }
    return object->subtypes != NULL ? is_one_of(value, str_c(object->subtypes))
                                    : object_fault(object, value, &field) == NULL;
}

bool bot_api_has(const char *method)
{
    return find(methods, str_c(method)) != NULL;
}

/* Of multipart/form-data: what is no text is JSON in a text. */
static struct json_object *read_parts(const struct object *method, const struct json_object *params)
{
    struct json_object *ret = json_object_new_object();
    json_object_object_foreach((struct json_object *)(uintptr_t)params, key, part)
    {
        struct str rest = str_c(method->fields), name, accepted;
        bool required = false, is_text = false;
        const struct json_limits limits = {.max_bytes = (size_t)64 << 10, .max_depth = 16};
        struct json_object *value = NULL;
        while (next_field(&rest, &name, &accepted, &required)) {
            is_text = is_text || (str_equal_c(name, key) && is_one_of(part, accepted));
        }
        if (is_text || json_parse(json_value_str(part), &limits, &value, NULL) < 0) {
            value = json_object_get(part);
        }
        (void)json_object_object_add(ret, key, value);
    }
    return ret;
}

const char *bot_api_fault(const char *method, const struct json_object *params, bool multipart,
                          char ret_field[BOT_API_FIELD_SIZE])
{
    const struct object *object = find(methods, str_c(method));
    ASSERT(object != NULL);
    AUTO_JSON struct json_object *value =
        multipart ? read_parts(object, params)
                  : json_object_get((struct json_object *)(uintptr_t)params);
    struct str field = str_c("");
    const char *fault = object_fault(object, value, &field);
    (void)str_copy(field, ret_field, BOT_API_FIELD_SIZE);
    return fault;
}

#include "fakes/fake_telegram_menu.h"

#include "base/check.h"

static struct fake_menu *find(struct fake_menus *menus, int64_t chat, int64_t user)
{
    for (size_t i = 0; i < menus->count; i++) {
        if (menus->menu[i].chat == chat && menus->menu[i].user == user) {
            return &menus->menu[i];
        }
    }
    return NULL;
}

static struct fake_button *find_button(struct fake_menus *menus, int64_t chat)
{
    for (size_t i = 0; i < menus->button_count; i++) {
        if (menus->button[i].chat == chat) {
            return &menus->button[i];
        }
    }
    return NULL;
}

static void take_button(struct fake_menus *menus, const struct json_object *params)
{
    const struct json_object *wanted = json_get(params, "menu_button");
    int64_t chat = json_i64(params, "chat_id", 0);
    struct fake_button *button = find_button(menus, chat);
    if (button == NULL) {
        ASSERT(menus->button_count < FAKE_MENUS_MAX);
        button = &menus->button[menus->button_count++];
        button->chat = chat;
    }
    button->label[0] = '\0';
    if (json_get(wanted, "web_app") != NULL) {
        (void)snprintf(button->label, sizeof(button->label), "%s|%s", json_text(wanted, "text"),
                       json_text(json_get(wanted, "web_app"), "url"));
    }
}

void fake_menu_take(struct fake_menus *menus, const char *method, const struct json_object *params)
{
    const struct json_object *scope = json_get(params, "scope");
    const struct json_object *commands = json_get(params, "commands");
    int64_t chat = json_i64(scope, "chat_id", 0), user = json_i64(scope, "user_id", 0);
    struct fake_menu *menu = find(menus, chat, user);
    AUTO_BUF struct buf names = BUF_INIT(sizeof(menu->names));
    if (strcmp(method, "setChatMenuButton") == 0) {
        take_button(menus, params);
        return;
    }
    if (strcmp(method, "deleteMyCommands") == 0) {
        if (menu != NULL) {
            *menu = menus->menu[--menus->count];
        }
        return;
    }
    for (size_t i = 0; i < json_len(commands); i++) {
        buf_addf(&names, "%s%s", i == 0 ? "" : " ", json_text(json_item(commands, i), "command"));
    }
    if (menu == NULL) {
        ASSERT(menus->count < FAKE_MENUS_MAX);
        menu = &menus->menu[menus->count++];
        *menu = (struct fake_menu){.chat = chat, .user = user};
    }
    ASSERT(str_copy(buf_str(&names), menu->names, sizeof(menu->names)));
}

static void add_commands(struct fake_menus *menus, int64_t chat, int64_t user, struct buf *out)
{
    const struct {
        int64_t chat;
        int64_t user;
    } scopes[] = {{chat, user}, {chat, 0}, {0, 0}};
    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        const struct fake_menu *menu = find(menus, scopes[i].chat, scopes[i].user);
        if (menu != NULL) {
            buf_add_c(out, menu->names);
            return;
        }
    }
}

void fake_menu_seen(struct fake_menus *menus, int64_t chat, int64_t user, struct buf *out)
{
    const struct fake_button *button = chat == user ? find_button(menus, chat) : NULL;
    add_commands(menus, chat, user, out);
    if (button == NULL || button->label[0] == '\0') {
        button = chat == user ? find_button(menus, 0) : NULL;
    }
    if (button != NULL && button->label[0] != '\0') {
        buf_addf(out, " [%s]", button->label);
    }
}

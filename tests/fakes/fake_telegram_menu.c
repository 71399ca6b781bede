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

void fake_menu_take(struct fake_menus *menus, const char *method, const struct json_object *params)
{
    const struct json_object *scope = json_get(params, "scope");
    const struct json_object *commands = json_get(params, "commands");
    int64_t chat = json_i64(scope, "chat_id", 0), user = json_i64(scope, "user_id", 0);
    struct fake_menu *menu = find(menus, chat, user);
    AUTO_BUF struct buf names = BUF_INIT(sizeof(menu->names));
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

void fake_menu_seen(const struct fake_menus *menus, int64_t chat, int64_t user, struct buf *out)
{
    const struct {
        int64_t chat;
        int64_t user;
    } scopes[] = {{chat, user}, {chat, 0}, {0, 0}};
    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        const struct fake_menu *menu =
            find((struct fake_menus *)(uintptr_t)menus, scopes[i].chat, scopes[i].user);
        if (menu != NULL) {
            buf_add_c(out, menu->names);
            return;
        }
    }
}

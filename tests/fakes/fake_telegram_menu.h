/*
 * fake_telegram_menu.h: the menus of commands that a bot has set, by scope, and the buttons of
 * private chats. Private to the fake.
 *
 *     fake_menu_take(&menus, "setMyCommands", params);
 *     fake_menu_seen(&menus, chat_id, user_id, &names);
 *
 * Thread: any, one at a time per set of menus.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

#include <stddef.h>
#include <stdint.h>

#define FAKE_MENUS_MAX 64

struct fake_menus {
    struct fake_menu {
        int64_t chat; /* 0: the default */
        int64_t user; /* 0: everybody in the chat */
        char names[2048];
    } menu[FAKE_MENUS_MAX];
    size_t count;
    struct fake_button {
        int64_t chat;
        char label[160]; /* "Desk|https://desk.example.com" */
    } button[FAKE_MENUS_MAX];
    size_t button_count;
};

void fake_menu_take(struct fake_menus *menus, const char *method, const struct json_object *params);
/* Appends the names of the commands that this user sees in this chat, separated by blanks: those of
 * the narrowest scope, as Telegram's clients do. Then "[Desk|https://…]" for a button. */
void fake_menu_seen(struct fake_menus *menus, int64_t chat, int64_t user, struct buf *out);

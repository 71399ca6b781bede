/*
 * telegram_menu.h: the menus of commands that Telegram shows: each person sees those that their
 * role may run, in the private chat and in the group of telegram.chat_id; everybody else sees none.
 * With telegram.mini_app the button of each person's private chat opens the page (api.public_url).
 * Private to this module.
 *
 *     telegram_menu_check(menu);      // the token was accepted; commands or people have changed
 *
 * Always true: menus only show; what somebody may run is decided elsewhere. What Telegram was
 * given last is in ops.db, so that a start repeats nothing. One call at a time. A chat that
 * Telegram does not know yet is tried again when its person writes, or at the next start.
 *
 * Thread: ops.
 */
#pragma once

#include "telegram_internal.h"

struct telegram_menu;

int telegram_menu_new(struct telegram *t, struct err *err);
void telegram_menu_free(struct telegram_menu *menu);
/* Sets the menus that are not what they should be, and deletes those of people without a role. */
void telegram_menu_check(struct telegram_menu *menu);
/* A person has written in this chat. */
void telegram_menu_heard(struct telegram_menu *menu, int64_t chat_id);
void telegram_menu_stop(struct telegram_menu *menu); /* until the next check */

/*
 * fake_telegram_check.h: checks whether Telegram would accept a request. Private to the fake.
 *
 *     struct fake_telegram_check check = {.complain = note, .userdata = fake};
 *     fake_telegram_check_request(&check, "sendMessage", params);
 *
 * Thread: any, one at a time per check.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>

struct fake_telegram_check {
    bool multipart; /* the request is multipart/form-data: every value is a text */
    void (*complain)(const char *text, void *userdata);
    void *userdata;
};

/* Of a method that bot_api_has. */
void fake_telegram_check_request(const struct fake_telegram_check *check, const char *method,
                                 const struct json_object *params);
/* False if Telegram would answer "can't parse entities", or if a line of <pre> is wider than a
 * phone; out gets the text that a person reads. */
bool fake_telegram_check_html(struct str html, struct buf *out, const char **ret_why);
/* Checks {"inline_keyboard": …} and reports each error to complain. */
void fake_telegram_check_markup(const struct fake_telegram_check *check,
                                const struct json_object *markup);

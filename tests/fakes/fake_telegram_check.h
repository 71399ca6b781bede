/*
 * fake_telegram_check.h: is this a request that Telegram would take? Private to the fake.
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
    struct json_object *spec; /* NULL: the table of this file alone */
    void (*complain)(const char *text, void *userdata);
    void *userdata;
};

bool fake_telegram_check_method(const char *method);
/* Fields of a JSON request. */
void fake_telegram_check_request(const struct fake_telegram_check *check, const char *method,
                                 const struct json_object *params);
/* False when Telegram would answer "can't parse entities"; out gets the text a person reads. */
bool fake_telegram_check_html(struct str html, struct buf *out, const char **ret_why);
/* {"inline_keyboard": …}; complains about what is wrong. */
void fake_telegram_check_markup(const struct fake_telegram_check *check,
                                const struct json_object *markup);

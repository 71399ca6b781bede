/*
 * bot_api.h: whether a request is one of Telegram's Bot API, by its published description.
 *
 *     fault = bot_api_fault("sendMessage", params, false, field);
 *     if (fault != NULL) printf("sendMessage: field %s %s\n", field, fault);
 *
 * Every field must be known and of its type, required ones present, and so on for the objects in
 * it. Thread: any.
 */
#pragma once

#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

#define BOT_API_FIELD_SIZE 64

/* The kinds of updates: "message", "edited_message", …; NULL past the end. */
const char *bot_api_update_kind(size_t index);
bool bot_api_has(const char *method);
/* NULL: none; else what is wrong with `ret_field`. In a multipart request every value is a text,
 * and those that should be something else are JSON in it. */
const char *bot_api_fault(const char *method, const struct json_object *params, bool multipart,
                          char ret_field[BOT_API_FIELD_SIZE]);

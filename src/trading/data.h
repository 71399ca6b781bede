/*
 * data.h: members of a reply's machine-readable part. Private to this module.
 *
 *     data_add(reply_data(r), "trades", json_object_new_int64(n));
 *     data_add_dec(reply_data(r), "equity", s->equity);            // "10412.88": text, exact
 *
 * Thread: any.
 */
#pragma once

#include "base/dec.h"
#include "io/json.h"
#include "model/decision.h"

#include <stdint.h>

void data_add(struct json_object *object, const char *key, struct json_object *value);
void data_add_dec(struct json_object *object, const char *key, struct dec value);
void data_add_time(struct json_object *object, const char *key, int64_t wall_us); /* ISO */
/* Everything of a decision except its votes. */
void data_add_decision(struct json_object *object, const struct decision *decision);

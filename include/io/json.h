/*
 * json.h: JSON. Hands on json-c and adds what it lacks: bounds, strictness, short getters.
 *
 *     AUTO_JSON struct json_object *update = NULL;
 *     if ((rc = json_parse(body, &JSON_LIMITS_DEFAULT, &update, err)) < 0) return rc;
 *     const char *text = json_text(json_get(update, "message"), "text");      // "" when absent
 *     struct json_object *value = json_at(report, "/account/equity");        // RFC 6901
 *
 * Always true for a parsed tree: RFC 8259 only (no comments, NaN, trailing commas or bytes, single
 * quotes), valid UTF-8, no duplicate keys, numbers finite, bytes and depth within the limits.
 * The getters take NULL and any type and give the fallback; they return borrowed values.
 * Thread: any, one at a time per tree.
 */
#pragma once

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* json_object_object_foreach is a statement expression, which clang reports where it is used. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-statement-expression"
#endif

struct json_limits {
    size_t max_bytes;
    int max_depth;
};
#define JSON_LIMITS_DEFAULT ((struct json_limits){.max_bytes = (size_t)4 << 20, .max_depth = 32})

/* The context of an error holds the byte offset, never the text. *ret is NULL for the JSON value
 * null (json-c's way). The caller frees it with json_object_put. */
int json_parse(struct str text, const struct json_limits *limits, struct json_object **ret,
               struct err *err);

static inline void json_cleanup(struct json_object **slot)
{
    if (*slot != NULL) {
        (void)json_object_put(*slot);
    }
}
#define AUTO_JSON AUTO(json_cleanup)

/* A member of an object, an element of an array: NULL when absent or null. */
struct json_object *json_get(const struct json_object *object, const char *key);
struct json_object *json_item(const struct json_object *array, size_t index);
size_t json_len(const struct json_object *array); /* 0 unless it is an array */
bool json_is_object(const struct json_object *value);
bool json_is_array(const struct json_object *value);
bool json_is_text(const struct json_object *value);
bool json_is_number(const struct json_object *value);

/* Members by type; the fallback for anything else. Numbers are not made from texts. */
/* "" also for a text that holds a NUL: what stands before it is not what was said. */
const char *json_text(const struct json_object *object, const char *key);
struct str json_str(const struct json_object *object, const char *key); /* may hold NUL bytes */
int64_t json_i64(const struct json_object *object, const char *key, int64_t fallback);
double json_double(const struct json_object *object, const char *key, double fallback);
bool json_truth(const struct json_object *object, const char *key, bool fallback);
/* The value itself. */
struct str json_value_str(const struct json_object *value);

/* RFC 6901: "" is the root, ~0 and ~1 unescape, array indexes have no leading zeros and "-" names
 * nothing. False when it names nothing; *ret may be NULL with true: the JSON value null. */
bool json_pointer(struct json_object *root, struct str pointer, struct json_object **ret);
/* The same in short: NULL when absent or null. */
struct json_object *json_at(struct json_object *root, const char *pointer);

/* The one text of a value for hashing: keys sorted by bytes, no blanks, integral doubles without
 * fraction, other doubles in the shortest form that reads back the same. */
void json_add_canonical(struct buf *out, const struct json_object *value);
/* As json-c prints it without blanks or escaped slashes. */
void json_add_text(struct buf *out, struct json_object *value);

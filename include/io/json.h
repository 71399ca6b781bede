/*
 * json.h: json-c, with limits, strict parsing and short getters.
 *
 *     AUTO_JSON struct json_object *update = NULL;
 *     if ((rc = json_parse(body, &JSON_LIMITS_DEFAULT, &update, err)) < 0) return rc;
 *     const char *text = json_text(json_get(update, "message"), "text");      // "" when absent
 *     struct json_object *value = json_at(report, "/account/equity");        // RFC 6901
 *
 * Always true for a parsed tree: RFC 8259 only (no comments, NaN, trailing commas or bytes, single
 * quotes), valid UTF-8, no duplicate keys, finite numbers, size and depth within the limits.
 * The getters accept NULL and any type, and then return the fallback; they return borrowed values.
 * Thread: any, one at a time per tree.
 */
#pragma once

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/str.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* json_object_object_foreach is a statement expression; clang warns wherever it is used. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-statement-expression"
#endif

struct json_limits {
    size_t max_bytes;
    int max_depth;
};
#define JSON_LIMITS_DEFAULT ((struct json_limits){.max_bytes = (size_t)4 << 20, .max_depth = 32})

/* An error's context holds the byte offset, never the text. *ret is NULL for the JSON value null,
 * as in json-c. The caller frees it with json_object_put. */
int json_parse(struct str text, const struct json_limits *limits, struct json_object **ret,
               struct err *err);

/*
 * json-c returns NULL or -1 without memory, and NULL is the value null: a figure would silently be
 * missing from a reply. So its functions that make trees abort instead, wherever they are called.
 */
static inline struct json_object *json_made(struct json_object *value)
{
    NEED_MEMORY(value != NULL);
    return value;
}

static inline int json_added(int rc)
{
    NEED_MEMORY(rc == 0);
    return rc;
}

/* json_object_object_add: takes the value; replaces one that has this key. */
int json_add_member(struct json_object *object, const char *key, struct json_object *value);

#define json_object_object_add(object, key, value) json_add_member(object, key, value)
#define json_object_array_add(array, value)        json_added(json_object_array_add(array, value))
#define json_object_new_object()                   json_made(json_object_new_object())
#define json_object_new_array()                    json_made(json_object_new_array())
#define json_object_new_boolean(value)             json_made(json_object_new_boolean(value))
#define json_object_new_int(value)                 json_made(json_object_new_int(value))
#define json_object_new_int64(value)               json_made(json_object_new_int64(value))
#define json_object_new_uint64(value)              json_made(json_object_new_uint64(value))
#define json_object_new_double(value)              json_made(json_object_new_double(value))
#define json_object_new_double_s(value, text)      json_made(json_object_new_double_s(value, text))
#define json_object_new_string(text)               json_made(json_object_new_string(text))
#define json_object_new_string_len(text, len)      json_made(json_object_new_string_len(text, len))

static inline void json_cleanup(struct json_object **slot)
{
    if (*slot != NULL) {
        (void)json_object_put(*slot);
    }
}
#define AUTO_JSON AUTO(json_cleanup)

/* A member of an object, an element of an array: NULL if absent or null. */
struct json_object *json_get(const struct json_object *object, const char *key);
struct json_object *json_item(const struct json_object *array, size_t index);
size_t json_len(const struct json_object *array); /* 0 unless it is an array */
bool json_is_object(const struct json_object *value);
bool json_is_array(const struct json_object *value);
bool json_is_text(const struct json_object *value);
bool json_is_number(const struct json_object *value);

/* Typed members; the fallback for any other type. Strings are not converted to numbers.
 * json_text returns "" for a string that holds a NUL, rather than a truncated one. */
const char *json_text(const struct json_object *object, const char *key);
struct str json_str(const struct json_object *object, const char *key); /* may hold NUL bytes */
int64_t json_i64(const struct json_object *object, const char *key, int64_t fallback);
double json_double(const struct json_object *object, const char *key, double fallback);
bool json_truth(const struct json_object *object, const char *key, bool fallback);
/* The value itself. */
struct str json_value_str(const struct json_object *value);

/* RFC 6901: "" is the root, ~0 and ~1 are unescaped, array indexes have no leading zeros, "-"
 * matches nothing. False if there is no such value. True with *ret NULL: the JSON value null. */
bool json_pointer(struct json_object *root, struct str pointer, struct json_object **ret);
/* The same, but NULL if absent or null. */
struct json_object *json_at(struct json_object *root, const char *pointer);

/* The canonical text of a value, for hashing: keys sorted by bytes, no whitespace, integral doubles
 * without a fraction, other doubles in the shortest form that parses to the same value. */
void json_add_canonical(struct buf *out, const struct json_object *value);
/* As json-c prints it, without whitespace and without escaped slashes. */
void json_add_text(struct buf *out, struct json_object *value);

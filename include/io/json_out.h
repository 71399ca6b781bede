/*
 * json_out.h: writes JSON, as text into a buffer or as a json-c tree; the only writer of JSON.
 *
 *     struct json_out out = JSON_OUT(&body);                 // or JSON_OUT_INDENTED, JSON_OUT_TREE
 *     json_out_document(&out, "nightdesk.state/1");          // {"schema":"nightdesk.state/1"
 *     json_out_array(&out, "positions");
 *     json_out_object(&out, NULL);                           // in an array: no key
 *     json_out_dec(&out, "qty", position->qty);
 *     json_out_end(&out);                                    // object, array, document
 *
 * One function that describes an entity serves both forms: a text and a tree made by the same calls
 * hold the same values. Forms of values:
 * - Money, prices and quantities are numbers with exactly their digits (12.5, not "12.50").
 * - A double is the shortest number that reads back as the same double; NaN and infinities are
 *   null. json_out_rounded is for figures whose last digits mean nothing.
 * - A time is ISO 8601 in UTC with microseconds, "2026-11-21T02:36:58.123456Z"; 0 is null: it has
 *   not happened. A duration is a number whose name ends in its unit: _us, _ms, _s.
 * - In texts and keys, invalid UTF-8 becomes U+FFFD; a text of NULL is null.
 * Always true: the output is valid JSON once every object and array has ended, unless a key was
 * given twice in one object (a tree keeps the last value) or the buffer is full (buf_failed).
 * A value without a key in an object, a key in an array, a second root, an end too many or more
 * than JSON_OUT_DEPTH levels are bugs of the caller and abort. The locale has no effect.
 * Ownership: a writer owns nothing; the buffer or tree outlives it.
 * Thread: any, one at a time per writer.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "base/str.h"
#include "io/json.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_OUT_DEPTH 30 /* a reader accepts JSON_LIMITS_DEFAULT.max_depth levels */

/* The members that the objects at one depth keep; what an object has inside stays whole. */
#define JSON_ONLY_MAX 32
struct json_only {
    int depth; /* of the objects: 1 for the members of the root */
    int count;
    struct str names[JSON_ONLY_MAX];
    uint32_t seen; /* bits: the names that were written at least once */
};

struct json_out {
    struct buf *text; /* NULL: a tree */
    int indent;       /* spaces per level; 0: one line */
    int depth;        /* open objects and arrays */
    bool has_root;
    struct json_only *only; /* NULL: everything is written */
    int left_out;           /* depth inside a value that is left out; 0: in none */
    struct {
        bool is_array;
        bool has_members;
        struct json_object *node; /* of a tree */
    } levels[JSON_OUT_DEPTH];
};

#define JSON_OUT(buffer) \
    {                    \
        .text = (buffer) \
    }
#define JSON_OUT_INDENTED(buffer)     \
    {                                 \
        .text = (buffer), .indent = 2 \
    }
/* Adds members to an existing object, which counts as open. */
#define JSON_OUT_TREE(object)                                          \
    {                                                                  \
        .depth = 1, .has_root = true, .levels = { {.node = (object)} } \
    }

/* The same for items of an existing array. */
#define JSON_OUT_ITEMS(array)                                                           \
    {                                                                                   \
        .depth = 1, .has_root = true, .levels = { {.is_array = true, .node = (array)} } \
    }

/* Begins the root object of a document, whose form `schema` names with its version. */
void json_out_document(struct json_out *out, const char *schema);
void json_out_object(struct json_out *out, const char *key);
void json_out_array(struct json_out *out, const char *key);
void json_out_end(struct json_out *out); /* of the innermost open object or array */

void json_out_text(struct json_out *out, const char *key, const char *value);
void json_out_str(struct json_out *out, const char *key, struct str value);
void json_out_bool(struct json_out *out, const char *key, bool value);
void json_out_null(struct json_out *out, const char *key);
void json_out_i64(struct json_out *out, const char *key, int64_t value);
void json_out_u64(struct json_out *out, const char *key, uint64_t value);
void json_out_dec(struct json_out *out, const char *key, struct dec value); /* invalid: null */
void json_out_double(struct json_out *out, const char *key, double value);
/* Rounded to at most `decimals` (0..9) places. */
void json_out_rounded(struct json_out *out, const char *key, double value, int decimals);
/* A number as it was written, such as "0.300": the text is a JSON number. */
void json_out_number(struct json_out *out, const char *key, const char *text);
void json_out_time(struct json_out *out, const char *key, int64_t wall_us);
/* A copy of a value; NULL is null. */
void json_out_value(struct json_out *out, const char *key, const struct json_object *value);

#include "io/json_out.h"

#include "base/check.h"
#include "base/clock.h"
#include "json_number.h"

#include <math.h>
#include <string.h>

/* Text of `len` bytes with U+FFFD for invalid UTF-8, as json-c keeps any bytes. */
static struct json_object *new_string(struct str s)
{
    if (str_is_utf8(s)) {
        return json_object_new_string_len(s.ptr, (int)s.len);
    }
    AUTO_BUF struct buf valid = BUF_INIT(s.len * 3);
    while (s.len > 0) {
        size_t size = str_utf8_size(s);
        buf_add_str(&valid, size > 0 ? str_n(s.ptr, size) : STR_LIT("\xEF\xBF\xBD"));
        s = str_n(s.ptr + (size > 0 ? size : 1), s.len - (size > 0 ? size : 1));
    }
    return json_object_new_string_len(valid.data, (int)valid.len);
}

static void new_line(struct json_out *out)
{
    if (out->indent > 0) {
        buf_addf(out->text, "\n%*s", out->indent * out->depth, "");
    }
}

#define SHORT_TEXT 64

/* Appends '"text"' and what follows, in one piece if the text is short and needs no escapes. */
static void add_quoted(struct buf *to, const char *before, struct str text, const char *after)
{
    char piece[SHORT_TEXT + 8];
    char *end = piece;
    size_t i = 0;
    for (; *before != '\0'; before++) {
        *end++ = *before;
    }
    *end++ = '"';
    for (; i < text.len && i < SHORT_TEXT; i++) {
        char c = text.ptr[i];
        if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\') {
            break;
        }
        *end++ = c;
    }
    if (i < text.len) {
        buf_add(to, piece, (size_t)(end - piece));
        buf_add_json(to, str_n(text.ptr + i, text.len - i));
        end = piece;
    }
    *end++ = '"';
    for (; *after != '\0'; after++) {
        *end++ = *after;
    }
    buf_add(to, piece, (size_t)(end - piece));
}

static bool is_kept(struct json_only *only, struct str key)
{
    for (int i = 0; i < only->count; i++) {
        if (str_equal(only->names[i], key)) {
            only->seen |= UINT32_C(1) << i;
            return true;
        }
    }
    return false;
}

/* Checks that a value may stand here. A text gets everything that precedes the value. False: the
 * value is left out. */
static bool begin(struct json_out *out, const char *key)
{
    ASSERT(out->depth > 0 || !out->has_root);
    ASSERT(out->left_out > 0 ||
           (key != NULL) == (out->depth > 0 && !out->levels[out->depth - 1].is_array));
    if (out->left_out > 0 || (out->only != NULL && key != NULL && out->depth == out->only->depth &&
                              !is_kept(out->only, str_c(key)))) {
        return false;
    }
    out->has_root = true;
    if (out->text == NULL || out->depth == 0) {
        return true;
    }
    const char *comma = out->levels[out->depth - 1].has_members ? "," : "";
    out->levels[out->depth - 1].has_members = true;
    if (out->indent > 0) {
        buf_add_c(out->text, comma);
        new_line(out);
        comma = "";
    }
    if (key != NULL) {
        add_quoted(out->text, comma, str_c(key), out->indent > 0 ? ": " : ":");
    } else {
        buf_add_c(out->text, comma);
    }
    return true;
}

/* Adds a node to a tree, which owns it afterwards. */
static void attach(struct json_out *out, const char *key, struct json_object *node)
{
    struct json_object *parent = out->levels[out->depth - 1].node;
    if (key == NULL) {
        ASSERT(json_object_array_add(parent, node) == 0);
    } else if (str_is_utf8(str_c(key))) {
        ASSERT(json_object_object_add(parent, key, node) == 0);
    } else {
        struct json_object *valid = new_string(str_c(key));
        ASSERT(json_object_object_add(parent, json_object_get_string(valid), node) == 0);
        (void)json_object_put(valid);
    }
}

static void open(struct json_out *out, const char *key, bool is_array)
{
    ASSERT(out->depth < JSON_OUT_DEPTH);
    if (!begin(out, key)) {
        out->left_out++;
        return;
    }
    struct json_object *node = NULL;
    if (out->text != NULL) {
        buf_add_char(out->text, is_array ? '[' : '{');
    } else {
        node = is_array ? json_object_new_array() : json_object_new_object();
        ASSERT(node != NULL);
        attach(out, key, node);
    }
    out->levels[out->depth].is_array = is_array;
    out->levels[out->depth].has_members = false;
    out->levels[out->depth].node = node;
    out->depth++;
}

void json_out_document(struct json_out *out, const char *schema)
{
    ASSERT(out->text != NULL && out->depth == 0);
    open(out, NULL, false);
    json_out_text(out, "schema", schema);
}

void json_out_object(struct json_out *out, const char *key)
{
    open(out, key, false);
}

void json_out_array(struct json_out *out, const char *key)
{
    open(out, key, true);
}

void json_out_end(struct json_out *out)
{
    if (out->left_out > 0) {
        out->left_out--;
        return;
    }
    ASSERT(out->depth > (out->text == NULL ? 1 : 0));
    out->depth--;
    if (out->text != NULL) {
        if (out->levels[out->depth].has_members) {
            new_line(out);
        }
        buf_add_char(out->text, out->levels[out->depth].is_array ? ']' : '}');
    }
}

/* ------------------------------------------------------------------ values */

void json_out_str(struct json_out *out, const char *key, struct str value)
{
    if (!begin(out, key)) {
        return;
    }
    if (out->text == NULL) {
        attach(out, key, new_string(value));
        return;
    }
    add_quoted(out->text, "", value, "");
}

void json_out_text(struct json_out *out, const char *key, const char *value)
{
    if (value == NULL) {
        json_out_null(out, key);
    } else {
        json_out_str(out, key, str_c(value));
    }
}

void json_out_bool(struct json_out *out, const char *key, bool value)
{
    if (!begin(out, key)) {
        return;
    }
    if (out->text == NULL) {
        attach(out, key, json_object_new_boolean(value));
    } else {
        buf_add_c(out->text, value ? "true" : "false");
    }
}

void json_out_null(struct json_out *out, const char *key)
{
    if (!begin(out, key)) {
        return;
    }
    if (out->text == NULL) {
        attach(out, key, NULL);
    } else {
        buf_add_c(out->text, "null");
    }
}

void json_out_i64(struct json_out *out, const char *key, int64_t value)
{
    char text[JSON_NUMBER_SIZE];
    if (!begin(out, key)) {
        return;
    }
    if (out->text == NULL) {
        attach(out, key, json_object_new_int64(value));
    } else {
        buf_add(out->text, text, json_number_i64(value, text));
    }
}

void json_out_u64(struct json_out *out, const char *key, uint64_t value)
{
    char text[JSON_NUMBER_SIZE];
    if (value <= INT64_MAX) {
        json_out_i64(out, key, (int64_t)value);
        return;
    }
    if (!begin(out, key)) {
        return;
    }
    if (out->text == NULL) {
        attach(out, key, json_object_new_uint64(value));
    } else {
        buf_add(out->text, text, json_number_u64(value, text));
    }
}

/* A number that may have a fraction. A tree keeps its text, so that it is printed with the same
 * digits, and holds the same value as if the text had been parsed. */
static void number(struct json_out *out, const char *key, const char *text, size_t len)
{
    if (!begin(out, key)) {
        return;
    }
    if (out->text != NULL) {
        buf_add(out->text, text, len);
    } else if (strpbrk(text, ".eE") == NULL) {
        attach(out, key, json_object_new_int64(strtoll(text, NULL, 10)));
    } else {
        double value = 0;
        ASSERT(str_to_double(str_n(text, len), &value));
        attach(out, key, json_object_new_double_s(value, text));
    }
}

void json_out_number(struct json_out *out, const char *key, const char *text)
{
    number(out, key, text, strlen(text));
}

void json_out_dec(struct json_out *out, const char *key, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    if (!dec_is_valid(value)) {
        json_out_null(out, key);
        return;
    }
    (void)dec_text(value, text);
    number(out, key, text, strlen(text));
}

void json_out_double(struct json_out *out, const char *key, double value)
{
    char text[JSON_NUMBER_SIZE];
    if (!isfinite(value)) {
        json_out_null(out, key);
        return;
    }
    size_t len = json_number_double(value, text);
    if (signbit(value) != 0 && fpclassify(value) == FP_ZERO) {
        memcpy(text, "-0.0", sizeof("-0.0")); /* "-0" would be read as an integer */
        len = strlen(text);
    }
    number(out, key, text, len);
}

void json_out_rounded(struct json_out *out, const char *key, double value, int decimals)
{
    char text[JSON_NUMBER_SIZE];
    if (!isfinite(value)) {
        json_out_null(out, key);
        return;
    }
    size_t len = json_number_rounded(value, decimals, text);
    number(out, key, text, len);
}

void json_out_time(struct json_out *out, const char *key, int64_t wall_us)
{
    if (wall_us == 0) {
        json_out_null(out, key);
        return;
    }
    if (out->text != NULL) {
        if (!begin(out, key)) {
            return;
        }
        buf_add_char(out->text, '"');
        clock_add_iso(out->text, wall_us, true);
        buf_add_char(out->text, '"');
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, wall_us, true);
    json_out_str(out, key, buf_str(&text));
}

static void add_members(struct json_out *out, const struct json_object *value)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_len(value); i++) {
            json_out_value(out, NULL, json_item(value, i));
        }
        return;
    }
    struct json_object_iter it;
    json_object_object_foreachC(value, it)
    {
        json_out_value(out, it.key, it.val);
    }
}

/* Recursion is bounded by JSON_OUT_DEPTH. */
void json_out_value(struct json_out *out, const char *key, const struct json_object *value)
{
    char *text = NULL;
    switch (json_object_get_type(value)) {
    case json_type_null:
        json_out_null(out, key);
        break;
    case json_type_boolean:
        json_out_bool(out, key, json_object_get_boolean(value) != 0);
        break;
    case json_type_int:
        if (json_object_get_int64(value) < 0) {
            json_out_i64(out, key, json_object_get_int64(value));
        } else {
            json_out_u64(out, key, json_object_get_uint64(value));
        }
        break;
    case json_type_double:
        /* Printed as it was written, if json-c read it. */
        text = strdup(json_object_to_json_string_ext((struct json_object *)(uintptr_t)value,
                                                     JSON_C_TO_STRING_PLAIN));
        ASSERT(text != NULL);
        if (isfinite(json_object_get_double(value))) {
            number(out, key, text, strlen(text));
        } else {
            json_out_null(out, key);
        }
        free(text);
        break;
    case json_type_string:
        json_out_str(out, key, json_value_str(value));
        break;
    case json_type_object:
    case json_type_array:
        open(out, key, json_is_array(value));
        add_members(out, value);
        json_out_end(out);
        break;
    }
}

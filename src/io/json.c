#include "io/json.h"

#include "base/check.h"
#include "json_number.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------ strict reading */

/*
 * json-c's own parser accepts more than RFC 8259, saturates large numbers and keeps the last of two
 * equal keys, all silently; without memory it crashes or loses the tree. So this one checks the
 * grammar and builds the tree itself.
 */
struct scan {
    struct str text;
    size_t at;
    int depth_left;
    struct buf string;         /* the last string, decoded */
    struct json_object *value; /* the last value, until its container takes it; null is NULL */
    enum err_id id;            /* the error that stopped the scan */
    const char *why;
};

static bool scan_fail(struct scan *s, enum err_id id, const char *why)
{
    if (s->id == ERR_NONE) {
        s->id = id;
        s->why = why;
    }
    return false;
}

static char scan_peek(const struct scan *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : '\0';
}

static void scan_white_space(struct scan *s)
{
    while (s->at < s->text.len && strchr(" \t\r\n", s->text.ptr[s->at]) != NULL &&
           s->text.ptr[s->at] != '\0') {
        s->at++;
    }
}

static bool scan_char(struct scan *s, char c)
{
    if (scan_peek(s) != c) {
        return false;
    }
    s->at++;
    return true;
}

static bool scan_hex4(struct scan *s, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++) {
        char c = scan_peek(s);
        const char *digits = "0123456789abcdef";
        char lower = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
        const char *digit = c == '\0' ? NULL : strchr(digits, lower);
        if (digit == NULL) {
            return scan_fail(s, ERR_JSON_SYNTAX, "four hex digits expected");
        }
        *ret = *ret * 16 + (uint32_t)(digit - digits);
        s->at++;
    }
    return true;
}

static void add_utf8(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_add_char(out, (char)code);
        return;
    }
    if (code < 0x800) {
        buf_add_char(out, (char)(0xC0 | code >> 6));
    } else if (code < 0x10000) {
        buf_add_char(out, (char)(0xE0 | code >> 12));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3F)));
    } else {
        buf_add_char(out, (char)(0xF0 | code >> 18));
        buf_add_char(out, (char)(0x80 | (code >> 12 & 0x3F)));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3F)));
    }
    buf_add_char(out, (char)(0x80 | (code & 0x3F)));
}

/* After "\u": one code unit, or a surrogate pair; half a pair becomes U+FFFD. */
static bool scan_unicode(struct scan *s, bool key)
{
    uint32_t code = 0, low = 0;
    if (!scan_hex4(s, &code)) {
        return false;
    }
    if (key && code == 0) {
        return scan_fail(s, ERR_JSON_SYNTAX, "NUL in a key");
    }
    if (code >= 0xD800 && code < 0xDC00) {
        size_t after = s->at;
        if (str_starts(str_n(s->text.ptr + s->at, s->text.len - s->at), "\\u")) {
            s->at += 2;
            if (!scan_hex4(s, &low)) {
                return false;
            }
        }
        if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        } else {
            s->at = after; /* the next escape stands for itself */
        }
    }
    add_utf8(&s->string, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    return true;
}

static bool scan_escape(struct scan *s, bool key)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    char c = scan_peek(s);
    s->at++;
    if (c == 'u') {
        return scan_unicode(s, key);
    }
    const char *name = c == '\0' ? NULL : strchr(names, c);
    if (name == NULL) {
        return scan_fail(s, ERR_JSON_SYNTAX, "unknown escape");
    }
    buf_add_char(&s->string, values[name - names]);
    return true;
}

/* Decodes into s->string. */
static bool scan_string(struct scan *s, bool key)
{
    buf_clear(&s->string);
    if (!scan_char(s, '"')) {
        return scan_fail(s, ERR_JSON_SYNTAX, "string expected");
    }
    for (;;) {
        size_t from = s->at;
        while (s->at < s->text.len && (unsigned char)s->text.ptr[s->at] >= 0x20 &&
               s->text.ptr[s->at] != '"' && s->text.ptr[s->at] != '\\') {
            s->at++;
        }
        buf_add(&s->string, s->text.ptr + from, s->at - from);
        if (s->at >= s->text.len) {
            return scan_fail(s, ERR_JSON_SYNTAX, "unterminated string");
        }
        char c = s->text.ptr[s->at++];
        if (c == '"') {
            /* Decoding makes nothing longer, so only lack of memory can fail. */
            NEED_MEMORY(!buf_failed(&s->string));
            return true;
        }
        if (c != '\\') {
            return scan_fail(s, ERR_JSON_SYNTAX, "control byte in a string");
        }
        if (!scan_escape(s, key)) {
            return false;
        }
    }
}

static size_t scan_digits(struct scan *s)
{
    size_t from = s->at;
    while (scan_peek(s) >= '0' && scan_peek(s) <= '9') {
        s->at++;
    }
    return s->at - from;
}

static bool scan_number(struct scan *s)
{
    size_t from = s->at;
    bool negative = scan_char(s, '-');
    bool zero = scan_peek(s) == '0';
    size_t digits = scan_digits(s);
    if (digits == 0 || (zero && digits > 1)) {
        return scan_fail(s, ERR_JSON_SYNTAX, "value expected");
    }
    bool whole = true;
    if (scan_char(s, '.')) {
        whole = false;
        if (scan_digits(s) == 0) {
            return scan_fail(s, ERR_JSON_SYNTAX, "digit expected");
        }
    }
    if (scan_char(s, 'e') || scan_char(s, 'E')) {
        whole = false;
        (void)(scan_char(s, '+') || scan_char(s, '-'));
        if (scan_digits(s) == 0) {
            return scan_fail(s, ERR_JSON_SYNTAX, "digit expected");
        }
    }
    char text[64];
    if (!str_copy(str_n(s->text.ptr + from, s->at - from), text, sizeof(text))) {
        return scan_fail(s, ERR_JSON_LIMIT, "number is too long");
    }
    if (!whole) {
        double value = strtod(text, NULL);
        if (!isfinite(value)) {
            return scan_fail(s, ERR_JSON_LIMIT, "number is too large");
        }
        s->value = json_object_new_double_s(value, text); /* prints as it was written */
        return true;
    }
    errno = 0;
    int64_t below = negative ? strtoll(text, NULL, 10) : 0;
    uint64_t above = negative ? 0 : strtoull(text, NULL, 10);
    if (errno == ERANGE) {
        return scan_fail(s, ERR_JSON_LIMIT, "number is too large");
    }
    s->value = negative             ? json_object_new_int64(below)
               : above <= INT64_MAX ? json_object_new_int64((int64_t)above)
                                    : json_object_new_uint64(above);
    return true;
}

static bool scan_word(struct scan *s, const char *word, struct json_object *value)
{
    struct str rest = str_n(s->text.ptr + s->at, s->text.len - s->at);
    s->value = value;
    if (!str_starts(rest, word)) {
        return scan_fail(s, ERR_JSON_SYNTAX, "value expected");
    }
    s->at += strlen(word);
    return true;
}

static bool scan_value(struct scan *s);

static bool scan_members(struct scan *s, struct json_object *object)
{
    do {
        scan_white_space(s);
        if (!scan_string(s, true)) {
            return false;
        }
        AUTO_FREE char *key = buf_detach(&s->string);
        NEED_MEMORY(key != NULL);
        scan_white_space(s);
        if (!scan_char(s, ':')) {
            return scan_fail(s, ERR_JSON_SYNTAX, "':' expected");
        }
        if (!scan_value(s)) {
            return false;
        }
        if (json_object_object_get_ex(object, key, NULL)) {
            return scan_fail(s, ERR_JSON_SYNTAX, "an object has the same key twice");
        }
        json_object_object_add(object, key, TAKE(s->value));
    } while (scan_char(s, ','));
    return scan_char(s, '}') ? true : scan_fail(s, ERR_JSON_SYNTAX, "',' or '}' expected");
}

static bool scan_elements(struct scan *s, struct json_object *array)
{
    do {
        if (!scan_value(s)) {
            return false;
        }
        json_object_array_add(array, TAKE(s->value));
    } while (scan_char(s, ','));
    return scan_char(s, ']') ? true : scan_fail(s, ERR_JSON_SYNTAX, "',' or ']' expected");
}

/* Recursion is bounded by depth_left. Takes the empty container. */
static bool scan_container(struct scan *s, char end, struct json_object *container,
                           bool (*inside)(struct scan *, struct json_object *))
{
    AUTO_JSON struct json_object *own = container;
    s->at++;
    if (s->depth_left == 0) {
        return scan_fail(s, ERR_JSON_LIMIT, "nested too deep");
    }
    scan_white_space(s);
    if (!scan_char(s, end)) {
        s->depth_left--;
        bool good = inside(s, own);
        s->depth_left++;
        if (!good) {
            return false;
        }
    }
    s->value = TAKE(own);
    return true;
}

/* Only a value that is complete is in s->value. */
static bool scan_value(struct scan *s)
{
    bool good = false;
    scan_white_space(s);
    char c = scan_peek(s);
    if (c == '{') {
        good = scan_container(s, '}', json_object_new_object(), scan_members);
    } else if (c == '[') {
        good = scan_container(s, ']', json_object_new_array(), scan_elements);
    } else if (c == '"') {
        good = scan_string(s, false);
        s->value = good ? json_object_new_string_len(s->string.data, (int)s->string.len) : NULL;
    } else if (c == 't') {
        good = scan_word(s, "true", json_object_new_boolean(true));
    } else if (c == 'f') {
        good = scan_word(s, "false", json_object_new_boolean(false));
    } else if (c == 'n') {
        good = scan_word(s, "null", NULL);
    } else {
        good = scan_number(s);
    }
    scan_white_space(s);
    return good;
}

int json_parse(struct str text, const struct json_limits *limits, struct json_object **ret,
               struct err *err)
{
    if (text.len > limits->max_bytes || text.len > INT32_MAX) {
        return err_set(err, ERR_JSON_LIMIT, "%zu bytes, the limit is %zu", text.len,
                       limits->max_bytes);
    }
    if (!str_is_utf8(text)) {
        return err_set(err, ERR_BAD_UTF8, "JSON of %zu bytes", text.len);
    }
    struct scan s = {.text = text, .depth_left = limits->max_depth};
    buf_init(&s.string, text.len);
    bool good = scan_value(&s) &&
                (s.at == text.len || scan_fail(&s, ERR_JSON_SYNTAX, "bytes after the value"));
    AUTO_JSON struct json_object *value = s.value;
    buf_release(&s.string);
    if (!good) {
        return err_set(err, s.id, "offset %zu: %s", s.at, s.why);
    }
    *ret = TAKE(value);
    return 0;
}

int json_add_member(struct json_object *object, const char *key, struct json_object *value)
{
    if (json_object_object_get_ex(object, key, NULL)) {
        return (json_object_object_add)(object, key, value);
    }
    /* json-c's own function would continue with a key of NULL. */
    char *own = strdup(key);
    NEED_MEMORY(own != NULL);
    NEED_MEMORY(lh_table_insert(json_object_get_object(object), own, value) == 0);
    return 0;
}

/* ------------------------------------------------------------------ getters */

struct json_object *json_get(const struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value)) {
        return NULL;
    }
    return value;
}

struct json_object *json_item(const struct json_object *array, size_t index)
{
    return index < json_len(array) ? json_object_array_get_idx(array, index) : NULL;
}

size_t json_len(const struct json_object *array)
{
    return json_is_array(array) ? json_object_array_length(array) : 0;
}

bool json_is_object(const struct json_object *value)
{
    return json_object_is_type(value, json_type_object) != 0;
}

bool json_is_array(const struct json_object *value)
{
    return json_object_is_type(value, json_type_array) != 0;
}

bool json_is_text(const struct json_object *value)
{
    return json_object_is_type(value, json_type_string) != 0;
}

bool json_is_number(const struct json_object *value)
{
    return json_object_is_type(value, json_type_int) != 0 ||
           json_object_is_type(value, json_type_double) != 0;
}

/* json-c's string getters take a non-const pointer, although they do not visibly change the
 * value. */
static struct json_object *unconst(const struct json_object *value)
{
    return (struct json_object *)(uintptr_t)value;
}

struct str json_value_str(const struct json_object *value)
{
    if (!json_is_text(value)) {
        return str_c("");
    }
    return str_n(json_object_get_string(unconst(value)), (size_t)json_object_get_string_len(value));
}

const char *json_text(const struct json_object *object, const char *key)
{
    struct str text = json_value_str(json_get(object, key));
    return strlen(text.ptr) == text.len ? text.ptr : "";
}

struct str json_str(const struct json_object *object, const char *key)
{
    return json_value_str(json_get(object, key));
}

int64_t json_i64(const struct json_object *object, const char *key, int64_t fallback)
{
    const struct json_object *value = json_get(object, key);
    return json_object_is_type(value, json_type_int) != 0 ? json_object_get_int64(value) : fallback;
}

double json_double(const struct json_object *object, const char *key, double fallback)
{
    const struct json_object *value = json_get(object, key);
    return json_is_number(value) ? json_object_get_double(value) : fallback;
}

bool json_truth(const struct json_object *object, const char *key, bool fallback)
{
    const struct json_object *value = json_get(object, key);
    return json_object_is_type(value, json_type_boolean) != 0 ? json_object_get_boolean(value) != 0
                                                              : fallback;
}

/* ------------------------------------------------------------------ pointers */

enum { POINTER_KEY_MAX = 1024 };

/* The result is not longer than the token. */
static bool pointer_unescape(struct str token, char out[POINTER_KEY_MAX + 1])
{
    size_t len = 0;
    if (token.len > POINTER_KEY_MAX) {
        return false;
    }
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        if (c == '~') {
            char next = '\0';
            if (++i < token.len) {
                next = token.ptr[i];
            }
            if (next != '0' && next != '1') {
                return false;
            }
            c = '~';
            if (next == '1') {
                c = '/';
            }
        }
        if (c == '\0') {
            return false;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

static bool pointer_index(struct str token, size_t len, size_t *ret)
{
    int64_t index = 0;
    if (token.len == 0 || token.ptr[0] < '0' || token.ptr[0] > '9' ||
        (token.len > 1 && token.ptr[0] == '0') || !str_to_i64(token, &index) ||
        (uint64_t)index >= len) {
        return false;
    }
    *ret = (size_t)index;
    return true;
}

bool json_pointer(struct json_object *root, struct str pointer, struct json_object **ret)
{
    struct json_object *value = root;
    if (pointer.len > 0 && pointer.ptr[0] != '/') {
        return false;
    }
    char key[POINTER_KEY_MAX + 1];
    while (pointer.len > 0) {
        struct str token = str_n(pointer.ptr + 1, pointer.len - 1);
        const char *slash = memchr(token.ptr, '/', token.len);
        if (slash != NULL) {
            token.len = (size_t)(slash - token.ptr);
        }
        pointer = str_n(token.ptr + token.len, pointer.len - 1 - token.len);
        size_t index = 0;
        if (json_is_object(value)) {
            if (!pointer_unescape(token, key) || !json_object_object_get_ex(value, key, &value)) {
                return false;
            }
        } else if (json_is_array(value) && pointer_index(token, json_len(value), &index)) {
            value = json_object_array_get_idx(value, index);
        } else {
            return false;
        }
    }
    *ret = value;
    return true;
}

struct json_object *json_at(struct json_object *root, const char *pointer)
{
    struct json_object *value = NULL;
    return json_pointer(root, str_c(pointer), &value) ? value : NULL;
}

/* ------------------------------------------------------------------ texts */

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_quoted(struct buf *out, struct str text)
{
    buf_add_char(out, '"');
    buf_add_json(out, text);
    buf_add_char(out, '"');
}

static void add_double(struct buf *out, double value)
{
    char text[JSON_NUMBER_SIZE];
    buf_add(out, text, json_number_double(value, text));
}

static void add_value(struct buf *out, const struct json_object *value, bool canonical);

static void add_member(struct buf *out, const char *key, const struct json_object *value,
                       bool canonical, bool first)
{
    buf_add_c(out, first ? "" : ",");
    add_quoted(out, str_c(key));
    buf_add_char(out, ':');
    add_value(out, value, canonical);
}

static void add_sorted_object(struct buf *out, const struct json_object *object)
{
    size_t count = (size_t)json_object_object_length(object);
    AUTO_FREE const char **keys = calloc(count + 1, sizeof(*keys));
    ASSERT(keys != NULL);
    size_t n = 0;
    struct json_object_iter it;
    json_object_object_foreachC(object, it)
    {
        keys[n++] = it.key;
    }
    qsort(keys, n, sizeof(*keys), by_key);
    for (size_t i = 0; i < n; i++) {
        add_member(out, keys[i], json_get(object, keys[i]), true, i == 0);
    }
}

static void add_object(struct buf *out, const struct json_object *object)
{
    bool first = true;
    struct json_object_iter it;
    json_object_object_foreachC(object, it)
    {
        add_member(out, it.key, it.val, false, first);
        first = false;
    }
}

/* The text of json-c. It is short: for a long one json-c leaves parts out when memory runs out, and
 * does not say so. */
static void add_number(struct buf *out, const struct json_object *value)
{
    const char *text = json_object_to_json_string_ext(unconst(value), JSON_C_TO_STRING_PLAIN);
    NEED_MEMORY(text != NULL);
    buf_add_c(out, text);
}

static void add_value(struct buf *out, const struct json_object *value, bool canonical)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        buf_add_c(out, "null");
        break;
    case json_type_boolean:
        buf_add_c(out, json_object_get_boolean(value) != 0 ? "true" : "false");
        break;
    case json_type_double:
        if (canonical) {
            add_double(out, json_object_get_double(value));
        } else {
            add_number(out, value);
        }
        break;
    case json_type_int:
        add_number(out, value);
        break;
    case json_type_string:
        add_quoted(out, json_value_str(value));
        break;
    case json_type_object:
        buf_add_char(out, '{');
        (canonical ? add_sorted_object : add_object)(out, value);
        buf_add_char(out, '}');
        break;
    case json_type_array: {
        size_t len = json_len(value);
        buf_add_char(out, '[');
        for (size_t i = 0; i < len; i++) {
            buf_add_c(out, i == 0 ? "" : ",");
            add_value(out, json_item(value, i), canonical);
        }
        buf_add_char(out, ']');
        break;
    }
    }
}

void json_add_canonical(struct buf *out, const struct json_object *value)
{
    add_value(out, value, true);
}

void json_add_text(struct buf *out, struct json_object *value)
{
    add_value(out, value, false);
}

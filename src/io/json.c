#include "io/json.h"

#include "base/check.h"
#include "json_number.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------ strict reading */

/*
 * json-c accepts more than RFC 8259, saturates large numbers and keeps the last of two equal keys,
 * all silently. So a scanner first checks the grammar and counts the members; json-c only builds
 * the tree of a text that is known to be valid.
 */
struct scan {
    struct str text;
    size_t at;
    int depth_left;
    size_t members;
    enum err_id id; /* the error that stopped the scan */
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

static bool scan_hex4(struct scan *s, unsigned *ret)
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
        *ret = *ret * 16 + (unsigned)(digit - digits);
        s->at++;
    }
    return true;
}

static bool scan_string(struct scan *s, bool key)
{
    if (!scan_char(s, '"')) {
        return scan_fail(s, ERR_JSON_SYNTAX, "string expected");
    }
    for (;;) {
        if (s->at >= s->text.len) {
            return scan_fail(s, ERR_JSON_SYNTAX, "unterminated string");
        }
        unsigned char c = (unsigned char)s->text.ptr[s->at++];
        if (c == '"') {
            return true;
        }
        if (c < 0x20) {
            return scan_fail(s, ERR_JSON_SYNTAX, "control byte in a string");
        }
        if (c != '\\') {
            continue;
        }
        char e = scan_peek(s);
        s->at++;
        if (e == 'u') {
            unsigned code = 0;
            if (!scan_hex4(s, &code)) {
                return false;
            }
            if (key && code == 0) {
                return scan_fail(s, ERR_JSON_SYNTAX, "NUL in a key");
            }
        } else if (e == '\0' || strchr("\"\\/bfnrt", e) == NULL) {
            return scan_fail(s, ERR_JSON_SYNTAX, "unknown escape");
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
    errno = 0;
    if (!whole) {
        return isfinite(strtod(text, NULL)) ? true
                                            : scan_fail(s, ERR_JSON_LIMIT, "number is too large");
    }
    if (negative) {
        (void)strtoll(text, NULL, 10);
    } else {
        (void)strtoull(text, NULL, 10);
    }
    return errno == ERANGE ? scan_fail(s, ERR_JSON_LIMIT, "number is too large") : true;
}

static bool scan_word(struct scan *s, const char *word)
{
    struct str rest = str_n(s->text.ptr + s->at, s->text.len - s->at);
    if (!str_starts(rest, word)) {
        return scan_fail(s, ERR_JSON_SYNTAX, "value expected");
    }
    s->at += strlen(word);
    return true;
}

static bool scan_value(struct scan *s);

static bool scan_members(struct scan *s)
{
    do {
        scan_white_space(s);
        if (!scan_string(s, true)) {
            return false;
        }
        scan_white_space(s);
        if (!scan_char(s, ':')) {
            return scan_fail(s, ERR_JSON_SYNTAX, "':' expected");
        }
        if (!scan_value(s)) {
            return false;
        }
        s->members++;
    } while (scan_char(s, ','));
    return scan_char(s, '}') ? true : scan_fail(s, ERR_JSON_SYNTAX, "',' or '}' expected");
}

static bool scan_elements(struct scan *s)
{
    do {
        if (!scan_value(s)) {
            return false;
        }
    } while (scan_char(s, ','));
    return scan_char(s, ']') ? true : scan_fail(s, ERR_JSON_SYNTAX, "',' or ']' expected");
}

/* Recursion is bounded by depth_left. */
static bool scan_container(struct scan *s, char end, bool (*inside)(struct scan *))
{
    s->at++;
    if (s->depth_left == 0) {
        return scan_fail(s, ERR_JSON_LIMIT, "nested too deep");
    }
    scan_white_space(s);
    if (scan_char(s, end)) {
        return true;
    }
    s->depth_left--;
    bool good = inside(s);
    s->depth_left++;
    return good;
}

static bool scan_value(struct scan *s)
{
    bool good = false;
    scan_white_space(s);
    char c = scan_peek(s);
    if (c == '{') {
        good = scan_container(s, '}', scan_members);
    } else if (c == '[') {
        good = scan_container(s, ']', scan_elements);
    } else if (c == '"') {
        good = scan_string(s, false);
    } else if (c == 't') {
        good = scan_word(s, "true");
    } else if (c == 'f') {
        good = scan_word(s, "false");
    } else if (c == 'n') {
        good = scan_word(s, "null");
    } else {
        good = scan_number(s);
    }
    scan_white_space(s);
    return good;
}

static size_t count_members(const struct json_object *value)
{
    size_t members = 0;
    if (json_object_is_type(value, json_type_object)) {
        struct json_object_iter it;
        json_object_object_foreachC(value, it)
        {
            members += 1 + count_members(it.val);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        size_t len = json_object_array_length(value);
        for (size_t i = 0; i < len; i++) {
            members += count_members(json_object_array_get_idx(value, i));
        }
    }
    return members;
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
    if (!scan_value(&s)) {
        return err_set(err, s.id, "offset %zu: %s", s.at, s.why);
    }
    if (s.at < text.len) {
        return err_set(err, ERR_JSON_SYNTAX, "offset %zu: bytes after the value", s.at);
    }
    /* json-c counts a scalar as one more level. */
    struct json_tokener *tokener = json_tokener_new_ex(limits->max_depth + 2);
    ASSERT(tokener != NULL);
    AUTO_JSON struct json_object *value = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) {
        /* A number at the end might continue in the next chunk; the NUL ends it. */
        value = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
    }
    json_tokener_free(tokener);
    if (error != json_tokener_success) {
        return err_set(err, ERR_JSON_SYNTAX, "%s", json_tokener_error_desc(error));
    }
    if (count_members(value) != s.members) {
        return err_set(err, ERR_JSON_SYNTAX, "an object has the same key twice");
    }
    *ret = TAKE(value);
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

static bool pointer_unescape(struct str token, struct buf *out)
{
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
        buf_add_char(out, c);
    }
    return !buf_failed(out) && memchr(out->data, '\0', out->len) == NULL;
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
    AUTO_BUF struct buf key = BUF_INIT(1024);
    while (pointer.len > 0) {
        struct str token = str_n(pointer.ptr + 1, pointer.len - 1);
        const char *slash = memchr(token.ptr, '/', token.len);
        if (slash != NULL) {
            token.len = (size_t)(slash - token.ptr);
        }
        pointer = str_n(token.ptr + token.len, pointer.len - 1 - token.len);
        size_t index = 0;
        if (json_is_object(value)) {
            buf_clear(&key);
            if (!pointer_unescape(token, &key) ||
                !json_object_object_get_ex(value, key.data, &value)) {
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
    buf_add_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        buf_add_c(out, i == 0 ? "" : ",");
        add_quoted(out, str_c(keys[i]));
        buf_add_char(out, ':');
        json_add_canonical(out, json_get(object, keys[i]));
    }
    buf_add_char(out, '}');
}

void json_add_canonical(struct buf *out, const struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        buf_add_c(out, "null");
        break;
    case json_type_boolean:
        buf_add_c(out, json_object_get_boolean(value) != 0 ? "true" : "false");
        break;
    case json_type_double:
        add_double(out, json_object_get_double(value));
        break;
    case json_type_int:
        buf_add_c(out, json_object_to_json_string_ext(unconst(value), JSON_C_TO_STRING_PLAIN));
        break;
    case json_type_string:
        add_quoted(out, json_value_str(value));
        break;
    case json_type_object:
        add_sorted_object(out, value);
        break;
    case json_type_array: {
        size_t len = json_len(value);
        buf_add_char(out, '[');
        for (size_t i = 0; i < len; i++) {
            buf_add_c(out, i == 0 ? "" : ",");
            json_add_canonical(out, json_item(value, i));
        }
        buf_add_char(out, ']');
        break;
    }
    }
}

void json_add_text(struct buf *out, struct json_object *value)
{
    buf_add_c(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE));
}

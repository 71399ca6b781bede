#include "json_candles.h"

#include "io/json.h"

static size_t skip_blanks(struct str s, size_t at)
{
    while (at < s.len &&
           (s.ptr[at] == ' ' || s.ptr[at] == '\t' || s.ptr[at] == '\n' || s.ptr[at] == '\r')) {
        at++;
    }
    return at;
}

enum json_candles json_candles_next(struct str *rest, bool first, struct str *ret)
{
    struct str s = *rest;
    size_t at = skip_blanks(s, 0);
    if (at < s.len && s.ptr[at] == ']') {
        *rest = str_n(s.ptr + at + 1, s.len - at - 1);
        return JSON_CANDLES_END;
    }
    if (at < s.len && !first) {
        if (s.ptr[at] != ',') {
            return JSON_CANDLES_WRONG;
        }
        at = skip_blanks(s, at + 1);
    }
    if (at == s.len) {
        return JSON_CANDLES_MORE;
    }
    if (s.ptr[at] != '[') {
        return JSON_CANDLES_WRONG;
    }
    bool quoted = false;
    for (size_t end = at + 1; end < s.len; end++) {
        char c = s.ptr[end];
        if (c == '"') {
            quoted = !quoted;
        } else if (quoted && c == '\\') {
            end++;
        } else if (!quoted && (c == '[' || c == '{')) {
            return JSON_CANDLES_WRONG;
        } else if (!quoted && c == ']') {
            *ret = str_n(s.ptr + at + 1, end - at - 1);
            *rest = str_n(s.ptr + end + 1, s.len - end - 1);
            return JSON_CANDLES_ENTRY;
        }
    }
    return JSON_CANDLES_MORE;
}

bool json_candles_entry_is_valid(struct str entry)
{
    AUTO_JSON struct json_object *value = NULL;
    /* The brackets stand around the entry in the text that it was cut from. */
    return json_parse(str_n(entry.ptr - 1, entry.len + 2), &JSON_LIMITS_DEFAULT, &value, NULL) == 0;
}

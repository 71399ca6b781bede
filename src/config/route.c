#include "config/route.h"

#include "base/str.h"
#include "io/zone.h"
#include "model/notice.h"
#include "value.h"

#include <string.h>

static bool parse_kinds(struct str list, uint32_t *ret)
{
    struct str part;
    *ret = 0;
    while (str_split(&list, ',', &part)) {
        uint32_t kinds = 0;
        if (!notice_kinds_parse(str_trim(part), &kinds)) {
            return false;
        }
        *ret |= kinds;
    }
    return *ret != 0;
}

static bool parse_target(struct str target, struct config_route *ret)
{
    struct str chat;
    if (str_starts(target, "role:")) {
        target = str_n(target.ptr + 5, target.len - 5);
        return str_copy(target, ret->role, sizeof(ret->role)) &&
               (str_equal_c(target, "admin") || str_equal_c(target, "operator") ||
                str_equal_c(target, "read_only"));
    }
    bool has_topic = memchr(target.ptr, '/', target.len) != NULL;
    return str_split(&target, '/', &chat) && str_to_i64(chat, &ret->chat_id) && ret->chat_id != 0 &&
           (!has_topic || (str_to_i64(target, &ret->topic) && ret->topic > 0));
}

bool config_route_parse(const char *text, struct config_route *ret)
{
    *ret = (struct config_route){0};
    const char *to = strstr(text, " to ");
    return to != NULL && parse_kinds(str_n(text, (size_t)(to - text)), &ret->kinds) &&
           parse_target(str_trim(str_c(to + 4)), ret);
}

bool config_quiet_parse(const char *text, int *ret_from, int *ret_to)
{
    char from[8];
    const char *dash = strchr(text, '-');
    if (dash == NULL || !str_copy(str_n(text, (size_t)(dash - text)), from, sizeof(from))) {
        return false;
    }
    *ret_from = zone_parse_minute(from);
    *ret_to = zone_parse_minute(dash + 1);
    return *ret_from >= 0 && *ret_to >= 0 && *ret_from != *ret_to;
}

bool config_step_parse(const char *text, struct config_step *ret)
{
    struct str rest = str_c(text);
    struct str after, to, more;
    *ret = (struct config_step){0};
    if (!str_word(&rest, &after) || !value_read_duration(after, &ret->after_us) ||
        ret->after_us <= 0 || !str_word(&rest, &to) || str_word(&rest, &more)) {
        return false;
    }
    if (str_to_i64(to, &ret->chat_id)) {
        return ret->chat_id != 0;
    }
    struct config_route role = {0};
    return str_copy(to, ret->to, sizeof(ret->to)) &&
           (!str_starts(to, "role:") || parse_target(to, &role));
}

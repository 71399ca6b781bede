#include "model/notice.h"

#include "names.h"

static const char *const kind_words[] = {
    [NOTICE_INFO] = "info",         [NOTICE_LOW] = "low",     [NOTICE_MEDIUM] = "medium",
    [NOTICE_HIGH] = "high",         [NOTICE_ENTRY] = "entry", [NOTICE_EXIT] = "exit",
    [NOTICE_CRITICAL] = "critical", [NOTICE_VETO] = "veto",   [NOTICE_PAUSE] = "pause",
    [NOTICE_START] = "start",       [NOTICE_DAILY] = "daily", [NOTICE_REPORT] = "report",
    [NOTICE_WEEKLY] = "weekly",
};
_Static_assert(COUNT_OF(kind_words) == NOTICE_KIND_COUNT, "a word for each kind");

NAMES_PRINT(notice_kind, enum notice_kind, kind_words)
NAMES_PARSE(notice_kind, enum notice_kind, kind_words)

bool notice_kinds_parse(struct str s, uint32_t *ret)
{
    enum notice_kind kind;
    if (notice_kind_parse(s, &kind)) {
        *ret = UINT32_C(1) << kind;
    } else if (str_equal_c(s, "alerts")) {
        *ret = (UINT32_C(1) << (NOTICE_CRITICAL + 1)) - 1;
    } else if (str_equal_c(s, "trades")) {
        *ret = UINT32_C(1) << NOTICE_ENTRY | UINT32_C(1) << NOTICE_EXIT;
    } else if (str_equal_c(s, "all")) {
        *ret = (UINT32_C(1) << NOTICE_KIND_COUNT) - 1;
    } else {
        return false;
    }
    return true;
}

enum notice_kind notice_of_severity(enum severity severity)
{
    return (enum notice_kind)severity;
}

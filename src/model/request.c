#include "model/request.h"

#include "names.h"

static const char *const kind_words[] = {
    [REQUEST_PAUSE] = "pause",
    [REQUEST_RESUME] = "resume",
    [REQUEST_CLOSE] = "close",
    [REQUEST_EMERGENCY_STOP] = "emergency_stop",
    [REQUEST_CLEAR_EMERGENCY] = "clear_emergency",
    [REQUEST_MAINTENANCE] = "maintenance",
    [REQUEST_CANCEL] = "cancel",
    [REQUEST_AMEND] = "amend",
    [REQUEST_RULE_ADD] = "rule_add",
    [REQUEST_RULE_STATUS] = "rule_status",
    [REQUEST_COOLDOWN] = "cooldown",
    [REQUEST_RECONNECT] = "reconnect",
    [REQUEST_GO_LIVE] = "go_live",
    [REQUEST_CAPITAL] = "capital",
};

NAMES_PRINT(request_kind, enum request_kind, kind_words)

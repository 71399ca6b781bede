/*
 * troubleshoot.h: the action assistant.troubleshoot, and the free text that goes on in a session.
 * Private to this module.
 *
 *     struct troubleshoot_words words = troubleshoot_read(str_c("end 3"));
 *
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct action_call;

enum troubleshoot_verb {
    TROUBLESHOOT_SAY, /* text: what is wrong, or the next thing that is said; "": nothing */
    TROUBLESHOOT_LIST,
    TROUBLESHOOT_SHOW,
    TROUBLESHOOT_JOIN,
    TROUBLESHOOT_OPEN,
    TROUBLESHOOT_END
};

struct troubleshoot_words {
    enum troubleshoot_verb verb;
    int64_t session_id; /* 0: that of the chat */
    struct str text;
};

/* "list", "3", "join 3", "open 3", "end", "end 3" and "#3 text", in any case; all else is said. */
struct troubleshoot_words troubleshoot_read(struct str what);

int troubleshoot_run(struct action_call *call, struct err *err);
void troubleshoot_cancel(struct action_call *call);

/*
 * handover.h: what is done with a troubleshooting session as a whole: joining it, opening it again,
 * showing it, ending it, each with its transcript where that is asked for. Private to this module.
 *
 *     rc = handover_start(call, HANDOVER_END, 3, err);      // ACTION_PENDING
 *     handover_idle(assistant, 3);                          // ends it, if none is under way
 *
 * Always true: the transcript is written on a helper with a connection of its own; a session is
 * closed together with the messages that say so, so after a crash before that it still is open; a
 * document that goes to all holds no result that one of them may not read.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct action_call;
struct assistant;

enum handover_kind { HANDOVER_SHOW, HANDOVER_JOIN, HANDOVER_OPEN, HANDOVER_END };

int handover_start(struct action_call *call, enum handover_kind kind, int64_t session_id,
                   struct err *err);
void handover_idle(struct assistant *assistant, int64_t session_id);
/* False: the call is no handover. */
bool handover_cancel(struct action_call *call);
void handover_stop_all(struct assistant *assistant);

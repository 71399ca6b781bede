/*
 * service_list.h: the actions that show services: all of them, one with its checks, or one state
 * for a step.
 *
 *     {.name = "service.list", .run = service_list}
 *
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "command/action.h"

int service_list(struct action_call *call, struct err *err);
int service_show_state(struct action_call *call, struct err *err);

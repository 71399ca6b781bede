/*
 * builtin.h: the action tables behind include/command/builtin.h. Private to this module.
 *
 *     action_table_add(table, action_help_rows, builtin);
 *
 * Thread: ops.
 */
#pragma once

#include "command/builtin.h"

extern const struct action action_help_rows[];
extern const struct action action_access_rows[];
extern const struct action action_runs_rows[];
extern const struct action action_proposals_rows[];
extern const struct action action_users_rows[];
extern const struct action action_otp_rows[];
extern const struct action action_tokens_rows[];
extern const struct action action_web_rows[];
extern const struct action approval_rows[];
extern const struct action plan_rows[];
extern const struct value_domain action_access_users; /* userdata: struct builtin */

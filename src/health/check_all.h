/*
 * check_all.h: the action health.check: checks every service now, waits for the results, and
 * explains them, worst first. Private to this module.
 *
 *     action_table_add(table, check_all_actions, health);
 *
 * Thread: ops.
 */
#pragma once

#include "command/action.h"

extern const struct action check_all_actions[]; /* userdata: struct health */

/*
 * cli_actions.h: the actions of all modules, to be described or to check manifests with, never to
 * be run. Private to this module.
 *
 *     struct builtin builtin = {0};
 *     struct action_table *table = cli_actions(&builtin);
 *     ...
 *     action_table_free(table);
 *
 * Thread: main.
 */
#pragma once

#include "command/builtin.h"

/* builtin must outlive the table. */
struct action_table *cli_actions(struct builtin *builtin);

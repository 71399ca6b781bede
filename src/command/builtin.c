#include "builtin.h"

void builtin_actions(struct builtin *builtin, struct action_table *table)
{
    action_table_add(table, action_help_rows, builtin);
    action_table_add(table, action_access_rows, builtin);
    action_table_add(table, action_runs_rows, builtin);
}

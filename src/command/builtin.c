#include "builtin.h"

void builtin_actions(struct builtin *builtin, struct action_table *table)
{
    action_table_add(table, action_help_rows, builtin);
    action_table_add(table, action_access_rows, builtin);
    action_table_add(table, action_runs_rows, builtin);
    action_table_add(table, action_proposals_rows, builtin);
    action_table_add(table, action_users_rows, builtin);
    action_table_add(table, action_otp_rows, builtin);
    action_table_add(table, action_tokens_rows, builtin);
    action_table_add(table, action_web_rows, builtin);
    action_table_add(table, approval_rows, NULL);
    action_table_add(table, plan_rows, NULL);
    builtin->actions = table;
    if (builtin->access != NULL) {
        action_table_add_domain(table, &action_access_users, builtin);
    }
}

#include "cli_actions.h"

#include "alerts/alerts.h"
#include "assistant/assistant.h"
#include "assistant/measure.h"
#include "assistant/recommend.h"
#include "assistant/review.h"
#include "assistant/self_report.h"
#include "auditor/auditor.h"
#include "deploy/deploy.h"
#include "health/autofix.h"
#include "health/health.h"
#include "learning/learner.h"
#include "ops/backup_actions.h"
#include "ops/cleanup_actions.h"
#include "ops/outbox_actions.h"
#include "ops/reload.h"
#include "sentiment/sentiment.h"
#include "trading/desk.h"

struct action_table *cli_actions(struct builtin *builtin)
{
    struct action_table *table = action_table_new();
    builtin_actions(builtin, table);
    desk_actions(NULL, table);
    alerts_actions(NULL, table);
    health_actions(NULL, table);
    deploy_actions(NULL, table);
    autofix_actions(NULL, table);
    reload_actions(NULL, table);
    auditor_actions(NULL, table);
    review_actions(NULL, table);
    self_report_actions(NULL, table);
    learner_actions(NULL, table);
    sentiment_actions(NULL, table);
    measure_actions(NULL, table);
    assistant_actions(NULL, table);
    recommend_actions(NULL, table);
    backup_actions_add(NULL, table);
    outbox_actions_add(NULL, table);
    cleanup_actions_add(NULL, table);
    return table;
}

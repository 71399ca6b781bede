#include "rigs/config_rig.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

static const char *const variables[] = {
    "TELEGRAM_BOT_TOKEN",    "TELEGRAM_CHAT_ID",        "CLAUDE_API_KEY",
    "ANTHROPIC_BASE_URL",    "NIGHTDESK_HEARTBEAT_URL", "NIGHTDESK_API_TOKEN",
    "CREDENTIALS_DIRECTORY", "NIGHTDESK_TEST_VALUE",    "NIGHTDESK_TEST_OTHER"};

int config_rig_clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        (void)unsetenv(variables[i]);
    }
    return 0;
}

struct config *config_rig_parse(const char *text)
{
    struct err err = {0};
    struct config *config = NULL;
    if (config_parse(str_c(text), "t.yaml", &config, NULL, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return config;
}

void config_rig_problem(const char *text, enum err_id id, const char *context)
{
    struct config_problems problems;
    struct config *config = NULL;
    struct err err = {0};
    int rc = config_parse(str_c(text), "t.yaml", &config, &problems, &err);
    assert_null(config);
    if (problems.count != 1 || problems.items[0].id != (int)id || rc != -(int)id ||
        strcmp(problems.items[0].context, context) != 0 || strcmp(err.context, context) != 0) {
        fail_msg("%s\ngot %d problems, rc %d, %s: %s\nwanted %s: %s", text, problems.count, rc,
                 err_info(problems.items[0].id)->code, problems.items[0].context,
                 err_info((int)id)->code, context);
    }
}

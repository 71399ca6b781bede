/* config_rig.h: parses configurations in a clean environment, for the tests of config. */
#pragma once

#include "config/config.h"

/* Clears the environment variables that the options use, so that no test depends on them. A cmocka
 * setup. */
int config_rig_clean(void **state);
/* Of the file t.yaml; fails the test if there is a problem. */
struct config *config_rig_parse(const char *text);
/* Expects exactly one problem, with this id and context. */
void config_rig_problem(const char *text, enum err_id id, const char *context);

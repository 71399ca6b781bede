/*
 * config_read.h: from texts and YAML nodes into a struct config, collecting problems.
 *
 *     config_read_defaults(load);
 *     config_read_tree(load, yaml_root(doc));
 *     config_read_credentials(load, getenv("CREDENTIALS_DIRECTORY"));
 *     config_read_finish(load);
 *
 * Always true: every problem is added to load->problems; a value with a problem stays as it was.
 * Thread: main.
 */
#pragma once

#include "detail.h"

void config_read_defaults(struct load *load);
void config_read_tree(struct load *load, const struct yaml_node *root);
/* folder NULL or "": there are none. */
void config_read_credentials(struct load *load, const char *folder);
/* What needs more than one option: users from admin_users, the demo service, config_check. */
void config_read_finish(struct load *load, const struct yaml_node *root);

/* config_check.c: what options must not say together. root: for where they stand; NULL: no file. */
void config_check(struct load *load, const struct yaml_node *root);

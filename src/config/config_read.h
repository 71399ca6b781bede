/*
 * config_read.h: reads texts and YAML nodes into a struct config and collects all problems.
 *
 *     config_read_defaults(load);
 *     config_read_tree(load, yaml_root(doc));
 *     config_read_credentials(load);
 *     config_read_finish(load);
 *
 * Invariants: every problem is added to load->problems; a value with a problem is not changed.
 * Thread: main.
 */
#pragma once

#include "detail.h"

void config_read_defaults(struct load *load);
void config_read_tree(struct load *load, const struct yaml_node *root);
/* folder NULL or "": no credentials. */
void config_read_credentials(struct load *load);
/* unseal.c: a sealed secret, for expand_text; userdata is the load. The first call opens the file,
 * and adds a problem if it cannot be used. */
bool config_find_sealed(const char *name, struct buf *out, void *userdata);
/* Work across several options: users from admin_users, the demo service, config_check. */
void config_read_finish(struct load *load, const struct yaml_node *root);

/* config_check.c: checks across options. root gives their lines; NULL if there is no file. */
void config_check(struct load *load, const struct yaml_node *root);

/* config_check_notify.c: the part about mail, webhook, alerts and notifications. */
void config_check_notify(struct load *load, const struct yaml_node *root);

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
/* The fields of one item, such as a user, and the name of a group in it that its caller reads. */
struct config_fields {
    const struct option *fields;
    size_t count;
    const char *more; /* NULL: none */
};
/* Reads the fields of an item. path is "services.demo" or "telegram.users[2]". */
void config_read_fields(struct load *load, const struct config_fields *item, void *owner,
                        const struct yaml_node *map, const char *path);
/* Adds a problem unless the node is of this kind. */
bool config_expect_kind(struct load *load, const struct yaml_node *node, enum yaml_kind kind,
                        const char *path, const char *expected);

/* config_services.c: the services and their checks. */
void config_services_read(struct load *load, const struct yaml_node *map);
/* Adds the demo service if there are no others in the file; replaces `self` in commands. */
void config_services_finish(struct load *load, bool none);

/* Work across several options: users from admin_users, the demo service, config_check. */
void config_read_finish(struct load *load, const struct yaml_node *root);

/* config_check.c: checks across options. root gives their lines; NULL if there is no file. */
void config_check(struct load *load, const struct yaml_node *root);

/* config_check_api.c: the names by which the API may be called. */
void config_check_api(struct load *load, const struct yaml_node *root);
/* config_check_sentiment.c */
void config_check_sentiment(struct load *load, const struct yaml_node *root);
/* config_check_notify.c: the part about mail, webhook, alerts and notifications. */
void config_check_notify(struct load *load, const struct yaml_node *root);

/* config_check_venue.c: the coins of venue.reserved. */
void config_check_venue(struct load *load, const struct yaml_node *root);

/* limit.c: the part about risk.hard_limits. */
void config_check_limits(struct load *load, const struct yaml_node *root);

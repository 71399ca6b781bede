/*
 * body_rule.h: what the body of an answer must be, for a check of kind url.
 *
 *     struct body_rule *rule = body_rule_new(&check->config);
 *     if (!body_rule_holds(rule, response->body, reason, sizeof(reason))) fail(reason);
 *     body_rule_free(rule);
 *
 * Without a rule of the configuration, a body that says itself that the service is ill is refused:
 * JSON with "status" (or "state", "health") of a word such as "unhealthy", "down" or "fail", or
 * with "healthy" or "ok" that is false; or such a word alone. Reads BODY_RULE_BYTES at most.
 * Thread: ops.
 */
#pragma once

#include "base/str.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

#define BODY_RULE_BYTES ((size_t)64 * 1024)

struct body_rule;

/* The texts of config must outlive the rule. */
struct body_rule *body_rule_new(const struct config_check *config);
void body_rule_free(struct body_rule *rule); /* accepts NULL */
/* False: reason says what is wrong. */
bool body_rule_holds(struct body_rule *rule, struct str body, char *reason, size_t size);

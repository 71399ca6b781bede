/*
 * param.h: checks the values of arguments and parameters by type. Private to this module.
 *
 *     char text[PARAM_VALUE_SIZE];
 *     rc = param_check(&(struct param_rule){.name = "service", .type = PARAM_SERVICE}, config,
 *                      str_c("demo"), text, err);       // "no service demmo; did you mean demo?"
 *
 * Invariants: a checked value is in canonical form (symbols in upper case, prices without
 * grouping) and has at most PARAM_VALUE_SIZE - 1 bytes.
 * Thread: ops.
 */
#pragma once

#include "command/action.h"

#define PARAM_VALUE_SIZE 1024

struct config;

struct param_rule {
    const char *name;
    enum param_type type;
    const char *choices; /* "a|b|c"; may be NULL unless type is PARAM_CHOICE */
};

/* Without config (while manifests are loaded), symbols and services are not looked up. Error:
 * COMMAND_ARG_INVALID. */
int param_check(const struct param_rule *rule, const struct config *config, struct str value,
                char ret_text[PARAM_VALUE_SIZE], struct err *err);

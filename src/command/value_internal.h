/*
 * value_internal.h: shared by the files of values: value.c (what a value is), value_read.c (from
 * text and JSON), value_domain.c (what other modules know about it). Private to this module.
 *
 *     rc = value_domain_check(param, &value, context, err);
 *
 * Thread: ops.
 */
#pragma once

#include "command/value.h"

#define VALUE_SHOWN_MAX 60 /* bytes of a refused value in an error, so that the rest has space */

/* "now" when tables, manifests and their examples are checked: late, so that "-2h" and dates of the
 * past can be read at any time. */
#define VALUE_CHECK_NOW_US INT64_C(4102444800000000) /* 2100-01-01 */

/* The domain of a type; NULL if none is registered. */
const struct value_domain *action_table_domain(const struct action_table *table,
                                               enum param_type type, void **ret_userdata);
/* Looks the value up in the domain of its type, if there is one. */
int value_domain_check(const struct action_param *param, struct arg_value *value,
                       const struct value_context *context, struct err *err);
/* The number of a position, once it is looked up, becomes the symbol that could have been typed in
 * its place: from there on both are the same value, also for rules and stored runs. */
void value_settle(const struct action_param *param, struct arg_value *value);
/* The refusal of a value that is not among the candidates. */
int value_domain_refuse(const struct action_param *param, enum param_type type, struct str shown,
                        const struct value_context *context, struct err *err);
/* The alternative of param that accepted the value. Never NULL for a value made with param. */
const struct action_param *value_alternative(const struct action_param *param,
                                             const struct arg_value *value);

/*
 * config_value.h: writes the values of a struct config.
 *
 *     config_add_value(&text, &option_table[i], config);
 *     config_add_value(&text, &option_user_fields[f], &config->users[u]);
 *
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "option.h"

/* As in the file; a secret as "***", or "" if it is empty. owner: the struct that the option's
 * offset refers to. */
void config_add_value(struct buf *out, const struct option *option, const void *owner);

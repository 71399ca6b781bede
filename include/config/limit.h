/*
 * limit.h: the limits of risk as a person changes them, one by one: the options of risk and tiers
 * that options.def marks with where more risk is allowed.
 *
 *     struct config_limit limit;
 *     rc = config_limit_read(config, str_c("max_drawdown"), str_c("12%"), &limit, err);
 *     // limit.path "risk.max_drawdown", before "15%", after "12%", effect CONFIG_LIMIT_TIGHTER
 *     rc = config_limit_edit(text, path, &limit, &edited, err);       // the text of the file
 *
 * Always true: `after` is inside the range of its option and inside risk.hard_limits.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "config/config.h"

enum config_limit_effect {
    CONFIG_LIMIT_SAME,
    CONFIG_LIMIT_TIGHTER,
    CONFIG_LIMIT_LOOSER /* it allows more risk, or may do so */
};

struct config_limit {
    const char *path; /* of the table */
    const char *help;
    char before[40]; /* as in the file: "15%", "30m" */
    char after[40];
    double number; /* `after`: percent, a plain number, or microseconds */
    enum config_limit_effect effect;
};

/* Whether it names a limit, with or without its group. */
bool config_limit_is(struct str name);
/* Errors: CONFIG_UNKNOWN_KEY with the nearest name; CONFIG_TYPE and CONFIG_RANGE with what is
 * allowed, and who says so. */
int config_limit_read(const struct config *config, struct str name, struct str value,
                      struct config_limit *ret, struct err *err);
/* The text of the file with the new value; every other byte stays (yaml_edit.h). */
int config_limit_edit(struct str text, const char *file, const struct config_limit *limit,
                      struct buf *out, struct err *err);
/* Whether any limit of `after` allows more risk than that of `before`, or may do so. */
bool config_limits_loosen(const struct config *before, const struct config *after);
/* "tighter", "looser" or "unchanged" */
const char *config_limit_word(enum config_limit_effect effect);

/*
 * expand.h: replaces ${NAME} and ${NAME:-text} in a text; $${ is a literal ${.
 *
 *     rc = expand_text(scalar, &out, &used, NULL, "nightdesk.yaml:3:9: claude.api_key", err);
 *
 * Invariant: the value of a variable is not expanded again, so it cannot name another variable.
 * Thread: main (getenv).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define EXPAND_NAME_SIZE 64

struct expand_used {
    char name[EXPAND_NAME_SIZE]; /* of the last variable whose value was used; "" if none was */
    bool unset;                  /* the failure: a variable without a default is not set */
    bool any;                    /* the text names a variable: messages must not show its value */
};

/* Appends to out. credentials: the folder of systemd's credentials, whose files count as variables
 * that are not set otherwise; NULL: none. ERR_CONFIG_ENV, prefixed by `place`: not set without a
 * default, or malformed. */
int expand_text(struct str text, struct buf *out, struct expand_used *ret, const char *credentials,
                const char *place, struct err *err);

/*
 * expand.h: ${NAME} and ${NAME:-text} in a text; $${ is a literal ${.
 *
 *     rc = expand_text(scalar, &out, &used, "nightdesk.yaml:3:9: claude.api_key", err);
 *
 * Always true: what a variable holds is not looked at again, so that it cannot name another.
 * Thread: main (getenv).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define EXPAND_NAME_SIZE 64

struct expand_used {
    char name[EXPAND_NAME_SIZE]; /* of the last variable that gave its value; "" when none did */
    bool any;                    /* the text names variables: its value is not for messages */
};

/* Appends to out. ERR_CONFIG_ENV with `place` in front: not set and no default, or malformed. */
int expand_text(struct str text, struct buf *out, struct expand_used *ret, const char *place,
                struct err *err);

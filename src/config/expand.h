/*
 * expand.h: replaces ${NAME} and ${NAME:-text} in a text; $${ is a literal ${.
 *
 *     rc = expand_text(scalar, &out, &used, NULL, "nightdesk.yaml:3:9: claude.api_key", err);
 *
 * A secret's variable has more sources, in this order: the environment; systemd's credentials; the
 * sealed secrets; the text behind :-.
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
    bool sealed;                 /* the value is a sealed secret */
    bool any;                    /* the text names a variable: messages must not show its value */
};

/* What counts as a variable that the environment does not set. */
struct expand_sources {
    const char *credentials; /* folder of systemd's credentials; NULL or "": none */
    /* Appends the value; false if there is none. NULL: no sealed secrets. */
    bool (*sealed)(const char *name, struct buf *out, void *userdata);
    void *userdata;
};

/* Appends to out. more NULL: the environment only. ERR_CONFIG_ENV, prefixed by `place`: not set
 * without a default, or malformed. */
int expand_text(struct str text, struct buf *out, struct expand_used *ret,
                const struct expand_sources *more, const char *place, struct err *err);

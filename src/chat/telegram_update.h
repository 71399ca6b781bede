/*
 * telegram_update.h: what becomes of one update. Private to this module.
 *
 *     for (size_t i = 0; (kind = telegram_update_kind(i)) != NULL; i++) ... allowed_updates
 *     rc = telegram_update_accept(t, update, &moment, err);
 *
 * Invariants: whatever its kind, the sender is identified first, once, and here only; an update of
 * somebody who is no user reaches no command. A negative result means that it could not be stored:
 * it must not be confirmed to Telegram. Thread: ops.
 */
#pragma once

#include "fresh.h"
#include "telegram_internal.h"

/* When an update arrived. */
struct telegram_moment {
    struct fresh now;
    struct fresh empty; /* when our queue was last empty */
};

int telegram_update_accept(struct telegram *t, struct json_object *update,
                           const struct telegram_moment *moment, struct err *err);
/* The kinds that are asked for; NULL past the end. */
const char *telegram_update_kind(size_t index);

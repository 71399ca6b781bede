/*
 * mute_table.h: what people have muted for a while, in ops.db.
 *
 *     struct mute mute = {.kind = MUTE_SOURCE, .value = "health", .until_us = until, .user = "al"};
 *     mute_table_write(store, &mute, now_us, err);
 *     int n = mute_table_list(store, now_us, mutes, MUTES_MAX, err);
 *
 * Always true: one row per kind and value; a row whose time has passed is not listed, and is
 * deleted by the next write. Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUTES_MAX 64

enum mute_kind {
    MUTE_ALERT,  /* value: its number */
    MUTE_SOURCE, /* of alerts: "health" */
    MUTE_SYMBOL, /* of notifications, and of alerts that name it */
    MUTE_NOTICE, /* a kind of model/notice.h: "exit", "medium" */
    MUTE_ALL     /* value: "all" */
};
const char *mute_kind_name(enum mute_kind kind); /* "alert" "source" "symbol" "kind" "all" */

struct mute {
    enum mute_kind kind;
    char value[64];
    int64_t until_us;
    char user[64];
};

/* Replaces a mute of the same thing. ERR_ALERT_MUTE_MANY. */
int mute_table_write(struct ops_store *store, const struct mute *mute, int64_t now_us,
                     struct err *err);
int mute_table_remove(struct ops_store *store, enum mute_kind kind, const char *value,
                      bool *ret_was_there, struct err *err);
/* Those that end first come first; returns their number. */
int mute_table_list(struct ops_store *store, int64_t now_us, struct mute *ret, size_t max,
                    struct err *err);

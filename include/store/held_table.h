/*
 * held_table.h: what quiet hours and maintenance hold back, in ops.db, until one message at their
 * end tells it.
 *
 *     struct held_notice held = {.kind = NOTICE_EXIT, .at_us = now_us, .title = "BTC-USD closed"};
 *     held_table_add(store, &held, err);
 *     int n = held_table_list(store, "", kinds, rows, COUNT_OF(rows), &total, err);
 *     held_table_clear(store, "", err);
 *
 * Always true: an alert is held at most once; the title of an alert is that of its row.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/notice.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct held_notice {
    int64_t id; /* of the row; not read by held_table_add */
    enum notice_kind kind;
    int64_t at_us;
    char title[160];
    int64_t alert_id; /* 0: not an alert */
    char because[48]; /* "": quiet hours; "maintenance", or "maintenance:SERVICE" */
};

int held_table_add(struct ops_store *store, const struct held_notice *held, struct err *err);
/* The newest rows of these kinds (bits of model/notice.h), oldest first, at most max; *ret_total
 * counts all of them. Returns the number of rows. */
int held_table_list(struct ops_store *store, const char *because, uint32_t kinds,
                    struct held_notice *ret, size_t max, int64_t *ret_total, struct err *err);
/* A reason after this one, in the order of their texts, other than quiet hours; "" if there is
 * none. */
int held_table_next(struct ops_store *store, const char *after, char *ret, size_t size,
                    struct err *err);
int held_table_any(struct ops_store *store, const char *because, bool *ret, struct err *err);
int held_table_clear(struct ops_store *store, const char *because, struct err *err);
/* Takes the oldest rows of this reason out of the table, oldest first, at most max; *ret_left: how
 * many remain. Returns the number of rows. */
int held_table_take(struct ops_store *store, const char *because, struct held_notice *ret,
                    size_t max, int64_t *ret_left, struct err *err);

/*
 * request_table.h: requests that the engine has carried out or refused, in trading.db.
 *
 *     engine: request_table_add(store, &request, err_id, at_us, err);   // same transaction as the
 *                                                                       // effect
 *     ops:    request_table_result(reader, id, &result, err);           // did it happen?
 *
 * Always true: an id is added once; if it is found, the effect was committed.
 * Thread: add from the engine; result from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/request.h"
#include "store/trading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request_result {
    bool found;
    int err_id; /* ERR_NONE: done */
    int64_t at_us;
};

/* err_id: ERR_NONE, or the reason of the refusal (of either sign). ERR_STORE_DUPLICATE if the id
 * was added before. */
int request_table_add(struct trading_store *store, const struct request *request, int err_id,
                      int64_t at_us, struct err *err);
/* The id of the newest request of a kind that was carried out; 0: none. */
int request_table_last_done(struct trading_store *store, enum request_kind kind, int64_t *ret_id,
                            struct err *err);
/* A request that was carried out. */
struct request_done {
    struct symbol symbol;
    char by[32];
    int64_t at_us; /* market time */
};
/* Those of one kind among the newest REQUEST_TABLE_RECENT requests, newest first; returns the
 * number. */
#define REQUEST_TABLE_RECENT 5000
int request_table_newest_done(struct trading_store *store, enum request_kind kind,
                              struct request_done *ret, size_t max, struct err *err);
int request_table_result(struct trading_store *store, int64_t id, struct request_result *ret,
                         struct err *err);

/*
 * request_table.h: requests that took effect (or were refused) by the engine, in trading.db.
 *
 *     engine: request_table_add(store, &request, err_id, at_us, err);   // same transaction as the
 *                                                                       // effect
 *     ops:    request_table_result(reader, id, &result, err);           // did it happen?
 *
 * Always true: an id is added once; whoever finds it knows that the effect was committed.
 * Thread: add from the engine; result from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/request.h"
#include "store/trading.h"

#include <stdbool.h>
#include <stdint.h>

struct request_result {
    bool found;
    int err_id; /* ERR_NONE: done */
    int64_t at_us;
};

/* err_id: ERR_NONE or why it was refused (either sign). Adding an id again is
 * ERR_STORE_DUPLICATE. */
int request_table_add(struct trading_store *store, const struct request *request, int err_id,
                      int64_t at_us, struct err *err);
/* The newest that took effect of a kind: its id, 0 when there is none. */
int request_table_last_done(struct trading_store *store, enum request_kind kind, int64_t *ret_id,
                            struct err *err);
int request_table_result(struct trading_store *store, int64_t id, struct request_result *ret,
                         struct err *err);

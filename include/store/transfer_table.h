/*
 * transfer_table.h: money that was moved to or from the books, in trading.db, and the equity curve
 * without it.
 *
 *     rc = transfer_table_add(store, &transfer, err);   // in the transaction of its step
 *
 * Always true: a transfer is neither profit nor loss. The view equity_curve has the points of the
 * table equity as if all transfers after a point had been made before it, so that it moves by
 * profit and loss alone. Thread: add from the engine.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "store/trading.h"

struct transfer {
    int64_t request_id; /* in engine_requests, which says who asked; 0: the venue reported it */
    struct dec amount;  /* > 0: to the books */
    int64_t at_us;      /* market time: points of the equity curve from here on contain it */
};

int transfer_table_add(struct trading_store *store, const struct transfer *transfer,
                       struct err *err);

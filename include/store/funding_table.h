/*
 * funding_table.h: the funding payments that the engine has booked, in trading.db, and (table
 * charges) the fees of the account.
 *
 *     rc = funding_table_add(store, &payment, err);   // in the transaction of its step
 *
 * Always true: a payment is booked once; adding its id again fails, and the caller rolls the
 * transaction back. Thread: writes from the engine; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/funding.h"
#include "store/trading.h"

int funding_table_add(struct trading_store *store, const struct funding *payment, struct err *err);
/* The number of payments and their sum, without fees. */
int funding_table_sum(struct trading_store *store, int64_t *ret_count, struct dec *ret_paid,
                      struct err *err);

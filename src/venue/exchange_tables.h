/*
 * exchange_tables.h: the venues, and what their files share. Private to this module.
 *
 *     if ((rc = exchange_check_candle(&place, ask, previous_us, &candle, err)) < 0) return rc;
 *
 * Thread: any.
 */
#pragma once

#include "venue/exchange.h"
#include "venue/field.h"

extern const struct exchange binance_exchange, binance_futures_exchange, kraken_exchange,
    coinbase_exchange, alpaca_exchange, alpaca_sip_exchange;

/* A candle of an answer: it fits the timeframe, is possible, and opens after the one before it (0:
 * there is none). */
int exchange_check_candle(const struct field_place *place, const struct exchange_ask *ask,
                          int64_t previous_us, const struct candle *candle, struct err *err);
/* ERR_VENUE_REQUEST with the venue's words; an id of the catalogue other than that if it is known.
 */
enum exchange_verdict exchange_refuse(const char *venue, enum err_id id, const char *reason,
                                      struct err *err);

/*
 * position.h: an open position, and a closed trade.
 *
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/order.h"
#include "model/symbol.h"

#include <stdint.h>

struct position {
    struct symbol symbol;
    enum side side;
    struct dec qty; /* > 0 */
    struct dec entry_price;
    struct dec stop;
    struct dec target;
    struct dec mark_price;
    struct dec unrealised; /* at mark_price, without fees */
    struct dec fees;       /* paid so far */
    int64_t opened_us;     /* market time */
    int64_t decision_id;
    char client_id[CLIENT_ID_SIZE]; /* of the entry order */
};

struct trade {
    int64_t id;
    struct symbol symbol;
    enum side side;
    struct dec qty;
    struct dec entry_price;
    struct dec exit_price;
    struct dec pnl; /* realised, after all fees */
    struct dec fees;
    int64_t opened_us;
    int64_t closed_us;
    int64_t decision_id;
    char exit_reason[32];           /* "stop" "target" "signal" "operator" "emergency" */
    char client_id[CLIENT_ID_SIZE]; /* of the entry order */
    int64_t run_id;                 /* of the command whose order closed it; 0: see order.h */
};

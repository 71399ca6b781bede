/*
 * figures.h: sums of trades (store/figure_table.h) as people and programs read them. Private to
 * this module.
 *
 *     figures_fields(r, &sum);               // before fees, fees, funding, realised
 *     figures_json(&data, &sum);
 *
 * Always true: before fees - fees - funding = realised, to the last unit.
 * Thread: any.
 */
#pragma once

#include "command/reply.h"
#include "io/json_out.h"
#include "store/figure_table.h"

/* "+$2.39" "−$4.10"; without a sign if it is zero. */
struct cell figures_result(struct dec amount);
/* After fees and funding. */
struct dec figures_net(const struct figure_sum *sum);
struct dec figures_fees(const struct figure_sum *sum); /* of the trades, and of the account */
/* What was earned before fees and funding, and both: as three fields. */
void figures_fields(struct reply *r, struct dec before_fees, struct dec fees, struct dec funding);
/* How many trades, how many won, and the rates that follow from them. */
void figures_trades(struct reply *r, const struct figure_sum *sum);
/* Members of the open object: trades, wins, losses, …, profit_factor. */
void figures_json(struct json_out *data, const struct figure_sum *sum);

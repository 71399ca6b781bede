/*
 * view.h: what several actions show in the same way. Private to this module.
 *
 *     view_position(r, &s->positions[i]);
 *
 * Thread: any.
 */
#pragma once

#include "command/reply.h"
#include "model/position.h"
#include "model/snapshot.h"

/* Three lines that fit a phone:
 *     BTC-USD long 0.0031 @ 64,120.5
 *       +$2.39 (+1.2 %)
 *       SL 62,838.1  TP 66,685.3 */
void view_position(struct reply *r, const struct position *position);
/* "⚠ SOL-USD long 3 @ 150.21, not opened by the bot" */
/* What closing it at the price of this moment would give. */
void view_exit(struct reply *r, const struct position *p);
void view_foreign(struct reply *r, const struct snapshot_foreign *foreign);
/* "nd-3-41 close BTC-USD long 0.0031, filled @ 64,120.5 (operator), run 12" */
void view_order(struct reply *r, const struct order *o);
/* One of several buttons of a list, three in a row. */
void view_button(struct reply *r, int index, const char *text, const char *command);
/* Continues the last line by "  SL 62,838.1 TP 66,685.3"; omits a price that is not above zero. */
/* Where a position's stop and target are: at the venue or here. */
void view_legs(struct reply *r, const struct snapshot_legs *legs);
void view_bracket(struct reply *r, const struct symbol *symbol, struct dec stop, struct dec target);

struct desk;
/* All of /status but its outputs and data of the account; at most so many positions (0: all). The
 * message of /status live stays below the limit of Telegram. */
#define VIEW_LIVE_POSITIONS 12
void view_status(struct desk *desk, struct reply *r, int positions_max);

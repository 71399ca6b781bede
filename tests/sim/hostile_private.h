/*
 * hostile_private.h: the parts of the hostile venue and feed. hostile.c is the venue,
 * hostile_check.c what the engine may send to it, hostile_feed.c the feed.
 * Thread: as hostile.h.
 */
#pragma once

#include "sim/hostile.h"

/* Notes the first violation of a seed. */
__attribute__((format(printf, 2, 3))) void hostile_violation(struct hostile *h, const char *format,
                                                             ...);
bool hostile_chance(struct hostile *h, double probability);
/* Index of the symbol among those whose orders the venue refuses; -1: it is not. */
int hostile_find_refused(const struct hostile *h, struct symbol symbol);

/* An order, before it is sent. */
void hostile_check_send(struct hostile *h, const struct order *order);
void hostile_check_amend(struct hostile *h, const char *client_id, struct dec stop,
                         struct dec target);

extern const struct source_ops hostile_source_ops;

/*
 * hostile_private.h: the parts of the hostile venue and feed. hostile.c is the venue,
 * hostile_check.c what the engine may send to it, hostile_traits.c what personalities have of their
 * own, hostile_legs.c stops and targets that rest there, hostile_feed.c the feed, hostile_trace.c
 * what is printed of it. Thread: as hostile.h.
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

void hostile_queue(struct hostile *h, const struct venue_report *report, int64_t delay_us);

/* ---- hostile_traits.c ---- */
bool hostile_is_delisted(const struct hostile *h, struct symbol symbol);
void hostile_traits_init(struct hostile *h);
/* What the venue is, and what is over. */
void hostile_traits_look(struct hostile *h);
/* A report of the paper venue becomes one of the personality. */
void hostile_traits_dress(struct hostile *h, struct venue_report *r);
/* Somebody's position, of which the venue has the like. */
void hostile_traits_foreign(const struct hostile *h, struct venue_holding *held);
/* About half of a position, as the venue can close it. */
struct dec hostile_traits_half(const struct hostile *h, struct dec qty);
/* True: the order is refused, and answered. */
bool hostile_traits_refuse(struct hostile *h, const struct order *order);
/* That the venue can do what an order wants. */
void hostile_traits_check(struct hostile *h, const struct order *order);

/* On its way to the engine: lost, late or doubled. */
void hostile_deliver(struct hostile *h, const struct venue_report *r);

/* ---- hostile_legs.c ---- */
bool hostile_is_leg(const struct order *o);
/* other: of the pair, or NULL. */
void hostile_legs_arrive(struct hostile *h, const struct order *leg, const struct order *other);
void hostile_legs_look(struct hostile *h);
void hostile_legs_crash(struct hostile *h);
void hostile_legs_drop(struct hostile *h, struct symbol symbol);
/* True: it is answered. */
bool hostile_legs_cancel(struct hostile *h, const char *client_id);
bool hostile_legs_amend(struct hostile *h, const struct order *wanted);
bool hostile_legs_query(struct hostile *h, const char *client_id);
void hostile_legs_dress(struct hostile *h, struct venue_report *r);
struct dec hostile_legs_locked(const struct hostile *h, struct symbol symbol);

/* ---- hostile_trace.c: with h->trace ---- */
void hostile_trace_send(const struct hostile *h, const struct order *order);
void hostile_trace_report(const struct hostile *h, const struct venue_report *report);

extern const struct source_ops hostile_source_ops;

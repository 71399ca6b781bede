/*
 * lab.h: a bare engine, and a venue that sends the reports of the test, in any order.
 *
 *     struct lab l;
 *     lab_filled(&l);                              // ten at 100, stop 90, target 120
 *     struct venue_report *r = lab_add_order(&l, ORDER_FILLED, 10);
 *     lab_step(&l);                                // passes the added reports; then check l.out
 *     lab_close(&l);
 *
 * The books must balance after each step.
 * Thread: the test's.
 */
#pragma once

#include "engine/engine.h"

#define LAB_START_US INT64_C(1790002800000000)
#define LAB_ID       "nd-1-1" /* the entry with which every lab begins */

extern const struct symbol lab_btc;
extern const struct symbol lab_eth;

struct lab {
    struct settings settings;
    struct engine_memory *memory;
    struct engine *engine;
    struct engine_now now;
    struct engine_inputs *in;
    struct engine_outputs *out;
    struct snapshot *snapshot;
    int64_t next_request;
};

void lab_open(struct lab *l);   /* the entry rests at the venue, unfilled */
void lab_filled(struct lab *l); /* the entry is filled at 100, and the venue's listing agrees */
void lab_start(struct lab *l);  /* creates an engine from l->memory */
/* After a crash in which the outputs had been committed: restarts from what the database holds. */
void lab_restart(struct lab *l, const struct order *entry);
void lab_close(struct lab *l);

void lab_step_after(struct lab *l, int64_t passed_us);
void lab_step(struct lab *l);
void lab_bar(struct lab *l, int64_t price); /* one minute at one price, which sets the mark */

/* These add reports to the next step. */
struct venue_report *lab_add(struct lab *l, enum venue_report_kind kind, const char *client_id);
void lab_add_fill(struct venue_report *r, int64_t id, enum order_kind kind, int64_t qty,
                  int64_t price);
struct venue_report *lab_add_order(struct lab *l, enum order_state state, int64_t filled);
struct venue_report *lab_add_listing(struct lab *l);
void lab_hold(struct venue_report *r, struct symbol symbol, int64_t qty, int64_t price);
/* Steps until the engine requests a listing, and answers its queries about the entry meanwhile; the
 * next step receives the listing. */
struct venue_report *lab_await_listing(struct lab *l);

int lab_ask(struct lab *l, struct request request); /* returns the engine's answer */
bool lab_is_fault(const struct lab *l, enum err_id id);
const struct order *lab_written(const struct lab *l,
                                const char *client_id); /* asserts that the order was written */
struct dec lab_whole(int64_t n);

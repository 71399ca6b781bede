/*
 * report_rig.h: a bare engine, and a venue that sends the reports of the test, in any order.
 *
 *     struct report_rig l;
 *     report_rig_filled(&l);               // ten at 100, stop 90, target 120
 *     struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
 *     report_rig_step(&l);                 // passes the added reports; then check l.out
 *     report_rig_close(&l);
 *
 * The books must balance after each step.
 * Thread: the test's.
 */
#pragma once

#include "engine/engine.h"

#define REPORT_RIG_START_US INT64_C(1790002800000000)
#define REPORT_RIG_ID       "nd-1-1" /* the entry with which every rig begins */

extern const struct symbol report_rig_btc;
extern const struct symbol report_rig_eth;

struct report_rig {
    struct settings settings;
    struct engine_memory *memory;
    struct engine *engine;
    struct engine_now now;
    struct engine_inputs *in;
    struct engine_outputs *out;
    struct snapshot *snapshot;
    int64_t next_request;
};

void report_rig_open(struct report_rig *l); /* the entry rests at the venue, unfilled */
void report_rig_filled(
    struct report_rig *l); /* the entry is filled at 100, and the venue's listing agrees */
void report_rig_start(struct report_rig *l); /* creates an engine from l->memory */
/* After a crash in which the outputs had been committed: restarts from what the database holds. */
void report_rig_restart(struct report_rig *l, const struct order *entry);
/* The fills 1 to `newest` of the entry are in the database. */
void report_rig_booked(struct report_rig *l, int64_t newest);
void report_rig_close(struct report_rig *l);

void report_rig_step_after(struct report_rig *l, int64_t passed_us);
void report_rig_step(struct report_rig *l);
void report_rig_bar(struct report_rig *l,
                    int64_t price); /* one minute at one price, which sets the mark */

/* These add reports to the next step. */
struct venue_report *report_rig_add(struct report_rig *l, enum venue_report_kind kind,
                                    const char *client_id);
void report_rig_add_fill(struct venue_report *r, int64_t id, enum order_kind kind, int64_t qty,
                         int64_t price);
struct venue_report *report_rig_add_order(struct report_rig *l, enum order_state state,
                                          int64_t filled);
struct venue_report *report_rig_add_listing(struct report_rig *l);
void report_rig_hold(struct venue_report *r, struct symbol symbol, int64_t qty, int64_t price);
/* Steps until the engine requests a listing, and answers its queries about the entry meanwhile; the
 * next step receives the listing. */
struct venue_report *report_rig_await_listing(struct report_rig *l);

int report_rig_ask(struct report_rig *l, struct request request); /* returns the engine's answer */
bool report_rig_is_fault(const struct report_rig *l, enum err_id id);
const struct order *
report_rig_written(const struct report_rig *l,
                   const char *client_id); /* asserts that the order was written */
struct dec report_rig_whole(int64_t n);

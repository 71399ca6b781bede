/*
 * events.h: the account's events as the simulated venue has them: one chain of the paper venue's
 * funding payments and of what the venue does by itself.
 *
 *     event = events_add(&events, &what);          // it has happened; its id is its place
 *     events_report(&events, id, &report);         // as often as the network wants
 *     events_roll_back(&events, store);            // after a crash
 *     ok = events_check(&events, store, what, sizeof(what));    // each was booked once
 *
 * The chain is the venue's memory and survives crashes of the bot, except for what the paper venue
 * itself could not write. Thread: the simulator's.
 */
#pragma once

#include "engine/engine.h"
#include "store/trading.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENTS_MAX 1024
/* Client ids of the orders by which the paper venue closes a position by itself. */
#define EVENTS_ORDER_PREFIX "venue-"

struct events_entry {
    enum venue_event event;
    int64_t payment_id;             /* FUNDING: its number at the paper venue */
    char client_id[CLIENT_ID_SIZE]; /* a close: its order and fill at the paper venue */
    char venue_fill_id[FILL_ID_SIZE];
    struct symbol symbol;
    enum side side;
    struct dec qty;
    struct dec price;
    struct dec payment;
    int64_t at_us;
    bool told;    /* an alert was raised */
    bool stopped; /* it was checked that it paused trading */
};

struct events {
    int64_t count; /* the newest id */
    struct events_entry list[EVENTS_MAX];
};

/* False: the chain is full, or has the payment or the fill already. */
bool events_add(struct events *events, const struct events_entry *what);
void events_report(const struct events *events, int64_t id, struct venue_report *ret);
/* The newest payment of the paper venue in the chain; 0: none. */
int64_t events_last_payment(const struct events *events);
/* What all transfers moved: > 0 left the account. */
struct dec events_transferred(const struct events *events);
/* Drops what the paper venue lost in a crash, and all that follows. booked: the newest id in the
 * books on disk. */
void events_roll_back(struct events *events, struct trading_store *store, int64_t booked);

/* An alert was published; booked: the newest id in the books. */
void events_tell(struct events *events, enum err_id alert, struct symbol symbol, int64_t booked);
/* Whether an event of this kind pauses trading. */
bool events_pauses(enum venue_event event);
/* Whether this kind closes a position. */
bool events_closes(enum venue_event event);
/* That each event was booked once, with its trade, and raised its alert. */
bool events_check(const struct events *events, struct trading_store *store, char *ret_what,
                  size_t what_size);
/* The fees of all closes by the venue: no fill has them. */
struct dec events_fees(const struct events *events);

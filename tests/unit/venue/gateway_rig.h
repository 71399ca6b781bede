/*
 * gateway_rig.h: a gateway at the strict fake of a venue. Its time passes when the test says so,
 * and the venue's with it.
 *
 *     struct gateway_rig rig;
 *     gateway_rig_open(&rig, "kraken", symbols, 1);       // waits until it is ready
 *     gateway_rig_do(&rig, &call);
 *     gateway_rig_await(&rig, "/guards/0", "all");        // in the fake's state
 *     gateway_rig_pass(&rig, 20);                         // seconds
 *     gateway_rig_close(&rig);                            // fails if the fake saw a violation
 *
 * Any failure in these functions fails the test. Thread: the test's.
 */
#pragma once

#include "../../../src/venue/gateway.h"
#include "base/clock.h"
#include "fakes/fake_venue.h"

#define GATEWAY_RIG_SYMBOLS 4

struct gateway_rig {
    struct account_api api; /* the table, but with limits that a test does not reach */
    struct fake_venue *fake;
    struct clock_fake clock;
    int64_t real_us; /* up to which real time has passed there */
    struct loop *loop;
    struct http *http;
    struct secret *id, *secret;
    char stream_url[128];
    struct gateway_options options;
    struct gateway *gateway;
    bool ready; /* the newest state is READY */
    enum venue_state state;
    int orders, listings, refusals, unanswered;  /* reports */
    struct venue_report order, listing, refusal; /* the newest */
    const struct symbol *symbols;
    struct instrument rules[GATEWAY_RIG_SYMBOLS]; /* as reported */
};

/* The options may be changed before gateway_rig_start; lines: commands for the fake, or NULL. */
void gateway_rig_prepare_tls(struct gateway_rig *rig, const char *venue,
                             const struct symbol *symbols, int count, const char *certificate,
                             const char *key);
void gateway_rig_prepare(struct gateway_rig *rig, const char *venue, const struct symbol *symbols,
                         int count, const char *lines);
void gateway_rig_start(struct gateway_rig *rig);
void gateway_rig_wait_ready(struct gateway_rig *rig); /* real time passes */
void gateway_rig_turn(struct gateway_rig *rig);       /* one turn of the loop */
/* Both. */
void gateway_rig_open(struct gateway_rig *rig, const char *venue, const struct symbol *symbols,
                      int count);
void gateway_rig_close(struct gateway_rig *rig);
/* As kill -9: nothing more is sent. */
void gateway_rig_kill(struct gateway_rig *rig);

void gateway_rig_do(struct gateway_rig *rig, const struct gateway_call *call);
/* A limit order to buy, whose answer is not waited for. */
void gateway_rig_send(struct gateway_rig *rig, const char *client_id, const char *qty,
                      const char *price);
/* A limit order to buy that rests far below the price. */
void gateway_rig_rest(struct gateway_rig *rig, const char *client_id, const char *qty,
                      const char *price);
/* A stop of a long position; the fake's coins must cover it. */
void gateway_rig_protect(struct gateway_rig *rig, const char *client_id, const char *qty,
                         const char *price);
/* Until the value at this path of the fake's state is this text; "": it is not there. */
void gateway_rig_await(struct gateway_rig *rig, const char *path, const char *value);
/* Until so many reports have come: about orders, or of another kind. */
void gateway_rig_await_orders(struct gateway_rig *rig, int count);
void gateway_rig_await_count(struct gateway_rig *rig, const int *counter, int count);
void gateway_rig_fake(struct gateway_rig *rig, const char *lines);
void gateway_rig_pass(struct gateway_rig *rig, int seconds);
/* How many requests of this kind the fake has had. */
int64_t gateway_rig_requests(struct gateway_rig *rig, const char *kind);

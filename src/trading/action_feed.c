#include "desk_internal.h"

/* The engine has opened the source again, and it can be read. */
static bool reconnected(struct desk *desk, struct pending *p)
{
    struct reply *r = action_reply(p->call);
    const struct snapshot *s = desk_read(desk, r);
    if (s->version <= p->version) {
        return false; /* of a step before the request */
    }
    if (s->feed_err != 0) {
        struct err err = {0};
        (void)err_set(&err, (enum err_id)s->feed_err, "%s", s->feed_reason);
        desk_finish(p, &err);
        return true;
    }
    reply_title(r, TONE_GOOD, "The candles were connected again");
    desk_market_line(r, s);
    desk_finish(p, NULL);
    return true;
}

static int reconnect(struct action_call *call, struct err *err)
{
    return desk_ask(action_userdata(call), call, &(struct request){.kind = REQUEST_RECONNECT},
                    reconnected, err);
}

/* ---------------------------------------------------------------- real money */

static bool went_live(struct desk *desk, struct pending *p)
{
    struct reply *r = action_reply(p->call);
    const struct snapshot *s = desk_read(desk, r);
    if (s->version <= p->version) {
        return false; /* of a step before the request */
    }
    reply_title(r, TONE_GOOD, "Orders with real money are allowed");
    reply_para(r, "The books of {} begin with {}.", cell_text(s->venue.name),
               cell_money(s->initial_cash));
    desk_finish(p, NULL);
    return true;
}

static int go_live(struct action_call *call, struct err *err)
{
    return desk_ask(action_userdata(call), call, &(struct request){.kind = REQUEST_GO_LIVE},
                    went_live, err);
}

const struct action action_feed_rows[] = {
    {.name = "trading.feed_reconnect",
     .summary = "Close the source of the candles and open it again; it goes on after the last ones",
     .data = DESK_AGE,
     .effect = ACTION_CHANGES,
     .waits_us = DESK_REQUEST_US,
     .lowest = ROLE_OPERATOR,
     .locks = "feed",
     .run = reconnect,
     .cancel = desk_cancel,
     .recover = desk_recover},
    {.name = "trading.go_live",
     .summary = "Allow orders with real money at the venue, once for these books",
     .data = DESK_AGE,
     .effect = ACTION_CHANGES,
     .waits_us = DESK_REQUEST_US,
     .lowest = ROLE_ADMIN,
     .locks = "trading",
     .run = go_live,
     .cancel = desk_cancel,
     .recover = desk_recover},
    {0},
};

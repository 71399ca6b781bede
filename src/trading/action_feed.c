#include "desk_internal.h"

#include <string.h>

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

/* ---------------------------------------------------------------- capital */

static bool has_capital(struct desk *desk, struct pending *p)
{
    struct reply *r = action_reply(p->call);
    const struct snapshot *s = desk_read(desk, r);
    if (s->version <= p->version) {
        return false; /* of a step before the request */
    }
    reply_title(r, TONE_GOOD, "The capital of the books is changed");
    reply_field(r, "Capital", "{}", cell_money(s->initial_cash));
    reply_field(r, "Equity", "{}", cell_money(s->equity));
    reply_line(r, "It counts neither as profit nor as loss.");
    desk_account_json(r, "balance", s);
    desk_finish(p, NULL);
    return true;
}

static int set_capital(struct action_call *call, struct err *err)
{
    const struct request draft = {.kind = REQUEST_CAPITAL,
                                  .number = action_value(call, "amount")->decimal.e8};
    return desk_ask(action_userdata(call), call, &draft, has_capital, err);
}

static int preview_capital(struct action_call *call, struct err *err)
{
    const struct snapshot *s = desk_read(action_userdata(call), action_reply(call));
    struct reply *r = action_reply(call);
    const struct dec wanted = action_value(call, "amount")->decimal;
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "capital");
    }
    if (strcmp(s->venue.name, "paper") == 0) {
        return err_set(err, ERR_VENUE_CAPITAL, "paper");
    }
    reply_para(r, "The capital of the books becomes {}, now it is {}.", cell_money(wanted),
               cell_money(s->initial_cash));
    reply_para(r, "Equity becomes {}. The rest of the account is left alone.",
               cell_money(dec_add(s->equity, dec_sub(wanted, s->initial_cash))));
    action_depends(call, "capital", "%lld", (long long)s->initial_cash.e8);
    return 0;
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
    {.name = "trading.capital",
     .summary = "Move cash of the venue's account to the books, or from them",
     .data = DESK_AGE " balance",
     .effect = ACTION_MOVES_MONEY,
     .waits_us = DESK_CAPITAL_US,
     .lowest = ROLE_ADMIN,
     .locks = "trading",
     .params = ACTION_PARAMS({.name = "amount",
                              .type = PARAM_DECIMAL,
                              .required = true,
                              .minimum = "1",
                              .maximum = "1000000000",
                              .help = "what the capital becomes, in quote currency"}),
     .run = set_capital,
     .cancel = desk_cancel,
     .recover = desk_recover,
     .preview = preview_capital},
    {0},
};

#include "base/check.h"
#include "fakes/fake_venue.h"
#include "io/secret.h"
#include "store/venue_table.h"
#include "unit/unit.h"
#include "venue/feed.h"
#include "venue/venue.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

/* What the engine's side of a real venue keeps over a restart: bans, and the fees that are booked.
 */

#define PATIENCE_US (60 * USEC_PER_SEC) /* real time, on a busy machine */
#define QUIET_US    (300 * USEC_PER_MSEC)

struct trader {
    struct fake_venue *fake;
    struct trading_store *store;
    struct venue_settings settings;
    struct symbol symbol;
    char stream_url[128];
    struct shared shared;
    struct feed *feed;
    struct venue *venue;
    struct venue_report report; /* the newest */
};

static bool prepare(struct trader *s, const char *venue, const char *symbol,
                    const char *stream_path)
{
    *s = (struct trader){0};
    if (!fake_venue_available()) {
        return false;
    }
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(fake_venue_start(venue, &s->fake), 0);
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &s->store, NULL), 0);
    (void)snprintf(s->stream_url, sizeof(s->stream_url), "%s%s", fake_venue_stream_url(s->fake),
                   stream_path);
    (void)str_copy(str_c(venue), s->settings.name, sizeof(s->settings.name));
    (void)str_copy(str_c(symbol), s->symbol.name, sizeof(s->symbol.name));
    s->settings.real = (struct real_venue_settings){.mode = VENUE_SANDBOX,
                                                    .key_id = fake_venue_key(s->fake),
                                                    .key_secret = fake_venue_secret(s->fake),
                                                    .url = fake_venue_url(s->fake),
                                                    .stream_url = s->stream_url,
                                                    .ca_file = "",
                                                    .accept_unknown_withdrawal = true};
    return true;
}

static void start(struct trader *s)
{
    shared_init(&s->shared, 1);
    s->feed = feed_new(&(struct feed_options){.shared = &s->shared, .account = true}, NULL);
    s->venue = venue_new(&(struct venue_setup){.feed = s->feed,
                                               .settings = &s->settings,
                                               .cash = dec_from_int(1000),
                                               .leverage = 1,
                                               .step_us = USEC_PER_MIN,
                                               .symbols = 1});
    venue_watch(s->venue, s->symbol, dec_from_int(60000));
    assert_int_equal(venue_open(s->venue, s->store, NULL), 0);
    assert_int_equal(feed_start(s->feed, NULL), 0);
}

static void stop(struct trader *s)
{
    assert_true(feed_stop(s->feed));
    venue_free(TAKE(s->venue));
    feed_free(TAKE(s->feed));
    shared_release(&s->shared);
}

static void leave(struct trader *s)
{
    trading_store_free(s->store);
    fake_venue_stop(s->fake);
}

static int64_t requests(const struct trader *s)
{
    int64_t sum = 0;
    AUTO_JSON struct json_object *state = fake_venue_state(s->fake);
    json_object_object_foreach(json_object_object_get(state, "requests"), kind, count)
    {
        sum += kind[0] != '\0' ? json_object_get_int64(count) : 0;
    }
    return sum;
}

/* The next report; false: none came for so long. */
static bool next(struct trader *s, int64_t patience_us)
{
    int64_t until_us = clock_mono_us(clock_real()) + patience_us;
    while (!venue_poll(s->venue, &s->report)) {
        struct pollfd fd = {.fd = s->shared.requests_fd, .events = POLLIN};
        if (clock_mono_us(clock_real()) > until_us) {
            return false;
        }
        uint64_t count = 0;
        if (poll(&fd, 1, 5) > 0) { /* else it would stay readable */
            (void)!read(fd.fd, &count, sizeof(count));
        }
    }
    return true;
}

static void await(struct trader *s, enum venue_report_kind kind)
{
    do {
        if (!next(s, PATIENCE_US)) {
            fail_msg("no report of kind %d", (int)kind);
        }
    } while (s->report.kind != kind);
}

/* The first time it is ready only when the account was listed. */
static void await_connected(struct trader *s)
{
    do {
        await(s, VENUE_CONNECTION);
    } while (s->report.venue_state != VENUE_READY &&
             strcmp(s->report.reason, "reading the account") != 0);
}

static void await_state(struct trader *s, enum venue_state state)
{
    do {
        await(s, VENUE_CONNECTION);
    } while (s->report.venue_state != state);
}

/* A process that does not know of the ban would ask at once. */
static void a_ban_outlives_the_process(void **state)
{
    struct trader s;
    (void)state;
    if (!prepare(&s, "binance", "BTC-USDT", "/ws-api/v3")) {
        skip();
    }
    assert_null(fake_venue_do(s.fake, "fault rules 1 banned 600"));
    start(&s);
    do {
        await(&s, VENUE_LIMIT);
    } while (s.report.limit.banned_us == 0);
    stop(&s);
    int64_t asked = requests(&s);
    start(&s);
    int64_t until_us = clock_mono_us(clock_real()) + QUIET_US;
    while (clock_mono_us(clock_real()) < until_us && requests(&s) == asked) {
        (void)next(&s, 20 * USEC_PER_MSEC);
    }
    assert_int_equal(requests(&s), asked);
    stop(&s);
    assert_int_equal(venue_table_set(s.store, "banned", "1 1 1 another", NULL), 0); /* it is over */
    start(&s);
    until_us = clock_mono_us(clock_real()) + PATIENCE_US;
    while (clock_mono_us(clock_real()) < until_us && requests(&s) == asked) {
        (void)next(&s, 20 * USEC_PER_MSEC);
    }
    assert_true(requests(&s) > asked);
    stop(&s);
    leave(&s);
}

/* The newest event of the account that a listing has; the payments before it are counted. Each is
 * of this amount; 0: of any. */
static int64_t list(struct trader *s, int64_t ask_id, int64_t after, int *ret_count,
                    enum venue_event event, int64_t payment_e8)
{
    *ret_count = 0;
    venue_list(s->venue, ask_id, after);
    do {
        assert_true(next(s, PATIENCE_US));
        if (s->report.kind == VENUE_FUNDING) {
            assert_int_equal(s->report.event, event);
            assert_int_equal(s->report.prev_funding_id, after + *ret_count);
            assert_true(payment_e8 == 0 || s->report.payment.e8 == payment_e8);
            (*ret_count)++;
        }
    } while (s->report.kind != VENUE_LISTING);
    return s->report.funding_id;
}

static int64_t list_fees(struct trader *s, int64_t ask_id, int64_t after, int *ret_fees)
{
    /* 0.25 % of 600 */
    return list(s, ask_id, after, ret_fees, VENUE_EVENT_FEE, (DEC_ONE / 100) * 150);
}

static void fees_of_the_day_are_reported_once(void **state)
{
    struct trader s;
    int fees = 0;
    (void)state;
    if (!prepare(&s, "alpaca", "BTC-USD", "/stream")) {
        skip();
    }
    assert_null(fake_venue_do(s.fake, "price BTC-USD 60000\nforeign BTC-USD buy 0.04"));
    assert_null(fake_venue_do(s.fake, "foreign BTC-USD sell 0.01\nend-day"));
    start(&s);
    await_connected(&s);
    assert_int_equal(list_fees(&s, 1, 0, &fees), 0); /* charged before the books began */
    assert_int_equal(fees, 0);
    assert_null(fake_venue_do(s.fake, "foreign BTC-USD sell 0.01\nend-day"));
    assert_null(fake_venue_do(s.fake, "foreign BTC-USD sell 0.01\nend-day"));
    assert_int_equal(list_fees(&s, 2, 0, &fees), 2);
    assert_int_equal(fees, 2);
    assert_int_equal(list_fees(&s, 3, 1, &fees), 2); /* one was booked */
    assert_int_equal(fees, 1);
    stop(&s);
    start(&s);
    await_connected(&s);
    assert_int_equal(list_fees(&s, 4, 2, &fees), 2);
    assert_int_equal(fees, 0);
    stop(&s);
    leave(&s);
}

/* 0.1 % of 600 for a long of 0.01 at 60,000. */
static int64_t list_funding(struct trader *s, int64_t ask_id, int64_t after, int *ret_payments)
{
    return list(s, ask_id, after, ret_payments, VENUE_EVENT_FUNDING, DEC_ONE / 10 * 6);
}

static void funding_is_reported_once(void **state)
{
    struct trader s;
    int payments = 0;
    (void)state;
    if (!prepare(&s, "binance_futures", "BTC-USDT", "/private")) {
        skip();
    }
    assert_null(fake_venue_do(s.fake, "price BTC-USDT 60000\nforeign BTC-USDT buy 0.01"));
    assert_null(fake_venue_do(s.fake, "funding BTC-USDT 0.001"));
    start(&s);
    await_connected(&s);
    assert_int_equal(list_funding(&s, 1, 0, &payments), 0); /* paid before the books began */
    assert_int_equal(payments, 0);
    /* Two at one moment, and a position that is not ours. */
    assert_null(fake_venue_do(s.fake, "foreign ETH-USDT buy 1\nfunding ETH-USDT 0.001\n"
                                      "funding BTC-USDT 0.001\nfunding BTC-USDT 0.001"));
    assert_int_equal(list_funding(&s, 2, 0, &payments), 2);
    assert_int_equal(payments, 2);
    assert_int_equal(list_funding(&s, 3, 1, &payments), 2); /* one was booked */
    assert_int_equal(payments, 1);
    stop(&s);
    start(&s);
    await_connected(&s);
    assert_int_equal(list_funding(&s, 4, 2, &payments), 2);
    assert_int_equal(payments, 0);
    stop(&s);
    leave(&s);
}

static void what_the_venue_does_by_itself_is_heard_at_once(void **state)
{
    static const struct {
        const char *what;
        enum venue_event event;
    } forced[] = {
        {"deleverage BTC-USDT", VENUE_EVENT_DELEVERAGING},
        {"settle BTC-USDT", VENUE_EVENT_FORCED_CLOSE},
        {"liquidate", VENUE_EVENT_LIQUIDATION},
    };
    struct trader s;
    int payments = 0;
    (void)state;
    if (!prepare(&s, "binance_futures", "BTC-USDT", "/private")) {
        skip();
    }
    assert_null(fake_venue_do(s.fake, "price BTC-USDT 60000\nforeign BTC-USDT buy 0.01"));
    start(&s);
    await_connected(&s);
    assert_int_equal(list_funding(&s, 1, 0, &payments), 0);
    assert_null(fake_venue_do(s.fake, "margin-call BTC-USDT"));
    await(&s, VENUE_FUNDING);
    assert_int_equal(s.report.event, VENUE_EVENT_MARGIN_CALL);
    assert_string_equal(s.report.symbol.name, "BTC-USDT");
    assert_int_equal(s.report.funding_id, 1);
    for (int i = 0; i < 3; i++) {
        assert_null(fake_venue_do(s.fake, forced[i].what));
        await(&s, VENUE_FUNDING);
        assert_int_equal(s.report.event, forced[i].event);
        assert_int_equal(s.report.prev_funding_id, i + 1);
        assert_int_equal(s.report.funding_id, i + 2);
        assert_int_equal(s.report.side, SIDE_LONG);
        assert_int_equal(s.report.qty.e8, DEC_ONE / 100);
        assert_int_equal(s.report.price.e8, 60000 * DEC_ONE);
        assert_int_equal(s.report.payment.e8, DEC_ONE / 10 * 3); /* 0.05 % of 600 */
        assert_null(fake_venue_do(s.fake, "foreign BTC-USDT buy 0.01"));
    }
    /* What the books do not have yet is given again. */
    venue_list(s.venue, 2, 3);
    await(&s, VENUE_FUNDING);
    assert_int_equal(s.report.event, VENUE_EVENT_LIQUIDATION);
    assert_int_equal(s.report.funding_id, 4);
    assert_int_equal(list_funding(&s, 3, 4, &payments), 4);
    assert_int_equal(payments, 0);
    stop(&s);
    leave(&s);
}

/* ---------------------------------------------------------------- closed by the venue, not heard
 */

#define TAKEN 4

/* The events of a listing, as a chain; returns how many there are. */
static int list_events(struct trader *s, int64_t ask_id, int64_t after, enum venue_event ret[TAKEN])
{
    int count = 0;
    int64_t newest = after;
    venue_list(s->venue, ask_id, after);
    do {
        assert_true(next(s, PATIENCE_US));
        if (s->report.kind == VENUE_FUNDING) {
            assert_true(count < TAKEN);
            assert_int_equal(s->report.prev_funding_id, newest);
            newest = s->report.funding_id;
            ret[count++] = s->report.event;
            if (s->report.event != VENUE_EVENT_FUNDING) {
                assert_string_equal(s->report.symbol.name, "BTC-USDT");
                assert_int_equal(s->report.side, SIDE_LONG);
                assert_int_equal(s->report.qty.e8, DEC_ONE / 100);
                assert_int_equal(s->report.price.e8, 60000 * DEC_ONE);
                assert_int_equal(s->report.payment.e8, DEC_ONE / 10 * 3); /* 0.05 % of 600 */
                assert_true(s->report.at_us > 0);
            }
        }
    } while (s->report.kind != VENUE_LISTING);
    assert_int_equal(s->report.funding_id, newest);
    return count;
}

/* What happened before the books began is not theirs. */
static bool begin_long(struct trader *s)
{
    enum venue_event events[TAKEN];
    if (!prepare(s, "binance_futures", "BTC-USDT", "/private")) {
        return false;
    }
    assert_null(fake_venue_do(s->fake, "price BTC-USDT 60000\nforeign BTC-USDT buy 0.01\n"
                                       "deleverage BTC-USDT\nforeign BTC-USDT buy 0.01"));
    start(s);
    await_connected(s);
    assert_int_equal(list_events(s, 1, 0, events), 0);
    return true;
}

static void again(struct trader *s, const char *meanwhile)
{
    stop(s);
    assert_null(fake_venue_do(s->fake, meanwhile));
    start(s);
    await_connected(s);
}

static void what_happened_while_it_was_down_is_read_once(void **state)
{
    enum venue_event events[TAKEN];
    struct trader s;
    (void)state;
    if (!begin_long(&s)) {
        skip();
    }
    /* In the order of time, whichever list comes first. */
    again(&s, "funding BTC-USDT 0.001\nadvance 1\ndeleverage BTC-USDT");
    assert_int_equal(list_events(&s, 2, 0, events), 2);
    assert_int_equal(events[0], VENUE_EVENT_FUNDING);
    assert_int_equal(events[1], VENUE_EVENT_DELEVERAGING);
    /* It is there until it is booked, also in listings that do not read it. */
    assert_int_equal(list_events(&s, 3, 1, events), 1);
    assert_int_equal(events[0], VENUE_EVENT_DELEVERAGING);
    assert_int_equal(list_events(&s, 4, 2, events), 0);
    again(&s, "foreign BTC-USDT buy 0.01\nadvance 1\nliquidate");
    assert_int_equal(list_events(&s, 5, 2, events), 1);
    assert_int_equal(events[0], VENUE_EVENT_LIQUIDATION);
    again(&s, "advance 1");
    assert_int_equal(list_events(&s, 6, 3, events), 0);
    stop(&s);
    leave(&s);
}

static void what_was_heard_and_not_booked_is_read_once(void **state)
{
    enum venue_event events[TAKEN];
    struct trader s;
    (void)state;
    if (!begin_long(&s)) {
        skip();
    }
    assert_null(fake_venue_do(s.fake, "deleverage BTC-USDT"));
    await(&s, VENUE_FUNDING);
    assert_int_equal(s.report.funding_id, 1);
    again(&s, "advance 1"); /* killed before it was booked */
    assert_int_equal(list_events(&s, 2, 0, events), 1);
    assert_int_equal(events[0], VENUE_EVENT_DELEVERAGING);
    assert_int_equal(s.report.funding_id, 1);
    again(&s, "advance 1"); /* now it is booked */
    assert_int_equal(list_events(&s, 3, 1, events), 0);
    stop(&s);
    leave(&s);
}

static int64_t forced_asked(const struct trader *s)
{
    AUTO_JSON struct json_object *state = fake_venue_state(s->fake);
    return json_object_get_int64(json_get(json_get(state, "requests"), "forced"));
}

/* It costs as much as the rest of a listing. */
static void a_lost_event_is_looked_for_when_the_books_differ(void **state)
{
    enum venue_event events[TAKEN];
    struct trader s;
    (void)state;
    if (!begin_long(&s)) {
        skip();
    }
    assert_null(fake_venue_do(s.fake, "silent on\ndeleverage BTC-USDT\nsilent off"));
    assert_int_equal(forced_asked(&s), 1);
    assert_int_equal(list_events(&s, 2, 0, events), 0);
    assert_int_equal(forced_asked(&s), 1);
    venue_doubt(s.venue);
    assert_int_equal(list_events(&s, 3, 0, events), 1);
    assert_int_equal(events[0], VENUE_EVENT_DELEVERAGING);
    assert_int_equal(forced_asked(&s), 2);
    venue_doubt(s.venue); /* they differ still: not each time */
    assert_int_equal(list_events(&s, 4, 1, events), 0);
    assert_int_equal(forced_asked(&s), 2);
    assert_int_equal(list_events(&s, 5, 1, events), 0); /* they agree */
    assert_null(fake_venue_do(s.fake, "silent on\nforeign BTC-USDT buy 0.01\n"
                                      "deleverage BTC-USDT\nsilent off"));
    venue_doubt(s.venue);
    assert_int_equal(list_events(&s, 6, 1, events), 1);
    assert_int_equal(forced_asked(&s), 3);
    /* Heard, and then read too. */
    assert_null(fake_venue_do(s.fake, "foreign BTC-USDT buy 0.01\nliquidate"));
    await(&s, VENUE_FUNDING);
    assert_int_equal(s.report.funding_id, 3);
    again(&s, "advance 1");
    assert_int_equal(list_events(&s, 7, 3, events), 0);
    assert_int_equal(forced_asked(&s), 4);
    stop(&s);
    leave(&s);
}

static void an_outage_of_the_stream_is_followed_by_a_look(void **state)
{
    enum venue_event events[TAKEN];
    struct trader s;
    (void)state;
    if (!begin_long(&s)) {
        skip();
    }
    await_state(&s, VENUE_READY);
    assert_null(fake_venue_do(s.fake, "silent on\ndeleverage BTC-USDT\nsilent off\ncut user"));
    await_state(&s, VENUE_DEGRADED);
    await_state(&s, VENUE_READY);
    assert_int_equal(list_events(&s, 2, 0, events), 1);
    assert_int_equal(events[0], VENUE_EVENT_DELEVERAGING);
    stop(&s);
    leave(&s);
}

/* A listing that fails after the look has not told what it found. */
static int64_t requests_of(const struct trader *s, const char *kind)
{
    AUTO_JSON struct json_object *state = fake_venue_state(s->fake);
    return json_object_get_int64(json_get(json_get(state, "requests"), kind));
}

static void a_look_that_fails_is_repeated(void **state)
{
    enum venue_event events[TAKEN];
    struct trader s;
    (void)state;
    if (!begin_long(&s)) {
        skip();
    }
    again(&s, "deleverage BTC-USDT\nfault funding 1 json [7]");
    venue_list(s.venue, 2, 0);
    await(&s, VENUE_NO_ANSWER);
    assert_int_equal(list_events(&s, 3, 0, events), 1);
    assert_int_equal(events[0], VENUE_EVENT_DELEVERAGING);
    assert_int_equal(list_events(&s, 4, 1, events), 0);
    /* Refused: positions and payments are listed without it. */
    again(&s, "foreign BTC-USDT buy 0.01\ndeleverage BTC-USDT\nfault forced 1 html 404");
    assert_int_equal(list_events(&s, 5, 1, events), 0);
    assert_int_equal(list_events(&s, 6, 1, events), 1);
    /* The same where its fills cannot be read, as of a market that is gone, or a row is odd. */
    again(&s, "foreign BTC-USDT buy 0.01\ndeleverage BTC-USDT\nfault fills * html 400");
    assert_int_equal(list_events(&s, 7, 2, events), 0);
    assert_null(fake_venue_do(s.fake, "forget faults"));
    assert_int_equal(list_events(&s, 8, 2, events), 1);
    again(&s, "foreign BTC-USDT buy 0.01\ndeleverage BTC-USDT\nfault forced 1 json [7]");
    assert_int_equal(list_events(&s, 9, 3, events), 0);
    assert_int_equal(list_events(&s, 10, 3, events), 1);
    /* A venue that never has it is not asked with each listing. */
    again(&s, "fault forced * replace symbol null");
    int64_t before = requests_of(&s, "forced");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(list_events(&s, 11 + i, 4, events), 0);
    }
    assert_in_range(requests_of(&s, "forced") - before, 1, 2);
    stop(&s);
    leave(&s);
}

static void add_lines(struct trader *s, const char *one, int count)
{
    struct buf lines;
    buf_init(&lines, (size_t)64 << 10);
    for (int i = 0; i < count; i++) {
        buf_add_c(&lines, one);
        if (i % 100 == 99 || i == count - 1) {
            assert_null(fake_venue_do(s->fake, lines.data));
            buf_clear(&lines);
        }
    }
    buf_release(&lines);
}

/* The books have the oldest since long. */
static void of_very_many_the_newest_are_kept(void **state)
{
    enum { MANY = 205, KEPT = 200 };
    struct trader s;
    (void)state;
    if (UNIT_SANITIZED || !begin_long(&s)) {
        skip();
    }
    stop(&s);
    assert_null(fake_venue_do(s.fake, "deleverage BTC-USDT"));
    add_lines(&s, "foreign BTC-USDT buy 0.01\nadvance 1\ndeleverage BTC-USDT\n", MANY);
    AUTO_JSON struct json_object *state_of = fake_venue_state(s.fake);
    int64_t now_us = (int64_t)(json_object_get_double(json_get(state_of, "now")) * 1e6);
    start(&s);
    await_connected(&s);
    int count = 0;
    int64_t newest_us = 0;
    venue_list(s.venue, 2, 0);
    do {
        assert_true(next(&s, PATIENCE_US));
        if (s.report.kind == VENUE_FUNDING) {
            assert_true(s.report.at_us > newest_us);
            newest_us = s.report.at_us;
            count++;
        }
    } while (s.report.kind != VENUE_LISTING);
    assert_int_equal(count, KEPT);
    assert_in_range(now_us - newest_us, 0, USEC_PER_SEC);
    stop(&s);
    leave(&s);
}

/* More of positions that are not ours than a listing takes, and ours, over more days than the venue
 * lists at once. */
static void payments_of_an_outage_of_days_are_booked(void **state)
{
    enum { FOREIGN = 2100, DAYS = 9 };
    struct trader s;
    int payments = 0;
    (void)state;
    if (!prepare(&s, "binance_futures", "BTC-USDT", "/private")) {
        skip();
    }
    assert_null(fake_venue_do(s.fake, "price BTC-USDT 60000\nforeign BTC-USDT buy 0.01\n"
                                      "foreign ETH-USDT buy 1"));
    start(&s);
    await_connected(&s);
    assert_int_equal(list(&s, 1, 0, &payments, VENUE_EVENT_FUNDING, 0), 0);
    stop(&s);
    add_lines(&s, "funding ETH-USDT 0.001\n", FOREIGN);
    add_lines(&s, "advance 86400\nfunding BTC-USDT 0.001\n", DAYS);
    start(&s);
    await_connected(&s);
    int64_t newest = list(&s, 2, 0, &payments, VENUE_EVENT_FUNDING, 0);
    assert_int_equal(payments, newest);
    assert_int_equal(newest, DAYS + 3 * DAYS); /* and each eight hours */
    assert_int_equal(list(&s, 3, newest, &payments, VENUE_EVENT_FUNDING, 0), newest);
    assert_int_equal(payments, 0);
    stop(&s);
    leave(&s);
}

/* What only prepares an order never takes the room of one. */
static void hints_leave_room_for_orders(void **state)
{
    struct trader s;
    (void)state;
    if (!prepare(&s, "binance", "BTC-USDT", "/ws-api/v3")) {
        skip();
    }
    shared_init(&s.shared, 1);
    s.feed = feed_new(&(struct feed_options){.shared = &s.shared, .account = true}, NULL);
    s.venue = venue_new(&(struct venue_setup){.feed = s.feed,
                                              .settings = &s.settings,
                                              .cash = dec_from_int(1000),
                                              .leverage = 1,
                                              .step_us = USEC_PER_MIN,
                                              .symbols = 1});
    venue_watch(s.venue, s.symbol, dec_from_int(60000));
    assert_int_equal(venue_open(s.venue, s.store, NULL), 0);
    for (int i = 0; i < 3000; i++) { /* nobody takes them yet */
        venue_expect(s.venue, s.symbol);
    }
    struct order order = {.client_id = "nd-1-1",
                          .symbol = s.symbol,
                          .kind = ORDER_ENTRY,
                          .side = SIDE_LONG,
                          .type = ORDER_TYPE_LIMIT,
                          .qty = {DEC_ONE / 100},
                          .price = dec_from_int(59000)};
    venue_send(s.venue, &order);
    assert_int_equal(feed_start(s.feed, NULL), 0);
    await(&s, VENUE_ORDER);
    assert_string_equal(s.report.client_id, "nd-1-1");
    stop(&s);
    leave(&s);
}

/* It is in no list of forced orders. */
static void a_settlement_is_read_where_the_market_is_closed(void **state)
{
    enum venue_event events[TAKEN];
    struct trader s;
    (void)state;
    if (!begin_long(&s)) {
        skip();
    }
    again(&s, "settle BTC-USDT\nmarket BTC-USDT delisted");
    assert_int_equal(list_events(&s, 2, 0, events), 1);
    assert_int_equal(events[0], VENUE_EVENT_FORCED_CLOSE);
    stop(&s);
    leave(&s);
}

/* That of the account, which a listing ends with, becomes this. */
static void expect_leverage(struct trader *s, double leverage)
{
    static int64_t ask_id;
    int64_t until_us = clock_mono_us(clock_real()) + PATIENCE_US;
    do {
        venue_list(s->venue, ++ask_id, 0);
        do {
            await(s, VENUE_ACCOUNT);
        } while (s->report.ask_id != ask_id);
    } while (s->report.account.leverage != leverage && clock_mono_us(clock_real()) < until_us);
    assert_true(s->report.account.leverage == leverage);
}

static int64_t settings_made(const struct trader *s)
{
    return requests_of(s, "settings");
}

/* What is reported is what the venue has answered, not what was wanted. */
static void leverage_is_that_of_the_venue(void **state)
{
    struct trader s;
    (void)state;
    if (!prepare(&s, "binance_futures", "BTC-USDT", "/private")) {
        skip();
    }
    start(&s);
    await_connected(&s);
    expect_leverage(&s, 1);
    venue_set_leverage(s.venue, 1.9); /* 1 of whole numbers */
    venue_set_leverage(s.venue, 3.7);
    expect_leverage(&s, 3);
    int64_t before = settings_made(&s);
    assert_null(fake_venue_do(s.fake, "fault settings * replace leverage 2"));
    venue_set_leverage(s.venue, 5);
    expect_leverage(&s, 2);
    int64_t made = settings_made(&s), once = made - before;
    assert_null(fake_venue_do(s.fake, "forget faults\nfault settings * replace leverage 0"));
    venue_set_leverage(s.venue, 4);
    int64_t until_us = clock_mono_us(clock_real()) + PATIENCE_US;
    while (settings_made(&s) < made + once && clock_mono_us(clock_real()) < until_us) {
        (void)next(&s, 20 * USEC_PER_MSEC);
    }
    assert_int_equal(settings_made(&s), made + once);
    expect_leverage(&s, 2); /* that answer is none */
    assert_null(fake_venue_do(s.fake, "forget faults"));
    venue_set_leverage(s.venue, 6);
    expect_leverage(&s, 6);
    /* A position tells of one that somebody else has set: the lower one counts, and it is set
     * again. */
    assert_null(fake_venue_do(s.fake, "price BTC-USDT 60000\nforeign BTC-USDT buy 0.01\n"
                                      "fault settings * replace leverage 0\n"
                                      "leverage BTC-USDT 2"));
    expect_leverage(&s, 2);
    assert_null(fake_venue_do(s.fake, "forget faults\nleverage BTC-USDT 9"));
    expect_leverage(&s, 6);
    stop(&s);
    leave(&s);
}

UNIT_GROUP(connector, cmocka_unit_test(a_ban_outlives_the_process),
           cmocka_unit_test(fees_of_the_day_are_reported_once),
           cmocka_unit_test(funding_is_reported_once),
           cmocka_unit_test(what_the_venue_does_by_itself_is_heard_at_once),
           cmocka_unit_test(what_happened_while_it_was_down_is_read_once),
           cmocka_unit_test(what_was_heard_and_not_booked_is_read_once),
           cmocka_unit_test(a_lost_event_is_looked_for_when_the_books_differ),
           cmocka_unit_test(an_outage_of_the_stream_is_followed_by_a_look),
           cmocka_unit_test(a_look_that_fails_is_repeated),
           cmocka_unit_test(of_very_many_the_newest_are_kept),
           cmocka_unit_test(payments_of_an_outage_of_days_are_booked),
           cmocka_unit_test(hints_leave_room_for_orders),
           cmocka_unit_test(a_settlement_is_read_where_the_market_is_closed),
           cmocka_unit_test(leverage_is_that_of_the_venue))

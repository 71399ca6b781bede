#include "desk.h"

#include "base/check.h"
#include "base/log.h"
#include "config/config.h"

#define START_US INT64_C(1790000000000000)

void desk_settings(struct settings *s)
{
    AUTO_CONFIG struct config *config = NULL;
    struct err err = {0};
    ASSERT(config_load(&(struct config_options){.no_file = true}, &config, NULL, &err) >= 0);
    config_settings(config, s);
    s->seed = 7;
}

static struct source *note_market(struct source *own, void *userdata)
{
    struct desk *desk = userdata;
    desk->market = (struct simulated *)((char *)own - offsetof(struct simulated, source));
    return own;
}

static void silent(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static void start(struct desk *desk)
{
    desk->driver = driver_new(&(struct driver_options){.settings = desk->settings,
                                                       .clock = &desk->clock.clock,
                                                       .store = desk->store,
                                                       .reserve = desk->reserve,
                                                       .wrap_source = note_market,
                                                       .userdata = desk},
                              &desk->shared);
    desk_round(desk, 0);
    if (desk->pinned && desk->market != NULL) {
        simulated_pin(desk->market, desk->climate);
    }
}

void desk_open(struct desk *desk, const struct settings *settings)
{
    memset(desk, 0, sizeof(*desk));
    log_set_sink(silent, NULL);
    clock_fake_init(&desk->clock, START_US);
    shared_init(&desk->shared);
    bus_reader_init(&desk->events, desk->shared.bus, TOPIC_REPLY);
    struct err err = {0};
    ASSERT(trading_store_open(":memory:", TRADING_STORE_WRITE, &desk->store, &err) >= 0);
    ASSERT(reserve_open(":memory:", &desk->reserve, &err) >= 0);
    desk_settings(&desk->settings);
    if (settings != NULL) {
        desk->settings = *settings;
    }
    desk->next_request = 1;
    start(desk);
}

void desk_pin(struct desk *desk, enum climate climate)
{
    desk->pinned = true;
    desk->climate = climate;
    simulated_pin(desk->market, climate);
}

void desk_round(struct desk *desk, int64_t advance_us)
{
    clock_fake_advance(&desk->clock, advance_us);
    for (int i = 0; i < 64 && driver_round(desk->driver) == 0; i++) {}
}

void desk_run(struct desk *desk, int64_t minutes)
{
    int64_t each_us = USEC_PER_MIN / desk->settings.market_speed;
    for (int64_t i = 0; i < minutes; i++) {
        desk_round(desk, each_us);
    }
}

void desk_run_until_open(struct desk *desk)
{
    for (int i = 0; i < 600 && desk_snapshot(desk)->position_count == 0; i++) {
        desk_run(desk, 1);
    }
    ASSERT(desk_snapshot(desk)->position_count > 0);
}

void desk_restart(struct desk *desk)
{
    driver_free(desk->driver);
    trading_store_rollback(desk->store);
    start(desk);
}

void desk_close(struct desk *desk)
{
    driver_free(desk->driver);
    trading_store_free(desk->store);
    reserve_free(desk->reserve);
    shared_release(&desk->shared);
}

int desk_ask_again(struct desk *desk, const struct request *request)
{
    ASSERT(ring_push(desk->shared.requests, request));
    for (int i = 0; i < 8; i++) {
        desk_round(desk, USEC_PER_MSEC);
        struct bus_event raw;
        while (bus_read(&desk->events, &raw, 1, NULL) == 1) {
            struct event e;
            memcpy(&e, &raw, sizeof(e));
            if (e.id == request->id) {
                return (int)e.code;
            }
        }
    }
    return -1; /* no answer */
}

int desk_ask(struct desk *desk, enum request_kind kind, const char *symbol)
{
    struct request r = {.id = desk->next_request++, .kind = kind};
    (void)str_copy(STR_LIT("alice"), r.by, sizeof(r.by));
    if (symbol != NULL) {
        ASSERT(symbol_parse(str_c(symbol), &r.symbol));
    }
    return desk_ask_again(desk, &r);
}

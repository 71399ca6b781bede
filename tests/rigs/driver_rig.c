#include "driver_rig.h"

#include "base/check.h"
#include "base/log.h"
#include "config/config.h"

#define START_US INT64_C(1790000000000000)

struct venue_settings driver_rig_venue;

void driver_rig_settings(struct settings *s)
{
    AUTO_CONFIG struct config *config = NULL;
    struct err err = {0};
    ASSERT(config_load(&(struct config_options){.no_file = true}, &config, NULL, &err) >= 0);
    config_settings(config, s);
    config_venue(config, &driver_rig_venue);
    s->seed = 7;
}

static struct source *note_market(struct source *own, void *userdata)
{
    struct driver_rig *rig = userdata;
    rig->market = (struct simulated *)((char *)own - offsetof(struct simulated, source));
    return own;
}

static void silent(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static void start(struct driver_rig *rig)
{
    rig->driver = driver_new(&(struct driver_options){.settings = rig->settings,
                                                      .venue = driver_rig_venue,
                                                      .clock = &rig->clock.clock,
                                                      .store = rig->store,
                                                      .reserve = rig->reserve,
                                                      .wrap_source = note_market,
                                                      .userdata = rig},
                             &rig->shared);
    driver_rig_round(rig, 0);
    if (rig->pinned && rig->market != NULL) {
        simulated_pin(rig->market, rig->climate);
    }
}

void driver_rig_open(struct driver_rig *rig, const struct settings *settings)
{
    memset(rig, 0, sizeof(*rig));
    log_set_sink(silent, NULL);
    clock_fake_init(&rig->clock, START_US);
    shared_init(&rig->shared, CAPACITY_MIN);
    shared_seal(&rig->shared);
    bus_reader_init(&rig->events, rig->shared.bus, TOPIC_REPLY);
    struct err err = {0};
    ASSERT(trading_store_open(":memory:", TRADING_STORE_WRITE, &rig->store, &err) >= 0);
    ASSERT(reserve_open(":memory:", &rig->reserve, &err) >= 0);
    if (settings != NULL) {
        rig->settings = *settings;
    } else {
        driver_rig_settings(&rig->settings);
    }
    rig->next_request = 1;
    start(rig);
}

void driver_rig_pin(struct driver_rig *rig, enum climate climate)
{
    rig->pinned = true;
    rig->climate = climate;
    simulated_pin(rig->market, climate);
}

void driver_rig_round(struct driver_rig *rig, int64_t advance_us)
{
    clock_fake_advance(&rig->clock, advance_us);
    for (int i = 0; i < 64 && driver_round(rig->driver) == 0; i++) {}
}

void driver_rig_run(struct driver_rig *rig, int64_t minutes)
{
    int64_t each_us = USEC_PER_MIN / rig->settings.market_speed;
    for (int64_t i = 0; i < minutes; i++) {
        driver_rig_round(rig, each_us);
    }
}

void driver_rig_run_until_open(struct driver_rig *rig)
{
    for (int i = 0; i < 600 && driver_rig_snapshot(rig)->position_count == 0; i++) {
        driver_rig_run(rig, 1);
    }
    ASSERT(driver_rig_snapshot(rig)->position_count > 0);
}

void driver_rig_restart(struct driver_rig *rig)
{
    driver_free(rig->driver);
    trading_store_rollback(rig->store);
    start(rig);
}

void driver_rig_close(struct driver_rig *rig)
{
    driver_free(rig->driver);
    trading_store_free(rig->store);
    reserve_free(rig->reserve);
    shared_release(&rig->shared);
}

int driver_rig_ask_again(struct driver_rig *rig, const struct request *request)
{
    ASSERT(ring_push(rig->shared.requests, request));
    for (int i = 0; i < 8; i++) {
        driver_rig_round(rig, USEC_PER_MSEC);
        struct bus_event raw;
        while (bus_read(&rig->events, &raw, 1, NULL) == 1) {
            struct event e;
            memcpy(&e, &raw, sizeof(e));
            if (e.id == request->id) {
                return (int)e.code;
            }
        }
    }
    return -1; /* no answer */
}

int driver_rig_ask(struct driver_rig *rig, enum request_kind kind, const char *symbol)
{
    struct request r = {.id = rig->next_request++, .kind = kind};
    (void)str_copy(STR_LIT("alice"), r.by, sizeof(r.by));
    if (symbol != NULL) {
        ASSERT(symbol_parse(str_c(symbol), &r.symbol));
    }
    return driver_rig_ask_again(rig, &r);
}

#include "drain.h"

#include "base/check.h"
#include "base/log.h"
#include "health_internal.h"
#include "own_run.h"

#include <stdlib.h>

#define COMMAND   "drain"
#define SOON_US   USEC_PER_SEC
#define AGAIN_US  (5 * USEC_PER_SEC)
#define RARELY_US (10 * USEC_PER_MIN)
#define LOOK_MS   5000

struct drain {
    struct service *service;
    struct loop_source *due;
    int64_t again_us; /* until the next look */
};

static void look_again(struct drain *drain)
{
    loop_timer_in(drain->due, drain->again_us);
    drain->again_us = drain->again_us < RARELY_US / 2 ? 2 * drain->again_us : RARELY_US;
}

static void run(const struct drain *drain)
{
    const struct health *health = drain->service->health;
    struct err err = {0};
    const struct own_run command = {.runner = health->runner,
                                    .access = health->access,
                                    .user = COMMAND,
                                    .command = COMMAND,
                                    .param = "service",
                                    .item = drain->service->config->name};
    if (own_run_submit(&command, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not stop the colour that is not live");
    }
}

static void on_state(const struct units_state *state, const struct err *err, void *userdata)
{
    struct drain *drain = userdata;
    (void)err;
    bool stopped = state != NULL &&
                   (strcmp(state->active, "inactive") == 0 || strcmp(state->active, "failed") == 0);
    if (!stopped) {
        if (state != NULL) {
            run(drain);
        }
        look_again(drain);
    }
}

static void on_due(void *userdata)
{
    struct drain *drain = userdata;
    const struct service *s = drain->service;
    struct units *units = s->health->options.units;
    char unit[CONFIG_UNIT_SIZE];
    config_unit_of(s->config, config_idle_colour(s->config, s->colour), unit);
    if (units == NULL || s->health->runner == NULL ||
        units_get(units, unit, LOOK_MS, on_state, drain, NULL) < 0) {
        look_again(drain);
    }
}

struct drain *drain_new(struct service *service, int64_t since_wall_us)
{
    struct loop *loop = service->health->options.loop;
    struct drain *drain = calloc(1, sizeof(*drain));
    ASSERT(drain != NULL);
    drain->service = service;
    drain->again_us = AGAIN_US;
    drain->due = loop_add_timer(loop, on_due, drain);
    loop_source_name(drain->due, "drain of a colour");
    int64_t whole_us = service->config->release_drain_us;
    int64_t left_us = since_wall_us + whole_us - clock_wall_us(loop_clock(loop));
    /* A wall clock that was set must not make it longer. */
    left_us = left_us > whole_us ? whole_us : left_us;
    loop_timer_in(drain->due, left_us > SOON_US ? left_us : SOON_US);
    return drain;
}

void drain_free(struct drain *drain)
{
    if (drain != NULL) {
        units_forget(drain->service->health->options.units, drain);
        loop_source_free(drain->due);
        free(drain);
    }
}

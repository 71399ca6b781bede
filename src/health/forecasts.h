/*
 * forecasts.h: makes the forecasts of a week once a day, judges those whose day is over, and raises
 * the alerts about what they say.
 *
 *     struct forecasts *forecasts = forecasts_new(health);
 *     forecasts_start(forecasts);
 *
 * A helper reads and computes; the loop stores, FORECASTS_SLICE rows at a time. Always true: what a
 * crash interrupts is done after the next start, and nothing twice (forecast_table.h); an alert,
 * "metric:<subject>:<kind>_week" of low severity, is open as long as the newest forecast says so.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"

#define FORECASTS_FIRST_US (3 * USEC_PER_MIN) /* after the start */
#define FORECASTS_EVERY_US USEC_PER_HOUR      /* looks whether a day has ended */
#define FORECASTS_SLICE    32
#define FORECASTS_SOURCE   "forecast" /* of the alerts */

struct forecasts;
struct health;

struct forecasts *forecasts_new(const struct health *health);
void forecasts_free(struct forecasts *forecasts); /* accepts NULL */
void forecasts_start(struct forecasts *forecasts);
/* Does now what there is to do, unless it is under way. */
void forecasts_look(struct forecasts *forecasts);

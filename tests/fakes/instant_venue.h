/*
 * instant_venue.h: a venue that fills everything at once at the price that the decision saw, for a
 * bare engine_step.
 *
 *     instant_venue_answer(engine, &outputs, &inputs, &fill_id);   // what the last step asked
 *     instant_venue_quote(&inputs);                                // an order book for its bars
 *     engine_step(engine, &now, &inputs, &outputs);
 *
 * Always true: replaces the reports in inputs; fill_id counts on from what it is given (from 1).
 * Thread: the test's.
 */
#pragma once

#include "engine/engine.h"

void instant_venue_answer(const struct engine *engine, const struct engine_outputs *outputs,
                          struct engine_inputs *inputs, int64_t *fill_id);
/* Replaces the quotes in inputs: of each bar, its close a basis point away on each side. */
void instant_venue_quote(struct engine_inputs *inputs);

/*
 * instant_venue.h: a venue that fills everything at once at the price of the decision, for tests
 * that call engine_step directly.
 *
 *     instant_venue_answer(engine, &outputs, &inputs, &fill_id);   // answers the last step's calls
 *     instant_venue_quote(&inputs);                                // a quote for each bar
 *     engine_step(engine, &now, &inputs, &outputs);
 *
 * It replaces the reports in inputs. *fill_id is the last fill id used; ids start at 1.
 * Thread: the test's.
 */
#pragma once

#include "engine/engine.h"

void instant_venue_answer(const struct engine *engine, const struct engine_outputs *outputs,
                          struct engine_inputs *inputs, int64_t *fill_id);
/* Replaces the quotes in inputs: for each bar, its close plus and minus one basis point. */
void instant_venue_quote(struct engine_inputs *inputs);

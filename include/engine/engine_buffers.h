/*
 * engine_buffers.h: the memory of the inputs and outputs of a step, sized at start.
 *
 *     struct engine_inputs inputs = {0};
 *     engine_inputs_init(&inputs, symbol_count);
 *     ...
 *     engine_inputs_release(&inputs);
 *
 * Invariants: sized by the number of symbols that the engine has; init aborts when out of memory;
 * nothing is allocated afterwards. release takes an all-zero value too, and leaves one.
 * Thread: any.
 */
#pragma once

#include "engine/engine.h"

#include <stddef.h>

void engine_inputs_init(struct engine_inputs *inputs, int symbols);
void engine_inputs_release(struct engine_inputs *inputs);

void engine_outputs_init(struct engine_outputs *outputs, int symbols);
void engine_outputs_release(struct engine_outputs *outputs);
/* Bytes of the outputs of so many symbols, all rows included. */
size_t engine_outputs_size(int symbols);

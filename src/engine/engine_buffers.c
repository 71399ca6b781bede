#include "engine/engine_buffers.h"

#include "base/check.h"

#include <stdlib.h>

static void *rows(int count, size_t size)
{
    void *memory = calloc((size_t)count, size);
    ASSERT(memory != NULL);
    return memory;
}

void engine_inputs_init(struct engine_inputs *inputs, int symbols)
{
    int bars = capacity_symbols(symbols);
    *inputs = (struct engine_inputs){0};
    inputs->bars = rows(bars, sizeof(*inputs->bars));
    inputs->quotes = rows(bars, sizeof(*inputs->quotes));
    inputs->sentiments = rows(bars, sizeof(*inputs->sentiments));
}

void engine_inputs_release(struct engine_inputs *inputs)
{
    free(inputs->bars);
    free(inputs->quotes);
    free(inputs->sentiments);
    *inputs = (struct engine_inputs){0};
}

void engine_outputs_init(struct engine_outputs *out, int symbols)
{
    int bars = capacity_symbols(symbols);
    int orders = capacity_orders(symbols);
    int positions = capacity_positions(symbols);
    *out = (struct engine_outputs){.symbols = symbols};
    out->orders = rows(orders, sizeof(*out->orders));
    out->trades = rows(ENGINE_TRADES(positions), sizeof(*out->trades));
    out->decisions = rows(bars, sizeof(*out->decisions));
    out->candles = rows(bars, sizeof(*out->candles));
    out->sends = rows(orders, sizeof(*out->sends));
    out->cancels = rows(orders, sizeof(*out->cancels));
    out->amends = rows(positions, sizeof(*out->amends));
    out->queries = rows(orders, sizeof(*out->queries));
    out->events = rows(ENGINE_EVENTS(bars), sizeof(*out->events));
}

void engine_outputs_release(struct engine_outputs *out)
{
    free(out->orders);
    free(out->trades);
    free(out->decisions);
    free(out->candles);
    free(out->sends);
    free(out->cancels);
    free(out->amends);
    free(out->queries);
    free(out->events);
    *out = (struct engine_outputs){0};
}

size_t engine_outputs_size(int symbols)
{
    const struct engine_outputs *out = NULL;
    size_t bars = (size_t)capacity_symbols(symbols);
    size_t orders = (size_t)capacity_orders(symbols);
    size_t positions = (size_t)capacity_positions(symbols);
    return sizeof(*out) +
           orders * (sizeof(*out->orders) + sizeof(*out->sends) + sizeof(*out->cancels) +
                     sizeof(*out->queries)) +
           ENGINE_TRADES(positions) * sizeof(*out->trades) + positions * sizeof(*out->amends) +
           bars * (sizeof(*out->decisions) + sizeof(*out->candles)) +
           ENGINE_EVENTS(bars) * sizeof(*out->events);
}

#include "engine_private.h"

#include <math.h>
#include <string.h>

/* A table holds all that is known: what it does not name is unknown from now on. */
void engine_sentiment_accept(struct engine *engine, const struct engine_inputs *inputs)
{
    memset(engine->sentiments, 0, (size_t)engine->symbol_count * sizeof(*engine->sentiments));
    for (int i = 0; i < inputs->sentiment_count; i++) {
        const struct sentiment_value *v = &inputs->sentiments[i];
        int place = engine_place(engine, v->symbol);
        if (place >= 0) {
            engine->sentiments[place].score = v->score;
            engine->sentiments[place].until_us = v->until_us;
        }
    }
}

double engine_sentiment(const struct engine *engine, struct symbol symbol)
{
    int place = engine_place(engine, symbol);
    return place >= 0 && engine->now->wall_us < engine->sentiments[place].until_us
               ? engine->sentiments[place].score
               : (double)NAN;
}

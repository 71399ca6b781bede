/*
 * ask_bench.h: databases with known answers, for the bench of the assistant.
 *
 *     struct world world;
 *     world_open(&world, 7, 240);                    // a seed, and so many hours of market
 *     struct json_object *data = world_run(&world, "measure", args);   // as the action does
 *     bool same = world_answers(&world, &want, data);
 *     world_close(&world);
 *
 * The answers are computed here from the raw rows, by loops of their own.
 * Thread: main.
 */
#pragma once

#include "assistant/grammar.h"
#include "assistant/measure.h"
#include "command/action.h"
#include "config/config.h"
#include "io/json.h"
#include "rigs/driver_rig.h"
#include "store/ops.h"

struct world_trade {
    char symbol[16];
    int side; /* 1: long */
    double qty, entry, exit, pnl, fees;
    int64_t id, opened_us, closed_us;
    int predicted; /* 1: long, -1: short, 0: none */
};

struct world {
    char folder[64];
    struct driver_rig rig;
    struct ops_store *ops;
    struct config *config;
    struct action_table *actions;
    struct measures measures;
    struct grammar_context context;
    int64_t now_us;
    int count;
    struct world_trade *trades; /* in the order of their closing */
};

/* What a question asks for. */
struct want {
    const char *measure; /* the word of the parameter */
    const char *symbol;  /* NULL: all */
    int side;
    int64_t from_us, to_us;
    int64_t last;           /* trades; 0: the period */
    const char *by;         /* NULL: no groups */
    int order;              /* 1: the best group is first */
    int64_t versus_from_us; /* 0: no comparison */
    int64_t versus_to_us;
    const char *versus_symbol;
};

void world_open(struct world *world, uint64_t seed, int64_t hours);
void world_close(struct world *world);
/* Runs the command's action with these arguments; the caller frees the data. NULL: refused. */
struct json_object *world_run(struct world *world, const char *command, const char *args);
/* Whether the figures of the data are those that the rows give; else *ret_why says which is not. */
bool world_answers(const struct world *world, const struct want *want, struct json_object *data,
                   char *ret_why, size_t size);

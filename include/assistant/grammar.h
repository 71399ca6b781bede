/*
 * grammar.h: questions in plain English that are answered from data, without a model.
 *
 *     struct grammar_context context;
 *     grammar_context_fill(&context, &(struct grammar_sources){config, snapshot, clock, zone});
 *     struct grammar_reading *reading = grammar_reading_new();
 *     switch (grammar_read(&context, str_c("how did BTC do yesterday?"), reading)) {
 *     case GRAMMAR_ANSWER:   run reading->command with reading->args, show reading->understood
 *     case GRAMMAR_CLARIFY:  show reading->message, and each choice as a button "/ask <question>"
 *     case GRAMMAR_PROPOSAL: show reading->line with a button that starts it as if typed
 *     case GRAMMAR_REFUSED:  show reading->message
 *     case GRAMMAR_UNKNOWN:  ask a model, if there is one; else show reading->message and choices
 *     }
 *     grammar_reading_free(reading);
 *
 * Always true: every word of a question that is answered is understood or has no bearing on it; a
 * word that is neither makes the question GRAMMAR_UNKNOWN, so nothing is guessed. The command only
 * reads, and checks its arguments like any other. A proposal is a line for a person to start; a
 * wish to buy, sell or open is refused. Reads no file and no database; takes less than a
 * millisecond.
 * Thread: any, one at a time per reading.
 */
#pragma once

#include "base/str.h"
#include "config/config.h"
#include "model/capacity.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct snapshot;
struct zone;

#define GRAMMAR_QUESTION_MAX 400 /* bytes; a longer one is GRAMMAR_UNKNOWN */
#define GRAMMAR_CHOICES_MAX  6
#define GRAMMAR_COMMAND_SIZE 48
#define GRAMMAR_ARGS_SIZE    512
#define GRAMMAR_TEXT_SIZE    400
#define GRAMMAR_LABEL_SIZE   48
#define GRAMMAR_ZONE_SIZE    64 /* ZONE_LABEL_SIZE */
#define GRAMMAR_CHOICE_SIZE  160

enum grammar_kind {
    GRAMMAR_ANSWER,   /* understood as a whole */
    GRAMMAR_CLARIFY,  /* one thing is open: a message and what it can be */
    GRAMMAR_PROPOSAL, /* it would change something */
    GRAMMAR_REFUSED,  /* it would trade */
    GRAMMAR_UNKNOWN
};

/* What the words of a question can name, and what time it is. */
struct grammar_context {
    int64_t wall_us;
    int64_t market_us;       /* the time of trades; in a simulation it is not wall time */
    const struct zone *zone; /* of days and hours; NULL: UTC */
    char zone_name[GRAMMAR_ZONE_SIZE];
    size_t symbol_count;
    struct symbol symbols[SYMBOLS_LIMIT];
    size_t service_count;
    const char *services[CONFIG_SERVICES_MAX]; /* of the configuration */
};

/* A question that is clear, to be asked instead. */
struct grammar_choice {
    char label[GRAMMAR_LABEL_SIZE];
    char question[GRAMMAR_CHOICE_SIZE];
};

struct grammar_reading {
    enum grammar_kind kind;
    char command[GRAMMAR_COMMAND_SIZE]; /* GRAMMAR_ANSWER: a command that reads: "measure" */
    char args[GRAMMAR_ARGS_SIZE];       /* its arguments, as a JSON object */
    char understood[GRAMMAR_TEXT_SIZE]; /* "profit after fees of BTC-USD, 25 Nov 2026 00:00 to 24:00
                                           UTC" */
    char line[GRAMMAR_TEXT_SIZE];       /* GRAMMAR_PROPOSAL: "/close SOL-USD" */
    char message[GRAMMAR_TEXT_SIZE];    /* what is open, refused or not understood */
    int choice_count;                   /* GRAMMAR_CLARIFY, GRAMMAR_UNKNOWN */
    struct grammar_choice choices[GRAMMAR_CHOICES_MAX];
};

struct grammar_sources {
    const struct config *config;
    const struct snapshot *snapshot; /* NULL, or of version 0: market time is wall time */
    const struct clock *clock;
    const struct zone *zone; /* that of alerts.timezone; NULL: UTC. Borrowed by the context */
};
void grammar_context_fill(struct grammar_context *ret, const struct grammar_sources *sources);

struct grammar_reading *grammar_reading_new(void);
void grammar_reading_free(struct grammar_reading *reading);
/* Returns ret->kind. */
enum grammar_kind grammar_read(const struct grammar_context *context, struct str question,
                               struct grammar_reading *ret);

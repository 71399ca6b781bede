/*
 * api_tally.h: the calls of a minute, for the audit log: what was read, with which token, and what
 * was refused, with how often. A flood of calls is a few rows.
 *
 *     api_tally_note(listener, &(struct api_note){.caller = id, .route = "/state"});   // listener
 *     api_tally_write(api);                          // ops: every minute while there are calls
 *
 * How it crosses: a listener owns the table while it counts, and puts it into its slot; ops takes
 * it from the slot. A thread that finds it empty takes a new table, or looks again later, so
 * nobody waits. Always true: a minute has at most API_TALLY_MAX rows and one for all others; an
 * hour has at most API_REFUSALS_MAX rows about refusals in the audit log, and the next of them says
 * how many were left out. Thread: named at each function.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define API_TALLY_MAX    48
#define API_REFUSALS_MAX 60

struct api;
struct api_tally;
struct listener;
struct web_request;

struct api_note {
    struct web_request *request;
    int64_t caller;      /* a token's id, or a uid at the socket; -1: unknown */
    const char *route;   /* of the table of routes; NULL: a path that is not served */
    enum err_id refused; /* ERR_NONE: it was admitted */
    bool counts;         /* a read; false: a command, which has records of its own */
    int64_t blocked_s;   /* for so long its address is refused from now on */
};

/* The listener's. */
void api_tally_note(struct listener *listener, const struct api_note *note);
/* Ops. */
void api_tally_start(struct api *api);
/* Looks whether there is something to write, now or in a minute. */
void api_tally_look(struct api *api);
/* Writes what was counted. */
void api_tally_write(void *api);
/* After the listeners' threads have ended: writes the rest. */
void api_tally_end(struct api *api);

/*
 * action.h: an ability of the program, as a function in a table that describes itself. Command
 * manifests (commands/<name>.yaml) are made of actions; adding an ability is adding one row.
 *
 *     static int show_positions(struct action_call *call, struct err *err);  // ... ACTION_DONE
 *     static const struct action actions[] = {{.name = "trading.positions", .run = show_positions,
 *         .effect = ACTION_READS, .lowest = ROLE_READ_ONLY, .summary = "Open positions"}, {0}};
 *     action_table_add(table, actions, desk);
 *
 * Life of a call: run() returns ACTION_DONE (its reply is complete), ACTION_PENDING (it will call
 * action_finish exactly once, later, from the ops thread) or a negative err id. The runner enforces
 * the step's timeout: a call that is late is told through cancel() and must not finish afterwards.
 * Invariants: an action never sends; it writes into call's reply. Parameters were checked against
 * the declared list before run() is called.
 * Ownership: a call belongs to the runner and lives until it finished or was cancelled.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "command/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum action_effect { ACTION_READS, ACTION_CHANGES, ACTION_MOVES_MONEY };
enum { ACTION_DONE = 0, ACTION_PENDING = 1 };
enum param_type {
    PARAM_TEXT,
    PARAM_INT,
    PARAM_DURATION,
    PARAM_PRICE,   /* a number above zero, strictly read; the value is plain: "64120.5" */
    PARAM_SYMBOL,  /* upper-cased, one of the configured symbols */
    PARAM_SERVICE, /* a configured service */
    PARAM_CHOICE   /* one of `choices` */
};

struct action_param {
    const char *name;
    enum param_type type;
    bool required;
    const char *choices; /* "a|b|c" for PARAM_CHOICE */
    const char *help;
};

#define ACTION_PARAMS_MAX 6

struct action_call;

struct action {
    const char *name; /* "area.verb" */
    const char *summary;
    enum action_effect effect;
    enum role lowest; /* a manifest can only be stricter */
    bool emergency;   /* only manifests that ask for the emergency grant may use it */
    /* Stops or pauses trading: it runs also while ops.db cannot be written. The run is recorded
     * once that is possible, and the reply says so. */
    bool safe_side;
    struct action_param params[ACTION_PARAMS_MAX]; /* ended by a NULL name when fewer */
    int (*run)(struct action_call *call, struct err *err);
    void (*cancel)(struct action_call *call); /* only for actions that return ACTION_PENDING */
    /* Optional: the part that waits for no disk. Called when the command is permitted and
     * confirmed, before anything is stored; run() follows, or nothing when the process dies.
     * Returns nothing and may be called twice for one run. */
    void (*first)(void *userdata, const struct principal *who);
    /* Optional, for actions that change something: after a crash that fell into this very call
     * (same run id and step), did its effect take place? Without it nobody knows, and the person is
     * told so. It may fill the reply. Who has to ask elsewhere returns ACTION_PENDING and finishes
     * the call later: without error it happened, COMMAND_NOT_DONE it did not, COMMAND_LOST nobody
     * knows; cancel() may come before. */
    int (*recover)(struct action_call *call, bool *ret_happened, struct err *err);
    /* Optional, for commands that ask for a confirmation: says into the reply what exactly will
     * happen (the position that will be closed), before anything is done. A negative result refuses
     * the command without asking. It cannot wait. */
    int (*preview)(struct action_call *call, struct err *err);
};

struct action_table;

struct action_table *action_table_new(void);
void action_table_free(struct action_table *table);
/* rows end with a NULL name; userdata is what action_userdata gives them. Names are unique
 * (ASSERT). The rows must outlive the table. */
void action_table_add(struct action_table *table, const struct action *rows, void *userdata);
const struct action *action_find(const struct action_table *table, const char *name);
/* In the order of registration; NULL past the end. */
const struct action *action_at(const struct action_table *table, size_t index);
/* docs/actions.md */
void action_markdown(const struct action_table *table, struct buf *out);
const char *action_effect_name(enum action_effect effect); /* "reads" "changes" "moves money" */
const char *param_type_name(enum param_type type);         /* "text" "int" "duration" … */
bool param_type_parse(struct str s, enum param_type *ret);
/* "90s", "15m", "2h", "1d", "500ms"; a number above zero and its unit. Microseconds. */
bool param_parse_duration(struct str s, int64_t *ret_us);

/* Inside a call. */
void *action_userdata(const struct action_call *call);
const struct principal *action_who(const struct action_call *call);
struct reply *action_reply(struct action_call *call);
/* The value of a parameter as text; NULL when it was not given. */
const char *action_arg(const struct action_call *call, const char *name);
/* PARAM_INT as it is, PARAM_DURATION in microseconds. */
int64_t action_arg_i64(const struct action_call *call, const char *name, int64_t otherwise);
/* Durable and unique: run id and step index; survives a crash of the run. */
int64_t action_run_id(const struct action_call *call);
int action_step(const struct action_call *call);
/* When the step was begun (wall); in recover() by the process that died. */
int64_t action_begun_us(const struct action_call *call);
/* Puts a few words (an id, at most 200 bytes) on disk with the step, before something outside is
 * asked for; recover() then gets them from action_remembered (NULL: there are none). */
int action_remember(struct action_call *call, const char *text, struct err *err);
const char *action_remembered(const struct action_call *call);
/* Scratch pointer of the action itself, for cancel(). */
void action_set_state(struct action_call *call, void *state);
void *action_state(const struct action_call *call);
/* Tells the person how it goes ("waiting for :8080/health, 3 s"); coalesced into one edited
 * message. */
__attribute__((format(printf, 2, 3))) void action_progress(struct action_call *call,
                                                           const char *format, ...);
/* Ends a pending call; err NULL or ERR_NONE is success. */
void action_finish(struct action_call *call, const struct err *err);

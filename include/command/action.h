/*
 * action.h: the C functions that the steps of commands run, in tables that also describe them
 * (parameters, effect, lowest role). A manifest (commands/<name>.yaml) lists actions; a new action
 * is one more row. The words invocation, run, call and request are defined in runner.h.
 *
 *     static int show_positions(struct action_call *call, struct err *err);  // ... ACTION_DONE
 *     static const struct action actions[] = {{.name = "trading.positions", .run = show_positions,
 *         .effect = ACTION_READS, .lowest = ROLE_READ_ONLY, .summary = "Open positions"}, {0}};
 *     action_table_add(table, actions, desk);
 *
 * Life of a call: run() returns ACTION_DONE (the reply is complete), ACTION_PENDING (the action
 * calls action_finish exactly once, later, from the ops thread) or a negative err id. When a
 * pending call exceeds its step's timeout, the runner calls cancel(); the action must not finish
 * the call after that.
 * Invariants: an action never sends; it fills the reply of its call. Before run() is called, the
 * values of its parameters are typed, in range, looked up, and defaults filled in; an action parses
 * no text again.
 * Ownership: a call belongs to the runner, and is valid until it has finished or was cancelled.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "command/reply.h"
#include "command/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum action_effect { ACTION_READS, ACTION_CHANGES, ACTION_MOVES_MONEY };
enum { ACTION_DONE = 0, ACTION_PENDING = 1 };

/* The parameters of an action, of any number up to ACTION_PARAMS_MAX. */
#define ACTION_PARAMS(...) ((const struct action_param[]){__VA_ARGS__, {0}})
#define ACTION_PARAMS_MAX  32
#define ACTION_OUTPUT_MAX  640 /* bytes; a path fits */

struct action_call;

struct action {
    const char *name; /* "area.verb" */
    const char *summary;
    enum action_effect effect;
    enum role lowest; /* a manifest may require a higher role, not a lower one */
    bool emergency;   /* only manifests that require the emergency grant may use it */
    /* A reading action that the assistant may run for a person (commands all of whose steps are
     * such are its tools): its reply holds nothing that must not leave the machine, and it is
     * short. */
    bool assistant;
    /* Stops or pauses trading, so it runs even while ops.db cannot be written. The run is recorded
     * as soon as that is possible, and the reply says so. */
    bool safe_side;
    /* How long the action waits for its effect before it fails by itself; 0: it does not wait. The
     * timeout of a step must be longer, since it would cut the wait off. */
    int64_t waits_us;
    /* Optional, for actions that change something: what no other run may change meanwhile, as names
     * separated by spaces: "service:$service" with the value of a parameter, or "trading". A name
     * without an item, or whose item is `all` or was not given, covers all items of its kind. A run
     * takes the locks of all its steps when it starts, or is refused with COMMAND_LOCKED. */
    const char *locks;
    /* Optional: the outputs that later steps of a manifest may use as $step.name, as names
     * separated by spaces; at most 8. */
    const char *outputs;
    /* Optional: the members of `data` that its reply and its preview may have, as names separated
     * by spaces; docs/json.md describes them. From these come the schemas for programs. Of an
     * object "snapshot.age_ms" names one member. "*": any, because it passes on what other
     * commands reply. */
    const char *data;
    const struct action_param *params; /* ACTION_PARAMS: ends at a NULL name; NULL: none */
    int (*run)(struct action_call *call, struct err *err);
    void (*cancel)(struct action_call *call); /* only for actions that return ACTION_PENDING */
    /* Optional: the part that must not wait for the disk. Called once the command is permitted and
     * confirmed, before anything is stored; run() follows unless the process dies first. Cannot
     * fail. May be called twice for one run. */
    void (*first)(void *userdata, const struct principal *who);
    /* Optional, for actions that change something: reports whether a call that a crash interrupted
     * took effect. The call has the same run id and step as the interrupted one. Without this
     * function the outcome is unknown, and the reply says so. It may fill the reply. If it has to
     * wait for an answer, it returns ACTION_PENDING and finishes the call later: without an error
     * if it took effect, with COMMAND_NOT_DONE if it did not, with COMMAND_LOST if that is unknown.
     * cancel() may be called before that. */
    int (*recover)(struct action_call *call, bool *ret_happened, struct err *err);
    /* Optional: whether the call, with the values of its parameters, asks for the second factor of
     * a person who has one. Only for values that come from arguments. There is no reply. */
    bool (*needs_factor)(const struct action_call *call);
    /* Optional: false if the call, with these values, does nothing here, such as starting the
     * second instance of a service that has one. A prompt leaves it out. There is no reply. */
    bool (*applies)(const struct action_call *call);
    /* Optional, for commands that ask for a confirmation: adds to the prompt exactly what will
     * happen (for example, the position that will be closed) and changes nothing. A negative result
     * refuses the command without asking. It cannot wait. */
    int (*preview)(struct action_call *call, struct err *err);
};

struct action_table;

struct action_table *action_table_new(void);
void action_table_free(struct action_table *table);
/* rows end at a NULL name and must outlive the table. Their calls get userdata from
 * action_userdata. Names must be unique (ASSERT). */
void action_table_add(struct action_table *table, const struct action *rows, void *userdata);
const struct action *action_find(const struct action_table *table, const char *name);
/* In the order of registration; NULL past the end. */
const struct action *action_at(const struct action_table *table, size_t index);
/* docs/actions.md */
void action_markdown(const struct action_table *table, struct buf *out);
const char *action_effect_name(enum action_effect effect); /* "reads" "changes" "moves money" */
int action_param_count(const struct action *action);
const struct action_param *action_param_find(const struct action *action, struct str name);

/* What the module knows about the values of a type (value.h): one domain for each type (ASSERT).
 * It must outlive the table. A type without a domain is not looked up. */
void action_table_add_domain(struct action_table *table, const struct value_domain *domain,
                             void *userdata);

/* The functions below are called inside a call. */
const struct action *action_of(const struct action_call *call);
void *action_userdata(const struct action_call *call);
const struct principal *action_who(const struct action_call *call);
struct reply *action_reply(struct action_call *call);
/* The value of a parameter, which the action must declare (ASSERT); NULL if it was not given and
 * has no default. The functions below also assert its type. */
const struct arg_value *action_value(const struct action_call *call, const char *name);
/* Of a text, a choice, a service or an order; NULL if not given. */
const char *action_text(const struct action_call *call, const char *name);
/* For parameters that are required or have a default; any other must be tested with action_value
 * first (ASSERT). */
int64_t action_int(const struct action_call *call, const char *name);
int64_t action_duration_us(const struct action_call *call, const char *name);
int64_t action_time_us(const struct action_call *call, const char *name);
/* Of a symbol, a position, or symbol_or_all; the empty symbol: all, or not given. */
struct symbol action_symbol(const struct action_call *call, const char *name);
/* A price; zero: not given. */
struct dec action_price(const struct action_call *call, const char *name);
/* The row of the run in ops.db, and the index of the step. Together they identify a step, also
 * after a restart. The id is 0 for a run that has no row: one that began while ops.db could not be
 * written. */
int64_t action_run_id(const struct action_call *call);
/* Whether the same run has a step of this action, such as trading.pause, at any place. */
bool action_run_has(const struct action_call *call, const char *action);
int action_step(const struct action_call *call);
/* When the step began (wall clock); in recover(), when the interrupted call began. */
int64_t action_begun_us(const struct action_call *call);
/* For preview(): the prompt shows this price, or this fact (a service, a position, a role), and its
 * answer counts only while the price has not moved by more than commands.confirm_band and the fact
 * is the same. Otherwise the prompt asks again with what is so then. Does nothing elsewhere. */
void action_depends_price(struct action_call *call, const char *what, struct dec price);
__attribute__((format(printf, 3, 4))) void
action_depends(struct action_call *call, const char *what, const char *format, ...);
/* The chat of the run; on Telegram, a private chat has the id of its person. */
int64_t action_chat_id(const struct action_call *call);
/* The topic of a forum; 0: none, or the run has sent its first message. */
int64_t action_thread_id(const struct action_call *call);
/* Stores a short text (such as an id, at most 200 bytes) in the row of the step. Call it before
 * sending anything outside the process: recover() reads the text with action_remembered (NULL: none
 * was stored). For a run without a row the text is kept in memory until the run is recorded. */
int action_remember(struct action_call *call, const char *text, struct err *err);
const char *action_remembered(const struct action_call *call);
/* Gives an output, which the action must declare (ASSERT). It is stored with the step, cut to
 * ACTION_OUTPUT_MAX bytes. */
__attribute__((format(printf, 3, 4))) void action_output(struct action_call *call, const char *name,
                                                         const char *format, ...);
/* A pointer that belongs to the action, for example for cancel(). */
void action_set_state(struct action_call *call, void *state);
void *action_state(const struct action_call *call);
/* Shows progress to the user ("waiting for :8080/health, 3 s"). Updates are merged and edit one
 * message. */
__attribute__((format(printf, 2, 3))) void action_progress(struct action_call *call,
                                                           const char *format, ...);
/* Shows the text of an answer that is being written, all of it so far, as the progress of the run.
 */
void action_stream(struct action_call *call, struct str text);
/* Ends a pending call. err NULL or ERR_NONE means success. */
void action_finish(struct action_call *call, const struct err *err);

/*
 * manifest.h: the operator commands, read from commands/<name>.yaml: those embedded in the binary,
 * and the user's own from a folder.
 *
 *     struct manifest_list *list;
 *     rc = manifest_list_load(actions, &list, err);
 *     manifest_list_reload(list, "/etc/nightdesk/commands", MANIFEST_SKIP_BAD, &problems);
 *     const struct manifest *m = manifest_find(list, "restart");
 *
 * Invariants: every step names a known action, and only parameters that the action declares; an
 * argument accepts nothing that its parameters refuse; every example can be bound; the
 * role of the manifest is at least the lowest role of each of its actions; command names and
 * aliases match [a-z][a-z0-9_]{0,31} and are unique; the list is sorted by group, then by name. A
 * manifest that breaks a rule is refused with file:line:column. A file of the user cannot replace
 * an embedded command, but one that begins with `restrict:` adds rules to it, which only demand
 * more; a file is read only if nobody else can change it.
 * Ownership: a manifest is counted; a pointer from manifest_find or manifest_at is valid until the
 * next reload, a reference from manifest_ref until manifest_unref.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "base/err.h"
#include "command/action.h"
#include "command/trigger.h"

#include <stdbool.h>
#include <stddef.h>

#define MANIFEST_STEPS_MAX    12
#define MANIFEST_MARGIN_US    (10 * USEC_PER_SEC) /* by which a step may outlast what it waits */
#define MANIFEST_EXAMPLES_MAX 4
#define MANIFEST_ALIASES_MAX  4
#define MANIFEST_NAME_SIZE    33
#define MANIFEST_FILES_MAX    400 /* of the user's folder; a reload reads them on the loop */
#define MANIFEST_TIMES_MAX    8
#define MANIFEST_DIGEST_SIZE  17
#define MANIFEST_DATA_MAX     4096 /* bytes of manifest_data */

struct manifest_arg {
    struct action_param rule; /* what the parameters that it is passed to accept, or less */
    bool own_default; /* the manifest gives the default: it is bound as if it had been given.
                         Else the default is the action's, and not part of the run */
    bool rest;        /* the last one, a text: takes the rest of the line as it is */
};

/* One parameter of a step: an argument ("$arg" alone), an output of an earlier step ("$step.output"
 * alone), a text with those inside, or a literal. */
struct manifest_with {
    const struct action_param *param;
    const char *text;         /* as in the file */
    int arg;                  /* the argument that is passed on; -1: none */
    bool is_output;           /* the output of a step, which `text` names */
    bool has_args;            /* a text with arguments or outputs inside */
    struct arg_value literal; /* neither: the value */
};

/* The waits before retries: initial, then `factor` times the one before, at most max. Each is up to
 * a fifth shorter. */
struct manifest_backoff {
    int64_t initial_us;
    double factor;
    int64_t max_us;
};

/* A step that reads is repeated until a condition on its outputs holds. */
struct manifest_wait {
    char condition[160]; /* checked (when.h); "": the step runs once */
    int64_t every_us;    /* from the end of one reading to the next */
    int64_t within_us;   /* from the beginning of the step, also over a restart; then it fails */
};

struct manifest_step {
    char id[24]; /* "": its outputs cannot be used */
    const struct action *action;
    char when[160]; /* checked (when.h); "": always */
    struct manifest_wait until;
    int group; /* of a parallel group; 0: none. Its steps are consecutive */
    struct manifest_backoff backoff;
    struct manifest_with *with; /* owned by the manifest, as args */
    int with_count;
    int64_t timeout_us; /* longer if an argument makes the action wait longer */
    int retries;
};

enum manifest_factor {
    MANIFEST_FACTOR_NO,
    MANIFEST_FACTOR_IF_SET, /* only of a person who has one */
    MANIFEST_FACTOR_ALWAYS
};

/* What somebody needs to run a command with certain arguments. */
struct manifest_demand {
    enum role role;
    bool emergency; /* the emergency grant */
    bool confirm;
    enum manifest_factor second_factor;
    bool four_eyes;        /* another person with the role approves it */
    const char *denied_by; /* "x.yaml:3:5": the rule that forbids it; NULL: none */
};

#define MANIFEST_RULES_MAX  16
#define MANIFEST_WHEN_MAX   4  /* arguments of one rule */
#define MANIFEST_VALUES_MAX 16 /* of one of these, and people of one rule */

/* A row of `rules`: it demands more of some people, or for some arguments. */
struct manifest_rule {
    struct manifest_demand demand;
    int when_count;
    struct manifest_when {
        int arg;
        int value_count;
        const char *values[MANIFEST_VALUES_MAX]; /* as bound values are written */
    } when[MANIFEST_WHEN_MAX];
    int user_count; /* 0: everybody */
    const char *users[MANIFEST_VALUES_MAX];
    const char *where; /* "x.yaml:3:5" */
};

/* When a command runs by itself; at most one of the two is set. */
struct manifest_schedule {
    int64_t every_us; /* 0: not set. Divides a day: 1h is at each full hour, UTC */
    int at_minutes[MANIFEST_TIMES_MAX]; /* of the local day, ascending: 450 is 07:30 */
    int at_count;
};

struct manifest {
    char name[MANIFEST_NAME_SIZE];
    char aliases[MANIFEST_ALIASES_MAX][MANIFEST_NAME_SIZE];
    int alias_count;
    unsigned channels; /* bits 1 << enum channel: where the command exists */
    struct manifest_schedule schedule;
    struct manifest_trigger trigger; /* an alert that makes it run by itself */
    bool deliver; /* scheduled: the reply is sent to the chats that receive alerts */
    char group[24];
    char summary[128];
    enum role role;
    bool emergency;    /* requires the emergency grant */
    bool confirm;      /* asks for a confirmation */
    int confirm_after; /* steps, which only read, that run before it; the prompt shows what they
                          replied. 0: none */
    enum manifest_factor second_factor; /* asks for a code of the person's authenticator app */
    bool four_eyes;                     /* asks another person with the role for approval */
    struct manifest_rule *rules; /* owned; at most MANIFEST_RULES_MAX. What they demand of everybody
                                    for all arguments is in the fields above already */
    int rule_count;
    bool protect;   /* what it shows cannot be forwarded or saved on a phone */
    int64_t rate;   /* runs of one person in a minute; 0: no limit of its own */
    bool changes;   /* at least one step changes something: refused when stale, and audited */
    bool safe_side; /* changes something, and every step that does is safe_side (action.h) */
    struct manifest_arg *args;
    int arg_count;
    struct manifest_step *steps; /* owned; at most MANIFEST_STEPS_MAX */
    int step_count;
    struct manifest_step *on_failure; /* owned; at most MANIFEST_STEPS_MAX */
    int on_failure_count;
    bool undo; /* on_failure also runs after a cancel, or if a crash has cut the run off */
    struct manifest_step *always; /* owned; at most MANIFEST_STEPS_MAX */
    int always_count;
    int group_count; /* parallel groups */
    char examples[MANIFEST_EXAMPLES_MAX][64];
    int example_count;
    char **texts; /* owns the texts of args and steps */
    size_t text_count;
    /* Changes when what the command does may have changed: role, arguments, steps. Texts for people
     * are not part of it. */
    char digest[MANIFEST_DIGEST_SIZE];
    char where[160]; /* "commands/x.yaml:1:10", possibly cut */
    int refs;        /* use manifest_ref and manifest_unref */
};

struct manifest_list;

/* The embedded manifests. */
int manifest_list_load(const struct action_table *actions, struct manifest_list **ret,
                       struct err *err);
/* The same from a table of files that ends at a NULL path; files outside commands/ are skipped. */
struct embedded_file;
int manifest_list_read(const struct action_table *actions, const struct embedded_file *files,
                       struct manifest_list **ret, struct err *err);
void manifest_list_free(struct manifest_list *list);

enum manifest_reload {
    MANIFEST_SKIP_BAD,      /* a file with a problem is left out, the others are used */
    MANIFEST_ALL_OR_NOTHING /* a file with a problem leaves the list as it was */
};
struct manifest_problems {
    void (*report)(const struct err *why, void *userdata); /* for each file that cannot be used */
    void *userdata;
};
/* Reads the folder of the user's own manifests again; an empty path means none. Returns the number
 * of problems, each of which was reported. Files whose name begins with a dot or does not end in
 * .yaml are ignored. */
int manifest_list_reload(struct manifest_list *list, const char *folder, enum manifest_reload how,
                         const struct manifest_problems *problems);

/* By name or alias. */
const struct manifest *manifest_find(const struct manifest_list *list, const char *name);
const struct manifest *manifest_at(const struct manifest_list *list, size_t index); /* NULL: end */
/* Whether any of its steps runs this action. */
bool manifest_has_action(const struct manifest *m, const char *action);
/* All steps, numbered over steps, then on_failure, then always. */
int manifest_step_total(const struct manifest *m);
/* Whether it has several of them: then a client is shown its steps. */
bool manifest_is_workflow(const struct manifest *m);
const struct manifest_step *manifest_step_at(const struct manifest *m, int index);
int manifest_find_step(const struct manifest *m, struct str id);  /* its index; -1: none */
int manifest_find_arg(const struct manifest *m, struct str name); /* its index; -1: none */
/* The bytes of "$arg" or "$step.output" at the start of text, which begins with $. */
size_t manifest_name_size(const struct manifest *m, struct str text);
/* What this person needs for these arguments (args[i] is the value of m->args[i]); args NULL:
 * whatever the arguments. */
struct manifest_demand manifest_demand(const struct manifest *m, const struct principal *who,
                                       const struct arg_value *args);
/* 0, or -ERR_ACCESS_DENIED. */
int manifest_permit(const struct manifest *m, const struct principal *who,
                    const struct arg_value *args, struct err *err);
/* The members of `data` that its replies may have, from those of its actions, each once:
 * "snapshot positions"; "*": any. */
void manifest_data(const struct manifest *m, struct buf *out);
/* Whether this is one of them, or has a member that is. */
bool manifest_has_data(const struct manifest *m, struct str member);
bool manifest_is_visible(const struct manifest *m, enum channel channel);
/* The most similar command name of a channel, for "did you mean"; NULL if none is similar or if
 * that command changes something: a suggestion is pressed without a second thought. */
const char *manifest_nearest(const struct manifest_list *list, enum channel channel,
                             struct str name);
const struct manifest *manifest_ref(const struct manifest *m);
void manifest_unref(const struct manifest *m); /* takes NULL */
/* "/restart <service>"; optional arguments are in square brackets. */
void manifest_usage(const struct manifest *m, struct buf *out);
/* "every 1h", "at 07:30, 19:30"; nothing if the command has no schedule. */
void manifest_add_schedule(const struct manifest *m, struct buf *out);
/* "int 1 to 50, default 10"; "service"; "text, optional". */
void manifest_arg_describe(const struct manifest_arg *arg, struct buf *out);
/* "for symbol all: role admin, approval of a second person" */
void manifest_rule_describe(const struct manifest *m, const struct manifest_rule *rule,
                            struct buf *out);
/* docs/commands.md */
void manifest_markdown(const struct manifest_list *list, struct buf *out);

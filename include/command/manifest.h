/*
 * manifest.h: the operator commands, read from commands/<name>.yaml (embedded in the binary).
 *
 *     struct manifest_list *list;
 *     rc = manifest_list_load(actions, &list, err);
 *     const struct manifest *m = manifest_find(list, "restart");
 *
 * Invariants: every step names a known action, and only parameters that the action declares; the
 * role of the manifest is at least the lowest role of each of its actions; command names match
 * [a-z][a-z0-9_]{0,31}; the list is sorted by group, then by name. A manifest that breaks a rule is
 * refused with file:line:column.
 * Thread: read-only after loading; any.
 */
#pragma once

#include "access/access.h"
#include "base/err.h"
#include "command/action.h"

#include <stdbool.h>
#include <stddef.h>

#define MANIFEST_STEPS_MAX    8
#define MANIFEST_EXAMPLES_MAX 4

struct manifest_arg {
    char name[24];
    enum param_type type;
    bool required;
    char choices[96];
    char help[96];
};

struct manifest_with {
    char param[24];
    char value[160]; /* literal, "$arg", or text with $arg inside */
};

struct manifest_step {
    const struct action *action;
    struct manifest_with with[ACTION_PARAMS_MAX];
    int with_count;
    int64_t timeout_us;
    int retries;
};

struct manifest {
    char name[33];
    char group[24];
    char summary[128];
    enum role role;
    bool emergency; /* requires the emergency grant */
    bool confirm;   /* asks for a confirmation */
    bool changes;   /* at least one step changes something: refused when stale, and audited */
    bool safe_side; /* changes something, and every step that does is safe_side (action.h) */
    struct manifest_arg args[ACTION_PARAMS_MAX];
    int arg_count;
    struct manifest_step steps[MANIFEST_STEPS_MAX];
    int step_count;
    struct manifest_step on_failure[MANIFEST_STEPS_MAX];
    int on_failure_count;
    char examples[MANIFEST_EXAMPLES_MAX][64];
    int example_count;
};

struct manifest_list;

int manifest_list_load(const struct action_table *actions, struct manifest_list **ret,
                       struct err *err);
/* The same from a table of files that ends at a NULL path; files outside commands/ are skipped. */
struct embedded_file;
int manifest_list_read(const struct action_table *actions, const struct embedded_file *files,
                       struct manifest_list **ret, struct err *err);
void manifest_list_free(struct manifest_list *list);
const struct manifest *manifest_find(const struct manifest_list *list, const char *name);
const struct manifest *manifest_at(const struct manifest_list *list, size_t index); /* NULL: end */
/* The most similar command name, for "did you mean"; NULL if none is similar. */
const char *manifest_nearest(const struct manifest_list *list, struct str name);
/* "/restart <service>"; optional arguments are in square brackets. */
void manifest_usage(const struct manifest *m, struct buf *out);
/* docs/commands.md */
void manifest_markdown(const struct manifest_list *list, struct buf *out);

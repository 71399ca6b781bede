/*
 * manifest_internal.h: shared by the files that read manifests: manifest.c (the file),
 * manifest_args.c (its arguments, and what steps do with them), manifest_list.c. Private to this
 * module.
 *
 *     struct manifest *m = NULL;
 *     rc = manifest_parse(actions, "commands/restart.yaml", text, &m, err);
 *     manifest_unref(m);
 *
 * Thread: ops.
 */
#pragma once

#include "command/manifest.h"
#include "io/yaml.h"

/* Reads one manifest; the caller owns a reference to it. Error: MANIFEST_FORMAT with
 * path:line:column, or that of the YAML parser. */
int manifest_parse(const struct action_table *actions, const char *path, struct str text,
                   struct manifest **ret, struct err *err);

/* Reads a file that begins with `restrict: NAME`: adds its rules and its rate to the manifest
 * of that command. */
int manifest_restrict(const char *path, struct str text, struct manifest *m, struct err *err);
/* The command that the file restricts; "" if it is a manifest, or not readable. */
void manifest_restricted_name(const char *path, struct str text, char ret[MANIFEST_NAME_SIZE]);

/* The manifest being read. */
struct manifest_reader {
    const char *path;
    const struct action_table *actions;
    struct manifest *m;
    const struct yaml_node *root;
    struct err *err;
};

/* "commands/x.yaml:5:8: stop must be text" */
__attribute__((format(printf, 3, 4))) int manifest_complain(const struct manifest_reader *r,
                                                            const struct yaml_node *at,
                                                            const char *format, ...);
/* Refuses keys that are not in the NULL-terminated list, and suggests the most similar one. */
int manifest_check_keys(const struct manifest_reader *r, const struct yaml_node *map,
                        const char *const *known);
/* Copies a scalar into dst. A missing one is an error if required, else dst stays empty. */
int manifest_read_text(const struct manifest_reader *r, const struct yaml_node *map,
                       const char *key, bool required, char *dst, size_t size);
int manifest_read_bool(const struct manifest_reader *r, const struct yaml_node *map,
                       const char *key, bool *ret);
bool manifest_name_is_valid(const char *name, size_t max);

/* manifest_steps.c */
/* Reads one of the lists steps, on_failure and always; the manifest owns it, also after a failure.
 */
int manifest_steps_read(const struct manifest_reader *r, const struct yaml_node *root,
                        const char *key, struct manifest_step **ret_steps, int *ret_count);
/* Sets `changes` and `safe_side` once all steps are read. */
void manifest_steps_summarise(struct manifest *m);
/* Checks "arg" or "step.output" where a step uses it; *ret_arg is -1 for an output. */
int manifest_steps_check_name(const struct manifest *m, const struct manifest_step *user,
                              struct str name, int *ret_arg, struct err *why);

/* manifest_rules.c: `rules`, after the arguments and the steps. They are added to those that the
 * manifest has. */
int manifest_rules_read(const struct manifest_reader *r, const struct yaml_node *root);
/* After a mistake in the file at this path: nobody may run the command, unless it is on the safe
 * side. */
void manifest_deny_all(struct manifest *m, const char *path);
/* trigger.c: `trigger`, after the arguments and the schedule. */
int manifest_trigger_read(const struct manifest_reader *r, const struct yaml_node *root);
int manifest_rate_read(const struct manifest_reader *r, const struct yaml_node *root);
int manifest_read_factor(const struct manifest_reader *r, const struct yaml_node *map,
                         enum manifest_factor *ret);

/* manifest_args.c */
/* A copy that the manifest owns. */
const char *manifest_keep(struct manifest *m, const char *text);
int manifest_args_read(const struct manifest_reader *r, const struct yaml_node *root);
/* The parameters of a step, whose action is set: the mapping under `key`. */
int manifest_args_read_with(const struct manifest_reader *r, const struct yaml_node *step_node,
                            const char *key, struct manifest_step *step);
/* After the steps: every argument has a type now. */
int manifest_args_check(const struct manifest_reader *r, const struct yaml_node *root);
/* Refuses an example that could not be bound; symbols, services and the like are not looked up. */
int manifest_args_check_example(const struct manifest_reader *r, const struct yaml_node *item);
/* Releases what args and steps own. */
void manifest_args_release(struct manifest *m);

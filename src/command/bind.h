/*
 * bind.h: binds the arguments of a command line, or of JSON, to what its manifest declares. Private
 * to this module.
 *
 *     struct arg_value *values = bind_new(m);
 *     rc = bind_line(m, &line, &context, values, err);     // values[i] is that of m->args[i]
 *     bind_free(m, values);
 *
 * Invariants: named and positional arguments can be mixed; a positional one is that of the first
 * argument without a value. An argument that is not given and has a default of the manifest gets
 * it. A price in percent is made absolute (value.h), unless the context has no domains.
 * Thread: ops.
 */
#pragma once

#include "command/manifest.h"
#include "command/value.h"
#include "line.h"

struct arg_value *bind_new(const struct manifest *m); /* never NULL; all not given */
void bind_free(const struct manifest *m, struct arg_value *values);
/* Errors: COMMAND_ARG_…, or what a domain reports. */
int bind_line(const struct manifest *m, const struct line *line,
              const struct value_context *context, struct arg_value *values, struct err *err);
/* args: an object by name, or an array in the order of the arguments; null is "not given". */
int bind_json(const struct manifest *m, struct json_object *args,
              const struct value_context *context, struct arg_value *values, struct err *err);
/* From bind_stored_json, also of versions whose values were all texts. Adds no default, since the
 * run had none, and ignores names that the manifest does not declare. */
int bind_stored(const struct manifest *m, struct json_object *args,
                const struct value_context *context, struct arg_value *values, struct err *err);
/* An object of the canonical JSON of each value that was given. */
void bind_stored_json(const struct manifest *m, const struct arg_value *values, struct buf *text);
/* "restart demo": the command as a person would type it. False: a value cannot be typed. */
bool bind_add_line(const struct manifest *m, const struct arg_value *values, struct buf *out);

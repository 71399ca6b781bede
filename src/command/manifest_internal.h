/*
 * manifest_internal.h: shared by the files that read manifests. Private to this module.
 *
 *     struct manifest *m = NULL;
 *     rc = manifest_parse(actions, "commands/restart.yaml", text, &m, err);
 *     manifest_unref(m);
 *
 * Thread: ops.
 */
#pragma once

#include "command/manifest.h"

/* Reads one manifest; the caller owns a reference to it. Error: MANIFEST_FORMAT with
 * path:line:column, or that of the YAML parser. */
int manifest_parse(const struct action_table *actions, const char *path, struct str text,
                   struct manifest **ret, struct err *err);

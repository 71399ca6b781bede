/*
 * tool.h: commands as tools of a model: which ones it may run for a person, and what it has to know
 * to call them.
 *
 *     size_t at = 0;
 *     const struct manifest *m;
 *     while ((m = tool_next(manifests, &who, &at)) != NULL)
 *         tool_input_schema(m, &out, "input_schema");
 *     m = tool_find(manifests, &who, "trades");
 *
 * A command is a tool of a person if the person may run it, on the channel of the question, and all
 * its steps run actions that are marked for the assistant (action.h). It is named as the command
 * is, and its JSON schema comes from the command's arguments. The order is that of the commands, so
 * it stays the same from request to request.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "command/manifest.h"

struct json_out;

#define TOOLS_MAX 64

/* The next tool from *at on; NULL: no more. */
const struct manifest *tool_next(const struct manifest_list *manifests, const struct principal *who,
                                 size_t *at);
/* NULL: the person has no such tool. */
const struct manifest *tool_find(const struct manifest_list *manifests, const struct principal *who,
                                 const char *name);
/* The tool that runs this action alone, for what knows the action and not the command; NULL: none.
 */
const struct manifest *tool_of_action(const struct manifest_list *manifests,
                                      const struct principal *who, const char *action);
/* "Closed trades. For example: /trades 5" */
void tool_describe(const struct manifest *m, struct buf *out);
/* The JSON schema of the arguments, an object. */
void tool_input_schema(const struct manifest *m, struct json_out *out, const char *key);

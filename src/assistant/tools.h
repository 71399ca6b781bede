/*
 * tools.h: which commands a model may run for a person, and what a program has to know to call
 * them. Private to this module.
 *
 *     struct json_object *tools = tools_json(manifests, &who);      // for llm_request.tools
 *     const struct manifest *m = tools_find(manifests, &who, "trades");
 *
 * A command is a tool of a person if the person may run it, on the channel of the question, and all
 * its steps run actions that are marked for the assistant. It is named as the command is, and its
 * JSON schema comes from the command's arguments. The list is sorted as the commands are, so it
 * stays the same from request to request, which the API's cache needs.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "command/manifest.h"

struct json_object;

#define TOOLS_MAX    64
#define TOOL_PROPOSE "propose"

/* The caller releases it. propose: with the tool that proposes a command. */
struct json_object *tools_json(const struct manifest_list *manifests, const struct principal *who,
                               bool propose);
/* NULL: the person has no such tool. */
const struct manifest *tools_find(const struct manifest_list *manifests,
                                  const struct principal *who, const char *name);
/* The tool that runs this action alone, for what knows the action and not the command; NULL: none.
 */
const struct manifest *tools_of_action(const struct manifest_list *manifests,
                                       const struct principal *who, const char *action);

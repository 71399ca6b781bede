/*
 * tools.h: the tools of a person (command/tool.h) as a request to the model lists them. Private to
 * this module.
 *
 *     struct json_object *tools = tools_json(manifests, &who, true);      // for llm_request.tools
 *
 * The list stays the same from request to request, which the API's cache needs.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "command/manifest.h"

struct json_object;

#define TOOL_PROPOSE "propose"

/* The caller releases it. propose: with the tool that proposes a command. */
struct json_object *tools_json(const struct manifest_list *manifests, const struct principal *who,
                               bool propose);

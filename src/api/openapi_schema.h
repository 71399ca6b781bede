/*
 * openapi_schema.h: JSON schemas of all documents and entities, from the tables of docs/json.md,
 * and an example of each document, from examples.json beside this file.
 *
 *     openapi_schemas(components);                 // adds "schemas"
 *     openapi_ref(schema, "nightdesk.state/2");    // {"$ref": "#/components/schemas/…"}
 *
 * A row `trading.state` is the member state of the object trading, `votes[].agent` one of each
 * object of the array votes, and a step in capitals any key. Every value may be null. Thread: any.
 */
#pragma once

#include "io/json.h"

#include <stddef.h>

void openapi_schemas(struct json_object *components);
void openapi_ref(struct json_object *schema, const char *name);

#define OPENAPI_REF_SIZE 128
/* Adds "examples", one for each document that has one. */
void openapi_examples(struct json_object *components);
/* "#/components/examples/…" of a document, in ret. */
const char *openapi_example(const char *name, char *ret, size_t size);

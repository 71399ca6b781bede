/*
 * openapi.h: the description of the API for programs (OpenAPI 3.1), made from the table of routes
 * (api/route.h) and from docs/json.md, which describes every document and is part of the binary.
 *
 *     AUTO_JSON struct json_object *description = openapi_new();
 *
 * So a route, a parameter or a member is described in one place, and the description cannot drift.
 * Ownership: the caller's. Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

struct json_object *openapi_new(void); /* never NULL */
void api_markdown(struct buf *out);    /* docs/api.md, from the same table */
void api_docs_page(struct buf *out);   /* the page /docs: the same, and the catalogue of errors */

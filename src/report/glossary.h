/*
 * glossary.h: what the figures of the report mean, for a reader who has only the report.
 *
 * Thread: any.
 */
#pragma once

#include "io/json_out.h"

/* Adds "glossary" to the report. */
void glossary_add(struct json_out *out);

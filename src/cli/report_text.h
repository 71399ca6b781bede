/*
 * report_text.h: the report of an audit for people: broken invariants first, then those that were
 * not evaluated, with the reasons, then the sections, as lines and tables with units. Private to
 * this module.
 *
 *     report_text(report_document(report), &text);
 *
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"

void report_text(struct json_object *report, struct buf *out);

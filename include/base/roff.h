/*
 * roff.h: text for a manual page (the macros of man(7)).
 *
 *     roff_head(&out, "nightdesk", 1, "operate a trading bot from a phone");
 *     roff_section(&out, "OPTIONS");
 *     roff_tag(&out, "--json");                  // a paragraph with a bold tag
 *     roff_add(&out, "print JSON");
 *
 * Always true: no character of a text is taken for a request or an escape. Thread: any.
 */
#pragma once

#include "base/buf.h"

void roff_head(struct buf *out, const char *name, int section, const char *purpose);
void roff_section(struct buf *out, const char *title);
void roff_subsection(struct buf *out, const char *title);
void roff_tag(struct buf *out, const char *tag);
/* Ends with a line feed. An empty line of the text begins a paragraph. */
void roff_add(struct buf *out, const char *text);

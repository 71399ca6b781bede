/*
 * sections.h: the parts of the report that are one SQL statement a member: decisions, orders,
 * equity, rules, services, alerts, outbox, commands, configuration, audits.
 *
 * Thread: that of the source.
 */
#pragma once

#include "source.h"

/* The name of a part that could not be read, and the reason. */
typedef void (*section_gap_fn)(const char *part, int rc, void *userdata);

/* Adds the members of the report that trading.db (`trading`) or ops.db has. */
void sections_add(struct source *source, bool trading, struct json_out *out, section_gap_fn gap,
                  void *userdata);
/* The members of "account" that are on disk. */
void sections_add_account(struct source *source, struct json_out *out, section_gap_fn gap,
                          void *userdata);

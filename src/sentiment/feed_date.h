/*
 * feed_date.h: the dates of feeds: ISO 8601 with or without an offset, as in Atom, and the form of
 * RFC 822 with its later variants, as in RSS. Private to this module.
 *
 *     int64_t at_us;
 *     if (feed_date_parse(str_c("Tue, 10 Jun 2003 04:00:00 +0200"), &at_us)) ...
 *
 * A date without a zone is UTC. A year of two digits is 1970 to 2069. Thread: any (pure).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

bool feed_date_parse(struct str text, int64_t *ret_wall_us);

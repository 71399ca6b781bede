/*
 * import_venue.h: nightdesk import candles --venue: candles of a venue into trading.db.
 *
 *     return import_venue(args);
 *
 * Only candles that trading.db does not have are requested, and each page is committed when it has
 * arrived, so an import that was interrupted continues where it stopped.
 * Thread: main.
 */
#pragma once

#include "cli_internal.h"

int import_venue(const struct cli_args *args);

/*
 * account_tables.h: the private sides and the streams of the venues, one line each; their files are
 * named after them (binance_account.c, binance_stream.c). Private to this module.
 *
 * Thread: any (constant tables).
 */
#pragma once

#include "venue/account.h"
#include "venue/stream.h"

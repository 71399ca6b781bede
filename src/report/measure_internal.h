/*
 * measure_internal.h: the parts of measure_read. Private to measure*.c.
 *
 * Thread: that of the connection.
 */
#pragma once

#include "base/str.h"
#include "io/db.h"
#include "report/measure.h"

/* The group of this name; all beyond MEASURE_GROUPS_MAX share the last one. */
struct measure_sum *measure_group(struct measure_result *result, struct str name);
/* "2026-11-26", "14:00": the day or the hour in the zone of the query. */
void measure_time_name(const struct measure_query *query, int64_t us, char ret[MEASURE_NAME_SIZE]);

int measure_trades(struct db *db, const struct measure_query *query, struct measure_result *ret,
                   struct err *err);
/* Equity, slippage, funding, decisions. */
int measure_market(struct db *db, const struct measure_query *query, struct measure_result *ret,
                   struct err *err);
int measure_ops(struct db *db, const struct measure_query *query, struct measure_result *ret,
                struct err *err);

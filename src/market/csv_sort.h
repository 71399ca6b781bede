/*
 * csv_sort.h: the rows of a file in the order of time (private to market).
 *
 *     (void)csv_sort_add(sort, &row, line);
 *     newest_first = csv_sort_finish(sort);
 *     while (csv_sort_next(sort, &row, &line)) use(&row);
 *
 * Rows with the same time stay in the order of the file.
 */
#pragma once

#include "base/auto.h"
#include "market/csv.h"

#include <stdbool.h>
#include <stdint.h>

struct csv_sort;

struct csv_sort *csv_sort_new(void);
void csv_sort_free(struct csv_sort *sort);

static inline void csv_sort_cleanup(struct csv_sort **slot)
{
    csv_sort_free(*slot);
}
#define AUTO_CSV_SORT AUTO(csv_sort_cleanup)

/* Returns the number of rows. */
int64_t csv_sort_add(struct csv_sort *sort, const struct csv_row *row, int64_t line);
/* True: the file had the newest row first. */
bool csv_sort_finish(struct csv_sort *sort);
/* 1: a row; 0: the end. */
int csv_sort_next(struct csv_sort *sort, struct csv_row *ret, int64_t *ret_line);

#include "csv_sort.h"

#include "base/check.h"

#include <stdlib.h>

struct csv_sort {
    int64_t count;
    int64_t size;
    int64_t next;
    struct sorted_row {
        struct csv_row row;
        int64_t line;
    } * rows;
};

struct csv_sort *csv_sort_new(void)
{
    struct csv_sort *sort = calloc(1, sizeof(*sort));
    ASSERT(sort != NULL);
    return sort;
}

void csv_sort_free(struct csv_sort *sort)
{
    if (sort != NULL) {
        free(sort->rows);
        free(sort);
    }
}

int64_t csv_sort_add(struct csv_sort *sort, const struct csv_row *row, int64_t line)
{
    if (sort->count == sort->size) {
        sort->size = sort->size > 0 ? sort->size * 2 : 1024;
        sort->rows = realloc(sort->rows, (size_t)sort->size * sizeof(*sort->rows));
        ASSERT(sort->rows != NULL);
    }
    sort->rows[sort->count] = (struct sorted_row){*row, line};
    return ++sort->count;
}

static int compare(const void *a, const void *b)
{
    const struct sorted_row *x = a, *y = b;
    int64_t x_us = x->row.bar.open_us, y_us = y->row.bar.open_us;
    return x_us != y_us ? (x_us > y_us) - (x_us < y_us) : (x->line > y->line) - (x->line < y->line);
}

static void reverse(struct csv_sort *sort)
{
    for (int64_t i = 0, k = sort->count - 1; i < k; i++, k--) {
        struct sorted_row row = sort->rows[i];
        sort->rows[i] = sort->rows[k];
        sort->rows[k] = row;
    }
}

bool csv_sort_finish(struct csv_sort *sort)
{
    bool falls = sort->count > 1, has_equal = false;
    for (int64_t i = 1; i < sort->count && falls; i++) {
        int64_t us = sort->rows[i].row.bar.open_us, last_us = sort->rows[i - 1].row.bar.open_us;
        falls = us <= last_us;
        has_equal = has_equal || us == last_us;
    }
    if (falls && !has_equal) {
        reverse(sort);
    } else if (sort->count > 1) {
        qsort(sort->rows, (size_t)sort->count, sizeof(*sort->rows), compare);
    }
    return falls;
}

int csv_sort_next(struct csv_sort *sort, struct csv_row *ret, int64_t *ret_line)
{
    if (sort->next == sort->count) {
        return 0;
    }
    *ret = sort->rows[sort->next].row;
    *ret_line = sort->rows[sort->next++].line;
    return 1;
}

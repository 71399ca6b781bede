/*
 * model_table.h: the models that were trained with this state folder, in trading.db.
 *
 *     model_table_add(store, &row, &id, err);
 *     int n = model_table_list(store, rows, COUNT_OF(rows), err);
 *
 * The model itself is a file. A row has the file's hash, the training data's hash and the test
 * results, so that a file can be identified even if it was renamed or replaced.
 * Thread: add while no engine runs; list from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/trading.h"

#include <stddef.h>
#include <stdint.h>

struct model_row {
    int64_t id;          /* set by add */
    char path[256];      /* where it was written; cut if longer */
    char model_hash[65]; /* of the file, BLAKE2b */
    char data_hash[65];  /* of the training and test data */
    char features[17];   /* features_hash() */
    int64_t rows;        /* number of training rows */
    double auc;          /* on the test data */
    double log_loss;     /* on the test data */
    int64_t trained_wall_us;
};

int model_table_add(struct trading_store *store, const struct model_row *row, int64_t *ret_id,
                    struct err *err);
/* The newest max, newest first; returns the number or a negative error id. */
int model_table_list(struct trading_store *store, struct model_row *ret, size_t max,
                     struct err *err);

/*
 * model_table.h: the models that were trained with this state folder, in trading.db.
 *
 *     model_table_add(store, &row, &id, err);
 *     int n = model_table_list(store, rows, COUNT_OF(rows), err);
 *
 * The model itself is a file; a row says what it was made of and how it did, so that a file can be
 * told from its namesakes by its hash.
 * Thread: add while no engine runs; list from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/trading.h"

#include <stddef.h>
#include <stdint.h>

struct model_row {
    int64_t id;          /* given by add */
    char path[256];      /* where it was written; cut when longer */
    char model_hash[65]; /* of the file, BLAKE2b */
    char data_hash[65];  /* of what it learned from and was tested on */
    char features[17];   /* features_hash() */
    int64_t rows;        /* that it learned from */
    double auc;          /* of the test */
    double log_loss;
    int64_t trained_wall_us;
};

int model_table_add(struct trading_store *store, const struct model_row *row, int64_t *ret_id,
                    struct err *err);
/* The newest max, newest first; returns how many or a negative error id. */
int model_table_list(struct trading_store *store, struct model_row *ret, size_t max,
                     struct err *err);

/* model_table: the rows of trained models. */
#include "base/check.h"
#include "store/model_table.h"
#include "unit/unit.h"

#include <string.h>

static void models_are_listed_newest_first(void **state)
{
    (void)state;
    struct trading_store *store = NULL;
    struct err err = {0};
    struct model_row got[3];
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, &err), 0);
    assert_int_equal(model_table_list(store, got, COUNT_OF(got), &err), 0);
    int64_t ids[4];
    for (int i = 0; i < 4; i++) {
        struct model_row row = {.rows = 1000 + i,
                                .auc = 0.5 + 0.01 * i,
                                .log_loss = 0.69 - 0.01 * i,
                                .trained_wall_us = 1790002800000000 + i};
        (void)snprintf(row.path, sizeof(row.path), "models/%d.json", i);
        memset(row.model_hash, 'a' + i, sizeof(row.model_hash) - 1);
        memset(row.data_hash, 'k' + i, sizeof(row.data_hash) - 1);
        memset(row.features, '0' + i, sizeof(row.features) - 1);
        assert_int_equal(model_table_add(store, &row, &ids[i], &err), 0);
    }
    assert_int_equal(model_table_list(store, got, COUNT_OF(got), &err), 3);
    for (int i = 0; i < 3; i++) {
        int n = 3 - i;
        assert_int_equal(got[i].id, ids[n]);
        assert_int_equal(got[i].rows, 1000 + n);
        assert_true(got[i].auc == 0.5 + 0.01 * n && got[i].log_loss == 0.69 - 0.01 * n);
        assert_int_equal(got[i].trained_wall_us, 1790002800000000 + n);
        assert_int_equal(strspn(got[i].model_hash, (char[]){(char)('a' + n), '\0'}), 64);
        assert_int_equal(strspn(got[i].data_hash, (char[]){(char)('k' + n), '\0'}), 64);
        assert_int_equal(strspn(got[i].features, (char[]){(char)('0' + n), '\0'}), 16);
        char path[32];
        (void)snprintf(path, sizeof(path), "models/%d.json", n);
        assert_string_equal(got[i].path, path);
    }
    trading_store_free(store);
}

UNIT_GROUP(models, cmocka_unit_test(models_are_listed_newest_first))

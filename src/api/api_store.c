#include "api_store.h"

#include "base/auto.h"
#include "model/shared.h"
#include "store/ops.h"
#include "store/trading.h"

int api_need_trading(struct api_stores *stores, struct err *err)
{
    uint64_t file = atomic_load(&stores->shared->trading_file);
    if (stores->trading != NULL && stores->trading_file != file) {
        trading_store_free(TAKE(stores->trading));
    }
    stores->trading_file = file;
    return stores->trading != NULL
               ? 0
               : trading_store_open(stores->state_dir, TRADING_STORE_READ, &stores->trading, err);
}

int api_need_ops(struct api_stores *stores, struct err *err)
{
    uint64_t file = atomic_load(&stores->shared->ops_file);
    if (stores->ops != NULL && stores->ops_file != file) {
        ops_store_free(TAKE(stores->ops));
    }
    stores->ops_file = file;
    return stores->ops != NULL
               ? 0
               : ops_store_open(stores->state_dir, OPS_STORE_READ, &stores->ops, err);
}

void api_stores_release(struct api_stores *stores)
{
    trading_store_free(TAKE(stores->trading));
    ops_store_free(TAKE(stores->ops));
}

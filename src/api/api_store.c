/* The read-only connections of a listener, which only its thread uses. */
#include "api_internal.h"
#include "store/ops.h"
#include "store/trading.h"

/* Opens a database on first use, and again after its file was restored (model/shared.h). */
int api_need_trading(struct listener *l, struct err *err)
{
    uint64_t file = atomic_load(&l->api->shared->trading_file);
    if (l->trading != NULL && l->trading_file != file) {
        trading_store_free(l->trading);
        l->trading = NULL;
    }
    l->trading_file = file;
    return l->trading != NULL
               ? 0
               : trading_store_open(l->api->state_dir, TRADING_STORE_READ, &l->trading, err);
}

int api_need_ops(struct listener *l, struct err *err)
{
    uint64_t file = atomic_load(&l->api->shared->ops_file);
    if (l->ops != NULL && l->ops_file != file) {
        ops_store_free(l->ops);
        l->ops = NULL;
    }
    l->ops_file = file;
    return l->ops != NULL ? 0 : ops_store_open(l->api->state_dir, OPS_STORE_READ, &l->ops, err);
}

void api_store_release(struct listener *listener)
{
    trading_store_free(listener->trading);
    ops_store_free(listener->ops);
    listener->trading = NULL;
    listener->ops = NULL;
}

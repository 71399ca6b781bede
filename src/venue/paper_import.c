#include "store/paper.h"
#include "venue/paper.h"

/* More than the book of any number of symbols has open is not read in one piece. */
#define ORDERS_AT_ONCE 64

static int held(struct trading_store *store, struct err *err)
{
    struct position positions[POSITIONS_LIMIT];
    return paper_store_positions(store, positions, POSITIONS_LIMIT, err);
}

static int knows(struct trading_store *store, const char *client_id, struct err *err)
{
    struct order order;
    int rc = paper_store_get_order(store, client_id, &order, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    return rc < 0 ? rc : 1;
}

/* Each order that is cancelled leaves the list, so this ends. */
static int clear(struct trading_store *store, const char *reason, struct err *err)
{
    struct order orders[ORDERS_AT_ONCE];
    int count;
    while ((count = paper_store_open_orders(store, orders, ORDERS_AT_ONCE, err)) > 0) {
        for (int i = 0; i < count; i++) {
            orders[i].state = ORDER_CANCELLED;
            (void)str_copy(str_c(reason), orders[i].reason, sizeof(orders[i].reason));
            int rc = paper_store_write_order(store, &orders[i], err);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return count;
}

static int add(struct trading_store *store, const struct order *entry, struct fill *fill,
               struct err *err)
{
    int64_t newest = 0;
    bool fresh;
    int rc = paper_store_last_fill_id(store, &newest, err);
    fill_id_of_number(newest + 1, fill->venue_fill_id);
    rc = rc < 0 ? rc : paper_store_write_order(store, entry, err);
    return rc < 0 ? rc : paper_store_add_fill(store, fill, &fresh, err);
}

static int replace(struct trading_store *store, const struct position *positions, int count,
                   struct dec cash, struct err *err)
{
    int rc = paper_store_replace_positions(store, positions, (size_t)count, err);
    return rc < 0 ? rc : paper_store_write_i64(store, "cash_e8", cash.e8, err);
}

const struct venue_import paper_import = {
    .held = held, .knows = knows, .clear = clear, .add = add, .replace = replace};

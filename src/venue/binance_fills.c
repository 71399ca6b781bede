#include "base/clock.h"
#include "binance_shared.h"

static int read_fill(const struct binance_fills *format, const struct field_place *place,
                     const struct json_object *row, struct account_fill *ret, int64_t *ret_id,
                     struct err *err)
{
    *ret = (struct account_fill){0};
    int rc =
        field_word(place, json_get(row, "symbol"), "symbol", ret->market, sizeof(ret->market), err);
    rc = rc < 0 ? rc : field_number(place, json_get(row, "id"), "id", ret_id, err);
    rc = rc < 0 ? rc : field_id(place, json_get(row, "id"), "id", ret->id, sizeof(ret->id), err);
    rc = rc < 0 ? rc
                : field_id(place, json_get(row, "orderId"), "orderId", ret->order_id,
                           sizeof(ret->order_id), err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "price"), "price", &ret->price, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "qty"), "qty", &ret->qty, err);
    if (rc >= 0 && format->buyer != NULL) {
        rc = field_flag(place, json_get(row, format->buyer), format->buyer, &ret->buys, err);
    } else if (rc >= 0) {
        rc = binance_read_side(place, json_get(row, "side"), "side", &ret->buys, err);
    }
    rc = rc < 0 ? rc
                : field_time(place, json_get(row, "time"), "time", USEC_PER_MSEC, &ret->at_us, err);
    return rc < 0 ? rc
                  : binance_read_fee(place, json_get(row, "commission"),
                                     json_get(row, "commissionAsset"), ret, err);
}

int binance_read_fills(const struct binance_fills *format, const struct account_page *page,
                       const struct json_object *root, struct account_fill *ret, int *ret_count,
                       char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = {.venue = format->venue, .endpoint = format->endpoint, .row = -1};
    size_t count = 0;
    int64_t last_id = 0;
    int rc = field_list(&place, root, NULL, BINANCE_ROWS, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        int64_t id = 0;
        place.row = (int64_t)i;
        rc = read_fill(format, &place, json_item(root, i), &ret[i], &id, err);
        last_id = id > last_id ? id : last_id;
    }
    *ret_count = (int)count;
    binance_next_page(page, format->window_us, (int)count, last_id, ret_next);
    return rc;
}

#include "base/clock.h"
#include "binance_futures.h"

#include <string.h>

/* Binance USD-M futures: orders by which the venue closes positions: liquidation,
 * auto-deleveraging, settlement.
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api
 * ("User's Force Orders"). It lists those of the last seven days, in the order of their times, and
 * no settlements. These are looked for among all orders of the market; that they are there is not
 * documented. */

#define NAME         BINANCE_FUTURES
#define FORCE_ORDERS "/fapi/v1/forceOrders"
#define ALL_ORDERS   "/fapi/v1/allOrders"
/* Also the longest range of time in one request, less what a request may take. */
#define LISTED_US   (7 * USEC_PER_DAY - USEC_PER_MIN)
#define FORCED_ROWS 100 /* the most that may be asked for */
#define ALL_ROWS    BINANCE_ROWS

/* See "Event: Order Update" of the stream of the account. */
enum account_forced binance_futures_forced(const char *client_id)
{
    static const struct {
        const char *begins;
        enum account_forced forced;
    } names[] = {
        {"autoclose-", ACCOUNT_FORCED_MARGIN},
        {"adl_autoclose", ACCOUNT_FORCED_DELEVERAGING},
        {"settlement_autoclose-", ACCOUNT_FORCED_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strncmp(client_id, names[i].begins, strlen(names[i].begins)) == 0) {
            return names[i].forced;
        }
    }
    return ACCOUNT_FORCED_NOT;
}

/* The cursor is the time of the newest order before, in milliseconds. */
static int64_t start_ms(const struct account_page *page)
{
    int64_t ms = 0;
    int64_t oldest_us = page->until_us - LISTED_US;
    if (!str_to_i64(str_c(page->cursor), &ms)) {
        ms = (page->since_us > oldest_us ? page->since_us : oldest_us) / USEC_PER_MSEC;
    }
    return ms;
}

void binance_futures_add_forced(const struct account_page *page, struct account_request *request)
{
    bool all = page->market != NULL;
    int64_t end_ms = page->until_us / USEC_PER_MSEC;
    binance_begin(request, ACCOUNT_GET, all ? ALL_ORDERS : FORCE_ORDERS, all ? 5 : 50);
    binance_add(request, "symbol", all ? page->market->name : "");
    binance_add_number(request, "startTime", start_ms(page) < end_ms ? start_ms(page) : end_ms);
    binance_add_number(request, "endTime", end_ms);
    binance_add_number(request, "limit", all ? ALL_ROWS : FORCED_ROWS);
}

int binance_futures_read_forced(const struct account_page *page, const struct json_object *root,
                                struct account_order *ret, int *ret_count,
                                char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    bool all = page->market != NULL;
    size_t most = all ? ALL_ROWS : FORCED_ROWS;
    struct field_place place = {
        .venue = NAME, .endpoint = all ? ALL_ORDERS : FORCE_ORDERS, .row = -1};
    size_t count = 0;
    int64_t newest_us = 0;
    int rc = field_list(&place, root, NULL, most, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(root, i);
        int64_t at_us = 0;
        place.row = (int64_t)i;
        rc = binance_read_order(&place, row, "clientOrderId", &ret[i], err);
        rc = rc < 0 ? rc
                    : field_time(&place, json_get(row, "time"), "time", USEC_PER_MSEC, &at_us, err);
        newest_us = at_us > newest_us ? at_us : newest_us;
        ret[i].forced = binance_futures_forced(ret[i].client_id);
    }
    *ret_count = (int)count;
    ret_next[0] = '\0';
    if (rc >= 0 && count == most && newest_us / USEC_PER_MSEC > start_ms(page)) {
        (void)snprintf(ret_next, ACCOUNT_CURSOR_SIZE, "%lld",
                       (long long)(newest_us / USEC_PER_MSEC));
    }
    return rc;
}

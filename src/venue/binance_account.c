#include "base/clock.h"
#include "binance_shared.h"
#include "binance_spot.h"
#include "io/json_out.h"

#include <string.h>

/* Binance spot: the account. https://developers.binance.com/docs/binance-spot-api-docs */

#define NAME         BINANCE_SPOT
#define RESTRICTIONS "/sapi/v1/account/apiRestrictions"
#define ACCOUNT      "/api/v3/account"
#define INFO         "/api/v3/exchangeInfo"

void binance_add_restrictions(struct account_request *request)
{
    binance_begin(request, ACCOUNT_GET, RESTRICTIONS, 1);
}

/* The sandbox has no call about the key; of the account, canWithdraw is not the key's. */
static void add_check(bool sandbox, struct account_request *request)
{
    if (sandbox) {
        binance_begin(request, ACCOUNT_GET, ACCOUNT, 20);
        binance_add(request, "omitZeroBalances", "true");
    } else {
        binance_add_restrictions(request);
    }
}

/* Each of these moves money away from here. A venue that does not tell of one leaves it open. */
static int read_moves(const struct field_place *place, const struct json_object *root,
                      struct account_permissions *ret, struct err *err)
{
    static const char *const names[] = {"enableWithdrawals", "enableInternalTransfer",
                                        "permitsUniversalTransfer"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        bool may = false;
        if (json_get(root, names[i]) == NULL && i > 0) {
            ret->withdraws_unknown = true;
            continue;
        }
        int rc = field_flag(place, json_get(root, names[i]), names[i], &may, err);
        if (rc < 0) {
            return rc;
        }
        ret->withdraws = ret->withdraws || may;
    }
    return 0;
}

int binance_read_restrictions(const struct json_object *root, const char *venue,
                              const char *trading, struct account_permissions *ret, struct err *err)
{
    const struct field_place place = {.venue = venue, .endpoint = RESTRICTIONS, .row = -1};
    *ret = (struct account_permissions){0};
    int rc = field_flag(&place, json_get(root, "enableReading"), "enableReading", &ret->reads, err);
    rc = rc < 0 ? rc : field_flag(&place, json_get(root, trading), trading, &ret->trades, err);
    rc = rc < 0 ? rc
                : field_flag(&place, json_get(root, "ipRestrict"), "ipRestrict", &ret->bound, err);
    return rc < 0 ? rc : read_moves(&place, root, ret, err);
}

static int read_check(const struct json_object *root, struct account_permissions *ret,
                      struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = ACCOUNT, .row = -1};
    if (json_get(root, "canTrade") == NULL) {
        return binance_read_restrictions(root, NAME, "enableSpotAndMarginTrading", ret, err);
    }
    *ret = (struct account_permissions){.reads = true, .withdraws_unknown = true};
    return field_flag(&place, json_get(root, "canTrade"), "canTrade", &ret->trades, err);
}

static void add_rules(const struct symbol *symbols, int count, struct account_request *request)
{
    AUTO_BUF struct buf list = BUF_INIT(8192), name = BUF_INIT(SYMBOL_SIZE);
    struct json_out out = JSON_OUT(&list);
    binance_begin(request, ACCOUNT_GET, INFO, 20);
    json_out_array(&out, NULL);
    for (int i = 0; i < count; i++) {
        buf_clear(&name);
        buf_add_str(&name, symbol_base(&symbols[i]));
        buf_add_str(&name, symbol_quote(&symbols[i]));
        json_out_str(&out, NULL, buf_str(&name));
    }
    json_out_end(&out);
    binance_add(request, "symbols", list.data);
    request->is_public = true;
}

static int read_rules(const struct json_object *root, const struct symbol *symbol,
                      struct exchange_market *ret, struct instrument *ret_rules, struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = INFO, .row = -1};
    const struct json_object *market = NULL;
    int rc = binance_find_market(&place, root, symbol, &market, err);
    *ret = (struct exchange_market){.symbol = *symbol};
    *ret_rules = (struct instrument){.symbol = *symbol, .status = INSTRUMENT_HALTED};
    const char *status = NULL;
    rc = rc < 0 ? rc
                : field_word(&place, json_get(market, "symbol"), "symbol", ret->name,
                             sizeof(ret->name), err);
    rc = rc < 0 ? rc : field_text(&place, json_get(market, "status"), "status", &status, err);
    rc = rc < 0 ? rc : binance_read_filters(&place, market, "minNotional", ret_rules, err);
    if (rc >= 0 && strcmp(status, "TRADING") == 0 &&
        json_truth(market, "isSpotTradingAllowed", true)) {
        ret_rules->status = INSTRUMENT_TRADING; /* in any other, new ones too, no order is taken */
    }
    return rc;
}

static void add_coins(const char *cursor, struct account_request *request)
{
    (void)cursor;
    binance_begin(request, ACCOUNT_GET, ACCOUNT, 20);
    binance_add(request, "omitZeroBalances", "true");
}

/* Coins whose names are not of printable ASCII, or too long, are left out: nothing here can trade
 * them. */
static bool is_ours(const struct json_object *asset)
{
    struct str name = json_value_str(asset);
    bool plain = name.len > 0 && name.len < CURRENCY_SIZE;
    for (size_t i = 0; i < name.len; i++) {
        plain = plain && name.ptr[i] > ' ' && name.ptr[i] < '\177';
    }
    return plain || !json_is_text(asset);
}

static int read_coin(const struct field_place *place, const struct json_object *row,
                     struct account_coin *ret, struct err *err)
{
    struct dec locked;
    int rc = field_word(place, json_get(row, "asset"), "asset", ret->currency,
                        sizeof(ret->currency), err);
    rc = rc < 0 ? rc : field_amount(place, json_get(row, "free"), "free", &ret->available, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(row, "locked"), "locked", &locked, err);
    if (rc >= 0) {
        ret->total = dec_add(ret->available, locked);
        rc = dec_is_valid(ret->total) ? 0 : field_wrong(place, "free", "is too large", err);
    }
    return rc;
}

static int read_coins(const struct json_object *root, struct account_coin *ret, int *ret_count,
                      char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = ACCOUNT, .row = -1};
    const struct json_object *rows = json_get(root, "balances");
    size_t count = 0;
    int kept = 0;
    int rc = field_list(&place, rows, "balances", ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(rows, i);
        place.row = (int64_t)i;
        if (is_ours(json_get(row, "asset"))) {
            rc = read_coin(&place, row, &ret[kept], err);
            kept++;
        }
    }
    *ret_count = kept;
    ret_next[0] = '\0';
    return rc;
}

const struct account_api binance_account = {
    .name = NAME,
    .can = {.order_types = VENUE_SET(ORDER_TYPE_MARKET) | VENUE_SET(ORDER_TYPE_LIMIT) |
                           VENUE_SET(ORDER_TYPE_STOP),
            .times_in_force = VENUE_SET(TIF_GTC) | VENUE_SET(TIF_IOC) | VENUE_SET(TIF_FOK),
            .post_only = true,
            .legs = VENUE_LEGS_PAIR,
            .prices_in_ticks = true,
            .connection = true,
            .instruments = true,
            .balances = VENUE_BALANCES_CASH,
            .not_found_us = 60 * USEC_PER_SEC},
    .url = "https://api.binance.com",
    .sandbox_url = "https://testnet.binance.vision",
    .stream_url = "wss://ws-api.binance.com:443/ws-api/v3",
    .sandbox_stream_url = "wss://ws-api.testnet.binance.vision/ws-api/v3",
    .limit = 3000, /* half of 6000 a minute */
    .falls_per_s = 50,
    .order_limit = 50, /* of 100 in ten seconds, and 200,000 a day */
    .order_falls_per_s = 2,
    .used_header = "x-mbx-used-weight-1m",
    .window_us = 5 * USEC_PER_SEC,
    .check_key = binance_check_key,
    .sign = binance_sign,
    .judge = binance_spot_judge,
    .add_check = add_check,
    .read_check = read_check,
    .add_rules = add_rules,
    .read_rules = read_rules,
    .add_coins = add_coins,
    .read_coins = read_coins,
    .add_order = binance_spot_add_order,
    .add_pair = binance_spot_add_pair,
    .read_order = binance_spot_read_order,
    .add_query = binance_spot_add_query,
    .add_cancel = binance_spot_add_cancel,
    .add_open = binance_spot_add_open,
    .read_open = binance_spot_read_open,
    .fills_by_market = true,
    .add_fills = binance_spot_add_fills,
    .read_fills = binance_spot_read_fills,
    .add_stream_login = binance_spot_add_login,
    .stream_silence_us = USEC_PER_MIN, /* it pings every 20 s */
    .stream_age_us = USEC_PER_DAY,
    .read_stream = binance_spot_read_stream,
};

#include "alpaca_parts.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/zone.h"

#include <string.h>

/* Alpaca's answers about the account, assets, hours and positions.
 * Quantities of coins have nine places, so the last one is dropped. */

#define PLACE(path)                                    \
    {                                                  \
        .venue = ALPACA, .endpoint = (path), .row = -1 \
    }

/* ---------------------------------------------------------------- names */

/* A stock that has the name of a coin, such as the fund BTC, cannot be traded. */
bool alpaca_is_coin(const struct symbol *symbol)
{
    static const char *const coins[] = {"AAVE", "AVAX", "BAT",   "BCH",   "BTC", "CRV",  "DOGE",
                                        "DOT",  "ETH",  "GRT",   "LINK",  "LTC", "MKR",  "PEPE",
                                        "SHIB", "SOL",  "SUSHI", "TRUMP", "UNI", "USDC", "USDG",
                                        "USDT", "XRP",  "XTZ",   "YFI"};
    for (size_t i = 0; i < COUNT_OF(coins); i++) {
        if (str_equal_c(symbol_base(symbol), coins[i])) {
            return true;
        }
    }
    return false;
}

void alpaca_add_name(const struct symbol *symbol, struct buf *out)
{
    buf_add_str(out, symbol_base(symbol));
    if (alpaca_is_coin(symbol)) {
        buf_add_char(out, '/');
        buf_add_str(out, symbol_quote(symbol));
    }
}

bool alpaca_has_hours(const struct exchange_market *market)
{
    return !alpaca_is_coin(&market->symbol);
}

bool alpaca_is_market(const struct exchange_market *market, const char *name)
{
    AUTO_BUF struct buf joined = BUF_INIT(64);
    buf_add_str(&joined, symbol_base(&market->symbol));
    buf_add_str(&joined, symbol_quote(&market->symbol));
    return strcmp(name, market->name) == 0 ||
           (alpaca_is_coin(&market->symbol) && strcmp(name, joined.data) == 0);
}

/* ---------------------------------------------------------------- the account */

/* Whether coins can be moved away is not told. An address that is allowed already is a way. */
int alpaca_read_check(const struct json_object *root, struct account_permissions *ret,
                      struct err *err)
{
    const struct field_place place = PLACE(ALPACA_WHITELISTS);
    size_t count = 0;
    int rc = field_list(&place, root, NULL, ACCOUNT_ROWS_MAX, &count, err);
    *ret = (struct account_permissions){
        .reads = true, .trades = true, .withdraws = count > 0, .withdraws_unknown = true};
    return rc;
}

int alpaca_read_coins(const struct json_object *root, struct account_coin *ret, int *ret_count,
                      char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    static const char *const blocks[] = {"trading_blocked", "account_blocked",
                                         "trade_suspended_by_user"};
    const struct field_place place = PLACE(ALPACA_ACCOUNT);
    int rc = 0;
    *ret = (struct account_coin){0};
    for (size_t i = 0; i < COUNT_OF(blocks) && rc >= 0; i++) {
        bool blocked = false;
        rc = field_flag(&place, json_get(root, blocks[i]), blocks[i], &blocked, err);
        if (rc >= 0 && blocked) {
            rc = err_set(err, ERR_VENUE_ACCESS, ALPACA ": %s", blocks[i]);
        }
    }
    rc = rc < 0 ? rc
                : field_word(&place, json_get(root, "currency"), "currency", ret->currency,
                             sizeof(ret->currency), err);
    rc = rc < 0 ? rc
                : field_decimal(&place, json_get(root, "cash"), "cash", FIELD_FINE | FIELD_NEGATIVE,
                                &ret->total, err);
    rc = rc < 0 ? rc
                : field_decimal(&place, json_get(root, "non_marginable_buying_power"),
                                "non_marginable_buying_power", FIELD_FINE, &ret->available, err);
    if (rc >= 0 && json_get(root, "accrued_fees") != NULL) {
        rc = field_decimal(&place, json_get(root, "accrued_fees"), "accrued_fees", FIELD_FINE,
                           &ret->accrued, err);
    }
    *ret_count = rc < 0 ? 0 : 1;
    ret_next[0] = '\0';
    return rc;
}

static const struct field_choice position_sides[] = {
    {"long", SIDE_LONG}, {"short", SIDE_SHORT}, {NULL, 0}};

static int read_position(const struct field_place *place, const struct json_object *row,
                         struct account_position *ret, struct err *err)
{
    int side = 0;
    *ret = (struct account_position){0};
    int rc =
        field_word(place, json_get(row, "symbol"), "symbol", ret->market, sizeof(ret->market), err);
    rc = rc < 0 ? rc
                : field_choice(place, json_get(row, "side"), "side", position_sides, &side, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "qty"), "qty", FIELD_FINE | FIELD_NEGATIVE,
                                &ret->qty, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "avg_entry_price"), "avg_entry_price",
                                FIELD_FINE, &ret->entry_price, err);
    ret->side = (enum side)side;
    if (rc >= 0 && ret->qty.e8 < 0 && ret->side == SIDE_LONG) {
        rc = field_wrong(place, "qty", "is below 0 for a long position", err);
    }
    ret->qty = dec_abs(ret->qty);
    return rc;
}

int alpaca_read_positions(const struct json_object *root, struct account_position *ret,
                          int *ret_count, struct account_margin *ret_margin, struct err *err)
{
    struct field_place place = PLACE(ALPACA_POSITIONS);
    size_t count = 0;
    int kept = 0;
    int rc = field_list(&place, root, NULL, ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = read_position(&place, json_item(root, i), &ret[kept], err);
        kept += rc >= 0 && ret[kept].qty.e8 > 0 ? 1 : 0;
    }
    *ret_margin = (struct account_margin){0};
    *ret_count = rc < 0 ? 0 : kept;
    return rc;
}

/* ---------------------------------------------------------------- assets and hours */

/* 1e-8 where the increment is finer. */
static int read_increment(const struct field_place *place, const struct json_object *asset,
                          const char *name, struct dec *ret, struct err *err)
{
    int rc = field_decimal(place, json_get(asset, name), name, FIELD_FINE, ret, err);
    ret->e8 = rc >= 0 && ret->e8 == 0 ? 1 : ret->e8;
    return rc;
}

static bool has_attribute(const struct json_object *asset, const char *name)
{
    const struct json_object *list = json_get(asset, "attributes");
    for (size_t i = 0; i < json_len(list); i++) {
        if (str_equal_c(json_value_str(json_item(list, i)), name)) {
            return true;
        }
    }
    return false;
}

/* Stocks: a cent; whole shares, or parts of one for at least a dollar. */
static int read_share_steps(const struct field_place *place, const struct json_object *asset,
                            struct instrument *ret, struct err *err)
{
    bool parts = false;
    int rc = field_flag(place, json_get(asset, "fractionable"), "fractionable", &parts, err);
    ret->tick = (struct dec){DEC_ONE / 100};
    ret->step = ret->min_qty = parts ? ALPACA_SHARE_PART : (struct dec){DEC_ONE};
    ret->min_notional = (struct dec){DEC_ONE};
    return rc;
}

static int read_steps(const struct field_place *place, const struct json_object *asset, bool coin,
                      struct instrument *ret, struct err *err)
{
    if (!coin) {
        return read_share_steps(place, asset, ret, err);
    }
    ret->min_notional = (struct dec){10 * DEC_ONE};
    int rc = read_increment(place, asset, "min_trade_increment", &ret->step, err);
    rc = rc < 0 ? rc : read_increment(place, asset, "price_increment", &ret->tick, err);
    rc = rc < 0 ? rc : read_increment(place, asset, "min_order_size", &ret->min_qty, err);
    return rc;
}

int alpaca_read_rules(const struct json_object *root, const struct symbol *symbol,
                      struct exchange_market *ret, struct instrument *ret_rules, struct err *err)
{
    static const struct field_choice classes[] = {{"us_equity", 0}, {"crypto", 1}, {NULL, 0}};
    const struct field_place place = PLACE(ALPACA_ASSETS);
    AUTO_BUF struct buf wanted = BUF_INIT(64);
    const char *name = NULL;
    int coin = 0;
    bool tradable = false;
    struct exchange_market found = {.symbol = *symbol};
    struct instrument rules = {.symbol = *symbol};
    alpaca_add_name(symbol, &wanted);
    int rc = field_text(&place, json_get(root, "symbol"), "symbol", &name, err);
    rc = rc < 0 ? rc : field_choice(&place, json_get(root, "class"), "class", classes, &coin, err);
    rc = rc < 0 ? rc : field_flag(&place, json_get(root, "tradable"), "tradable", &tradable, err);
    if (rc >= 0 &&
        (strcmp(name, wanted.data) != 0 || (coin != 0) != alpaca_is_coin(symbol) ||
         !str_equal_c(symbol_quote(symbol), coin != 0 ? strchr(name, '/') + 1 : "USD"))) {
        return err_set(err, ERR_VENUE_SYMBOL, ALPACA ": %s is %.16s there", symbol->name, name);
    }
    rc = rc < 0 ? rc : read_steps(&place, root, coin != 0, &rules, err);
    if (rc >= 0) {
        rules.status = tradable && str_equal_c(json_str(root, "status"), "active")
                           ? INSTRUMENT_TRADING
                           : INSTRUMENT_HALTED;
        (void)str_copy(str_c(name), found.name, sizeof(found.name));
        found.whole_extended = coin == 0 && !has_attribute(root, "fractional_eh_enabled");
        *ret = found;
        *ret_rules = rules;
    }
    return rc;
}

/* "2026-01-02T09:30:00-05:00" */
static int read_local_time(const struct field_place *place, const struct json_object *value,
                           const char *name, int64_t *ret_us, int64_t *ret_ahead_us,
                           struct err *err)
{
    struct str text = json_value_str(value);
    struct str zone =
        str_n(text.ptr + (text.len >= 6 ? text.len - 6 : 0), text.len >= 6 ? (size_t)6 : 0);
    int64_t hours = 0, minutes = 0, wall_us = 0;
    if (zone.len == 6 && (zone.ptr[0] == '-' || zone.ptr[0] == '+') && zone.ptr[3] == ':' &&
        str_to_i64(str_n(zone.ptr + 1, 2), &hours) &&
        str_to_i64(str_n(zone.ptr + 4, 2), &minutes) && memchr(text.ptr, 'T', text.len) != NULL &&
        clock_parse_iso(str_n(text.ptr, text.len - 6), &wall_us)) {
        int64_t ahead_us = (hours * 60 + minutes) * USEC_PER_MIN;
        *ret_ahead_us = zone.ptr[0] == '-' ? -ahead_us : ahead_us;
        *ret_us = wall_us - *ret_ahead_us;
        return 0;
    }
    *ret_ahead_us = 0;
    return field_iso_time(place, value, name, ret_us, err);
}

int alpaca_read_hours(const struct json_object *root, struct account_hours *ret, struct err *err)
{
    const struct field_place place = PLACE(ALPACA_CLOCK);
    int rc = field_flag(&place, json_get(root, "is_open"), "is_open", &ret->open, err);
    const char *name = rc >= 0 && ret->open ? "next_close" : "next_open";
    int64_t ahead_us = 0, now_us = 0;
    rc = rc < 0 ? rc
                : read_local_time(&place, json_get(root, name), name, &ret->changes_us, &ahead_us,
                                  err);
    if (rc >= 0 && json_get(root, "timestamp") != NULL) {
        rc = read_local_time(&place, json_get(root, "timestamp"), "timestamp", &now_us,
                             &ret->ahead_us, err);
    }
    ret->ahead_us = ret->ahead_us == 0 ? ahead_us : ret->ahead_us; /* that of now, if reported */
    return rc;
}

/* ---------------------------------------------------------------- the calendar */

#define CLOSE_MINUTE (16 * 60)

int alpaca_read_date(const struct field_place *place, const struct json_object *row,
                     char ret[ALPACA_DATE_SIZE], int64_t *ret_us, struct err *err)
{
    int rc = field_word(place, json_get(row, "date"), "date", ret, ALPACA_DATE_SIZE, err);
    if (rc >= 0 && (strlen(ret) != ALPACA_DATE_SIZE - 1 || !clock_parse_iso(str_c(ret), ret_us))) {
        rc = field_wrong(place, "date", "is no day such as 2026-11-27", err);
    }
    return rc;
}

/* "09:30": its minute of the day. */
static int read_minute(const struct field_place *place, const struct json_object *row,
                       const char *name, char ret[6], int *ret_minute, struct err *err)
{
    int rc = field_word(place, json_get(row, name), name, ret, 6, err);
    *ret_minute = rc < 0 ? -1 : zone_parse_minute(ret);
    return rc >= 0 && *ret_minute < 0 ? field_wrong(place, name, "is no time such as 09:30", err)
                                      : rc;
}

/* "0400", as the hours before and after are written; without it: as the regular hours. */
static int read_session(const struct field_place *place, const struct json_object *row,
                        const char *name, int usual, int *ret_minute, struct err *err)
{
    struct str text = json_str(row, name);
    char minute[] = "00:00";
    *ret_minute = usual;
    if (json_get(row, name) == NULL) {
        return 0;
    }
    if (text.len == 4) {
        memcpy(minute, text.ptr, 2);
        memcpy(minute + 3, text.ptr + 2, 2);
        *ret_minute = zone_parse_minute(minute);
    }
    return text.len != 4 || *ret_minute < 0
               ? field_wrong(place, name, "is no time such as 0400", err)
               : 0;
}

int alpaca_read_calendar(const struct json_object *root, struct account_day *ret, int *ret_count,
                         struct err *err)
{
    struct field_place place = PLACE(ALPACA_CALENDAR);
    size_t count = 0;
    int rc = field_list(&place, root, NULL, ACCOUNT_DAYS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(root, i);
        struct account_day *day = &ret[i];
        int open = 0, close = 0, begins = 0, ends = 0;
        int64_t date_us = 0;
        place.row = (int64_t)i;
        rc = alpaca_read_date(&place, row, day->date, &date_us, err);
        if (rc >= 0 && i > 0 && strcmp(day->date, ret[i - 1].date) <= 0) {
            rc = field_wrong(&place, "date", "is not after the row before", err);
        }
        rc = rc < 0 ? rc : read_minute(&place, row, "open", day->open, &open, err);
        rc = rc < 0 ? rc : read_minute(&place, row, "close", day->close, &close, err);
        if (rc >= 0 && close <= open) {
            rc = field_wrong(&place, "close", "is not after open", err);
        }
        rc = rc < 0 ? rc : read_session(&place, row, "session_open", open, &begins, err);
        rc = rc < 0 ? rc : read_session(&place, row, "session_close", close, &ends, err);
        if (rc >= 0 && (begins > open || ends < close)) {
            rc = field_wrong(&place, "session_open", "to session_close is not around open", err);
        }
        day->closes_early = close < CLOSE_MINUTE;
        day->begins_us = date_us + begins * USEC_PER_MIN;
        day->opens_us = date_us + open * USEC_PER_MIN;
        day->closes_us = date_us + close * USEC_PER_MIN;
        day->ends_us = date_us + ends * USEC_PER_MIN;
    }
    *ret_count = rc < 0 ? 0 : (int)count;
    return rc;
}

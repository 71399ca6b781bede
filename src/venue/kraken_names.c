#include "base/check.h"
#include "kraken_parts.h"

#include <string.h>

/* Names of coins, markets and kinds of orders at Kraken.
 * https://docs.kraken.com/api/docs/rest-api/get-asset-info */

/* Old coins have a letter before their name; new ones that begin with X or Z do not, so the list is
 * the only way to tell. It does not grow any more. */
static const struct {
    const char *theirs, *ours;
} old_assets[] = {
    {"XXBT", "BTC"}, {"XBT", "BTC"},  {"XXDG", "DOGE"}, {"XDG", "DOGE"}, {"XETH", "ETH"},
    {"XETC", "ETC"}, {"XLTC", "LTC"}, {"XMLN", "MLN"},  {"XREP", "REP"}, {"XXLM", "XLM"},
    {"XXMR", "XMR"}, {"XXRP", "XRP"}, {"XZEC", "ZEC"},  {"ZAUD", "AUD"}, {"ZCAD", "CAD"},
    {"ZEUR", "EUR"}, {"ZGBP", "GBP"}, {"ZJPY", "JPY"},  {"ZUSD", "USD"},
};

const struct field_choice kraken_order_types[] = {
    {"market", ORDER_TYPE_MARKET},
    {"settle-position", ORDER_TYPE_MARKET},
    {"limit", ORDER_TYPE_LIMIT},
    {"iceberg", ORDER_TYPE_LIMIT},
    {"stop-loss", ORDER_TYPE_STOP},
    {"stop-loss-limit", ORDER_TYPE_STOP},
    {"take-profit", ORDER_TYPE_STOP},
    {"take-profit-limit", ORDER_TYPE_STOP},
    {"trailing-stop", ORDER_TYPE_STOP},
    {"trailing-stop-limit", ORDER_TYPE_STOP},
    {NULL, 0},
};
const struct field_choice kraken_sides[] = {{"buy", true}, {"sell", false}, {NULL, 0}};

void kraken_add_asset(struct str currency, struct buf *out)
{
    if (str_equal_c(currency, "BTC")) {
        buf_add_c(out, "XBT");
    } else if (str_equal_c(currency, "DOGE")) {
        buf_add_c(out, "XDG");
    } else {
        buf_add_str(out, currency);
    }
}

void kraken_add_pair(const struct symbol *symbol, struct buf *out)
{
    kraken_add_asset(symbol_base(symbol), out);
    kraken_add_asset(symbol_quote(symbol), out);
}

void kraken_add_stream_name(const struct exchange_market *market, struct buf *out)
{
    buf_add_str(out, symbol_base(&market->symbol));
    buf_add_char(out, '/');
    buf_add_str(out, symbol_quote(&market->symbol));
}

bool kraken_is_market(const struct exchange_market *market, const char *name)
{
    AUTO_BUF struct buf pair = BUF_INIT(64);
    AUTO_BUF struct buf stream = BUF_INIT(64);
    kraken_add_pair(&market->symbol, &pair);
    kraken_add_stream_name(market, &stream);
    return strcmp(name, market->name) == 0 || strcmp(name, pair.data) == 0 ||
           strcmp(name, stream.data) == 0;
}

int kraken_read_asset(const struct field_place *place, const char *asset, char ret[CURRENCY_SIZE],
                      struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(old_assets); i++) {
        if (strcmp(asset, old_assets[i].theirs) == 0) {
            asset = old_assets[i].ours;
            break;
        }
    }
    if (asset[0] == '\0' || !str_copy(str_c(asset), ret, CURRENCY_SIZE)) {
        return field_wrong(place, asset, "is no name of a currency", err);
    }
    return 0;
}

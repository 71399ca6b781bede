#include "venue/exchange.h"

#include "base/check.h"
#include "exchange_tables.h"

#include <string.h>

static const struct exchange *const exchanges[] = {&binance_exchange, &binance_futures_exchange,
                                                   &kraken_exchange,  &coinbase_exchange,
                                                   &alpaca_exchange,  &alpaca_sip_exchange};

const struct exchange *exchange_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(exchanges); i++) {
        if (strcmp(exchanges[i]->name, name) == 0) {
            return exchanges[i];
        }
    }
    return NULL;
}

bool exchange_is_of(const char *name, const char *account)
{
    const struct exchange *exchange = exchange_find(name);
    return exchange != NULL &&
           strcmp(exchange->key_of != NULL ? exchange->key_of : name, account) == 0;
}

int exchange_check_url(const char *option, const char *url, struct err *err)
{
    static const char *const own[] = {"127.0.0.1", "localhost", "[::1]"};
    const char *host = str_starts(str_c(url), "http://") ? url + strlen("http://")
                       : str_starts(str_c(url), "ws://") ? url + strlen("ws://")
                                                         : NULL;
    bool safe = host == NULL;
    for (size_t i = 0; i < COUNT_OF(own) && !safe; i++) {
        size_t length = strlen(own[i]);
        safe = strncmp(host, own[i], length) == 0 && strchr(":/", host[length]) != NULL;
    }
    return safe ? 0
                : err_set(err, ERR_VENUE_MODE,
                          "%s: the key would be sent without encryption: use https:// or wss://",
                          option);
}

int64_t exchange_ask_until_us(const struct exchange *exchange, enum timeframe tf, int64_t from_us,
                              int64_t until_us)
{
    int64_t most_us = from_us + exchange->candles_max * timeframe_us(tf);
    return exchange->candles_max > 0 && most_us < until_us ? most_us : until_us;
}

void exchange_add_names(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(exchanges); i++) {
        buf_addf(out, "%s%s", i > 0 ? ", " : "", exchanges[i]->name);
    }
}

int exchange_check_candle(const struct field_place *place, const struct exchange_ask *ask,
                          int64_t previous_us, const struct candle *candle, struct err *err)
{
    if (candle->open_us % timeframe_us(ask->tf) != 0) {
        return field_wrong(place, "time", "is no multiple of the timeframe", err);
    }
    if (candle->open_us <= previous_us) {
        return field_wrong(place, "time", "is not after the row before", err);
    }
    if (!candle_is_valid(candle)) {
        return field_wrong(place, NULL, "has a price outside its high and low", err);
    }
    return 0;
}

enum exchange_verdict exchange_refuse(const char *venue, enum err_id id, const char *reason,
                                      struct err *err)
{
    char text[160];
    str_cut(str_c(reason), text, sizeof(text));
    str_make_safe(text);
    (void)err_set(err, id, "%s: %s", venue, text[0] != '\0' ? text : "it gives no reason");
    return EXCHANGE_REFUSED;
}

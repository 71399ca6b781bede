#include "venue/stream.h"

#include "account_tables.h"

#include <string.h>

/* Each venue is a line here, ended by NULL. */
static const struct stream_api *const streams[] = {&binance_stream,
                                                   &binance_futures_stream,
                                                   &kraken_stream,
                                                   &coinbase_stream,
                                                   &alpaca_stream,
                                                   &alpaca_sip_stream,
                                                   NULL};

const struct stream_api *stream_api_find(const char *name)
{
    for (int i = 0; streams[i] != NULL; i++) {
        if (strcmp(streams[i]->name, name) == 0) {
            return streams[i];
        }
    }
    return NULL;
}

void stream_check_top(struct stream_event *top)
{
    if (top->bid.price.e8 <= 0 || top->bid.price.e8 >= top->ask.price.e8) {
        top->bid = top->ask = (struct stream_level){DEC_ZERO, DEC_ZERO};
    }
}

void stream_add_names(struct buf *out)
{
    for (int i = 0; streams[i] != NULL; i++) {
        buf_addf(out, "%s%s", i > 0 ? ", " : "", streams[i]->name);
    }
}

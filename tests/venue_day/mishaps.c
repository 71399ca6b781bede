#include "base/check.h"
#include "base/str.h"
#include "venue_day/venue_day.h"

#include <stdio.h>
#include <string.h>

#define B BINANCE
#define F BINANCE_FUTURES
#define K KRAKEN
#define C COINBASE
#define A ALPACA

/* Each for a moment. A market order opens or closes a position at once; a stop waits at the venue:
 * at Binance one with the target, at its futures each for itself. Only Kraken's stops of coins can
 * be amended. */
static const struct mishap mishaps[] = {
    {"fault market 1 lost-before", .met = "lost-before"},
    {"fault market 1 lost-after", .met = "lost-after"},
    {"fault market 1 unknown-before", .met = "unknown-before"},
    {"fault market 1 unknown-after", .met = "unknown-after"},
    {"fault market 1 truncated", .met = "truncated"},
    {"fault market 1 html 502", .met = "html"},
    {"fault market 1 status 503", .met = "status"},
    {"fault market 1 overloaded", .met = "overloaded"},
    {"fault market 1 limited 1", .met = "limited", .limits = UNDER_WAY_MAX},
    {"fault market 1 delay-after 0.3", .met = "delay-after"},
    {"fault market 1 event-before-ack 0.1", .met = "event-before-ack"},
    {"fault market 1 dup-fill", .met = "dup-fill"},
    {"fault market 1 no-event", .met = "no-event"},
    {"fault market 1 late-fill 0.5", .met = "late-fill"},
    {"fault market 1 partial-cancel 0.4", .met = "partial-cancel"},
    {"fault market 1 silent", "silent off", 500 * USEC_PER_MSEC, .met = "silent"},
    {"fault market 1 extra", .met = "extra"},
    {"fault stop 1 lost-before", .met = "lost-before"},
    {"fault stop 1 lost-after", .met = "lost-after"},
    {"fault stop 1 unknown-after", .met = "unknown-after"},
    {"fault stop 1 truncated", .met = "truncated"},
    {"fault stop 1 status 503", .met = "status"},
    {"fault stop 1 limited 1", .met = "limited", .limits = UNDER_WAY_MAX},
    {"fault stop 1 delay-after 0.3", .met = "delay-after"},
    {"fault stop 1 event-before-ack 0.1", .met = "event-before-ack"},
    {"fault stop 1 extra", .met = "extra"},
    {"fault cancel 1 lost-before", .met = "lost-before"},
    {"fault cancel 1 lost-after", .met = "lost-after"},
    {"fault cancel 1 unknown-after", .met = "unknown-after"},
    {"fault cancel 1 truncated", .met = "truncated"},
    {"fault cancel 1 delay-after 0.3", .met = "delay-after"},
    {"fault cancel 1 fill-first", .met = "fill-first"},
    {"fault amend 1 lost-before", .met = "lost-before", .venues = K},
    {"fault amend 1 lost-after", .met = "lost-after", .venues = K},
    {"fault amend 1 unknown-after", .met = "unknown-after", .venues = K},
    {"fault amend 1 delay-after 0.3", .met = "delay-after", .venues = K},
    {"fault amend 1 fill-first", .met = "fill-first", .venues = K},
    {"fault query 1 html", .met = "html"},
    {"fault query 1 truncated", .met = "truncated"},
    {"fault query 1 lost-after", .met = "lost-after"},
    /* Fills are asked for when the stream has not told them. */
    {"silent on\nfault market 1 lost-after\nfault fills 1 html", "silent off\ncut user",
     .met = "html"},
    {"silent on\nfault market 1 lost-after\nfault fills 1 truncated", "silent off\ncut user",
     .met = "truncated"},
    {"fault coins 1 status 500", .met = "status"},
    {"fault positions 1 truncated", .met = "truncated", .venues = F | A},
    {"fault funding 1 html", .met = "html", .venues = F},
    {"fault open 1 truncated", .met = "truncated"},
    {"fault connect 1 html 503\ncut user", .met = "html"},
    {"fault stream 1 overloaded\ncut user", .met = "overloaded", .venues = B | F | K},
    {"lag 0.5", "lag 0", USEC_PER_SEC, .met = "lag"},
    {"cut user", .met = "cut"},
    {"cut all", .met = "cut"},
    {"gap user 2", "cut user", 300 * USEC_PER_MSEC, .met = "gap"},
    {"replay\ncut user", .met = "replay", .venues = B | F},
    {"silent on", "silent off\ncut user", 500 * USEC_PER_MSEC, .met = "silent"},
    {"half user", .met = "half"},
    {"bytes user c328", .met = "bytes"},
    {"spoil user missing X", .met = "spoil", .venues = B | F},
    {"spoil user missing order_status", .met = "spoil", .venues = K},
    {"spoil user missing status", .met = "spoil", .venues = C | A},
    {"spoil user replace z \"1e400\"", .met = "spoil", .venues = B | F},
    {"shutdown", .met = "shutdown", .venues = B},
    {"terminate", .met = "terminate", .venues = B},
    {"expire", .met = "expire", .venues = F},
    {"expire\ncut user", .met = "cut", .venues = K},
    {"nonce +60000000", .met = "nonce", .venues = K, .jumps = 4},
    {"clock 2", "clock 0", USEC_PER_SEC, .met = "clock", .jumps = 2 * UNDER_WAY_MAX},
    {"clock -30", "clock 0", USEC_PER_SEC, .met = "clock", .jumps = 2 * UNDER_WAY_MAX},
    {"maintenance on", "maintenance off", 400 * USEC_PER_MSEC, .met = "maintenance"},
    {"market %s halted", "market %s trading", 300 * USEC_PER_MSEC, .met = "halted", .halts = true},
    {"market %s cancel_only", "market %s trading", 300 * USEC_PER_MSEC, .met = "cancel_only",
     .halts = true},
    {"market %s delisted", "market %s trading", 300 * USEC_PER_MSEC, .met = "delisted",
     .halts = true},
    {"parts %s 4 1", "parts %s 1", USEC_PER_SEC, .met = "parts"},
    {"parts %s 3 1\nfault market 1 reorder", "parts %s 1", 500 * USEC_PER_MSEC, .met = "parts"},
    {"parts %s 3 1\nfault market 1 dup-fill", "parts %s 1", 500 * USEC_PER_MSEC, .met = "parts"},
    {"liquidity %s 0.01", "liquidity %s all", 500 * USEC_PER_MSEC, .met = "liquidity"},
    {"refuse-leg 1", .met = "refuse-leg", .refuses = true},
    {"refuse-algo 1", .met = "refuse-algo", .venues = F, .refuses = true},
    {"stuck 1", .met = "stuck", .venues = A},
    /* With the clocks of the machine each of them takes seconds, in which nothing else happens. */
    {"fault market 1 hang", .met = "hang", .slow = true},
    {"fault stop 1 hang", .met = "hang", .slow = true},
    {"fault query 1 hang", .met = "hang", .slow = true},
    {"fault any 1 banned 2", .met = "banned", .slow = true, .limits = UNDER_WAY_MAX},
    {"freeze user", "cut user", 2 * USEC_PER_SEC, .met = "freeze", .slow = true},
};

int mishaps_count(void)
{
    return (int)COUNT_OF(mishaps);
}

const struct mishap *mishaps_at(int i)
{
    return &mishaps[i];
}

bool mishap_is_for(const struct mishap *m, const struct day_venue *venue)
{
    return m->venues == 0 || (m->venues & venue->which) != 0;
}

/* With the first symbol for %s, and a comma for each new line. */
void mishap_name(const struct day *d, const struct mishap *m, char ret[MISHAP_NAME_SIZE])
{
    const char *at = strstr(m->begin, "%s");
    if (at == NULL) {
        (void)str_copy(str_c(m->begin), ret, MISHAP_NAME_SIZE);
    } else {
        (void)snprintf(ret, MISHAP_NAME_SIZE, "%.*s%s%s", (int)(at - m->begin), m->begin,
                       d->venue->symbols[0], at + 2);
    }
    for (char *c = ret; *c != '\0'; c++) {
        *c = *c == '\n' ? ',' : *c;
    }
}

void mishap_tell(struct day *d, const char *lines)
{
    char text[MISHAP_NAME_SIZE];
    struct mishap said = {.begin = lines};
    mishap_name(d, &said, text);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == ',' ? '\n' : *c;
    }
    const char *why = fake_venue_do(d->fake, text);
    (void)day_check(d, why == NULL, "%s: %s", text, why);
    FILE *log = fopen(d->log, "ae");
    if (log != NULL) {
        (void)fprintf(log, "---- the venue: %s\n", text);
        (void)fclose(log);
    }
}

void mishap_begin(struct day *d, const struct mishap *m)
{
    d->limits_met += m->limits;
    d->jumps_met += m->jumps;
    d->fault_count++;
    mishap_tell(d, m->begin);
}

void mishap_end(struct day *d, const struct mishap *m)
{
    if (m->end != NULL) {
        mishap_tell(d, m->end);
    }
}

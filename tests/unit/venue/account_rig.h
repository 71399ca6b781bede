/*
 * account_rig.h: tables of requests, verdicts and answers that must be refused, for the tests of
 * the private side of venues.
 *
 *     rig_judges("kraken", verdicts, COUNT_OF(verdicts));
 *     rig_refuses("kraken", read_coins, "{\"result\":{\"ZUSD\":{\"balance\":%s}}}", values, count);
 *
 * Any failure in these functions fails the test. Thread: the test's.
 */
#pragma once

#include "unit/unit.h"
#include "venue/account.h"

/* NULL if the text is no JSON. The caller frees it. */
struct json_object *rig_parse(const char *text);

struct rig_verdict {
    enum account_call call;
    int status;
    const char *body;
    enum account_verdict verdict;
};
/* Each gives its verdict, and an error with the venue's name unless it is FINE. */
void rig_judges(const char *venue, const struct rig_verdict *rows, size_t count);

struct rig_bad {
    const char *value;   /* replaces the %s of the answer */
    const char *context; /* a part of the error */
};
typedef int (*rig_reader)(const struct account_api *api, const struct json_object *root,
                          struct err *err);
/* Each is refused with ERR_VENUE_DATA, which names the venue. */
void rig_refuses(const char *venue, rig_reader reader, const char *answer,
                 const struct rig_bad *values, size_t count);
/* What no price, and no quantity above 0, may be; for a field of this name. */
extern const struct rig_bad rig_bad_prices[];
extern const size_t rig_bad_price_count;

/* "POST /path body", and clears the request; valid until the next call. */
const char *rig_request(struct account_request *request);

struct exchange_market rig_market(const char *symbol, const char *name);
struct dec rig_dec(const char *text);
/* Fails unless a is the decimal b. */
#define assert_dec(a, b) assert_int_equal((a).e8, rig_dec(b).e8)

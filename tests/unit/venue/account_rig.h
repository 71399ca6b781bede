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

/* Secrets of the forms that venues give out. */
#define RIG_SECRET "0123456789abcdef"
/* RFC 8032, 7.1, test 1. */
#define RIG_ED25519                                                      \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
    "-----END PRIVATE KEY-----\n"
/* Made by openssl(1) for tests. */
#define RIG_P256                                                         \
    "-----BEGIN EC PRIVATE KEY-----\n"                                   \
    "MHcCAQEEIEva8c9U/da0VFqvNwDSyNFoXvfnvGiWkVqcvme8zNiVoAoGCCqGSM49\n" \
    "AwEHoUQDQgAEETQFyIsPLlQZOEAmy92OZi84WJc3IASzXECinS4jRCdccsxbkwz8\n" \
    "07Eb7V3qoxefUMgPvS5uOagHB6NGKwQCzw==\n"                             \
    "-----END EC PRIVATE KEY-----\n"

/* NULL if the text is no JSON. The caller frees it. */
struct json_object *rig_parse(const char *text);

struct rig_verdict {
    enum account_call call;
    int status;
    const char *body;
    enum account_verdict verdict;
    int error; /* 0: any */
};
/* Each gives its verdict, and an error with the venue's name unless it is FINE. The body may be of
 * any form. */
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

/* rc is of reading a whole text, and the error names the place and what is wrong. */
void rig_refused(const struct err *err, int rc, const struct rig_bad *bad, const char *place);
enum account_verdict rig_judge(const char *venue, struct err *err, enum account_call call,
                               int status, const char *body);
/* The text with one part of it, which must be there, replaced. */
void rig_replace(struct buf *out, const char *text, const char *from, const char *to);

/* Room for what is read. */
struct rig_rows {
    int count;
    struct account_coin coins[ACCOUNT_ROWS_MAX];
    struct account_order orders[ACCOUNT_ROWS_MAX];
    struct account_fill fills[ACCOUNT_ROWS_MAX];
    struct account_position positions[ACCOUNT_ROWS_MAX];
    struct account_payment payments[ACCOUNT_ROWS_MAX];
    struct account_event events[ACCOUNT_EVENTS_MAX];
};
/* Before a test that makes requests; account_request_release afterwards. */
int rig_begin(struct account_request *asked, struct err *err);
/* What was asked; it is cleared afterwards. */
void rig_asked(struct account_request *asked, enum account_method method, const char *path,
               const char *body);
/* "POST /path body", and clears the request; valid until the next call. */
const char *rig_request(struct account_request *request);

struct exchange_market rig_market(const char *symbol, const char *name);
struct dec rig_dec(const char *text);
/* Fails unless a is the decimal b. */
#define assert_dec(a, b) assert_int_equal((a).e8, rig_dec(b).e8)

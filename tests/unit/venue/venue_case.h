/*
 * venue_case.h: what the tests of all venues' tables have in common: one request, one error, room
 * for rows, and tables of bad answers and of verdicts.
 *
 *     AUTO_JSON struct json_object *root = parsed("[]");
 *     assert_refused(api->read_open(...), &bad[i], "kraken /0/private/OpenOrders");
 *
 * Thread: the test's.
 */
#pragma once

#include "io/secret.h"
#include "venue/account.h"

/* Secrets of the forms that venues give out. */
#define SECRET "0123456789abcdef"
/* RFC 8032, 7.1, test 1. */
#define ED25519                                                          \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
    "-----END PRIVATE KEY-----\n"
/* Made by openssl(1) for tests. */
#define P256                                                             \
    "-----BEGIN EC PRIVATE KEY-----\n"                                   \
    "MHcCAQEEIEva8c9U/da0VFqvNwDSyNFoXvfnvGiWkVqcvme8zNiVoAoGCCqGSM49\n" \
    "AwEHoUQDQgAEETQFyIsPLlQZOEAmy92OZi84WJc3IASzXECinS4jRCdccsxbkwz8\n" \
    "07Eb7V3qoxefUMgPvS5uOagHB6NGKwQCzw==\n"                             \
    "-----END EC PRIVATE KEY-----\n"

struct venue_rows {
    int count;
    struct account_coin coins[ACCOUNT_ROWS_MAX];
    struct account_order orders[ACCOUNT_ROWS_MAX];
    struct account_fill fills[ACCOUNT_ROWS_MAX];
    struct account_position positions[ACCOUNT_ROWS_MAX];
    struct account_payment payments[ACCOUNT_ROWS_MAX];
    struct account_event events[ACCOUNT_EVENTS_MAX];
};

extern struct account_request asked;
extern struct err err;
extern struct venue_rows rows;

/* Around each test. */
int venue_case_begin(const struct account_api *api);
void venue_case_end(void);

struct json_object *parsed(const char *text); /* the caller frees it */
/* The text with one part of it, which must be there, replaced. */
void add_replaced(struct buf *out, const char *text, const char *from, const char *to);
/* What was asked; it is cleared afterwards. */
void assert_asked(enum account_method method, const char *path, const char *body);

struct bad_case {
    const char *text, *context;
};
/* rc is of reading the text, and the error names the place and what is wrong. */
void assert_refused(int rc, const struct bad_case *bad, const char *place);

struct verdict_case {
    enum account_call call;
    int status;
    const char *body; /* of any form */
    enum account_verdict verdict;
    int error; /* 0: none */
};
enum account_verdict judge_text(enum account_call call, int status, const char *body);
void assert_verdicts(const struct verdict_case *cases, size_t count);

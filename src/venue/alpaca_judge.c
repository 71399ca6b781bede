#include "account_tables.h"
#include "alpaca_parts.h"
#include "base/check.h"

#include <string.h>

/* What Alpaca's answers mean, by status, and by code and message of {"code", "message"}.
 * https://docs.alpaca.markets/reference/postorder */

#define CODE_NOT_UNIQUE 40010001 /* the client id */

static const struct {
    const char *part; /* of the message */
    enum account_verdict verdict;
} messages[] = {
    {"client_order_id must be unique", ACCOUNT_DUPLICATE},
    {"is not tradable", ACCOUNT_CLOSED},
    {"market is closed", ACCOUNT_CLOSED},
    {"trading is halted", ACCOUNT_CLOSED},
    {"restricted", ACCOUNT_KEY},
    {"forbidden", ACCOUNT_KEY},
    {"not authorized", ACCOUNT_KEY},
};

/* A refusal that is about the order, or about the account and the key. */
static enum account_verdict judge_refused(const struct json_object *root)
{
    const char *text = json_text(root, "message");
    if (json_i64(root, "code", 0) == CODE_NOT_UNIQUE) {
        return ACCOUNT_DUPLICATE;
    }
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        if (strstr(text, messages[i].part) != NULL) {
            return messages[i].verdict;
        }
    }
    return ACCOUNT_REFUSED;
}

static enum account_verdict judge_status(enum account_call call,
                                         const struct account_response *response)
{
    const struct json_object *root = response->root;
    bool finds = call == ACCOUNT_QUERY || call == ACCOUNT_CANCEL || call == ACCOUNT_AMEND;
    bool orders = call == ACCOUNT_PLACE || call == ACCOUNT_AMEND;
    switch (response->status) {
    case 200:
    case 207:
        return root != NULL ? ACCOUNT_FINE : ACCOUNT_UNKNOWN;
    case 204: /* a cancellation is requested */
        return call == ACCOUNT_CANCEL ? ACCOUNT_FINE : ACCOUNT_UNKNOWN;
    case 401:
        return ACCOUNT_KEY;
    case 403:
        return orders && root != NULL ? judge_refused(root)
               : root != NULL         ? ACCOUNT_KEY
                                      : ACCOUNT_BANNED;
    case 404:
        return finds && root != NULL ? ACCOUNT_NOT_FOUND
               : root != NULL        ? ACCOUNT_REFUSED
                                     : ACCOUNT_UNKNOWN;
    case 400:
        return root != NULL ? ACCOUNT_REFUSED : ACCOUNT_UNKNOWN;
    case 422: /* an order that has ended cannot be cancelled: ask */
        return root == NULL             ? ACCOUNT_UNKNOWN
               : call == ACCOUNT_CANCEL ? ACCOUNT_NOT_FOUND
                                        : judge_refused(root);
    case 429:
        return ACCOUNT_LIMITED;
    default:
        return ACCOUNT_UNKNOWN;
    }
}

enum account_verdict alpaca_judge(enum account_call call, const struct account_response *response,
                                  struct err *err)
{
    AUTO_BUF struct buf words = BUF_INIT(512);
    buf_addf(&words, "status %d", response->status);
    if (json_str(response->root, "message").len > 0) {
        buf_add_c(&words, ": ");
        buf_add_str(&words, json_str(response->root, "message"));
    }
    if (call == ACCOUNT_RULES && response->status == 404 && response->root != NULL) {
        (void)err_set(err, ERR_VENUE_SYMBOL, ALPACA ": %s", words.data);
        return ACCOUNT_REFUSED;
    }
    return account_judged(ALPACA, call, judge_status(call, response), buf_str(&words), err);
}

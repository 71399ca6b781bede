#include "account_tables.h"
#include "base/check.h"
#include "coinbase_parts.h"

#include <string.h>

/* What Coinbase's answers mean. https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis
 * An order is refused with status 200 and "success": false. "failure_reason" says nothing: it is
 * UNKNOWN_FAILURE_REASON for an order that was placed, too. */

static const struct {
    const char *word;
    enum account_verdict verdict;
} order_errors[] = {
    {"DUPLICATE_CLIENT_ORDER_ID", ACCOUNT_DUPLICATE},
    {"PRODUCT_TRADING_HALTED", ACCOUNT_CLOSED},
    {"ORDER_ENTRY_DISABLED", ACCOUNT_CLOSED},
    {"UNKNOWN_FAILURE_REASON", ACCOUNT_UNKNOWN},
    {"", ACCOUNT_UNKNOWN},
};
static const struct {
    const char *word;
    enum account_verdict verdict;
} cancel_errors[] = {
    {"UNKNOWN_CANCEL_ORDER", ACCOUNT_NOT_FOUND}, /* or it has ended: ask */
    {"DUPLICATE_CANCEL_REQUEST", ACCOUNT_FINE},
    {"UNKNOWN_CANCEL_FAILURE_REASON", ACCOUNT_UNKNOWN},
};

static enum account_verdict judge_placed(const struct json_object *root, struct err *err)
{
    const struct json_object *error = json_get(root, "error_response");
    struct str word = json_str(error, "error");
    const struct json_object *success = json_get(root, "success");
    if (!json_object_is_type(success, json_type_boolean)) {
        return account_judged(COINBASE, ACCOUNT_PLACE, ACCOUNT_UNKNOWN,
                              STR_LIT("it does not say whether the order was placed"), err);
    }
    if (json_truth(root, "success", false)) {
        return ACCOUNT_FINE;
    }
    enum account_verdict verdict = ACCOUNT_REFUSED;
    if (word.len == 0 || str_equal_c(word, "UNKNOWN_FAILURE_REASON")) {
        word = json_str(error, "new_order_failure_reason");
    }
    for (size_t i = 0; i < COUNT_OF(order_errors); i++) {
        if (str_equal_c(word, order_errors[i].word)) {
            verdict = order_errors[i].verdict;
        }
    }
    return account_judged(COINBASE, ACCOUNT_PLACE, verdict, word, err);
}

static enum account_verdict judge_cancelled(const struct json_object *root, struct err *err)
{
    const struct json_object *row = json_item(json_get(root, "results"), 0);
    struct str word = json_str(row, "failure_reason");
    if (row == NULL) {
        return account_judged(COINBASE, ACCOUNT_CANCEL, ACCOUNT_UNKNOWN,
                              STR_LIT("its answer has no results"), err);
    }
    if (json_truth(row, "success", false)) {
        return ACCOUNT_FINE;
    }
    enum account_verdict verdict = ACCOUNT_REFUSED;
    for (size_t i = 0; i < COUNT_OF(cancel_errors); i++) {
        if (str_equal_c(word, cancel_errors[i].word)) {
            verdict = cancel_errors[i].verdict;
        }
    }
    return account_judged(COINBASE, ACCOUNT_CANCEL, verdict, word, err);
}

/* A right token is refused now and then, so 401 is repeated with a new one, and a new reading of
 * the clock. */
static enum account_verdict judge_status(enum account_call call,
                                         const struct account_response *response)
{
    int status = response->status;
    bool json = json_is_object(response->root);
    if (status == 401) {
        return ACCOUNT_CLOCK;
    }
    if (status == 403) {
        return json ? ACCOUNT_KEY : ACCOUNT_BANNED;
    }
    if (status == 429) {
        return ACCOUNT_LIMITED;
    }
    if (status == 404 && json && (call == ACCOUNT_QUERY || call == ACCOUNT_CANCEL)) {
        return ACCOUNT_NOT_FOUND;
    }
    if (status == 408 || status >= 500 || !json) {
        return ACCOUNT_UNKNOWN;
    }
    return status == 200 ? ACCOUNT_FINE : ACCOUNT_REFUSED;
}

enum account_verdict coinbase_judge(enum account_call call, const struct account_response *response,
                                    struct err *err)
{
    enum account_verdict verdict = judge_status(call, response);
    if (verdict == ACCOUNT_FINE) {
        return call == ACCOUNT_PLACE    ? judge_placed(response->root, err)
               : call == ACCOUNT_CANCEL ? judge_cancelled(response->root, err)
                                        : ACCOUNT_FINE;
    }
    AUTO_BUF struct buf words = BUF_INIT(512);
    buf_addf(&words, "status %d", response->status);
    if (response->status == 401) {
        buf_add_c(&words, ": the key or the clock is wrong");
    } else if (json_str(response->root, "message").len > 0) {
        buf_add_c(&words, ": ");
        buf_add_str(&words, json_str(response->root, "message"));
    }
    return account_judged(COINBASE, call, verdict, buf_str(&words), err);
}

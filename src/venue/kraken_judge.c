#include "account_tables.h"
#include "base/check.h"
#include "kraken_parts.h"

#include <string.h>

/* What Kraken's answers mean. https://docs.kraken.com/api/docs/guides/spot-errors
 * Errors come with status 200, as {"error": ["EOrder:Insufficient funds"]}; those that begin with W
 * are warnings. */

/* The first whose text is the beginning of the error. */
static const struct {
    const char *begins;
    enum account_verdict verdict;
} errors[] = {
    {"EAPI:Invalid nonce", ACCOUNT_CLOCK},
    {"EAPI:Invalid key", ACCOUNT_KEY},
    {"EAPI:Invalid signature", ACCOUNT_KEY},
    {"EGeneral:Permission denied", ACCOUNT_KEY},
    {"EGeneral:Temporary lockout", ACCOUNT_BANNED},
    {"EAPI:Rate limit exceeded", ACCOUNT_LIMITED},
    {"EOrder:Rate limit exceeded", ACCOUNT_LIMITED},
    {"EOrder:Domain rate limit exceeded", ACCOUNT_LIMITED},
    {"EGeneral:Too many requests", ACCOUNT_LIMITED},
    {"EService:Throttled", ACCOUNT_LATER},
    {"EService:Market in ", ACCOUNT_CLOSED},
    {"EService:Deadline elapsed", ACCOUNT_REFUSED},
    {"EService:", ACCOUNT_UNKNOWN}, /* Timeout, Unavailable, Busy */
    {"EGeneral:Internal error", ACCOUNT_UNKNOWN},
    {"EOrder:Unknown order", ACCOUNT_NOT_FOUND},
    {"EOrder:", ACCOUNT_REFUSED},
    {"EGeneral:", ACCOUNT_REFUSED},
    {"EAPI:", ACCOUNT_REFUSED},
    {"EQuery:", ACCOUNT_REFUSED},
    {"ETrade:", ACCOUNT_REFUSED},
    {"EAccount:", ACCOUNT_REFUSED},
};

static bool contains(struct str text, const char *part)
{
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.ptr + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

/* The documents do not have the text for a client id that an open order has. */
static bool is_duplicate(struct str text)
{
    return str_starts(text, "EOrder:") &&
           (contains(text, "uplicate") ||
            (contains(text, "cl_ord_id") &&
             (contains(text, "in use") || contains(text, "unique") || contains(text, "exists"))));
}

static enum account_verdict judge_error(enum account_call call, struct str text)
{
    if (call == ACCOUNT_PLACE && is_duplicate(text)) {
        return ACCOUNT_DUPLICATE;
    }
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (str_starts(text, errors[i].begins)) {
            return errors[i].verdict;
        }
    }
    return ACCOUNT_UNKNOWN;
}

/* Kraken has no error for an order that it does not find in a list: the list is empty. */
static bool has_order(const struct json_object *result)
{
    const struct json_object *open = json_get(result, "open");
    const struct json_object *closed = json_get(result, "closed");
    const struct json_object *orders = open != NULL ? open : closed != NULL ? closed : result;
    return !json_is_object(orders) || json_object_object_length(orders) > 0;
}

enum account_verdict kraken_judge(enum account_call call, const struct account_response *response,
                                  struct err *err)
{
    const struct json_object *list = json_get(response->root, "error");
    const struct json_object *result = json_get(response->root, "result");
    char words[64];
    (void)snprintf(words, sizeof(words), "status %d", response->status);
    if (response->status == 429) {
        return account_judged(KRAKEN, call, ACCOUNT_LIMITED, str_c(words), err);
    }
    if (response->status >= 500) {
        return account_judged(KRAKEN, call, ACCOUNT_UNKNOWN, str_c(words), err);
    }
    for (size_t i = 0; i < json_len(list); i++) {
        struct str text = json_value_str(json_item(list, i));
        if (call == ACCOUNT_RULES && str_equal_c(text, "EQuery:Unknown asset pair")) {
            (void)err_set(err, ERR_VENUE_SYMBOL, KRAKEN ": unknown asset pair");
            return ACCOUNT_REFUSED;
        }
        if (!str_starts(text, "W")) {
            return account_judged(KRAKEN, call, judge_error(call, text), text, err);
        }
    }
    if (response->status == 403) { /* the firewall in front: it did not arrive */
        return account_judged(KRAKEN, call, ACCOUNT_BANNED,
                              STR_LIT("its firewall refuses this address"), err);
    }
    if (response->status != 200 || !json_is_array(list) || result == NULL) {
        (void)snprintf(words, sizeof(words), "status %d without a result", response->status);
        return account_judged(KRAKEN, call, ACCOUNT_UNKNOWN, str_c(words), err);
    }
    if (call == ACCOUNT_QUERY && !has_order(result)) {
        return account_judged(KRAKEN, call, ACCOUNT_NOT_FOUND, STR_LIT("no such order"), err);
    }
    return ACCOUNT_FINE;
}

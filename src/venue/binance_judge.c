#include "binance_shared.h"

#include <string.h>

/* Outcomes by code and words. https://developers.binance.com/docs/binance-spot-api-docs/errors and
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code */

struct judgement {
    int code;          /* 0: any */
    const char *words; /* in the message; NULL: any */
    enum account_verdict verdict;
};

/* The first row that fits counts. Any other code: refused. */
static const struct judgement spot[] = {
    {0, "Duplicate order sent", ACCOUNT_DUPLICATE},
    {0, "Market is closed", ACCOUNT_CLOSED},
    {0, "IP banned until", ACCOUNT_BANNED},
    {-1000, NULL, ACCOUNT_UNKNOWN},
    {-1001, NULL, ACCOUNT_UNKNOWN},
    {-1002, NULL, ACCOUNT_KEY},
    {-1003, NULL, ACCOUNT_LIMITED},
    {-1006, NULL, ACCOUNT_UNKNOWN},
    {-1007, NULL, ACCOUNT_UNKNOWN},
    {-1008, NULL, ACCOUNT_LATER},
    {-1015, NULL, ACCOUNT_LATER},
    {-1016, NULL, ACCOUNT_LATER},
    {-1021, NULL, ACCOUNT_CLOCK},
    {-1022, NULL, ACCOUNT_KEY},
    {-2011, "Unknown order", ACCOUNT_NOT_FOUND},
    {-2013, NULL, ACCOUNT_NOT_FOUND},
    {-2014, NULL, ACCOUNT_KEY},
    {-2015, NULL, ACCOUNT_KEY},
    {-2026, NULL, ACCOUNT_NOT_FOUND},
    {0, NULL, ACCOUNT_REFUSED},
};

static const struct judgement futures[] = {
    {0, "IP banned until", ACCOUNT_BANNED},
    /* Four answers with status 503 look alike, but only the first leaves the outcome open. */
    {0, "Unknown error, please check", ACCOUNT_UNKNOWN},
    {0, "Service Unavailable", ACCOUNT_LATER},
    {0, "Internal error; unable to process", ACCOUNT_LATER},
    {-1000, NULL, ACCOUNT_UNKNOWN},
    {-1001, NULL, ACCOUNT_LATER},
    {-1002, NULL, ACCOUNT_KEY},
    {-1003, NULL, ACCOUNT_LIMITED},
    {-1006, NULL, ACCOUNT_UNKNOWN},
    {-1007, NULL, ACCOUNT_UNKNOWN},
    {-1008, NULL, ACCOUNT_LATER},
    {-1015, NULL, ACCOUNT_LATER},
    {-1016, NULL, ACCOUNT_LATER},
    {-1021, NULL, ACCOUNT_CLOCK},
    {-1022, NULL, ACCOUNT_KEY},
    {-2011, "Unknown order", ACCOUNT_NOT_FOUND},
    {-2013, NULL, ACCOUNT_NOT_FOUND},
    {-2014, NULL, ACCOUNT_KEY},
    {-2015, NULL, ACCOUNT_KEY},
    {-2026, NULL, ACCOUNT_NOT_FOUND},
    {-4116, NULL, ACCOUNT_DUPLICATE},
    {-4140, NULL, ACCOUNT_CLOSED},
    {-4141, NULL, ACCOUNT_CLOSED},
    {-5028, NULL, ACCOUNT_CLOCK},
    {0, NULL, ACCOUNT_REFUSED},
};

static bool contains(struct str text, const char *words)
{
    return memmem(text.ptr, text.len, words, strlen(words)) != NULL;
}

static enum account_verdict by_code(const struct judgement *judgements, int64_t code,
                                    struct str words)
{
    const struct judgement *o = judgements;
    while ((o->code != 0 && o->code != code) || (o->words != NULL && !contains(words, o->words))) {
        o++; /* the last one fits always */
    }
    return o->verdict;
}

/* has_code: the answer has a code of the venue, or the words of one. */
static enum account_verdict by_status(int status, bool has_code, enum account_verdict by_words)
{
    if (status == 418 || status == 403) { /* 403: its firewall */
        return ACCOUNT_BANNED;
    }
    if (status == 429) {
        return by_words == ACCOUNT_BANNED ? ACCOUNT_BANNED : ACCOUNT_LIMITED;
    }
    if (status == 408) {
        return ACCOUNT_UNKNOWN;
    }
    if (has_code) { /* an error of the server is no refusal of the request */
        return status >= 500 && by_words == ACCOUNT_REFUSED ? ACCOUNT_UNKNOWN : by_words;
    }
    return status >= 400 && status < 500 ? ACCOUNT_REFUSED : ACCOUNT_UNKNOWN;
}

static enum account_verdict judge(const char *venue, const struct judgement *judgements,
                                  enum account_call call, const struct account_response *response,
                                  struct err *err)
{
    int status = response->status;
    int64_t code = json_i64(response->root, "code", 0);
    struct str message = json_str(response->root, "msg");
    bool plain = response->root == NULL && response->body.len > 0 && response->body.ptr[0] != '<';
    char words[64];
    if (status == 200 && response->root != NULL && code >= 0) {
        return ACCOUNT_FINE;
    }
    if (plain) {
        message = response->body;
    }
    enum account_verdict by_words = by_code(judgements, code, message);
    bool has_code = code < 0 || by_words != ACCOUNT_REFUSED;
    if (message.len == 0) {
        (void)snprintf(words, sizeof(words), "status %d%s", status,
                       status == 403            ? ", its firewall refuses this address"
                       : response->body.len > 0 ? " with a page instead of an answer"
                                                : "");
        message = str_c(words);
    }
    return account_judged(venue, call, by_status(status, has_code, by_words), message, err);
}

enum account_verdict binance_spot_judge(enum account_call call,
                                        const struct account_response *response, struct err *err)
{
    return judge("binance", spot, call, response, err);
}

enum account_verdict binance_futures_judge(enum account_call call,
                                           const struct account_response *response, struct err *err)
{
    int64_t code = json_i64(response->root, "code", 0);
    if (call == ACCOUNT_SETTINGS && (code == -4046 || code == -4059)) { /* it is so already */
        return ACCOUNT_FINE;
    }
    if (call == ACCOUNT_SETTINGS && json_truth(response->root, "multiAssetsMargin", false)) {
        (void)err_set(err, ERR_VENUE_MODE,
                      "binance_futures: the account is in multi-assets mode, in which coins of "
                      "several kinds are margin; switch it to single-asset mode");
        return ACCOUNT_REFUSED;
    }
    return judge("binance_futures", futures, call, response, err);
}

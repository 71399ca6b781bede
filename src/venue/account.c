#include "venue/account.h"

#include "account_tables.h"
#include "base/check.h"
#include "io/secret.h"

#include <string.h>

/* The longest path, body and headers of a request: a thousand times what an order needs. */
#define REQUEST_MAX ((size_t)64 << 10)

/* Each venue is a line here, ended by NULL. */
static const struct account_api *const accounts[] = {&binance_account, &binance_futures_account,
                                                     &kraken_account,  &coinbase_account,
                                                     &alpaca_account,  NULL};

#define BEYOND_PER_CENT 5

struct dec account_stop_limit(const struct account_order_ask *ask)
{
    struct dec part = dec_mul_div(ask->price, dec_from_int(BEYOND_PER_CENT), dec_from_int(100));
    struct dec price = ask->buys ? dec_add(ask->price, part) : dec_sub(ask->price, part);
    return instrument_round(ask->rules, price, ask->buys);
}

const struct account_api *account_api_find(const char *name)
{
    for (int i = 0; accounts[i] != NULL; i++) {
        if (strcmp(accounts[i]->name, name) == 0) {
            return accounts[i];
        }
    }
    return NULL;
}

void account_request_init(struct account_request *request)
{
    *request = (struct account_request){0};
    buf_init(&request->path, REQUEST_MAX);
    buf_init(&request->body, REQUEST_MAX);
    buf_init(&request->headers, REQUEST_MAX);
}

void account_request_release(struct account_request *request)
{
    secret_wipe(request->path.data, request->path.len); /* they may hold key and signature */
    secret_wipe(request->body.data, request->body.len);
    secret_wipe(request->headers.data, request->headers.len);
    buf_release(&request->path);
    buf_release(&request->body);
    buf_release(&request->headers);
}

void account_request_clear(struct account_request *request)
{
    request->method = ACCOUNT_GET;
    request->weight = 0;
    request->order_weight = 0;
    request->content_type = NULL;
    request->is_public = false;
    buf_clear(&request->path);
    buf_clear(&request->body);
    buf_clear(&request->headers);
}

enum account_session account_session(const struct account_hours *hours,
                                     const struct account_day *days, int count, int64_t now_us,
                                     int64_t *ret_changes_us)
{
    enum account_session session = hours->open ? ACCOUNT_REGULAR_SESSION : ACCOUNT_CLOSED_SESSION;
    int64_t changes_us = hours->changes_us > now_us ? hours->changes_us : INT64_MAX;
    for (int i = 0; i < count && !hours->open; i++) {
        const int64_t parts[][2] = {{days[i].begins_us, days[i].opens_us},
                                    {days[i].closes_us, days[i].ends_us}};
        for (size_t k = 0; k < COUNT_OF(parts); k++) {
            int64_t begins_us = parts[k][0] - hours->ahead_us;
            int64_t ends_us = parts[k][1] - hours->ahead_us;
            bool on = begins_us <= now_us && now_us < ends_us;
            int64_t next_us = on ? ends_us : begins_us;
            session = on ? ACCOUNT_EXTENDED_SESSION : session;
            changes_us = next_us > now_us && next_us < changes_us ? next_us : changes_us;
        }
    }
    *ret_changes_us = changes_us == INT64_MAX ? now_us : changes_us;
    return session;
}

static enum err_id verdict_error(enum account_call call, enum account_verdict verdict)
{
    switch (verdict) {
    case ACCOUNT_FINE:
        return ERR_NONE;
    case ACCOUNT_REFUSED:
    case ACCOUNT_DUPLICATE:
        return call == ACCOUNT_PLACE ? ERR_VENUE_REJECTED : ERR_VENUE_REQUEST;
    case ACCOUNT_NOT_FOUND:
        return ERR_VENUE_REQUEST;
    case ACCOUNT_UNKNOWN:
        return ERR_VENUE_NO_ANSWER;
    case ACCOUNT_LATER:
        return ERR_VENUE_UNREACHABLE;
    case ACCOUNT_LIMITED:
        return ERR_VENUE_LIMITED;
    case ACCOUNT_BANNED:
        return ERR_VENUE_BANNED;
    case ACCOUNT_CLOCK:
        return ERR_VENUE_CLOCK;
    case ACCOUNT_KEY:
        return ERR_VENUE_ACCESS;
    case ACCOUNT_CLOSED:
        return ERR_VENUE_HALTED;
    }
    return ERR_NONE;
}

enum account_verdict account_judged(const char *venue, enum account_call call,
                                    enum account_verdict verdict, struct str words, struct err *err)
{
    char reason[160];
    if (verdict != ACCOUNT_FINE) {
        str_cut(words, reason, sizeof(reason));
        str_make_safe(reason);
        (void)err_set(err, verdict_error(call, verdict), "%s: %s", venue,
                      reason[0] != '\0' ? reason : "it gives no reason");
    }
    return verdict;
}

int account_check_id(const char *venue, struct str id, struct err *err)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] <= ' ' || id.ptr[i] >= '\177') {
            return err_set(err, ERR_VENUE_KEY, "%s: its id has a space or a control character",
                           venue);
        }
    }
    return id.len > 0 ? 0 : err_set(err, ERR_VENUE_KEY, "%s: its id is empty", venue);
}

int account_judge_permissions(const struct account_permissions *p,
                              const struct account_policy *policy, const char *venue,
                              struct err *err)
{
    if (!p->reads || !p->trades) {
        return err_set(err, ERR_VENUE_PERMISSION, "%s: the key may not %s", venue,
                       p->reads ? "trade" : "read the account");
    }
    if (p->withdraws && !policy->accept_withdrawal) {
        return err_set(err, ERR_VENUE_PERMISSION,
                       "%s: the key may withdraw or transfer money; venue.accept_withdrawal is off",
                       venue);
    }
    if (p->withdraws_unknown && !policy->accept_unknown_withdrawal) {
        return err_set(err, ERR_VENUE_PERMISSION,
                       "%s: it does not tell whether the key may withdraw money; "
                       "venue.accept_unknown_withdrawal is off",
                       venue);
    }
    return 0;
}

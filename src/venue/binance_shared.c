#include "binance_shared.h"

#include "base/clock.h"
#include "io/http.h"
#include "io/signing_key.h"

#include <string.h>

#define NAME      "binance"
#define FORM      "application/x-www-form-urlencoded"
#define WINDOW_MS 5000
#define FROM_ID   "id:"
#define FROM_TIME "ms:"

static bool in_body(const struct account_request *request)
{
    return request->method == ACCOUNT_POST || request->method == ACCOUNT_PUT;
}

void binance_begin(struct account_request *request, enum account_method method, const char *path,
                   int weight)
{
    request->method = method;
    request->weight = weight;
    buf_add_c(&request->path, path);
    if (in_body(request)) {
        request->content_type = FORM;
    }
}

void binance_add(struct account_request *request, const char *name, const char *value)
{
    bool body = in_body(request);
    struct buf *out = body ? &request->body : &request->path;
    if (value[0] == '\0') {
        return;
    }
    if (body) {
        buf_add_c(out, out->len > 0 ? "&" : "");
    } else {
        buf_add_char(out, strchr(out->data, '?') == NULL ? '?' : '&');
    }
    buf_addf(out, "%s=", name);
    http_add_encoded(out, str_c(value));
}

void binance_add_number(struct account_request *request, const char *name, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    binance_add(request, name, text);
}

void binance_add_dec(struct account_request *request, const char *name, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    binance_add(request, name, dec_text(value, text));
}

/* Client ids are unique among open orders only, so the venue's id comes first. */
void binance_add_find(struct account_request *request, const struct account_find *find,
                      const char *id_name, const char *client_id_name)
{
    if (find->id[0] != '\0') {
        binance_add(request, id_name, find->id);
    } else {
        binance_add(request, client_id_name, find->client_id);
    }
}

/* ---------------------------------------------------------------- signatures */

/* The secret is a text for HMAC, or a key of Ed25519 in PEM. The key's id becomes a header. */
static int open_key(const struct account_key *key, struct signing_key **ret, struct err *err)
{
    int rc = account_check_id(NAME, key->id, err);
    if (rc < 0) {
        return rc;
    }
    rc = signing_key_new(key->secret, SIGNING_KEY_TEXT | SIGNING_KEY_PEM, "secret key of " NAME,
                         ret, err);
    if (rc >= 0 && signing_key_algorithm(*ret) == SIGNING_ES256) {
        signing_key_free(*ret);
        *ret = NULL;
        rc = err_set(err, ERR_VENUE_KEY, NAME ": the key is one of P-256, which it does not take");
    }
    return rc;
}

int binance_check_key(const struct account_key *key, struct err *err)
{
    AUTO_SIGNING_KEY struct signing_key *secret = NULL;
    return open_key(key, &secret, err);
}

int binance_add_signature(const struct account_key *key, struct str payload, struct buf *out,
                          struct err *err)
{
    AUTO_SIGNING_KEY struct signing_key *secret = NULL;
    int rc = open_key(key, &secret, err);
    if (rc >= 0) {
        signing_key_add(secret, payload,
                        signing_key_algorithm(secret) == SIGNING_HMAC_SHA256 ? SIGNING_HEX
                                                                             : SIGNING_BASE64,
                        out);
    }
    return rc;
}

int binance_add_key(const struct account_key *key, struct account_request *request, struct err *err)
{
    int rc = binance_check_key(key, err);
    if (rc >= 0) {
        buf_addf(&request->headers, "X-MBX-APIKEY: %.*s\n", STR_ARG(key->id));
    }
    return rc;
}

int binance_sign(const struct account_key *key, const struct account_moment *moment,
                 struct account_request *request, struct err *err)
{
    AUTO_BUF struct buf signature = BUF_INIT(512);
    binance_add_number(request, "recvWindow", WINDOW_MS);
    binance_add_number(request, "timestamp", moment->wall_us / USEC_PER_MSEC);
    struct str payload = buf_str(&request->body);
    if (!in_body(request)) {
        const char *query = strchr(request->path.data, '?');
        payload = str_c(query != NULL ? query + 1 : "");
    }
    int rc = binance_add_signature(key, payload, &signature, err);
    if (rc >= 0) {
        binance_add(request, "signature", signature.data);
        buf_addf(&request->headers, "X-MBX-APIKEY: %.*s\n", STR_ARG(key->id));
    }
    return rc;
}

/* ---------------------------------------------------------------- pages */

static int64_t cursor_number(const char *cursor, const char *kind)
{
    int64_t number = -1;
    if (str_starts(str_c(cursor), kind)) {
        (void)str_to_i64(str_c(cursor + strlen(kind)), &number);
    }
    return number;
}

static int64_t window_start_ms(const struct account_page *page)
{
    int64_t start_ms = cursor_number(page->cursor, FROM_TIME);
    return start_ms >= 0 ? start_ms : page->since_us / USEC_PER_MSEC;
}

void binance_add_page(struct account_request *request, const struct account_page *page,
                      int64_t window_us)
{
    int64_t from_id = cursor_number(page->cursor, FROM_ID);
    if (from_id >= 0) {
        binance_add_number(request, "fromId", from_id);
    } else if (page->order_id[0] == '\0' && page->since_us == 0) {
        binance_add_number(request, "fromId", 0);
    } else if (page->order_id[0] == '\0') {
        int64_t start_ms = window_start_ms(page);
        binance_add_number(request, "startTime", start_ms);
        binance_add_number(request, "endTime", start_ms + window_us / USEC_PER_MSEC - 1);
    }
    binance_add(request, "limit", BINANCE_ROWS_AS);
}

void binance_next_page(const struct account_page *page, int64_t window_us, int count,
                       int64_t last_id, char ret_next[ACCOUNT_CURSOR_SIZE])
{
    bool by_time =
        page->order_id[0] == '\0' && page->since_us > 0 && cursor_number(page->cursor, FROM_ID) < 0;
    int64_t next_ms = window_start_ms(page) + window_us / USEC_PER_MSEC;
    ret_next[0] = '\0';
    if (count >= BINANCE_ROWS || (by_time && count > 0)) {
        (void)snprintf(ret_next, ACCOUNT_CURSOR_SIZE, FROM_ID "%lld", (long long)(last_id + 1));
    } else if (by_time && next_ms <= page->until_us / USEC_PER_MSEC) {
        (void)snprintf(ret_next, ACCOUNT_CURSOR_SIZE, FROM_TIME "%lld", (long long)next_ms);
    }
}

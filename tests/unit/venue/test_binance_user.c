#include "account_rig.h"
#include "base/base64.h"
#include "base/check.h"
#include "io/sign.h"
#include "unit/unit.h"

#include <string.h>

static struct account_request asked;
static struct err err;
static struct rig_rows rows;

/* Binance spot's stream of the account. */

#define WALL_US        INT64_C(1499827319559000)
#define ED25519_PUBLIC "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static const struct account_api *api;

static int setup(void **state)
{
    (void)state;
    api = account_api_find("binance");
    assert_non_null(api);
    rows = (struct rig_rows){0};
    return rig_begin(&asked, &err);
}

static int teardown(void **state)
{
    (void)state;
    account_request_release(&asked);
    return 0;
}

static int user(const char *text, struct account_event *ret)
{
    int count = 0;
    AUTO_JSON struct json_object *root = rig_parse(text);
    err_clear(&err);
    int rc = api->read_stream(root, ret, &count, &err);
    assert_true(rc < 0 || count == 1);
    return rc;
}

#define REPORT                                                                                   \
    "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"E\":1499405658658,\"s\":"      \
    "\"ETHBTC\",\"c\":\"ndK7QF-1-2\",\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"2.0\"," \
    "\"p\":\"0.10264410\",\"P\":\"0.00000000\",\"g\":-1,\"C\":\"\",\"x\":\"NEW\",\"X\":\"NEW\"," \
    "\"r\":\"NONE\",\"i\":4293153,\"l\":\"0.00000000\",\"z\":\"0.00000000\",\"L\":"              \
    "\"0.00000000\",\"n\":\"0\",\"N\":null,\"T\":1499405658657,\"t\":-1,\"w\":true,\"m\":false}}"
#define TRADE                                                                                  \
    "{\"event\":{\"e\":\"executionReport\",\"s\":\"ETHBTC\",\"c\":\"a\",\"S\":\"SELL\",\"o\":" \
    "\"MARKET\",\"q\":\"2.0\",\"p\":\"0\",\"P\":\"0\",\"C\":\"\",\"x\":\"TRADE\",\"X\":"       \
    "\"PARTIALLY_FILLED\",\"i\":4,\"l\":\"0.5\",\"z\":\"1.5\",\"L\":\"0.1\",\"n\":\"0.001\","  \
    "\"N\":\"BNB\",\"T\":1499405658657,\"t\":77}}"

static void the_stream_of_the_account_is_read(void **state)
{
    (void)state;
    struct account_event is;
    assert_int_equal(user(REPORT, &is), 0);
    assert_int_equal(is.kind, ACCOUNT_EVENT_ORDER);
    assert_true(is.has_order);
    assert_string_equal(is.order.client_id, "ndK7QF-1-2");
    assert_string_equal(is.order.id, "4293153");
    assert_int_equal(is.order.state, ORDER_ACKED);
    assert_int_equal(is.order.price.e8, 10264410);
    assert_int_equal(user(TRADE, &is), 0);
    assert_int_equal(is.kind, ACCOUNT_EVENT_FILL);
    assert_string_equal(is.fill.id, "77");
    assert_string_equal(is.fill.order_id, "4");
    assert_string_equal(is.fill.market, "ETHBTC");
    assert_string_equal(is.fill.fee_currency, "BNB");
    assert_int_equal(is.fill.qty.e8, DEC_ONE / 2);
    assert_int_equal(is.order.filled_qty.e8, 3 * DEC_ONE / 2);
    assert_false(is.fill.buys);
    AUTO_BUF struct buf cancelled = BUF_INIT(2048);
    rig_replace(&cancelled, REPORT, "\"C\":\"\",\"x\":\"NEW\",\"X\":\"NEW\"",
                "\"C\":\"ours\",\"x\":\"CANCELED\",\"X\":\"CANCELED\"");
    assert_int_equal(user(cancelled.data, &is), 0);
    assert_string_equal(is.order.client_id, "ours");
    assert_int_equal(is.order.state, ORDER_CANCELLED);
    static const struct {
        const char *text;
        enum account_event_kind kind;
    } others[] = {
        {"{\"id\":\"1\",\"status\":200,\"result\":{\"subscriptionId\":0},\"rateLimits\":[]}",
         ACCOUNT_EVENT_READY},
        {"{\"subscriptionId\":0,\"event\":{\"e\":\"outboundAccountPosition\",\"E\":1,\"B\":[]}}",
         ACCOUNT_EVENT_CHANGED},
        {"{\"subscriptionId\":0,\"event\":{\"e\":\"balanceUpdate\",\"a\":\"BTC\",\"d\":\"1\"}}",
         ACCOUNT_EVENT_CHANGED},
        {"{\"event\":{\"e\":\"externalLockUpdate\"}}", ACCOUNT_EVENT_CHANGED},
        {"{\"event\":{\"e\":\"eventStreamTerminated\",\"E\":1}}", ACCOUNT_EVENT_OVER},
        {"{\"event\":{\"e\":\"serverShutdown\",\"E\":1}}", ACCOUNT_EVENT_OVER},
        {"{\"e\":\"serverShutdown\",\"E\":1}", ACCOUNT_EVENT_OVER},
        {"{\"event\":{\"e\":\"listStatus\"}}", ACCOUNT_EVENT_NONE},
        {"{\"event\":{\"e\":\"somethingNew\"}}", ACCOUNT_EVENT_NONE},
        {"{\"id\":\"1\",\"status\":401,\"error\":{\"code\":-2015,\"msg\":\"Invalid API-key\"}}",
         ACCOUNT_EVENT_REFUSED},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(user(others[i].text, &is), 0);
        assert_int_equal(is.kind, others[i].kind);
    }
    assert_int_equal(err.id, ERR_VENUE_ACCESS);
    static const struct {
        const char *from, *to, *context;
    } bad[] = {
        {"\"t\":77", "\"t\":-1", "t is -1"},
        {"\"l\":\"0.5\"", "\"l\":\"0\"", "l is 0,"},
        {"\"L\":\"0.1\"", "\"L\":\"1e-1\"", "L is 1e-1"},
        {"\"z\":\"1.5\"", "\"z\":\"2.5\"", "is filled by more than its quantity"},
        {"\"X\":\"PARTIALLY_FILLED\"", "\"X\":null", "X is nothing"},
        {"\"N\":\"BNB\"", "\"N\":null", "commission asset is nothing"},
        {"\"T\":1499405658657", "\"T\":1499405658", "T is 1499405658"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf text = BUF_INIT(2048);
        rig_replace(&text, TRADE, bad[i].from, bad[i].to);
        rig_refused(&err, user(text.data, &is), &(struct rig_bad){text.data, bad[i].context},
                    "binance executionReport");
    }
    assert_int_equal(user("[]", &is), -ERR_VENUE_DATA);
    assert_int_equal(user("{\"event\":[]}", &is), -ERR_VENUE_DATA);
}

static void the_stream_of_the_account_is_logged_in(void **state)
{
    (void)state;
    AUTO_BUF struct buf message = BUF_INIT(2048);
    AUTO_BUF struct buf signature = BUF_INIT(256);
    char hex[SECRET_HASH_HEX_SIZE], expected[512];
    struct account_key key = {.id = STR_LIT("abc"), .secret = STR_LIT(RIG_SECRET)};
    const struct account_moment moment = {.wall_us = WALL_US};
    secret_hmac_sha256(key.secret, str_c("apiKey=abc&timestamp=1499827319559"), hex);
    (void)snprintf(expected, sizeof(expected),
                   "{\"id\":\"1\",\"method\":\"userDataStream.subscribe.signature\",\"params\":{"
                   "\"apiKey\":\"abc\",\"timestamp\":1499827319559,\"signature\":\"%s\"}}",
                   hex);
    assert_int_equal(api->add_stream_login(0, &key, &moment, "", &message, &err), 1);
    assert_string_equal(message.data, expected);
    assert_int_equal(api->add_stream_login(1, &key, &moment, "", &message, &err), 0);
    /* Ed25519: base 64 here, encoded in a request. */
    key.secret = STR_LIT(RIG_ED25519);
    buf_clear(&message);
    assert_int_equal(api->add_stream_login(0, &key, &moment, "", &message, &err), 1);
    AUTO_JSON struct json_object *root = rig_parse(message.data);
    const char *text = json_text(json_get(root, "params"), "signature");
    char signature_hex[SIGN_SIZE] = "";
    assert_true(base64_decode(str_c(text), &signature));
    assert_int_equal(signature.len, SIGN_BYTES);
    for (size_t i = 0; i < SIGN_BYTES; i++) {
        (void)snprintf(signature_hex + 2 * i, 3, "%02x",
                       (unsigned)(unsigned char)signature.data[i]);
    }
    assert_true(sign_check(str_c(ED25519_PUBLIC), str_c("apiKey=abc&timestamp=1499827319559"),
                           str_c(signature_hex)));
    buf_add_c(&asked.path, "/x");
    assert_int_equal(api->sign(&key, &moment, &asked, &err), 0);
    assert_has(asked.path.data, "%3D%3D"); /* == */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
UNIT_GROUP(binance_user, TEST(the_stream_of_the_account_is_read),
           TEST(the_stream_of_the_account_is_logged_in))

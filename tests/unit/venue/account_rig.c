#include "account_rig.h"

#include "base/check.h"
#include "io/secret.h"

#include <string.h>

struct json_object *rig_parse(const char *text)
{
    struct json_object *root = NULL;
    (void)json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &root, NULL);
    return root;
}

void rig_judges(const char *venue, const struct rig_verdict *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_JSON struct json_object *root = rig_parse(rows[i].body);
        const struct account_response response = {
            .status = rows[i].status, .root = root, .body = str_c(rows[i].body)};
        struct err err = {0};
        enum account_verdict verdict =
            account_api_find(venue)->judge(rows[i].call, &response, &err);
        bool said = verdict == ACCOUNT_FINE ? err.id == ERR_NONE
                                            : err.id > 0 && strstr(err.context, venue) != NULL;
        said = said && (rows[i].error == 0 || err.id == rows[i].error);
        if (verdict != rows[i].verdict || !said) {
            fail_msg("%s: row %zu, status %d, %s: verdict %d instead of %d, error %d, %s", venue, i,
                     rows[i].status, rows[i].body, verdict, rows[i].verdict, err.id, err.context);
        }
    }
}

enum account_verdict rig_judge(const char *venue, struct err *err, enum account_call call,
                               int status, const char *body)
{
    AUTO_JSON struct json_object *root = rig_parse(body);
    const struct account_response response = {.status = status, .root = root, .body = str_c(body)};
    err_clear(err);
    return account_api_find(venue)->judge(call, &response, err);
}

void rig_refused(const struct err *err, int rc, const struct rig_bad *bad, const char *place)
{
    if (rc != -ERR_VENUE_DATA || strstr(err->context, bad->context) == NULL ||
        strstr(err->context, place) == NULL) {
        fail_msg("%s: %d, %s; not %s, %s", bad->value, rc, err->context, place, bad->context);
    }
}

void rig_replace(struct buf *out, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (at == NULL) {
        fail_msg("%s is not in %s", from, text);
        return;
    }
    buf_add(out, text, (size_t)(at - text));
    buf_add_c(out, to);
    buf_add_c(out, at + strlen(from));
    assert_false(buf_failed(out));
}

int rig_begin(struct account_request *asked, struct err *err)
{
    account_request_init(asked);
    err_clear(err);
    return secret_init(err);
}

void rig_asked(struct account_request *asked, enum account_method method, const char *path,
               const char *body)
{
    assert_int_equal(asked->method, method);
    assert_string_equal(asked->path.data, path);
    assert_string_equal(asked->body.data, body);
    assert_true(asked->weight > 0);
    account_request_clear(asked);
}

void rig_refuses(const char *venue, rig_reader reader, const char *answer,
                 const struct rig_bad *values, size_t count)
{
    const char *hole = strstr(answer, "%s");
    assert_non_null(hole);
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF struct buf text = BUF_INIT(65536);
        struct err err = {0};
        buf_add(&text, answer, (size_t)(hole - answer));
        buf_add_c(&text, values[i].value);
        buf_add_c(&text, hole + 2);
        AUTO_JSON struct json_object *root = rig_parse(text.data);
        if (root == NULL) {
            fail_msg("no JSON: %s", text.data);
        }
        int rc = reader(account_api_find(venue), root, &err);
        if (rc != -ERR_VENUE_DATA || strncmp(err.context, venue, strlen(venue)) != 0 ||
            strstr(err.context, values[i].context) == NULL) {
            fail_msg("%s: %s: %d, %s (expected: %s)", venue, text.data, rc, err.context,
                     values[i].context);
        }
    }
}

const struct rig_bad rig_bad_prices[] = {
    {"\"1.000000000000000001\"", "is 1.000000000000000001"},
    {"\"1e2\"", "is 1e2"},
    {"1e-2", "is 0.01"},
    {"null", "is nothing"},
    {"\"NaN\"", "is NaN"},
    {"\"-1\"", "is -1"},
    {"\"\"", "is "},
    {"\" 1\"", "is  1"},
    {"\"+1\"", "is +1"},
    {"\"0x1\"", "is 0x1"},
    {"\"99999999999999\"", "is 99999999999999"},
    {"[\"1\"]", "is an array"},
    {"{}", "is an object"},
    {"true", "is true"},
};
const size_t rig_bad_price_count = COUNT_OF(rig_bad_prices);

const char *rig_request(struct account_request *request)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    static char text[2048];
    assert_false(buf_failed(&request->path) || buf_failed(&request->body));
    (void)snprintf(text, sizeof(text), "%s %s%s%s", methods[request->method], request->path.data,
                   request->body.len > 0 ? " " : "", request->body.data);
    account_request_clear(request);
    return text;
}

struct dec rig_dec(const char *text)
{
    struct dec dec;
    assert_true(dec_parse(str_c(text), &dec));
    return dec;
}

struct exchange_market rig_market(const char *symbol, const char *name)
{
    struct exchange_market market;
    assert_true(symbol_parse(str_c(symbol), &market.symbol));
    assert_true(str_copy(str_c(name), market.name, sizeof(market.name)));
    return market;
}

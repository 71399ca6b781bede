#include "venue_case.h"

#include "unit/unit.h"

#include <string.h>

struct account_request asked;
struct err err;
struct venue_rows rows;
static const struct account_api *judged;

int venue_case_begin(const struct account_api *api)
{
    judged = api;
    account_request_init(&asked);
    err_clear(&err);
    rows = (struct venue_rows){0};
    return secret_init(&err);
}

void venue_case_end(void)
{
    account_request_release(&asked);
}

struct json_object *parsed(const char *text)
{
    struct json_object *root = NULL;
    if (json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &root, &err) < 0) {
        fail_msg("%s: %s", text, err.context);
    }
    return root;
}

void add_replaced(struct buf *out, const char *text, const char *from, const char *to)
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

void assert_asked(enum account_method method, const char *path, const char *body)
{
    assert_int_equal(asked.method, method);
    assert_string_equal(asked.path.data, path);
    assert_string_equal(asked.body.data, body);
    assert_true(asked.weight > 0);
    account_request_clear(&asked);
}

void assert_refused(int rc, const struct bad_case *bad, const char *place)
{
    if (rc != -ERR_VENUE_DATA || strstr(err.context, bad->context) == NULL ||
        strstr(err.context, place) == NULL) {
        fail_msg("%s: %d, %s; not %s, %s", bad->text, rc, err.context, place, bad->context);
    }
}

enum account_verdict judge_text(enum account_call call, int status, const char *body)
{
    AUTO_JSON struct json_object *root = NULL;
    if (json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL) < 0) {
        root = NULL;
    }
    const struct account_response response = {.status = status, .root = root, .body = str_c(body)};
    err_clear(&err);
    return judged->judge(call, &response, &err);
}

void assert_verdicts(const struct verdict_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct verdict_case *c = &cases[i];
        enum account_verdict verdict = judge_text(c->call, c->status, c->body);
        if (verdict != c->verdict || err.id != c->error) {
            fail_msg("%d %s: verdict %d, error %d, %s", c->status, c->body, (int)verdict, err.id,
                     err.context);
        }
        assert_int_equal(err.id == ERR_NONE, verdict == ACCOUNT_FINE);
    }
}

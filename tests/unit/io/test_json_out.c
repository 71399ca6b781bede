#include "base/check.h"
#include "base/rng.h"
#include "io/json_out.h"
#include "unit/unit.h"

#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct json_object *parsed(const struct buf *text)
{
    struct json_object *value = NULL;
    struct err err = {0};
    assert_false(buf_failed(text));
    if (json_parse(buf_str(text), &JSON_LIMITS_DEFAULT, &value, &err) < 0) {
        fail_msg("%s: %s", text->data, err.context);
    }
    return value;
}

static void describe(struct json_out *out)
{
    json_out_text(out, "symbol", "BTC-USD");
    json_out_dec(out, "price", (struct dec){INT64_C(6412050000000)});
    json_out_dec(out, "qty", dec_from_int(-3));
    json_out_dec(out, "dust", (struct dec){1});
    json_out_dec(out, "none", DEC_INVALID);
    json_out_double(out, "score", 0.1);
    json_out_double(out, "nan", (double)NAN);
    json_out_rounded(out, "pct", -2.34567, 2);
    json_out_rounded(out, "zero", -0.001, 2);
    json_out_time(out, "at", INT64_C(1763692618123456));
    json_out_time(out, "never", 0);
    json_out_i64(out, "least", INT64_MIN);
    json_out_u64(out, "most", UINT64_MAX);
    json_out_bool(out, "suspect", true);
    json_out_text(out, "absent", NULL);
    json_out_str(out, "odd", str_n("q\"\\\n\x01\0\xFFz", 8));
    json_out_array(out, "list");
    json_out_i64(out, NULL, 1);
    json_out_object(out, NULL);
    json_out_end(out);
    json_out_array(out, NULL);
    json_out_end(out);
    json_out_end(out);
}

static void a_text_holds_exact_values(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    struct json_out out = JSON_OUT(&text);
    json_out_document(&out, "nightdesk.test/1");
    describe(&out);
    json_out_end(&out);
    assert_string_equal(
        text.data,
        "{\"schema\":\"nightdesk.test/1\",\"symbol\":\"BTC-USD\",\"price\":64120.5,\"qty\":-3,"
        "\"dust\":0.00000001,\"none\":null,\"score\":0.1,\"nan\":null,\"pct\":-2.35,\"zero\":0,"
        "\"at\":\"2025-11-21T02:36:58.123456Z\",\"never\":null,\"least\":-9223372036854775808,"
        "\"most\":18446744073709551615,\"suspect\":true,\"absent\":null,"
        "\"odd\":\"q\\\"\\\\\\n\\u0001\\u0000\xEF\xBF\xBDz\",\"list\":[1,{},[]]}");
}

static void an_indented_text_has_a_line_for_each_member(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    struct json_out out = JSON_OUT_INDENTED(&text);
    json_out_document(&out, "nightdesk.test/1");
    json_out_array(&out, "list");
    json_out_i64(&out, NULL, 1);
    json_out_i64(&out, NULL, 2);
    json_out_end(&out);
    json_out_object(&out, "none");
    json_out_end(&out);
    json_out_end(&out);
    assert_string_equal(text.data, "{\n  \"schema\": \"nightdesk.test/1\",\n  \"list\": [\n    1,\n"
                                   "    2\n  ],\n  \"none\": {}\n}");
}

static void a_tree_holds_the_same_values_as_a_text(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    AUTO_BUF struct buf again = BUF_INIT(4096);
    AUTO_JSON struct json_object *tree = json_object_new_object();
    struct json_out to_text = JSON_OUT(&text);
    struct json_out to_tree = JSON_OUT_TREE(tree);
    struct json_out copy = JSON_OUT(&again);
    json_out_object(&to_text, NULL);
    describe(&to_text);
    json_out_end(&to_text);
    describe(&to_tree);
    AUTO_JSON struct json_object *value = parsed(&text);
    assert_true(json_object_equal(value, tree));
    json_out_value(&copy, NULL, tree);
    assert_string_equal(again.data, text.data);
    buf_clear(&again);
    copy = (struct json_out)JSON_OUT(&again);
    json_out_value(&copy, NULL, value);
    assert_string_equal(again.data, text.data);
}

static void a_key_may_be_any_text(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    AUTO_JSON struct json_object *tree = json_object_new_object();
    struct json_out to_text = JSON_OUT(&text);
    struct json_out to_tree = JSON_OUT_TREE(tree);
    json_out_object(&to_text, NULL);
    json_out_i64(&to_text, "a\"b\xFF", 1);
    json_out_end(&to_text);
    json_out_i64(&to_tree, "a\"b\xFF", 1);
    AUTO_JSON struct json_object *value = parsed(&text);
    assert_true(json_object_equal(value, tree));
}

/* "%.15g", "%.16g" and "%.17g" in turn, as a reference. */
static void reference(double value, char ret[64])
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(ret, 64, "%.*g", digits, value);
        if (memcmp(&(double){strtod(ret, NULL)}, &value, sizeof(value)) == 0) {
            return;
        }
    }
}

static void check_double(double value)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    struct json_out out = JSON_OUT(&text);
    char expected[64];
    json_out_double(&out, NULL, value);
    reference(value, expected);
    double again = strtod(text.data, NULL);
    if (memcmp(&again, &value, sizeof(value)) != 0) {
        fail_msg("%s is not %a", text.data, value);
    }
    bool is_integer = fabs(value) <= 9007199254740992.0 && floor(value) >= value;
    if (!is_integer && strcmp(text.data, expected) != 0) {
        fail_msg("%s, but printf prints %s", text.data, expected);
    }
}

static void a_double_is_its_shortest_text(void **state)
{
    (void)state;
    const double edges[] = {0,
                            1,
                            0.1,
                            0.3,
                            1e-4,
                            9.999e-5,
                            1e15,
                            1e16,
                            5e-324,
                            DBL_MAX,
                            DBL_MIN,
                            0.5,
                            1.5,
                            123456.789,
                            2.5e-10,
                            1e22,
                            1e23,
                            1 / 3.0,
                            2 / 3.0,
                            100 / 7.0,
                            4503599627370496.5,
                            999999999999999.9,
                            0.00010000000000000002,
                            9.995,
                            0.99999999999999989,
                            8.41,
                            9.5367431640625e-07,
                            0.0001220703125,
                            0.125,
                            1024.0625};
    for (size_t i = 0; i < COUNT_OF(edges); i++) {
        check_double(edges[i]);
        check_double(nextafter(edges[i], 0));
        check_double(nextafter(edges[i], 1e300));
        if (edges[i] > 0) {
            check_double(-edges[i]);
        }
    }
    struct rng rng;
    rng_init(&rng, 20261129);
    for (int i = 0; i < (UNIT_SANITIZED ? 5000 : 100000); i++) {
        uint64_t bits = rng_u64(&rng);
        double any;
        memcpy(&any, &bits, sizeof(any));
        if (isfinite(any) && (any > 0 || any < 0)) {
            check_double(any);
        }
        /* Doubles of everyday size, with few and with many digits. */
        double whole = (double)(rng_u64(&rng) % 1000000000 + 1);
        check_double(whole / 1000);
        check_double(whole / 65536);
        check_double(whole / (double)(rng_u64(&rng) % 99991 + 1));
        check_double(ldexp(1, (int)(rng_u64(&rng) % 64) - 14));
    }
}

/* ------------------------------------------------------------------ anything at all */

#define OPS_MAX 60

static void random_text(struct rng *rng, char *dst, size_t size)
{
    size_t len = rng_u64(rng) % size;
    for (size_t i = 0; i < len; i++) {
        dst[i] = (char)(rng_u64(rng) % 4 == 0 ? rng_u64(rng) % 255 + 1 : 'a' + rng_u64(rng) % 26);
    }
    dst[len] = '\0';
}

/* Writes the same random members to both, with keys that are not repeated. */
static void random_members(struct rng *rng, struct json_out *a, struct json_out *b)
{
    bool is_array[JSON_OUT_DEPTH] = {false};
    int depth = 0;
    for (int i = 0; i < OPS_MAX; i++) {
        char name[40], text[24];
        int len = snprintf(name, sizeof(name), "%d", i);
        random_text(rng, name + len, 16);
        random_text(rng, text, sizeof(text));
        const char *key = is_array[depth] ? NULL : name;
        uint64_t bits = rng_u64(rng);
        double number;
        memcpy(&number, &bits, sizeof(number));
        struct json_out *both[] = {a, b};
        unsigned kind = (unsigned)(rng_u64(rng) % 12);
        if (kind == 11 && depth == 0) {
            kind = 0;
        }
        if (kind >= 9 && kind <= 10 && depth == JSON_OUT_DEPTH - 2) {
            kind = 11;
        }
        for (size_t k = 0; k < 2; k++) {
            switch (kind) {
            case 0:
                json_out_text(both[k], key, text);
                break;
            case 1:
                json_out_i64(both[k], key, (int64_t)bits);
                break;
            case 2:
                json_out_u64(both[k], key, bits);
                break;
            case 3:
                json_out_dec(both[k], key, (struct dec){(int64_t)bits});
                break;
            case 4:
                json_out_double(both[k], key, number);
                break;
            case 5:
                json_out_rounded(both[k], key, (double)(int64_t)bits / 1e12, (int)(bits % 10));
                break;
            case 6:
                json_out_time(both[k], key, (int64_t)(bits % (UINT64_C(1) << 52)));
                break;
            case 7:
                json_out_bool(both[k], key, bits % 2 == 0);
                break;
            case 8:
                json_out_null(both[k], key);
                break;
            case 9:
                json_out_object(both[k], key);
                break;
            case 10:
                json_out_array(both[k], key);
                break;
            default:
                json_out_end(both[k]);
                break;
            }
        }
        depth += kind == 11 ? -1 : kind >= 9 ? 1 : 0;
        if (kind == 9 || kind == 10) {
            is_array[depth] = kind == 10;
        }
    }
    for (; depth > 0; depth--) {
        json_out_end(a);
        json_out_end(b);
    }
}

static void whatever_is_written_is_read_strictly_as_the_same_values(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        AUTO_BUF struct buf text = BUF_INIT(1 << 20);
        AUTO_BUF struct buf again = BUF_INIT(1 << 20);
        AUTO_JSON struct json_object *tree = json_object_new_object();
        struct json_out to_text = seed % 2 == 0 ? (struct json_out)JSON_OUT(&text)
                                                : (struct json_out)JSON_OUT_INDENTED(&text);
        struct json_out to_tree = JSON_OUT_TREE(tree);
        json_out_object(&to_text, NULL);
        random_members(&rng, &to_text, &to_tree);
        json_out_end(&to_text);
        AUTO_JSON struct json_object *value = parsed(&text);
        if (!json_object_equal(value, tree)) {
            fail_msg("seed %llu: %s", (unsigned long long)seed, text.data);
        }
        json_add_text(&again, tree);
        AUTO_JSON struct json_object *twice = parsed(&again);
        assert_true(json_object_equal(value, twice));
    }
}

static void a_full_buffer_is_reported(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(10);
    struct json_out out = JSON_OUT(&text);
    json_out_document(&out, "nightdesk.test/1");
    json_out_end(&out);
    assert_true(buf_failed(&text));
}

static void key_in_an_array(struct json_out *out)
{
    json_out_array(out, NULL);
    json_out_i64(out, "key", 1);
}

static void no_key_in_an_object(struct json_out *out)
{
    json_out_object(out, NULL);
    json_out_i64(out, NULL, 1);
}

static void second_root(struct json_out *out)
{
    json_out_i64(out, NULL, 1);
    json_out_i64(out, NULL, 1);
}

static void end_too_many(struct json_out *out)
{
    json_out_array(out, NULL);
    json_out_end(out);
    json_out_end(out);
}

static void too_deep(struct json_out *out)
{
    for (int i = 0; i <= JSON_OUT_DEPTH; i++) {
        json_out_array(out, NULL);
    }
}

static void misuse_aborts(void **state)
{
    (void)state;
    void (*const wrong[])(struct json_out * out) = {key_in_an_array, no_key_in_an_object,
                                                    second_root, end_too_many, too_deep};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            (void)!freopen("/dev/null", "w", stderr);
            struct buf text = BUF_INIT(4096);
            struct json_out out = JSON_OUT(&text);
            (void)signal(SIGABRT, SIG_DFL);
            wrong[i](&out);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
            fail_msg("misuse %zu: status %d", i, status);
        }
    }
}

UNIT_GROUP(json_out, cmocka_unit_test(misuse_aborts), cmocka_unit_test(a_text_holds_exact_values),
           cmocka_unit_test(an_indented_text_has_a_line_for_each_member),
           cmocka_unit_test(a_tree_holds_the_same_values_as_a_text),
           cmocka_unit_test(a_key_may_be_any_text), cmocka_unit_test(a_double_is_its_shortest_text),
           cmocka_unit_test(whatever_is_written_is_read_strictly_as_the_same_values),
           cmocka_unit_test(a_full_buffer_is_reported))

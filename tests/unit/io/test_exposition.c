#include "io/exposition.h"
#include "io/json.h"
#include "unit/unit.h"

#include <math.h>

static void the_accept_header_chooses_the_form(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool openmetrics;
    } rows[] = {
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
        {"application/openmetrics-text", true},
        {"Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.4 , text/plain;q=0.3", true},
        {"application/openmetrics-text;q=0.4,text/plain;q=0.5", false},
        {"application/openmetrics-text;q=0", false},
        {"application/openmetrics-text;q=2", false},
        {"application/openmetrics-text;q=nan", false},
        {"application/openmetrics-text;version=2.0.0,*/*;q=0.1", false},
        {"text/html,*/*;q=0.8", false},
        {"application/json", false},
        {"", false},
        {",,;;,q=1,=", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (exposition_wanted(str_c(rows[i].accept)) != rows[i].openmetrics) {
            print_error("%s\n", rows[i].accept);
            fail();
        }
    }
}

static void write_some(struct exposition *out)
{
    struct histogram h = HISTOGRAM_INIT(250000000);
    histogram_keep_exemplars(&h);
    histogram_add(&h, 100);
    histogram_add_traced(&h, 900000000, (struct trace_id){1, 0xabc}, 1700000000000042);
    exposition_family(out, "a_fills", EXPOSITION_COUNTER, "Fills.");
    exposition_u64(out, UINT64_MAX, NULL);
    exposition_family(out, "a_build", EXPOSITION_INFO, "What was built.");
    exposition_u64(out, 1, EXPOSITION_LABELS({"version", "0.1"}, {"odd", "a\"b\\c\nd\xff"}));
    exposition_family(out, "a_age_seconds", EXPOSITION_GAUGE, "Age.");
    exposition_double(out, 1.25, NULL);
    exposition_double(out, NAN, EXPOSITION_LABELS({"x", "1"}));
    exposition_double(out, INFINITY, EXPOSITION_LABELS({"x", "2"}));
    exposition_i64(out, -3, EXPOSITION_LABELS({"x", "3"}));
    exposition_family(out, "a_cash_usd", EXPOSITION_GAUGE, "Cash.");
    exposition_dec(out, (struct dec){1050000001}, NULL);
    exposition_dec(out, DEC_INVALID, EXPOSITION_LABELS({"x", "4"}));
    exposition_family(out, "a_step_seconds", EXPOSITION_HISTOGRAM, "Steps.");
    exposition_histogram(out, &h);
    exposition_end(out);
    histogram_release(&h);
}

static void the_older_form(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(8192);
    write_some(&(struct exposition){.text = &text});
    assert_has(text.data, "# HELP a_fills_total Fills.\n# TYPE a_fills_total counter\n"
                          "a_fills_total 18446744073709551615\n");
    assert_has(text.data, "# TYPE a_build_info gauge\n"
                          "a_build_info{version=\"0.1\",odd=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\"} 1\n");
    assert_has(text.data, "# TYPE a_age_seconds gauge\na_age_seconds 1.25\na_age_seconds{x=\"3\"} "
                          "-3\n# HELP a_cash_usd");
    assert_has(text.data, "\na_cash_usd 10.50000001\n# HELP a_step");
    assert_has(text.data, "a_step_seconds_bucket{le=\"0.25\"} 1\n"
                          "a_step_seconds_bucket{le=\"0.5\"} 1\n"
                          "a_step_seconds_bucket{le=\"1.0\"} 2\n");
    assert_has(text.data, "a_step_seconds_bucket{le=\"+Inf\"} 2\na_step_seconds_sum 0.9000001\n"
                          "a_step_seconds_count 2\n");
    assert_lacks(text.data, "trace_id");
    assert_lacks(text.data, "# UNIT");
    assert_lacks(text.data, "# EOF");
}

static void openmetrics(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(8192);
    write_some(&(struct exposition){.text = &text, .openmetrics = true});
    assert_has(text.data, "# TYPE a_fills counter\na_fills_total 18446744073709551615\n");
    assert_has(text.data, "# TYPE a_build info\na_build_info{version=");
    assert_has(text.data, "# TYPE a_age_seconds gauge\n# UNIT a_age_seconds seconds\n");
    assert_has(text.data, "a_step_seconds_bucket{le=\"1.0\"} 2 # "
                          "{trace_id=\"00000000000000010000000000000abc\"} 0.9 "
                          "1700000000.000042\n");
    assert_has(text.data, "a_step_seconds_count 2\n# EOF\n");
}

static struct json_object *sample(struct json_object *families, size_t family, size_t i)
{
    return json_item(json_get(json_item(families, family), "samples"), i);
}

static void json(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(root);
    write_some(&(struct exposition){.json = &out});
    struct json_object *families = json_get(root, "families"), *one;
    assert_int_equal(json_len(families), 5);
    assert_string_equal(json_text(json_item(families, 0), "name"), "a_fills"); /* no _total */
    assert_string_equal(json_text(json_item(families, 0), "type"), "counter");
    assert_string_equal(json_text(json_item(families, 0), "help"), "Fills.");
    assert_string_equal(json_object_to_json_string_ext(sample(families, 0, 0), 0),
                        "{\"labels\":{},\"value\":18446744073709551615}");
    assert_string_equal(json_text(json_get(sample(families, 1, 0), "labels"), "odd"),
                        "a\"b\\c\nd\xEF\xBF\xBD");
    /* What is not finite is left out. */
    assert_int_equal(json_len(json_get(json_item(families, 2), "samples")), 2);
    assert_string_equal(json_object_to_json_string_ext(sample(families, 2, 1), 0),
                        "{\"labels\":{\"x\":\"3\"},\"value\":-3}");
    assert_string_equal(json_object_to_json_string_ext(sample(families, 3, 0), 0),
                        "{\"labels\":{},\"value\":10.50000001}");
    assert_int_equal(json_len(json_get(json_item(families, 3), "samples")), 1);
    assert_string_equal(json_text(json_item(families, 4), "type"), "histogram");
    one = sample(families, 4, 0);
    assert_string_equal(json_object_to_json_string_ext(json_item(json_get(one, "buckets"), 2), 0),
                        "{\"le\":1,\"count\":2}");
    assert_int_equal(json_i64(one, "count", 0), 2);
    assert_string_equal(json_object_get_string(json_get(one, "sum")), "0.9000001");
}

UNIT_GROUP(exposition, cmocka_unit_test(the_accept_header_chooses_the_form),
           cmocka_unit_test(the_older_form), cmocka_unit_test(openmetrics), cmocka_unit_test(json))

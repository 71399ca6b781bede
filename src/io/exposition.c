#include "io/exposition.h"

#include "base/check.h"
#include "base/clock.h"
#include "json_number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_SEC INT64_C(1000000000)

/* ---------------------------------------------------------------- which form */

/* The q of one media range, "application/x;version=1.0.0;q=0.5": 0 to 1, -1 if it is malformed.
 * *ret_type is the range without its parameters, *ret_version that of its version. */
static double read_range(struct str range, struct str *ret_type, struct str *ret_version)
{
    struct str parameter;
    double q = 1;
    *ret_version = str_c("");
    if (!str_split(&range, ';', ret_type)) {
        return -1;
    }
    *ret_type = str_trim(*ret_type);
    while (str_split(&range, ';', &parameter)) {
        struct str value = str_trim(parameter), name;
        if (!str_split(&value, '=', &name)) {
            continue;
        }
        value = str_trim(value);
        if (str_equal_nocase(str_trim(name), "q")) {
            if (!str_to_double(value, &q) || q < 0 || q > 1) {
                return -1;
            }
        } else if (str_equal_nocase(str_trim(name), "version")) {
            *ret_version = value;
        }
    }
    return q;
}

bool exposition_wanted(struct str accept)
{
    double openmetrics = 0, classic = 0;
    struct str range;
    while (str_split(&accept, ',', &range)) {
        struct str type, version;
        double q = read_range(range, &type, &version);
        if (str_equal_nocase(type, "application/openmetrics-text") &&
            (version.len == 0 || str_equal_c(version, "1.0.0") || str_equal_c(version, "0.0.1"))) {
            openmetrics = fmax(openmetrics, q);
        } else if (str_equal_nocase(type, "text/plain") || str_equal_nocase(type, "text/*") ||
                   str_equal_nocase(type, "*/*")) {
            classic = fmax(classic, q);
        }
    }
    return openmetrics > 0 && openmetrics >= classic;
}

/* ---------------------------------------------------------------- families */

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name), tail = strlen(suffix);
    return len > tail && strcmp(name + len - tail, suffix) == 0;
}

static const char *type_name(enum exposition_type type, bool openmetrics)
{
    switch (type) {
    case EXPOSITION_GAUGE:
        return "gauge";
    case EXPOSITION_COUNTER:
        return "counter";
    case EXPOSITION_HISTOGRAM:
        return "histogram";
    case EXPOSITION_INFO:
        return openmetrics ? "info" : "gauge"; /* the older form has no such type */
    }
    return "unknown";
}

/* What follows the family's name in its samples. */
static const char *sample_suffix(enum exposition_type type)
{
    return type == EXPOSITION_COUNTER ? "_total" : type == EXPOSITION_INFO ? "_info" : "";
}

/* Ends the family that is open. */
static void end_json_family(struct exposition *out)
{
    json_out_end(out->json);
    json_out_end(out->json);
}

static void begin_json_family(struct exposition *out, const char *help)
{
    json_out_object(out->json, NULL);
    json_out_text(out->json, "name", out->name);
    json_out_text(out->json, "type", type_name(out->type, true));
    json_out_text(out->json, "help", help);
    json_out_array(out->json, "samples");
}

void exposition_family(struct exposition *out, const char *name, enum exposition_type type,
                       const char *help)
{
    static const char *const units[] = {"seconds", "bytes", "ratio", "usd"};
    ASSERT(!ends_with(name, "_total") && !ends_with(name, "_info"));
    if (out->json != NULL && out->name != NULL) {
        end_json_family(out);
    } else if (out->json != NULL) {
        json_out_array(out->json, "families");
    }
    out->name = name;
    out->type = type;
    if (out->json != NULL) {
        begin_json_family(out, help);
        return;
    }
    /* The older form names what the samples are called. */
    const char *suffix = out->openmetrics ? "" : sample_suffix(type);
    buf_addf(out->text, "# HELP %s%s %s\n", name, suffix, help);
    buf_addf(out->text, "# TYPE %s%s %s\n", name, suffix, type_name(type, out->openmetrics));
    for (size_t i = 0; i < COUNT_OF(units) && out->openmetrics; i++) {
        char tail[16];
        (void)snprintf(tail, sizeof(tail), "_%s", units[i]);
        if (ends_with(name, tail)) {
            buf_addf(out->text, "# UNIT %s %s\n", name, units[i]);
        }
    }
}

/* ---------------------------------------------------------------- samples */

static void add_value(struct buf *text, struct str value)
{
    while (value.len > 0) {
        size_t size = str_utf8_size(value);
        if (size == 0) {
            buf_add_c(text, "\xEF\xBF\xBD");
        } else if (value.ptr[0] == '\n') {
            buf_add_c(text, "\\n");
        } else {
            if (value.ptr[0] == '\\' || value.ptr[0] == '"') {
                buf_add_char(text, '\\');
            }
            buf_add(text, value.ptr, size);
        }
        size = size == 0 ? 1 : size;
        value = str_n(value.ptr + size, value.len - size);
    }
}

static void add_head(struct exposition *out, const struct exposition_label *labels)
{
    ASSERT(out->name != NULL);
    buf_add_c(out->text, out->name);
    buf_add_c(out->text, sample_suffix(out->type));
    for (size_t i = 0; labels != NULL && labels[i].name != NULL; i++) {
        buf_addf(out->text, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name);
        add_value(out->text, str_c(labels[i].value));
        buf_add_char(out->text, '"');
    }
    buf_add_c(out->text, labels != NULL ? "} " : " ");
}

/* The sample, open: its value follows. */
static void begin_json_sample(struct exposition *out, const struct exposition_label *labels)
{
    ASSERT(out->name != NULL);
    json_out_object(out->json, NULL);
    json_out_object(out->json, "labels");
    for (size_t i = 0; labels != NULL && labels[i].name != NULL; i++) {
        json_out_text(out->json, labels[i].name, labels[i].value);
    }
    json_out_end(out->json);
}

void exposition_u64(struct exposition *out, uint64_t value, const struct exposition_label *labels)
{
    if (out->json != NULL) {
        begin_json_sample(out, labels);
        json_out_u64(out->json, "value", value);
        json_out_end(out->json);
        return;
    }
    add_head(out, labels);
    buf_addf(out->text, "%" PRIu64 "\n", value);
}

void exposition_i64(struct exposition *out, int64_t value, const struct exposition_label *labels)
{
    if (out->json != NULL) {
        begin_json_sample(out, labels);
        json_out_i64(out->json, "value", value);
        json_out_end(out->json);
        return;
    }
    add_head(out, labels);
    buf_addf(out->text, "%" PRId64 "\n", value);
}

void exposition_double(struct exposition *out, double value, const struct exposition_label *labels)
{
    if (!isfinite(value)) {
        return;
    }
    if (out->json != NULL) {
        begin_json_sample(out, labels);
        json_out_double(out->json, "value", value);
        json_out_end(out->json);
        return;
    }
    char number[JSON_NUMBER_SIZE];
    (void)json_number_double(value, number);
    add_head(out, labels);
    buf_addf(out->text, "%s\n", number);
}

void exposition_dec(struct exposition *out, struct dec value, const struct exposition_label *labels)
{
    if (dec_is_valid(value) && out->json != NULL) {
        begin_json_sample(out, labels);
        json_out_dec(out->json, "value", value);
        json_out_end(out->json);
    } else if (dec_is_valid(value)) {
        add_head(out, labels);
        dec_add_text(out->text, value);
        buf_add_char(out->text, '\n');
    }
}

/* Exactly, with at least one digit after the point: "0.000128", "1.0". */
static void add_seconds(struct buf *text, int64_t ns)
{
    char digits[16];
    (void)snprintf(digits, sizeof(digits), "%09d", (int)(ns % NS_PER_SEC));
    size_t len = strlen(digits);
    while (len > 1 && digits[len - 1] == '0') {
        digits[--len] = '\0';
    }
    buf_addf(text, "%" PRId64 ".%s", ns / NS_PER_SEC, digits);
}

static void add_exemplar(struct buf *text, const struct histogram_exemplar *e)
{
    if (e->trace.high == 0 && e->trace.low == 0) {
        return;
    }
    buf_addf(text, " # {trace_id=\"%016" PRIx64 "%016" PRIx64 "\"} ", e->trace.high, e->trace.low);
    add_seconds(text, e->ns);
    buf_addf(text, " %" PRId64 ".%06d", e->wall_us / USEC_PER_SEC,
             (int)(e->wall_us % USEC_PER_SEC));
}

static void add_json_histogram(struct exposition *out, const struct histogram *histogram,
                               const struct histogram_view *view)
{
    uint64_t total = 0;
    begin_json_sample(out, NULL);
    json_out_array(out->json, "buckets");
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        int64_t bound_ns = histogram_bound_ns(histogram, i);
        total += view->counts[i];
        json_out_object(out->json, NULL);
        if (bound_ns == INT64_MAX) {
            json_out_null(out->json, "le");
        } else {
            json_out_double(out->json, "le", (double)bound_ns / (double)NS_PER_SEC);
        }
        json_out_u64(out->json, "count", total);
        json_out_end(out->json);
    }
    json_out_end(out->json);
    json_out_double(out->json, "sum", (double)view->sum_ns / (double)NS_PER_SEC);
    json_out_u64(out->json, "count", total);
    json_out_end(out->json);
}

void exposition_histogram(struct exposition *out, const struct histogram *histogram)
{
    ASSERT(out->name != NULL && out->type == EXPOSITION_HISTOGRAM);
    struct histogram_view view;
    histogram_read(histogram, &view);
    if (out->json != NULL) {
        add_json_histogram(out, histogram, &view);
        return;
    }
    uint64_t total = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        int64_t bound_ns = histogram_bound_ns(histogram, i);
        total += view.counts[i];
        buf_addf(out->text, "%s_bucket{le=\"", out->name);
        if (bound_ns == INT64_MAX) {
            buf_add_c(out->text, "+Inf");
        } else {
            add_seconds(out->text, bound_ns);
        }
        buf_addf(out->text, "\"} %" PRIu64, total);
        if (out->openmetrics) {
            add_exemplar(out->text, &view.exemplars[i]);
        }
        buf_add_char(out->text, '\n');
    }
    buf_addf(out->text, "%s_sum ", out->name);
    add_seconds(out->text, view.sum_ns);
    buf_addf(out->text, "\n%s_count %" PRIu64 "\n", out->name, total);
}

void exposition_end(struct exposition *out)
{
    if (out->json != NULL && out->name != NULL) {
        end_json_family(out);
        json_out_end(out->json);
    } else if (out->openmetrics) {
        buf_add_c(out->text, "# EOF\n");
    }
}

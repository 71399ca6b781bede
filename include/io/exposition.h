/*
 * exposition.h: writes metrics in the text form of Prometheus (0.0.4) or of OpenMetrics (1.0.0), or
 * as JSON.
 *
 *     struct exposition out = {.text = &body, .openmetrics = exposition_wanted(accept)};
 *     exposition_family(&out, "nightdesk_fills", EXPOSITION_COUNTER, "Fills of orders.");
 *     exposition_u64(&out, fills, NULL);                       // nightdesk_fills_total 17
 *     exposition_family(&out, "nightdesk_alerts_open", EXPOSITION_GAUGE, "Open alerts.");
 *     exposition_i64(&out, n, EXPOSITION_LABELS({"severity", "high"}));
 *     exposition_end(&out);
 *
 * With .json instead of .text, the open object gets an array `families`, an object for each with
 * its name, type, help and samples.
 *
 * A family's name has no _total and no _info: they are added, where the form wants them. A name
 * that ends in a base unit (_seconds, _bytes, _ratio, _usd) has that unit. What is not known is not
 * written: a sample with a value that is not finite is left out.
 * Always true: values of labels are escaped; invalid UTF-8 becomes U+FFFD. A sample before the
 * first family is a bug and aborts. Owns nothing. Thread: any, one at a time per writer.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "base/histogram.h"
#include "io/json_out.h"

#include <stdbool.h>
#include <stdint.h>

enum exposition_type {
    EXPOSITION_GAUGE,
    EXPOSITION_COUNTER, /* only grows until the process ends */
    EXPOSITION_HISTOGRAM,
    EXPOSITION_INFO /* the value is 1, and the labels say it */
};

struct exposition_label {
    const char *name; /* [a-z_]+ */
    const char *value;
};
#define EXPOSITION_LABELS(...)        \
    (const struct exposition_label[]) \
    {                                 \
        __VA_ARGS__,                  \
        {                             \
            NULL, NULL                \
        }                             \
    }

struct exposition {
    struct buf *text;
    struct json_out *json; /* used instead of text; NULL: text */
    bool openmetrics;
    enum exposition_type type; /* of the family */
    const char *name;
};

#define EXPOSITION_CLASSIC_TYPE     "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Whether an Accept header prefers OpenMetrics. Without one, or with one that fits neither form,
 * the answer is the older form, which everything reads. */
bool exposition_wanted(struct str accept);

/* name: static. help: a sentence without quotes, backslashes and line feeds. */
void exposition_family(struct exposition *out, const char *name, enum exposition_type type,
                       const char *help);
/* labels: EXPOSITION_LABELS or NULL. */
void exposition_u64(struct exposition *out, uint64_t value, const struct exposition_label *labels);
void exposition_i64(struct exposition *out, int64_t value, const struct exposition_label *labels);
void exposition_double(struct exposition *out, double value, const struct exposition_label *labels);
void exposition_dec(struct exposition *out, struct dec value,
                    const struct exposition_label *labels);
/* In seconds; exemplars are written in OpenMetrics only. */
void exposition_histogram(struct exposition *out, const struct histogram *histogram);
void exposition_end(struct exposition *out); /* the last line, once */

#include "ground.h"

#include "pointer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RELATIVE_ERROR 1e-9

/* ------------------------------------------------------------------ one figure */

/* Number of decimals as written; -1 for a number with an exponent, to which no rounding applies. */
static int decimals_of(const char *text)
{
    if (strpbrk(text, "eE") != NULL) {
        return -1;
    }
    const char *point = strchr(text, '.');
    return point == NULL ? 0 : (int)strlen(point + 1);
}

static bool number_matches(double value, const char *text)
{
    double cited = 0;
    if (!str_to_double(str_c(text), &cited) || !isfinite(value)) {
        return false;
    }
    double off = fabs(value - cited);
    if (off <= RELATIVE_ERROR * fmax(fabs(value), fabs(cited))) {
        return true;
    }
    int decimals = decimals_of(text);
    /* A cited zero claims that there is none, so a rounded value must not match it. */
    if (decimals < 0 || decimals > 15 || cited == 0) {
        return false;
    }
    return off <= 0.5 * pow(10, -decimals) * (1 + RELATIVE_ERROR);
}

bool ground_matches(struct json_object *value, const struct finding_figure *cited)
{
    if (json_is_number(value)) {
        return number_matches(json_object_get_double(value), cited->text);
    }
    if (!cited->is_text) {
        return false;
    }
    if (json_is_text(value)) {
        return str_equal_c(json_value_str(value), cited->text);
    }
    if (json_object_is_type(value, json_type_boolean)) {
        return strcmp(cited->text, json_object_get_boolean(value) ? "true" : "false") == 0;
    }
    return false;
}

/* ------------------------------------------------------------------ rates */

void ground_wilson(int64_t k, int64_t n, double *ret_low, double *ret_high)
{
    const double z = 1.959963984540054; /* 97.5 % point of the normal distribution */
    double count = (double)n;
    double p = (double)k / count;
    double centre = p + z * z / (2 * count);
    double half = z * sqrt(p * (1 - p) / count + z * z / (4 * count * count));
    double scale = 1 + z * z / count;
    *ret_low = fmax(0, (centre - half) / scale);
    *ret_high = fmin(1, (centre + half) / scale);
}

void ground_rate(struct json_out *out, const char *key, int64_t k, int64_t n)
{
    json_out_object(out, key);
    json_out_i64(out, "k", k);
    json_out_i64(out, "n", n);
    if (n > 0) {
        double low = 0;
        double high = 0;
        ground_wilson(k, n, &low, &high);
        json_out_rounded(out, "pct", 100 * (double)k / (double)n, 2);
        json_out_rounded(out, "low_pct", 100 * low, 2);
        json_out_rounded(out, "high_pct", 100 * high, 2);
    }
    json_out_end(out);
}

/* The rate object whose member the pointer names; NULL if it is not a member of a rate. */
static struct json_object *rate_at(struct json_object *report, const char *pointer)
{
    const char *last = strrchr(pointer, '/');
    struct json_object *owner = NULL;
    if (last == NULL || !json_pointer(report, str_n(pointer, (size_t)(last - pointer)), &owner)) {
        return NULL;
    }
    return json_is_number(json_get(owner, "n")) && json_is_number(json_get(owner, "k")) ? owner
                                                                                        : NULL;
}

/* ------------------------------------------------------------------ findings and checks */

static void ground_evidence(struct json_object *report, struct finding_evidence *evidence)
{
    struct json_object *value = NULL;
    evidence->verified = false;
    if (!pointer_find(report, evidence->pointer, &value)) {
        (void)snprintf(evidence->note, sizeof(evidence->note), "not in the report");
    } else if (value == NULL || json_is_object(value) || json_is_array(value)) {
        (void)snprintf(evidence->note, sizeof(evidence->note), "not a single value");
    } else if (ground_matches(value, &evidence->cited)) {
        evidence->verified = true;
    } else {
        (void)snprintf(evidence->note, sizeof(evidence->note), "the report says %.80s",
                       json_object_get_string(value));
    }
}

void ground_finding(struct json_object *report, struct finding *finding)
{
    bool any = false;
    bool few = false;
    for (int i = 0; i < finding->evidence_count; i++) {
        struct finding_evidence *evidence = &finding->evidence[i];
        ground_evidence(report, evidence);
        any |= evidence->verified;
        const struct json_object *rate =
            evidence->verified ? rate_at(report, evidence->pointer) : NULL;
        int64_t n = json_i64(rate, "n", GROUND_FEW_SAMPLES);
        if (n < GROUND_FEW_SAMPLES) {
            few = true;
            (void)snprintf(evidence->note, sizeof(evidence->note),
                           "n = %lld, 95 %% interval %.1f to %.1f %%", (long long)n,
                           json_double(rate, "low_pct", 0), json_double(rate, "high_pct", 100));
        }
    }
    finding->rejected = !any;
    if (few && finding->severity > SEVERITY_MEDIUM) {
        finding->severity = SEVERITY_MEDIUM;
        finding->capped = true;
    }
}

static bool compare(double a, enum finding_op op, double b)
{
    switch (op) {
    case FINDING_EQUAL:
        return a == b;
    case FINDING_DIFFERENT:
        return a != b;
    case FINDING_ABOVE:
        return a > b;
    case FINDING_AT_LEAST:
        return a >= b;
    case FINDING_BELOW:
        return a < b;
    case FINDING_AT_MOST:
        return a <= b;
    }
    return false;
}

enum ground_state ground_check(struct json_object *report, const struct finding_check *check)
{
    struct json_object *value = NULL;
    if (!pointer_find(report, check->pointer, &value) || value == NULL || json_is_object(value) ||
        json_is_array(value)) {
        return GROUND_UNKNOWN;
    }
    bool equal = ground_matches(value, &check->value);
    if (check->op == FINDING_EQUAL || check->op == FINDING_DIFFERENT) {
        return equal == (check->op == FINDING_EQUAL) ? GROUND_TRUE : GROUND_FALSE;
    }
    double limit = 0;
    if (!json_is_number(value) || !str_to_double(str_c(check->value.text), &limit)) {
        return GROUND_UNKNOWN;
    }
    return compare(json_object_get_double(value), check->op, limit) ? GROUND_TRUE : GROUND_FALSE;
}

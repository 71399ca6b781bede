#include "index_number.h"

#include "base/clock.h"
#include "feed_date.h"
#include "io/json.h"

#include <math.h>
#include <stdio.h>

#define DEPTH_MAX 32

static bool read_double(const struct json_object *value, double *ret)
{
    if (json_is_number(value)) {
        *ret = json_object_get_double(value);
        return isfinite(*ret);
    }
    return json_is_text(value) && str_to_double(str_trim(json_value_str(value)), ret);
}

static bool read_time(const struct json_object *value, int64_t *ret_us)
{
    int64_t count = 0;
    if (json_object_is_type(value, json_type_int)) {
        count = json_object_get_int64(value);
    } else if (!json_is_text(value) || !str_to_i64(str_trim(json_value_str(value)), &count)) {
        return json_is_text(value) && feed_date_parse(json_value_str(value), ret_us);
    }
    /* Until the year 5138 a count of seconds has at most eleven digits; the other units have as
     * many in 1973. */
    const int64_t limit = INT64_C(100000000000);
    if (count <= 0) {
        return false;
    }
    *ret_us = count < limit             ? count * USEC_PER_SEC
              : count / 1000 < limit    ? count * USEC_PER_MSEC
              : count / 1000000 < limit ? count
                                        : count / 1000;
    return true;
}

/* An index in the form of Fear & Greed says here why it has no data. */
static bool has_error(struct json_object *root, struct str *ret)
{
    struct json_object *error = json_at(root, "/metadata/error");
    *ret = json_value_str(error);
    return error != NULL;
}

int index_number_read(const struct config_sentiment *source, struct str body,
                      struct index_number *ret, struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    struct json_limits limits = {.max_bytes = body.len, .max_depth = DEPTH_MAX};
    struct str why;
    int rc = json_parse(body, &limits, &root, err);
    if (rc < 0) {
        return rc;
    }
    *ret = (struct index_number){0};
    if (source->kind == CONFIG_SENTIMENT_FEAR_GREED && has_error(root, &why)) {
        return err_set(err, ERR_SENTIMENT_ANSWER, "its server says: %.*s",
                       (int)(why.len > 80 ? 80 : why.len), why.ptr);
    }
    struct json_object *value = json_at(root, source->value);
    double number = 0;
    if (value == NULL) {
        return err_set(err, ERR_SENTIMENT_ANSWER, "there is nothing at %s", source->value);
    }
    if (!read_double(value, &number)) {
        return err_set(err, ERR_SENTIMENT_ANSWER, "no number at %s", source->value);
    }
    double share = (number - source->low) / (source->high - source->low);
    if (!(share >= 0 && share <= 1)) {
        return err_set(err, ERR_SENTIMENT_ANSWER, "%.15g at %s is not between %.15g and %.15g",
                       number, source->value, source->low, source->high);
    }
    ret->score = 2 * share - 1;
    struct str label = json_value_str(json_at(root, source->label));
    (void)snprintf(ret->text, sizeof(ret->text), "%.15g of %.15g to %.15g%s%.*s", number,
                   source->low, source->high, label.len > 0 && source->label[0] != '\0' ? ", " : "",
                   source->label[0] != '\0' ? (int)(label.len > 40 ? 40 : label.len) : 0,
                   label.len > 0 ? label.ptr : "");
    if (source->time[0] != '\0') {
        value = json_at(root, source->time);
        if (value != NULL && !read_time(value, &ret->published_us)) {
            return err_set(err, ERR_SENTIMENT_ANSWER, "no time at %s", source->time);
        }
    }
    return 0;
}

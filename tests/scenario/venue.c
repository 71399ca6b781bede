#include "fakes/fake_venue.h"
#include "scenario.h"

#include <string.h>

/* A text with all of these. */
static void add_lines(const struct yaml_node *node, struct buf *out)
{
    if (yaml_text(node).len > 0) {
        buf_add_str(out, yaml_text(node));
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < yaml_len(node); i++) {
        buf_add_str(out, yaml_text(yaml_at(node, i)));
        buf_add_char(out, '\n');
    }
}

bool venue_do(struct scene *s, const struct yaml_node *lines)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 * 1024);
    add_lines(lines, &text);
    const char *why = fake_venue_do(s->venue, text.data);
    return why == NULL || scene_fail(s, "the venue: %s", why);
}

bool venue_has(struct scene *s, const struct yaml_node *step, struct buf *ret_got)
{
    AUTO_JSON struct json_object *state = fake_venue_state(s->venue);
    struct json_object *found = json_at(state, yaml_text(yaml_get(step, "state")).ptr);
    struct str is = yaml_text(yaml_get(step, "is"));
    int64_t count = -1;
    buf_clear(ret_got);
    buf_add_c(ret_got, found == NULL         ? "null"
                       : json_is_text(found) ? json_object_get_string(found)
                                             : json_object_to_json_string(found));
    if (str_to_i64(yaml_text(yaml_get(step, "count")), &count)) {
        return (json_is_array(found) || json_is_object(found)) &&
               (json_is_array(found) ? json_len(found)
                                     : (size_t)json_object_object_length(found)) == (size_t)count;
    }
    return str_equal(is, buf_str(ret_got));
}

static bool check_ids(struct scene *s, struct json_object *ids)
{
    bool good = true;
    if (!json_is_object(ids)) {
        return scene_fail(s, "the venue does not say which orders it accepted");
    }
    struct json_object_iterator it = json_object_iter_begin(ids);
    struct json_object_iterator end = json_object_iter_end(ids);
    while (!json_object_iter_equal(&it, &end)) {
        int64_t times = json_object_get_int64(json_object_iter_peek_value(&it));
        if (times != 1) {
            good = scene_fail(s, "order %s was accepted %lld times",
                              json_object_iter_peek_name(&it), (long long)times);
        }
        json_object_iter_next(&it);
    }
    return good;
}

bool venue_check(struct scene *s)
{
    AUTO_JSON struct json_object *state = fake_venue_state(s->venue);
    const struct json_object *violations = json_get(state, "violations");
    bool good = check_ids(s, json_get(state, "ids"));
    for (size_t i = 0; i < json_len(violations); i++) {
        const struct json_object *row = json_item(violations, i);
        good = scene_fail(s, "violation at the venue: %s: %s", json_text(row, "request"),
                          json_text(row, "why"));
    }
    return good;
}

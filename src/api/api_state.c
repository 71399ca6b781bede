#include "answer.h"
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "model/model_json.h"

#include <stdlib.h>

static void add_ops_loop(struct json_out *out, const struct api_state_key *key)
{
    json_out_object(out, "ops_loop");
    json_out_i64(out, "longest_absence_us", key->away_us);
    json_out_text(out, "longest_absence_in", key->away_source != NULL ? key->away_source : "");
    json_out_u64(out, "absences_over_limit", key->absences);
    json_out_end(out);
}

void api_telegram_write(struct json_out *out, int state, int64_t since_us)
{
    json_out_object(out, "telegram");
    json_out_text(out, "state", chat_state_name((enum chat_state)state));
    json_out_time(out, "since", since_us);
    json_out_end(out);
}

static struct api_state_key make_key(const struct snapshot *s, const struct shared *shared)
{
    const struct api_age age = api_age_of_engine(shared, s);
    return (struct api_state_key){
        .version = s->version,
        .age_us = age.us,
        .stale = age.stale,
        .away_us = atomic_load_explicit(&shared->ops_away_us, memory_order_relaxed),
        .away_source = atomic_load_explicit(&shared->ops_away_source, memory_order_relaxed),
        .absences = atomic_load_explicit(&shared->ops_absences, memory_order_relaxed),
        .telegram_since_us = atomic_load_explicit(&shared->telegram_since_us, memory_order_relaxed),
        .telegram = atomic_load_explicit(&shared->telegram, memory_order_relaxed),
    };
}

static bool key_equal(const struct api_state_key *a, const struct api_state_key *b)
{
    return a->version == b->version && a->age_us == b->age_us && a->away_us == b->away_us &&
           a->away_source == b->away_source && a->absences == b->absences &&
           a->telegram_since_us == b->telegram_since_us && a->telegram == b->telegram;
}

static void write_state(struct api_answer *a, const struct snapshot *s,
                        const struct api_state_key *key)
{
    api_answer_begin(a, "nightdesk.state/2",
                     (struct api_age){.us = key->age_us, .stale = key->stale});
    model_json_snapshot(&a->out, s);
    add_ops_loop(&a->out, key);
    api_telegram_write(&a->out, key->telegram, key->telegram_since_us);
}

void api_state_json(struct listener *listener, struct buf *out)
{
    struct api_answer a;
    struct api_headers unused;
    const struct snapshot *s = shared_reader_snapshot(listener->reader);
    const struct api_state_key key = make_key(s, listener->api->shared);
    write_state(&a, s, &key);
    api_answer_headers(&a, &unused);
    buf_add_str(out, buf_str(&a.body));
    api_answer_drop(&a);
}

static struct web_content *render(const struct snapshot *s, const struct api_state_key *key,
                                  struct api_headers *ret_headers)
{
    struct api_answer a;
    write_state(&a, s, key);
    api_answer_headers(&a, ret_headers);
    ASSERT(!buf_failed(&a.body)); /* a third of it with SYMBOLS_LIMIT and POSITIONS_LIMIT */
    struct web_content *content =
        web_content_new(&(struct web_answer){.status = 200,
                                             .content_type = "application/json",
                                             .headers = ret_headers->list,
                                             .body = buf_str(&a.body)});
    api_answer_drop(&a);
    return content;
}

void api_state_handle(struct api_call *call)
{
    struct listener *listener = call->listener;
    const struct snapshot *s = shared_reader_snapshot(listener->reader);
    const struct api_state_key key = make_key(s, listener->api->shared);
    if (listener->state == NULL || !key_equal(&key, &listener->state_key)) {
        if (listener->state_headers == NULL) {
            listener->state_headers = calloc(1, sizeof(*listener->state_headers));
            NEED_MEMORY(listener->state_headers != NULL);
        }
        web_content_free(listener->state);
        listener->state = render(s, &key, listener->state_headers);
        listener->state_key = key;
    }
    if (!api_answer_unchanged(call->request, listener->state_headers)) {
        web_answer_content(call->request, listener->state);
    }
}

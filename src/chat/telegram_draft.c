#include "telegram_draft.h"

#include "base/check.h"
#include "base/log.h"
#include "io/json_out.h"
#include "telegram_delivery.h"

#include <stdlib.h>
#include <string.h>

#define ANSWERS_MAX     8
#define CALL_TIMEOUT_MS INT64_C(5000)
#define GAP_US          (600 * USEC_PER_MSEC) /* Telegram allows about two in a second */
#define TEXT_MAX        ((size_t)4000)        /* bytes, so fewer of Telegram's units than 4096 */

/* An answer that is being written. */
struct answer {
    struct telegram_draft *draft;
    int64_t run_id; /* 0: this slot is free */
    int64_t chat_id;
    int64_t thread_id;
    struct buf next; /* the text to be sent */
    bool waiting;    /* there is one */
    bool refused;    /* Telegram takes no draft in this chat */
    int64_t ready_mono_us;
    int64_t used_mono_us;
    struct telegram_call *call;
    struct loop_source *timer;
};

struct telegram_draft {
    struct telegram *t;
    bool unknown; /* the server does not know the method */
    struct answer answers[ANSWERS_MAX];
};

struct telegram_draft *telegram_draft_new(struct telegram *t)
{
    struct telegram_draft *draft = calloc(1, sizeof(*draft));
    ASSERT(draft != NULL);
    draft->t = t;
    return draft;
}

static void answer_release(struct answer *a)
{
    telegram_api_cancel(a->call);
    loop_source_free(a->timer);
    buf_release(&a->next);
    *a = (struct answer){0};
}

void telegram_draft_free(struct telegram_draft *draft)
{
    if (draft == NULL) {
        return;
    }
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        answer_release(&draft->answers[i]);
    }
    free(draft);
}

static int64_t now_us(const struct telegram_draft *draft)
{
    return clock_mono_us(draft->t->options.clock);
}

static void send_next(void *userdata);

static void on_answer(const struct telegram_answer *answer, void *userdata)
{
    struct answer *a = userdata;
    a->call = NULL;
    switch (answer->result) {
    case TELEGRAM_OK:
    case TELEGRAM_NOT_SENT:
    case TELEGRAM_FAILED:
    case TELEGRAM_LOST:
    case TELEGRAM_CONFLICT:
    case TELEGRAM_TOKEN_REFUSED: /* the poll finds that out, too */
        break;
    case TELEGRAM_WAIT:
        a->ready_mono_us = now_us(a->draft) + answer->retry_after_s * USEC_PER_SEC;
        rate_limiter_block(&a->draft->t->send->rate_limiter, a->chat_id, a->ready_mono_us);
        break;
    case TELEGRAM_NO:
        a->refused = true;
        if (answer->code == 404) {
            a->draft->unknown = true;
            LOG(INFO, "telegram: the server knows no drafts; answers are edited instead");
        }
        break;
    }
    send_next(a);
}

static void send_next(void *userdata)
{
    struct answer *a = userdata;
    if (!a->waiting || a->refused || a->call != NULL) {
        return;
    }
    int64_t now = now_us(a->draft);
    if (now < a->ready_mono_us) {
        loop_timer_at(a->timer, a->ready_mono_us);
        return;
    }
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    json_out_i64(&out, "chat_id", a->chat_id);
    if (a->thread_id != 0) {
        json_out_i64(&out, "message_thread_id", a->thread_id);
    }
    json_out_i64(&out, "draft_id", a->run_id);
    json_out_str(&out, "text", buf_str(&a->next));
    json_out_bool(&out, "can_stop", true);
    a->waiting = false;
    a->ready_mono_us = now + GAP_US;
    a->call = telegram_api_call(a->draft->t->api,
                                &(struct telegram_request){.method = "sendMessageDraft",
                                                           .params = params,
                                                           .timeout_ms = CALL_TIMEOUT_MS},
                                on_answer, a);
}

/* The answer of this run; a new one takes a free slot, or the one that was used the longest ago. */
static struct answer *find_answer(struct telegram_draft *draft, int64_t run_id)
{
    struct answer *oldest = &draft->answers[0];
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        struct answer *a = &draft->answers[i];
        if (a->run_id == run_id) {
            return a;
        }
        if (a->used_mono_us < oldest->used_mono_us) {
            oldest = a;
        }
    }
    answer_release(oldest);
    oldest->draft = draft;
    oldest->run_id = run_id;
    oldest->timer = loop_add_timer(draft->t->options.loop, send_next, oldest);
    loop_source_name(oldest->timer, "telegram draft");
    buf_init(&oldest->next, TEXT_MAX);
    return oldest;
}

bool telegram_draft_show(struct telegram_draft *draft, const struct runner_stream *stream)
{
    /* A private chat has the id of its person, a group a negative one. */
    if (draft->unknown || stream->chat_id <= 0 ||
        telegram_chats_moved_to(draft->t, stream->chat_id) != stream->chat_id) {
        return false;
    }
    struct answer *a = find_answer(draft, stream->run_id);
    a->used_mono_us = now_us(draft);
    if (a->refused) {
        return false;
    }
    a->chat_id = stream->chat_id;
    a->thread_id = stream->thread_id;
    buf_clear(&a->next);
    for (size_t i = 0; i < reply_block_count(stream->reply); i++) {
        buf_add_c(&a->next, i == 0 ? "" : "\n");
        reply_block_text(stream->reply, i, &a->next);
    }
    a->waiting = !buf_failed(&a->next) && str_trim(buf_str(&a->next)).len > 0;
    send_next(a);
    return true;
}

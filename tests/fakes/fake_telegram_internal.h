/*
 * fake_telegram_internal.h: shared by the parts of the fake Bot API: fake_telegram.c (life,
 * requests, getUpdates), fake_telegram_messages.c (what the bot sends), fake_telegram_people.c
 * (what people do) and fake_telegram_faults.c (faults, waits, rate limits).
 *
 *     fake_telegram_answer_json(request, fake_telegram_success(json_object_new_boolean(true)));
 *
 * Always true: a struct fake_telegram is only used under its lock. Thread: any.
 */
#pragma once

#include "base/auto.h"
#include "base/clock.h"
#include "fakes/fake_telegram.h"
#include "fakes/fake_telegram_check.h"
#include "fakes/fake_telegram_menu.h"
#include "fakes/telegram_rate.h"
#include "io/json.h"
#include "io/web.h"

#include <pthread.h>

#define FAKE_TELEGRAM_UPDATES_MAX  2048
#define FAKE_TELEGRAM_SENT_MAX     4096
#define FAKE_TELEGRAM_FAILURES_MAX 64
#define FAKE_TELEGRAM_TOPICS_MAX   8
#define FAKE_TELEGRAM_WAITS_MAX    64
#define FAKE_TELEGRAM_BODY_MAX     ((size_t)32 << 20)

struct fake_telegram_entry {
    struct fake_telegram_sent public;
    char *text;
    char *buttons;
    struct json_object *markup; /* current keyboard of the message; NULL: none */
    char *seen;                 /* text as a person reads it */
    bool replaced;              /* a later edit has the current text */
    int64_t date_s;
};

struct fake_telegram_wait { /* no call of this method for this chat is allowed before this time */
    char method[32];
    int64_t chat;
    int64_t until_us;
};

/* A topic of a forum. */
struct fake_telegram_topic {
    int64_t chat;
    int64_t thread;
    const char *refusal; /* NULL: it is open */
};

struct fake_telegram {
    struct fake_telegram_topic topics[FAKE_TELEGRAM_TOPICS_MAX];
    size_t topic_count;
    struct web *web;
    pthread_t ticker; /* ends long polls and slow answers */
    pthread_cond_t wake;
    pthread_cond_t sent_more; /* a message was sent */
    pthread_mutex_t lock;     /* protects everything below */
    bool stopping;

    struct json_object *updates[FAKE_TELEGRAM_UPDATES_MAX];
    size_t update_count;
    int64_t next_update;
    int64_t next_message;
    int64_t next_press;

    struct web_request *poll; /* the open long poll */
    int64_t poll_until_us;
    int64_t poll_limit;
    int64_t second_us; /* start of the second in which empty polls are counted */
    int quick;

    struct web_request *slow; /* one slow answer at a time */
    char *slow_body;
    int slow_status;
    int64_t slow_from_us;
    int64_t slow_until_us;
    int slow_fd;      /* of an answer in pieces; -1: none */
    size_t slow_sent; /* bytes of it */

    struct json_object *past; /* a list: the updates that were confirmed last; NULL: none */
    struct telegram_rate rate;
    bool too_fast;    /* reported */
    int64_t draft_us; /* the last sendMessageDraft */
    int64_t draft_chat;

    struct fake_telegram_entry *sent;
    size_t sent_count;
    struct fake_telegram_failure failures[FAKE_TELEGRAM_FAILURES_MAX];
    size_t failure_count;
    struct fake_telegram_wait waits[FAKE_TELEGRAM_WAITS_MAX];
    size_t wait_count;
    struct {
        char method[32];
        size_t calls;
    } calls[32];
    char *webhook;
    char token[128];
    bool revoked; /* earlier tokens are answered with 401 */
    struct fake_menus menus;
    struct buf violations;
    char *violations_copy;
};

struct fake_telegram_reply {
    int status;
    char *body;
    int64_t retry_after_s;
};

int64_t fake_telegram_now_us(void);
__attribute__((format(printf, 2, 3))) void fake_telegram_violate(struct fake_telegram *fake,
                                                                 const char *format, ...);
void fake_telegram_complain(const char *text, void *fake); /* for fake_telegram_check.h */
char *fake_telegram_copy(const char *text);                /* NULL is "" */
void fake_telegram_add(struct json_object *object, const char *key, struct json_object *value);

struct fake_telegram_reply fake_telegram_success(struct json_object *result);
struct fake_telegram_reply fake_telegram_failed(int code, const char *description,
                                                int64_t retry_after_s, int64_t migrate_to);
void fake_telegram_answer(struct web_request *request, const struct fake_telegram_reply *answer,
                          const char *type);
/* Releases the body. */
void fake_telegram_answer_json(struct web_request *request, struct fake_telegram_reply answer);
/* at_once: an empty list, without waiting. */
void fake_telegram_get_updates(struct fake_telegram *fake, struct web_request *request,
                               const struct json_object *params, bool at_once);
void fake_telegram_end_poll(struct fake_telegram *fake);
/* The list of updates after a confirmation by the request. again: with those confirmed last. */
struct json_object *fake_telegram_list_updates(struct fake_telegram *fake,
                                               const struct json_object *params, bool again);
/* The call takes effect; getUpdates does not wait. */
struct fake_telegram_reply fake_telegram_accept(struct fake_telegram *fake, const char *method,
                                                const struct web_request *request,
                                                const struct json_object *params);

/* fake_telegram_messages.c */
/* sendMessageDraft: of private chats only; shown, but no message. */
struct fake_telegram_reply fake_telegram_accept_draft(struct fake_telegram *fake,
                                                      const char *method,
                                                      const struct json_object *params);
struct json_object *fake_telegram_message_json(int64_t chat, int64_t message_id, const char *text);
/* The entry with the current text of a message. */
struct fake_telegram_entry *fake_telegram_find_message(struct fake_telegram *fake, int64_t chat,
                                                       int64_t message_id);
struct fake_telegram_topic *fake_telegram_find_topic(struct fake_telegram *fake, int64_t chat,
                                                     int64_t thread);
struct fake_telegram_reply fake_telegram_accept_text(struct fake_telegram *fake, const char *method,
                                                     const struct json_object *params);
struct fake_telegram_reply fake_telegram_accept_file(struct fake_telegram *fake, const char *method,
                                                     const char *field,
                                                     const struct web_request *request,
                                                     const struct json_object *params);
struct fake_telegram_reply fake_telegram_accept_about(struct fake_telegram *fake,
                                                      const char *method,
                                                      const struct json_object *params);

/* fake_telegram_faults.c */
struct fake_telegram_failure *fake_telegram_next_failure(struct fake_telegram *fake,
                                                         const char *method, int64_t chat);
void fake_telegram_run_failure(struct fake_telegram *fake, const struct fake_telegram_failure *f,
                               struct web_request *request, const struct json_object *params,
                               int64_t chat);
void fake_telegram_check_waits(struct fake_telegram *fake, const char *method, int64_t chat);
void fake_telegram_check_rate(struct fake_telegram *fake, const char *method, int64_t chat);
/* Goes on with the slow answer. */
void fake_telegram_tick_slow(struct fake_telegram *fake, bool stopping);

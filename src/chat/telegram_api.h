/*
 * telegram_api.h: one Bot API call and the meaning of its answer.
 *
 *     struct json_object *params = json_object_new_object();
 *     telegram_api_call(api, &(struct telegram_request){.method = "getMe", .params = params,
 *                       .timeout_ms = 10000}, on_answer, self);
 *
 * Always true: fn runs exactly once unless the call is cancelled, from the loop, never inside
 * telegram_api_call; a partial answer, or one that is not from the Bot API, is never reported as
 * TELEGRAM_OK; no text here contains the token.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "io/http.h"
#include "io/json.h"
#include "io/pool.h"

#include <stdbool.h>
#include <stdint.h>

struct telegram_api;
struct telegram_call;

enum telegram_result {
    TELEGRAM_OK,
    TELEGRAM_NOT_SENT, /* certainly not delivered: repeat later */
    TELEGRAM_FAILED,   /* the server reports a failure (5xx): repeat later */
    TELEGRAM_LOST,     /* the answer is missing or unreadable: the call may have taken effect */
    TELEGRAM_WAIT,     /* 429: repeat after retry_after_s */
    TELEGRAM_NO,       /* 400, 403, 404, …: see description */
    TELEGRAM_TOKEN_REFUSED, /* 401 */
    TELEGRAM_CONFLICT       /* 409 */
};

struct telegram_answer {
    enum telegram_result result;
    int code; /* error_code or HTTP status; 0: no answer */
    int64_t retry_after_s;
    int64_t migrate_to_chat_id; /* 0: none */
    char description[200];      /* Telegram's description, without a leading "Bad Request: " */
    struct json_object *value;  /* `result`, borrowed; NULL unless TELEGRAM_OK */
    bool too_large;             /* the answer was longer than max_body_bytes */
    int64_t elapsed_us;
    int64_t date_us; /* Date header of the answer; 0: none */
    struct err err;  /* ERR_NONE with TELEGRAM_OK */
};

typedef void (*telegram_api_fn)(const struct telegram_answer *answer, void *userdata);

struct telegram_request {
    const char *method;
    struct json_object *params;    /* consumed; NULL: none */
    const struct http_part *parts; /* instead of params: an upload */
    size_t part_count;
    int64_t timeout_ms;
    size_t max_body_bytes; /* 0: 1 MiB */
    bool held;             /* the server waits for something to happen before it answers */
};

/* helpers parse large answers; NULL: they are parsed on the loop. url: "https://api.telegram.org".
 * ERR_HTTP_URL when url is not valid. */
int telegram_api_new(struct loop *loop, struct pool *helpers, const char *url, const char *token,
                     struct telegram_api **ret, struct err *err);
void telegram_api_free(struct telegram_api *api); /* cancels all calls */
/* Measures all later calls; NULL: none. The meter outlives the API. */
void telegram_api_measure(struct telegram_api *api, struct http_meter *meter);
/* Later calls go with this token. A call under way keeps its own; if that is refused it counts as
 * TELEGRAM_NOT_SENT, to be repeated with the new one. */
int telegram_api_set_token(struct telegram_api *api, const char *url, const char *token,
                           struct err *err);

/* New calls use new connections, to addresses that are resolved again; calls under way end on their
 * own. */
int telegram_api_reconnect(struct telegram_api *api, struct err *err);

/* The returned handle is valid until fn starts. */
struct telegram_call *telegram_api_call(struct telegram_api *api,
                                        const struct telegram_request *request, telegram_api_fn fn,
                                        void *userdata);
/* fn will not run. NULL does nothing. */
void telegram_api_cancel(struct telegram_call *call);

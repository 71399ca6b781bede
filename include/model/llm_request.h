/*
 * llm_request.h: a question to a language model and its answer, as plain values, and the port
 * through which a room asks without knowing who answers.
 *
 *     struct llm_request q = {.system = rules, .user = text, .schema = schema, .max_tokens = 8000};
 *     rc = llm_client->ask(llm_client->self, &q, on_answer, self, &handle, err);
 *     ...
 *     static void on_answer(const struct llm_answer *a, void *self)
 *     {
 *         if (a->err.id != ERR_NONE) no_verdict(self, &a->err); else read(self, a->text);
 *     }
 *
 * Always true: the callback runs exactly once, from the loop, never inside ask, and not after
 * cancel; the answer lives until it returns; text is set only when the model finished it.
 * Thread: ops.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"

#include <stdint.h>

struct json_object;

struct llm_request {
    const char *system;         /* the rules; trusted */
    const char *user;           /* the matter; what is untrusted in it is marked by the asker */
    struct json_object *schema; /* JSON schema of the answer (borrowed); NULL: free text */
    const char *model;          /* NULL: as configured */
    int64_t max_tokens;         /* 0: as configured */
};

struct llm_answer {
    struct err err;         /* ERR_NONE: text is the whole answer; else why there is none */
    const char *text;       /* "" with an error */
    const char *model;      /* that answered, else that was asked */
    const char *request_id; /* of the other side, for support; "" when unknown */
    const char *stop_reason;
    int64_t input_tokens; /* in all, cached ones included; of every attempt that was answered */
    int64_t output_tokens;
    int64_t cache_read_tokens;
    int64_t cache_write_tokens;
    struct dec cost_usd; /* DEC_INVALID when the price of the model is not known */
    int attempts;
    int64_t elapsed_us;
};

typedef void (*llm_answer_fn)(const struct llm_answer *answer, void *userdata);

struct llm_client {
    /* Everything in the inquiry is copied. *ret_handle is for cancel. A negative return means that
     * the callback will not run. */
    int (*ask)(void *self, const struct llm_request *llm_request, llm_answer_fn fn, void *userdata,
               void **ret_handle, struct err *err);
    void (*cancel)(void *self, void *handle);
    void *self;
};

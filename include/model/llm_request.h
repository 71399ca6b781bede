/*
 * llm_request.h: a request to a language model and its answer, as plain values, and the client
 * interface, through which a module sends requests without depending on the implementation.
 *
 *     struct llm_request q = {.system = rules, .user = text, .schema = schema, .max_tokens = 8000};
 *     rc = llm_client->ask(llm_client->self, &q, on_answer, self, &handle, err);
 *     ...
 *     static void on_answer(const struct llm_answer *a, void *self)
 *     {
 *         if (a->err.id != ERR_NONE) no_verdict(self, &a->err); else read(self, a->text);
 *     }
 *
 * Invariants: the callback runs exactly once, from the loop, never inside ask, and not after
 * cancel. The answer is valid until the callback returns; text is set only if the model finished
 * it.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;

struct llm_request {
    const char *system;         /* the rules; trusted */
    const char *user;           /* the data; the caller marks the untrusted parts */
    struct json_object *schema; /* JSON Schema of the answer (borrowed); NULL: free text */
    const char *model;          /* NULL: as configured */
    int64_t max_tokens;         /* 0: as configured */
    /* A conversation of several rounds, in place of user: [{"role", "content"}] as the API takes
     * it, from a person first and last (borrowed). */
    struct json_object *messages;
    struct json_object
        *tools;         /* [{"name", "description", "input_schema"}] (borrowed); NULL: none */
    bool no_more_tools; /* of a conversation with tools: the model has to answer now */
    /* Called with all text so far each time more of it arrives; an attempt that is repeated begins
     * from its start. NULL: the answer comes as a whole. */
    void (*on_text)(struct str text, void *userdata);
};

struct llm_answer {
    struct err err;   /* ERR_NONE: text is the whole answer; else why there is no answer */
    const char *text; /* "" if there is an error; with a tool to use, it may be "" as well */
    struct json_object
        *content;           /* the blocks of the message (borrowed); NULL if there is an error */
    const char *model;      /* the model that answered, else the requested one */
    const char *request_id; /* of the API, for its support; "" if unknown */
    const char *stop_reason;
    int64_t input_tokens; /* total, including cached ones, of all answered attempts */
    int64_t output_tokens;
    int64_t cache_read_tokens;
    int64_t cache_write_tokens;
    struct dec cost_usd; /* of all attempts; DEC_INVALID if that of one is unknown */
    int attempts;
    int64_t elapsed_us;
};

/* Adds compact JSON between <untrusted_data> and </untrusted_data>, with '<' and '>' escaped, so
 * that the content cannot close the tag around it. */
void llm_add_untrusted(struct json_object *data, struct buf *out);

typedef void (*llm_answer_fn)(const struct llm_answer *answer, void *userdata);

struct llm_client {
    /* Copies the request. *ret_handle is for cancel. After a negative return the callback does not
     * run. */
    int (*ask)(void *self, const struct llm_request *llm_request, llm_answer_fn fn, void *userdata,
               void **ret_handle, struct err *err);
    void (*cancel)(void *self, void *handle);
    void *self;
};

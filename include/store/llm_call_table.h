/*
 * llm_call_table.h: each request that was sent to a language model, in ops.db: what it used, what
 * it cost and how it ended. The daily budget and the report's section "model" are read from it.
 *
 *     llm_call_table_add(store, &(struct llm_call_record){.at_us = now_us, .model = …}, err);
 *     llm_call_table_spend(store, day_us, &spend, err);
 *
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

struct llm_call_record {
    int64_t at_us; /* wall time of its end */
    char model[64];
    int64_t input_tokens; /* all of them, with those of the cache */
    int64_t output_tokens;
    int64_t cache_read_tokens;
    int64_t cache_write_tokens;
    struct dec cost_usd; /* DEC_INVALID: unknown */
    int64_t latency_us;
    char stop_reason[40]; /* "": no answer */
    char error_code[40];  /* "": a whole answer */
    char request_id[64];
    char prompt_hash[SECRET_HASH_HEX_SIZE]; /* of the rules and the schema */
    char report_hash[SECRET_HASH_HEX_SIZE]; /* of the message with the report */
};

/* Texts are cut to their size. */
int llm_call_table_add(struct ops_store *store, const struct llm_call_record *record,
                       struct err *err);
/* Newest first; returns the number. */
int llm_call_table_list(struct ops_store *store, struct llm_call_record *ret, size_t max,
                        struct err *err);

struct llm_spend {
    struct dec cost_usd; /* of the calls with a known cost */
    int64_t calls;
    int64_t unpriced; /* of them, calls whose cost is unknown */
};
/* Over the calls that ended at since_us or later. */
int llm_call_table_spend(struct ops_store *store, int64_t since_us, struct llm_spend *ret,
                         struct err *err);
/* The same for each model, the dearest first; returns the number. */
struct llm_model_spend {
    char model[64];
    struct llm_spend spend;
};
int llm_call_table_models(struct ops_store *store, int64_t since_us, struct llm_model_spend *ret,
                          size_t max, struct err *err);

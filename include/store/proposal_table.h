/*
 * proposal_table.h: command lines that a program has proposed, and what people made of them.
 *
 *     rc = proposal_table_add(store, &proposal, &id, err);
 *     rc = proposal_table_of_code(store, "4F7KQ2", &proposal, err);       // ERR_STORE_NOT_FOUND
 *     rc = proposal_table_decide(store, id, PROPOSED_ACCEPTED, "alice", now_us, run_id, err);
 *     proposal_release(&proposal);
 *
 * Always true: a proposal is decided once (ERR_STORE_CONFLICT).
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

#define PROPOSAL_MESSAGES_MAX 32

enum proposal_state { PROPOSED_OPEN, PROPOSED_ACCEPTED, PROPOSED_DECLINED, PROPOSED_EXPIRED };

/* One message about it, of a person on Telegram or of the console. */
struct proposal_message {
    int64_t outbox_id;
    int64_t chat_id; /* 0: the console */
};

struct proposal {
    int64_t id;
    char code[16]; /* with which it is answered */
    char command[64];
    char *args_json; /* as of a run */
    char *line;      /* "restart demo" */
    char *reason;
    int64_t user_id;
    char user[64]; /* who proposed it */
    char channel[32];
    int64_t created_us;
    int64_t expires_us;
    enum proposal_state state;
    char decided_by[64]; /* "": nobody */
    int64_t decided_us;  /* 0: not yet */
    int64_t run_id;      /* what it became; 0: nothing */
    size_t message_count;
    struct proposal_message messages[PROPOSAL_MESSAGES_MAX];
};

const char *proposal_state_name(enum proposal_state state); /* "open" "accepted" … */
void proposal_release(struct proposal *proposal);
static inline void proposal_cleanup(struct proposal *proposal)
{
    proposal_release(proposal);
}
#define AUTO_PROPOSAL __attribute__((cleanup(proposal_cleanup)))

int proposal_table_add(struct ops_store *store, const struct proposal *proposal, int64_t *ret_id,
                       struct err *err);
int proposal_table_set_messages(struct ops_store *store, const struct proposal *proposal,
                                struct err *err);
/* The functions that read: the caller releases *ret. Error: STORE_NOT_FOUND. */
int proposal_table_get(struct ops_store *store, int64_t id, struct proposal *ret, struct err *err);
int proposal_table_of_code(struct ops_store *store, const char *code, struct proposal *ret,
                           struct err *err);
/* An open one of the same line by the same caller. */
int proposal_table_same(struct ops_store *store, const struct proposal *like, struct proposal *ret,
                        struct err *err);
int proposal_table_count_open(struct ops_store *store, int64_t *ret, struct err *err);
/* The newest first; returns the number. The caller releases each. */
int proposal_table_list(struct ops_store *store, struct proposal *ret, size_t max, struct err *err);
/* The open one that expires first. */
int proposal_table_next(struct ops_store *store, struct proposal *ret, struct err *err);
int proposal_table_decide(struct ops_store *store, int64_t id, enum proposal_state state,
                          const char *by, int64_t now_us, int64_t run_id, struct err *err);

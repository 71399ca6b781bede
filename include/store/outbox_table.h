/*
 * outbox_table.h: messages to people, in ops.db, until a channel has delivered them.
 *
 *     outbox_table_add(store, &(struct outbox_new){.channel = "telegram", .chat_id = 42,
 *         .kind = OUTBOX_SEND, .priority = OUTBOX_CRITICAL, .payload = reply_json}, now_us, &id,
 *         err);
 *     channel: rc = outbox_table_due(store, "telegram", now_us, &row, err);   // 1, 0, negative
 *              outbox_table_sending(...); send;
 *              outbox_table_delivered(store, row.id, message_id, err);
 *
 * Always true: due returns the smallest enum outbox_priority first, then the oldest. An edit (a
 * delete, a pin) is due only when its message is delivered, uncertain or dead; a queued edit is
 * replaced by a newer edit of the same message. outbox_table_recover, at start, marks messages in
 * state `sending` as `uncertain`, since they may have arrived. If due or next_uncertain finds an
 * unreadable row, it marks the row as dead and returns ERR_STORE_DAMAGED; the next call continues
 * with the next row. Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTBOX_PAYLOAD_MAX ((size_t)512 * 1024)

enum outbox_kind {
    OUTBOX_SEND,
    OUTBOX_EDIT, /* of the message edit_of */
    OUTBOX_ANSWER,
    OUTBOX_PHOTO,    /* the attachment of the reply in the payload */
    OUTBOX_DOCUMENT, /* the same, offered for download */
    OUTBOX_DELETE,   /* of the message edit_of */
    OUTBOX_PIN,      /* of the message edit_of, without a notification */
    OUTBOX_ACTION,   /* "is typing": worth showing for a few seconds only */
    OUTBOX_REFRESH,  /* like an edit, but never a new message: if its message is gone, it is dead */
    OUTBOX_UNPIN     /* of the message edit_of */
};
enum outbox_priority { OUTBOX_CRITICAL, OUTBOX_HIGH, OUTBOX_NORMAL, OUTBOX_INFO };
enum outbox_state {
    OUTBOX_QUEUED,
    OUTBOX_SENDING,
    OUTBOX_DELIVERED,
    OUTBOX_UNCERTAIN, /* sent, but the server's response was lost */
    OUTBOX_DEAD,
    OUTBOX_STATE_COUNT
};
const char *outbox_table_state_name(enum outbox_state state); /* "queued" … */

struct outbox_new {
    const char *channel; /* "telegram" "console" "mail" "webhook" */
    int64_t chat_id;
    int64_t thread_id; /* the topic of a forum; 0: that of edit_of, or of the run's first message in
                          this chat, or none */
    enum outbox_kind kind;
    enum outbox_priority priority;
    const char *payload; /* JSON of the reply value; at most OUTBOX_PAYLOAD_MAX. "{}" for delete,
                            pin and action */
    int64_t run_id;      /* 0: none */
    int64_t edit_of; /* kinds edit, refresh, delete, pin, unpin: the outbox id of their message */
    int64_t not_before_us;
};

struct outbox_row {
    int64_t id;
    char channel[32];
    int64_t chat_id;
    int64_t thread_id; /* 0: none */
    enum outbox_kind kind;
    enum outbox_priority priority;
    char *payload; /* owned: outbox_row_release */
    int64_t run_id;
    int64_t created_us;
    int64_t not_before_us;
    int64_t attempts;
    enum outbox_state state;
    char last_error[128];
    int64_t message_id; /* the channel's id of the message, once delivered */
    int64_t edit_of;
    int64_t edit_message_id; /* message_id of edit_of; 0: not delivered, so an edit becomes a new
                                message, and there is nothing to delete or pin */
};

void outbox_row_release(struct outbox_row *row);
#define AUTO_OUTBOX_ROW __attribute__((cleanup(outbox_row_release)))

int outbox_table_add(struct ops_store *store, const struct outbox_new *message, int64_t now_us,
                     int64_t *ret_id, struct err *err);
/* 1: *ret is set (release it). 0: nothing is due. Negative: failed. */
int outbox_table_due(struct ops_store *store, const char *channel, int64_t now_us,
                     struct outbox_row *ret, struct err *err);
/* The same, except for messages to these chats, which have to wait. */
int outbox_table_due_except(struct ops_store *store, const char *channel, int64_t now_us,
                            const int64_t *chats, size_t chat_count, struct outbox_row *ret,
                            struct err *err);
/* The channel's first uncertain message with an id above after_id; 1, 0 or negative as above. */
int outbox_table_next_uncertain(struct ops_store *store, const char *channel, int64_t after_id,
                                struct outbox_row *ret, struct err *err);
/* When the channel's next message may be due; INT64_MAX if none is queued. */
int outbox_table_next_due_us(struct ops_store *store, const char *channel, int64_t *ret,
                             struct err *err);
int outbox_table_get(struct ops_store *store, int64_t id, struct outbox_row *ret, struct err *err);
/* The newest row of this kind (edit, refresh, delete, pin, unpin) about a message; 1, 0 or negative
 * as above. */
int outbox_table_newest_about(struct ops_store *store, int64_t edit_of, enum outbox_kind kind,
                              struct outbox_row *ret, struct err *err);
/* Deletes those that are delivered, dead or uncertain. */
int outbox_table_drop_about(struct ops_store *store, int64_t edit_of, enum outbox_kind kind,
                            struct err *err);

/* The first message of a run, which later ones edit; 0: none. */
int outbox_table_of_run(struct ops_store *store, int64_t run_id, int64_t *ret_id, struct err *err);

/* The copies of its prompt in other chats. Returns their number. */
struct outbox_copy {
    int64_t id;
    int64_t chat_id;
};
int outbox_table_copies(struct ops_store *store, const char *channel, int64_t run_id,
                        int64_t prompt_id, struct outbox_copy *ret, size_t max, struct err *err);

/* attempts + 1. may_repeat: the same message twice does no harm, so the change is not synced, and a
 * power cut may leave the message queued. */
int outbox_table_sending(struct ops_store *store, int64_t id, bool may_repeat, struct err *err);
/* Not synced: after a power cut it is a message that may have arrived. */
int outbox_table_delivered(struct ops_store *store, int64_t id, int64_t message_id,
                           struct err *err);
/* Back to queued. */
int outbox_table_retry(struct ops_store *store, int64_t id, int64_t not_before_us,
                       const char *error, struct err *err);
/* Those that were tried before are due now. */
int outbox_table_retry_now(struct ops_store *store, const char *channel, int64_t now_us,
                           struct err *err);
int outbox_table_uncertain(struct ops_store *store, int64_t id, const char *error, struct err *err);
int outbox_table_dead(struct ops_store *store, int64_t id, const char *error, struct err *err);
/* All queued messages to one chat become dead, and its live message is not edited any more: its
 * person may not receive them. */
int outbox_table_drop_chat(struct ops_store *store, const char *channel, int64_t chat_id,
                           const char *error, struct err *err);

/* Important messages (critical and high, of kind send) that this channel has not delivered: the
 * dead ones, then those added at or before late_us, each oldest first; only those added after
 * since_us, and none that was copied to a second channel. Returns their number, at most max;
 * release each. */
int outbox_table_uncopied(struct ops_store *store, const char *channel, int64_t late_us,
                          int64_t since_us, struct outbox_row *ret, size_t max, struct err *err);
/* The message was copied to the second channels. */
int outbox_table_copied(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
/* Queued messages of a channel added before this time become dead. */
int outbox_table_expire(struct ops_store *store, const char *channel, int64_t before_us,
                        const char *error, int64_t *ret_count, struct err *err);

/* Why the channel's first queued message with an error was not delivered; "" if there is none. */
int outbox_table_fault(struct ops_store *store, const char *channel, char *ret, size_t size,
                       struct err *err);

/* Messages (not edits and the like) that nobody may have seen: dead and uncertain ones added after
 * since_us, and those that have waited since late_us or longer. */
struct outbox_undelivered {
    int64_t dead;
    int64_t uncertain;
    int64_t waiting;
};
int outbox_table_undelivered(struct ops_store *store, int64_t since_us, int64_t late_us,
                             struct outbox_undelivered *ret, struct err *err);

/* Everything that is not delivered yet, edits included. */
struct outbox_waiting {
    int64_t count;
    int64_t oldest_us; /* when the oldest was added (wall); 0: none waits */
};
int outbox_table_waiting(struct ops_store *store, struct outbox_waiting *ret, struct err *err);

/* The oldest message (not an edit and the like) that waits for each chat, among those that are due
 * or have been tried; one row a chat. Returns their number, at most max. */
struct outbox_head {
    int64_t id;
    int64_t chat_id;
    int64_t attempts;
    char last_error[128];
};
int outbox_table_heads(struct ops_store *store, const char *channel, int64_t now_us,
                       struct outbox_head *ret, size_t max, struct err *err);

/* The id of the newest message of kind send; 0: there is none. */
int outbox_table_newest(struct ops_store *store, int64_t *ret_id, struct err *err);

/* Call at start. Changes sending to uncertain. *ret_count: the number of messages. */
int outbox_table_recover(struct ops_store *store, int64_t *ret_count, struct err *err);
/* Messages of one channel (NULL: of all) by state. */
int outbox_table_counts(struct ops_store *store, const char *channel,
                        int64_t ret_by_state[OUTBOX_STATE_COUNT], struct err *err);

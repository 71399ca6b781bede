/*
 * session_table.h: the troubleshooting sessions of the assistant, in ops.db: who is in them, what
 * happened, and the summary of what was said first. What was said is in the questions of a session
 * (question_table.h).
 *
 *     rc = session_table_open(store, title, &member, now_us, &id, err);
 *     rc = session_table_of_chat(store, &member, &id, err);             // 0: none is open there
 *     rc = session_table_close(store, id, "idle", now, err);
 *
 * Always true: a person has at most one open session in a chat; a session has at most
 * SESSION_MEMBERS_MAX members, of whom the first opened it; at most SESSIONS_KEPT sessions that are
 * closed are kept, for as long as other history is, and their questions with them.
 * Ownership: session_release frees the summary of a row that was read.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/auto.h"
#include "base/dec.h"
#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSIONS_KEPT       30
#define SESSION_MEMBERS_MAX 8
#define SESSION_EVENTS_MAX  200
#define SESSION_SUMMARY_MAX ((size_t)6 * 1024)

struct session {
    int64_t id;
    char title[128]; /* the first words of what is wrong */
    bool open;
    int64_t opened_us; /* the last time that it was opened */
    int64_t active_us; /* when somebody last said something */
    int64_t closed_us; /* 0: it is open */
    char closed_by[64];
    char *summary;      /* of the questions up to summary_to; "": none */
    int64_t summary_to; /* 0: none */
    char commands[512]; /* that were read in it: "status logs" */
};
void session_release(struct session *session);
#define AUTO_SESSION AUTO(session_release)

/* A person in a chat. */
struct session_member {
    int64_t index; /* from 0, in the order of joining */
    char channel[16];
    int64_t user_id;
    char user[64];
    char role[16]; /* when the person last said something */
    int64_t chat_id;
    int64_t thread_id; /* the topic of a forum; 0: none */
};

enum session_event_kind { SESSION_OPENED, SESSION_JOINED, SESSION_RAN, SESSION_CLOSED };
const char *session_event_name(enum session_event_kind kind); /* "opened" "joined" … */
bool session_event_parse(struct str text, enum session_event_kind *ret);

struct session_event {
    int64_t at_us;
    enum session_event_kind kind;
    char user[64];
    char text[256]; /* RAN: "/restart demo: done" */
};

/* Of its questions. */
struct session_sums {
    int64_t questions;
    int64_t calls; /* what was read */
    int64_t tokens;
    struct dec cost_usd; /* of those whose cost is known */
    int64_t found, derived, unverified;
};

/* With its first member. Closed sessions beyond SESSIONS_KEPT are deleted. */
int session_table_open(struct ops_store *store, const char *title,
                       const struct session_member *member, int64_t now_us, int64_t *ret_id,
                       struct err *err);
/* STORE_NOT_FOUND. */
int session_table_get(struct ops_store *store, int64_t id, struct session *ret, struct err *err);
/* Newest first, without summaries; returns the number. */
int session_table_list(struct ops_store *store, struct session *ret, size_t max, struct err *err);
/* When the session that has been idle the longest was last active; 0: none is open. */
int session_table_idlest(struct ops_store *store, int64_t *ret_us, struct err *err);
/* The ids of the open sessions that were last active at or before a time; returns the number. */
int session_table_idle(struct ops_store *store, int64_t until_us, int64_t *ret_ids, size_t max,
                       struct err *err);
/* In the order of joining; returns the number. */
int session_table_members(struct ops_store *store, int64_t id,
                          struct session_member ret[SESSION_MEMBERS_MAX], struct err *err);
/* The open session of this person in this chat; 0: none. */
int session_table_of_chat(struct ops_store *store, const struct session_member *who,
                          int64_t *ret_id, struct err *err);
/* The session in which this message of a chat answers a question; 0: none. */
int session_table_of_message(struct ops_store *store, const char *channel, int64_t chat_id,
                             int64_t message_id, int64_t *ret_id, struct err *err);
/* Adds the person in this chat, or renews role and topic if it is there. SESSION_FULL. */
int session_table_join(struct ops_store *store, int64_t id, const struct session_member *member,
                       bool *ret_new, struct err *err);
/* Somebody says something. */
int session_table_touch(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
int session_table_set_commands(struct ops_store *store, int64_t id, const char *commands,
                               struct err *err);
int session_table_set_summary(struct ops_store *store, int64_t id, const char *summary,
                              int64_t summary_to, struct err *err);
/* STORE_CONFLICT if it is closed (open) already. */
int session_table_close(struct ops_store *store, int64_t id, const char *by, int64_t now_us,
                        struct err *err);
int session_table_reopen(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
int session_table_sums(struct ops_store *store, int64_t id, struct session_sums *ret,
                       struct err *err);
/* Beyond SESSION_EVENTS_MAX the oldest is deleted. */
int session_table_add_event(struct ops_store *store, int64_t id, const struct session_event *event,
                            struct err *err);
/* From since_us on, in order; returns the number. */
int session_table_events(struct ops_store *store, int64_t id, int64_t since_us,
                         struct session_event *ret, size_t max, struct err *err);
/* Notes an event in all open sessions that have a member of this name; returns their number. */
int session_table_note(struct ops_store *store, const struct session_event *event, struct err *err);

/*
 * session.h: the questions of a troubleshooting session: who may ask, in which order, within which
 * limits, what is shown while no model answers, and who else sees it. Private to this module.
 *
 *     rc = session_enter(q, err);      // finds, opens or joins; q->waits: another one is answered
 *     session_begin(q);                // the model, or what code can tell
 *     session_store(q);                // with its end
 *     session_next(q);                 // the one that waits behind it
 *
 * Always true: one question of a session is answered at a time, in the order in which they came; a
 * question runs with the rights of the person who asks it, and nobody else's; a person who is in a
 * session sees all that is said in it, and somebody who may not run a command that was read in it
 * cannot join it; the chats of a session get no message once nobody of them is a user any more.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "base/err.h"
#include "store/session_table.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_QUESTIONS_MAX 50

struct action_call;
struct ask;
struct assistant;
struct reply;

/* Finds the session of q, opens or joins it. Errors: SESSION_…, ASK_LOST. */
int session_enter(struct ask *q, struct err *err);
void session_begin(struct ask *q);
/* Asks the model, after a summary if one is needed. */
void session_talk(struct ask *q);
/* Shows what code can tell in place of an answer. */
void session_without_model(struct ask *q, const struct err *why);
void session_gather_on(struct ask *q); /* after each reading */
void session_finish_by_code(struct ask *q);
/* What has been read, and when. A failure is logged. */
void session_store(struct ask *q);
/* q is freed: the next question of its session begins. */
void session_next(const struct ask *q);

/* Why no model has answered; nothing if one could. */
void session_add_outage(const struct ask *q, struct reply *r);
void session_add_buttons(struct reply *r, int64_t session_id); /* none for 0 */
/* Posts the answer to the other chats of the session. */
void session_tell_others(const struct ask *q, const struct reply *answer);

/* Posts a message to the chats of a session, but for one (NULL: to all). */
void session_post(struct assistant *assistant, int64_t session_id,
                  const struct session_member *except, const struct reply *message);
struct session_member session_member_of(const struct action_call *call);
/* A member who still is a user, as of now. */
bool session_member_who(const struct assistant *assistant, const struct session_member *member,
                        struct principal *ret);
/* 1: the person of the call is in it; 0: may join it; negative: SESSION_UNKNOWN, SESSION_DENIED. */
int session_standing(struct assistant *assistant, const struct session *session,
                     const struct principal *who, struct err *err);
/* Adds the person, who may do so, and tells the others. Errors: SESSION_FULL, SESSION_ELSEWHERE. */
int session_join(struct assistant *assistant, const struct session *session,
                 const struct session_member *member, struct err *err);
bool session_is_busy(const struct assistant *assistant, int64_t session_id);
/* Whether this person may run a command, by its name. */
bool session_may_run(const struct assistant *assistant, const struct principal *who,
                     struct str command);
/* Looks at the sessions that are open when the next of them is idle. */
void session_schedule(struct assistant *assistant);

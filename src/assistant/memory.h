/*
 * memory.h: what a model gets of a session before the question that it answers: who said what,
 * what was read for it, what was answered and run, and, once that is long, a summary of the
 * beginning. Private to this module.
 *
 *     if (memory_is_long(q)) memory_summarise(q);   // q->deferred runs afterwards
 *     memory_add(q, &text);                         // messages, and what is new since the last
 *
 * Always true: people have letters, not names; a result is given only to somebody who may run its
 * command; what is remembered is bounded, the oldest is left out first; the figures of a summary
 * are in no document that an answer is checked against.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

struct ask;

void memory_init(struct ask *q);
void memory_release(struct ask *q);
bool memory_is_long(struct ask *q);
/* False: the model cannot be asked now. Else session_talk goes on with q, with or without a new
 * summary. */
bool memory_summarise(struct ask *q);
/* Adds what was said to q->messages and fills q->memory and q->said; *out: what belongs before the
 * next message of a person. */
void memory_add(struct ask *q, struct buf *out);
/* "Person B (operator)" */
void memory_add_speaker(const struct ask *q, struct buf *out);
/* The text with names in place of letters, for people. */
void memory_name_people(const struct ask *q, struct str text, struct buf *out);
/* The same for the people of any session, such as in its transcript. */
struct session_member;
void memory_add_named(const struct session_member *members, int count, struct str text,
                      struct buf *out);

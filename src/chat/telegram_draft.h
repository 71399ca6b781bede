/*
 * telegram_draft.h: answers that are being written, as drafts in private chats (sendMessageDraft).
 * The whole answer follows as a message from the outbox; a draft vanishes then. Private to this
 * module.
 *
 *     if (!telegram_draft_show(t->draft, &stream)) edit_a_message();
 *
 * Always true: nothing waits for a draft, and none is repeated; one call at a time for each answer,
 * the newest text next; during a retry_after nothing is sent to the chat, and no message is edited
 * instead. A server that does not know the method is not asked again, and a chat that refuses
 * drafts not for this answer. Thread: ops.
 */
#pragma once

#include "command/runner.h"
#include "telegram_internal.h"

struct telegram_draft;

struct telegram_draft *telegram_draft_new(struct telegram *t);
void telegram_draft_free(struct telegram_draft *draft); /* accepts NULL */
bool telegram_draft_show(struct telegram_draft *draft, const struct runner_stream *stream);

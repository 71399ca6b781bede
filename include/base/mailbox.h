/*
 * mailbox.h: passes the latest value from one thread to one other; a triple buffer.
 *
 *     struct mailbox *m = mailbox_new(sizeof(struct snapshot));
 *     writer: struct snapshot *s = mailbox_draft(m); fill(s); mailbox_publish(m);
 *     reader: const struct snapshot *s = mailbox_latest(m, &fresh);
 *
 * Invariants: neither side ever waits. The reader gets the newest published value, always whole;
 * older values may be skipped. Before the first publish the value is all zero bytes.
 * Ownership: the mailbox owns the three buffers. The draft belongs to the writer until it is
 * published; it contains an arbitrary older value, so fill it completely. The value returned by
 * mailbox_latest belongs to the reader until its next call.
 * Thread: draft and publish from one thread, latest from one other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct mailbox;

struct mailbox *mailbox_new(size_t value_size); /* never NULL */
void mailbox_free(struct mailbox *mailbox);

void *mailbox_draft(struct mailbox *mailbox);
void mailbox_publish(struct mailbox *mailbox);

/* *ret_fresh (may be NULL): whether the value is new since the last call. Never NULL. */
const void *mailbox_latest(struct mailbox *mailbox, bool *ret_fresh);

/*
 * mailbox.h: the latest value from one thread to one other; a triple buffer.
 *
 *     struct mailbox *m = mailbox_new(sizeof(struct snapshot));
 *     writer: struct snapshot *s = mailbox_draft(m); fill(s); mailbox_publish(m);
 *     reader: const struct snapshot *s = mailbox_latest(m, &fresh);
 *
 * Invariants: neither side ever waits; the reader sees whole values only, the newest published;
 * older ones may be skipped. Before the first publish the reader sees zero bytes.
 * Ownership: the mailbox owns the three buffers. The draft is the writer's until published, and
 * holds an arbitrary older value: fill it completely. What mailbox_latest returned is the reader's
 * until its next call.
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

/* *ret_fresh (may be NULL): a value not seen before. Never NULL. */
const void *mailbox_latest(struct mailbox *mailbox, bool *ret_fresh);
